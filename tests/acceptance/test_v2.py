"""Version 2 over sockets: what is read again before a resend, what is never created twice, and whom it asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import pytest

from scarf_async import (
    UNSET,
    APIError,
    BulkPlan,
    ConfigurationError,
    ConflictError,
    DecodeError,
    NotFoundError,
    OrganizationUpsert,
    OutcomeUnknownError,
    PackageKey,
    PackageUpsert,
    ReadOnlyError,
    RequestStarted,
    RouteCreate,
    Scarf,
    ScarfEvent,
    ServerError,
    TransportError,
    UnprocessableError,
    ValidationError,
)

from .hostile import FAST, TOKEN, Act, Hostile, answer, cut, drop, honest
from .service_v2 import HostileV2, connect_v2

WEB: Final = "/packages/acme/web"
FILES: Final = PackageUpsert(name="dl", short_description="Files", library_type="file")
ROUTE: Final = RouteCreate("https://a.example/{v}", "/dl/{v}")


def furnished() -> HostileV2:
    """Return a service that knows an organization, a package and a route."""
    service = HostileV2()
    service.store = {
        "/organizations/acme": {"id": "o-1", "name": "acme", "billing_email": "pay@acme.example"},
        WEB: {"id": "web", "owner": "acme", "name": "web", "type": "npm", "website": "https://one.example"},
        f"{WEB}/routes/r": {"id": "r", "incoming_path": "/a", "outgoing_url": "https://a.example", "type": "regex"},
    }
    return service


def requests(service: Hostile) -> list[str]:
    """Return what arrived, without queries and the base address."""
    return [f"{arrival.method} {arrival.path.removeprefix('/v2')}" for arrival in service.arrivals]


def meanwhile(service: HostileV2, website: str) -> Callable[[], object]:
    """Let another change the package."""

    def change() -> None:
        service.store[WEB] = {**service.store[WEB], "website": website}

    return change


TEXT: Final = PackageUpsert(name="web", short_description="new")


@pytest.mark.parametrize("act", [drop, lambda: answer(503), lambda: answer(429, headers={"Retry-After": "0"})])
async def test_an_update_reads_again_before_it_is_sent_again(act: Callable[[], Act]) -> None:
    """What another changed while the first attempt failed is not written back."""
    async with furnished() as service, connect_v2(service) as scarf:
        first = act()
        service.on(
            "PUT", f"/v2{WEB}", Act(status=first.status, headers=first.headers, then=meanwhile(service, "two"))
        )
        package = await scarf.packages.update("web", TEXT)
        assert package.website == "two"
    assert requests(service) == [f"GET {WEB}", f"PUT {WEB}", f"GET {WEB}", f"PUT {WEB}"]


async def test_an_update_in_a_bulk_run_reads_again_too() -> None:
    """A refusal that only slows the run down costs a read, and two updates of one thing do not share theirs."""
    plan = BulkPlan()
    first = plan.update_package("web", TEXT)
    plan.update_package(
        "web", PackageUpsert(name="web", short_description=UNSET, long_description="long"), after=first
    )
    async with furnished() as service, connect_v2(service) as scarf:
        refusal = answer(429, headers={"Retry-After": "0"})
        service.on("PUT", f"/v2{WEB}", Act(status=429, headers=refusal.headers, then=meanwhile(service, "two")))
        (await scarf.bulk.run(plan)).raise_for_failures()
        shown = service.store[WEB]
    assert (shown["website"], shown["short_description"], shown["long_description"]) == ("two", "new", "long")
    assert requests(service) == [f"GET {WEB}", f"PUT {WEB}"] * 3


async def test_a_run_counts_every_send_of_a_write() -> None:
    """A member who is not there yet takes two: the role is set in vain, and then the member is added."""
    plan = BulkPlan()
    # Of a user with two operations no list tells enough.
    first = plan.upsert_member("acme", "ann", "member")
    plan.upsert_member("acme", "ann", "admin", after=first)
    async with furnished() as service, connect_v2(service) as scarf:
        report = await scarf.bulk.run(plan)
    assert [outcome.attempts for outcome in report] == [2, 1]
    put = "PUT /organizations/acme/members/ann"
    assert requests(service) == [put, "POST /organizations/acme/members", put]


async def test_an_owner_beside_a_key() -> None:
    """It may be spelled in another case, and not be another; a key without one takes it."""
    async with furnished() as service, connect_v2(service) as scarf:
        assert (await scarf.packages.get(PackageKey("acme", "web"), owner="ACME")).uuid == "web"
        web = await scarf.packages.get(PackageKey(None, "web"), owner="acme")
        with pytest.raises(ValidationError, match="not of other") as caught:
            await scarf.packages.get(web, owner="other")
        assert caught.value.field == "owner"
    assert requests(service) == [f"GET {WEB}"] * 2


async def test_a_read_that_fails_ends_the_update() -> None:
    """Nothing is put; the error is the read's."""
    async with furnished() as service, connect_v2(service) as scarf:
        with pytest.raises(NotFoundError):
            await scarf.packages.update("other", TEXT)
        service.on("GET", f"/v2{WEB}", *[answer(500)] * 4)
        with pytest.raises(ServerError):
            await scarf.packages.update("web", TEXT)
        assert service.sent("PUT") == []


