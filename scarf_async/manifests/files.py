"""Files that are written whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from os import PathLike
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: str | PathLike[str], data: bytes, *, mode: int | None = None) -> None:
    """Write a file; a link stays a link, and what it leads to is written.

    Args:
        path: the file; one that is there is replaced.
        data: what is to be in it.
        mode: who may read and write it; None: as it was, or as usual for a new file.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise _error(errno.EISDIR, path)
    # The directory would allow it.
    if target.exists() and not os.access(target, os.W_OK):
        raise _error(errno.EACCES, path)
    if mode is None and target.exists():
        mode = stat.S_IMODE(target.stat().st_mode)
    partial = target.with_name(f".scarf-{secrets.token_hex(8)}.part")
    try:
        partial.touch(mode=0o666 if mode is None else mode & 0o600, exist_ok=False)
    except OSError as error:
        raise _error(error.errno or errno.EIO, path) from None
    try:
        with partial.open("wb") as file:
            file.write(data)
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
