"""Entities on standard output: a table on a terminal, lines in a pipe, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Annotated, ClassVar

import attrs
import typer

from scarf_async.cli.output import StandardOutput, data_console
from scarf_async.entities import JSON, UNSET, PackageKey

__all__ = ["AsJson", "JsonWritten", "RecordOptions", "plain", "write_json"]

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to standard output, also for an error.")]


class JsonWritten:
    """Whether the running command has written its JSON, so that an error is not a second document."""

    done: ClassVar[bool] = False


def plain(entity: attrs.AttrsInstance) -> dict[str, JSON]:
    """Return an entity as JSON data by attribute name, without `UNSET` values."""
    values: dict[str, JSON] = attrs.asdict(
        entity,
        filter=lambda _, value: value is not UNSET,
        value_serializer=lambda _, __, value: value.isoformat() if isinstance(value, datetime) else value,
    )
    return values


def write_json(data: JSON) -> None:
    """Write JSON data to standard output; in ASCII, so that nothing in it controls a terminal."""
    JsonWritten.done = True
    StandardOutput().write(f"{json.dumps(data, indent=2)}\n".encode())


@attrs.frozen(kw_only=True)
class RecordOptions:
    """The options for showing entities."""

    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Write JSON; by default a terminal gets a table, and a pipe tab-separated lines."
        ),
    ] = False

    def write_all(self, entities: Sequence[attrs.AttrsInstance], columns: Sequence[str]) -> None:
        """Write a list, one entity per line; a column is an attribute, or an attribute of one."""
        if self.as_json:
            write_json([plain(entity) for entity in entities])
        else:
            _write([[_cell(entity, column) for column in columns] for entity in entities], columns)

    def write(self, entity: attrs.AttrsInstance, columns: Sequence[str] = ()) -> None:
        """Write one entity: without columns, one field per line."""
        if self.as_json:
            write_json(plain(entity))
        elif columns:
            self.write_all([entity], columns)
        else:
            names = [name for name in plain(entity) if name != "extra"]
            _write([[name, _cell(entity, name)] for name in names], ())


def _cell(entity: attrs.AttrsInstance, column: str) -> str:
    value: object = attrgetter(column)(entity)
    if isinstance(value, PackageKey):
        return value.id
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return "" if value is None else str(value)


def _write(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
    output = StandardOutput()
    if not output.is_terminal:
        for row in rows:
            output.write_line(*row)
        return
    from scarf_async.cli.tables import show_fields, show_rows  # noqa: PLC0415 # pipes end without it

    if columns:
        show_rows([name.rpartition(".")[2] for name in columns], rows, data_console())
    else:
        show_fields(rows, data_console())
