"""What time it is for the service: it decides which days have begun and ended, and its clock need not be ours."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping

from scarf_async.protocol import server_date

__all__ = ["ServiceClock"]


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
