"""How fast is a run where the service limits its rate, where it does not, and where it is down for a while?

`python -m benchmarks.pace --outage 60` is the long form of the last question.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from typing import Final

from benchmarks.server import Behaviour, serving
from scarf_async import BulkPlan, BulkReport, Scarf

__all__ = ["run"]

_OPERATIONS: Final = 600
_AT_ONCE: Final = 64
_RATE: Final = 100.0
_BURST: Final = 20.0
_LIMITS: Final = {None: 12.0, 1: 20.0}
"""Seconds that the limited runs may take, by what a refusal asks to wait."""
_MOST_REFUSALS: Final = 200
_UNLIMITED: Final = 3_000
_ROUNDS: Final = 5
_OUTAGE: Final = 3.0
_BEFORE: Final = 0.2


def _plan(operations: int) -> BulkPlan:
    plan = BulkPlan()
    for number in range(operations):
        plan.upsert_member("acme", f"user{number}", "member")
    return plan


async def _run(url: str, operations: int) -> BulkReport:
    async with Scarf("token", base_url=url) as scarf:
        report = await scarf.bulk.run(_plan(operations), concurrency=_AT_ONCE)
    assert len(report.succeeded) == operations, str(report)
    return report


async def _windowed(url: str, operations: int) -> float:
    """Do the same by plain calls, a fixed number at a time; return the seconds."""
    permits = asyncio.Semaphore(_AT_ONCE)

    async def upsert(number: int) -> None:
        async with permits:
            await scarf.members.upsert("acme", f"user{number}", "member")

    async with Scarf("token", base_url=url) as scarf:
        began = time.perf_counter()
        await asyncio.gather(*(upsert(number) for number in range(operations)))
        return time.perf_counter() - began


def _limited(retry_after: int | None, latency: float) -> str:
    behaviour = Behaviour(rate=_RATE, burst=_BURST, retry_after=retry_after, latency=latency)
    with serving(behaviour) as server:
        took = asyncio.run(_run(server.url, _OPERATIONS)).elapsed
        refusals = server.statuses().get(429, 0)
    limit = _LIMITS[retry_after]
    verdict = "ok" if took <= limit and refusals < _MOST_REFUSALS else "TOO MUCH"
    asked = "no Retry-After" if retry_after is None else f"Retry-After: {retry_after}"
    return (
        f"{_OPERATIONS} operations at {_RATE:g}/s with a burst of {_BURST:g}, {asked}, {latency * 1000:g} ms:"
        f" {took:.1f} s (floor {(_OPERATIONS - _BURST) / _RATE:.1f}, limit {limit:g}),"
        f" {refusals} refusals (limit {_MOST_REFUSALS}) {verdict}"
    )


def _unlimited(latency: float) -> str:
    ratios = []
    with serving(Behaviour(latency=latency)) as server:
        for _ in range(_ROUNDS):
            window = asyncio.run(_windowed(server.url, _UNLIMITED))
            ratios.append(window / asyncio.run(_run(server.url, _UNLIMITED)).elapsed)
    return (
        f"{_UNLIMITED:,} operations without a limit, {latency * 1000:g} ms: throughput over a fixed window of"
        f" {_AT_ONCE} {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f} in {_ROUNDS} rounds)"
    )


def _outage(seconds: float) -> str:
    operations = 3 * _UNLIMITED
    with serving(Behaviour(outage=(_BEFORE, _BEFORE + seconds))) as server:
        report = asyncio.run(_run(server.url, operations))
        refusals = server.statuses().get(503, 0)
    with serving(Behaviour()) as server:
        calm = asyncio.run(_run(server.url, operations)).elapsed
    return (
        f"{operations:,} operations, down for {seconds:g} s: {report.elapsed:.1f} s"
        f" ({calm:.1f} s without the outage), {len(report.succeeded):,} succeeded, {refusals} refusals"
    )


def run(outage: float = _OUTAGE) -> list[str]:
    """Measure; return a line for each question."""
    lines = [_limited(retry_after, latency) for retry_after in _LIMITS for latency in (0.001, 0.02)]
    lines += [_unlimited(latency) for latency in (0.001, 0.02)]
    return [*lines, _outage(outage)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outage", type=float, default=_OUTAGE, help="seconds for which the service is down")
    print("\n".join(run(parser.parse_args().outage)))
