"""Permissions on packages in v2: of packages of users, and with a quirk of organizations."""

from __future__ import annotations

import sqlite3
from typing import Final

from scarf_async.emulator.answers import JSON, Answer, Refusal
from scarf_async.emulator.calls import Call, Endpoints
from scarf_async.emulator.model import packages
from scarf_async.emulator.model.owners import user_id
from scarf_async.emulator.people import person_key
from scarf_async.emulator.v2.pages import USER_ID, Cursor, listed
from scarf_async.emulator.v2.reading import Body, find_username, package_in
from scarf_async.entities.enums import PermissionLevel

__all__ = ["ENDPOINTS"]

_OWNER: Final = "owner"
_LEVELS: Final = ("member", "admin", _OWNER)


def get_permissions(call: Call) -> Answer:
    """GET /v2/packages/{owner}/{package_id}/permissions: with the owner, without users blocked in v1."""
    package = _find(call)
    levels = {row["username"]: row["level"] for row in packages.permissions_of(call.db, package)}
    if package["username"] is not None:
        levels[package["username"]] = _OWNER
    shown = [(user_id(username), username, level) for username, level in levels.items() if level in _LEVELS]

    def show(entry: tuple[str, str, str]) -> JSON:
        return {"user_id": entry[0], "username": entry[1], "permission_level": entry[2]}

    return listed(call, shown, Cursor(lambda entry: entry[0], USER_ID), show)


def post_permission(call: Call) -> Answer:
    """POST /v2/packages/{owner}/{package_id}/permissions: one object; its errors have no code."""
    body = Body(call)
    asked, level = body.text("username"), body.word("permission_level", _LEVELS)
    package = _find(call)
    username = find_username(call, asked)
    if username is None:
        raise Refusal(422, f"There is no user {asked!r}.")
    if _owns(package, username):
        if level != _OWNER:
            raise Refusal(422, f"{username!r} owns the package.")
        return Answer(204)
    packages.set_permissions(call.db, package, {person_key(username): (username, level)})
    return Answer(204)


def delete_permission(call: Call) -> Answer:
    """DELETE /v2/packages/{owner}/{package_id}/permissions/{username}."""
    package = _find(call)
    username = call.params["username"]
    if _owns(package, username):
        raise Refusal(422, f"{username!r} owns the package.", "cannot-delete-owner")
    key = person_key(username)
    level = {row["key"]: row["level"] for row in packages.permissions_of(call.db, package)}.get(key)
    if level not in _LEVELS:
        raise Refusal(404, f"{username!r} has no permission of its own.", "not-found")
    packages.set_permissions(call.db, package, {key: (username, PermissionLevel.DEFAULT)})
    return Answer(204)


ENDPOINTS: Final[Endpoints] = {
    "/v2/packages/{owner}/{package}/permissions": {"GET": get_permissions, "POST": post_permission},
    "/v2/packages/{owner}/{package}/permissions/{username}": {"DELETE": delete_permission},
}


def _find(call: Call) -> sqlite3.Row:
    """A package that has permissions in v2."""
    package = package_in(call)
    if package["username"] is None and call.world.quirks.permissions_of_organizations == "refused":
        raise Refusal(404, "Only packages of users have permissions.", "not-found")
    return package


def _owns(package: sqlite3.Row, username: str) -> bool:
    return package["username"] is not None and person_key(package["username"]) == person_key(username)
