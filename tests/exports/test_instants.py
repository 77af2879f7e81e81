"""Leap seconds, the end of a day, and events without a type, in every way of reading."""

from __future__ import annotations

import datetime as dt
import io
import json

import pyarrow.parquet as pq  # type: ignore[import-untyped] # it ships no types
import pytest

from scarf_async.entities import Event
from scarf_async.exports import prefetch
from scarf_async.exports.arrow import schema_of
from scarf_async.exports.arrow_csv import ColumnReader

from .fakes import download, events

END = dt.date(2017, 1, 1)
BODY = (
    b"type,time\n"
    b"leap,2016-12-31T23:59:60Z\n"
    b",2016-12-31T23:59:59Z\n"
    b"zone,2016-12-31 23:59:60+02:00\n"
    b"day,2016-12-30T24:00:00Z\n"
    b"half,2016-12-31T23:59:60.5Z\n"
    b"end,2016-12-31 24:00:00 UTC\n"
)
WHOLE = [
    ("leap", dt.datetime(2017, 1, 1, tzinfo=dt.UTC)),
    ("", dt.datetime(2016, 12, 31, 23, 59, 59, tzinfo=dt.UTC)),
    ("zone", dt.datetime(2016, 12, 31, 22, tzinfo=dt.UTC)),
    ("day", dt.datetime(2016, 12, 31, tzinfo=dt.UTC)),
    ("half", dt.datetime(2017, 1, 1, 0, 0, 0, 500_000, tzinfo=dt.UTC)),
    ("end", dt.datetime(2017, 1, 1, tzinfo=dt.UTC)),
]


@pytest.mark.parametrize("end", [None, END])
@pytest.mark.parametrize("few", [0, 2**14])
async def test_each_way_of_reading_sees_the_same_instants(
    end: dt.date | None, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records, batches, Arrow, Parquet and JSON lines agree, and all leave out the same rows."""
    monkeypatch.setattr(prefetch, "FEW", few)
    expected = [one for one in WHOLE if end is None or one[1].date() < end]

    async with events(download(BODY), end=end) as stream:
        assert [(event.type, event.time) async for event in stream] == expected
    async with events(download(BODY), end=end) as stream:
        assert [(event.type, event.time) async for some in stream.batches(2) for event in some] == expected
    async with events(download(BODY), end=end) as stream:
        rows = [row async for batch in stream.record_batches(2) for row in batch.to_pylist()]
    assert [(row["type"], row["time"]) for row in rows] == expected
    async with events(download(BODY), end=end) as stream:
        data = b"".join([chunk async for chunk in stream.chunks("parquet")])
    assert pq.read_table(io.BytesIO(data), columns=["type", "time"]).to_pylist() == [
        {"type": kind, "time": time} for kind, time in expected
    ]
    async with events(download(BODY), end=end) as stream:
        lines = b"".join([chunk async for chunk in stream.chunks("jsonl")]).splitlines()
    assert [(line["type"], dt.datetime.fromisoformat(line["time"])) for line in map(json.loads, lines)] == expected


async def test_lines_and_files_leave_out_the_same_rows() -> None:
    """What is at the end or after it, as the instant says and not as its text begins."""
    kept = [line for line in BODY.splitlines() if line.startswith((b"type", b",", b"zone", b"day"))]
    async with events(download(BODY), end=END) as stream:
        assert [line async for line in stream.lines()] == kept
        assert stream.records_dropped == 3
    async with events(download(BODY), end=END) as stream:
        assert b"".join([chunk async for chunk in stream.chunks()]) == b"\n".join((*kept, b""))


def test_blocks_whose_types_are_empty_are_read_as_columns() -> None:
    """An empty type, quoted or not, does not send a block the slow way."""
    reader = ColumnReader(["type", "time"], schema_of(Event), None)
    rows = reader.read(b'\n"",2024-01-01T00:00:00Z\n,2024-01-01T00:00:00Z\n')
    assert rows is not None
    assert rows.batch["type"].to_pylist() == ["", ""]
