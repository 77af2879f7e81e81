"""Copies of organizations, on another server and on the same."""

from __future__ import annotations

from collections.abc import AsyncIterator

import attrs
import pytest

from scarf_async import (
    NotFoundError,
    OrganizationUpsert,
    PermissionLevel,
    Role,
    RouteCreate,
    Scarf,
    ValidationError,
)
from scarf_async.emulator import Emulator
from scarf_async.manifests.changes import Changes
from scarf_async.manifests.copying import Copying, Names
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec

from .served import client, fill
from .states import lines

ME = "emulator-user"
WEB = PackageSpec(
    name="acme/web",
    library_type="docker",
    short_description="Web",
    backend_url="https://ghcr.io/acme/web",
    permissions={"ann": PermissionLevel.ADMIN},
    domains=("web.example",),
)
DL = PackageSpec(
    name="dl",
    library_type="file",
    short_description="Downloads",
    permissions={"ann": PermissionLevel.ADMIN, "bob": PermissionLevel.MEMBER},
    routes=(RouteCreate("https://example.org/a", "/a"),),
    domains=("dl.example", "more.example"),
)
LIB = PackageSpec(
    name="lib", library_type="pypi", short_description="", repository_url="https://pypi.example/simple/"
)
ACME = Manifest(
    organizations=(
        OrganizationSpec(
            name="acme",
            description="Tools",
            website="https://acme.example",
            billing_email="pay@acme.example",
            members={ME: Role.OWNER, "ann": Role.ADMIN, "bob": Role.MEMBER},
            packages=(WEB, DL, LIB),
        ),
    )
)


@pytest.fixture
async def acme(scarf: Scarf) -> Scarf:
    """A client of a service that has acme."""
    await fill(scarf, ACME)
    return scarf


@pytest.fixture
async def other() -> AsyncIterator[Scarf]:
    """A client of another server."""
    async with Emulator() as emulator, client(emulator) as scarf:
        yield scarf


def shown(manifest: Manifest) -> Manifest:
    """What of a manifest the service returns; what is empty is said. What is created at once has no order."""
    return attrs.evolve(
        manifest,
        organizations=tuple(
            attrs.evolve(
                spec,
                packages=tuple(
                    attrs.evolve(
                        package,
                        long_description="",
                        website="",
                        backend_url=None,
                        public_url=None,
                        repository_url=None,
                        permissions=package.permissions or {},
                        routes=package.routes if package.library_type == "file" else None,
                        domains=tuple(sorted(package.domains or ())),
                    )
                    for package in sorted(spec.packages or (), key=lambda package: package.name)
                ),
            )
            for spec in manifest.organizations
        ),
    )


async def pulled(scarf: Scarf, name: str) -> Manifest:
    """What exists, in the order of names."""
    return shown(await scarf.manifests.pull(name))


async def test_a_copy_on_another_server_is_equal(acme: Scarf, other: Scarf) -> None:
    """With the addresses that a manifest knows; a second copy has nothing to do."""
    changes = await acme.manifests.changes_to_copy("acme", "acme", to=other, addresses=ACME)
    assert changes.blocked == []
    assert (await other.manifests.apply(changes)).ok
    assert await pulled(other, "acme") == shown(ACME)
    again = await acme.manifests.changes_to_copy("acme", "acme", to=other, prune=True, addresses=ACME)
    assert again.counts == {**Changes().counts, "uncompared": 2}
    assert all(change.kind == "package" for change in again)


