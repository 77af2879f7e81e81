"""How fast do typed events come off a socket, against Python's csv module on the same bytes in memory?"""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

import attrs

from benchmarks.bodies import events, serving_body, throughput
from benchmarks.results import Result, versus
from benchmarks.rounds import in_turn
from scarf_async import Event, Scarf
from scarf_async.protocol.wire import parse_time

__all__ = ["run"]

_ROWS: Final = 60_000
_ROUNDS: Final = 7
_NAMES: Final = frozenset(field.name for field in attrs.fields(Event)) - {"extra"}
_NUMBERS: Final = ("origin_latitude", "origin_longitude", "confidence")
_FLAGS: Final = ("dnt", "mtc_quota_exceeded")
_WORDS: Final = tuple(_NAMES - {"time", *_NUMBERS, *_FLAGS})
_TRUTH: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


async def _one_by_one(url: str) -> int:
    rows = 0
    async with (
        Scarf("token", base_url=url, v2_url=url) as scarf,
        scarf.exports.owner_events("acme", "2024-01-01", "2024-02-01") as stream,
    ):
        async for _ in stream:
            rows += 1
    return rows


async def _in_batches(url: str) -> int:
    rows = 0
    async with (
        Scarf("token", base_url=url, v2_url=url) as scarf,
        scarf.exports.owner_events("acme", "2024-01-01", "2024-02-01") as stream,
    ):
        async for batch in stream.batches():
            rows += len(batch)
    return rows


def _dicts(body: bytes) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.TextIOWrapper(io.BytesIO(body), encoding="utf-8", newline=""))


def _bare(body: bytes) -> int:
    return sum(1 for _ in _dicts(body))


def _event(row: Mapping[str, str]) -> Event:
    """Make of a row what ours is, as one would by hand."""
    values: dict[str, object] = {name: row[name] or None for name in _WORDS}
    for name in _NUMBERS:
        values[name] = float(text) if (text := row[name]) else None
    for name in _FLAGS:
        values[name] = _TRUTH[text.lower()] if (text := row[name]) else None
    time: dt.datetime = parse_time(row["time"])
    extra = {name: text or None for name, text in row.items() if name not in _NAMES}
    return Event(time=time, extra=extra, **values)  # type: ignore[arg-type] # by name, as their types say


def _converted(body: bytes) -> int:
    return sum(1 for _ in map(_event, _dicts(body)))


def run() -> list[Result]:
    """Measure."""
    body = events(_ROWS)
    with serving_body(body) as url:
        reads: list[Callable[[], int]] = [
            lambda: asyncio.run(_one_by_one(url)),
            lambda: asyncio.run(_in_batches(url)),
            lambda: _bare(body),
            lambda: _converted(body),
        ]
        one_by_one, in_batches, bare, converted = in_turn(
            [partial(throughput, body, _ROWS, read) for read in reads], _ROUNDS
        )
    return [
        versus(
            f"csv_typed.{name}.{other}",
            f"CSV typed off a socket, 24 columns, {name.replace('_', ' ')}",
            against,
            ours,
            theirs,
            unit="MB/s",
            better="more",
            target=target,
        )
        for name, ours in (("one_by_one", one_by_one), ("in_batches", in_batches))
        for other, against, theirs, target in (
            ("bare", "bare csv.DictReader in memory", bare, 0.6),
            ("converted", "csv.DictReader and the same conversions", converted, 1.5),
        )
    ]