async def test_a_read_only_client_does_not_even_read_for_a_write() -> None:
    """It refuses an update before its read, and lets the search of a check through."""
    async with furnished() as service, connect_v2(service, read_only=True) as scarf:
        with pytest.raises(ReadOnlyError):
            await scarf.packages.update("web", TEXT)
        with pytest.raises(ReadOnlyError):
            await scarf.members.upsert("acme", "ann", "admin")
        assert service.arrivals == []
        assert (await scarf.check()).ok
    assert requests(service) == ["POST /search", "GET /packages/acme"]


async def test_a_route_keeps_its_type() -> None:
    """It has no place in an upsert, and goes back as it was read."""
    async with furnished() as service, connect_v2(service) as scarf:
        route = await scarf.routes.update(PackageKey("acme", "web"), "r", RouteCreate(UNSET, "/b"))
        assert (route.template_path, route.outgoing_url, route.type) == ("/b", "https://a.example", "regex")
        assert await scarf.routes.get("web", "r") == route


RENAMED: Final = OrganizationUpsert(name="apex", description=UNSET, billing_email=UNSET)


@pytest.mark.parametrize("lost", [True, False])
async def test_a_rename_is_looked_for_under_the_new_name(lost: bool) -> None:
    """After a response that was lost the organization of the same id is taken; else it is read and put again."""
    async with furnished() as service, connect_v2(service) as scarf:
        service.on("PUT", "/v2/organizations/acme", drop(effect=lost))
        organization = await scarf.organizations.update("acme", RENAMED)
        assert (organization.name, organization.id, organization.billing_email) == (
            "apex",
            "o-1",
            "pay@acme.example",
        )
    old, new = "/organizations/acme", "/organizations/apex"
    again = [] if lost else [f"GET {old}", f"PUT {old}"]
    assert requests(service) == [f"GET {old}", f"PUT {old}", f"GET {new}", *again]


async def test_a_rename_that_takes_effect_late() -> None:
    """It may take the old name away between the look and the next read: then it is looked for again."""
    async with furnished() as service, connect_v2(service) as scarf:
        service.on("PUT", "/v2/organizations/acme", drop())
        late = lambda: service.take_effect(service.sent("PUT")[0])  # noqa: E731 # a name for what happens then
        service.on("GET", "/v2/organizations/apex", answer(404), honest())
        service.on("GET", "/v2/organizations/acme", honest(), Act(status=404, then=late))
        assert (await scarf.organizations.update("acme", RENAMED)).id == "o-1"
    assert len(service.sent("PUT")) == 1


async def test_another_under_the_new_name() -> None:
    """What has the new name and another id is not ours: the rename is sent again, and refused as it deserves."""
    async with furnished() as service, connect_v2(service) as scarf:
        service.store["/organizations/apex"] = {"id": "o-2", "name": "apex", "billing_email": "pay@acme.example"}
        taken = answer(422, {"code": "entity-already-exists", "message": "taken"})
        service.on("PUT", "/v2/organizations/acme", drop(), taken)
        with pytest.raises(ConflictError) as caught:
            await scarf.organizations.update("acme", RENAMED)
        assert (caught.value.status, caught.value.code) == (422, "entity-already-exists")


# Creates.


