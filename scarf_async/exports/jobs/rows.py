"""Typed records together with the bytes that they were read from. Pure."""

from __future__ import annotations

from typing import Final, Generic, TypeAlias, TypeVar

import attrs

from scarf_async.exports.lines import LineSplitter
from scarf_async.exports.source import RecordReader

__all__ = ["Row", "RowReader"]

T = TypeVar("T")

Row: TypeAlias = "tuple[bytes, T]"


class RowReader(Generic[T]):
    """Reads records as another reader does, and gives each one's own bytes with it.

    Attributes:
        header: the header, once it has come.
    """

    def __init__(self, reader: RecordReader[T]) -> None:
        self._reader = reader
        self.promised: Final = reader.promised
        self.headed: Final = reader.headed
        self.record: Final[type[attrs.AttrsInstance]] = reader.record
        self.header: bytes = b""

    def splitter(self, max_record_bytes: int, *, keep_ends: bool = False) -> LineSplitter:
        """Return what cuts the body into records."""
        return self._reader.splitter(max_record_bytes, keep_ends=keep_ends)

    def foreign(self, start: bytes) -> str | None:
        """Say what the body is, if it cannot be what was promised."""
        return self._reader.foreign(start)

    def begin(self, header: bytes, *, typed: bool) -> None:
        """Take the header."""
        self._reader.begin(header, typed=typed)
        self.header = header

    def late(self, records: list[bytes]) -> list[bool]:
        """Say of each record whether it is at or after the end."""
        return self._reader.late(records)

    def cut(self, record: bytes) -> str | None:
        """Say why a last record without line end is not whole."""
        return self._reader.cut(record)

    def decode(self, records: list[bytes]) -> tuple[list[Row[T]], int]:
        """Return the records, both ways; none is left out."""
        made, dropped = self._reader.decode(records)
        return list(zip(records, made, strict=True)), dropped
