"""Convert an export to the bytes of a file, in the service's format or another one."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import attrs
from anyio.to_thread import run_sync

from scarf_async.errors import StreamConsumedError
from scarf_async.exports.formats import csv_header, csv_rows, json_lines
from scarf_async.exports.reading import Cursor

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped] # it ships no types

__all__ = ["AsSent", "Converted", "Converter", "CsvConverter", "JsonLinesConverter", "ParquetConverter", "Pipe"]

B = TypeVar("B")
B_contra = TypeVar("B_contra", contravariant=True)


class Converter(Protocol[B_contra]):
    """Writes batches of records. Its methods may run in threads, one after another."""

    def begin(self) -> bytes:
        """Return the bytes before all records."""

    def take(self, batch: B_contra, /) -> bytes:
        """Return the bytes of the next records, which may be empty."""

    def finish(self) -> bytes:
        """Return the bytes after all records."""


class _TextConverter:
    def __init__(self, header: bytes, write: Callable[[Iterable[object]], bytes]) -> None:
        self._header = header
        self._write = write

    def begin(self) -> bytes:
        return self._header

    def take(self, batch: Iterable[object], /) -> bytes:
        return self._write(batch)

    def finish(self) -> bytes:
        return b""


class JsonLinesConverter(_TextConverter):
    """Writes JSON lines."""

    def __init__(self, record: type[attrs.AttrsInstance] | None) -> None:
        super().__init__(b"", json_lines(record))


class CsvConverter(_TextConverter):
    """Writes CSV."""

    def __init__(self, record: type[attrs.AttrsInstance]) -> None:
        super().__init__(csv_header(record), csv_rows(record))


class Pipe(io.RawIOBase):
    """Buffers the output of pyarrow."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._size

    def write(self, data: object) -> int:
        """Add bytes to the buffer."""
        piece = bytes(data)  # type: ignore[call-overload] # any buffer
        self._pieces.append(piece)
        self._size += len(piece)
        return len(piece)

    def take(self) -> bytes:
        """Return the bytes since the last call."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


class ParquetConverter:
    """Writes Parquet (extra `arrow`), a row group for each batch."""

    def __init__(self, record: type[attrs.AttrsInstance]) -> None:
        import pyarrow.parquet as pq  # type: ignore[import-untyped] # noqa: PLC0415 # pyarrow is large, and an extra

        from scarf_async.exports.arrow import arrow_told, schema_of  # noqa: PLC0415 # as above

        self._told = partial(arrow_told, "Parquet")
        self._pipe = Pipe()
        self._writer = pq.ParquetWriter(self._pipe, schema_of(record), compression="zstd")

    def begin(self) -> bytes:
        """Return the bytes before all records."""
        return self._pipe.take()

    def take(self, batch: pa.RecordBatch, /) -> bytes:
        """Return the row group of a batch."""
        with self._told():
            self._writer.write_batch(batch)
        return self._pipe.take()

    def finish(self) -> bytes:
        """Return the bytes after all records."""
        with self._told():
            self._writer.close()
        return self._pipe.take()


class AsSent(AsyncIterator[bytes]):
    """The chunks of a cursor."""

    def __init__(self, cursor: Cursor[bytes]) -> None:
        self._cursor = cursor

    async def __anext__(self) -> bytes:
        items = await self._cursor.more()
        if not items:
            raise StopAsyncIteration
        return b"".join(items)


class Converted(AsyncIterator[bytes], Generic[B]):
    """The output of a converter for batches.

    It is not an async generator, for the same reason as `Cursor`.

    Args:
        description: the export, for messages.
        batches: the records.
        converter: converts the records.
    """

    def __init__(self, description: str, batches: AsyncIterator[B], converter: Converter[B]) -> None:
        self._description = description
        self._batches = batches
        self._converter = converter
        self._begun = False
        self._ended = False
        self._torn = False

    async def __anext__(self) -> bytes:
        if self._torn:
            raise StreamConsumedError(
                f"{self._description}: the conversion was cancelled in the middle of a piece; export it again"
            )
        while not self._ended:
            try:
                batch = await anext(self._batches)
            except StopAsyncIteration:
                self._ended = True
                data = await self._in_thread(self._converter.finish)
            else:
                data = await self._in_thread(self._converter.take, batch)
            if not self._begun:
                # Not before the first records: the output for a body that is not an export must not begin like one.
                self._begun = True
                data = self._converter.begin() + data
            if data:
                return data
        raise StopAsyncIteration

    async def _in_thread(self, call: Callable[..., bytes], *arguments: object) -> bytes:
        self._torn = True
        data = await run_sync(call, *arguments)
        self._torn = False
        return data
