"""Calls of v2 that take several requests: whichever is struck, nothing is lost and nothing doubled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import pytest

from scarf_async import (
    UNSET,
    OrganizationUpsert,
    PackageKey,
    PackageUpsert,
    PermissionSet,
    RouteCreate,
    Scarf,
)

from .hostile import Act, Arrival, JSONObject, answer, drop
from .service_v2 import HostileV2, connect_v2

Call = Callable[[Scarf], Awaitable[object]]

WEB: Final = PackageKey("acme", "web")
IMAGE: Final = PackageUpsert(
    name="img",
    short_description="new",
    backend_url="https://ghcr.io/acme/img",
    public_url="https://cr.example/acme/img",
)
FILES: Final = PackageUpsert(name="dl", short_description="", library_type="file")
THERE: Final[Mapping[str, JSONObject]] = {
    "/organizations/acme": {"id": "o-1", "name": "acme", "billing_email": "pay@acme.example"},
    "/organizations/acme/members/bob": {"username": "bob", "role": "admin"},
    "/packages/acme/web": {
        "id": "web",
        "owner": "acme",
        "name": "web",
        "type": "npm",
        "website": "https://w.example",
    },
    "/packages/acme/web/permissions/bob": {"username": "bob", "permission_level": "admin"},
    "/packages/acme/web/routes/r": {"id": "r", "incoming_path": "/a", "outgoing_url": "https://a.example"},
    "/packages/acme/img": {
        "id": "img",
        "owner": "acme",
        "name": "acme/img",
        "type": "docker",
        "backend_registry": "quay.io",
    },
    "/packages/acme/img/domains/d": {"id": "d", "name": "cr.example"},
}


class Struck(HostileV2):
    """A service that strikes requests by their number."""

    def __init__(self, acts: Mapping[int, Act]) -> None:
        super().__init__()
        self.store = dict(THERE)
        self._acts = acts

    def _next_act(self, arrival: Arrival) -> Act:
        return self._acts.get(len(self.arrivals) - 1) or super()._next_act(arrival)


CALLS: Final[Mapping[str, Call]] = {
    "organizations.update": lambda scarf: scarf.organizations.update(
        "acme", OrganizationUpsert(name="acme", description="new", billing_email=UNSET)
    ),
    "organizations.update, renaming": lambda scarf: scarf.organizations.update(
        "acme", OrganizationUpsert(name="apex", description=UNSET, billing_email=UNSET)
    ),
    "members.upsert, of a new one": lambda scarf: scarf.members.upsert("acme", "ann", "member"),
    "members.upsert": lambda scarf: scarf.members.upsert("acme", "bob", "member"),
    "packages.get": lambda scarf: scarf.packages.get("acme/img", "docker"),
    "packages.update": lambda scarf: scarf.packages.update(PackageKey("acme", "img"), IMAGE),
    "packages.create": lambda scarf: scarf.packages.create(FILES, route=RouteCreate(None, "/dl")),
    "packages.create, to keep": lambda scarf: scarf.packages.create(
        FILES, route=RouteCreate(None, "/dl"), if_exists="keep"
    ),
    "permissions.set": lambda scarf: scarf.permissions.set(
        WEB, [PermissionSet("ann", "admin"), PermissionSet("bob", "default"), PermissionSet("cat", "default")]
    ),
    "routes.update": lambda scarf: scarf.routes.update(WEB, "r", RouteCreate(UNSET, "/b")),
    "routes.create": lambda scarf: scarf.routes.create(WEB, RouteCreate("https://b.example", "/b")),
}
ACTS: Final[Mapping[str, Act]] = {
    "dropped before": drop(),
    "dropped after": drop(effect=True),
    "busy": answer(503),
    "told to wait": answer(429, headers={"Retry-After": "0"}),
    "a gateway that gave up": answer(504, effect=True),
}


async def carried_out(call: Call, acts: Mapping[int, Act]) -> tuple[object, object, int]:
    """Make a call; return what it gives, the state afterwards, and how many requests it took."""
    async with Struck(acts) as service, connect_v2(service) as scarf:
        result = await call(scarf)
        return result, service.store, len(service.arrivals)


@pytest.mark.parametrize("name", CALLS)
async def test_one_request_is_struck(name: str) -> None:
    """Whichever of them it is, and however it is struck, the result and the state are the same."""
    call = CALLS[name]
    result, there, count = await carried_out(call, {})
    for number in range(count):
        for word, act in ACTS.items():
            assert (await carried_out(call, {number: act}))[:2] == (result, there), (number, word)


@pytest.mark.parametrize("name", CALLS)
async def test_two_answers_are_lost(name: str) -> None:
    """Of those that come to be sent because one was lost, too."""
    call = CALLS[name]
    result, there, count = await carried_out(call, {})
    for first in range(count):
        *_, longer = await carried_out(call, {first: drop(effect=True)})
        for second in range(first + 1, longer):
            lost = dict.fromkeys((first, second), drop(effect=True))
            assert (await carried_out(call, lost))[:2] == (result, there), (first, second)
