"""How the files of an export directory are named. Nothing that the service sends can lead out of it. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Final
from urllib.parse import quote

from scarf_async.disk import LOCK
from scarf_async.exports.formats import ExportFormat
from scarf_async.exports.jobs.windows import Window

__all__ = ["LOCK", "MANIFEST", "REJECTS", "file_name", "is_data", "partition", "rejects_name"]

MANIFEST: Final = "manifest.json"
REJECTS: Final = "rejects"

_WINDOW: Final = r"\d{4}-\d\d-\d\d--\d{4}-\d\d-\d\d"
_DATA = re.compile(
    rf"(?:{REJECTS}/{_WINDOW}\.jsonl)|{_WINDOW}\.(?:csv|jsonl)|package=[\w.~%-]*/month=\d{{4}}-\d\d/{_WINDOW}\.parquet",
    re.ASCII,
)

# Readers of such folders take this for a missing value.
_MISSING: Final = "__HIVE_DEFAULT_PARTITION__"
_NAMES_OF_NONE: Final = frozenset({_MISSING.casefold(), "null"})
# File systems take 255 bytes.
_LONGEST: Final = 200
_KEPT: Final = 120


def file_name(window: Window, form: ExportFormat) -> str:
    """Return a window's file name.

    >>> import datetime as dt
    >>> file_name(Window(dt.date(2024, 1, 1), dt.date(2024, 2, 1)), ExportFormat.CSV)
    '2024-01-01--2024-02-01.csv'
    """
    return f"{window.start}--{window.end}.{form}"


def rejects_name(window: Window) -> str:
    """Return the path, from the directory on, of a window's records that cannot be read."""
    return f"{REJECTS}/{file_name(window, ExportFormat.JSONL)}"


def partition(package: str | None, month: str) -> str:
    """Return the folders of a package's month, from the directory on.

    The package is percent-encoded, its capital letters too, since some file systems take `A` and `a` for the same.
    Of one whose folder's name would be too long the beginning stands there, and a digest of the whole; the files
    hold it as it is.

    >>> partition("acme/Web", "2024-01"), partition(None, "2024-01")
    ('package=acme%2F%57eb/month=2024-01', 'package=__HIVE_DEFAULT_PARTITION__/month=2024-01')
    """
    if package is None:
        return f"package={_MISSING}/month={month}"
    folder = re.sub("%..|[A-Z]", _without_case, quote(package, safe=""))
    if package.casefold() in _NAMES_OF_NONE and not folder.startswith("%"):
        # The folder of a package that is named as if it were none.
        folder = f"%{ord(package[0]):X}{folder[1:]}"
    if len(folder) > _LONGEST:
        beginning = folder[:_KEPT]
        if "%" in beginning[-2:]:
            beginning = beginning[: beginning.rindex("%")]
        folder = f"{beginning}~{hashlib.sha256(package.encode()).hexdigest()}"
    return f"package={folder}/month={month}"


def _without_case(found: re.Match[str]) -> str:
    text = found.group()
    return text if text.startswith("%") else f"%{ord(text):X}"


def is_data(path: str) -> bool:
    """Whether a path, from the directory on, is one that a window's file may have."""
    return _DATA.fullmatch(path) is not None