async def test_a_copy_on_the_same_server_has_other_names(acme: Scarf, scarf_emulator: Emulator) -> None:
    """People, packages and domains as they are mapped; what cannot be there twice is left out, with a note."""

    async def changes() -> Changes:
        return await acme.manifests.changes_to_copy(
            "acme",
            "umbra",
            members={"Ann": "dee", "bob": None},
            packages={"web": "site", "lib": ""},
            domains={"DL.example.": "dl.umbra.example", "web.example": None},
            addresses=ACME,
            prune=True,
        )

    first = await changes()
    left_out = [change for change in first if change.action == "uncompared"]
    assert [(change.target, change.name) for change in left_out] == [("umbra/dl/more.example", "more.example")]
    assert "left out, since it belongs to acme" in left_out[0].note
    assert (await acme.manifests.apply(first)).ok
    (spec,) = (await pulled(acme, "umbra")).organizations
    assert (spec.description, spec.members) == ("Tools", {ME: Role.OWNER, "dee": Role.ADMIN})
    dl, web = spec.packages or ()
    assert (dl.permissions, dl.domains, dl.routes) == (
        {"dee": PermissionLevel.ADMIN},
        ("dl.umbra.example",),
        DL.routes,
    )
    assert (web.name, web.permissions, web.domains) == ("umbra/site", {"dee": PermissionLevel.ADMIN}, ())
    assert (await scarf_emulator.dump())["packages"]["umbra/docker/umbra/site"]["backendUrl"] == WEB.backend_url
    assert {change.action for change in await changes()} == {"uncompared"}


async def test_what_no_service_tells_is_said(acme: Scarf, other: Scarf) -> None:
    """Without addresses a docker package is blocked, and a package of python is created without, with a note."""
    changes = await acme.manifests.changes_to_copy("acme", "acme", to=other)
    (web,) = changes.blocked
    assert (web.target, "cannot be created without backend_url" in web.note) == ("acme/web", True)
    (lib,) = (change for change in changes if change.kind == "package" and change.package == "lib")
    assert "repository_url is not shown" in lib.note
    report = await other.manifests.apply(changes)
    assert (report.ok, report.counts["failed"], report.counts["blocked"]) == (False, 0, 1)
    again = await acme.manifests.changes_to_copy("acme", "acme", to=other, prune=True)
    assert [change.action for change in again] == ["blocked"]


async def test_what_the_source_lacks_goes_with_prune_only(acme: Scarf, other: Scarf) -> None:
    """A copy is a manifest like any other."""
    await other.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
    await other.members.upsert("acme", "eve", "member")
    kept = await acme.manifests.changes_to_copy("acme", "acme", to=other, addresses=ACME)
    assert kept.removals == []
    pruned = await acme.manifests.changes_to_copy("acme", "acme", to=other, addresses=ACME, prune=True)
    assert lines(pruned)[-1:] != []
    assert [change.name for change in pruned.removals] == ["eve"]


async def test_what_cannot_be_copied_is_refused(acme: Scarf) -> None:
    """Onto itself, and what is not there."""
    with pytest.raises(ValidationError, match="'acme' cannot be copied onto itself"):
        await acme.manifests.changes_to_copy("acme", "acme")
    with pytest.raises(NotFoundError):
        await acme.manifests.changes_to_copy("nobody", "acme")


def copied(members: Names = {}, addresses: Manifest = Manifest()) -> OrganizationSpec:  # noqa: B006, B008 # not changed
    """Acme as umbra on another server, without a request."""
    copying = Copying(
        source="acme",
        target="umbra",
        members=members,
        packages={},
        domains={},
        same_server=False,
        addresses=addresses,
    )
    (spec,) = copying.manifest(ACME).organizations
    return spec


def test_two_people_may_become_one_if_they_are_alike() -> None:
    """With two roles or levels it does not show which is meant."""
    with pytest.raises(ValidationError, match="two people of 'acme' become 'ANN', who would have two values"):
        copied({"bob": "ANN"})
    assert copied({ME: None, "bob": None, "ann": "dee"}).members == {"dee": Role.ADMIN}


def test_addresses_of_the_copy_come_before_those_of_the_source() -> None:
    """And a type need not be said."""
    target = PackageSpec(name="web", backend_url="https://quay.io/umbra/web")
    both = Manifest(organizations=(*ACME.organizations, OrganizationSpec(name="umbra", packages=(target,))))
    web, _, lib = copied(addresses=both).packages or ()
    assert (web.name, web.backend_url) == ("umbra/web", "https://quay.io/umbra/web")
    assert lib.repository_url == LIB.repository_url
