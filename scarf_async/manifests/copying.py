"""An organization as the manifest of another: names mapped, and left out what cannot be there twice. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias, TypeVar

import attrs

from scarf_async.entities import LibraryType
from scarf_async.errors import ValidationError
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.reconcile import plain_name, user_key

__all__ = ["Names", "copied", "with_notes"]

W = TypeVar("W")

Names: TypeAlias = Mapping[str, str | None]
"""Name -> name in the copy; None or `""` leaves it out; what is not in it keeps its name."""


@attrs.frozen(kw_only=True)
class _Copying:
    source: str
    target: str
    members: Names
    packages: Names
    domains: Names
    same_server: bool
    addresses: Mapping[tuple[str, str], PackageSpec]

    def people(self, entries: Mapping[str, W], where: str) -> dict[str, W]:
        """Return what people have, by their names in the copy."""
        named: dict[str, tuple[str, W]] = {}
        for user, value in entries.items():
            name = self.members.get(user_key(user), user)
            if not name:
                continue
            first = named.setdefault(user_key(name), (name, value))
            if first[1] != value:
                raise ValidationError(
                    f"members maps two people of {where} to {name!r}, who would have two values: {first[1]} and"
                    f" {value}; map them to two people, or leave one out",
                    field="members",
                )
        return dict(named.values())

    def package(self, spec: PackageSpec) -> PackageSpec | None:
        """Return a package as it is in the copy; None: it is left out."""
        plain = plain_name(spec.name, self.source)
        mapped = self.packages.get(plain, plain)
        if not mapped:
            return None
        name = plain_name(mapped, self.target)
        prefix = f"{self.target}/" if spec.name != plain else ""
        library_type = spec.library_type or ""
        said = self.addresses.get((name, library_type)) or self.addresses.get((name, ""))
        said = said or self.addresses.get((plain, library_type)) or self.addresses.get((plain, ""))
        return attrs.evolve(
            spec,
            name=f"{prefix}{name}",
            backend_url=said and said.backend_url,
            public_url=said and said.public_url,
            repository_url=said and said.repository_url,
            permissions=None
            if spec.permissions is None
            else self.people(spec.permissions, f"the package {spec.name!r}"),
            domains=None if spec.domains is None else tuple(filter(None, map(self.domain, spec.domains))),
        )

    def domain(self, name: str) -> str | None:
        """Return a domain as it is in the copy; None: it is left out."""
        # A server gives a domain to one package only.
        return self.domains.get(user_key(name), None if self.same_server else name) or None
