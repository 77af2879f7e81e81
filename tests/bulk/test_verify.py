"""Does the service show what a plan asked for? Every kind of difference, and none where there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import attrs
import pytest

from scarf_async import (
    BulkPlan,
    Difference,
    DomainCreate,
    Organization,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    PermissionDeniedError,
    PermissionLevel,
    Ref,
    RetryPolicy,
    Role,
    RouteCreate,
    Scarf,
)
from scarf_async.emulator import Emulator, FaultRule, Faults

from .service import client_of

ROUTE = RouteCreate("https://acme.example/{v}", "/dl")


def organization(name: str = "acme", description: str = "", **fields: str) -> OrganizationUpsert:
    """An organization to create, or to change to."""
    return OrganizationUpsert(name=name, description=description, billing_email="", **fields)


def package(name: str = "web", **fields: str) -> PackageUpsert:
    """A package to create, or to change to."""
    return PackageUpsert(**{"name": name, "short_description": "", "library_type": "file", **fields})


@attrs.define
class World:
    """An organization with a member, and a package with one of everything, and who may look at it."""

    scarf: Scarf
    uuid: str
    route_id: str
    domain_id: str

    async def differences(self, plan: BulkPlan) -> list[tuple[int, object, object]]:
        """What does not show, as a client sees it that may change nothing."""
        found = await self.scarf.with_options(read_only=True).bulk.verify(plan)
        return [(difference.operation.index, difference.expected, difference.found) for difference in found]


@pytest.fixture
async def world(scarf: Scarf) -> World:
    """A small world that is as `agrees` says."""
    await scarf.organizations.create(organization(description="Tools"))
    await scarf.members.upsert("acme", "Ann", "admin")
    made = await scarf.packages.create(package(), "acme")
    await scarf.permissions.set(made, [])
    plan = BulkPlan()
    plan.set_permission(made, "Ann", "admin")
    await scarf.bulk.run(plan)
    route = await scarf.routes.create(made, ROUTE)
    domain = await scarf.domains.create(made, DomainCreate("DL.acme.example"))
    return World(scarf, made.uuid, route.id, domain.id)


def agrees(world: World) -> BulkPlan:
    """A plan that asks for what exists, in other letters where these do not count."""
    plan = BulkPlan()
    plan.update_organization("acme", organization(description="Tools"))
    plan.upsert_member("acme", " ann ", "admin")
    plan.remove_member("acme", "bob")
    plan.update_package(world.uuid, package())
    plan.set_permission(world.uuid, "ANN", "admin")
    plan.set_permission(world.uuid, "bob", "default")
    plan.set_permission(world.uuid, "eve@acme.example", "blocked")
    plan.create_route(world.uuid, ROUTE)
    plan.delete_route(world.uuid, "gone")
    plan.create_domain(world.uuid, DomainCreate("dl.ACME.example"))
    plan.delete_domain(world.uuid, "gone")
    plan.delete_package("gone")
    plan.create_package(package(), "acme")
    return plan


async def test_nothing_differs_where_all_is_as_asked_for(world: World) -> None:
    """Letter case of users and domains, permissions by e-mail, and `default` where nothing is set, are alike."""
    assert await world.differences(agrees(world)) == []


async def test_empty_plan_reads_nothing(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """And nothing differs."""
    assert await scarf.bulk.verify(BulkPlan()) == []
    assert scarf_emulator.requests == []


async def test_each_list_is_read_once(world: World, scarf_emulator: Emulator) -> None:
    """However many operations touch it."""
    plan = agrees(world)
    for number in range(50):
        plan.upsert_member("acme", f"user{number}", "member")
        plan.set_permission(world.uuid, f"user{number}", "member")
        plan.create_package(package(f"web{number}"), "acme")
        plan.create_package(package(f"own{number}"))
        plan.create_domain(world.uuid, DomainCreate(f"dl{number}.acme.example"))
    scarf_emulator.requests.clear()
    await world.differences(plan)
    assert reads(scarf_emulator) == {
        "GET /organizations/acme": 1,
        "GET /organizations/acme/users": 1,
        "GET /organizations/acme/packages": 1,
        "GET /packages": 1,
        f"GET /packages/{world.uuid}/permissions": 1,
        f"GET /packages/{world.uuid}/routes": 1,
        f"GET /packages/{world.uuid}/domains": 1,
    }


def reads(emulator: Emulator) -> Counter[str]:
    """What arrived since it was last cleared."""
    return Counter(f"{request.method} {request.path.removeprefix('/api/v1')}" for request in emulator.requests)


async def test_packages_are_not_read_for_what_hangs_on_them(world: World, scarf_emulator: Emulator) -> None:
    """Their lists tell all: one request for each package."""
    uuids = [(await world.scarf.packages.create(package(f"web{number}"), "acme")).uuid for number in range(20)]
    plan = BulkPlan()
    for uuid in uuids:
        plan.set_permission(uuid, "ann", "admin")
    plan.set_permission("gone", "ann", "admin")
    scarf_emulator.requests.clear()
    assert len(await world.differences(plan)) == 21
    assert reads(scarf_emulator) == {f"GET /packages/{uuid}/permissions": 1 for uuid in [*uuids, "gone"]}


@pytest.mark.parametrize("known_by", ["the plan", "uuid"])
async def test_no_package_is_read_by_itself(world: World, scarf_emulator: Emulator, known_by: str) -> None:
    """Of 115 packages that are changed, with something on each, the list is read once, and what hangs on each."""
    plan = BulkPlan()
    made = [plan.create_package(package(f"web{number}"), "acme") for number in range(115)]
    report = await world.scarf.bulk.run(plan)
    uuids = [getattr(report[ref].result, "uuid", "") for ref in made]
    if known_by == "uuid":
        plan = BulkPlan()
    for number, (ref, uuid) in enumerate(zip(made, uuids, strict=True)):
        one = ref if known_by == "the plan" else uuid
        plan.update_package(one, package(f"web{number}"))
        plan.create_route(one, ROUTE)
        plan.delete_route(one, "gone")
    scarf_emulator.requests.clear()
    assert len(await world.differences(plan)) == 115
    listed = "GET /organizations/acme/packages" if known_by == "the plan" else "GET /packages"
    assert reads(scarf_emulator) == {listed: 1, **{f"GET /packages/{uuid}/routes": 1 for uuid in uuids}}


async def test_packages_changed_by_uuid_are_seen_in_one_list(world: World, scarf_emulator: Emulator) -> None:
    """That of the user's packages, which shows those of the user's organizations too."""
    own = await world.scarf.packages.create(package("own"))
    plan = BulkPlan()
    plan.update_package(world.uuid.upper(), package())
    plan.update_package(own, package("own", website="https://acme.example"))
    plan.delete_package("gone")
    other = plan.update_package("missing", package())
    scarf_emulator.requests.clear()
    differences = await world.differences(plan)
    assert [(index, found) for index, _, found in differences] == [(1, own), (other.index, None)]
    assert reads(scarf_emulator) == {"GET /packages": 1}


async def test_package_of_an_organization_is_not_the_users(world: World, scarf_emulator: Emulator) -> None:
    """The user's list shows it under the same name; each owner of such a one is asked for once."""
    plan = BulkPlan()
    for number in range(3):
        await world.scarf.packages.create(package(f"web{number}"), "acme")
        plan.create_package(package(f"web{number}"))
    own = await world.scarf.packages.create(package("web1"))
    scarf_emulator.requests.clear()
    assert [index for index, *_ in await world.differences(plan)] == [0, 2]
    assert reads(scarf_emulator) == {
        "GET /packages": 1,
        "GET /organizations/acme": 1,
        f"GET /organizations/{own.owner}": 1,
    }


