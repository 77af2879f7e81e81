"""What a version of the service has to say of itself, for everything above to speak entities only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, Protocol

import attrs

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
"""What counts as the status of an answer that is not one of the service's."""


def is_wrong_address(error: APIError) -> bool:
    """Tell whether a refusal says that the version does not answer where it was looked for."""
    return 300 <= error.status < 400 or error.status in {404, 405, 410}


def not_listed(request: Request[object], what: str) -> NotFoundError:
    """Build the error of what was looked for in a list, and is not there."""
    message = f"{what} is not in the list"
    return NotFoundError(message, status=404, method=request.endpoint.method, url=request.target)


@attrs.frozen
class Traits:
    """What those above the calls may need to know of a version.

    Attributes:
        permission_arrays: several permissions of a package travel in one request.
        addresses_shown: the addresses of a package are given back, its public one as a domain; a change needs them.
        users_by_email: a permission may name its user by e-mail address, and the service then shows the username.
        organizations_creatable: an organization may be created.
        levels_of_owners: a permission may say, and the service shows, who owns a package; and nobody is blocked.
        routes_with_packages: a file package is created together with its first route.
        routes_updatable: a route may be changed.
        owners_in_paths: a package is addressed by its owner and its id, and listed with those of its owner alone.
        updates_read: an update reads the current state first.
        members_by_verb: adding a member and setting the role of one are two calls.
        permissions_everywhere: every package has permissions.
        importances: a package has an importance.
        images_as_names: the name of a docker package is the path of its image.
        empty_is_hidden: what has to be there, and reads empty, is not shown: a route's address, and that for bills.
        types_alike: words for the type of a package that mean the same.
        never_refused: the operations of a plan of which it has every one, whatever they say.
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
    """One version of the service: every call as a read, a program, or what a careful create or renaming needs.

    A `ValidationError` is raised at once, before anything is sent, where a value cannot be sent, and an
    `UnsupportedError` where the version does not have what is asked for.
    """

    @property
    def version(self) -> str:
        """Its name, under which the client keeps its address."""

    @property
    def traits(self) -> Traits:
        """What is special about it."""

    def refusal(self, build: Callable[[], object]) -> str | None:
        """Tell why an operation of a plan, which `build` builds and nobody sends, is none of this version's."""

    def organization(self, name: str) -> Read[Organization]:
        """The organization of a name."""

    def create_organization(self, organization: OrganizationUpsert) -> Creation[Organization]:
        """A new organization."""

    def update_organization(
        self, name: str, organization: OrganizationUpsert
    ) -> Steps[Organization] | Renaming[Organization]:
        """A change of an organization, or its renaming."""

    def members(self, organization: str) -> Read[list[Member]]:
        """All members of an organization."""

    def member(self, organization: str, username: str) -> Read[Member]:
        """One member of an organization."""

    def upsert_member(self, organization: str, member: MemberUpsert, *, listed: bool = False) -> Steps[Member]:
        """A membership to create or change.

        Args:
            organization: whose member.
            member: what is wanted.
            listed: whether one list of the members, read once for a whole bulk run, gives the current roles.
        """

    def remove_member(self, organization: str, username: str) -> Steps[None]:
        """The removal of a member."""

    def packages(self, organization: str | None, types: Iterable[str] = ()) -> Read[list[Package]]:
        """All packages of an organization, or of the client's own account; of some types, or of all."""

    def package(self, id_or_name: str, library_type: str | None = None, owner: str | None = None) -> Read[Package]:
        """A package by its id or its name."""

    def create_package(
        self, package: PackageUpsert, organization: str | None, route: RouteCreate | None = None
    ) -> Creation[Package]:
        """A new package, maybe with its first route."""

    def update_package(self, package: PackageKey, upsert: PackageUpsert) -> Steps[Package]:
        """A change of a package."""

    def delete_package(self, package: PackageKey) -> Steps[None]:
        """The deletion of a package."""

    def owner_of(self, package: PackageKey) -> str | None:
        """Whose package is meant, where its address says so; None where the id alone does, or nobody says."""

    def domain_of(self, package: PackageUpsert) -> str | None:
        """The domain that is created together with a package, by its key; None: there is none."""

    def find_package(
        self, requested: PackageUpsert, shown: Sequence[Package], organization: str | None
    ) -> Found[Package]:
        """A package held against a list of its owner's."""

    def find_route(self, requested: RouteCreate, shown: Sequence[Route]) -> Found[Route]:
        """A route held against a list of its package's."""

    def permissions(self, package: PackageKey) -> Read[list[Permission]]:
        """All permissions on a package."""

    def permissions_refusal(self, package: PackageKey) -> Read[APIError | None]:
        """Why the package has no permissions that can be set; None where it has, or where that cannot be told."""

    def set_permissions(
        self, package: PackageKey, permissions: Sequence[PermissionSet], *, explain: bool = True
    ) -> Steps[None]:
        """Permissions to set, in order; with `explain` a refusal of the first tells of the package, too."""

    def routes(self, package: PackageKey) -> Read[list[Route]]:
        """All routes of a package."""

    def route(self, package: PackageKey, route_id: str) -> Read[Route]:
        """One route of a package."""

    def create_route(self, package: PackageKey, route: RouteCreate) -> Creation[Route]:
        """A new route."""

    def update_route(self, package: PackageKey, route_id: str, route: RouteCreate) -> Steps[Route]:
        """A change of a route."""

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
        """Whether it works as the client is set up."""
