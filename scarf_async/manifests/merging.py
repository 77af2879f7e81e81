"""A file's own words brought together with what the service gave back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

import attrs

from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.names import domain_key, field_key, organization_key, package_key, route_key, user_key

__all__ = ["merge_manifests"]

S = TypeVar("S", OrganizationSpec, PackageSpec)
W = TypeVar("W")


def _filled(said: S, pulled: S) -> S:
    """Return the pulled one under the file's name, with the file's words where the service has none or the same."""
    kept = {}
    for field in (field.name for field in attrs.fields(type(pulled))):
        ours, theirs = getattr(said, field), getattr(pulled, field)
        texts = isinstance(ours, str) and isinstance(theirs, str)
        if theirs is None or (texts and field_key(field, ours) == field_key(field, theirs)):
            kept[field] = ours
    return attrs.evolve(pulled, **{**kept, "name": said.name})


def _respelled(
    said: Iterable[W] | None, pulled: Iterable[W] | None, key: Callable[[W], Hashable]
) -> tuple[W, ...] | None:
    """Return what was pulled, each thing spelled as in the file."""
    if pulled is None:
        return None
    spellings = {key(thing): thing for thing in said or ()}
    return tuple(spellings.get(key(thing), thing) for thing in pulled)


class _Merge:
    def __init__(self, people: Mapping[str, str]) -> None:
        self._usernames = {user_key(email): user_key(name) for name, email in people.items()}

    def _key(self, user: str) -> str:
        key = user_key(user)
        return self._usernames.get(key, key)

    def _spelled(self, said: Mapping[str, W] | None, pulled: Mapping[str, W] | None) -> Mapping[str, W] | None:
        """Return what was pulled, each person spelled as in the file."""
        if pulled is None or said is None:
            return pulled
        spellings = {self._key(user): user for user in said}
        return {spellings.get(self._key(user), user): word for user, word in pulled.items()}

    def packages(
        self,
        said: tuple[PackageSpec, ...] | None,
        pulled: tuple[PackageSpec, ...] | None,
        owner: str | None,
    ) -> tuple[PackageSpec, ...] | None:
        if pulled is None or said is None:
            return said if pulled is None else pulled
        left = {(package_key(spec.name, owner), spec.library_type): spec for spec in pulled}
        merged = []
        for spec in said:
            name = package_key(spec.name, owner)
            # A file need not say the type of what is alone with its name.
            fits = [key for key in left if key[0] == name and spec.library_type in {None, key[1]}]
            if len(fits) == 1:
                other = left.pop(fits[0])
                respelled = attrs.evolve(
                    other,
                    permissions=self._spelled(spec.permissions, other.permissions),
                    routes=_respelled(
                        spec.routes, other.routes, lambda route: route_key(route.template_path, route.outgoing_url)
                    ),
                    domains=_respelled(spec.domains, other.domains, domain_key),
                )
                merged.append(_filled(spec, respelled))
        return (*merged, *left.values())

    def organization(self, said: OrganizationSpec, pulled: OrganizationSpec) -> OrganizationSpec:
        return _filled(
            said,
            attrs.evolve(
                pulled,
                members=self._spelled(said.members, pulled.members),
                packages=self.packages(said.packages, pulled.packages, pulled.name),
            ),
        )


def merge_manifests(said: Manifest, pulled: Manifest) -> Manifest:
    """Return what was pulled, with what only the file can know.

    That is: addresses of packages; people and `me`; how names and texts are spelled; the order of things;
    and organizations that were not pulled. A package that was not pulled from its organization is gone.

    Args:
        said: what the file means.
        pulled: what the service gave back.
    """
    merge = _Merge({**pulled.people, **said.people})
    there = {organization_key(spec.name): spec for spec in pulled.organizations}
    organizations = [
        merge.organization(spec, there.pop(organization_key(spec.name)))
        if organization_key(spec.name) in there
        else spec
        for spec in said.organizations
    ]
    me = said.me if said.me is not None else pulled.me
    return Manifest(
        organizations=(*organizations, *there.values()),
        packages=merge.packages(said.packages, pulled.packages, me),
        people={**pulled.people, **said.people},
        me=me,
    )
