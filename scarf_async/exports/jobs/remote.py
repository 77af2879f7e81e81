"""A window that is fetched on another machine: what goes there, what comes back, and how it is entered here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs
from anyio.to_thread import run_sync

from scarf_async.exports.jobs.destination import Destination, Made
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.engine import Engine
from scarf_async.exports.jobs.fetch import Fetch
from scarf_async.exports.jobs.job import ExportJob, Record
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.run import utc_now
from scarf_async.exports.jobs.windows import ServiceClock, Window
from scarf_async.exports.spec import ExportSpec
from scarf_async.files import sweep

__all__ = ["Fetched", "RemoteFetch", "RemoteWindow", "SharedDirectory", "fetch_here"]

_MEMORY: Final = 256 * 10**6
"""Bytes for a window."""


@attrs.frozen
class RemoteWindow:
    """What another machine is to fetch. It holds no secret.

    Attributes:
        job: whose window it is.
        server: as the manifest names it.
        folder: the directory, which both have under this path.
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
    """What was fetched: the window as it is to be entered, and where its files are, by the paths where they belong.

    Attributes:
        received: bytes of the answers.
        shown: as `Fetch` has it, like `doubted`.
    """

    entry: WindowEntry | None
    parts: Mapping[str, str]
    received: int
    shown: bool
    doubted: bool


class _Unheld(Directory):
    """A directory that another process holds: what is to be entered is left to that."""

    def __init__(self, what: RemoteWindow) -> None:
        super().__init__(Path(what.folder), what.job, what.server)
        self.manifest = attrs.evolve(self.manifest, windows=tuple(what.there))
        self.parts: Mapping[str, str] = {}

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:  # noqa: ARG002 # the caller has it
        """Tell where the files are."""
        self.parts = {file.path: str(file.part) for file in made}
        return True


async def fetch_here(what: RemoteWindow, spec: ExportSpec[Record]) -> Fetched:
    """Fetch a window into the directory's temporary files.

    Args:
        what: the window.
        spec: the export of `what.asked`.

    Raises:
        ScarfError: as `Fetch`.
        OSError: something cannot be written; the directory is not there, say.
    """
    destination = _Unheld(what)
    received: list[int] = []
    with TemporaryDirectory(prefix="scarf-", ignore_cleanup_errors=True) as spill:
        engine = Engine(Path(spill), _MEMORY // 2)
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
            entry = await fetch()
        finally:
            engine.close()
    return Fetched(entry, destination.parts, sum(received), fetch.shown, fetch.doubted)


class SharedDirectory(Directory):
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
        folder = str(Path(destination.path).absolute())
        self._what = RemoteWindow(job, server, folder, window, short, guarded, there, clock.now())

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
        made = [Made(Path(part), path) for path, part in fetched.parts.items()]
        return entry if await run_sync(self._destination.enter, entry, made) else None
