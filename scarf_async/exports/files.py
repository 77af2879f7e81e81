"""Files that are whole or not there. All of it blocks."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from scarf_async.disk import PartFile, destination, is_temporary, naming, resemble, temporary

__all__ = ["AtomicFile", "PartFile", "is_temporary", "temporary"]


class AtomicFile:
    """A file that appears under its name once it is whole.

    Its methods run in threads. A cancelled task does not wait for its thread, so a method may still run, or start,
    when the next one is called: a lock keeps them apart, and after `discard` the others do nothing.

    Args:
        target: its name in the end.
        overwrite: whether it may take the place of another.
    """

    def __init__(self, target: Path, *, overwrite: bool) -> None:
        self._target = target
        self._place = target
        self._overwrite = overwrite
        self._part: PartFile | None = None
        self._turn = threading.Lock()
        self._over = False
        self.size: int = 0
        self.sha256: str = ""

    def create(self) -> None:
        """Refuse a target that cannot be written, and begin.

        Raises:
            OSError: it cannot be.
        """
        with self._turn, naming(self._target):
            if self._over:
                return
            if not self._overwrite and os.path.lexists(self._target) and not self._target.is_dir():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self._target))
            self._place = destination(self._target)
            self._part = PartFile.to_replace(self._place)

    def write(self, data: bytes) -> None:
        """Write bytes."""
        with self._turn, naming(self._target):
            if self._part is not None:
                self._part.write(data)

    def finish(self) -> None:
        """Bring everything to the disk."""
        with self._turn, naming(self._target):
            if self._part is not None:
                resemble(self._part.path, self._place)
                self._part.sync()
                self.size, self.sha256 = self._part.size, self._part.sha256

    def publish(self) -> None:
        """Put it in its place."""
        with self._turn, naming(self._target):
            if self._part is None:
                return
            if self._overwrite:
                # What has come there meanwhile counts too.
                self._part.replace(destination(self._place))
            else:
                self._part.place_new(self._place)
            self._part = None
            self._over = True

    def discard(self) -> None:
        """Remove what is not in its place."""
        with self._turn:
            self._over = True
            if self._part is not None:
                self._part.discard()
                self._part = None
