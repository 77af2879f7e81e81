"""Streams that end: whole, cut, spoiled, or not what was promised."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator, Callable

import pytest

from scarf_async.entities import Event
from scarf_async.errors import (
    ExportError,
    MalformedRecordError,
    RecordTooLongError,
    TruncatedExportError,
)
from scarf_async.exports.stream import ExportStream

from .fakes import (
    BODY,
    END,
    TYPES,
    aggregates,
    download,
    drain,
    events,
    ndjson,
    row,
    types,
    until_error,
)

WAYS: dict[str, Callable[[ExportStream[Event]], AsyncIterator[object]]] = {
    "records": aiter,
    "batches": ExportStream.batches,
    "lines": ExportStream.lines,
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


# The end


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(BODY[:50]) + gzip.compress(BODY[50:])),
        ("deflate", zlib.compress(BODY)),
        ("identity", BODY),
    ],
)
@pytest.mark.parametrize("step", [1, 10_000])
async def test_compressed_bodies(encoding: str, packed: bytes, step: int) -> None:
    """Bodies are inflated; counted are the bytes on the wire."""
    async with events(download(packed, encoding=encoding, step=step)) as stream:
        assert [event.type async for event in stream] == TYPES
        assert stream.bytes_received == len(packed)


async def test_a_trailer_proves_the_end() -> None:
    """A compressed body marks its own end; another one without length and last chunk may have been cut."""
    assert await types(events(download(gzip.compress(BODY), encoding="gzip", proven=False))) == TYPES
    got, error = await until_error(events(download(BODY, proven=False)))
    assert got == TYPES
    assert isinstance(error, TruncatedExportError)
    assert (error.bytes_received, error.records_received) == (len(BODY), 5)
    assert "ask for it again" in str(error)


async def test_a_cut_gzip_body_is_truncated_though_its_length_is_right() -> None:
    """A proof of the transport's does not outweigh a missing trailer, wherever it is missing from."""
    packed = gzip.compress(BODY)
    for cut in range(len(packed)):
        proven = cut % 2 == 0
        got, error = await until_error(events(download(packed[:cut], encoding="gzip", proven=proven)))
        assert isinstance(error, TruncatedExportError)
        assert error.proven_end == proven
        assert got == TYPES[: len(got)]


async def test_a_corrupt_gzip_body() -> None:
    """What cannot be inflated is an error that is not a truncation, after every record before it."""
    got, error = await until_error(events(download(gzip.compress(BODY) + b"junk", encoding="gzip")))
    assert got == TYPES
    assert "corrupt" in str(error)
    assert not isinstance(error, TruncatedExportError)


async def test_an_unsupported_encoding() -> None:
    """Another Content-Encoding is refused on entering, and the connection dropped."""
    answer = download(BODY, encoding="br")
    with pytest.raises(ExportError, match="Content-Encoding 'br'"):
        await types(events(answer))
    assert answer.closed


@pytest.mark.parametrize(
    ("body", "reason", "before"),
    [
        (b"", "before its header", 0),
        (b"\xef\xbb\xbf\r\n\r\n", "before its header", 0),
        (b"type,ti", "inside its header", 0),
        (b'type,"time', "inside quotes", 0),
        (b'type,time\na,2024-01-01 00:00:00\n"b,2024', "inside quotes", 1),
        (b"type,time\na,2024-01-01 00:00:00\nb", "1 fields where the header has 2", 1),
        (b'type,time\na,2024-01-01 00:00:00\n"b"x,y', "closing quote", 1),
    ],
)
@pytest.mark.parametrize("step", [1, 10_000])
async def test_a_csv_that_ends_too_soon(body: bytes, reason: str, before: int, step: int) -> None:
    """A CSV without header, ending inside quotes or in a short record is truncated, also for `skip` and lines."""
    for export in (events(download(body, step=step)), events(download(body, step=step), on_malformed="skip")):
        got, error = await until_error(export)
        assert isinstance(error, TruncatedExportError)
        assert reason in str(error)
        assert len(got) == before
    async with events(download(body, step=step)) as stream:
        lines: list[bytes] = []
        with pytest.raises(TruncatedExportError, match=reason):
            await drain(stream.lines(), lines)
        assert len(lines) == (before + 1 if before else 0)


async def test_a_whole_record_without_line_end() -> None:
    """The last record needs no line end; one with too many fields is malformed, not cut."""
    assert await types(events(download(BODY.rstrip()))) == TYPES
    _, error = await until_error(events(download(BODY + b"a,b,c")))
    assert isinstance(error, MalformedRecordError)
    assert await types(events(download(b"type,time"))) == []


