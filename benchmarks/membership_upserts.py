"""What does a journalled run of upserts lose against the least that would do: `gather` over bare aiohttp?

And what of that is the journal's?
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final

import aiohttp

from benchmarks.results import Result, versus
from benchmarks.rounds import in_turn
from benchmarks.server import Behaviour, serving
from scarf_async import BulkPlan, Scarf

__all__ = ["run"]

_UPSERTS: Final = 5_000
_AT_ONCE: Final = 64
_ROUNDS: Final = 7


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
        bare, journalled, unjournalled = in_turn(
            [
                lambda: asyncio.run(_bare(server.url)),
                lambda: asyncio.run(_run(server.url, journalled=True)),
                lambda: asyncio.run(_run(server.url, journalled=False)),
            ],
            _ROUNDS,
        )
    what = f"{_UPSERTS:,} journalled membership upserts"
    return [
        versus(
            "membership_upserts.run",
            what,
            f"gather, a semaphore of {_AT_ONCE}, bare aiohttp",
            journalled,
            bare,
            unit="1/s",
            better="more",
            target=0.75,
        ),
        versus(
            "membership_upserts.journal",
            what,
            "without a journal",
            journalled,
            unjournalled,
            unit="1/s",
            better="more",
            target=0.75,
        ),
    ]
