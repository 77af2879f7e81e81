"""The events that a client passes to its `on_event` hook: frozen, without secrets, bodies or headers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

__all__ = [
    "Hook",
    "RequestFinished",
    "RequestStarted",
    "RetryScheduled",
    "ScarfEvent",
    "StreamFinished",
    "Throttled",
]


_log = logging.getLogger("scarf_async")

T = TypeVar("T")


class Hook(Generic[T]):
    """Calls a user's function. An exception from it is logged once and otherwise ignored.

    Args:
        name: the name of the argument that the function was passed as, for the log.
        function: the function, or None.

    Attributes:
        wanted: whether there is a function.
    """

    def __init__(self, name: str, function: Callable[[T], object] | None) -> None:
        self._name = name
        self._function = function
        self._failed = False
        self.wanted: bool = function is not None

    def tell(self, value: T) -> None:
        """Call the function."""
        if self._function is None:
            return
        try:
            self._function(value)
        except Exception:  # noqa: BLE001 # an exception of a hook must not end a call
            if not self._failed:
                self._failed = True
                _log.exception("%s raised; its further errors are not logged", self._name)


@attrs.frozen(kw_only=True)
class ScarfEvent:
    """The base class of all events.

    Attributes:
        endpoint: method and path template, such as `GET /organizations/{organization}`.
    """

    endpoint: str


@attrs.frozen(kw_only=True)
class RequestStarted(ScarfEvent):
    """A request is about to be sent. `attempt` counts from 1."""

    attempt: int


@attrs.frozen(kw_only=True)
class RequestFinished(ScarfEvent):
    """An attempt ended, with a `status` or an `error`.

    Every `RequestStarted` is followed by one, in the same task, even if the call is cancelled or the client closed.

    Attributes:
        attempt: counts from 1; an attempt that was cancelled before it was sent does not count.
        status: the HTTP status code; None if no response arrived.
        error: the class name of the error, such as `ConnectFailedError` or `CancelledError`; else None.
        elapsed: seconds since the attempt started, including waits for a connection and the rate limit.
        url: the URL of the request. It does not contain the token.
    """

    attempt: int
    status: int | None
    error: str | None
    elapsed: float
    url: str = ""


@attrs.frozen(kw_only=True)
class RetryScheduled(ScarfEvent):
    """The request will be retried after `delay` seconds.

    Attributes:
        attempt: the number of the attempt that failed, from 1.
        delay: the delay in seconds.
        reason: why it failed, as one of a few fixed phrases.
        attempts: the maximum number of attempts, including the first; 0 if something else limits them, as in a
            bulk run.
        detail: the full reason, such as the host that refused the connection.
    """

    attempt: int
    delay: float
    reason: str
    attempts: int = 0
    detail: str = ""


@attrs.frozen(kw_only=True)
class Throttled(ScarfEvent):
    """The service asked the client to pause for a number of `seconds`."""

    seconds: float


@attrs.frozen(kw_only=True)
class StreamFinished(ScarfEvent):
    """The stream of an export was closed. `complete` tells whether it was verified as complete."""

    bytes_received: int
    complete: bool
