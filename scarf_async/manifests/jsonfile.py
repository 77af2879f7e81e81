"""JSON as nodes. The standard reader keeps no places, and drops the first of two equal keys."""

from __future__ import annotations

import json
import re
from json import JSONDecodeError
from typing import Final

from scarf_async.manifests.nodes import DEPTH_LIMIT, Items, Kind, Node, Place, Problems, Scalar, Table

__all__ = ["parse_json"]

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORDS: Final = {"true": Kind.BOOLEAN, "false": Kind.BOOLEAN, "null": Kind.NOTHING}
_WORD: Final = re.compile("|".join(_WORDS))


class _Reader:
    def __init__(self, text: str, file: str, problems: Problems) -> None:
        self._text = text
        self._file = file
        self._problems = problems
        self._at = 0
        self._line = 1
        self._line_start = 0
        self._counted = 0

    def document(self) -> Node:
        root = self._value(0)
        self._skip()
        if self._at < len(self._text):
            raise JSONDecodeError("the document ended before this", self._text, self._at)
        return root

    def _skip(self) -> str:
        space = _SPACE.match(self._text, self._at)
        assert space is not None  # noqa: S101 # it matches the empty text too
        self._at = space.end()
        return self._text[self._at : self._at + 1]

    def _place(self) -> Place:
        breaks = self._text.count("\n", self._counted, self._at)
        if breaks:
            self._line += breaks
            self._line_start = self._text.rindex("\n", self._counted, self._at) + 1
        self._counted = self._at
        return Place(self._file, self._line, self._at - self._line_start + 1)

    def _value(self, depth: int) -> Node:
        sign = self._skip()
        place = self._place()
        if sign in {"{", "["} and depth == DEPTH_LIMIT:
            raise self._problems.refuse(place, "", f"lists and tables stand more than {DEPTH_LIMIT} deep")
        if sign == "{":
            return Table(place, self._pairs(depth + 1))
        if sign == "[":
            return Items(place, self._items(depth + 1))
        if sign == '"':
            return self._string()
        if word := _WORD.match(self._text, self._at):
            self._at = word.end()
            return Scalar(place, _WORDS[word.group()], word.group())
        if number := _NUMBER.match(self._text, self._at):
            self._at = number.end()
            return Scalar(place, Kind.NUMBER, number.group())
        raise JSONDecodeError("a value is missing here", self._text, self._at)

    def _string(self) -> Scalar:
        place = self._place()
        string = _STRING.match(self._text, self._at)
        if string is None:
            raise JSONDecodeError("this text does not end, or has a line break in it", self._text, self._at)
        try:
            value = json.loads(string.group())
        except JSONDecodeError as error:
            raise JSONDecodeError(error.msg, self._text, self._at + error.pos) from None
        self._at = string.end()
        return Scalar(place, Kind.TEXT, value)

    def _items(self, depth: int) -> tuple[Node, ...]:
        self._at += 1
        nodes: list[Node] = []
        if self._skip() == "]":
            self._at += 1
            return ()
        while True:
            nodes.append(self._value(depth))
            if self._next("]"):
                return tuple(nodes)

    def _pairs(self, depth: int) -> tuple[tuple[Scalar, Node], ...]:
        self._at += 1
        pairs: list[tuple[Scalar, Node]] = []
        if self._skip() == "}":
            self._at += 1
            return ()
        while True:
            if self._skip() != '"':
                raise JSONDecodeError("a key in double quotes is missing here", self._text, self._at)
            key = self._string()
            if self._skip() != ":":
                raise JSONDecodeError("a colon is missing here", self._text, self._at)
            self._at += 1
            pairs.append((key, self._value(depth)))
            if self._next("}"):
                return tuple(pairs)

    def _next(self, end: str) -> bool:
        """Step over a comma, or over the end: then true."""
        sign = self._skip()
        if sign not in {",", end} or not sign:
            raise JSONDecodeError(f"a comma or {end} is missing here", self._text, self._at)
        self._at += 1
        return sign == end


def parse_json(text: str, file: str, problems: Problems) -> Node:
    """Return the document's root.

    Raises:
        ManifestError: it is no JSON, or too deep.
    """
    try:
        return _Reader(text, file, problems).document()
    except JSONDecodeError as error:
        place = Place(file, error.lineno, error.colno)
        raise problems.refuse(place, "", f"this is no JSON: {error.msg}") from None
