"""The clock of a client: one object that all its parts share, so that a test can replace it.

Network timeouts do not use it, but the event loop's clock.
"""

from __future__ import annotations

import asyncio
import time

__all__ = ["Clock"]


class Clock:
    """Returns the time, and waits.

    Attributes:
        ahead: seconds by which it was advanced without waiting.
    """

    ahead: float = 0.0

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; they never go back."""
        return time.monotonic() + self.ahead

    async def sleep(self, seconds: float) -> None:
        """Return `seconds` later by `monotonic()`."""
        await asyncio.sleep(seconds)
