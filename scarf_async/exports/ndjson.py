"""The common parts of NDJSON exports: one JSON object per line. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec.structs import astuple

from scarf_async.entities import JSON
from scarf_async.exports.lines import LineSplitter, RecordError
from scarf_async.protocol.tolerant import loads

__all__ = ["BROKEN", "NdjsonFormat", "columns_of", "converted", "fields_of"]

S = TypeVar("S", bound=msgspec.Struct)

BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""The errors of the fast decoder for a record that the slow path must read."""


def _loads(record: bytes) -> object:
    try:
        return loads(record)
    except RecursionError:
        raise RecordError("its JSON is nested too deeply") from None
    except ValueError as error:
        raise RecordError(f"it is not JSON ({error})") from None


def fields_of(record: bytes) -> dict[str, JSON]:
    """Return the fields of a record.

    Raises:
        RecordError: it is not a JSON object.
    """
    value = _loads(record)
    if not isinstance(value, dict):
        raise RecordError("it is not a JSON object")
    return value


def converted(fields: dict[str, JSON], row: type[S], identifiers: tuple[str, ...]) -> S:
    """Remove the known fields from those of a record, and return them as a row.

    Args:
        fields: the fields of the record; unknown ones stay.
        row: the class of the row.
        identifiers: the fields that may be JSON numbers.

    Raises:
        RecordError: a field has another type.
    """
    known = {name: fields.pop(name) for name in row.__struct_fields__ if name in fields}
    for name in identifiers:
        # bool is a subclass of int.
        if type(value := known.get(name)) is int:
            known[name] = str(value)
    try:
        return msgspec.convert(known, row)
    except msgspec.ValidationError as error:
        raise RecordError(str(error)) from None


def columns_of(rows: Sequence[S], row: type[S]) -> dict[str, Iterable[object]]:
    """Return for each field of a row its values in all rows."""
    empty: dict[str, Iterable[object]] = dict.fromkeys(row.__struct_fields__, ())
    return empty | dict(zip(empty, zip(*map(astuple, rows), strict=True), strict=False))


class NdjsonFormat:
    """The format of NDJSON for a `RecordReader`."""

    promised: Final = "NDJSON"
    headed: Final = False

    def splitter(self, max_record_bytes: int, *, keep_ends: bool = False) -> LineSplitter:
        """Return the splitter of the body into records."""
        return LineSplitter(max_record_bytes, keep_ends=keep_ends)

    def foreign(self, start: bytes) -> str | None:
        """Recognize an HTML page."""
        return "an HTML page" if start.startswith(b"<") else None

    def begin(self, header: bytes, *, typed: bool) -> None:  # NDJSON has no header
        """Do nothing: there is no header."""

    def late(self, records: list[bytes]) -> list[bool]:
        """Return False for each record; readers with days override it."""
        return [False] * len(records)

    def cut(self, record: bytes) -> str | None:
        """Return why a last record without a line end is incomplete."""
        try:
            _loads(record)
        except RecordError as error:
            return str(error)
        return None
