"""A further run of the same plan: what it sends, for every kind of operation and every state that a kill leaves."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
import pytest

from scarf_async import (
    ApiVersion,
    BulkPlan,
    BulkReport,
    DomainCreate,
    OrganizationUpsert,
    OutcomeUnknownError,
    PackageKey,
    PackageUpsert,
    RetryPolicy,
    RouteCreate,
    Scarf,
)
from scarf_async.bulk.group import open_journal
from scarf_async.clock import Clock
from scarf_async.emulator import Emulator, FaultRule, Quirks
from scarf_async.emulator.store import Transaction

from .crashes import Base
from .service import client_of

# Long, so that no pause of a busy machine has a request sent again; where the run waits for it, nearly all is over.
TIMEOUT: Final = 10.0
JUST_NOW: Final = TIMEOUT - 0.3
SHORT_TIMEOUT: Final = 1.0
SETTLE: Final = 0.05
POLICY: Final = RetryPolicy(initial_delay=0.001, max_delay=0.01, settle=SETTLE)
LONG_AGO: Final = 60.0

Adder: TypeAlias = Callable[[BulkPlan, Base], object]


def organization(name: str, description: str = "") -> OrganizationUpsert:
    """An organization to create, or to change to."""
    return OrganizationUpsert(name=name, description=description, billing_email="pay@acme.example")


def package(name: str, **fields: str) -> PackageUpsert:
    """A package to create, or to change to."""
    return PackageUpsert(name=name, short_description="", **fields)


def route(path: str = "/new") -> RouteCreate:
    """A route to create."""
    return RouteCreate("https://acme.example/x", path)


@attrs.frozen
class Kind:
    """An operation, and what a further run sends where only its intent is known.

    Attributes:
        add: adds it to a plan.
        absent: what is sent where it had no effect.
        present: what is sent where it had.
        api: the version that is used.
    """

    add: Adder
    absent: Sequence[str]
    present: Sequence[str]
    api: ApiVersion = "v1"


def one(base: Base) -> str:
    """A package that is there."""
    return base.uuids["acme/file/one"]


LIST: Final = "GET /organizations/acme/packages"
OWNER: Final = "GET /organizations/emulator-user"
KINDS: Final[dict[str, Kind]] = {
    "create_organization": Kind(
        lambda plan, _: plan.create_organization(organization("new")),
        ["GET /organizations/new", "GET /organizations/new", "POST /organizations"],
        ["GET /organizations/new"],
    ),
    "create_organization_or_keep": Kind(
        lambda plan, _: plan.create_organization(organization("new"), if_exists="keep"),
        ["GET /organizations/new", "GET /organizations/new", "POST /organizations"],
        ["GET /organizations/new"],
    ),
    "update_organization": Kind(
        lambda plan, _: plan.update_organization("acme", organization("acme", "changed")),
        ["PUT /organizations/acme"],
        ["PUT /organizations/acme"],
    ),
    "rename_organization": Kind(
        lambda plan, _: plan.update_organization("acme", organization("new", "changed")),
        ["GET /organizations/new", "PUT /organizations/acme"],
        ["GET /organizations/new"],
    ),
    "upsert_member": Kind(
        lambda plan, _: plan.upsert_member("acme", "cleo", "admin"),
        ["POST /organizations/acme/users"],
        ["POST /organizations/acme/users"],
    ),
    "remove_member": Kind(
        lambda plan, _: plan.remove_member("acme", "ann"),
        ["DELETE /organizations/acme/users/ann"],
        ["DELETE /organizations/acme/users/ann"],
    ),
    "create_package": Kind(
        lambda plan, _: plan.create_package(package("new"), "acme"),
        [LIST, LIST, "POST /organizations/acme/packages"],
        [LIST],
    ),
    "create_own_package": Kind(
        lambda plan, _: plan.create_package(package("new")),
        ["GET /packages", "GET /packages", "POST /packages"],
        ["GET /packages", OWNER],
    ),
    "update_package": Kind(
        lambda plan, base: plan.update_package(one(base), package("changed")),
        ["PUT /packages/one"],
        ["PUT /packages/one"],
    ),
    "delete_package": Kind(
        lambda plan, base: plan.delete_package(one(base)),
        ["DELETE /packages/one"],
        ["DELETE /packages/one"],
    ),
    "set_permission": Kind(
        lambda plan, base: plan.set_permission(one(base), "cleo", "admin"),
        ["POST /packages/one/permissions"],
        ["POST /packages/one/permissions"],
    ),
    "create_route": Kind(
        lambda plan, base: plan.create_route(one(base), route()),
        ["GET /packages/one/routes", "GET /packages/one/routes", "POST /packages/one/routes"],
        ["GET /packages/one/routes"],
    ),
    "delete_route": Kind(
        lambda plan, base: plan.delete_route(one(base), next(iter(base.routes))),
        ["DELETE /packages/one/routes/it"],
        ["DELETE /packages/one/routes/it"],
    ),
    "create_domain": Kind(
        lambda plan, base: plan.create_domain(one(base), DomainCreate("new.example")),
        ["GET /packages/one/domains", "GET /packages/one/domains", "POST /packages/one/domains"],
        ["GET /packages/one/domains"],
    ),
    "delete_domain": Kind(
        lambda plan, base: plan.delete_domain(one(base), next(iter(base.domains))),
        ["DELETE /packages/one/domains/it"],
        ["DELETE /packages/one/domains/it"],
    ),
}


def in_v2(add: Adder, *absent: str, present: Sequence[str] | None = None) -> Kind:
    """An operation in v2, which reads before it updates; `present` is like `absent` where nothing is said."""
    return Kind(add, list(absent), list(absent if present is None else present), "v2")


ORGANIZATION: Final = "/organizations/acme"
MEMBERS: Final = f"{ORGANIZATION}/members"
PACKAGES: Final = "/packages/acme"
ONE: Final = f"{PACKAGES}/one"
V2_KINDS: Final = {
    "update_organization": in_v2(KINDS["update_organization"].add, f"GET {ORGANIZATION}", f"PUT {ORGANIZATION}"),
    "rename_organization": in_v2(
        KINDS["rename_organization"].add,
        *("GET /organizations/new", f"GET {ORGANIZATION}", f"PUT {ORGANIZATION}"),
        # It is its own if nothing has the old name, and what was asked for has the new one.
        present=["GET /organizations/new", f"GET {ORGANIZATION}"],
    ),
    "upsert_member": in_v2(
        KINDS["upsert_member"].add, f"GET {MEMBERS}", f"POST {MEMBERS}", present=[f"GET {MEMBERS}"]
    ),
    "remove_member": in_v2(KINDS["remove_member"].add, f"DELETE {MEMBERS}/ann"),
    "create_package": in_v2(
        lambda plan, _: plan.create_package(package("new", library_type="npm"), "acme"),
        *(f"GET {PACKAGES}", f"GET {PACKAGES}", f"POST {PACKAGES}"),
        present=[f"GET {PACKAGES}"],
    ),
    "update_package": in_v2(
        lambda plan, base: plan.update_package(PackageKey("acme", one(base)), package("changed")),
        *(f"GET {ONE}", f"PUT {ONE}"),
    ),
    "delete_package": in_v2(lambda plan, base: plan.delete_package(PackageKey("acme", one(base))), f"DELETE {ONE}"),
    "set_permission": in_v2(
        lambda plan, base: plan.set_permission(PackageKey("acme", one(base)), "cleo", "admin"),
        f"POST {ONE}/permissions",
    ),
    "create_route": in_v2(
        lambda plan, base: plan.create_route(PackageKey("acme", one(base)), route()),
        *(f"GET {ONE}/routes", f"GET {ONE}/routes", f"POST {ONE}/routes"),
        present=[f"GET {ONE}/routes"],
    ),
    "update_route": in_v2(
        lambda plan, base: plan.update_route(PackageKey("acme", one(base)), next(iter(base.routes)), route()),
        *(f"GET {ONE}/routes/it", f"PUT {ONE}/routes/it"),
    ),
    "delete_route": in_v2(
        lambda plan, base: plan.delete_route(PackageKey("acme", one(base)), next(iter(base.routes))),
        f"DELETE {ONE}/routes/it",
    ),
    "create_domain": in_v2(
        lambda plan, base: plan.create_domain(PackageKey("acme", one(base)), DomainCreate("new.example")),
        *(f"GET {ONE}/domains", f"GET {ONE}/domains", f"POST {ONE}/domains"),
        present=[f"GET {ONE}/domains"],
    ),
    "delete_domain": in_v2(
        lambda plan, base: plan.delete_domain(PackageKey("acme", one(base)), next(iter(base.domains))),
        f"DELETE {ONE}/domains/it",
    ),
}
KINDS.update((f"{name}_in_v2", kind) for name, kind in V2_KINDS.items())


@attrs.define(eq=False)
class World:
    """A service that holds something, a client of it, and a journal."""

    emulator: Emulator
    scarf: Scarf
    base: Base
    journal: Path
    v2: Scarf

    def speak(self, kind: Kind) -> Kind:
        """Go on in the version of a kind."""
        self.scarf = self.v2 if kind.api == "v2" else self.scarf
        return kind

    async def run(self, plan: BulkPlan, **options: Any) -> BulkReport:
        """Run with the journal, and forget what arrived before."""
        self.emulator.requests.clear()
        return await self.scarf.bulk.run(plan, journal=self.journal, **options)

    @property
    def arrived(self) -> list[str]:
        """Method and path of what arrived, with names for ids."""
        names = {one(self.base): "one", next(iter(self.base.routes)): "it", next(iter(self.base.domains)): "it"}
        told = []
        for request in self.emulator.requests:
            path = request.path.removeprefix("/api/v1").removeprefix("/v2")
            for uuid, name in names.items():
                path = path.replace(uuid, name)
            told.append(f"{request.method} {path}")
        return told

    def leave(self, plan: BulkPlan, *places: int, ago: float = LONG_AGO) -> None:
        """Leave what a run leaves that is killed with these operations in progress."""
        journal = open_journal(self.scarf.bulk._session, self.journal, plan)
        journal.close()
        with self.journal.open("a") as file:
            for place in places:
                print(json.dumps({"intent": [place], "at": time.time() - ago}), file=file)


@asynccontextmanager
async def world_of(base: Base, path: Path, timeout: float = TIMEOUT) -> AsyncIterator[World]:
    """A world in which nothing has happened."""
    async with Emulator(quirks=Quirks(permissions_of_organizations="works")) as emulator:
        await emulator.store.run(lambda transaction: transaction.replace(base.database))
        v1 = Scarf(emulator.token, base_url=emulator.url, retry=POLICY, timeout=timeout)
        v2 = Scarf(emulator.token, api="v2", v2_url=emulator.v2_url, retry=POLICY, timeout=timeout)
        async with v1 as scarf, v2:
            yield World(emulator, scarf, base, path, v2)


@pytest.fixture
async def world(base: Base, tmp_path: Path) -> AsyncIterator[World]:
    """A world in which nothing has happened."""
    async with world_of(base, tmp_path / "journal") as world:
        yield world


@pytest.fixture
async def hasty(base: Base, tmp_path: Path) -> AsyncIterator[World]:
    """A world whose client soon gives up on a response, for runs that have to wait for that."""
    async with world_of(base, tmp_path / "journal", SHORT_TIMEOUT) as world:
        yield world


def plan_of(world: World, *kinds: Kind) -> BulkPlan:
    """A plan of some operations."""
    plan = BulkPlan()
    for kind in kinds:
        kind.add(plan, world.base)
    return plan


# Each kind, in each state


@pytest.mark.parametrize("name", KINDS)
async def test_killed_before_the_effect(world: World, name: str) -> None:
    """Creates are looked for twice and then sent; a renaming is looked for; all else is sent."""
    kind = world.speak(KINDS[name])
    plan = plan_of(world, kind)
    world.leave(plan, 0)
    report = await world.run(plan)
    assert [outcome.status for outcome in report.outcomes] == ["succeeded"]
    assert world.arrived == kind.absent
    assert sum(request.effective for request in world.emulator.requests) == 1
    assert report.outcomes[0].attempts == 1
    assert not report.outcomes[0].reconciled


@pytest.mark.parametrize("name", KINDS)
async def test_killed_after_the_effect(world: World, name: str) -> None:
    """Creates and renamings are found; a delete that finds nothing succeeds; the rest is stated again."""
    kind = world.speak(KINDS[name])
    plan = plan_of(world, kind)
    first = await world.scarf.bulk.run(plan)
    first.raise_for_failures()
    state = await world.emulator.dump()
    world.leave(plan, 0)
    report = await world.run(plan)
    assert [outcome.status for outcome in report.outcomes] == ["succeeded"]
    assert world.arrived == kind.present
    assert await world.emulator.dump() == state
    looked_for = all(request.method == "GET" for request in world.emulator.requests)
    assert report.outcomes[0].reconciled == looked_for
    if looked_for:
        assert report.outcomes[0].result == first.outcomes[0].result


@pytest.mark.parametrize("name", KINDS)
async def test_what_is_done_is_not_sent_again(world: World, name: str) -> None:
    """Nothing arrives, not even a look; the outcome is the same."""
    plan = plan_of(world, world.speak(KINDS[name]))
    first = await world.run(plan)
    assert [outcome.status for outcome in first.outcomes] == ["succeeded"]
    second = await world.run(plan)
    assert world.arrived == []
    assert second.outcomes == first.outcomes
    assert second.requests == 0


@pytest.mark.parametrize("name", KINDS)
async def test_what_was_refused_is_sent_again(world: World, name: str) -> None:
    """After a plain no nothing needs to be looked for."""
    kind = world.speak(KINDS[name])
    plan = plan_of(world, kind)
    method = kind.absent[-1].split()[0]
    world.emulator.faults.add(FaultRule(method, "*", 1, 422))
    first = await world.run(plan)
    assert [outcome.status for outcome in first.outcomes] == ["failed"]
    second = await world.run(plan)
    assert [outcome.status for outcome in second.outcomes] == ["succeeded"]
    looks_first = name.endswith("_or_keep")
    assert world.arrived == [*kind.absent[:1], kind.absent[-1]] if looks_first else [kind.absent[-1]]


@pytest.mark.parametrize("name", KINDS)
async def test_what_was_not_sent_is_sent_now(world: World, name: str) -> None:
    """A run that was stopped before it knows nothing of it."""
    stop = asyncio.Event()
    stop.set()
    plan = plan_of(world, world.speak(KINDS[name]))
    first = await world.run(plan, stop=stop)
    assert [outcome.status for outcome in first.outcomes] == ["skipped"]
    assert world.arrived == []
    second = await world.run(plan)
    assert [outcome.status for outcome in second.outcomes] == ["succeeded"]


@pytest.mark.parametrize("name", KINDS)
async def test_what_stays_unknown_is_settled_by_a_further_run(hasty: World, name: str) -> None:
    """Sent, effective and never answered, and looking fails too: the next run does as after a kill."""
    kind = hasty.speak(KINDS[name])
    plan = plan_of(hasty, kind)
    method = kind.absent[-1].split()[0]
    hasty.emulator.faults.add(FaultRule(method, "*", None, ("effect", 502)))
    # What is read before it is sent would not be sent.
    reads_first = name.endswith("_or_keep") or (kind.api == "v2" and method == "PUT")
    if kind.present[0].startswith("GET") and not reads_first:
        hasty.emulator.faults.add(FaultRule("GET", "*", None, 403))
    first = await hasty.run(plan)
    assert [outcome.status for outcome in first.outcomes] in (["unknown"], ["succeeded"])
    hasty.emulator.faults = type(hasty.emulator.faults)()
    state = await hasty.emulator.dump()
    second = await hasty.run(plan)
    assert [outcome.status for outcome in second.outcomes] == ["succeeded"]
    assert await hasty.emulator.dump() == state


# When it is looked


@pytest.mark.parametrize("name", ["create_organization", "create_package", "create_route", "create_domain"])
async def test_open_create_is_not_looked_for_before_its_request_is_over(world: World, name: str) -> None:
    """Not before intent plus `timeout`; other operations go on meanwhile."""
    plan = plan_of(world, KINDS[name], KINDS["upsert_member"])
    intended = time.time() - JUST_NOW
    world.leave(plan, 0, ago=JUST_NOW)
    run = asyncio.create_task(world.run(plan))
    await world.emulator.wait_until(lambda requests: len(requests) == 1)
    assert world.arrived == ["POST /organizations/acme/users"]
    await world.emulator.wait_until(lambda requests: len(requests) == 2)
    assert time.time() >= intended + TIMEOUT
    assert (await run).counts["succeeded"] == 2


async def test_intent_of_a_clock_that_was_set_back_waits_the_whole_time(hasty: World) -> None:
    """Nobody knows when it was; and what is found is not taken for too old."""
    plan = plan_of(hasty, KINDS["create_own_package"])
    await hasty.scarf.bulk.run(plan)
    await age(hasty, "new", 1800)
    hasty.leave(plan, 0, ago=-3600.0)
    began = time.monotonic()
    report = await hasty.run(plan)
    assert time.monotonic() >= began + SHORT_TIMEOUT
    assert hasty.arrived == ["GET /packages", OWNER]
    assert report.outcomes[0].reconciled


async def age(world: World, name: str, seconds: float) -> None:
    """Let a package have been created earlier."""

    def make_older(transaction: Transaction) -> None:
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))
        transaction.write("UPDATE packages SET created_at = ? WHERE name = ?", created, name)

    await world.emulator.store.run(make_older)


async def test_package_of_the_first_of_several_open_intents_is_found(world: World) -> None:
    """It is as old as the first request that may have made it, and that is not the last that was sent."""
    plan = plan_of(world, KINDS["create_own_package"])
    await world.scarf.bulk.run(plan)
    await age(world, "new", 1800)
    world.leave(plan, 0, ago=1800.0)
    world.leave(plan, 0, ago=10.0)
    report = await world.run(plan)
    assert world.arrived == ["GET /packages", OWNER]
    assert report.outcomes[0].reconciled


async def test_package_that_was_there_long_before_is_not_the_runs(world: World) -> None:
    """Of the user's list only what is not older than the first intent; the service then says that it exists."""
    plan = plan_of(world, KINDS["create_own_package"])
    await world.scarf.bulk.run(plan)
    await age(world, "new", 1800)
    world.leave(plan, 0)
    report = await world.run(plan)
    assert world.arrived == [*KINDS["create_own_package"].absent, "GET /packages"]
    assert [outcome.status for outcome in report.outcomes] == ["failed"]


