"""Event CSV as Arrow columns without a Python object for each cell: the fast path, used where it is proven correct.

`EventReader` defines the meaning of a record, and reads everything that Arrow might read differently.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from struct import Struct
from typing import Final

import attrs
import msgspec
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped] # it ships no types
import pyarrow.csv as pa_csv  # type: ignore[import-untyped] # it ships no types

from scarf_async.exports.csv import has_lone_cr, last_record, whole_records

__all__ = ["ColumnReader", "Rows", "proven_records"]

_TIME: Final = pa.timestamp("us", tz="UTC")
# Scalars are created here: for each conversion of a Python object, pyarrow may search the disk for pandas.
_FIRST_TIME: Final = pa.scalar(dt.datetime.min.replace(tzinfo=dt.UTC), _TIME)
_LAST_TIME: Final = pa.scalar(dt.datetime.max.replace(tzinfo=dt.UTC), _TIME)
_EMPTY: Final = pa.scalar("", pa.string())
# Of the strings that Arrow accepts as a time with a zone, those at least this long or 20 long have seconds.
_WITH_SECONDS: Final = pa.scalar(23, pa.int32())
_UTC_SECONDS: Final = pa.scalar(20, pa.int32())
# The forms that Arrow does not accept, and their replacements: six digits, no space, a zone.
_CLOCK: Final = r"\A(\d{4}-\d\d-\d\d)(?i:[T ])(\d\d:\d\d:\d\d)(?:(\.\d{1,6})\d{0,6})?[ \t\n\r\f\v]*"
_OTHER_FORMS: Final = (
    (_CLOCK + r"(?i:Z|UTC)?\z", r"\1T\2\3Z"),
    (_CLOCK + r"([+-]\d\d(?::?\d\d)?)\z", r"\1T\2\3\4"),
)
_TRUE: Final = ("true", "True", "TRUE", "t", "T", "1")
_FALSE: Final = ("false", "False", "FALSE", "f", "F", "0")
# The offsets of the only string of an array.
_ENDS: Final = Struct("=qq")
_LINE_END: Final = pa.scalar(ord("\n"), pa.uint8())
_QUOTE: Final = pa.scalar(ord('"'), pa.uint8())
# What is before a regular quote that opens, and behind one that closes: it may also be one of a double quote.
_BESIDE: Final = b',\n\r"'


class _UnprovenError(Exception):
    """Arrow may read this differently from `EventReader`."""


@attrs.frozen(eq=False)
class Rows:
    """Some records as columns.

    Attributes:
        batch: the records that are kept.
        received: the number of all records.
        lines: the number of their lines, including blank ones.
    """

    batch: pa.RecordBatch
    received: int
    lines: int


def _times(words: pa.Array) -> pa.Array:
    try:
        times = _seconds(words)
    except (pa.ArrowInvalid, _UnprovenError):
        for form, usual in _OTHER_FORMS:
            words = pc.replace_substring_regex(words, form, usual)
        times = _seconds(words)
    span = pc.min_max(times)
    if not (pc.greater_equal(span["min"], _FIRST_TIME).as_py() and pc.less_equal(span["max"], _LAST_TIME).as_py()):
        raise _UnprovenError
    return times


def _seconds(words: pa.Array) -> pa.Array:
    """Parse times that have seconds and a zone."""
    lengths = pc.binary_length(words)
    odd = pc.and_(pc.less(lengths, _WITH_SECONDS), pc.not_equal(lengths, _UTC_SECONDS))
    if odd.true_count:
        raise _UnprovenError
    return words.cast(_TIME)


def _numbers(words: pa.Array) -> pa.Array:
    # The other strings that Arrow accepts as numbers are infinities and NaN.
    numbers = words.cast(pa.float64())
    if pc.is_finite(numbers).false_count:
        raise _UnprovenError
    return numbers


_CONVERTERS: Final = {_TIME: _times, pa.float64(): _numbers}


def _check_utf8(text: pa.Buffer) -> None:
    # On the whole buffer this is much faster than cell by cell, and equivalent: separators are ASCII.
    ends = pa.py_buffer(_ENDS.pack(0, text.size))
    pa.Array.from_buffers(pa.large_string(), 1, [None, ends, text]).validate(full=True)


def _array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _bytes_of(data: bytes) -> pa.Array:
    return pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])


def _text_of(array: pa.Array) -> bytes:
    return bytes(array.buffers()[1] or b"")[: len(array)]


def proven_records(data: bytes, limit: int) -> int:
    r"""Return what `whole_records` does of data behind a leading LF, mostly without keeping other threads waiting.

    >>> proven_records(b'\n1,"a\nb"\n2,"c\n', 100), proven_records(b'\n1,"a"b\n', 100)
    (9, 1)
    """
    if not data.endswith(b"\n") or has_lone_cr(data):
        return whole_records(data, 1, limit)
    text = _bytes_of(data)
    quotes = pc.equal(text, _QUOTE)
    if not _are_regular(text, quotes):
        return whole_records(data, 1, limit)
    at, size = 1, len(data)
    while at < size:
        step = quotes.slice(at, min(limit, size - at))
        outside = at + len(step)
        if step.true_count % 2:
            outside = data.rfind(b'"', at, outside)
        end = last_record(data, at, outside)
        if end == at:
            break
        at = end
    return at


def _are_regular(text: pa.Array, quotes: pa.Array) -> bool:
    """Say of lines behind a LF whether every other quote is at a field's start, and the others at its end."""
    inner = quotes.slice(1, len(text) - 2)
    before, behind = (_text_of(text.slice(at, len(inner)).filter(inner)) for at in (0, 2))
    return not (before[::2] + behind[1::2]).strip(_BESIDE)


