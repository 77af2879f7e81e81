"""Write the files of a window, in each format. All methods block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped] # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped] # it ships no types

from scarf_async.exports.arrow import Part, schema_of, with_end
from scarf_async.exports.arrow_json import json_lines
from scarf_async.exports.formats import ExportFormat, csv_header, csv_line, own_format
from scarf_async.exports.jobs.destination import Made
from scarf_async.exports.jobs.job import ExportJob, PartitionBy, Record
from scarf_async.exports.jobs.manifest import FileEntry, data_path, file_name, partition
from scarf_async.exports.jobs.partitions import Partitions
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.lines import BOM
from scarf_async.exports.prefetch import BlockParser
from scarf_async.files import PartFile
from scarf_async.protocol.tolerant import loads

__all__ = ["Writer", "writer_of"]

_EMPTY: Final = pa.scalar("")
_MONTH: Final = len("YYYY-MM")
_ROW_GROUP: Final = 65_536
"""The number of rows in a row group, so that the same rows give the same bytes however they arrive."""
_LARGE_ROW_GROUP: Final = 64 * 2**20
"""The size in bytes at which a row group ends earlier, to save memory."""
# Values of these columns are rarely repeated in a row group: a dictionary would cost more than it saves.
_WITHOUT_DICTIONARY: Final = frozenset({"id", "time"})


class Writer(ABC):
    """Writes the files of one window.

    Attributes:
        rows: the number of rows so far.
    """

    rows: int = 0

    def write(self, parts: Sequence[Part]) -> None:
        """Write records."""
        for part in parts:
            self.rows += part.batch.num_rows
            self._write(part)

    @abstractmethod
    def _write(self, part: Part) -> None:
        """Write records."""

    @abstractmethod
    def finish(self, window: Window) -> list[tuple[Made, FileEntry]]:
        """Sync all files, and return them as those of the window."""

    @abstractmethod
    def discard(self) -> None:
        """Remove its files."""

    def close(self) -> None:  # noqa: B027 # most have nothing
        """Release other resources."""


def _entered(
    part: PartFile, window: Window, form: ExportFormat, rows: int, folder: str = ""
) -> tuple[Made, FileEntry]:
    part.finish()
    path = data_path(folder, file_name(window, form))
    return Made(part.path, path), FileEntry(path, part.size, part.sha256, rows)


class _Text(Writer):
    """One file of text.

    Args:
        directory: the directory for temporary files.
        form: CSV or JSON lines.
        text: converts records to text.
        header: returns the header, once a record or the end has arrived.
    """

    def __init__(
        self,
        directory: Path,
        form: ExportFormat,
        text: Callable[[Part], Iterable[bytes | memoryview]],
        header: Callable[[], bytes] = bytes,
    ) -> None:
        self._directory = directory
        self._form = form
        self._header = header
        self._text = text
        self._part: PartFile | None = None

    def _write(self, part: Part) -> None:
        file = self._begun()
        for text in self._text(part):
            file.write(text)

    def _begun(self) -> PartFile:
        if self._part is None:
            self._part = PartFile(self._directory)
            self._part.write(self._header())
        return self._part

    def finish(self, window: Window) -> list[tuple[Made, FileEntry]]:
        return [_entered(self._begun(), window, self._form, self.rows)]

    def discard(self) -> None:
        if self._part is not None:
            self._part.discard()


class _Parquet(Writer):
    """One file, in row groups of equal length except the last.

    Args:
        directory: the directory for temporary files.
        schema: the schema of the rows.
        folder: its folder, if it is one of several files.
    """

    def __init__(self, directory: Path, schema: pa.Schema, folder: str = "") -> None:
        self._schema = schema
        self._folder = folder
        self._part = PartFile(directory)
        try:
            self._writer = pq.ParquetWriter(
                self._part,
                schema,
                compression="zstd",
                use_dictionary=[name for name in schema.names if name not in _WITHOUT_DICTIONARY],
            )
        except BaseException:
            self._part.discard()
            raise
        self._waiting: list[pa.RecordBatch] = []
        self._held = 0
        self._bytes = 0

    def _write(self, part: Part) -> None:
        self.add(part.batch)

    def add(self, batch: pa.RecordBatch) -> None:
        """Write records that are already counted."""
        self._waiting.append(batch)
        self._held += batch.num_rows
        self._bytes += batch.nbytes
        while self._held >= _ROW_GROUP or self._bytes >= _LARGE_ROW_GROUP:
            self._end_row_group()

    def _end_row_group(self) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema)
        self._writer.write_table(table.slice(0, _ROW_GROUP), row_group_size=_ROW_GROUP)
        # Each thread would keep some of the memory.
        pa.default_memory_pool().release_unused()
        rest = table.slice(_ROW_GROUP)
        self._waiting = rest.to_batches()
        self._held, self._bytes = rest.num_rows, rest.nbytes if rest.num_rows else 0

    def finish(self, window: Window) -> list[tuple[Made, FileEntry]]:
        if self._held:
            self._end_row_group()
        self._writer.close()
        return [_entered(self._part, window, ExportFormat.PARQUET, self.rows, self._folder)]

    def discard(self) -> None:
        # If left open, it would write to the closed file when it is garbage-collected.
        with suppress(pa.ArrowException, OSError):
            self._writer.close()
        self._part.discard()


class _Partitioned(Writer):
    """A folder of Parquet for each month (UTC), or for each package or pixel, written one after another.

    No folder has the name of a column: readers guess the type of values in a path, and a column that is a number in
    some files and text or a dictionary in others cannot be read.
    """

    def __init__(self, directory: Path, schema: pa.Schema, by: PartitionBy, window: Window, memory: int) -> None:
        self._directory = directory
        self._schema = schema
        self._by = by
        self._first = pa.scalar(str(window.start)[:_MONTH])
        self._rows = Partitions(directory, schema, memory // 2)
        self._files: list[_Parquet] = []

    def _write(self, part: Part) -> None:
        self._rows.add(part.batch, self._keys(part.batch))

    def _keys(self, rows: pa.RecordBatch) -> pa.Array:
        if self._by == "artifact":
            names = [name for name in ("package", "pixel", "artifact") if name in rows.schema.names]
            return pc.coalesce(*map(rows.column, names), _EMPTY)
        moments = rows.column("time" if "time" in rows.schema.names else "date")
        if pa.types.is_timestamp(moments.type):
            # For a time with a zone, Arrow needs the machine's time zone database, which may be missing; this is in
            # UTC.
            moments = moments.cast(pa.timestamp("us"))
        # Counts of the whole range have no date: they belong to the start of their window.
        return pc.fill_null(pc.utf8_slice_codeunits(moments.cast(pa.string()), 0, _MONTH), self._first)

    def finish(self, window: Window) -> list[tuple[Made, FileEntry]]:
        finished: list[tuple[Made, FileEntry]] = []
        for key, rows in self._rows.each():
            folder = partition(key) if self._by == "artifact" else f"month={key}"
            file = _Parquet(self._directory, self._schema, folder)
            self._files.append(file)
            for batch in rows:
                file.rows += batch.num_rows
                file.add(batch)
            finished += file.finish(window)
        return finished

    def close(self) -> None:
        self._rows.close()

    def discard(self) -> None:
        for file in self._files:
            file.discard()


def _header_as_sent(header: bytes) -> bytes:
    """Return the bytes that are read as this header, including a second BOM; empty if there is none."""
    return header and BOM * header.startswith(BOM) + with_end(header)


def _as_sent(part: Part) -> Iterable[bytes | memoryview]:
    return [part.lines()]


def _json_as_sent(part: Part) -> Iterable[bytes | memoryview]:
    lines = part.lines()
    try:
        msgspec.json.Decoder().decode_lines(lines)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Other readers are stricter than ours, and would refuse the whole file.
        return [msgspec.json.encode(loads(line)) + b"\n" for line in bytes(lines).split(b"\n")[:-1]]
    return [lines]


def _as_json(part: Part) -> Iterable[memoryview]:
    return json_lines(part.batch)


def _cell(value: object) -> str | None:
    if isinstance(value, list):
        return msgspec.json.encode(value).decode()
    return None if value is None else str(value)


def _as_csv(part: Part) -> Iterable[bytes]:
    return ["".join(csv_line(map(_cell, row.values())) for row in part.batch.to_pylist()).encode()]


def writer_of(directory: Path, window: Window, job: ExportJob, parser: BlockParser[Record], memory: int) -> Writer:
    """Return the writer of a window.

    Args:
        directory: the directory for temporary files.
        window: the window.
        job: the job.
        parser: the parser of the records, which has the header once they have arrived.
        memory: the maximum size in bytes of records in memory.
    """
    record, form, by = parser.record, job.format, job.partition_by
    schema = schema_of(record)
    if form is ExportFormat.PARQUET:
        return _Parquet(directory, schema) if by is None else _Partitioned(directory, schema, by, window, memory)
    if form is ExportFormat.JSONL:
        return _Text(directory, form, _json_as_sent if form is own_format(record) else _as_json)
    if form is own_format(record):
        return _Text(directory, form, _as_sent, lambda: _header_as_sent(parser.header))
    return _Text(directory, form, _as_csv, lambda: csv_header(record))
