"""Prepare events for a database: replace what it would refuse, and write the text of PostgreSQL's COPY. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import attrs
import msgspec
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped] # it ships no types

from scarf_async.errors import MalformedRecordError
from scarf_async.exports.jobs.output import Refuse

__all__ = ["Batches", "Tally", "checked", "refused", "sent"]

Batches: TypeAlias = Callable[[], Iterable[pa.RecordBatch]]
"""Returns the rows of a window, in order; it may be called again after a lost connection."""

_NUL: Final = "\0"
_REPLACEMENT: Final = "\ufffd"
# Characters that would end a value in PostgreSQL's text format.
_ESCAPED: Final = (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
_NULL: Final = pa.scalar("\\N", pa.large_string())
_TAB: Final = pa.scalar("\t", pa.large_string())
_LINE_END: Final = pa.scalar("\n", pa.large_string())
_EMPTY: Final = pa.scalar("", pa.large_string())
# JSON escapes of characters that PostgreSQL cannot store in text.
_NO_TEXT: Final = r"\\u(?:0000|[dD][89a-fA-F])"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@attrs.define
class Tally:
    """Counts and the digest of the rows so far.

    Attributes:
        rows: the number of rows.
        unidentified: the number of rows without an id.
        replaced: the number of U+0000 characters that were replaced.
        changed_ids: whether some of those were in ids, so that two ids may have become equal.
    """

    rows: int = 0
    unidentified: int = 0
    replaced: int = 0
    changed_ids: bool = False
    _digest: hashlib._Hash = attrs.field(init=False, factory=hashlib.sha256)

    @property
    def digest(self) -> str:
        """The digest of all rows, in hexadecimal, independent of the batches."""
        return self._digest.hexdigest()

    def clean(self, batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
        """Return these columns of some rows, prepared for the database, and count them."""
        columns = {name: self._clean(name, batch.column(name)) for name in names}
        # Many rows may have no id, and a unique index accepts an empty one only once.
        columns["id"] = pc.if_else(pc.equal(columns["id"], ""), None, columns["id"])
        self.rows += batch.num_rows
        self.unidentified += columns["id"].null_count
        return pa.record_batch(columns)

    def text(self, batch: pa.RecordBatch) -> memoryview:
        """Return clean rows as COPY text, and add it to the digest."""
        text = sent(batch)
        self._digest.update(text)
        return text

    def _clean(self, name: str, column: pa.Array) -> pa.Array:
        if not _is_text(column):
            return column
        if name == "extra":
            return self._clean_json(column)
        if not _holds(column, _NUL):
            return column
        found = pc.sum(pc.count_substring(column, _NUL)).as_py() or 0
        self.replaced += found
        self.changed_ids = self.changed_ids or (name == "id" and found > 0)
        return pc.replace_substring(column, _NUL, _REPLACEMENT)

    def _clean_json(self, column: pa.Array) -> pa.Array:
        if not _holds(column, "\\u"):
            return column
        odd = pc.fill_null(pc.match_substring_regex(column, _NO_TEXT), fill_value=False)
        values = zip(column.to_pylist(), odd.to_pylist(), strict=True)
        return pa.array([self._clean_object(text) if found else text for text, found in values], column.type)

    def _clean_object(self, text: str) -> str:
        cleaned = {self._clean_value(name): self._clean_value(value) for name, value in json.loads(text).items()}
        return msgspec.json.encode(cleaned).decode()

    def _clean_value(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        self.replaced += value.count(_NUL)
        return _SURROGATE.sub(_REPLACEMENT, value.replace(_NUL, _REPLACEMENT))


def _is_text(column: pa.Array) -> bool:
    return bool(pa.types.is_string(column.type)) or bool(pa.types.is_large_string(column.type))


def _holds(column: pa.Array, text: str) -> bool:
    """Return whether a text is in the buffer of a column; matches beside its values count too."""
    data = column.buffers()[2]
    return data is not None and memoryview(data).obj is not None and text.encode() in bytes(data)


def sent(batch: pa.RecordBatch) -> memoryview:
    r"""Return clean rows as COPY text.

    >>> bytes(sent(pa.record_batch({"a": ["x\ty", None], "b": [1.5, 2.0]})))
    b'x\\ty\t1.5\n\\N\t2\n'
    """
    *columns, last = [pc.fill_null(_as_text(column), _NULL) for column in batch.columns]
    last = pc.binary_join_element_wise(last, _EMPTY, _LINE_END)
    lines = pc.binary_join_element_wise(*columns, last, _TAB)
    _, offsets, data = lines.buffers()
    if data is None:
        return memoryview(b"")
    at = memoryview(offsets).cast("q")
    return memoryview(data)[at[lines.offset] : at[lines.offset + len(lines)]]


def _as_text(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        # It is in UTC: for a time with a zone, Arrow needs the machine's time zone database, which may be missing.
        column = column.cast(pa.timestamp("us"))
    if not _is_text(column):
        return column.cast(pa.large_string())
    for character, escape in _ESCAPED:
        if _holds(column, character):
            column = pc.replace_substring(column, character, escape)
    return column.cast(pa.large_string())


def refused(batch: pa.RecordBatch, *, longest: int | None, required: bool) -> tuple[int, str] | None:
    """Return the first row whose id a table cannot store, and why.

    Args:
        batch: the rows, clean or not.
        longest: the maximum size of an id in bytes; None for no limit.
        required: whether an id is required.
    """
    ids = batch.column("id")
    if required and (row := pc.index(pc.fill_null(pc.equal(ids, ""), fill_value=True), value=True).as_py()) >= 0:
        return row, "has no id"
    if longest is not None:
        # U+0000 is one byte, and its replacement three.
        more = pc.multiply(pc.count_substring(ids, _NUL), len(_REPLACEMENT.encode()) - 1)
        long = pc.greater(pc.add(pc.binary_length(ids), more), longest)
        if (row := pc.index(long, value=True).as_py()) >= 0:
            return row, f"has an id of more than {longest} bytes, which no index takes"
    return None


def checked(batches: Iterable[pa.RecordBatch], refuse: Refuse, description: str) -> Iterator[pa.RecordBatch]:
    """Yield rows until one cannot be stored.

    Raises:
        MalformedRecordError: names that row by its number.
    """
    before = 0
    for batch in batches:
        if (found := refuse(batch)) is not None:
            row, reason = found
            number = before + row + 1
            raise MalformedRecordError(
                f"{description}: record {number} {reason}", line_number=number, reason=reason
            )
        before += batch.num_rows
        yield batch
