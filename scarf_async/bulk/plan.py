"""Plans as data: operations in the order in which they were added, and their dependencies."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Self, TypeVar, overload

from scarf_async.bulk.calls import (
    CreateDomain,
    CreateOrganization,
    CreatePackage,
    CreateRoute,
    DeleteDomain,
    DeletePackage,
    DeleteRoute,
    RemoveMember,
    SetPermission,
    UpdateOrganization,
    UpdatePackage,
    UpdateRoute,
    UpsertMember,
)
from scarf_async.bulk.estimate import PlanEstimate, estimate
from scarf_async.bulk.kinds import Call, OnPackage, Ref, Root
from scarf_async.bulk.operations import Operation
from scarf_async.bulk.planfile import read_plan, write_plan
from scarf_async.entities import (
    ApiVersion,
    Domain,
    DomainCreate,
    Member,
    Organization,
    OrganizationUpsert,
    Package,
    PackageKey,
    PackageUpsert,
    PermissionLevelLike,
    RoleLike,
    Route,
    RouteCreate,
)
from scarf_async.errors import ValidationError
from scarf_async.names import organization_key
from scarf_async.resources.packages import check_same_type
from scarf_async.sending.creates import IfExists

__all__ = ["BulkPlan"]

T = TypeVar("T")
U = TypeVar("U")


class BulkPlan:
    """Operations to run, added one by one. Nothing is sent before `scarf.bulk.run(plan)`.

    Creations run before the operations that use what they create, and deletions run after them. Use `after` for any
    other order. Everything else may run concurrently.

    Example:
        ```python
        plan = BulkPlan()
        plan.upsert_member("acme", "ann", "admin")
        web = plan.create_package(PackageUpsert(name="web", short_description=""), organization="acme")
        plan.set_permission(web, "bob@example.com", "member")
        ```

    Each method that adds an operation raises `ValidationError` at once for values that cannot be sent, for a `Ref`
    of another plan, and for a package to which an earlier operation gives a different owner: within a plan, the id
    alone identifies a package. Plans with equal operations in the same order are equal. Plans are mutable, so they
    cannot be hashed.
    """

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._afters: dict[int, tuple[int, ...]] = {}
        # Made when asked for: while a long plan grows, the garbage collector then looks at half as many objects.
        self._operations: dict[int, Operation] = {}
        self._roots: dict[int, Root | None] = {}
        self._owners: dict[str, str] = {}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BulkPlan):
            return NotImplemented
        return self._calls == other._calls and self._afters == other._afters

    __hash__: ClassVar[None]  # type: ignore[assignment] # a class with `__eq__` alone has none

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Operation]:
        place = 0
        while place < len(self._calls):
            yield self._at(place)
            place += 1

    @overload
    def __getitem__(self, index: int) -> Operation: ...

    @overload
    def __getitem__(self, index: slice) -> list[Operation]: ...

    def __getitem__(self, index: int | slice) -> Operation | list[Operation]:
        places = range(len(self._calls))[index]
        return self._at(places) if isinstance(places, int) else [self._at(place) for place in places]

    def _at(self, place: int) -> Operation:
        operation = self._operations.get(place)
        if operation is None:
            operation = Operation.of(place, self._calls[place], self._afters.get(place, ()))
            self._operations[place] = operation
        return operation

    def __repr__(self) -> str:
        return f"<BulkPlan of {len(self)} operations>"

    @property
    def calls(self) -> Sequence[Call]:
        """The calls of the operations, in their order: kinds and arguments, typed. Only to be read."""
        return self._calls

    @property
    def afters(self) -> Mapping[int, tuple[int, ...]]:
        """The `after` of the operations that have one, by their index. Only to be read."""
        return self._afters

    def root(self, index: int, /) -> Root | None:
        """Return the package that an operation acts on or creates: its id, or the index of its creation.

        Args:
            index: the place of the operation in the plan, from 0.
        """
        return self._roots[index] if index in self._roots else self._calls[index].root(index)

    def create_organization(
        self,
        organization: OrganizationUpsert,
        *,
        if_exists: IfExists = "fail",
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[Organization]:
        """Add the creation of an organization.

        The token's user becomes its owner. With `if_exists="keep"` an organization that exists is kept if it equals
        this one; if it differs, the operation fails.

        Example:
            ```python
            acme = OrganizationUpsert(name="acme", description="", billing_email="bills@acme.example")
            plan.create_organization(acme)
            plan.upsert_member("acme", "ann", "admin")
            ```

        Raises:
            ValidationError: a field cannot be sent, or `after` names an operation of another plan.
        """
        return self._add(CreateOrganization(organization, if_exists), after)

    def update_organization(
        self, name: str, organization: OrganizationUpsert, *, after: Ref[U] | Iterable[Ref[U]] = ()
    ) -> Ref[Organization]:
        """Add an update of an organization, which may rename it.

        It is a renaming where `organization.name` is not `name`.

        Raises:
            ValidationError: a field cannot be sent.
        """
        return self._add(UpdateOrganization(name, organization), after)

    def upsert_member(
        self, organization: str, username: str, role: RoleLike, *, after: Ref[U] | Iterable[Ref[U]] = ()
    ) -> Ref[Member]:
        """Add a user to an organization, or change that member's role.

        Example:
            ```python
            plan.upsert_member("acme", "ann", "owner")
            ```

        Raises:
            ValidationError: a name cannot be part of an address, or the role is unknown.
        """
        return self._add(UpsertMember(organization, username, role), after)

    def remove_member(
        self, organization: str, username: str, *, after: Ref[U] | Iterable[Ref[U]] = ()
    ) -> Ref[None]:
        """Add the removal of a member from an organization.

        Raises:
            ValidationError: a name cannot be part of an address.
        """
        return self._add(RemoveMember(organization, username), after)

    def create_package(
        self,
        package: PackageUpsert,
        organization: str | None = None,
        *,
        if_exists: IfExists = "fail",
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[Package]:
        """Add the creation of a package of an organization; without one, of the token's user.

        The reference that it returns is accepted as the package of later operations, which wait for the creation.

        Example:
            ```python
            web = PackageUpsert(name="web", short_description="The web client")
            created = plan.create_package(web, organization="acme", if_exists="keep")
            plan.set_permission(created, "bob", "member")
            ```

        Raises:
            ValidationError: a field cannot be sent.
        """
        return self._add(CreatePackage(package, organization, if_exists), after)

    def update_package(
        self,
        package: str | Package | PackageKey | Ref[Package],
        upsert: PackageUpsert,
        *,
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[Package]:
        """Add an update of a package; its type cannot change.

        Raises:
            ValidationError: a field cannot be sent, or the type is another one than that of the given `Package`.
        """
        call = UpdatePackage(package, upsert)
        if isinstance(package, Package):
            check_same_type(package, upsert)
        return self._add(call, after)

    def delete_package(
        self, package: str | Package | PackageKey | Ref[Package], *, after: Ref[U] | Iterable[Ref[U]] = ()
    ) -> Ref[None]:
        """Add the deletion of a package; it runs after every other operation on that package.

        Raises:
            ValidationError: the package cannot be part of an address.
        """
        return self._add(DeletePackage(package), after)

    def set_permission(
        self,
        package: str | Package | PackageKey | Ref[Package],
        user_query: str,
        level: PermissionLevelLike,
        *,
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[None]:
        """Add the setting of a user's level on a package.

        Levels of one package are sent in one request where the service allows it. `user_query` is a username, or in
        v1 an e-mail address; the level `default` removes a special level.

        Raises:
            ValidationError: the user or the package cannot be sent, or the level is unknown.
        """
        return self._add(SetPermission(package, user_query, level), after)

    def create_route(
        self,
        package: str | Package | PackageKey | Ref[Package],
        route: RouteCreate,
        *,
        if_exists: IfExists = "fail",
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[Route]:
        """Add the creation of a route of a file package.

        With `if_exists="keep"` an equal route is kept.

        Example:
            ```python
            route = RouteCreate(outgoing_url="https://acme.example/{version}.tgz", template_path="/{version}.tgz")
            plan.create_route(web, route, if_exists="keep")
            ```

        Raises:
            ValidationError: an address or path cannot be sent.
        """
        return self._add(CreateRoute(package, route, if_exists), after)

    def update_route(
        self,
        package: str | Package | PackageKey | Ref[Package],
        route_id: str,
        route: RouteCreate,
        *,
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[Route]:
        """Add an update of a route (v2); an `outgoing_url` that is UNSET stays, and None clears it.

        Raises:
            ValidationError: an address, path or id cannot be sent.
        """
        return self._add(UpdateRoute(package, route_id, route), after)

    def delete_route(
        self,
        package: str | Package | PackageKey | Ref[Package],
        route_id: str,
        *,
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[None]:
        """Add the deletion of a route; it runs after the route creations of the same package.

        Raises:
            ValidationError: the package or the id cannot be part of an address.
        """
        return self._add(DeleteRoute(package, route_id), after)

    def create_domain(
        self,
        package: str | Package | PackageKey | Ref[Package],
        domain: DomainCreate,
        *,
        if_exists: IfExists = "fail",
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[Domain]:
        """Add a domain to a package.

        With `if_exists="keep"` a domain that the package already has is kept.

        Raises:
            ValidationError: the name cannot be sent.
        """
        return self._add(CreateDomain(package, domain, if_exists), after)

    def delete_domain(
        self,
        package: str | Package | PackageKey | Ref[Package],
        domain_id: str,
        *,
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[None]:
        """Add the deletion of a domain; it runs after the domain creations of the same package.

        Raises:
            ValidationError: the package or the id cannot be part of an address.
        """
        return self._add(DeleteDomain(package, domain_id), after)

    def dump(self, path: str | os.PathLike[str]) -> None:
        """Write the plan to a JSON Lines file atomically; `load` reads it.

        Raises:
            OSError: the file cannot be written.
        """
        write_plan(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a plan from a file, with the same checks as when adding operations.

        Raises:
            ValidationError: the file is not a plan, is truncated, was written by another version, or has values
                that cannot be sent; the message names the line.
            OSError: the file cannot be read.
        """
        plan = cls()
        read_plan(path, plan._add)
        return plan

    def estimate(self, permission_batch: int = 100, *, api: ApiVersion = "v1") -> PlanEstimate:
        """Count the requests that the plan needs without retries, and collect warnings about it.

        Args:
            permission_batch: the maximum number of permissions of one package in one request, in v1.
            api: the version that the plan will run on.

        Raises:
            ValidationError: the plan contradicts itself or has a dependency cycle.
        """
        return estimate(self, permission_batch, api)

    def _add(self, call: Call, after: Ref[U] | Iterable[Ref[U]]) -> Ref[T]:
        index = len(self._calls)
        # Whatever refuses the operation comes before all that is kept of it: another may get its index.
        places = () if after == () else tuple(sorted({self._own("after", ref) for ref in _listed(after)}))
        if isinstance(call, OnPackage):
            package = call.package
            if isinstance(package, Ref):
                given = self._calls[self._own("package", package)]
                if not given.gives_package:
                    raise ValidationError(
                        f"package must be a package; {given.kind} does not return one", field="package"
                    )
                # Each of a long chain of references needs only the one before.
                self._roots[index] = package.root
            elif package.owner is not None:
                self._refuse_another_owner(package.id, package.owner)
        if places:
            self._afters[index] = places
        self._calls.append(call)
        return Ref(self, index)

    def _refuse_another_owner(self, package: str, owner: str) -> None:
        known = self._owners.setdefault(package, owner)
        if organization_key(known) != organization_key(owner):
            raise ValidationError(
                f"package {package} belongs to {known} in an earlier operation, not to {owner}",
                field="package",
            )

    def _own(self, field: str, ref: object) -> int:
        if not isinstance(ref, Ref):
            raise ValidationError(f"{field} takes Refs of this plan; got {ref!r}", field=field)
        if not ref.belongs_to(self):
            raise ValidationError(f"{field} is an operation of another plan: {ref!r}", field=field)
        return ref.index


def _listed(after: Ref[U] | Iterable[Ref[U]]) -> list[Ref[U]]:
    if isinstance(after, Ref):
        return [after]
    if not isinstance(after, Iterable):
        raise ValidationError(f"after takes Refs of this plan; got {after!r}", field="after")
    return list(after)
