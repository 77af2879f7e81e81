"""What the page about versions says of v2 is so, item by item."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import attrs
import pytest
import pytest_asyncio
from dialects.script import Script, said
from dialects.shown import ACME, WEB

from scarf_async import (
    UNSET,
    ConfigurationError,
    ConflictError,
    ExportError,
    ExportJob,
    NotFoundError,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    PermissionSet,
    RequestStarted,
    RouteCreate,
    Scarf,
    ScarfEvent,
    UnprocessableError,
    UnsupportedError,
    ValidationError,
)
from scarf_async.emulator import Emulator, Quirks
from scarf_async.testing import FAST

from .pages import DOCS

PAGE: Final = "explanation/versions.md"
DAYS: Final = ("2024-01-01", "2024-01-02")
DOCKER: Final = PackageUpsert(
    name="acme/web", short_description="", library_type="docker", backend_url="https://ghcr.io/acme/web"
)
FILE: Final = PackageUpsert(name="dl", short_description="", library_type="file")
ROUTE: Final = RouteCreate(None, "/{version}")


@attrs.frozen
class Both:
    """A service, and a client of each version; v2's for `acme`, which is there."""

    emulator: Emulator
    v1: Scarf
    v2: Scarf
    told: list[ScarfEvent]

    def asked(self) -> list[str]:
        """Return what arrived, and forget it."""
        found = [f"{request.method} {request.path.removeprefix('/v2')}" for request in self.emulator.requests]
        self.emulator.requests.clear()
        return found

    async def made(self, name: str = "lib", **fields: str) -> Package:
        """Return a new package of `acme`."""
        upsert = PackageUpsert(name=name, short_description="", **({"library_type": "npm"} | fields))
        package = await self.v2.packages.create(upsert)
        self.asked()
        return package


@pytest_asyncio.fixture
async def both() -> AsyncIterator[Both]:
    """Both clients, and what the second one tells."""
    told: list[ScarfEvent] = []
    async with (
        Emulator(load={"organizations": [{"name": "acme"}]}) as emulator,
        Scarf(emulator.token, base_url=emulator.url, v2_url=emulator.v2_url, retry=FAST) as v1,
        Scarf(
            emulator.token,
            api="v2",
            owner="acme",
            base_url=emulator.url,
            v2_url=emulator.v2_url,
            retry=FAST,
            on_event=told.append,
        ) as v2,
    ):
        yield Both(emulator, v1, v2, told)


async def owner_needed(both: Both, _: Path) -> None:
    """Nothing is sent without one."""
    async with Scarf(both.emulator.token, api="v2", v2_url=both.emulator.v2_url) as scarf:
        for call in (scarf.packages.list(), scarf.domains.list("id")):
            with pytest.raises(ValidationError, match="owner"):
                await call
    assert both.asked() == []


async def one_owner(both: Both, _: Path) -> None:
    """v1 lists all that the user sees."""
    mine = await both.v1.packages.create(PackageUpsert(name="mine", short_description="", library_type="npm"))
    lib = await both.made()
    assert [package.uuid for package in await both.v2.packages.list()] == [lib.uuid]
    assert {package.uuid for package in await both.v1.packages.list()} == {mine.uuid, lib.uuid}


async def bare_ids(both: Both, _: Path) -> None:
    """An entity brings its owner."""
    mine = await both.v1.packages.create(PackageUpsert(name="mine", short_description="", library_type="npm"))
    with pytest.raises(NotFoundError):
        await both.v2.packages.delete(mine.uuid)
    await both.v2.packages.delete(mine)


async def read_first(both: Both, _: Path) -> None:
    """UNSET stays, None is cleared, a route's type goes back."""
    lib = await both.made(website="https://a.example")
    changed = PackageUpsert(name="lib", short_description=UNSET, long_description="long")
    assert (await both.v2.packages.update(lib, changed)).website == "https://a.example"
    at = f"/packages/acme/{lib.uuid}"
    assert both.asked() == [f"GET {at}", f"PUT {at}"]
    cleared = await both.v2.packages.update(lib, attrs.evolve(changed, long_description=None))
    assert not cleared.long_description


async def not_invented(both: Both, _: Path) -> None:
    """Nothing is put."""
    both.asked()
    with pytest.raises(ValidationError, match="billing_email"):
        await both.v2.organizations.update(
            "acme", OrganizationUpsert(name="acme", description="", billing_email=UNSET)
        )
    assert both.asked() == ["GET /organizations/acme"]
    empty = OrganizationUpsert(name="acme", description="", billing_email="")
    with pytest.raises(ValidationError, match="billing_email must not be empty"):
        await both.v2.organizations.update("acme", empty)
    assert both.asked() == []


