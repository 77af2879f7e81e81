"""Rows by partition, in bounded memory, however many partitions there are. All of it blocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped] # it ships no types

from scarf_async.files import PartFile

__all__ = ["Partitions"]

_OVERHEAD: Final = 8 * 2**10
"""Bytes that a batch of a few rows takes besides its values."""


class Partitions:
    """Keeps rows until all are there: some wait in memory, the others are spilled into a file.

    Args:
        directory: where temporary files go.
        schema: of the rows.
        memory: bytes that may wait.
    """

    def __init__(self, directory: Path, schema: pa.Schema, memory: int) -> None:
        self._directory = directory
        self._schema = schema
        self._memory = memory
        self._waiting: defaultdict[str, list[pa.RecordBatch]] = defaultdict(list)
        self._sizes: defaultdict[str, int] = defaultdict(int)
        # The numbers of the batches in the file.
        self._spilled: defaultdict[str, list[int]] = defaultdict(list)
        self._count = 0
        self._spill: PartFile | None = None
        self._writer: pa.RecordBatchFileWriter | None = None

    def add(self, rows: pa.RecordBatch, keys: pa.Array) -> None:
        """Take some rows, and what tells their partitions apart."""
        for key, some in _split(rows, keys):
            self._waiting[key].append(some)
            self._sizes[key] += some.nbytes + _OVERHEAD
        if sum(self._sizes.values()) > self._memory:
            self._relieve()

    def _relieve(self) -> None:
        """Spill the largest partitions until half of the room is free."""
        held = sum(self._sizes.values())
        if self._writer is None:
            self._spill = PartFile(self._directory)
            self._writer = pa.ipc.new_file(self._spill, self._schema)
        for key, size in sorted(self._sizes.items(), key=lambda item: item[1], reverse=True):
            if held <= self._memory // 2:
                break
            held -= size
            del self._sizes[key]
            for batch in pa.Table.from_batches(self._waiting.pop(key)).combine_chunks().to_batches():
                self._writer.write_batch(batch)
                self._spilled[key].append(self._count)
                self._count += 1

    def each(self) -> Iterator[tuple[str, Iterator[pa.RecordBatch]]]:
        """Return the rows of each partition, in order of arrival."""
        spill: pa.RecordBatchFileReader = None
        if self._spill is not None and self._writer is not None:
            self._writer.close()
            self._writer = None
            self._spill.flush()
            spill = pa.ipc.open_file(pa.OSFile(str(self._spill.path)))
        for key in sorted(self._spilled.keys() | self._waiting.keys()):
            yield key, self._rows(key, spill)

    def _rows(self, key: str, spill: pa.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
        for number in self._spilled[key]:
            yield spill.get_batch(number)
        yield from self._waiting.pop(key, [])

    def close(self) -> None:
        """Let go of them."""
        if self._writer is not None:
            self._writer.close()
        if self._spill is not None:
            self._spill.discard()


def _split(rows: pa.RecordBatch, keys: pa.Array) -> Iterator[tuple[str, pa.RecordBatch]]:
    if not rows.num_rows:
        return
    numbered = pc.dictionary_encode(keys)
    counts = sorted((count["values"], count["counts"]) for count in pc.value_counts(numbered.indices).to_pylist())
    order = pc.sort_indices(numbered.indices)
    at = 0
    for number, count in counts:
        # A slice would keep the whole batch in memory.
        some = rows if len(counts) == 1 else rows.take(order.slice(at, count))
        yield numbered.dictionary[number].as_py(), some
        at += count
