"""Someone else changes things between comparing and applying."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import pytest

from scarf_async import (
    DomainCreate,
    JournalError,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    PermissionLevel,
    PermissionSet,
    Role,
    RouteCreate,
    Scarf,
    ScarfEvent,
    ValidationError,
)
from scarf_async.bulk.journal import Journal
from scarf_async.emulator import Emulator, FaultRule
from scarf_async.errors import GuardError
from scarf_async.manifests.changes import Changes
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec

ME = "emulator-user"
WANTED = Manifest(
    organizations=(
        OrganizationSpec(
            name="acme",
            description="Tools",
            members={ME: Role.OWNER, "ann": Role.OWNER, "cyd": Role.MEMBER},
            packages=(
                PackageSpec(
                    name="dl",
                    library_type="file",
                    short_description="Downloads",
                    permissions={"ann": PermissionLevel.ADMIN, "dee@acme.example": PermissionLevel.MEMBER},
                    routes=(RouteCreate("https://example.org/new", "/new"),),
                    domains=("new.example",),
                ),
                PackageSpec(name="cli", library_type="npm", permissions={"ann": PermissionLevel.ADMIN}),
            ),
        ),
        OrganizationSpec(name="umbra", members={"ann": Role.ADMIN}),
    )
)
CHANGES = 17


@attrs.frozen
class World:
    """Acme with a package, and what is to be changed there."""

    scarf: Scarf
    emulator: Emulator
    dl: Package
    changes: Changes


@pytest.fixture
async def world(scarf: Scarf, scarf_emulator: Emulator) -> World:
    """Every kind of change, each with something there or nothing."""
    await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
    for user, role in {"ann": Role.ADMIN, "bob": Role.MEMBER}.items():
        await scarf.members.upsert("acme", user, role)
    dl = await scarf.packages.create(PackageUpsert(name="dl", short_description="", library_type="file"), "acme")
    await scarf.packages.create(PackageUpsert(name="old", short_description="", library_type="npm"), "acme")
    await scarf.permissions.set(dl, [PermissionSet("ann", "member"), PermissionSet("bob", "member")])
    await scarf.routes.create(dl, RouteCreate("https://example.org/old", "/old"))
    await scarf.domains.create(dl, DomainCreate("old.example"))
    # Who has an address cannot be told from a username: nobody is removed for it.
    people = attrs.evolve(WANTED, people={"dee": "dee@acme.example", "bob": "bob@acme.example"})
    changes = await scarf.manifests.diff(people, prune=True)
    assert len(changes) == CHANGES
    assert changes.blocked == []
    scarf_emulator.requests.clear()
    return World(scarf, scarf_emulator, dl, changes)


def wrote(emulator: Emulator) -> bool:
    """Whether anything but reads arrived."""
    return any(request.method != "GET" for request in emulator.requests)


async def _update_organization(world: World) -> None:
    upsert = OrganizationUpsert(name="acme", description="Toys", billing_email="")
    await world.scarf.organizations.update("acme", upsert)


async def _create_organization(world: World) -> None:
    await world.scarf.organizations.create(OrganizationUpsert(name="umbra", description="X", billing_email=""))


async def _role(world: World) -> None:
    await world.scarf.members.upsert("acme", "bob", "admin")


async def _texts(world: World) -> None:
    upsert = PackageUpsert(name="dl", short_description="Else", library_type="file")
    await world.scarf.packages.update(world.dl.uuid, upsert)


async def _rename(world: World) -> None:
    upsert = PackageUpsert(name="dl2", short_description="", library_type="file")
    await world.scarf.packages.update(world.dl.uuid, upsert)


async def _new_package(world: World) -> None:
    upsert = PackageUpsert(name="cli", short_description="Else", library_type="npm")
    await world.scarf.packages.create(upsert, "acme")


async def _level(world: World) -> None:
    await world.scarf.permissions.set(world.dl, PermissionSet("ann", "blocked"))


async def _gone(world: World) -> None:
    await world.scarf.packages.delete(world.dl.uuid)


@pytest.mark.parametrize(
    ("meddle", "drifted", "why"),
    [
        (_update_organization, {"organization acme"}, "now description 'Toys'"),
        (_create_organization, {"organization umbra", "member umbra/ann"}, "now description 'X'"),
        (_role, {"member acme/bob"}, "now role 'admin'"),
        (_texts, {"package acme/dl"}, "now short_description 'Else'"),
        (_new_package, {"package acme/cli", "permission acme/cli/ann"}, "now short_description 'Else'"),
        (_level, {"permission acme/dl/ann"}, "now level 'blocked'"),
        (_rename, 8, "the package is called 'dl2'"),
        (_gone, 5, "it is not there"),
    ],
)
async def test_what_moved_is_left_alone(
    world: World, meddle: Callable[[World], Awaitable[None]], drifted: set[str] | int, why: str
) -> None:
    """It is told with the current state; the rest is done. As a whole, nothing is sent, and what moved is named."""
    await meddle(world)
    world.emulator.requests.clear()
    with pytest.raises(GuardError) as caught:
        await world.scarf.manifests.apply(world.changes, whole=True)
    assert why in str(caught.value)
    assert not wrote(world.emulator)
    report = await world.scarf.manifests.apply(world.changes)
    assert not report.ok
    if isinstance(drifted, int):
        assert report.counts["drifted"] == drifted
    else:
        assert {f"{change.kind} {change.target}" for change in report.drifted} == drifted
    assert report.drifted[0].note
    assert why in str(report)
    assert report.counts["done"] == CHANGES - report.counts["drifted"]


async def test_what_is_done_already_counts_as_done(world: World) -> None:
    """Someone else did the same in between: nothing is sent twice, and all is well."""
    assert (await world.scarf.manifests.apply(world.changes)).ok
    world.emulator.requests.clear()
    report = await world.scarf.manifests.apply(world.changes)
    assert report.ok
    assert report.counts["done"] == CHANGES
    assert len(report.found) == CHANGES - 1
    assert [change.name for change in report.sent] == ["dee@acme.example"]
    with pytest.raises(GuardError, match="it is already applied"):
        await world.scarf.manifests.apply(world.changes, whole=True)


async def test_few_requests_tell(world: World) -> None:
    """Only what the changes are about is read again, each list once."""
    changes = Changes(tuple(change for change in world.changes if change.kind == "permission" and change.uuid))
    world.emulator.requests.clear()
    await world.scarf.manifests.apply(changes)
    reads = [
        request.path.rpartition("/api/v1")[2] for request in world.emulator.requests if request.method == "GET"
    ]
    assert sorted(reads) == sorted(
        [
            "/organizations/acme",
            "/organizations/acme/packages",
            f"/packages/{world.dl.uuid}/permissions",
        ]
    )


async def test_who_is_still_an_owner_is_counted_again(scarf: Scarf) -> None:
    """The change that made the next owner drifted: the last owner stays, and nothing is sent."""
    await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
    await scarf.members.upsert("acme", "bob", "member")
    wanted = OrganizationSpec(name="acme", members={ME: Role.ADMIN, "bob": Role.OWNER})
    changes = await scarf.manifests.diff(Manifest(organizations=(wanted,)))
    await scarf.members.upsert("acme", "bob", "admin")
    with pytest.raises(GuardError, match="organization acme would be left without an owner"):
        await scarf.manifests.apply(changes)


async def test_a_journal_makes_it_all_or_nothing(world: World, tmp_path: Path) -> None:
    """It belongs to exactly these changes; a refusal leaves no journal that would be in the way."""
    await _role(world)
    world.emulator.requests.clear()
    with pytest.raises(GuardError, match="member acme/bob: now role 'admin'"):
        await world.scarf.manifests.apply(world.changes, journal=tmp_path / "journal")
    assert not wrote(world.emulator)
    assert not (tmp_path / "journal").exists()


async def test_the_earlier_effects_of_a_run_are_no_drift(world: World, tmp_path: Path) -> None:
    """A run that failed in places continues with the same changes and journal; what others moved stops it."""
    world.emulator.faults.add(FaultRule("POST", "/packages/*/routes", 1, action=422))
    world.emulator.faults.add(FaultRule("DELETE", "/organizations/acme/users/bob", 1, action=422))
    world.emulator.faults.add(FaultRule("POST", "/organizations/umbra/users", 1, action=422))
    first = await world.scarf.manifests.apply(world.changes, journal=tmp_path / "journal")
    assert first.counts["failed"] == 3
    await _role(world)
    with pytest.raises(GuardError, match="member acme/bob: now role 'admin'"):
        await world.scarf.manifests.apply(world.changes, journal=tmp_path / "journal")
    await world.scarf.members.upsert("acme", "bob", "member")
    second = await world.scarf.manifests.apply(world.changes, journal=tmp_path / "journal")
    assert second.counts["done"] == CHANGES
    assert await world.scarf.routes.list(world.dl) != []


async def test_a_journal_of_other_changes_is_refused(world: World, tmp_path: Path) -> None:
    """The error says what changes a journal continues with."""
    journal = tmp_path / "journal"
    assert (await world.scarf.manifests.apply(Changes(world.changes[:1]), journal=journal)).ok
    with pytest.raises(JournalError, match=r"belongs to another plan.*need a new journal"):
        await world.scarf.manifests.apply(Changes(world.changes[1:2]), journal=journal)


async def test_nobody_else_gets_the_journal_meanwhile(world: World, tmp_path: Path) -> None:
    """From the last look to the end of the run it is locked, at every moment."""
    journal = tmp_path / "journal"
    world.emulator.faults.add(FaultRule("POST", "/packages/*/routes", 1, action=422))
    await world.scarf.manifests.apply(world.changes, journal=journal)
    tried: list[str] = []

    def attempt(_: ScarfEvent) -> None:
        try:
            Journal.open(journal, plan="another", operations=1, server="")
        except JournalError as error:
            tried.append(str(error).removeprefix(f"journal {journal} "))

    async with Scarf(world.emulator.token, base_url=world.emulator.url, on_event=attempt) as scarf:
        assert (await scarf.manifests.apply(world.changes, journal=journal)).counts["done"] == CHANGES
    assert wrote(world.emulator)
    assert set(tried) == {"is in use by another run"}


async def test_a_refusal_unlocks_the_journal(world: World, tmp_path: Path) -> None:
    """It is free again for the next run, whatever refused this one."""
    journal = tmp_path / "journal"
    world.emulator.faults.add(FaultRule("DELETE", "/organizations/acme/users/bob", 1, action=422))
    await world.scarf.manifests.apply(world.changes, journal=journal)
    with pytest.raises(ValidationError, match="concurrency"):
        await world.scarf.manifests.apply(world.changes, journal=journal, concurrency=0)
    await _role(world)
    with pytest.raises(GuardError, match="now role 'admin'"):
        await world.scarf.manifests.apply(world.changes, journal=journal)
    await world.scarf.members.upsert("acme", "bob", "member")
    assert (await world.scarf.manifests.apply(world.changes, journal=journal)).counts["done"] == CHANGES


async def test_what_somebody_else_created_is_not_created_again(world: World, tmp_path: Path) -> None:
    """Where a journal goes on, only what its run may have sent is taken for its own effect."""
    world.emulator.faults.add(FaultRule("POST", "/packages/*/routes", 1, action=422))
    await world.scarf.manifests.apply(world.changes, journal=tmp_path / "journal")
    await world.scarf.routes.create(world.dl, RouteCreate("https://example.org/new", "/new"))
    with pytest.raises(GuardError, match="route acme/dl//new: it is already applied"):
        await world.scarf.manifests.apply(world.changes, journal=tmp_path / "journal")


async def test_what_was_on_its_way_is_looked_for(world: World, tmp_path: Path) -> None:
    """Killed before any outcome was written: all was done, and doing it again makes no difference."""
    journal = tmp_path / "journal"
    scarf = world.scarf.with_options(timeout=0.5)
    assert (await scarf.manifests.apply(world.changes, journal=journal)).ok
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"outcome"' not in line))
    state = await world.emulator.dump()
    report = await scarf.manifests.apply(world.changes, journal=journal, whole=True)
    assert report.counts["done"] == CHANGES, str(report)
    assert await world.emulator.dump() == state


async def test_a_lost_removal_is_done(world: World, tmp_path: Path) -> None:
    """A power cut took its line from the journal: what is gone is gone, and the run goes on."""
    journal = tmp_path / "journal"
    world.emulator.faults.add(FaultRule("POST", "/packages/*/routes", 1, action=422))
    assert (await world.scarf.manifests.apply(world.changes, journal=journal)).counts["failed"] == 1
    removals = {str(place) for place, change in enumerate(world.changes.applicable) if change.action == "remove"}
    lines = journal.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not re.search(rf'"(?:intent|outcome)":\[(?:{"|".join(removals)})\]', line)]
    assert len(kept) < len(lines)
    journal.write_text("".join(kept))
    report = await world.scarf.manifests.apply(world.changes, journal=journal)
    assert report.counts["done"] == CHANGES, str(report)


async def test_a_domain_moves_from_a_package_that_goes(scarf: Scarf) -> None:
    """The first time already, though a server gives a domain to one package only."""
    await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
    old = await scarf.packages.create(PackageUpsert(name="old", short_description="", library_type="file"), "acme")
    await scarf.domains.create(old, DomainCreate("dl.example"))
    new = PackageSpec(name="new", library_type="file", domains=("DL.example",))
    manifest = Manifest(organizations=(OrganizationSpec(name="acme", packages=(new,)),))
    changes = await scarf.manifests.diff(manifest, prune=True)
    report = await scarf.manifests.apply(changes)
    assert report.ok, str(report)
    assert list(await scarf.manifests.diff(manifest, prune=True)) == []
    assert len((await scarf.manifests.apply(changes)).found) == len(changes.applicable)


async def test_the_tokens_user_gives_up_its_role_last(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """An administrator who becomes a member makes all other changes of the organization before."""
    await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
    await scarf.members.upsert("acme", "bob", "owner")
    await scarf.members.upsert("acme", ME, "admin")
    levels = {"ann": PermissionLevel.ADMIN}
    packages = tuple(PackageSpec(name=f"p{n}", library_type="npm", permissions=levels) for n in range(5))
    members = {ME: Role.MEMBER, "cyd": Role.ADMIN}
    manifest = Manifest(organizations=(OrganizationSpec(name="acme", members=members, packages=packages),))
    changes = await scarf.manifests.diff(manifest)
    report = await scarf.manifests.apply(changes, me=ME.upper())
    assert report.ok, str(report)
    assert len(report.sent) == 12
    assert report.sent.applicable[-1].name == ME
    assert json.loads(scarf_emulator.requests[-1].body)["username"] == ME
