"""Ranges of days in readable forms: the last thirty days, a month, since a day."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Final

import typer

from scarf_async.checks import whole
from scarf_async.errors import ValidationError

__all__ = ["Days", "Month", "Since", "days_before", "read_range", "refuse_future", "today"]

_AGO: Final = re.compile(r"([0-9]{1,7})([dw])")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})")
_WEEK: Final = 7
_DECEMBER: Final = 12

Days = Annotated[int | None, typer.Option(help="Instead of --start: this many days before --end, or before today.")]
Since = Annotated[
    str | None,
    typer.Option(metavar="30d|4w|DAY", help="Instead of --start: this many days or weeks before --end, or a day."),
]
Month = Annotated[
    str | None, typer.Option(metavar="YYYY-MM", help="Instead of --start and --end: this month, such as 2024-01.")
]


def today() -> dt.date:
    """Return the current day in UTC."""
    return dt.datetime.now(dt.UTC).date()


def days_before(end: dt.date | None, days: int) -> dt.date:
    """Return the day a number of days before another, or before today (UTC).

    Raises:
        ValidationError: there is no such day.
    """
    behind = today() if end is None else end
    whole(
        "--days",
        days,
        ValidationError,
        most=behind.toordinal() - 1,
        bounds=f"of at least 1, and not before {dt.date.min}",
    )
    return behind - dt.timedelta(days)


def read_range(
    start: str | None,
    end: str | None,
    *,
    days: int | None = None,
    since: str | None = None,
    month: str | None = None,
) -> tuple[str | None, str | None]:
    """Return the first day and the day after the last, as far as given; `days` is left to the caller.

    >>> read_range(None, None, month="2024-12")
    ('2024-12-01', '2025-01-01')

    Raises:
        ValidationError: the start is given twice, or a value is invalid.
    """
    said = {"--start": start, "--days": days, "--since": since, "--month": month}
    given = [option for option, value in said.items() if value is not None]
    if month is not None and end is not None:
        given.append("--end")
    if len(given) > 1:
        raise ValidationError(f"{' and '.join(given)} cannot be combined: give one of them")
    if month is not None:
        return _read_month(month)
    return (start if since is None else _read_since(since, end)), end


def _read_month(month: str) -> tuple[str, str]:
    match = _MONTH.fullmatch(month)
    if match is None or not 1 <= int(match[2]) <= _DECEMBER or not 1 <= int(match[1]) < dt.MAXYEAR:
        raise ValidationError(f"--month is a year and a month, such as 2024-01; got {month!r}")
    first = dt.date(int(match[1]), int(match[2]), 1)
    behind = dt.date(first.year + first.month // _DECEMBER, first.month % _DECEMBER + 1, 1)
    return str(first), str(behind)


def _read_since(since: str, end: str | None) -> str:
    if match := _AGO.fullmatch(since):
        count = int(match[1]) * (_WEEK if match[2] == "w" else 1)
        behind = today() if end is None or not _DAY.fullmatch(end) else dt.date.fromisoformat(end)
        return str(days_before(behind, count))
    if _DAY.fullmatch(since):
        return since
    raise ValidationError(f"--since is a number of days or weeks, such as 30d or 4w, or a day; got {since!r}")


def refuse_future(start: dt.date | None, end: dt.date | None) -> None:
    """Refuse a range in the future.

    Raises:
        ValidationError: it begins after today.
    """
    if start is not None and start > (now := today()):
        raise ValidationError(f"the range from {start} to {end} is in the future: today is {now} (UTC)")
