"""CSV as rows of texts that know their places. The standard reader keeps no columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scarf_async.manifests.nodes import Kind, Place, Problems, Scalar, shown

__all__ = ["parse_csv"]

_QUOTED: Final = re.compile(r'"((?:[^"]|"")*)"')
_BARE: Final = {separator: re.compile(rf"[^{separator}\r\n]*") for separator in ",;"}
_END: Final = re.compile(r"\r\n|\n|\r")


def parse_csv(text: str, file: str, problems: Problems) -> Iterator[list[Scalar]]:
    """Return the rows, the header among them; empty lines are left out.

    Cells are separated by commas, or by semicolons where the first line has only these.

    Raises:
        ManifestError: a quoted cell does not end, something follows it, or the separator cannot be told.
    """
    header = _END.split(text, 1)[0]
    if "," in header and ";" in header:
        raise problems.refuse(Place(file, 1, 1), "", "the first line has commas and semicolons; use one of them")
    separator = ";" if ";" in header else ","
    at, line, line_start = 0, 1, 0
    row: list[Scalar] = []
    while at < len(text):
        place = Place(file, line, at - line_start + 1)
        if text[at] == '"':
            cell = _QUOTED.match(text, at)
            if cell is None:
                raise problems.refuse(place, "", "this quoted cell does not end")
            row.append(Scalar(place, Kind.TEXT, cell[1].replace('""', '"')))
            if breaks := len(_END.findall(cell[0])):
                line += breaks
                line_start = at + max(cell[0].rfind("\n"), cell[0].rfind("\r")) + 1
        else:
            cell = _BARE[separator].match(text, at)
            assert cell is not None  # noqa: S101 # it matches the empty text too
            row.append(Scalar(place, Kind.TEXT, cell[0].strip()))
        at = cell.end()
        if text.startswith(separator, at):
            at += 1
            if at < len(text):
                continue
            row.append(Scalar(Place(file, line, at - line_start + 1), Kind.TEXT, ""))
        end = _END.match(text, at)
        if end is None and at < len(text):
            message = f"{shown(text[at])} follows a quoted cell; double the quotes that are part of it"
            raise problems.refuse(Place(file, line, at - line_start + 1), "", message)
        if any(cell.text for cell in row):
            yield row
        row = []
        if end is not None:
            at, line, line_start = end.end(), line + 1, end.end()
