"""How fast is a run where the service limits its rate, where it does not, and where it is down for a while?

`python -m benchmarks.pace --outage 60` is the long form of the last question.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import ExitStack
from typing import Final

import aiohttp

from benchmarks.results import Result, single, table, versus
from benchmarks.rounds import in_turn
from benchmarks.server import Behaviour, Server, serving
from scarf_async import BulkPlan, BulkReport, Scarf

__all__ = ["run"]

_OPERATIONS: Final = 600
_AT_ONCE: Final = 64
_RATE: Final = 100.0
_BURST: Final = 20.0
_LIMITS: Final = {None: 12.0, 1: 20.0}
"""Seconds that the limited runs may take, by what a refusal asks to wait."""
_MOST_REFUSALS: Final = 80
_LIMITED_ROUNDS: Final = 3
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0
_UNLIMITED: Final = 2_000
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


async def _naive(url: str, operations: int) -> float:
    """Do the same by hand: a fixed window, a wait twice as long after each refusal; return the seconds."""
    permits = asyncio.Semaphore(_AT_ONCE)

    async def upsert(number: int) -> None:
        delay = _FIRST_DELAY
        body = {"username": f"user{number}", "role": "member"}
        async with permits:
            while True:
                async with session.post(f"{url}/organizations/acme/users", json=body) as answer:
                    if answer.status != 429:
                        answer.raise_for_status()
                        await answer.json()
                        return
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_DELAY)

    async with aiohttp.ClientSession(headers={"Authorization": "Bearer token"}) as session:
        began = time.perf_counter()
        await asyncio.gather(*(upsert(number) for number in range(operations)))
        return time.perf_counter() - began


def _refused(server: Server) -> int:
    return server.statuses().get(429, 0)


async def _limited_run(server: Server) -> tuple[float, int]:
    """Return the seconds that a run takes, and the refusals that it meets."""
    report = await _run(server.url, _OPERATIONS)
    return report.elapsed, await asyncio.to_thread(_refused, server)


async def _limited_round(ours: Server, theirs: Server) -> tuple[tuple[float, int], tuple[float, int]]:
    found = await _limited_run(ours)
    took = await _naive(theirs.url, _OPERATIONS)
    return found, (took, await asyncio.to_thread(_refused, theirs))


async def _gathered(
    pairs: list[tuple[Server, Server]], servers: list[Server]
) -> tuple[list[tuple[tuple[float, int], tuple[float, int]]], list[tuple[float, int]]]:
    async with asyncio.TaskGroup() as group:
        rounds = [group.create_task(_limited_round(*pair)) for pair in pairs]
        alone = [group.create_task(_limited_run(server)) for server in servers]
    return [task.result() for task in rounds], [task.result() for task in alone]


def _limited() -> list[Result]:
    """Measure where the rate is limited: all rounds at the same time, since they wait and hardly work."""
    base = Behaviour(rate=_RATE, burst=_BURST, latency=0.001)
    cases = [(None, 0.02), (1, 0.001), (1, 0.02)]
    with ExitStack() as stack:
        pairs = [
            (stack.enter_context(serving(base)), stack.enter_context(serving(base))) for _ in range(_LIMITED_ROUNDS)
        ]
        servers = [
            stack.enter_context(serving(Behaviour(rate=_RATE, burst=_BURST, retry_after=after, latency=latency)))
            for after, latency in cases
        ]
        rounds, alone = asyncio.run(_gathered(pairs, servers))
    what = f"{_OPERATIONS} single upserts, a limit of {_RATE:g} a second"
    against = f"a window of {_AT_ONCE}, naive exponential retry"
    our_seconds, our_refusals = zip(*(ours for ours, _ in rounds), strict=True)
    seconds, refusals = zip(*(theirs for _, theirs in rounds), strict=True)
    rows = [
        versus("pace.limited.time", what, against, our_seconds, seconds, unit="s", better="less", target=0.5),
        versus(
            "pace.limited.refusals",
            f"{what}: refusals",
            against,
            our_refusals,
            refusals,
            unit="",
            better="less",
            target=0.07,
        ),
    ]
    for (after, latency), (took, refused) in zip(cases, alone, strict=True):
        name = f"pace.retry_after_{after or 'none'}.{latency * 1000:g}ms"
        case = f"{what}, {latency * 1000:g} ms, {f'Retry-After: {after}' if after else 'no Retry-After'}"
        rows += [
            single(f"{name}.time", case, [took], unit="s", better="less", target=_LIMITS[after]),
            single(
                f"{name}.refusals", f"{case}: refusals", [refused], unit="", better="less", target=_MOST_REFUSALS
            ),
        ]
    return rows


def _unlimited(latency: float) -> Result:
    with serving(Behaviour(latency=latency)) as server:
        ours, theirs = in_turn(
            [
                lambda: _UNLIMITED / asyncio.run(_run(server.url, _UNLIMITED)).elapsed,
                lambda: _UNLIMITED / asyncio.run(_windowed(server.url, _UNLIMITED)),
            ],
            _ROUNDS,
        )
    return versus(
        f"pace.unlimited.{latency * 1000:g}ms",
        f"a run of {_UNLIMITED:,} single upserts, no limit, {latency * 1000:g} ms",
        f"plain calls, a window of {_AT_ONCE}",
        ours,
        theirs,
        unit="1/s",
        better="more",
    )


def _outage(seconds: float) -> Result:
    operations = 3 * _UNLIMITED
    with serving(Behaviour(outage=(_BEFORE, _BEFORE + seconds))) as server:
        report = asyncio.run(_run(server.url, operations))
    with serving(Behaviour()) as server:
        calm = asyncio.run(_run(server.url, operations)).elapsed
    return versus(
        "pace.outage",
        f"{operations:,} single upserts, down for {seconds:g} s; all succeed",
        "without the outage",
        [report.elapsed],
        [calm],
        unit="s",
        better="less",
    )


def run() -> list[Result]:
    """Measure."""
    return [*_limited(), *(_unlimited(latency) for latency in (0.001, 0.02)), _outage(_OUTAGE)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outage", type=float, default=_OUTAGE, help="seconds for which the service is down")
    print(table([_outage(parser.parse_args().outage)]))
