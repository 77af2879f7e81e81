"""Record batches of Arrow."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

import attrs
import pyarrow.csv as pa_csv  # type: ignore[import-untyped] # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped] # it ships no types
import pytest

from scarf_async.entities import Aggregate, Event
from scarf_async.errors import (
    ExportError,
    MalformedRecordError,
    StreamClosedError,
    StreamConsumedError,
    ValidationError,
)
from scarf_async.exports import arrow, arrow_csv, prefetch
from scarf_async.exports.arrow import RecordBatches

from .fakes import BODY, TYPES, aggregates, csv_body, download, event_rows, events, import_log, ndjson, row

pa = pytest.importorskip("pyarrow")


@pytest.mark.parametrize("size", [1, 7, 1024, 1500, 65536])
async def test_batches_hold_all_rows(size: int) -> None:
    """Each batch but the last one has the size, whatever the pieces that come."""
    async with events(download(csv_body(event_rows(3000)), step=5000)) as stream:
        batches = [batch async for batch in stream.record_batches(size)]
        assert stream.complete
    assert {batch.num_rows for batch in batches[:-1]} <= {size}
    assert 0 < batches[-1].num_rows <= size
    assert [one for batch in batches for one in batch["type"].to_pylist()] == [f"t{n}" for n in range(3000)]


@pytest.mark.parametrize("block", [2000, 5000, 20_000])
async def test_blocks_as_they_come(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a size only short blocks are joined, and only long ones are cut."""
    monkeypatch.setattr(prefetch, "ENOUGH", block)
    monkeypatch.setattr(arrow, "_LEAST", 100)
    monkeypatch.setattr(arrow, "MOST", 250)
    async with events(download(csv_body(event_rows(3000)), step=500)) as stream:
        batches = [batch async for batch in stream.record_batches()]
    *rows, last = [batch.num_rows for batch in batches]
    assert all(100 <= count <= 250 for count in rows)
    assert 0 < last <= 250
    assert (max(rows) == 250) == (block == 20_000)
    assert [one for batch in batches for one in batch["type"].to_pylist()] == [f"t{n}" for n in range(3000)]


async def test_events_as_rows() -> None:
    """The columns are the attributes, the schema is fixed, and `extra` is JSON."""
    body = b"type,time,dnt,confidence,new\npull,2024-01-02 03:04:05.6,t,0.5,x\npush,2024-01-02 03:04:05,,,\n"
    async with events(download(body)) as typed:
        records = [event async for event in typed]
    async with events(download(body)) as stream:
        (batch,) = [batch async for batch in stream.record_batches()]
    assert batch.schema.names == [field.name for field in attrs.fields(Event)]
    for event, values in zip(records, batch.to_pylist(), strict=True):
        extra = values.pop("extra")
        assert Event(**values, extra=json.loads(extra) if extra else {"new": None}) == event
    assert str(batch.schema.field("time").type) == "timestamp[us, tz=UTC]"


async def test_aggregates_as_rows() -> None:
    """Breakdowns are strings, days are dates, extras are JSON."""
    async with aggregates(
        download(ndjson(row(7, new={"a": [1]}), row(8, breakdown="odd", unique_total=2)))
    ) as stream:
        (batch,) = [batch async for batch in stream.record_batches()]
    assert batch.schema.names == [field.name for field in attrs.fields(Aggregate)]
    first, second = batch.to_pylist()
    assert (first["breakdown"], first["date"], first["total"]) == ("total", dt.date(2024, 1, 1), 7)
    assert (first["extra"], second["extra"]) == ('{"new":{"a":[1]}}', None)
    assert (second["breakdown"], second["unique_total"]) == ("odd", 2)
    assert [field.name for field in batch.schema if not field.nullable] == ["breakdown", "date", "package", "total"]


async def test_entries_of_a_log_as_rows() -> None:
    """Its counts are numbers, too."""
    entry = {"type": "progress", "class": "info", "line": 3, "events_count": 5, "failed_events_count": 0}
    async with import_log(download(ndjson(entry))) as stream:
        (batch,) = [batch async for batch in stream.record_batches()]
    (shown,) = batch.to_pylist()
    assert {name: value for name, value in shown.items() if value is not None} == {
        "class_" if name == "class" else name: value for name, value in entry.items()
    }


async def test_a_short_batch_before_an_error() -> None:
    """Every record before the error comes out, then the error, however often one asks."""
    async with events(download(BODY + b"bad\n")) as stream:
        batches = stream.record_batches()
        assert (await anext(batches))["type"].to_pylist() == TYPES
        for _ in range(2):
            with pytest.raises(MalformedRecordError):
                await anext(batches)


async def test_numbers_that_are_too_large() -> None:
    """An integer beyond 64 bits is an error of its own, and no rows are passed over in silence."""
    body = ndjson(*(row(n) for n in range(1024)), row(2**63), row(1))
    async with aggregates(download(body)) as stream:
        batches = stream.record_batches()
        assert (await anext(batches)).num_rows == 1024
        for _ in range(2):
            with pytest.raises(ExportError, match="'total' does not fit into an Arrow int64"):
                await anext(batches)


async def test_nothing_at_all() -> None:
    """An empty export has no batches."""
    async with aggregates(download(b"")) as stream:
        assert [batch async for batch in stream.record_batches()] == []
        assert stream.complete


async def test_once_and_inside_the_block() -> None:
    """As every other way of reading."""
    async with events(download(BODY)) as stream:
        with pytest.raises(ValidationError):
            stream.record_batches(0)
        batches = stream.record_batches(2)
        assert (await anext(batches)).num_rows == 2
        with pytest.raises(StreamConsumedError):
            stream.record_batches()
    with pytest.raises(StreamClosedError):
        await anext(batches)


async def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra, and the stream can be read otherwise."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "scarf_async.exports.arrow", raising=False)
    async with events(download(BODY)) as stream:
        with pytest.raises(ImportError, match=r"scarf-async\[arrow\]"):
            stream.record_batches()
        assert [event.type async for event in stream] == TYPES


@pytest.mark.parametrize("error", [pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError])
async def test_what_arrow_refuses_is_an_error_of_this_package(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Batches that cannot be joined, and Parquet that cannot be written, say what Arrow said."""

    def refuse(*_: object) -> None:
        raise error("too much of it")

    with monkeypatch.context() as patched:
        patched.setattr(RecordBatches, "_joined", refuse)
        async with events(download(BODY)) as stream:
            with pytest.raises(ExportError, match="too much of it"):
                await anext(stream.record_batches())
    monkeypatch.setattr(pq.ParquetWriter, "write_batch", refuse)
    with pytest.raises(ExportError, match="too much of it"):
        await events(download(BODY)).save(tmp_path / "saved", format="parquet")


async def test_a_block_that_arrow_refuses_is_read_record_by_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it says."""

    def refuse(*_: object, **__: object) -> None:
        raise pa.ArrowNotImplementedError("not here")

    monkeypatch.setattr(prefetch, "FEW", 0)
    monkeypatch.setattr(pa_csv, "read_csv", refuse)
    async with events(download(BODY)) as stream:
        assert [kind async for batch in stream.record_batches() for kind in batch["type"].to_pylist()] == TYPES


async def test_what_nobody_expects_of_a_block_is_raised_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a group."""

    def refuse(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(prefetch, "FEW", 0)
    monkeypatch.setattr(arrow_csv.ColumnReader, "read", refuse)
    async with events(download(BODY)) as stream:
        with pytest.raises(MemoryError):
            await anext(stream.record_batches())
