"""Helpers for files that must be complete, survive crashes and be locked between runs. All functions block."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Final

__all__ = [
    "NO_FOLLOW",
    "PartFile",
    "destination",
    "is_temporary",
    "lock",
    "naming",
    "refuse_open_stream",
    "resemble",
    "sweep",
    "sync_directory",
    "temporary",
    "write_whole",
]

NO_FOLLOW: Final[int] = getattr(os, "O_NOFOLLOW", 0)
"""The flag to refuse to open symbolic links, on systems that have it."""
_PART: Final = re.compile(r"\.scarf-[0-9a-f]{16}\.part", re.ASCII)
_TEMPORARY: Final = re.compile(r"\.scarf-[0-9a-f]{16}\.(?:part|seen|seen-journal)", re.ASCII)
# The errors of systems that cannot sync a directory (or one that is only writable), or cannot set a mode.
_REFUSALS: Final = frozenset(
    {
        errno.EACCES,
        errno.EBADF,
        errno.EINVAL,
        errno.EISDIR,
        errno.ENOSYS,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.EPERM,
    }
)
_ACCESS_LIST: Final = "system.posix_acl_access"
# The limit of Linux.
_MOST_LINKS: Final = 40
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def lock(descriptor: int) -> None:
    """Lock an open file until its descriptor is closed.

    Raises:
        BlockingIOError: another process holds the lock.
        OSError: it cannot be locked, such as where the system has no such locks.
    """
    try:
        import fcntl  # noqa: PLC0415 # there is none on Windows, where all but journals and export jobs works
    except ImportError:
        raise OSError(
            errno.ENOSYS,
            "journals and export jobs need file locks, which Windows lacks: use Linux, macOS or WSL",
        ) from None
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def _synced(directory: Path) -> Iterator[None]:
    """Bring the names that the block changes to the disk, where the system can.

    The directory is opened first: an error that has to be told then comes before anything is changed.
    """
    descriptor = None
    if os.name == "posix":
        with _where_possible():
            descriptor = os.open(directory, os.O_RDONLY)
    try:
        yield
        if descriptor is not None:
            with _where_possible():
                os.fsync(descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def _where_possible() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise


def sync_directory(path: Path) -> None:
    """Sync a directory to disk, if the system supports it."""
    with _synced(path):
        pass


@contextmanager
def naming(path: str | PathLike[str]) -> Iterator[None]:
    """Make `OSError`s name this file: a full disk names no file, and other errors may name a temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), os.fspath(path)) from None


def destination(path: str | PathLike[str]) -> Path:
    """Return the file that a path leads to through links. It may be replaced, or does not exist yet.

    Raises:
        OSError: it exists and cannot be replaced. A device or a pipe would become a regular file.
    """
    refuse_open_stream(path)
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise _error(errno.EISDIR, path)
    if target.is_symlink():
        raise _error(errno.ELOOP, path)
    if target.exists():
        if not target.is_file():
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        # The permissions of the directory would allow it to be replaced.
        if not os.access(target, os.W_OK):
            raise _error(errno.EACCES, path)
    return target


def refuse_open_stream(path: str | PathLike[str]) -> None:
    """Reject a path such as /dev/stdout: the file that the shell redirected it to would be truncated or replaced.

    Raises:
        OSError: it leads to an open file of a process.
    """
    name = Path(path)
    for _ in range(_MOST_LINKS):
        directory = os.path.realpath(name.parent)
        if directory == "/dev/fd" or directory.startswith("/proc/"):
            raise OSError(
                errno.EINVAL,
                "this is an open stream, not a file that can be replaced: name a file, or let the shell redirect"
                " standard output (> FILE without -o)",
                os.fspath(path),
            )
        if not name.is_symlink():
            return
        name = Path(directory, name.readlink())


def _error(number: int, path: str | PathLike[str]) -> OSError:
    return OSError(number, os.strerror(number), os.fspath(path))


def resemble(path: Path, old: Path) -> None:
    """Give a file the owner, attributes and mode of another, if that exists and the system allows it.

    Flags such as macOS's uchg are not copied: a file with such a flag cannot be moved.
    """
    try:
        status = old.stat()
    except FileNotFoundError:
        return
    # Before the mode, since it clears setuid and setgid.
    for owner in (status.st_uid, -1) if os.name == "posix" else ():
        with suppress(OSError):
            os.chown(path, owner, status.st_gid)
            break
    mode = stat.S_IMODE(status.st_mode)
    made = path.stat()
    if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
        mode &= ~(stat.S_ISUID | stat.S_ISGID)
    if not _copy_attributes(path, old):
        # With an access list, the group bits are its mask. Without the list, they would apply to the group.
        mode &= ~stat.S_IRWXG
    with _where_possible():
        path.chmod(mode)


def _copy_attributes(path: Path, old: Path) -> bool:
    """Copy the extended attributes that the system allows; return False if it refused an access list."""
    names: list[str] = []
    if hasattr(os, "listxattr"):
        with _where_possible():
            names = os.listxattr(old)
    refused = set()
    for name in names:
        try:
            os.setxattr(path, name, os.getxattr(old, name))
        except OSError as error:
            if error.errno not in _REFUSALS | {errno.ENODATA}:
                raise
            refused.add(name)
    return _ACCESS_LIST not in refused


