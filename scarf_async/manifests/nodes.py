"""A document as it was written, whatever its format: texts, lists and tables, each with its place."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from scarf_async.errors import ManifestError, ManifestProblem

__all__ = [
    "DEPTH_LIMIT",
    "Items",
    "Kind",
    "Node",
    "Place",
    "Problems",
    "Scalar",
    "Table",
    "child",
    "escaped",
    "shown",
]

DEPTH_LIMIT: Final = 64
"""How deep lists and tables may stand in each other."""

_SHOWN: Final = 80
_PROBLEMS: Final = 1000
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_$-]+")


@attrs.frozen
class Place:
    """Where something stands: lines and columns count from 1; 0 is the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{escaped(self.file)}:{self.line}:{self.column}"


class Kind(StrEnum):
    """What a single value is, in the words of messages."""

    TEXT = "text"
    NUMBER = "a number"
    BOOLEAN = "a truth value"
    DATE = "a date"
    MERGE = "a merge key"
    NOTHING = "nothing"


@attrs.frozen
class Scalar:
    """A single value, as it was written."""

    place: Place
    kind: Kind
    text: str


@attrs.frozen(eq=False)
class Items:
    """A list."""

    place: Place
    nodes: tuple[Node, ...]


@attrs.frozen(eq=False)
class Table:
    """Keys and values in the order of the file; a key may stand there twice."""

    place: Place
    pairs: tuple[tuple[Scalar, Node], ...]


Node: TypeAlias = Scalar | Items | Table


def escaped(text: str) -> str:
    r"""Return a text without what a terminal would obey.

    >>> print(escaped("a\x1b[2J"))
    a\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(text: str) -> str:
    """Return a text for a message: quoted, escaped, and cut if it is long."""
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f'"{escaped(cut)}"'


def child(path: str, key: str | int) -> str:
    """Return the path of what stands under a key or an index.

    >>> child(child("packages", 3), "type"), child("permissions", "bob@example.com")
    ('packages[3].type', 'permissions["bob@example.com"]')
    """
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{escaped(json.dumps(key[:_SHOWN], ensure_ascii=False))}]"
    return f"{path}.{key}" if path else key


class Problems:
    """What is wrong with a manifest, as it is found."""

    def __init__(self) -> None:
        # A template's fault would show at each of its packages.
        self._found: dict[tuple[Place, str], ManifestProblem] = {}

    def add(self, place: Place, path: str, message: str) -> None:
        """Note a problem, once.

        Raises:
            ManifestError: there are so many that this is no manifest.
        """
        problem = ManifestProblem(escaped(place.file), place.line, place.column, path, message)
        self._found.setdefault((place, message), problem)
        if len(self._found) == _PROBLEMS:
            raise self.error()

    def refuse(self, place: Place, path: str, message: str) -> ManifestError:
        """Note a problem after which reading cannot go on, and return the error to raise."""
        self.add(place, path, message)
        return self.error()

    def error(self) -> ManifestError:
        """Return the error that has them all, file by file, in the order of the lines."""
        return ManifestError(sorted(self._found.values(), key=lambda problem: problem[:3]))

    def __bool__(self) -> bool:
        return bool(self._found)
