"""A service that spells names its own way: what it holds is found again, and nothing is changed on every run."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import attrs
import pytest

from scarf_async import (
    BulkPlan,
    DomainCreate,
    LibraryType,
    OrganizationUpsert,
    PackageUpsert,
    PermissionLevel,
    Role,
    RouteCreate,
    Scarf,
)
from scarf_async.emulator import Emulator, FaultRule
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.manifests.writing import write_manifest

from .respelling import respelling

ME: Final = "Ann"
JOSE: Final = "Jose\u0301"
MUNICH: Final = "DL.Mu\u0308nchen.example."

SPEC: Final = PackageSpec(
    name="Cafe\u0301",
    library_type=LibraryType.FILE,
    short_description="One line \n",
    long_description="First\r\nsecond\r\n",
    website="HTTPS://ACME.example:443?from=scarf",
    permissions={JOSE: PermissionLevel.ADMIN, " BOB ": PermissionLevel.MEMBER},
    routes=(RouteCreate("HTTPS://ACME.example:443/{v}", "/dl/{v}"),),
    domains=(MUNICH, "Files.Acme.Example."),
)
MANIFEST: Final = Manifest(
    organizations=(
        OrganizationSpec(
            name="acme",
            description="Tools\n",
            website="HTTPS://ACME.example:443",
            billing_email="Pay@ACME.example",
            members={ME: Role.OWNER, JOSE: Role.ADMIN},
            packages=(SPEC,),
        ),
    ),
    packages=(attrs.evolve(SPEC, domains=("Own.Acme.Example.",)),),
    me=ME,
)


@attrs.define
class World:
    """An emulator behind a server that respells, and a client of that."""

    emulator: Emulator
    scarf: Scarf

    @property
    def bodies(self) -> list[object]:
        """What was sent to be written."""
        return [json.loads(one.body) for one in self.emulator.requests if one.method in {"POST", "PUT"}]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """It holds what the manifest says."""
    async with (
        Emulator(user=ME) as emulator,
        respelling(emulator) as url,
        Scarf(emulator.token, base_url=url) as scarf,
    ):
        changes = await scarf.manifests.diff(MANIFEST)
        # One after another, so that the service lists the domains of a package in the order of the manifest.
        report = await scarf.manifests.apply(changes, me=ME, concurrency=1)
        assert report.ok, str(report)
        yield World(emulator, scarf)


async def test_nothing_is_left_to_do_after_an_apply(world: World) -> None:
    """With and without pruning."""
    for prune in (False, True):
        assert list(await world.scarf.manifests.diff(MANIFEST, prune=prune)) == []


async def test_what_is_sent_is_spelled_as_it_was_said(world: World) -> None:
    """Comparing changes nothing of it."""
    assert {"name": MUNICH} in world.bodies
    assert {"username": JOSE, "role": "admin"} in world.bodies
    sent = [body for body in world.bodies if isinstance(body, dict) and body.get("name") == SPEC.name]
    assert [body["longDescription"] for body in sent] == [SPEC.long_description] * 2
    assert [body["website"] for body in sent] == [SPEC.website] * 2


async def test_changes_that_were_made_already_are_done(world: World) -> None:
    """A last look at what was compared before finds nothing to send."""
    fresh = attrs.evolve(MANIFEST, organizations=(attrs.evolve(MANIFEST.organizations[0], name="acme"),))
    async with Emulator(user=ME) as empty, Scarf(empty.token, base_url=empty.url) as scarf:
        changes = await scarf.manifests.diff(fresh)
    world.emulator.requests.clear()
    report = await world.scarf.manifests.apply(changes, me=ME)
    assert world.bodies == []
    assert not report.drifted
    assert len(report.found) == len(changes.applicable)


async def test_other_change_is_sent_alone(world: World) -> None:
    """What is only spelled otherwise is not a reason for a change, and changes nothing else."""
    wanted = attrs.evolve(SPEC, short_description="Another", routes=(), domains=(MUNICH.upper(),))
    organization = attrs.evolve(MANIFEST.organizations[0], packages=(wanted,))
    changes = await world.scarf.manifests.diff(Manifest(organizations=(organization,)), prune=True)
    assert [(change.action, change.kind, change.name) for change in changes] == [
        ("update", "package", None),
        ("remove", "route", None),
        ("remove", "domain", "files.acme.example"),
    ]


async def test_pull_keeps_the_spelling_of_the_file(world: World, tmp_path: Path) -> None:
    """A file that says the live state is not touched."""
    path = tmp_path / "acme.yaml"
    write_manifest(MANIFEST, path)
    before = path.read_bytes()
    write_manifest(await world.scarf.manifests.pull("acme", user_packages=True), path, keep=True)
    assert path.read_bytes() == before


async def test_plan_is_verified_and_kept(world: World) -> None:
    """Nothing differs from what was asked for, and a second run with `keep` finds all of it there."""
    plan = BulkPlan()
    organization = MANIFEST.organizations[0]
    upsert = OrganizationUpsert(
        name="acme",
        description=organization.description or "",
        billing_email=organization.billing_email or "",
        website=organization.website,
    )
    plan.create_organization(upsert, if_exists="keep")
    plan.upsert_member("acme", JOSE, "admin")
    package = PackageUpsert(
        name=f"Acme/{SPEC.name}",
        short_description=SPEC.short_description or "",
        long_description=SPEC.long_description,
        website=SPEC.website,
        library_type=SPEC.library_type,
    )
    made = plan.create_package(package, "acme", if_exists="keep")
    plan.set_permission(made, JOSE, "admin")
    domain = plan.create_domain(made, DomainCreate(MUNICH), if_exists="keep")
    route = plan.create_route(made, (SPEC.routes or ())[0], if_exists="keep")
    assert await world.scarf.bulk.verify(plan) == []
    report = await world.scarf.bulk.run(plan)
    report.raise_for_failures()
    assert (report[made].unchanged, report[domain].unchanged, report[route].unchanged) == (True, True, True)


async def test_answer_that_was_lost_is_found(world: World) -> None:
    """By looking, under the name that the service gives it."""
    lost = BulkPlan()
    package = (await world.scarf.packages.list("acme"))[0]
    ref = lost.create_domain(package, DomainCreate("B\u00fccher.example."))
    world.emulator.faults.add(FaultRule("POST", "/packages/*/domains", 1, "drop_after"))
    report = await world.scarf.bulk.run(lost)
    assert report[ref].reconciled
    assert [shown.name for shown in await world.scarf.domains.list(package)].count("xn--bcher-kva.example") == 1
