"""Bulk runs on v2: what joins, what is read, what is not sent, and what v2 cannot do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, Literal

import attrs
import pytest

from scarf_async import (
    UNSET,
    APIError,
    BulkPlan,
    DomainCreate,
    JournalError,
    OrganizationUpsert,
    Package,
    PackageKey,
    PackageUpsert,
    PermissionLevel,
    Ref,
    RetryPolicy,
    RouteCreate,
    Scarf,
    UnsupportedError,
    ValidationError,
    WriteConfirmedError,
)
from scarf_async.emulator import Emulator, FaultRule, Quirks

POLICY: Final = RetryPolicy(initial_delay=0.001, max_delay=0.01, settle=0.02)
FILE: Final = PackageUpsert(name="dl", short_description="", library_type="file")
ROUTE: Final = RouteCreate("https://acme.example/x", "/x")
OTHER: Final = RouteCreate("https://acme.example/y", "/y")
IMAGE: Final = PackageUpsert(
    name="acme/web",
    short_description="",
    library_type="docker",
    backend_url="https://ghcr.io/acme/web",
    public_url="https://Images.Acme.example/acme/web",
)
ROUTES: Final = "GET /v2/packages/acme/it/routes"


@attrs.define
class World:
    """An emulator with an organization, and a client of its v2."""

    emulator: Emulator
    scarf: Scarf

    def client(self, **options: str) -> Scarf:
        """A further client of the same emulator."""
        emulator = self.emulator
        options = {"api": "v2", "owner": "acme", "base_url": emulator.url, "v2_url": emulator.v2_url, **options}
        return Scarf(emulator.token, retry=POLICY, timeout=1.0, **options)  # type: ignore[arg-type] # each is a text

    def arrived(self, it: str | None = None) -> list[str]:
        """Method and path of what arrived, with a package's id called `it`."""
        told = [f"{one.method} {one.path}".replace("/api/v2", "/v2") for one in self.emulator.requests]
        return told if it is None else [line.replace(it, "it") for line in told]

    async def package(self, upsert: PackageUpsert = FILE, *routes: RouteCreate) -> Package:
        """A package that is there, made through v1."""
        async with self.client(api="v1") as scarf:
            package = await scarf.packages.create(upsert, "acme")
            for route in routes:
                await scarf.routes.create(package, route)
        self.emulator.requests.clear()
        return package


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A world whose organizations have permissions."""
    async with Emulator(quirks=Quirks(permissions_of_organizations="works")) as emulator:
        async with Scarf(emulator.token, base_url=emulator.url) as scarf:
            await scarf.organizations.create(
                OrganizationUpsert(name="acme", description="", billing_email="pay@acme.example")
            )
            await scarf.members.upsert("acme", "ann", "member")
        emulator.requests.clear()
        world = World(emulator, scarf)
        async with world.client() as world.scarf:
            yield world


# What v2 cannot do


async def test_everything_that_v2_cannot_do_is_named_at_once(world: World) -> None:
    """Before anything is sent; what it can do is not among it."""
    plan = BulkPlan()
    plan.create_organization(OrganizationUpsert(name="new", description="", billing_email="a@b.example"))
    plan.upsert_member("acme", "bob", "member")
    plan.create_package(PackageUpsert(name="a", short_description="", library_type="other"))
    plan.create_package(PackageUpsert(name="b", short_description=""))
    alone = plan.create_package(FILE)
    plan.create_package(FILE)
    plan.set_permission(alone, "bob", "blocked")
    plan.set_permission(alone, "bob@acme.example", "admin")
    plan.set_permission(alone, "ann", "admin")
    plan.remove_member("acme", "invites")
    plan.update_organization("acme", OrganizationUpsert(name="acme", description="", billing_email=""))
    with pytest.raises(UnsupportedError, match="v2 cannot do 9 operations") as caught:
        await world.scarf.bulk.run(plan)
    assert list(caught.value.operations) == [plan[place] for place in (0, 2, 3, 4, 5, 6, 7, 9, 10)]
    assert world.arrived() == []


async def test_permission_that_is_accepted_vouches_for_no_other_level_user_or_package(world: World) -> None:
    """Neither on the same package nor on another one; a package whose id is a word of the service is refused."""
    plan = BulkPlan()
    for package in ("p", "q"):
        for user, level in (
            ("ann", PermissionLevel.ADMIN),
            ("bob", PermissionLevel.BLOCKED),
            ("ann", PermissionLevel.BLOCKED),
            ("b@c.example", PermissionLevel.ADMIN),
        ):
            plan.set_permission(package, user, level, after=[Ref(plan, len(plan) - 1)] if len(plan) else ())
    plan.set_permission("events", "ann", PermissionLevel.ADMIN)
    with pytest.raises(UnsupportedError) as caught:
        await world.scarf.bulk.run(plan)
    assert list(caught.value.operations) == [plan[place] for place in (1, 2, 3, 5, 6, 7, 8)]
    assert world.arrived() == []


async def test_everything_that_v1_cannot_do_is_named_at_once(world: World) -> None:
    """The level owner, importance, what is UNSET, routes without an address, and a change of a route."""
    plan = BulkPlan()
    plan.set_permission("p", "ann", "owner")
    plan.create_package(PackageUpsert(name="a", short_description="", importance="low"))
    plan.update_package("p", PackageUpsert(name="a", short_description=UNSET))
    plan.update_organization("acme", OrganizationUpsert(name="acme", description=UNSET, billing_email=UNSET))
    plan.create_route("p", RouteCreate(None, "/x"))
    plan.update_route("p", "r", ROUTE)
    plan.create_route("p", ROUTE)
    async with world.client(api="v1") as scarf:
        with pytest.raises(UnsupportedError) as caught:
            await scarf.bulk.run(plan)
    assert list(caught.value.operations) == list(plan)[:-1]
    assert world.arrived() == []


async def test_an_owner_that_nobody_names(world: World) -> None:
    """A bare id on a client without an owner: nothing is sent, and the error names the ways out."""
    plan = BulkPlan()
    plan.delete_package("p")
    emulator = world.emulator
    async with Scarf(emulator.token, api="v2", v2_url=emulator.v2_url) as scarf:
        with pytest.raises(ValidationError, match="SCARF_OWNER"):
            await scarf.bulk.run(plan)
    assert world.arrived() == []


# What joins


async def test_the_first_route_goes_with_its_package(world: World) -> None:
    """Of those that need nothing else; its result is read once, and the others are sent by themselves."""
    plan = BulkPlan()
    member = plan.upsert_member("acme", "bob", "member")
    package = plan.create_package(FILE)
    later = plan.create_route(package, OTHER, after=member)
    first = plan.create_route(package, ROUTE)
    report = await world.scarf.bulk.run(plan, concurrency=1)
    report.raise_for_failures()
    made = report[package].result
    assert made is not None
    create = "POST /v2/packages/acme"
    arrived = world.arrived(made.uuid)
    assert [line for line in arrived if "routes" in line or line == create] == [
        create,
        ROUTES,
        "POST /v2/packages/acme/it/routes",
    ]
    assert [getattr(report[ref].result, "template_path", None) for ref in (first, later)] == ["/x", "/y"]
    assert report[first].attempts == report[package].attempts == 1
    assert plan.estimate(api="v2").requests == {
        "upsert_member": 1,
        "create_package": 1,
        "create_route": 1,
        "read": 2,
    }
    assert report.requests == 5


async def test_routes_that_cannot_be_read_leave_the_route_unknown(world: World, tmp_path: Path) -> None:
    """The package has succeeded; a further run finds the route, and sends nothing."""
    plan = BulkPlan()
    package = plan.create_package(FILE)
    route = plan.create_route(package, ROUTE)
    world.emulator.faults.add(FaultRule("GET", "*/routes", 1, 403))
    first = await world.scarf.bulk.run(plan, journal=tmp_path / "journal")
    assert [outcome.status for outcome in first] == ["succeeded", "unknown"]
    assert isinstance(first[route].error, WriteConfirmedError)
    world.emulator.requests.clear()
    second = await world.scarf.bulk.run(plan, journal=tmp_path / "journal")
    assert [outcome.status for outcome in second] == ["succeeded"] * 2
    made = second[package].result
    assert made is not None
    assert world.arrived(made.uuid) == [ROUTES]
    assert second[route].reconciled


async def test_with_keep_and_the_package_there_nothing_joins(world: World) -> None:
    """The route is an operation by itself, whatever routes are there."""
    there = await world.package(FILE, OTHER)
    plan = BulkPlan()
    package = plan.create_package(FILE, if_exists="keep")
    route = plan.create_route(package, ROUTE)
    report = await world.scarf.bulk.run(plan)
    report.raise_for_failures()
    assert (report[package].unchanged, report[route].unchanged) == (True, False)
    assert world.arrived(there.uuid) == ["GET /v2/packages/acme", "POST /v2/packages/acme/it/routes"]


@pytest.mark.parametrize("routes", [(), (ROUTE,), (OTHER,)])
async def test_a_lost_create_of_a_package_with_a_route(world: World, routes: tuple[RouteCreate, ...]) -> None:
    """With ours, or with none, it is ours, and the route is found or sent; with others only nobody can tell."""

    async def appear() -> None:
        await world.package(FILE, *routes)

    plan = BulkPlan()
    package = plan.create_package(FILE)
    plan.create_route(package, ROUTE)
    world.emulator.faults.add(FaultRule("POST", "*/packages/acme", 1, 503))
    await appear()
    report = await world.scarf.bulk.run(plan)
    statuses = [outcome.status for outcome in report]
    assert statuses == (["unknown"] * 2 if routes == (OTHER,) else ["succeeded"] * 2)
    there = await world.scarf.packages.list()
    shown = await world.scarf.routes.list(there[0])
    assert (len(there), [one.template_path for one in shown]) == (1, ["/y" if routes == (OTHER,) else "/x"])


async def test_a_refused_package_takes_its_route_along(world: World, tmp_path: Path) -> None:
    """The package has failed and the route is skipped, as in v1; a further run sends both again."""
    plan = BulkPlan()
    package = plan.create_package(FILE)
    plan.create_route(package, ROUTE)
    world.emulator.faults.add(FaultRule("POST", "*", 1, 422))
    first = await world.scarf.bulk.run(plan, journal=tmp_path / "journal")
    assert [outcome.status for outcome in first] == ["failed", "skipped"]
    world.emulator.requests.clear()
    (await world.scarf.bulk.run(plan, journal=tmp_path / "journal")).raise_for_failures()
    assert [line.split()[0] for line in world.arrived()] == ["POST", "GET"]


async def test_the_domain_of_a_public_url_is_read_back(world: World) -> None:
    """It is not sent; another domain of the package is."""
    plan = BulkPlan()
    package = plan.create_package(IMAGE)
    came = plan.create_domain(package, DomainCreate("images.acme.example."))
    sent = plan.create_domain(package, DomainCreate("more.acme.example"))
    report = await world.scarf.bulk.run(plan)
    report.raise_for_failures()
    assert (report[came].attempts, report[sent].attempts) == (0, 1)
    assert getattr(report[came].result, "name", None) == "Images.Acme.example".lower()
    assert sum(line.startswith("POST") and "domains" in line for line in world.arrived()) == 1
    assert plan.estimate(api="v2").requests == {"create_package": 1, "create_domain": 1, "read": 1}
    assert await world.scarf.bulk.verify(plan) == []


# Permissions


async def test_permissions_go_one_by_one_in_order(world: World) -> None:
    """Of one package in the plan's order; a refused one holds up nothing, and is not a reason to read."""
    there = await world.package()
    plan = BulkPlan()
    for user in ("ann", "unknown-1", "bob"):
        plan.set_permission(there, user, "admin")
    report = await world.scarf.bulk.run(plan)
    assert [outcome.status for outcome in report] == ["succeeded", "failed", "succeeded"]
    assert world.arrived(there.uuid) == ["POST /v2/packages/acme/it/permissions"] * 3
    assert [b'"ann"' in one.body for one in world.emulator.requests] == [True, False, False]


