"""An export into a file: whole, or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import threading
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import anyio
import attrs
from anyio.to_thread import run_sync

from scarf_async.errors import TruncatedExportError
from scarf_async.exports.body import Body
from scarf_async.exports.cursor import Cursor
from scarf_async.exports.records import FileParser
from scarf_async.exports.source import ExportSpec
from scarf_async.exports.tally import Tally

__all__ = ["SavedExport", "save"]

T = TypeVar("T")

# What goes into one hop to a thread: hops cost more than writing does.
_WRITTEN_AT_ONCE: Final = 2**20
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


@attrs.frozen
class SavedExport:
    """A saved export.

    Attributes:
        path: the file.
        bytes: its size.
        records: its records, without a CSV's header.
        sha256: its SHA-256, in hexadecimal.
    """

    path: Path
    bytes: int
    records: int
    sha256: str


class _File:
    """A file in the making. Its methods block, and run in threads.

    A cancelled task does not wait for its thread, so a method may still run, or start, when the next one is
    called: the lock keeps them apart, and after `discard` the others do nothing.
    """

    def __init__(self, target: Path, *, overwrite: bool) -> None:
        self._target = target
        self._overwrite = overwrite
        self._part = target.with_name(f".scarf-{secrets.token_hex(8)}.part")
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._lock = threading.Lock()
        self._over = False
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def create(self) -> None:
        """Refuse a target that cannot be written, and create the part."""
        with self._lock:
            if self._over:
                return
            target = self._target
            if target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
            if os.path.lexists(target) and not self._overwrite:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
            if target.exists() and not target.is_file():
                raise OSError(errno.EINVAL, "not a regular file", str(target))
            self._file = self._part.open("xb")

    def write(self, pieces: list[bytes]) -> None:
        with self._lock:
            if self._file is None:
                return
            data = b"".join(pieces)
            self._file.write(data)
            self._hash.update(data)
            self.size += len(data)

    def sync(self) -> None:
        with self._lock:
            if self._file is None:
                return
            self._file.flush()
            os.fsync(self._file.fileno())

    def publish(self) -> None:
        """Put the part in its place."""
        with self._lock:
            if self._file is None:
                return
            self._file.close()
            self._file = None
            if self._overwrite:
                self._part.replace(self._target)
            else:
                self._place_new()
            self._over = True
        if os.name == "posix":
            _sync_directory(self._target.parent)

    def _place_new(self) -> None:
        """Fail if the target has come into being meanwhile."""
        try:
            os.link(self._part, self._target)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            # The empty file keeps others out until ours takes its place.
            self._target.open("xb").close()
            self._part.replace(self._target)
        else:
            self._part.unlink()

    def discard(self) -> None:
        """Remove the part, unless it is in its place."""
        with self._lock:
            if self._over:
                return
            self._over = True
            if self._file is not None:
                self._file.close()
                self._file = None
            self._part.unlink(missing_ok=True)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def save(spec: ExportSpec[T], path: str | PathLike[str], *, overwrite: bool) -> SavedExport:
    """Fetch an export into a file; see `Export.save`."""
    target = Path(path)
    attempt = 1
    while True:
        try:
            return await _save_once(spec, target, overwrite=overwrite)
        except TruncatedExportError:
            if attempt >= spec.attempts:
                raise
        await spec.pause(attempt)
        attempt += 1


async def _save_once(spec: ExportSpec[T], target: Path, *, overwrite: bool) -> SavedExport:
    file = _File(target, overwrite=overwrite)
    try:
        await run_sync(file.create)
        tally = await _fetch(spec, file)
        # Two hops: whoever is cancelled during the slow one finds nothing under the final name.
        await run_sync(file.sync)
        await run_sync(file.publish)
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(file.discard)
    return SavedExport(target, file.size, tally.records_received - tally.records_dropped, file.sha256)


async def _fetch(spec: ExportSpec[T], file: _File) -> Tally:
    tally = Tally(spec.description)
    download = await spec.open()
    try:
        reader = spec.reader(spec.end)
        parser = FileParser(reader, tally, spec.max_record_bytes, filtered=spec.end is not None)
        cursor = Cursor(Body(download, tally), parser, tally, spec.on_malformed)
        pieces: list[bytes] = []
        waiting = 0
        while items := await cursor.more():
            pieces += items
            waiting += sum(map(len, items))
            if waiting >= _WRITTEN_AT_ONCE:
                await run_sync(file.write, pieces)
                pieces, waiting = [], 0
        await run_sync(file.write, pieces)
    finally:
        download.close()
    return tally
