"""Group rows by partition in bounded memory, for any number of partitions. All methods block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from operator import itemgetter
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped] # it ships no types

from scarf_async.files import PartFile

__all__ = ["Partitions"]


class Partitions:
    """Keeps rows until all have arrived: some in memory, the others in a file.

    Args:
        directory: the directory for temporary files.
        schema: the schema of the rows.
        memory: the maximum size in bytes in memory.
    """

    def __init__(self, directory: Path, schema: pa.Schema, memory: int) -> None:
        self._directory = directory
        self._schema = schema
        self._memory = memory
        self._waiting: list[pa.RecordBatch] = []
        self._keys: list[pa.Array] = []
        self._bytes = 0
        # The indexes of the batches in the file.
        self._spilled: defaultdict[str, list[int]] = defaultdict(list)
        self._count = 0
        self._spill: PartFile | None = None
        self._writer: pa.RecordBatchFileWriter | None = None

    def add(self, rows: pa.RecordBatch, keys: pa.Array) -> None:
        """Add rows, and their partition keys."""
        self._waiting.append(rows)
        self._keys.append(keys)
        self._bytes += rows.nbytes
        if self._bytes > self._memory:
            self._relieve()

    def _relieve(self) -> None:
        if self._writer is None:
            self._spill = PartFile(self._directory)
            self._writer = pa.ipc.new_file(self._spill, self._schema)
        # Everything is spilled: each small remaining piece would keep a page of memory.
        for key, rows in self._sorted():
            self._writer.write_batch(rows)
            self._spilled[key].append(self._count)
            self._count += 1

    def _sorted(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Return the waiting rows by partition, in order of arrival."""
        rows = pa.Table.from_batches(self._waiting, self._schema).combine_chunks()
        numbered = pa.chunked_array(self._keys, pa.string()).combine_chunks().dictionary_encode()
        self._waiting, self._keys, self._bytes = [], [], 0
        rows = rows.take(pc.sort_indices(numbered.indices))
        at = 0
        for count in sorted(pc.value_counts(numbered.indices).to_pylist(), key=itemgetter("values")):
            for some in rows.slice(at, count["counts"]).to_batches():
                yield numbered.dictionary[count["values"]].as_py(), some
            at += count["counts"]

    def each(self) -> Iterator[tuple[str, Iterator[pa.RecordBatch]]]:
        """Return the rows of each partition, in order of arrival."""
        waiting: defaultdict[str, list[pa.RecordBatch]] = defaultdict(list)
        for key, rows in self._sorted():
            waiting[key].append(rows)
        spill: pa.RecordBatchFileReader = None
        if self._spill is not None and self._writer is not None:
            self._writer.close()
            self._writer = None
            self._spill.flush()
            spill = pa.ipc.open_file(pa.OSFile(str(self._spill.path)))
        for key in sorted(self._spilled.keys() | waiting.keys()):
            yield key, chain((spill.get_batch(number) for number in self._spilled[key]), waiting[key])

    def close(self) -> None:
        """Release them."""
        if self._writer is not None:
            self._writer.close()
        if self._spill is not None:
            self._spill.discard()