@pytest.mark.parametrize("level", ["admin", "default"])
async def test_a_package_without_permissions_is_asked_once(
    world: World, level: Literal["admin", "default"]
) -> None:
    """The others fail with the first, unsent; another package goes on; `verify` finds nothing."""
    there, other = await world.package(), await world.package(attrs.evolve(FILE, name="other"))
    plan = BulkPlan()
    for user in ("ann", "bob", "cleo"):
        plan.set_permission(there, user, level)
    plan.set_permission(other, "ann", "admin")
    world.emulator.faults.add(FaultRule("*", f"*{there.uuid}/permissions*", None, 404))
    report = await world.scarf.bulk.run(plan)
    assert [outcome.status for outcome in report] == ["failed"] * 3 + ["succeeded"]
    assert [outcome.attempts for outcome in report] == [1, 0, 0, 1]
    first = report.outcomes[0].error
    assert isinstance(first, APIError)
    assert any("packages of users only" in note for note in first.__notes__)
    assert sum("it/permissions" in line for line in world.arrived(there.uuid)) == 2
    found = await world.scarf.bulk.verify(plan)
    assert [difference.found for difference in found] == [None] * 3


# Members


async def test_a_list_of_members_chooses_the_verb(world: World) -> None:
    """It is read once: who is a member with this role is left out, who is none is added at once."""
    plan = BulkPlan()
    plan.upsert_member("acme", "ann", "member")
    for user in ("bob", "cleo"):
        plan.upsert_member("acme", user, "admin")
    report = await world.scarf.bulk.run(plan)
    report.raise_for_failures()
    members = "/v2/organizations/acme/members"
    assert sorted(world.arrived()) == [f"GET {members}", f"POST {members}", f"POST {members}"]
    assert [(one.unchanged, one.attempts) for one in report] == [(True, 0), (False, 1), (False, 1)]
    assert plan.estimate(api="v2").requests == {"upsert_member": 3, "read": 1}


