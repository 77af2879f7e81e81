"""Lines on standard error about waits: each retry, and with `-v` each request."""

from __future__ import annotations

import time
from typing import Final

from scarf_async.cli.output import say
from scarf_async.events import RetryScheduled, ScarfEvent
from scarf_async.observe.logs import message_of

__all__ = ["Teller", "retry_line"]

_QUIET_SECONDS: Final = 1.0


class Teller:
    """A hook for events that prints them on standard error.

    Concurrent requests that fail in the same way at the same time share one line.

    Args:
        verbose: whether to print every request, not only retries.
    """

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._told: dict[tuple[str, int], float] = {}

    def __call__(self, event: ScarfEvent) -> None:
        """Print an event."""
        if isinstance(event, RetryScheduled):
            now = time.monotonic()
            # A bulk run does not count attempts.
            key = (event.detail, event.attempt if event.attempts else 0)
            if self._verbose or now - self._told.get(key, -_QUIET_SECONDS) >= _QUIET_SECONDS:
                self._told[key] = now
                say(retry_line(event))
        elif self._verbose:
            say(message_of(event))


def retry_line(event: RetryScheduled) -> str:
    """Return the line for a retry.

    >>> retry_line(RetryScheduled(
    ...     endpoint="GET /packages", attempt=3, attempts=8, delay=4.2, reason="no answer",
    ...     detail="no connection to 127.0.0.1:8080: connection refused",
    ... ))
    'no connection to 127.0.0.1:8080; retry 3 of 7 in 4 s'
    """
    # The whole reason is in the error that ends the command.
    what = (event.detail or event.reason).partition(": ")[0]
    if not event.attempts:
        return f"{what}; trying again"
    seconds = f"{event.delay:.0f}" if event.delay >= 1 else f"{event.delay:.1f}"
    return f"{what}; retry {event.attempt} of {event.attempts - 1} in {seconds} s"