def temporary(suffix: str) -> str:
    """Return a new name for a temporary file."""
    return f".scarf-{secrets.token_hex(8)}.{suffix}"


def is_temporary(name: str) -> bool:
    """Return whether a name is that of a temporary file."""
    return _TEMPORARY.fullmatch(name) is not None


def sweep(directory: Path) -> None:
    """Remove the part files of dead writers: a live writer holds a lock on its file.

    Files that cannot be listed, locked or removed are kept.
    """
    if os.name != "posix":
        return
    with suppress(OSError):
        for path in directory.iterdir():
            if _PART.fullmatch(path.name):
                _remove_if_dead(path)


def _remove_if_dead(part: Path) -> None:
    with suppress(OSError):
        if not stat.S_ISREG(part.lstat().st_mode):
            return
        # Some network file systems can only lock files that are open for writing.
        descriptor = os.open(part, os.O_RDWR | NO_FOLLOW)
        try:
            lock(descriptor)
            # Names are never reused, so this removes the locked file or nothing.
            part.unlink()
        finally:
            os.close(descriptor)


class PartFile:
    """An unfinished file under a temporary name; file-like enough for pyarrow to write to.

    It is locked until it is closed, so that `sweep` does not remove it.

    Args:
        directory: the directory to create it in.
        mode: its mode, before the umask.

    Attributes:
        path: its path.
        size: its size in bytes so far.
    """

    closed: bool = False

    def __init__(self, directory: Path, mode: int = 0o666) -> None:
        self.size: int = 0
        self._hash = hashlib.sha256()
        while True:
            self.path: Path = directory / temporary("part")
            self._file = open(self.path, "xb", opener=partial(os.open, mode=mode))  # noqa: SIM115 # `_close` does
            if self._claim():
                break
            self._file.close()

    @classmethod
    def to_replace(cls, target: Path, mode: int | None = None) -> PartFile:
        """Create a part file that will replace a file, and sweep away part files of dead processes beside it.

        Until then, only users who may read the old file can read it.
        """
        sweep(target.parent)
        if mode is None and target.exists():
            mode = target.stat().st_mode
        return cls(target.parent, 0o666 if mode is None else mode & 0o600)

    def _claim(self) -> bool:
        """Lock it; return False if a sweep came first and removed it."""
        try:
            lock(self._file.fileno())
        except BlockingIOError:
            return False
        except OSError:
            # Without locks, nothing is swept.
            return True
        return self.path.exists()

    @property
    def sha256(self) -> str:
        """The SHA-256 of the written data, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, data: bytes | memoryview) -> int:
        """Write bytes, and return how many."""
        with naming(self.path.parent):
            written = self._file.write(data)
        self._hash.update(data)
        self.size += written
        return written

    def flush(self) -> None:
        """Pass buffered data to the system."""
        self._file.flush()

    def close(self) -> None:
        """Do nothing: pyarrow closes files that it has written, but this one must still be synced."""

    def sync(self) -> None:
        """Sync everything to disk."""
        with naming(self.path.parent):
            self._file.flush()
            os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Sync everything to disk, and close."""
        self.sync()
        self._close()

    def replace(self, target: Path) -> None:
        """Move the synced file to a path, replacing any file there, and close it."""
        self._place(target, self.path.replace)

    def _place(self, target: Path, move: Callable[[Path], object]) -> None:
        if os.name != "posix":
            # Windows cannot move an open file, and has no sweep that needs the lock.
            self._close()
        with _synced(target.parent):
            move(target)
        self._close()

    def place_new(self, target: Path) -> None:
        """Move the synced file to a path that does not exist, and close it.

        Raises:
            FileExistsError: the path now exists.
        """
        self._place(target, self._link)

    def _link(self, target: Path) -> None:
        try:
            os.link(self.path, target)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            # The empty file reserves the path until ours replaces it.
            target.open("xb").close()
            self.path.replace(target)
        else:
            self.path.unlink()

    def _close(self) -> None:
        self._file.close()
        self.closed = True

    def discard(self) -> None:
        """Close and remove it."""
        try:
            self._close()
        except OSError:
            # Flushing failed because the disk is full, but the descriptor is closed, and the data is not needed.
            self.closed = True
        finally:
            self.path.unlink(missing_ok=True)


def write_whole(path: str | PathLike[str], parts: Iterable[bytes], *, mode: int | None = None) -> None:
    """Write a file atomically. For a symbolic link, the target is written and the link is kept.

    Args:
        path: the file; an existing file is replaced, and its mode and, if possible, its owner are kept.
        parts: the contents, in pieces.
        mode: its mode; None keeps the old mode, or the default for a new file.

    Raises:
        OSError: it cannot be written; an existing file is unchanged.
    """
    with naming(path):
        target = destination(path)
        part = PartFile.to_replace(target, mode)
        try:
            for data in parts:
                part.write(data)
            resemble(part.path, target)
            if mode is not None:
                with _where_possible():
                    part.path.chmod(mode)
            part.sync()
            part.replace(target)
        except BaseException:
            part.discard()
            raise
