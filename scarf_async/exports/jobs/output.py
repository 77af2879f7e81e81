"""What becomes of a window's records: filtered, told apart, written, entered. All of it blocks."""

from __future__ import annotations

import base64
import datetime as dt
import errno
import hashlib
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Generic, TypeAlias, TypeVar

import attrs
import msgspec

from scarf_async.errors import MalformedRecordError
from scarf_async.exports.jobs.directory import Directory, Made
from scarf_async.exports.jobs.manifest import FileEntry, WindowEntry, rejects_path
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.spec import EffectiveRange
from scarf_async.files import PartFile, temporary

__all__ = ["Output", "Rejects", "Seen", "Times"]

Key: TypeAlias = bytes | str

_UUID_LENGTH: Final = 36
_LONGEST: Final = 64
_CACHE_KIB: Final = 16 * 1024
# The file is removed with the window, so nothing of it need survive a crash.
_OPTIONS: Final = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    f"PRAGMA cache_size = -{_CACHE_KIB}",
)

B = TypeVar("B")


def key_of(identifier: str) -> Key:
    """Return what stands for an id: 16 bytes for a UUID, a digest for what is very long, else the id itself.

    A UUID in another spelling is another id. Text and bytes are never equal in SQLite.
    """
    if len(identifier) == _UUID_LENGTH:
        try:
            packed = bytes.fromhex(identifier.replace("-", ""))
        except ValueError:
            return identifier
        text = packed.hex()
        same = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        return packed if same == identifier else identifier
    return identifier if len(identifier) <= _LONGEST else hashlib.sha256(identifier.encode()).digest()


class Seen:
    """Tells which ids come for the first time."""

    def __init__(self, directory: Path) -> None:
        self.path: Path = directory / temporary("seen")
        self._rows = 0
        with self._told():
            # Threads take turns with it; what they may not do at once they do not.
            self._database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            for option in _OPTIONS:
                self._database.execute(option).fetchall()
            self._database.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, row INTEGER) WITHOUT ROWID")

    def fresh(self, identifiers: Sequence[str | None]) -> list[bool]:
        """Say of each id whether it is new; where there is none, the record cannot be told from others and is."""
        first = self._rows
        self._rows += len(identifiers)
        keys = [
            (key_of(identifier), row) for row, identifier in enumerate(identifiers, first) if identifier is not None
        ]
        with self._told():
            before = self._database.total_changes
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", keys)
            self._database.execute("COMMIT")
            if self._database.total_changes - before == len(keys):
                return [True] * len(identifiers)
            return self._first_ones(keys, first, len(identifiers))

    def _first_ones(self, keys: Sequence[tuple[Key, int]], first: int, count: int) -> list[bool]:
        fresh = [True] * count
        for key, row in keys:
            ((owner,),) = self._database.execute("SELECT row FROM seen WHERE key = ?", (key,))
            fresh[row - first] = owner == row
        return fresh

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell of what the disk refuses as everybody else does."""
        try:
            yield
        except sqlite3.Error as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            raise OSError(errno.ENOSPC if full else errno.EIO, str(error), str(self.path)) from None

    def discard(self) -> None:
        """Close and remove it."""
        self._database.close()
        self.path.unlink(missing_ok=True)


def _line(error: MalformedRecordError) -> bytes:
    fields: dict[str, str | int] = {"line": error.line_number, "reason": error.reason}
    try:
        fields["record"] = error.record.decode()
    except UnicodeDecodeError:
        fields["record_base64"] = base64.b64encode(error.record).decode()
    return msgspec.json.encode(fields) + b"\n"


class Rejects:
    """Takes the errors of a window's records.

    Attributes:
        count: how many there were.

    Args:
        directory: where temporary files go.
        keep: whether they are written into a file.
        hear: a function that is told of each.
    """

    def __init__(
        self,
        directory: Path,
        *,
        keep: bool,
        hear: Callable[[MalformedRecordError], object] | None,
    ) -> None:
        self.count: int = 0
        self._directory = directory
        self._keep = keep
        self._hear = hear
        self._part: PartFile | None = None

    def take(self, error: MalformedRecordError) -> None:
        """Take one; it is written at once, so that however many there are, none waits in memory."""
        self.count += 1
        if self._hear is not None:
            self._hear(error)
        if self._keep:
            self._part = self._part or PartFile(self._directory)
            self._part.write(_line(error))

    def finish(self, window: Window) -> list[tuple[Made, FileEntry]]:
        """Bring the file, if there is one, to the disk, as this window's."""
        if self._part is None:
            return []
        part = self._part
        part.finish()
        path = rejects_path(window)
        return [(Made(part.path, path), FileEntry(path, part.size, part.sha256, self.count))]

    def discard(self) -> None:
        """Remove the file if it is not in its place."""
        if self._part is not None:
            self._part.discard()


