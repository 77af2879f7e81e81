"""Fetch a window on another machine: the request, the result, and adding it here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import attrs
from anyio.to_thread import run_sync

from scarf_async.exports.jobs.destination import Destination, Made
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.engine import Engine
from scarf_async.exports.jobs.fetch import Fetch
from scarf_async.exports.jobs.job import ExportJob, Record
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.run import utc_now
from scarf_async.exports.jobs.stores.place import Prefix, place_of
from scarf_async.exports.jobs.windows import ServiceClock, Window
from scarf_async.exports.spec import ExportSpec
from scarf_async.files import sweep

if TYPE_CHECKING:
    from scarf_async.exports.jobs.stores.remote_bucket import UnheldBucket

__all__ = ["Fetched", "RemoteFetch", "RemoteWindow", "fetch_here", "shared"]

_MEMORY: Final = 256 * 10**6
"""The memory for a window in bytes."""


@attrs.frozen
class RemoteWindow:
    """A request to another machine to fetch a window, without secrets.

    Attributes:
        job: the job.
        server: the base URL of the service.
        folder: the shared path of the directory, or the URL of the prefix.
        window: the window.
        short: as in `Fetch`, like `guarded`.
        there: the windows to replace.
        earlier: the service's time, as far as known.
    """

    job: ExportJob
    server: str
    folder: str
    window: Window
    short: bool
    guarded: bool
    there: Sequence[WindowEntry]
    earlier: dt.datetime

    @property
    def asked(self) -> Window:
        """The days to request."""
        return Window(self.window.start, self.window.end - dt.timedelta(self.short))


@attrs.frozen
class Fetched:
    """The result of fetching a window.

    Attributes:
        entry: the window to add, if any.
        made: its files; after an upload, its list.
        received: the size of the responses in bytes.
        shown: as in `Fetch`, like `doubted`.
    """

    entry: WindowEntry | None
    made: Sequence[Made]
    received: int
    shown: bool
    doubted: bool


class _UnheldDirectory(Directory):
    """A directory that another process has locked, which adds the windows."""

    def __init__(self, path: Path, job: ExportJob, server: str, there: Sequence[WindowEntry]) -> None:
        super().__init__(path, job, server)
        self.manifest = attrs.evolve(self.manifest, windows=tuple(there))
        self.entered: tuple[WindowEntry, Sequence[Made]] | None = None

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Return the window and its files."""
        self.entered = entry, made
        return True


def _unheld(what: RemoteWindow, temporary: Path) -> _UnheldDirectory | UnheldBucket:
    place = place_of(what.folder)
    if isinstance(place, Path):
        return _UnheldDirectory(place, what.job, what.server, what.there)
    from scarf_async.exports.jobs.stores.remote_bucket import UnheldBucket  # noqa: PLC0415 # obstore is an extra

    return UnheldBucket(place, what.job, what.server, what.there, temporary)


async def fetch_here(what: RemoteWindow, spec: ExportSpec[Record]) -> Fetched:
    """Fetch a window into temporary files of the directory, or upload it.

    Args:
        what: the window.
        spec: the export of `what.asked`.

    Raises:
        ScarfError: as in `Fetch`.
        OSError: a file cannot be written, for example because the directory is missing.
    """
    received: list[int] = []
    with TemporaryDirectory(prefix="scarf-", ignore_cleanup_errors=True) as spill:
        destination = _unheld(what, Path(spill))
        engine = Engine(Path(spill, "engine"), _MEMORY // 2)
        try:
            fetch = Fetch(
                spec,
                what.window,
                what.job,
                destination,
                ServiceClock(utc_now, [what.earlier]),
                lambda _, more: received.append(more),
                engine,
                _MEMORY // 4,
                short=what.short,
                guarded=what.guarded,
            )
            await fetch()
        finally:
            engine.close()
    entry, made = destination.entered or (None, ())
    return Fetched(entry, made, sum(received), fetch.shown, fetch.doubted)


def shared(place: Path | Prefix, job: ExportJob, server: str, waiting: Callable[[float], object]) -> Destination:
    """Return a destination that other machines write to, for the process that locks it (see `Bucket`)."""
    if isinstance(place, Path):
        return _SharedDirectory(place, job, server)
    from scarf_async.exports.jobs.stores.remote_bucket import SharedBucket  # noqa: PLC0415 # obstore is an extra

    return SharedBucket(place, job, server, waiting=waiting)


class _SharedDirectory(Directory):
    """The directory of a job, with unfinished files of other machines."""

    def checkpoint(self) -> None:
        """Update the manifest, and remove the files that dead machines left."""
        super().checkpoint()
        sweep(self.temporary)


class RemoteFetch:
    """Has a window fetched elsewhere, and adds it; with the interface of `Fetch`.

    Args:
        fetched: returns the result.
        server: the base URL of the service.
    """

    def __init__(  # noqa: PLR0917 # after the first two, as `Fetch` takes them
        self,
        fetched: Callable[[RemoteWindow], Awaitable[Fetched]],
        server: str,
        _spec: object,
        window: Window,
        job: ExportJob,
        destination: Destination,
        clock: ServiceClock,
        arrived: Callable[[int, int], object],
        *_: object,
        short: bool,
        guarded: bool,
        **__: object,
    ) -> None:
        self.receiving: bool = True
        self.shown: bool = False
        self.doubted: bool = False
        self._fetched = fetched
        self._destination = destination
        self._clock = clock
        self._arrived = arrived
        there = destination.manifest.overlapping(window)
        self._what = RemoteWindow(job, server, str(destination.path), window, short, guarded, there, clock.now())

    async def __call__(self) -> WindowEntry | None:
        """Have it fetched; return the added window, like `Fetch`."""
        fetched = await self._fetched(self._what)
        self.receiving = False
        self.shown, self.doubted = fetched.shown, fetched.doubted
        entry = fetched.entry
        if entry is None:
            return None
        if entry.answered_at is not None:
            self._clock.hear({"Date": format_datetime(entry.answered_at, usegmt=True)})
        self._arrived(entry.rows, fetched.received)
        return entry if await run_sync(self._destination.enter, entry, fetched.made) else None
