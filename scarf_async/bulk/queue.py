"""The units that are ready, handed out in order."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Queue"]


class Queue:
    """Holds what is ready; workers wait for the next."""

    def __init__(self) -> None:
        self._ready: deque[int] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def put(self, unit: int) -> None:
        """Add a unit, and wake one worker; nothing once it is closed."""
        if self._closed:
            return
        self._ready.append(unit)
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def close(self) -> None:
        """Give nothing more out; workers that wait get None."""
        self._closed = True
        self._ready.clear()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

    async def get(self) -> int | None:
        """Return the next unit, or None when there will be none."""
        while not self._ready:
            if self._closed:
                return None
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        return self._ready.popleft()
