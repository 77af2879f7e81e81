"""Domains, and the hosts that serve packages: the rules, and the rows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4, uuid5

import attrs

from scarf_async.emulator.answers import Refusal, WrongField
from scarf_async.emulator.model.owners import Owner, owner_of
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import now, url_host
from scarf_async.entities.enums import LibraryType

__all__ = [
    "Domain",
    "add_domain",
    "check_domain",
    "default_domain",
    "domains_of",
    "find_domain",
    "has_domain",
    "public_domain",
    "refuse_other_owner",
    "refuse_other_registry",
    "registry_behind",
    "registry_of",
    "remove_domain",
]

_NO_DOMAIN: Final = re.compile(r"[\s/:@]")
_SCARF: Final = "scarf.sh"
_DEFAULT: Final[Mapping[str, str]] = {
    LibraryType.DOCKER: "docker.scarf.sh",
    LibraryType.FILE: "gateway.scarf.sh",
    LibraryType.PYPI: "gateway.scarf.sh",
    LibraryType.PYTHON: "gateway.scarf.sh",
}
_PORTS: Final = {"https": 443, "http": 80}
_OF_ANOTHER_OWNER: Final = """
SELECT 1 FROM claims WHERE key = ? AND (organization_id IS NOT ? OR username IS NOT ?) LIMIT 1
"""
# One is enough: all docker packages behind a host have the same registry.
_BEHIND_THE_HOST: Final = """
SELECT p.backend_url FROM hosts JOIN packages AS p ON p.id = hosts.package_id
WHERE hosts.key = ? AND p.library_type = 'docker' AND p.id IS NOT ? LIMIT 1
"""
_BY_ID: Final = """
SELECT 1 FROM package_domains AS d JOIN packages AS p ON p.id = d.package_id
WHERE d.uuid = ? AND p.organization_id IS ? AND p.username IS ?
UNION ALL SELECT 1 FROM pixel_domains AS d JOIN pixels AS p ON p.id = d.pixel_id
WHERE d.uuid = ? AND p.organization_id IS ? AND p.username IS ?
"""
_COLLECTED: Final = "SELECT backend_domain FROM collections WHERE public_domain = ? AND id IS NOT ? LIMIT 1"


@attrs.frozen
class Domain:
    """A domain of a package."""

    id: str
    name: str
    created_at: str


def domains_of(db: Transaction, package: sqlite3.Row) -> list[Domain]:
    """The domains of a package, each name once."""
    rows = db.all("SELECT * FROM package_domains WHERE package_id = ? ORDER BY id", package["id"])
    domains = [_domain(package, row) for row in rows]
    first = _first_domain(package)
    if first is not None and first.name.casefold() not in {row["key"] for row in rows}:
        domains.insert(0, first)
    return domains


def find_domain(db: Transaction, package: sqlite3.Row, domain: str) -> Domain:
    """A domain of a package, or 404."""
    for found in domains_of(db, package):
        if found.id == domain:
            return found
    raise _no_domain(domain)


def has_domain(db: Transaction, owner: Owner, reference: str) -> bool:
    """Return whether a name or id is a domain of one of an owner's packages, pixels and collections."""
    if reference.casefold() in {f"{owner.name}.{suffix}".casefold() for suffix in _DEFAULT.values()}:
        return True
    of_owner = (owner.organization_id, owner.username)
    claim = "SELECT 1 FROM claims WHERE key = ? AND organization_id IS ? AND username IS ? LIMIT 1"
    if db.one(claim, reference.casefold(), *of_owner) is not None:
        return True
    return db.one(_BY_ID, reference, *of_owner, reference, *of_owner) is not None


def check_domain(owner: Owner, name: str, field: str = "name", prefix: str = "domain") -> None:
    """Refuse an invalid domain, and one of Scarf's own that is not the owner's, as v2 does."""
    if not name.strip():
        raise WrongField(field, "must not be empty", f"{prefix}-is-empty")
    if _NO_DOMAIN.search(name):
        raise WrongField(field, f"{name!r} is not a full domain name", f"{prefix}-has-invalid-characters")
    host = name.casefold()
    own = {f"{owner.name}.{suffix}".casefold() for suffix in _DEFAULT.values()}
    if (host == _SCARF or host.endswith(f".{_SCARF}")) and host not in own:
        raise WrongField(field, f"{name!r} is not yours", f"{prefix}-is-invalid-scarf-domain")


