"""TOML as nodes: the standard reader says what is there, a second look at the text says where."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Final

from scarf_async.errors import ManifestError
from scarf_async.manifests.nodes import DEPTH_LIMIT, Items, Kind, Node, Place, Problems, Scalar, Table, escaped

__all__ = ["parse_toml"]

_Path = tuple[str | int, ...]

_AT: Final = re.compile(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)")
# Longest first. The text is TOML already, so that only the ends of things matter.
_STRING: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_SPACE: Final = re.compile(r"[ \t]*")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_OTHER: Final = re.compile(r"[^,\]}#\n]+")


class _Places:
    """Where each key and value of a TOML text begins, by its path."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._at = 0
        self._line = 1
        self._line_start = 0
        self._counted = 0
        self._lengths: dict[_Path, int] = {}
        self.keys: dict[_Path, Place] = {}
        self.values: dict[_Path, Place] = {(): Place(file, 1, 1)}

    def find(self) -> None:
        table: _Path = ()
        while (sign := self._skip(_BLANK)) != "":
            if sign == "[":
                table = self._header()
            else:
                self._pair(table)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        if match := pattern.match(self._text, self._at):
            self._at = match.end()
        return self._text[self._at : self._at + 1]

    def _place(self) -> Place:
        breaks = self._text.count("\n", self._counted, self._at)
        if breaks:
            self._line += breaks
            self._line_start = self._text.rindex("\n", self._counted, self._at) + 1
        self._counted = self._at
        return Place(self._file, self._line, self._at - self._line_start + 1)

    def _header(self) -> _Path:
        place = self._place()
        double = self._text.startswith("[[", self._at)
        self._at += 2 if double else 1
        path = self._key((), inside_arrays=True)
        if double:
            self.values.setdefault(path, place)
            count = self._lengths[path] = self._lengths.get(path, -1) + 1
            path = (*path, count)
        self.values.setdefault(path, place)
        self._skip(_SPACE)
        self._at += 2 if double else 1
        return path

    def _key(self, path: _Path, *, inside_arrays: bool = False) -> _Path:
        while True:
            self._skip(_SPACE)
            if inside_arrays and path in self._lengths:
                path = (*path, self._lengths[path])
            place = self._place()
            path = (*path, self._one_key())
            self.keys.setdefault(path, place)
            self.values.setdefault(path, place)
            if self._skip(_SPACE) != ".":
                return path
            self._at += 1

    def _one_key(self) -> str:
        start = self._at
        self._skip(_BARE)
        if self._at > start:
            return self._text[start : self._at]
        self._skip(_STRING)
        (key,) = tomllib.loads(f"{self._text[start : self._at]} = 0")
        return key

    def _pair(self, table: _Path) -> None:
        path = self._key(table)
        self._at += 1  # the equals sign
        self._value(path)

    def _value(self, path: _Path) -> None:
        sign = self._skip(_SPACE)
        self.values[path] = self._place()
        if sign == "[":
            self._list(path)
        elif sign == "{":
            self._inline_table(path)
        else:
            self._skip(_STRING if sign in {'"', "'"} else _OTHER)

    def _list(self, path: _Path) -> None:
        self._at += 1
        index = 0
        while self._skip(_BLANK) != "]":
            self._value((*path, index))
            index += 1
            if self._skip(_BLANK) == ",":
                self._at += 1
        self._at += 1

    def _inline_table(self, path: _Path) -> None:
        self._at += 1
        while self._skip(_BLANK) != "}":
            self._pair(path)
            if self._skip(_BLANK) == ",":
                self._at += 1
        self._at += 1


def _node(value: object, path: _Path, places: _Places, problems: Problems) -> Node:
    place = places.values[path]
    if len(path) > DEPTH_LIMIT:
        raise problems.refuse(place, "", f"lists and tables stand more than {DEPTH_LIMIT} deep")
    if isinstance(value, Mapping):
        return Table(
            place,
            tuple(
                (
                    Scalar(places.keys[(*path, key)], Kind.TEXT, key),
                    _node(item, (*path, key), places, problems),
                )
                for key, item in value.items()
            ),
        )
    if isinstance(value, list):
        return Items(place, tuple(_node(item, (*path, i), places, problems) for i, item in enumerate(value)))
    if isinstance(value, str):
        return Scalar(place, Kind.TEXT, value)
    if isinstance(value, bool):
        return Scalar(place, Kind.BOOLEAN, str(value).lower())
    return Scalar(place, Kind.NUMBER if isinstance(value, int | float) else Kind.DATE, str(value))


def parse_toml(text: str, file: str, problems: Problems) -> Node:
    """Return the document's root.

    Raises:
        ManifestError: it is no TOML, or too deep.
    """
    # TOML knows no other line ends, and places are counted in these.
    text = text.replace("\r\n", "\n")
    places = _Places(text, file)
    try:
        values = tomllib.loads(text)
        places.find()
        return _node(values, (), places, problems)
    except RecursionError:
        message = f"lists and tables stand more than {DEPTH_LIMIT} deep"
        raise problems.refuse(Place(file), "", message) from None
    except ManifestError:  # a ValueError too
        raise
    except tomllib.TOMLDecodeError as error:
        told = _AT.fullmatch(str(error))
        said, line, column = told.groups() if told else (str(error), None, None)
        place = Place(file, int(line), int(column)) if line and column else Place(file, text.count("\n") + 1, 1)
        raise problems.refuse(place, "", f"this is no TOML: {escaped(said)}") from None
    except ValueError as error:
        # A number of thousands of digits.
        raise problems.refuse(Place(file), "", f"this is no TOML: {escaped(str(error))}") from None
