"""Save an export to a file, completely or not at all."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Final, Protocol, TypeVar

import anyio
import attrs
from anyio.to_thread import run_sync

from scarf_async.entities.fields import one_of
from scarf_async.errors import TruncatedExportError
from scarf_async.events import Hook
from scarf_async.exports.endings import Compression, compressor, read_ending
from scarf_async.exports.formats import ExportFormat, ExportFormatLike, need_arrow
from scarf_async.exports.spec import ExportSpec
from scarf_async.files import PartFile, destination, naming, resemble

__all__ = ["AtomicFile", "SavedExport", "fetch_whole", "save"]

T = TypeVar("T")
R = TypeVar("R")
# The size of a write in a thread: switching threads costs more than writing.
_WRITTEN_AT_ONCE: Final = 2**20


class AtomicFile:
    """A file that appears under its name once it is complete.

    Its methods run in threads. A cancelled task does not wait for its thread, so a method may still run, or start,
    when the next one is called: a lock keeps them apart, and after `discard` the others do nothing.

    Args:
        target: its final name.
        overwrite: whether it may replace another file.
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
        """Check that the target can be written, and create the temporary file.

        Raises:
            OSError: it cannot be written.
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
        """Flush and sync everything to disk."""
        with self._turn, naming(self._target):
            if self._part is not None:
                resemble(self._part.path, self._place)
                self._part.sync()
                self.size, self.sha256 = self._part.size, self._part.sha256

    def publish(self) -> None:
        """Rename it to its final name."""
        with self._turn, naming(self._target):
            if self._part is None:
                return
            if self._overwrite:
                # A file that was created there meanwhile counts too.
                self._part.replace(destination(self._place))
            else:
                self._part.place_new(self._place)
            self._part = None
            self._over = True

    def discard(self) -> None:
        """Remove the temporary file."""
        with self._turn:
            self._over = True
            if self._part is not None:
                self._part.discard()
                self._part = None


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


class _Stream(Protocol):
    """The interface of a stream that saving needs."""

    @property
    def records_kept(self) -> int: ...

    def chunks(self, format: ExportFormatLike | None = None) -> AsyncIterator[bytes]: ...  # noqa: A002 # as there


S = TypeVar("S", bound=_Stream)


async def save(
    spec: ExportSpec[T],
    export: AbstractAsyncContextManager[S],
    path: str | PathLike[str],
    form: ExportFormatLike | None,
    *,
    overwrite: bool,
    progress: Hook[S],
) -> SavedExport:
    """Fetch the export with a spec into a file; see `Export.save`."""
    target = Path(path)
    form, compression = read_ending(target, None if form is None else one_of(ExportFormat, "format", form))
    need_arrow(form, spec.reader(None).record)
    if compression is not None:
        compressor(compression)  # what it needs must be installed before anything is requested
    once = partial(_save_once, export, target, form, compression, overwrite=overwrite, progress=progress)
    return await fetch_whole(spec, once)


async def fetch_whole(spec: ExportSpec[T], fetch: Callable[[], Awaitable[R]]) -> R:
    """Fetch an export; if it is cut off, fetch it again from its start, as often as its spec allows.

    Raises:
        TruncatedExportError: every attempt was cut off, or the content is incomplete although its end is verified.
    """
    attempt = 1
    while True:
        try:
            return await fetch()
        except TruncatedExportError as error:
            if error.proven_end or attempt >= spec.attempts:
                raise
        await spec.pause(attempt)
        attempt += 1


async def _save_once(
    export: AbstractAsyncContextManager[S],
    target: Path,
    form: ExportFormat | None,
    compression: Compression | None,
    *,
    overwrite: bool,
    progress: Hook[S],
) -> SavedExport:
    file = AtomicFile(target, overwrite=overwrite)
    try:
        await run_sync(file.create)
        async with export as stream:
            await _fetch(stream, form, compression, file, progress)
        # Two calls in threads: a cancellation during the slow one leaves nothing under the final name.
        await run_sync(file.finish)
        await run_sync(file.publish)
    finally:
        try:
            with anyio.CancelScope(shield=True):
                await run_sync(file.discard)
        finally:
            # The shield does not prevent a second `Task.cancel`, which may come before a thread has started.
            file.discard()
    return SavedExport(target, file.size, stream.records_kept, file.sha256)


async def _fetch(
    stream: S, form: ExportFormat | None, compression: Compression | None, file: AtomicFile, progress: Hook[S]
) -> None:
    packer = None if compression is None else compressor(compression)

    def write(data: bytes) -> None:
        file.write(data if packer is None else packer.compress(data))

    chunks: list[bytes] = []
    waiting = 0
    async for chunk in stream.chunks(form):
        chunks.append(chunk)
        waiting += len(chunk)
        if waiting >= _WRITTEN_AT_ONCE:
            await run_sync(write, b"".join(chunks))
            chunks, waiting = [], 0
        progress.tell(stream)
    await run_sync(write, b"".join(chunks))
    if packer is not None:
        await run_sync(lambda: file.write(packer.flush()))
