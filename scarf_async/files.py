"""What files that must be whole, or survive a crash or a second run, ask of the system. All of it blocks."""

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
"""Opens no link, where the system knows how to."""
_PART: Final = re.compile(r"\.scarf-[0-9a-f]{16}\.part", re.ASCII)
_TEMPORARY: Final = re.compile(r"\.scarf-[0-9a-f]{16}\.(?:part|seen|seen-journal)", re.ASCII)
# What systems answer that cannot sync a directory, or not one that may only be written, or cannot set a mode.
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
# As many as Linux follows.
_MOST_LINKS: Final = 40
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def lock(descriptor: int) -> None:
    """Lock an open file until its descriptor is closed.

    Raises:
        BlockingIOError: somebody else holds it.
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
    """Bring the names in a directory to the disk, where the system can."""
    with _synced(path):
        pass


@contextmanager
def naming(path: str | PathLike[str]) -> Iterator[None]:
    """Let the system's errors name this file: of a full disk they name none, of a temporary one a name of ours."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), os.fspath(path)) from None


def destination(path: str | PathLike[str]) -> Path:
    """Return the file that a name leads to, over links: one that may be replaced, or none yet.

    Raises:
        OSError: it is there and cannot be replaced. A device or a pipe would become a plain file.
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
        # The directory would allow it.
        if not os.access(target, os.W_OK):
            raise _error(errno.EACCES, path)
    return target


def refuse_open_stream(path: str | PathLike[str]) -> None:
    """Refuse a name like /dev/stdout: what the shell has redirected there would be cut off or replaced.

    Raises:
        OSError: it leads to what a process has open.
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
    """Give a file the owner, the attributes and the mode of another, if that is there and the system lets us.

    Flags such as macOS's uchg are not copied: a file that has one cannot be moved.
    """
    try:
        status = old.stat()
    except FileNotFoundError:
        return
    # Before the mode: it takes setuid and setgid away.
    for owner in (status.st_uid, -1) if os.name == "posix" else ():
        with suppress(OSError):
            os.chown(path, owner, status.st_gid)
            break
    mode = stat.S_IMODE(status.st_mode)
    made = path.stat()
    if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
        mode &= ~(stat.S_ISUID | stat.S_ISGID)
    if not _copy_attributes(path, old):
        # With an access list, the group bits are the most that anybody in it may do.
        mode &= ~stat.S_IRWXG
    with _where_possible():
        path.chmod(mode)


def _copy_attributes(path: Path, old: Path) -> bool:
    """Copy the extended attributes that the system lets us copy; False where an access list is not among them."""
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
    """Whether a name is that of a temporary file."""
    return _TEMPORARY.fullmatch(name) is not None


def sweep(directory: Path) -> None:
    """Remove the part files whose writers are dead: a living one holds a lock on its own.

    What cannot be listed, locked or removed stays.
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
        # Some network file systems lock only what is open for writing.
        descriptor = os.open(part, os.O_RDWR | NO_FOLLOW)
        try:
            lock(descriptor)
            # No name is used twice, so this is the file that is locked, or none.
            part.unlink()
        finally:
            os.close(descriptor)


class PartFile:
    """A file in the making, under a temporary name; file-like enough for pyarrow to write into.

    Until it is closed it is locked, which keeps `sweep` off.

    Args:
        directory: where it will be.
        mode: who may read and write it, less what the process's umask takes.

    Attributes:
        path: where it is.
        size: its bytes so far.
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
        """Begin what will take a file's place, and sweep away what dead processes left beside it.

        Meanwhile nobody reads it who may not read that file.
        """
        sweep(target.parent)
        if mode is None and target.exists():
            mode = target.stat().st_mode
        return cls(target.parent, 0o666 if mode is None else mode & 0o600)

    def _claim(self) -> bool:
        """Lock it; False where a sweep came first, and took it for a dead one's."""
        try:
            lock(self._file.fileno())
        except BlockingIOError:
            return False
        except OSError:
            # Without locks nobody sweeps.
            return True
        return self.path.exists()

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was written, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, data: bytes | memoryview) -> int:
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

    def sync(self) -> None:
        """Bring everything to the disk."""
        with naming(self.path.parent):
            self._file.flush()
            os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Bring everything to the disk, and close."""
        self.sync()
        self._close()

    def replace(self, target: Path) -> None:
        """Put what is synced in the place of a file, or where there is none, and close."""
        self._place(target, self.path.replace)

    def _place(self, target: Path, move: Callable[[Path], object]) -> None:
        if os.name != "posix":
            # Windows moves nothing that is open, and sweeps nothing.
            self._close()
        with _synced(target.parent):
            move(target)
        self._close()

    def place_new(self, target: Path) -> None:
        """Put what is synced under a name that nothing has, and close.

        Raises:
            FileExistsError: something has come into being there.
        """
        self._place(target, self._link)

    def _link(self, target: Path) -> None:
        try:
            os.link(self.path, target)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            # The empty file keeps others out until ours takes its place.
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
            # What the disk had no room for is not wanted any more; the descriptor is closed all the same.
            self.closed = True
        finally:
            self.path.unlink(missing_ok=True)


def write_whole(path: str | PathLike[str], parts: Iterable[bytes], *, mode: int | None = None) -> None:
    """Write a file; a link stays a link, and what it leads to is written.

    Args:
        path: the file; one that is there is replaced, and the new one has its mode and, if possible, its owner.
        parts: what is to be in it, one after another.
        mode: who may read and write it; None: as it was, or as usual for a new file.

    Raises:
        OSError: it cannot be written; what was there is as it was.
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
