"""The JSON of entities in several calls of v2: packages, domains and pixels."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from scarf_async.emulator.answers import JSON, Answer, Refusal, refused
from scarf_async.emulator.calls import Call
from scarf_async.emulator.model.gateway import Domain, registry_of
from scarf_async.emulator.quirks import Quirks
from scarf_async.emulator.wire import url_path
from scarf_async.entities.enums import LibraryType

__all__ = [
    "TYPES",
    "package_name",
    "package_type",
    "refusal_answer",
    "show_domain",
    "show_identifier",
    "show_package",
    "show_pixel",
    "with_optional",
]

REPOSITORY_JVM: Final = "repository-jvm"
TYPES: Final = (
    LibraryType.DOCKER.value,
    LibraryType.FILE.value,
    LibraryType.PYTHON.value,
    LibraryType.NPM.value,
    LibraryType.HACKAGE.value,
    REPOSITORY_JVM,
)
_UNDOCUMENTED: Final = frozenset({401, 403, 404})


def refusal_answer(refusal: Refusal, quirks: Quirks, *, is_export: bool) -> Answer:
    """The response of v2 to a refusal: a conflict is a 422, and undocumented bodies are a quirk."""
    status = 422 if refusal.status == 409 else refusal.status
    if refusal.plain or (status in _UNDOCUMENTED and not is_export and quirks.error_bodies == "text"):
        return Answer(status, headers=refusal.headers, text=refusal.message)
    if status in _UNDOCUMENTED and not is_export and quirks.error_bodies == "empty":
        return Answer(status, headers=refusal.headers)
    return refused(status, refusal.message, refusal.code, refusal.headers)


def with_optional(call: Call, shown: Mapping[str, JSON], **optional: JSON) -> dict[str, JSON]:
    """An object with its optional fields; those without a value are omitted or null."""
    keep = call.world.quirks.absent == "null"
    return {**shown, **{name: value for name, value in optional.items() if keep or value is not None}}


def package_name(row: sqlite3.Row) -> str:
    """The name of a package in v2: for an image its path, whatever its name in v1."""
    if row["library_type"] == LibraryType.DOCKER:
        return url_path(row["backend_url"]) or str(row["name"])
    return str(row["name"])


def package_type(row: sqlite3.Row) -> str:
    """The type of a package in v2; words that only v1 has are unchanged."""
    return LibraryType.PYTHON if row["library_type"] == LibraryType.PYPI else row["library_type"]


def show_identifier(row: sqlite3.Row) -> dict[str, JSON]:
    """A PackageIdentifier."""
    return {"id": row["uuid"], "name": package_name(row), "owner": row["owner"], "type": package_type(row)}


def show_package(call: Call, row: sqlite3.Row) -> dict[str, JSON]:
    """A Package."""
    address = _address(call, row)
    shown: dict[str, JSON] = {
        **show_identifier(row),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"] or row["created_at"],
        "_links": {"self": address, "domains": f"{address}/domains"},
    }
    more: dict[str, JSON] = {}
    if row["library_type"] == LibraryType.DOCKER:
        more = {
            "backend_registry": None if row["backend_url"] is None else registry_of(row["backend_url"]),
            "repository_name": url_path(row["backend_url"]),
        }
    elif package_type(row) == LibraryType.PYTHON:
        more = {"repository_url": row["repository_url"]}
    return with_optional(
        call,
        shown,
        short_description=row["short_description"],
        long_description=row["long_description"],
        website=row["website"],
        importance=row["importance"],
        **more,
    )


def show_domain(call: Call, package: sqlite3.Row, domain: Domain) -> dict[str, JSON]:
    """A Domain."""
    address = _address(call, package)
    return {
        "id": domain.id,
        "name": domain.name,
        "owner": package["owner"],
        "package_id": package["uuid"],
        "created_at": domain.created_at,
        "_links": {"self": f"{address}/domains/{domain.id}", "package": address},
    }


def show_pixel(call: Call, row: sqlite3.Row, package: sqlite3.Row | None) -> dict[str, JSON]:
    """A TrackingPixel."""
    shown: dict[str, JSON] = {
        "id": row["uuid"],
        "owner": row["owner"],
        "name": row["name"],
        "track_companies": bool(row["track_companies"]),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
    return with_optional(
        call,
        shown,
        package=None if package is None else show_identifier(package),
        importance=row["importance"],
        short_description=row["short_description"],
        long_description=row["long_description"],
    )


def _address(call: Call, package: sqlite3.Row) -> str:
    return f"{call.target.origin}/v2/packages/{quote(package['owner'], safe='')}/{package['uuid']}"
