"""Check for drift since the comparison: what to read, and a verdict on each change. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Final, Literal, TypeAlias

import attrs

from scarf_async.dialects import V1, Traits
from scarf_async.entities import PermissionLevel, Role
from scarf_async.manifests.changes import Change
from scarf_async.manifests.fields import (
    DomainFields,
    Fields,
    MemberFields,
    OrganizationFields,
    PackageFields,
    PermissionFields,
    RouteFields,
    stated,
)
from scarf_async.manifests.live import Live, LiveOrganization, LivePackage, match_packages
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.names import domain_key, user_key

__all__ = ["State", "Verdict", "touched", "verdicts"]

State: TypeAlias = Literal["open", "done", "moved"]
"""`open`: the live state is that of the comparison; `done`: it is as it should be; `moved`: neither."""

_NOTHING: Final = LiveOrganization()

_PackageKey: TypeAlias = tuple[str | None, str | None, str | None]
"""Organization, package and type: the identity of a package that does not exist yet."""


@attrs.frozen
class Verdict:
    """A change compared with the live state.

    Attributes:
        change: the change; with the uuid of its package if that was to be created and exists.
        state: how the live state compares with it.
        now: the live state, in words; empty if the change is open.
    """

    change: Change
    state: State
    now: str = ""


def touched(changes: Iterable[Change], me: str | None) -> Manifest:
    """Return a manifest of exactly those things that the changes are about, for reading them."""
    changes = tuple(changes)
    organizations: dict[str, OrganizationSpec] = {}
    packages: dict[str | None, dict[_PackageKey, PackageSpec]] = {}
    for change in changes:
        if change.organization is not None:
            spec = organizations.setdefault(change.organization, OrganizationSpec(name=change.organization))
            if change.kind == "member":
                organizations[change.organization] = attrs.evolve(spec, members={})
        if change.package is not None:
            of_owner = packages.setdefault(change.organization, {})
            one = of_owner.setdefault(
                _key(change), PackageSpec(name=change.package, library_type=change.library_type)
            )
            of_owner[_key(change)] = _with_section(one, change)
    return Manifest(
        organizations=tuple(
            attrs.evolve(spec, packages=tuple(packages[name].values())) if name in packages else spec
            for name, spec in organizations.items()
        ),
        packages=tuple(packages[None].values()) if None in packages else None,
        me=next((change.owner for change in changes if change.owner), me),
    )


def _key(change: Change) -> _PackageKey:
    return change.organization, change.package, change.library_type


def _with_section(spec: PackageSpec, change: Change) -> PackageSpec:
    if change.kind == "permission":
        return attrs.evolve(spec, permissions={})
    if change.kind == "route":
        return attrs.evolve(spec, routes=())
    return attrs.evolve(spec, domains=()) if change.kind == "domain" else spec


def verdicts(
    changes: Iterable[Change],
    manifest: Manifest,
    live: Live,
    *,
    created: Container[str | None] = (),
    traits: Traits = V1.traits,
) -> list[Verdict]:
    """Compare each change with the live state.

    Args:
        changes: the changes, with creates before the changes that depend on them, as in `Changes.applicable`.
        manifest: what `touched` returned for them.
        live: the live state that was read for it.
        created: the organizations that these changes, or earlier ones of the same plan, create.
        traits: the properties of the service.
    """
    comparison = _Comparison(manifest, live, created, traits)
    return [comparison.verdict(change) for change in changes]


class _Comparison:
    def __init__(self, manifest: Manifest, live: Live, created: Container[str | None], traits: Traits) -> None:
        self._live = live
        self._traits = traits
        self._created = created
        self._by_uuid: dict[str, LivePackage] = {}
        self._by_name: dict[_PackageKey, LivePackage] = {}
        # It exists, but differs from the one to create: changes that depend on it were meant for another.
        self._strange: set[str | _PackageKey | None] = set()
        self._index(None, manifest.packages, live.packages, live.me)
        for spec in manifest.organizations:
            self._index(spec.name, spec.packages, live.organizations[spec.name].packages, spec.name)

    def _index(
        self,
        organization: str | None,
        specs: Iterable[PackageSpec] | None,
        shown: Iterable[LivePackage] | None,
        owner: str | None,
    ) -> None:
        shown = tuple(shown or ())
        self._by_uuid.update((live.package.uuid, live) for live in shown)
        for match in match_packages(specs or (), shown, owner, self._traits.types_alike):
            if len(match.found) == 1:
                self._by_name[organization, match.spec.name, match.spec.library_type] = match.found[0]

    def _organization(self, change: Change) -> LiveOrganization:
        return _NOTHING if change.organization is None else self._live.organizations[change.organization]

    def verdict(self, change: Change) -> Verdict:
        if change.organization in self._strange or _key(change) in self._strange:
            return Verdict(change, "moved", "what it belongs to is not what was to be created")
        if change.kind == "organization":
            return self._of_organization(change)
        if change.organization is not None and self._organization(change).organization is None:
            if change.organization in self._created:
                return Verdict(change, "open")
            return Verdict(change, "moved", "the organization is not there")
        if change.kind == "member":
            return self._of_member(change)
        if change.kind == "package":
            return self._of_package(change)
        return self._on_package(change)

    def _of_organization(self, change: Change) -> Verdict:
        shown = self._organization(change).organization
        now = None if shown is None else OrganizationFields.shown(shown, self._traits)
        after = stated(OrganizationFields, change.after)
        if now is None:
            verdict = _compared(change, change.before, now, after)
        else:
            # Missing texts are empty; values that are not shown are right only once they are sent.
            wanted = OrganizationFields(**{field: after.get(field, "") for field in now})
            verdict = _compared(change, change.before, now, wanted)
            if verdict.state == "done" and change.action != "create" and after.keys() - now.keys():
                return Verdict(change, "open")
        if change.action == "create" and verdict.state == "moved":
            self._strange.add(change.organization)
        return verdict

    def _of_member(self, change: Change) -> Verdict:
        key = user_key(change.name or "")
        members = self._organization(change).members or ()
        role = next((member.role for member in members if user_key(member.username) == key), None)
        verdict = _compared(change, change.before, None if role is None else MemberFields(role=role), change.after)
        if verdict.state == "moved" and role == Role.OWNER and change.organization in self._created:
            # The creator of an organization is its owner, whether or not that was known before.
            return Verdict(change, "open")
        return verdict

    def _of_package(self, change: Change) -> Verdict:
        named = self._by_name.get(_key(change))
        live = named if change.uuid is None else self._by_uuid.get(change.uuid)
        if live is not named and live is not None:
            return _renamed(change, live)
        wanted = stated(PackageFields, change.after)
        verdict = _compared(
            change,
            self._shown_of(stated(PackageFields, change.before)) if change.before is not None else None,
            None if live is None else self._shown_of(PackageFields.shown(live.package, self._traits)),
            None if change.after is None else self._shown_of(wanted),
        )
        hidden = wanted.addresses and not self._traits.addresses_shown
        if change.action in {"update", "set"} and verdict.state == "done" and hidden:
            # URLs are right only once they are sent.
            return Verdict(change, "open")
        if change.action == "create" and verdict.state == "moved":
            self._strange.add(_key(change))
        return verdict

    def _shown_of(self, fields: PackageFields) -> PackageFields:
        """Return the shown values of the fields of a change; missing ones are empty."""
        return PackageFields(**{name: fields.get(name, "") for name in fields.compared(self._traits)})

    def _on_package(self, change: Change) -> Verdict:
        named = self._by_name.get(_key(change))
        if change.uuid is None:
            if named is None:
                return Verdict(change, "open")
            change = attrs.evolve(change, uuid=named.package.uuid)
            return self._on(change, named)
        live = self._by_uuid.get(change.uuid)
        if live is None:
            return Verdict(change, "done" if change.action == "remove" else "moved", "the package is not there")
        return self._on(change, live) if live is named else _renamed(change, live)

    def _on(self, change: Change, live: LivePackage) -> Verdict:
        match change.kind:
            case "permission":
                return self._of_permission(change, live)
            case "route":
                return _of_route(change, live, self._traits)
            case _:
                return _of_domain(change, live)

    def _of_permission(self, change: Change, live: LivePackage) -> Verdict:
        if live.refusal is not None:
            # Permissions that cannot be read are left for the service to refuse, and do not hold up others.
            return Verdict(change, "open")
        key = user_key(change.name or "")
        shown = {user_key(entry.username): entry.permission_level for entry in live.permissions or ()}
        if self._traits.users_by_email and "@" in key and key not in shown:
            # The service shows usernames only.
            return Verdict(change, "open")
        now = PermissionFields(level=shown[key]) if key in shown else None
        return _compared(change, _special(change.before), _special(now), _special(change.after))


def _renamed(change: Change, live: LivePackage) -> Verdict:
    return Verdict(change, "moved", f"the package is called {live.package.name!r}")


def _special(fields: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Return a level; None for the default level."""
    return None if stated(PermissionFields, fields).level == PermissionLevel.DEFAULT else fields


