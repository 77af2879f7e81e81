"""A window that is fetched on another machine: what goes there, what comes back, and how it is entered here."""

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
from scarf_async.exports.jobs.place import Prefix, place_of
from scarf_async.exports.jobs.run import utc_now
from scarf_async.exports.jobs.windows import ServiceClock, Window
from scarf_async.exports.spec import ExportSpec
from scarf_async.files import sweep

if TYPE_CHECKING:
    from scarf_async.exports.jobs.remote_bucket import UnheldBucket

__all__ = ["Fetched", "RemoteFetch", "RemoteWindow", "fetch_here", "shared"]

_MEMORY: Final = 256 * 10**6
"""Bytes for a window."""


@attrs.frozen
class RemoteWindow:
    """What another machine is to fetch. It holds no secret.

    Attributes:
        job: whose window it is.
        server: as the manifest names it.
        folder: the directory, which both have under this path, or the address of the prefix.
        window: the window.
        short: as `Fetch` has it, like `guarded`.
        there: the windows that are to be replaced.
        earlier: the service's time, as far as it is known.
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
        """The days that the service is asked for."""
        return Window(self.window.start, self.window.end - dt.timedelta(self.short))


@attrs.frozen
class Fetched:
    """What was fetched.

    Attributes:
        entry: the window as it is to be entered, if it is.
        made: its files; where it was uploaded, its list.
        received: bytes of the answers.
        shown: as `Fetch` has it, like `doubted`.
    """

    entry: WindowEntry | None
    made: Sequence[Made]
    received: int
    shown: bool
    doubted: bool


class _UnheldDirectory(Directory):
    """A directory that another process holds: what is to be entered is left to that."""

    def __init__(self, path: Path, job: ExportJob, server: str, there: Sequence[WindowEntry]) -> None:
        super().__init__(path, job, server)
        self.manifest = attrs.evolve(self.manifest, windows=tuple(there))
        self.entered: tuple[WindowEntry, Sequence[Made]] | None = None

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Tell of the window, and where its files are."""
        self.entered = entry, made
        return True


def _unheld(what: RemoteWindow, temporary: Path) -> _UnheldDirectory | UnheldBucket:
    place = place_of(what.folder)
    if isinstance(place, Path):
        return _UnheldDirectory(place, what.job, what.server, what.there)
    from scarf_async.exports.jobs.remote_bucket import UnheldBucket  # noqa: PLC0415 # obstore is an extra

    return UnheldBucket(place, what.job, what.server, what.there, temporary)


async def fetch_here(what: RemoteWindow, spec: ExportSpec[Record]) -> Fetched:
    """Fetch a window into the directory's temporary files, or upload it.

    Args:
        what: the window.
        spec: the export of `what.asked`.

    Raises:
        ScarfError: as `Fetch`.
        OSError: something cannot be written; the directory is not there, say.
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
    """Return a place that other machines write to, for the process that holds it; `waiting` as `Bucket` has it."""
    if isinstance(place, Path):
        return _SharedDirectory(place, job, server)
    from scarf_async.exports.jobs.remote_bucket import SharedBucket  # noqa: PLC0415 # obstore is an extra

    return SharedBucket(place, job, server, waiting=waiting)


class _SharedDirectory(Directory):
    """The directory of a job, into which other machines write what is not finished."""

    def checkpoint(self) -> None:
        """Bring the manifest up to date, and remove what those left that died."""
        super().checkpoint()
        sweep(self.temporary)


class RemoteFetch:
    """Has a window fetched elsewhere, and enters it; made and asked as `Fetch` is.

    Args:
        fetched: returns what was fetched.
        server: as the manifest names it.
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
        """Have it fetched; return what was entered, as `Fetch` does."""
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
