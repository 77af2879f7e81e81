"""Logging of events with the standard library."""

from __future__ import annotations

import logging
from typing import Final

import attrs

from scarf_async.events import (
    RequestFinished,
    RequestStarted,
    RetryScheduled,
    ScarfEvent,
    StreamFinished,
    Throttled,
)

__all__ = ["LoggingHook", "level_of", "message_of"]

_LOGGER: Final = "scarf_async.events"


class LoggingHook:
    """Logs each event as one line, with its fields as attributes of the record.

    `scarf_event` is the class of the event, such as `RequestFinished`. The other attributes are named after its
    fields: `scarf_endpoint`, `scarf_attempt`, `scarf_status`, `scarf_error`, `scarf_elapsed` (seconds),
    `scarf_url`, `scarf_delay`, `scarf_reason`, `scarf_attempts`, `scarf_detail`, `scarf_seconds`,
    `scarf_bytes_received`, `scarf_complete`. A JSON formatter can use them.

    The start of a request is logged at DEBUG. Its end is logged at INFO, or at WARNING if the server or network is
    at fault (no response, 5xx, 429). Retries, pauses, and exports that were not read to a verified end are logged
    at WARNING.

    Args:
        logger: the logger to use; by default `scarf_async.events`.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logging.getLogger(_LOGGER) if logger is None else logger

    def __call__(self, event: ScarfEvent) -> None:
        """Log one event."""
        level = level_of(event)
        if self._logger.isEnabledFor(level):
            fields = {"event": type(event).__name__, **attrs.asdict(event, recurse=False)}
            extra = {f"scarf_{name}": value for name, value in fields.items()}
            self._logger.log(level, "%s", message_of(event), extra=extra)


def level_of(event: ScarfEvent) -> int:
    """Return the log level of an event."""
    match event:
        case RequestStarted():
            return logging.DEBUG
        case RequestFinished(status=None, error="CancelledError" | "ClientClosedError"):
            return logging.INFO
        case RequestFinished(status=status) if status is None or status == 429 or status >= 500:
            return logging.WARNING
        case RetryScheduled() | Throttled() | StreamFinished(complete=False):
            return logging.WARNING
    return logging.INFO


def message_of(event: ScarfEvent) -> str:
    """Return the log message of an event.

    >>> message_of(RetryScheduled(endpoint="GET /packages", attempt=1, delay=0.25, reason="status 503"))
    'GET /packages: retry in 0.25 s, after attempt 1: status 503'
    """
    match event:
        case RequestStarted():
            what = f"attempt {event.attempt} starts"
        case RequestFinished():
            what = f"attempt {event.attempt}: {event.error or event.status} in {event.elapsed * 1000:.0f} ms"
        case RetryScheduled():
            what = f"retry in {event.delay:.2f} s, after attempt {event.attempt}: {event.reason}"
        case Throttled():
            what = f"the service asks for a pause of {event.seconds:g} s"
        case StreamFinished():
            end = "complete" if event.complete else "closed before a verified end"
            what = f"export of {event.bytes_received} bytes {end}"
        case _:
            what = type(event).__name__
    return f"{event.endpoint}: {what}"
