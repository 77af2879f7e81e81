"""How the files of an export directory are named. Nothing that the service sends can lead out of it. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Final
from urllib.parse import quote

from scarf_async.exports.formats import ExportFormat
from scarf_async.exports.jobs.windows import Window

__all__ = [
    "DATA",
    "LOCK",
    "MANIFEST",
    "REJECTS",
    "TEMPORARY",
    "data_path",
    "file_name",
    "is_data",
    "is_folder",
    "partition",
    "rejects_path",
]

MANIFEST: Final = "manifest.json"
LOCK: Final = "lock"
DATA: Final = "data"
"""The folder of all data, and of nothing else: readers take it whole."""
REJECTS: Final = "rejects"
TEMPORARY: Final = "tmp"

_WINDOW: Final = r"\d{4}-\d\d-\d\d--\d{4}-\d\d-\d\d"
_FOLDER: Final = re.compile(r"artifact=[\w.~%-]*|month=\d{4}-\d\d", re.ASCII)
_DATA: Final = re.compile(
    rf"{DATA}/(?:{_WINDOW}\.(?:csv|jsonl)|(?:(?:{_FOLDER.pattern})/)?{_WINDOW}\.parquet)"
    rf"|{REJECTS}/{_WINDOW}\.jsonl",
    re.ASCII,
)

# Readers of such folders take these for a missing value.
_NAMES_OF_NONE: Final = frozenset({"__hive_default_partition__", "null"})
# Some readers make numbers or times of whatever looks like them; of these they fail to.
_LIKE_A_VALUE: Final = re.compile(r"[-+.:\dETZe ]+")
_A_VALUE: Final = re.compile(r"[-+.0-9ETZe ]{0,18}")
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


def data_path(folder: str, name: str) -> str:
    """Return the path, from the directory on, of a file in one of the folders of the data, or in none."""
    return f"{DATA}/{folder}/{name}" if folder else f"{DATA}/{name}"


def rejects_path(window: Window) -> str:
    """Return the path, from the directory on, of a window's records that cannot be read."""
    return f"{REJECTS}/{file_name(window, ExportFormat.JSONL)}"


def partition(artifact: str | None) -> str:
    """Return the folder of a package or pixel.

    Its name is percent-encoded, its capital letters too, since some file systems take `A` and `a` for the same.
    A name that would be too long is cut, and a digest of the whole is added; so is one over which
    readers stumble, encoded or not. The files hold it as it is.

    >>> partition("acme/Web"), partition(None)
    ('artifact=acme%2F%57eb', 'artifact=')
    """
    artifact = artifact or ""
    folder = re.sub("%..|[A-Z]", _without_case, quote(artifact, safe=""))
    if len(folder) > _LONGEST or _is_misread(artifact):
        beginning = folder[:_KEPT]
        if "%" in beginning[-2:]:
            beginning = beginning[: beginning.rindex("%")]
        folder = f"{beginning}~{hashlib.sha256(artifact.encode()).hexdigest()}"
    return f"artifact={folder}"


def _is_misread(artifact: str) -> bool:
    if artifact.casefold() in _NAMES_OF_NONE:
        return True
    return _LIKE_A_VALUE.fullmatch(artifact) is not None and _A_VALUE.fullmatch(artifact) is None


def _without_case(found: re.Match[str]) -> str:
    text = found.group()
    return text if text.startswith("%") else f"%{ord(text):X}"


def is_data(path: str) -> bool:
    """Whether a path, from the directory on, is one that a window's file may have."""
    return _DATA.fullmatch(path) is not None


def is_folder(name: str) -> bool:
    """Whether a folder of the data may have this name."""
    return _FOLDER.fullmatch(name) is not None
