"""Every request of the v1 API: method, path, type of the response, and whether it can be retried."""

from __future__ import annotations

from functools import partial
from typing import Final

from scarf_async.entities import (
    Domain,
    DomainCreate,
    Member,
    MemberUpsert,
    Organization,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    Permission,
    PermissionSet,
    Route,
    RouteCreate,
)
from scarf_async.protocol import tolerant
from scarf_async.protocol.messages import Answer, Endpoint, Resend
from scarf_async.protocol.wire import Wire

__all__ = [
    "CREATE_DOMAIN",
    "CREATE_ORGANIZATION",
    "CREATE_PACKAGE",
    "CREATE_ROUTE",
    "CREATE_USER_PACKAGE",
    "DELETE_DOMAIN",
    "DELETE_PACKAGE",
    "DELETE_ROUTE",
    "GET_ORGANIZATION",
    "GET_PACKAGE",
    "LIST_DOMAINS",
    "LIST_MEMBERS",
    "LIST_PACKAGES",
    "LIST_PERMISSIONS",
    "LIST_ROUTES",
    "LIST_USER_PACKAGES",
    "PACKAGE_TYPE",
    "REMOVE_MEMBER",
    "SET_PERMISSIONS",
    "UPDATE_ORGANIZATION",
    "UPDATE_PACKAGE",
    "UPSERT_MEMBER",
    "WIRE",
    "remark",
]


def remark(_: str, answer: Answer) -> str | None:
    """Explain a response that does not come from the API, or a 404 for a path that it should have."""
    body = answer.body.lstrip().lower()
    is_html = body.startswith((b"<!doctype", b"<html"))
    is_gone = 300 <= answer.status < 400 or answer.status in {404, 410}
    if not is_html and not (is_gone and not _is_json(answer.body)):
        return None
    return 'Scarf announced that v1 ends on 2023-09-01: try api="v2"'


def _is_json(body: bytes) -> bool:
    try:
        tolerant.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


# Fields that only v2 sends stay in `extra`, should v1 send them one day.
_OF_V2: Final = frozenset(
    {
        (Organization, "id"),
        (Member, "user_id"),
        (Permission, "user_id"),
        *((Package, name) for name in ("updated_at", "backend_registry", "repository_name", "repository_url")),
        (Package, "importance"),
        (PackageUpsert, "importance"),
        *((kind, name) for kind in (Route, Domain) for name in ("owner", "package_id", "created_at")),
        (Route, "type"),
    }
)


def _name(kind: type, attribute: str) -> str | None:
    """Return the name of a field: camelCase, except `repositoryURL`; None if v1 does not have it."""
    if (kind, attribute) in _OF_V2:
        return None
    if attribute == "repository_url":
        return "repositoryURL"
    head, *tail = attribute.split("_")
    return head + "".join(part.capitalize() for part in tail)


WIRE: Final = Wire(
    entities=(Organization, Member, Package, Permission, Route, Domain),
    upserts=(OrganizationUpsert, MemberUpsert, PackageUpsert, PermissionSet, RouteCreate, DomainCreate),
    name=_name,
    identifiers={(Package, "uuid"), (Route, "id"), (Domain, "id")},
)
_request = partial(Endpoint, wire=WIRE, version="v1", remark=remark)

GET_ORGANIZATION: Final[Endpoint[Organization]] = _request(
    "GET", "/organizations/{organization}", Resend.READ, Organization
)
CREATE_ORGANIZATION: Final[Endpoint[Organization]] = _request("POST", "/organizations", Resend.CREATE, Organization)
UPDATE_ORGANIZATION: Final[Endpoint[Organization]] = _request(
    "PUT", "/organizations/{organization}", Resend.REPEAT, Organization
)

LIST_MEMBERS: Final[Endpoint[list[Member]]] = _request(
    "GET", "/organizations/{organization}/users", Resend.READ, list[Member]
)
UPSERT_MEMBER: Final[Endpoint[Member]] = _request(
    "POST", "/organizations/{organization}/users", Resend.REPEAT, Member
)
REMOVE_MEMBER: Final[Endpoint[None]] = _request(
    "DELETE", "/organizations/{organization}/users/{username}", Resend.DELETE, None
)

LIST_PACKAGES: Final[Endpoint[list[Package]]] = _request(
    "GET", "/organizations/{organization}/packages", Resend.READ, list[Package]
)
CREATE_PACKAGE: Final[Endpoint[Package]] = _request(
    "POST", "/organizations/{organization}/packages", Resend.CREATE, Package
)
LIST_USER_PACKAGES: Final[Endpoint[list[Package]]] = _request("GET", "/packages", Resend.READ, list[Package])
CREATE_USER_PACKAGE: Final[Endpoint[Package]] = _request("POST", "/packages", Resend.CREATE, Package)
GET_PACKAGE: Final[Endpoint[Package]] = _request("GET", "/packages/{package}", Resend.READ, Package)
UPDATE_PACKAGE: Final[Endpoint[Package]] = _request("PUT", "/packages/{package}", Resend.REPEAT, Package)
DELETE_PACKAGE: Final[Endpoint[None]] = _request("DELETE", "/packages/{package}", Resend.DELETE, None)
PACKAGE_TYPE: Final = "packageType"
"""The query parameter of GET_PACKAGE that selects among packages with the same name."""

LIST_PERMISSIONS: Final[Endpoint[list[Permission]]] = _request(
    "GET", "/packages/{package}/permissions", Resend.READ, list[Permission]
)
SET_PERMISSIONS: Final[Endpoint[None]] = _request("POST", "/packages/{package}/permissions", Resend.REPEAT, None)

LIST_ROUTES: Final[Endpoint[list[Route]]] = _request("GET", "/packages/{package}/routes", Resend.READ, list[Route])
CREATE_ROUTE: Final[Endpoint[Route]] = _request("POST", "/packages/{package}/routes", Resend.CREATE, Route)
DELETE_ROUTE: Final[Endpoint[None]] = _request("DELETE", "/packages/{package}/routes/{route}", Resend.DELETE, None)

LIST_DOMAINS: Final[Endpoint[list[Domain]]] = _request(
    "GET", "/packages/{package}/domains", Resend.READ, list[Domain]
)
CREATE_DOMAIN: Final[Endpoint[Domain]] = _request("POST", "/packages/{package}/domains", Resend.CREATE, Domain)
DELETE_DOMAIN: Final[Endpoint[None]] = _request(
    "DELETE", "/packages/{package}/domains/{domain}", Resend.DELETE, None
)