def public_domain(db: Transaction, owner: Owner, library_type: str, domain: str | None, field: str) -> str | None:
    """The domain for a new entity, unless it is Scarf's own, which it has anyway."""
    if domain is None:
        return None
    check_domain(owner, domain, field, "public-domain")
    if domain.casefold() == (default_domain(owner, library_type) or "").casefold():
        return None
    try:
        refuse_other_owner(db, owner, domain)
    except Refusal as refusal:
        raise Refusal(409, refusal.message, "public-domain-is-already-in-use") from None
    return domain


def default_domain(owner: Owner, library_type: str) -> str | None:
    """Scarf's own domain for an owner's packages of a type, if it has any."""
    suffix = _DEFAULT.get(library_type)
    return None if suffix is None else f"{owner.name}.{suffix}"


def add_domain(db: Transaction, package: sqlite3.Row, name: str) -> Domain:
    """Add a domain.

    File and python packages have domains according to the description, and docker packages according to the
    gateway. A domain belongs to one owner, who may have it on any number of packages, and leads to one registry.
    """
    first = _domain_of_birth(package)
    if first is None:
        raise Refusal(422, f"A package of type {package['library_type']} has no domains.")
    if _NO_DOMAIN.search(name):
        raise WrongField("name", f"{name!r} is not a full domain name", "domain-has-invalid-characters")
    taken = Refusal(409, f"The package has the domain {name!r} already.", "domain-is-already-in-use")
    if first.casefold() == name.casefold():
        raise taken
    refuse_other_owner(db, owner_of(package), name)
    if package["library_type"] == LibraryType.DOCKER:
        refuse_other_registry(db, name, package["backend_url"], package["id"])
    (row,) = db.write(
        "INSERT INTO package_domains (uuid, package_id, key, name, created_at) VALUES (?, ?, ?, ?, ?) RETURNING *",
        str(uuid4()),
        package["id"],
        name.casefold(),
        name,
        now(),
        taken=taken,
    )
    return _domain(package, row)


def remove_domain(db: Transaction, package: sqlite3.Row, domain: str) -> None:
    """Delete a domain, or 404.

    Without the domain of its public URL, a package has no public URL and is served under Scarf's own domain, which
    cannot be removed: "package must have one domain".
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
        raise _no_domain(domain)


def _first_domain(package: sqlite3.Row) -> Domain | None:
    """The domain that a package has by default; its id does not change while its name does not."""
    name = _domain_of_birth(package)
    return None if name is None else Domain(str(uuid5(UUID(package["uuid"]), name)), name, package["created_at"])


def _domain(package: sqlite3.Row, row: sqlite3.Row) -> Domain:
    # A file of an earlier version does not have the time when a domain was added.
    return Domain(row["uuid"], row["name"], row["created_at"] or package["created_at"])


def _no_domain(domain: str) -> Refusal:
    return Refusal(404, f"The package has no domain {domain!r}.", "not-found")


def _domain_of_birth(package: sqlite3.Row) -> str | None:
    """The default domain: that of the public URL, else Scarf's own for the owner."""
    default = default_domain(owner_of(package), package["library_type"])
    return default and (url_host(package["public_url"]) or default)


def refuse_other_owner(db: Transaction, owner: Owner, name: str) -> None:
    """Refuse a domain of another owner with a 409."""
    if db.one(_OF_ANOTHER_OWNER, name.casefold(), owner.organization_id, owner.username) is not None:
        raise Refusal(409, f"The domain {name!r} is in use already.", "domain-is-already-in-use")


def refuse_other_registry(db: Transaction, host: str, backend_url: str, package_id: int | None = None) -> None:
    """Refuse a docker package behind a host that leads to another registry with a 422, whatever its owner."""
    registry = registry_of(backend_url)
    other = registry_behind(db, host, package_id=package_id)
    if other not in {None, registry}:
        raise Refusal(
            422,
            f"{host!r} leads to {other!r} and not to {registry!r}: public domains for"
            " Docker packages may only point to a single backend registry at a time.",
            "package-is-conflicting",
        )


def registry_behind(
    db: Transaction, host: str, *, package_id: int | None = None, collection_id: int | None = None
) -> str | None:
    """The registry to which a host leads because of other packages and collections; None if there is none yet."""
    package = db.one(_BEHIND_THE_HOST, host.casefold(), package_id)
    if package is not None:
        return registry_of(package["backend_url"])
    collection = db.one(_COLLECTED, host.casefold(), collection_id)
    return None if collection is None else str(collection["backend_domain"])


def registry_of(backend_url: str) -> str:
    """Host and port of a registry."""
    parts = urlsplit(backend_url)
    port = parts.port or _PORTS[parts.scheme]
    return f"{parts.hostname}" if port == _PORTS[parts.scheme] else f"{parts.hostname}:{port}"
