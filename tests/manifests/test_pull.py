"""Reading the live state: what is asked for, what is described, and what a service in motion answers."""

from __future__ import annotations

import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from scarf_async import (
    Domain,
    DomainCreate,
    Member,
    NotFoundError,
    Organization,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    Permission,
    PermissionLevel,
    PermissionSet,
    Role,
    Route,
    RouteCreate,
    Scarf,
    ServerError,
    ValidationError,
)
from scarf_async.emulator import Emulator
from scarf_async.emulator.faults import FaultRule
from scarf_async.manifests.live import Live, LiveOrganization, LivePackage
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.manifests.pull import described

ME = "emulator-user"
BACKEND, PUBLIC = "https://ghcr.io/acme/web", "https://acme.example/acme/web"
ACME = OrganizationSpec(
    name="acme",
    description="Tools",
    website="https://acme.example",
    billing_email="pay@acme.example",
    members={ME: Role.OWNER, "ann": Role.ADMIN},
    packages=(
        PackageSpec(
            name="web",
            library_type="docker",
            short_description="Web",
            long_description="",
            website="",
            permissions={"ann": PermissionLevel.ADMIN},
            domains=(PUBLIC.split("/")[2], "web.acme.example"),
        ),
        PackageSpec(
            name="dl",
            library_type="file",
            short_description="Downloads",
            long_description="All of them",
            website="https://dl.acme.example",
            permissions={},
            routes=(RouteCreate("https://example.org/{v}.tgz", "/{v}.tgz"),),
            domains=(),
        ),
        PackageSpec(
            name="cli",
            library_type="npm",
            short_description="",
            long_description="",
            website="",
            permissions={"bob": PermissionLevel.BLOCKED, "cyd": PermissionLevel.MEMBER},
        ),
    ),
)


@pytest.fixture
async def acme(scarf: Scarf, scarf_emulator: Emulator) -> Scarf:
    """A client of a service that has acme, a package of the user's own, and an organization beside."""
    await scarf.organizations.create(
        OrganizationUpsert(
            name="acme", description="Tools", website="https://acme.example", billing_email="pay@acme.example"
        )
    )
    await scarf.members.upsert("acme", "ann", "admin")
    web = await scarf.packages.create(
        PackageUpsert(
            name="web", short_description="Web", library_type="docker", backend_url=BACKEND, public_url=PUBLIC
        ),
        "acme",
    )
    await scarf.permissions.set(web, PermissionSet("ann", "admin"))
    await scarf.domains.create(web, DomainCreate("web.acme.example"))
    dl = await scarf.packages.create(
        PackageUpsert(
            name="dl",
            short_description="Downloads",
            long_description="All of them",
            website="https://dl.acme.example",
            library_type="file",
        ),
        "acme",
    )
    for _ in range(2):
        await scarf.routes.create(dl, RouteCreate("https://example.org/{v}.tgz", "/{v}.tgz"))
    cli = await scarf.packages.create(
        PackageUpsert(name="cli", short_description="", library_type="npm"), organization="acme"
    )
    await scarf.permissions.set(cli, [PermissionSet("bob", "blocked"), PermissionSet("cyd", "member")])
    await scarf.organizations.create(OrganizationUpsert(name="umbra", description="", billing_email=""))
    await scarf.packages.create(PackageUpsert(name="dark", short_description="", library_type="npm"), "umbra")
    await scarf.packages.create(PackageUpsert(name="mine", short_description="Mine", library_type="npm"))
    scarf_emulator.requests.clear()
    return scarf.with_options(read_only=True)


def paths(emulator: Emulator) -> list[str]:
    """What was asked for, without identifiers."""
    known = {
        "api",
        "v1",
        "organizations",
        "packages",
        "users",
        "permissions",
        "routes",
        "domains",
        "acme",
        "umbra",
        ME,
    }
    return sorted(
        "/".join(part if part in known else "*" for part in request.path.split("/")[3:])
        for request in emulator.requests
    )


