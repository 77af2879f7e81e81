"""The formats that exports are written in, and what of them is text. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from importlib import import_module
from operator import attrgetter
from typing import Final, Literal, TypeAlias

import attrs
import msgspec

from scarf_async.entities import Event
from scarf_async.errors import ConfigurationError, ValidationError

__all__ = [
    "ExportFormat",
    "ExportFormatLike",
    "csv_header",
    "csv_line",
    "csv_rows",
    "json_lines",
    "need_arrow",
    "need_installed",
    "own_format",
    "unknown_columns",
]

Record: TypeAlias = type[attrs.AttrsInstance]
Write: TypeAlias = Callable[[Iterable[object]], bytes]

_QUOTED: Final = re.compile(r'[",\r\n]|\A\Z')

_encode = msgspec.json.Encoder().encode


class ExportFormat(StrEnum):
    """What is written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


ExportFormatLike: TypeAlias = ExportFormat | Literal["csv", "jsonl", "parquet"]
"""What serves as an `ExportFormat`: the plain string too."""


def own_format(record: Record | None) -> ExportFormat:
    """Return the format in which the service sends records of a class; of none, what has no columns of its own."""
    return ExportFormat.CSV if record in {Event, None} else ExportFormat.JSONL


def unknown_columns() -> ValidationError:
    """Build the refusal to make a table of what has no columns that are known."""
    return ValidationError(
        "the columns of this export are not known before they come: take csv or jsonl", field="format"
    )


def need_arrow(form: ExportFormatLike | None, record: Record | None = Event) -> None:
    """Make sure that what a format needs is there: exports cost money, and what cannot be written is not asked for.

    Raises:
        ValidationError: the format is Parquet, and the records have no columns that are known before they come.
        ImportError: pyarrow is not installed, and the format is Parquet.
    """
    if form != ExportFormat.PARQUET:
        return
    if record is None:
        raise unknown_columns()
    try:
        import pyarrow.parquet  # type: ignore[import-untyped] # noqa: F401, PLC0415 # large, and an extra
    except ImportError as error:
        raise ImportError(f"Parquet needs pyarrow: pip install 'scarf-async[arrow]' ({error})") from error


def need_installed(user: str, package: str, *modules: str) -> None:
    """Make sure that modules are there, before anything is asked for.

    Args:
        user: what needs them.
        package: what to install.
        modules: their names.

    Raises:
        ConfigurationError: one of them is not installed.
    """
    try:
        for module in modules:
            import_module(module)
    except ImportError as error:
        problem = str(error)
    else:
        return
    raise ConfigurationError(f"{user} needs {' and '.join(modules)}: pip install '{package}' ({problem})")


def _names(record: Record) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(record))


def json_lines(record: Record | None, *, whole: bool = False) -> Write:
    """Return what writes records as JSON objects by attribute name, without what is None or an empty `extra`.

    Args:
        record: the class of the records; None: they are mappings.
        whole: whether these are there, too, as null, for readers who learn from some lines what all of them have.
    """
    if record is None:
        return _mapping_lines
    names = _names(record)
    values = attrgetter(*names)

    def write(records: Iterable[object]) -> bytes:
        return b"".join(
            _encode(
                {
                    name: None if value == {} else value
                    for name, value in zip(names, values(record), strict=True)
                    if whole or value or not (value is None or value == {})
                }
            )
            + b"\n"
            for record in records
        )

    return write


def _mapping_lines(records: Iterable[object]) -> bytes:
    return b"".join(
        _encode({name: value for name, value in record.items() if value is not None}) + b"\n"
        for record in records
        if isinstance(record, Mapping)
    )


def csv_header(record: Record) -> bytes:
    """Return the header over `csv_rows` of this class."""
    return ",".join(_names(record)).encode() + b"\n"


def csv_rows(record: Record) -> Write:
    """Return what writes records as CSV by attribute name; `extra` is the text of a JSON object."""
    values = attrgetter(*_names(record))

    def write(records: Iterable[object]) -> bytes:
        return "".join(csv_line(map(_text, values(record))) for record in records).encode()

    return write


def csv_line(cells: Iterable[str | None]) -> str:
    r"""Write a record that every reader of CSV reads alike: a lone CR is quoted, `""` is empty and nothing is None.

    Not by `csv.writer`: not every version of it quotes a CR, and it writes an empty text as it does None.

    >>> csv_line(["a\rb", "", None, "5"])
    '"a\rb","",,5\n'
    """
    return ",".join(map(_cell, cells)) + "\n"


def _cell(text: str | None) -> str:
    if text is None:
        return ""
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _text(value: object) -> str | None:
    if isinstance(value, dict | tuple):
        return _encode(value).decode() if value else None
    return None if value is None else str(value)
