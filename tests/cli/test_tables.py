"""Entities on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from scarf_async.cli.tables import show_rows

COLUMNS = ("uuid", "owner", "name", "short_description")
UUIDS = [f"00000000-0000-0000-0000-00000000000{place}" for place in range(2)]
ROWS = [[UUIDS[0], "acme", "web", "The web client of our company"], [UUIDS[1], "acme", "a-long-name", ""]]


def shown(width: int) -> list[str]:
    """Return the lines on a terminal of that width."""
    console = Console(file=io.StringIO(), width=width, record=True)
    show_rows(COLUMNS, ROWS, console)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_names_come_first_and_ids_are_whole() -> None:
    """A text that is too long wraps."""
    assert shown(80) == [
        "name         owner  short_description       uuid",
        f"web          acme   The web client of our   {UUIDS[0]}",
        "                    company",
        f"a-long-name  acme                           {UUIDS[1]}",
    ]


@pytest.mark.parametrize("width", [40, 70])
def test_rows_that_do_not_fit_are_blocks(width: int) -> None:
    """Nothing is cut or left out."""
    lines = shown(width)
    assert lines[:2] == ["name               web", "owner              acme"]
    assert "" in lines
    assert all(any(uuid[:20] in line for line in lines) for uuid in UUIDS)
