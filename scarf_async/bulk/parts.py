"""The kinds of operations on parts of packages: permissions, routes and domains."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import lru_cache
from typing import ClassVar

import attrs

from scarf_async.bulk.kinds import (
    Call,
    Changes,
    Creates,
    Differs,
    Effect,
    Entity,
    Kind,
    OnPackage,
    Root,
    Section,
    Shown,
    gone,
    is_if_exists,
    segment,
    wanted,
)
from scarf_async.dialects import Dialect
from scarf_async.entities import (
    UNSET,
    Domain,
    DomainCreate,
    PackageKey,
    PermissionLevel,
    PermissionSet,
    Route,
    RouteCreate,
)
from scarf_async.entities.fields import some_text
from scarf_async.entities.packages import known_level
from scarf_async.names import domain_key, route_key, user_key
from scarf_async.protocol.looking import find_domain
from scarf_async.protocol.steps import Creation, Steps
from scarf_async.sending.creates import IfExists
from scarf_async.sending.session import Session

__all__ = [
    "CreateDomain",
    "CreateRoute",
    "DeleteDomain",
    "DeleteRoute",
    "SetPermission",
    "UpdateRoute",
]


@attrs.frozen
class SetPermission(OnPackage):
    """A permission to set. Permissions of the same package share requests."""

    kind = Kind.SET_PERMISSION
    effect = Effect.SETS
    shown_in: ClassVar[Section] = "permissions"

    user_query: str = attrs.field(validator=some_text)
    level: PermissionLevel = attrs.field(converter=known_level)

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

    def build(self, dialect: Dialect, package: PackageKey, /) -> object:
        return dialect.set_permissions(package, [PermissionSet(self.user_query, self.level)])

    def perform(self, session: Session, package: PackageKey, unit: Sequence[Call], /) -> Awaitable[object]:
        entries = [_entry(call.user_query, call.level) for call in unit if isinstance(call, SetPermission)]
        # What a refusal says of the package is the run's to find out, once for all of its permissions.
        return session.run(session.dialect.set_permissions(package, entries, explain=False))

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


# Plans set the same few levels of the same users on many packages.
_entry = lru_cache(maxsize=1024)(PermissionSet)


@attrs.frozen
class CreateRoute(OnPackage, Creates[Route]):
    """A route to create."""

    kind = Kind.CREATE_ROUTE
    shown_in: ClassVar[Section] = "routes"
    before: ClassVar[frozenset[Kind]] = OnPackage.before | {Kind.DELETE_ROUTE}

    route: RouteCreate = attrs.field(validator=Entity(RouteCreate))
    if_exists: IfExists = attrs.field(default="fail", validator=is_if_exists)

    @property
    def part(self) -> Hashable:
        return self.route

    def identity(self, package: str | None, /) -> Hashable:
        return package, route_key(self.route.template_path, self.route.outgoing_url)

    def build(self, dialect: Dialect, package: PackageKey, /) -> Creation[Route]:
        return dialect.create_route(package, self.route)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return wanted(self.route, shown.dialect.find_route(self.route, shown.routes.get(where, ())))


@attrs.frozen
class UpdateRoute(OnPackage, Changes):
    """A route to update."""

    kind = Kind.UPDATE_ROUTE
    effect = Effect.CHANGES
    shown_in: ClassVar[Section] = "routes"
    before: ClassVar[frozenset[Kind]] = OnPackage.before | {Kind.DELETE_ROUTE}

    route_id: str = attrs.field(validator=segment)
    route: RouteCreate = attrs.field(validator=Entity(RouteCreate))

    @property
    def part(self) -> str:
        return self.route_id

    def target(self, root: Root | None, _: Callable[[str], str], /) -> Hashable:
        return self.kind, root, self.route_id

    def build(self, dialect: Dialect, package: PackageKey, /) -> Steps[object]:
        return dialect.update_route(package, self.route_id, self.route)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        found = next((route for route in shown.routes.get(where, ()) if route.id == self.route_id), None)
        if found is None:
            return self.route, None
        if self.route.outgoing_url is UNSET:
            # What an update leaves as it is has no value to hold against.
            is_equal = route_key(self.route.template_path, None) == route_key(found.template_path, None)
        else:
            is_equal = shown.dialect.find_route(self.route, [found]).equal is not None
        return None if is_equal else (self.route, found)


@attrs.frozen
class DeleteRoute(OnPackage, Changes):
    """A route to delete."""

    kind = Kind.DELETE_ROUTE
    effect = Effect.REMOVES
    shown_in: ClassVar[Section] = "routes"
    rank = 1

    route_id: str = attrs.field(validator=segment)

    @property
    def part(self) -> str:
        return self.route_id

    def build(self, dialect: Dialect, package: PackageKey, /) -> Steps[object]:
        return dialect.delete_route(package, self.route_id)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return gone(next((route for route in shown.routes.get(where, ()) if route.id == self.route_id), None))


@attrs.frozen
class CreateDomain(OnPackage, Creates[Domain]):
    """A domain to create."""

    kind = Kind.CREATE_DOMAIN
    shown_in: ClassVar[Section] = "domains"
    before: ClassVar[frozenset[Kind]] = OnPackage.before | {Kind.DELETE_DOMAIN}

    domain: DomainCreate = attrs.field(validator=Entity(DomainCreate))
    if_exists: IfExists = attrs.field(default="fail", validator=is_if_exists)

    @property
    def part(self) -> Hashable:
        return self.domain

    def target(self, root: Root | None, _: Callable[[str], str], /) -> Hashable:
        return self.kind, root, domain_key(self.domain.name)

    def identity(self, package: str | None, /) -> Hashable:
        return package, domain_key(self.domain.name)

    def build(self, dialect: Dialect, package: PackageKey, /) -> Creation[Domain]:
        return dialect.create_domain(package, self.domain)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return wanted(self.domain, find_domain(self.domain, shown.domains.get(where, ())))


@attrs.frozen
class DeleteDomain(OnPackage, Changes):
    """A domain to delete."""

    kind = Kind.DELETE_DOMAIN
    effect = Effect.REMOVES
    shown_in: ClassVar[Section] = "domains"

    domain_id: str = attrs.field(validator=segment)

    @property
    def part(self) -> None:
        return None

    def build(self, dialect: Dialect, package: PackageKey, /) -> Steps[object]:
        return dialect.delete_domain(package, self.domain_id)

    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        return gone(next((domain for domain in shown.domains.get(where, ()) if domain.id == self.domain_id), None))
