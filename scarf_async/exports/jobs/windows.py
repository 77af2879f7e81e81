"""Windows: the stretches of days in which a range is fetched; and what time it is for the service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import attrs

from scarf_async.protocol.messages import server_date

__all__ = ["ServiceClock", "Window", "cut", "cut_gaps", "gaps", "has_ended", "midnight"]

# The service takes a while to take in what has happened.
_GRACE: Final = dt.timedelta(hours=1)


@attrs.frozen(order=True)
class Window:
    """Some days: the first one in it, the last one not."""

    start: dt.date
    end: dt.date

    def __str__(self) -> str:
        return f"{self.start}..{self.end}"

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days

    def overlaps(self, other: Window) -> bool:
        """Whether the two have a day in common."""
        return self.start < other.end and other.start < self.end


def midnight(day: dt.date) -> dt.datetime:
    """Return the moment at which a day begins (UTC)."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def has_ended(window: Window, now: dt.datetime) -> bool:
    """Whether all of a window can have come in by now."""
    return now - midnight(window.end) >= _GRACE


def cut(window: Window, days: int) -> Iterator[Window]:
    """Cut a window into ones of so many days, from its start on, the last one perhaps shorter.

    >>> [str(part) for part in cut(Window(dt.date(2024, 1, 1), dt.date(2024, 1, 8)), 3)]
    ['2024-01-01..2024-01-04', '2024-01-04..2024-01-07', '2024-01-07..2024-01-08']
    """
    for first in range(0, window.days, days):
        # The last day that a date can have is no reason to fail.
        last = min(first + days, window.days)
        yield Window(window.start + dt.timedelta(first), window.start + dt.timedelta(last))


def gaps(window: Window, done: Iterable[Window]) -> Iterator[Window]:
    """Return what of a window lies in none of these."""
    at = window.start
    for other in sorted(done):
        if at < min(other.start, window.end):
            yield Window(at, min(other.start, window.end))
        at = max(at, other.end)
    if at < window.end:
        yield Window(at, window.end)


def cut_gaps(whole: Window, done: Iterable[Window], days: int) -> Iterator[Window]:
    """Return windows that cover what of a range is not done, each gap cut from its own first day on."""
    for gap in gaps(whole, done):
        yield from cut(gap, days)


class ServiceClock:
    """The time as the service's last answer said it; before the first one that says it, by the machine's clock.

    Args:
        machine: tells the machine's time (aware).
        earlier: what earlier answers have said: before that it cannot be.
    """

    def __init__(self, machine: Callable[[], dt.datetime], earlier: Iterable[dt.datetime] = ()) -> None:
        self.machine = machine
        self._earlier = tuple(earlier)
        self._heard: dt.datetime | None = None

    def now(self) -> dt.datetime:
        """Return the time, in UTC."""
        return self._heard or max((self.machine(), *self._earlier))

    def hear(self, headers: Mapping[str, str]) -> dt.datetime | None:
        """Take an answer's `Date`, and return it; None where there is none that can be read."""
        try:
            date = server_date(headers)
            heard = None if date is None else date.astimezone(dt.UTC)
        except OverflowError:
            return None
        self._heard = heard or self._heard
        return heard
