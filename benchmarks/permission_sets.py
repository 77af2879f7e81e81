"""What does it save that the permissions of a package travel in one array?"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Final

import aiohttp

from benchmarks.results import Result, versus
from benchmarks.rounds import in_turn
from benchmarks.server import Behaviour, serving
from scarf_async import BulkPlan, Scarf

__all__ = ["run"]

_PACKAGES: Final = [f"0d0c2a2e-6f3f-4d0e-9a52-{number:012}" for number in range(115)]
_USERS: Final = [f"user{number}" for number in range(25)]
_SETS: Final = len(_PACKAGES) * len(_USERS)
_AT_ONCE: Final = 64
_LATENCY: Final = 0.02
_ROUNDS: Final = 7


async def _bare(url: str, size: int) -> float:
    """Send requests for so many sets of a package each; return sets a second."""
    permits = asyncio.Semaphore(_AT_ONCE)

    async def set_permissions(package: str, users: list[str]) -> None:
        body = [{"userQuery": user, "permissionLevel": "member"} for user in users]
        async with permits, session.post(f"{url}/packages/{package}/permissions", json=body) as response:
            response.raise_for_status()
            await response.read()

    parts = [_USERS[first : first + size] for first in range(0, len(_USERS), size)]
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer token"}) as session:
        began = time.perf_counter()
        await asyncio.gather(*(set_permissions(package, part) for package in _PACKAGES for part in parts))
        return _SETS / (time.perf_counter() - began)


async def _run(url: str) -> float:
    """Do the same as a run; return sets a second."""
    plan = BulkPlan()
    for package in _PACKAGES:
        for user in _USERS:
            plan.set_permission(package, user, "member")
    async with Scarf("token", base_url=url) as scarf:
        began = time.perf_counter()
        report = await scarf.bulk.run(plan, concurrency=_AT_ONCE)
        took = time.perf_counter() - began
    assert len(report.succeeded) == _SETS
    return _SETS / took


def run() -> list[Result]:
    """Measure."""
    with serving(Behaviour(latency=_LATENCY)) as server:
        ours, alone, arrays = in_turn(
            [
                lambda: asyncio.run(_run(server.url)),
                lambda: asyncio.run(_bare(server.url, 1)),
                lambda: asyncio.run(_bare(server.url, len(_USERS))),
            ],
            _ROUNDS,
        )
    what = f"{_SETS:,} permission sets on {len(_PACKAGES)} packages, {_LATENCY * 1000:g} ms a request"
    row = partial(versus, what=what, ours=ours, unit="1/s", better="more")
    return [
        row(
            "permission_sets",
            against=f"one request each, {_AT_ONCE} at once, bare aiohttp",
            theirs=alone,
            target=20,
        ),
        row("permission_sets.arrays", against=f"the same {len(_PACKAGES)} arrays, bare aiohttp", theirs=arrays),
    ]
