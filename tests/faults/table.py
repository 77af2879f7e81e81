"""`table.md` as data."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self

import attrs

__all__ = ["ATTEMPTS", "SETTLE", "Cell", "Code", "cells"]

ATTEMPTS: Final = 4
"""How often a call is sent at most: the policy of all clients here."""
SETTLE: Final = 2.0

_OK: Final = "ok"
_FILE: Final = Path(__file__).with_name("table.md")


@attrs.frozen
class Code:
    """What a code of the table promises.

    Attributes:
        ends: `ok`, `unknown`, `skipped`, `later`, or the class of an error.
        sends: how often the call is sent; None: as often as patience allows.
        looks: how many reads there are after the first request; None: any number.
        apart: seconds between the first two requests at least.
        followed: how many requests go where a redirect leads.
    """

    ends: str
    sends: int | None = 1
    looks: int | None = 0
    apart: float = 0.0
    followed: int = 0

    @property
    def ok(self) -> bool:
        """Whether the caller gets the result."""
        return self.ends == _OK

    @classmethod
    def read(cls, word: str) -> Self:
        """Read a code."""
        named = {
            "once": cls(_OK),
            "again": cls(_OK, 2),
            "found": cls(_OK, looks=1),
            "absent": cls(_OK, 2, looks=2, apart=SETTLE),
            "looked": cls(_OK, 2, looks=1),
            "reread": cls(_OK, looks=1),
            "followed": cls(_OK, followed=1),
            "endless": cls("ExportError", followed=5),
            "unknown": cls("unknown", None, looks=None),
            "lost": cls("unknown"),
            "skipped": cls("skipped", None),
            "later": cls("later"),
        }
        if word in named:
            return named[word]
        ends = word.removesuffix("*")
        assert ends.endswith("Error") or ends == "unknown", f"no such code: {word}"
        return cls(ends, ATTEMPTS, looks=None) if word != ends else cls(ends)


@attrs.frozen
class Cell:
    """A cell of the table: a group of calls, the versions that have some of them, a fault, and the code."""

    row: str
    versions: str
    fault: str
    code: str

    def __str__(self) -> str:
        return f"{self.row}: {self.fault}: {self.code}"


def cells() -> list[Cell]:
    """Read all cells of all parts of the table."""
    found: list[Cell] = []
    faults: list[str] = []
    for line in _FILE.read_text().splitlines():
        first, *rest = [word.strip() for word in line.strip("|").split("|")]
        versions, *rest = rest or [""]
        if not line.startswith("|"):
            faults = []
        elif first == "call":
            faults = rest
        elif faults and set(first) != {"-"}:
            found += [Cell(first, versions, fault, code) for fault, code in zip(faults, rest, strict=True)]
    return found