async def test_spellings_of_one_organization_are_read_once(world: World, scarf_emulator: Emulator) -> None:
    """And the last of its names has the last word."""
    plan = BulkPlan()
    plan.upsert_member("acme", "ann", "admin")
    plan.upsert_member("Acme", "bob", "member")
    plan.create_package(package("acme/web"), " acme")
    scarf_emulator.requests.clear()
    assert [index for index, *_ in await world.differences(plan)] == [1]
    assert reads(scarf_emulator) == {"GET /organizations/acme/users": 1, "GET /organizations/acme/packages": 1}


async def test_organization_that_is_only_respelled_is_read_by_its_last_name(world: World) -> None:
    """However the other operations spell it."""
    plan = BulkPlan()
    plan.update_organization("acme", organization("Acme", "Tools"))
    plan.upsert_member("acme", "ann", "admin")
    plan.upsert_member("Acme", "Ann", "admin")
    await world.scarf.organizations.update("acme", organization("Acme", "Tools"))
    assert await world.differences(plan) == []


CASES: list[tuple[str, Callable[[BulkPlan, World], object], object, type | object]] = [
    (
        "organization that differs",
        lambda plan, _: plan.update_organization("acme", organization(description="Other")),
        organization(description="Other"),
        Organization,
    ),
    (
        "organization that is not there",
        lambda plan, _: plan.create_organization(organization("globex")),
        organization("globex"),
        None,
    ),
    (
        "member with another role",
        lambda plan, _: plan.upsert_member("acme", "ann", "owner"),
        Role.OWNER,
        Role.ADMIN,
    ),
    ("member that is not there", lambda plan, _: plan.upsert_member("acme", "bob", "member"), Role.MEMBER, None),
    ("member of nothing", lambda plan, _: plan.upsert_member("globex", "bob", "member"), Role.MEMBER, None),
    ("member that is still there", lambda plan, _: plan.remove_member("acme", "ANN"), None, "Ann"),
    (
        "package that is not there",
        lambda plan, _: plan.create_package(package("new"), "acme"),
        package("new"),
        None,
    ),
    (
        "package that differs",
        lambda plan, _: plan.create_package(package(website="https://acme.example"), "acme"),
        package(website="https://acme.example"),
        Package,
    ),
    (
        "package with another name",
        lambda plan, world: plan.update_package(world.uuid, package("renamed")),
        package("renamed"),
        Package,
    ),
    ("change of nothing", lambda plan, _: plan.update_package("gone", package()), package(), None),
    ("package that is still there", lambda plan, world: plan.delete_package(world.uuid), None, Package),
    (
        "permission of another level",
        lambda plan, world: plan.set_permission(world.uuid, "ann", "member"),
        PermissionLevel.MEMBER,
        PermissionLevel.ADMIN,
    ),
    (
        "permission that is not there",
        lambda plan, world: plan.set_permission(world.uuid, "bob", "member"),
        PermissionLevel.MEMBER,
        None,
    ),
    (
        "permission that should be none",
        lambda plan, world: plan.set_permission(world.uuid, "ann", "default"),
        PermissionLevel.DEFAULT,
        PermissionLevel.ADMIN,
    ),
    (
        "permission on nothing",
        lambda plan, _: plan.set_permission("gone", "ann@acme.example", "member"),
        PermissionLevel.MEMBER,
        None,
    ),
    (
        "route that is not there",
        lambda plan, world: plan.create_route(world.uuid, RouteCreate("https://acme.example/{v}", "/other")),
        RouteCreate("https://acme.example/{v}", "/other"),
        None,
    ),
    ("route on nothing", lambda plan, _: plan.create_route("gone", ROUTE), ROUTE, None),
    (
        "domain that is not there",
        lambda plan, world: plan.create_domain(world.uuid, DomainCreate("other.example")),
        DomainCreate("other.example"),
        None,
    ),
]


