"""Packages of every type and the permissions on them: the rules, and the rows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import attrs

from scarf_async.emulator.answers import Refusal, WrongField
from scarf_async.emulator.model.gateway import refuse_other_registry
from scarf_async.emulator.model.owners import Owner, owner_of
from scarf_async.emulator.people import person_key
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import now, url_host
from scarf_async.emulator.world import World
from scarf_async.entities.enums import LibraryType, PermissionLevel

__all__ = [
    "Addresses",
    "PackageFields",
    "create_package",
    "delete_package",
    "find_named_package",
    "find_owned_package",
    "find_package",
    "find_visible_package",
    "packages_of",
    "permissions_of",
    "same_type",
    "set_permissions",
    "update_package",
    "visible_packages",
]

_VISIBLE: Final = """
SELECT * FROM owned_packages
WHERE (username = ? OR organization_id IN (SELECT organization_id FROM members WHERE key = ?))
"""
# The name of a container image may be written with or without its owner.
_VISIBLE_BY_NAME: Final = f"""{_VISIBLE}
AND (name = ? OR library_type = 'docker' AND (owner || '/' || name = ? OR owner || '/' || ? = name))
ORDER BY id
"""
_SAME_NAME: Final = """
SELECT name FROM packages
WHERE coalesce(organization_id, 0) = coalesce(?, 0) AND coalesce(username, '') = coalesce(?, '')
AND library_type IN (?, ?) AND name IN (?, ?) AND uuid <> ?
"""
_PYTHON: Final = (LibraryType.PYPI, LibraryType.PYTHON)


# "at least 1 path component with each path component matching" this (PackageUpsertV1.backendUrl)
_PATH_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)


@attrs.frozen
class Addresses:
    """The URLs of a package, which responses of v1 never show."""

    backend_url: str | None = None
    public_url: str | None = None
    repository_url: str | None = None


@attrs.frozen
class PackageFields:
    """The fields of a package in a request; a type of None was omitted."""

    name: str
    short_description: str | None
    long_description: str | None
    website: str | None
    library_type: str | None
    addresses: Addresses
    importance: str | None = None


def find_package(db: Transaction, uuid: str) -> sqlite3.Row:
    """The package with this UUID, or 404."""
    row = db.one("SELECT * FROM owned_packages WHERE uuid = ?", uuid.lower())
    if row is None:
        raise Refusal(404, f"There is no package {uuid!r}.", "not-found")
    return row


def find_owned_package(db: Transaction, owner: Owner, uuid: str) -> sqlite3.Row:
    """The package with this UUID if it is this owner's, else 404."""
    row = find_package(db, uuid)
    if owner_of(row) != owner:
        raise Refusal(404, f"{owner.name!r} has no package {row['uuid']}.", "not-found")
    return row


def packages_of(db: Transaction, owner: Owner) -> list[sqlite3.Row]:
    """The packages of an organization, or a user's own."""
    sql = "SELECT * FROM owned_packages WHERE organization_id IS ? AND username IS ? ORDER BY id"
    return db.all(sql, owner.organization_id, owner.username)


def find_named_package(
    db: Transaction, owner: Owner, library_type: str, name: str, itself: str = ""
) -> sqlite3.Row | None:
    """Another package of an owner with a type and name; the name of an image is its path."""
    column = "url_path(backend_url)" if library_type == LibraryType.DOCKER else "name"
    return db.one(
        f"SELECT * FROM owned_packages WHERE {column} = ? AND library_type IN (?, ?)"  # noqa: S608 # of ours
        " AND organization_id IS ? AND username IS ? AND uuid <> ? ORDER BY id",
        name,
        *same_type(library_type),
        owner.organization_id,
        owner.username,
        itself,
    )


def visible_packages(world: World, db: Transaction) -> list[sqlite3.Row]:
    """The user's own, and those of the organizations of which the user is a member."""
    return db.all(f"{_VISIBLE} ORDER BY id", world.user, person_key(world.user))


def find_visible_package(world: World, db: Transaction, asked: str, wanted: str | None) -> sqlite3.Row:
    """The package with this UUID, or the visible one with this name and, if given, type."""
    row = db.one("SELECT * FROM owned_packages WHERE uuid = ?", asked.lower())
    if row is not None:
        return row
    rows = db.all(_VISIBLE_BY_NAME, world.user, person_key(world.user), asked, asked, asked)
    found = [row for row in rows if wanted in {None, row["library_type"]}]
    found = [row for row in found if row["name"] == asked] or found
    if not found:
        raise Refusal(404, f"There is no package {asked!r}.", "not-found")
    if len(found) > 1:
        namesakes = ", ".join(f"{row['owner']} ({row['library_type']})" for row in found)
        raise Refusal(400, f"There are several packages {asked!r}: {namesakes}. Use packageType or the UUID.")
    return found[0]


def create_package(db: Transaction, owner: Owner, wanted: PackageFields) -> sqlite3.Row:
    """Create a package; without a type it gets the type `other`."""
    library_type = wanted.library_type or LibraryType.OTHER.value
    addresses = _checked(wanted.addresses, library_type)
    if library_type == LibraryType.DOCKER and addresses.backend_url is None:
        raise WrongField("backend_url", "is required for a docker package", "backend-registry-is-empty")
    _refuse_second(db, owner, library_type, wanted.name)
    _refuse_other_registry(db, addresses)
    moment = now()
    (row,) = db.write(
        "INSERT INTO packages (uuid, organization_id, username, name, library_type, short_description,"
        " long_description, website, backend_url, public_url, repository_url, importance, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *, ? AS owner",
        str(uuid4()),
        owner.organization_id,
        owner.username,
        wanted.name,
        library_type,
        wanted.short_description,
        wanted.long_description,
        wanted.website,
        *attrs.astuple(addresses),
        wanted.importance,
        moment,
        moment,
        owner.name,
    )
    return row


