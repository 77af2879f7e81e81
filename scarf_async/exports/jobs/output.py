"""What becomes of a window's records: filtered, told apart, written, entered. All of it blocks."""

from __future__ import annotations

import datetime as dt
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, TypeVar

from scarf_async.exports.jobs.directory import Directory, Made
from scarf_async.exports.jobs.manifest import FileEntry, WindowEntry
from scarf_async.exports.jobs.rejects import Rejects
from scarf_async.exports.jobs.seen import Seen
from scarf_async.exports.jobs.windows import Window

__all__ = ["Output"]

B = TypeVar("B")


class Output(ABC, Generic[B]):
    """The files of one window in the making, from batches of records.

    Duplicates are looked for within the window alone: they are identical, so they carry the same time, and by
    that they all lie in the same window. Records without an `id` are all kept: two that are equal need not be
    the same. Its methods run in threads, one after another, and after `discard` the others do nothing, since a
    cancelled task does not wait for its thread.

    Attributes:
        rows: how many were written.
        duplicates: how many were left out, since their id had been there.
        outside: how many were left out, since they lie outside of the window.
    """

    def __init__(self, directory: Path, window: Window, *, identified: bool) -> None:
        self.directory = directory
        self.window = window
        self.rows: int = 0
        self.duplicates: int = 0
        self.outside: int = 0
        self._identified = identified
        self._seen: Seen | None = None
        self._turn = threading.Lock()
        self._over = False

    @abstractmethod
    def _inside(self, batch: B) -> tuple[B, int, int]:
        """Return the records that lie in the window, how many they are, and how many were left out."""

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
            batch, rows, outside = self._inside(batch)
            self.outside += outside
            if self._identified and rows:
                self._seen = self._seen or Seen(self.directory)
                batch, fresh = self._new(batch, self._seen)
                self.duplicates += rows - fresh
                rows = fresh
            self.rows += rows
            self._write(batch)

    def enter(self, directory: Directory, rejects: Rejects, *, provisional: bool) -> WindowEntry | None:
        """Finish the files, put them in their places, and enter the window; None where the run is over."""
        with self._turn:
            if self._over:
                return None
            finished = self._finish()
            rejected = rejects.finish()
            entry = WindowEntry(
                self.window.start,
                self.window.end,
                self.rows,
                self.duplicates,
                self.outside,
                provisional,
                dt.datetime.now(dt.UTC),
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
