"""The interface of a version of the service. Everything above it deals only with entities."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, Protocol

import msgspec

from scarf_async.entities import (
    Check,
    Domain,
    DomainCreate,
    Member,
    MemberUpsert,
    Organization,
    OrganizationUpsert,
    Package,
    PackageKey,
    PackageUpsert,
    Permission,
    PermissionSet,
    Route,
    RouteCreate,
)
from scarf_async.errors import APIError, NotFoundError
from scarf_async.protocol.looking import Found
from scarf_async.protocol.messages import Request
from scarf_async.protocol.steps import Creation, Read, Renaming, Steps

__all__ = ["WRONG_ADDRESS", "Dialect", "Traits", "is_wrong_address", "not_listed"]

WRONG_ADDRESS: Final = 600
"""The status given to a response that does not come from the service."""


def is_wrong_address(error: APIError) -> bool:
    """Return whether an error shows that the version is not at the URL that was called."""
    return 300 <= error.status < 400 or error.status in {404, 405, 410}


def not_listed(request: Request[object], what: str) -> NotFoundError:
    """Return the error for something that was looked up in a list and is not in it."""
    message = f"{what} is not in the list"
    return NotFoundError(message, status=404, method=request.endpoint.method, url=request.target)


class Traits(msgspec.Struct, frozen=True):
    """The properties of a version that code above the calls may need.

    Attributes:
        permission_arrays: one request can set several permissions of a package.
        addresses_shown: the service returns the URLs of a package, the public one as a domain; an update needs
            them.
        users_by_email: a permission may name its user by e-mail address; the service then shows the username.
        organizations_creatable: organizations can be created.
        levels_of_owners: permissions have the level owner, and no level blocked.
        routes_with_packages: a file package is created together with its first route.
        routes_updatable: routes can be updated.
        owners_in_paths: a path contains the owner and the id of a package, and a list has the packages of one
            owner.
        updates_read: an update reads the current state first.
        members_by_verb: adding a member and setting a role are different calls.
        permissions_everywhere: all packages have permissions, not only those of users.
        importances: packages have an importance.
        images_as_names: the name of a docker package is the path of its image.
        empty_is_hidden: an empty required value means that it is not shown: the URL of a route, a billing address.
        types_alike: words that mean the same type of package.
        never_refused: the kinds of operations that it supports with any arguments.
    """

    permission_arrays: bool
    addresses_shown: bool
    users_by_email: bool
    organizations_creatable: bool
    levels_of_owners: bool
    routes_with_packages: bool
    routes_updatable: bool
    owners_in_paths: bool
    updates_read: bool
    members_by_verb: bool
    permissions_everywhere: bool
    importances: bool
    images_as_names: bool
    empty_is_hidden: bool
    types_alike: Collection[str] = ()
    never_refused: Collection[str] = ()


class Dialect(Protocol):
    """One version of the service: every call as a read, a program, or the parts of a safe create or rename.

    Before anything is sent, a `ValidationError` is raised for a value that cannot be sent, and an
    `UnsupportedError` for something that the version does not have.
    """

    @property
    def version(self) -> str:
        """The name of the version, by which the client finds its URL."""

    @property
    def traits(self) -> Traits:
        """The properties of the version."""

    def refusal(self, build: Callable[[], object]) -> str | None:
        """Return why the version does not support an operation of a plan, which `build` builds; nothing is sent."""

    def organization(self, name: str) -> Read[Organization]:
        """The organization with a name."""

    def create_organization(self, organization: OrganizationUpsert) -> Creation[Organization]:
        """A new organization."""

    def update_organization(
        self, name: str, organization: OrganizationUpsert
    ) -> Steps[Organization] | Renaming[Organization]:
        """An update of an organization, which may rename it."""

    def members(self, organization: str) -> Read[list[Member]]:
        """All members of an organization."""

    def member(self, organization: str, username: str) -> Read[Member]:
        """One member of an organization."""

    def upsert_member(self, organization: str, member: MemberUpsert, *, listed: bool = False) -> Steps[Member]:
        """A membership to create or update.

        Args:
            organization: the organization.
            member: the user and role.
            listed: whether the current roles come from one list of the members, read once for a whole bulk run.
        """

    def remove_member(self, organization: str, username: str) -> Steps[None]:
        """The removal of a member."""

    def packages(self, organization: str | None, types: Iterable[str] = ()) -> Read[list[Package]]:
        """All packages of an organization, or of the client's own account; of some or all types."""

    def package(self, id_or_name: str, library_type: str | None = None, owner: str | None = None) -> Read[Package]:
        """A package by its id or its name."""

    def create_package(
        self, package: PackageUpsert, organization: str | None, route: RouteCreate | None = None
    ) -> Creation[Package]:
        """A new package, optionally with its first route."""

    def update_package(self, package: PackageKey, upsert: PackageUpsert) -> Steps[Package]:
        """An update of a package."""

    def delete_package(self, package: PackageKey) -> Steps[None]:
        """The deletion of a package."""

    def owner_of(self, package: PackageKey) -> str | None:
        """The owner of a package, if its path needs one; None if the id is enough, or no owner is given."""

    def domain_of(self, package: PackageUpsert) -> str | None:
        """The key of the domain that is created together with a package; None if there is none."""

    def find_package(
        self, requested: PackageUpsert, shown: Sequence[Package], organization: str | None
    ) -> Found[Package]:
        """A package compared with a list of its owner's packages."""

    def find_route(self, requested: RouteCreate, shown: Sequence[Route]) -> Found[Route]:
        """A route compared with a list of its package's routes."""

    def permissions(self, package: PackageKey) -> Read[list[Permission]]:
        """All permissions on a package."""

    def permissions_refusal(self, package: PackageKey) -> Read[APIError | None]:
        """Why permissions of the package cannot be set; None if they can, or if that is unknown."""

    def set_permissions(
        self, package: PackageKey, permissions: Sequence[PermissionSet], *, explain: bool = True
    ) -> Steps[None]:
        """Permissions to set, in order; with `explain`, an error for the first one also describes the package."""

    def routes(self, package: PackageKey) -> Read[list[Route]]:
        """All routes of a package."""

    def route(self, package: PackageKey, route_id: str) -> Read[Route]:
        """One route of a package."""

    def create_route(self, package: PackageKey, route: RouteCreate) -> Creation[Route]:
        """A new route."""

    def update_route(self, package: PackageKey, route_id: str, route: RouteCreate) -> Steps[Route]:
        """An update of a route."""

    def delete_route(self, package: PackageKey, route_id: str) -> Steps[None]:
        """The deletion of a route."""

    def domains(self, package: PackageKey) -> Read[list[Domain]]:
        """All domains of a package."""

    def domain(self, package: PackageKey, domain_id: str) -> Read[Domain]:
        """One domain of a package."""

    def create_domain(self, package: PackageKey, domain: DomainCreate) -> Creation[Domain]:
        """A new domain."""

    def delete_domain(self, package: PackageKey, domain_id: str) -> Steps[None]:
        """The deletion of a domain."""

    def check(self) -> Steps[Check]:
        """A check of the client's configuration."""
