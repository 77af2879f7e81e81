"""A plan is data: operations in the order in which they were added, and what must come after what."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import attrs

from scarf_async.creates import IfExists, check_if_exists
from scarf_async.entities import (
    Domain,
    DomainCreate,
    Member,
    MemberUpsert,
    Organization,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    PermissionLevelLike,
    PermissionSet,
    RoleLike,
    Route,
    RouteCreate,
)
from scarf_async.errors import ValidationError
from scarf_async.names import organization_key
from scarf_async.protocol import path_segment
from scarf_async.resources.packages import check_same_type
from scarf_async.text import printable

if TYPE_CHECKING:
    from scarf_async.bulk.estimate import PlanEstimate

__all__ = ["BulkPlan", "Kind", "Operation", "Ref", "owners"]

T = TypeVar("T")
U = TypeVar("U")


class Kind(StrEnum):
    """The kinds of operations, by the name of what adds them."""

    CREATE_ORGANIZATION = "create_organization"
    UPDATE_ORGANIZATION = "update_organization"
    UPSERT_MEMBER = "upsert_member"
    REMOVE_MEMBER = "remove_member"
    CREATE_PACKAGE = "create_package"
    UPDATE_PACKAGE = "update_package"
    DELETE_PACKAGE = "delete_package"
    SET_PERMISSION = "set_permission"
    CREATE_ROUTE = "create_route"
    DELETE_ROUTE = "delete_route"
    CREATE_DOMAIN = "create_domain"
    DELETE_DOMAIN = "delete_domain"


class Ref(Generic[T]):
    """An operation of a plan, standing for what it will give: usable as a package below, and in `after`."""

    __slots__ = ("_plan", "index")

    def __init__(self, plan: BulkPlan, index: int) -> None:
        self._plan = plan
        self.index: int = index

    def __repr__(self) -> str:
        return f"<Ref #{self.index} {self._plan[self.index].kind}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other._plan is self._plan and other.index == self.index

    def __hash__(self) -> int:
        return hash((id(self._plan), self.index))

    def belongs_to(self, plan: BulkPlan) -> bool:
        """Tell whether this operation is one of a plan."""
        return self._plan is plan


def _without_plan(arguments: Mapping[str, object]) -> dict[str, object]:
    return {name: (value.index,) if isinstance(value, Ref) else value for name, value in arguments.items()}


@attrs.frozen(str=False)
class Operation:
    """One operation of a plan; in another plan one of the same place, kind and arguments is equal.

    Attributes:
        index: its place in the plan, from 0.
        kind: what it does.
        arguments: what it was added with, by parameter name; a package is a uuid or a `Ref`.
        after: the places of the operations that must succeed before.
    """

    index: int
    kind: Kind
    arguments: Mapping[str, Any] = attrs.field(eq=_without_plan)  # of as many types as there are parameters
    after: tuple[int, ...] = ()

    def __str__(self) -> str:
        values = ", ".join(
            _shown(value) for name, value in self.arguments.items() if value is not None and name != "if_exists"
        )
        return printable(f"#{self.index} {self.kind} {values}")


class BulkPlan:
    """Operations to run, added one by one; nothing is sent before `scarf.bulk.run(plan)`.

    What creates a thing runs before what uses it, and what deletes it after; the rest of the order is given
    with `after`. Everything else may run at the same time.

    Example:
        ```python
        plan = BulkPlan()
        plan.upsert_member("acme", "ann", "admin")
        web = plan.create_package(PackageUpsert(name="web", short_description=""), organization="acme")
        plan.set_permission(web, "bob@example.com", "member")
        ```

    Each adder raises `ValidationError` at once for values that cannot be sent and for a `Ref` of another plan.
    Two plans of equal operations in the same order are equal; since a plan grows, it has no hash.
    """

    def __init__(self) -> None:
        self._operations: list[Operation] = []

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BulkPlan):
            return NotImplemented
        return self._operations == other._operations

    __hash__: ClassVar[None]  # type: ignore[assignment] # a class with `__eq__` alone has none

    def __len__(self) -> int:
        return len(self._operations)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._operations)

    def __getitem__(self, index: int) -> Operation:
        return self._operations[index]

    def __repr__(self) -> str:
        return f"<BulkPlan of {len(self)} operations>"

    def create_organization(
        self,
        organization: OrganizationUpsert,
        *,
        if_exists: IfExists = "fail",
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[Organization]:
        """Add the creation of an organization."""
        _expect("organization", organization, OrganizationUpsert)
        check_if_exists(if_exists)
        return self._add(Kind.CREATE_ORGANIZATION, {"organization": organization, "if_exists": if_exists}, after)

    def update_organization(
        self, name: str, organization: OrganizationUpsert, *, after: Ref[U] | Iterable[Ref[U]] = ()
    ) -> Ref[Organization]:
        """Add a change of an organization, or its renaming."""
        path_segment("name", name)
        _expect("organization", organization, OrganizationUpsert)
        return self._add(Kind.UPDATE_ORGANIZATION, {"name": name, "organization": organization}, after)

    def upsert_member(
        self, organization: str, username: str, role: RoleLike, *, after: Ref[U] | Iterable[Ref[U]] = ()
    ) -> Ref[Member]:
        """Add a membership to create or change."""
        path_segment("organization", organization)
        wanted = MemberUpsert(username, role)
        return self._add(
            Kind.UPSERT_MEMBER,
            {"organization": organization, "username": wanted.username, "role": wanted.role},
            after,
        )

    def remove_member(
        self, organization: str, username: str, *, after: Ref[U] | Iterable[Ref[U]] = ()
    ) -> Ref[None]:
        """Add the removal of a member."""
        path_segment("organization", organization)
        path_segment("username", username)
        return self._add(Kind.REMOVE_MEMBER, {"organization": organization, "username": username}, after)

    def create_package(
        self,
        package: PackageUpsert,
        organization: str | None = None,
        *,
        if_exists: IfExists = "fail",
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[Package]:
        """Add the creation of a package of an organization; without one, of the token's user."""
        _expect("package", package, PackageUpsert)
        if organization is not None:
            path_segment("organization", organization)
        check_if_exists(if_exists)
        return self._add(
            Kind.CREATE_PACKAGE,
            {"package": package, "organization": organization, "if_exists": if_exists},
            after,
        )

    def update_package(
        self,
        package: str | Package | Ref[Package],
        upsert: PackageUpsert,
        *,
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[Package]:
        """Add a change of a package; its type cannot change."""
        _expect("upsert", upsert, PackageUpsert)
        if isinstance(package, Package):
            check_same_type(package, upsert)
        return self._add(Kind.UPDATE_PACKAGE, {"package": self._package(package), "upsert": upsert}, after)

    def delete_package(
        self, package: str | Package | Ref[Package], *, after: Ref[U] | Iterable[Ref[U]] = ()
    ) -> Ref[None]:
        """Add the deletion of a package; it runs after everything else that names it."""
        return self._add(Kind.DELETE_PACKAGE, {"package": self._package(package)}, after)

    def set_permission(
        self,
        package: str | Package | Ref[Package],
        user_query: str,
        level: PermissionLevelLike,
        *,
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[None]:
        """Add a permission to set; those of one package travel together."""
        wanted = PermissionSet(user_query, level)
        return self._add(
            Kind.SET_PERMISSION,
            {
                "package": self._package(package),
                "user_query": wanted.user_query,
                "level": wanted.permission_level,
            },
            after,
        )

    def create_route(
        self,
        package: str | Package | Ref[Package],
        route: RouteCreate,
        *,
        if_exists: IfExists = "fail",
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[Route]:
        """Add the creation of a route."""
        _expect("route", route, RouteCreate)
        check_if_exists(if_exists)
        return self._add(
            Kind.CREATE_ROUTE,
            {"package": self._package(package), "route": route, "if_exists": if_exists},
            after,
        )

    def delete_route(
        self,
        package: str | Package | Ref[Package],
        route_id: str,
        *,
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[None]:
        """Add the deletion of a route; it runs after the route creations of the same package."""
        path_segment("route_id", route_id)
        return self._add(Kind.DELETE_ROUTE, {"package": self._package(package), "route_id": route_id}, after)

    def create_domain(
        self,
        package: str | Package | Ref[Package],
        domain: DomainCreate,
        *,
        if_exists: IfExists = "fail",
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[Domain]:
        """Add the creation of a domain."""
        _expect("domain", domain, DomainCreate)
        check_if_exists(if_exists)
        return self._add(
            Kind.CREATE_DOMAIN,
            {"package": self._package(package), "domain": domain, "if_exists": if_exists},
            after,
        )

    def delete_domain(
        self,
        package: str | Package | Ref[Package],
        domain_id: str,
        *,
        after: Ref[U] | Iterable[Ref[U]] = (),
    ) -> Ref[None]:
        """Add the deletion of a domain; it runs after the domain creations of the same package."""
        path_segment("domain_id", domain_id)
        return self._add(Kind.DELETE_DOMAIN, {"package": self._package(package), "domain_id": domain_id}, after)

    def dump(self, path: str | os.PathLike[str]) -> None:
        """Write the plan to a file (JSON lines; `load` reads it), whole or not at all.

        Raises:
            OSError: the file cannot be written.
        """
        from scarf_async.bulk.planfile import write_plan  # noqa: PLC0415 # it stands on this module

        write_plan(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a plan from a file, and check it as if it were added by hand.

        Raises:
            ValidationError: it is no plan, is cut off, was made by another version, or holds what cannot be
                sent; the message names the line.
            OSError: the file cannot be read.
        """
        from scarf_async.bulk.planfile import read_plan  # noqa: PLC0415 # it stands on this module

        plan = cls()
        read_plan(plan, path)
        return plan

    def estimate(self, permission_batch: int = 100) -> PlanEstimate:
        """Count the requests that the plan takes if nothing is sent twice, and look it over.

        Raises:
            ValidationError: the plan contradicts itself or goes round in a circle.
        """
        from scarf_async.bulk.estimate import estimate  # noqa: PLC0415 # it stands on this module

        return estimate(self, permission_batch)

    def _add(self, kind: Kind, arguments: dict[str, object], after: Ref[U] | Iterable[Ref[U]]) -> Ref[T]:
        places: tuple[int, ...] = ()
        if after != ():
            places = tuple(sorted({self._own("after", ref) for ref in _listed(after)}))
        index = len(self._operations)
        self._operations.append(Operation(index, kind, arguments, places))
        return Ref(self, index)

    def _own(self, field: str, ref: object) -> int:
        if not isinstance(ref, Ref):
            raise ValidationError(f"{field} takes what this plan's adders return; got {ref!r}", field=field)
        if not ref.belongs_to(self):
            raise ValidationError(f"{field} is an operation of another plan: {ref!r}", field=field)
        return ref.index

    def _package(self, package: str | Package | Ref[Package]) -> str | Ref[Package]:
        if isinstance(package, Ref):
            kind = self._operations[self._own("package", package)].kind
            if kind not in {Kind.CREATE_PACKAGE, Kind.UPDATE_PACKAGE}:
                raise ValidationError(f"package must be a package; {kind} gives none", field="package")
            return package
        uuid = package.uuid if isinstance(package, Package) else package
        path_segment("package", uuid)
        return uuid


def owners(plan: BulkPlan) -> frozenset[str]:
    """Return the keys of the organizations that packages are created in."""
    names = (operation.arguments["organization"] for operation in plan if operation.kind is Kind.CREATE_PACKAGE)
    return frozenset(organization_key(name) for name in names if name is not None)


def _listed(after: Ref[U] | Iterable[Ref[U]]) -> list[Ref[U]]:
    if isinstance(after, Ref):
        return [after]
    if not isinstance(after, Iterable):
        raise ValidationError(f"after takes what this plan's adders return; got {after!r}", field="after")
    return list(after)


def _shown(value: object) -> str:
    if isinstance(value, OrganizationUpsert | PackageUpsert | DomainCreate):
        return value.name
    return f"#{value.index}" if isinstance(value, Ref) else str(value)


def _expect(field: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise ValidationError(f"{field} must be {kind.__name__}; got {type(value).__name__}", field=field)
