"""The kinds of operations: what each takes, what it waits for, how it is sent, and where its effect shows.

A further kind is one more class here, its name in `Kind`, and the method of `BulkPlan` that adds it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import ClassVar, Final

import attrs

from scarf_async.bulk.kinds import (
    Call,
    Creates,
    Differs,
    Effect,
    Entity,
    Kind,
    OnAccount,
    OnPackage,
    Root,
    Section,
    Shown,
)
from scarf_async.entities import (
    DomainCreate,
    Member,
    OrganizationUpsert,
    Package,
    PackageKey,
    PackageUpsert,
    PermissionLevel,
    PermissionLevelLike,
    PermissionSet,
    Role,
    RoleLike,
    RouteCreate,
    Unset,
)
from scarf_async.entities.fields import one_of, some_text
from scarf_async.names import domain_key, package_key, route_key, user_key
from scarf_async.protocol.looking import (
    E,
    Found,
    find_domain,
    find_organization,
    find_package,
    find_route,
    last_part,
)
from scarf_async.protocol.messages import path_segment
from scarf_async.resources import Domains, Members, Organizations, Packages, Permissions, Routes
from scarf_async.sending.creates import IfExists, check_if_exists
from scarf_async.sending.session import Session

__all__ = [
    "CALLS",
    "CreateDomain",
    "CreateOrganization",
    "CreatePackage",
    "CreateRoute",
    "DeleteDomain",
    "DeletePackage",
    "DeleteRoute",
    "RemoveMember",
    "SetPermission",
    "UpdateOrganization",
    "UpdatePackage",
    "UpsertMember",
]


def _segment(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    path_segment(attribute.name, value)


def _is_if_exists(_: object, __: object, value: object) -> None:
    check_if_exists(value)


def _to_level(value: PermissionLevelLike) -> PermissionLevel:
    return one_of(PermissionLevel, "permission_level", value)


def _to_role(value: RoleLike) -> Role:
    return one_of(Role, "role", value)


def _wanted(wanted: object, found: Found[E]) -> Differs | None:
    return None if found.equal is not None else (wanted, found.different)


def _gone(found: object) -> Differs | None:
    return None if found is None else (None, found)


# Organizations


class _OfOrganization(OnAccount):
    __slots__ = ()

    shown_in: ClassVar[Section] = "organizations"
    organization: OrganizationUpsert

    @property
    def makes(self) -> str:
        return self.organization.name

    def target(self, _: Root | None, key: Callable[[str], str], /) -> Hashable:
        return self.kind, key(self.uses or self.makes)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return _wanted(self.organization, find_organization(self.organization, shown.organizations.get(where)))


@attrs.frozen
class CreateOrganization(_OfOrganization, Creates):
    """An organization to create."""

    kind = Kind.CREATE_ORGANIZATION

    organization: OrganizationUpsert = attrs.field(validator=Entity(OrganizationUpsert))
    if_exists: IfExists = attrs.field(default="fail", validator=_is_if_exists)

    def looks_at(self, _: Root | None, /) -> None:
        return None

    def identity(self, _: str | None, /) -> None:
        return None

    def perform(self, session: Session, /) -> Awaitable[object]:
        return Organizations(session).create(self.organization, if_exists=self.if_exists)


@attrs.frozen
class UpdateOrganization(_OfOrganization):
    """An organization to change, or to rename."""

    kind = Kind.UPDATE_ORGANIZATION
    effect = Effect.CHANGES

    name: str = attrs.field(validator=_segment)
    organization: OrganizationUpsert = attrs.field(validator=Entity(OrganizationUpsert))

    @property
    def uses(self) -> str:
        return self.name

    @property
    def renames(self) -> bool:
        """Whether it gives the organization another name."""
        return self.organization.name != self.name

    def perform(self, session: Session, /) -> Awaitable[object]:
        return Organizations(session).update(self.name, self.organization)


# Members


class _OfMember(OnAccount):
    __slots__ = ()

    shown_in: ClassVar[Section] = "members"
    organization: str
    username: str

    @property
    def part(self) -> Hashable:
        return user_key(self.username)

    @property
    def uses(self) -> str:
        return self.organization

    def target(self, _: Root | None, key: Callable[[str], str], /) -> Hashable:
        return "member", key(self.organization), self.part

    def _found(self, shown: Shown, where: Root) -> Member | None:
        user, members = self.part, shown.members.get(where, ())
        return next((member for member in members if user_key(member.username) == user), None)


@attrs.frozen
class UpsertMember(_OfMember):
    """A membership to create or change."""

    kind = Kind.UPSERT_MEMBER
    effect = Effect.SETS

    organization: str = attrs.field(validator=_segment)
    username: str = attrs.field(validator=some_text)
    role: Role = attrs.field(converter=_to_role)

    @property
    def value(self) -> Hashable:
        return self.kind, self.role

    def perform(self, session: Session, /) -> Awaitable[object]:
        return Members(session).upsert(self.organization, self.username, self.role)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        found = self._found(shown, where)
        role = None if found is None else found.role
        return None if role == self.role else (self.role, role)


@attrs.frozen
class RemoveMember(_OfMember):
    """A member to remove."""

    kind = Kind.REMOVE_MEMBER
    effect = Effect.REMOVES

    organization: str = attrs.field(validator=_segment)
    username: str = attrs.field(validator=_segment)

    @property
    def value(self) -> Hashable:
        return self.kind

    def perform(self, session: Session, /) -> Awaitable[object]:
        return Members(session).remove(self.organization, self.username)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return _gone(self._found(shown, where))


# Packages


def _package_differs(upsert: PackageUpsert, package: Package | None) -> Differs | None:
    if package is None:
        return upsert, None
    found = find_package(upsert, [package], organization=package.owner)
    return None if found.equal is not None else (upsert, package)


@attrs.frozen
class CreatePackage(OnAccount, Creates):
    """A package to create."""

    kind = Kind.CREATE_PACKAGE
    gives_package = True
    shown_in: ClassVar[Section] = "packages"

    package: PackageUpsert = attrs.field(validator=Entity(PackageUpsert))
    organization: str | None = attrs.field(default=None, validator=attrs.validators.optional(_segment))
    if_exists: IfExists = attrs.field(default="fail", validator=_is_if_exists)

    @property
    def uses(self) -> str | None:
        return self.organization

    def root(self, index: int, /) -> Root:
        return index

    def target(self, _: Root | None, key: Callable[[str], str], /) -> Hashable:
        owner, package = self.organization, self.package
        library_type = None if isinstance(package.library_type, Unset) else package.library_type
        return self.kind, owner and key(owner), package_key(package.name, owner), library_type

    def looks_at(self, _: Root | None, /) -> Hashable:
        return self.kind, self.organization

    def identity(self, _: str | None, /) -> Hashable:
        return last_part(self.package.name)

    def perform(self, session: Session, /) -> Awaitable[object]:
        return Packages(session).create(self.package, self.organization, if_exists=self.if_exists)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return _package_differs(self.package, shown.packages.get(where))


@attrs.frozen
class UpdatePackage(OnPackage):
    """A package to change."""

    kind = Kind.UPDATE_PACKAGE
    effect = Effect.CHANGES
    gives_package = True
    shown_in: ClassVar[Section] = "packages"
    rank = 1

    upsert: PackageUpsert = attrs.field(validator=Entity(PackageUpsert))

    def target(self, root: Root | None, _: Callable[[str], str], /) -> Hashable:
        return self.kind, root

    def perform(self, session: Session, package: PackageKey, _: Sequence[Call], /) -> Awaitable[object]:
        return Packages(session).update(package, self.upsert)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return _package_differs(self.upsert, shown.packages.get(where))


@attrs.frozen
class DeletePackage(OnPackage):
    """A package to delete."""

    kind = Kind.DELETE_PACKAGE
    effect = Effect.REMOVES
    shown_in: ClassVar[Section] = "packages"
    rank = 2
    before: ClassVar[frozenset[Kind]] = frozenset()

    def perform(self, session: Session, package: PackageKey, _: Sequence[Call], /) -> Awaitable[object]:
        return Packages(session).delete(package)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return _gone(shown.packages.get(where))


# What hangs on packages


@attrs.frozen
class SetPermission(OnPackage):
    """A permission to set; those of one package travel together."""

    kind = Kind.SET_PERMISSION
    effect = Effect.SETS
    shown_in: ClassVar[Section] = "permissions"

    user_query: str = attrs.field(validator=some_text)
    level: PermissionLevel = attrs.field(converter=_to_level)

    @property
    def part(self) -> Hashable:
        return user_key(self.user_query)

    @property
    def details(self) -> Hashable:
        return self.user_query, self.level

    def target(self, root: Root | None, _: Callable[[str], str], /) -> Hashable:
        return "permission", root, user_key(self.user_query)

    @property
    def value(self) -> Hashable:
        return self.kind, self.level

    def perform(self, session: Session, package: PackageKey, unit: Sequence[Call], /) -> Awaitable[object]:
        calls = [call for call in unit if isinstance(call, SetPermission)]
        return Permissions(session).set(package, [PermissionSet(call.user_query, call.level) for call in calls])

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        permissions = shown.permissions.get(where)
        if permissions is None:
            return self.level, None
        user = user_key(self.user_query)
        found = next((entry for entry in permissions if user_key(entry.username) == user), None)
        if found is None and ("@" in user or self.level == PermissionLevel.DEFAULT):
            return None
        level = None if found is None else found.permission_level
        return None if level == self.level else (self.level, level)


@attrs.frozen
class CreateRoute(OnPackage, Creates):
    """A route to create."""

    kind = Kind.CREATE_ROUTE
    shown_in: ClassVar[Section] = "routes"
    before: ClassVar[frozenset[Kind]] = OnPackage.before | {Kind.DELETE_ROUTE}

    route: RouteCreate = attrs.field(validator=Entity(RouteCreate))
    if_exists: IfExists = attrs.field(default="fail", validator=_is_if_exists)

    @property
    def part(self) -> Hashable:
        return self.route

    def identity(self, package: str | None, /) -> Hashable:
        return package, route_key(self.route.template_path, self.route.outgoing_url)

    def perform(self, session: Session, package: PackageKey, _: Sequence[Call], /) -> Awaitable[object]:
        return Routes(session).create(package, self.route, if_exists=self.if_exists)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return _wanted(self.route, find_route(self.route, shown.routes.get(where, ())))


@attrs.frozen
class DeleteRoute(OnPackage):
    """A route to delete."""

    kind = Kind.DELETE_ROUTE
    effect = Effect.REMOVES
    shown_in: ClassVar[Section] = "routes"

    route_id: str = attrs.field(validator=_segment)

    @property
    def part(self) -> None:
        return None

    def perform(self, session: Session, package: PackageKey, _: Sequence[Call], /) -> Awaitable[object]:
        return Routes(session).delete(package, self.route_id)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return _gone(next((route for route in shown.routes.get(where, ()) if route.id == self.route_id), None))


@attrs.frozen
class CreateDomain(OnPackage, Creates):
    """A domain to create."""

    kind = Kind.CREATE_DOMAIN
    shown_in: ClassVar[Section] = "domains"
    before: ClassVar[frozenset[Kind]] = OnPackage.before | {Kind.DELETE_DOMAIN}

    domain: DomainCreate = attrs.field(validator=Entity(DomainCreate))
    if_exists: IfExists = attrs.field(default="fail", validator=_is_if_exists)

    @property
    def part(self) -> Hashable:
        return self.domain

    def target(self, root: Root | None, _: Callable[[str], str], /) -> Hashable:
        return self.kind, root, domain_key(self.domain.name)

    def identity(self, package: str | None, /) -> Hashable:
        return package, domain_key(self.domain.name)

    def perform(self, session: Session, package: PackageKey, _: Sequence[Call], /) -> Awaitable[object]:
        return Domains(session).create(package, self.domain, if_exists=self.if_exists)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return _wanted(self.domain, find_domain(self.domain, shown.domains.get(where, ())))


@attrs.frozen
class DeleteDomain(OnPackage):
    """A domain to delete."""

    kind = Kind.DELETE_DOMAIN
    effect = Effect.REMOVES
    shown_in: ClassVar[Section] = "domains"

    domain_id: str = attrs.field(validator=_segment)

    @property
    def part(self) -> None:
        return None

    def perform(self, session: Session, package: PackageKey, _: Sequence[Call], /) -> Awaitable[object]:
        return Domains(session).delete(package, self.domain_id)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return _gone(next((domain for domain in shown.domains.get(where, ()) if domain.id == self.domain_id), None))


CALLS: Final[Mapping[Kind, type[Call]]] = {
    kind.kind: kind
    for kind in (
        CreateOrganization,
        UpdateOrganization,
        UpsertMember,
        RemoveMember,
        CreatePackage,
        UpdatePackage,
        DeletePackage,
        SetPermission,
        CreateRoute,
        DeleteRoute,
        CreateDomain,
        DeleteDomain,
    )
}