async def no_organizations(both: Both, _: Path) -> None:
    """Before anything is sent."""
    with pytest.raises(UnsupportedError):
        await both.v2.organizations.create(OrganizationUpsert(name="new", description="", billing_email="a@b"))
    assert both.asked() == []


async def routes_needed(both: Both, _: Path) -> None:
    """A route may only count, and be changed."""
    with pytest.raises(ValidationError, match="route"):
        await both.v2.packages.create(FILE)
    package = await both.v2.packages.create(FILE, route=ROUTE)
    (route,) = await both.v2.routes.list(package)
    changed = await both.v2.routes.update(
        package, route.id, RouteCreate("https://a.example/{version}", "/{version}")
    )
    assert changed.outgoing_url == "https://a.example/{version}"
    with pytest.raises(UnsupportedError):
        await both.v1.packages.create(attrs.evolve(FILE, name="other"), "acme", route=ROUTE)


async def paths(both: Both, _: Path) -> None:
    """The name is that of the image."""
    package = await both.v2.packages.create(DOCKER)
    assert (package.backend_registry, package.name) == ("ghcr.io", "acme/web")
    for wrong in ({"backend_url": "http://ghcr.io/acme/web"}, {"name": "acme/other"}):
        with pytest.raises(ValidationError):
            await both.v2.packages.create(attrs.evolve(DOCKER, **wrong))


async def public_addresses(both: Both, _: Path) -> None:
    """Its host is a domain, or an update is refused."""
    package = await both.v2.packages.create(attrs.evolve(DOCKER, public_url="https://get.acme.example/acme/web"))
    assert "get.acme.example" in {domain.name for domain in await both.v2.domains.list(package)}
    elsewhere = attrs.evolve(DOCKER, public_url="https://new.acme.example/acme/web")
    with pytest.raises(UnsupportedError, match=r"domains\.create"):
        await both.v2.packages.update(package, elsewhere)


async def python(both: Both, _: Path) -> None:
    """One spelling, and an address with a slash."""
    tool = PackageUpsert(
        name="tool", short_description="", library_type="pypi", repository_url="https://pypi.acme.example/simple/"
    )
    assert (await both.v2.packages.create(tool)).library_type == "python"
    for wrong in ("https://pypi.acme.example/simple", "http://pypi.acme.example/simple/"):
        with pytest.raises(ValidationError):
            await both.v2.packages.create(attrs.evolve(tool, name="two", repository_url=wrong))


async def types(both: Both, _: Path) -> None:
    """Neither without a type nor of type other."""
    with pytest.raises(ValidationError):
        await both.v2.packages.create(PackageUpsert(name="x", short_description=""))
    with pytest.raises(UnsupportedError):
        await both.v2.packages.create(PackageUpsert(name="x", short_description="", library_type="other"))
    assert both.asked() == []


async def one_by_one(both: Both, _: Path) -> None:
    """A request each; owners show."""
    both.emulator.quirks = Quirks(permissions_of_organizations="works")
    lib = await both.made()
    await both.v2.permissions.set(lib, [PermissionSet("ann", "admin"), PermissionSet("bob", "member")])
    assert both.asked() == [f"POST /packages/acme/{lib.uuid}/permissions"] * 2
    for refused in (PermissionSet("ann", "blocked"), PermissionSet("ann@a.example", "admin")):
        with pytest.raises(UnsupportedError):
            await both.v2.permissions.set(lib, refused)
    assert both.asked() == []
    await both.v2.permissions.set(lib, PermissionSet("bob", "default"))
    mine = await both.v1.packages.create(PackageUpsert(name="mine", short_description="", library_type="npm"))
    shown = await both.v2.permissions.list(mine)
    assert {entry.username: entry.permission_level for entry in shown} == {"emulator-user": "owner"}


async def may_be_refused(both: Both, _: Path) -> None:
    """With a note."""
    lib = await both.made()
    with pytest.raises(NotFoundError) as caught:
        await both.v2.permissions.set(lib, PermissionSet("ann", "admin"))
    assert "packages of users only" in caught.value.__notes__[0]


async def last_domain(both: Both, _: Path) -> None:
    """It is a refusal of the service's."""
    package = await both.v2.packages.create(DOCKER)
    (domain,) = await both.v2.domains.list(package)
    with pytest.raises(UnprocessableError):
        await both.v2.domains.delete(package, domain.id)