@pytest.mark.parametrize("in_the_plan", [True, False])
async def test_package_of_an_organization_is_not_the_users(world: World, in_the_plan: bool) -> None:
    """The user's list shows it too, of the same name and time; whether the run made it or an earlier call."""
    plan = BulkPlan()
    if in_the_plan:
        plan.create_package(package("new"), organization="acme")
    else:
        await world.scarf.packages.create(package("new"), organization="acme")
    own = plan.create_package(package("new"))
    world.emulator.faults.add(FaultRule("POST", "/packages", 1, 503))
    report = await world.scarf.bulk.run(plan, concurrency=1)
    assert report.succeeded == report.outcomes, str(report)
    made = report[own].result
    assert made is not None
    assert made.owner == world.emulator.user
    assert await world.scarf.bulk.verify(plan) == []


async def test_each_owner_is_asked_for_once(world: World) -> None:
    """However many creates were lost, and however often each is looked for."""
    plan = BulkPlan()
    for number in range(5):
        await world.scarf.packages.create(package(f"p{number}"), "acme")
        plan.create_package(package(f"p{number}"))
    world.emulator.faults.add(FaultRule("POST", "/packages", 1, 503))
    world.emulator.faults.add(FaultRule("POST", "/packages", 3, "drop_after"))
    world.emulator.requests.clear()
    report = await world.scarf.bulk.run(plan, concurrency=1)
    assert [getattr(outcome.result, "owner", None) for outcome in report] == [world.emulator.user] * 5
    assert Counter(world.arrived)["GET /organizations/acme"] == Counter(world.arrived)[OWNER] == 1


