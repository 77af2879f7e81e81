"""The pull side of a stream: nothing is read before the consumer asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import islice
from typing import Generic, Protocol, TypeVar

from scarf_async.errors import (
    ExportError,
    MalformedRecordError,
    RecordTooLongError,
    ScarfError,
    StreamClosedError,
    StreamConsumedError,
)
from scarf_async.exports.records import Run
from scarf_async.exports.source import OnMalformed
from scarf_async.exports.tally import Tally

__all__ = ["Batches", "Cursor", "Items", "Pieces", "PiecesParser"]

T = TypeVar("T")
P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)
P_contra = TypeVar("P_contra", contravariant=True)


class Pieces(Protocol[P_co]):
    """A body in pieces, such as `Body`."""

    async def next(self) -> P_co:
        """Return the next piece; what is false at the proven end."""

    def close(self) -> None:
        """Let go of the connection."""


class PiecesParser(Protocol[P_contra, T]):
    """What makes items of pieces, such as `Parser` of bytes."""

    def feed(self, data: P_contra, /) -> Iterator[Run[T]]:
        """Take the next piece."""

    def finish(self) -> Iterator[Run[T]]:
        """Take the end."""


class Cursor(Generic[T]):
    """Hands out what a parser makes of a body, and its errors where they stand.

    It is no async generator, on purpose: one that is cancelled in the middle of a read is finished, and
    whoever asked it again would take that for the end of the export.
    """

    def __init__(
        self, body: Pieces[P | None], parser: PiecesParser[P, T], tally: Tally, on_malformed: OnMalformed
    ) -> None:
        async def read() -> Iterator[Run[T]] | None:
            piece = await body.next()
            return parser.feed(piece) if piece else None

        self._close_body = body.close
        self._next_runs: Callable[[], Awaitable[Iterator[Run[T]] | None]] = read
        self._finish = parser.finish
        self._tally = tally
        self._on_malformed = on_malformed
        self._runs: Iterator[Run[T]] = iter(())
        self._error: ExportError | None = None
        self._failure: ScarfError | None = None
        self._items: list[T] = []
        self._ended = False
        self._reading = False

    def close(self) -> None:
        """End the reading: what was not handed out is gone."""
        self._failure = StreamClosedError(
            f"{self._tally.description}: the stream is closed; read it inside its `async with` block"
        )
        self._items.clear()
        self._close_body()

    def check_open(self) -> None:
        """Raise StreamClosedError once it is closed."""
        if isinstance(self._failure, StreamClosedError):
            raise self._failure

    async def more(self) -> list[T]:
        """Return the next items, the list to be used up before the next call; empty at the proven end.

        Raises:
            ExportError: what comes next cannot be handed out, or the body ended too soon; again, if called
                again.
            TransportError: as `Body.next` does.
        """
        if self._reading:
            raise StreamConsumedError(f"{self._tally.description}: another task is reading this stream")
        self._reading = True
        try:
            return await self._more()
        finally:
            self._reading = False

    async def _more(self) -> list[T]:
        while True:
            if self._failure is not None:
                raise self._failure
            if self._error is not None:
                error, self._error = self._error, None
                self._meet(error)
                continue
            run = next(self._runs, None)
            if run is not None:
                self._items, self._error = run
                if self._items:
                    return self._items
            elif self._ended:
                self._tally.complete = True
                self._close_body()
                return []
            else:
                await self._read()

    def _meet(self, error: ExportError) -> None:
        if isinstance(error, RecordTooLongError) and error.record and self._on_malformed != "raise":
            self._tally.records_received += 1
            reason = f"it is longer than max_record_bytes ({error.limit})"
            error = self._tally.malformed(error.line_number, reason, error.record)
        if isinstance(error, MalformedRecordError):
            self._tally.records_malformed += 1
            if self._on_malformed == "skip":
                return
            if callable(self._on_malformed):
                self._on_malformed(error)
                return
        self._failure = error
        self._close_body()

    async def _read(self) -> None:
        try:
            runs = await self._next_runs()
        except ScarfError as error:
            self._failure = error
            self._close_body()
            raise
        if runs is None:
            self._ended = True
            runs = self._finish()
        self._runs = runs


class Items(AsyncIterator[T]):
    """Single items."""

    def __init__(self, cursor: Cursor[T]) -> None:
        self._cursor = cursor
        self._items: Iterator[T] = iter(())

    def __aiter__(self) -> Items[T]:
        return self

    async def __anext__(self) -> T:
        for item in self._items:
            return item
        items = await self._cursor.more()
        if not items:
            raise StopAsyncIteration
        self._items = iter(items)
        return next(self._items)


class Batches(AsyncIterator[list[T]]):
    """Lists of so many items, the last one short; a short one also before an error."""

    def __init__(self, cursor: Cursor[T], size: int) -> None:
        self._cursor = cursor
        self._size = size
        self._items: Iterator[T] = iter(())
        self._batch: list[T] = []

    def __aiter__(self) -> Batches[T]:
        return self

    async def __anext__(self) -> list[T]:
        while True:
            self._batch += islice(self._items, self._size - len(self._batch))
            if len(self._batch) == self._size:
                break
            try:
                items = await self._cursor.more()
            except StreamClosedError:
                raise
            except ScarfError:
                # After the short batch the cursor raises it again.
                if not self._batch:
                    raise
                break
            if not items:
                break
            self._items = iter(items)
        batch, self._batch = self._batch, []
        if not batch:
            raise StopAsyncIteration
        return batch
