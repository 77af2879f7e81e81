"""Organizations and their members, over HTTP."""

from __future__ import annotations

import re

import aiohttp
import pytest

from scarf_async.emulator import Emulator

from .conftest import JSON, Client, organization_body


async def test_created_organization_is_answered_and_can_be_read(call: Client) -> None:
    """A create gives 201 and the entity, which a GET gives too; an absent website is left out."""
    created = await call("POST", "/organizations", organization_body())
    read = await call("GET", "/organizations/acme")

    assert created.status == 201
    assert read.status == 200
    assert read.json == created.json
    assert created.object().keys() == {"name", "description", "billingEmail", "createdAt", "updatedAt"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", created.text("createdAt"))


async def test_creator_is_made_owner(call: Client) -> None:
    """The issuer of the request is the new organization's owner."""
    await call.organization()
    members = await call("GET", "/organizations/acme/users")
    assert members.json == [{"organizationName": "acme", "username": "emulator-user", "role": "owner"}]


async def test_second_organization_of_a_name_is_refused(call: Client) -> None:
    """The name is taken; another spelling of it is another name."""
    await call.organization()
    again = await call("POST", "/organizations", organization_body())
    assert again.status == 409
    assert again.object()["code"] == "entity-already-exists"
    assert (await call("POST", "/organizations", organization_body("Acme"))).status == 201


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": None}, "name"),
        ({"name": " "}, "name"),
        ({"name": 7}, "name"),
        ({"description": None}, "description"),
        ({"billingEmail": ["x"]}, "billingEmail"),
        ({"website": {}}, "website"),
        ({"name": "\ud800"}, "name"),
    ],
)
async def test_bad_fields_are_refused_by_name(call: Client, change: dict[str, JSON], named: str) -> None:
    """A missing or mistyped field is a 422 whose message begins with the field."""
    reply = await call("POST", "/organizations", {**organization_body(), **change})
    assert reply.status == 422
    assert reply.text("message").startswith(f"{named}: ")


async def test_unknown_fields_and_null_are_ignored(call: Client) -> None:
    """What the service does not know is passed over, and null is as good as nothing."""
    body = organization_body(website=None, favouriteColour="green")
    assert (await call("POST", "/organizations", body)).status == 201
    assert "website" not in (await call("GET", "/organizations/acme")).object()


async def test_update_renames_and_everything_follows(call: Client) -> None:
    """Members, packages and owners are found under the new name, and nothing under the old one."""
    created = await call.organization()
    uuid = await call.package(organization="acme")

    updated = await call("PUT", "/organizations/acme", organization_body("beta", website="https://beta.example"))

    assert updated.status == 200
    assert updated.object()["website"] == "https://beta.example"
    assert updated.object()["createdAt"] == created.object()["createdAt"]
    assert updated.text("updatedAt") > created.text("updatedAt")
    assert (await call("GET", "/organizations/acme")).status == 404
    members = await call("GET", "/organizations/beta/users")
    assert isinstance(members.json, list)
    assert [m["organizationName"] for m in members.json if isinstance(m, dict)] == ["beta"]
    assert (await call("GET", f"/packages/{uuid}")).object()["owner"] == "beta"


async def test_rename_to_a_taken_name_changes_nothing(call: Client) -> None:
    """The new name belongs to another organization: 409."""
    await call.organization("acme")
    await call.organization("beta")
    reply = await call("PUT", "/organizations/acme", organization_body("beta"))
    assert reply.status == 409
    assert (await call("GET", "/organizations/acme")).status == 200