async def test_owner_that_cannot_be_asked_for_leaves_the_outcome_unknown(world: World) -> None:
    """Whose the package is nobody knows then: it is neither taken nor created once more."""
    plan = plan_of(world, KINDS["create_own_package"])
    world.emulator.faults.add(FaultRule("POST", "/packages", 1, "drop_after"))
    world.emulator.faults.add(FaultRule("GET", "/organizations/*", None, 403))
    report = await world.scarf.bulk.run(plan)
    assert [outcome.status for outcome in report.outcomes] == ["unknown"]
    assert len(world.emulator.requests_for("POST", "/packages")) == 1


async def test_absent_create_is_looked_for_twice_with_time_between(world: World) -> None:
    """By a clock that does not move: after the first look the whole of `settle`, and then the second."""
    sleeps: list[tuple[float, int]] = []

    class Still(Clock):
        def monotonic(self) -> float:
            return 1000.0

        async def sleep(self, seconds: float) -> None:
            sleeps.append((seconds, len(world.emulator.requests)))
            await asyncio.sleep(0)

    emulator, plan = world.emulator, plan_of(world, KINDS["create_package"])
    world.leave(plan, 0)
    async with client_of(emulator.url, token=emulator.token, retry=POLICY, clock=Still()) as world.scarf:
        await world.run(plan)
    assert world.arrived == KINDS["create_package"].absent
    assert [(round(seconds, 6), looks) for seconds, looks in sleeps if seconds] == [(SETTLE, 1)]


