"""Calls that only v2 has, against the emulator, under each of its quirks that concerns them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from scarf_async import (
    BadRequestError,
    CollectionUpsert,
    ConflictError,
    NotFoundError,
    OrganizationUpsert,
    PackageUpsert,
    PaginationError,
    RouteCreate,
    Scarf,
    TrackingPixelUpsert,
    UnprocessableError,
)
from scarf_async.emulator import Emulator, Quirks
from scarf_async.emulator.answers import JSON

COUNT: Final = 12
TOKEN: Final = "token"
QUIRKS: Final[list[Mapping[str, Any]]] = [
    {},
    {"paging": "after", "package_cursor": "id", "absent": "null", "put_clears": False},
    {"max_per_page": 10, "links_absolute": False, "absent": "null"},
    {"paging": "after", "max_per_page": 10},
    {"max_per_page": 50, "null": "refused", "error_bodies": "empty"},
]


def client(emulator: Emulator, **options: Any) -> Scarf:
    """Return a client of `acme`."""
    return Scarf(TOKEN, owner="acme", base_url=emulator.url, v2_url=emulator.v2_url, **options)


async def fill(scarf: Scarf) -> None:
    """Make a dozen of everything that is listed."""
    for number in range(COUNT):
        await scarf.pixels.create(TrackingPixelUpsert(name=f"n{number}"))
        await scarf.collections.create(CollectionUpsert(pattern=f"acme/n{number}", backend_domain="ghcr.io"))
        await scarf.packages.create(
            PackageUpsert(name=f"n{number}", short_description="", library_type="npm"), "acme"
        )
        await scarf.organizations.create(OrganizationUpsert(name=f"n{number}", description="", billing_email=""))


@pytest.mark.parametrize("quirks", QUIRKS, ids=str)
async def test_lists_are_whole(quirks: Mapping[str, Any]) -> None:
    """On a client of v1, which has them too."""
    names = {f"n{number}" for number in range(COUNT)}
    async with Emulator(token=TOKEN, quirks=Quirks(**quirks)) as emulator, client(emulator) as scarf:
        await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
        await fill(scarf)
        (first, *_) = await scarf.packages.overview()
        for pixel in await scarf.pixels.list():
            wanted = TrackingPixelUpsert(name=pixel.name or "", package=first.package)
            await scarf.pixels.update(pixel, wanted)
        assert {pixel.name for pixel in await scarf.pixels.list()} == names
        assert {pixel.name for pixel in await scarf.pixels.list(package=first.package)} == names
        assert {one.pattern for one in await scarf.collections.list()} == {f"acme/{name}" for name in names}
        assert {one.package.name for one in await scarf.packages.overview(types=["npm"])} == names
        assert await scarf.packages.overview(types=["docker"]) == []
        shown = await scarf.users.organizations(emulator.user)
        assert {one.organization_name for one in shown} == names | {"acme"}
        assert {one.role for one in shown} == {"owner"}


async def test_a_list_without_an_end_is_none() -> None:
    """Where cursors are ignored, a dozen elements may have been cut."""
    quirks = Quirks(paging="ignores-after", max_per_page=10)
    async with Emulator(token=TOKEN, quirks=quirks) as emulator, client(emulator) as scarf:
        await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
        await fill(scarf)
        for reading in (
            scarf.pixels.list(),
            scarf.collections.list(),
            scarf.packages.overview(),
            scarf.users.organizations(emulator.user),
        ):
            with pytest.raises(PaginationError):
                await reading


@pytest.mark.parametrize("quirks", QUIRKS, ids=str)
async def test_a_pixel_and_a_collection_live(quirks: Mapping[str, Any]) -> None:
    """Created, kept, found, changed in one field, served under a domain, deleted."""
    load: dict[str, JSON] = {"organizations": [{"name": "acme"}]}
    async with (
        Emulator(token=TOKEN, quirks=Quirks(**quirks), load=load) as emulator,
        client(emulator, api="v2") as scarf,
    ):
        web = await scarf.packages.create(
            PackageUpsert(name="web", short_description="", library_type="file"), route=RouteCreate(None, "/web")
        )
        docs = TrackingPixelUpsert(name="Docs", package=web, importance="high", track_companies=False)
        made = await scarf.pixels.create(docs)
        assert (made.owner, made.package, made.track_companies) == ("acme", web.key, False)
        assert await scarf.pixels.create(docs, if_exists="keep") == made == await scarf.pixels.get(made.id)
        with pytest.raises(ConflictError):
            await scarf.pixels.create(docs)
        changed = await scarf.pixels.update(made, TrackingPixelUpsert(name="Pages", short_description="S"))
        assert (changed.name, changed.package, changed.importance) == ("Pages", web.key, "high")
        assert (changed.track_companies, changed.short_description) == (False, "S")
        clearing = scarf.pixels.update(
            made, TrackingPixelUpsert(name="Pages", package=None, short_description=None)
        )
        if emulator.quirks.null == "refused":
            with pytest.raises(BadRequestError):
                await clearing
        else:
            assert (await clearing).package is None

        served = await scarf.pixels.create_domain(made, "px.acme.example")
        assert await scarf.pixels.create_domain(made, "PX.acme.example", if_exists="keep") == served
        assert await scarf.pixels.list_domains(made.id) == [served]
        status = await scarf.domains.status("px.acme.example")
        assert (status.verification_status, status.verification_challenge_txt_record) == ("verified", None)
        await scarf.pixels.delete_domain(made, served.id)
        with pytest.raises(NotFoundError):
            await scarf.domains.status("px.acme.example")

        images = CollectionUpsert(pattern="acme/*", backend_domain="ghcr.io", public_domain="cr.acme.example")
        pulled = await scarf.collections.create(images)
        assert await scarf.collections.create(images, if_exists="keep") == pulled
        moved = await scarf.collections.update(pulled, CollectionUpsert(pattern="acme/*", backend_domain="quay.io"))
        assert (moved.backend_domain, moved.public_domain) == ("quay.io", "cr.acme.example")
        with pytest.raises(UnprocessableError):
            await scarf.collections.create(CollectionUpsert(pattern="\u00e9", backend_domain="ghcr.io"))

        found = {(one.type, one.name, one.owner) for one in await scarf.search("web")}
        assert found == {("package", "web", "acme")}
        assert [one.type for one in await scarf.search("pages")] == ["tracking-pixel"]
        for name, kind in ((emulator.user, "user"), ("acme", "organization")):
            account = await scarf.users.get(name)
            assert (account.name, account.type) == (name, kind)
        await scarf.pixels.delete(made)
        await scarf.collections.delete(moved)
        assert (await scarf.pixels.list(), await scarf.collections.list()) == ([], [])
        with pytest.raises(NotFoundError):
            await scarf.request("GET", ["collections", "acme", "nobody"])
