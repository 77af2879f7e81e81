"""An event loop in which time passes without waiting: what would be waited for has passed at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from scarf_async.clock import Clock

__all__ = ["CLOCK", "run"]

T = TypeVar("T")


class _LoopClock(Clock):
    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


CLOCK: Final = _LoopClock()
"""The loop's time."""


class _Timeless(selectors.DefaultSelector):
    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        self.now += timeout
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._timeless = _Timeless()
        super().__init__(self._timeless)

    def time(self) -> float:
        return self._timeless.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that talks to nobody outside."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
