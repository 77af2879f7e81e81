"""Records longer than `max_record_bytes`, where reading goes on behind them."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scarf_async.entities import Event
from scarf_async.errors import MalformedRecordError, RecordTooLongError, TruncatedExportError
from scarf_async.exports import prefetch
from scarf_async.exports.csv import CsvSplitter
from scarf_async.exports.lines import LineSplitter
from scarf_async.exports.stream import ExportStream

from .fakes import BODY, aggregates, cuts, download, drain, events, ndjson, row, slow_split
from .test_lines import BODIES, CUTS, SPLITTERS

HEADER = b"type,time\n"
GOOD = b"good,2024-01-01T00:00:00Z\n"
LONG = b'a,"' + b"x\n" * 500 + b'""y"\n'
LIMIT = 100


def split(splitter: LineSplitter, pieces: list[bytes]) -> tuple[list[tuple[bytes, int]], list[tuple[bytes, int]]]:
    """Return all records with their lines, and the beginnings of those that were too long with theirs."""
    records: list[tuple[bytes, int]] = []
    long: list[tuple[bytes, int]] = []

    def take(some: list[bytes]) -> None:
        records.extend(zip(some, splitter.numbers, strict=True))
        while splitter.too_long is not None:
            long.append((splitter.beginning, splitter.too_long))
            more = splitter.go_on()
            records.extend(zip(more, splitter.numbers, strict=True))

    for piece in pieces:
        take(splitter.feed(piece))
    take(splitter.finish())
    return records, long


@SPLITTERS
@given(body=BODIES, at=CUTS, limit=st.integers(1, 12))
@example(body=b'a"b,""x\n1\n', at=[3, 5, 6], limit=2)
@example(body=b'"ab""\n",c"\n"\nd\n', at=list(range(20)), limit=3)
@example(body=b'"abcdef', at=[2], limit=3)
@example(body=b"abc\r", at=[4], limit=3)
def test_behind_a_record_that_is_too_long(
    splitter: type[LineSplitter], body: bytes, at: list[int], limit: int
) -> None:
    """Every other record comes out with its line, however the bytes arrive; open quotes at the end are told."""
    fast = splitter(limit)
    records, long = split(fast, cuts(body, at))
    slow = slow_split(body, 10_000, quotes=splitter is CsvSplitter)
    whole = list(zip(slow.records, slow.numbers, strict=True))
    assert records == [one for one in whole if len(one[0]) <= limit]
    too_long = [one for one in whole if len(one[0]) > limit]
    assert long == too_long
    assert fast.in_quotes == slow.in_quotes


@SPLITTERS
def test_what_is_passed_over_is_not_held(splitter: type[LineSplitter]) -> None:
    """A record without an end costs no memory; its first 4 KiB are known."""
    fast = splitter(10_000)
    tracemalloc.start()
    try:
        assert fast.feed(b"first\n" + b"x" * 9_000) == [b"first"]
        for _ in range(20_000):
            fast.feed(b"x" * 999)
            if fast.too_long is not None:
                assert fast.go_on() == []
        assert fast.feed(b"\nlast\n") == [b"last"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert list(fast.numbers) == [3]
    assert fast.beginning == b"x" * 4096
    assert peak < 100_000


async def _arrow(stream: ExportStream[Event]) -> AsyncIterator[str]:
    async for batch in stream.record_batches(2):
        for kind in batch["type"].to_pylist():
            yield kind


async def _batches(stream: ExportStream[Event]) -> AsyncIterator[str]:
    async for batch in stream.batches(2):
        for event in batch:
            yield event.type


async def _records(stream: ExportStream[Event]) -> AsyncIterator[str]:
    async for event in stream:
        yield event.type


TYPED = pytest.mark.parametrize("way", [_records, _batches, _arrow])
Way = Callable[[ExportStream[Event]], AsyncIterator[str]]


@TYPED
@pytest.mark.parametrize("step", [1, 7, 10_000])
async def test_typed_reading_leaves_them_out(way: Way, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `skip` they are malformed records like others: left out, and counted."""
    monkeypatch.setattr(prefetch, "FEW", 0)
    body = HEADER + GOOD + LONG + LONG + GOOD + b"bad\n" + GOOD + LONG
    async with events(download(body, step=step), on_malformed="skip", max_record_bytes=LIMIT) as stream:
        assert [kind async for kind in way(stream)] == ["good"] * 3
        assert stream.complete
        counts = (stream.records_received, stream.records_malformed, stream.records_kept)
    assert counts == (7, 4, 3)


