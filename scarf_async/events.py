"""What a client tells its `on_event` hook: frozen, without secrets, bodies or headers."""

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
    """Calls the caller's function, whose faults are its own: logged once, and of no effect.

    Args:
        name: what the function was given as, for the log.
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
        except Exception:  # noqa: BLE001 # whatever a hook raises must not end a call
            if not self._failed:
                self._failed = True
                _log.exception("%s raised; further errors of it are not logged", self._name)


@attrs.frozen(kw_only=True)
class ScarfEvent:
    """The base of all events.

    Attributes:
        endpoint: method and path template, such as `GET /organizations/{organization}`.
    """

    endpoint: str


@attrs.frozen(kw_only=True)
class RequestStarted(ScarfEvent):
    """A request is about to be sent; `attempt` counts from 1."""

    attempt: int


@attrs.frozen(kw_only=True)
class RequestFinished(ScarfEvent):
    """An attempt ended: with a `status`, or with None and the name of the `error`.

    One follows every `RequestStarted`, in the same task, also where the call is cancelled or the client closed.

    Attributes:
        attempt: counts from 1; one that was broken off before it was sent is not counted.
        status: the HTTP status.
        error: the name of the error's class, such as `ConnectFailedError` or `CancelledError`.
        elapsed: seconds since it began; the waits for a free connection and for the pace are part of it.
        url: the address as it was sent. The token is not part of it.
    """

    attempt: int
    status: int | None
    error: str | None
    elapsed: float
    url: str = ""


@attrs.frozen(kw_only=True)
class RetryScheduled(ScarfEvent):
    """The request will be tried again `delay` seconds after the `attempt`-th attempt, for the `reason`.

    Attributes:
        attempt: the number of the attempt that failed, from 1.
        delay: seconds.
        reason: what happened, in one of a few phrases.
        attempts: how many there may be, the first included; 0 where something else bounds them, as in a bulk run.
        detail: what happened in full, such as which host refused the connection.
    """

    attempt: int
    delay: float
    reason: str
    attempts: int = 0
    detail: str = ""


@attrs.frozen(kw_only=True)
class Throttled(ScarfEvent):
    """The service asked the client to send nothing for so many `seconds`."""

    seconds: float


@attrs.frozen(kw_only=True)
class StreamFinished(ScarfEvent):
    """An export's stream was closed; `complete` tells whether its end was proven."""

    bytes_received: int
    complete: bool
