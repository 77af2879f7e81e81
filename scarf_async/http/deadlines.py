"""Timeouts of requests in progress, which share one timer of the event loop.

A timer or `asyncio.timeout` for each phase of each request would take a large part of the time of a request.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from types import TracebackType
from typing import Self

import msgspec

__all__ = ["Attempt", "Deadlines", "Phase"]


class Phase(Enum):
    """The phase of a request."""

    WAITING = "waiting"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class Attempt(msgspec.Struct, eq=False):
    """One request in progress, or a wait: its phase and deadline.

    Its `with` block can be ended, and then raises `TimeoutError`.

    Attributes:
        deadline: when to end it, by the event loop's clock; None for no limit.
    """

    deadlines: Deadlines
    connect_timeout: float = 0.0
    timeout: float = 0.0
    phase: Phase = Phase.WAITING
    deadline: float | None = None
    _task: asyncio.Task[object] | None = None
    _cancelling: int = 0
    _ended: bool = False

    def __enter__(self) -> Self:
        self._task = task = asyncio.current_task()
        assert task is not None  # noqa: S101 # it is a coroutine that enters
        self._cancelling = task.cancelling()
        self.deadlines.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.deadlines.discard(self)
        # Like `asyncio.timeout`: if someone else cancels the task too, the cancellation wins.
        if (
            self._ended
            and self._task is not None
            and self._task.uncancel() <= self._cancelling
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from error

    def connecting(self) -> None:
        """Record that it starts to connect."""
        self.phase = Phase.CONNECTING
        self.deadlines.limit(self, self.connect_timeout)

    def connected(self) -> None:
        """Record that it has a connection."""
        # Only the first signal counts: later ones must not restart the timeout.
        if self.phase is not Phase.CONNECTED:
            self.phase = Phase.CONNECTED
            self.deadlines.limit(self, self.timeout)

    def end(self) -> None:
        """End it, unless it is already ending."""
        self.deadline = None
        if not self._ended and self._task is not None:
            self._ended = True
            self._task.cancel()


class Deadlines:
    """Ends attempts that exceed their deadline."""

    def __init__(self) -> None:
        self._under_way: set[Attempt] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, attempt: Attempt) -> None:
        """Start to watch an attempt."""
        self._under_way.add(attempt)

    def discard(self, attempt: Attempt) -> None:
        """Stop watching an attempt that has ended."""
        self._under_way.discard(attempt)

    def limit(self, attempt: Attempt, seconds: float) -> None:
        """Set the deadline of an attempt to a number of seconds from now."""
        loop = asyncio.get_running_loop()
        attempt.deadline = deadline = loop.time() + seconds
        if self._timer is None or deadline < self._timer.when():
            self._look_at(deadline, loop)

    def end_all(self) -> None:
        """End all attempts in progress."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for attempt in self._under_way:
            attempt.end()

    def _look_at(self, moment: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(moment, self._look, moment)

    def _look(self, moment: float) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        # Timers may fire a little early, so deadlines that are almost reached count as reached.
        now = max(moment, loop.time())
        upcoming: float | None = None
        for attempt in self._under_way:
            deadline = attempt.deadline
            if deadline is None:
                continue
            if deadline <= now:
                attempt.end()
            elif upcoming is None or deadline < upcoming:
                upcoming = deadline
        if upcoming is not None:
            self._look_at(upcoming, loop)