async def test_a_user_with_two_operations_is_not_looked_up(world: World) -> None:
    """What the list said may be over by then."""
    plan = BulkPlan()
    first = plan.upsert_member("acme", "ann", "admin")
    plan.upsert_member("acme", "ann", "member", after=first)
    report = await world.scarf.bulk.run(plan)
    report.raise_for_failures()
    assert world.arrived() == ["PUT /v2/organizations/acme/members/ann"] * 2


# Owners


def test_two_owners_of_one_id() -> None:
    """The id alone is the identity; case does not count."""
    plan = BulkPlan()
    plan.delete_route(PackageKey("acme", "p"), "r")
    plan.delete_route(PackageKey("ACME", "p"), "s")
    plan.delete_route("p", "t")
    with pytest.raises(ValidationError, match="belongs to acme in an earlier operation"):
        plan.delete_route(PackageKey("globex", "p"), "u")
    assert len(plan) == 3


async def test_an_owner_said_once_holds_for_the_id(world: World) -> None:
    """A bare id is the package of the key of the same id, not one of the client's owner."""
    there = await world.package(FILE, ROUTE)
    plan = BulkPlan()
    plan.set_permission(PackageKey("acme", there.uuid), "ann", "admin")
    plan.create_route(there.uuid, OTHER)
    async with world.client(owner="another") as scarf:
        (await scarf.bulk.run(plan)).raise_for_failures()


