"""Version 2 of the service: an owner in every path, lists in pages, updates that read the current state first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, TypeVar

import msgspec

from scarf_async.dialects.dialect import Traits, not_listed
from scarf_async.dialects.v2.arguments import (
    MEMBER_WORDS,
    NAME_WORDS,
    PACKAGE_WORDS,
    check_member,
    check_package_id,
    needed_owner,
)
from scarf_async.dialects.v2.bodies import (
    check_id,
    check_package,
    filled,
    new_package,
    new_route,
    organization_over,
    package_over,
    route_over,
    same_type,
    type_word,
)
from scarf_async.dialects.v2.check import check
from scarf_async.dialects.v2.lists import DOMAINS, MEMBERS, PACKAGES, PERMISSIONS, ROUTES
from scarf_async.dialects.v2.looks import find_package, find_route_in, is_one_of
from scarf_async.dialects.v2.members import by_username, listed_members, of_organization, upsert_member
from scarf_async.dialects.v2.permissions import (
    permissions_refusal,
    read_permissions,
    set_permissions,
)
from scarf_async.dialects.v2.requests import (
    CREATE_DOMAIN,
    CREATE_PACKAGE,
    CREATE_ROUTE,
    DELETE_DOMAIN,
    DELETE_PACKAGE,
    DELETE_ROUTE,
    GET_DOMAIN,
    GET_MEMBER,
    GET_ORGANIZATION,
    GET_PACKAGE,
    GET_PACKAGE_BY_NAME,
    GET_ROUTE,
    LIST_PACKAGES,
    LIST_PERMISSIONS,
    REMOVE_MEMBER,
    UPDATE_ORGANIZATION,
    UPDATE_PACKAGE,
    UPDATE_ROUTE,
)
from scarf_async.entities import (
    Check,
    Domain,
    DomainCreate,
    LibraryType,
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
from scarf_async.errors import APIError, DecodeError, NotFoundError, UnsupportedError, ValidationError
from scarf_async.names import domain_key, organization_key, package_key, public_host
from scarf_async.protocol.looking import Found, PackageIndex, find_domain, find_organization
from scarf_async.protocol.messages import Request
from scarf_async.protocol.steps import (
    Creation,
    LookContext,
    Read,
    Renaming,
    Rewrite,
    Steps,
    ask,
    if_there,
    reading,
    shared,
    tell,
    updated,
)

__all__ = ["V2"]

T = TypeVar("T")


class V2(msgspec.Struct, frozen=True):
    """The `Dialect` of v2.

    Attributes:
        owner: the default owner of calls that name none; None if each call must name one.
    """

    owner: str | None = None
    version: ClassVar[str] = "v2"
    traits: ClassVar[Traits] = Traits(
        permission_arrays=False,
        addresses_shown=True,
        users_by_email=False,
        organizations_creatable=False,
        levels_of_owners=True,
        routes_with_packages=True,
        routes_updatable=True,
        owners_in_paths=True,
        updates_read=True,
        members_by_verb=True,
        permissions_everywhere=False,
        importances=True,
        images_as_names=True,
        empty_is_hidden=True,
        types_alike=frozenset({LibraryType.PYPI, LibraryType.PYTHON}),
    )

    def refusal(self, build: Callable[[], object]) -> str | None:  # noqa: D102 # as all below: described in `Dialect`
        try:
            build()
        except ValidationError as error:
            return str(error)
        return None

    def organization(self, name: str) -> Read[Organization]:  # noqa: D102
        request = GET_ORGANIZATION.request(organization=name)
        return reading(request)

    def create_organization(self, organization: OrganizationUpsert) -> Creation[Organization]:  # noqa: D102
        raise UnsupportedError(
            f"v2 cannot create organization {organization.name}: create it on the website; nothing was sent"
        )

    def update_organization(  # noqa: D102
        self, name: str, organization: OrganizationUpsert
    ) -> Steps[Organization] | Renaming[Organization]:
        if organization.billing_email == "":
            raise ValidationError("billing_email must not be empty in v2", field="billing_email")
        read = GET_ORGANIZATION.request(organization=name)
        shown = self.organization(organization.name)
        before: list[Organization] = []

        def make() -> Steps[Request[Organization]]:
            there = yield from ask(read)
            before.append(there)
            return UPDATE_ORGANIZATION.request(organization_over(name, organization, there), organization=name)

        def look() -> Steps[Found[Organization]]:
            try:
                there = yield from shared(shown)
            except NotFoundError:
                return Found()
            # A service that ignores case finds it under the new name before it is renamed.
            if there.name != organization.name and organization_key(there.name) == organization_key(name):
                return Found()
            # An earlier run may have sent it: an organization that still has the old name has not been renamed.
            known = before[0] if before else (yield from if_there(reading(read)))
            if known is None:
                return find_organization(organization, there)
            if known.id is not None and there.id is not None:
                return Found(equal=there) if there.id == known.id else Found(different=there)
            return find_organization(filled(organization, known), there) if before else Found(different=there)

        change = Rewrite(UPDATE_ORGANIZATION, make)
        if organization.name == name:
            return updated(change, organization, shown)
        return Renaming(organization, change, look, shown)

    def members(self, organization: str) -> Read[list[Member]]:  # noqa: D102
        return MEMBERS.read(organization=organization).then(
            "of the organization",
            lambda members: [of_organization(organization, member) for member in members],
        )

    def member(self, organization: str, username: str) -> Read[Member]:  # noqa: D102
        if username in MEMBER_WORDS:
            return self.members(organization).then(
                username, lambda members: by_username(organization, members, username)
            )
        request = GET_MEMBER.request(organization=organization, username=username)

        def steps() -> Steps[Member]:
            return of_organization(organization, (yield from ask(request)))

        return Read(request.target, steps)

    def upsert_member(  # noqa: D102
        self, organization: str, member: MemberUpsert, *, listed: bool = False
    ) -> Steps[Member]:
        return upsert_member(organization, member, listed_members(organization) if listed else None)

    def remove_member(self, organization: str, username: str) -> Steps[None]:  # noqa: D102
        check_member(username)
        return tell(REMOVE_MEMBER.request(organization=organization, username=username))

    def packages(self, organization: str | None, types: Iterable[str] = ()) -> Read[list[Package]]:  # noqa: D102
        words = [type_word(word) for word in types]
        listed = PACKAGES.read({"type": words}, owner=self._owner(organization, "organization"))
        if not words:
            return listed
        return listed.then("of the types", lambda packages: [one for one in packages if is_one_of(one, words)])

    def package(  # noqa: D102
        self, id_or_name: str, library_type: str | None = None, owner: str | None = None
    ) -> Read[Package]:
        owner = self._owner(owner, "owner")
        word = None if library_type is None else type_word(library_type)
        listed = self.packages(owner, () if word is None else (word,)).then("index", PackageIndex)
        first: Request[Package] | None = None
        if word is None:
            # A name with a slash is not an id.
            if id_or_name not in PACKAGE_WORDS and "/" not in id_or_name:
                first = GET_PACKAGE.request(owner=owner, package=id_or_name)
        elif id_or_name not in NAME_WORDS and word not in PACKAGE_WORDS:
            first = GET_PACKAGE_BY_NAME.request(owner=owner, library_type=word, name=id_or_name)

        def steps() -> Steps[Package]:
            failure: APIError | None = None
            if first is not None:
                try:
                    package = yield from ask(first)
                except APIError as error:
                    if error.status != 404 and not (error.status == 400 and word is None):
                        raise
                    failure = error
                else:
                    return package if word is None else _checked(package, word, id_or_name, owner, first)
            found = (yield from shared(listed)).called(id_or_name, owner)
            if len(found) > 1:
                raise _ambiguous(id_or_name, owner, found)
            if found:
                return found[0]
            raise (
                failure
                if isinstance(failure, NotFoundError)
                else not_listed(LIST_PACKAGES.request(owner=owner), f"package {id_or_name!r} of {owner}")
            )

        return Read(("package", owner, id_or_name, word), steps)

    def create_package(  # noqa: D102
        self, package: PackageUpsert, organization: str | None, route: RouteCreate | None = None
    ) -> Creation[Package]:
        owner = self._owner(organization, "organization")
        listed = self.packages(owner).then("index", PackageIndex)

        def look(known: LookContext) -> Steps[Found[Package]]:
            found = find_package(package, owner, (yield from shared(listed)))
            # A bulk run keeps an existing package whatever its routes, which are operations of their own.
            if route is None or found.equal is None or (known.in_bulk and not known.sent):
                return found
            routes = yield from shared(self.routes(found.equal.key))
            is_ours = not routes or find_route_in(route, routes).equal is not None
            return found if is_ours else Found(different=found.equal)

        return Creation(
            package,
            CREATE_PACKAGE.request(new_package(package, owner, route), owner=owner),
            look,
            lambda package_id: if_there(self._by_id(PackageKey(owner, package_id))),
            None if route is None else lambda found: self.create_route(found.key, route),
        )

    def update_package(self, package: PackageKey, upsert: PackageUpsert) -> Steps[Package]:  # noqa: D102
        owner, package_id = self._at(package)
        check_package(upsert, owner)
        read = GET_PACKAGE.request(owner=owner, package=package_id)
        domains = DOMAINS.read_unpaged(owner=owner, package=package_id)
        host = public_host(upsert.public_url)

        def make() -> Steps[Request[Package]]:
            there = yield from ask(read)
            check_id(GET_PACKAGE, there.uuid, package_id)
            body = package_over(upsert, owner, there)
            if host is not None and not any(
                domain_key(domain.name) == host for domain in (yield from domains.steps())
            ):
                raise UnsupportedError(
                    f"v2 cannot change public_url: {host} is not a domain of the package; use domains.create."
                    " Nothing was changed",
                    field="public_url",
                )
            return UPDATE_PACKAGE.request(body, owner=owner, package=package_id)

        return updated(Rewrite(UPDATE_PACKAGE, make), upsert, self._by_id(package))

    def delete_package(self, package: PackageKey) -> Steps[None]:  # noqa: D102
        owner, package_id = self._at(package)
        return tell(DELETE_PACKAGE.request(owner=owner, package=package_id))

    def owner_of(self, package: PackageKey) -> str | None:  # noqa: D102
        return self.owner if package.owner is None else package.owner

    def domain_of(self, package: PackageUpsert) -> str | None:  # noqa: D102
        return public_host(package.public_url)

    def find_package(  # noqa: D102
        self, requested: PackageUpsert, shown: Sequence[Package], organization: str | None
    ) -> Found[Package]:
        return find_package(requested, self._owner(organization, "organization"), PackageIndex(shown))

    def find_route(self, requested: RouteCreate, shown: Sequence[Route]) -> Found[Route]:  # noqa: D102
        return find_route_in(requested, shown)

    def permissions(self, package: PackageKey) -> Read[list[Permission]]:  # noqa: D102
        owner, package_id = self._at(package)
        return read_permissions(PERMISSIONS.read(owner=owner, package=package_id))

    def permissions_refusal(self, package: PackageKey) -> Read[APIError | None]:  # noqa: D102
        owner, package_id = self._at(package)
        return permissions_refusal(LIST_PERMISSIONS.request(owner=owner, package=package_id))

    def set_permissions(  # noqa: D102
        self, package: PackageKey, permissions: Sequence[PermissionSet], *, explain: bool = True
    ) -> Steps[None]:
        owner, package_id = self._at(package)
        return set_permissions(
            owner, package_id, permissions, lambda: self.permissions_refusal(package), explain=explain
        )

    def routes(self, package: PackageKey) -> Read[list[Route]]:  # noqa: D102
        owner, package_id = self._at(package)
        return ROUTES.read(owner=owner, package=package_id)

    def route(self, package: PackageKey, route_id: str) -> Read[Route]:  # noqa: D102
        owner, package_id = self._at(package)
        request = GET_ROUTE.request(owner=owner, package=package_id, route=route_id)
        return reading(request)

    def create_route(self, package: PackageKey, route: RouteCreate) -> Creation[Route]:  # noqa: D102
        owner, package_id = self._at(package)
        listed = self.routes(package)

        def look(_: LookContext) -> Steps[Found[Route]]:
            return find_route_in(route, (yield from shared(listed)))

        request = CREATE_ROUTE.request(new_route(route), owner=owner, package=package_id)
        return Creation(route, request, look, lambda route_id: if_there(self.route(package, route_id)))

    def update_route(self, package: PackageKey, route_id: str, route: RouteCreate) -> Steps[Route]:  # noqa: D102
        owner, package_id = self._at(package)
        read = GET_ROUTE.request(owner=owner, package=package_id, route=route_id)

        def make() -> Steps[Request[Route]]:
            there = yield from ask(read)
            check_id(GET_ROUTE, there.id, route_id)
            body = route_over(route, there)
            return UPDATE_ROUTE.request(body, owner=owner, package=package_id, route=route_id)

        return updated(Rewrite(UPDATE_ROUTE, make), route, self.route(package, route_id))

    def delete_route(self, package: PackageKey, route_id: str) -> Steps[None]:  # noqa: D102
        owner, package_id = self._at(package)
        return tell(DELETE_ROUTE.request(owner=owner, package=package_id, route=route_id))

    def domains(self, package: PackageKey) -> Read[list[Domain]]:  # noqa: D102
        owner, package_id = self._at(package)
        return DOMAINS.read_unpaged(owner=owner, package=package_id)

    def domain(self, package: PackageKey, domain_id: str) -> Read[Domain]:  # noqa: D102
        owner, package_id = self._at(package)
        request = GET_DOMAIN.request(owner=owner, package=package_id, domain=domain_id)
        return reading(request)

    def create_domain(self, package: PackageKey, domain: DomainCreate) -> Creation[Domain]:  # noqa: D102
        owner, package_id = self._at(package)
        listed = self.domains(package)

        def look(_: LookContext) -> Steps[Found[Domain]]:
            return find_domain(domain, (yield from shared(listed)))

        request = CREATE_DOMAIN.request(domain, owner=owner, package=package_id)
        return Creation(domain, request, look, lambda domain_id: if_there(self.domain(package, domain_id)))

    def delete_domain(self, package: PackageKey, domain_id: str) -> Steps[None]:  # noqa: D102
        owner, package_id = self._at(package)
        return tell(DELETE_DOMAIN.request(owner=owner, package=package_id, domain=domain_id))

    def check(self) -> Steps[Check]:  # noqa: D102
        return check(None if self.owner is None else LIST_PACKAGES.request(owner=self.owner), self.owner)

    def _owner(self, owner: str | None, argument: str) -> str:
        return needed_owner(owner, self.owner, argument)

    def _at(self, package: PackageKey) -> tuple[str, str]:
        """Return the owner and the id of a package for its path."""
        owner = self.owner_of(package)
        if owner is None:
            raise ValidationError(
                f"v2 needs the owner of package {package.id}: give a Package or PackageKey(owner, id), make the"
                " client with Scarf(owner=...), or set $SCARF_OWNER; nothing was sent",
                field="owner",
            )
        check_package_id(package.id)
        return owner, package.id

    def _by_id(self, package: PackageKey) -> Read[Package]:
        owner, package_id = self._at(package)
        request = GET_PACKAGE.request(owner=owner, package=package_id)
        return reading(request)


def _checked(package: Package, word: str, name: str, owner: str, request: Request[Package]) -> Package:
    """Return the response to a lookup by name, if it has that name."""
    wrong = [
        path
        for path, is_right in (
            ("type", package.library_type is None or same_type(package.library_type, word)),
            ("name", package_key(package.name, owner) == package_key(name, owner)),
        )
        if not is_right
    ]
    if not wrong:
        return package
    raise DecodeError(
        f"another package than {name!r} of type {word}",
        endpoint=request.endpoint.name,
        entity="Package",
        path=wrong[0],
    )


def _ambiguous(name: str, owner: str, found: Sequence[Package]) -> ValidationError:
    listed = ", ".join(f"{package.name} ({package.library_type}, {package.uuid})" for package in found)
    return ValidationError(
        f"several packages of {owner} are called {name!r}: {listed}; give the type, or the id", field="id_or_name"
    )