async def test_run_that_is_stopped_before_it_looked_says_unknown(world: World) -> None:
    """It is not skipped: it was sent once. The next run looks."""
    plan = plan_of(world, KINDS["create_package"])
    world.leave(plan, 0)
    stop = asyncio.Event()
    stop.set()
    report = await world.run(plan, stop=stop)
    assert [outcome.status for outcome in report.outcomes] == ["unknown"]
    assert world.arrived == []
    assert (await world.run(plan)).outcomes[0].status == "succeeded"
    assert world.arrived == KINDS["create_package"].absent


async def test_what_stands_there_and_differs_stays_unknown(world: World) -> None:
    """Nobody can tell whose it is; it is not sent again, run after run."""
    plan = plan_of(world, KINDS["create_package"])
    await world.scarf.packages.create(PackageUpsert(name="new", short_description="another's"), "acme")
    world.leave(plan, 0)
    for _ in range(2):
        report = await world.run(plan)
        assert [outcome.status for outcome in report.outcomes] == ["unknown"]
        assert isinstance(report.outcomes[0].error, OutcomeUnknownError)
        assert world.arrived == [LIST]


# Many at once


def packages(number: int) -> BulkPlan:
    """As many packages of one organization."""
    plan = BulkPlan()
    for index in range(number):
        plan.create_package(package(f"p{index}"), "acme")
    return plan


