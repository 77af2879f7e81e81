"""The owners of packages, pixels and collections: organizations or users, and their ids."""

from __future__ import annotations

import hashlib
import sqlite3
import string
from typing import Final
from uuid import UUID, uuid5

import attrs

from scarf_async.emulator.answers import Refusal
from scarf_async.emulator.people import person_key
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.world import World

__all__ = ["Owner", "find_owner", "organization_uuid", "owner_of", "user_id"]

_ORGANIZATIONS: Final = UUID("0b0c6d40-6f1c-4c86-9a0e-6f5d3d6cf2c1")
_ALPHABET: Final = string.digits + string.ascii_letters
_ANY_CASE: Final = "SELECT id, name FROM organizations WHERE name = ? COLLATE NOCASE ORDER BY name <> ?"


@attrs.frozen
class Owner:
    """An organization, or a user."""

    name: str
    organization_id: int | None = None
    username: str | None = None


def find_owner(world: World, db: Transaction, name: str) -> Owner:
    """The organization of a name in any case, or the token's user; otherwise 404."""
    organization = db.one(_ANY_CASE, name, name)
    if organization is not None:
        return Owner(organization["name"], organization["id"])
    username = world.people.by_username(name)
    if username is None or person_key(username) != person_key(world.user):
        raise Refusal(404, f"There is no organization or user {name!r}.", "not-found")
    return Owner(world.user, username=world.user)


def owner_of(row: sqlite3.Row) -> Owner:
    """The owner of a package, a pixel or a collection."""
    return Owner(row["owner"], row["organization_id"], row["username"])


def organization_uuid(organization_id: int) -> str:
    """The id of an organization, which does not change when it is renamed."""
    return str(uuid5(_ORGANIZATIONS, str(organization_id)))


def user_id(username: str) -> str:
    """The id of a user: letters and digits."""
    number = int.from_bytes(hashlib.sha256(person_key(username).encode()).digest()[:8])
    digits = []
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)
