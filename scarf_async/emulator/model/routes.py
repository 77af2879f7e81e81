"""Routes of file packages: the rules, and the rows."""

from __future__ import annotations

import re
import sqlite3
from typing import Final
from uuid import uuid4

from scarf_async.emulator.answers import Refusal, WrongField
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import now
from scarf_async.entities.enums import LibraryType

__all__ = [
    "add_route",
    "check_addresses",
    "find_route",
    "not_a_file_package",
    "remove_route",
    "routes_of",
    "update_route",
]

# RFC 6570: an operator, and variables, each with at most a length or a star.
_EXPRESSION: Final = re.compile(
    r"\{([+#./;?&]?)(\w[\w.]*(?::\d{1,4}|\*)?(?:,\w[\w.]*(?::\d{1,4}|\*)?)*)\}", re.ASCII
)
_ABSOLUTE: Final = re.compile(r"https?://[^/]", re.ASCII | re.IGNORECASE)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII | re.IGNORECASE)


def routes_of(db: Transaction, package: sqlite3.Row) -> list[sqlite3.Row]:
    """The routes of a package; only packages of type `file` have any."""
    return db.all("SELECT * FROM routes WHERE package_id = ? ORDER BY id", package["id"])


def find_route(db: Transaction, package: sqlite3.Row, route: str) -> sqlite3.Row:
    """A route of a package, or 404."""
    row = db.one("SELECT * FROM routes WHERE package_id = ? AND uuid = ?", package["id"], route)
    if row is None:
        raise _no_route(route)
    return row


def add_route(
    db: Transaction, package: sqlite3.Row, *, outgoing_url: str | None, template_path: str
) -> sqlite3.Row:
    """Add a route to a file package. Equal routes are separate routes."""
    if package["library_type"] != LibraryType.FILE:
        raise not_a_file_package(package)
    (row,) = db.write(
        "INSERT INTO routes (uuid, package_id, outgoing_url, template_path, created_at) VALUES (?, ?, ?, ?, ?)"
        " RETURNING *",
        str(uuid4()),
        package["id"],
        outgoing_url,
        template_path,
        now(),
    )
    return row


def update_route(
    db: Transaction, route: sqlite3.Row, *, outgoing_url: str | None, template_path: str
) -> sqlite3.Row:
    """Replace the URL and path of a route."""
    (row,) = db.write(
        "UPDATE routes SET outgoing_url = ?, template_path = ? WHERE id = ? RETURNING *",
        outgoing_url,
        template_path,
        route["id"],
    )
    return row


def remove_route(db: Transaction, package: sqlite3.Row, route: str) -> None:
    """Delete a route, or 404."""
    if not db.write("DELETE FROM routes WHERE package_id = ? AND uuid = ? RETURNING id", package["id"], route):
        raise _no_route(route)


def check_addresses(outgoing_url: str | None, template_path: str) -> None:
    """Refuse templates that the gateway could not use. v1 is not known to check them."""
    if not template_path.strip():
        raise WrongField("incoming_path", "must not be empty", "incoming-path-must-not-be-empty")
    if _SCHEME.match(template_path):
        raise WrongField("incoming_path", "must be relative", "incoming-path-must-be-relative")
    if not template_path.startswith("/"):
        raise WrongField("incoming_path", "must begin with a slash", "incoming-path-must-start-with-slash")
    incoming = _variables(template_path)
    if incoming is None:
        raise WrongField("incoming_path", "is not a URL template", "incoming-path-invalid-url-template")
    if outgoing_url is None:
        return
    if not outgoing_url.strip():
        raise WrongField("outgoing_url", "must not be empty", "outgoing-url-must-not-be-empty")
    outgoing = _variables(outgoing_url)
    if outgoing is None:
        raise WrongField("outgoing_url", "is not a URL template", "outgoing-url-invalid-url-template")
    if _ABSOLUTE.match(outgoing_url) is None:
        raise WrongField("outgoing_url", "must be an absolute http or https URL", "outgoing-url-must-be-absolute")
    if missing := sorted(outgoing - incoming):
        raise WrongField("incoming_path", f"lacks {', '.join(missing)}", "incoming-path-missing-variables")


def _variables(template: str) -> set[str] | None:
    """The variables of a template (RFC 6570), or None if it is invalid."""
    literal = _EXPRESSION.sub("", template)
    if any(character in "{}" or character.isspace() for character in literal):
        return None
    lists = (match[2].split(",") for match in _EXPRESSION.finditer(template))
    return {variable.rstrip("*").partition(":")[0] for variables in lists for variable in variables}


def _no_route(route: str) -> Refusal:
    return Refusal(404, f"The package has no route {route!r}.", "not-found")


def not_a_file_package(package: sqlite3.Row) -> Refusal:
    """The refusal of routes for a package of another type."""
    return Refusal(422, f"A package of type {package['library_type']} has no routes.", "not-a-file-package")
