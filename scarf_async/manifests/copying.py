"""Convert an organization to the manifest of its copy: map names, omit what cannot exist twice. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias, TypeVar
from urllib.parse import urlsplit

import attrs

from scarf_async.entities.enums import address_fields
from scarf_async.errors import ValidationError
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.fields import PackageFields, stated
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.names import domain_key, organization_key, package_key, plain_name, public_host, user_key

__all__ = ["Copying", "Names"]

W = TypeVar("W")

Names: TypeAlias = Mapping[str, str | None]
"""Name -> name in the copy; None or `""` leaves it out; other names are kept."""


def _by_user(names: Names) -> Names:
    return {user_key(name): other for name, other in names.items()}


def _by_domain(names: Names) -> Names:
    return {domain_key(name): other for name, other in names.items()}


@attrs.frozen(kw_only=True)
class Copying:
    """The names and contents of a copy of an organization.

    Attributes:
        source: the organization to copy.
        target: the name of the copy.
        members: the map of usernames.
        packages: the map of packages, with or without the owner's prefix.
        domains: the map of domains; on the same server, other domains are left out.
        same_server: whether both are on the same server.
        images_as_names: whether the name of a docker package is the path of its image.
        alike: words for types that mean the same.
        addresses: a manifest with URLs of packages, of the source or the target.
    """

    source: str
    target: str
    members: Names = attrs.field(converter=_by_user)
    packages: Names
    domains: Names = attrs.field(converter=_by_domain)
    same_server: bool
    images_as_names: bool = False
    alike: Collection[str] = ()
    addresses: Manifest

    def __attrs_post_init__(self) -> None:
        if self.same_server and organization_key(self.source) == organization_key(self.target):
            raise ValidationError(
                f"{self.source!r} cannot be copied onto itself: give another target", field="target"
            )

    def manifest(self, manifest: Manifest) -> Manifest:
        """Return the manifest of the copy.

        Raises:
            ValidationError: two people become one with two roles or levels.
        """
        (spec,) = manifest.organizations
        return Manifest(
            organizations=(
                attrs.evolve(
                    spec,
                    name=self.target,
                    members=self._people(spec.members or {}, repr(spec.name)),
                    packages=tuple(copy for _, copy in self._copies(spec)),
                ),
            )
        )

    def annotated(self, changes: Changes, manifest: Manifest) -> Changes:
        """Add what a comparison cannot know: things that were left out, and missing URLs."""
        (spec,) = manifest.organizations
        noted = tuple(
            attrs.evolve(change, note="its repository_url is not shown: give it in addresses if it has one")
            if change.kind == "package"
            and change.action == "create"
            and "repository_url" in address_fields(change.library_type)
            and stated(PackageFields, change.after).repository_url is None
            else change
            for change in changes
        )
        return attrs.evolve(changes, changes=(*noted, *self._left_out(spec)))

    def _left_out(self, spec: OrganizationSpec) -> Iterator[Change]:
        for package, copy in self._copies(spec):
            for name in package.domains or ():
                key = domain_key(name)
                if self.same_server and key not in self.domains and key != public_host(copy.public_url):
                    yield Change(
                        action="uncompared",
                        kind="domain",
                        organization=self.target,
                        package=copy.name,
                        library_type=copy.library_type,
                        name=name,
                        note=f"left out, since it belongs to {self.source}: give its name in the copy in domains",
                    )

    def _copies(self, spec: OrganizationSpec) -> Iterator[tuple[PackageSpec, PackageSpec]]:
        names = {package_key(name, self.source): other for name, other in self.packages.items()}
        for package in spec.packages or ():
            plain = plain_name(package.name, self.source)
            name = plain_name(names.get(package_key(plain, None), plain) or "", self.target)
            if name:
                yield package, self._package(package, plain, name)

    def _package(self, spec: PackageSpec, plain: str, name: str) -> PackageSpec:
        said = (
            self._said(self.target, name, spec.library_type)
            or self._said(self.source, plain, spec.library_type)
            or PackageSpec(name=name)
        )
        # A copy has the domain of its public URL by default.
        public = public_host(said.public_url)
        domains = [name for name in map(self._domain, spec.domains or ()) if name and domain_key(name) != public]
        if spec.name != plain:
            name = f"{self.target}/{name}"
        backend_url = spec.backend_url if said.backend_url is None else said.backend_url
        named = package_key(plain, None) in {package_key(each, self.source) for each in self.packages}
        if self.images_as_names and backend_url and not named:
            name = urlsplit(backend_url).path.removeprefix("/")
        return attrs.evolve(
            spec,
            name=name,
            backend_url=backend_url,
            public_url=said.public_url,
            repository_url=spec.repository_url if said.repository_url is None else said.repository_url,
            permissions=None
            if spec.permissions is None
            else self._people(spec.permissions, f"the package {spec.name!r}"),
            domains=None if spec.domains is None else tuple(domains),
        )

    def _said(self, organization: str, name: str, library_type: str | None) -> PackageSpec | None:
        """Return the package in `addresses`; types may be left out there."""
        for owner in self.addresses.organizations:
            if organization_key(owner.name) != organization_key(organization):
                continue
            for spec in owner.packages or ():
                same = package_key(spec.name, organization) == package_key(name, organization)
                alike = self.alike if library_type in self.alike else ()
                if same and spec.library_type in {None, library_type, *alike}:
                    return spec
        return None

    def _people(self, entries: Mapping[str, W], where: str) -> dict[str, W]:
        """Return roles or levels by the names in the copy."""
        named: dict[str, tuple[str, W]] = {}
        for user, value in entries.items():
            name = self.members.get(user_key(user), user)
            if not name:
                continue
            first = named.setdefault(user_key(name), (name, value))
            if first[1] != value:
                raise ValidationError(
                    f"two people of {where} become {name!r}, who would have two values: {first[1]} and {value};"
                    " map one of them to another name, or to None",
                    field="members",
                )
        return dict(named.values())

    def _domain(self, name: str) -> str | None:
        # A domain can only belong to one owner.
        return self.domains.get(domain_key(name), None if self.same_server else name)