def _of_route(change: Change, live: LivePackage, traits: Traits) -> Verdict:
    shown = {route.id: RouteFields.shown(route, traits) for route in live.routes or ()}
    if change.action != "create":
        return _compared(change, change.before, shown.get(change.id or ""), change.after)
    wanted = _stated_keys(change.after)
    now = next((fields for fields in shown.values() if _stated_keys(fields) == wanted), None)
    return _compared(change, change.before, None if now is None else change.after, change.after)


def _stated_keys(fields: Mapping[str, str] | None) -> Mapping[str, str]:
    """Return the keys of fields, without empty ones."""
    return {name: key for name, key in (_keys(fields) or {}).items() if key}


def _of_domain(change: Change, live: LivePackage) -> Verdict:
    key = domain_key(change.name or "")
    same = [
        domain.name
        for domain in live.domains or ()
        if (domain.id == change.id if change.action == "remove" else domain_key(domain.name) == key)
    ]
    now = None if not same else DomainFields(name=same[0] if change.action == "remove" else change.name)
    return _compared(change, change.before, now, change.after)


def _keys(fields: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Return the keys of fields."""
    return fields.comparable if isinstance(fields, Fields) else None


def _compared(
    change: Change, before: Mapping[str, str] | None, now: Mapping[str, str] | None, after: Mapping[str, str] | None
) -> Verdict:
    if _keys(now) == _keys(before) and (now or change.action != "remove"):
        return Verdict(change, "open")
    if _keys(now) == _keys(after):
        return Verdict(change, "done", "it is already applied")
    if now is None:
        return Verdict(change, "moved", "it is not there")
    return Verdict(change, "moved", "now " + ", ".join(f"{field} {text!r}" for field, text in now.items()))
