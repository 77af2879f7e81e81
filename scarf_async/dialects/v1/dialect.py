"""Version 1 of the service: the paths, the responses of writes, and how a create is looked up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from scarf_async.dialects.dialect import Traits, is_wrong_address, not_listed
from scarf_async.dialects.v1.requests import (
    CREATE_DOMAIN,
    CREATE_ORGANIZATION,
    CREATE_PACKAGE,
    CREATE_ROUTE,
    CREATE_USER_PACKAGE,
    DELETE_DOMAIN,
    DELETE_PACKAGE,
    DELETE_ROUTE,
    GET_ORGANIZATION,
    GET_PACKAGE,
    LIST_DOMAINS,
    LIST_MEMBERS,
    LIST_PACKAGES,
    LIST_PERMISSIONS,
    LIST_ROUTES,
    LIST_USER_PACKAGES,
    PACKAGE_TYPE,
    REMOVE_MEMBER,
    SET_PERMISSIONS,
    UPDATE_ORGANIZATION,
    UPDATE_PACKAGE,
    UPSERT_MEMBER,
)
from scarf_async.entities import (
    UNSET,
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
    PermissionLevel,
    PermissionSet,
    Route,
    RouteCreate,
)
from scarf_async.errors import (
    APIError,
    DecodeError,
    NotFoundError,
    PermissionDeniedError,
    TransportError,
    UnsupportedError,
    ValidationError,
)
from scarf_async.names import organization_key, user_key
from scarf_async.protocol.looking import (
    Found,
    PackageIndex,
    find_domain,
    find_organization,
    find_package,
    find_route,
)
from scarf_async.protocol.messages import Request, decode, decode_written, path_segment, server_date
from scarf_async.protocol.steps import (
    Creation,
    LookContext,
    Read,
    Renaming,
    Steps,
    answer_to,
    ask,
    if_there,
    reading,
    shared,
    tell,
    updated,
)

__all__ = ["V1"]

T = TypeVar("T")


class _Listed(msgspec.Struct, frozen=True):
    """All packages that the user can see, and when the service listed them, by its own clock."""

    packages: PackageIndex
    date: dt.datetime | None


class V1:
    """The `Dialect` of v1. The owner of a `PackageKey` is ignored: the id is enough."""

    version: Final = "v1"
    traits: Final = Traits(
        permission_arrays=True,
        addresses_shown=False,
        users_by_email=True,
        organizations_creatable=True,
        levels_of_owners=False,
        routes_with_packages=False,
        routes_updatable=False,
        owners_in_paths=False,
        updates_read=False,
        members_by_verb=False,
        permissions_everywhere=True,
        importances=False,
        images_as_names=False,
        empty_is_hidden=False,
        never_refused=frozenset(
            {"upsert_member", "remove_member", "delete_package", "delete_route", "create_domain", "delete_domain"}
        ),
    )

    def refusal(self, build: Callable[[], object]) -> str | None:  # noqa: D102 # as all below: described in `Dialect`
        try:
            build()
        except UnsupportedError as error:
            return str(error)
        except ValidationError:
            pass  # it fails by itself when it is sent
        return None

    def organization(self, name: str) -> Read[Organization]:  # noqa: D102
        request = GET_ORGANIZATION.request(organization=name)
        return reading(request)

    def create_organization(self, organization: OrganizationUpsert) -> Creation[Organization]:  # noqa: D102
        _refuse_unset(organization, "description", "billing_email")
        # A name that cannot be part of a URL cannot be looked up, so it is not created either.
        shown = self.organization(organization.name)
        return Creation(
            organization,
            CREATE_ORGANIZATION.request(organization),
            lambda _: _find_organization(organization, shown),
        )

    def update_organization(  # noqa: D102
        self, name: str, organization: OrganizationUpsert
    ) -> Steps[Organization] | Renaming[Organization]:
        _refuse_unset(organization, "description", "billing_email")
        request = UPDATE_ORGANIZATION.request(organization, organization=name)
        shown = self.organization(organization.name)
        if organization.name == name:
            return updated(request, organization, shown)

        def look() -> Steps[Found[Organization]]:
            found = yield from _find_organization(organization, shown)
            there = found.there
            # A service that ignores case finds it under the new name before it is renamed.
            is_still = (
                there is not None
                and there.name != organization.name
                and organization_key(there.name) == organization_key(name)
            )
            return Found() if is_still else found

        return Renaming(organization, request, look, shown)

    def members(self, organization: str) -> Read[list[Member]]:  # noqa: D102
        request = LIST_MEMBERS.request(organization=organization)
        return reading(request)

    def member(self, organization: str, username: str) -> Read[Member]:  # noqa: D102
        request = LIST_MEMBERS.request(organization=organization)

        def find(members: list[Member]) -> Member:
            alike = [member for member in members if user_key(member.username) == user_key(username)]
            exact = [member for member in alike if member.username == username]
            return _only(exact or alike, request, f"member {username!r}")

        return self.members(organization).then(username, find)

    def upsert_member(  # noqa: D102
        self,
        organization: str,
        member: MemberUpsert,
        *,
        listed: bool = False,  # noqa: ARG002 # one call does both
    ) -> Steps[Member]:
        request = UPSERT_MEMBER.request(member, organization=organization)

        def steps() -> Steps[Member]:
            shown = decode_written(request, (yield from answer_to(request)))
            return shown or Member(organization_name=organization, username=member.username, role=member.role)

        return steps()

    def remove_member(self, organization: str, username: str) -> Steps[None]:  # noqa: D102
        return tell(REMOVE_MEMBER.request(organization=organization, username=username))

    def packages(self, organization: str | None, types: Iterable[str] = ()) -> Read[list[Package]]:  # noqa: D102
        if organization is None:
            request = LIST_USER_PACKAGES.request()
        else:
            request = LIST_PACKAGES.request(organization=organization)
        listed = reading(request)
        words = frozenset(types)
        if not words:
            return listed
        name = "of types " + ", ".join(sorted(words))
        return listed.then(name, lambda packages: [one for one in packages if one.library_type in words])

    def package(  # noqa: D102
        self,
        id_or_name: str,
        library_type: str | None = None,
        owner: str | None = None,  # noqa: ARG002 # v1 asks nobody's
    ) -> Read[Package]:
        query = None if library_type is None else {PACKAGE_TYPE: library_type}
        request = GET_PACKAGE.request(query=query, package=id_or_name)
        return reading(request)

    def create_package(  # noqa: D102
        self, package: PackageUpsert, organization: str | None, route: RouteCreate | None = None
    ) -> Creation[Package]:
        _refuse_new_fields(package)
        if route is not None:
            raise UnsupportedError(
                "v1 creates a package without its routes: create them with routes.create; nothing was sent",
                field="route",
            )
        if organization is None:
            request = CREATE_USER_PACKAGE.request(package)
            return Creation(package, request, lambda known: self._find_own(package, known), self._by_id)
        listed = self.packages(organization).then("index", PackageIndex)

        def look(_: LookContext) -> Steps[Found[Package]]:
            packages = yield from shared(listed)
            return find_package(package, packages.named(package.name), organization=organization)

        request = CREATE_PACKAGE.request(package, organization=organization)
        return Creation(package, request, look, self._by_id)

    def update_package(self, package: PackageKey, upsert: PackageUpsert) -> Steps[Package]:  # noqa: D102
        _refuse_new_fields(upsert)
        request = UPDATE_PACKAGE.request(upsert, package=package.id)
        return updated(request, upsert, self.package(package.id))

    def delete_package(self, package: PackageKey) -> Steps[None]:  # noqa: D102
        return tell(DELETE_PACKAGE.request(package=package.id))

    def owner_of(self, _: PackageKey) -> None:  # noqa: D102
        return None

    def domain_of(self, _: PackageUpsert) -> None:  # noqa: D102
        return None

    def find_package(  # noqa: D102
        self, requested: PackageUpsert, shown: Sequence[Package], organization: str | None
    ) -> Found[Package]:
        return find_package(requested, shown, organization=organization)

    def find_route(self, requested: RouteCreate, shown: Sequence[Route]) -> Found[Route]:  # noqa: D102
        return find_route(requested, shown)

    def permissions(self, package: PackageKey) -> Read[list[Permission]]:  # noqa: D102
        request = LIST_PERMISSIONS.request(package=package.id)
        return reading(request)

    def permissions_refusal(self, package: PackageKey) -> Read[APIError | None]:  # noqa: D102
        read = self.permissions(package)

        def steps() -> Steps[APIError | None]:
            try:
                yield from read.steps()
            except (NotFoundError, PermissionDeniedError) as error:
                return error
            except (APIError, TransportError, DecodeError):
                pass
            return None

        return Read(("refusal", read.key), steps)

    def set_permissions(  # noqa: D102
        self,
        package: PackageKey,
        permissions: Sequence[PermissionSet],
        *,
        explain: bool = True,  # noqa: ARG002 # what refused them all may be an entry
    ) -> Steps[None]:
        if PermissionLevel.OWNER in [entry.permission_level for entry in permissions]:
            raise UnsupportedError("v1 has no level owner; nothing was sent", field="permission_level")
        path_segment("package", package.id)

        def steps() -> Steps[None]:
            yield SET_PERMISSIONS.request(permissions, package=package.id)

        return steps()

    def routes(self, package: PackageKey) -> Read[list[Route]]:  # noqa: D102
        request = LIST_ROUTES.request(package=package.id)
        return reading(request)

    def route(self, package: PackageKey, route_id: str) -> Read[Route]:  # noqa: D102
        request = LIST_ROUTES.request(package=package.id)
        return self.routes(package).then(
            route_id,
            lambda routes: _only((one for one in routes if one.id == route_id), request, f"route {route_id!r}"),
        )

    def create_route(self, package: PackageKey, route: RouteCreate) -> Creation[Route]:  # noqa: D102
        if not isinstance(route.outgoing_url, str):
            raise UnsupportedError("v1 needs the outgoing_url of a route; nothing was sent", field="outgoing_url")
        listed = self.routes(package)

        def look(_: LookContext) -> Steps[Found[Route]]:
            return find_route(route, (yield from shared(listed)))

        def by_id(route_id: str) -> Steps[Route | None]:
            return next((shown for shown in (yield from shared(listed)) if shown.id == route_id), None)

        return Creation(route, CREATE_ROUTE.request(route, package=package.id), look, by_id)

    def update_route(self, _: PackageKey, route_id: str, __: RouteCreate) -> Steps[Route]:  # noqa: D102
        raise UnsupportedError(
            f"v1 cannot change route {route_id}: delete it, and create another; nothing was sent"
        )

    def delete_route(self, package: PackageKey, route_id: str) -> Steps[None]:  # noqa: D102
        return tell(DELETE_ROUTE.request(package=package.id, route=route_id))

    def domains(self, package: PackageKey) -> Read[list[Domain]]:  # noqa: D102
        request = LIST_DOMAINS.request(package=package.id)
        return reading(request)

    def domain(self, package: PackageKey, domain_id: str) -> Read[Domain]:  # noqa: D102
        request = LIST_DOMAINS.request(package=package.id)
        return self.domains(package).then(
            domain_id,
            lambda domains: _only(
                (one for one in domains if one.id == domain_id), request, f"domain {domain_id!r}"
            ),
        )

    def create_domain(self, package: PackageKey, domain: DomainCreate) -> Creation[Domain]:  # noqa: D102
        listed = self.domains(package)

        def look(_: LookContext) -> Steps[Found[Domain]]:
            return find_domain(domain, (yield from shared(listed)))

        def by_id(domain_id: str) -> Steps[Domain | None]:
            return next((shown for shown in (yield from shared(listed)) if shown.id == domain_id), None)

        return Creation(domain, CREATE_DOMAIN.request(domain, package=package.id), look, by_id)

    def delete_domain(self, package: PackageKey, domain_id: str) -> Steps[None]:  # noqa: D102
        return tell(DELETE_DOMAIN.request(package=package.id, domain=domain_id))

    def check(self) -> Steps[Check]:  # noqa: D102
        def found(*, token: bool | None, version: bool, advice: str) -> Check:
            is_ok = bool(token) and version
            return Check(ok=is_ok, token=token, version=version, owner=None, advice=advice)

        other = 'v1 is not available here: check base_url ($SCARF_BASE_URL), or try api="v2" ($SCARF_API_VERSION)'
        try:
            yield from ask(LIST_USER_PACKAGES.request())
        except DecodeError:
            return found(token=None, version=False, advice=other)
        except APIError as error:
            if is_wrong_address(error):
                return found(token=None, version=False, advice=other)
            if error.status not in {401, 403}:
                raise
            return found(
                token=False, version=True, advice="the service does not take the token: check $SCARF_API_TOKEN"
            )
        return found(token=True, version=True, advice="token and version work")

    def _by_id(self, package_id: str) -> Steps[Package | None]:
        return if_there(self.package(package_id))

    def _find_own(self, requested: PackageUpsert, known: LookContext) -> Steps[Found[Package]]:
        """Look up a package of the token's user among all that the user can see.

        That list contains packages of organizations too, and v1 does not tell the username. So packages that are
        older than the first send are not ours, nor, in a bulk run, packages of organizations. A single call does
        not check the latter: only bulk runs create packages of one name for several owners at the same time.
        """
        request = LIST_USER_PACKAGES.request()

        def steps() -> Steps[_Listed]:
            answer = yield from answer_to(request)
            return _Listed(PackageIndex(decode(request, answer)), server_date(answer.headers))

        listed = yield from shared(Read(("index", request.target), steps))
        not_before: dt.datetime | None = None
        if known.age is not None:
            # Both times are by the service's clock, which may differ from this machine's. Without it, this
            # machine's clock has to do.
            now = listed.date or dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
            not_before = now - dt.timedelta(seconds=known.age())
        candidates = listed.packages.named(requested.name)
        while True:
            found = find_package(requested, candidates, not_before=not_before)
            there = found.there
            if there is None or not known.in_bulk or not (yield from shared(_is_organization(there.owner))):
                return found
            candidates = [package for package in candidates if package.owner != there.owner]


def _is_organization(owner: str) -> Read[bool]:
    """Return whether the owner of a package is an organization, and not a user."""

    def steps() -> Steps[bool]:
        try:
            yield from answer_to(GET_ORGANIZATION.request(organization=owner))
        except (NotFoundError, ValidationError):  # the name of an organization can always be part of a URL
            return False
        return True

    return Read(("is an organization", owner), steps, lasting=True)


def _refuse_unset(upsert: OrganizationUpsert | PackageUpsert, *fields: str) -> None:
    for field in fields:
        if getattr(upsert, field) is UNSET:
            raise UnsupportedError(f"v1 needs {field}: it cannot leave it as it is; nothing was sent", field=field)


def _refuse_new_fields(package: PackageUpsert) -> None:
    _refuse_unset(package, "short_description")
    if package.importance is not UNSET:
        raise UnsupportedError("v1 has no importance; nothing was sent", field="importance")


def _only(found: Iterable[T], request: Request[object], what: str) -> T:
    for one in found:
        return one
    raise not_listed(request, what)


def _find_organization(requested: OrganizationUpsert, shown: Read[Organization]) -> Steps[Found[Organization]]:
    try:
        organization = yield from shared(shown)
    except NotFoundError:
        return Found()
    return find_organization(requested, organization)
