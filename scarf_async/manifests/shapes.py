"""The shapes of values in a manifest: each reads a node, and describes itself as JSON Schema."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from enum import StrEnum
from itertools import islice
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

import attrs

from scarf_async.entities import JSON
from scarf_async.manifests.nodes import Items, Kind, Node, Place, Problems, Scalar, Table, child, escaped, shown

__all__ = [
    "ByKey",
    "Draft",
    "Each",
    "Number",
    "OpenWord",
    "Pairs",
    "Record",
    "Said",
    "Shape",
    "Text",
    "Word",
    "entry",
    "needed",
    "suggestion",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
D = TypeVar("D", bound="Draft")

Schema: TypeAlias = dict[str, JSON]
_SHAPE: Final = "shape"
_INDEX: Final = re.compile(r"\[[0-9]+\]$")
_CONTROL: Final = r"\u0000-\u001f\u007f-\u009f"
_COMPARED: Final = 500  # comparing long words takes long


@attrs.frozen
class Said:
    """A text, and its place."""

    text: str
    place: Place
    path: str


Pairs: TypeAlias = tuple[tuple[Said, T], ...]


class Shape(Protocol[T_co]):
    """The allowed values at one place of a manifest."""

    def read(self, node: Node, path: str, problems: Problems) -> T_co | None:
        """Return the value of a node, or None after recording a problem."""
        ...

    def schema(self, definitions: Schema, /) -> Schema:
        """Return the JSON Schema; named shapes go into the definitions."""
        ...


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant, as the end of a message.

    >>> suggestion("permisions", ["permissions", "routes"])
    '; did you mean "permissions"?'
    """
    near = difflib.get_close_matches(word[:100], islice(known, _COMPARED), 1)
    return f"; did you mean {shown(near[0])}?" if near else ""


def _instead_of_nothing(empty: str, path: str) -> str:
    """Suggest what to write for a key without a value; list entries and the whole file have no key."""
    if not path or _INDEX.search(path):
        return ""
    return f"; write {empty} for an empty one, or leave the key out to leave things as they are"


def found(node: Node) -> str:
    """Describe what was found instead."""
    if isinstance(node, Items):
        return "found a list"
    if isinstance(node, Table):
        return "found a table of keys and values"
    if node.kind is Kind.NOTHING:
        return "found nothing"
    return (
        f"found {shown(node.text)}" if node.kind is Kind.TEXT else f"found {node.kind}, {escaped(node.text[:80])}"
    )


