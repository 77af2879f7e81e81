"""Streams: the ways of reading them, once, inside their block."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable

import pytest

from scarf_async.entities import Event
from scarf_async.errors import (
    StreamClosedError,
    StreamConsumedError,
    ValidationError,
)
from scarf_async.exports.stream import ExportStream

from .fakes import (
    BODY,
    END,
    TYPES,
    Hanging,
    Shop,
    aggregates,
    csv_body,
    download,
    event_rows,
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


# What comes out


@pytest.mark.parametrize("step", [1, 7, 10_000])
async def test_records_batches_and_lines(step: int) -> None:
    """Three ways of reading give the same records; the connection is closed and the end proven."""
    async with events(download(BODY, step=step)) as stream:
        assert [event.type async for event in stream] == TYPES
        assert stream.complete
        assert stream.ended_with_newline
        assert (stream.bytes_received, stream.records_received) == (len(BODY), 5)
    async with events(download(BODY, step=step)) as stream:
        batches = [[event.type for event in batch] async for batch in stream.batches(2)]
        assert batches == [TYPES[:2], TYPES[2:4], TYPES[4:]]
        assert stream.complete
    async with events(download(BODY, step=step)) as stream:
        assert [line async for line in stream.lines()] == BODY.splitlines()
        assert stream.complete
        assert stream.records_received == 5


async def test_many_records_in_batches() -> None:
    """Batches of every size hold all records, each once and in order."""
    rows = event_rows(700)
    body = csv_body(rows)
    for size in (1, 7, 128, 700, 1000):
        async with events(download(body, step=999)) as stream:
            batches = [[event.type for event in batch] async for batch in stream.batches(size)]
        assert [one for batch in batches for one in batch] == [one["type"] for one in rows]
        assert {len(batch) for batch in batches[:-1]} <= {size}


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "9"])
async def test_sizes_that_are_none(size: int) -> None:
    """A size of no batch is refused, and the stream is not used up."""
    async with events(download(BODY)) as stream:
        with pytest.raises(ValidationError):
            stream.batches(size)
        assert [event.type async for event in stream] == TYPES


async def test_lines_are_bytes_as_they_came() -> None:
    """Quotes, line breaks inside them and bytes that are not UTF-8 stay; BOM, line ends and blank lines go."""
    body = b'\xef\xbb\xbftime,"type"\r\n\r\nx,"a\r\n\nb"\nx,\xff\nshort\n\n'
    async with events(download(body, step=1)) as stream:
        lines = [line async for line in stream.lines()]
    assert lines == [b'time,"type"', b'x,"a\r\n\nb"', b"x,\xff", b"short"]
    assert stream.records_received == 3
    assert stream.records_malformed == 0


async def test_records_after_the_end_are_left_out_of_every_way() -> None:
    """Records at or after the end are counted and not handed out; in lines, what has no readable time stays."""
    body = csv_body([*event_rows(2), *event_rows(3, day=2), {"type": "x", "time": "?"}])
    async with events(download(body), end=END, on_malformed="skip") as stream:
        assert [event.type async for event in stream] == ["t0", "t1"]
        assert (stream.records_received, stream.records_dropped, stream.records_malformed) == (6, 3, 1)
    async with events(download(body), end=END) as stream:
        assert [line[:2] async for line in stream.lines()] == [b"ty", b"t0", b"t1", b"x,"]
        assert (stream.records_received, stream.records_dropped) == (6, 3)
    async with events(download(csv_body(event_rows(3, day=2))), end=END) as stream:
        assert [event async for event in stream] == []
        assert stream.complete


async def test_aggregates() -> None:
    """NDJSON has no header, may be empty, and need not end in a newline."""
    body = ndjson(row(1), row(2), row(3, date="2024-01-02"))
    async with aggregates(download(body[:-1], step=5), end=END) as stream:
        assert [aggregate.total async for aggregate in stream] == [1, 2]
        assert stream.complete
        assert not stream.ended_with_newline
        assert stream.records_dropped == 1
    async with aggregates(download(body, step=5), end=END) as lines:
        assert [line async for line in lines.lines()] == body.splitlines()[:2]
    async with aggregates(download(b"")) as empty:
        assert [aggregate async for aggregate in empty] == []
        assert empty.complete


# Once, inside the block


@every_way
@pytest.mark.parametrize("second", WAYS.values(), ids=WAYS)
async def test_a_stream_is_read_once(
    way: Callable[[ExportStream[Event]], AsyncIterator[object]],
    second: Callable[[ExportStream[Event]], AsyncIterator[object]],
) -> None:
    """In one of its ways; a second one is refused at once, and the first goes on."""
    async with events(download(BODY)) as stream:
        source = way(stream)
        await anext(source)
        with pytest.raises(StreamConsumedError):
            second(stream)
        _ = [item async for item in source]
        assert stream.complete


@every_way
@pytest.mark.parametrize("begun", [True, False])
async def test_nothing_after_the_block(
    way: Callable[[ExportStream[Event]], AsyncIterator[object]], begun: bool
) -> None:
    """After its block a stream gives nothing, not even what it has at hand."""
    async with events(download(BODY)) as stream:
        source = way(stream) if begun else None
        if source is not None:
            await anext(source)
    with pytest.raises(StreamClosedError):
        way(stream)
    if source is not None:
        with pytest.raises(StreamClosedError):
            await anext(source)


async def test_two_tasks_on_one_stream() -> None:
    """The second one is refused, instead of both getting half."""
    answer = Hanging(b"type,time\n")
    async with events(answer) as stream:
        source = aiter(stream)
        task = asyncio.ensure_future(anext(source))
        await answer.waiting.wait()
        with pytest.raises(StreamConsumedError, match="another task"):
            await anext(source)
        task.cancel()
        await asyncio.wait([task])


async def test_an_export_is_data() -> None:
    """Nothing is sent by making one; it is not an iterable; it shows what it is."""
    shop = Shop([download(BODY)])
    export = events(shop=shop)
    assert repr(export) == "<Export events of acme>"
    assert not hasattr(export, "__aiter__")
    assert not hasattr(export, "__iter__")
    assert shop.opened == []
    async with export as stream:
        assert repr(stream) == "<ExportStream events of acme: 0 records received>"


async def test_entered_several_times() -> None:
    """One after another, nested, and by several tasks at once, each with its own stream."""
    shop = Shop([download(BODY) for _ in range(5)])
    export = events(shop=shop)
    assert await types(export) == TYPES
    async with export as outer:
        async with export as inner:
            assert inner is not outer
        assert [download.closed > 0 for download in shop.opened] == [True, False, True]
        assert [event.type async for event in outer] == TYPES

    inside = [asyncio.Event(), asyncio.Event()]
    leave = [asyncio.Event(), asyncio.Event()]

    async def enter(number: int) -> None:
        async with export:
            inside[number].set()
            await leave[number].wait()

    tasks = [asyncio.create_task(enter(number)) for number in range(2)]
    for event in inside:
        await event.wait()
    leave[0].set()
    await tasks[0]
    assert [download.closed > 0 for download in shop.opened[3:]] == [True, False]
    leave[1].set()
    await tasks[1]
    assert all(download.closed for download in shop.opened)


async def test_left_by_another_task() -> None:
    """Test fixtures, for one, enter in a task that has ended by the time another one leaves."""
    shop = Shop([download(BODY) for _ in range(2)])
    export = events(shop=shop)
    await asyncio.create_task(export.__aenter__())
    async with export as stream:
        await asyncio.create_task(export.__aexit__(None, None, None))
        assert [event.type async for event in stream] == TYPES
    assert all(download.closed for download in shop.opened)


async def test_errors_show_no_payload() -> None:
    """Neither the error nor its traceback's message repeats a record."""
    body = b'type,time,user_agent\npull,2024-01-01 00:00:00,"s3cr3t"x\n'
    _, error = await until_error(events(download(body)))
    assert "s3cr3t" not in "".join(traceback.format_exception(error))
