"""Parse CSV with any columns to mappings, since the columns are not documented. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Final

from scarf_async.exports.csv_format import CsvFormat

__all__ = ["RollupReader"]

_DATE: Final = "date"
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class RollupReader(CsvFormat):
    """Reads CSV records as mappings, an empty cell as None.

    Args:
        end: records of this day and later ones are left out, if there is a column `date`; None for no filter.
    """

    record: Final = None

    def __init__(self, end: dt.date | None) -> None:
        self._end = None if end is None else end.isoformat()
        self._date: int | None = None

    def begin(self, header: bytes, *, typed: bool) -> None:
        """Read the header.

        Raises:
            RecordError: for typed reading, a column is repeated.
        """
        names = self.take_header(header, (), typed=typed)
        self._date = names.index(_DATE) if _DATE in names else None

    def decode(self, records: list[bytes]) -> tuple[list[Mapping[str, str | None]], int]:
        """Return records without those at or after the end, and the number of those.

        Raises:
            RecordError: a record cannot be read.
        """
        rows = self.rows_of(records)
        kept = [[cell or None for cell in row] for row in rows if not self._is_late(row)]
        return [dict(zip(self.names, row, strict=True)) for row in kept], len(rows) - len(kept)

    def late(self, records: list[bytes]) -> list[bool]:
        """Return for each record whether its day is the end or later.

        Raises:
            RecordError: a record cannot be read.
        """
        return [self._is_late(row) for row in self.rows_of(records)]

    def _is_late(self, row: Sequence[str]) -> bool:
        if self._end is None or self._date is None:
            return False
        # A date in another form may be of any day.
        day = _DAY.match(row[self._date])
        return day is not None and day.group() >= self._end
