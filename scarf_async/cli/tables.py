"""Entities on a terminal: names first, ids never cut, and one block for each if the columns do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from scarf_async.cli.output import print_table, say
from scarf_async.text import printable

__all__ = ["show_fields", "show_rows"]

_NAMES: Final = frozenset({"name", "username", "organization_name", "template_path", "pattern"})
_IDS: Final = frozenset({"id", "uuid"})
# These may be long, and can be broken anywhere.
_TEXTS: Final = frozenset({"short_description", "human_friendly_message", "outgoing_url", "error"})
_WIDEST: Final = 10_000


def show_rows(columns: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    """Show a table, or each row as a block of lines if it is wider than the terminal."""
    if not rows:
        say("There is nothing to list.")
        return
    order = sorted(range(len(columns)), key=lambda place: (columns[place] in _IDS) - (columns[place] in _NAMES))
    table = Table(box=None, pad_edge=False)
    for place in order:
        long = columns[place] in _TEXTS
        table.add_column(columns[place], overflow="fold", no_wrap=not long, min_width=20 if long else None)
    for row in rows:
        table.add_row(*(_cell(row[place]) for place in order))
    if Measurement.get(console, console.options.update(width=_WIDEST), table).minimum <= console.width:
        print_table(table, console)
        return
    for number, row in enumerate(rows):
        if number:
            console.print()
        show_fields([(columns[place], row[place]) for place in order], console)


def show_fields(rows: Sequence[Sequence[str]], console: Console) -> None:
    """Show the fields of one entity, one per line."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    print_table(table, console)


def _cell(text: str) -> Text:
    return Text(printable(text))
