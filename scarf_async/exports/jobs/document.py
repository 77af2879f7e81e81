"""The manifest of a prefix, and the lists of its windows' files: their names and formats. Pure.

`manifest.json` names a list for each window, `windows/....json`, and each list names the window's files. Lists and
files are written once, under new names; only `manifest.json` is ever replaced.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import msgspec

from scarf_async.exports.jobs.manifest import (
    DATA,
    REJECTS,
    Manifest,
    UnusableManifestError,
    WindowEntry,
    is_folder,
    read_version,
)
from scarf_async.exports.jobs.windows import Window

__all__ = ["LEASE", "PROBE", "Document", "Retired", "dump", "is_ours", "list_path", "load", "load_list", "named"]

LEASE: Final = "lease.json"
PROBE: Final = "probe-"
_LISTS: Final = "windows"

_DAYS: Final = r"(\d{4}-\d\d-\d\d--\d{4}-\d\d-\d\d)"
_UNIQUE: Final = r"[0-9a-f]{16}"
_FILE: Final = re.compile(
    rf"(?:{DATA}/(?:([\w.~%=-]+)/)?|({REJECTS})/){_DAYS}--[0-9a-f]{{12}}-{_UNIQUE}\.(csv|jsonl|parquet)", re.ASCII
)
_LIST: Final = re.compile(rf"{_LISTS}/{_DAYS}--{_UNIQUE}\.json", re.ASCII)
_PROBE: Final = re.compile(rf"{PROBE}{_UNIQUE}\.json", re.ASCII)

_FORMAT: Final = "scarf-async-export-prefix"
_VERSION: Final = 1


def list_path(window: Window, unique: str) -> str:
    """Return the path of the list of a window's files.

    >>> list_path(Window(dt.date(2024, 1, 1), dt.date(2024, 2, 1)), "0123456789abcdef")
    'windows/2024-01-01--2024-02-01--0123456789abcdef.json'
    """
    return f"{_LISTS}/{window.start}--{window.end}--{unique}.json"


def named(path: str, sha256: str, unique: str) -> str:
    """Return the path in a prefix for a file's path in a directory.

    >>> named("data/month=2024-01/2024-01-01--2024-02-01.parquet", "ab" * 32, "0123456789abcdef")
    'data/month=2024-01/2024-01-01--2024-02-01--abababababab-0123456789abcdef.parquet'
    """
    stem, _, form = path.rpartition(".")
    return f"{stem}--{sha256[:12]}-{unique}.{form}"


def is_ours(path: str) -> bool:
    """Return whether only a job can have written an object that is not its manifest or lease."""
    return _is_file(path) or _LIST.fullmatch(path) is not None or _PROBE.fullmatch(path) is not None


def _is_file(path: str) -> bool:
    match = _FILE.fullmatch(path)
    return match is not None and (match[1] is None or is_folder(match[1])) and (not match[2] or match[4] == "jsonl")


class Retired(msgspec.Struct, frozen=True):
    """An object that the manifest no longer names: its path, and since when."""

    path: str
    at: dt.datetime


class _Line(msgspec.Struct, frozen=True):
    """A window in the manifest."""

    start: dt.date
    end: dt.date
    rows: int
    duplicates: int
    provisional: bool
    files: str


class _Whole(msgspec.Struct):
    commit: str
    job: dict[str, str | None]
    server: str
    limit_days: int | None
    end_inclusive: bool
    windows: list[_Line]
    retired: list[Retired]
    format: str = _FORMAT
    version: int = _VERSION


@attrs.frozen
class Document:
    """The contents of a prefix.

    Attributes:
        manifest: the windows, with the paths of their files in the prefix.
        lists: the path of the list of each window's files.
        retired: the objects of earlier manifests, which readers may still use.
    """

    manifest: Manifest
    lists: Mapping[Window, str] = attrs.field(factory=dict)
    retired: tuple[Retired, ...] = ()

    def having(self, entry: WindowEntry, path: str, now: dt.datetime) -> Document:
        """Add a window, whose list has this path, replacing those that it overlaps."""
        old = self.manifest.overlapping(entry.window)
        paths = [path for some in old for path in (*some.by_path, self.lists[some.window])]
        gone = {some.window for some in old}
        lists = {window: path for window, path in self.lists.items() if window not in gone}
        return Document(
            self.manifest.having(entry),
            lists | {entry.window: path},
            (*self.retired, *(Retired(path, now) for path in paths)),
        )

    @property
    def paths(self) -> set[str]:
        """The paths of all lists and files."""
        return {*self.manifest.files, *self.lists.values()}


def dump(document: Document, commit: str) -> bytes:
    """Write a manifest; `commit` is unique to it."""
    manifest = document.manifest
    whole = _Whole(
        commit,
        manifest.job,
        manifest.server,
        manifest.limit_days,
        manifest.end_inclusive,
        [
            _Line(some.start, some.end, some.rows, some.duplicates, some.provisional, document.lists[some.window])
            for some in manifest.windows
        ],
        list(document.retired),
    )
    fields = msgspec.structs.asdict(whole)
    return b"{" + b",\n".join(_field(name, value) for name, value in fields.items()) + b"}\n"


def _field(name: str, value: object) -> bytes:
    """Write a field; a list has a line for each element."""
    if isinstance(value, list):
        written = b"[" + b",".join(b"\n" + msgspec.json.encode(item) for item in value) + b"]"
    else:
        written = msgspec.json.encode(value)
    return msgspec.json.encode(name) + b": " + written


def load(data: bytes) -> tuple[Manifest, Sequence[str], tuple[Retired, ...]]:
    """Read a manifest: its values without the windows, the paths of their lists, and the retired objects.

    Raises:
        UnusableManifestError: it is not one, is damaged, or was written by a newer version.
    """
    read_version(data, _FORMAT, _VERSION, "a prefix of exports")
    try:
        whole = msgspec.json.decode(data, type=_Whole)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnusableManifestError(f"is damaged: {error}") from None
    if whole.limit_days is not None and whole.limit_days < 1:
        raise UnusableManifestError("is damaged: limit_days is less than 1")
    behind = dt.date.min
    for line in whole.windows:
        if not behind <= line.start < line.end:
            raise UnusableManifestError(f"is damaged: the window {line.start}..{line.end} is out of place")
        behind = line.end
        if (match := _LIST.fullmatch(line.files)) is None or match[1] != f"{line.start}--{line.end}":
            raise UnusableManifestError(f"is damaged: {line.files!r} is not the list of its window's files")
    for retired in whole.retired:
        # Objects that are named here will be deleted.
        if not is_ours(retired.path) or retired.at.tzinfo is None:
            raise UnusableManifestError(f"is damaged: {retired.path!r} cannot be retired")
    manifest = Manifest(whole.job, whole.server, whole.limit_days, whole.end_inclusive)
    return manifest, [line.files for line in whole.windows], tuple(whole.retired)


def load_list(path: str, data: bytes | None) -> WindowEntry:
    """Read the list of a window's files.

    Args:
        path: its path.
        data: its contents; None if it does not exist.

    Raises:
        UnusableManifestError: it is not such a list.
    """
    if data is None:
        raise UnusableManifestError(f"names {path}, which is missing")
    try:
        entry = msgspec.json.decode(data, type=WindowEntry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnusableManifestError(f"names {path}, which is damaged: {error}") from None
    match = _LIST.fullmatch(path)
    days = f"{entry.start}--{entry.end}"
    sound = match is not None and match[1] == days and entry.rows == sum(file.rows for file in entry.files)
    if not sound or not _are_of(days, entry):
        raise UnusableManifestError(f"names {path}, which is damaged: its files are not those of {entry.window}")
    return entry


def _are_of(days: str, entry: WindowEntry) -> bool:
    for path, file in entry.by_path.items():
        match = _FILE.fullmatch(path)
        if match is None or not _is_file(path) or match[3] != days or bool(match[2]) != (file is entry.rejects):
            return False
    return len(entry.by_path) == len(entry.files) + (entry.rejects is not None)