async def test_pull_describes_what_is_there(acme: Scarf, scarf_emulator: Emulator) -> None:
    """All of it, in few requests; addresses are not returned, and equal routes are one."""
    assert await acme.manifests.pull("acme", "acme") == Manifest(organizations=(ACME,))
    assert paths(scarf_emulator) == sorted(
        [
            "organizations/acme",
            "organizations/acme/users",
            "organizations/acme/packages",
            *["packages/*/permissions"] * 3,
            "packages/*/routes",
            *["packages/*/domains"] * 2,
        ]
    )


@pytest.mark.parametrize("prune", [False, True])
async def test_what_was_pulled_differs_in_nothing(acme: Scarf, prune: bool) -> None:
    """Nothing is to be changed in the live state so that it becomes what it is."""
    manifest = await acme.manifests.pull("acme", "umbra", user_packages=True)
    assert [spec.name for spec in manifest.packages or ()] == ["mine"]
    assert list(await acme.manifests.diff(manifest, prune=prune)) == []


async def test_what_a_manifest_does_not_speak_of_is_not_read(acme: Scarf, scarf_emulator: Emulator) -> None:
    """Neither sections that are None, nor what hangs on packages that it does not name."""
    await acme.manifests.diff(Manifest())
    assert paths(scarf_emulator) == []
    await acme.manifests.diff(Manifest(organizations=(OrganizationSpec(name="acme"),)), prune=True)
    assert paths(scarf_emulator) == ["organizations/acme"]
    scarf_emulator.requests.clear()
    specs = (
        PackageSpec(name="web", permissions={}),
        PackageSpec(name="acme/dl", routes=()),
        PackageSpec(name="cli", routes=(), domains=()),
        PackageSpec(name="new", permissions={"ann": PermissionLevel.ADMIN}),
    )
    await acme.manifests.diff(Manifest(organizations=(OrganizationSpec(name="acme", packages=specs),)))
    assert paths(scarf_emulator) == [
        "organizations/acme",
        "organizations/acme/packages",
        "packages/*/permissions",
        "packages/*/routes",
    ]


async def test_an_organization_that_is_not_there_is_one_to_create(acme: Scarf, scarf_emulator: Emulator) -> None:
    """It is not an error to compare with it, and nothing more is asked of it; to describe it is one."""
    spec = attrs.evolve(ACME, name="nova", packages=ACME.packages[1:] if ACME.packages else ())
    changes = await acme.manifests.diff(Manifest(organizations=(spec,), me=ME))
    assert dict(changes.counts) | {"create": 0} == dict.fromkeys(changes.counts, 0)
    assert changes.counts["create"] == 1 + 1 + 2 + 1 + 2
    assert len(scarf_emulator.requests) == 1
    with pytest.raises(NotFoundError):
        await acme.manifests.pull("acme", "nova")


# Whose packages are the user's own.


async def test_the_users_own_packages_are_of_the_owner_who_is_no_organization(
    acme: Scarf, scarf_emulator: Emulator
) -> None:
    """The list shows organizations' packages too: of each owner in it is asked whether it is an organization."""
    manifest = await acme.manifests.pull(user_packages=True)
    assert manifest.me == ME
    assert manifest.packages == (
        PackageSpec(
            name="mine",
            library_type="npm",
            short_description="Mine",
            long_description="",
            website="",
            permissions={},
        ),
    )
    assert paths(scarf_emulator) == sorted(
        [
            "packages",
            "organizations/acme",
            "organizations/umbra",
            f"organizations/{ME}",
            "packages/*/permissions",
        ]
    )


async def test_a_manifest_can_say_whose_the_token_is(acme: Scarf, scarf_emulator: Emulator) -> None:
    """Then nobody is asked, and the case of the name does not matter."""
    changes = await acme.manifests.diff(Manifest(packages=(), me=ME.upper()), prune=True)
    assert [change.package for change in changes.removals] == ["mine"]
    assert paths(scarf_emulator) == ["packages"]


