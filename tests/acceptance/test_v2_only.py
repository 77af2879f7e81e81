"""Calls that only v2 has, over sockets, on clients of either version; and calls that have no method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from scarf_async import (
    APIError,
    AuthenticationError,
    CollectionUpsert,
    ConfigurationError,
    ConflictError,
    DecodeError,
    OutcomeUnknownError,
    ReadOnlyError,
    RequestStarted,
    Scarf,
    ScarfEvent,
    ServerError,
    TrackingPixel,
    TrackingPixelUpsert,
    TransportError,
    ValidationError,
)

from .hostile import FAST, TOKEN, Act, Hostile, answer, cut, drop, free_port
from .service_v2 import HostileV2, connect_v2

Call = Callable[[Scarf], Awaitable[object]]

PIXELS: Final = "/tracking-pixels/acme"
DOCS: Final = TrackingPixelUpsert(name="Docs", importance="high", track_companies=False)
IMAGES: Final = CollectionUpsert(pattern="acme/*", backend_domain="ghcr.io", public_domain="cr.acme.example")

CREATES: Final[dict[str, Call]] = {
    PIXELS: lambda scarf: scarf.pixels.create(DOCS),
    f"{PIXELS}/p/domains": lambda scarf: scarf.pixels.create_domain("p", "px.acme.example"),
    "/collections/acme": lambda scarf: scarf.collections.create(IMAGES),
}
WRITES: Final[dict[str, Call]] = {
    **CREATES,
    "pixels.update": lambda scarf: scarf.pixels.update("p", DOCS),
    "pixels.delete": lambda scarf: scarf.pixels.delete("p"),
    "pixels.delete_domain": lambda scarf: scarf.pixels.delete_domain("p", "d"),
    "collections.update": lambda scarf: scarf.collections.update("c", IMAGES),
    "collections.delete": lambda scarf: scarf.collections.delete("c"),
    "request": lambda scarf: scarf.request("POST", "/search", json={"query": "x"}, version="v2", resend="repeat"),
}
READS: Final[dict[str, Call]] = {
    "pixels.list": lambda scarf: scarf.pixels.list(),
    "pixels.list of a package": lambda scarf: scarf.pixels.list(package="w"),
    "pixels.get": lambda scarf: scarf.pixels.get("p"),
    "pixels.list_domains": lambda scarf: scarf.pixels.list_domains("p"),
    "collections.list": lambda scarf: scarf.collections.list(),
    "collections.get": lambda scarf: scarf.collections.get("c"),
    "packages.overview": lambda scarf: scarf.packages.overview(),
    "domains.status": lambda scarf: scarf.domains.status("px.acme.example"),
}
OF_NOBODY: Final[dict[str, Call]] = {
    "users.get": lambda scarf: scarf.users.get("ann"),
    "users.organizations": lambda scarf: scarf.users.organizations("ann"),
    "search": lambda scarf: scarf.search("docs"),
    "request": lambda scarf: scarf.request("GET", "/users/ann", version="v2"),
}


def furnished() -> HostileV2:
    """Return a service that knows a pixel and a collection."""
    service = HostileV2()
    service.store = {
        f"{PIXELS}/p": {"id": "p", "owner": "acme", "name": "Pages", "track_companies": True, "importance": "low"},
        f"{PIXELS}/p/domains/d": {"id": "d", "name": "d.acme.example"},
        "/collections/acme/c": {"id": "c", "owner": "acme", "pattern": "x/*", "backend_domain": "ghcr.io"},
        "/users/ann": {"id": "u", "name": "ann"},
        "/users/ann/organizations": {"results": []},
        "/packages/acme/overview": {"results": []},
        "/packages/acme/w/tracking-pixels": {"results": []},
        "/domains/acme/px.acme.example/status": {"cname_status": "valid"},
    }
    return service


def requests(service: Hostile) -> list[str]:
    """Return what arrived, without queries and the base address."""
    return [f"{arrival.method} {arrival.path.removeprefix('/v2')}" for arrival in service.arrivals]


@pytest.mark.parametrize("path", CREATES)
@pytest.mark.parametrize(("act", "sends"), [(drop(effect=True), 1), (drop(), 2), (answer(503, effect=True), 1)])
async def test_a_lost_create_is_looked_for(path: str, act: Act, sends: int) -> None:
    """What was made is found and not made twice; what was not is made."""
    async with furnished() as service, connect_v2(service) as scarf:
        there = len(service.there(path))
        service.on("POST", f"/v2{path}", act)
        await CREATES[path](scarf)
        assert len(service.there(path)) == there + 1
        assert len(service.sent("POST")) == sends


@pytest.mark.parametrize("path", CREATES)
async def test_a_create_that_is_there(path: str) -> None:
    """`fail` lets the service refuse it, by a 422 that is a conflict; `keep` finds it before it is sent."""
    codes = (
        "name-already-exists",
        "domain-is-already-in-use",
        "pattern-is-duplicated",
        "collection-is-conflicting",
    )
    async with furnished() as service, connect_v2(service) as scarf:
        await CREATES[path](scarf)
        for code in codes:
            service.on("POST", f"/v2{path}", answer(422, {"code": code, "message": "it exists"}))
            with pytest.raises(ConflictError) as caught:
                await CREATES[path](scarf)
            assert (caught.value.status, caught.value.code) == (422, code)
        sent = len(service.sent("POST"))
        keep: dict[str, Call] = {
            PIXELS: lambda scarf: scarf.pixels.create(DOCS, if_exists="keep"),
            f"{PIXELS}/p/domains": lambda scarf: scarf.pixels.create_domain(
                "p", "PX.acme.example", if_exists="keep"
            ),
            "/collections/acme": lambda scarf: scarf.collections.create(IMAGES, if_exists="keep"),
        }
        await keep[path](scarf)
        assert len(service.sent("POST")) == sent


async def test_a_pixel_that_is_there_and_differs() -> None:
    """`keep` does not take it, and a lost create does not take it for its own."""
    other = TrackingPixelUpsert(name="Pages", importance="high")
    async with furnished() as service, connect_v2(service) as scarf:
        with pytest.raises(ConflictError) as caught:
            await scarf.pixels.create(other, if_exists="keep")
        assert isinstance(caught.value.found, TrackingPixel)
        assert service.sent("POST") == []
        service.on("POST", f"/v2{PIXELS}", drop())
        with pytest.raises(OutcomeUnknownError):
            await scarf.pixels.create(other)
        assert len(service.sent("POST")) == 1


async def test_an_update_reads_again_before_it_is_sent_again() -> None:
    """What another changed while the first attempt failed is not written back."""
    async with furnished() as service, connect_v2(service) as scarf:

        def change() -> None:
            service.store[f"{PIXELS}/p"] |= {"track_companies": False}

        service.on("PUT", f"/v2{PIXELS}/p", Act(status=503, then=change))
        changed = await scarf.pixels.update("p", TrackingPixelUpsert(name="Pages"))
        assert (changed.track_companies, changed.importance) == (False, "low")
    assert requests(service) == [f"GET {PIXELS}/p", f"PUT {PIXELS}/p"] * 2


@pytest.mark.parametrize("name", [*READS, *WRITES, *OF_NOBODY])
async def test_a_client_of_v1_has_the_calls_too(name: str) -> None:
    """They go to the address of v2; without one nothing is sent, and the error names it."""
    call = {**READS, **WRITES, **OF_NOBODY}[name]
    told: list[ScarfEvent] = []
    async with furnished() as service:
        async with Scarf(TOKEN, owner="acme", base_url=f"{service.url}/v1") as scarf:
            with pytest.raises(ConfigurationError, match="v2_url"):
                await call(scarf)
        assert service.arrivals == []
        async with Scarf(
            TOKEN, owner="acme", base_url=f"{service.url}/v1", v2_url=service.url, retry=FAST, on_event=told.append
        ) as scarf:
            await call(scarf)
        assert {arrival.path.startswith("/v2/") for arrival in service.arrivals} == {True}
    started = [event.endpoint for event in told if isinstance(event, RequestStarted)]
    assert started
    assert all(" /v2/" in endpoint for endpoint in started)


@pytest.mark.parametrize("name", [*READS, *(name for name in WRITES if name != "request")])
async def test_without_an_owner_nothing_is_sent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to give one."""
    for variable in ("SCARF_OWNER", "SCARF_ENTITY_NAME"):
        monkeypatch.delenv(variable, raising=False)
    async with furnished() as service, Scarf(TOKEN, base_url=service.url, v2_url=service.url) as scarf:
        with pytest.raises(ValidationError, match=r"v2 needs an owner: give owner=.*\$SCARF_OWNER"):
            await {**READS, **WRITES}[name](scarf)
        assert service.arrivals == []


