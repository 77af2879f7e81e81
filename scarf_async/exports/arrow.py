"""Records as Arrow record batches (extra `arrow`). Imported on first use."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar, get_args, get_type_hints

import attrs
import msgspec
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped] # it ships no types

from scarf_async.errors import ExportError, ScarfError
from scarf_async.exports.formats import unknown_columns
from scarf_async.exports.lines import RecordError
from scarf_async.exports.parsers import Parser, Run
from scarf_async.exports.reading import Cursor
from scarf_async.exports.spec import Counters, RecordReader

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped] # it ships no types

__all__ = [
    "MOST",
    "Part",
    "PartParser",
    "RecordBatches",
    "Sent",
    "SentRecords",
    "arrow_told",
    "frame_of",
    "schema_of",
    "text_of",
    "with_end",
]

T = TypeVar("T")

# Larger batches would block the event loop.
_CONVERTED_AT_ONCE: Final = 1024
# Bytes: `extra` repeats names of columns for each record.
_HEADERS_AT_ONCE: Final = 2**22
# Rows of a batch where no size is asked for.
_LEAST: Final = 4096
MOST: Final = 65_536
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
    """Convert errors of Arrow to those of this package.

    Raises:
        ExportError: Arrow cannot represent or write a value.
    """
    try:
        yield
    except pa.ArrowException as error:
        problem = str(error)
    else:
        return
    raise ExportError(f"{description}: Arrow failed: {problem}")


def schema_of(record: type[attrs.AttrsInstance]) -> pa.Schema:
    """Return the schema of a class of records: its attributes in their order, `extra` as a JSON object's text."""
    return _schema_of(record)


@cache
def _schema_of(record: type[attrs.AttrsInstance]) -> pa.Schema:
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


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return a table of records as a DataFrame, whose types do not depend on missing values."""
    import pandas as pd  # noqa: PLC0415 # large, and in no extra

    types = {pa.bool_(): pd.BooleanDtype(), pa.int64(): pd.Int64Dtype()}
    text = pd.Series(["text"]).dtype
    if isinstance(text, pd.StringDtype):
        # An older pyarrow does not know the default string type of newer pandas.
        types[pa.string()] = text
    return table.to_pandas(types_mapper=types.get)


class Sent(Protocol):
    """Records as they were received."""

    def line(self, row: int) -> int:
        """Return the number of a record's first line."""

    def lines(self, rows: pa.Array | None) -> bytes | memoryview:
        """Return these records, or all, each with a line end and nothing between them."""


def with_end(record: bytes) -> bytes:
    """Return a record with a line end: after a CR, a lone LF would form one line end with it."""
    return record + (b"\r\n" if record.endswith(b"\r") else b"\n")


@attrs.frozen(eq=False)
class SentRecords:
    """Records that were already split, with the numbers of their first lines."""

    records: Sequence[bytes]
    numbers: Sequence[int]

    def line(self, row: int) -> int:  # noqa: D102 # as `Sent` says
        return self.numbers[row]

    def lines(self, rows: pa.Array | None) -> bytes:  # noqa: D102 # as `Sent` says
        records = self.records if rows is None else [self.records[row] for row in rows.to_pylist()]
        return b"".join(map(with_end, records))


@attrs.frozen(eq=False)
class Part:
    """Some records in the order of arrival: as columns, and as they were sent.

    Attributes:
        batch: the columns.
        sent: the records that they were read from.
        rows: which of those are in `batch`; None for all.
    """

    batch: pa.RecordBatch
    sent: Sent
    rows: pa.Array | None = None

    @property
    def nbytes(self) -> int:
        """The approximate size in bytes: the raw records are about as long as the columns."""
        size: int = self.batch.nbytes
        return 2 * size

    def where(self, mask: pa.Array) -> Part:
        """Return the rows that a mask selects."""
        if not mask.false_count:
            return self
        rows = pc.indices_nonzero(mask)
        return Part(self.batch.filter(mask), self.sent, rows if self.rows is None else self.rows.take(rows))

    def line(self, row: int) -> int:
        """Return the number of the first line of a row."""
        return self.sent.line(row if self.rows is None else self.rows[row].as_py())

    def record(self, row: int) -> bytes:
        """Return a row as it was sent, without its line end."""
        sent = pa.array([row], pa.uint64()) if self.rows is None else self.rows.slice(row, 1)
        return bytes(self.sent.lines(sent))[:-1]

    def lines(self) -> bytes | memoryview:
        """Return the records as they were sent, each with a line end and nothing between them."""
        return self.sent.lines(self.rows)


