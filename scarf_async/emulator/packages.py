"""Packages of every type."""

from __future__ import annotations

import sqlite3
from typing import Final
from uuid import uuid4

import attrs

from scarf_async.emulator.answers import JSON, Answer, Refusal
from scarf_async.emulator.calls import Call
from scarf_async.emulator.hosts import refuse_other_registry
from scarf_async.emulator.organizations import find_organization
from scarf_async.emulator.people import person_key
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import Fields, check_absolute_url, check_registry_url, now, url_host
from scarf_async.entities.enums import LibraryType

__all__ = [
    "create_organization_package",
    "create_package",
    "delete_package",
    "find_package",
    "get_package",
    "list_organization_packages",
    "list_packages",
    "update_package",
]

_VISIBLE: Final = """
SELECT * FROM owned_packages
WHERE (username = ? OR organization_id IN (SELECT organization_id FROM members WHERE key = ?))
"""
# The name of a container image may be written with its owner in front or without.
_VISIBLE_BY_NAME: Final = f"""{_VISIBLE}
AND (name = ? OR library_type = 'docker' AND (owner || '/' || name = ? OR owner || '/' || ? = name))
ORDER BY id
"""
_SAME_NAME: Final = """
SELECT name FROM packages
WHERE coalesce(organization_id, 0) = coalesce(?, 0) AND coalesce(username, '') = coalesce(?, '')
AND library_type = ? AND name IN (?, ?) AND uuid <> ?
"""
_PYTHON: Final = (LibraryType.PYPI, LibraryType.PYTHON)


@attrs.frozen
class _Owner:
    name: str
    organization_id: int | None
    username: str | None


@attrs.frozen
class _Addresses:
    """The addresses of a package, which answers never show."""

    backend_url: str | None = None
    public_url: str | None = None
    repository_url: str | None = None


def _package(row: sqlite3.Row) -> dict[str, JSON]:
    """A PackageV1: no addresses, and what was not given is left out."""
    shown: dict[str, JSON] = {
        "uuid": row["uuid"],
        "owner": row["owner"],
        "name": row["name"],
        "shortDescription": row["short_description"],
        "createdAt": row["created_at"],
    }
    if row["long_description"] is not None:
        shown["longDescription"] = row["long_description"]
    if row["website"] is not None:
        shown["website"] = row["website"]
    shown["libraryType"] = row["library_type"]
    return shown


def find_package(db: Transaction, uuid: str) -> sqlite3.Row:
    """The package with this UUID, or 404. Names serve in `GET /packages/{package-name}` alone."""
    row = db.one("SELECT * FROM owned_packages WHERE uuid = ?", uuid.lower())
    if row is None:
        raise Refusal(404, f"There is no package {uuid!r}.", "not-found")
    return row


def list_packages(call: Call) -> Answer:
    """GET /packages: the user's own, and those of the organizations of which the user is a member."""
    user = call.world.user
    rows = call.db.all(f"{_VISIBLE} ORDER BY id", user, person_key(user))
    return Answer(200, [_package(row) for row in rows])


def list_organization_packages(call: Call) -> Answer:
    """GET /organizations/{organization-name}/packages."""
    organization = find_organization(call.db, call.params["organization"])
    rows = call.db.all("SELECT * FROM owned_packages WHERE organization_id = ? ORDER BY id", organization["id"])
    return Answer(200, [_package(row) for row in rows])


def get_package(call: Call) -> Answer:
    """GET /packages/{package-id}, or a package name, which `packageType` tells from its namesakes."""
    asked = call.params["package"]
    row = call.db.one("SELECT * FROM owned_packages WHERE uuid = ?", asked.lower())
    if row is not None:
        return Answer(200, _package(row))
    user, wanted = call.world.user, call.query.get("packageType")
    rows = call.db.all(_VISIBLE_BY_NAME, user, person_key(user), asked, asked, asked)
    found = [row for row in rows if wanted in {None, row["library_type"]}]
    found = [row for row in found if row["name"] == asked] or found
    if not found:
        raise Refusal(404, f"There is no package {asked!r}.", "not-found")
    if len(found) > 1:
        namesakes = ", ".join(f"{row['owner']} ({row['library_type']})" for row in found)
        raise Refusal(400, f"There are several packages {asked!r}: {namesakes}. Use packageType or the UUID.")
    return Answer(200, _package(found[0]))


def create_package(call: Call) -> Answer:
    """POST /packages: the package belongs to the user."""
    user = call.world.user
    return _create(call, _Owner(user, None, user))


def create_organization_package(call: Call) -> Answer:
    """POST /organizations/{organization-name}/packages: the package belongs to the organization."""
    organization = find_organization(call.db, call.params["organization"])
    return _create(call, _Owner(organization["name"], organization["id"], None))


