"""The one clock by which the package waits, so that tests can let time pass without waiting.

Time limits on the wire are not measured by it: those are the event loop's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

__all__ = ["monotonic", "sleep", "without_waiting"]


@attrs.define
class _Clock:
    ahead: float = 0.0
    waits: bool = True


_clock = _Clock()


def monotonic() -> float:
    """Return seconds that never go back, from an arbitrary start."""
    return time.monotonic() + _clock.ahead


async def sleep(seconds: float) -> None:
    """Return `seconds` later by `monotonic()`."""
    if _clock.waits:
        await asyncio.sleep(seconds)
        return
    until = monotonic() + seconds
    await asyncio.sleep(0)
    # Sleepers side by side pass the same time: the clock goes forward to the latest, not by their sum.
    _clock.ahead += max(0.0, until - monotonic())


@contextmanager
def without_waiting() -> Iterator[None]:
    """Let every `sleep` return at once, the clock going forward by what it should have taken."""
    before = _clock.waits
    _clock.waits = False
    try:
        yield
    finally:
        _clock.waits = before
