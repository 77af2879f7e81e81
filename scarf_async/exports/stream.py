"""Exports and the streams that they open."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import warnings
from collections.abc import AsyncIterator, Callable
from os import PathLike
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from anyio.to_thread import run_sync

from scarf_async.checks import whole
from scarf_async.entities.fields import one_of
from scarf_async.errors import ScarfWarning, StreamClosedError, StreamConsumedError, ValidationError
from scarf_async.events import Hook
from scarf_async.exports.convert import AsSent, Converted, CsvConverter, JsonLinesConverter, ParquetConverter
from scarf_async.exports.formats import (
    ExportFormat,
    ExportFormatLike,
    need_arrow,
    need_installed,
    own_format,
    unknown_columns,
)
from scarf_async.exports.parsers import FileParser, LineParser, TypedParser
from scarf_async.exports.reading import Batches, Body, Cursor, Items, Pieces, PiecesParser
from scarf_async.exports.save import SavedExport, save
from scarf_async.exports.spec import Counters, Download, EffectiveRange, ExportSpec, effective_range, is_narrower

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped] # it ships no types
    import pyarrow as pa  # type: ignore[import-untyped] # it ships no types

__all__ = ["Export", "ExportStream"]

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 # items of whichever way of reading
P = TypeVar("P")

# A row group of Parquet.
_ROWS_AT_ONCE: Final = 65_536


class ExportStream(Generic[T]):
    """An open export, from `async with export`. It can be read once, in one of its ways.

    ```python
    async with scarf.exports.package_events("acme", package_id, start, end) as events:
        async for event in events:
            ...
    ```

    Nothing is read ahead of the consumer (backpressure): a slow reader slows the sender down, and memory stays
    bounded whatever the size of the export. All ways of reading raise

    - `MalformedRecordError` for a record that cannot be read, after all records before it, unless `on_malformed`
      says otherwise (typed reading only);
    - `TruncatedExportError` if the export ended, or the connection was lost, before the end;
    - `RequestTimeoutError` if nothing arrived for `export_timeout`;
    - `RecordTooLongError` for a record longer than `max_record_bytes`, unless `on_malformed` says otherwise (typed
      reading only);
    - `ExportError` if the body is not such an export, before the first record;
    - `StreamConsumedError` if it is read a second time, `StreamClosedError` after the block.

    A response that ends cleanly between two records without containing all of them cannot be detected.
    """

    def __init__(self, spec: ExportSpec[T], download: Download) -> None:
        self._spec = spec
        self._total = download.headers.get("Content-Length", "")
        self._effective = effective_range(download.headers)
        self._counters = Counters(spec.description, spec.redact)
        self._digest = hashlib.sha256()
        self._body = Body(download, self._counters, self._digest)
        self._close_reading = self._body.close
        self._used = False
        self._closed = False

    def __repr__(self) -> str:
        counters = self._counters
        return f"<{type(self).__name__} {counters.description}: {counters.records_received} records received>"

    @property
    def bytes_received(self) -> int:
        """The bytes of the body received so far, before inflating."""
        return self._counters.bytes_received

    @property
    def bytes_total(self) -> int | None:
        """The size of the body in bytes, before inflating; None if the service did not send it."""
        return int(self._total) if self._total.isascii() and self._total.isdecimal() else None

    @property
    def effective_start(self) -> dt.date | None:
        """The first day that the service covered, which a plan may limit; None if the service did not say."""
        return self._effective[0]

    @property
    def effective_end(self) -> dt.date | None:
        """The first day after those that the service covered; None if the service did not say."""
        return self._effective[1]

    @property
    def records_received(self) -> int:
        """The number of records received so far, without a CSV header; up to a chunk ahead of the consumer.

        It includes dropped and malformed records.
        """
        return self._counters.records_received

    @property
    def records_dropped(self) -> int:
        """The number of records left out because they are at or after the end of the range."""
        return self._counters.records_dropped

    @property
    def records_malformed(self) -> int:
        """The number of records that could not be read; only typed reading counts them."""
        return self._counters.records_malformed

    @property
    def records_kept(self) -> int:
        """The number of records that were neither dropped nor malformed."""
        return self.records_received - self.records_dropped - self.records_malformed

    @property
    def complete(self) -> bool:
        """Whether everything was read, up to a verified end."""
        return self._counters.complete

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of the inflated body, in hexadecimal, once `complete`; None before.

        It covers every byte, however the stream was read and whatever was left out.
        """
        return self._digest.hexdigest() if self._counters.complete else None

    @property
    def ended_with_newline(self) -> bool:
        """Whether the last byte of the body was a LF; meaningful once `complete`.

        A CSV that does not end in a LF may have been cut in its last field.
        """
        return self._counters.ended_with_newline

    def __aiter__(self) -> AsyncIterator[T]:
        return Items(self._typed())

    def batches(self, size: int = 1000) -> AsyncIterator[list[T]]:
        """Read typed records in lists, which is faster than one by one.

        Args:
            size: the length of the lists; the last one, and one before an error, may be shorter.

        Raises:
            ValidationError: the size is not a positive integer.
            StreamConsumedError: the stream is already being read.
            StreamClosedError: its block has ended.
        """
        size = whole("size", size, ValidationError)
        return Batches(self._typed(), size)

    def lines(self) -> AsyncIterator[bytes]:
        """Read the raw bytes of each record, without its line end; for a CSV, the header comes first.

        A line break inside quotes does not end a record. A BOM and blank lines are left out. Only the time of a
        record is parsed, to leave out records at or after the end; a record whose time cannot be read is kept.

        Raises:
            StreamConsumedError: the stream is already being read.
            StreamClosedError: its block has ended.
        """
        spec = self._spec
        parser = LineParser(
            spec.reader(spec.end), self._counters, spec.max_record_bytes, filtered=spec.end is not None
        )
        return Items(self._cursor(parser))

    def record_batches(self, size: int | None = None) -> AsyncIterator[pa.RecordBatch]:
        """Read Arrow record batches; needs pyarrow (extra `arrow`).

        The schema is fixed: the attributes of the records in their order, as strings except for times
        (microseconds, UTC), dates, integers, numbers and booleans; `extra` is the text of a JSON object, or null if
        it is empty.

        Arrow itself parses events, one or two MB at a time in two threads, while at most as much is received in
        advance.

        Args:
            size: the number of rows in a batch; the last one, and one before an error, may be shorter. None: some
                thousands, at most 65,536, which avoids a copy.

        Raises:
            ImportError: pyarrow is not installed.
            ValidationError: the size is not a positive integer, or the records are mappings, whose columns are not
                known.
            StreamConsumedError: the stream is already being read.
            StreamClosedError: its block has ended.
            ExportError: while reading, a number does not fit into 64 bits.
        """
        size = None if size is None else whole("size", size, ValidationError)
        try:
            from scarf_async.exports.arrow import RecordBatches  # noqa: PLC0415 # pyarrow is large,
            from scarf_async.exports.prefetch import BlockParser, BlockSource  # noqa: PLC0415 # and an extra
        except ImportError as error:
            raise ImportError(
                f"record_batches() needs pyarrow: pip install 'scarf-async[arrow]' ({error})"
            ) from error
        spec = self._spec
        blocks = BlockParser(spec.reader(spec.end), self._counters, spec.max_record_bytes)
        source = BlockSource(self._body, blocks, size, spec.max_record_bytes)
        return RecordBatches(self._cursor_of(source, blocks), size)

    def chunks(self, format: ExportFormatLike | None = None) -> AsyncIterator[bytes]:  # noqa: A002 # what users look for
        """Read the bytes of a file, in chunks of any length.

        None, or the format in which the service sends these records (`csv` for events, `jsonl` for all others),
        gives the body as it was sent, without records at or after the end. In another format the records are
        written by attribute name: `jsonl` leaves out None; `csv` and `parquet` (extra `arrow`) have all attributes,
        with `extra` as the text of a JSON object.

        Args:
            format: the format of the file.

        Raises:
            ImportError: the format is Parquet and pyarrow is not installed.
            ValidationError: the format is unknown.
            StreamConsumedError: the stream is already being read, or a conversion was cancelled and then continued.
            StreamClosedError: its block has ended.
        """
        spec = self._spec
        record = spec.reader(None).record
        form = own_format(record) if format is None else one_of(ExportFormat, "format", format)
        need_arrow(form, record)
        if form is own_format(record):
            parser = FileParser(
                spec.reader(spec.end), self._counters, spec.max_record_bytes, filtered=spec.end is not None
            )
            return AsSent(self._cursor(parser))
        if form is ExportFormat.JSONL or record is None:
            return Converted(spec.description, self.batches(), JsonLinesConverter(record))
        if form is ExportFormat.PARQUET:
            rows = self.record_batches(_ROWS_AT_ONCE)
            return Converted(spec.description, rows, ParquetConverter(record))
        return Converted(spec.description, self.batches(), CsvConverter(record))

    def _typed(self) -> Cursor[T]:
        spec = self._spec
        return self._cursor(TypedParser(spec.reader(spec.end), self._counters, spec.max_record_bytes))

    def _cursor(self, parser: PiecesParser[bytes, I]) -> Cursor[I]:
        return self._cursor_of(self._body, parser)

    def _cursor_of(self, pieces: Pieces[P | None], parser: PiecesParser[P, I]) -> Cursor[I]:
        if self._closed:
            raise StreamClosedError(
                f"{self._spec.description}: the stream is closed; read it inside its `async with` block"
            )
        if self._used:
            raise StreamConsumedError(
                f"{self._spec.description}: the stream is being read already; it can be read once, in one way"
            )
        self._used = True
        cursor = Cursor(pieces, parser, self._counters, self._spec.on_malformed)
        self._close_reading = cursor.close
        return cursor

    def _close(self) -> None:
        self._closed = True
        self._close_reading()


