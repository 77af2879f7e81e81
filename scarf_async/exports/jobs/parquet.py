"""Parquet (extra `arrow`): one file for a window, or one for each of its partitions. Imported on first use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped] # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped] # it ships no types

from scarf_async.exports.formats import ExportFormat
from scarf_async.exports.jobs.directory import Made
from scarf_async.exports.jobs.job import PartitionBy
from scarf_async.exports.jobs.manifest import FileEntry, data_path, file_name, partition
from scarf_async.exports.jobs.output import Output, Seen, Times
from scarf_async.exports.jobs.windows import Window, midnight
from scarf_async.files import PartFile

__all__ = ["ParquetOutput"]

_HELD: Final = 16 * 2**20
"""Bytes that wait in memory at the most."""
_ROW_GROUP: Final = 2 * 2**20
"""Bytes in memory that are worth a row group of their own."""
_OPEN_FILES: Final = 8
_DAY: Final = 86_400_000_000
"""Microseconds."""
_OVERHEAD: Final = 8 * 2**10
"""What a batch of a few rows takes besides its values."""


@attrs.define(eq=False)
class _Partition:
    """The rows of one folder: some in its file, some in the spill, some waiting.

    Attributes:
        spilled: the numbers of its batches in the spill.
    """

    waiting: list[pa.RecordBatch] = attrs.field(factory=list)
    held: int = 0
    rows: int = 0
    spilled: list[int] = attrs.field(factory=list)
    part: PartFile | None = None
    writer: pq.ParquetWriter | None = None


class ParquetOutput(Output[pa.RecordBatch]):
    """Writes Parquet, compressed by zstd: one file, or a folder for each month (UTC), or for each package or pixel.

    No folder is named as a column is: readers take text in a path for what it looks like, and then a column that
    is a number here, and text or a dictionary there, fits nowhere.

    The memory that it takes is bounded, however many partitions there are: the largest partitions are written
    when too much waits, as row groups of their own files where that is worth while and not too many are open, and
    else into a spill from which all are read in the end.
    """

    def __init__(
        self, directory: Path, window: Window, schema: pa.Schema, partition_by: PartitionBy | None = None
    ) -> None:
        timed = "time" in schema.names
        # The date of an aggregation is that of its bucket, which a window may cut.
        self._bucketed = "rollup" in schema.names
        super().__init__(directory, window, identified=timed)
        self._schema = schema
        self._partition_by = partition_by
        self._column = "time" if timed else "date"
        kind = schema.field(self._column).type
        bounds = (midnight(window.start), midnight(window.end)) if timed else (window.start, window.end)
        self._start, self._end = (pa.scalar(bound, kind) for bound in bounds)
        # A window without rows is a file without rows, so that there is a table to read.
        self._partitions: dict[str, _Partition] = {} if partition_by else {"": _Partition()}
        self._held = 0
        self._open = 0
        self._parts: list[PartFile] = []
        self._spill: PartFile | None = None
        self._spilling: pa.RecordBatchFileWriter | None = None
        self._spilled = 0

    def _inside(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, int, int]:
        if self._bucketed:
            return batch, batch.num_rows, 0
        moments = batch.column(self._column)
        inside = pc.and_(pc.greater_equal(moments, self._start), pc.less(moments, self._end))
        count = inside.true_count
        outside = batch.num_rows - count
        return batch.filter(inside) if outside else batch, count, outside

    def _look(self, batch: pa.RecordBatch, day: Window) -> Times:
        moments = batch.column(self._column).cast(pa.int64())
        days = pc.divide(moments, _DAY)
        timed = pc.not_equal(moments, pc.multiply(days, _DAY))
        on = pc.equal(days, day.start.toordinal() - dt.date(1970, 1, 1).toordinal())
        return Times(on.true_count > 0, pc.and_(on, timed).true_count > 0, timed.true_count > 0)

    def _new(self, batch: pa.RecordBatch, seen: Seen) -> tuple[pa.RecordBatch, int]:
        fresh = seen.fresh(batch.column("id").to_pylist())
        count = sum(fresh)
        return batch.filter(pa.array(fresh)) if count < len(fresh) else batch, count

    def _write(self, batch: pa.RecordBatch) -> None:
        for folder, rows in self._split(batch):
            some = self._partitions.setdefault(folder, _Partition())
            size = rows.nbytes + _OVERHEAD
            some.waiting.append(rows)
            some.held += size
            some.rows += rows.num_rows
            self._held += size
        if self._held > _HELD:
            self._relieve()

    def _split(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        if not batch.num_rows:
            return
        if self._partition_by is None:
            yield "", batch
            return
        keys = pc.dictionary_encode(self._keys(batch), null_encoding="encode")
        counts = sorted((count["values"], count["counts"]) for count in pc.value_counts(keys.indices).to_pylist())
        order = pc.sort_indices(keys.indices)
        at = 0
        for number, count in counts:
            # A slice would keep the whole batch in memory.
            rows = batch if len(counts) == 1 else batch.take(order.slice(at, count))
            yield self._folder(keys.dictionary[number].as_py()), rows
            at += count

    def _keys(self, batch: pa.RecordBatch) -> pa.Array:
        """Return what tells the partitions apart: numbers of months, or names of packages or pixels."""
        if self._partition_by == "month":
            moments = batch.column(self._column).fill_null(self._start)
            if pa.types.is_timestamp(moments.type):
                # For a time with a zone Arrow asks the machine's time zone database, which may lack; it is in UTC.
                moments = moments.cast(pa.timestamp("us"))
            return pc.add(pc.multiply(pc.year(moments), 12), pc.subtract(pc.month(moments), 1))
        names = [batch.column(name) for name in ("package", "pixel", "artifact") if name in self._schema.names]
        return pc.coalesce(*names)

    def _folder(self, key: int | str | None) -> str:
        return f"month={key // 12:04}-{key % 12 + 1:02}" if isinstance(key, int) else partition(key)

    def _relieve(self) -> None:
        """Write the largest partitions until half of the room is free."""
        for some in sorted(self._partitions.values(), key=lambda some: some.held, reverse=True):
            if self._held <= _HELD // 2:
                break
            if some.writer is None and (some.held < _ROW_GROUP or self._open == _OPEN_FILES):
                self._spill_out(some)
            else:
                self._write_out(some)

    def _take_waiting(self, some: _Partition) -> list[pa.RecordBatch]:
        waiting, some.waiting = some.waiting, []
        self._held -= some.held
        some.held = 0
        return waiting

    def _spill_out(self, some: _Partition) -> None:
        if self._spilling is None:
            self._spill = self._new_part()
            self._spilling = pa.ipc.new_file(self._spill, self._schema)
        for batch in pa.Table.from_batches(self._take_waiting(some)).combine_chunks().to_batches():
            self._spilling.write_batch(batch)
            some.spilled.append(self._spilled)
            self._spilled += 1

    def _write_out(self, some: _Partition) -> None:
        if some.part is None:
            some.part = self._new_part()
            some.writer = pq.ParquetWriter(some.part, self._schema, compression="zstd")
            self._open += 1
        waiting = self._take_waiting(some)
        if waiting and some.writer is not None:
            table = pa.Table.from_batches(waiting)
            some.writer.write_table(table, row_group_size=table.num_rows)

    def _new_part(self) -> PartFile:
        part = PartFile(self.directory)
        self._parts.append(part)
        return part

    def _finish(self) -> list[tuple[Made, FileEntry]]:
        spill = self._read_spill()
        finished: list[tuple[Made, FileEntry]] = []
        for folder, some in self._partitions.items():
            for number in some.spilled:
                batch = spill.get_batch(number)
                some.waiting.append(batch)
                some.held += batch.nbytes
                self._held += batch.nbytes
                if some.held >= _HELD // 2:
                    self._write_out(some)
            self._write_out(some)
            finished.append(self._close(folder, some))
        return finished

    def _read_spill(self) -> pa.RecordBatchFileReader:
        if self._spill is None or self._spilling is None:
            return None  # and no partition asks for anything of it
        self._spilling.close()
        self._spill.flush()
        return pa.ipc.open_file(pa.OSFile(str(self._spill.path)))

    def _close(self, folder: str, some: _Partition) -> tuple[Made, FileEntry]:
        if some.part is None or some.writer is None:
            raise RuntimeError("a partition is closed before it was written")
        some.writer.close()
        some.writer = None
        some.part.finish()
        path = data_path(folder, file_name(self.window, ExportFormat.PARQUET))
        return Made(some.part.path, path), FileEntry(path, some.part.size, some.part.sha256, some.rows)

    def _discard(self) -> None:
        for some in self._partitions.values():
            if some.writer is not None:
                # Left open, it would write to the closed file when it is collected.
                with suppress(pa.ArrowException, OSError):
                    some.writer.close()
        for part in self._parts:
            part.discard()
