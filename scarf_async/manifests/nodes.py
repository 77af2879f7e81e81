"""A document independent of its format: texts, lists and tables, each with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Self, TypeAlias

import attrs

from scarf_async.errors import ManifestError, ManifestProblem
from scarf_async.text import printable as escaped

__all__ = [
    "DEPTH_LIMIT",
    "Items",
    "KeyValues",
    "Kind",
    "Node",
    "Numeral",
    "Place",
    "Problems",
    "Scalar",
    "Table",
    "as_node",
    "child",
    "escaped",
    "shown",
]

DEPTH_LIMIT: Final = 64
"""The maximum nesting of lists and tables."""

_SHOWN: Final = 80
_PROBLEMS: Final = 1000
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_$-]+")


@attrs.frozen
class Place:
    """A place in a file: line and column from 1, or 0 if unknown, and the path in the document."""

    file: str
    line: int = 0
    column: int = 0
    path: str = ""

    @classmethod
    def after(cls, text: str, file: str) -> Self:
        """Return the place after a prefix of a file's text."""
        return cls(file, text.count("\n") + 1, len(text) - text.rfind("\n"))

    def __str__(self) -> str:
        file = escaped(self.file)
        return f"{file}:{self.line}:{self.column}" if self.line else f"{file}: {self.path}"


class Kind(StrEnum):
    """The kind of a single value, in words for messages."""

    TEXT = "text"
    NUMBER = "a number"
    BOOLEAN = "a truth value"
    DATE = "a date"
    MERGE = "a merge key"
    NOTHING = "nothing"


@attrs.frozen
class Scalar:
    """A single value, as written."""

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
    """Keys and values in the order of the file; a key may occur twice."""

    place: Place
    pairs: tuple[tuple[Scalar, Node], ...]


Node: TypeAlias = Scalar | Items | Table


def shown(text: str) -> str:
    """Return a text for a message: quoted, escaped, and shortened if it is long."""
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f'"{escaped(cut)}"'


def child(path: str, key: str | int) -> str:
    """Return the path of the value under a key or an index.

    >>> child(child("packages", 3), "type"), child("permissions", "bob@example.com")
    ('packages[3].type', 'permissions["bob@example.com"]')
    """
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{escaped(json.dumps(key[:_SHOWN], ensure_ascii=False))}]"
    return f"{path}.{key}" if path else key


class Problems:
    """Collects the problems of a manifest."""

    def __init__(self) -> None:
        # An error in a template would otherwise be reported for each of its packages.
        self._found: dict[tuple[Place, str], ManifestProblem] = {}

    def add(self, place: Place, path: str, message: str) -> None:
        """Record a problem, once.

        Raises:
            ManifestError: there are too many for this to be a manifest.
        """
        problem = ManifestProblem(escaped(place.file), place.line, place.column, path, message)
        self._found.setdefault((place, message), problem)
        if len(self._found) == _PROBLEMS:
            raise self.error()

    def refuse(self, place: Place, path: str, message: str) -> ManifestError:
        """Record a problem after which reading cannot continue, and return the error to raise."""
        self.add(place, path, message)
        return self.error()

    def too_deep(self, place: Place) -> ManifestError:
        """Record that the document is nested too deeply, and return the error to raise."""
        return self.refuse(place, "", f"lists and tables are nested more than {DEPTH_LIMIT} deep")

    def error(self) -> ManifestError:
        """Return the error with all problems, by file and line."""
        return ManifestError(sorted(self._found.values(), key=lambda problem: problem[:3]))

    def __bool__(self) -> bool:
        return bool(self._found)


class Numeral(str):
    """A number as written: its value is not needed, and int() refuses thousands of digits."""

    __slots__ = ()


class KeyValues(list[tuple[str, object]]):
    """A table's keys and values, in which a key may occur twice."""


def as_node(value: object, path: str, place_of: Callable[[str], Place], problems: Problems, depth: int = 0) -> Node:
    """Convert data of the standard library's readers to a node.

    Args:
        value: the data.
        path: where it is in the document.
        place_of: returns the place of the key or value at a path; called in the order of the document.
        problems: records that it is nested too deeply.
        depth: the number of enclosing lists and tables.

    Raises:
        ManifestError: it is nested too deeply.
    """
    place = place_of(path)
    if depth == DEPTH_LIMIT and isinstance(value, list | dict):
        raise problems.too_deep(place)
    if isinstance(value, KeyValues | dict):
        pairs = []
        for key, item in value.items() if isinstance(value, dict) else value:
            inner = child(path, key)
            name = Scalar(place_of(inner), Kind.TEXT, key)
            pairs.append((name, as_node(item, inner, place_of, problems, depth + 1)))
        return Table(place, tuple(pairs))
    if isinstance(value, list):
        nodes = (
            as_node(item, child(path, index), place_of, problems, depth + 1) for index, item in enumerate(value)
        )
        return Items(place, tuple(nodes))
    if value is None:
        return Scalar(place, Kind.NOTHING, "null")
    if isinstance(value, bool):
        return Scalar(place, Kind.BOOLEAN, str(value).lower())
    if isinstance(value, Numeral | int | float):
        return Scalar(place, Kind.NUMBER, str(value))
    return Scalar(place, Kind.TEXT if isinstance(value, str) else Kind.DATE, str(value))
