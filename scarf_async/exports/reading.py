"""Pull-based reading: the body in bounded pieces up to a verified end, and the items of a parser.

Nothing is read before the consumer asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from itertools import islice
from typing import Final, Generic, Protocol, TypeVar

from scarf_async.errors import (
    ExportError,
    MalformedRecordError,
    RecordTooLongError,
    RequestTimeoutError,
    ScarfError,
    StreamClosedError,
    StreamConsumedError,
    TransportError,
)
from scarf_async.exports.parsers import Run
from scarf_async.exports.spec import Counters, Download, OnMalformed
from scarf_async.http.inflate import BodyEncodingError, Inflater

__all__ = ["Batches", "Body", "Cursor", "Digest", "Items", "Pieces", "PiecesParser"]

# A little compressed data may become very much: let other tasks run in between.
_PIECES_AT_A_STRETCH: Final = 16

T = TypeVar("T")
P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)
P_contra = TypeVar("P_contra", contravariant=True)


class Digest(Protocol):
    """An incremental hash."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""


class Body:
    """Reads a download piece by piece, never ahead of the consumer.

    A cancelled read loses nothing: the next one continues.

    Args:
        download: the download.
        counters: the counters, which also create errors.
        digest: the hash of the inflated body.

    Raises:
        ExportError: the body's encoding is not supported.
    """

    def __init__(self, download: Download, counters: Counters, digest: Digest | None = None) -> None:
        self._download = download
        self._counters = counters
        self._digest = digest
        self._failure: Callable[[], ScarfError] | None = None
        self._wire: bytes | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._stretch = 0
        self._ended = False
        counters.no_content = download.status == 204
        problem = ""
        try:
            self._inflater = Inflater(download.headers.get("Content-Encoding"))
        except BodyEncodingError as error:
            problem = str(error)
        if problem:
            raise counters.refused(f"the response cannot be read: {problem}")

    def close(self) -> None:
        """Release the connection."""
        self._download.close()

    async def first(self) -> None:
        """Wait for the first bytes.

        Raises:
            TransportError: the connection was lost before them.
            RequestTimeoutError: they did not arrive in time.
            ExportError: the framing of the body cannot be parsed.
        """
        if self._wire is None:
            self._wire = await self._read()

    async def next(self) -> bytes:
        """Return the next piece of the inflated body; `b""` at its verified end.

        Raises:
            TruncatedExportError: the body ended, or the connection was lost, before the end.
            RequestTimeoutError: nothing arrived within the timeout.
            ExportError: the body cannot be parsed or inflated.

        Another call raises the same error again, with the counts of that time.
        """
        if self._failure is not None:
            raise self._failure()
        try:
            return await self._next()
        except ScarfError as error:
            # A stored error must not keep frames alive.
            kept = error.with_traceback(None)
            if self._failure is None:
                self._failure = lambda: kept
            raise

    async def _next(self) -> bytes:
        while True:
            if self._stretch >= _PIECES_AT_A_STRETCH:
                self._stretch = 0
                await asyncio.sleep(0)
            if piece := self._inflated():
                self._stretch += 1
                self._counters.ended_with_newline = piece.endswith(b"\n")
                if self._digest is not None:
                    self._digest.update(piece)
                return piece
            if self._ended:
                return b""
            await self.first()
            wire, self._wire = self._wire, None
            self._stretch = 0
            if wire:
                self._pieces = self._inflater.feed(wire)
            else:
                self._ended = True
                self._check_end()

    def _inflated(self) -> bytes:
        problem = ""
        try:
            return next(self._pieces, b"")
        except BodyEncodingError as error:
            problem = str(error)
        raise self._counters.refused(problem)

    async def _read(self) -> bytes:
        failure: ScarfError
        try:
            data = await self._download.read()
        except RequestTimeoutError:
            raise
        except BodyEncodingError as error:
            failure = self._counters.refused(str(error))
        except TransportError as error:
            if not self._counters.bytes_received:
                raise
            failure = self._truncated(f"the connection was lost ({error})")
        else:
            self._counters.bytes_received += len(data)
            return data
        raise failure

    def _check_end(self) -> None:
        if self._download.proven and not self._counters.bytes_received:
            return
        if not self._inflater.ended:
            raise self._truncated("the compressed body is cut off", proven_end=self._download.proven)
        if not (self._inflater.compressed or self._download.proven):
            raise self._truncated(
                "the connection ended, and neither a Content-Length nor a last chunk proves that this is the end"
            )

    def _truncated(self, reason: str, *, proven_end: bool = False) -> ScarfError:
        self._failure = partial(self._counters.truncated, reason, proven_end=proven_end)
        return self._failure()


class Pieces(Protocol[P_co]):
    """A body in pieces, such as `Body`."""

    async def next(self) -> P_co:
        """Return the next piece; a false value at the verified end."""

    def close(self) -> None:
        """Release the connection."""


class PiecesParser(Protocol[P_contra, T]):
    """A parser of pieces to items, such as `Parser` for bytes."""

    def feed(self, data: P_contra, /) -> Iterator[Run[T]]:
        """Add a piece."""

    def finish(self) -> Iterator[Run[T]]:
        """Process the end."""


class Cursor(Generic[T]):
    """Returns the items of a parser, and raises its errors at their place.

    It is deliberately not an async generator: a generator that is cancelled during a read is finished, and the next
    call would look like the end of the export.
    """

    def __init__(
        self, body: Pieces[P | None], parser: PiecesParser[P, T], counters: Counters, on_malformed: OnMalformed
    ) -> None:
        async def read() -> Iterator[Run[T]] | None:
            piece = await body.next()
            return parser.feed(piece) if piece else None

        self._close_body = body.close
        self._next_runs: Callable[[], Awaitable[Iterator[Run[T]] | None]] = read
        self._finish = parser.finish
        self._counters = counters
        self._on_malformed = on_malformed
        self._runs: Iterator[Run[T]] = iter(())
        self._error: ExportError | None = None
        self._failure: ScarfError | None = None
        self._items: list[T] = []
        self._ended = False
        self._reading = False

    def close(self) -> None:
        """Stop reading; remaining items are dropped."""
        self._failure = StreamClosedError(
            f"{self._counters.description}: the stream is closed; read it inside its `async with` block"
        )
        self._items.clear()
        self._close_body()

    def check_open(self) -> None:
        """Raise `StreamClosedError` if it is closed."""
        if isinstance(self._failure, StreamClosedError):
            raise self._failure

    async def more(self) -> list[T]:
        """Return the next items, a list to consume before the next call; empty at the verified end.

        Raises:
            ExportError: the next item is invalid, or the body was truncated; another call raises it again.
            TransportError: as in `Body.next`.
        """
        if self._reading:
            raise StreamConsumedError(f"{self._counters.description}: another task is reading this stream")
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
                self._counters.complete = True
                self._close_body()
                return []
            else:
                await self._read()

    def _meet(self, error: ExportError) -> None:
        if isinstance(error, RecordTooLongError) and error.record and self._on_malformed != "raise":
            self._counters.records_received += 1
            reason = f"it is longer than max_record_bytes ({error.limit})"
            error = self._counters.malformed(error.line_number, reason, error.record)
        if isinstance(error, MalformedRecordError):
            self._counters.records_malformed += 1
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
    """Lists of a given size; the last one, and one before an error, may be shorter."""

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
