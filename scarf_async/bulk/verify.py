"""Comparison of a plan with the live state. Reads each affected list once, and changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Hashable, Iterable
from functools import partial
from typing import TypeVar

import attrs

from scarf_async.bulk.adapting import owners_of
from scarf_async.bulk.calls import CreatePackage, DeletePackage, UpdateOrganization, UpdatePackage
from scarf_async.bulk.concurrently import concurrently
from scarf_async.bulk.kinds import Root, Shown
from scarf_async.bulk.operations import Operation, Plan
from scarf_async.entities import UNSET, Organization, Package, PackageKey, PackageUpsert
from scarf_async.errors import APIError, NotFoundError, ValidationError
from scarf_async.names import organization_key
from scarf_async.protocol.looking import PackageIndex
from scarf_async.resources import Domains, Members, Organizations, Packages, Permissions, Routes
from scarf_async.sending.session import Session
from scarf_async.text import printable

__all__ = ["Difference", "verify"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@attrs.frozen
class Difference:
    """An operation whose effect the live state does not show.

    Attributes:
        operation: the operation.
        expected: the expected state; None for nothing.
        found: the live state; None for nothing.
    """

    operation: Operation
    expected: object
    found: object

    def __str__(self) -> str:
        expected, found = (value if value is not None else "nothing" for value in (self.expected, self.found))
        return printable(f"{self.operation}: expected {expected}, found {found}")


async def verify(session: Session, plan: Plan) -> list[Difference]:
    """Compare a plan with the live state; works on a read-only client.

    Only the last value of each target is compared, and nothing that belongs to a package that the plan deletes. A
    package that is changed or deleted by id is looked up in its owner's list. In a version without owners in its
    paths that is the list of the token's user, which includes the packages of the user's organizations. URLs of
    packages are compared if the service returns them. Permissions by e-mail address are not compared, since the
    service returns usernames.

    Raises:
        APIError: the service refused a read (a missing resource is a difference, not an error).
        TransportError: no complete response arrived.
        DecodeError: a response does not have the documented form.
    """
    target = _Target(plan)
    reading = _Reading(session, target)
    await reading.read()
    return [
        Difference(operation, *differs)
        for operation in target.last_operations()
        if (differs := operation.call.differs(reading.shown, target.where(operation))) is not None
    ]


class _Target:
    """The targets of a plan's operations, and which operation has the last word on each."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._renamed: dict[str, str] = {}
        self._spelled: dict[str, str] = {}
        self.deleted: set[Root | None] = set()
        self.owners = owners_of(plan)
        self.last: dict[Hashable, Operation] = {}
        for operation in plan:
            call = operation.call
            if isinstance(call, UpdateOrganization) and call.renames:
                self._renamed[organization_key(call.name)] = call.organization.name
            if isinstance(call, DeletePackage):
                self.deleted.add(operation.root)
        self._spelled.update((organization_key(name), name) for name in self._renamed.values())
        for operation in plan:
            last = self.last.setdefault(self._identity(operation), operation)
            if self._rank(operation) >= self._rank(last):
                self.last[self._identity(operation)] = operation

    def _rank(self, operation: Operation) -> int:
        """Return which of two operations on one target comes last, in whatever order they were added."""
        made = operation.call.makes
        if made is None:
            return operation.call.rank
        # Under each name, an organization is first created or renamed to it, and then changed.
        return (operation.call.uses == made) - 2 * len(self._names_after(made))

    def _identity(self, operation: Operation) -> Hashable:
        call, part = operation.call, operation.call.part
        # In a cycle of renames, the old name leads to a different organization than the new one.
        thing = operation.root if operation.root is not None else self.organization(call.uses or call.makes)
        return call.shown_in, thing, operation.index if part is None else part

    def where(self, operation: Operation) -> Root:
        """Return where an operation's effect shows: the last name of its organization, or its package."""
        call = operation.call
        return operation.root if operation.root is not None else self.organization(call.makes or call.uses)

    def organization(self, name: str | None) -> str:
        """Return the final name of an organization, in one of its spellings."""
        assert name is not None  # noqa: S101 # what is on no package is on an organization
        last = [name, *self._names_after(name)][-1]
        return self._spelled.setdefault(organization_key(last), last)

    def _names_after(self, name: str) -> list[str]:
        names = [name]
        while (later := self._renamed.get(organization_key(names[-1]))) is not None and later not in names:
            names.append(later)
        return names[1:]

    def packages(self) -> Iterable[Root]:
        """Yield every package that an operation acts on."""
        return dict.fromkeys(operation.root for operation in self.plan if operation.root is not None)

    def owner(self, place: int) -> str | None:
        """Return the organization of a package that the plan creates, by its final name."""
        organization = self._creation(place).organization
        return None if organization is None else self.organization(organization)

    def _creation(self, place: int) -> CreatePackage:
        call = self.plan[place].call
        assert isinstance(call, CreatePackage)  # noqa: S101 # a package that is a place is created there
        return call

    def is_asked_for(self, package: Root) -> bool:
        """Return whether an operation acts on the package itself."""
        return ("packages", package, "") in self.last

    def upserts(self, place: int) -> tuple[PackageUpsert, PackageUpsert]:
        """Return the final state of a package that the plan creates, and the state that it is created in.

        If its updates did not take effect, it still has the latter.
        """
        created = self._creation(place).package
        return self._wanted(place, created), created

    def _wanted(self, place: int, created: PackageUpsert) -> PackageUpsert:
        last = self.last["packages", place, ""].call
        # A package that is deleted in the end is looked up as it was created.
        if not isinstance(last, UpdatePackage) or last.upsert.library_type is not UNSET:
            return last.upsert if isinstance(last, UpdatePackage) else created
        # An update may omit the type, but the type distinguishes packages with the same name.
        return PackageUpsert(
            name=last.upsert.name,
            short_description=last.upsert.short_description,
            long_description=last.upsert.long_description,
            website=last.upsert.website,
            library_type=created.library_type,
        )

    def last_operations(self) -> Iterable[Operation]:
        """Yield the operations that have the last word, in the plan's order."""
        for operation in self.plan:
            if self.last[self._identity(operation)] is operation and (
                isinstance(operation.call, DeletePackage) or operation.root not in self.deleted
            ):
                yield operation


