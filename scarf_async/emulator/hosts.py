"""The hosts under which packages are served: the one that each has from its beginning, and what they rule out."""

from __future__ import annotations

import sqlite3
from typing import Final
from urllib.parse import urlsplit

from scarf_async.emulator.answers import Refusal
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import url_host
from scarf_async.entities.enums import LibraryType

__all__ = ["domain_of_birth", "refuse_other_owner", "refuse_other_registry"]

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


def domain_of_birth(package: sqlite3.Row) -> str | None:
    """The domain that nobody added: that of the public address, else Scarf's own for the owner."""
    default = _DEFAULT.get(package["library_type"])
    if default is None:
        return None
    return url_host(package["public_url"]) or f"{package['owner']}.{default}"


def refuse_other_owner(db: Transaction, package: sqlite3.Row, name: str) -> None:
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