class ColumnReader:
    """Parses blocks of whole records with one header.

    Attributes:
        growth: the maximum ratio of the size of columns to that of a record, since `extra` repeats names of
            columns.

    Args:
        names: the columns in the CSV's order, each once.
        schema: the schema of the result; other columns go into `extra`.
        end: the first day whose records are left out; None for no filter.
    """

    def __init__(self, names: Sequence[str], schema: pa.Schema, end: dt.date | None) -> None:
        self._schema = schema
        self._end = (
            None if end is None else pa.scalar(dt.datetime(end.year, end.month, end.day, tzinfo=dt.UTC), _TIME)
        )
        self._at = {name: at for at, name in enumerate(names) if name in schema.names and name != "extra"}
        self._unknown = [(name, at) for at, name in enumerate(names) if name not in self._at]
        self.growth: int = len(msgspec.json.encode({name: None for name, _ in self._unknown})) // len(names)
        # A header may contain any names: columns are numbered here.
        self._names = [str(at) for at in range(len(names))]
        self._parsed = pa_csv.ParseOptions(newlines_in_values=True)
        flags = {str(at) for name, at in self._at.items() if schema.field(name).type == pa.bool_()}
        self._converted = pa_csv.ConvertOptions(
            # Of times and numbers, Arrow accepts more forms here than in a cast, and tells less about them.
            column_types={name: pa.bool_() if name in flags else pa.string() for name in self._names},
            null_values=[""],
            true_values=_TRUE,
            false_values=_FALSE,
            strings_can_be_null=True,
            check_utf8=False,
        )

    def read(self, data: bytes) -> Rows | None:
        """Parse whole records in regular quotes, after a leading LF.

        Returns:
            The records; None if only `EventReader` can read them correctly.
        """
        try:
            batch, received = self._read(data)
        except (pa.ArrowException, _UnprovenError):
            return None
        return Rows(batch, received, pc.equal(_bytes_of(data), _LINE_END).true_count - 1)

    def _read(self, data: bytes) -> tuple[pa.RecordBatch, int]:
        buffer = pa.py_buffer(data)
        _check_utf8(buffer)
        # The leading LF is a blank line, which is skipped, and protects a first field from being taken for a BOM.
        table = pa_csv.read_csv(
            buffer,
            # Several blocks are parsed at once: more threads for each would only compete.
            read_options=pa_csv.ReadOptions(column_names=self._names, block_size=len(data) + 1, use_threads=False),
            parse_options=self._parsed,
            convert_options=self._converted,
        )
        columns = [_array(column) for column in table.columns]
        batch = pa.record_batch([self._values(field, columns) for field in self._schema], schema=self._schema)
        if self._end is None:
            return batch, len(batch)
        early = pc.less(batch["time"], self._end)
        return batch.filter(early) if early.false_count else batch, len(batch)

    def _values(self, field: pa.Field, columns: list[pa.Array]) -> pa.Array:
        if field.name == "extra":
            return self._extra(columns)
        at = self._at.get(field.name)
        if at is None:
            return pa.nulls(len(columns[0]), field.type)
        words = columns[at]
        if field.name == "type":
            return pc.fill_null(words, _EMPTY)
        if not field.nullable and words.null_count:
            raise _UnprovenError
        return _CONVERTERS[field.type](words) if field.type in _CONVERTERS else words

    def _extra(self, columns: list[pa.Array]) -> pa.Array:
        if not self._unknown:
            return pa.nulls(len(columns[0]), pa.string())
        names = [name for name, _ in self._unknown]
        rows = zip(*(columns[at].to_pylist() for _, at in self._unknown), strict=True)
        return pa.array(
            [msgspec.json.encode(dict(zip(names, row, strict=True))).decode() for row in rows], pa.string()
        )
