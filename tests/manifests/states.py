"""States and manifests of one organization, for tests of one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from scarf_async import Member, Operation, Organization, Package, Role
from scarf_async.manifests.changes import Changes
from scarf_async.manifests.live import Live, LiveOrganization, LivePackage
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec

__all__ = ["ACME", "acme", "arguments", "lines", "package", "said"]

ACME = Organization(
    name="acme", description="Tools", billing_email="pay@acme.example", website="https://acme.example"
)


def package(
    name: str = "web",
    library_type: str | None = "npm",
    *,
    short_description: str = "",
    long_description: str | None = None,
) -> Package:
    """A package of acme."""
    return Package(
        uuid=f"u-{name}-{library_type}",
        owner="acme",
        name=name,
        library_type=library_type,
        short_description=short_description,
        long_description=long_description,
    )


def acme(
    *packages: LivePackage | Package, members: Mapping[str, Role] | None = None, organization: Organization = ACME
) -> Live:
    """A state in which acme is there."""
    return Live(
        organizations={
            "acme": LiveOrganization(
                organization=organization,
                members=tuple(Member(username=user, role=role) for user, role in (members or {}).items()),
                packages=tuple(
                    live if isinstance(live, LivePackage) else LivePackage(package=live) for live in packages
                ),
            )
        }
    )


def said(*packages: PackageSpec, people: Mapping[str, str] | None = None) -> Manifest:
    """A manifest that mentions packages of acme."""
    return Manifest(organizations=(OrganizationSpec(name="acme", packages=packages),), people=people or {})


def lines(changes: Changes) -> list[str]:
    """The changes as people see them, without their notes and the line of counts."""
    return [str(attrs.evolve(change, note="")) for change in changes]


def arguments(operation: Operation) -> Mapping[str, Any]:
    """The arguments of an operation whose kind the reader knows."""
    return operation.arguments
