"""How many requests does it take to find the bad entries of a refused array of permissions?"""

from __future__ import annotations

import asyncio
import math
from typing import Final

from benchmarks.results import Result, single
from benchmarks.server import Behaviour, serving
from scarf_async import BulkPlan, Scarf

__all__ = ["run"]

_ENTRIES: Final = 100


async def _run(url: str, packages: int) -> tuple[int, int]:
    """Set permissions; return requests and how many were set."""
    plan = BulkPlan()
    for package in range(packages):
        for number in range(_ENTRIES):
            plan.set_permission(f"p{package}", f"user{number}", "member")
    async with Scarf("token", base_url=url) as scarf:
        report = await scarf.bulk.run(plan)
    assert len(report.outcomes) == len(report.succeeded) + len(report.failed), str(report)
    return report.requests, len(report.succeeded)


def _measure(name: str, what: str, behaviour: Behaviour, *, limit: int, good: int, packages: int = 1) -> Result:
    with serving(behaviour) as server:
        requests, succeeded = asyncio.run(_run(server.url, packages))
    assert succeeded == good, f"{succeeded} of {good} were set"
    return single(f"splitting.{name}", what, [requests], unit="requests", better="less", target=limit)


def run() -> list[Result]:
    """Measure."""
    every = tuple(f"user{number}" for number in range(_ENTRIES))
    # The array itself, one look at the package, and two halves on each of the levels down to the entry.
    one = 2 + 2 * math.ceil(math.log2(_ENTRIES))
    # A tree of halves has twice as many nodes as leaves, but for one; and the look.
    all_of_them = 2 * _ENTRIES
    return [
        _measure(
            "one", "1 bad permission in an array of 100", Behaviour(bad=every[37:38]), limit=one, good=_ENTRIES - 1
        ),
        _measure("all", "100 bad permissions in an array of 100", Behaviour(bad=every), limit=all_of_them, good=0),
        _measure(
            "too_long",
            "50 arrays of 100 permissions where 30 is the most",
            Behaviour(largest=30),
            limit=50 * 4 + 64,
            good=5_000,
            packages=50,
        ),
    ]