@attrs.frozen
class Text:
    """A string. A `name` must not be blank or contain control characters; with `empty` it may be empty."""

    name: bool = False
    empty: bool = False

    def read(self, node: Node, path: str, problems: Problems) -> Said | None:
        """Read a string; values that other readers take for another type must be quoted."""
        if not isinstance(node, Scalar):
            problems.add(node.place, path, f"must be a text; {found(node)}")
        elif node.kind is Kind.NOTHING:
            hint = "" if self.name else _instead_of_nothing('""', path)
            problems.add(node.place, path, f"must be a text; found nothing{hint}")
        elif node.kind is not Kind.TEXT:
            problems.add(node.place, path, f"must be a text; {found(node)}; quote it: {shown(node.text)}")
        elif any(map(_is_surrogate, node.text)):
            problems.add(node.place, path, "holds half of a surrogate pair, which cannot be sent")
        elif self.name and not node.text.strip() and not (self.empty and not node.text):
            problems.add(node.place, path, "must not be blank")
        elif self.name and any(map(_is_control, node.text)):
            problems.add(node.place, path, f"must not contain control characters; {found(node)}")
        else:
            return Said(node.text, node.place, path)
        return None

    def schema(self, definitions: Schema, /) -> Schema:
        """A string."""
        if not self.name:
            return {"type": "string"}
        definitions["Name"] = {"type": "string", "pattern": rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"}
        name: Schema = {"$ref": "#/$defs/Name"}
        return {"anyOf": [{"const": ""}, name]} if self.empty else name


def _is_control(char: str) -> bool:
    return char < " " or "\x7f" <= char < "\xa0"


def _is_surrogate(char: str) -> bool:
    return "\ud800" <= char <= "\udfff"


@attrs.frozen
class Word:
    """One of a few words."""

    words: type[StrEnum]

    def read(self, node: Node, path: str, problems: Problems) -> Said | None:
        """Read one of the words."""
        allowed = ", ".join(self.words)
        hint = ""
        if isinstance(node, Scalar) and node.kind is Kind.TEXT:
            said = Text().read(node, path, problems)
            if said is None or said.text in list(self.words):
                return said
            hint = suggestion(said.text.strip().lower(), self.words)
        problems.add(node.place, path, f"must be one of {allowed}; {found(node)}{hint}")
        return None

    def schema(self, _: Schema, /) -> Schema:
        """An enumeration."""
        return {"enum": list(map(str, self.words))}


@attrs.frozen
class OpenWord:
    """A word of an open list: others are accepted, except a known one in another case."""

    words: type[StrEnum]

    def read(self, node: Node, path: str, problems: Problems) -> Said | None:
        """Read a word."""
        said = Text(name=True).read(node, path, problems)
        if said is None or said.text in list(self.words):
            return said
        known = said.text.strip().casefold()
        if known in list(self.words):
            problems.add(node.place, path, f"{found(node)}; did you mean {shown(known)}?")
            return None
        return said

    def schema(self, definitions: Schema, /) -> Schema:
        """A string, with the known words as examples."""
        return {**Text(name=True).schema(definitions), "examples": list(map(str, self.words))}


@attrs.frozen
class Number:
    """A constant integer."""

    value: int

    def read(self, node: Node, path: str, problems: Problems) -> int | None:
        """Read the number."""
        if isinstance(node, Scalar) and node.kind is Kind.NUMBER and node.text == str(self.value):
            return self.value
        problems.add(node.place, path, f"must be the number {self.value}; {found(node)}")
        return None

    def schema(self, _: Schema, /) -> Schema:
        """A constant."""
        return {"const": self.value}


@attrs.frozen
class Each(Generic[T]):
    """A list."""

    shape: Shape[T]

    def read(self, node: Node, path: str, problems: Problems) -> tuple[T, ...] | None:
        """Read a list; invalid entries are left out."""
        if not isinstance(node, Items):
            hint = _instead_of_nothing("[]", path) if _is_nothing(node) else ""
            problems.add(node.place, path, f"must be a list; {found(node)}{hint}")
            return None
        values = (self.shape.read(item, child(path, index), problems) for index, item in enumerate(node.nodes))
        return tuple(value for value in values if value is not None)

    def schema(self, definitions: Schema, /) -> Schema:
        """An array."""
        return {"type": "array", "items": self.shape.schema(definitions)}


@attrs.frozen
class ByKey(Generic[T]):
    """A table whose keys are names."""

    shape: Shape[T]

    def read(self, node: Node, path: str, problems: Problems) -> Pairs[T] | None:
        """Read a table; invalid entries are left out."""
        if not isinstance(node, Table):
            problems.add(node.place, path, _not_a_table(node, path))
            return None
        pairs = []
        for key, value in _pairs(node, path, problems):
            place = child(path, key.text)
            name = Text(name=True).read(key, place, problems)
            content = self.shape.read(value, place, problems)
            if name is not None and content is not None:
                pairs.append((name, content))
        return tuple(pairs)

    def schema(self, definitions: Schema, /) -> Schema:
        """An object with any keys."""
        return {
            "type": "object",
            "propertyNames": Text(name=True).schema(definitions),
            "additionalProperties": self.shape.schema(definitions),
        }


@attrs.frozen
class _Entry:
    key: str | None
    shape: Shape[object]
    required: bool
    about: str


@attrs.frozen(kw_only=True)
class Draft:
    """The values of a record, with its place; fields declared with `entry` are its keys."""

    place: Place
    path: str


def entry(shape: Shape[T], about: str, *, key: str | None = None) -> T | None:
    """Declare a field of a draft: the value of its key, None if the key is missing."""
    field: T | None = attrs.field(default=None, metadata={_SHAPE: _Entry(key, shape, False, about)})
    return field


def needed(shape: Shape[T], about: str) -> T:
    """Declare a required field of a draft."""
    field: T = attrs.field(metadata={_SHAPE: _Entry(None, shape, True, about)})
    return field


@attrs.frozen
class Record(Generic[D]):
    """A table with known keys: the entries of a draft.

    Attributes:
        draft: the class.
        short: the field that a plain string sets, if any.
    """

    draft: type[D]
    short: str | None = None

    def _entries(self) -> dict[str, tuple[str, _Entry]]:
        fields = {field.name: field.metadata.get(_SHAPE) for field in attrs.fields(self.draft)}
        return {what.key or name: (name, what) for name, what in fields.items() if isinstance(what, _Entry)}

    def read(self, node: Node, path: str, problems: Problems) -> D | None:
        """Read a record; None if it is not one, or a required key is missing."""
        if self.short is not None and isinstance(node, Scalar) and not _is_nothing(node):
            said = self._entries()[self.short][1].shape.read(node, path, problems)
            return None if said is None else self.draft(place=node.place, path=path, **{self.short: said})
        if not isinstance(node, Table):
            message = (
                _not_a_table(node, path) if self.short is None else f"must be a text or a table; {found(node)}"
            )
            problems.add(node.place, path, message)
            return None
        entries = self._entries()
        values: dict[str, object] = {}
        seen: set[str] = set()
        for key, value in _pairs(node, path, problems):
            if key.text not in entries:
                _unknown_key(key, path, entries, problems)
                continue
            seen.add(key.text)
            name, what = entries[key.text]
            values[name] = what.shape.read(value, child(path, key.text), problems)
        missing = [key for key, (_, what) in entries.items() if what.required and key not in seen]
        if missing:
            problems.add(node.place, path, f"the key {' and the key '.join(map(shown, missing))} must be given")
        if any(what.required and values.get(name) is None for name, what in entries.values()):
            return None
        return self.draft(place=node.place, path=path, **values)

    def schema(self, definitions: Schema, /) -> Schema:
        """A reference to the object's definition."""
        name = self.draft.__name__.removesuffix("Draft")
        if name not in definitions:
            definitions[name] = {}
            entries = self._entries()
            record: Schema = {
                "type": "object",
                "properties": {
                    key: {**what.shape.schema(definitions), "description": what.about}
                    for key, (_, what) in entries.items()
                },
                "required": [key for key, (_, what) in entries.items() if what.required],
                "additionalProperties": False,
            }
            short = None if self.short is None else entries[self.short][1].shape.schema(definitions)
            definitions[name] = record if short is None else {"oneOf": [short, record]}
        return {"$ref": f"#/$defs/{name}"}


def _unknown_key(key: Scalar, path: str, known: Collection[str], problems: Problems) -> None:
    hint = suggestion(key.text, known) or f"; known here: {', '.join(known)}"
    problems.add(key.place, child(path, key.text), f"is an unknown key{hint}")


def _pairs(table: Table, path: str, problems: Problems) -> list[tuple[Scalar, Node]]:
    """Return the pairs with new keys."""
    first: dict[str, Place] = {}
    pairs = []
    for key, value in table.pairs:
        if key.text in first:
            where = child(path, key.text)
            problems.add(key.place, where, f"this key was already given at {first[key.text]}")
            continue
        first[key.text] = key.place
        pairs.append((key, value))
    return pairs


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.kind is Kind.NOTHING


def _not_a_table(node: Node, path: str) -> str:
    hint = _instead_of_nothing("{}", path) if _is_nothing(node) else ""
    return f"must be a table of keys and values; {found(node)}{hint}"
