"""Pages of the packages of an owner: a page of thousands costs no more than one of a few."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import attrs

from scarf_async.emulator.model.owners import Owner
from scarf_async.emulator.model.packages import same_type
from scarf_async.emulator.people import person_key
from scarf_async.emulator.store import SQLValue, Transaction

__all__ = ["Selection", "packages_behind"]

# The name of an image is its path. An index uses exactly this expression.
_NAME: Final = "CASE library_type WHEN 'docker' THEN coalesce(url_path(backend_url), name) ELSE name END"
# The level of the token's user on a package: its owner, the level that was set, or the role in its organization.
_LEVEL: Final = """
CASE WHEN username IS NOT NULL THEN 'owner' ELSE coalesce(
    (SELECT level FROM permissions WHERE package_id = p.id AND key = ?),
    (SELECT role FROM members AS m WHERE m.organization_id = p.organization_id AND m.key = ?)
) END
"""


@attrs.frozen
class Selection:
    """A selection of packages.

    Attributes:
        owner: Their owner.
        types: Their types; empty for all.
        user: The user of the token.
        level: The level of that user on them; None for any.
        by_name: Whether they are sorted by name and then id, or only by id.
    """

    owner: Owner
    types: Sequence[str]
    user: str
    level: str | None
    by_name: bool


def packages_behind(
    db: Transaction, wanted: Selection, after: tuple[str, str | None] | None, limit: int
) -> list[sqlite3.Row]:
    """Return a number of packages after a cursor: a name or id, and the id among those with that name."""
    sql = ["coalesce(organization_id, 0) = ? AND coalesce(username, '') = ?"]
    values: list[SQLValue] = [wanted.owner.organization_id or 0, wanted.owner.username or ""]
    if wanted.types:
        words = sorted({word for kind in wanted.types for word in same_type(kind)})
        sql.append(f"library_type IN ({', '.join('?' * len(words))})")
        values += words
    if wanted.level is not None:
        sql.append(f"{_LEVEL} = ?")
        values += [person_key(wanted.user)] * 2 + [wanted.level]
    column = _NAME if wanted.by_name else "uuid"
    if after is not None:
        cursor, behind = after
        sql.append(f"{column} > ?" if behind is None else f"({column}, uuid) > (?, ?)")
        values += [cursor] if behind is None else [cursor, behind]
    return db.all(
        f"SELECT * FROM owned_packages AS p WHERE {' AND '.join(sql)} ORDER BY {column}, uuid LIMIT ?",  # noqa: S608 # of ours
        *values,
        limit,
    )
