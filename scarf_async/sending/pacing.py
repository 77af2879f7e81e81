"""The pace of a bulk run, as the service takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from scarf_async.clock import Clock
from scarf_async.errors import ScarfError

__all__ = ["AdaptivePacer", "StoppedError"]


_NEVER: Final = float("-inf")


_FALL: Final = 0.5
"""What is left of the pace after a round of refusals, unless the service took more than that."""
_LEAST_FALL: Final = 0.85
"""What is left of it at the most."""
_ROUND: Final = 0.1
"""The share of refusals from which they are a sign of too much, and not of a service that fails now and then."""
_SIGNS_OF_DOWN: Final = 3
"""Refusals without a success between them, from which the service is taken to be down."""
_GROWTH: Final = 0.1
_LEAST_GROWTH: Final = 10.0
"""How much the pace grows in a second: this share of what it fell to, or so many requests a second: additive."""
_FIRST_LEAST: Final = 100.0
"""The least first pace: before it the run may have had little to send, which says nothing of the service."""
_LOWEST: Final = 1.0
_CATCHING_UP: Final = 0.01
"""Seconds of slots missed by oversleeping that are made up for; timers are not finer than that."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
"""Seconds of pause where the service does not say how long; they double while nothing succeeds."""
_STEP: Final = 0.2
"""The longest sleep in seconds, after which is looked whether the run was stopped."""


class StoppedError(ScarfError):
    """A request was not sent, since its run was stopped."""


class AdaptivePacer:
    """Lets the requests of one run pass: without limit until the service refuses, then as fast as it takes them.

    The limit is requests a second and no window of requests in flight: on a near server a window of one is still
    a thousand requests a second. Refusals of requests that were let pass before the pace last fell tell nothing
    new; of the others, as soon as they are a tenth or say how long to wait, the pace falls, and a new *round*
    begins. Where nothing but refusals comes the service is down: then one request at a time asks whether it is
    back, and the pace of before is kept for when it is.

    Args:
        patience: seconds without any success after which the run stops, and the longest wait that the service
            may ask for.
        clock: what it waits by.

    Attributes:
        patience: as given.
        refusals: how many there were.
        stopped_by: why nothing passes any more; None while it does.
        resume_after: how long the service asked to wait, where that is longer than `patience`.
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
        self._pause = _FIRST_PAUSE
        self._down = False
        self._probing = False

    @property
    def rate(self) -> float | None:
        """Requests a second; None for no limit."""
        if self._fell_to is None:
            return None
        slope = max(_LEAST_GROWTH, _GROWTH * self._fell_to)
        return self._fell_to + slope * max(0.0, self._clock.monotonic() - self._fell_at)

    def stop(self, reason: str) -> None:
        """Let nothing pass any more but looks that need not wait."""
        self.stopped_by = self.stopped_by or reason

    def pass_at_once(self, *, looking: bool) -> int | None:
        """Return the ticket of a request that need not wait for its turn; None where it must.

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
            StoppedError: the run was stopped, before or meanwhile.
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
            # Sleeping overshoots a little: keeping to the grid keeps the rate. A stall is not made up for.
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
            StoppedError: the run was stopped meanwhile.
        """
        while not take():
            self._check(looking=False)
            self._be_patient()
            await self._clock.sleep(_STEP)

    def succeeded(self, *, progress: bool = True) -> None:
        """Take note of an answer that is not a refusal; patience lasts for those that bring the run forward."""
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
        """Take note that a request ended without an answer, or was given up."""
        self._probing = False
        self._be_patient()

    def refused(self, ticket: int, asked: float | None) -> None:
        """Take note of a refusal, and of the seconds that the service asked to wait."""
        now = self._clock.monotonic()
        self.refusals += 1
        if asked is not None and asked > self.patience:
            self.resume_after = asked
            self.stop(f"the service asks to wait {asked:g} s, longer than patience={self.patience:g}")
            return
        self._held_until = max(self._held_until, now + (asked or 0.0))
        if ticket == self._round:
            # What was let pass before does not say whether the service is back.
            self._probing = False
            self._refused_in_round += 1
            self._fall_if_need_be(now, told=asked is not None)
        self._be_patient()

    def _fall_if_need_be(self, now: float, *, told: bool) -> None:
        refused, taken = self._refused_in_round, self._successes
        if not taken:
            if refused >= _SIGNS_OF_DOWN or self._down:
                self._go_down(now)
        elif told or self._fell_to is None or (refused > 1 and refused >= _ROUND * (refused + taken)):
            # Pauses included: what the service took is less than what it can take; a burst that it let through
            # is more.
            rate, goodput = self.rate, taken / max(now - self._round_began, 1e-3)
            limit = max(goodput, _FIRST_LEAST) if rate is None else rate
            self._fell_from = rate
            self._fell_to = max(_LOWEST, min(limit * _LEAST_FALL, max(limit * _FALL, goodput)))
            self._held_until = max(self._held_until, now + self._pause)
            self._fell_at = self._held_until
            self._begin_round()

    def _go_down(self, now: float) -> None:
        if not self._down:
            # The round before was the beginning of this, and says nothing of what the service can take.
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