async def test_nobody_is_taken_for_the_user_by_chance(acme: Scarf, scarf_emulator: Emulator) -> None:
    """Where two owners are not organizations that can be seen, it is not guessed."""
    scarf_emulator.faults.add(FaultRule("GET", "*/organizations/umbra", nth=None, action=404))
    with pytest.raises(ValidationError, match=f"the token's user may be '{ME}' or 'umbra'.*say it in the manifest"):
        await acme.manifests.diff(Manifest(packages=()), prune=True)


async def test_without_packages_of_their_own_nobody_has_to_be_known(scarf: Scarf) -> None:
    """An empty list is an empty section."""
    assert await scarf.manifests.pull(user_packages=True) == Manifest(packages=())


async def test_packages_whose_owner_does_not_show_are_nobodys() -> None:
    """They are not asked after, and least of all pruned."""

    async def packages(_: web.Request) -> web.Response:
        return web.json_response([{"uuid": "u", "name": "web"}])

    application = web.Application()
    application.router.add_get("/api/v1/packages", packages)
    async with TestServer(application) as server, Scarf("token", base_url=str(server.make_url("/api/v1"))) as scarf:
        assert list(await scarf.manifests.diff(Manifest(packages=()), prune=True)) == []


# What goes wrong.


async def test_the_first_error_ends_the_reading(acme: Scarf, scarf: Scarf, scarf_emulator: Emulator) -> None:
    """It is raised by itself, whatever else was in progress, and no more than that is read."""
    for number in range(40):
        await scarf.packages.create(
            PackageUpsert(name=f"cli{number}", short_description="", library_type="npm"), organization="umbra"
        )
    scarf_emulator.faults.add(FaultRule("GET", "*/permissions", nth=None, action=501))
    with pytest.raises(ServerError):
        await acme.manifests.pull("umbra")
    assert len(scarf_emulator.requests_for("GET", "*/permissions")) <= 32


async def test_what_goes_away_while_it_is_read_is_an_error(acme: Scarf, scarf_emulator: Emulator) -> None:
    """It is not taken for something to create."""
    scarf_emulator.faults.add(FaultRule("GET", "*/organizations/acme/users", nth=None, action=404))
    with pytest.raises(NotFoundError):
        await acme.manifests.diff(Manifest(organizations=(ACME,)))


async def test_something_else_is_no_manifest(scarf: Scarf) -> None:
    """A name in its place is told apart."""
    with pytest.raises(ValidationError, match="manifest must be a Manifest; got str"):
        await scarf.manifests.diff("acme")  # type: ignore[arg-type] # the mistake that is tested


# What cannot be described.


def one(package: LivePackage) -> Live:
    """A state with one package of the user's own."""
    return Live(packages=(package,), me="ann")


WEB = Package(uuid="u", owner="ann", name="web", library_type="file")


def test_what_was_not_read_is_not_described() -> None:
    """None says nothing; an organization that is not there has its name alone."""
    assert described(Live(organizations={"acme": LiveOrganization()})) == Manifest(
        organizations=(OrganizationSpec(name="acme"),)
    )
    (spec,) = described(one(LivePackage(package=WEB))).packages or ()
    assert (spec.permissions, spec.routes, spec.domains) == (None, None, None)


def test_the_level_default_is_left_out() -> None:
    """It is the same as no entry."""
    live = LivePackage(package=WEB, permissions=(Permission("ann", "default"), Permission("bob", "admin")))
    (spec,) = described(one(live)).packages or ()
    assert spec.permissions == {"bob": PermissionLevel.ADMIN}


