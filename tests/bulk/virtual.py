"""An event loop in which time passes without waiting: what would be waited for has passed at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from scarf_async import clock

__all__ = ["run"]

T = TypeVar("T")


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
    """Run a coroutine that talks to nobody outside; the package's clock is the loop's."""
    with asyncio.Runner(loop_factory=_Loop) as runner, pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "monotonic", runner.get_loop().time)
        return runner.run(main)
