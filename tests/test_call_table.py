"""Every management call of v1, as it is on the wire: method, address, body, and what comes of a response."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs
import pytest
from aiohttp import Payload
from aioresponses import CallbackResult, aioresponses
from yarl import URL

from scarf_async import (
    Domain,
    DomainCreate,
    Member,
    Organization,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    Permission,
    PermissionSet,
    RequestStarted,
    Role,
    Route,
    RouteCreate,
    Scarf,
    ScarfEvent,
)
from scarf_async.dialects.v1 import requests as endpoints_v1
from scarf_async.protocol.messages import Endpoint

BASE: Final = "https://scarf.sh/api/v1"
UUID: Final = "7b7a1b3e-0b44-4b0e-9f3f-3a4f6c2d1e00"

ACME_JSON: Final = {
    "name": "acme",
    "description": "Tools",
    "website": None,
    "billingEmail": "pay@acme.example",
    "createdAt": "2024-05-17T12:00:00Z",
    "updatedAt": "2024-05-17T12:00:00Z",
}
MEMBER_JSON: Final = {"organizationName": "acme", "username": "ann", "role": "admin"}
PACKAGE_JSON: Final = {
    "uuid": UUID,
    "owner": "acme",
    "name": "acme/web",
    "shortDescription": "Web",
    "createdAt": "2024-05-17T12:00:00Z",
    "libraryType": "docker",
}
PERMISSION_JSON: Final = {"username": "ann", "permissionLevel": "admin"}
ROUTE_JSON: Final = {"id": "r-1", "outgoingUrl": "https://acme.example/{v}.tgz", "templatePath": "/dl/{v}.tgz"}
DOMAIN_JSON: Final = {"id": "d-1", "name": "dl.acme.example"}

ACME_BODY: Final = {"name": "acme", "description": "Tools", "billingEmail": "pay@acme.example"}
PACKAGE_BODY: Final = {
    "name": "acme/web",
    "shortDescription": "Web",
    "libraryType": "docker",
    "backendUrl": "https://docker.io/acme/web",
}

ACME_UPSERT: Final = OrganizationUpsert(name="acme", description="Tools", billing_email="pay@acme.example")
PACKAGE_UPSERT: Final = PackageUpsert(
    name="acme/web", short_description="Web", library_type="docker", backend_url="https://docker.io/acme/web"
)
ROUTE_CREATE: Final = RouteCreate("https://acme.example/{v}.tgz", "/dl/{v}.tgz")


class Same:
    """Equals an entity whose named attributes are these."""

    def __init__(self, kind: type[attrs.AttrsInstance], **values: object) -> None:
        self.kind = kind
        self.values = values

    def __eq__(self, other: object) -> bool:
        if type(other) is not self.kind:
            return False
        return {name: getattr(other, name) for name in self.values} == self.values

    def __hash__(self) -> int:
        return hash(self.kind)

    def __repr__(self) -> str:
        return f"{self.kind.__name__} with {self.values}"


ACME: Final = Same(Organization, name="acme", description="Tools", billing_email="pay@acme.example", website=None)
PACKAGE: Final = Same(Package, uuid=UUID, owner="acme", name="acme/web", library_type="docker")
MEMBER: Final = Member(organization_name="acme", username="ann", role=Role.ADMIN)
ROUTE: Final = Route("r-1", "https://acme.example/{v}.tgz", "/dl/{v}.tgz")
DOMAIN: Final = Domain("d-1", "dl.acme.example")
ENTITY: Final = Package(uuid=UUID, name="acme/web")

Call: TypeAlias = Callable[[Scarf], Awaitable[object]]


@attrs.frozen
class Row:
    """A call, what it must put on the wire, what is answered, and what it must return."""

    endpoint: Endpoint[Any]
    call: Call
    method: str
    url: str
    body: object = None
    status: int = 200
    answer: object = None
    result: object = None


V1 = endpoints_v1
ROWS: Final = [
    # Organizations.
    Row(
        V1.GET_ORGANIZATION,
        lambda scarf: scarf.organizations.get("acme"),
        "GET",
        f"{BASE}/organizations/acme",
        answer=ACME_JSON,
        result=ACME,
    ),
    Row(
        V1.GET_ORGANIZATION,
        lambda scarf: scarf.organizations.get("Acme & S\u00f8ns/x?#%"),
        "GET",
        f"{BASE}/organizations/Acme%20%26%20S%C3%B8ns%2Fx%3F%23%25",
        answer=ACME_JSON,
        result=ACME,
    ),
    Row(
        V1.CREATE_ORGANIZATION,
        lambda scarf: scarf.organizations.create(ACME_UPSERT),
        "POST",
        f"{BASE}/organizations",
        ACME_BODY,
        201,
        ACME_JSON,
        ACME,
    ),
    Row(
        V1.UPDATE_ORGANIZATION,
        lambda scarf: scarf.organizations.update("acme", attrs.evolve(ACME_UPSERT, website=None)),
        "PUT",
        f"{BASE}/organizations/acme",
        {**ACME_BODY, "website": None},
        200,
        ACME_JSON,
        ACME,
    ),
    Row(
        V1.UPDATE_ORGANIZATION,
        lambda scarf: scarf.organizations.update("old name", ACME_UPSERT),
        "PUT",
        f"{BASE}/organizations/old%20name",
        ACME_BODY,
        200,
        ACME_JSON,
        ACME,
    ),
    # Members.
    Row(
        V1.LIST_MEMBERS,
        lambda scarf: scarf.members.list("acme"),
        "GET",
        f"{BASE}/organizations/acme/users",
        answer=[MEMBER_JSON, {**MEMBER_JSON, "role": "guest"}],
        result=[MEMBER, Member(organization_name="acme", username="ann", role="guest")],
    ),
    Row(
        V1.LIST_MEMBERS,
        lambda scarf: scarf.members.list("acme"),
        "GET",
        f"{BASE}/organizations/acme/users",
        answer=[],
        result=[],
    ),
    Row(
        V1.UPSERT_MEMBER,
        lambda scarf: scarf.members.upsert("acme", "ann", "admin"),
        "POST",
        f"{BASE}/organizations/acme/users",
        {"username": "ann", "role": "admin"},
        200,
        MEMBER_JSON,
        MEMBER,
    ),
    Row(
        V1.UPSERT_MEMBER,
        lambda scarf: scarf.members.upsert("acme", "ann", Role.ADMIN),
        "POST",
        f"{BASE}/organizations/acme/users",
        {"username": "ann", "role": "admin"},
        204,
        None,
        MEMBER,
    ),
    Row(
        V1.REMOVE_MEMBER,
        lambda scarf: scarf.members.remove("acme", "ann@example.com"),
        "DELETE",
        f"{BASE}/organizations/acme/users/ann%40example.com",
        status=204,
    ),
    # Packages.
    Row(
        V1.LIST_PACKAGES,
        lambda scarf: scarf.packages.list("acme"),
        "GET",
        f"{BASE}/organizations/acme/packages",
        answer=[PACKAGE_JSON],
        result=[PACKAGE],
    ),
    Row(
        V1.LIST_PACKAGES,
        lambda scarf: scarf.packages.list(organization="acme"),
        "GET",
        f"{BASE}/organizations/acme/packages",
        answer=[],
        result=[],
    ),
    Row(
        V1.LIST_USER_PACKAGES,
        lambda scarf: scarf.packages.list(),
        "GET",
        f"{BASE}/packages",
        answer=[PACKAGE_JSON, PACKAGE_JSON],
        result=[PACKAGE, PACKAGE],
    ),
    Row(
        V1.CREATE_PACKAGE,
        lambda scarf: scarf.packages.create(PACKAGE_UPSERT, "acme"),
        "POST",
        f"{BASE}/organizations/acme/packages",
        PACKAGE_BODY,
        200,
        PACKAGE_JSON,
        PACKAGE,
    ),
    Row(
        V1.CREATE_USER_PACKAGE,
        lambda scarf: scarf.packages.create(PACKAGE_UPSERT),
        "POST",
        f"{BASE}/packages",
        PACKAGE_BODY,
        201,
        PACKAGE_JSON,
        PACKAGE,
    ),
    Row(
        V1.CREATE_USER_PACKAGE,
        lambda scarf: scarf.packages.create(
            PackageUpsert(
                name="web",
                short_description="",
                library_type="pypi",
                repository_url="https://python-index.example/simple/",
            )
        ),
        "POST",
        f"{BASE}/packages",
        {
            "name": "web",
            "shortDescription": "",
            "libraryType": "pypi",
            "repositoryURL": "https://python-index.example/simple/",
        },
        201,
        PACKAGE_JSON,
        PACKAGE,
    ),
    Row(
        V1.GET_PACKAGE,
        lambda scarf: scarf.packages.get(UUID),
        "GET",
        f"{BASE}/packages/{UUID}",
        answer=PACKAGE_JSON,
        result=PACKAGE,
    ),
    Row(
        V1.GET_PACKAGE,
        lambda scarf: scarf.packages.get("acme/web", library_type="docker"),
        "GET",
        f"{BASE}/packages/acme%2Fweb?packageType=docker",
        answer=PACKAGE_JSON,
        result=PACKAGE,
    ),
    Row(
        V1.UPDATE_PACKAGE,
        lambda scarf: scarf.packages.update(UUID, PACKAGE_UPSERT),
        "PUT",
        f"{BASE}/packages/{UUID}",
        PACKAGE_BODY,
        200,
        PACKAGE_JSON,
        PACKAGE,
    ),
    Row(
        V1.UPDATE_PACKAGE,
        lambda scarf: scarf.packages.update(ENTITY, PACKAGE_UPSERT),
        "PUT",
        f"{BASE}/packages/{UUID}",
        PACKAGE_BODY,
        200,
        PACKAGE_JSON,
        PACKAGE,
    ),
    Row(
        V1.DELETE_PACKAGE,
        lambda scarf: scarf.packages.delete(UUID),
        "DELETE",
        f"{BASE}/packages/{UUID}",
        answer={"message": "deleted"},
    ),
    Row(
        V1.DELETE_PACKAGE,
        lambda scarf: scarf.packages.delete(ENTITY),
        "DELETE",
        f"{BASE}/packages/{UUID}",
        status=204,
    ),
    # Permissions.
    Row(
        V1.LIST_PERMISSIONS,
        lambda scarf: scarf.permissions.list(ENTITY),
        "GET",
        f"{BASE}/packages/{UUID}/permissions",
        answer=[PERMISSION_JSON],
        result=[Permission("ann", "admin")],
    ),
    Row(
        V1.SET_PERMISSIONS,
        lambda scarf: scarf.permissions.set(UUID, PermissionSet("ann@example.com", "admin")),
        "POST",
        f"{BASE}/packages/{UUID}/permissions",
        [{"userQuery": "ann@example.com", "permissionLevel": "admin"}],
        204,
    ),
    Row(
        V1.SET_PERMISSIONS,
        lambda scarf: scarf.permissions.set(
            ENTITY, (PermissionSet(user, "default") for user in ("ann", "bob@example.com"))
        ),
        "POST",
        f"{BASE}/packages/{UUID}/permissions",
        [
            {"userQuery": "ann", "permissionLevel": "default"},
            {"userQuery": "bob@example.com", "permissionLevel": "default"},
        ],
        200,
        [PERMISSION_JSON],
    ),
    # Routes.
    Row(
        V1.LIST_ROUTES,
        lambda scarf: scarf.routes.list(UUID),
        "GET",
        f"{BASE}/packages/{UUID}/routes",
        answer=[ROUTE_JSON],
        result=[ROUTE],
    ),
    Row(
        V1.CREATE_ROUTE,
        lambda scarf: scarf.routes.create(ENTITY, ROUTE_CREATE),
        "POST",
        f"{BASE}/packages/{UUID}/routes",
        {"outgoingUrl": "https://acme.example/{v}.tgz", "templatePath": "/dl/{v}.tgz"},
        201,
        ROUTE_JSON,
        ROUTE,
    ),
    Row(
        V1.DELETE_ROUTE,
        lambda scarf: scarf.routes.delete(UUID, "r/1"),
        "DELETE",
        f"{BASE}/packages/{UUID}/routes/r%2F1",
        status=204,
    ),
    # Domains.
    Row(
        V1.LIST_DOMAINS,
        lambda scarf: scarf.domains.list(UUID),
        "GET",
        f"{BASE}/packages/{UUID}/domains",
        answer=[DOMAIN_JSON],
        result=[DOMAIN],
    ),
    Row(
        V1.CREATE_DOMAIN,
        lambda scarf: scarf.domains.create(UUID, DomainCreate("dl.acme.example")),
        "POST",
        f"{BASE}/packages/{UUID}/domains",
        {"name": "dl.acme.example"},
        201,
        DOMAIN_JSON,
        DOMAIN,
    ),
    Row(
        V1.DELETE_DOMAIN,
        lambda scarf: scarf.domains.delete(ENTITY, "d-1"),
        "DELETE",
        f"{BASE}/packages/{UUID}/domains/d-1",
        status=204,
    ),
]


def test_no_call_is_left_out() -> None:
    """Every endpoint of v1 is in the table."""
    endpoints = {name: value for name, value in vars(endpoints_v1).items() if isinstance(value, Endpoint)}
    tried = [row.endpoint for row in ROWS]
    assert [name for name, endpoint in endpoints.items() if endpoint not in tried] == []


@attrs.define
class Wire:
    """Answers every request with one response, and keeps what came."""

    status: int
    answer: object
    requests: list[tuple[str, str, object]] = attrs.field(factory=list)
    headers: list[Mapping[str, str]] = attrs.field(factory=list)

    def expect(self, service: aioresponses, method: str, url: str) -> None:
        """Answer requests with a method to an address."""

        def callback(
            address: URL, *, data: Payload | None, headers: Mapping[str, str], **_: object
        ) -> CallbackResult:
            body = b"" if data is None else data.decode("latin-1").encode("latin-1")
            if headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            self.requests.append((method, str(address), json.loads(body) if body else None))
            self.headers.append(headers)
            answer = b"" if self.answer is None else json.dumps(self.answer).encode()
            return CallbackResult(status=self.status, body=answer)

        service.add(URL(url, encoded=True), method, callback=callback, repeat=True)


@pytest.mark.parametrize("row", ROWS, ids=[f"{number}-{row.endpoint.name}" for number, row in enumerate(ROWS)])
async def test_the_table(row: Row) -> None:
    """Each call sends one request, exactly this, and returns what the response means."""
    events: list[ScarfEvent] = []
    wire = Wire(row.status, row.answer)
    async with Scarf("token", on_event=events.append) as scarf:
        with aioresponses() as service:
            wire.expect(service, row.method, row.url)
            result = await row.call(scarf)
    assert result == row.result
    assert wire.requests == [(row.method, row.url, row.body)]
    assert events[0] == RequestStarted(endpoint=row.endpoint.name, attempt=1)
    (headers,) = wire.headers
    assert headers.get("Content-Type") == (None if row.body is None else "application/json")
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"].startswith("scarf-async/")
    assert "Authorization" not in headers  # it is put on below, where no traceback shows it


async def test_no_permissions_are_not_sent() -> None:
    """An empty set of permissions is not a request."""
    async with Scarf("token") as scarf:
        with aioresponses() as service:
            await scarf.permissions.set(UUID, [])
            assert not service.requests
