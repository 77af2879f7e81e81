"""What files that must be whole, or survive a crash or a second run, ask of the system. All of it blocks."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

__all__ = ["lock", "naming", "sync_directory", "write_whole"]


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


@contextmanager
def naming(path: str | PathLike[str]) -> Iterator[None]:
    """Let the system's errors name this file: of a full disk they name none, of a temporary one a name of ours."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), os.fspath(path)) from None


def write_whole(path: str | PathLike[str], parts: Iterable[bytes], *, mode: int | None = None) -> None:
    """Write a file; a link stays a link, and what it leads to is written.

    Args:
        path: the file; one that is there is replaced.
        parts: what is to be in it, one after another.
        mode: who may read and write it; None: as it was, or as usual for a new file.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise _error(errno.EISDIR, path)
    if target.exists() and not target.is_file():
        # The name of a device or a pipe would go to a plain file.
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    # The directory would allow it.
    if target.exists() and not os.access(target, os.W_OK):
        raise _error(errno.EACCES, path)
    if mode is None and target.exists():
        mode = stat.S_IMODE(target.stat().st_mode)
    partial = target.with_name(f".scarf-{secrets.token_hex(8)}.part")
    with naming(path):
        partial.touch(mode=0o666 if mode is None else mode & 0o600, exist_ok=False)
    try:
        with naming(path), partial.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            partial.chmod(mode)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _error(number: int, path: str | PathLike[str]) -> OSError:
    return OSError(number, os.strerror(number), os.fspath(path))
