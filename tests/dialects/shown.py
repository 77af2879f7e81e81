"""What v2 shows, and short ways to say what is wanted of it, for the tests of its programs."""

from __future__ import annotations

from typing import Final

from scarf_async import (
    UNSET,
    PackageKey,
    PackageUpsert,
)
from scarf_async.dialects.v2.dialect import V2
from scarf_async.protocol.steps import Read, Steps

__all__ = ["ACME", "FILE", "KEY", "ORGANIZATION", "PYTHON", "ROUTE", "WEB", "read", "upsert"]

ACME: Final = V2("acme")
WEB: Final = {
    "id": "p-1",
    "name": "acme/web",
    "owner": "acme",
    "type": "docker",
    "backend_registry": "ghcr.io",
    "repository_name": "acme/web",
    "short_description": "Web",
    "website": "https://web.example/",
    "created_at": "2024-05-17T12:00:00.000001Z",
    "updated_at": "2024-05-18T12:00:00Z",
    "importance": "urgent",
    "_links": {"self": "https://api.scarf.sh/packages/acme/p-1"},
}
PYTHON: Final = {
    "id": "p-2",
    "name": "tool",
    "owner": "acme",
    "type": "python",
    "repository_url": "https://python-index.example/simple/",
}
FILE: Final = {"id": "p-3", "name": "dl", "owner": "acme", "type": "file", "short_description": "Files"}
ROUTE: Final = {
    "id": "r-1",
    "incoming_path": "/dl/{v}",
    "outgoing_url": "https://a.example/{v}",
    "type": "uri-template",
}
ORGANIZATION: Final = {"id": "o-1", "name": "acme", "billing_email": "pay@acme.example", "description": "Tools"}
KEY: Final = PackageKey(None, "p-1")


def read(wanted: Read[object]) -> Steps[object]:
    """Return the program of a read."""
    return wanted.steps()


def upsert(**fields: object) -> PackageUpsert:
    """Return an upsert that says no more than it has to."""
    return PackageUpsert(**{"name": "acme/web", "short_description": UNSET, **fields})  # type: ignore[arg-type] # by name
