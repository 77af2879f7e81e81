"""Every call of the v1 API: method, path, what it answers with, and whether it may be sent twice (seed).

With `wire.py` the only place where v1's paths and wire names stand.
"""

from __future__ import annotations

from typing import Final

from scarf_async.entities import Domain, Member, Organization, Package, Permission, Route
from scarf_async.protocol import Endpoint, ExportEndpoint, Resend

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
    "ORGANIZATION_AGGREGATES",
    "PACKAGE_EVENTS",
    "PACKAGE_EVENTS_WITHOUT_OWNER",
    "PACKAGE_TYPE",
    "PIXEL_EVENTS",
    "REMOVE_MEMBER",
    "SET_PERMISSIONS",
    "UPDATE_ORGANIZATION",
    "UPDATE_PACKAGE",
    "UPSERT_MEMBER",
    "USER_AGGREGATES",
]

GET_ORGANIZATION: Final = Endpoint("GET", "/organizations/{organization}", Resend.READ, Organization)
CREATE_ORGANIZATION: Final = Endpoint("POST", "/organizations", Resend.CREATE, Organization)
UPDATE_ORGANIZATION: Final = Endpoint("PUT", "/organizations/{organization}", Resend.REPEAT, Organization)

LIST_MEMBERS: Final = Endpoint("GET", "/organizations/{organization}/users", Resend.READ, list[Member])
UPSERT_MEMBER: Final = Endpoint("POST", "/organizations/{organization}/users", Resend.REPEAT, Member)
REMOVE_MEMBER: Final[Endpoint[None]] = Endpoint(
    "DELETE", "/organizations/{organization}/users/{username}", Resend.DELETE, None
)

LIST_PACKAGES: Final = Endpoint("GET", "/organizations/{organization}/packages", Resend.READ, list[Package])
CREATE_PACKAGE: Final = Endpoint("POST", "/organizations/{organization}/packages", Resend.CREATE, Package)
LIST_USER_PACKAGES: Final = Endpoint("GET", "/packages", Resend.READ, list[Package])
CREATE_USER_PACKAGE: Final = Endpoint("POST", "/packages", Resend.CREATE, Package)
GET_PACKAGE: Final = Endpoint("GET", "/packages/{package}", Resend.READ, Package)
UPDATE_PACKAGE: Final = Endpoint("PUT", "/packages/{package}", Resend.REPEAT, Package)
DELETE_PACKAGE: Final[Endpoint[None]] = Endpoint("DELETE", "/packages/{package}", Resend.DELETE, None)
PACKAGE_TYPE: Final = "packageType"
"""The query parameter of GET_PACKAGE that tells packages of one name apart."""

LIST_PERMISSIONS: Final = Endpoint("GET", "/packages/{package}/permissions", Resend.READ, list[Permission])
SET_PERMISSIONS: Final[Endpoint[None]] = Endpoint("POST", "/packages/{package}/permissions", Resend.REPEAT, None)

LIST_ROUTES: Final = Endpoint("GET", "/packages/{package}/routes", Resend.READ, list[Route])
CREATE_ROUTE: Final = Endpoint("POST", "/packages/{package}/routes", Resend.CREATE, Route)
DELETE_ROUTE: Final[Endpoint[None]] = Endpoint("DELETE", "/packages/{package}/routes/{route}", Resend.DELETE, None)

LIST_DOMAINS: Final = Endpoint("GET", "/packages/{package}/domains", Resend.READ, list[Domain])
CREATE_DOMAIN: Final = Endpoint("POST", "/packages/{package}/domains", Resend.CREATE, Domain)
DELETE_DOMAIN: Final[Endpoint[None]] = Endpoint(
    "DELETE", "/packages/{package}/domains/{domain}", Resend.DELETE, None
)


def _export(template: str) -> ExportEndpoint:
    return ExportEndpoint(template, base="v1", start="startDate", end="endDate")


ORGANIZATION_AGGREGATES: Final = _export("/organizations/{organization}/aggregates")
USER_AGGREGATES: Final = _export("/users/{username}/aggregates")
# The service ignores the file name.
PACKAGE_EVENTS: Final = _export("/packages/{owner}/{package}/events/events.csv")
PACKAGE_EVENTS_WITHOUT_OWNER: Final = _export("/packages/{package}/events/events.csv")
PIXEL_EVENTS: Final = _export("/pixels/events/events.csv")
