"""Read queries and bodies like v2: as a generated parser, with plain messages or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Final

from scarf_async.emulator.answers import JSON, Refusal
from scarf_async.emulator.calls import Call
from scarf_async.emulator.model.owners import Owner, find_owner
from scarf_async.emulator.model.packages import find_owned_package
from scarf_async.emulator.model.pixels import find_pixel
from scarf_async.emulator.wire import is_unicode, query_values

__all__ = [
    "IMPORTANCES",
    "Body",
    "find_user",
    "find_username",
    "owner_in",
    "package_in",
    "pixel_in",
    "query_text",
    "query_words",
    "undecodable",
    "unrecognized",
]

IMPORTANCES: Final = ("low", "mid", "high")


def unrecognized(name: str) -> Refusal:
    """The refusal of a parameter that cannot be parsed."""
    return Refusal(400, f"Unable to recognize query parameter: {name}", plain=True)


def undecodable() -> Refusal:
    """The refusal of a body that does not fit its schema, and of a word in the path, without a message."""
    return Refusal(400, "", plain=True)


def query_text(call: Call, name: str) -> str:
    """A query parameter; it needs its `=`."""
    text = call.query[name]
    if text is None:
        raise _missing(name)
    return text


def query_words(call: Call, name: str, words: Collection[str]) -> list[str]:
    """The values of a repeatable parameter, each a word of a closed list."""
    values = query_values(call.target.query, name)
    found = [value for value in values if value is not None]
    if len(found) < len(values):
        raise _missing(name)
    if not set(found) <= set(words):
        raise unrecognized(name)
    return found


def find_username(call: Call, asked: str) -> str | None:
    """A username in its original spelling, or None if it is unknown. v2 does not accept e-mail addresses."""
    return None if "@" in asked else call.world.people.by_username(asked)


def find_user(call: Call, asked: str) -> str:
    """A username in its original spelling; 404 if it is unknown."""
    username = find_username(call, asked)
    if username is None:
        raise Refusal(404, f"There is no user {asked!r}.", "not-found")
    return username


def owner_in(call: Call) -> Owner:
    """The owner that the path names, or 404."""
    return find_owner(call.world, call.db, call.params["owner"])


def package_in(call: Call) -> sqlite3.Row:
    """The package that the path names, or 404."""
    return find_owned_package(call.db, owner_in(call), call.params["package"])


def pixel_in(call: Call) -> sqlite3.Row:
    """The tracking pixel that the path names, or 404."""
    return find_pixel(call.db, owner_in(call), call.params["pixel"])


class Body:
    """The fields of a body; a body that does not fit the schema gets a bare 400.

    Args:
        call: The request.
    """

    def __init__(self, call: Call) -> None:
        if not isinstance(call.body, dict):
            raise undecodable()
        self._values = call.body
        self._quirks = call.world.quirks

    def text(self, name: str) -> str:
        """A required string, which may be empty."""
        value = self._values.get(name)
        if not isinstance(value, str) or not is_unicode(value):
            raise undecodable()
        return value

    def word(self, name: str, words: Collection[str]) -> str:
        """A required word of a closed list."""
        value = self.text(name)
        if value not in words:
            raise undecodable()
        return value

    def optional(self, name: str, old: str | None = None) -> str | None:
        """A string; if it is omitted, the value that a PUT leaves."""
        if not self._is_there(name):
            return self._without(name, old)
        return self.text(name)

    def optional_word(self, name: str, words: Collection[str], old: str | None = None) -> str | None:
        """A word of a closed list; if it is omitted, the value that a PUT leaves."""
        if not self._is_there(name):
            return self._without(name, old)
        return self.word(name, words)

    def flag(self, name: str, old: bool | None = None, *, default: bool) -> bool:
        """A boolean; if it is omitted, the value that a PUT leaves."""
        if not self._is_there(name):
            kept = None if name in self._values or self._quirks.put_clears else old
            return default if kept is None else kept
        value = self._values[name]
        if not isinstance(value, bool):
            raise undecodable()
        return value

    def _without(self, name: str, old: str | None) -> str | None:
        return None if name in self._values or self._quirks.put_clears else old

    def _is_there(self, name: str) -> bool:
        """Return whether a field has a value; null may count as missing."""
        value: JSON = self._values.get(name)
        if name in self._values and value is None and self._quirks.null == "refused":
            raise undecodable()
        return value is not None


def _missing(name: str) -> Refusal:
    return Refusal(400, f"Missing query parameter: {name}", plain=True)