async def test_a_renamed_owner(world: World) -> None:
    """What is done on its packages comes before the renaming, or goes to the new name where it comes after."""
    there = await world.package(FILE, ROUTE)
    plan = BulkPlan()
    renamed = plan.update_organization(
        "acme", OrganizationUpsert(name="new", description="", billing_email="pay@acme.example")
    )
    plan.create_route(there, OTHER, after=renamed)
    plan.set_permission(there, "ann", "admin", after=plan.upsert_member("new", "bob", "member"))
    plan.create_domain(there, DomainCreate("dl.acme.example"))
    report = await world.scarf.bulk.run(plan)
    report.raise_for_failures()
    told = world.arrived(there.uuid)
    at = next(place for place, line in enumerate(told) if line == "PUT /v2/organizations/acme")
    assert told.index("POST /v2/packages/acme/it/domains") < at
    assert told.index("POST /v2/packages/new/it/routes") > at
    assert "POST /v2/packages/new/it/permissions" in told
    assert await world.scarf.bulk.verify(plan) == []


def test_files_keep_what_only_v2_has(tmp_path: Path) -> None:
    """Owners of keys, and what is UNSET."""
    plan = BulkPlan()
    plan.update_package(PackageKey("acme", "p"), PackageUpsert(name="a", short_description=UNSET))
    plan.update_organization("acme", OrganizationUpsert(name="acme", description=UNSET, billing_email=UNSET))
    plan.update_route("q", "r", RouteCreate(UNSET, "/x"))
    plan.dump(tmp_path / "plan")
    again = BulkPlan.load(tmp_path / "plan")
    assert again == plan
    assert getattr(again[0].call, "package", None) == PackageKey("acme", "p")
    again.dump(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "plan").read_bytes()