async def test_an_owner_beside_an_entity() -> None:
    """It may be spelled in another case, and not be another."""
    pixel = TrackingPixel(id="p", owner="acme")
    async with furnished() as service, connect_v2(service) as scarf:
        assert (await scarf.with_options(owner="third").pixels.get(pixel)).name == "Pages"
        assert (await scarf.pixels.get(TrackingPixel(id="p"), owner="acme")).name == "Pages"
        await scarf.pixels.get(pixel, owner="ACME")
        with pytest.raises(ValidationError, match="tracking pixel p is of acme, not of other") as caught:
            await scarf.pixels.delete(pixel, owner="other")
        assert caught.value.field == "owner"
    assert requests(service) == [f"GET {PIXELS}/p"] * 3


async def test_read_only_clients_search() -> None:
    """A search is the one POST that they send, and only by its own call."""
    async with furnished() as service, connect_v2(service, read_only=True) as scarf:
        assert await scarf.search("docs") == []
        for call in READS.values():
            await call(scarf)
        arrived = len(service.arrivals)
        for call in WRITES.values():
            with pytest.raises(ReadOnlyError):
                await call(scarf)
        assert {arrival.method for arrival in service.arrivals[arrived:]} <= {"GET"}
    assert [arrival.path for arrival in service.arrivals if arrival.method == "POST"] == ["/v2/search"]


