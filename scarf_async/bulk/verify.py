"""Does the service show what a plan asked for? Reads each touched list once, and changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

import attrs

from scarf_async.bulk.plan import BulkPlan, Kind, Operation, Ref
from scarf_async.bulk.together import together
from scarf_async.entities import (
    UNSET,
    Domain,
    Member,
    Organization,
    Package,
    PackageUpsert,
    Permission,
    PermissionLevel,
    Route,
)
from scarf_async.errors import NotFoundError
from scarf_async.names import organization_key, user_key
from scarf_async.reconcile import (
    Found,
    PackageIndex,
    find_domain,
    find_organization,
    find_package,
    find_route,
)
from scarf_async.resources import Domains, Members, Organizations, Packages, Permissions, Routes
from scarf_async.session import Session
from scarf_async.text import printable

__all__ = ["Difference", "verify"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
E = TypeVar("E", Organization, Package, Route, Domain)

_OF_ORGANIZATION: Final = {Kind.CREATE_ORGANIZATION, Kind.UPDATE_ORGANIZATION}
_OF_MEMBER: Final = {Kind.UPSERT_MEMBER, Kind.REMOVE_MEMBER}
_OF_PACKAGE: Final = {Kind.CREATE_PACKAGE, Kind.UPDATE_PACKAGE, Kind.DELETE_PACKAGE}
_RANKS: Final = {Kind.UPDATE_PACKAGE: 1, Kind.DELETE_PACKAGE: 2}
_OF_ROUTE: Final = {Kind.CREATE_ROUTE, Kind.DELETE_ROUTE}
_OF_DOMAIN: Final = {Kind.CREATE_DOMAIN, Kind.DELETE_DOMAIN}


@attrs.frozen
class Difference:
    """An operation whose effect does not show.

    Attributes:
        operation: the operation.
        expected: what should show; None: nothing.
        found: what shows; None: nothing.
    """

    operation: Operation
    expected: object
    found: object

    def __str__(self) -> str:
        expected, found = (value if value is not None else "nothing" for value in (self.expected, self.found))
        return printable(f"{self.operation}: expected {expected}, found {found}")


async def verify(session: Session, plan: BulkPlan) -> list[Difference]:
    """Compare a plan with what the service shows; works on a read-only client.

    Only the last value for a target is compared, and nothing that hangs on a package which the plan deletes. What
    became of a package that is changed or deleted by its uuid shows in the list of the token's user's packages,
    where those of the user's organizations are too.
    Addresses of packages are not compared, since the service does not give them back, nor are permissions by
    e-mail address, since it gives usernames back.

    Raises:
        APIError: the service refused to show something (what is not there is a difference, not an error).
        TransportError: no answer came.
        DecodeError: an answer is not what was promised.
    """
    target = _Target(plan)
    shown = _Shown(session, target)
    await shown.read()
    return [
        difference
        for operation in target.last_operations()
        if (difference := _compare(operation, target, shown)) is not None
    ]


class _Target:
    """What a plan's operations speak of, and which of them has the last word."""

    def __init__(self, plan: BulkPlan) -> None:
        self.plan = plan
        self._packages: dict[int, str | int] = {}
        self._renamed: dict[str, str] = {}
        self._spelled: dict[str, str] = {}
        self.deleted: set[str | int] = set()
        self.last: dict[Hashable, Operation] = {}
        for operation in plan:
            arguments = operation.arguments
            if "package" in arguments and operation.kind is not Kind.CREATE_PACKAGE:
                self._packages[operation.index] = self._root(arguments["package"])
            elif operation.kind is Kind.CREATE_PACKAGE:
                self._packages[operation.index] = operation.index
            if operation.kind is Kind.UPDATE_ORGANIZATION and arguments["organization"].name != arguments["name"]:
                self._renamed[organization_key(arguments["name"])] = arguments["organization"].name
            if operation.kind is Kind.DELETE_PACKAGE:
                self.deleted.add(self._packages[operation.index])
        self._spelled.update((organization_key(name), name) for name in self._renamed.values())
        for operation in plan:
            last = self.last.setdefault(self._identity(operation), operation)
            if self._rank(operation) >= self._rank(last):
                self.last[self._identity(operation)] = operation

    def _rank(self, operation: Operation) -> int:
        """Tell which of two operations on one thing comes last, however they were added."""
        if operation.kind in _OF_ORGANIZATION:
            name: str = operation.arguments["organization"].name
            in_place: bool = operation.arguments.get("name") == name
            # Under each of its names it is first created, or gets that name, and then changed.
            return in_place - 2 * len(self._names_after(name))
        return _RANKS.get(operation.kind, 0)

    def _root(self, package: str | Ref[Package]) -> str | int:
        return package if isinstance(package, str) else self._packages[package.index]

    def package(self, operation: Operation) -> str | int:
        """Return the uuid of an operation's package, or the place of what creates it."""
        return self._packages[operation.index]

    def organization(self, name: str) -> str:
        """Return the name that an organization has in the end, in one of its spellings."""
        last = [name, *self._names_after(name)][-1]
        return self._spelled.setdefault(organization_key(last), last)

    def _names_after(self, name: str) -> list[str]:
        names = [name]
        while (later := self._renamed.get(organization_key(names[-1]))) is not None and later not in names:
            names.append(later)
        return names[1:]

    def _identity(self, operation: Operation) -> Hashable:
        arguments, kind = operation.arguments, operation.kind
        if kind in _OF_ORGANIZATION:
            return "organization", self.organization(arguments.get("name") or arguments["organization"].name)
        if kind in _OF_MEMBER:
            return "member", self.organization(arguments["organization"]), user_key(arguments["username"])
        package = self.package(operation)
        if kind in _OF_PACKAGE:
            return "package", package
        if kind is Kind.SET_PERMISSION:
            return "permission", package, user_key(arguments["user_query"])
        return kind, package, arguments.get("route") or arguments.get("domain") or operation.index

    def named_packages(self) -> Iterable[str | int]:
        """Yield every package that something is said of."""
        return dict.fromkeys(self._packages.values())

    def owner(self, place: int) -> str | None:
        """Return the organization, by its last name, of a package that the plan creates."""
        organization: str | None = self.plan[place].arguments["organization"]
        return None if organization is None else self.organization(organization)

    def wanted(self, place: int) -> PackageUpsert:
        """Return what a package that the plan creates is to be in the end."""
        created = self.created(place)
        # What is deleted in the end is looked for as it was created.
        last: PackageUpsert = self.last["package", place].arguments.get("upsert", created)
        if last.library_type is not UNSET:
            return last
        # A change need not say the type again, which tells packages of one name apart.
        return PackageUpsert(
            name=last.name,
            short_description=last.short_description,
            long_description=last.long_description,
            website=last.website,
            library_type=created.library_type,
        )

    def created(self, place: int) -> PackageUpsert:
        """Return what a package is created as."""
        created: PackageUpsert = self.plan[place].arguments["package"]
        return created

    def last_operations(self) -> Iterable[Operation]:
        """Yield what has the last word, in the plan's order."""
        for operation in self.plan:
            if self.last[self._identity(operation)] is operation and (
                operation.kind is Kind.DELETE_PACKAGE or self._packages.get(operation.index) not in self.deleted
            ):
                yield operation


