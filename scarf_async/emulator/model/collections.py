"""Collections: patterns of images behind one domain, which v1 does not have. The rules, and the rows."""

from __future__ import annotations

import re
import sqlite3
from typing import Final
from uuid import uuid4

import attrs

from scarf_async.emulator.answers import Refusal, WrongField
from scarf_async.emulator.model import gateway
from scarf_async.emulator.model.names import names_matching
from scarf_async.emulator.model.owners import Owner, owner_of
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import now
from scarf_async.entities.enums import LibraryType

__all__ = [
    "CollectionFields",
    "check_registry",
    "collections_of",
    "create_collection",
    "delete_collection",
    "find_collection",
    "public_domain",
    "update_collection",
]

_REGISTRY: Final = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*(?::\d{1,5})?", re.ASCII | re.IGNORECASE)
_PATTERN: Final = re.compile(r"[a-z0-9._/{},*-]+", re.ASCII)


@attrs.frozen
class CollectionFields:
    """The fields of a collection in a request."""

    pattern: str
    backend_domain: str
    public_domain: str | None


def check_registry(field: str, registry: str) -> None:
    """Refuse anything but the host of a registry, with or without a port."""
    if not registry.strip():
        raise WrongField(field, "must not be empty", "backend-registry-is-empty")
    if _REGISTRY.fullmatch(registry) is None:
        raise WrongField(field, f"{registry!r} is not a host", "backend-registry-has-invalid-characters")


def public_domain(collection: sqlite3.Row) -> str:
    """The domain of a collection: by default Scarf's own for the owner."""
    return collection["public_domain"] or gateway.default_domain(owner_of(collection), LibraryType.DOCKER) or ""


def collections_of(db: Transaction, owner: Owner) -> list[sqlite3.Row]:
    """The collections of an owner."""
    sql = "SELECT * FROM owned_collections WHERE organization_id IS ? AND username IS ? ORDER BY id"
    return db.all(sql, owner.organization_id, owner.username)


def find_collection(db: Transaction, owner: Owner, collection: str) -> sqlite3.Row:
    """A collection of an owner, or 404."""
    row = db.one("SELECT * FROM owned_collections WHERE uuid = ?", collection.lower())
    if row is None or owner_of(row) != owner:
        raise Refusal(404, f"{owner.name!r} has no collection {collection!r}.", "not-found")
    return row


def create_collection(db: Transaction, owner: Owner, wanted: CollectionFields) -> sqlite3.Row:
    """A new collection, of docker images."""
    wanted = _checked(db, owner, wanted)
    moment = now()
    (row,) = db.write(
        "INSERT INTO collections (pattern, backend_domain, public_domain, uuid, organization_id, username, type,"
        " created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *, ? AS owner",
        *attrs.astuple(wanted),
        str(uuid4()),
        owner.organization_id,
        owner.username,
        LibraryType.DOCKER.value,
        moment,
        moment,
        owner.name,
        taken=_taken(wanted),
    )
    return row


def update_collection(db: Transaction, collection: sqlite3.Row, wanted: CollectionFields) -> sqlite3.Row:
    """A collection with all fields replaced."""
    wanted = _checked(db, owner_of(collection), wanted, collection["id"])
    (row,) = db.write(
        "UPDATE collections SET pattern = ?, backend_domain = ?, public_domain = ?, updated_at = ? WHERE id = ?"
        " RETURNING *, ? AS owner",
        *attrs.astuple(wanted),
        now(),
        collection["id"],
        collection["owner"],
        taken=_taken(wanted),
    )
    return row


def delete_collection(db: Transaction, collection: sqlite3.Row) -> None:
    """Delete a collection."""
    db.write("DELETE FROM collections WHERE id = ?", collection["id"])


def _checked(
    db: Transaction, owner: Owner, wanted: CollectionFields, collection_id: int | None = None
) -> CollectionFields:
    """Validate the fields, and return them in the form for comparisons."""
    if not wanted.pattern.strip():
        raise WrongField("pattern", "must not be empty", "pattern-is-empty")
    if _PATTERN.fullmatch(wanted.pattern) is None:
        raise WrongField("pattern", "holds what no image's name does", "pattern-has-invalid-characters")
    try:
        names_matching(wanted.pattern)
    except Refusal:
        raise WrongField("pattern", "is not a pattern", "pattern-is-invalid") from None
    check_registry("backend_domain", wanted.backend_domain)
    registry = wanted.backend_domain.casefold()
    domain = gateway.public_domain(db, owner, LibraryType.DOCKER, wanted.public_domain, "public_domain")
    if domain is not None:
        domain = domain.casefold()
        other = gateway.registry_behind(db, domain, collection_id=collection_id)
        if other not in {None, registry}:
            raise Refusal(
                422, f"{domain!r} leads to {other!r} and not to {registry!r}.", "collection-is-conflicting"
            )
    return CollectionFields(wanted.pattern, registry, domain)


def _taken(wanted: CollectionFields) -> Refusal:
    return Refusal(409, f"There is a collection {wanted.pattern!r} already.", "pattern-is-duplicated")