async def test_a_401_of_users_is_not_only_about_the_token() -> None:
    """The error says so."""
    async with furnished() as service, connect_v2(service) as scarf:
        service.on("GET", "/v2/users/ann", answer(401))
        with pytest.raises(AuthenticationError) as caught:
            await scarf.users.get("ann")
    assert any("may not see this account" in note for note in caught.value.__notes__)


# Calls that have no method.


@pytest.mark.parametrize("act", [drop(effect=True), drop(), answer(503), answer(429), answer(500, effect=True)])
async def test_a_write_of_ones_own_is_sent_once(act: Act) -> None:
    """Whatever comes of it; what says that it may be repeated is."""
    async with furnished() as service, connect_v2(service) as scarf:
        service.on("PUT", "*", act)
        with pytest.raises(APIError if act.status else TransportError):
            await scarf.request("PUT", f"{PIXELS}/p", json={"name": "new"})
        assert len(service.sent("PUT")) == 1
        service.on("PUT", "*", act)
        shown = await scarf.request("PUT", f"{PIXELS}/p", json={"name": "newer"}, resend="repeat")
        assert isinstance(shown, dict)
        assert (shown["name"], len(service.sent("PUT"))) == ("newer", 3)


async def test_a_read_of_ones_own_is_repeated() -> None:
    """As every read; a success that is not JSON is an error, and is not asked for again."""
    async with furnished() as service, connect_v2(service) as scarf:
        service.on("GET", "*", drop(), cut(), answer(503))
        assert await scarf.request("GET", ["users", "ann"]) == {"id": "u", "name": "ann"}
        assert len(service.arrivals) == 4
        service.on("GET", "*", answer(200, b"<html>", headers={"Content-Type": "text/html"}))
        with pytest.raises(DecodeError):
            await scarf.request("GET", ["users", "ann"])
        assert len(service.arrivals) == 5


