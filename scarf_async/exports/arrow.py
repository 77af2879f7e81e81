"""Records as Arrow record batches (extra `arrow`). Imported on first use."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Final, Generic, TypeVar, get_args, get_type_hints

import attrs
import msgspec
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types

from scarf_async.errors import ExportError, ScarfError
from scarf_async.exports.parsers import Run, TypedParser
from scarf_async.exports.reading import Cursor

__all__ = ["RecordBatches", "TableParser", "arrow_told", "schema_of"]

T = TypeVar("T")

# Many at once would keep the event loop waiting.
_CONVERTED_AT_ONCE: Final = 1024
_TYPES: Final = {
    dt.datetime: pa.timestamp("us", tz="UTC"),
    dt.date: pa.date32(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    tuple[str, ...]: pa.list_(pa.string()),
}


@contextmanager
def arrow_told(description: str) -> Iterator[None]:
    """Tell of what Arrow refuses as this package does.

    Raises:
        ExportError: Arrow cannot hold or write something.
    """
    try:
        yield
    except pa.ArrowException as error:
        problem = str(error)
    else:
        return
    raise ExportError(f"{description}: Arrow cannot go on: {problem}")


def schema_of(record: type[attrs.AttrsInstance]) -> pa.Schema:
    """Return the schema of a class of records: its attributes in their order, `extra` as a JSON object's text."""
    hints = get_type_hints(record)
    return pa.schema(
        [
            pa.field(field.name, _type_of(hints[field.name]), nullable=field.default is not attrs.NOTHING)
            for field in attrs.fields(record)
        ]
    )


def _type_of(hint: object) -> pa.DataType:
    """Return what holds values of a type, with or without None."""
    return next((_TYPES[kind] for kind in (hint, *get_args(hint)) if kind in _TYPES), pa.string())


def _values(name: str, records: Sequence[T]) -> list[object]:
    values = list(map(attrgetter(name), records))
    if name != "extra":
        return values
    return [msgspec.json.encode(extra).decode() if extra else None for extra in values]


class TableParser(Generic[T]):
    """Makes record batches of typed records, of as many rows as come out at once. Pure."""

    def __init__(self, typed: TypedParser[T], record: type[attrs.AttrsInstance]) -> None:
        self._typed = typed
        self._schema = schema_of(record)

    def feed(self, data: bytes) -> Iterator[Run[pa.RecordBatch]]:
        """Take the next bytes of the body. Take all runs before feeding again."""
        return self._converted(self._typed.feed(data))

    def finish(self) -> Iterator[Run[pa.RecordBatch]]:
        """Take the end of the body."""
        return self._converted(self._typed.finish())

    def _converted(self, runs: Iterator[Run[T]]) -> Iterator[Run[pa.RecordBatch]]:
        records: list[T] = []
        for made, error in runs:
            records += made
            if error is not None or len(records) >= _CONVERTED_AT_ONCE:
                yield from self._run(records, error)
                records = []
        yield from self._run(records, None)

    def _run(self, records: list[T], error: ExportError | None) -> Iterator[Run[pa.RecordBatch]]:
        if records:
            yield from self._tables(records)
        if error is not None:
            yield [], error

    def _tables(self, records: list[T]) -> Iterator[Run[pa.RecordBatch]]:
        arrays: list[pa.Array] = []
        for field in self._schema:
            try:
                arrays.append(pa.array(_values(field.name, records), type=field.type))
            except (pa.ArrowException, OverflowError):
                if len(records) == 1:
                    yield [], ExportError(f"a value of {field.name!r} does not fit into an Arrow {field.type}")
                    return
                break
        else:
            yield [pa.record_batch(arrays, schema=self._schema)], None
            return
        # By halves every record before the one that does not fit is found.
        half = len(records) // 2
        yield from self._tables(records[:half])
        yield from self._tables(records[half:])


class RecordBatches(AsyncIterator[pa.RecordBatch]):
    """Record batches of so many rows, the last one short; a short one also before an error."""

    def __init__(self, cursor: Cursor[pa.RecordBatch], size: int) -> None:
        self._cursor = cursor
        self._size = size
        self._parts: list[pa.RecordBatch] = []
        self._rows = 0

    def __aiter__(self) -> RecordBatches:
        return self

    async def __anext__(self) -> pa.RecordBatch:
        self._cursor.check_open()
        while self._rows < self._size:
            try:
                parts = await self._cursor.more()
            except ScarfError:
                self._cursor.check_open()
                # After the short batch the cursor raises it again.
                if not self._rows:
                    raise
                break
            if not parts:
                break
            self._parts += parts
            self._rows += sum(part.num_rows for part in parts)
        if not self._rows:
            raise StopAsyncIteration
        with arrow_told("record_batches()"):
            return self._joined()

    def _joined(self) -> pa.RecordBatch:
        """Take so many rows from the parts; only where they are of several parts, and short, they are copied."""
        taken: list[pa.RecordBatch] = []
        wanted = min(self._size, self._rows)
        self._rows -= wanted
        while wanted:
            part = self._parts.pop(0)
            if part.num_rows > wanted:
                self._parts.insert(0, part.slice(wanted))
                part = part.slice(0, wanted)
            wanted -= part.num_rows
            taken.append(part)
        if len(taken) == 1:
            return taken[0]
        return pa.Table.from_batches(taken).combine_chunks().to_batches()[0]
