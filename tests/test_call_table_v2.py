"""Every management call of v2, as it is on the wire: its requests in order, and what comes of the responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias
from unittest import mock

import attrs
import pytest
from aioresponses import aioresponses
from test_call_table import UUID, Same, Wire

from scarf_async import (
    UNSET,
    Check,
    Collection,
    CollectionUpsert,
    Domain,
    DomainCreate,
    DomainStatus,
    EventImport,
    Importance,
    Member,
    Membership,
    Organization,
    OrganizationUpsert,
    Package,
    PackageKey,
    PackageOverview,
    PackageUpsert,
    Permission,
    PermissionSet,
    RequestStarted,
    Role,
    Route,
    RouteCreate,
    Scarf,
    ScarfEvent,
    SearchResult,
    TrackingPixel,
    TrackingPixelUpsert,
    User,
)
from scarf_async.dialects.v2 import requests as V2  # noqa: N812 # as a table has it
from scarf_async.protocol.messages import Endpoint

__all__ = ["BASE", "ROWS", "Row", "Sent"]

BASE: Final = "https://api.scarf.sh/v2"
ACME: Final = {"id": "o-1", "name": "acme", "description": "Tools", "billing_email": "pay@acme.example"}
MEMBER: Final = {"user_id": "u-1", "username": "ann", "role": "admin"}
WEB: Final = {
    "id": UUID,
    "owner": "acme",
    "name": "acme/web",
    "type": "docker",
    "backend_registry": "ghcr.io",
    "short_description": "Web",
    "_links": {"self": "x"},
}
ROUTE: Final = {
    "id": "r-1",
    "incoming_path": "/{v}",
    "outgoing_url": "https://a.example/{v}",
    "type": "uri-template",
}
DOMAIN: Final = {"id": "d-1", "name": "dl.acme.example"}
PERMISSION: Final = {"user_id": "u-1", "username": "ann", "permission_level": "admin"}
PIXEL: Final = {
    "id": "p-1",
    "owner": "acme",
    "name": "Docs",
    "package": {"id": UUID, "name": "acme/web", "owner": "acme", "type": "docker"},
    "importance": "high",
    "track_companies": False,
    "long_description": None,
    "_links": {},
}
COLLECTION: Final = {
    "id": "3kTMd",
    "owner": "acme",
    "pattern": "acme/*",
    "backend_domain": "ghcr.io",
    "public_domain": "cr.acme.example",
    "type": "docker",
}
PIXELS: Final = "/tracking-pixels/acme"
COLLECTIONS: Final = "/collections/acme"

AN_IMPORT: Final = {"id": 7, "status": "done"}
LINE: Final = {"$time": "2026-06-15T00:00:00Z", "$package": "p", "mode": "x"}

KEY: Final = PackageKey("acme", UUID)
AT: Final = f"/packages/acme/{UUID}"
IMAGE: Final = PackageUpsert(
    name="web",
    short_description="Web",
    library_type="docker",
    backend_url="https://ghcr.io/acme/web",
    public_url="https://dl.acme.example/acme/web",
)
TYPED: Final = {"type": "docker", "name": "acme/web", "short_description": "Web", "backend_registry": "ghcr.io"}

A_PACKAGE: Final = Same(Package, uuid=UUID, owner="acme", name="acme/web", library_type="docker", extra={})
A_ROUTE: Final = Route("r-1", "https://a.example/{v}", "/{v}", type="uri-template")
A_DOMAIN: Final = Domain("d-1", "dl.acme.example")
A_MEMBER: Final = Member(organization_name="acme", username="ann", role=Role.ADMIN, user_id="u-1")
A_PIXEL: Final = TrackingPixel(
    id="p-1", owner="acme", name="Docs", package=KEY, importance=Importance.HIGH, track_companies=False
)
A_COLLECTION: Final = Collection(
    id="3kTMd",
    owner="acme",
    pattern="acme/*",
    backend_domain="ghcr.io",
    public_domain="cr.acme.example",
    type="docker",
)

Call: TypeAlias = Callable[[Scarf], Awaitable[object]]


@attrs.frozen
class Sent:
    """A request of a call, and what is answered."""

    endpoint: Endpoint[Any]
    path: str
    answer: object = None
    body: object = None
    status: int = 200


@attrs.frozen
class Row:
    """A call, its requests in order, and what it must return."""

    call: Call
    requests: Sequence[Sent]
    result: object = None


GET_WEB: Final = Sent(V2.GET_PACKAGE, AT, WEB)
ROWS: Final = [
    # Organizations and members.
    Row(
        lambda scarf: scarf.organizations.get("Acme & S\u00f8ns"),
        [Sent(V2.GET_ORGANIZATION, "/organizations/Acme%20%26%20S%C3%B8ns", ACME)],
        Same(Organization, id="o-1", name="acme", billing_email="pay@acme.example"),
    ),
    Row(
        lambda scarf: scarf.organizations.update(
            "acme", OrganizationUpsert(name="acme", description="New", billing_email=UNSET)
        ),
        [
            Sent(V2.GET_ORGANIZATION, "/organizations/acme", ACME),
            Sent(
                V2.UPDATE_ORGANIZATION,
                "/organizations/acme",
                ACME,
                {"name": "acme", "description": "New", "billing_email": "pay@acme.example"},
            ),
        ],
        Same(Organization, id="o-1"),
    ),
    Row(
        lambda scarf: scarf.members.list("acme"),
        [Sent(V2.LIST_MEMBERS, "/organizations/acme/members?per_page=100", {"results": [MEMBER], "_links": {}})],
        [A_MEMBER],
    ),
    Row(
        lambda scarf: scarf.members.get("acme", "ann"),
        [Sent(V2.GET_MEMBER, "/organizations/acme/members/ann", MEMBER)],
        A_MEMBER,
    ),
    Row(
        lambda scarf: scarf.members.upsert("acme", "ann", "admin"),
        [
            Sent(V2.SET_MEMBER_ROLE, "/organizations/acme/members/ann", body={"role": "admin"}, status=404),
            Sent(
                V2.ADD_MEMBER,
                "/organizations/acme/members",
                MEMBER,
                {"username": "ann", "role": "admin"},
                status=201,
            ),
        ],
        A_MEMBER,
    ),
    Row(
        lambda scarf: scarf.members.remove("acme", "ann"),
        [Sent(V2.REMOVE_MEMBER, "/organizations/acme/members/ann", status=204)],
    ),
    # Packages.
    Row(
        lambda scarf: scarf.packages.list(types=["docker", "pypi"]),
        [Sent(V2.LIST_PACKAGES, "/packages/acme?per_page=100&type=docker&type=python", {"results": [WEB]})],
        [A_PACKAGE],
    ),
    Row(lambda scarf: scarf.packages.get(UUID), [GET_WEB], A_PACKAGE),
    Row(
        lambda scarf: scarf.packages.get("acme/web", "docker"),
        [Sent(V2.GET_PACKAGE_BY_NAME, "/packages/acme/docker/acme%2Fweb", WEB)],
        A_PACKAGE,
    ),
    Row(
        lambda scarf: scarf.packages.create(IMAGE),
        [Sent(V2.CREATE_PACKAGE, "/packages/acme", WEB, {**TYPED, "domain": "dl.acme.example"}, status=201)],
        A_PACKAGE,
    ),
    Row(
        lambda scarf: scarf.packages.create(
            PackageUpsert(name="dl", short_description=UNSET, library_type="file", importance="high"),
            "other",
            route=RouteCreate("https://a.example/{v}", "/{v}"),
        ),
        [
            Sent(
                V2.CREATE_PACKAGE,
                "/packages/other",
                {"id": UUID, "name": "dl"},
                {
                    "type": "file",
                    "name": "dl",
                    "importance": "high",
                    "incoming_path": "/{v}",
                    "outgoing_url": "https://a.example/{v}",
                },
                status=201,
            )
        ],
        Same(Package, uuid=UUID),
    ),
    Row(
        lambda scarf: scarf.packages.update(KEY, IMAGE),
        [
            GET_WEB,
            Sent(V2.LIST_DOMAINS, f"{AT}/domains", [DOMAIN]),
            Sent(V2.UPDATE_PACKAGE, AT, WEB, TYPED),
        ],
        A_PACKAGE,
    ),
    Row(lambda scarf: scarf.packages.delete(UUID), [Sent(V2.DELETE_PACKAGE, AT, status=204)]),
    # Permissions.
    Row(
        lambda scarf: scarf.permissions.list(KEY),
        [Sent(V2.LIST_PERMISSIONS, f"{AT}/permissions?per_page=100", [PERMISSION])],
        [Permission("ann", "admin", user_id="u-1")],
    ),
    Row(
        lambda scarf: scarf.permissions.set(KEY, [PermissionSet("ann", "admin"), PermissionSet("bob", "default")]),
        [
            Sent(
                V2.SET_PERMISSION,
                f"{AT}/permissions",
                body={"username": "ann", "permission_level": "admin"},
                status=204,
            ),
            Sent(V2.DELETE_PERMISSION, f"{AT}/permissions/bob", status=404),
            Sent(V2.LIST_PERMISSIONS, f"{AT}/permissions", [PERMISSION]),
        ],
    ),
    # Routes and domains.
    Row(
        lambda scarf: scarf.routes.list(KEY),
        [Sent(V2.LIST_ROUTES, f"{AT}/routes?per_page=100", [ROUTE])],
        [A_ROUTE],
    ),
    Row(lambda scarf: scarf.routes.get(KEY, "r-1"), [Sent(V2.GET_ROUTE, f"{AT}/routes/r-1", ROUTE)], A_ROUTE),
    Row(
        lambda scarf: scarf.routes.create(KEY, RouteCreate("https://a.example/{v}", "/{v}")),
        [
            Sent(
                V2.CREATE_ROUTE,
                f"{AT}/routes",
                ROUTE,
                {"incoming_path": "/{v}", "outgoing_url": "https://a.example/{v}"},
                status=201,
            )
        ],
        A_ROUTE,
    ),
    Row(
        lambda scarf: scarf.routes.update(KEY, "r-1", RouteCreate(None, "/{v}")),
        [
            Sent(V2.GET_ROUTE, f"{AT}/routes/r-1", ROUTE),
            Sent(
                V2.UPDATE_ROUTE,
                f"{AT}/routes/r-1",
                ROUTE,
                {"incoming_path": "/{v}", "outgoing_url": None, "type": "uri-template"},
            ),
        ],
        A_ROUTE,
    ),
    Row(lambda scarf: scarf.routes.delete(KEY, "r-1"), [Sent(V2.DELETE_ROUTE, f"{AT}/routes/r-1", status=204)]),
    Row(lambda scarf: scarf.domains.list(KEY), [Sent(V2.LIST_DOMAINS, f"{AT}/domains", [DOMAIN])], [A_DOMAIN]),
    Row(
        lambda scarf: scarf.domains.get(KEY, "d-1"),
        [Sent(V2.GET_DOMAIN, f"{AT}/domains/d-1", DOMAIN)],
        A_DOMAIN,
    ),
    Row(
        lambda scarf: scarf.domains.create(KEY, DomainCreate("dl.acme.example")),
        [Sent(V2.CREATE_DOMAIN, f"{AT}/domains", DOMAIN, {"name": "dl.acme.example"}, status=201)],
        A_DOMAIN,
    ),
    Row(lambda scarf: scarf.domains.delete(KEY, "d-1"), [Sent(V2.DELETE_DOMAIN, f"{AT}/domains/d-1", status=204)]),
    Row(
        lambda scarf: scarf.domains.status("dl.acme.example"),
        [
            Sent(
                V2.GET_DOMAIN_STATUS,
                "/domains/acme/dl.acme.example/status",
                {"cname_status": "valid", "verification_status": None},
            )
        ],
        DomainStatus(cname_status="valid"),
    ),
    Row(
        lambda scarf: scarf.packages.overview(types=["docker"], permission="admin"),
        [
            Sent(
                V2.LIST_OVERVIEW,
                "/packages/acme/overview?per_page=100&permission=admin&type=docker",
                {
                    "results": [
                        {"package": WEB, "domains": [DOMAIN], "total_installs": 7},
                        {"package": WEB | {"id": "n"}},
                    ]
                },
            )
        ],
        [
            Same(PackageOverview, domains=(A_DOMAIN,), total_installs=7, package=A_PACKAGE),
            Same(PackageOverview, domains=(), total_installs=None),
        ],
    ),
    # Tracking pixels and collections.
    Row(
        lambda scarf: scarf.pixels.list(),
        [Sent(V2.LIST_PIXELS, f"{PIXELS}?per_page=100", {"results": [PIXEL], "_links": {}})],
        [A_PIXEL],
    ),
    Row(
        lambda scarf: scarf.pixels.list(package=KEY),
        [Sent(V2.LIST_PIXELS_OF_PACKAGE, f"{AT}/tracking-pixels?per_page=100", [PIXEL])],
        [A_PIXEL],
    ),
    Row(lambda scarf: scarf.pixels.get("p-1"), [Sent(V2.GET_PIXEL, f"{PIXELS}/p-1", PIXEL)], A_PIXEL),
    Row(
        lambda scarf: scarf.pixels.create(
            TrackingPixelUpsert(
                name="Docs", package=KEY, importance="high", track_companies=False, long_description=None
            )
        ),
        [
            Sent(
                V2.CREATE_PIXEL,
                PIXELS,
                PIXEL,
                {"name": "Docs", "package_id": UUID, "importance": "high", "track_companies": False},
                status=201,
            )
        ],
        A_PIXEL,
    ),
    Row(
        lambda scarf: scarf.pixels.update(
            A_PIXEL, TrackingPixelUpsert(name="Pages", importance=None, short_description="New")
        ),
        [
            Sent(V2.GET_PIXEL, f"{PIXELS}/p-1", PIXEL),
            Sent(
                V2.UPDATE_PIXEL,
                f"{PIXELS}/p-1",
                PIXEL,
                {
                    "name": "Pages",
                    "package_id": UUID,
                    "track_companies": False,
                    "importance": None,
                    "short_description": "New",
                },
            ),
        ],
        A_PIXEL,
    ),
    Row(lambda scarf: scarf.pixels.delete("p-1"), [Sent(V2.DELETE_PIXEL, f"{PIXELS}/p-1", status=204)]),
    Row(
        lambda scarf: scarf.pixels.list_domains("p-1", owner="other"),
        [Sent(V2.LIST_PIXEL_DOMAINS, "/tracking-pixels/other/p-1/domains", [DOMAIN])],
        [A_DOMAIN],
    ),
    Row(
        lambda scarf: scarf.pixels.create_domain(A_PIXEL, "dl.acme.example", owner="ACME"),
        [
            Sent(V2.CREATE_PIXEL_DOMAIN, f"{PIXELS}/p-1/domains", {"id": "d-1"}, {"name": "dl.acme.example"}),
            Sent(V2.GET_PIXEL_DOMAIN, f"{PIXELS}/p-1/domains/d-1", DOMAIN),
        ],
        A_DOMAIN,
    ),
    Row(
        lambda scarf: scarf.pixels.delete_domain("p-1", "d-1"),
        [Sent(V2.DELETE_PIXEL_DOMAIN, f"{PIXELS}/p-1/domains/d-1", status=204)],
    ),
    Row(
        lambda scarf: scarf.collections.list("acme"),
        [Sent(V2.LIST_COLLECTIONS, f"{COLLECTIONS}?per_page=100", {"results": [COLLECTION], "_links": {}})],
        [A_COLLECTION],
    ),
    Row(
        lambda scarf: scarf.collections.get("3kTMd"),
        [Sent(V2.GET_COLLECTION, f"{COLLECTIONS}/3kTMd", COLLECTION)],
        A_COLLECTION,
    ),
    Row(
        lambda scarf: scarf.collections.create(CollectionUpsert(pattern="acme/*", backend_domain="ghcr.io")),
        [
            Sent(
                V2.CREATE_COLLECTION,
                COLLECTIONS,
                COLLECTION,
                {"pattern": "acme/*", "backend_domain": "ghcr.io", "type": "docker"},
                status=201,
            )
        ],
        A_COLLECTION,
    ),
    Row(
        lambda scarf: scarf.collections.update(
            A_COLLECTION, CollectionUpsert(pattern="acme/x-*", backend_domain="quay.io")
        ),
        [
            Sent(V2.GET_COLLECTION, f"{COLLECTIONS}/3kTMd", COLLECTION),
            Sent(
                V2.UPDATE_COLLECTION,
                f"{COLLECTIONS}/3kTMd",
                COLLECTION,
                {"pattern": "acme/x-*", "backend_domain": "quay.io", "public_domain": "cr.acme.example"},
            ),
        ],
        A_COLLECTION,
    ),
    Row(
        lambda scarf: scarf.collections.delete("3kTMd", owner="acme"),
        [Sent(V2.DELETE_COLLECTION, f"{COLLECTIONS}/3kTMd", status=204)],
    ),
    # Accounts, and what is found in them.
    Row(
        lambda scarf: scarf.users.get("ann"),
        [Sent(V2.GET_USER, "/users/ann", {"id": 7, "name": "ann", "type": "user"})],
        User(id="7", name="ann", type="user"),
    ),
    Row(
        lambda scarf: scarf.users.organizations("ann"),
        [
            Sent(
                V2.LIST_MEMBERSHIPS,
                "/users/ann/organizations?per_page=100",
                {"results": [{"organization_id": "o-1", "organization_name": "acme", "role": "owner"}]},
            )
        ],
        [Membership(organization_id="o-1", organization_name="acme", role=Role.OWNER)],
    ),
    Row(
        lambda scarf: scarf.search("web"),
        [
            Sent(
                V2.SEARCH,
                "/search",
                {
                    "results": [
                        {"type": "package", "package": PIXEL["package"]},
                        {"type": "tracking-pixel", "tracking-pixel": {"id": "p-1", "owner": "acme", "name": "web"}},
                    ]
                },
                {"query": "web"},
            )
        ],
        [
            SearchResult(type="package", id=UUID, name="acme/web", owner="acme", library_type="docker"),
            SearchResult(type="tracking-pixel", id="p-1", name="web", owner="acme"),
        ],
    ),
    Row(
        lambda scarf: scarf.check(),
        [
            Sent(V2.SEARCH, "/search", {"results": []}, {"query": "acme"}),
            Sent(V2.LIST_PACKAGES, "/packages/acme", []),
        ],
        Same(Check, ok=True, token=True, version=True, owner=True),
    ),
    # Imports.
    Row(
        lambda scarf: scarf.imports.list("done"),
        [Sent(V2.LIST_IMPORTS, "/imports/acme?per_page=100&status=done", {"event_imports": [AN_IMPORT]})],
        [EventImport(id="7", status="done")],
    ),
    Row(
        lambda scarf: scarf.imports.get("7"),
        [Sent(V2.GET_IMPORT, "/imports/acme/7", AN_IMPORT)],
        EventImport(id="7", status="done"),
    ),
    Row(
        lambda scarf: scarf.imports.abort("7"),
        [Sent(V2.ABORT_IMPORT, "/imports/acme/7/abort", status=204)],
    ),
    Row(
        lambda scarf: _sent(scarf, package=KEY),
        [Sent(V2.IMPORT_PACKAGE_EVENTS, f"{AT}/import", AN_IMPORT, LINE)],
        ("7", "done"),
    ),
    Row(
        lambda scarf: _sent(scarf, pixel="px"),
        [Sent(V2.IMPORT_PIXEL_EVENTS, "/tracking-pixels/acme/px/import", AN_IMPORT, LINE)],
        ("7", "done"),
    ),
    Row(
        lambda scarf: _sent(scarf, owner="Other"),
        [Sent(V2.IMPORT_EVENTS, "/Other/import", AN_IMPORT, LINE)],
        ("7", "done"),
    ),
]


async def _sent(scarf: Scarf, **target: Any) -> tuple[str | None, str]:
    """Send a row; the outcome of its only batch."""
    (batch,) = (await scarf.imports.send([LINE], **target)).batches
    return batch.id, batch.status


def test_no_call_is_left_out() -> None:
    """Every endpoint of v2 is in the table."""
    # An export of an import's log is not a call.
    endpoints = {
        name: value for name, value in vars(V2).items() if isinstance(value, Endpoint) and name != "IMPORT_LOG"
    }
    tried = [sent.endpoint for row in ROWS for sent in row.requests]
    assert [name for name, endpoint in endpoints.items() if endpoint not in tried] == []


@pytest.mark.parametrize("row", ROWS, ids=[f"{n}-{row.requests[-1].endpoint.name}" for n, row in enumerate(ROWS)])
async def test_the_table(row: Row) -> None:
    """Each call sends these requests, in this order, and returns what the responses mean."""
    events: list[ScarfEvent] = []
    requests: list[tuple[str, str, object]] = []
    async with Scarf("token", api="v2", owner="acme", on_event=events.append) as scarf:
        # It copies what it is given, and of a client that has sent before that is a whole event loop.
        with aioresponses() as service, mock.patch("aioresponses.core.copy.deepcopy", lambda given: given):
            for sent in row.requests:
                wire = Wire(sent.status, sent.answer, requests)
                wire.expect(service, sent.endpoint.method, f"{BASE}{sent.path}")
            result = await row.call(scarf)
    assert result == row.result
    assert requests == [(sent.endpoint.method, f"{BASE}{sent.path}", sent.body) for sent in row.requests]
    started = [event.endpoint for event in events if isinstance(event, RequestStarted)]
    assert started == [sent.endpoint.name for sent in row.requests]
    assert all(" /v2/" in name for name in started)