async def test_what_a_write_of_ones_own_answers() -> None:
    """Nothing is None; half a response is an error that says that the call succeeded, and not None."""
    async with furnished() as service, connect_v2(service) as scarf:
        assert await scarf.request("DELETE", f"{PIXELS}/p/domains/d") is None
        assert await scarf.request("HEAD", "/users/ann") is None
        for half in (b"", b"{", b"[]"):
            service.on("POST", "*", cut(201, body=half))
            with pytest.raises(DecodeError, match="succeeded"):
                await scarf.request("POST", "/x", json={})
        service.on("POST", "*", answer(200, b'{"a": "\xff"}'))
        assert await scarf.request("POST", "/x", json={}) == {"a": "\ufffd"}
    assert len(service.sent("POST")) == 4


async def test_what_arrives_of_a_call_of_ones_own() -> None:
    """The path to the letter, the query, the body with its type; and the token."""
    async with furnished() as service, connect_v2(service) as scarf:
        await scarf.request("GET", "/users/ann", query={"q": "a b", "type": ["x", "y"]})
        with pytest.raises(APIError):
            await scarf.request("GET", "/a/acme%2Fweb/\u00e9%2525")
        with pytest.raises(APIError):
            await scarf.request("DELETE", ["a", "x/y", "%2e%2e", "?"], json=None)
        first, second, third = service.arrivals
    assert first.query == "q=a%20b&type=x&type=y"
    assert first.headers["Authorization"] == f"Bearer {TOKEN}"
    assert second.path == "/v2/a/acme%2Fweb/%C3%A9%2525"
    assert (third.path, third.body) == ("/v2/a/x%2Fy/%252e%252e/%3F", b"null")
    assert third.headers["Content-Type"] == "application/json"


async def test_the_version_of_a_call_of_ones_own() -> None:
    """It is the client's, or another one, whose address has to be known."""
    async with furnished() as service, connect_v2(service) as scarf:
        service.on("GET", "/v3/x", answer(200, []))
        assert await scarf.request("GET", "/x", version="v3") == []
        with pytest.raises(ConfigurationError, match="base_url"):
            await scarf.request("GET", "/x", version="v1")
    address = f"http://127.0.0.1:{free_port()}/other"
    async with Scarf(TOKEN, api="v2", v2_url=address) as scarf:
        with pytest.raises(ConfigurationError, match="v3_url"):
            await scarf.request("GET", "/x", version="v3")
    async with Hostile() as service_v1, Scarf(TOKEN, base_url=service_v1.url) as scarf:
        assert await scarf.request("GET", "/packages") == []
        with pytest.raises(ValidationError):
            await scarf.request("GET", "/%2e%2e/%2e%2e/packages")
        assert [arrival.path for arrival in service_v1.arrivals] == ["/packages"]


async def test_a_service_that_is_not_there_was_not_asked() -> None:
    """Nothing left: it is tried again as any call, and the error is the transport's."""
    retried: list[ScarfEvent] = []
    address = f"http://127.0.0.1:{free_port()}/v2"
    async with Scarf(TOKEN, api="v2", v2_url=address, retry=FAST, on_event=retried.append) as scarf:
        with pytest.raises(TransportError):
            await scarf.request("POST", "/x", json={})
    assert sum(isinstance(event, RequestStarted) for event in retried) == FAST.attempts


async def test_a_server_error_keeps_its_class() -> None:
    """And names the call by its version."""
    async with furnished() as service, connect_v2(service) as scarf:
        service.on("PATCH", "*", answer(500, {"message": "no"}))
        with pytest.raises(ServerError, match="no"):
            await scarf.request("PATCH", "/x", json={})