@pytest.mark.parametrize("effect", ["all", "package", "none"])
async def test_a_lost_file_package(effect: str) -> None:
    """It is found with its route, or without one, which is then created by itself, or is sent again with it."""
    async with furnished() as service, connect_v2(service) as scarf:

        def halve() -> None:
            if effect == "package":
                service.store = {key: shown for key, shown in service.store.items() if "/id-1/" not in key}

        service.on("POST", "/v2/packages/acme", Act(effect=effect != "none", then=halve))
        package = await scarf.packages.create(FILES, route=ROUTE)
        routes = await scarf.routes.list(package)
        assert [route.template_path for route in routes] == ["/dl/{v}"]
        assert len(service.there("/packages/acme")) == 2
    sent = {"all": 1, "package": 1, "none": 2}
    assert len(service.sent("POST", "/v2/packages/acme")) == sent[effect]
    assert len(service.sent("POST", "*/routes")) == (effect == "package")


async def test_a_lost_file_package_with_another_s_route() -> None:
    """Others without ours: whose the package is cannot be told."""
    async with furnished() as service, connect_v2(service) as scarf:

        def change() -> None:
            key = next(key for key in service.store if "/id-1/routes/" in key)
            service.store[key] = {**service.store[key], "incoming_path": "/other"}

        service.on("POST", "/v2/packages/acme", Act(effect=True, then=change))
        with pytest.raises(OutcomeUnknownError) as caught:
            await scarf.packages.create(FILES, route=ROUTE)
        assert caught.value.found is not None
    assert len(service.sent("POST")) == 1


async def test_a_conflict_of_v2_is_looked_at() -> None:
    """A resend refused with a 422 that says so finds what the first attempt made; `keep` finds what was there."""
    exists = answer(422, {"code": "package-already-exists", "message": "it exists"})
    npm = PackageUpsert(name="lib", short_description="Lib", library_type="npm")
    async with furnished() as service, connect_v2(service) as scarf:
        # The effect comes after both looks.
        late = lambda: service.take_effect(service.sent("POST")[0])  # noqa: E731 # as above
        service.on("POST", "/v2/packages/acme", drop(), Act(status=422, body=exists.body, then=late))
        made = await scarf.packages.create(npm)
        assert made.name == "lib"
        service.on("POST", "/v2/packages/acme", exists)
        with pytest.raises(ConflictError) as caught:
            await scarf.packages.create(npm)
        assert caught.value.status == 422
        assert await scarf.packages.create(npm, if_exists="keep") == made
    assert len(service.there("/packages/acme")) == 2


async def test_a_422_without_such_a_code_stays_one() -> None:
    """It is not looked at."""
    async with furnished() as service, connect_v2(service) as scarf:
        service.on("POST", f"/v2{WEB}/routes", answer(422, {"code": "not-a-file-package", "message": "no"}))
        with pytest.raises(UnprocessableError):
            await scarf.routes.create("web", ROUTE)
    assert requests(service) == [f"POST {WEB}/routes"]


async def test_a_deletion_that_is_sent_again() -> None:
    """A 404 to a resend is success."""
    async with furnished() as service, connect_v2(service) as scarf:
        service.on("DELETE", f"/v2{WEB}", drop(effect=True))
        await scarf.packages.delete("web")
    assert requests(service) == [f"DELETE {WEB}"] * 2


# Versions and addresses.


async def test_no_version_is_asked_in_the_place_of_another() -> None:
    """A client of v2 that is refused does not ask v1, and one without the address of v2 asks nobody."""
    async with furnished() as service, Scarf(TOKEN, api="v2", owner="acme", base_url=f"{service.url}/v1") as scarf:
        with pytest.raises(ConfigurationError, match="v2_url"):
            await scarf.packages.list()
    async with furnished() as service, Scarf(TOKEN, v2_url=service.url) as scarf:
        assert (scarf.api, scarf.v2_url, scarf.v3_url) == ("v1", service.url, f"{service.url[:-1]}3")
        with pytest.raises(ConfigurationError, match="base_url"):
            await scarf.packages.list()
        with pytest.raises(ConfigurationError, match="base_url"):
            _ = scarf.base_url
        assert service.arrivals == []


async def test_a_view_has_another_owner() -> None:
    """It is that of every call that names none; the client's own stays."""
    async with furnished() as service, connect_v2(service) as scarf:
        other = scarf.with_options(owner="other")
        assert (scarf.owner, other.owner) == ("acme", "other")
        await other.packages.list()
        await scarf.packages.list()
        await other.packages.list("third")
    assert requests(service) == ["GET /packages/other", "GET /packages/acme", "GET /packages/third"]


