"""Permissions, over HTTP."""

from __future__ import annotations

import aiohttp
import pytest

from scarf_async.emulator import Emulator

from .conftest import JSON, Client


def entry(user: str, level: str = "member") -> dict[str, JSON]:
    """A PackagePermissionSetV1."""
    return {"userQuery": user, "permissionLevel": level}


async def test_one_object_and_an_array_are_taken(call: Client) -> None:
    """Both forms are described; the response is 204, and the list shows users by name."""
    path = f"/packages/{await call.package()}/permissions"
    assert (await call("POST", path, entry("ann", "admin"))).status == 204
    assert (await call("POST", path, [entry("bob"), entry("cid", "blocked")])).status == 204
    assert (await call("GET", path)).json == [
        {"username": "ann", "permissionLevel": "admin"},
        {"username": "bob", "permissionLevel": "member"},
        {"username": "cid", "permissionLevel": "blocked"},
    ]


async def test_empty_array_sets_nothing(call: Client) -> None:
    """Nothing to do is done."""
    path = f"/packages/{await call.package()}/permissions"
    assert (await call("POST", path, [])).status == 204
    assert not call.emulator.requests[-1].effective


async def test_level_default_takes_the_entry_away(call: Client) -> None:
    """A user at the default level is not listed, also when nothing was set before."""
    path = f"/packages/{await call.package()}/permissions"
    await call("POST", path, [entry("ann"), entry("bob")])
    assert (await call("POST", path, [entry("ANN", "default"), entry("cid", "default")])).status == 204
    assert (await call("GET", path)).json == [{"username": "bob", "permissionLevel": "member"}]


@pytest.mark.parametrize(
    ("bad", "status", "named"),
    [
        (entry("unknown-person"), 404, "[1].userQuery"),
        (entry("unknown@acme.example"), 404, "[1].userQuery"),
        (entry("ann", "owner"), 422, "[1].permissionLevel"),
        (entry(""), 422, "[1].userQuery"),
        ({"userQuery": "ann"}, 422, "[1].permissionLevel"),
        ("ann", 422, "[1]"),
        (None, 422, "[1]"),
    ],
)
async def test_one_bad_entry_refuses_the_array(call: Client, bad: JSON, status: int, named: str) -> None:
    """The message says which entry it is, and none of the others is set."""
    path = f"/packages/{await call.package()}/permissions"
    reply = await call("POST", path, [entry("ann"), bad, entry("bob")])
    assert reply.status == status
    assert reply.text("message").startswith(f"{named}: ")
    assert (await call("GET", path)).json == []


async def test_bad_single_object_is_refused_by_field(call: Client) -> None:
    """Outside an array there is no place to name."""
    reply = await call("POST", f"/packages/{await call.package()}/permissions", entry("ann", "king"))
    assert reply.status == 422
    assert reply.text("message").startswith("permissionLevel: 'king' is not one of ")


async def test_address_and_name_are_one_person(call: Client) -> None:
    """Without a list of people the name is what comes before the @; the later of two entries counts."""
    path = f"/packages/{await call.package()}/permissions"
    await call("POST", path, [entry("Ann"), entry(" ann@acme.example ", "admin")])
    assert (await call("GET", path)).json == [{"username": "ann", "permissionLevel": "admin"}]


async def test_first_spelling_stays(call: Client) -> None:
    """Later requests may write a name otherwise; the list does not."""
    path = f"/packages/{await call.package()}/permissions"
    await call("POST", path, entry("Ann"))
    await call("POST", path, entry("ANN", "admin"))
    assert (await call("GET", path)).json == [{"username": "Ann", "permissionLevel": "admin"}]


async def test_listed_people_are_found_by_address_and_name(session: aiohttp.ClientSession) -> None:
    """With a list of people an address leads to its username, and no other address to anybody."""
    async with Emulator(people={"Ann": "A.Nother@acme.example"}) as emulator:
        call = Client(session, emulator)
        path = f"/packages/{await call.package()}/permissions"
        assert (await call("POST", path, entry("a.nother@ACME.example"))).status == 204
        assert (await call("GET", path)).json == [{"username": "Ann", "permissionLevel": "member"}]
        assert (await call("POST", path, entry("ann@acme.example"))).status == 404
        assert (await call("POST", path, entry("bob"))).status == 404
