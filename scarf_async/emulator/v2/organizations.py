"""Organizations, members and users in v2."""

from __future__ import annotations

import re
import sqlite3
from typing import Final

from scarf_async.emulator.answers import JSON, Answer, Refusal, WrongField
from scarf_async.emulator.calls import Call, Endpoints
from scarf_async.emulator.model import organizations
from scarf_async.emulator.model.owners import organization_uuid, user_id
from scarf_async.emulator.v2.pages import USER_ID, Cursor, page_of
from scarf_async.emulator.v2.reading import Body, find_user
from scarf_async.emulator.v2.showing import with_optional
from scarf_async.entities.enums import Role

__all__ = ["ENDPOINTS"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+")
_WEBSITE: Final = re.compile(r"[^\s]+")
_ROLES: Final = tuple(role.value for role in Role)
# The emulator does not keep when a user was created.
_LONG_AGO: Final = "2020-01-01T00:00:00Z"


def get_organization(call: Call) -> Answer:
    """GET /v2/organizations/{organization_name}."""
    return Answer(200, _organization(call, _find(call)))


def put_organization(call: Call) -> Answer:
    """PUT /v2/organizations/{organization_name}: another name renames it, and it keeps its contents."""
    body = Body(call)
    name, billing_email = body.text("name"), body.text("billing_email")
    old = _find(call)
    wanted = organizations.OrganizationFields(
        name,
        body.optional("description", old["description"]),
        body.optional("website", old["website"]),
        billing_email,
    )
    if name != old["name"] and _NAME.fullmatch(name) is None:
        raise WrongField("name", f"{name!r} is not a name for an organization", "invalid-organization-name")
    if _EMAIL.fullmatch(billing_email) is None:
        raise WrongField("billing_email", "is not an e-mail address", "invalid-billing-email")
    if wanted.website is not None and _WEBSITE.fullmatch(wanted.website) is None:
        raise WrongField("website", "is not an address", "invalid-website-url")
    return Answer(200, _organization(call, organizations.update_organization(call.db, old, wanted)))


def get_members(call: Call) -> Answer:
    """GET /v2/organizations/{organization_name}/members."""
    members = organizations.members_of(call.db, _find(call))
    return page_of(call, members, Cursor(lambda row: user_id(row["username"]), USER_ID), _member)


def post_member(call: Call) -> Answer:
    """POST /v2/organizations/{organization_name}/members: a user who is not a member, or with a quirk any user."""
    body = Body(call)
    asked, role = body.text("username"), body.word("role", _ROLES)
    membership = organizations.find_membership(call.db, _find(call)["name"], asked)
    username = find_user(call, asked)
    if membership["role"] is not None and not call.world.quirks.members_post_upserts:
        raise Refusal(422, f"{username!r} is a member of {membership['name']!r} already.", "entity-already-exists")
    return Answer(201, _member(organizations.put_member(call.world, call.db, membership, username, role)))


def get_member(call: Call) -> Answer:
    """GET /v2/organizations/{organization_name}/members/{username}."""
    return Answer(200, _member(_find_member(call)))


def put_member(call: Call) -> Answer:
    """PUT /v2/organizations/{organization_name}/members/{username}: the role of a member."""
    role = Body(call).word("role", _ROLES)
    username = _find_member(call)["username"]
    membership = organizations.find_membership(call.db, _find(call)["name"], username)
    return Answer(200, _member(organizations.put_member(call.world, call.db, membership, username, role)))


def delete_member(call: Call) -> Answer:
    """DELETE /v2/organizations/{organization_name}/members/{username}."""
    username = call.params["username"]
    membership = organizations.find_membership(call.db, _find(call)["name"], username)
    organizations.remove_member(call.db, membership, username)
    return Answer(204)


def get_user(call: Call) -> Answer:
    """GET /v2/users/{username}: a user, or an organization of that name."""
    name = call.params["username"]
    organization = call.db.one("SELECT * FROM organizations WHERE name = ? COLLATE NOCASE", name)
    if organization is not None:
        shown = _user(organization_uuid(organization["id"]), organization["name"], "organization")
        return Answer(200, {**shown, **{key: organization[key] for key in ("created_at", "updated_at")}})
    username = find_user(call, name)
    return Answer(200, _user(user_id(username), username, "user"))


def get_user_organizations(call: Call) -> Answer:
    """GET /v2/users/{username}/organizations, whose cursor has another name than in all other lists."""
    username = find_user(call, call.params["username"])

    def show(row: sqlite3.Row) -> JSON:
        shown: dict[str, JSON] = {
            "organization_id": organization_uuid(row["id"]),
            "organization_name": row["name"],
            "role": row["role"],
        }
        described = row["description"]
        return with_optional(call, shown, organization_description=described, organization_website=row["website"])

    cursor = Cursor[sqlite3.Row](lambda row: organization_uuid(row["id"]), name="organization_id")
    return page_of(call, organizations.memberships_of(call.db, username), cursor, show)


ENDPOINTS: Final[Endpoints] = {
    "/v2/organizations/{organization}": {"GET": get_organization, "PUT": put_organization},
    "/v2/organizations/{organization}/members": {"GET": get_members, "POST": post_member},
    "/v2/organizations/{organization}/members/{username}": {
        "GET": get_member,
        "PUT": put_member,
        "DELETE": delete_member,
    },
    "/v2/users/{username}": {"GET": get_user},
    "/v2/users/{username}/organizations": {"GET": get_user_organizations},
}


def _find(call: Call) -> sqlite3.Row:
    return organizations.find_organization_in_any_case(call.db, call.params["organization"])


def _find_member(call: Call) -> sqlite3.Row:
    organization = _find(call)
    username = call.params["username"]
    row = organizations.find_member(call.db, organization, username)
    if row is None:
        raise Refusal(404, f"{username!r} is not a member of {organization['name']!r}.", "not-found")
    return row


def _organization(call: Call, row: sqlite3.Row) -> dict[str, JSON]:
    """An Organization."""
    shown: dict[str, JSON] = {
        "id": organization_uuid(row["id"]),
        "name": row["name"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
    # v1 accepts an organization without one.
    email = row["billing_email"] or None
    return with_optional(call, shown, description=row["description"], website=row["website"], billing_email=email)


def _member(row: sqlite3.Row) -> dict[str, JSON]:
    """An OrganizationMember."""
    return {"user_id": user_id(row["username"]), "username": row["username"], "role": row["role"]}


def _user(identifier: str, name: str, kind: str) -> dict[str, JSON]:
    """A User."""
    return {"id": identifier, "name": name, "type": kind, "created_at": _LONG_AGO, "updated_at": _LONG_AGO}
