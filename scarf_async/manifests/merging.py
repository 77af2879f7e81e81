"""A file's own words brought together with what the service gave back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import attrs

from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.reconcile import plain_name, user_key

__all__ = ["merge_manifests"]

S = TypeVar("S", OrganizationSpec, PackageSpec)
W = TypeVar("W")


def _filled(said: S, pulled: S) -> S:
    """Return the pulled one, with the file's words wherever the service has none, and under the file's name."""
    fields = [field.name for field in attrs.fields(type(pulled))]
    kept = {field: getattr(said, field) for field in fields if getattr(pulled, field) is None}
    return attrs.evolve(pulled, name=said.name, **kept)


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
        left = {(plain_name(spec.name, owner), spec.library_type): spec for spec in pulled}
        merged = []
        for spec in said:
            name = plain_name(spec.name, owner)
            # A file need not say the type of what is alone with its name.
            fits = [key for key in left if key[0] == name and spec.library_type in {None, key[1]}]
            if len(fits) == 1:
                other = left.pop(fits[0])
                permissions = self._spelled(spec.permissions, other.permissions)
                merged.append(_filled(spec, attrs.evolve(other, permissions=permissions)))
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

    That is: addresses of packages; people and `me`; how a person is spelled in permissions; the order of things;
    and organizations that were not pulled. A package that was not pulled from its organization is gone.

    Args:
        said: what the file means.
        pulled: what the service gave back.
    """
    merge = _Merge({**pulled.people, **said.people})
    there = {user_key(spec.name): spec for spec in pulled.organizations}
    organizations = [
        merge.organization(spec, there.pop(user_key(spec.name))) if user_key(spec.name) in there else spec
        for spec in said.organizations
    ]
    me = said.me if said.me is not None else pulled.me
    return Manifest(
        organizations=(*organizations, *there.values()),
        packages=merge.packages(said.packages, pulled.packages, me),
        people={**pulled.people, **said.people},
        me=me,
    )