def _create(call: Call, owner: _Owner) -> Answer:
    fields = call.fields()
    name = fields.filled("name")
    short_description = fields.required("shortDescription")
    library_type = _library_type(fields) or LibraryType.OTHER.value
    addresses = _addresses(fields, library_type)
    if library_type == LibraryType.DOCKER and addresses.backend_url is None:
        raise fields.refusal("backendUrl", "is required for a docker package", code="backend-registry-is-empty")
    _refuse_second(call.db, owner, library_type, name)
    _refuse_other_registry(call.db, addresses)
    (row,) = call.db.write(
        "INSERT INTO packages (uuid, organization_id, username, name, library_type, short_description,"
        " long_description, website, backend_url, public_url, repository_url, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *, ? AS owner",
        str(uuid4()),
        owner.organization_id,
        owner.username,
        name,
        library_type,
        short_description,
        fields.optional("longDescription"),
        fields.optional("website"),
        addresses.backend_url,
        addresses.public_url,
        addresses.repository_url,
        now(),
        owner.name,
    )
    return Answer(201, _package(row))


def update_package(call: Call) -> Answer:
    """PUT /packages/{package-id}: "libraryType can't be changed after package creation".

    The body states the descriptions and the website anew. Addresses that are left out stay: answers do not
    show them, so nobody could repeat them.
    """
    fields = call.fields()
    old = find_package(call.db, call.params["package"])
    name = fields.filled("name")
    library_type: str = old["library_type"]
    if (_library_type(fields) or library_type) != library_type:
        raise fields.refusal("libraryType", f"cannot be changed after creation; it is {library_type!r}")
    kept = _Addresses(old["backend_url"], old["public_url"], old["repository_url"])
    addresses = _addresses(fields, library_type, kept)
    owner = _Owner(old["owner"], old["organization_id"], old["username"])
    _refuse_second(call.db, owner, library_type, name, old["uuid"])
    _refuse_other_registry(call.db, addresses, old["id"])
    (row,) = call.db.write(
        "UPDATE packages SET name = ?, short_description = ?, long_description = ?, website = ?,"
        " backend_url = ?, public_url = ?, repository_url = ? WHERE id = ? RETURNING *, ? AS owner",
        name,
        fields.required("shortDescription"),
        fields.optional("longDescription"),
        fields.optional("website"),
        addresses.backend_url,
        addresses.public_url,
        addresses.repository_url,
        old["id"],
        owner.name,
    )
    return Answer(200, _package(row))


def delete_package(call: Call) -> Answer:
    """DELETE /packages/{package-id}, with its permissions, routes and domains."""
    package = find_package(call.db, call.params["package"])
    call.db.write("DELETE FROM packages WHERE id = ?", package["id"])
    return Answer(204)


def _library_type(fields: Fields) -> str | None:
    """The type, any word of it: the described list lacks types that the same description writes about."""
    library_type = fields.optional("libraryType")
    if library_type is not None and not library_type.strip():
        raise fields.refusal("libraryType", "must not be empty")
    return library_type


def _addresses(fields: Fields, library_type: str, kept: _Addresses | None = None) -> _Addresses:
    """The addresses after this request, each where the description allows it."""
    fields.refuse_misspelling("repositoryUrl", "repositoryURL")
    backend_url, public_url = fields.optional("backendUrl"), fields.optional("publicUrl")
    repository_url = fields.optional("repositoryURL")
    for name, value in (("backendUrl", backend_url), ("publicUrl", public_url)):
        if value is not None:
            if library_type != LibraryType.DOCKER:
                raise fields.refusal(name, "is for docker packages only")
            check_registry_url(fields, name, value)
    if repository_url is not None:
        if library_type not in _PYTHON:
            raise fields.refusal("repositoryURL", "is for python packages only")
        check_absolute_url(fields, "repositoryURL", repository_url)
    kept = kept or _Addresses()
    addresses = _Addresses(
        kept.backend_url if backend_url is None else backend_url,
        kept.public_url if public_url is None else public_url,
        kept.repository_url if repository_url is None else repository_url,
    )
    _check_paths(fields, addresses)
    return addresses


def _check_paths(fields: Fields, addresses: _Addresses) -> None:
    """What is said of publicUrl: a "valid URL matching backendUrl's path parts"."""
    if addresses.backend_url is None or addresses.public_url is None:
        return
    backend = check_absolute_url(fields, "backendUrl", addresses.backend_url)
    public = check_absolute_url(fields, "publicUrl", addresses.public_url)
    if backend != public:
        raise fields.refusal("publicUrl", f"its path {public!r} is not backendUrl's path {backend!r}")


def _refuse_other_registry(db: Transaction, addresses: _Addresses, package_id: int | None = None) -> None:
    """422 where one of the package's hosts would lead to two registries."""
    if addresses.backend_url is None:
        return
    rows = db.all("SELECT key FROM package_domains WHERE package_id = ?", package_id)
    for host in filter(None, (url_host(addresses.public_url), *(row["key"] for row in rows))):
        refuse_other_registry(db, host, addresses.backend_url, package_id)


def _refuse_second(db: Transaction, owner: _Owner, library_type: str, name: str, itself: str = "") -> None:
    """409 for a second package of one owner, type and name."""
    bare, prefixed = name, name
    if library_type == LibraryType.DOCKER:
        bare = name.removeprefix(f"{owner.name}/")
        prefixed = f"{owner.name}/{bare}"
    row = db.one(_SAME_NAME, owner.organization_id, owner.username, library_type, bare, prefixed, itself)
    if row is not None:
        message = f"{owner.name!r} has a {library_type} package {row['name']!r} already."
        raise Refusal(409, message, "package-already-exists")
