"""Text for people: escaping of untrusted text, and plain tables."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["aligned", "counted", "printable"]


def printable(text: str) -> str:
    r"""Escape unprintable characters: control characters, line ends, direction marks, invalid text.

    Text from the service or a file is untrusted: it must not control a terminal or forge lines of a log.

    >>> printable("no such\x1b[2J thing\n")
    'no such\\x1b[2J thing\\n'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a count with its noun in the right form.

    >>> counted(1, "request"), counted(3133, "request"), counted(0, "reply", "replies")
    ('1 request', '3,133 requests', '0 replies')
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def aligned(rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Return the lines of a table. The first `left` columns are aligned to the left, the others to the right.

    >>> print(*aligned([["fruit", "count"], ["fig", "12"]]), sep="|")
    fruit  count|fig       12
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
