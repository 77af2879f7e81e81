"""What does one call cost where nothing else goes on, in time and in memory, against bare aiohttp?"""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Final

import aiohttp

from benchmarks.results import Result, single, versus
from benchmarks.rounds import in_turn
from benchmarks.server import PACKAGE, Behaviour, serving
from scarf_async import Scarf

__all__ = ["run"]

_CALLS: Final = 500
_TRACED: Final = 50
_ROUNDS: Final = 9

_Measure = Callable[[Callable[[], Awaitable[object]]], Awaitable[float]]


async def _microseconds(call: Callable[[], Awaitable[object]]) -> float:
    """Return the microseconds of processor time of a call, one after another."""
    began = time.process_time()
    for _ in range(_CALLS):
        await call()
    return (time.process_time() - began) * 1e6 / _CALLS


async def _kilobytes(call: Callable[[], Awaitable[object]]) -> float:
    """Return how much memory a call has at most, in kB; what it gave is let go."""
    peaks = []
    tracemalloc.start()
    try:
        for _ in range(_TRACED):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            await call()
            peaks.append((tracemalloc.get_traced_memory()[1] - before) / 1024)
    finally:
        tracemalloc.stop()
    return median(peaks)


async def _ours(url: str, measure: _Measure) -> float:
    async def call() -> None:
        await scarf.packages.get(PACKAGE)

    async with Scarf("token", base_url=url) as scarf:
        await call()
        return await measure(call)


async def _bare(url: str, measure: _Measure) -> float:
    async def call() -> None:
        async with session.get(f"{url}/packages/{PACKAGE}") as answer:
            answer.raise_for_status()
            await answer.json()

    async with aiohttp.ClientSession(headers={"Authorization": "Bearer token"}) as session:
        await call()
        return await measure(call)


def _both(url: str, measure: _Measure) -> tuple[list[float], list[float]]:
    ours, bare = in_turn(
        [lambda: asyncio.run(_ours(url, measure)), lambda: asyncio.run(_bare(url, measure))], _ROUNDS
    )
    return ours, bare


def run() -> list[Result]:
    """Measure."""
    what = "one call at rest"
    with serving(Behaviour()) as server:
        ours, bare = _both(server.url, _microseconds)
        ours_peaks, bare_peaks = _both(server.url, _kilobytes)
    over = [our - their for our, their in zip(ours, bare, strict=True)]
    # No ratio: of what both have, 256 kB is the buffer into which asyncio receives.
    held = [our - their for our, their in zip(ours_peaks, bare_peaks, strict=True)]
    return [
        versus("one_call.time", f"{what}, processor time", "bare aiohttp", ours, bare, unit="us", better="less"),
        single("one_call.over", f"{what}, processor time over bare aiohttp", over, unit="us", better="less"),
        single("one_call.memory", f"{what}, peak memory over bare aiohttp", held, unit="kB", better="less"),
    ]
