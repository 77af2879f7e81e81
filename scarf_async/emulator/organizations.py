"""Organizations and their members."""

from __future__ import annotations

import sqlite3

from scarf_async.emulator.answers import JSON, Answer, Refusal
from scarf_async.emulator.calls import Call
from scarf_async.emulator.people import person_key
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import now
from scarf_async.entities.enums import Role

__all__ = [
    "create_organization",
    "find_organization",
    "get_organization",
    "list_members",
    "remove_member",
    "update_organization",
    "upsert_member",
]

_MEMBERSHIP = """
SELECT o.id, o.name, m.role,
       EXISTS (SELECT 1 FROM members AS other
               WHERE other.organization_id = o.id AND other.role = 'owner' AND other.key <> ?) AS has_other_owner
FROM organizations AS o LEFT JOIN members AS m ON m.organization_id = o.id AND m.key = ?
WHERE o.name = ?
"""


def _organization(row: sqlite3.Row) -> dict[str, JSON]:
    """An OrganizationV1. A website that was not given is left out."""
    shown: dict[str, JSON] = {"name": row["name"], "description": row["description"]}
    if row["website"] is not None:
        shown["website"] = row["website"]
    shown |= {
        "billingEmail": row["billing_email"],
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
    }
    return shown


def _member(organization: str, row: sqlite3.Row) -> dict[str, JSON]:
    """An OrganizationMemberV1."""
    return {"organizationName": organization, "username": row["username"], "role": row["role"]}


def _unknown_organization(name: str) -> Refusal:
    return Refusal(404, f"There is no organization {name!r}.", "not-found")


def _taken(name: str) -> Refusal:
    return Refusal(409, f"There is an organization {name!r} already.", "entity-already-exists")


def find_organization(db: Transaction, name: str) -> sqlite3.Row:
    """The organization with exactly this name, or 404."""
    row = db.one("SELECT * FROM organizations WHERE name = ?", name)
    if row is None:
        raise _unknown_organization(name)
    return row


def get_organization(call: Call) -> Answer:
    """GET /organizations/{organization-name}."""
    return Answer(200, _organization(find_organization(call.db, call.params["organization"])))


def create_organization(call: Call) -> Answer:
    """POST /organizations: "The issuer of the request is made owner of the newly created organization"."""
    fields = call.fields()
    name = fields.filled("name")
    moment = now()
    (row,) = call.db.write(
        "INSERT INTO organizations (name, description, website, billing_email, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
        name,
        fields.required("description"),
        fields.optional("website"),
        fields.required("billingEmail"),
        moment,
        moment,
        taken=_taken(name),
    )
    user = call.world.user
    call.db.write(
        "INSERT INTO members (organization_id, key, username, role) VALUES (?, ?, ?, ?)",
        row["id"],
        person_key(user),
        user,
        Role.OWNER.value,
    )
    return Answer(201, _organization(row))


def update_organization(call: Call) -> Answer:
    """PUT /organizations/{organization-name}: states all fields anew; another name renames."""
    fields = call.fields()
    organization = find_organization(call.db, call.params["organization"])
    name = fields.filled("name")
    (row,) = call.db.write(
        "UPDATE organizations SET name = ?, description = ?, website = ?, billing_email = ?, updated_at = ?"
        " WHERE id = ? RETURNING *",
        name,
        fields.required("description"),
        fields.optional("website"),
        fields.required("billingEmail"),
        now(),
        organization["id"],
        taken=_taken(name),
    )
    return Answer(200, _organization(row))


def list_members(call: Call) -> Answer:
    """GET /organizations/{organization-name}/users."""
    organization = find_organization(call.db, call.params["organization"])
    rows = call.db.all("SELECT * FROM members WHERE organization_id = ? ORDER BY id", organization["id"])
    return Answer(200, [_member(organization["name"], row) for row in rows])


def upsert_member(call: Call) -> Answer:
    """POST /organizations/{organization-name}/users: "Creates or updates a membership"."""
    fields = call.fields()
    membership = _membership(call, fields.filled("username"))
    role = fields.word("role", Role)
    username = call.world.people.by_username(fields.filled("username"))
    if username is None:
        raise fields.refusal("username", f"there is no user {fields.filled('username')!r}", 404, "not-found")
    if membership["role"] is None:
        _refuse_one_too_many(call, membership["id"])
    if _is_last_owner(membership) and role != Role.OWNER:
        raise Refusal(422, "The last owner of an organization stays its owner.", "cannot-revoke-ownership")
    (row,) = call.db.write(
        "INSERT INTO members (organization_id, key, username, role) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (organization_id, key) DO UPDATE SET role = excluded.role RETURNING username, role",
        membership["id"],
        person_key(username),
        username,
        role,
    )
    return Answer(200, _member(membership["name"], row))


def remove_member(call: Call) -> Answer:
    """DELETE /organizations/{organization-name}/users/{username}."""
    username = call.params["username"]
    membership = _membership(call, username)
    if membership["role"] is None:
        raise Refusal(404, f"{username!r} is not a member of {membership['name']!r}.", "not-found")
    if _is_last_owner(membership):
        raise Refusal(422, "The last owner of an organization cannot be removed.", "cannot-delete-owner")
    call.db.write(
        "DELETE FROM members WHERE organization_id = ? AND key = ?", membership["id"], person_key(username)
    )
    return Answer(204)


def _membership(call: Call, username: str) -> sqlite3.Row:
    """The path's organization, the user's role in it (None: no member), and whether others own it."""
    name = call.params["organization"]
    row = call.db.one(_MEMBERSHIP, person_key(username), person_key(username), name)
    if row is None:
        raise _unknown_organization(name)
    return row


def _refuse_one_too_many(call: Call, organization_id: int) -> None:
    limit = call.world.max_members
    if limit is None:
        return
    row = call.db.one("SELECT count(*) AS size FROM members WHERE organization_id = ?", organization_id)
    if row is not None and row["size"] >= limit:
        complaint = f"The organization has its {limit} members."
        raise Refusal(422, complaint, "max-organization-members-reached")


def _is_last_owner(membership: sqlite3.Row) -> bool:
    return bool(membership["role"] == Role.OWNER and not membership["has_other_owner"])