def update_package(db: Transaction, old: sqlite3.Row, wanted: PackageFields) -> sqlite3.Row:
    """Replace the descriptions, website and importance of a package of the same type.

    Omitted URLs stay: responses do not show them, so nobody could repeat them.
    """
    library_type: str = old["library_type"]
    if (wanted.library_type or library_type) != library_type:
        raise WrongField("library_type", f"cannot be changed after creation; it is {library_type!r}")
    kept = Addresses(old["backend_url"], old["public_url"], old["repository_url"])
    addresses = _checked(wanted.addresses, library_type, kept)
    owner = owner_of(old)
    _refuse_second(db, owner, library_type, wanted.name, old["uuid"])
    _refuse_other_registry(db, addresses, old["id"])
    (row,) = db.write(
        "UPDATE packages SET name = ?, short_description = ?, long_description = ?, website = ?,"
        " backend_url = ?, public_url = ?, repository_url = ?, importance = ?, updated_at = ? WHERE id = ?"
        " RETURNING *, ? AS owner",
        wanted.name,
        wanted.short_description,
        wanted.long_description,
        wanted.website,
        *attrs.astuple(addresses),
        wanted.importance,
        now(),
        old["id"],
        owner.name,
    )
    return row


def delete_package(db: Transaction, package: sqlite3.Row) -> None:
    """Delete a package with its permissions, routes and domains."""
    db.write("DELETE FROM packages WHERE id = ?", package["id"])


def permissions_of(db: Transaction, package: sqlite3.Row) -> list[sqlite3.Row]:
    """The users with a level of their own."""
    return db.all("SELECT * FROM permissions WHERE package_id = ? ORDER BY id", package["id"])


def set_permissions(db: Transaction, package: sqlite3.Row, levels: Mapping[str, tuple[str, str]]) -> None:
    """Set levels: usernames and levels by person. The level `default` removes a level."""
    reset = [key for key, (_, level) in levels.items() if level == PermissionLevel.DEFAULT]
    rows = [(package["id"], key, *value) for key, value in levels.items() if value[1] != PermissionLevel.DEFAULT]
    if reset:
        db.write_many(
            "DELETE FROM permissions WHERE package_id = ? AND key = ?", [(package["id"], key) for key in reset]
        )
    if rows:
        db.write_many(
            "INSERT INTO permissions (package_id, key, username, level) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (package_id, key) DO UPDATE SET level = excluded.level",
            rows,
        )


def _checked(wanted: Addresses, library_type: str, kept: Addresses | None = None) -> Addresses:
    """Validate the URLs after this request, and return them."""
    for name, value in (("backend_url", wanted.backend_url), ("public_url", wanted.public_url)):
        if value is not None:
            if library_type != LibraryType.DOCKER:
                raise WrongField(name, "is for docker packages only")
            _check_registry_url(name, value)
    if wanted.repository_url is not None:
        if library_type not in _PYTHON:
            raise WrongField("repository_url", "is for python packages only")
        _path("repository_url", wanted.repository_url)
    kept = kept or Addresses()
    addresses = Addresses(
        kept.backend_url if wanted.backend_url is None else wanted.backend_url,
        kept.public_url if wanted.public_url is None else wanted.public_url,
        kept.repository_url if wanted.repository_url is None else wanted.repository_url,
    )
    if addresses.backend_url is not None and addresses.public_url is not None:
        # The description of publicUrl: a "valid URL matching backendUrl's path parts".
        backend, public = _path("backend_url", addresses.backend_url), _path("public_url", addresses.public_url)
        if backend != public:
            raise WrongField("public_url", f"its path {public!r} is not backendUrl's path {backend!r}")
    return addresses


def _path(name: str, url: str) -> str:
    """Return the path of a URL; refuse anything but an absolute http or https URL."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or any(c.isspace() for c in url):
        raise WrongField(name, f"{url!r} is not an absolute http or https URL")
    return parts.path


def _check_registry_url(name: str, url: str) -> None:
    """Refuse a registry URL whose path is empty, or has a component that does not match the described pattern."""
    components = _path(name, url).split("/")[1:]
    if not components or not all(_PATH_COMPONENT.fullmatch(component) for component in components):
        pattern = _PATH_COMPONENT.pattern
        raise WrongField(name, f"{url!r} needs at least one path component, and each must match {pattern}")


def _refuse_other_registry(db: Transaction, addresses: Addresses, package_id: int | None = None) -> None:
    """Refuse a package with a 422 if one of its hosts would lead to two registries."""
    if addresses.backend_url is None:
        return
    rows = db.all("SELECT key FROM package_domains WHERE package_id = ?", package_id)
    for host in filter(None, (url_host(addresses.public_url), *(row["key"] for row in rows))):
        refuse_other_registry(db, host, addresses.backend_url, package_id)


def _refuse_second(db: Transaction, owner: Owner, library_type: str, name: str, itself: str = "") -> None:
    """Refuse a second package of the same owner, type and name with a 409."""
    bare, prefixed = name, name
    if library_type == LibraryType.DOCKER:
        bare = name.removeprefix(f"{owner.name}/")
        prefixed = f"{owner.name}/{bare}"
    same = same_type(library_type)
    row = db.one(_SAME_NAME, owner.organization_id, owner.username, *same, bare, prefixed, itself)
    if row is not None:
        message = f"{owner.name!r} has a {library_type} package {row['name']!r} already."
        raise Refusal(409, message, "package-already-exists")


def same_type(library_type: str) -> tuple[str, str]:
    """Return all words for a type: pypi is python."""
    return _PYTHON if library_type in _PYTHON else (library_type, library_type)
