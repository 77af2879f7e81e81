"""The manifest: the contents of an export directory, and the names of its files. Pure.

A window is in it completely or not at all. No path can lead out of the directory, whatever the service sends.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final
from urllib.parse import quote

import attrs
import msgspec

from scarf_async.exports.formats import ExportFormat
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.windows import Window

__all__ = [
    "DATA",
    "JOURNAL",
    "LOCK",
    "MANIFEST",
    "REJECTS",
    "TEMPORARY",
    "FileEntry",
    "Learnt",
    "Line",
    "Manifest",
    "Placed",
    "Placing",
    "UnusableManifestError",
    "WindowEntry",
    "data_path",
    "differences",
    "dump",
    "dump_line",
    "file_name",
    "is_data",
    "is_folder",
    "load",
    "load_lines",
    "partition",
    "read_version",
    "rejects_path",
    "with_journal",
]

MANIFEST: Final = "manifest.json"
JOURNAL: Final = "journal.jsonl"
LOCK: Final = "lock"
DATA: Final = "data"
"""The folder of all data and nothing else: readers read all of it."""
REJECTS: Final = "rejects"
TEMPORARY: Final = "tmp"

_WINDOW: Final = r"\d{4}-\d\d-\d\d--\d{4}-\d\d-\d\d"
_FOLDER: Final = re.compile(r"artifact=[\w.~%-]*|month=\d{4}-\d\d", re.ASCII)
_DATA: Final = re.compile(
    rf"{DATA}/(?:{_WINDOW}\.(?:csv|jsonl)|(?:(?:{_FOLDER.pattern})/)?{_WINDOW}\.parquet)"
    rf"|{REJECTS}/{_WINDOW}\.jsonl",
    re.ASCII,
)

# Readers of such folders treat these as a missing value.
_NAMES_OF_NONE: Final = frozenset({"__hive_default_partition__", "null"})
# Some readers convert everything that looks like a number or time; they fail for these.
_LIKE_A_VALUE: Final = re.compile(r"[-+.:\dETZe ]+")
_A_VALUE: Final = re.compile(r"[-+.0-9ETZe ]{0,18}")
# File systems allow 255 bytes.
_LONGEST: Final = 200
_KEPT: Final = 120

_PART: Final = re.compile(rf"{TEMPORARY}/[\w.-]+", re.ASCII)

# Neither the days of a job nor the length of its windows: these may change within a directory.
_IDENTITY: Final = ("what", "owner", "package", "names", "query", "format", "api", "partition_by")

FORMAT: Final = "scarf-async-export"
VERSION: Final = 3


def file_name(window: Window, form: ExportFormat) -> str:
    """Return the file name of a window.

    >>> import datetime as dt
    >>> file_name(Window(dt.date(2024, 1, 1), dt.date(2024, 2, 1)), ExportFormat.CSV)
    '2024-01-01--2024-02-01.csv'
    """
    return f"{window.start}--{window.end}.{form}"


def data_path(folder: str, name: str) -> str:
    """Return the relative path of a file in a folder of the data, or directly in it."""
    return f"{DATA}/{folder}/{name}" if folder else f"{DATA}/{name}"


def rejects_path(window: Window) -> str:
    """Return the relative path of the file for a window's records that cannot be read."""
    return f"{REJECTS}/{file_name(window, ExportFormat.JSONL)}"


def partition(artifact: str | None) -> str:
    """Return the folder of a package or pixel.

    Its name is percent-encoded, including capital letters, since some file systems ignore case. A name that is too
    long is shortened to its beginning and a digest, and so is one that readers misinterpret. The files contain the
    original name.

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
    """Return whether a relative path is valid for a window's file."""
    return _DATA.fullmatch(path) is not None


def is_folder(name: str) -> bool:
    """Return whether a name is valid for a folder of the data."""
    return _FOLDER.fullmatch(name) is not None


class UnusableManifestError(ValueError):
    """A manifest cannot be used; the message continues after its name."""


class FileEntry(msgspec.Struct, frozen=True):
    """A file of a window: its relative path, its size, and its contents."""

    path: str
    bytes: int
    sha256: str
    rows: int


