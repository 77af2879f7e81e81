"""YAML from plain data, for people to read; and what an unquoted word of YAML is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from scarf_async.manifests.nodes import Kind

__all__ = ["Data", "kind_of", "yaml_lines"]

Data: TypeAlias = str | int | Sequence["Data"] | Mapping[str, "Data"]

_KINDS: Final = (
    (Kind.NOTHING, re.compile(r"(?:~|null|Null|NULL)?")),
    # Of YAML 1.1 too: people know these words from other readers, which take them so.
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
_Alike: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]

# Of what could stand unquoted only what nobody has to think about.
_PLAIN: Final = re.compile(r"[A-Za-z0-9/](?:[A-Za-z0-9,()'!?;&=%~*./@+{}_-]|:(?=[^ ])| (?=[^ ]))*")
_ANCHOR: Final = re.compile(r"[a-z]+")
# Fewer entries are sooner read than looked up.
_SHARED: Final = 3


def kind_of(text: str) -> Kind:
    """Return what an unquoted value is, to this reader and to others.

    >>> [str(kind_of(text)) for text in ("no", "7", "7zip", "2024-05-01")]
    ['a truth value', 'a number', 'text', 'a date']
    """
    for kind, pattern in _KINDS:
        if pattern.fullmatch(text):
            return kind
    return Kind.TEXT


def _quoted(text: str) -> str:
    def char(c: str) -> str:
        if c in {'"', "\\"}:
            return f"\\{c}"
        if c == "\n":
            return "\\n"
        return c if c.isprintable() else c.encode("unicode_escape").decode()

    return f'"{"".join(map(char, text))}"'


def _word(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and kind_of(text) is Kind.TEXT else _quoted(text)


def _block(text: str) -> list[str] | None:
    """Return the lines of a text that can stand as they are, or None."""
    lines = text.removesuffix("\n").split("\n")
    good = all(line.isprintable() and line == line.rstrip() and (not line or line[0] != " ") for line in lines)
    return lines if len(lines) > 1 and good and lines[0] and lines[-1] else None


class _Writer:
    """Turns data into lines; tables of several entries that are equal are written once, and referred to."""

    def __init__(self, data: Data) -> None:
        counts = Counter(_tables(data))
        # An anchor's name is given where the table is written.
        self._anchors = {table: "" for table, count in counts.items() if count > 1}
        self._named = 0

    def value(self, key: str, value: Data, indent: str) -> Iterator[str]:
        """Yield the lines of what follows a colon."""
        if isinstance(value, str):
            lines = _block(value)
            if lines is None:
                yield f" {_word(value)}"
                return
            yield " |" if value.endswith("\n") else " |-"
            yield from (f"{indent}  {line}" if line else "" for line in lines)
        elif isinstance(value, int):
            yield f" {value}"
        elif not value:
            yield " {}" if isinstance(value, Mapping) else " []"
        elif isinstance(value, Mapping):
            yield from self._table(key, value, indent)
        else:
            yield ""
            for item in value:
                yield from self._item(item, f"{indent}  ")

    def _table(self, key: str, table: Mapping[str, Data], indent: str) -> Iterator[str]:
        alike = _alike(key, table)
        if alike is None or alike not in self._anchors:
            yield ""
        elif anchor := self._anchors[alike]:
            yield f" *{anchor}"
            return
        else:
            self._named += 1
            self._anchors[alike] = f"{key}-{self._named}"
            yield f" &{self._anchors[alike]}"
        yield from self.pairs(table, f"{indent}  ")

    def pairs(self, table: Mapping[str, Data], indent: str) -> Iterator[str]:
        """Yield the lines of a table."""
        for key, value in table.items():
            first, *others = self.value(key, value, indent)
            yield f"{indent}{_word(key)}:{first}"
            yield from others

    def _item(self, item: Data, indent: str) -> Iterator[str]:
        if isinstance(item, Mapping):
            first, *others = self.pairs(item, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from others
        else:
            first, *others = self.value("", item, indent)
            yield f"{indent}-{first}"
            yield from others


def _alike(key: str, table: Mapping[str, Data]) -> _Alike | None:
    """Return what tables must have in common to be written once; None: this one is not shared."""
    pairs = tuple((name, value) for name, value in table.items() if isinstance(value, str))
    return (key, pairs) if _SHARED <= len(pairs) == len(table) and _ANCHOR.fullmatch(key) else None


def _tables(data: Data) -> Iterator[_Alike]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            alike = _alike(key, value) if isinstance(value, Mapping) else None
            if alike is not None:
                yield alike
            yield from _tables(value)
    elif not isinstance(data, str | int):
        for item in data:
            yield from _tables(item)


def yaml_lines(data: Mapping[str, Data]) -> list[str]:
    r"""Return the lines of a YAML document.

    >>> print(*yaml_lines({"version": 1, "people": {"no": "a b: c"}, "packages": [{"name": "web"}]}), sep="\n")
    version: 1
    people:
      "no": "a b: c"
    packages:
      - name: web
    """
    return list(_Writer(data).pairs(data, ""))