@pytest.mark.parametrize(
    ("add", "expected", "found"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
async def test_difference_says_what_was_expected_and_what_was_found(
    world: World, add: Callable[[BulkPlan, World], object], expected: object, found: type | object
) -> None:
    """Among operations that are all carried out."""
    plan = BulkPlan()
    plan.remove_member("acme", "nobody")
    add(plan, world)
    plan.remove_member("acme", "nobody else")
    ((index, wanted, shown),) = await world.differences(plan)
    assert index == 1
    assert wanted == expected
    if isinstance(found, type):
        assert isinstance(shown, found)
    else:
        assert getattr(shown, "username", shown) == found


async def test_routes_and_domains_that_are_still_there_are_differences(world: World) -> None:
    """By their ids."""
    plan = BulkPlan()
    plan.delete_route(world.uuid, world.route_id)
    plan.delete_domain(world.uuid, world.domain_id)
    assert [(index, wanted) for index, wanted, _ in await world.differences(plan)] == [(0, None), (1, None)]


async def test_difference_can_be_shown(world: World) -> None:
    """In a sentence that names the operation."""
    plan = BulkPlan()
    plan.upsert_member("acme", "ann", "owner")
    plan.remove_member("acme", "ann", after=Ref(plan, 0))
    plan.upsert_member("acme", "bob", "member")
    (still, missing) = await world.scarf.bulk.verify(plan)
    assert isinstance(still, Difference)
    assert str(still).startswith("#1 remove_member acme, ann: expected nothing, found Member(")
    assert str(missing) == "#2 upsert_member acme, bob, member: expected member, found nothing"


# Which operation has the last word


async def test_last_of_several_values_counts(world: World) -> None:
    """In the order that `after` gives them."""
    plan = BulkPlan()
    first = plan.upsert_member("acme", "ann", "member")
    second = plan.remove_member("acme", "ANN", after=first)
    plan.upsert_member("acme", "ann", "admin", after=second)
    one = plan.set_permission(world.uuid, "ann", "blocked")
    plan.set_permission(world.uuid, "Ann", "admin", after=one)
    assert await world.differences(plan) == []


async def test_nothing_that_hangs_on_a_deleted_package_is_compared(world: World) -> None:
    """Wherever in the plan its deletion is."""
    plan = BulkPlan()
    web = plan.create_package(package("new"), "acme")
    plan.delete_package(web)
    plan.set_permission(web, "ann", "member")
    plan.create_route(web, ROUTE)
    plan.update_package(web, package("newer"))
    plan.delete_package("gone")
    plan.create_domain("gone", DomainCreate("x.example"))
    assert await world.differences(plan) == []


async def test_deletion_counts_though_changes_were_added_later(world: World) -> None:
    """It is carried out last, and here it was not."""
    plan = BulkPlan()
    plan.delete_package(world.uuid)
    plan.update_package(world.uuid, package(website="https://acme.example"))
    ((index, wanted, _),) = await world.differences(plan)
    assert (index, wanted) == (0, None)


async def test_change_counts_though_the_creation_was_added_later(world: World) -> None:
    """An organization is created first, whatever the order in the plan."""
    plan = BulkPlan()
    plan.update_organization("acme", organization(description="Tools"))
    plan.create_organization(organization(description="At first"))
    assert await world.differences(plan) == []


async def test_renamed_organization_is_looked_for_under_its_last_name(world: World) -> None:
    """With its members and packages, whatever name they were given under."""
    plan = BulkPlan()
    plan.upsert_member("first", "Ann", "admin")
    plan.create_package(package(), "second")
    plan.update_organization("acme", organization(description="Tools"))
    plan.update_organization("second", organization("acme", "At last"))
    plan.update_organization("first", organization("second", "In between"))
    plan.create_organization(organization("first", "At first"))
    assert await world.differences(plan) == []


async def test_renaming_that_did_not_happen_is_a_difference(world: World) -> None:
    """Nothing is under the new name, and nobody is a member of it."""
    plan = BulkPlan()
    plan.update_organization("acme", organization("globex"))
    plan.upsert_member("globex", "ann", "admin")
    assert [(index, found) for index, _, found in await world.differences(plan)] == [(0, None), (1, None)]


async def test_two_renamings_in_a_circle_end(world: World) -> None:
    """A plan that no run would carry out can still be verified."""
    plan = BulkPlan()
    plan.update_organization("a", organization("b"))
    plan.update_organization("b", organization("a"))
    assert {found for _, _, found in await world.differences(plan)} == {None}


async def test_packages_of_one_name_are_told_apart_by_type(world: World) -> None:
    """Also where a change does not say the type again."""
    await world.scarf.packages.create(package(library_type="npm"), "acme")
    plan = BulkPlan()
    npm = plan.create_package(package(library_type="npm"), "acme")
    file = plan.create_package(package(), "acme")
    plan.update_package(npm, PackageUpsert(name="web", short_description=""))
    plan.update_package(file, PackageUpsert(name="web", short_description=""))
    plan.set_permission(file, "ann", "admin")
    plan.create_route(file, ROUTE)
    assert await world.differences(plan) == []
    plan.set_permission(npm, "ann", "admin")
    assert [index for index, *_ in await world.differences(plan)] == [6]


async def test_package_whose_renaming_failed_is_found_under_its_first_name(world: World) -> None:
    """The renaming is the one difference; what hangs on it is compared all the same."""
    plan = BulkPlan()
    web = plan.create_package(package(), "acme")
    plan.update_package(web, package("renamed"))
    plan.set_permission(web, "ann", "admin")
    ((index, _, found),) = await world.differences(plan)
    assert index == 1
    assert isinstance(found, Package)
    assert found.uuid == world.uuid


# What goes wrong


async def test_refused_read_is_an_error_and_no_difference(world: World, scarf_emulator: Emulator) -> None:
    """By itself, and not in a group."""
    scarf_emulator.faults.add(FaultRule("GET", "/organizations/acme/users", None, 403))
    with pytest.raises(PermissionDeniedError):
        await world.differences(agrees(world))


async def test_reads_are_tried_again(world: World, scarf_emulator: Emulator) -> None:
    """As those of plain calls."""
    scarf_emulator.faults = Faults(seed=3, status={503: 0.2, 429: 0.1}, drop_before=0.1)
    assert await world.differences(agrees(world)) == []
    assert scarf_emulator.faults.injected


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_differs_after_a_run_under_faults(scarf_emulator: Emulator, seed: int) -> None:
    """What the report says has succeeded does show."""
    scarf_emulator.faults = Faults(
        seed=seed, status={503: 0.05, 429: 0.05, 500: 0.03}, drop_before=0.03, drop_after=0.05
    )
    plan = BulkPlan()
    plan.create_organization(organization())
    for number in range(15):
        plan.upsert_member("acme", f"user{number}", "member")
    for number in range(4):
        web = plan.create_package(package(f"web{number}"), "acme")
        changed = plan.update_package(web, package(f"web{number}", website="https://acme.example"))
        for user in range(15):
            plan.set_permission(changed, f"user{user}", "member")
        plan.create_route(web, ROUTE)
        plan.create_domain(web, DomainCreate(f"dl{number}.acme.example"))
    plan.update_organization("acme", organization("globex", "Renamed"))
    policy = RetryPolicy(attempts=12, initial_delay=0.001, max_delay=0.01, settle=0.05)
    async with client_of(scarf_emulator.url, token=scarf_emulator.token, retry=policy) as client:
        report = await client.bulk.run(plan, permission_batch=4)
        report.raise_for_failures()
        assert await client.with_options(read_only=True).bulk.verify(plan) == []
