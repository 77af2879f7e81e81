"""Exports as bytes, in the service's own format and in others."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import TypeVar

import pyarrow.parquet as pq  # type: ignore[import-untyped] # it ships no types
import pytest

from scarf_async.entities import Event
from scarf_async.errors import (
    ExportError,
    MalformedRecordError,
    StreamConsumedError,
    TruncatedExportError,
    ValidationError,
)
from scarf_async.exports.convert import JsonLinesConverter
from scarf_async.exports.formats import ExportFormatLike
from scarf_async.exports.save import SavedExport
from scarf_async.exports.stream import Export, ExportStream

from .fakes import FakeDownload, Shop, aggregates, csv_body, download, event_rows, events, ndjson, row

T = TypeVar("T")

END = dt.date(2024, 1, 2)
COLUMNS = ("time", "type", "dnt", "confidence", "novel")
ROWS = [
    {"time": "2024-01-01 00:00:00.5", "type": 'a "b", c', "dnt": "true", "confidence": "0.25", "novel": "1"},
    {"time": "2024-01-01T01:00:00Z", "type": "é\nf"},
]
EVENTS = csv_body(ROWS, COLUMNS)
AGGREGATES = ndjson(row(1), row(2, breakdown="company", company_name='x, "y"', novel=[1]))


async def copied(export: Export[T], form: ExportFormatLike | None = None) -> tuple[bytes, int]:
    """Read the bytes of an export; return them and how many records they hold."""
    async with export as stream:
        data = b"".join([chunk async for chunk in stream.chunks(form)])
    return data, stream.records_kept


def contents(directory: Path) -> dict[str, bytes]:
    """Return what the files of a directory hold."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("form", [None, "csv"])
