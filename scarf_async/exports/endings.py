"""The format and compression of a file from the ending of its name."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePath
from typing import Final, Protocol

from scarf_async.errors import ValidationError
from scarf_async.exports.convert import Pipe
from scarf_async.exports.formats import ExportFormat

__all__ = ["Compression", "Compressor", "compressor", "read_ending"]

_FORMATS: Final[Mapping[str, ExportFormat]] = {
    ".csv": ExportFormat.CSV,
    ".jsonl": ExportFormat.JSONL,
    ".ndjson": ExportFormat.JSONL,
    ".parquet": ExportFormat.PARQUET,
}
# In gzip format, without a time, so that equal exports give equal files.
_GZIP: Final = 31


class Compression(StrEnum):
    """The compression of a text file."""

    GZIP = ".gz"
    ZSTD = ".zst"


class Compressor(Protocol):
    """Compresses a file piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """Return the compressed bytes so far, which may be empty."""

    def flush(self) -> bytes:
        """Return the end."""


def read_ending(path: PurePath, form: ExportFormat | None) -> tuple[ExportFormat | None, Compression | None]:
    """Return the format and the compression that the name of a file selects.

    >>> read_ending(PurePath("events.ndjson.gz"), None)
    (<ExportFormat.JSONL: 'jsonl'>, <Compression.GZIP: '.gz'>)

    Args:
        path: the file. A name without an ending selects none.
        form: an explicit format, which takes precedence over the ending.

    Raises:
        ValidationError: the ending is unknown, or asks to compress Parquet, which is already compressed.
    """
    ending = path.suffix.lower()
    compression = Compression(ending) if ending in set(Compression) else None
    if form is None:
        inner = path.with_suffix("").suffix.lower() if compression else ending
        form = _FORMATS.get(inner)
        if inner and form is None:
            raise ValidationError(
                f"{path}: the ending {inner} does not name a format: use one of {', '.join(_FORMATS)}, the text"
                " formats also with .gz or .zst, or say which format you want",
                field="format",
            )
    if compression and form is ExportFormat.PARQUET:
        raise ValidationError(
            f"{path}: Parquet is compressed already: leave out the ending {compression}", field="format"
        )
    return form, compression


def compressor(compression: Compression) -> Compressor:
    """Return a compressor for a file.

    Raises:
        ImportError: zstd needs pyarrow, which is not installed.
    """
    return zlib.compressobj(wbits=_GZIP) if compression is Compression.GZIP else _Zstandard()


class _Zstandard:
    def __init__(self) -> None:
        try:
            import pyarrow as pa  # type: ignore[import-untyped] # noqa: PLC0415 # large, and an extra
        except ImportError as error:
            raise ImportError(f"a .zst file needs pyarrow: pip install 'scarf-async[arrow]' ({error})") from error
        self._pipe = Pipe()
        self._stream = pa.CompressedOutputStream(self._pipe, "zstd")

    def compress(self, data: bytes, /) -> bytes:
        self._stream.write(data)
        return self._pipe.take()

    def flush(self) -> bytes:
        self._stream.close()
        return self._pipe.take()