@pytest.mark.parametrize("concurrency", [1, 32, 200])
@pytest.mark.parametrize("ago", [LONG_AGO, JUST_NOW])
async def test_one_listing_settles_all_open_creates(world: World, concurrency: int, ago: float) -> None:
    """100 packages that are there: one request in the whole run."""
    plan = packages(100)
    first = await world.scarf.bulk.run(plan)
    world.leave(plan, *range(100), ago=ago)
    report = await world.run(plan, concurrency=concurrency)
    assert world.arrived == [LIST]
    assert report.requests == 1
    assert len(report.succeeded) == 100
    assert [outcome.result for outcome in report.outcomes] == [outcome.result for outcome in first.outcomes]


@pytest.mark.parametrize("concurrency", [1, 32, 200])
async def test_two_listings_settle_what_is_absent(world: World, concurrency: int) -> None:
    """Of 100 packages half is there: two listings, and then exactly the other half is sent."""
    plan = packages(100)
    async with asyncio.TaskGroup() as group:
        for index in range(0, 100, 2):
            group.create_task(world.scarf.packages.create(package(f"p{index}"), "acme"))
    world.leave(plan, *range(100))
    report = await world.run(plan, concurrency=concurrency)
    assert len(report.succeeded) == 100
    assert world.arrived.count(LIST) == 2
    assert len(world.arrived) == 52
    assert [outcome.reconciled for outcome in report.outcomes] == [True, False] * 50
    assert len(await world.scarf.packages.list("acme")) == 103


