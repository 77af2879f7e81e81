"""Imports of events: the rules, and the rows."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from uuid import uuid4

import attrs

from scarf_async.emulator.answers import JSON, Refusal
from scarf_async.emulator.model.exports import present
from scarf_async.emulator.model.owners import Owner
from scarf_async.emulator.model.packages import find_owned_package
from scarf_async.emulator.model.pixels import find_pixel
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import dump_json, now, timestamp
from scarf_async.emulator.world import World

__all__ = ["Target", "abort", "find_import", "import_events", "imports_of", "status_of"]

_MOST_ACTIVE: Final = 15
_OLDEST: Final = timedelta(days=7)
_ACTIVE: Final = "NOT aborted AND active_until > ?"
_COLUMNS: Final = {
    "$type": "type",
    "$version": "version",
    "$user_agent": "user_agent",
    "$referrer": "referer",
}
"""The service's names for columns of exports. The IP address, the headers and the domain are in no export."""
_STORE: Final = """
INSERT INTO events (package_id, pixel_id, unique_id, day, cells) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (coalesce(package_id, 0), coalesce(pixel_id, 0), unique_id) WHERE unique_id IS NOT NULL
DO UPDATE SET day = excluded.day, cells = excluded.cells
"""


@attrs.frozen
class Target:
    """The package or pixel of all rows of an import; without both, each row names its own."""

    package: sqlite3.Row | None = None
    pixel: sqlite3.Row | None = None


class _RowError(ValueError):
    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def import_events(world: World, db: Transaction, owner: Owner, target: Target, body: bytes) -> sqlite3.Row:
    """Create an import; valid rows are imported at once. Refused while the owner has too many active imports."""
    sql = f"SELECT count(*) AS active FROM imports WHERE organization_id IS ? AND username IS ? AND {_ACTIVE}"  # noqa: S608 # of ours
    (counted,) = db.all(sql, owner.organization_id, owner.username, time.time())
    if counted["active"] >= _MOST_ACTIVE:
        raise Refusal(422, "too many active imports", plain=world.quirks.error_bodies == "text")
    lines = [line for line in body.splitlines() if line.strip()]
    log: list[dict[str, JSON]] = []
    db.write_many(_STORE, _Reading(world, db, owner, target, log).rows(lines))
    failed = len(log)
    log.append({"type": "progress", "class": "info", "events_count": len(lines), "failed_events_count": failed})
    moment = now()
    (row,) = db.write(
        "INSERT INTO imports (uuid, organization_id, username, total, failed, log, active_until, created_at,"
        " updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
        str(uuid4()),
        owner.organization_id,
        owner.username,
        len(lines),
        failed,
        b"".join(dump_json(entry) + b"\n" for entry in log).decode(),
        time.time() + world.quirks.import_seconds,
        moment,
        moment,
    )
    return row


def status_of(row: sqlite3.Row) -> str:
    """The status of an import."""
    if row["aborted"]:
        return "aborted"
    return "importing" if row["active_until"] > time.time() else "done"


def imports_of(db: Transaction, owner: Owner) -> list[sqlite3.Row]:
    """The imports of an owner."""
    sql = "SELECT * FROM imports WHERE organization_id IS ? AND username IS ? ORDER BY id"
    return db.all(sql, owner.organization_id, owner.username)


def find_import(db: Transaction, owner: Owner, import_id: str) -> sqlite3.Row:
    """An import of an owner, or 404."""
    for row in imports_of(db, owner):
        if row["uuid"] == import_id.lower():
            return row
    raise Refusal(404, f"{owner.name!r} has no import {import_id!r}.", "not-found")


def abort(db: Transaction, row: sqlite3.Row) -> None:
    """Abort an active import; another one does not change."""
    sql = f"UPDATE imports SET aborted = 1, updated_at = ? WHERE id = ? AND {_ACTIVE}"  # noqa: S608 # of ours
    db.write(sql, now(), row["id"], time.time())


@attrs.define
class _Reading:
    """Converts the lines of an import to rows of events; invalid ones go into the log."""

    world: World
    db: Transaction
    owner: Owner
    target: Target
    log: list[dict[str, JSON]]
    found: dict[tuple[str, str], Target | None] = attrs.field(factory=dict)

    def rows(self, lines: list[bytes]) -> Iterator[tuple[int | None, int | None, str | None, str, str]]:
        oldest = present(self.world) - _OLDEST
        for number, line in enumerate(lines, 1):
            try:
                yield self._row(line, oldest)
            except _RowError as error:
                entry: dict[str, JSON] = {"type": error.kind, "class": "error", "line": number}
                self.log.append({**entry, "human_friendly_message": str(error)})

    def _row(self, line: bytes, oldest: datetime) -> tuple[int | None, int | None, str | None, str, str]:
        event = _object(line)
        moment = _moment(event.get("$time"))
        if moment < oldest:
            raise _RowError("failed-to-decode", "$time is more than a week ago")
        target = self._target_of(event)
        package, pixel = target.package, target.pixel
        unique = event.get("$unique_id")
        unique_id = None if unique is None else str(unique)
        cells = {
            "id": str(uuid4()) if unique_id is None else unique_id,
            "time": timestamp(moment),
            "package": "" if package is None else package["name"],
            "pixel": "" if pixel is None else pixel["uuid"],
            "variables": urlencode(
                {name: str(value) for name, value in event.items() if _is_variable(name, value)}
            ),
            **{column: str(event[name]) for name, column in _COLUMNS.items() if event.get(name) is not None},
        }
        cells.setdefault("type", "import")
        ids = (None if package is None else package["id"], None if pixel is None else pixel["id"])
        return (*ids, unique_id, moment.date().isoformat(), json.dumps(cells))

    def _target_of(self, event: Mapping[str, JSON]) -> Target:
        if self.target.package is not None or self.target.pixel is not None:
            return self.target
        for name in ("$package", "$tracking_pixel"):
            asked = event.get(name)
            if isinstance(asked, str):
                if (name, asked) not in self.found:
                    self.found[name, asked] = self._find(name, asked)
                target = self.found[name, asked]
                if target is None:
                    raise _RowError("artifact-not-found", f"{name} is not known")
                return target
        raise _RowError("artifact-not-found", "neither $package nor $tracking_pixel is there")

    def _find(self, name: str, asked: str) -> Target | None:
        try:
            if name == "$package":
                return Target(package=find_owned_package(self.db, self.owner, asked))
            return Target(pixel=find_pixel(self.db, self.owner, asked))
        except Refusal:
            return None


def _object(line: bytes) -> Mapping[str, JSON]:
    try:
        event: JSON = json.loads(line)
    except (ValueError, RecursionError):
        raise _RowError("failed-to-decode", "the line is not JSON") from None
    if not isinstance(event, dict):
        raise _RowError("failed-to-decode", "the line is not an object")
    return event


def _moment(value: JSON) -> datetime:
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise _RowError("failed-to-decode", "$time is not a time") from None
    if moment.tzinfo is None:
        raise _RowError("failed-to-decode", "$time has no zone")
    return moment


def _is_variable(name: str, value: JSON) -> bool:
    return not name.startswith("$") and value is not None
