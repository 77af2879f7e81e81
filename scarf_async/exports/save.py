"""An export into a file: whole, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from os import PathLike
from pathlib import Path
from typing import Final, Protocol, TypeVar

import anyio
import attrs
from anyio.to_thread import run_sync

from scarf_async.entities.fields import one_of
from scarf_async.errors import TruncatedExportError
from scarf_async.events import Hook
from scarf_async.exports.files import AtomicFile
from scarf_async.exports.formats import ExportFormat, ExportFormatLike, need_arrow
from scarf_async.exports.source import ExportSpec

__all__ = ["SavedExport", "save"]

T = TypeVar("T")

# What goes into one hop to a thread: hops cost more than writing does.
_WRITTEN_AT_ONCE: Final = 2**20


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
    """What is needed of a stream."""

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
    """Fetch an export, which this is the spec of, into a file; see `Export.save`."""
    target = Path(path)
    form = None if form is None else one_of(ExportFormat, "format", form)
    need_arrow(form)
    attempt = 1
    while True:
        try:
            return await _save_once(export, target, form, overwrite=overwrite, progress=progress)
        except TruncatedExportError as error:
            if error.proven_end or attempt >= spec.attempts:
                raise
        await spec.pause(attempt)
        attempt += 1


async def _save_once(
    export: AbstractAsyncContextManager[S],
    target: Path,
    form: ExportFormat | None,
    *,
    overwrite: bool,
    progress: Hook[S],
) -> SavedExport:
    file = AtomicFile(target, overwrite=overwrite)
    try:
        await run_sync(file.create)
        async with export as stream:
            await _fetch(stream, form, file, progress)
        # Two hops: whoever is cancelled during the slow one finds nothing under the final name.
        await run_sync(file.finish)
        await run_sync(file.publish)
    finally:
        try:
            with anyio.CancelScope(shield=True):
                await run_sync(file.discard)
        finally:
            # The shield does not hold off a second `Task.cancel`, which may come before a thread has begun.
            file.discard()
    return SavedExport(target, file.size, stream.records_kept, file.sha256)


async def _fetch(stream: S, form: ExportFormat | None, file: AtomicFile, progress: Hook[S]) -> None:
    chunks: list[bytes] = []
    waiting = 0
    async for chunk in stream.chunks(form):
        chunks.append(chunk)
        waiting += len(chunk)
        if waiting >= _WRITTEN_AT_ONCE:
            await run_sync(file.write, b"".join(chunks))
            chunks, waiting = [], 0
        progress.tell(stream)
    await run_sync(file.write, b"".join(chunks))
