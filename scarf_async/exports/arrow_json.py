"""Convert columns to JSON lines, a column at a time, with hardly a Python object per value. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped] # it ships no types

from scarf_async.exports.arrow import text_of

__all__ = ["json_lines"]

_TEXT: Final = pa.large_string()
_ROWS_AT_ONCE: Final = 8192
# Values of these columns are rarely repeated: deduplication would cost more than it saves.
_MOSTLY_UNIQUE: Final = frozenset({"id", "time"})
# Characters that JSON escapes.
_SPECIAL: Final = r'["\\\x00-\x1f]'
# The place of Arrow's blank between day and time.
_BLANK: Final = len("YYYY-MM-DD")


def json_lines(batch: pa.RecordBatch) -> Iterator[memoryview]:
    """Yield a line for each row, in batches, since lines are longer than columns.

    Each is an object of all columns. Times are in UTC; `extra`, which is JSON already, becomes an object.
    """
    for at in range(0, batch.num_rows, _ROWS_AT_ONCE):
        yield text_of(_lines(batch.slice(at, _ROWS_AT_ONCE)))


def _text(text: str) -> pa.Scalar:
    return pa.scalar(text, _TEXT)


def _lines(batch: pa.RecordBatch) -> pa.Array:
    members = []
    before = "{"
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        members.append(_members(name, f'{before}"{name}":', column))
        before = ","
    return pc.binary_join_element_wise(*members, _text("}\n"), _text(""))


def _members(name: str, before: str, column: pa.Array) -> pa.Array | pa.Scalar:
    """Return the values of a column, each after a prefix."""
    if column.null_count == len(column):
        return _text(before + "null")
    if name in _MOSTLY_UNIQUE or pa.types.is_list(column.type):
        values = column
    else:
        column = column.dictionary_encode(null_encoding="encode")
        values = column.dictionary
    words = values.cast(_TEXT) if name == "extra" else _words(values)
    each = pc.binary_join_element_wise(
        _text(before), words, _text(""), null_handling="replace", null_replacement="null"
    )
    return each if values is column else each.take(column.indices)


def _words(values: pa.Array) -> pa.Array:
    """Return values as JSON."""
    kind = values.type
    if pa.types.is_list(kind):
        return pa.array([msgspec.json.encode(value).decode() for value in values.to_pylist()], _TEXT)
    if pa.types.is_timestamp(kind):
        # For a time with a zone, Arrow needs the machine's time zone database, which may be missing; this is in
        # UTC.
        words = pc.binary_replace_slice(values.cast(pa.timestamp("us")).cast(_TEXT), _BLANK, _BLANK + 1, "T")
        return pc.binary_join_element_wise(_text('"'), words, _text('Z"'), _text(""))
    words = values.cast(_TEXT)
    if pa.types.is_floating(kind):
        # A whole number is still not an integer.
        return pc.replace_substring_regex(words, r"\A(-?\d+)\z", r"\1.0")
    if not (pa.types.is_string(kind) or pa.types.is_date(kind)):
        return words
    quoted = pc.binary_join_element_wise(_text('"'), words, _text('"'), _text(""))
    special = pc.fill_null(pc.match_substring_regex(words, _SPECIAL), pa.scalar(value=False))
    if not special.true_count:
        return quoted
    escaped = [msgspec.json.encode(word).decode() for word in words.filter(special).to_pylist()]
    return pc.replace_with_mask(quoted, special, pa.array(escaped, _TEXT))
