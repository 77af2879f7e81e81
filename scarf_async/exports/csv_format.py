"""The common parts of all exports in CSV. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scarf_async.exports.csv import CsvSplitter, split_fields, split_records
from scarf_async.exports.lines import LineSplitter, RecordError, shown

__all__ = ["CsvFormat"]


class CsvFormat:
    """The format of CSV; subclasses read its records.

    Attributes:
        names: the columns, once there was a header.
    """

    promised: Final = "CSV"
    headed: Final = True
    names: Sequence[str] = ()

    def splitter(self, max_record_bytes: int, *, keep_ends: bool = False) -> LineSplitter:
        """Return the splitter of the body into records."""
        return CsvSplitter(max_record_bytes, keep_ends=keep_ends)

    def foreign(self, start: bytes) -> str | None:
        """Recognize an HTML page and JSON."""
        return {b"<": "an HTML page", b"{": "a JSON object", b"[": "a JSON array"}.get(start[:1])

    def cut(self, record: bytes) -> str | None:
        """Return why a last record without a line end is incomplete."""
        try:
            fields = split_fields(record.decode("utf-8", "replace"))
        except RecordError as error:
            return str(error)
        return self._misfit(len(fields)) if len(fields) < len(self.names) else None

    def take_header(self, header: bytes, required: Sequence[str], *, typed: bool) -> Sequence[str]:
        """Read the names of the columns.

        Raises:
            RecordError: a required column is missing or repeated; for typed reading, any column is repeated.
        """
        names = split_fields(header.decode("utf-8", "replace"))
        for name in required:
            if name not in names:
                raise RecordError(f"it has no column {name!r}")
        for name in names if typed else required:
            if names.count(name) > 1:
                raise RecordError(f"it has the column {shown(name)} twice")
        self.names = names
        return names

    def rows_of(self, records: list[bytes]) -> Sequence[Sequence[str]]:
        """Return the fields of records.

        Raises:
            RecordError: a record has more or fewer fields than the header.
        """
        rows = split_records(records)
        width = len(self.names)
        if set(map(len, rows)) != {width}:
            raise RecordError(self._misfit(next(len(row) for row in rows if len(row) != width)))
        return rows

    def _misfit(self, fields: int) -> str:
        return f"{fields} fields where the header has {len(self.names)}"