def text_of(texts: pa.Array) -> memoryview:
    """Return large strings or bytes concatenated, as they are in memory."""
    _, offsets, data = texts.buffers()
    ends = memoryview(offsets).cast("q")
    return memoryview(data or b"")[ends[texts.offset] : ends[texts.offset + len(texts)]]


def _values(name: str, records: Sequence[T]) -> list[object]:
    values = list(map(attrgetter(name), records))
    if name != "extra":
        return values
    return [msgspec.json.encode(extra).decode() if extra else None for extra in values]


class PartParser(Parser[Part], Generic[T]):
    """Converts typed records to columns, as many as are available at once.

    Attributes:
        record: the class of the records.
        header: the header, once it has arrived.

    Raises:
        ValidationError: the columns of the records are not known in advance.
    """

    def __init__(self, reader: RecordReader[T], counters: Counters, max_record_bytes: int) -> None:
        super().__init__(reader, counters, max_record_bytes, typed=True)
        if reader.record is None:
            raise unknown_columns()
        self.record: type[attrs.AttrsInstance] = reader.record
        self._reader = reader
        self._schema = schema_of(reader.record)
        self.header: bytes = b""

    def _head(self, lines: list[bytes]) -> list[Part]:
        self.header = lines[-1]
        return []

    def _take(self, records: list[bytes], numbers: Sequence[int]) -> Iterator[Run[Part]]:
        most = max(1, min(_CONVERTED_AT_ONCE, _HEADERS_AT_ONCE // max(1, len(self.header))))
        for at in range(0, len(records), most):
            some = slice(at, at + most)
            yield from self._convert(records[some], numbers[some])

    def _convert(self, records: list[bytes], numbers: Sequence[int]) -> Iterator[Run[Part]]:
        reason = ""
        try:
            made, dropped = self._reader.decode(records)
        except RecordError as error:
            reason = str(error)
        else:
            batch, misfit = self._batch(made)
        if not reason and batch is not None:
            self._counters.records_received += len(records)
            self._counters.records_dropped += dropped
            yield [Part(batch, SentRecords(records, numbers))] if made else [], None
        elif len(records) == 1:
            self._counters.records_received += 1
            yield [], self._counters.malformed(numbers[0], reason, records[0]) if reason else ExportError(misfit)
        else:
            # Many are read at once; bisection finds the bad ones without reading all one by one.
            half = len(records) // 2
            yield from self._convert(records[:half], numbers[:half])
            yield from self._convert(records[half:], numbers[half:])

    def _batch(self, records: Sequence[T]) -> tuple[pa.RecordBatch | None, str]:
        """Return columns; or None and why the records do not fit."""
        arrays: list[pa.Array] = []
        for field in self._schema:
            try:
                arrays.append(pa.array(_values(field.name, records), type=field.type))
            except (pa.ArrowException, OverflowError):
                return None, f"a value of {field.name!r} does not fit into an Arrow {field.type}"
        return pa.record_batch(arrays, schema=self._schema), ""


def _concatenated(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Join record batches, which are taken from the list: each column is released once it is copied."""
    schema = batches[0].schema
    columns = [batch.columns[::-1] for batch in batches]
    batches.clear()
    return pa.record_batch([pa.concat_arrays([column.pop() for column in columns]) for _ in schema], schema=schema)


class RecordBatches(AsyncIterator[pa.RecordBatch]):
    """Record batches of a given size; the last one, and one before an error, may be shorter.

    Without a size, blocks are returned as they arrive; only short ones are joined, since that copies them.
    """

    def __init__(self, cursor: Cursor[Part], size: int | None) -> None:
        self._cursor = cursor
        self._least, self._most = (_LEAST, MOST) if size is None else (size, size)
        self._parts: list[pa.RecordBatch] = []
        self._rows = 0

    def __aiter__(self) -> RecordBatches:
        return self

    async def __anext__(self) -> pa.RecordBatch:
        self._cursor.check_open()
        while self._rows < self._least:
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
            self._parts += [part.batch for part in parts]
            self._rows += sum(part.batch.num_rows for part in parts)
        if not self._rows:
            raise StopAsyncIteration
        with arrow_told("record_batches()"):
            return self._joined()

    def _joined(self) -> pa.RecordBatch:
        """Take a number of rows from the parts; they are copied only if they are in several short parts."""
        taken: list[pa.RecordBatch] = []
        wanted = min(self._most, self._rows)
        self._rows -= wanted
        while wanted:
            part = self._parts.pop(0)
            if part.num_rows > wanted:
                self._parts.insert(0, part.slice(wanted))
                part = part.slice(0, wanted)
            wanted -= part.num_rows
            taken.append(part)
        return taken[0] if len(taken) == 1 else _concatenated(taken)
