"""What a client tells its `on_event` hook: frozen, without secrets, bodies or headers."""

from __future__ import annotations

import attrs

__all__ = [
    "RequestFinished",
    "RequestStarted",
    "RetryScheduled",
    "ScarfEvent",
    "StreamFinished",
    "Throttled",
]


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
    """An attempt ended: with a `status`, or with None and the name of the `error`; `elapsed` in seconds."""

    attempt: int
    status: int | None
    error: str | None
    elapsed: float


@attrs.frozen(kw_only=True)
class RetryScheduled(ScarfEvent):
    """The request will be tried again `delay` seconds after the `attempt`-th attempt, for the `reason`."""

    attempt: int
    delay: float
    reason: str


@attrs.frozen(kw_only=True)
class Throttled(ScarfEvent):
    """The service asked the client to send nothing for so many `seconds`."""

    seconds: float


@attrs.frozen(kw_only=True)
class StreamFinished(ScarfEvent):
    """An export's stream was closed; `complete` tells whether its end was proven."""

    bytes_received: int
    complete: bool
