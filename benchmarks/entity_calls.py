"""What does a call that gives an entity cost, many at once, against bare aiohttp and against httpx?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import aiohttp
import httpx

from benchmarks.results import Result, versus
from benchmarks.rounds import in_turn, on_uvloop, uvloop_factory
from benchmarks.server import PACKAGE, Behaviour, serving
from scarf_async import Scarf

__all__ = ["aiohttp_rate", "httpx_rate", "our_rate", "run"]

_AT_ONCE: Final = 64
_CALLS: Final = 3_000
_FEW_CALLS: Final = 500
_ROUNDS: Final = 7
_TOKEN: Final = {"Authorization": "Bearer token"}


async def _rate(call: Callable[[], Awaitable[object]], calls: int, at_once: int) -> float:
    """Make calls, so many at once; return calls a second."""
    numbers = iter(range(calls))

    async def work() -> None:
        for _ in numbers:
            await call()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return calls / (time.perf_counter() - began)


async def our_rate(url: str, calls: int, at_once: int) -> float:
    """Return packages a second through the SDK."""

    async def call() -> None:
        package = await scarf.packages.get(PACKAGE)
        assert package.uuid == PACKAGE

    async with Scarf("token", base_url=url) as scarf:
        await call()
        return await _rate(call, calls, at_once)


async def aiohttp_rate(url: str, calls: int, at_once: int) -> float:
    """Return packages a second through bare aiohttp and json, as dictionaries."""

    async def call() -> None:
        async with session.get(f"{url}/packages/{PACKAGE}") as answer:
            answer.raise_for_status()
            package = await answer.json()
        assert package["uuid"] == PACKAGE

    async with aiohttp.ClientSession(headers=_TOKEN) as session:
        await call()
        return await _rate(call, calls, at_once)


async def httpx_rate(url: str, calls: int, at_once: int) -> float:
    """Return packages a second through httpx, as dictionaries."""

    async def call() -> None:
        answer = await client.get(f"{url}/packages/{PACKAGE}")
        answer.raise_for_status()
        assert answer.json()["uuid"] == PACKAGE

    async with httpx.AsyncClient(headers=_TOKEN) as client:
        await call()
        return await _rate(call, calls, at_once)


def run() -> list[Result]:
    """Measure."""
    with serving(Behaviour()) as server:
        ways = [
            lambda: asyncio.run(our_rate(server.url, _CALLS, _AT_ONCE)),
            lambda: asyncio.run(aiohttp_rate(server.url, _CALLS, _AT_ONCE)),
            lambda: asyncio.run(httpx_rate(server.url, _FEW_CALLS, _AT_ONCE)),
        ]
        if uvloop_factory() is not None:
            ways += [
                lambda: on_uvloop(our_rate(server.url, _CALLS, _AT_ONCE)),
                lambda: on_uvloop(aiohttp_rate(server.url, _CALLS, _AT_ONCE)),
            ]
        ours, bare, through_httpx, *uvloop = in_turn(ways, _ROUNDS)
    row = partial(versus, unit="1/s", better="more")
    what, against = f"a call for a package, {_AT_ONCE} at once", "bare aiohttp and json, the same answers"
    rows = [
        row("entity_calls.aiohttp", what, against, ours, bare, target=0.9),
        row("entity_calls.httpx", what, "httpx and json, the same answers", ours, through_httpx, target=15),
    ]
    if uvloop:
        rows.append(row("entity_calls.uvloop", f"{what}, on uvloop", against, *uvloop))
    return rows
