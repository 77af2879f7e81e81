"""What does a journalled run of upserts lose against the least that would do: `gather` over bare aiohttp?

And what of that is the journal's?
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

import aiohttp

from benchmarks.results import Result, versus
from benchmarks.rounds import in_turn, on_uvloop, uvloop_factory
from benchmarks.server import Behaviour, serving
from scarf_async import BulkPlan, Scarf

__all__ = ["run"]

_UPSERTS: Final = 5_000
_AT_ONCE: Final = 64
_ROUNDS: Final = 5


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


def run() -> list[Result]:
    """Measure."""
    with serving(Behaviour()) as server:
        ways = [
            lambda: asyncio.run(_bare(server.url)),
            lambda: asyncio.run(_run(server.url, journalled=True)),
            lambda: asyncio.run(_run(server.url, journalled=False)),
        ]
        if uvloop_factory() is not None:
            ways += [
                lambda: on_uvloop(_run(server.url, journalled=True)),
                lambda: on_uvloop(_bare(server.url)),
            ]
        bare, journalled, unjournalled, *uvloop = in_turn(ways, _ROUNDS)
    row = partial(versus, unit="1/s", better="more")
    what = f"{_UPSERTS:,} journalled membership upserts"
    against = f"gather, a semaphore of {_AT_ONCE}, bare aiohttp"
    rows = [
        row("membership_upserts.run", what, against, journalled, bare, target=0.75),
        row("membership_upserts.journal", what, "without a journal", journalled, unjournalled, target=0.75),
    ]
    if uvloop:
        rows.append(row("membership_upserts.uvloop", f"{what}, on uvloop", against, *uvloop))
    return rows