async def test_update_without_website_takes_it_away(call: Client) -> None:
    """A PUT states all fields again."""
    await call("POST", "/organizations", organization_body(website="https://acme.example"))
    await call("PUT", "/organizations/acme", organization_body())
    assert "website" not in (await call("GET", "/organizations/acme")).object()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PUT", "", organization_body("nobody")),
        ("GET", "/packages", None),
        ("POST", "/packages", {"name": "x", "shortDescription": ""}),
        ("GET", "/users", None),
        ("POST", "/users", {"username": "ann", "role": "member"}),
        ("DELETE", "/users/ann", None),
    ],
)
async def test_unknown_organization_is_not_found(call: Client, method: str, path: str, body: JSON) -> None:
    """Every call that names an organization says 404 for an unknown one."""
    reply = await call(method, f"/organizations/nobody{path}", body)
    assert reply.status == 404
    assert "nobody" in reply.text("message")


async def test_upsert_adds_and_changes_a_member(call: Client) -> None:
    """One call creates and updates; however the name is written, it is one person, spelled as at first."""
    await call.organization()
    added = await call("POST", "/organizations/acme/users", {"username": "Ann", "role": "member"})
    changed = await call("POST", "/organizations/acme/users", {"username": " ann ", "role": "admin"})
    assert added.status == changed.status == 200
    assert added.json == {"organizationName": "acme", "username": "Ann", "role": "member"}
    assert changed.json == {"organizationName": "acme", "username": "Ann", "role": "admin"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "ann", "role": "boss"}, 422),
        ({"username": "ann"}, 422),
        ({"username": "", "role": "member"}, 422),
        ({"role": "member"}, 422),
        ({"username": "unknown-ann", "role": "member"}, 404),
        ([{"username": "ann", "role": "member"}], 422),
    ],
)
async def test_bad_memberships_are_refused(call: Client, body: JSON, status: int) -> None:
    """An unknown role, a missing field, a stranger, an array: nothing changes."""
    await call.organization()
    before = await call.emulator.dump()
    assert (await call("POST", "/organizations/acme/users", body)).status == status
    assert await call.emulator.dump() == before


async def test_member_is_removed_once(call: Client) -> None:
    """A removal is 204, and 404 when there is no such member any more."""
    await call.organization()
    await call("POST", "/organizations/acme/users", {"username": "ann", "role": "member"})
    assert (await call("DELETE", "/organizations/acme/users/ANN")).status == 204
    assert (await call("DELETE", "/organizations/acme/users/ann")).status == 404


async def test_last_owner_stays(call: Client) -> None:
    """The last owner is neither demoted nor removed; one of two is."""
    await call.organization()
    users = "/organizations/acme/users"
    demoted = await call("POST", users, {"username": "emulator-user", "role": "admin"})
    removed = await call("DELETE", f"{users}/emulator-user")
    assert (demoted.status, demoted.object()["code"]) == (422, "cannot-revoke-ownership")
    assert (removed.status, removed.object()["code"]) == (422, "cannot-delete-owner")

    await call("POST", users, {"username": "ann", "role": "owner"})
    assert (await call("DELETE", f"{users}/emulator-user")).status == 204
    assert (await call("DELETE", f"{users}/ann")).status == 422


async def test_full_organization_takes_no_further_member(emulator: Emulator, call: Client) -> None:
    """New members are refused with the service's code; those who are in can still be changed."""
    emulator.max_members = 2
    await call.organization()
    users = "/organizations/acme/users"
    assert (await call("POST", users, {"username": "ann", "role": "member"})).status == 200
    refused = await call("POST", users, {"username": "bob", "role": "member"})
    assert (refused.status, refused.object()["code"]) == (422, "max-organization-members-reached")
    assert (await call("POST", users, {"username": "ann", "role": "admin"})).status == 200


async def test_listed_people_are_all_there_are(session: aiohttp.ClientSession) -> None:
    """With a list of people, others are unknown, but for the token's own user."""
    async with Emulator(people={"Ann": "ann@acme.example"}) as emulator:
        call = Client(session, emulator)
        await call.organization()
        users = "/organizations/acme/users"
        added = await call("POST", users, {"username": "ANN", "role": "member"})
        assert added.object()["username"] == "Ann"
        assert (await call("POST", users, {"username": "bob", "role": "member"})).status == 404
        assert (await call("POST", users, {"username": "emulator-user", "role": "owner"})).status == 200
