"""Organizations, members and users in v2."""

from __future__ import annotations

import pytest

from scarf_async.emulator import Emulator

from .conftest import JSON, Client, ClientV2

_BODY: dict[str, JSON] = {"name": "Acme", "billing_email": "pay@acme.example"}


async def test_an_organization_of_v1_is_shown(v2: ClientV2) -> None:
    """Under its name in any case, with an id, in snake case; without a website there is none."""
    reply = await v2("GET", "/organizations/ACME")
    assert reply.status == 200
    assert reply.object().keys() == {"id", "name", "description", "billing_email", "created_at", "updated_at"}
    assert (reply.text("name"), reply.text("billing_email")) == ("Acme", "pay@acme.example")
    assert (await v2("GET", "/organizations/acme")).json == reply.json
    assert (await v2("GET", "/organizations/nobody")).refusal() == (404, "not-found")


async def test_put_replaces_an_organization(v2: ClientV2) -> None:
    """What is left out is cleared, or stays with a quirk; null clears."""
    path = "/organizations/acme"
    given: dict[str, JSON] = {**_BODY, "description": "D", "website": "acme.example"}
    assert (await v2("PUT", path, given)).object().items() >= given.items()
    v2.quirks(put_clears=False)
    assert (await v2("PUT", path, _BODY)).object().items() >= given.items()
    assert "website" not in (await v2("PUT", path, {**_BODY, "website": None})).object()
    v2.quirks()
    assert "description" not in (await v2("PUT", path, _BODY)).object()
    shown = (await v2.call("GET", "/organizations/Acme")).object()
    assert (shown["description"], "website" in shown) == ("", False)


async def test_a_renamed_organization_keeps_its_id_and_its_packages(call: Client, v2: ClientV2) -> None:
    """It is found under the new name only."""
    uuid = await call.package("tool", "npm", organization="Acme")
    pixel = await v2.made("/tracking-pixels/acme", {"name": "logo"})
    before = (await v2("GET", "/organizations/acme")).text("id")
    renamed = await v2("PUT", "/organizations/acme", {**_BODY, "name": "Emca"})
    assert (renamed.status, renamed.text("id"), renamed.text("name")) == (200, before, "Emca")
    assert (await v2("GET", "/organizations/acme")).status == 404
    assert (await v2("GET", f"/packages/emca/{uuid}")).text("owner") == "Emca"
    assert (await v2("GET", f"/tracking-pixels/emca/{pixel}")).text("owner") == "Emca"
    assert (await v2("GET", f"/packages/acme/{uuid}")).status == 404


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": ""}, "invalid-organization-name"),
        ({"name": "two words"}, "invalid-organization-name"),
        ({"name": "Other"}, "entity-already-exists"),
        ({"billing_email": ""}, "invalid-billing-email"),
        ({"billing_email": "pay"}, "invalid-billing-email"),
        ({"website": "a b"}, "invalid-website-url"),
    ],
)
async def test_codes_of_organizations(call: Client, v2: ClientV2, changes: dict[str, JSON], code: str) -> None:
    """Each is a 422 with the documented code, and nothing is changed."""
    await call.organization("Other")
    before = await v2("GET", "/organizations/acme")
    assert (await v2("PUT", "/organizations/acme", {**_BODY, **changes})).refusal() == (422, code)
    assert (await v2("GET", "/organizations/acme")).json == before.json


async def test_organizations_are_not_created(v2: ClientV2) -> None:
    """v2 has no such call."""
    assert (await v2("POST", "/organizations", _BODY)).status == 404
    assert (await v2("POST", "/organizations/new", _BODY)).status == 405


async def test_members_come_and_go(v2: ClientV2) -> None:
    """POST adds, GET shows, PUT changes the role, DELETE removes; ids stay."""
    path = "/organizations/acme/members"
    added = await v2("POST", path, {"username": "ann", "role": "member"})
    assert (added.status, set(added.object())) == (201, {"user_id", "username", "role"})
    assert (await v2("GET", f"{path}/Ann")).json == added.json
    changed = await v2("PUT", f"{path}/ann", {"role": "admin"})
    assert (changed.status, changed.json) == (200, {**added.object(), "role": "admin"})
    members = {one["username"]: one["role"] for one in (await v2("GET", path)).array()}
    assert members == {"emulator-user": "owner", "ann": "admin"}
    assert (await v2("DELETE", f"{path}/ann")).status == 204
    for method, body in (("GET", None), ("PUT", {"role": "member"}), ("DELETE", None)):
        assert (await v2(method, f"{path}/ann", body)).refusal() == (404, "not-found")


async def test_post_of_a_member_is_a_quirk(v2: ClientV2) -> None:
    """It is refused, and the role stays; or it sets the role."""
    path = "/organizations/acme/members"
    await v2("POST", path, {"username": "ann", "role": "member"})
    again: JSON = {"username": "ann", "role": "admin"}
    assert (await v2("POST", path, again)).status == 422
    assert (await v2("GET", f"{path}/ann")).text("role") == "member"
    v2.quirks(members_post_upserts=True)
    assert (await v2("POST", path, again)).text("role") == "admin"
    assert (await v2("GET", f"{path}/ann")).text("role") == "admin"


