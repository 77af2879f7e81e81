"""Records as Arrow record batches (extra `arrow`). Imported on first use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from operator import attrgetter
from typing import Final, Generic, TypeVar

import attrs
import msgspec
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types

from scarf_async.errors import ExportError, ScarfError, StreamClosedError
from scarf_async.exports.cursor import Batches, Cursor

__all__ = ["RecordBatches", "schema_of"]

T = TypeVar("T")

# Many at once would keep the event loop waiting.
_CONVERTED_AT_ONCE: Final = 1024
_TYPES: Final = {
    "time": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "total": pa.int64(),
    "unique_total": pa.int64(),
    "origin_latitude": pa.float64(),
    "origin_longitude": pa.float64(),
    "confidence": pa.float64(),
    "dnt": pa.bool_(),
    "mtc_quota_exceeded": pa.bool_(),
}


def schema_of(record: type[attrs.AttrsInstance]) -> pa.Schema:
    """Return the schema of a class of records: its attributes in their order, `extra` as a JSON object's text."""
    return pa.schema(
        [
            pa.field(field.name, _TYPES.get(field.name, pa.string()), nullable=field.default is not attrs.NOTHING)
            for field in attrs.fields(record)
        ]
    )


def _values(name: str, records: Sequence[T]) -> list[object]:
    values = list(map(attrgetter(name), records))
    if name != "extra":
        return values
    return [msgspec.json.encode(extra).decode() if extra else None for extra in values]


class RecordBatches(AsyncIterator[pa.RecordBatch], Generic[T]):
    """Record batches of so many rows, the last one short; a short one also before an error."""

    def __init__(self, cursor: Cursor[T], record: type[attrs.AttrsInstance], size: int) -> None:
        self._source = Batches(cursor, min(size, _CONVERTED_AT_ONCE))
        self._schema = schema_of(record)
        self._size = size
        self._parts: list[pa.RecordBatch] = []
        self._rows = 0
        self._misfit: ExportError | None = None

    def __aiter__(self) -> RecordBatches[T]:
        return self

    async def __anext__(self) -> pa.RecordBatch:
        while self._rows < self._size and self._misfit is None:
            try:
                records = await anext(self._source, None)
            except StreamClosedError:
                raise
            except ScarfError:
                # After the short batch the source raises it again.
                if not self._rows:
                    raise
                break
            if records is None:
                break
            self._add(records)
        if self._rows:
            return self._joined()
        if self._misfit is not None:
            raise self._misfit
        raise StopAsyncIteration

    def _add(self, records: list[T]) -> None:
        arrays: list[pa.Array] = []
        for field in self._schema:
            try:
                arrays.append(pa.array(_values(field.name, records), type=field.type))
            except (pa.ArrowInvalid, OverflowError):
                self._misfit = ExportError(f"a value of {field.name!r} does not fit into an Arrow {field.type}")
                return
        self._parts.append(pa.record_batch(arrays, schema=self._schema))
        self._rows += len(records)

    def _joined(self) -> pa.RecordBatch:
        whole = pa.Table.from_batches(self._parts).combine_chunks().to_batches()[0]
        rest = whole.slice(self._size)
        self._parts = [rest] if rest.num_rows else []
        self._rows = rest.num_rows
        return whole.slice(0, self._size)