@pytest.mark.parametrize(
    ("live", "message"),
    [
        (
            one(LivePackage(package=WEB, permissions=(Permission("bob", "auditor"),))),
            "'bob' on the package 'web' has the level 'auditor', which this version does not know",
        ),
        (
            Live(
                organizations={
                    "acme": LiveOrganization(
                        organization=Organization(name="acme"), members=(Member(username="bob", role="guest"),)
                    )
                }
            ),
            "member 'bob' of 'acme' has the role 'guest', which this version does not know",
        ),
        (
            one(LivePackage(package=WEB, routes=(Route("r-1", "", "/a"),), domains=(Domain("d", "x.example"),))),
            r"cannot say the route 'r-1' \('/a'\): outgoing_url must not be empty",
        ),
    ],
)
def test_what_a_manifest_cannot_say_is_an_error(live: Live, message: str) -> None:
    """Leaving it out would have it removed by anyone who applies the description with prune."""
    with pytest.raises(ValidationError, match=message):
        described(live)


# There and back.


async def test_changes_that_are_run_leave_what_the_manifest_says(acme: Scarf, scarf: Scarf) -> None:
    """Owners change hands, a domain moves, an address is a person, and the second comparison finds nothing."""
    moved = OrganizationSpec(
        name="acme",
        description="Toys",
        website="",
        members={ME: Role.OWNER, "bob": Role.OWNER, "ann": Role.MEMBER},
        packages=(
            PackageSpec(name="web", library_type="docker", permissions={"ann": PermissionLevel.MEMBER}, domains=()),
            PackageSpec(
                name="dl",
                short_description="Files",
                permissions={"ann@acme.example": PermissionLevel.ADMIN},
                routes=(RouteCreate("https://example.org/new", "/new"),),
                domains=("WEB.acme.example",),
            ),
            PackageSpec(
                name="acme/img",
                library_type="docker",
                backend_url="https://ghcr.io/acme/img",
                permissions={"eve@acme.example": PermissionLevel.ADMIN},
                domains=("img.acme.example",),
            ),
        ),
    )
    manifest = Manifest(
        organizations=(moved, OrganizationSpec(name="nova", members={ME: Role.OWNER, "ann": Role.ADMIN})),
        packages=(PackageSpec(name="tool", library_type="npm", permissions={"bob": PermissionLevel.ADMIN}),),
        people={"ann": "Ann@acme.example", "eve": "eve@acme.example"},
        me=ME,
    )
    changes = await acme.manifests.diff(manifest, prune=True)
    report = await scarf.bulk.run(changes.to_plan())
    report.raise_for_failures()
    for outcome in report:
        assert changes.applicable[outcome.operation.index].kind in outcome.operation.kind
    again = await acme.manifests.diff(manifest, prune=True)
    assert [(change.action, change.package) for change in again] == [("uncompared", "acme/img")]
    pulled = await acme.manifests.pull("acme", "nova", user_packages=True)
    (told, nova) = pulled.organizations
    assert (told.description, told.website, told.billing_email) == ("Toys", "", "pay@acme.example")
    assert (told.members, nova.members) == (moved.members, {ME: Role.OWNER, "ann": Role.ADMIN})
    packages = {spec.name: spec for spec in told.packages or ()}
    assert packages.keys() == {"web", "dl", "acme/img"}
    assert packages["dl"].long_description == "All of them"
    assert packages["dl"].domains == ("WEB.acme.example",)
    assert packages["dl"].routes == (RouteCreate("https://example.org/new", "/new"),)
    assert packages["acme/img"].permissions == {"eve": PermissionLevel.ADMIN}
    assert [spec.name for spec in pulled.packages or ()] == ["tool"]


async def test_owners_change_hands(acme: Scarf, scarf: Scarf) -> None:
    """The new owner is made one before the last one ceases to be."""
    manifest = Manifest(organizations=(OrganizationSpec(name="acme", members={ME: Role.ADMIN, "ann": Role.OWNER}),))
    changes = await acme.manifests.diff(manifest)
    assert changes.ownerless == ()
    (await scarf.bulk.run(changes.to_plan())).raise_for_failures()
    assert list(await acme.manifests.diff(manifest, prune=True)) == []
