"""Help for tests: a pytest plugin (`pytest_plugins = ["scarf_async.testing"]`) and a clock that does not wait.

The fixtures need the extra `emulator`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Final

import pytest_asyncio

from scarf_async import clock
from scarf_async.client import Scarf
from scarf_async.emulator import Emulator
from scarf_async.retry import RetryPolicy

__all__ = ["FAST", "no_waiting", "scarf", "scarf_emulator"]

FAST: Final = RetryPolicy(initial_delay=0.01, max_delay=0.05, settle=0.05)
"""A policy for tests: as many attempts as ever, with short waits."""


def no_waiting() -> AbstractContextManager[None]:
    """Let backoff, pace and settling pass without sleeping, as long as the `with` block lasts.

    Time limits on the wire stay real, and so does a late effect of the emulator.
    """
    return clock.without_waiting()


@pytest_asyncio.fixture
async def scarf_emulator() -> AsyncIterator[Emulator]:
    """A fresh emulator of the service, with its database in memory."""
    async with Emulator() as emulator:
        yield emulator


@pytest_asyncio.fixture
async def scarf(scarf_emulator: Emulator) -> AsyncIterator[Scarf]:
    """A client of `scarf_emulator` that retries fast."""
    async with Scarf(
        scarf_emulator.token, base_url=scarf_emulator.url, v2_url=scarf_emulator.v2_url, retry=FAST
    ) as client:
        yield client
