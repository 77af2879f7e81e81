"""How fast do Arrow batches come off a socket, against the whole body read first and given to pyarrow?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import aiohttp
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
from pyarrow import csv as pa_csv

from benchmarks.bodies import events, serving_body, throughput
from benchmarks.results import Result, versus
from benchmarks.rounds import in_turn
from scarf_async import Scarf
from scarf_async.entities import Event
from scarf_async.exports.arrow import schema_of

__all__ = ["run"]

_ROWS: Final = 200_000
_ROUNDS: Final = 9


async def _stream(url: str) -> int:
    rows = 0
    async with (
        Scarf("token", base_url=url, v2_url=url) as scarf,
        scarf.exports.owner_events("acme", "2024-01-01", "2024-02-01") as stream,
    ):
        async for batch in stream.record_batches():
            rows += batch.num_rows
    return rows


def _read_csv(body: bytes) -> int:
    types = {field.name: field.type for field in schema_of(Event) if field.name != "extra"}
    # The defaults but for what the data needs: line breaks in quotes, our schema, and null for what is empty.
    table = pa_csv.read_csv(
        pa.py_buffer(body),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True),
    )
    rows: int = table.num_rows
    return rows


async def _whole(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/packages/acme/events") as answer:
        return await asyncio.to_thread(_read_csv, await answer.read())


def run() -> list[Result]:
    """Measure."""
    body = events(_ROWS)
    with serving_body(body) as url:
        reads: list[Callable[[], int]] = [
            lambda: asyncio.run(_stream(url)),
            lambda: asyncio.run(_whole(url)),
            lambda: _read_csv(body),
        ]
        ours, whole, in_memory = in_turn([partial(throughput, body, _ROWS, read) for read in reads], _ROUNDS)
    row = partial(versus, unit="MB/s", better="more")
    what = "Arrow batches off a socket"
    return [
        row("arrow.whole", what, "aiohttp, the whole body, then pyarrow.csv on all cores", ours, whole, target=1.0),
        row("arrow.in_memory", what, "pyarrow.csv on all cores, in memory", ours, in_memory),
    ]
