"""Domains that packages have without being given them, in manifests."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import pytest

from scarf_async import (
    BulkPlan,
    DomainCreate,
    Manifest,
    ManifestError,
    OrganizationSpec,
    OrganizationUpsert,
    PackageSpec,
    PackageUpsert,
    Scarf,
    ValidationError,
    read_manifest,
)
from scarf_async.emulator import Emulator

WEB = PackageSpec(
    name="web",
    library_type="docker",
    short_description="Web",
    backend_url="https://ghcr.io/acme/web",
    public_url="https://IMG.acme.example/acme/web",
    domains=(),
)
TOOL = PackageSpec(name="tool", library_type="file", short_description="Tool", domains=())


def manifest(*packages: PackageSpec, name: str = "acme") -> Manifest:
    """A manifest of an organization."""
    return Manifest(organizations=(OrganizationSpec(name=name, packages=packages),))


def planned(package: PackageUpsert) -> BulkPlan:
    """A plan that creates a package."""
    plan = BulkPlan()
    plan.create_package(package, "acme")
    return plan


async def names(scarf: Scarf, organization: str = "acme") -> dict[str, list[str]]:
    """The names of the domains of each package."""
    return {
        package.name: [domain.name for domain in await scarf.domains.list(package)]
        for package in await scarf.packages.list(organization)
    }


@pytest.fixture
async def there(scarf: Scarf) -> Scarf:
    """A client of a service that has both packages, with nothing added."""
    await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
    report = await scarf.manifests.apply(await scarf.manifests.diff(manifest(WEB, TOOL)))
    assert report.ok, report
    return scarf


async def test_prune_leaves_what_nobody_added(there: Scarf) -> None:
    """Neither Scarf's own domain nor that of a public address that the manifest says is removed, or counted."""
    changes = await there.manifests.diff(manifest(WEB, TOOL), prune=True)
    assert [change.kind for change in changes if change.action == "remove"] == []
    assert await names(there) == {"web": ["img.acme.example"], "tool": ["acme.gateway.scarf.sh"]}
    assert "domain" not in (await there.manifests.diff(manifest(TOOL))).there


async def test_prune_removes_what_was_added(there: Scarf) -> None:
    """A domain that the manifest does not name goes; afterwards nothing is left to do."""
    for package in await there.packages.list("acme"):
        await there.domains.create(package, DomainCreate("old.acme.example"))
    report = await there.manifests.apply(await there.manifests.diff(manifest(WEB, TOOL), prune=True))
    assert report.ok, report
    assert await names(there) == {"web": ["img.acme.example"], "tool": ["acme.gateway.scarf.sh"]}
    assert (await there.manifests.diff(manifest(WEB, TOOL), prune=True)).applicable == ()


async def test_prune_takes_a_public_domain_that_nothing_declares(there: Scarf) -> None:
    """Without `public_url` in the manifest its domain is one like others, and Scarf's own comes in its place."""
    bare = attrs.evolve(WEB, backend_url=None, public_url=None)
    for removed in (["img.acme.example"], []):
        changes = await there.manifests.diff(manifest(bare, TOOL), prune=True)
        assert [change.name for change in changes.removals] == removed
        assert (await there.manifests.apply(changes)).ok
    assert (await names(there))["web"] == ["acme.docker.scarf.sh"]


async def test_pull_leaves_out_scarfs_own(there: Scarf) -> None:
    """What every package has is not said; what is pulled is the live state, with and without prune."""
    pulled = await there.manifests.pull("acme")
    (spec,) = pulled.organizations
    assert [package.domains for package in spec.packages or ()] == [("img.acme.example",), ()]
    assert (await there.manifests.diff(pulled, prune=True)).applicable == ()


async def test_domain_of_the_public_address_may_be_named_too(there: Scarf, scarf_emulator: Emulator) -> None:
    """A manifest that names it beside the address creates it where the service did not, and does not fail."""
    nova = attrs.evolve(WEB, name="nova", backend_url="https://ghcr.io/acme/nova",
                        public_url="https://img.acme.example/acme/nova", domains=("Img.Acme.Example",))  # fmt: skip
    report = await there.manifests.apply(await there.manifests.diff(manifest(WEB, TOOL, nova)))
    assert report.ok, report
    assert (await names(there))["nova"] == ["img.acme.example"]
    assert scarf_emulator.requests_for("POST", "/packages/*/domains") == []


async def test_copy_brings_its_public_address(there: Scarf) -> None:
    """The domain of an address that the copy is given is neither added nor noted as left out."""
    changes = await there.manifests.changes_to_copy("acme", "nova", addresses=manifest(WEB))
    assert [change for change in changes if change.kind == "domain"] == []
    assert (await there.manifests.apply(changes)).ok
    assert await names(there, "nova") == {"web": ["img.acme.example"], "tool": ["nova.gateway.scarf.sh"]}


async def test_shared_name_is_compared_package_by_package(there: Scarf) -> None:
    """One name on two packages of an owner is created on each, and is there on each afterwards."""
    both = manifest(
        attrs.evolve(WEB, domains=("dl.acme.example",)), attrs.evolve(TOOL, domains=("dl.acme.example",))
    )
    report = await there.manifests.apply(await there.manifests.diff(both))
    assert report.ok, report
    assert (await there.manifests.diff(both, prune=True)).applicable == ()


async def test_verify_finds_domains_beside_those_given(there: Scarf) -> None:
    """A plan that adds a domain is verified whatever else the package has."""
    plan = BulkPlan()
    web = plan.create_package(
        PackageUpsert(
            name="img", short_description="", library_type="docker", backend_url="https://ghcr.io/acme/img",
            public_url="https://img.acme.example/acme/img",
        ),
        "acme",
    )  # fmt: skip
    plan.create_domain(web, DomainCreate("more.acme.example"))
    (await there.bulk.run(plan)).raise_for_failures()
    assert await there.bulk.verify(plan) == []


@pytest.mark.parametrize("address", ["https://[::1/acme/web", "https://[img]/acme/web", "https://img:x/acme/web"])
async def test_a_malformed_public_address_is_refused(
    scarf: Scarf, scarf_v2: Scarf, scarf_emulator: Emulator, tmp_path: Path, address: str
) -> None:
    """A call, a plan and a manifest refuse an address without a host in both versions, and nothing is written."""
    file = tmp_path / "scarf.json"
    package = {"name": "web", "type": "docker", "backend_url": WEB.backend_url, "public_url": address}
    file.write_text(json.dumps({"version": 1, "organizations": {"acme": {"packages": [package]}}}))

    def upsert() -> PackageUpsert:
        return PackageUpsert(
            name="web",
            short_description="Web",
            library_type="docker",
            backend_url=WEB.backend_url,
            public_url=address,
        )

    attempts: list[Callable[[Scarf], Awaitable[object]]] = [
        lambda client: client.packages.create(upsert(), "acme"),
        lambda client: client.packages.update("p-1", upsert()),
        lambda client: client.bulk.run(planned(upsert())),
        lambda client: client.manifests.diff(read_manifest(file)),
    ]
    for client in (scarf, scarf_v2):
        for attempt in attempts:
            with pytest.raises(ValidationError, match="public_url must be an absolute") as caught:
                await attempt(client)
            assert caught.value.field == (None if isinstance(caught.value, ManifestError) else "public_url")
    assert scarf_emulator.requests == []
    await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
    for client in (scarf, scarf_v2):
        (change,) = await client.manifests.diff(manifest(attrs.evolve(WEB, public_url=address)))
        assert (change.action, "public_url must be an absolute" in change.note) == ("blocked", True)
