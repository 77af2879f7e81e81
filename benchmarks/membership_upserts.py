"""What does a journalled run of upserts lose against the least that would do: `gather` over bare aiohttp?

And what of that is the journal's?
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

import aiohttp

from benchmarks.server import Behaviour, serving
from scarf_async import BulkPlan, Scarf

__all__ = ["run"]

_UPSERTS: Final = 5_000
_AT_ONCE: Final = 64
_ROUNDS: Final = 7
_TARGET: Final = 0.75
_DEAREST: Final = 0.25


async def _bare(url: str) -> float:
    """Upsert without an SDK; return upserts a second."""
    permits = asyncio.Semaphore(_AT_ONCE)

    async def upsert(number: int) -> None:
        async with (
            permits,
            session.post(
                f"{url}/organizations/acme/users", json={"username": f"user{number}", "role": "member"}
            ) as answer,
        ):
            answer.raise_for_status()
            await answer.json()

    async with aiohttp.ClientSession(headers={"Authorization": "Bearer token"}) as session:
        await session.get(url)
        began = time.perf_counter()
        await asyncio.gather(*(upsert(number) for number in range(_UPSERTS)))
        return _UPSERTS / (time.perf_counter() - began)


async def _run(url: str, *, journalled: bool) -> float:
    """Upsert as a run; return upserts a second."""
    plan = BulkPlan()
    for number in range(_UPSERTS):
        plan.upsert_member("acme", f"user{number}", "member")
    with tempfile.TemporaryDirectory() as directory:
        async with Scarf("token", base_url=url) as scarf:
            await scarf.members.list("acme")
            began = time.perf_counter()
            journal = Path(directory, "acme.journal") if journalled else None
            report = await scarf.bulk.run(plan, concurrency=_AT_ONCE, journal=journal)
            took = time.perf_counter() - began
    assert len(report.succeeded) == _UPSERTS
    return _UPSERTS / took


def run() -> list[str]:
    """Measure in turn; return a line each for the run and for its journal."""
    ratios, rates, costs = [], [], []
    with serving(Behaviour()) as server:
        for _ in range(_ROUNDS):
            bare = asyncio.run(_bare(server.url))
            journalled = asyncio.run(_run(server.url, journalled=True))
            ratios.append(journalled / bare)
            costs.append(1 - journalled / asyncio.run(_run(server.url, journalled=False)))
            rates.append((bare, journalled))
    bare, journalled = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(ratios)
    verdict = "ok" if ratio >= _TARGET else "TOO SLOW"
    line = (
        f"{_UPSERTS:,} membership upserts at concurrency {_AT_ONCE}, journalled: {journalled:,.0f}/s,"
        f" bare gather over aiohttp {bare:,.0f}/s; ratio {ratio:.2f}"
        f" ({min(ratios):.2f}-{max(ratios):.2f} in {_ROUNDS} rounds, target {_TARGET:g}) {verdict}"
    )
    cost = statistics.median(costs)
    verdict = "ok" if cost < _DEAREST else "TOO DEAR"
    cost_line = (
        f"  of that the journal costs {cost:.0%} of throughput ({min(costs):.0%} to {max(costs):.0%},"
        f" limit {_DEAREST:.0%}) {verdict}"
    )
    return [line, cost_line]


if __name__ == "__main__":
    print("\n".join(run()))
