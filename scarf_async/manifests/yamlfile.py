"""YAML (extra `manifests`), to nodes and from data: no tags or merge keys; anchors are supported, with a limit.

Nodes are built from the parser's events, which have line numbers, with an explicit stack: excessive nesting and
aliases are refused after a few steps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import StringIO
from typing import Final

import attrs
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.serializer import Serializer

from scarf_async.errors import ManifestError
from scarf_async.manifests.nodes import (
    DEPTH_LIMIT,
    Items,
    Kind,
    Node,
    Place,
    Problems,
    Scalar,
    Table,
    child,
    escaped,
    shown,
)

__all__ = ["parse_yaml", "yaml_text"]

_KINDS: Final = (
    (Kind.NOTHING, re.compile(r"(?:~|null|Null|NULL)?")),
    # Including those of YAML 1.1, which other readers interpret.
    (Kind.BOOLEAN, re.compile(r"(?:true|yes|on|false|no|off)", re.IGNORECASE)),
    (
        Kind.NUMBER,
        re.compile(
            r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
            r"|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN"
        ),
    ),
    (Kind.MERGE, re.compile("<<")),
    (Kind.DATE, re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?")),
)
_UNFIT_FOR_A_BLOCK: Final = re.compile(r"^ | $|\A\n|\n\n\Z", re.MULTILINE)

_WEIGHT_LIMIT: Final = 2_000_000
_TEXT_TAGS: Final = frozenset({"tag:yaml.org,2002:str", "!"})
_UNQUOTED: Final = re.compile("found character '([@`%])'")
# These end a line in YAML 1.1.
_NO_LINE_ENDS: Final = re.compile("[\x85\u2028\u2029]")
_LONGEST_KEY: Final = 1024
_NEVER_FOLDED: Final = 2**31


@attrs.define
class _Open:
    """A list or table that is being read."""

    place: Place
    is_table: bool
    anchor: str | None
    before: int
    nodes: list[Node] = attrs.field(factory=list)


class _Builder:
    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._weight = 0
        self._documents = 0
        self.root: Node | None = None

    def feed(self, event: Event) -> None:
        if isinstance(event, ScalarEvent):
            node, before = self._scalar(event), self._weight
            self._put(node, 1 + len(event.value) // 64)
            self._name(event.anchor, node, before)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._start(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._end()
        elif isinstance(event, AliasEvent):
            self._alias(event)
        elif isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._problems.refuse(self._place(event), "", "a second document begins; a manifest has one")

    def _place(self, event: Event) -> Place:
        return _place(self._file, event.start_mark)

    def _path(self) -> str:
        """Return the path of the next node."""
        path = ""
        for level in self._stack:
            if not level.is_table:
                path = child(path, len(level.nodes))
            elif len(level.nodes) % 2 and isinstance(key := level.nodes[-1], Scalar):
                path = child(path, key.text)
        return path

    def _check_tag(self, place: Place, tag: str | None, allowed: frozenset[str]) -> None:
        if tag is not None and tag not in allowed:
            self._problems.add(place, self._path(), f"the tag {shown(tag)} is not taken; write the plain value")

    def _scalar(self, event: ScalarEvent) -> Scalar:
        place = self._place(event)
        tag = None if event.tag is None else str(event.tag)
        self._check_tag(place, tag, _TEXT_TAGS)
        plain = event.style is None and tag not in _TEXT_TAGS
        # JSON, which is also YAML, writes characters beyond U+FFFF as two escapes.
        text = event.value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return Scalar(place, _kind_of(text) if plain else Kind.TEXT, text)

    def _start(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        place = self._place(event)
        self._check_tag(place, None if event.tag is None else str(event.tag), frozenset())
        if len(self._stack) == DEPTH_LIMIT:
            raise self._problems.too_deep(place)
        self._stack.append(_Open(place, isinstance(event, MappingStartEvent), event.anchor, self._weight))

    def _end(self) -> None:
        top = self._stack.pop()
        node: Node = (
            Table(top.place, self._pairs(top.nodes)) if top.is_table else Items(top.place, tuple(top.nodes))
        )
        self._put(node, 1)
        self._name(top.anchor, node, top.before)

    def _pairs(self, nodes: list[Node]) -> tuple[tuple[Scalar, Node], ...]:
        pairs = []
        for key, value in zip(nodes[::2], nodes[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._problems.add(key.place, self._path(), "a key must be a text; found a list or a table")
            elif key.kind is Kind.MERGE:
                self._problems.add(
                    key.place, child(self._path(), "<<"), "merge keys (<<) are not taken; repeat the keys here"
                )
            else:
                # The parser detects a missing token only on the next line.
                missing = isinstance(value, Scalar) and value.kind is Kind.NOTHING and not value.text
                pairs.append((key, attrs.evolve(value, place=key.place) if missing else value))
        return tuple(pairs)

    def _alias(self, event: AliasEvent) -> None:
        place = self._place(event)
        known = self._anchors.get(event.anchor)
        if known is None:
            inside = any(level.anchor == event.anchor for level in self._stack)
            what = "is inside the value that it names" if inside else "names no anchor before it"
            raise self._problems.refuse(place, self._path(), f"the alias {shown('*' + event.anchor)} {what}")
        self._put(known[0], known[1], place)

    def _name(self, anchor: str | None, node: Node, before: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = node, self._weight - before

    def _put(self, node: Node, weight: int, place: Place | None = None) -> None:
        self._weight += weight
        if self._weight > _WEIGHT_LIMIT:
            message = f"the document has more than {_WEIGHT_LIMIT:,} values once its aliases are followed"
            raise self._problems.refuse(place or node.place, "", message)
        if self._stack:
            self._stack[-1].nodes.append(node)
        else:
            self.root = node


def _place(file: str, mark: StringMark) -> Place:
    return Place(file, mark.line + 1, mark.column + 1)


def parse_yaml(text: str, file: str, problems: Problems) -> Node | None:
    """Return the document's root; None if it is empty.

    Raises:
        ManifestError: it is not YAML, nested too deeply, or too large.
    """
    builder = _Builder(file, problems)
    # Positions of the pure parser count characters on every platform.
    parser = YAML(typ="safe", pure=True)
    last = Place(file, 1, 1)
    try:
        for event in parser.parse(text):
            last = _place(file, event.end_mark)
            builder.feed(event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = last if mark is None else _place(file, mark)
        raise problems.refuse(place, "", f"this is not YAML: {_said(error, text)}") from None
    except ManifestError:  # a ValueError too
        raise
    except ReaderError as error:
        message = f"found the character U+{ord(text[error.position]):04X}, which YAML does not allow"
        raise problems.refuse(Place.after(text[: error.position], file), "", message) from None
    except AssertionError:
        message = "this is YAML of another version; write %YAML 1.2, or leave that line out"
        raise problems.refuse(last, "", message) from None
    except (YAMLError, ValueError, OverflowError) as error:
        # An escape such as \U99999999 reaches chr().
        of_escape = isinstance(error, OverflowError) or str(error).startswith("chr()")
        reason = "an escape names no character" if of_escape else escaped(str(error).splitlines()[0])
        raise problems.refuse(last, "", f"this is not YAML: {reason}") from None
    return builder.root


def _said(error: MarkedYAMLError, text: str) -> str:
    problem = error.problem or "it cannot be read"
    context = f" {error.context}" if error.context else ""
    at = 0 if error.problem_mark is None else error.problem_mark.index
    hint = _hint(problem, text[:at], text[at:])
    return escaped(f"{problem}{context}{f'; {hint}' if hint else ''}")


def _hint(problem: str, before: str, after: str) -> str:
    """Suggest a fix for a problem between two parts of a text; empty if none is certain."""
    line = re.split(r"[\r\n]", before)[-1]
    if "found character '\\t'" in problem:
        indents = not line.strip() and after.split("\n", 1)[0].strip()
        return "indent with spaces, not with tabs" if indents else "write a space in place of the tab"
    if found := _UNQUOTED.search(problem):
        return f"a text that begins with {found[1]} must be quoted"
    if "expected '<document start>'" in problem and re.search("^%", before, re.MULTILINE):
        return "a line that begins with % is a directive, and a line --- must follow it"
    if "mapping values are not allowed" not in problem:
        return ""
    if _NO_LINE_ENDS.search(line):
        return "U+0085, U+2028 and U+2029 do not end a line"
    if len(line) > _LONGEST_KEY:
        return f"a key has at most {_LONGEST_KEY} characters"
    if re.search(":[ \t]", line) is None:
        return 'indent the key like those beside it, or quote the text if ": " is part of it'
    return 'a text with ": " in it must be quoted'


def _kind_of(text: str) -> Kind:
    """Return the kind of an unquoted value, for this reader and others.

    >>> [str(_kind_of(text)) for text in ("no", "7", "7zip", "2024-05-01")]
    ['a truth value', 'a number', 'text', 'a date']
    """
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(text)), Kind.TEXT)


class _Representer(RoundTripRepresenter):
    """Chooses the style of strings if ruamel.yaml's choice is not safe for other readers and terminals."""

    def represent_text(self, text: str) -> ScalarNode:
        style = None
        if not text.replace("\n", "").isprintable() or _kind_of(text) is not Kind.TEXT:
            style = '"'
        elif "\n" in text:
            style = '"' if _UNFIT_FOR_A_BLOCK.search(text) else "|"
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Representer.add_representer(str, _Representer.represent_text)
_Representer.add_multi_representer(str, _Representer.represent_text)


class _Serializer(Serializer):
    ANCHOR_TEMPLATE = "permissions-{}"


def yaml_text(data: Mapping[str, object]) -> str:
    r"""Return data as a YAML document; a repeated table or list is written once.

    >>> print(yaml_text({"version": 1, "people": {"no": "a b: c"}, "packages": [{"name": "web"}]}))
    version: 1
    people:
      "no": 'a b: c'
    packages:
      - name: web
    <BLANKLINE>
    """
    yaml = YAML()
    yaml.Representer, yaml.Serializer = _Representer, _Serializer
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = _NEVER_FOLDED
    stream = StringIO()
    yaml.dump(data, stream)
    # Unprintable characters are in double quotes, where the escapes are also YAML's.
    return "\n".join(map(escaped, stream.getvalue().split("\n")))
