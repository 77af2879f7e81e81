"""The manifest: what an export directory holds, and how its files are named. Pure.

A window is in it, whole, or it is not there. Nothing that the service sends can lead out of the directory.
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

_PART: Final = re.compile(rf"{TEMPORARY}/[\w.-]+", re.ASCII)

# Neither the days of a job nor the length of its windows: it goes on in one directory.
_IDENTITY: Final = ("what", "owner", "package", "names", "query", "format", "api", "partition_by")

FORMAT: Final = "scarf-async-export"
VERSION: Final = 3


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
    Of one that would be too long the beginning is there, and a digest of the whole; so it does for one over
    which readers stumble, encoded or not. The files hold it as it is.

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


class UnusableManifestError(ValueError):
    """A manifest cannot be used; the message goes on after its name."""


class FileEntry(msgspec.Struct, frozen=True):
    """A file of a window: its path from the directory on, its size, and what is in it."""

    path: str
    bytes: int
    sha256: str
    rows: int


class WindowEntry(msgspec.Struct, frozen=True):
    """A window that was fetched.

    Attributes:
        start: the first day.
        end: the first day after it.
        rows: how many its files hold.
        duplicates: how many more came with an `id` that had been there.
        outside: how many more came that lie outside of the window.
        provisional: whether it had not ended when it was asked for, so that something may be missing.
        finished_at: when it was fetched, by the machine's clock, which decides nothing.
        answered_at: when the service answered, by its own clock; None: it did not say.
        files: its files; none where there were no rows to partition.
        malformed: how many more came that cannot be read.
        rejects: the file that keeps those, where one was wanted; its rows are these records.
        conflicting: how many of the duplicates were not equal to the first with their id.
        conflicts: the lines of the first hundred of these.
        effective_start: the first day that the service looked at, where it said so.
        effective_end: the first day that it did not look at any more, where it said so.
        columns: those of a CSV that is as it was received, up to 4 KiB of them; of others, whose columns are always
            the same, none.
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
        """Its days that the service looked at; where it did not say, all of them."""
        return Window(
            max(self.effective_start or self.start, self.start), min(self.effective_end or self.end, self.end)
        )

    @property
    def window(self) -> Window:
        """Its days."""
        return Window(self.start, self.end)

    @property
    def by_path(self) -> dict[str, FileEntry]:
        """Its files, the rejects too, by their paths."""
        return {file.path: file for file in (*self.files, self.rejects) if file is not None}

    @property
    def bytes(self) -> int:
        """The size of its files together."""
        return sum(file.bytes for file in self.files)


class Placing(msgspec.Struct, frozen=True, tag=True):
    """A window's files are whole and are put into their places; the windows that it overlaps are gone.

    A run that finds this as the last line of a journal continues with it.

    Attributes:
        entry: the window.
        parts: where its files are, by the paths where they belong.
    """

    entry: WindowEntry
    parts: dict[str, str]


class Placed(msgspec.Struct, frozen=True, tag=True):
    """They are in their places, and the window is there."""


class Learnt(msgspec.Struct, frozen=True, tag=True):
    """What the service has shown, as in the manifest."""

    limit_days: int | None
    end_inclusive: bool


class Line(msgspec.Struct, frozen=True):
    """A line of the journal: what has changed since the one before."""

    number: int
    change: Placing | Placed | Learnt


@attrs.frozen
class Manifest:
    """What a directory holds.

    Attributes:
        job: what is fetched into it, by the attributes of an `ExportJob` but for its days and windows.
        server: the base address of the service that it is asked of.
        limit_days: the longest window that the service can be expected to take; None: it has refused none.
        end_inclusive: whether the service, at the last occasion, sent the day that it was given as the end.
        windows: those that are there, by their days.
        journal: the number of the last line of the journal that has come in here.
        placing: a window whose files are on their way to their places; it is not there yet.
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
        """Begin one."""
        values = job.values()
        return cls({name: None if values[name] is None else str(values[name]) for name in _IDENTITY}, server)

    @property
    def files(self) -> dict[str, FileEntry]:
        """All files, by their paths."""
        return {path: file for entry in self.windows for path, file in entry.by_path.items()}

    def overlapping(self, window: Window) -> tuple[WindowEntry, ...]:
        """Return the windows that have a day of this one."""
        return tuple(entry for entry in self.windows if entry.window.overlaps(window))

    def without(self, window: Window) -> Manifest:
        """Leave out the windows that overlap this one."""
        return attrs.evolve(self, windows=tuple(old for old in self.windows if not old.window.overlaps(window)))

    def having(self, entry: WindowEntry) -> Manifest:
        """Put a window in the place of those that it overlaps."""
        kept = self.without(entry.window).windows
        return attrs.evolve(self, windows=tuple(sorted((*kept, entry), key=attrgetter("start"))))

    def after(self, line: Line) -> Manifest:
        """Return what it is after a line of the journal."""
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
    """What is read before the rest is known to be readable."""

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
    """Read a journal, up to the line in which its writer was killed.

    Raises:
        UnusableManifestError: a line before the last is damaged.
    """
    sent = data.split(b"\n")[:-1]
    lines: list[Line] = []
    for line in sent:
        try:
            lines.append(_lines.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            # The last one may not have come to the disk whole: until it has, nobody goes by it.
            if len(lines) < len(sent) - 1:
                raise UnusableManifestError(f"is damaged: {error}") from None
    return lines


_lines = msgspec.json.Decoder(Line)


def with_journal(manifest: Manifest, lines: Iterable[Line]) -> Manifest:
    """Return what a directory holds by its manifest and a journal, whose first lines may be in that already.

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
    """Return the version of a manifest, which is read before the rest is known to be readable.

    Args:
        data: the manifest.
        form: the format that it should name.
        newest: the newest version that this package reads.
        what: whose manifest it should be, for the message.

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
        UnusableManifestError: it is none, is damaged, or was written by a newer version.
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
    """Say what cannot have been written by this package; its paths, above all, must not lead elsewhere."""
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
    """Say in what a job, or its server, differs from what a directory was begun with."""
    old, new = ({**some.job, "server": some.server} for some in (begun, wanted))
    return [
        f"{name} was {old.get(name)!r} and is {new.get(name)!r}"
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    ]
