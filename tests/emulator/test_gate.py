"""What is checked before any handler: token, path, method, content type, JSON; and the list of what arrived."""

from __future__ import annotations

import asyncio
import json
from io import BytesIO

import aiohttp
import pytest

from scarf_async.emulator import Emulator

from .conftest import Client, organization_body


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic emulator-token", "emulator-token"])
async def test_without_the_token_nothing_is_done(call: Client, header: str) -> None:
    """Anything but the bearer's token is a 401 with a message."""
    reply = await call("POST", "/organizations", organization_body(), headers={"Authorization": header})
    assert reply.status == 401
    assert "token" in reply.text("message")
    assert (await call.emulator.dump())["organizations"] == {}


async def test_token_is_the_emulators(session: aiohttp.ClientSession) -> None:
    """The token is an option; a scheme may be written in any case."""
    async with Emulator(token="s3cret", user="ann") as emulator:
        call = Client(session, emulator)
        assert (await call("GET", "/packages", headers={"Authorization": "bearer s3cret"})).status == 200
        assert (await call("GET", "/packages", token="emulator-token")).status == 401


@pytest.mark.parametrize(
    "path",
    ["/", "/nothing", "/packages/", "/packages//routes", "/packages/a/b", "/organizations/a/events", "/users/a"],
)
async def test_unknown_paths_are_not_found(call: Client, path: str) -> None:
    """A path that is none of the described ones is a 404 with a message."""
    reply = await call("GET", path)
    assert reply.status == 404
    assert path in reply.text("message")


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", "/packages/x"), ("GET", "/organizations"), ("DELETE", "/organizations/x"), ("POST", "/packages/x")],
)
async def test_other_methods_are_refused(call: Client, method: str, path: str) -> None:
    """A path that is known with another method is a 405."""
    reply = await call(method, path)
    assert reply.status == 405
    assert method not in reply.headers["Allow"]


async def test_path_that_is_no_text_is_refused(call: Client) -> None:
    """Percent-encoded bytes that are not UTF-8 are a 400."""
    assert (await call("GET", "/packages/%ff")).status == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_body_must_be_declared_as_json(call: Client, content_type: str) -> None:
    """The service does not take JSON that is not called so: 415."""
    data = json.dumps(organization_body()).encode()
    reply = await call("POST", "/organizations", data=data, headers={"Content-Type": content_type})
    assert reply.status == 415
    parameters = {"Content-Type": "application/json; charset=utf-8"}
    assert (await call("POST", "/organizations", data=data, headers=parameters)).status == 201


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000])
async def test_malformed_json_is_refused(call: Client, data: bytes) -> None:
    """What does not parse is a 400, whatever is wrong with it."""
    reply = await call("POST", "/organizations", data=data, headers={"Content-Type": "application/json"})
    assert reply.status == 400


async def test_endless_body_is_refused(call: Client, emulator: Emulator) -> None:
    """A body may be large, and not without bound: 413."""
    reply = await call("POST", "/organizations", data=BytesIO(bytes(64 * 2**20 + 1)))
    assert reply.status == 413
    assert emulator.requests == []


@pytest.mark.parametrize("data", [b"null", b"[]", b"1", b'"x"'])
async def test_body_must_be_an_object(call: Client, data: bytes) -> None:
    """JSON of another shape is a 422."""
    reply = await call("POST", "/organizations", data=data, headers={"Content-Type": "application/json"})
    assert reply.status == 422


async def test_accept_and_content_type_of_a_get_do_not_matter(call: Client) -> None:
    """Programs send all sorts of both."""
    headers = {"Accept": "text/html", "Content-Type": "text/csv"}
    assert (await call("GET", "/packages", headers=headers)).status == 200


async def test_requests_are_recorded_without_the_token(call: Client) -> None:
    """The record has what arrived, and of the token that there was one."""
    await call.organization()
    await call("GET", "/packages/a%2Fb", params={"packageType": "docker"})
    create, get = call.emulator.requests
    assert (create.method, create.path, create.status) == ("POST", "/api/v1/organizations", 201)
    assert json.loads(create.body) == organization_body()
    assert create.effective
    assert create.headers["content-type"] == "application/json"
    assert create.headers["authorization"] == "***"
    assert (get.method, get.path, get.status) == ("GET", "/api/v1/packages/a%2Fb", 404)
    assert get.query == {"packageType": "docker"}
    assert not get.effective
    assert get.fault is None
    assert call.emulator.token not in repr(call.emulator.requests)


async def test_refused_write_is_not_effective(call: Client) -> None:
    """A write that was rolled back did not happen, and the record says so."""
    await call.organization()
    await call("POST", "/organizations", organization_body())
    assert [request.effective for request in call.emulator.requests] == [True, False]


async def test_requests_are_found_by_method_and_path(call: Client) -> None:
    """The glob takes the path with or without its base."""
    await call.organization()
    await call("GET", "/organizations/acme")
    await call("GET", "/organizations/acme/users")
    emulator = call.emulator
    assert len(emulator.requests_for("GET", "/organizations/*")) == 2
    assert len(emulator.requests_for("get", "/api/v1/organizations/*/users")) == 1
    assert len(emulator.requests_for("*", "*")) == 3
    assert emulator.requests_for("PUT", "*") == []


async def test_only_the_newest_requests_are_kept(session: aiohttp.ClientSession) -> None:
    """A server that runs for long forgets what is old."""
    async with Emulator(keep_requests=2) as emulator:
        call = Client(session, emulator)
        for name in ("a", "b", "c"):
            await call("GET", f"/organizations/{name}")
        assert [request.path[-1] for request in emulator.requests] == ["b", "c"]
        assert [request.status for request in emulator.requests] == [404, 404]


async def test_waiting_for_requests_ends_with_their_arrival(call: Client) -> None:
    """Several may wait, each for another thing; nobody has to poll."""
    both = asyncio.gather(
        call.emulator.wait_until(lambda requests: len(requests) == 2),
        call.emulator.wait_until(lambda requests: any(request.status == 404 for request in requests)),
    )
    await call("GET", "/packages")
    assert not both.done()
    await call("GET", "/nowhere")
    async with asyncio.timeout(5):
        await both


async def test_cleared_list_begins_anew(call: Client) -> None:
    """A test may clear the list between two phases."""
    await call.organization()
    call.emulator.requests.clear()
    await call("GET", "/packages")
    assert [request.path for request in call.emulator.requests] == ["/api/v1/packages"]