@pytest.mark.parametrize("tail", [b'{"breakdown":"tot', b'{"breakdown":"\xff', b'{"a":[1'])
async def test_ndjson_that_ends_in_the_middle_of_a_record(tail: bytes) -> None:
    """A last record that does not parse and has no line end is truncated in every way of reading."""
    body = ndjson(row(1)) + tail
    async with aggregates(download(body), on_malformed="skip") as stream:
        source = aiter(stream)
        assert (await anext(source)).total == 1
        with pytest.raises(TruncatedExportError, match="is not whole"):
            await anext(source)
    async with aggregates(download(body), end=END) as stream:
        with pytest.raises(TruncatedExportError, match="is not whole"):
            _ = [line async for line in stream.lines()]
    async with aggregates(download(body + b"\n")) as stream:
        with pytest.raises(MalformedRecordError, match="line 2"):
            _ = [aggregate async for aggregate in stream]


# Records that cannot be read

SPOILED = BODY + b"bad\n" + b'"b"x,2024-01-01 00:00:00\n' + BODY.split(b"\r\n", 1)[1]


@pytest.mark.parametrize("step", [1, 10_000])
async def test_a_malformed_record_comes_after_every_record_before_it(step: int) -> None:
    """The error names the line; nothing after it is handed out."""
    got, error = await until_error(events(download(SPOILED, step=step)))
    assert got == TYPES
    assert isinstance(error, MalformedRecordError)
    assert error.line_number == 7
    assert error.reason == "1 fields where the header has 2"
    assert "line 7" in str(error)
    assert "events of acme" in str(error)


async def test_batches_before_a_malformed_record() -> None:
    """The batch before an error is short, and the error comes next, however often one asks."""
    async with events(download(SPOILED)) as stream:
        batches = stream.batches(3)
        assert [len(await anext(batches)) for _ in range(2)] == [3, 2]
        for _ in range(2):
            with pytest.raises(MalformedRecordError):
                await anext(batches)


async def test_malformed_records_can_be_skipped() -> None:
    """They are counted, and everything else is handed out."""
    async with events(download(SPOILED, step=3), on_malformed="skip") as stream:
        assert [event.type async for event in stream] == TYPES * 2
        assert stream.records_malformed == 2
        assert stream.records_received == 12
        assert stream.complete


async def test_a_function_hears_of_malformed_records_in_order() -> None:
    """It is called between the records before and after; what it raises ends up with the consumer."""
    heard: list[object] = []
    async with events(download(SPOILED), on_malformed=lambda error: heard.append(error.line_number)) as stream:
        async for event in stream:
            heard.append(event.type)  # noqa: PERF401 # in turns with the function
    assert heard == [*TYPES, 7, 8, *TYPES]

    def refuse(error: MalformedRecordError) -> None:
        raise LookupError(error.line_number)

    async with events(download(SPOILED), on_malformed=refuse) as stream:
        source = aiter(stream)
        assert [(await anext(source)).type for _ in range(5)] == TYPES
        with pytest.raises(LookupError, match="7"):
            await anext(source)


async def test_a_record_that_is_too_long() -> None:
    """Records before it come out first; the error names its line and the limit."""
    body = BODY + b'a,"' + b"x\n" * 500 + b'"\n'
    for step in (1, 10_000):
        got, error = await until_error(events(download(body, step=step), max_record_bytes=100))
        assert got == TYPES
        assert isinstance(error, RecordTooLongError)
        assert (error.line_number, error.limit) == (7, 100)
    got, error = await until_error(events(download(b"x" * 500), max_record_bytes=100))
    assert isinstance(error, RecordTooLongError)


# Something else


@every_way
@pytest.mark.parametrize("step", [1, 10_000])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!DOCTYPE html><html>sign in</html>", "an HTML page where CSV was promised"),
        (b"\xef\xbb\xbf\r\n <html>", "an HTML page"),
        (b'{"message": "no plan"}', "a JSON object"),
        (b"time,package\nx,y\n", "no column 'type'"),
        (b"time,type,type\nx,y,z\n", "the column 'type' twice"),
    ],
)
async def test_a_success_that_is_no_csv(
    body: bytes, words: str, step: int, way: Callable[[ExportStream[Event]], AsyncIterator[object]]
) -> None:
    """A page or an error with status 200 is refused before anything is handed out, also with `skip`."""
    async with events(download(body, step=step), on_malformed="skip") as stream:
        with pytest.raises(ExportError, match=words) as caught:
            await anext(way(stream))
    assert not isinstance(caught.value, TruncatedExportError)


async def test_the_services_own_words() -> None:
    """What a JSON object says in place of a CSV is passed on, shortly."""
    _, error = await until_error(events(download(b'{"message": "no plan", "secret": "s3cr3t"}')))
    assert "'no plan'" in str(error)
    assert "s3cr3t" not in str(error)
    _, error = await until_error(events(download(b'{"message": "' + b"x" * 5000 + b'"}')))
    assert len(str(error)) < 500


async def test_a_page_where_ndjson_was_promised() -> None:
    """A page is not skipped as so many malformed records."""
    async with aggregates(download(b"<html>\n</html>\n"), on_malformed="skip") as stream:
        with pytest.raises(ExportError, match="an HTML page where NDJSON was promised"):
            await anext(aiter(stream))


async def test_a_refused_header_names_the_export_once() -> None:
    """The reason follows it, without the export's name again."""
    _, error = await until_error(events(download(b"null")))
    assert str(error).count("events of") == 1