async def test_codes_of_members(v2: ClientV2, emulator: Emulator) -> None:
    """The last owner stays one; no more than so many; who does not exist is a 404."""
    path = "/organizations/acme/members"
    mine = f"{path}/emulator-user"
    assert (await v2("PUT", mine, {"role": "member"})).refusal() == (422, "cannot-revoke-ownership")
    assert (await v2("DELETE", mine)).refusal() == (422, "cannot-delete-owner")
    assert (await v2("POST", path, {"username": "unknown-x", "role": "member"})).status == 404
    assert (await v2("POST", "/organizations/x/members", {"username": "ann", "role": "member"})).status == 404
    emulator.max_members = 1
    reply = await v2("POST", path, {"username": "ann", "role": "member"})
    assert reply.refusal() == (422, "max-organization-members-reached")


async def test_users_are_shown(v2: ClientV2) -> None:
    """A user has the id of its memberships; an organization answers as a user too."""
    user = await v2("GET", "/users/EMULATOR-USER")
    assert user.object().keys() == {"id", "name", "type", "created_at", "updated_at"}
    assert (user.text("name"), user.text("type")) == ("emulator-user", "user")
    (member,) = (await v2("GET", "/organizations/acme/members")).array()
    assert member["user_id"] == user.text("id")
    organization = await v2("GET", "/users/acme")
    assert (organization.text("name"), organization.text("type")) == ("Acme", "organization")
    assert organization.text("id") == (await v2("GET", "/organizations/acme")).text("id")
    assert (await v2("GET", "/users/unknown-x")).refusal() == (404, "not-found")


async def test_organizations_of_a_user(v2: ClientV2) -> None:
    """Each with the role; of a stranger none can be asked for."""
    (found,) = (await v2("GET", "/users/emulator-user/organizations")).array()
    assert found == {
        "organization_id": (await v2("GET", "/organizations/acme")).text("id"),
        "organization_name": "Acme",
        "organization_description": "All of it",
        "role": "owner",
    }
    assert (await v2("GET", "/users/ann/organizations")).array() == []
    assert (await v2("GET", "/users/unknown-x/organizations")).refusal() == (404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/organizations/acme", {"name": "Acme"}),
        ("PUT", "/organizations/acme", {**_BODY, "website": 3}),
        ("PUT", "/organizations/acme", {**_BODY, "name": None}),
        ("PUT", "/organizations/acme", [_BODY]),
        ("POST", "/organizations/acme/members", {"username": "ann"}),
        ("POST", "/organizations/acme/members", {"username": "ann", "role": "boss"}),
        ("PUT", "/organizations/acme/members/emulator-user", {"role": "boss"}),
    ],
)
async def test_bodies_that_do_not_fit(v2: ClientV2, method: str, path: str, body: JSON) -> None:
    """A bare 400."""
    reply = await v2(method, path, body)
    assert (reply.status, reply.body) == (400, b"")


async def test_bodies_that_are_not_json(v2: ClientV2) -> None:
    """Not declared to be: a bare 415. Declared, and not: a bare 400."""
    for media_type, status in (("text/plain", 415), ("application/json", 400)):
        reply = await v2("PUT", "/organizations/acme", data=b"{", headers={"Content-Type": media_type})
        assert (reply.status, reply.body) == (status, b"")


async def test_null_is_a_quirk(v2: ClientV2) -> None:
    """It reads as absent, or the body does not fit."""
    assert (await v2("PUT", "/organizations/acme", {**_BODY, "website": None})).status == 200
    v2.quirks(null="refused")
    reply = await v2("PUT", "/organizations/acme", {**_BODY, "website": None})
    assert (reply.status, reply.body) == (400, b"")


async def test_absent_is_a_quirk(v2: ClientV2) -> None:
    """Optional fields without a value are left out, or null."""
    assert "website" not in (await v2("GET", "/organizations/acme")).object()
    v2.quirks(absent="null")
    assert (await v2("GET", "/organizations/acme")).object()["website"] is None


@pytest.mark.parametrize(
    ("word", "body"), [("json", b'"code":"not-found"'), ("text", b"There is no organization"), ("empty", b"")]
)
async def test_bodies_of_errors_are_a_quirk(v2: ClientV2, word: str, body: bytes) -> None:
    """Of 401 and 404; documented ones stay: those of a 422, and of exports."""
    v2.quirks(error_bodies=word)
    reply = await v2("GET", "/organizations/nobody")
    assert (reply.status, body in reply.body, "Content-Type" in reply.headers) == (404, True, word == "json")
    assert bool(reply.body) == (word != "empty")
    reply = await v2("GET", "/organizations/acme", headers={"Authorization": "Bearer x"})
    assert (reply.status, bool(reply.body)) == (401, word != "empty")
    assert (await v2("DELETE", "/organizations/acme/members/emulator-user")).refusal()[0] == 422
    assert (await v2("GET", "/packages/nobody/events")).refusal() == (404, "not-found")