class WindowEntry(msgspec.Struct, frozen=True):
    """A window that was fetched.

    Attributes:
        start: the first day.
        end: the first day after it.
        rows: the number of rows in its files.
        duplicates: the number of dropped rows with a repeated `id`.
        outside: the number of dropped rows outside the window.
        provisional: whether it had not ended when it was requested, so that rows may be missing.
        finished_at: when it was fetched, by the machine's clock; only informative.
        answered_at: when the service responded, by its own clock; None if it did not say.
        files: its files; none if there were no rows to partition.
        malformed: the number of records that cannot be read.
        rejects: the file with those records, if requested.
        conflicting: how many of the duplicates differ from the first row with their id.
        conflicts: the line numbers of the first hundred of these.
        effective_start: the first day that the service covered, if it said so.
        effective_end: the first day after those that the service covered, if it said so.
        columns: the columns of a CSV that was written as received, at most 4 KiB; empty for other files, whose
            columns are always the same.
    """

    start: dt.date
    end: dt.date
    rows: int
    duplicates: int
    outside: int
    provisional: bool
    finished_at: dt.datetime
    answered_at: dt.datetime | None
    files: tuple[FileEntry, ...]
    malformed: int = 0
    rejects: FileEntry | None = None
    conflicting: int = 0
    conflicts: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    effective_start: dt.date | None = None
    effective_end: dt.date | None = None

    @property
    def looked_at(self) -> Window:
        """The days that the service covered; all days of the window if it did not say."""
        return Window(
            max(self.effective_start or self.start, self.start), min(self.effective_end or self.end, self.end)
        )

    @property
    def window(self) -> Window:
        """Its days."""
        return Window(self.start, self.end)

    @property
    def by_path(self) -> dict[str, FileEntry]:
        """Its files including rejects, by path."""
        return {file.path: file for file in (*self.files, self.rejects) if file is not None}

    @property
    def bytes(self) -> int:
        """The total size of its files."""
        return sum(file.bytes for file in self.files)


class Placing(msgspec.Struct, frozen=True, tag=True):
    """The files of a window are complete and are being placed; the windows that it overlaps are removed.

    A run that finds this in the last line of a journal continues with it.

    Attributes:
        entry: the window.
        parts: the current paths of its files, by final path.
    """

    entry: WindowEntry
    parts: dict[str, str]


class Placed(msgspec.Struct, frozen=True, tag=True):
    """The files are placed, and the window is there."""


class Learnt(msgspec.Struct, frozen=True, tag=True):
    """What the service has shown, as in the manifest."""

    limit_days: int | None
    end_inclusive: bool


class Line(msgspec.Struct, frozen=True):
    """A line of the journal: the change since the previous one."""

    number: int
    change: Placing | Placed | Learnt


@attrs.frozen
class Manifest:
    """The contents of a directory.

    Attributes:
        job: the attributes of the `ExportJob`, without its days and windows.
        server: the base URL of the service.
        limit_days: the longest window that the service accepts; None if it has not refused any.
        end_inclusive: whether the service included the end day, as far as it was last seen.
        windows: the windows, in the order of their days.
        journal: the number of the last line of the journal that was merged.
        placing: a window whose files are being placed; it is not there yet.
    """

    job: dict[str, str | None]
    server: str
    limit_days: int | None = None
    end_inclusive: bool = False
    windows: tuple[WindowEntry, ...] = ()
    journal: int = 0
    placing: Placing | None = None

    @classmethod
    def of(cls, job: ExportJob, server: str) -> Manifest:
        """Return an empty manifest."""
        values = job.values()
        return cls({name: None if values[name] is None else str(values[name]) for name in _IDENTITY}, server)

    @property
    def files(self) -> dict[str, FileEntry]:
        """All files, by path."""
        return {path: file for entry in self.windows for path, file in entry.by_path.items()}

    def overlapping(self, window: Window) -> tuple[WindowEntry, ...]:
        """Return the windows that have a day of this one."""
        return tuple(entry for entry in self.windows if entry.window.overlaps(window))

    def without(self, window: Window) -> Manifest:
        """Remove the windows that overlap this one."""
        return attrs.evolve(self, windows=tuple(old for old in self.windows if not old.window.overlaps(window)))

    def having(self, entry: WindowEntry) -> Manifest:
        """Add a window, replacing those that it overlaps."""
        kept = self.without(entry.window).windows
        return attrs.evolve(self, windows=tuple(sorted((*kept, entry), key=attrgetter("start"))))

    def after(self, line: Line) -> Manifest:
        """Apply a line of the journal."""
        after = attrs.evolve(self, journal=line.number)
        match line.change:
            case Placing(entry):
                return attrs.evolve(after.without(entry.window), placing=line.change)
            case Placed():
                after = after if self.placing is None else after.having(self.placing.entry)
                return attrs.evolve(after, placing=None)
            case Learnt(limit_days, end_inclusive):
                return attrs.evolve(after, limit_days=limit_days, end_inclusive=end_inclusive)


class _Start(msgspec.Struct):
    """The fields that are read before the version is known to be supported."""

    format: str = ""
    version: int = 0


class _Whole(msgspec.Struct):
    job: dict[str, str | None]
    server: str
    limit_days: int | None
    end_inclusive: bool
    journal: int
    windows: list[WindowEntry]
    format: str = FORMAT
    version: int = VERSION


