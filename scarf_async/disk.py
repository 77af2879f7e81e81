"""What files that must survive a crash, or a second run, ask of the system. All of it blocks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

__all__ = ["lock", "sync_directory"]


def lock(descriptor: int) -> None:
    """Lock an open file until its descriptor is closed.

    Raises:
        BlockingIOError: somebody else holds it.
        OSError: it cannot be locked, such as where the system has no such locks.
    """
    try:
        import fcntl  # noqa: PLC0415 # there is none on Windows, where all but journals and export jobs works
    except ImportError:
        raise OSError(errno.ENOSYS, "this system has no such locks") from None
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sync_directory(path: Path) -> None:
    """Bring the names in a directory to the disk."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
