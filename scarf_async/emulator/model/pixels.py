"""Tracking pixels and their domains, which v1 does not have: the rules, and the rows."""

from __future__ import annotations

import sqlite3
from uuid import uuid4

import attrs

from scarf_async.emulator.answers import Refusal, WrongField
from scarf_async.emulator.model.gateway import check_domain, refuse_other_owner
from scarf_async.emulator.model.owners import Owner, owner_of
from scarf_async.emulator.people import person_key
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import now
from scarf_async.emulator.world import World

__all__ = [
    "PixelFields",
    "add_pixel_domain",
    "create_pixel",
    "delete_pixel",
    "domains_of_pixel",
    "find_pixel",
    "find_pixel_domain",
    "pixels_of",
    "pixels_of_package",
    "remove_pixel_domain",
    "update_pixel",
    "visible_pixels",
]


@attrs.frozen
class PixelFields:
    """The fields of a pixel in a request."""

    name: str
    package_id: int | None
    importance: str | None
    track_companies: bool
    short_description: str | None
    long_description: str | None

    def check(self) -> None:
        """Refuse a pixel without a name."""
        if not self.name.strip():
            raise WrongField("name", "must not be empty", "name-is-empty")


def pixels_of(db: Transaction, owner: Owner) -> list[sqlite3.Row]:
    """The pixels of an owner."""
    sql = "SELECT * FROM owned_pixels WHERE organization_id IS ? AND username IS ? ORDER BY id"
    return db.all(sql, owner.organization_id, owner.username)


def pixels_of_package(db: Transaction, package: sqlite3.Row) -> list[sqlite3.Row]:
    """The pixels that belong to a package."""
    return db.all("SELECT * FROM owned_pixels WHERE package_id = ? ORDER BY id", package["id"])


def visible_pixels(world: World, db: Transaction) -> list[sqlite3.Row]:
    """The user's own, and those of the organizations of which the user is a member."""
    return db.all(
        "SELECT * FROM owned_pixels WHERE username = ?"
        " OR organization_id IN (SELECT organization_id FROM members WHERE key = ?) ORDER BY id",
        world.user,
        person_key(world.user),
    )


def find_pixel(db: Transaction, owner: Owner, pixel: str) -> sqlite3.Row:
    """A pixel of an owner, or 404."""
    row = db.one("SELECT * FROM owned_pixels WHERE uuid = ?", pixel.lower())
    if row is None or owner_of(row) != owner:
        raise Refusal(404, f"{owner.name!r} has no tracking pixel {pixel!r}.", "not-found")
    return row


def create_pixel(db: Transaction, owner: Owner, wanted: PixelFields) -> sqlite3.Row:
    """A new pixel."""
    wanted.check()
    moment = now()
    (row,) = db.write(
        "INSERT INTO pixels (name, package_id, importance, track_companies, short_description, long_description,"
        " uuid, organization_id, username, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " RETURNING *, ? AS owner",
        *attrs.astuple(wanted),
        str(uuid4()),
        owner.organization_id,
        owner.username,
        moment,
        moment,
        owner.name,
        taken=_taken(wanted),
    )
    return row


def update_pixel(db: Transaction, pixel: sqlite3.Row, wanted: PixelFields) -> sqlite3.Row:
    """Replace all fields of a pixel."""
    wanted.check()
    (row,) = db.write(
        "UPDATE pixels SET name = ?, package_id = ?, importance = ?, track_companies = ?, short_description = ?,"
        " long_description = ?, updated_at = ? WHERE id = ? RETURNING *, ? AS owner",
        *attrs.astuple(wanted),
        now(),
        pixel["id"],
        pixel["owner"],
        taken=_taken(wanted),
    )
    return row


def delete_pixel(db: Transaction, pixel: sqlite3.Row) -> None:
    """Delete a pixel with its domains."""
    db.write("DELETE FROM pixels WHERE id = ?", pixel["id"])


def domains_of_pixel(db: Transaction, pixel: sqlite3.Row) -> list[sqlite3.Row]:
    """The domains of a pixel."""
    return db.all("SELECT * FROM pixel_domains WHERE pixel_id = ? ORDER BY id", pixel["id"])


def find_pixel_domain(db: Transaction, pixel: sqlite3.Row, domain: str) -> sqlite3.Row:
    """A domain of a pixel, or 404."""
    row = db.one("SELECT * FROM pixel_domains WHERE pixel_id = ? AND uuid = ?", pixel["id"], domain)
    if row is None:
        raise Refusal(404, f"The tracking pixel has no domain {domain!r}.", "not-found")
    return row


def add_pixel_domain(db: Transaction, pixel: sqlite3.Row, name: str) -> sqlite3.Row:
    """A new domain of a pixel. An owner may have one name on any number of pixels and packages."""
    owner = owner_of(pixel)
    check_domain(owner, name)
    refuse_other_owner(db, owner, name)
    (row,) = db.write(
        "INSERT INTO pixel_domains (uuid, pixel_id, key, name, created_at) VALUES (?, ?, ?, ?, ?) RETURNING *",
        str(uuid4()),
        pixel["id"],
        name.casefold(),
        name,
        now(),
        taken=Refusal(409, f"The tracking pixel has the domain {name!r} already.", "domain-is-already-in-use"),
    )
    return row


def remove_pixel_domain(db: Transaction, pixel: sqlite3.Row, domain: str) -> None:
    """Delete a domain of a pixel, or 404. The last one can be deleted too: `static.scarf.sh` serves every pixel."""
    db.write("DELETE FROM pixel_domains WHERE id = ?", find_pixel_domain(db, pixel, domain)["id"])


def _taken(wanted: PixelFields) -> Refusal:
    return Refusal(409, f"There is a tracking pixel {wanted.name!r} already.", "name-already-exists")
