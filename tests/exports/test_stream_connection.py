"""Streams and their connection."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc

import pytest

from scarf_async.errors import (
    ClientClosedError,
    RequestTimeoutError,
    TransportError,
    TruncatedExportError,
)

from .fakes import (
    BODY,
    TYPES,
    Hanging,
    Piece,
    download,
    events,
    types,
    until_error,
)


async def test_lost_connections() -> None:
    """Before the first byte a TransportError on entering; after it a truncation that keeps nothing foreign."""
    answer = download([TransportError("gone")])
    with pytest.raises(TransportError, match="gone"):
        await types(events(answer))
    assert answer.closed
    answer = download([BODY, TransportError("gone")])
    got, error = await until_error(events(answer))
    assert got == TYPES
    assert isinstance(error, TruncatedExportError)
    assert "gone" in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None
    assert answer.closed


async def test_other_errors_pass_as_they_are() -> None:
    """A silence stays a RequestTimeoutError, before the first byte and after; so does a closed client."""
    for passing in (RequestTimeoutError("silence"), ClientClosedError()):
        pieces: list[list[Piece]] = [[passing], [BODY, passing]]
        for answer in map(download, pieces):
            with pytest.raises(type(passing)):
                await types(events(answer))
            assert answer.closed


async def test_errors_on_opening_pass() -> None:
    """What the session raises reaches the caller, and nothing is left open."""
    with pytest.raises(TransportError):
        await types(events(TransportError("refused")))


async def test_an_early_break_drops_the_connection() -> None:
    """The connection is closed when the block is left, whether by break or by the consumer's own exception."""
    answer = download(BODY, step=1)
    async with events(answer) as stream:
        async for _ in stream:
            break
    assert answer.closed
    assert answer.pieces
    assert not stream.complete
    own = LookupError("mine")
    answer = download(BODY)

    async def consume() -> None:
        async with events(answer) as stream:
            async for _ in stream:
                raise own

    with pytest.raises(LookupError) as caught:
        await consume()
    assert caught.value is own
    assert caught.value.__context__ is None
    assert answer.closed


async def test_the_connection_goes_back_at_the_end() -> None:
    """It does not wait for what the consumer does after the last record."""
    answer = download(BODY)
    async with events(answer) as stream:
        assert [event async for event in stream]
        assert answer.closed


@pytest.mark.parametrize("pieces", [[], [BODY]])
async def test_cancellation_closes_the_connection(pieces: list[bytes]) -> None:
    """Cancelled before the first byte, or in the middle."""
    answer = Hanging(*pieces)
    task = asyncio.create_task(types(events(answer)))
    await answer.waiting.wait()
    assert not answer.closed
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert answer.closed


async def test_a_cancelled_read_loses_nothing() -> None:
    """Who gives up waiting for a record may go on; it is not taken for the end."""
    answer = Hanging(BODY[:-30])
    async with events(answer) as stream:
        batches = stream.batches(10)
        for _ in range(2):
            waiting = asyncio.ensure_future(anext(batches))
            await answer.waiting.wait()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        answer.pieces.append(BODY[-30:])
        answer.released.set()
        assert [event.type for event in await anext(batches)] == TYPES


async def test_nothing_is_read_ahead() -> None:
    """One piece at a time, when the consumer asks for it."""
    answer = download(BODY, step=8)
    async with events(answer) as stream:
        assert answer.reads == 1
        source = aiter(stream)
        assert answer.reads == 1
        await anext(source)
        reads = answer.reads
        await asyncio.sleep(0)
        assert answer.reads == reads < 10


async def test_others_get_their_turn() -> None:
    """A small body that stands for much does not keep the event loop to itself."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    body = gzip.compress(b"type,time\n" + b"\n" * 4 * 2**20)
    task = asyncio.create_task(other())
    assert await types(events(download(body, encoding="gzip"))) == []
    assert turns >= 3
    task.cancel()


async def test_memory_stays_bounded() -> None:
    """Whatever a small compressed body stands for."""
    body = gzip.compress(b"type,time\n" + b"a,2024-01-01 00:00:00\n" * 250_000)
    tracemalloc.start()
    try:
        async with events(download(body, encoding="gzip")) as stream:
            async for _ in stream.lines():
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stream.records_received == 250_000
    assert peak < 4 * 2**20
