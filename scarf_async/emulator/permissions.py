"""Permissions on a package."""

from __future__ import annotations

from scarf_async.emulator.answers import Answer
from scarf_async.emulator.calls import Call
from scarf_async.emulator.packages import find_package
from scarf_async.emulator.people import People, person_key
from scarf_async.emulator.wire import Fields
from scarf_async.entities.enums import PermissionLevel

__all__ = ["list_permissions", "set_permissions"]


def list_permissions(call: Call) -> Answer:
    """GET /packages/{package-id}/permissions: the users who have a level of their own."""
    package = find_package(call.db, call.params["package"])
    rows = call.db.all("SELECT * FROM permissions WHERE package_id = ? ORDER BY id", package["id"])
    return Answer(200, [{"username": row["username"], "permissionLevel": row["level"]} for row in rows])


def set_permissions(call: Call) -> Answer:
    """POST /packages/{package-id}/permissions: "a single or an array of" PackagePermissionSetV1.

    One bad entry and nothing is set. Of two entries for one person the later counts. The level `default`
    takes away what was set, so that the user is not listed any more.
    """
    package = find_package(call.db, call.params["package"])
    if isinstance(call.body, list):
        entries = [Fields.of(entry, f"[{index}]") for index, entry in enumerate(call.body)]
    else:
        entries = [call.fields()]
    wanted = dict(_entry(entry, call.world.people) for entry in entries)
    reset = [key for key, (_, level) in wanted.items() if level == PermissionLevel.DEFAULT]
    levels = [(key, *value) for key, value in wanted.items() if value[1] != PermissionLevel.DEFAULT]
    if reset:
        call.db.write_many(
            "DELETE FROM permissions WHERE package_id = ? AND key = ?",
            [(package["id"], key) for key in reset],
        )
    if levels:
        call.db.write_many(
            "INSERT INTO permissions (package_id, key, username, level) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (package_id, key) DO UPDATE SET level = excluded.level",
            [(package["id"], *level) for level in levels],
        )
    return Answer(204)


def _entry(fields: Fields, people: People) -> tuple[str, tuple[str, str]]:
    """One entry: the person's key, username and level."""
    query = fields.filled("userQuery")
    level = fields.word("permissionLevel", PermissionLevel)
    username = people.by_query(query)
    if username is None:
        raise fields.refusal("userQuery", f"there is no user {query!r}", 404, "not-found")
    return person_key(username), (username, level)
