"""Organizations and their members: the rules, and the rows."""

from __future__ import annotations

import sqlite3

import attrs

from scarf_async.emulator.answers import Refusal
from scarf_async.emulator.people import person_key
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import now
from scarf_async.emulator.world import World
from scarf_async.entities.enums import Role

__all__ = [
    "OrganizationFields",
    "create_organization",
    "find_member",
    "find_membership",
    "find_organization",
    "find_organization_in_any_case",
    "members_of",
    "memberships_of",
    "put_member",
    "remove_member",
    "update_organization",
]

_MEMBERSHIP = """
SELECT o.id, o.name, m.role,
       EXISTS (SELECT 1 FROM members AS other
               WHERE other.organization_id = o.id AND other.role = 'owner' AND other.key <> ?) AS has_other_owner
FROM organizations AS o LEFT JOIN members AS m ON m.organization_id = o.id AND m.key = ?
WHERE o.name = ?
"""


@attrs.frozen
class OrganizationFields:
    """The fields of an organization in a request."""

    name: str
    description: str | None
    website: str | None
    billing_email: str


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


def find_organization_in_any_case(db: Transaction, name: str) -> sqlite3.Row:
    """The organization with this name in any case, or 404."""
    row = db.one("SELECT * FROM organizations WHERE name = ? COLLATE NOCASE ORDER BY name <> ?", name, name)
    if row is None:
        raise _unknown_organization(name)
    return row


def memberships_of(db: Transaction, username: str) -> list[sqlite3.Row]:
    """The organizations of which a user is a member, each with the role."""
    return db.all(
        "SELECT o.*, m.role FROM members AS m JOIN organizations AS o ON o.id = m.organization_id WHERE m.key = ?",
        person_key(username),
    )


def create_organization(world: World, db: Transaction, wanted: OrganizationFields) -> sqlite3.Row:
    """A new organization, whose owner is the token's user."""
    moment = now()
    (row,) = db.write(
        "INSERT INTO organizations (name, description, website, billing_email, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
        *attrs.astuple(wanted),
        moment,
        moment,
        taken=_taken(wanted.name),
    )
    db.write(
        "INSERT INTO members (organization_id, key, username, role) VALUES (?, ?, ?, ?)",
        row["id"],
        person_key(world.user),
        world.user,
        Role.OWNER.value,
    )
    return row


def update_organization(db: Transaction, organization: sqlite3.Row, wanted: OrganizationFields) -> sqlite3.Row:
    """Replace all fields of an organization; another name renames it."""
    (row,) = db.write(
        "UPDATE organizations SET name = ?, description = ?, website = ?, billing_email = ?, updated_at = ?"
        " WHERE id = ? RETURNING *",
        *attrs.astuple(wanted),
        now(),
        organization["id"],
        taken=_taken(wanted.name),
    )
    return row


def members_of(db: Transaction, organization: sqlite3.Row) -> list[sqlite3.Row]:
    """The members, in the order in which they were added."""
    return db.all("SELECT * FROM members WHERE organization_id = ? ORDER BY id", organization["id"])


def find_member(db: Transaction, organization: sqlite3.Row, username: str) -> sqlite3.Row | None:
    """A member of an organization, or None."""
    sql = "SELECT * FROM members WHERE organization_id = ? AND key = ?"
    return db.one(sql, organization["id"], person_key(username))


def find_membership(db: Transaction, organization: str, username: str) -> sqlite3.Row:
    """An organization, the user's role in it (None: not a member), and whether others own it; or 404."""
    row = db.one(_MEMBERSHIP, person_key(username), person_key(username), organization)
    if row is None:
        raise _unknown_organization(organization)
    return row


def put_member(world: World, db: Transaction, membership: sqlite3.Row, username: str, role: str) -> sqlite3.Row:
    """Create or update a membership."""
    if membership["role"] is None:
        _refuse_one_too_many(world, db, membership["id"])
    if _is_last_owner(membership) and role != Role.OWNER:
        raise Refusal(422, "The last owner of an organization stays its owner.", "cannot-revoke-ownership")
    (row,) = db.write(
        "INSERT INTO members (organization_id, key, username, role) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (organization_id, key) DO UPDATE SET role = excluded.role RETURNING username, role",
        membership["id"],
        person_key(username),
        username,
        role,
    )
    return row


def remove_member(db: Transaction, membership: sqlite3.Row, username: str) -> None:
    """Delete a membership."""
    if membership["role"] is None:
        raise Refusal(404, f"{username!r} is not a member of {membership['name']!r}.", "not-found")
    if _is_last_owner(membership):
        raise Refusal(422, "The last owner of an organization cannot be removed.", "cannot-delete-owner")
    db.write("DELETE FROM members WHERE organization_id = ? AND key = ?", membership["id"], person_key(username))


def _refuse_one_too_many(world: World, db: Transaction, organization_id: int) -> None:
    limit = world.max_members
    if limit is None:
        return
    row = db.one("SELECT count(*) AS size FROM members WHERE organization_id = ?", organization_id)
    if row is not None and row["size"] >= limit:
        complaint = f"The organization has its {limit} members."
        raise Refusal(422, complaint, "max-organization-members-reached")


def _is_last_owner(membership: sqlite3.Row) -> bool:
    return bool(membership["role"] == Role.OWNER and not membership["has_other_owner"])
