"""Readable changes: grouped by organization and package, coloured, with long lists shortened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

import attrs
from rich.text import Text

from scarf_async.cli.output import StandardOutput, data_console, notes_console, say, terminal_width
from scarf_async.manifests.changes import Action, Change, Changes
from scarf_async.names import plain_name
from scarf_async.text import counted, printable

__all__ = ["difference_lines", "markdown", "show_difference"]

_STYLES: Final[Mapping[Action, str]] = {
    "create": "green",
    "update": "yellow",
    "set": "yellow",
    "remove": "red",
    "blocked": "bold magenta",
    "uncompared": "dim",
}
_PLURALS: Final = {"member": "members", "permission": "permissions", "route": "routes", "domain": "domains"}
# A reviewer must see everything that is removed or not done.
_NEVER_HIDDEN: Final = frozenset[Action]({"remove", "blocked"})
_FEW: Final = 4
_PACKAGES: Final = 3
# GitHub accepts comments of up to 65,536 characters.
_LONGEST_COMMENT: Final = 60_000


def show_difference(changes: Changes, *, notes: bool = False, full: bool = False) -> None:
    """Write a difference to standard output or standard error; in full unless on a terminal.

    Args:
        changes: the difference.
        notes: whether to write to standard error.
        full: whether to write it in full on a terminal too.
    """
    console = notes_console() if notes else data_console()
    view = _View(terminal_width() if console.is_terminal and not full else None)
    for line in view.lines(changes):
        if console.is_terminal:
            console.print(line, soft_wrap=True)
        elif notes:
            say(line.plain)
        else:
            StandardOutput().write_line(line.plain)
    if view.hidden or view.cut:
        parts = [f"{counted(view.hidden, 'change')}"] if view.hidden else []
        parts += ["parts of long lines"] if view.cut else []
        say(f"Not shown: {' and '.join(parts)}; --full shows everything")


def difference_lines(changes: Changes, *, width: int | None = None) -> Iterator[Text]:
    """Return the lines; with a width, long lists and lines are shortened."""
    return _View(width).lines(changes)


def markdown(changes: Changes) -> str:
    """Return a difference as a comment on a pull request: the counts, and the folded lines.

    Removals and blocked changes come first if the comment would be too long for GitHub.
    """
    lines = [line.plain for line in difference_lines(changes)]
    body = list(map(_marked, lines[:-1]))
    hidden = 0
    if sum(len(line) + 1 for line in body) > _LONGEST_COMMENT:
        kept, size = [], 0
        ordered = sorted(changes, key=lambda change: change.action not in _NEVER_HIDDEN)
        for line in (_marked(str(change)) for change in ordered):
            size += len(line) + 1
            if size <= _LONGEST_COMMENT:
                kept.append(line)
        body, hidden = kept, len(ordered) - len(kept)
    if not body:
        return f"**{lines[-1]}**\n"
    # A name could contain the end of the block.
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", "\n".join(body)) or [""]))
    parts = [
        f"**{lines[-1]}**",
        "<details><summary>Changes</summary>",
        "\n".join([f"{fence}diff", *body, fence]),
        "</details>",
    ]
    if hidden:
        parts.append(f"{counted(hidden, 'change')} not shown: they do not fit into one comment.")
    return "\n\n".join(parts) + "\n"


def _marked(line: str) -> str:
    """Put the sign first, by which a diff is coloured; an update has an exclamation mark there."""
    text = line.lstrip()
    sign = text[:1] if text[1:2] == " " and text[0] in "+-~!?" else " "
    return f"{'!' if sign == '~' else sign} {' ' * (len(line) - len(text))}{text.removeprefix(f'{sign} ')}"


@attrs.define
class _View:
    """A view of a difference, and what it left out so far.

    Attributes:
        width: the width of the terminal; None to show everything.
        hidden: the number of changes that were left out.
        cut: whether a line was shortened.
    """

    width: int | None
    hidden: int = 0
    cut: bool = False

    def lines(self, changes: Changes) -> Iterator[Text]:
        """Yield the lines."""
        # URLs of packages usually cannot be compared, so these are only counted.
        shown = [change for change in changes if (change.action, change.kind) != ("uncompared", "package")]
        for organization, group in groupby(shown, key=lambda change: change.organization):
            yield Text(printable(organization or "your own packages"), "bold")
            yield from self._organization(list(group))
        for name in changes.ownerless:
            yield Text(f"! organization {printable(name)} would be left without an owner", _STYLES["blocked"])
        yield Text(changes.summary, "bold")

    def _organization(self, changes: Sequence[Change]) -> Iterator[Text]:
        packages = [
            list(group)
            for _, group in groupby(
                (change for change in changes if change.package is not None),
                key=lambda change: (change.package, change.library_type, change.uuid),
            )
        ]
        yield from self._listed([change for change in changes if change.package is None], 2)
        hidden: list[list[Change]] = []
        for place, package in enumerate(packages):
            hides = self.width is not None and place >= _PACKAGES and len(packages) > _PACKAGES + 1
            if hides and not any(change.action in _NEVER_HIDDEN for change in package):
                hidden.append(package)
            else:
                yield from self._package(package)
        if hidden:
            count = sum(map(len, hidden))
            self.hidden += count
            yield _more(f"{len(hidden):,} more packages, {counted(count, 'change')}", 2)

    def _package(self, changes: Sequence[Change]) -> Iterator[Text]:
        first = changes[0]
        if first.kind == "package":
            yield self._line(first, 2)
        else:
            name = plain_name(first.package or "", first.organization)
            yield Text(printable(f"    package {name}{_type(first)}"))
        yield from self._listed([change for change in changes if change.kind != "package"], 6)

    def _listed(self, changes: Iterable[Change], indent: int) -> Iterator[Text]:
        for (action, kind), group in groupby(changes, key=lambda change: (change.action, change.kind)):
            alike = list(group)
            shortened = self.width is not None and action not in _NEVER_HIDDEN and len(alike) > _FEW + 1
            shown = alike[:_FEW] if shortened else alike
            yield from (self._line(change, indent) for change in shown)
            if shortened:
                self.hidden += len(alike) - _FEW
                yield _more(f"{len(alike) - _FEW:,} more {_PLURALS.get(kind, kind)}", indent)

    def _line(self, change: Change, indent: int) -> Text:
        style = _STYLES.get(change.action, "")
        line = Text(" " * indent)
        line.append(f"{change.sign} {change.kind} ", style)
        line.append(printable(change.label), f"bold {style}")
        named = line.cell_len
        if change.kind == "package":
            line.append(printable(_type(change)))
        # For a new entity, the rest is cut off below; for an update, the differing part matters.
        longest = None if self.width is None or change.action == "create" else max(24, self.width // 3)
        details = change.describe(longest)
        self.cut |= details != change.details
        if details:
            line.append(printable(f" {details}" if change.kind == "route" else f": {details}"))
        if change.note:
            line.append(printable(f" ({change.note})"))
        if self.width is not None and change.action == "create":
            self.cut |= line.cell_len > max(self.width, named + 1)
            line.truncate(max(self.width, named + 1), overflow="ellipsis")
        return line


def _more(what: str, indent: int) -> Text:
    return Text(f"{' ' * indent}… and {what}", "dim")


def _type(change: Change) -> str:
    return f" ({change.library_type})" if change.library_type else ""
