"""Compare a manifest with the live organization: the changes to make them match. Pure.

Names and texts are compared by their keys (`names`), things that a manifest does not mention stay, and nothing is
removed without `prune`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

import attrs

from scarf_async.dialects import V1, Dialect, Traits
from scarf_async.entities import LibraryType, Package, Role, RouteCreate
from scarf_async.entities.enums import address_fields
from scarf_async.errors import ValidationError
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.diff_gateway import domains, routes
from scarf_async.manifests.diff_permissions import permissions
from scarf_async.manifests.fields import (
    DomainFields,
    Fields,
    MemberFields,
    OrganizationFields,
    PackageFields,
)
from scarf_async.manifests.guards import loses_owners
from scarf_async.manifests.live import Live, LiveOrganization, LivePackage, Match, match_packages
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.manifests.rules import Make, People, Rules, blocked, two_values
from scarf_async.names import domain_key, is_scarfs_domain, organization_key, user_key

__all__ = ["diff"]

F = TypeVar("F", bound=Fields)

_V1: Final = V1()


def diff(
    manifest: Manifest,
    live: Live,
    *,
    prune: bool = False,
    rewrite_addresses: bool = False,
    dialect: Dialect = _V1,
    traits: Traits | None = None,
) -> Changes:
    """Compare a manifest with the live organization.

    Args:
        manifest: the desired state.
        live: the live state of everything that the manifest mentions.
        prune: remove members, packages, permissions, routes and domains that a section of the manifest does not
            name. Sections that the manifest does not have are left alone, as are domains below `scarf.sh`, the host
            of a `public_url` in the manifest, and owners of packages.
        rewrite_addresses: also set URLs that the service does not show, so that they cannot be compared.
        dialect: the dialect; changes that it does not support are blocked.
        traits: the properties of the service, if they differ from those of the dialect.

    Raises:
        ValidationError: the manifest contradicts itself about a person or package.
    """
    rules = Rules(
        people=People.of(manifest.people),
        me=live.me,
        prune=prune,
        rewrite_addresses=rewrite_addresses,
        dialect=dialect,
        traits=traits or dialect.traits,
    )
    changes: list[Change] = []
    ownerless: list[str] = []
    there: Counter[str] = Counter()
    _refuse_double_organizations(manifest, live)
    for spec in manifest.organizations:
        shown = live.organizations[spec.name]
        of_this = list(_organization(spec, shown, rules))
        changes += of_this
        there += _population(shown.packages)
        there["member"] += len(shown.members or ())
        if _loses_owners(shown, of_this, rules):
            ownerless.append(spec.name)
    if manifest.packages is not None:
        changes += _packages(manifest.packages, live.packages or (), None, rules)
        there += _population(live.packages)
    return Changes(tuple(_freeing_domains(changes, live)), tuple(ownerless), dict(+there))


def _freeing_domains(changes: Sequence[Change], live: Live) -> Iterator[Change]:
    """Yield the changes; before the removal of a package, yield that of its domains that another package takes."""
    taken = {
        domain_key(change.name)
        for change in changes
        if change.kind == "domain" and change.action == "create" and change.name is not None
    }
    lists = [live.packages, *(organization.packages for organization in live.organizations.values())]
    domains = {one.package.uuid: one.domains or () for shown in lists for one in shown or ()} if taken else {}
    for change in changes:
        if change.kind == "package" and change.action == "remove" and change.uuid is not None:
            yield from (
                attrs.evolve(change, kind="domain", name=domain.name, id=domain.id, before=DomainFields.of(domain))
                for domain in domains.get(change.uuid, ())
                if domain_key(domain.name) in taken
            )
        yield change


def _refuse_double_organizations(manifest: Manifest, live: Live) -> None:
    said: dict[str, str] = {}
    for spec in manifest.organizations:
        shown = live.organizations[spec.name].organization
        key = organization_key(spec.name if shown is None else shown.name)
        if key in said:
            raise ValidationError(
                f"two entries name the same organization: {said[key]!r} and {spec.name!r}; keep one of them"
            )
        said[key] = spec.name


def _organization(spec: OrganizationSpec, live: LiveOrganization, rules: Rules) -> Iterator[Change]:
    shown = live.organization
    name = spec.name if shown is None else shown.name
    make = partial(Change, organization=name)
    said = OrganizationFields.of(spec)
    if shown is None:
        after = _with_texts(OrganizationFields(description="", billing_email=""), said)
        change = rules.fitting(make(action="create", kind="organization", after=after))
        yield change
        if change.action == "blocked":
            return
    else:
        yield from _old_organization(OrganizationFields.shown(shown, rules.traits), said, make, rules)
    if spec.members is not None:
        yield from map(rules.fitting, _members(spec.members, live, make, rules))
    if spec.packages is not None:
        yield from _packages(spec.packages, live.packages or (), name, rules)


def _old_organization(
    before: OrganizationFields, said: OrganizationFields, make: Make, rules: Rules
) -> Iterator[Change]:
    after = attrs.evolve(before, **said)
    if not after.billing_email and "billing_email" not in before:
        # Removing something that is not shown is not a change.
        after = attrs.evolve(after, billing_email=None)
    comparable = after.comparable
    differs = any(before.comparable[field] != comparable.get(field) for field in before)
    hidden = after.billing_email is not None and "billing_email" not in before
    if not differs and not hidden:
        return
    change = make(action="update" if differs else "set", kind="organization", before=before, after=after)
    if not differs and not rules.rewrite_addresses:
        change = attrs.evolve(change, action="uncompared", note="the service does not show its billing_email")
    elif after.billing_email is None:
        note = "an update replaces every field, and the service does not show billing_email: give it"
        change = blocked(change, note)
    yield rules.fitting(change)


def _with_texts(fields: F, said: F) -> F:
    """Add the fields of a new entity; empty strings need not be sent."""
    return attrs.evolve(fields, **{field: text for field, text in said.items() if text})


def _members(wanted: Mapping[str, Role], live: LiveOrganization, make: Make, rules: Rules) -> Iterator[Change]:
    shown = {user_key(member.username): member for member in live.members or ()}
    # The creator of an organization is its first owner.
    creator = user_key(rules.me) if rules.me is not None and live.organization is None else None
    said: dict[str, tuple[str, Role]] = {}
    for username, role in wanted.items():
        key = user_key(username)
        if said.setdefault(key, (username, role))[1] != role:
            raise two_values(make(action="blocked", kind="member"), said[key], (username, role))
    for key, (username, role) in said.items():
        after = MemberFields(role=role)
        before = MemberFields.of(shown[key]) if key in shown else None
        if key == creator:
            before = MemberFields(role=Role.OWNER)
        name = shown[key].username if key in shown else username.strip()
        if before is None:
            yield make(action="create", kind="member", name=name, after=after)
        elif before != after:
            yield make(action="update", kind="member", name=name, before=before, after=after)
    if rules.prune:
        for key, member in shown.items():
            if key not in said:
                before = MemberFields.of(member)
                yield make(action="remove", kind="member", name=member.username, before=before)


def _loses_owners(live: LiveOrganization, changes: Iterable[Change], rules: Rules) -> bool:
    """Return whether an organization has an owner and would have none."""
    roles: dict[str, str] = {member.username: member.role for member in live.members or ()}
    if live.organization is None:
        # Its creator, whom no change names if unknown.
        roles[rules.me or ""] = Role.OWNER
    return loses_owners(roles, changes)


def _population(shown: Iterable[LivePackage] | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    for live in shown or ():
        counts["package"] += 1
        counts["permission"] += len(live.permissions or ())
        counts["route"] += len(live.routes or ())
        counts["domain"] += sum(not is_scarfs_domain(domain.name) for domain in live.domains or ())
    return counts


def _packages(
    specs: Iterable[PackageSpec], shown: Iterable[LivePackage], organization: str | None, rules: Rules
) -> Iterator[Change]:
    shown = tuple(shown)
    kept: set[str] = set()
    owner = rules.me if organization is None and rules.traits.owners_in_paths else None
    for match in match_packages(specs, shown, organization or rules.me, rules.traits.types_alike):
        kept.update(live.package.uuid for live in (*match.found, *match.others))
        yield from _package(match, partial(Change, organization=organization, owner=owner), rules)
    if rules.prune:
        for live in shown:
            if live.package.uuid not in kept:
                package = live.package
                yield Change(
                    action="remove",
                    kind="package",
                    organization=organization,
                    owner=owner,
                    package=package.name,
                    library_type=package.library_type,
                    uuid=package.uuid,
                    before=PackageFields.shown(package, rules.traits),
                )


def _package(match: Match, make: Make, rules: Rules) -> Iterator[Change]:
    spec = match.spec
    make = partial(make, package=spec.name, library_type=spec.library_type)
    if match.others:
        note = (
            f"a package of this name exists with the type {_types(match.others)}, and a type cannot change:"
            " delete that package first, or name it in the manifest next to this one"
        )
        yield make(action="blocked", kind="package", note=note)
        return
    if len(match.found) > 1:
        note = f"several packages have this name ({_types(match.found)}): give the type of the one that is meant"
        yield make(action="blocked", kind="package", note=note)
        return
    library_type = spec.library_type
    live = match.found[0] if match.found else None
    if live is None:
        change = _new_package(spec, make, rules)
        yield change
        if change.action == "blocked":
            return
    else:
        package = live.package
        library_type = package.library_type or library_type
        make = partial(make, package=package.name, library_type=library_type, uuid=package.uuid)
        yield from _old_package(spec, package, library_type, make, rules)
    if spec.importance is not None and not rules.traits.importances:
        after = PackageFields(importance=spec.importance)
        yield blocked(
            make(action="update", kind="package", after=after), "this version of the service has no importance"
        )
    yield from permissions(spec.permissions, live, make, rules)
    yield from routes(spec, live, library_type, make, rules)
    yield from domains(spec, live, library_type, make, rules)


def _types(packages: Iterable[LivePackage]) -> str:
    return " and ".join(sorted(str(live.package.library_type) for live in packages))


def _said(spec: PackageSpec, rules: Rules, *omitted: str) -> PackageFields:
    """Return the fields of a package that the service has."""
    unknown = () if rules.traits.importances else ("importance",)
    return attrs.evolve(PackageFields.of(spec), **dict.fromkeys((*omitted, *unknown)))


def _new_package(spec: PackageSpec, make: Make, rules: Rules) -> Change:
    after = _with_texts(PackageFields(short_description=""), _said(spec, rules))
    change = make(action="create", kind="package", after=after)
    if spec.library_type == LibraryType.DOCKER and after.backend_url is None:
        note = "a docker package cannot be created without backend_url; nothing of it is created"
        return blocked(change, note)
    route: RouteCreate | None = None
    if spec.library_type == LibraryType.FILE and rules.traits.routes_with_packages:
        route = next(iter(spec.routes or ()), None)
        if route is None:
            return blocked(change, "a file package is created together with its first route: give routes")
    return rules.fitting(change, route)


def _old_package(
    spec: PackageSpec, package: Package, library_type: str | None, make: Make, rules: Rules
) -> Iterator[Change]:
    shown = rules.traits.addresses_shown
    # A public URL is only shown as a domain.
    said = _said(spec, rules, *(["public_url"] if shown else []))
    before = PackageFields.shown(package, rules.traits)
    after = attrs.evolve(before, **said)
    differs = before.compared(rules.traits) != after.compared(rules.traits)
    if not differs and (shown or not said.addresses):
        return
    needed = [field for field in address_fields(library_type) if not (shown and field == "public_url")]
    missing = [field for field in needed if (not after.get(field) if shown else field not in said)]
    change = make(action="update" if differs else "set", kind="package", before=before, after=after)
    if not differs and not rules.rewrite_addresses:
        change = attrs.evolve(change, action="uncompared", note="the service does not return addresses")
    elif library_type is None and not shown:
        note = (
            "its type is not shown, and an update may clear addresses that it has: give library_type (in a file:"
            " type)"
        )
        change = blocked(change, note)
    elif missing and shown:
        note = f"an update replaces every field, and {' and '.join(missing)} cannot be empty: give it"
        change = blocked(change, note)
    elif missing:
        # An update sends all fields, and an omitted one may be cleared.
        note = f'an update may clear what it leaves out: give {" and ".join(missing)}, or "" if there is none'
        change = blocked(change, note)
    yield rules.fitting(change)
