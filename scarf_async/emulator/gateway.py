"""Routes and domains: how the download gateway reaches a package."""

from __future__ import annotations

import re
import sqlite3
from typing import Final
from uuid import uuid4

from scarf_async.emulator.answers import JSON, Answer, Refusal
from scarf_async.emulator.calls import Call
from scarf_async.emulator.packages import find_package
from scarf_async.emulator.wire import Fields
from scarf_async.entities.enums import LibraryType

__all__ = ["create_domain", "create_route", "delete_domain", "delete_route", "list_domains", "list_routes"]

_WITH_DOMAINS: Final = (LibraryType.FILE, LibraryType.PYPI, LibraryType.PYTHON, LibraryType.DOCKER)
_NO_DOMAIN: Final = re.compile(r"[\s/:@]")


def _route(row: sqlite3.Row) -> dict[str, JSON]:
    """A PackageRouteV1."""
    return {"id": row["uuid"], "outgoingUrl": row["outgoing_url"], "templatePath": row["template_path"]}


def _domain(row: sqlite3.Row) -> dict[str, JSON]:
    """A PackageDomainV1."""
    return {"id": row["uuid"], "name": row["name"]}


def list_routes(call: Call) -> Answer:
    """GET /packages/{package-id}/routes; a package of another type simply has none."""
    package = find_package(call.db, call.params["package"])
    rows = call.db.all("SELECT * FROM routes WHERE package_id = ? ORDER BY id", package["id"])
    return Answer(200, [_route(row) for row in rows])


def create_route(call: Call) -> Answer:
    """POST /packages/{package-id}/routes: for file packages. Equal routes are two routes."""
    fields = call.fields()
    package = find_package(call.db, call.params["package"])
    if package["library_type"] != LibraryType.FILE:
        raise Refusal(422, f"A package of type {package['library_type']} has no routes.", "not-a-file-package")
    (row,) = call.db.write(
        "INSERT INTO routes (uuid, package_id, outgoing_url, template_path) VALUES (?, ?, ?, ?) RETURNING *",
        str(uuid4()),
        package["id"],
        fields.filled("outgoingUrl"),
        fields.filled("templatePath"),
    )
    return Answer(201, _route(row))


def delete_route(call: Call) -> Answer:
    """DELETE /packages/{package-id}/routes/{route-id}."""
    package = find_package(call.db, call.params["package"])
    route = call.params["route"]
    if not call.db.write("DELETE FROM routes WHERE package_id = ? AND uuid = ? RETURNING id", package["id"], route):
        raise Refusal(404, f"The package has no route {route!r}.", "not-found")
    return Answer(204)


def list_domains(call: Call) -> Answer:
    """GET /packages/{package-id}/domains."""
    package = find_package(call.db, call.params["package"])
    rows = call.db.all("SELECT * FROM domains WHERE package_id = ? ORDER BY id", package["id"])
    return Answer(200, [_domain(row) for row in rows])


def create_domain(call: Call) -> Answer:
    """POST /packages/{package-id}/domains.

    File and python packages have domains by the description, and docker ones by what the gateway does. A
    domain belongs to one package of the whole server, however its letters are written.
    """
    fields = call.fields()
    package = find_package(call.db, call.params["package"])
    if package["library_type"] not in _WITH_DOMAINS:
        raise Refusal(422, f"A package of type {package['library_type']} has no domains.")
    name = _domain_name(fields)
    (row,) = call.db.write(
        "INSERT INTO domains (uuid, package_id, key, name) VALUES (?, ?, ?, ?) RETURNING *",
        str(uuid4()),
        package["id"],
        name.casefold(),
        name,
        taken=Refusal(409, f"The domain {name!r} is in use already.", "domain-is-already-in-use"),
    )
    return Answer(201, _domain(row))


def delete_domain(call: Call) -> Answer:
    """DELETE /packages/{package-id}/domains/{domain-id}."""
    package = find_package(call.db, call.params["package"])
    domain = call.params["domain"]
    if not call.db.write(
        "DELETE FROM domains WHERE package_id = ? AND uuid = ? RETURNING id", package["id"], domain
    ):
        raise Refusal(404, f"The package has no domain {domain!r}.", "not-found")
    return Answer(204)


def _domain_name(fields: Fields) -> str:
    name = fields.filled("name")
    if _NO_DOMAIN.search(name):
        complaint = f"{name!r} is not a full domain name"
        raise fields.refusal("name", complaint, code="domain-has-invalid-characters")
    return name