async def test_the_own_format_is_copied_as_it_is(form: ExportFormatLike | None, tmp_path: Path) -> None:
    """Byte for byte what `save` writes: BOM, CRLF and a missing last line end are kept; so are the figures."""
    body = b"\xef\xbb\xbf" + EVENTS.replace(b"\n", b"\r\n") + b"x,2024-01-01T00:00:00Z,,,"
    for end in (None, END):
        data, records = await copied(events(download(body, step=7), end=end), form)
        saved = await events(download(body), end=end).save(tmp_path / "saved", format=form)
        assert data == body == (tmp_path / "saved").read_bytes()
        assert saved == SavedExport(tmp_path / "saved", len(data), records, hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("form", [None, "csv", "jsonl", "parquet"])
async def test_what_lies_after_the_end_is_left_out(form: ExportFormatLike | None) -> None:
    """In all formats, and it is not counted."""
    body = csv_body(event_rows(3) + event_rows(2, day=2))
    _, records = await copied(events(download(body), end=END), form)
    assert records == 3


async def test_events_as_json_lines() -> None:
    """Attributes by name, typed, without what is None; unknown columns in `extra`."""
    data, records = await copied(events(download(EVENTS)), "jsonl")
    assert [json.loads(line) for line in data.splitlines()] == [
        {
            "time": "2024-01-01T00:00:00.500000Z",
            "type": 'a "b", c',
            "dnt": True,
            "confidence": 0.25,
            "extra": {"novel": "1"},
        },
        {"time": "2024-01-01T01:00:00Z", "type": "é\nf", "extra": {"novel": None}},
    ]
    assert records == 2


async def test_aggregates_as_csv() -> None:
    """A header of all attributes, empty cells for None, and `extra` as the text of a JSON object."""
    data, records = await copied(aggregates(download(AGGREGATES)), "csv")
    first, second = csv.DictReader(io.StringIO(data.decode(), newline=""))
    assert (first["breakdown"], first["date"], first["total"], first["extra"]) == ("total", "2024-01-01", "1", "")
    assert (second["company_name"], second["unique_total"], second["extra"]) == ('x, "y"', "", '{"novel":[1]}')
    assert records == 2


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_an_export_without_records(form: ExportFormatLike) -> None:
    """It is a file that can be read: a header, nothing, or a table without rows."""
    data, records = await copied(aggregates(download(b"")), form)
    assert records == 0
    if form == "parquet":
        assert pq.read_table(io.BytesIO(data)).num_rows == 0
    else:
        assert data.count(b"\n") == (form == "csv")


async def test_parquet_is_a_table(tmp_path: Path) -> None:
    """It has the columns of `record_batches`; a file and a pipe get the same bytes."""
    body = csv_body(event_rows(5000))
    data, records = await copied(events(download(body)), "parquet")
    saved = await events(download(body)).save(tmp_path / "events.parquet", format="parquet")
    assert saved.path.read_bytes() == data
    assert (saved.bytes, saved.records, saved.sha256) == (len(data), records, hashlib.sha256(data).hexdigest())
    table = pq.read_table(io.BytesIO(data))
    assert table["type"].to_pylist() == [f"t{n}" for n in range(5000)]
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"


async def test_without_pyarrow_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exports cost money: what cannot be written is refused first."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    shop = Shop([download(EVENTS)])
    with pytest.raises(ImportError, match=r"pip install 'scarf-async\[arrow\]'"):
        await events(shop=shop).save(tmp_path / "x", format="parquet")
    with pytest.raises(ValidationError, match="format"):
        await events(shop=shop).save(tmp_path / "x", format="xml")  # type: ignore[arg-type] # it is none
    assert shop.opened == []
    with pytest.raises(ImportError, match=r"pip install 'scarf-async\[arrow\]'"):
        await copied(events(shop=shop), "parquet")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_a_file_is_fetched_again_after_a_cut(form: ExportFormatLike, tmp_path: Path) -> None:
    """As `save` does: as often as the policy allows, and what a cut attempt wrote is gone."""
    body = csv_body(event_rows(2000))
    shop = Shop([download(body[:20000], proven=False), download(body)])
    saved = await events(shop=shop).save(tmp_path / "events", format=form)
    assert (saved.records, shop.pauses) == (2000, [1])
    assert list(contents(tmp_path)) == ["events"]
    assert hashlib.sha256(saved.path.read_bytes()).hexdigest() == saved.sha256


@pytest.mark.parametrize("form", [None, "jsonl", "parquet"])
async def test_nothing_is_left_of_a_failure(form: ExportFormatLike | None, tmp_path: Path) -> None:
    """The file that was there stays as it was; there is no other."""
    file = tmp_path / "events"
    file.write_bytes(b"old")
    cut = [download(EVENTS[:-30], proven=False) for _ in range(3)]
    with pytest.raises(TruncatedExportError):
        await events(shop=Shop([*cut])).save(file, format=form)
    with pytest.raises(ExportError, match="HTML"):
        await events(download(b"<html>")).save(file, format=form)
    with pytest.raises(FileExistsError):
        await events().save(file, format=form, overwrite=False)
    assert contents(tmp_path) == {"events": b"old"}


async def test_what_is_read_is_never_fetched_again() -> None:
    """After a cut the consumer has the records before it, and the error."""
    shop = Shop([download(csv_body(event_rows(1500))[:-5], proven=False), download(EVENTS)])
    chunks: list[bytes] = []

    async def read() -> None:
        async with events(shop=shop) as stream:
            async for chunk in stream.chunks("jsonl"):
                chunks.append(chunk)  # noqa: PERF401 # what came before the error counts

    with pytest.raises(TruncatedExportError):
        await read()
    assert len(b"".join(chunks).splitlines()) == 1499
    assert (len(shop.opened), shop.opened[0].closed > 0) == (1, True)


async def test_what_is_no_export_does_not_begin_like_one() -> None:
    """Not even with the header of a CSV."""
    async with aggregates(download(b"<html>")) as stream:
        with pytest.raises(ExportError, match="HTML"):
            await anext(stream.chunks("csv"))


async def test_a_cancelled_conversion_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a thread was writing is not known to have come out: asking again is an error, not a hole."""
    task: asyncio.Task[bytes]
    loop = asyncio.get_running_loop()
    take = JsonLinesConverter.take

    def cancel_meanwhile(converter: JsonLinesConverter, batch: list[object]) -> bytes:
        loop.call_soon_threadsafe(task.cancel)
        return take(converter, batch)

    monkeypatch.setattr(JsonLinesConverter, "take", cancel_meanwhile)
    async with events(download(EVENTS)) as stream:
        chunks = stream.chunks("jsonl")
        task = asyncio.ensure_future(anext(chunks))
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(StreamConsumedError, match="was cancelled"):
            await anext(chunks)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
async def test_malformed_records_are_the_callers_choice(form: ExportFormatLike) -> None:
    """They raise, or are left out and not counted."""
    body = csv_body([*event_rows(2), {"type": "x", "time": "yesterday"}, *event_rows(1)])
    with pytest.raises(MalformedRecordError, match="line 4"):
        await copied(events(download(body)), form)
    _, records = await copied(events(download(body), on_malformed="skip"), form)
    assert records == 3


@pytest.mark.parametrize(("length", "total"), [("1000", 1000), ("", None), ("-5", None), ("²", None)])
async def test_progress_knows_the_whole_where_it_was_said(length: str, total: int | None, tmp_path: Path) -> None:
    """It counts bytes from the wire; the whole is the Content-Length, if it is one."""
    body = csv_body(event_rows(30))
    seen: list[tuple[int, int | None]] = []

    def look(stream: ExportStream[Event]) -> None:
        seen.append((stream.bytes_received, stream.bytes_total))
        raise RuntimeError("of the caller's own")

    source = FakeDownload([body[:100], body[100:]], {"Content-Length": length})
    await events(source).save(tmp_path / "events", progress=look)
    assert seen == [(100, total), (len(body), total)]


async def test_a_cancelled_conversion_leaves_nothing(tmp_path: Path) -> None:
    """Neither under its name nor under another."""
    reached = asyncio.Event()

    class Held(FakeDownload):
        async def read(self) -> bytes:
            if self.reads == 1:
                reached.set()
                await asyncio.Event().wait()
            return await super().read()

    task = asyncio.create_task(events(Held([EVENTS[:40], EVENTS[40:]])).save(tmp_path / "events", format="jsonl"))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert contents(tmp_path) == {}