async def test_calls_are_named_with_their_version() -> None:
    """In events and in errors."""
    told: list[ScarfEvent] = []
    async with (
        furnished() as service,
        Scarf(TOKEN, api="v2", v2_url=service.url, retry=FAST, on_event=told.append) as scarf,
    ):
        await scarf.organizations.get("acme")
    assert told[0] == RequestStarted(endpoint="GET /v2/organizations/{organization}", attempt=1)
    assert repr(scarf) == f"<Scarf v2 {service.url} closed>"


@pytest.mark.parametrize(
    ("act", "noted"),
    [
        (answer(404), True),
        (answer(301, headers={"Location": "https://elsewhere.example"}), True),
        (answer(410, b"gone", headers={"Content-Type": "text/plain"}), True),
        (answer(403, b"<html>no</html>", headers={"Content-Type": "text/html"}), True),
        (answer(200, b"<!DOCTYPE html><p>Docs", headers={"Content-Type": "text/html"}), True),
        (answer(404, {"message": "no such organization"}), False),
        (answer(403), False),
    ],
)
async def test_what_v1_answers_when_it_is_gone(act: Act, noted: bool) -> None:
    """The error says that it was announced to end, and what to try."""
    async with Hostile() as service, Scarf(TOKEN, base_url=service.url) as scarf:
        service.on("GET", "/organizations/acme", act)
        with pytest.raises(Exception, match="organizations") as caught:
            await scarf.organizations.get("acme")
    notes = getattr(caught.value, "__notes__", [])
    assert any('api="v2"' in note for note in notes) == noted


async def test_the_check_of_v1() -> None:
    """One cheap read: of the user's packages."""
    async with Hostile() as service, Scarf(TOKEN, base_url=service.url, owner="acme") as scarf:
        check = await scarf.check()
        assert (check.ok, check.token, check.version, check.owner) == (True, True, True, None)
        service.on("GET", "/packages", answer(401), answer(404), answer(200, b"<html>"), answer(403))
        found = [await scarf.check() for _ in range(4)]
    assert [(one.ok, one.token, one.version) for one in found] == [
        (False, False, True),
        (False, None, False),
        (False, None, False),
        (False, False, True),
    ]
    assert 'api="v2"' in found[1].advice


# Answers that are not what was asked for.


async def test_another_thing_is_not_written_back() -> None:
    """Where the read before a change shows another id, nothing is put; the case of the id does not matter."""
    async with furnished() as service, connect_v2(service) as scarf:
        service.store[WEB] = {**service.store[WEB], "id": "other"}
        service.store[f"{WEB}/routes/r"] = {"id": 7, "incoming_path": "/a"}
        with pytest.raises(DecodeError, match="'other', and 'web' was requested; nothing was changed") as caught:
            await scarf.packages.update("web", TEXT)
        assert (caught.value.entity, caught.value.path) == ("Package", "id")
        with pytest.raises(DecodeError, match="Route"):
            await scarf.routes.update("web", "r", RouteCreate(UNSET, "/b"))
        assert service.sent("PUT") == []
        service.store[WEB] = {**service.store[WEB], "id": "WEB"}
        assert (await scarf.packages.update("web", TEXT)).short_description == "new"


async def test_what_a_link_carries_is_not_shown() -> None:
    """A page's link may hold a credential, the token itself too: errors and events show the path alone."""
    told: list[ScarfEvent] = []
    link = f"https://elsewhere.example/x?after=a&sig=s3cret&key={quote(TOKEN, safe='')}"
    async with (
        HostileV2() as service,
        Scarf(TOKEN, api="v2", owner="acme", v2_url=service.url, retry=FAST, on_event=told.append) as scarf,
    ):
        page = answer(200, {"results": [], "_links": {"next": link}})
        for failing in (answer(403), drop(), cut(body=b'{"results": [')):
            acts = [failing] * 4
            service.forget()
            service.on("GET", "/v2/packages/acme", page, *acts)
            with pytest.raises((APIError, TransportError)) as caught:
                await scarf.packages.list()
            assert getattr(caught.value, "url", None) == f"{service.url}/packages/acme"
            assert "s3cret" not in f"{caught.value!r} {caught.value} {vars(caught.value)}"
        assert all("sig=s3cret" in arrival.query for arrival in service.arrivals[1:2])
    assert "s3cret" not in str(told)