class _Readings:
    """Reads to make concurrently, each at most once."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, Callable[[], Awaitable[None]]] = {}

    def add(
        self, into: dict[K, T], key: K, call: Callable[[], Awaitable[T]], *, refused: Container[int] = ()
    ) -> None:
        """Add a read. A missing resource leaves no entry, nor does one refused with one of the given statuses."""

        async def read() -> None:
            try:
                into[key] = await call()
            except (NotFoundError, ValidationError):
                pass  # what cannot be part of a URL does not exist either
            except APIError as error:
                if error.status not in refused:
                    raise

        self._calls.setdefault((id(into), key), read)

    async def make(self) -> None:
        """Make the reads; the first error cancels the others and is raised alone."""
        await concurrently(list(self._calls.values()))


class _Reading:
    """Reads the live state of a plan's targets."""

    def __init__(self, session: Session, target: _Target) -> None:
        self._session = session
        self._target = target
        self._last = list(target.last_operations())
        # An existing package is looked up only if an operation acts on the package itself.
        self._packages = [
            package for package in target.packages() if isinstance(package, int) or target.is_asked_for(package)
        ]
        self._lists: dict[str | None, PackageIndex] = {}
        self._organizations: dict[str, Organization] = {}
        self._traits = session.dialect.traits
        self.shown = Shown(session.dialect)

    async def read(self) -> None:
        """Read each affected list once: first the packages, then what belongs to them."""
        await self._read_owners()
        await self._read_owners_of_namesakes()
        self._find_packages()
        await self._read_packages()

    async def _read_owners(self) -> None:
        organizations, members = Organizations(self._session), Members(self._session)
        packages = Packages(self._session)
        readings = _Readings()
        for operation in self._last:
            if operation.root is None:
                name = self._target.organization(operation.call.makes or operation.call.uses)
                if operation.call.shown_in == "organizations":
                    readings.add(self.shown.organizations, name, partial(organizations.get, name))
                else:
                    readings.add(self.shown.members, name, partial(members.list, name))

        async def index(owner: str | None) -> PackageIndex:
            return PackageIndex(await packages.list(owner))

        for package in self._packages:
            owner = self._owner(package)
            readings.add(self._lists, owner, partial(index, owner))
        await readings.make()

    def _owner(self, package: Root) -> str | None:
        """Return the owner whose list contains a package; None for the default owner."""
        if isinstance(package, int):
            return self._target.owner(package)
        owner = self._target.owners.get(package) if self._traits.owners_in_paths else None
        return None if owner is None else self._target.organization(owner)

    async def _read_owners_of_namesakes(self) -> None:
        """Read which owners are organizations, so that their packages are not taken for the user's."""
        if self._traits.owners_in_paths:
            return
        organizations, readings = Organizations(self._session), _Readings()
        for place in self._packages:
            if isinstance(place, int) and self._target.owner(place) is None and None in self._lists:
                for upsert in self._target.upserts(place):
                    for package in self._lists[None].called(upsert.name, None):
                        readings.add(self._organizations, package.owner, partial(organizations.get, package.owner))
        await readings.make()

    def _find_packages(self) -> None:
        for key in self._packages:
            if isinstance(key, int):
                package = self._created(key)
            else:
                listed = self._lists.get(self._owner(key))
                package = None if listed is None else listed.with_uuid(key)
            if package is not None:
                self.shown.packages[key] = package

    def _created(self, place: int) -> Package | None:
        owner = self._target.owner(place)
        listed = self._lists.get(owner)
        if listed is None:
            return None
        for upsert in self._target.upserts(place):
            shown = listed.named(upsert.name)
            if owner is None:
                shown = [package for package in shown if package.owner not in self._organizations]
            if there := self.shown.dialect.find_package(upsert, shown, owner).there:
                return there
        return None

    def _key(self, package: Root) -> PackageKey:
        if isinstance(package, int):
            return self.shown.packages[package].key
        owner = self._owner(package) if self._traits.owners_in_paths else self._target.owners.get(package)
        return PackageKey(owner, package)

    async def _read_packages(self) -> None:
        permissions, routes = Permissions(self._session), Routes(self._session)
        domains = Domains(self._session)
        refused = () if self._traits.permissions_everywhere else {403, 422}
        readings = _Readings()
        for operation in self._last:
            key = operation.root
            if key is None or (isinstance(key, int) and key not in self.shown.packages):
                continue
            package = self._key(key)
            match operation.call.shown_in:
                case "packages":
                    upsert = getattr(operation.call, "upsert", None) or getattr(operation.call, "package", None)
                    if isinstance(upsert, PackageUpsert) and self.shown.dialect.domain_of(upsert) is not None:
                        readings.add(self.shown.domains, key, partial(domains.list, package))
                case "permissions":
                    listing = partial(permissions.list, package)
                    readings.add(self.shown.permissions, key, listing, refused=refused)
                case "routes":
                    readings.add(self.shown.routes, key, partial(routes.list, package))
                case _:
                    readings.add(self.shown.domains, key, partial(domains.list, package))
        await readings.make()