class _Readings:
    """Reads to make at the same time; each at most once."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, Callable[[], Awaitable[None]]] = {}

    def add(self, into: dict[K, T], key: K, call: Callable[[], Awaitable[T]]) -> None:
        """Plan one; what is not there leaves no entry."""

        async def read() -> None:
            with suppress(NotFoundError):
                into[key] = await call()

        self._calls.setdefault((id(into), key), read)

    async def make(self) -> None:
        """Make them; the first error ends all of them and is raised by itself."""
        await together(list(self._calls.values()))


class _Shown:
    """What the service shows of it."""

    def __init__(self, session: Session, target: _Target) -> None:
        self._session = session
        self._target = target
        self._last = list(target.last_operations())
        # A package that is there already is looked for only where something is asked of the package itself.
        self._packages = [
            package
            for package in target.named_packages()
            if isinstance(package, int) or ("package", package) in target.last
        ]
        self.organizations: dict[str, Organization] = {}
        self.members: dict[str, list[Member]] = {}
        self.packages: dict[str | int, Package] = {}
        self.lists: dict[str | None, PackageIndex] = {}
        self.permissions: dict[str | int, list[Permission]] = {}
        self.routes: dict[str | int, list[Route]] = {}
        self.domains: dict[str | int, list[Domain]] = {}

    async def read(self) -> None:
        """Read each touched list once: first what tells the packages, then what hangs on them."""
        await self._read_owners()
        self._find_packages()
        await self._read_packages()

    async def _read_owners(self) -> None:
        organizations, members = Organizations(self._session), Members(self._session)
        packages = Packages(self._session)
        readings = _Readings()
        for operation in self._last:
            arguments = operation.arguments
            if operation.kind in _OF_ORGANIZATION:
                name = self._target.organization(arguments["organization"].name)
                readings.add(self.organizations, name, partial(organizations.get, name))
            elif operation.kind in _OF_MEMBER:
                name = self._target.organization(arguments["organization"])
                readings.add(self.members, name, partial(members.list, name))

        async def index(owner: str | None) -> PackageIndex:
            return PackageIndex(await packages.list(owner))

        for package in self._packages:
            owner = None if isinstance(package, str) else self._target.owner(package)
            readings.add(self.lists, owner, partial(index, owner))
        await readings.make()

    def _find_packages(self) -> None:
        for key in self._packages:
            if isinstance(key, int):
                package = self._created(key)
            else:
                package = next(filter(None, (listed.with_uuid(key) for listed in self.lists.values())), None)
            if package is not None:
                self.packages[key] = package

    def _created(self, place: int) -> Package | None:
        owner = self._target.owner(place)
        listed = self.lists.get(owner)
        if listed is None:
            return None
        others = self._session.organizations if owner is None else ()
        # What its changes did not reach is still what it was created as.
        for upsert in (self._target.wanted(place), self._target.created(place)):
            found = find_package(upsert, listed.named(upsert.name), organization=owner, not_of=others)
            if found:
                return found.equal or found.different
        return None

    async def _read_packages(self) -> None:
        permissions, routes = Permissions(self._session), Routes(self._session)
        domains = Domains(self._session)
        readings = _Readings()
        for operation in self._last:
            if operation.kind in _OF_ORGANIZATION | _OF_MEMBER | _OF_PACKAGE:
                continue
            key = self._target.package(operation)
            if isinstance(key, int) and key not in self.packages:
                continue
            uuid = key if isinstance(key, str) else self.packages[key].uuid
            if operation.kind is Kind.SET_PERMISSION:
                readings.add(self.permissions, key, partial(permissions.list, uuid))
            elif operation.kind in _OF_ROUTE:
                readings.add(self.routes, key, partial(routes.list, uuid))
            else:
                readings.add(self.domains, key, partial(domains.list, uuid))
        await readings.make()


def _compare(operation: Operation, target: _Target, shown: _Shown) -> Difference | None:
    arguments, kind = operation.arguments, operation.kind
    if kind in _OF_ORGANIZATION:
        organization = arguments["organization"]
        return _wanted(
            operation,
            organization,
            find_organization(organization, shown.organizations.get(target.organization(organization.name))),
        )
    if kind in _OF_MEMBER:
        return _compare_member(operation, shown.members.get(target.organization(arguments["organization"]), ()))
    key = target.package(operation)
    if kind is Kind.DELETE_PACKAGE:
        return _absent(operation, shown.packages.get(key))
    if kind in _OF_PACKAGE:
        upsert = arguments.get("upsert") or arguments["package"]
        package = shown.packages.get(key)
        if package is None:
            return Difference(operation, upsert, None)
        match = find_package(upsert, [package], organization=package.owner)
        return None if match.equal is not None else Difference(operation, upsert, package)
    if kind is Kind.SET_PERMISSION:
        return _compare_permission(operation, shown.permissions.get(key))
    if kind is Kind.CREATE_ROUTE:
        return _wanted(operation, arguments["route"], find_route(arguments["route"], shown.routes.get(key, ())))
    if kind is Kind.CREATE_DOMAIN:
        return _wanted(operation, arguments["domain"], find_domain(arguments["domain"], shown.domains.get(key, ())))
    things: Iterable[Route | Domain] = (
        shown.routes.get(key, []) if kind in _OF_ROUTE else shown.domains.get(key, [])
    )
    identifier = arguments["route_id"] if kind in _OF_ROUTE else arguments["domain_id"]
    return _absent(operation, next((thing for thing in things if thing.id == identifier), None))


def _wanted(operation: Operation, wanted: object, found: Found[E]) -> Difference | None:
    return None if found.equal is not None else Difference(operation, wanted, found.different)


def _absent(operation: Operation, found: object) -> Difference | None:
    return None if found is None else Difference(operation, None, found)


def _compare_member(operation: Operation, members: Iterable[Member]) -> Difference | None:
    user = user_key(operation.arguments["username"])
    found = next((member for member in members if user_key(member.username) == user), None)
    if operation.kind is Kind.REMOVE_MEMBER:
        return _absent(operation, found)
    role = operation.arguments["role"]
    return None if found is not None and found.role == role else Difference(operation, role, found and found.role)


def _compare_permission(operation: Operation, permissions: Iterable[Permission] | None) -> Difference | None:
    level = operation.arguments["level"]
    if permissions is None:
        return Difference(operation, level, None)
    user = user_key(operation.arguments["user_query"])
    found = next((entry for entry in permissions if user_key(entry.username) == user), None)
    if found is None and ("@" in user or level == PermissionLevel.DEFAULT):
        return None
    shown = None if found is None else found.permission_level
    return None if shown == level else Difference(operation, level, shown)
