"""Changes for people: grouped by organization and package, coloured, long lists shortened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from rich.text import Text

from scarf_async.cli.output import StandardOutput, data_console, notes_console, say, terminal_width
from scarf_async.manifests.changes import Action, Change, Changes
from scarf_async.names import plain_name
from scarf_async.text import printable

__all__ = ["difference_lines", "show_difference"]

_STYLES: Final[Mapping[Action, str]] = {
    "create": "green",
    "update": "yellow",
    "set": "yellow",
    "remove": "red",
    "blocked": "bold magenta",
    "uncompared": "dim",
}
_PLURALS: Final = {"member": "members", "permission": "permissions", "route": "routes", "domain": "domains"}
# A reviewer must see all that is lost, and all that is not done.
_NEVER_HIDDEN: Final = frozenset[Action]({"remove", "blocked"})
_FEW: Final = 4
_PACKAGES: Final = 3


def show_difference(changes: Changes, *, notes: bool = False) -> None:
    """Write a difference to standard output, or among the notes; in full where no person is looking."""
    console = notes_console() if notes else data_console()
    for line in difference_lines(changes, width=terminal_width() if console.is_terminal else None):
        if console.is_terminal:
            console.print(line, soft_wrap=True)
        elif notes:
            say(line.plain)
        else:
            StandardOutput().write_line(line.plain)


def difference_lines(changes: Changes, *, width: int | None = None) -> Iterator[Text]:
    """Return the lines; with a width long lists, and long lines of what is to be created, are shortened."""
    # That addresses of packages cannot be compared is the rule, and is counted only.
    shown = [change for change in changes if (change.action, change.kind) != ("uncompared", "package")]
    for organization, group in groupby(shown, key=lambda change: change.organization):
        yield Text(printable(organization or "your own packages"), "bold")
        yield from _organization(list(group), width)
    for name in changes.ownerless:
        yield Text(f"! organization {printable(name)} would be left without an owner", _STYLES["blocked"])
    yield Text(changes.summary, "bold")


def _organization(changes: Sequence[Change], width: int | None) -> Iterator[Text]:
    packages = [
        list(group)
        for _, group in groupby(
            (change for change in changes if change.package is not None),
            key=lambda change: (change.package, change.library_type, change.uuid),
        )
    ]
    yield from _listed([change for change in changes if change.package is None], 2, width)
    hidden: list[list[Change]] = []
    for place, package in enumerate(packages):
        hides = width is not None and place >= _PACKAGES and len(packages) > _PACKAGES + 1
        if hides and not any(change.action in _NEVER_HIDDEN for change in package):
            hidden.append(package)
        else:
            yield from _package(package, width)
    if hidden:
        yield _more(f"{len(hidden):,} more packages, {sum(map(len, hidden)):,} changes", 2)


def _package(changes: Sequence[Change], width: int | None) -> Iterator[Text]:
    first = changes[0]
    if first.kind == "package":
        yield _line(first, 2, width)
    else:
        name = plain_name(first.package or "", first.organization)
        yield Text(printable(f"    package {name}{_type(first)}"))
    yield from _listed([change for change in changes if change.kind != "package"], 6, width)


def _listed(changes: Iterable[Change], indent: int, width: int | None) -> Iterator[Text]:
    for (action, kind), group in groupby(changes, key=lambda change: (change.action, change.kind)):
        alike = list(group)
        shortened = width is not None and action not in _NEVER_HIDDEN and len(alike) > _FEW + 1
        shown = alike[:_FEW] if shortened else alike
        yield from (_line(change, indent, width) for change in shown)
        if shortened:
            yield _more(f"{len(alike) - _FEW:,} more {_PLURALS.get(kind, kind)}", indent)


def _more(what: str, indent: int) -> Text:
    return Text(f"{' ' * indent}… and {what}", "dim")


def _type(change: Change) -> str:
    return f" ({change.library_type})" if change.library_type else ""


def _line(change: Change, indent: int, width: int | None) -> Text:
    style = _STYLES.get(change.action, "")
    line = Text(" " * indent)
    line.append(f"{change.sign} {change.kind} ", style)
    line.append(printable(change.label), f"bold {style}")
    named = line.cell_len
    if change.kind == "package":
        line.append(printable(_type(change)))
    if change.details:
        line.append(printable(f" {change.details}" if change.kind == "route" else f": {change.details}"))
    if change.note:
        line.append(printable(f" ({change.note})"))
    if width is not None and change.action == "create":
        line.truncate(max(width, named + 1), overflow="ellipsis")
    return line
