"""The kinds of operations: their arguments, dependencies, requests and effects.

To add a kind, add a class here, its name to `Kind`, and a method to `BulkPlan`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import ClassVar, Final

import attrs

from scarf_async.bulk.kinds import (
    Call,
    Changes,
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
    gone,
    is_if_exists,
    segment,
    wanted,
)
from scarf_async.bulk.parts import CreateDomain, CreateRoute, DeleteDomain, DeleteRoute, SetPermission, UpdateRoute
from scarf_async.dialects import Dialect
from scarf_async.entities import (
    DomainCreate,
    Member,
    MemberUpsert,
    Organization,
    OrganizationUpsert,
    Package,
    PackageKey,
    PackageUpsert,
    Role,
    Unset,
)
from scarf_async.entities.fields import some_text
from scarf_async.entities.organizations import known_role
from scarf_async.names import package_key, user_key
from scarf_async.protocol.looking import find_domain, find_organization, last_part
from scarf_async.protocol.steps import Creation, Steps
from scarf_async.resources import Organizations
from scarf_async.sending.creates import IfExists
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
    "UpdateRoute",
    "UpsertMember",
]


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
        return wanted(self.organization, find_organization(self.organization, shown.organizations.get(where)))


@attrs.frozen
class CreateOrganization(_OfOrganization, Creates[Organization]):
    """An organization to create."""

    kind = Kind.CREATE_ORGANIZATION

    organization: OrganizationUpsert = attrs.field(validator=Entity(OrganizationUpsert))
    if_exists: IfExists = attrs.field(default="fail", validator=is_if_exists)

    def looks_at(self, _: Root | None, /) -> None:
        return None

    def identity(self, _: str | None, /) -> None:
        return None

    def build(self, dialect: Dialect, _: PackageKey, /) -> Creation[Organization]:
        return dialect.create_organization(self.organization)


@attrs.frozen
class UpdateOrganization(_OfOrganization):
    """An organization to update or rename."""

    kind = Kind.UPDATE_ORGANIZATION
    effect = Effect.CHANGES

    name: str = attrs.field(validator=segment)
    organization: OrganizationUpsert = attrs.field(validator=Entity(OrganizationUpsert))

    @property
    def uses(self) -> str:
        return self.name

    @property
    def renames(self) -> bool:
        """Whether it renames the organization."""
        return self.organization.name != self.name

    def build(self, dialect: Dialect, _: PackageKey, /) -> object:
        return dialect.update_organization(self.name, self.organization)

    def perform(self, session: Session, _: PackageKey, __: Sequence[Call], /) -> Awaitable[object]:
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
class UpsertMember(_OfMember, Changes):
    """A membership to create or update."""

    kind = Kind.UPSERT_MEMBER
    effect = Effect.SETS

    organization: str = attrs.field(validator=segment)
    username: str = attrs.field(validator=some_text)
    role: Role = attrs.field(converter=known_role)

    @property
    def value(self) -> Hashable:
        return self.kind, self.role

    def build(self, dialect: Dialect, _: PackageKey, /) -> Steps[object]:
        return dialect.upsert_member(self.organization, MemberUpsert(self.username, self.role))

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        found = self._found(shown, where)
        role = None if found is None else found.role
        return None if role == self.role else (self.role, role)


@attrs.frozen
class RemoveMember(_OfMember, Changes):
    """A member to remove."""

    kind = Kind.REMOVE_MEMBER
    effect = Effect.REMOVES

    organization: str = attrs.field(validator=segment)
    username: str = attrs.field(validator=segment)

    @property
    def value(self) -> Hashable:
        return self.kind

    def build(self, dialect: Dialect, _: PackageKey, /) -> Steps[object]:
        return dialect.remove_member(self.organization, self.username)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return gone(self._found(shown, where))


# Packages


def _package_differs(upsert: PackageUpsert, shown: Shown, where: Root) -> Differs | None:
    package = shown.packages.get(where)
    if package is None:
        return upsert, None
    if shown.dialect.find_package(upsert, [package], package.owner).equal is None:
        return upsert, package
    host, domains = shown.dialect.domain_of(upsert), shown.domains.get(where)
    if host is None or domains is None:
        return None
    return wanted(DomainCreate(host), find_domain(DomainCreate(host), domains))


@attrs.frozen
class CreatePackage(OnAccount, Creates[Package]):
    """A package to create."""

    kind = Kind.CREATE_PACKAGE
    gives_package = True
    shown_in: ClassVar[Section] = "packages"

    package: PackageUpsert = attrs.field(validator=Entity(PackageUpsert))
    organization: str | None = attrs.field(default=None, validator=attrs.validators.optional(segment))
    if_exists: IfExists = attrs.field(default="fail", validator=is_if_exists)

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

    def build(self, dialect: Dialect, _: PackageKey, /) -> Creation[Package]:
        return dialect.create_package(self.package, self.organization)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return _package_differs(self.package, shown, where)


@attrs.frozen
class UpdatePackage(OnPackage, Changes):
    """A package to update."""

    kind = Kind.UPDATE_PACKAGE
    effect = Effect.CHANGES
    gives_package = True
    shown_in: ClassVar[Section] = "packages"
    rank = 1

    upsert: PackageUpsert = attrs.field(validator=Entity(PackageUpsert))

    def target(self, root: Root | None, _: Callable[[str], str], /) -> Hashable:
        return self.kind, root

    def build(self, dialect: Dialect, package: PackageKey, /) -> Steps[object]:
        return dialect.update_package(package, self.upsert)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return _package_differs(self.upsert, shown, where)


@attrs.frozen
class DeletePackage(OnPackage, Changes):
    """A package to delete."""

    kind = Kind.DELETE_PACKAGE
    effect = Effect.REMOVES
    shown_in: ClassVar[Section] = "packages"
    rank = 2
    before: ClassVar[frozenset[Kind]] = frozenset()

    def build(self, dialect: Dialect, package: PackageKey, /) -> Steps[object]:
        return dialect.delete_package(package)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return gone(shown.packages.get(where))


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
        UpdateRoute,
        DeleteRoute,
        CreateDomain,
        DeleteDomain,
    )
}
