"""The ids of the records of one window, on the disk, so that their number costs no memory. All of it blocks."""

from __future__ import annotations

import errno
import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from scarf_async.exports.files import temporary

__all__ = ["Seen"]

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
