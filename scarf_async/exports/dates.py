"""The range of an export: days, the first one in it, the last one not."""

from __future__ import annotations

import datetime as dt
import re
from typing import TypeAlias

from scarf_async.errors import ValidationError

__all__ = ["Day", "date_range"]

Day: TypeAlias = dt.date | str
"""A day: a `datetime.date`, or `YYYY-MM-DD`."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _day(name: str, value: Day) -> dt.date:
    # A datetime is a date, too, but its day depends on the time zone that somebody had in mind.
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise ValidationError(
        f"{name} must be a datetime.date (no datetime) or a string like '2024-01-31'; got {value!r}", field=name
    )


def date_range(start: Day, end: Day, *, one_day: bool = False) -> tuple[dt.date, dt.date]:
    """Return the range as dates; with `one_day` they may be the same.

    >>> date_range("2024-01-01", "2024-02-01")
    (datetime.date(2024, 1, 1), datetime.date(2024, 2, 1))

    Raises:
        ValidationError: one is no day, or the range is empty.
    """
    first, behind = _day("start", start), _day("end", end)
    if behind < first or (behind == first and not one_day):
        raise ValidationError(
            f"end ({behind}) must be after start ({first}): it is the first day that is not in the export",
            field="end",
        )
    return first, behind