@attrs.frozen
class Times:
    """What times some records have.

    Attributes:
        at: whether one lies on the day in question.
        later: whether one lies on it after midnight.
        timed: whether one, of any day, does not lie at midnight.
    """

    at: bool = False
    later: bool = False
    timed: bool = False

    def __or__(self, other: Times) -> Times:
        return Times(self.at or other.at, self.later or other.later, self.timed or other.timed)


class Output(ABC, Generic[B]):
    """The files of one window in the making, from batches of records.

    Duplicates are looked for within the window alone: they are identical, so they carry the same time, and by
    that they all lie in the same window. Records without an `id` are all kept: two that are equal need not be
    the same. Its methods run in threads, one after another, and after `discard` the others do nothing, since a
    cancelled task does not wait for its thread.

    Attributes:
        directory: where temporary files go.
        window: its days.
        rows: how many were written.
        end_day: a day to look out for: that which the service was given as the end of the range.
        duplicates: how many were left out, since their id had been there.
        outside: how many were left out, since they lie outside of the window.
    """

    def __init__(self, directory: Path, window: Window, *, identified: bool) -> None:
        self.directory = directory
        self.window: Window = window
        self.end_day: Window | None = None
        self.rows: int = 0
        self.duplicates: int = 0
        self.outside: int = 0
        self._identified = identified
        self._seen: Seen | None = None
        self._times = Times()
        self._turn = threading.Lock()
        self._over = False

    @abstractmethod
    def _inside(self, batch: B) -> tuple[B, int, int]:
        """Return the records that lie in the window, how many they are, and how many were left out."""

    @abstractmethod
    def _look(self, batch: B, day: Window) -> Times:
        """Return what times the records have."""

    @abstractmethod
    def _new(self, batch: B, seen: Seen) -> tuple[B, int]:
        """Return the records whose id is new, and how many they are."""

    @abstractmethod
    def _write(self, batch: B) -> None:
        """Write records."""

    @abstractmethod
    def _finish(self) -> list[tuple[Made, FileEntry]]:
        """Bring all files to the disk."""

    @abstractmethod
    def _discard(self) -> None:
        """Remove the temporary files."""

    def add(self, batch: B) -> None:
        """Take the next records."""
        with self._turn:
            if self._over:
                return
            if self.end_day is not None and not self._times.later:
                self._times |= self._look(batch, self.end_day)
            batch, rows, outside = self._inside(batch)
            self.outside += outside
            if self._identified and rows:
                self._seen = self._seen or Seen(self.directory)
                batch, fresh = self._new(batch, self._seen)
                self.duplicates += rows - fresh
                rows = fresh
            self.rows += rows
            self._write(batch)

    @property
    def shown(self) -> bool:
        """Whether records of the end day came, and not only of the moment at which it begins.

        Unless no record at all says more than the day.
        """
        return self._times.later or (self._times.at and not self._times.timed)

    def shorten(self) -> bool:
        """Leave the last day out of the window; False where nothing remains, or something of that day is there."""
        last = self.window.end - dt.timedelta(1)
        if self._times.at or last == self.window.start:
            return False
        self.window = Window(self.window.start, last)
        return True

    def enter(
        self,
        directory: Directory,
        rejects: Rejects,
        *,
        provisional: bool,
        answered_at: dt.datetime | None,
        effective: EffectiveRange = (None, None),
    ) -> WindowEntry | None:
        """Finish the files, put them in their places, and enter the window; None where the run is over."""
        with self._turn:
            if self._over:
                return None
            finished = self._finish()
            rejected = rejects.finish(self.window)
            entry = WindowEntry(
                self.window.start,
                self.window.end,
                self.rows,
                self.duplicates,
                self.outside,
                provisional,
                dt.datetime.now(dt.UTC),
                answered_at,
                tuple(file for _, file in finished),
                rejects.count,
                next((file for _, file in rejected), None),
                *effective,
            )
            return entry if directory.enter(entry, [made for made, _ in (*finished, *rejected)]) else None

    def discard(self, rejects: Rejects) -> None:
        """Remove whatever is not in its place."""
        with self._turn:
            if self._over:
                return
            self._over = True
            try:
                self._discard()
            finally:
                rejects.discard()
                if self._seen is not None:
                    self._seen.discard()
