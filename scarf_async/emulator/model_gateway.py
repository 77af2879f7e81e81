"""Routes and domains, and the hosts under which packages are served: the rules, and the rows."""

from __future__ import annotations

import re
import sqlite3
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4, uuid5

import attrs

from scarf_async.emulator.answers import Refusal, WrongField
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import url_host
from scarf_async.entities.enums import LibraryType

__all__ = [
    "Domain",
    "add_domain",
    "add_route",
    "domains_of",
    "refuse_other_registry",
    "remove_domain",
    "remove_route",
    "routes_of",
]

_NO_DOMAIN: Final = re.compile(r"[\s/:@]")
_DEFAULT: Final = {
    LibraryType.DOCKER: "docker.scarf.sh",
    LibraryType.FILE: "gateway.scarf.sh",
    LibraryType.PYPI: "gateway.scarf.sh",
    LibraryType.PYTHON: "gateway.scarf.sh",
}
_PORTS: Final = {"https": 443, "http": 80}
_OF_ANOTHER_OWNER: Final = """
SELECT p.owner FROM hosts JOIN owned_packages AS p ON p.id = hosts.package_id
WHERE hosts.key = ? AND (p.organization_id IS NOT ? OR p.username IS NOT ?) LIMIT 1
"""
# One is enough: all docker packages behind a host have one registry.
_BEHIND_THE_HOST: Final = """
SELECT p.backend_url FROM hosts JOIN packages AS p ON p.id = hosts.package_id
WHERE hosts.key = ? AND p.library_type = 'docker' AND p.id IS NOT ? LIMIT 1
"""


@attrs.frozen
class Domain:
    """A domain of a package."""

    id: str
    name: str


def routes_of(db: Transaction, package: sqlite3.Row) -> list[sqlite3.Row]:
    """The routes of a package; one of another type than `file` simply has none."""
    return db.all("SELECT * FROM routes WHERE package_id = ? ORDER BY id", package["id"])


def add_route(db: Transaction, package: sqlite3.Row, *, outgoing_url: str, template_path: str) -> sqlite3.Row:
    """A new route, of a file package. Equal routes are two routes."""
    if package["library_type"] != LibraryType.FILE:
        raise Refusal(422, f"A package of type {package['library_type']} has no routes.", "not-a-file-package")
    (row,) = db.write(
        "INSERT INTO routes (uuid, package_id, outgoing_url, template_path) VALUES (?, ?, ?, ?) RETURNING *",
        str(uuid4()),
        package["id"],
        outgoing_url,
        template_path,
    )
    return row


def remove_route(db: Transaction, package: sqlite3.Row, route: str) -> None:
    """Delete a route, or 404."""
    if not db.write("DELETE FROM routes WHERE package_id = ? AND uuid = ? RETURNING id", package["id"], route):
        raise Refusal(404, f"The package has no route {route!r}.", "not-found")


def domains_of(db: Transaction, package: sqlite3.Row) -> list[Domain]:
    """The domains of a package, each name once."""
    rows = db.all("SELECT * FROM package_domains WHERE package_id = ? ORDER BY id", package["id"])
    domains = [Domain(row["uuid"], row["name"]) for row in rows]
    first = _first_domain(package)
    if first is not None and first.name.casefold() not in {row["key"] for row in rows}:
        domains.insert(0, first)
    return domains


def add_domain(db: Transaction, package: sqlite3.Row, name: str) -> Domain:
    """A new domain.

    File and python packages have domains by the description, and docker ones by what the gateway does. A
    domain belongs to one owner, who may have it on any number of packages, and leads to one registry.
    """
    first = _domain_of_birth(package)
    if first is None:
        raise Refusal(422, f"A package of type {package['library_type']} has no domains.")
    if _NO_DOMAIN.search(name):
        raise WrongField("name", f"{name!r} is not a full domain name", "domain-has-invalid-characters")
    taken = Refusal(409, f"The package has the domain {name!r} already.", "domain-is-already-in-use")
    if first.casefold() == name.casefold():
        raise taken
    _refuse_other_owner(db, package, name)
    if package["library_type"] == LibraryType.DOCKER:
        refuse_other_registry(db, name, package["backend_url"], package["id"])
    (row,) = db.write(
        "INSERT INTO package_domains (uuid, package_id, key, name) VALUES (?, ?, ?, ?) RETURNING *",
        str(uuid4()),
        package["id"],
        name.casefold(),
        name,
        taken=taken,
    )
    return Domain(row["uuid"], row["name"])


def remove_domain(db: Transaction, package: sqlite3.Row, domain: str) -> None:
    """Delete a domain, or 404.

    Without the domain of its public address a package has no public address, and is served under Scarf's own
    domain, which stays: "package must have one domain".
    """
    deleted = db.write(
        "DELETE FROM package_domains WHERE package_id = ? AND uuid = ? RETURNING key", package["id"], domain
    )
    public, first = url_host(package["public_url"]), _first_domain(package)
    is_first = first is not None and first.id == domain
    if public is not None and (is_first or [row["key"] for row in deleted] == [public]):
        db.write("UPDATE packages SET public_url = NULL WHERE id = ?", package["id"])
    elif is_first:
        raise Refusal(422, "A package keeps its default domain.", "package-must-have-one-domain")
    elif not deleted:
        raise Refusal(404, f"The package has no domain {domain!r}.", "not-found")


def _first_domain(package: sqlite3.Row) -> Domain | None:
    """The domain that a package has without being given one, under an id that stays while the name does."""
    name = _domain_of_birth(package)
    return None if name is None else Domain(str(uuid5(UUID(package["uuid"]), name)), name)


def _domain_of_birth(package: sqlite3.Row) -> str | None:
    """The domain that nobody added: that of the public address, else Scarf's own for the owner."""
    default = _DEFAULT.get(package["library_type"])
    if default is None:
        return None
    return url_host(package["public_url"]) or f"{package['owner']}.{default}"


def _refuse_other_owner(db: Transaction, package: sqlite3.Row, name: str) -> None:
    """409 for a domain that a package of another owner has."""
    owner = db.one(_OF_ANOTHER_OWNER, name.casefold(), package["organization_id"], package["username"])
    if owner is not None:
        raise Refusal(409, f"The domain {name!r} is in use already.", "domain-is-already-in-use")


def refuse_other_registry(db: Transaction, host: str, backend_url: str, package_id: int | None = None) -> None:
    """422 for a docker package behind a host that leads to another registry, whoever owns what is there."""
    registry = _registry(backend_url)
    other = db.one(_BEHIND_THE_HOST, host.casefold(), package_id)
    if other is not None and _registry(other["backend_url"]) != registry:
        raise Refusal(
            422,
            f"{host!r} leads to {_registry(other['backend_url'])!r} and not to {registry!r}: public domains for"
            " Docker packages may only point to a single backend registry at a time.",
            "package-is-conflicting",
        )


def _registry(backend_url: str) -> str:
    """Host and port of a registry."""
    parts = urlsplit(backend_url)
    port = parts.port or _PORTS[parts.scheme]
    return f"{parts.hostname}" if port == _PORTS[parts.scheme] else f"{parts.hostname}:{port}"
