"""The rate limit of a client, from its options and from 429 responses."""

from __future__ import annotations

import asyncio
from typing import Final

from scarf_async.clock import Clock

__all__ = ["Pacer"]

_NEVER: Final = float("-inf")


class Pacer:
    """Lets requests pass in order, first come, first served.

    Args:
        rate: requests per second; None for no limit.
        clock: the clock to wait by.
    """

    def __init__(self, rate: float | None, clock: Clock) -> None:
        self._clock = clock
        self._interval = 0.0 if rate is None else 1.0 / rate
        self._slot = _NEVER
        self._held_until = _NEVER
        self._queue = asyncio.Lock()

    def hold(self, seconds: float) -> None:
        """Hold all requests for a number of seconds; an earlier, longer hold is kept."""
        self._held_until = max(self._held_until, self._clock.monotonic() + seconds)

    @property
    def held_for(self) -> float:
        """Seconds until the hold ends; 0.0 without one."""
        return max(0.0, self._held_until - self._clock.monotonic())

    @property
    def free(self) -> bool:
        """Whether a request may pass without waiting for its turn."""
        return not self._interval and (self._held_until == _NEVER or not self.held_for)

    async def turn(self) -> None:
        """Wait for the turn of one request."""
        if not self._interval:
            while held := self.held_for:
                await self._clock.sleep(held)
            return
        async with self._queue:
            waited = False
            while (wait := self._next_slot() - (now := self._clock.monotonic())) > 0:
                await self._clock.sleep(wait)
                waited = True
            # Sleeping overshoots a little: fixed slots keep the rate. A longer stall is not made up for.
            self._slot = now + wait if waited and -wait < self._interval else now

    def _next_slot(self) -> float:
        return max(self._slot + self._interval, self._held_until)