def dump(manifest: Manifest) -> bytes:
    """Write a manifest."""
    whole = _Whole(
        manifest.job,
        manifest.server,
        manifest.limit_days,
        manifest.end_inclusive,
        manifest.journal,
        list(manifest.windows),
    )
    return msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"


def dump_line(line: Line) -> bytes:
    """Write a line of the journal."""
    return msgspec.json.encode(line) + b"\n"


def load_lines(data: bytes) -> list[Line]:
    """Read a journal, without a last line that was cut off by a crash.

    Raises:
        UnusableManifestError: a line before the last is damaged.
    """
    sent = data.split(b"\n")[:-1]
    lines: list[Line] = []
    for line in sent:
        try:
            lines.append(_lines.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            # The last line may not have reached the disk completely: then nothing depends on it yet.
            if len(lines) < len(sent) - 1:
                raise UnusableManifestError(f"is damaged: {error}") from None
    return lines


_lines = msgspec.json.Decoder(Line)


def with_journal(manifest: Manifest, lines: Iterable[Line]) -> Manifest:
    """Apply a journal to a manifest, which may already have its first lines.

    Raises:
        UnusableManifestError: a line is missing.
    """
    for line in lines:
        if line.number > manifest.journal + 1:
            raise UnusableManifestError(f"lacks its lines from {manifest.journal + 1} to {line.number - 1}")
        if line.number == manifest.journal + 1:
            manifest = manifest.after(line)
    if problem := _problem(manifest):
        raise UnusableManifestError(f"is damaged: {problem}")
    return manifest


def read_version(data: bytes, form: str, newest: int, what: str) -> int:
    """Return the version of a manifest, before reading the rest.

    Args:
        data: the manifest.
        form: the format that it should name.
        newest: the newest version that this package reads.
        what: what it should be the manifest of, for the message.

    Raises:
        UnusableManifestError: it is another file, is damaged, or was written by a newer version.
    """
    try:
        start = msgspec.json.decode(data, type=_Start)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnusableManifestError("is damaged, or not the manifest of an export: it cannot be read") from None
    if start.format != form:
        raise UnusableManifestError(f"is not the manifest of {what}")
    if start.version > newest:
        raise UnusableManifestError(f"was written by a newer version of this package (format {start.version})")
    return start.version


def load(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        UnusableManifestError: it is not a manifest, is damaged, or was written by a newer version.
    """
    version = read_version(data, FORMAT, VERSION, "an export")
    if version != VERSION:
        raise UnusableManifestError(
            f"was written by an earlier version of this package (format {version}), which laid out its"
            " directories in another way"
        )
    try:
        whole = msgspec.json.decode(data, type=_Whole)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnusableManifestError(f"is damaged: {error}") from None
    manifest = Manifest(
        whole.job, whole.server, whole.limit_days, whole.end_inclusive, tuple(whole.windows), whole.journal
    )
    if problem := _problem(manifest):
        raise UnusableManifestError(f"is damaged: {problem}")
    return manifest


def _problem(manifest: Manifest) -> str:
    """Return what this package cannot have written; above all, paths must not lead elsewhere."""
    if manifest.limit_days is not None and manifest.limit_days < 1:
        return "limit_days is less than 1"
    behind = dt.date.min
    for entry in manifest.windows:
        if not behind <= entry.start < entry.end:
            return f"the window {entry.window} is out of place"
        behind = entry.end
        if problem := _problem_of(entry):
            return problem
    if manifest.placing is None:
        return ""
    for part in manifest.placing.parts.values():
        if _PART.fullmatch(part) is None:
            return f"{part!r} is not a temporary file"
    return _problem_of(manifest.placing.entry)


def _problem_of(entry: WindowEntry) -> str:
    names = {file_name(entry.window, form) for form in ExportFormat}
    for file in entry.files:
        inside = is_data(file.path) and file.path != rejects_path(entry.window)
        if not inside or file.path.rpartition("/")[2] not in names:
            return f"{file.path!r} is not a file of the window {entry.window}"
    if len({file.path for file in entry.files}) != len(entry.files):
        return f"a file of the window {entry.window} is there twice"
    if entry.rejects is not None and entry.rejects.path != rejects_path(entry.window):
        return f"{entry.rejects.path!r} is not the rejects of the window {entry.window}"
    if entry.rows != sum(file.rows for file in entry.files):
        return f"the rows of the window {entry.window} are not those of its files"
    return ""


def differences(begun: Manifest, wanted: Manifest) -> Sequence[str]:
    """Describe how a job or its server differs from those of a directory."""
    old, new = ({**some.job, "server": some.server} for some in (begun, wanted))
    return [
        f"{name} was {old.get(name)!r} and is {new.get(name)!r}"
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    ]
