"""How fast do Arrow batches come off a socket, against pyarrow on the same bytes in memory?"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

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


def run() -> list[Result]:
    """Measure."""
    body = events(_ROWS)
    with serving_body(body) as url:
        ours, theirs = in_turn(
            [
                lambda: throughput(body, _ROWS, lambda: asyncio.run(_stream(url))),
                lambda: throughput(body, _ROWS, partial(_read_csv, body)),
            ],
            _ROUNDS,
        )
    row = versus(
        "arrow",
        "Arrow batches off a socket",
        "pyarrow.csv in memory",
        ours,
        theirs,
        unit="MB/s",
        better="more",
        target=0.7,
    )
    return [row]
