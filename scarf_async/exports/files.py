"""Files that are whole or not there. All of it blocks."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import threading
from pathlib import Path
from typing import Final

from scarf_async.disk import naming, sync_directory

__all__ = ["AtomicFile", "PartFile", "is_temporary", "replace_synced", "temporary"]

_TEMPORARY: Final = re.compile(r"\.scarf-[0-9a-f]{16}\.(?:part|seen|seen-journal)", re.ASCII)
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def temporary(suffix: str) -> str:
    """Return a new name for a temporary file."""
    return f".scarf-{secrets.token_hex(8)}.{suffix}"


def is_temporary(name: str) -> bool:
    """Whether a name is that of a temporary file."""
    return _TEMPORARY.fullmatch(name) is not None


class PartFile:
    """A file in the making, under a temporary name; file-like enough for pyarrow to write into.

    Attributes:
        path: where it is.
        size: its bytes so far.
    """

    closed: bool = False

    def __init__(self, directory: Path) -> None:
        self.path: Path = directory / temporary("part")
        self.size: int = 0
        self._file = self.path.open("xb")
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was written, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> int:
        """Write bytes; gives back how many."""
        with naming(self.path.parent):
            written = self._file.write(data)
        self._hash.update(data)
        self.size += written
        return written

    def flush(self) -> None:
        """Hand what is held here to the system."""
        self._file.flush()

    def close(self) -> None:
        """Stay open: pyarrow closes what it has written into, before it is on the disk."""

    def finish(self) -> None:
        """Bring everything to the disk, and close."""
        with naming(self.path.parent):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        self.closed = True

    def discard(self) -> None:
        """Close and remove it."""
        try:
            self._file.close()
        except OSError:
            # What the disk had no room for is not wanted any more; the descriptor is closed all the same.
            pass
        finally:
            self.closed = True
            self.path.unlink(missing_ok=True)


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
            target = self._target
            if target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
            if os.path.lexists(target) and not self._overwrite:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
            if target.exists() and not target.is_file():
                raise OSError(errno.EINVAL, "not a regular file", str(target))
            self._part = PartFile(target.parent)

    def write(self, data: bytes) -> None:
        """Write bytes."""
        with self._turn, naming(self._target):
            if self._part is not None:
                self._part.write(data)

    def finish(self) -> None:
        """Bring everything to the disk."""
        with self._turn, naming(self._target):
            if self._part is not None:
                self._part.finish()
                self.size, self.sha256 = self._part.size, self._part.sha256

    def publish(self) -> None:
        """Put it in its place."""
        with self._turn:
            if self._part is None:
                return
            if self._overwrite:
                self._part.path.replace(self._target)
            else:
                self._place_new(self._part.path)
            self._part = None
            self._over = True
        sync_directory(self._target.parent)

    def _place_new(self, part: Path) -> None:
        """Fail if the target has come into being meanwhile."""
        try:
            os.link(part, self._target)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            # The empty file keeps others out until ours takes its place.
            self._target.open("xb").close()
            part.replace(self._target)
        else:
            part.unlink()

    def discard(self) -> None:
        """Remove what is not in its place."""
        with self._turn:
            self._over = True
            if self._part is not None:
                self._part.discard()
                self._part = None


def replace_synced(path: Path, data: bytes) -> None:
    """Put bytes in the place of a file: whatever happens, the old ones are there or the new ones."""
    with naming(path):
        part = PartFile(path.parent)
    try:
        with naming(path):
            part.write(data)
            part.finish()
            part.path.replace(path)
    except BaseException:
        part.discard()
        raise
    sync_directory(path.parent)