# Journals


def bare(plan: BulkPlan) -> None:
    """An operation that leaves the owner out."""
    plan.delete_route("p", "r")


def named(plan: BulkPlan) -> None:
    """An operation that names the owner."""
    plan.delete_route(PackageKey("acme", "p"), "r")


@pytest.mark.parametrize(
    ("add", "options", "words"),
    [
        (bare, {"api": "v1"}, "v2, and the client uses v1"),
        (named, {"api": "v1"}, "v2, and the client uses v1"),
        (bare, {"owner": "globex"}, "acme, and the client's is globex"),
        (bare, {"owner": "ACME"}, None),
        (named, {"owner": "globex"}, None),
    ],
)
async def test_journals_are_bound(
    world: World, tmp_path: Path, add: Callable[[BulkPlan], None], options: dict[str, str], words: str | None
) -> None:
    """To version and address, and to the owner where the plan leaves one out."""
    plan = BulkPlan()
    add(plan)
    await world.scarf.bulk.run(plan, journal=tmp_path / "journal")
    async with world.client(**options) as scarf:
        if words is None:
            await scarf.bulk.run(plan, journal=tmp_path / "journal")
            return
        world.emulator.requests.clear()
        with pytest.raises(JournalError, match=words):
            await scarf.bulk.run(plan, journal=tmp_path / "journal")
    assert world.arrived() == []


async def test_a_journal_of_v1_is_refused_to_v2(world: World, tmp_path: Path) -> None:
    """What names no version is v1's."""
    plan = BulkPlan()
    bare(plan)
    async with world.client(api="v1") as scarf:
        await scarf.bulk.run(plan, journal=tmp_path / "journal")
    assert b'"api"' not in (tmp_path / "journal").read_bytes()
    with pytest.raises(JournalError, match="v1, and the client uses v2"):
        await world.scarf.bulk.run(plan, journal=tmp_path / "journal")


# Routes, and what shows


async def test_a_route_is_changed(world: World) -> None:
    """One read and one write; `verify` compares it."""
    there = await world.package(FILE, ROUTE)
    (route,) = await world.scarf.routes.list(there)
    world.emulator.requests.clear()
    plan = BulkPlan()
    changed = plan.update_route(there, route.id, RouteCreate(UNSET, "/new"))
    assert [found.operation.index for found in await world.scarf.bulk.verify(plan)] == [0]
    report = await world.scarf.bulk.run(plan)
    assert getattr(report[changed].result, "outgoing_url", None) == ROUTE.outgoing_url
    assert await world.scarf.bulk.verify(plan) == []
    assert plan.estimate(api="v2").requests == {"update_route": 1, "read": 1}


async def test_addresses_are_compared(world: World) -> None:
    """The registry of an image, and the index of a python package, whichever word its type is."""
    plan = BulkPlan()
    image = plan.create_package(attrs.evolve(IMAGE, public_url=UNSET))
    index = PackageUpsert(
        name="lib", short_description="", library_type="pypi", repository_url="https://pypi.example/"
    )
    plan.create_package(index)
    report = await world.scarf.bulk.run(plan)
    report.raise_for_failures()
    assert await world.scarf.bulk.verify(plan) == []
    made = report[image].result
    assert made is not None
    await world.scarf.packages.update(
        made, PackageUpsert(name="acme/web", short_description="", backend_url="https://quay.io/acme/web")
    )
    assert [found.operation.index for found in await world.scarf.bulk.verify(plan)] == [0]
