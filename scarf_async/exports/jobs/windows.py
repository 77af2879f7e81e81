"""Windows: the ranges of days that a job fetches one by one; and the service's clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import attrs

from scarf_async.entities import Rollup
from scarf_async.protocol.messages import server_date

__all__ = ["ServiceClock", "Window", "cut", "cut_gaps", "gaps", "has_ended", "longest_bucket", "midnight"]

# The service needs a while to process events.
_GRACE: Final = dt.timedelta(hours=1)
_LONGEST_BUCKET: Final = {"daily": 1, "weekly": 7, "monthly": 31, "yearly": 366}


@attrs.frozen(order=True)
class Window:
    """A range of days, from `start` to before `end`."""

    start: dt.date
    end: dt.date

    def __str__(self) -> str:
        return f"{self.start}..{self.end}"

    @property
    def days(self) -> int:
        """The number of its days."""
        return (self.end - self.start).days

    def overlaps(self, other: Window) -> bool:
        """Return whether the two have a day in common."""
        return self.start < other.end and other.start < self.end


def midnight(day: dt.date) -> dt.datetime:
    """Return the moment at which a day begins (UTC)."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def has_ended(window: Window, now: dt.datetime) -> bool:
    """Return whether all events of a window can have been processed by now."""
    return now - midnight(window.end) >= _GRACE


def cut(window: Window, days: int, rollup: Rollup = "daily") -> Iterator[Window]:
    """Cut a window into windows of at most a number of days, from its start, at borders of buckets.

    A longer bucket is a window of its own.

    >>> [str(part) for part in cut(Window(dt.date(2024, 1, 1), dt.date(2024, 1, 8)), 3)]
    ['2024-01-01..2024-01-04', '2024-01-04..2024-01-07', '2024-01-07..2024-01-08']
    >>> [str(part) for part in cut(Window(dt.date(2024, 1, 15), dt.date(2024, 4, 10)), 62, "monthly")]
    ['2024-01-15..2024-03-01', '2024-03-01..2024-04-10']
    """
    if rollup == "total":
        yield window
        return
    start = window.start
    while start < window.end:
        end = _border(start, days, window.end, rollup)
        if end <= start:
            end = _border(_bucket(start, rollup), _LONGEST_BUCKET[rollup], window.end, rollup)
        yield Window(start, end)
        start = end


def _border(start: dt.date, days: int, end: dt.date, rollup: Rollup) -> dt.date:
    """Return the last border of buckets that is not more than so many days away, or the end if that is nearer."""
    # Dates near the maximum must not overflow.
    day = dt.date.fromordinal(min(start.toordinal() + days, end.toordinal()))
    return end if day == end else _bucket(day, rollup)


def _bucket(day: dt.date, rollup: Rollup) -> dt.date:
    """Return the first day of the bucket of a day."""
    match rollup:
        case "weekly":
            return day - dt.timedelta(day.weekday())
        case "monthly":
            return day.replace(day=1)
        case "yearly":
            return day.replace(month=1, day=1)
        case _:
            return day


def longest_bucket(window: Window, rollup: Rollup) -> int:
    """Return the length in days of the longest bucket of a window; its first and last buckets may be cut."""
    if rollup == "daily":
        return 1
    return max(part.days for part in cut(window, 1, rollup))


def gaps(window: Window, done: Iterable[Window]) -> Iterator[Window]:
    """Return the parts of a window that are in none of these."""
    at = window.start
    for other in sorted(done):
        if at < min(other.start, window.end):
            yield Window(at, min(other.start, window.end))
        at = max(at, other.end)
    if at < window.end:
        yield Window(at, window.end)


def cut_gaps(whole: Window, done: Iterable[Window], days: int, rollup: Rollup = "daily") -> Iterator[Window]:
    """Return windows that cover the missing parts of a range; each gap is cut from its own first day."""
    for gap in gaps(whole, done):
        yield from cut(gap, days, rollup)


class ServiceClock:
    """The time of the service, from its last response; before the first, that of this machine.

    Args:
        machine: returns this machine's time (aware).
        earlier: the time of earlier responses, which is a lower bound.
    """

    def __init__(self, machine: Callable[[], dt.datetime], earlier: Iterable[dt.datetime] = ()) -> None:
        self.machine = machine
        self._earlier = tuple(earlier)
        self._heard: dt.datetime | None = None

    def now(self) -> dt.datetime:
        """Return the time, in UTC."""
        return self._heard or max((self.machine(), *self._earlier))

    def hear(self, headers: Mapping[str, str]) -> dt.datetime | None:
        """Record the `Date` of a response and return it; None if there is no valid one."""
        try:
            date = server_date(headers)
            heard = None if date is None else date.astimezone(dt.UTC)
        except OverflowError:
            return None
        self._heard = heard or self._heard
        return heard
