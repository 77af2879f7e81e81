"""The formats of files, and writers for the text formats. Pure."""

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
    """The format of a file."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


ExportFormatLike: TypeAlias = ExportFormat | Literal["csv", "jsonl", "parquet"]
"""An `ExportFormat` or its plain string."""


def own_format(record: Record | None) -> ExportFormat:
    """Return the format in which the service sends records of a class; None means mappings."""
    return ExportFormat.CSV if record in {Event, None} else ExportFormat.JSONL


def unknown_columns() -> ValidationError:
    """Return the error for a table of records whose columns are not known."""
    return ValidationError(
        "the columns of this export are not known before they come: take csv or jsonl", field="format"
    )


def need_arrow(form: ExportFormatLike | None, record: Record | None = Event) -> None:
    """Check the requirements of a format: exports cost money, so one that cannot be written is not requested.

    Raises:
        ValidationError: the format is Parquet, and the columns of the records are not known in advance.
        ImportError: the format is Parquet and pyarrow is not installed.
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
    """Check that modules are installed, before anything is requested.

    Args:
        user: the feature that needs them.
        package: the package to install.
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
    """Return a function that writes records as JSON objects by attribute name, without None and an empty `extra`.

    Args:
        record: the class of the records; None for mappings.
        whole: whether to write those as null, for readers that infer the fields from some lines.
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
    """Return the CSV header of a class."""
    return ",".join(_names(record)).encode() + b"\n"


def csv_rows(record: Record) -> Write:
    """Return a function that writes records as CSV by attribute name; `extra` is the text of a JSON object."""
    values = attrgetter(*_names(record))

    def write(records: Iterable[object]) -> bytes:
        return "".join(csv_line(map(_text, values(record))) for record in records).encode()

    return write


def csv_line(cells: Iterable[str | None]) -> str:
    r"""Write a record that all CSV readers read alike: a lone CR is quoted, `""` is empty, an empty cell is None.

    `csv.writer` does not quote a CR in every version, and writes an empty string like None.

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
