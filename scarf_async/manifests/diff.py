"""What has to change so that what is there becomes what a manifest says. Pure.

Names and texts are compared by their keys (`names`), what a manifest does not speak of stays, and nothing is
removed unless that is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

import attrs

from scarf_async.dialects.dialect import Traits
from scarf_async.dialects.v1 import V1
from scarf_async.entities import LibraryType, Package, PermissionLevel, Role, RouteCreate
from scarf_async.entities.enums import address_fields, has_domains, has_routes
from scarf_async.errors import ValidationError
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.fields import (
    DomainFields,
    Fields,
    MemberFields,
    OrganizationFields,
    PackageFields,
    PermissionFields,
    RouteFields,
)
from scarf_async.manifests.guards import loses_owners
from scarf_async.manifests.live import Live, LiveOrganization, LivePackage, Match, match_packages
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.manifests.planning import public_host
from scarf_async.names import domain_key, is_scarfs_domain, organization_key, route_key, user_key

__all__ = ["diff"]

F = TypeVar("F", bound=Fields)

_Make: TypeAlias = Callable[..., Change]
"""`Change` with what all changes of one organization or package have in common."""


def diff(
    manifest: Manifest,
    live: Live,
    *,
    prune: bool = False,
    rewrite_addresses: bool = False,
    traits: Traits = V1.traits,
) -> Changes:
    """Compare a manifest with what is there.

    Args:
        manifest: what should be.
        live: what is there, of all that the manifest speaks of.
        prune: remove what a section of the manifest does not name: members, packages, permissions, routes,
            domains. Sections that the manifest does not have are left alone, as are domains below `scarf.sh` and
            that of a `public_url` that the manifest says.
        rewrite_addresses: set the addresses of docker and python packages that the manifest names; the service does
            not give them back, so it does not show whether they differ.
        traits: what the service shows and takes.

    Raises:
        ValidationError: the manifest says two things of one person or package.
    """
    rules = _Rules(
        people=_People.of(manifest.people),
        me=live.me,
        prune=prune,
        rewrite_addresses=rewrite_addresses,
        traits=traits,
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
    """Yield the changes, and before a package goes the removal of those of its domains that another takes."""
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
                f"two entries are one organization: {said[key]!r} and {spec.name!r}; keep one of them"
            )
        said[key] = spec.name


@attrs.frozen
class _People:
    """Who is behind an e-mail address.

    Attributes:
        usernames: username by address, as `user_key` gives them.
        identified: the usernames whose address is known.
    """

    usernames: Mapping[str, str]
    identified: frozenset[str]

    @classmethod
    def of(cls, people: Mapping[str, str]) -> _People:
        usernames: dict[str, str] = {}
        for username, address in people.items():
            key = user_key(username)
            if usernames.setdefault(user_key(address), key) != key:
                raise ValidationError(
                    f"people gives {address} to two: {usernames[user_key(address)]} and {username}", field="people"
                )
        return cls(usernames, frozenset(usernames.values()))


@attrs.frozen(kw_only=True)
class _Rules:
    people: _People
    me: str | None
    prune: bool
    rewrite_addresses: bool
    traits: Traits


def _organization(spec: OrganizationSpec, live: LiveOrganization, rules: _Rules) -> Iterator[Change]:
    shown = live.organization
    name = spec.name if shown is None else shown.name
    make = partial(Change, organization=name)
    said = OrganizationFields.of(spec)
    if shown is None:
        after = _with_texts(OrganizationFields(description="", billing_email=""), said)
        change = _unless_invalid(
            make(action="create", kind="organization", after=after), partial(after.upsert, name)
        )
        yield change
        if change.action == "blocked":
            return
    else:
        before = OrganizationFields.of(shown).shown
        after = attrs.evolve(before, **said)
        if before.comparable != after.comparable:
            yield _unless_invalid(
                make(action="update", kind="organization", before=before, after=after),
                partial(after.upsert, name),
            )
    if spec.members is not None:
        yield from _members(spec.members, live, make, rules)
    if spec.packages is not None:
        yield from _packages(spec.packages, live.packages or (), name, rules)


def _with_texts(fields: F, said: F) -> F:
    """Add what is said of a new thing; an empty text need not be sent."""
    return attrs.evolve(fields, **{field: text for field, text in said.items() if text})


def _unless_invalid(change: Change, upsert: Callable[[], object]) -> Change:
    try:
        upsert()
    except ValidationError as error:
        return attrs.evolve(change, action="blocked", note=str(error))
    return change


def _members(wanted: Mapping[str, Role], live: LiveOrganization, make: _Make, rules: _Rules) -> Iterator[Change]:
    shown = {user_key(member.username): member for member in live.members or ()}
    # Who creates an organization is its owner from the start.
    creator = user_key(rules.me) if rules.me is not None and live.organization is None else None
    said: dict[str, tuple[str, Role]] = {}
    for username, role in wanted.items():
        key = user_key(username)
        if said.setdefault(key, (username, role))[1] != role:
            raise _two_values(make(action="blocked", kind="member"), said[key], (username, role))
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


def _two_values(change: Change, first: tuple[str, str], second: tuple[str, str]) -> ValidationError:
    return ValidationError(
        f"{change.kind}s of {change.target}: {first[0]!r} and {second[0]!r} are one person, with two values:"
        f" {first[1]} and {second[1]}; keep one of them",
        field=f"{change.kind}s",
    )


def _loses_owners(live: LiveOrganization, changes: Iterable[Change], rules: _Rules) -> bool:
    """Tell whether an organization has an owner and would have none."""
    roles: dict[str, str] = {member.username: member.role for member in live.members or ()}
    if live.organization is None:
        # Its creator; no change names one who is not known.
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
    specs: Iterable[PackageSpec], shown: Iterable[LivePackage], organization: str | None, rules: _Rules
) -> Iterator[Change]:
    shown = tuple(shown)
    kept: set[str] = set()
    for match in match_packages(specs, shown, organization or rules.me):
        kept.update(live.package.uuid for live in (*match.found, *match.others))
        yield from _package(match, organization, rules)
    if rules.prune:
        for live in shown:
            if live.package.uuid not in kept:
                package = live.package
                yield Change(
                    action="remove",
                    kind="package",
                    organization=organization,
                    package=package.name,
                    library_type=package.library_type,
                    uuid=package.uuid,
                    before=PackageFields.of(package).shown(addresses=rules.traits.addresses_shown),
                )


def _package(match: Match, organization: str | None, rules: _Rules) -> Iterator[Change]:
    spec = match.spec
    make = partial(Change, organization=organization, package=spec.name, library_type=spec.library_type)
    if match.others:
        note = (
            f"a package of this name is there with the type {_types(match.others)}, and a type cannot change:"
            " delete that package first, or name it in the manifest beside this one"
        )
        yield make(action="blocked", kind="package", note=note)
        return
    if len(match.found) > 1:
        note = f"several packages have this name ({_types(match.found)}): say which one is meant by its type"
        yield make(action="blocked", kind="package", note=note)
        return
    library_type = spec.library_type
    live = match.found[0] if match.found else None
    if live is None:
        change = _new_package(spec, make)
        yield change
        if change.action == "blocked":
            return
    else:
        package = live.package
        library_type = package.library_type or library_type
        make = partial(make, package=package.name, library_type=library_type, uuid=package.uuid)
        yield from _old_package(spec, package, library_type, make, rules)
    yield from _permissions(spec.permissions, live, make, rules)
    yield from _routes(spec, live, library_type, make, rules)
    yield from _domains(spec, live, library_type, make, rules)


def _types(packages: Iterable[LivePackage]) -> str:
    return " and ".join(sorted(str(live.package.library_type) for live in packages))


def _new_package(spec: PackageSpec, make: _Make) -> Change:
    after = _with_texts(PackageFields(short_description=""), PackageFields.of(spec))
    change = make(action="create", kind="package", after=after)
    if spec.library_type == LibraryType.DOCKER and after.backend_url is None:
        note = "a docker package cannot be created without backend_url; nothing of it is created"
        return attrs.evolve(change, action="blocked", note=note)
    return _unless_invalid(change, partial(after.upsert, spec.name, spec.library_type))


def _old_package(
    spec: PackageSpec, package: Package, library_type: str | None, make: _Make, rules: _Rules
) -> Iterator[Change]:
    shown = rules.traits.addresses_shown
    said = PackageFields.of(spec)
    before = PackageFields.of(package).shown(addresses=shown)
    after = attrs.evolve(before, **said)
    differs = any(before.comparable[field] != after.comparable[field] for field in before)
    if not differs and (shown or not said.addresses):
        return
    missing = [] if shown else [field for field in address_fields(library_type) if field not in said]
    change = make(action="update" if differs else "set", kind="package", before=before, after=after)
    if not differs and not rules.rewrite_addresses:
        change = attrs.evolve(change, action="uncompared", note="the service does not give addresses back")
    elif library_type is None and not shown:
        note = (
            "its type does not show, and a change might clear addresses that it has: say library_type (in a file:"
            " type)"
        )
        change = attrs.evolve(change, action="blocked", note=note)
    elif missing:
        # A change states all fields anew, and one that is left out may be cleared.
        note = f'a change might clear what it leaves out: say {" and ".join(missing)}, or "" if there is none'
        change = attrs.evolve(change, action="blocked", note=note)
    yield _unless_invalid(change, partial(after.upsert, package.name, library_type))


def _permissions(
    wanted: Mapping[str, PermissionLevel] | None, live: LivePackage | None, make: _Make, rules: _Rules
) -> Iterator[Change]:
    if wanted is None:
        return
    shown = {user_key(entry.username): entry for entry in (live.permissions if live else None) or ()}
    said: dict[str, tuple[str, PermissionLevel]] = {}
    for user, level in wanted.items():
        key = user_key(user)
        key = rules.people.usernames.get(key, key)
        if said.setdefault(key, (user, level))[1] != level:
            raise _two_values(make(action="blocked", kind="permission"), said[key], (user, level))
    by_email = rules.traits.users_by_email
    strangers = [user for key, (user, _) in said.items() if by_email and "@" in key and key not in shown]
    for key, (user, level) in said.items():
        after = PermissionFields(level=level)
        if key in shown:
            entry = shown[key]
            if entry.permission_level != level:
                before = PermissionFields(level=entry.permission_level)
                yield make(action="update", kind="permission", name=entry.username, before=before, after=after)
        elif by_email and "@" in key and live is not None:
            note = "the service shows usernames only: name this address in people to have it compared"
            yield make(action="set", kind="permission", name=user.strip(), after=after, note=note)
        elif level != PermissionLevel.DEFAULT:
            yield make(action="create", kind="permission", name=user.strip(), after=after)
    if rules.prune:
        for key, entry in shown.items():
            if key in said or entry.permission_level == PermissionLevel.DEFAULT:
                continue
            change = make(
                action="remove",
                kind="permission",
                name=entry.username,
                before=PermissionFields(level=entry.permission_level),
            )
            if strangers and key not in rules.people.identified:
                note = f"this may be the person of {strangers[0]}: say in people whose address that is"
                change = attrs.evolve(change, action="blocked", note=note)
            yield change


def _routes(
    spec: PackageSpec, live: LivePackage | None, library_type: str | None, make: _Make, rules: _Rules
) -> Iterator[Change]:
    wanted: dict[tuple[str, str], RouteCreate] = {}
    for said in spec.routes or ():
        wanted.setdefault(route_key(said.template_path, said.outgoing_url), said)
    shown = [(route_key(route.template_path, route.outgoing_url), route) for route in (live and live.routes) or ()]
    there = {key for key, _ in shown}
    for key, said in wanted.items():
        if key in there:
            continue
        after = RouteFields.of(said)
        change = make(action="create", kind="route", after=after)
        if not has_routes(library_type):
            change = attrs.evolve(change, action="blocked", note=f"a package of type {library_type} has no routes")
        yield change
    if rules.prune and spec.routes is not None:
        for key, route in shown:
            if key not in wanted:
                yield make(action="remove", kind="route", id=route.id, before=RouteFields.of(route))


def _domains(
    spec: PackageSpec, live: LivePackage | None, library_type: str | None, make: _Make, rules: _Rules
) -> Iterator[Change]:
    wanted: dict[str, str] = {}
    for name in spec.domains or ():
        wanted.setdefault(domain_key(name), name.strip())
    shown = {domain_key(domain.name): domain for domain in (live.domains if live else None) or ()}
    for key, name in wanted.items():
        if key in shown:
            continue
        change = make(action="create", kind="domain", name=name, after=DomainFields(name=name))
        if not has_domains(library_type):
            change = attrs.evolve(change, action="blocked", note=f"a package of type {library_type} has no domains")
        yield change
    if rules.prune and spec.domains is not None:
        # A package has Scarf's own domain, and that of its public address, without being given them.
        public = public_host(spec.public_url)
        for key, domain in shown.items():
            if key not in {*wanted, public} and not is_scarfs_domain(key):
                before = DomainFields.of(domain)
                yield make(action="remove", kind="domain", name=domain.name, id=domain.id, before=before)