class Export(Generic[T]):
    """An export that can be requested, as often as you like. By itself it is data: nothing is sent.

    `async with export as stream` sends the request and returns an `ExportStream` once the service has responded
    with success and the first bytes have arrived; error statuses are raised and all retries happen there. It can be
    entered several times, even concurrently; each time sends a request of its own.

    Exports may cost money: a request that was sent and got no response is not retried, and after the first byte
    nothing is fetched a second time, except by `save`.

    Attributes:
        spec: the request, and how its response is read.
    """

    def __init__(self, spec: ExportSpec[T]) -> None:
        self.spec = spec
        self._entered: list[tuple[asyncio.Task[object] | None, ExportStream[T]]] = []
        self._warned: set[EffectiveRange] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.spec.description}>"

    async def __aenter__(self) -> ExportStream[T]:
        download = await self.spec.open()
        try:
            stream = ExportStream(self.spec, download)
            self._warn(stream)
            await stream._body.first()  # noqa: SLF001 # one thing in two classes
        except BaseException:
            download.close()
            raise
        self._entered.append((asyncio.current_task(), stream))
        return stream

    def _warn(self, stream: ExportStream[T]) -> None:
        """Warn, once for all fetches, that the service covered a narrower range than requested."""
        given, asked = (stream.effective_start, stream.effective_end), self.spec.asked
        if asked is None or given in self._warned or not is_narrower(given, asked):
            return
        self._warned.add(given)
        (start, end), (first, behind) = asked, given
        warnings.warn(
            f"{self.spec.description}: {start}..{end} was requested, and the service covered only"
            f" {first or start}..{behind or end}, as plans with a limit do",
            ScarfWarning,
            stacklevel=3,
        )

    async def __aexit__(self, *exc: object) -> None:
        task = asyncio.current_task()
        # The blocks of one task are left in reverse order; another task may leave a stack of contexts.
        at = max(
            range(len(self._entered)),
            key=lambda at: (self._entered[at][0] is task, _is_done(self._entered[at][0]), at),
        )
        _, stream = self._entered.pop(at)
        stream._close()  # noqa: SLF001 # one thing in two classes

    async def save(
        self,
        path: str | PathLike[str],
        *,
        overwrite: bool = True,
        format: ExportFormatLike | None = None,  # noqa: A002 # what users look for
        progress: Callable[[ExportStream[T]], object] | None = None,
    ) -> SavedExport:
        """Fetch the export into a file.

        The file is written under a temporary name in the same directory, synced, and renamed when it is complete;
        on any error or cancellation, an existing file is left unchanged. A replaced file keeps its mode and, where
        the system allows it, its owner; a symbolic link stays one. Compressed responses are inflated, and every
        byte is saved, except for records at or after the end of the range. If the export is cut off, it is fetched
        again from the start, at most `RetryPolicy.attempts` times in all: each is a request that may cost money,
        reported by a `RetryScheduled` event and a warning in the log. A response with a verified end is never
        fetched again. In a format other than the service's own, the records are converted; see
        `ExportStream.chunks`.

        The ending of the name decides the format: `.csv`, `.jsonl` or `.ndjson`, `.parquet`; text formats are
        compressed if `.gz` or `.zst` follows (`.zst` needs the extra `arrow`). Without an ending, the file gets
        what the service sends.

        ```python
        saved = await scarf.exports.organization_aggregates("acme", "2024-01-01", "2024-02-01").save("acme.jsonl")
        ```

        Args:
            path: the file to write.
            overwrite: False to raise an error if the file exists.
            format: the format, whatever the ending; None: as the ending says.
            progress: called with the stream whenever something was read from it; see its `bytes_received`,
                `bytes_total` and `records_received`.

        Returns:
            The path, and the file's size in bytes, its records (without a CSV's header) and its SHA-256.

        Raises:
            OSError: the file cannot be written: `FileExistsError`, `IsADirectoryError`, `FileNotFoundError`
                (no such directory), `PermissionError`, before anything is sent.
            ValidationError: the format or the ending is unknown; nothing was sent.
            ImportError: Parquet or zstd is needed and pyarrow is not installed; nothing was sent.
            TruncatedExportError: every attempt was cut off, or the content is incomplete although its end is
                verified.
            ExportError: the response is not such an export, a record is longer than `max_record_bytes`, or a record
                cannot be converted.
            TransportError: no response arrived, or nothing for `export_timeout`.
            APIError: the service returned an error.
        """
        hook = Hook("progress", progress)
        return await save(self.spec, self, path, format, overwrite=overwrite, progress=hook)

    async def to_arrow(self) -> pa.Table:
        """Fetch the export into an Arrow table; needs pyarrow (extra `arrow`).

        The table holds the whole export in memory; `ExportStream.record_batches` and export jobs do not. Its
        schema is that of `ExportStream.record_batches`, also without records.

        ```python
        january = await scarf.exports.owner_events("acme", "2024-01-01", "2024-02-01").to_arrow()
        frame = polars.from_arrow(january)
        ```

        Returns:
            The whole export.

        Raises:
            ConfigurationError: pyarrow is not installed; nothing was sent.
            TruncatedExportError: the export ended, or the connection was lost, before the end; it is not fetched
                again.
            ExportError: the response is not such an export, a record cannot be read, or a number does not fit into
                64 bits.
            TransportError: no response arrived, or nothing for `export_timeout`.
            APIError: the service returned an error.
        """
        need_installed("to_arrow()", "scarf-async[arrow]", "pyarrow")
        return await self._table()

    async def to_pandas(self) -> pd.DataFrame:
        """Fetch the export into a pandas DataFrame; needs pyarrow (extra `arrow`) and pandas, which is in no extra.

        The frame holds the whole export in memory, and during the conversion the Arrow table, too. The column types
        do not depend on the records: `time` is `datetime64[us, UTC]`, strings have pandas' default type, booleans
        are `boolean`, integers `Int64`, other numbers `float64`; `date` has `datetime.date` objects, and `extra`
        the text of a JSON object.

        Returns:
            The whole export.

        Raises:
            ConfigurationError: pandas or pyarrow is not installed; nothing was sent.
            ScarfError: the errors of `to_arrow`.
        """
        need_installed("to_pandas()", "scarf-async[arrow]", "pyarrow")
        need_installed("to_pandas()", "pandas", "pandas")
        from scarf_async.exports.arrow import arrow_told, frame_of  # noqa: PLC0415 # pyarrow is large, and an extra

        table = await self._table()
        with arrow_told(self.spec.description):
            return await run_sync(frame_of, table)

    async def _table(self) -> pa.Table:
        import pyarrow as pa  # noqa: PLC0415 # large, and an extra

        from scarf_async.exports.arrow import schema_of  # noqa: PLC0415 # as above

        record = self.spec.reader(None).record
        if record is None:
            raise unknown_columns()
        async with self as stream:
            batches = [batch async for batch in stream.record_batches()]
        return pa.Table.from_batches(batches, schema_of(record))


def _is_done(task: asyncio.Task[object] | None) -> bool:
    return task is None or task.done()
