"""How fast do Arrow batches come off a socket, against pyarrow on the same bytes in memory?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
from pyarrow import csv as pa_csv

from benchmarks.bodies import compare, events, serving_body
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


def run() -> list[str]:
    """Measure; return the line."""
    body = events(_ROWS)
    with serving_body(body) as url:
        ways: list[tuple[str, Callable[[], int]]] = [
            ("ours", lambda: asyncio.run(_stream(url))),
            ("pyarrow.csv.read_csv in memory", partial(_read_csv, body)),
        ]
        return compare("record batches off a socket", len(body), ways, [0.7], rounds=_ROUNDS)


if __name__ == "__main__":
    print("\n".join(run()))
