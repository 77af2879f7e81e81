"""`read_only=True`: nothing but reading leaves the client, no matter who asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import pytest

from scarf_async import (
    BulkPlan,
    DomainCreate,
    OrganizationUpsert,
    PackageUpsert,
    PermissionSet,
    ReadOnlyError,
    RouteCreate,
    Scarf,
)
from scarf_async.dialects.v1 import requests as endpoints_v1
from scarf_async.protocol.messages import Endpoint

from .hostile import FAST, TOKEN, Hostile, package_json

Call = Callable[[Scarf], Awaitable[object]]

_HOME: Final = OrganizationUpsert(name="home", description="", billing_email="")
_ANVIL: Final = PackageUpsert(name="anvil", short_description="")
_ROUTE: Final = RouteCreate("https://a.example/{version}", "/{version}")
_DOMAIN: Final = DomainCreate("d.example")

WRITES: Final[dict[str, Call]] = {
    "POST /organizations": lambda scarf: scarf.organizations.create(_HOME),
    "PUT /organizations/{organization}": lambda scarf: scarf.organizations.update("home", _HOME),
    "POST /organizations/{organization}/users": lambda scarf: scarf.members.upsert("home", "ann", "admin"),
    "DELETE /organizations/{organization}/users/{username}": lambda scarf: scarf.members.remove("home", "ann"),
    "POST /organizations/{organization}/packages": lambda scarf: scarf.packages.create(_ANVIL, "home"),
    "POST /packages": lambda scarf: scarf.packages.create(_ANVIL),
    "PUT /packages/{package}": lambda scarf: scarf.packages.update("p1", _ANVIL),
    "DELETE /packages/{package}": lambda scarf: scarf.packages.delete("p1"),
    "POST /packages/{package}/permissions": lambda scarf: scarf.permissions.set("p1", PermissionSet("b", "member")),
    "POST /packages/{package}/routes": lambda scarf: scarf.routes.create("p1", _ROUTE),
    "DELETE /packages/{package}/routes/{route}": lambda scarf: scarf.routes.delete("p1", "r1"),
    "POST /packages/{package}/domains": lambda scarf: scarf.domains.create("p1", _DOMAIN),
    "DELETE /packages/{package}/domains/{domain}": lambda scarf: scarf.domains.delete("p1", "d1"),
}
_RENAME: Final = attrs.evolve(_HOME, name="beta")


def furnished() -> Hostile:
    """Return a service that knows an organization and a package."""
    service = Hostile()
    service.add("organizations", "", {"name": "home"})
    service.add("packages", "", package_json("p1", uuid="p1"))
    return service


def test_the_table_is_whole() -> None:
    """Every call that is not a GET is tried here."""
    names = {
        endpoint.name
        for endpoint in vars(endpoints_v1).values()
        if isinstance(endpoint, Endpoint) and endpoint.method not in {"GET", "HEAD"}
    }
    assert names == set(WRITES)


@pytest.mark.parametrize(
    "call", [*WRITES.values(), lambda scarf: scarf.organizations.update("home", _RENAME)], ids=[*WRITES, "a rename"]
)
async def test_writes_are_refused(call: Call) -> None:
    """A write is a ReadOnlyError, of a client and of a view, and nothing arrives."""
    async with (
        furnished() as service,
        Scarf(TOKEN, base_url=service.url, retry=FAST, read_only=True) as scarf,
        Scarf(TOKEN, base_url=service.url, retry=FAST) as writing,
    ):
        for client in (scarf, scarf.with_options(read_only=False), writing.with_options(read_only=True)):
            with pytest.raises(ReadOnlyError, match="read-only"):
                await call(client)
        assert not service.arrivals


async def test_reads_go_on() -> None:
    """Everything that reads works as ever."""
    async with furnished() as service, Scarf(TOKEN, base_url=service.url, read_only=True) as scarf:
        assert (await scarf.organizations.get("home")).name == "home"
        assert (await scarf.packages.get("p1")).uuid == "p1"
        assert len(await scarf.packages.list()) == 1
        for listing in (
            scarf.packages.list("home"),
            scarf.members.list("home"),
            scarf.permissions.list("p1"),
            scarf.routes.list("p1"),
            scarf.domains.list("p1"),
        ):
            assert await listing == []
        assert {arrival.method for arrival in service.arrivals} == {"GET"}


async def test_keep_reads_before_it_writes() -> None:
    """With `keep` what exists is returned; only what would be created is refused."""
    async with furnished() as service, Scarf(TOKEN, base_url=service.url, read_only=True) as scarf:
        assert (await scarf.organizations.create(_HOME, if_exists="keep")).name == "home"
        with pytest.raises(ReadOnlyError):
            await scarf.organizations.create(_RENAME, if_exists="keep")
        assert [arrival.method for arrival in service.arrivals] == ["GET", "GET"]


async def test_a_plan_is_refused() -> None:
    """Bulk runs are above the same wall."""
    plan = BulkPlan()
    plan.upsert_member("home", "ann", "admin")
    plan.create_organization(_HOME, if_exists="keep")
    async with furnished() as service, Scarf(TOKEN, base_url=service.url, retry=FAST, read_only=True) as scarf:
        with pytest.raises(ReadOnlyError):
            await scarf.bulk.run(plan)
        assert {arrival.method for arrival in service.arrivals} <= {"GET"}


async def test_a_view_does_not_bind_its_client() -> None:
    """A read-only view leaves the client as it was."""
    async with furnished() as service, Scarf(TOKEN, base_url=service.url) as scarf:
        view = scarf.with_options(read_only=True)
        await scarf.packages.delete("p1")
        assert await view.packages.list() == []
        assert [arrival.method for arrival in service.arrivals] == ["DELETE", "GET"]
