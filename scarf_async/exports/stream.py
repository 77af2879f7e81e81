"""Exports and the streams that they open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from os import PathLike
from typing import TYPE_CHECKING, Generic, TypeVar

from scarf_async.errors import StreamClosedError, StreamConsumedError, ValidationError
from scarf_async.exports.body import Body
from scarf_async.exports.cursor import Batches, Cursor, Items
from scarf_async.exports.records import LineParser, Parser, TypedParser
from scarf_async.exports.save import SavedExport, save
from scarf_async.exports.source import Download, ExportSpec
from scarf_async.exports.tally import Tally

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped] # it ships no types

__all__ = ["Export", "ExportStream"]

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 # items of whichever way of reading


def _check_size(size: object) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValidationError(f"size must be a whole number of at least 1; got {size!r}", field="size")
    return size


class ExportStream(Generic[T]):
    """An export as it comes in; made by `async with`, and read once, in one way.

    ```python
    async with scarf.exports.package_events("acme", package_id, start, end) as events:
        async for event in events:
            ...
    ```

    Nothing is read ahead of the consumer: who reads slowly slows the sender down, and memory stays bounded
    whatever the size of the export. All ways of reading raise

    - `MalformedRecordError` for a record that cannot be read, after every record before it was handed out,
      unless `on_malformed` says otherwise (typed reading only);
    - `TruncatedExportError` where the export ended, or the connection was lost, before the end;
    - `RequestTimeoutError` where nothing came for `export_timeout`;
    - `RecordTooLongError` for a record longer than `max_record_bytes`;
    - `ExportError` where the body is not what was promised, before anything is handed out;
    - `StreamConsumedError` when asked a second time, `StreamClosedError` after the block.

    A sender that ends cleanly between two records without having sent all of them cannot be caught.
    """

    def __init__(self, spec: ExportSpec[T], download: Download) -> None:
        self._spec = spec
        self._tally = Tally(spec.description)
        self._body = Body(download, self._tally)
        self._close_reading = self._body.close
        self._used = False
        self._closed = False

    def __repr__(self) -> str:
        tally = self._tally
        return f"<{type(self).__name__} {tally.description}: {tally.records_received} records received>"

    @property
    def bytes_received(self) -> int:
        """Bytes of the body so far, as they came over the wire."""
        return self._tally.bytes_received

    @property
    def records_received(self) -> int:
        """Records so far, without a CSV's header; up to a piece of the body ahead of what was handed out.

        The dropped and the malformed ones are among them.
        """
        return self._tally.records_received

    @property
    def records_dropped(self) -> int:
        """Records left out since they are at or after the end of the range."""
        return self._tally.records_dropped

    @property
    def records_malformed(self) -> int:
        """Records that could not be read; counted by the typed ways of reading only."""
        return self._tally.records_malformed

    @property
    def complete(self) -> bool:
        """Whether everything was read, up to a proven end."""
        return self._tally.complete

    @property
    def ended_with_newline(self) -> bool:
        """Whether the last byte of the body was a LF; of use once `complete`.

        A CSV that does not end so may have been cut in its last field.
        """
        return self._tally.ended_with_newline

    def __aiter__(self) -> AsyncIterator[T]:
        return Items(self._typed())

    def batches(self, size: int = 1000) -> AsyncIterator[list[T]]:
        """Read typed records in lists: faster than one by one.

        Args:
            size: the length of the lists; the last one is short, and so is one before an error.

        Raises:
            ValidationError: the size is none.
            StreamConsumedError: the stream is being read already.
            StreamClosedError: its block has ended.
        """
        size = _check_size(size)
        return Batches(self._typed(), size)

    def lines(self) -> AsyncIterator[bytes]:
        """Read each record's own bytes, without its line end; of a CSV the header first.

        A line break inside quotes does not end a record. A BOM and blank lines are left out. Records are not
        looked into, but for what leaves out those at or after the end; one whose time cannot be read stays.

        Raises:
            StreamConsumedError: the stream is being read already.
            StreamClosedError: its block has ended.
        """
        spec = self._spec
        parser = LineParser(
            spec.reader(spec.end), self._tally, spec.max_record_bytes, filtered=spec.end is not None
        )
        return Items(self._cursor(parser))

    def record_batches(self, size: int = 65536) -> AsyncIterator[pa.RecordBatch]:
        """Read Arrow record batches; needs pyarrow (extra `arrow`).

        The schema is fixed: the attributes of the records in their order, strings but for times
        (microseconds, UTC), dates, integers, numbers and truth values; `extra` is the text of a JSON object,
        null where there is nothing.

        Args:
            size: rows of a batch; the last one is short, and so is one before an error.

        Raises:
            ImportError: pyarrow is not installed.
            ValidationError: the size is none.
            StreamConsumedError: the stream is being read already.
            StreamClosedError: its block has ended.
            ExportError: while reading, besides the others: a number does not fit into 64 bits.
        """
        size = _check_size(size)
        try:
            from scarf_async.exports.arrow import RecordBatches  # noqa: PLC0415 # pyarrow is large, and an extra
        except ImportError as error:
            raise ImportError(
                f"record_batches() needs pyarrow: pip install 'scarf-async[arrow]' ({error})"
            ) from error
        record = self._spec.reader(None).record
        return RecordBatches(self._typed(), record, size)

    def _typed(self) -> Cursor[T]:
        spec = self._spec
        return self._cursor(TypedParser(spec.reader(spec.end), self._tally, spec.max_record_bytes))

    def _cursor(self, parser: Parser[I]) -> Cursor[I]:
        if self._closed:
            raise StreamClosedError(
                f"{self._spec.description}: the stream is closed; read it inside its `async with` block"
            )
        if self._used:
            raise StreamConsumedError(
                f"{self._spec.description}: the stream is being read already; it can be read once, in one way"
            )
        self._used = True
        cursor = Cursor(self._body, parser, self._tally, self._spec.on_malformed)
        self._close_reading = cursor.close
        return cursor

    def _close(self) -> None:
        self._closed = True
        self._close_reading()


class Export(Generic[T]):
    """An export that can be asked for, as often as you like; by itself it is data, and nothing is sent.

    `async with export as stream` sends the request and gives an `ExportStream` once the service has answered
    with success and the first bytes are here; errors of status and all retries happen there. It may be entered
    several times, also at the same time; each time is a request of its own.

    Exports may cost money: what was sent and not answered is not sent again, and after the first byte
    nothing is fetched a second time, except by `save`.
    """

    def __init__(self, spec: ExportSpec[T]) -> None:
        self._spec = spec
        self._entered: list[tuple[asyncio.Task[object] | None, ExportStream[T]]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._spec.description}>"

    async def __aenter__(self) -> ExportStream[T]:
        download = await self._spec.open()
        try:
            stream = ExportStream(self._spec, download)
            await stream._body.first()  # noqa: SLF001 # one thing in two classes
        except BaseException:
            download.close()
            raise
        self._entered.append((asyncio.current_task(), stream))
        return stream

    async def __aexit__(self, *exc: object) -> None:
        task = asyncio.current_task()
        # Blocks of one task are left in the reverse order; a stack of contexts may be left by another task.
        at = max(
            range(len(self._entered)),
            key=lambda at: (self._entered[at][0] is task, _is_done(self._entered[at][0]), at),
        )
        _, stream = self._entered.pop(at)
        stream._close()  # noqa: SLF001 # one thing in two classes

    async def save(self, path: str | PathLike[str], *, overwrite: bool = True) -> SavedExport:
        """Fetch the export into a file.

        The file is written under another name in the same directory, synced, and put in its place when it is
        whole; on any error, and when cancelled, nothing under its name is touched. Of a compressed answer the
        inflated bytes are saved, every one of them, but for the records at or after the end of the range.
        After a cut it is fetched again from the start, as often as the client's `RetryPolicy` allows.

        ```python
        saved = await scarf.exports.organization_aggregates("acme", "2024-01-01", "2024-02-01").save("acme.jsonl")
        ```

        Args:
            path: where to.
            overwrite: False: an existing file stays as it is, and is an error.

        Returns:
            The path, and the file's size in bytes, its records (without a CSV's header) and its SHA-256.

        Raises:
            OSError: the file cannot be written: `FileExistsError`, `IsADirectoryError`, `FileNotFoundError`
                (no such directory) before anything is sent.
            TruncatedExportError: every attempt was cut.
            ExportError: the answer is no such export, or a record is longer than `max_record_bytes`.
            TransportError: no answer, or nothing for `export_timeout`.
            APIError: the service said no.
        """
        return await save(self._spec, path, overwrite=overwrite)


def _is_done(task: asyncio.Task[object] | None) -> bool:
    return task is None or task.done()
