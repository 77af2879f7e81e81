"""What do a long list and changes of v2 lose against hand-written aiohttp that sends the same?"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final, TypeAlias

import aiohttp
import attrs
from cattrs.preconf.json import make_converter

from benchmarks.results import Result, versus
from benchmarks.rounds import in_turn
from benchmarks.server import LISTED, PACKAGE, Behaviour, serving
from scarf_async import BulkPlan, PackageKey, PackageUpsert, Scarf

__all__ = ["run"]

_PACKAGES: Final = [f"0d0c2a2e-6f3f-4d0e-9a52-{number:012}" for number in range(115)]
_USERS: Final = [f"user{number}" for number in range(25)]
_SETS: Final = len(_PACKAGES) * len(_USERS)
_UPSERTS: Final = 3_000
_UPDATES: Final = 1_000
_AT_ONCE: Final = 64
_LATENCY: Final = 0.02
_ROUNDS: Final = 5
_Way: TypeAlias = Callable[[str], Awaitable[float]]
_converter: Final = make_converter()
_TOKEN: Final = {"Authorization": "Bearer token"}


async def _listed(url: str) -> float:
    """List all packages; return packages a second."""
    async with Scarf("token", api="v2", owner="acme", v2_url=url) as scarf:
        began = time.perf_counter()
        packages = await scarf.packages.list()
        took = time.perf_counter() - began
    assert len(packages) == LISTED
    return LISTED / took


@attrs.frozen
class _Package:
    """A package as someone would write it down who needs it: typed, with times."""

    id: str
    owner: str
    name: str
    type: str
    backend_registry: str
    repository_name: str
    short_description: str
    website: str | None
    created_at: dt.datetime
    updated_at: dt.datetime


async def _listed_by_hand(url: str, *, typed: bool) -> float:
    """Follow the links, and make objects of what json gives, or keep that; return packages a second."""
    packages: list[object] = []
    async with aiohttp.ClientSession(headers=_TOKEN) as session:
        began = time.perf_counter()
        following: str | None = "/packages/acme?per_page=100"
        while following:
            async with session.get(url + following.removeprefix("/v2")) as answer:
                answer.raise_for_status()
                page = await answer.json()
            packages += _converter.structure(page["results"], list[_Package]) if typed else page["results"]
            following = page["_links"].get("next")
        took = time.perf_counter() - began
    assert len(packages) == LISTED
    return LISTED / took


async def _updates(update: Callable[[], Awaitable[object]]) -> float:
    """Update, so many at once; return updates a second."""
    numbers = iter(range(_UPDATES))

    async def work() -> None:
        for _ in numbers:
            await update()

    await update()
    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return _UPDATES / (time.perf_counter() - began)


async def _updated(url: str) -> float:
    """Update a package, which is read before; return updates a second."""
    key, upsert = PackageKey("acme", PACKAGE), PackageUpsert(name="web", short_description="The web server of Acme")

    async def update() -> None:
        package = await scarf.packages.update(key, upsert)
        assert package.uuid == PACKAGE

    async with Scarf("token", api="v2", owner="acme", v2_url=url) as scarf:
        return await _updates(update)


async def _updated_by_hand(url: str) -> float:
    """Read it, and put it back with the changes; return updates a second."""
    address = f"{url}/packages/acme/{PACKAGE}"
    changes = {"name": "web", "short_description": "The web server of Acme"}

    async def update() -> None:
        async with session.get(address) as answer:
            answer.raise_for_status()
            there = await answer.json()
        async with session.put(address, json=there | changes) as answer:
            answer.raise_for_status()
            package = await answer.json()
        assert package["id"] == PACKAGE

    async with aiohttp.ClientSession(headers=_TOKEN) as session:
        return await _updates(update)


async def _run(url: str, plan: BulkPlan) -> float:
    """Run a plan; return operations a second."""
    async with Scarf("token", api="v2", owner="acme", v2_url=url) as scarf:
        began = time.perf_counter()
        report = await scarf.bulk.run(plan, concurrency=_AT_ONCE)
        took = time.perf_counter() - began
    assert len(report.succeeded) == len(plan)
    return len(plan) / took


async def _gathered(url: str, bodies: Iterable[tuple[str, dict[str, str]]]) -> float:
    """Post each body, so many at once; return requests a second."""
    permits = asyncio.Semaphore(_AT_ONCE)

    async def post(path: str, body: dict[str, str]) -> None:
        async with permits, session.post(url + path, json=body) as answer:
            answer.raise_for_status()
            await answer.read()

    async with aiohttp.ClientSession(headers=_TOKEN) as session:
        began = time.perf_counter()
        sent = await asyncio.gather(*(post(path, body) for path, body in bodies))
        return len(sent) / (time.perf_counter() - began)


def _members() -> BulkPlan:
    plan = BulkPlan()
    for number in range(_UPSERTS):
        plan.upsert_member("acme", f"user{number}", "member")
    return plan


def _permissions() -> BulkPlan:
    plan = BulkPlan()
    for package in _PACKAGES:
        for user in _USERS:
            plan.set_permission(PackageKey("acme", package), user, "member")
    return plan


def _member_bodies() -> Iterable[tuple[str, dict[str, str]]]:
    for number in range(_UPSERTS):
        yield "/organizations/acme/members", {"username": f"user{number}", "role": "member"}


def _permission_bodies() -> Iterable[tuple[str, dict[str, str]]]:
    for package in _PACKAGES:
        for user in _USERS:
            yield f"/packages/acme/{package}/permissions", {"username": user, "permission_level": "member"}


async def _awaited(rate: Awaitable[float]) -> float:
    return await rate


def _measured(latency: float, *ways: _Way) -> list[list[float]]:
    with serving(Behaviour(latency=latency)) as server:
        return in_turn([partial(_once, way, server.url) for way in ways], _ROUNDS)


def _once(way: _Way, url: str) -> float:
    return asyncio.run(_awaited(way(url)))


def run() -> list[Result]:
    """Measure."""
    ours, typed, plain = _measured(
        0.0, _listed, partial(_listed_by_hand, typed=True), partial(_listed_by_hand, typed=False)
    )
    updates, bare_updates = _measured(0.0, _updated, _updated_by_hand)
    members, bare_members = _measured(
        0.0, lambda url: _run(url, _members()), lambda url: _gathered(url, _member_bodies())
    )
    permissions, bare_permissions = _measured(
        _LATENCY, lambda url: _run(url, _permissions()), lambda url: _gathered(url, _permission_bodies())
    )
    row = partial(versus, unit="1/s", better="more")
    listing = f"{LISTED:,} packages of v2 in pages of 100, the end proven"
    gathered = f"gather, a semaphore of {_AT_ONCE}, bare aiohttp, the same requests"
    upserts = f"{_UPSERTS:,} membership upserts of v2"
    sets = f"{_SETS:,} permissions of v2 on {len(_PACKAGES)} packages, {_LATENCY * 1000:g} ms a request"
    return [
        row("version_2.list", listing, "bare aiohttp, links followed, json, cattrs", ours, typed, target=0.85),
        row("version_2.list.plain", listing, "bare aiohttp, links followed, json, dictionaries", ours, plain),
        row(
            "version_2.update",
            f"an update of a package of v2, {_AT_ONCE} at once",
            "bare aiohttp, the same GET and PUT",
            updates,
            bare_updates,
            target=0.85,
        ),
        row("version_2.members", upserts, gathered, members, bare_members, target=0.7),
        row("version_2.permissions", sets, gathered, permissions, bare_permissions, target=0.95),
    ]