async def test_lists_of_different_owners_are_read_each_once(world: World) -> None:
    """Organizations, the user, and the routes and domains of a package."""
    plan = BulkPlan()
    for index in range(10):
        plan.create_package(package(f"p{index}"), "acme")
        plan.create_package(package(f"p{index}"), "globex")
        plan.create_package(package(f"p{index}"))
        plan.create_route(one(world.base), route(f"/new{index}"))
        plan.create_domain(one(world.base), DomainCreate(f"new{index}.example"))
    (await world.scarf.bulk.run(plan)).raise_for_failures()
    world.leave(plan, *range(50))
    report = await world.run(plan)
    assert len(report.succeeded) == 50
    assert sorted(world.arrived) == sorted(
        [
            LIST,
            "GET /organizations/globex/packages",
            "GET /packages",
            # Of whom the packages of these names are.
            "GET /organizations/acme",
            "GET /organizations/globex",
            OWNER,
            "GET /packages/one/routes",
            "GET /packages/one/domains",
        ]
    )


async def test_listing_that_fails_is_made_again_for_those_who_come_later(world: World) -> None:
    """An error is shared by those who wait for it, and kept by nobody."""
    plan = packages(20)
    (await world.scarf.bulk.run(plan)).raise_for_failures()
    world.leave(plan, *range(20))
    world.emulator.faults.add(FaultRule("GET", "*", 1, 403))
    first = await world.run(plan, concurrency=10)
    # Of the first ten, those that were in progress when the error came.
    assert 1 < len(first.unknown) <= 10
    assert len(first.succeeded) == 20 - len(first.unknown)
    assert world.arrived == [LIST] * 2
    second = await world.run(plan)
    assert len(second.succeeded) == 20
    assert world.arrived == [LIST]


