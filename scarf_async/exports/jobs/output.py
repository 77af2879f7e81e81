"""What becomes of a window's records: filtered, told apart, written, entered. All of it blocks."""

from __future__ import annotations

import datetime as dt
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, TypeVar

import attrs

from scarf_async.exports.jobs.directory import Directory, Made
from scarf_async.exports.jobs.manifest import FileEntry, WindowEntry
from scarf_async.exports.jobs.rejects import Rejects
from scarf_async.exports.jobs.seen import Seen
from scarf_async.exports.jobs.windows import Window

__all__ = ["Output", "Times"]

B = TypeVar("B")


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
        self, directory: Directory, rejects: Rejects, *, provisional: bool, answered_at: dt.datetime | None
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
