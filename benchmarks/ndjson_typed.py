"""How fast do typed aggregates come off a socket, against loops written by hand on bare aiohttp?"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

import aiohttp
import attrs
import msgspec
from cattrs.preconf.json import make_converter

from benchmarks.bodies import aggregates, serving_body, throughput
from benchmarks.results import Result, versus
from benchmarks.rounds import in_turn
from scarf_async import Aggregate, Scarf

__all__ = ["run"]

_converter: Final = make_converter()
_ROWS: Final = 80_000
_ROUNDS: Final = 7


@attrs.define
class _Row:
    """An aggregate, as one would write it for msgspec."""

    breakdown: str
    date: dt.date
    package: str
    total: int
    company_name: str | None = None
    company_domain: str | None = None
    cloud_provider_name: str | None = None
    cloud_provider_domain: str | None = None
    country: str | None = None
    platform: str | None = None
    version: str | None = None
    client: str | None = None
    client_version: str | None = None
    variable: str | None = None
    value: str | None = None
    unique_total: int | None = None


async def _ours(url: str) -> int:
    rows = 0
    async with (
        Scarf("token", base_url=url, v2_url=url) as scarf,
        scarf.exports.organization_aggregates("acme", "2024-01-01", "2024-02-01") as stream,
    ):
        async for _ in stream:
            rows += 1
    return rows


async def _rows_by_hand(content: aiohttp.StreamReader) -> AsyncIterator[_Row]:
    read = msgspec.json.Decoder(_Row).decode
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield read(line)


async def _by_hand(url: str) -> int:
    rows = 0
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        async for _ in _rows_by_hand(answer.content):
            rows += 1
    return rows


async def _by_line(url: str) -> int:
    rows = 0
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        async for line in answer.content:
            _converter.structure(json.loads(line), Aggregate)
            rows += 1
    return rows


def run() -> list[Result]:
    """Measure."""
    body = aggregates(_ROWS)
    with serving_body(body) as url:
        reads: list[Callable[[], int]] = [
            lambda: asyncio.run(_ours(url)),
            lambda: asyncio.run(_by_hand(url)),
            lambda: asyncio.run(_by_line(url)),
        ]
        ours, by_hand, by_line = in_turn([partial(throughput, body, _ROWS, read) for read in reads], _ROUNDS)
    row = partial(versus, unit="MB/s", better="more")
    what = "NDJSON typed off a socket"
    return [
        row("ndjson_typed.by_hand", what, "chunks split by hand, msgspec to attrs", ours, by_hand, target=1.5),
        row("ndjson_typed.by_line", what, "async for line in content, json, cattrs", ours, by_line, target=6.0),
    ]
