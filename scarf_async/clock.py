"""The clock by which a client waits: one value that all its parts are given, so that a test can give another.

Time limits on the wire are not measured by it: those are the event loop's.
"""

from __future__ import annotations

import asyncio
import time

import attrs

__all__ = ["Clock"]


@attrs.define(eq=False)
class Clock:
    """Tells time, and waits.

    Attributes:
        ahead: seconds that passed without being waited for.
    """

    ahead: float = 0.0

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary start."""
        return time.monotonic() + self.ahead

    async def sleep(self, seconds: float) -> None:
        """Return `seconds` later by `monotonic()`."""
        await asyncio.sleep(seconds)