@TYPED
async def test_a_function_is_given_the_record(way: Way) -> None:
    """A `MalformedRecordError` with the whole record, or the first 4 KiB; its text shows nothing of it."""
    heard: list[MalformedRecordError] = []
    long = b"z" * 6000
    body = HEADER + b"s3cret,\xff,x\r\n" + LONG + long + b"\n" + GOOD
    async with events(download(body), on_malformed=heard.append, max_record_bytes=5000) as stream:
        assert [kind async for kind in way(stream)] == ["good"]
    assert [error.record for error in heard] == [b"s3cret,\xff,x", LONG[:-1], long[:4096]]
    assert [error.line_number for error in heard] == [2, 3, 504]
    assert heard[2].reason == "it is longer than max_record_bytes (5000)"
    assert "s3cret" not in f"{heard[0]!r} {heard[0]}"


async def test_aggregates_too() -> None:
    """A line of JSON that is too long does not cost those behind it."""
    body = ndjson(row(1), row(2, company_name="x" * 500), row(3))
    async with aggregates(download(body, step=9), on_malformed="skip", max_record_bytes=200) as stream:
        assert [aggregate.total async for aggregate in stream] == [1, 3]


@pytest.mark.parametrize("end", [b'"', b'"\n,'])
async def test_a_body_that_ends_in_its_quotes_is_truncated(end: bytes) -> None:
    """What is left out must have had an end."""
    body = HEADER + GOOD + end + b"x\n" * 500
    async with events(download(body), on_malformed="skip", max_record_bytes=LIMIT) as stream:
        got: list[Event] = []
        with pytest.raises(TruncatedExportError, match="inside quotes"):
            await drain(aiter(stream), got)
    assert len(got) == 1


@pytest.mark.parametrize("on_malformed", ["skip", lambda _: None])
async def test_a_header_that_is_too_long_is_an_error(on_malformed: object) -> None:
    """Nothing can be read without it."""
    body = b"type,time," + b"x" * 500 + b"\n" + GOOD
    async with events(download(body), on_malformed=on_malformed, max_record_bytes=LIMIT) as stream:  # type: ignore[arg-type] # one of both
        with pytest.raises(RecordTooLongError, match="line 1"):
            await anext(aiter(stream))


async def test_lines_and_files_end_there_whatever_is_to_be_left_out() -> None:
    """Nothing is malformed for those that only copy; so `on_malformed` changes nothing."""
    for copied in (True, False):
        export = events(download(BODY + LONG + GOOD), on_malformed="skip", max_record_bytes=LIMIT)
        async with export as stream:
            with pytest.raises(RecordTooLongError, match="line 7"):
                _ = [chunk async for chunk in (stream.chunks() if copied else stream.lines())]


async def test_by_default_it_is_raised_with_its_beginning() -> None:
    """As ever a `RecordTooLongError`, which knows the record's first 4 KiB."""
    async with events(download(HEADER + GOOD + b"y" * 9000 + b"\n"), max_record_bytes=LIMIT) as stream:
        source = aiter(stream)
        await anext(source)
        with pytest.raises(RecordTooLongError) as caught:
            await anext(source)
    assert caught.value.record == b"y" * 4096
    assert not stream.records_malformed