# What hangs together


async def test_dependents_use_what_the_journal_holds(world: World) -> None:
    """A package that an earlier run made is the package of the routes that this one makes."""
    plan = BulkPlan()
    web = plan.create_package(package("web", library_type="file"), "acme")
    refused = plan.create_route(web, route())
    after = plan.set_permission(web, "ann", "admin", after=refused)
    world.emulator.faults.add(FaultRule("POST", "*/routes", 1, 422))
    first = await world.run(plan)
    assert [outcome.status for outcome in first.outcomes] == ["succeeded", "failed", "skipped"]
    made = first[web].result
    assert made is not None
    second = await world.run(plan)
    assert [outcome.status for outcome in second.outcomes] == ["succeeded"] * 3
    assert second[web] == first[web]
    assert world.arrived == [f"POST /packages/{made.uuid}/routes", f"POST /packages/{made.uuid}/permissions"]
    assert second[after].status == "succeeded"


async def test_renaming_waits_until_what_names_the_old_name_is_settled(hasty: World) -> None:
    """Under the new name it could not be looked for any more."""
    plan = BulkPlan()
    plan.create_package(package("web"), "acme")
    plan.update_organization("acme", organization("new"))
    hasty.emulator.faults.add(FaultRule("POST", "*/packages", None, "drop_after"))
    hasty.emulator.faults.add(FaultRule("GET", "*/packages", 1, 403))
    first = await hasty.run(plan)
    assert [outcome.status for outcome in first.outcomes] == ["unknown", "skipped"]
    second = await hasty.run(plan)
    assert [outcome.status for outcome in second.outcomes] == ["succeeded"] * 2
    assert hasty.arrived == [LIST, "PUT /organizations/acme"]


async def test_arrays_send_only_what_is_left(world: World) -> None:
    """Of 30 permissions those that were refused, and not those that were set."""
    plan = BulkPlan()
    for user in range(30):
        plan.set_permission(one(world.base), "unknown-1" if user == 7 else f"user{user}", "member")
    first = await world.run(plan)
    assert first.counts == {"succeeded": 29, "failed": 1, "unknown": 0, "skipped": 0}
    await world.run(plan)
    (again,) = world.emulator.requests
    assert [entry["userQuery"] for entry in json.loads(again.body)] == ["unknown-1"]
