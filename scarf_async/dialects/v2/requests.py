"""Every request of the v2 API: method, path, type of the response, and whether it can be retried."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from scarf_async.dialects.v2.refusals import CONFLICTS, remark
from scarf_async.entities import (
    Collection,
    Domain,
    DomainCreate,
    DomainStatus,
    EventImport,
    ImportLogEntry,
    Member,
    Membership,
    MemberUpsert,
    Organization,
    Package,
    PackageKey,
    PackageOverview,
    Permission,
    Route,
    SearchResult,
    TrackingPixel,
    User,
)
from scarf_async.protocol.messages import Answer, Endpoint, Resend
from scarf_async.protocol.wire import Wire

__all__ = [
    "ABORT_IMPORT",
    "ADD_MEMBER",
    "CREATE_COLLECTION",
    "CREATE_DOMAIN",
    "CREATE_PACKAGE",
    "CREATE_PIXEL",
    "CREATE_PIXEL_DOMAIN",
    "CREATE_ROUTE",
    "DELETE_COLLECTION",
    "DELETE_DOMAIN",
    "DELETE_PACKAGE",
    "DELETE_PERMISSION",
    "DELETE_PIXEL",
    "DELETE_PIXEL_DOMAIN",
    "DELETE_ROUTE",
    "GET_COLLECTION",
    "GET_DOMAIN",
    "GET_DOMAIN_STATUS",
    "GET_IMPORT",
    "GET_MEMBER",
    "GET_ORGANIZATION",
    "GET_PACKAGE",
    "GET_PACKAGE_BY_NAME",
    "GET_PIXEL",
    "GET_PIXEL_DOMAIN",
    "GET_ROUTE",
    "GET_USER",
    "IMPORT_EVENTS",
    "IMPORT_LOG",
    "IMPORT_PACKAGE_EVENTS",
    "IMPORT_PIXEL_EVENTS",
    "LIST_COLLECTIONS",
    "LIST_DOMAINS",
    "LIST_IMPORTS",
    "LIST_MEMBERS",
    "LIST_MEMBERSHIPS",
    "LIST_OVERVIEW",
    "LIST_PACKAGES",
    "LIST_PERMISSIONS",
    "LIST_PIXELS",
    "LIST_PIXELS_OF_PACKAGE",
    "LIST_PIXEL_DOMAINS",
    "LIST_ROUTES",
    "REMOVE_MEMBER",
    "SEARCH",
    "SET_MEMBER_ROLE",
    "SET_PERMISSION",
    "UPDATE_COLLECTION",
    "UPDATE_ORGANIZATION",
    "UPDATE_PACKAGE",
    "UPDATE_PIXEL",
    "UPDATE_ROUTE",
    "WIRE",
]


def _remark_on_user(method: str, answer: Answer) -> str | None:
    """Explain other meanings of a 401."""
    if answer.status == 401:
        return "v2 also returns 401 if the token is valid but may not see this account"
    return remark(method, answer)


def _key(value: Mapping[str, object]) -> Mapping[str, object]:
    """Return the fields of a `PackageIdentifier` that identify a package."""
    return {"id": value.get("id"), "owner": value.get("owner") or None}


def _search_result(value: Mapping[str, object]) -> Mapping[str, object]:
    """Return the search result, which is under the word for its kind."""
    kind = value.get("type")
    found = value.get(kind) if isinstance(kind, str) else None
    if not isinstance(found, dict):
        return value
    return {"library_type" if name == "type" else name: of for name, of in found.items()} | {"type": kind}


_NAMES: Final = {
    (Package, "uuid"): "id",
    (Package, "library_type"): "type",
    (Route, "template_path"): "incoming_path",
    # A Python keyword.
    (ImportLogEntry, "class_"): "class",
}


def _name(kind: type, attribute: str) -> str | None:
    """Return the name of a field: that of the attribute, except where v1 has another name."""
    if (kind, attribute) == (Member, "organization_name"):
        return None
    return _NAMES.get((kind, attribute), attribute)


WIRE: Final = Wire(
    entities=(
        *(Organization, Member, Package, Permission, Route, Domain, DomainStatus, PackageOverview),
        *(PackageKey, TrackingPixel, Collection, User, Membership, SearchResult, EventImport, ImportLogEntry),
    ),
    # All other bodies depend on more than the upsert: on a type, an owner, or the current state.
    upserts=(MemberUpsert, DomainCreate),
    name=_name,
    identifiers={
        (Package, "uuid"),
        *((kind, "id") for kind in (Organization, Route, Domain, TrackingPixel, Collection)),
        *((kind, "id") for kind in (PackageKey, User, SearchResult, EventImport)),
        *((ImportLogEntry, name) for name in ("package_id", "tracking_pixel_id")),
        (Membership, "organization_id"),
        *((kind, "user_id") for kind in (Member, Permission)),
        *((kind, "package_id") for kind in (Route, Domain)),
    },
    # A member's organization is only in the path; a route without a URL only counts.
    absent={(Member, "organization_name"): "", (Route, "outgoing_url"): "", (PackageKey, "owner"): None},
    dropped=("_links",),
    shapes={PackageKey: _key, SearchResult: _search_result},
)
_request = partial(Endpoint, wire=WIRE, version="v2", remark=remark)
_write = partial(_request, conflicts=CONFLICTS)
_import = partial(
    _request,
    "POST",
    resend=Resend.REFUSED,
    answer=EventImport,
    content=MappingProxyType({"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}),
)
_ORGANIZATION: Final = "/organizations/{organization}"
_PACKAGES: Final = "/packages/{owner}"
_PACKAGE: Final = "/packages/{owner}/{package}"

_PIXELS: Final = "/tracking-pixels/{owner}"
_PIXEL: Final = "/tracking-pixels/{owner}/{pixel}"
_COLLECTIONS: Final = "/collections/{owner}"
_COLLECTION: Final = "/collections/{owner}/{collection}"
_IMPORTS: Final = "/imports/{owner}"
_EVENT_IMPORT: Final = "/imports/{owner}/{event_import}"

SEARCH: Final[Endpoint[list[SearchResult]]] = _request("POST", "/search", Resend.READ, list[SearchResult])
GET_USER: Final[Endpoint[User]] = _request("GET", "/users/{username}", Resend.READ, User, remark=_remark_on_user)
LIST_MEMBERSHIPS: Final[Endpoint[list[Membership]]] = _request(
    "GET", "/users/{username}/organizations", Resend.READ, list[Membership]
)

GET_ORGANIZATION: Final[Endpoint[Organization]] = _request("GET", _ORGANIZATION, Resend.READ, Organization)
UPDATE_ORGANIZATION: Final[Endpoint[Organization]] = _write("PUT", _ORGANIZATION, Resend.REPEAT, Organization)

LIST_MEMBERS: Final[Endpoint[list[Member]]] = _request("GET", f"{_ORGANIZATION}/members", Resend.READ, list[Member])
GET_MEMBER: Final[Endpoint[Member]] = _request("GET", f"{_ORGANIZATION}/members/{{username}}", Resend.READ, Member)
ADD_MEMBER: Final[Endpoint[Member]] = _write("POST", f"{_ORGANIZATION}/members", Resend.REPEAT, Member)
SET_MEMBER_ROLE: Final[Endpoint[Member]] = _write(
    "PUT", f"{_ORGANIZATION}/members/{{username}}", Resend.REPEAT, Member
)
REMOVE_MEMBER: Final[Endpoint[None]] = _write(
    "DELETE", f"{_ORGANIZATION}/members/{{username}}", Resend.DELETE, None
)

LIST_PACKAGES: Final[Endpoint[list[Package]]] = _request("GET", _PACKAGES, Resend.READ, list[Package])
CREATE_PACKAGE: Final[Endpoint[Package]] = _write("POST", _PACKAGES, Resend.CREATE, Package)
GET_PACKAGE_BY_NAME: Final[Endpoint[Package]] = _request(
    "GET", f"{_PACKAGES}/{{library_type}}/{{name}}", Resend.READ, Package
)
GET_PACKAGE: Final[Endpoint[Package]] = _request("GET", _PACKAGE, Resend.READ, Package)
UPDATE_PACKAGE: Final[Endpoint[Package]] = _write("PUT", _PACKAGE, Resend.REPEAT, Package)
DELETE_PACKAGE: Final[Endpoint[None]] = _write("DELETE", _PACKAGE, Resend.DELETE, None)

LIST_OVERVIEW: Final[Endpoint[list[PackageOverview]]] = _request(
    "GET", f"{_PACKAGES}/overview", Resend.READ, list[PackageOverview]
)

LIST_PERMISSIONS: Final[Endpoint[list[Permission]]] = _request(
    "GET", f"{_PACKAGE}/permissions", Resend.READ, list[Permission]
)
SET_PERMISSION: Final[Endpoint[None]] = _write("POST", f"{_PACKAGE}/permissions", Resend.REPEAT, None)
DELETE_PERMISSION: Final[Endpoint[None]] = _write(
    "DELETE", f"{_PACKAGE}/permissions/{{username}}", Resend.DELETE, None
)

LIST_ROUTES: Final[Endpoint[list[Route]]] = _request("GET", f"{_PACKAGE}/routes", Resend.READ, list[Route])
CREATE_ROUTE: Final[Endpoint[Route]] = _write("POST", f"{_PACKAGE}/routes", Resend.CREATE, Route)
GET_ROUTE: Final[Endpoint[Route]] = _request("GET", f"{_PACKAGE}/routes/{{route}}", Resend.READ, Route)
UPDATE_ROUTE: Final[Endpoint[Route]] = _write("PUT", f"{_PACKAGE}/routes/{{route}}", Resend.REPEAT, Route)
DELETE_ROUTE: Final[Endpoint[None]] = _write("DELETE", f"{_PACKAGE}/routes/{{route}}", Resend.DELETE, None)

LIST_DOMAINS: Final[Endpoint[list[Domain]]] = _request("GET", f"{_PACKAGE}/domains", Resend.READ, list[Domain])
CREATE_DOMAIN: Final[Endpoint[Domain]] = _write("POST", f"{_PACKAGE}/domains", Resend.CREATE, Domain)
GET_DOMAIN: Final[Endpoint[Domain]] = _request("GET", f"{_PACKAGE}/domains/{{domain}}", Resend.READ, Domain)
DELETE_DOMAIN: Final[Endpoint[None]] = _write("DELETE", f"{_PACKAGE}/domains/{{domain}}", Resend.DELETE, None)
GET_DOMAIN_STATUS: Final[Endpoint[DomainStatus]] = _request(
    "GET", "/domains/{owner}/{domain}/status", Resend.READ, DomainStatus
)

LIST_PIXELS: Final[Endpoint[list[TrackingPixel]]] = _request("GET", _PIXELS, Resend.READ, list[TrackingPixel])
LIST_PIXELS_OF_PACKAGE: Final[Endpoint[list[TrackingPixel]]] = _request(
    "GET", f"{_PACKAGE}/tracking-pixels", Resend.READ, list[TrackingPixel]
)
CREATE_PIXEL: Final[Endpoint[TrackingPixel]] = _write("POST", _PIXELS, Resend.CREATE, TrackingPixel)
GET_PIXEL: Final[Endpoint[TrackingPixel]] = _request("GET", _PIXEL, Resend.READ, TrackingPixel)
UPDATE_PIXEL: Final[Endpoint[TrackingPixel]] = _write("PUT", _PIXEL, Resend.REPEAT, TrackingPixel)
DELETE_PIXEL: Final[Endpoint[None]] = _write("DELETE", _PIXEL, Resend.DELETE, None)
LIST_PIXEL_DOMAINS: Final[Endpoint[list[Domain]]] = _request("GET", f"{_PIXEL}/domains", Resend.READ, list[Domain])
CREATE_PIXEL_DOMAIN: Final[Endpoint[Domain]] = _write("POST", f"{_PIXEL}/domains", Resend.CREATE, Domain)
GET_PIXEL_DOMAIN: Final[Endpoint[Domain]] = _request("GET", f"{_PIXEL}/domains/{{domain}}", Resend.READ, Domain)
DELETE_PIXEL_DOMAIN: Final[Endpoint[None]] = _write("DELETE", f"{_PIXEL}/domains/{{domain}}", Resend.DELETE, None)

LIST_COLLECTIONS: Final[Endpoint[list[Collection]]] = _request("GET", _COLLECTIONS, Resend.READ, list[Collection])
CREATE_COLLECTION: Final[Endpoint[Collection]] = _write("POST", _COLLECTIONS, Resend.CREATE, Collection)
GET_COLLECTION: Final[Endpoint[Collection]] = _request("GET", _COLLECTION, Resend.READ, Collection)
UPDATE_COLLECTION: Final[Endpoint[Collection]] = _write("PUT", _COLLECTION, Resend.REPEAT, Collection)
DELETE_COLLECTION: Final[Endpoint[None]] = _write("DELETE", _COLLECTION, Resend.DELETE, None)

IMPORT_EVENTS: Final[Endpoint[EventImport]] = _import("/{owner}/import")
IMPORT_PACKAGE_EVENTS: Final[Endpoint[EventImport]] = _import("/packages/{owner}/{package}/import")
IMPORT_PIXEL_EVENTS: Final[Endpoint[EventImport]] = _import("/tracking-pixels/{owner}/{pixel}/import")
LIST_IMPORTS: Final[Endpoint[list[EventImport]]] = _request("GET", _IMPORTS, Resend.READ, list[EventImport])
GET_IMPORT: Final[Endpoint[EventImport]] = _request("GET", _EVENT_IMPORT, Resend.READ, EventImport)
ABORT_IMPORT: Final[Endpoint[None]] = _request("POST", f"{_EVENT_IMPORT}/abort", Resend.REPEAT, None)
IMPORT_LOG: Final[Endpoint[None]] = _request("GET", f"{_EVENT_IMPORT}/log", Resend.EXPORT, None)
