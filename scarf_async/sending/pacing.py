"""The adaptive rate limit of a bulk run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from scarf_async.clock import Clock
from scarf_async.errors import ScarfError

__all__ = ["AdaptivePacer", "StoppedError"]


_NEVER: Final = float("-inf")


_FALL: Final = 0.5
"""The factor by which a round of refusals reduces the rate, unless the service accepted more than that."""
_LEAST_FALL: Final = 0.85
"""The largest such factor."""
_ROUND: Final = 0.1
"""The share of refusals that indicates overload, rather than occasional failures of the service."""
_CLEAN: Final = 100
_SIGNS_OF_OVERLOAD: Final = 4
"""After so many successes in a row, so many refusals are compared only with what was taken since the first one."""
_SIGNS_OF_DOWN: Final = 3
"""The number of consecutive refusals after which the service counts as down."""
_GROWTH: Final = 0.1
_LEAST_GROWTH: Final = 10.0
"""The growth of the rate per second: this share of the rate after its fall, or at least so many requests/s."""
_LONGEST_PLATEAU: Final = 5.0
"""A rate that fell again is kept for as long as its round took before it grows, at most for so many seconds."""
_FIRST_LEAST: Final = 100.0
"""The lowest initial rate: a run that has sent little so far says nothing about the service's limit."""
_LOWEST: Final = 1.0
_CATCHING_UP: Final = 0.01
"""Seconds of slots missed by oversleeping that are made up for: the resolution of timers."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
"""The pause in seconds if the service does not name one; it doubles while nothing succeeds."""
_STEP: Final = 0.2
"""The longest sleep in seconds before checking whether the run was stopped."""


class StoppedError(ScarfError):
    """A request was not sent because its run was stopped."""


class AdaptivePacer:
    """Paces the requests of one run: without limit until the service refuses, then as fast as it accepts them.

    It limits requests per second, not requests in flight: with a fast server, a window of one still allows a
    thousand requests per second. Refusals of requests that started before the last reduction are ignored. When a
    tenth of the others are refused, or a refusal names a wait, the rate is reduced and a new *round* starts. If all
    requests are refused, the service is down: then one request at a time probes it, and the previous rate is kept
    for when it is back.

    Args:
        patience: seconds without any success after which the run stops; also the longest wait that the service may
            ask for.
        clock: the clock to wait by.

    Attributes:
        patience: as given.
        refusals: the number of refusals.
        stopped_by: why the run was stopped; None while it is running.
        resume_after: the seconds that the service asked to wait, if longer than `patience`.
    """

    def __init__(self, patience: float, clock: Clock) -> None:
        self._clock = clock
        self.refusals: int = 0
        self.stopped_by: str | None = None
        self.resume_after: float | None = None
        self.patience = patience
        self._queue = asyncio.Lock()
        self._slot = _NEVER
        self._held_until = _NEVER
        self._fell_to: float | None = None
        self._fell_from: float | None = None
        self._fell_at = 0.0
        self._round = 0
        self._round_began = self._last_success = self._clock.monotonic()
        self._successes = 0
        self._refused_in_round = 0
        self._taken_before_refusals = 0
        self._pause = _FIRST_PAUSE
        self._down = False
        self._probing = False

    @property
    def rate(self) -> float | None:
        """Requests per second; None for no limit."""
        if self._fell_to is None:
            return None
        slope = max(_LEAST_GROWTH, _GROWTH * self._fell_to)
        return self._fell_to + slope * max(0.0, self._clock.monotonic() - self._fell_at)

    def stop(self, reason: str) -> None:
        """Stop the run: only lookups that need no wait may still pass."""
        self.stopped_by = self.stopped_by or reason

    def pass_at_once(self, *, looking: bool) -> int | None:
        """Return the ticket of a request that may pass at once; None if it must wait for its turn.

        Raises:
            StoppedError: the run was stopped.
        """
        if self.stopped_by is not None:
            self._check(looking)
        held = self._held_until != _NEVER and self._held_until > self._clock.monotonic()
        return None if held or self._down or self._fell_to is not None else self._round

    async def turn(self, *, looking: bool) -> int:
        """Wait for the turn of one request; return its ticket, which `refused` takes.

        Raises:
            StoppedError: the run was stopped.
        """
        ticket = self.pass_at_once(looking=looking)
        if ticket is not None:
            return ticket
        async with self._queue:
            waited = False
            while self._probing or (wait := self._next_slot() - self._clock.monotonic()) > 0:
                self._check(looking=False)
                await self._clock.sleep(_STEP if self._probing else min(wait, _STEP))
                waited = True
            self._check(looking)
            # Sleeping overshoots a little: fixed slots keep the rate. A longer stall is not made up for.
            now = self._clock.monotonic()
            self._slot = max(self._next_slot(), now - _CATCHING_UP) if waited else now
            self._probing = self._down
            return self._round

    def _check(self, looking: bool) -> None:
        if self.stopped_by is not None and not looking:
            raise StoppedError(f"not sent: {self.stopped_by}")

    def _next_slot(self) -> float:
        rate = None if self._down else self.rate
        return max(self._slot + 1 / rate if rate else self._slot, self._held_until)

    async def afford(self, take: Callable[[], bool]) -> None:
        """Wait until the retry budget allows one more.

        Raises:
            StoppedError: the run was stopped while waiting.
        """
        while not take():
            self._check(looking=False)
            self._be_patient()
            await self._clock.sleep(_STEP)

    def succeeded(self, *, progress: bool = True) -> None:
        """Record a response that is not a refusal. Only those that advance the run reset the patience."""
        now = self._clock.monotonic()
        self._successes += 1
        self._pause = _FIRST_PAUSE
        self._last_success = now if progress else self._last_success
        self._probing = False
        if self._down:
            self._down = False
            self._fell_at = now
            self._begin_round()

    def undecided(self) -> None:
        """Record that a request ended without a response, or was cancelled."""
        self._probing = False
        self._be_patient()

    def refused(self, ticket: int, asked: float | None) -> None:
        """Record a refusal, and the seconds that the service asked to wait."""
        now = self._clock.monotonic()
        self.refusals += 1
        if asked is not None and asked > self.patience:
            self.resume_after = asked
            self.stop(f"the service asks to wait {asked:g} s, longer than patience={self.patience:g}")
            return
        self._held_until = max(self._held_until, now + (asked or 0.0))
        if ticket == self._round:
            # Requests that passed earlier do not show whether the service is back.
            self._probing = False
            if not self._refused_in_round:
                self._taken_before_refusals = self._successes
            self._refused_in_round += 1
            self._fall_if_need_be(now, told=asked is not None)
        self._be_patient()

    def _fall_if_need_be(self, now: float, *, told: bool) -> None:
        refused, taken = self._refused_in_round, self._successes
        if not taken:
            if refused >= _SIGNS_OF_DOWN or self._down:
                self._go_down(now)
        elif told or self._fell_to is None or self._is_overload():
            # Including pauses: the service can accept more than it did then, but less than a burst that it let
            # through.
            took = max(now - self._round_began, 1e-3)
            rate, goodput = self.rate, taken / took
            limit = max(goodput, _FIRST_LEAST) if rate is None else rate
            self._fell_from = rate
            self._fell_to = max(_LOWEST, min(limit * _LEAST_FALL, max(limit * _FALL, goodput)))
            self._held_until = max(self._held_until, now + self._pause)
            # The longer the service was observed, the surer is the rate that it takes.
            self._fell_at = self._held_until + (0.0 if rate is None else min(took, _LONGEST_PLATEAU))
            self._begin_round()

    def _is_overload(self) -> bool:
        """Return whether the refusals of this round are too many for occasional failures of the service.

        The rate grows: what was taken long before the first refusal says nothing about the rate of now.
        """
        refused, taken = self._refused_in_round, self._successes
        if refused >= _SIGNS_OF_OVERLOAD and self._taken_before_refusals >= _CLEAN:
            taken -= self._taken_before_refusals
        return refused > 1 and refused >= _ROUND * (refused + taken)

    def _go_down(self, now: float) -> None:
        if not self._down:
            # The previous round was the beginning of this outage, and does not show what the service can accept.
            self._down = True
            self._fell_to = self._fell_from
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._held_until = max(self._held_until, now + self._pause)
        self._begin_round()

    def _begin_round(self) -> None:
        self._round += 1
        self._round_began = self._clock.monotonic()
        self._successes = 0
        self._refused_in_round = 0

    def _be_patient(self) -> None:
        if self._clock.monotonic() - self._last_success > self.patience:
            self.stop(f"nothing succeeded for {self.patience:g} s")