async def conflicts(both: Both, _: Path) -> None:
    """With the service's code."""
    await both.made()
    with pytest.raises(ConflictError) as caught:
        await both.made()
    assert (caught.value.status, caught.value.code) == (422, "package-already-exists")


async def exports_of_owners(both: Both, _: Path) -> None:
    """The client's, where none is given."""
    async with Scarf(both.emulator.token, api="v2", v2_url=both.emulator.v2_url) as scarf:
        with pytest.raises(ValidationError, match="owner"):
            scarf.exports.pixel_events(*DAYS)
    async with both.v2.exports.pixel_events(*DAYS):
        assert both.asked() == ["GET /tracking-pixels/acme/events"]


async def aggregates(both: Both, _: Path) -> None:
    """Those of v3, on either client."""
    for call in (both.v2.exports.organization_aggregates, both.v2.exports.user_aggregates):
        with pytest.raises(UnsupportedError, match=r"exports\.aggregations"):
            call("acme", *DAYS)
    assert both.asked() == []
    for client in (both.v1, both.v2):
        async with client.exports.aggregations(*DAYS, owner="acme"):
            assert both.asked() == ["GET /v3/insights/acme/aggregations/export"]


async def addresses(both: Both, _: Path) -> None:
    """Neither is taken for the other."""
    async with Scarf(both.emulator.token, api="v2", owner="acme", base_url=both.emulator.url) as scarf:
        with pytest.raises(ConfigurationError, match="v2_url"):
            await scarf.packages.list()
    async with Scarf(both.emulator.token, v2_url=both.emulator.v2_url) as scarf:
        with pytest.raises(ConfigurationError, match="base_url"):
            await scarf.packages.list()
    assert both.asked() == []


async def work_under_way(both: Both, directory: Path) -> None:
    """A directory of v1's is refused; so are journals and saved changes, in the tests of their rooms."""
    lib = await both.made()
    job = ExportJob("package_events", None, *DAYS, package=lib.uuid)
    await both.v1.exports.run(job, directory)
    with pytest.raises(ExportError, match=r"api was 'v1' and is 'v2'"):
        await both.v2.exports.run(job, directory)


async def words(both: Both, _: Path) -> None:
    """They would be something else's address."""
    for call in (both.v2.packages.delete("overview"), both.v2.members.remove("acme", "invites")):
        with pytest.raises(ValidationError):
            await call
    assert both.asked() == []


async def names(both: Both, _: Path) -> None:
    """Also in events; what an entity has no place for keeps its name."""
    await both.v2.packages.get(await both.made())
    started = [event.endpoint for event in both.told if isinstance(event, RequestStarted)]
    assert started[-1] == "GET /v2/packages/{owner}/{package}"
    shown = Script.of(said({**WEB, "created_at": "lately"})).run(ACME.package("p-1").steps())
    assert shown.extra == {"created_at": "lately"}


CLAIMS: Final[dict[str, Callable[[Both, Path], Awaitable[None]]]] = {
    "An owner is needed.": owner_needed,
    "Lists and creates belong to one owner.": one_owner,
    "A bare id belongs to the client's owner.": bare_ids,
    "Updates read first.": read_first,
    "Hidden values must be given.": not_invented,
    "Organizations are not created.": no_organizations,
    "File packages need a route.": routes_needed,
    "Docker names are paths.": paths,
    "A public URL is a domain.": public_addresses,
    "Python packages are `python`.": python,
    "A new package needs a type.": types,
    "Permissions are set one by one.": one_by_one,
    "Permissions of an organization's packages may be refused.": may_be_refused,
    "The last domain stays.": last_domain,
    "Conflicts are a 422.": conflicts,
    "Exports of events need an owner.": exports_of_owners,
    "Aggregates become aggregations.": aggregates,
    "Each version has its own URL.": addresses,
    "Unfinished work does not carry over.": work_under_way,
    "Reserved words cannot be written.": words,
    "Fields and calls have the names of v2.": names,
}


@pytest.mark.parametrize("claim", CLAIMS)
async def test_a_claim_is_true(claim: str, both: Both, tmp_path: Path) -> None:
    """An item of the list of what changes holds against a service."""
    await CLAIMS[claim](both, tmp_path)


def test_each_claim_is_tested() -> None:
    """The page says these things, in this order, and no others."""
    # What follows is tested in the rooms of bulk runs and manifests.
    text = (DOCS / PAGE).read_text("utf-8").partition("## In a bulk run")[0]
    assert re.findall(r"^- \*\*(.*?)\*\*", text, re.MULTILINE) == list(CLAIMS)
