"""Routes and domains: how the download gateway reaches a package."""

from __future__ import annotations

import re
import sqlite3
from typing import Final
from uuid import UUID, uuid4, uuid5

from scarf_async.emulator.answers import JSON, Answer, Refusal
from scarf_async.emulator.calls import Call
from scarf_async.emulator.hosts import domain_of_birth, refuse_other_owner, refuse_other_registry
from scarf_async.emulator.packages import find_package
from scarf_async.emulator.wire import Fields, url_host
from scarf_async.entities.enums import LibraryType

__all__ = ["create_domain", "create_route", "delete_domain", "delete_route", "list_domains", "list_routes"]

_NO_DOMAIN: Final = re.compile(r"[\s/:@]")


def _route(row: sqlite3.Row) -> dict[str, JSON]:
    """A PackageRouteV1."""
    return {"id": row["uuid"], "outgoingUrl": row["outgoing_url"], "templatePath": row["template_path"]}


def _domain(row: sqlite3.Row) -> dict[str, JSON]:
    """A PackageDomainV1."""
    return {"id": row["uuid"], "name": row["name"]}


def _first_domain(package: sqlite3.Row) -> dict[str, JSON] | None:
    """The domain that a package has without being given one, under an id that stays while the name does."""
    name = domain_of_birth(package)
    return None if name is None else {"id": str(uuid5(UUID(package["uuid"]), name)), "name": name}


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
    """GET /packages/{package-id}/domains: each name once."""
    package = find_package(call.db, call.params["package"])
    rows = call.db.all("SELECT * FROM package_domains WHERE package_id = ? ORDER BY id", package["id"])
    shown: list[JSON] = [_domain(row) for row in rows]
    first = _first_domain(package)
    if first is not None and str(first["name"]).casefold() not in {row["key"] for row in rows}:
        shown.insert(0, first)
    return Answer(200, shown)


def create_domain(call: Call) -> Answer:
    """POST /packages/{package-id}/domains.

    File and python packages have domains by the description, and docker ones by what the gateway does. A
    domain belongs to one owner, who may have it on any number of packages, and leads to one registry.
    """
    fields = call.fields()
    package = find_package(call.db, call.params["package"])
    first = domain_of_birth(package)
    if first is None:
        raise Refusal(422, f"A package of type {package['library_type']} has no domains.")
    name = _domain_name(fields)
    taken = Refusal(409, f"The package has the domain {name!r} already.", "domain-is-already-in-use")
    if first.casefold() == name.casefold():
        raise taken
    refuse_other_owner(call.db, package, name)
    if package["library_type"] == LibraryType.DOCKER:
        refuse_other_registry(call.db, name, package["backend_url"], package["id"])
    (row,) = call.db.write(
        "INSERT INTO package_domains (uuid, package_id, key, name) VALUES (?, ?, ?, ?) RETURNING *",
        str(uuid4()),
        package["id"],
        name.casefold(),
        name,
        taken=taken,
    )
    return Answer(201, _domain(row))


def delete_domain(call: Call) -> Answer:
    """DELETE /packages/{package-id}/domains/{domain-id}.

    Without the domain of its public address a package has no public address, and is served under Scarf's own
    domain, which stays: "package must have one domain".
    """
    package = find_package(call.db, call.params["package"])
    domain = call.params["domain"]
    deleted = call.db.write(
        "DELETE FROM package_domains WHERE package_id = ? AND uuid = ? RETURNING key", package["id"], domain
    )
    public, first = url_host(package["public_url"]), _first_domain(package)
    is_first = first is not None and first["id"] == domain
    if public is not None and (is_first or [row["key"] for row in deleted] == [public]):
        call.db.write("UPDATE packages SET public_url = NULL WHERE id = ?", package["id"])
    elif is_first:
        raise Refusal(422, "A package keeps its default domain.", "package-must-have-one-domain")
    elif not deleted:
        raise Refusal(404, f"The package has no domain {domain!r}.", "not-found")
    return Answer(204)


def _domain_name(fields: Fields) -> str:
    name = fields.filled("name")
    if _NO_DOMAIN.search(name):
        complaint = f"{name!r} is not a full domain name"
        raise fields.refusal("name", complaint, code="domain-has-invalid-characters")
    return name
