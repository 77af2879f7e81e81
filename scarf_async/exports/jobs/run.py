"""Runs a job: which windows to fetch, in how many turns, and what becomes of them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import TaskGroup
from anyio.to_thread import run_sync

from scarf_async import clock
from scarf_async.errors import APIError, ClientClosedError, ScarfError, WrongEventLoopError
from scarf_async.events import Hook
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.fetch import Fetch
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.report import ExportProgress, ExportReport, WindowReport, WindowStatus
from scarf_async.exports.jobs.text import Record
from scarf_async.exports.jobs.windows import Window, cut, has_ended, to_fetch
from scarf_async.exports.source import ExportSpec

__all__ = ["run_job"]

_PROGRESS_INTERVAL: Final = 0.1
_ALL_WOULD_FAIL: Final = frozenset({401, 403, 404, 429})
_TOO_LONG: Final = re.compile(
    r"range\W.{0,60}too\W?(?:long|large|big|wide)|range\W.{0,60}\bdays\b", re.IGNORECASE | re.DOTALL
)


def utc_now() -> dt.datetime:
    """Return the time."""
    return dt.datetime.now(dt.UTC)


def is_too_long(error: ScarfError) -> bool:
    """Whether the service refuses a range for its length."""
    if not isinstance(error, APIError) or error.status != 400:
        return False
    return error.code == "range-too-long" or (not error.code and _TOO_LONG.search(error.message) is not None)


async def run_job(
    job: ExportJob,
    path: Path,
    server: str,
    spec: Callable[[Window], ExportSpec[Record]],
    *,
    concurrency: int,
    refresh_days: int,
    progress: Hook[ExportProgress],
    keep_rejects: bool = False,
) -> ExportReport:
    """Run a job in a directory; see `Exports.run`."""
    began = clock.monotonic()
    directory = Directory(path, job, server)
    try:
        await run_sync(directory.open)
        run = _Run(job, directory, spec, progress, began, keep_rejects=keep_rejects)
        run.plan(refresh_days)
        await run(concurrency)
        return run.report()
    finally:
        # Without waiting: a cancellation that comes now must not keep it locked.
        directory.close()


class _Run:
    """One run of a job.

    Args:
        job: the job.
        directory: where to, open.
        spec: makes the export of a window.
        progress: is told how far it is.
        began: when it began, by `clock.monotonic()`.
        keep_rejects: whether records that cannot be read go into files.
    """

    def __init__(
        self,
        job: ExportJob,
        directory: Directory,
        spec: Callable[[Window], ExportSpec[Record]],
        progress: Hook[ExportProgress],
        began: float,
        *,
        keep_rejects: bool,
    ) -> None:
        self._job = job
        self._directory = directory
        self._spec = spec
        self._progress = progress
        self._began = began
        self._keep_rejects = keep_rejects
        self._told = -_PROGRESS_INTERVAL
        self._limit = min(job.window_days, directory.manifest.limit_days or job.window_days)
        self._pending: list[Window] = []
        self._reports: dict[Window, WindowReport] = {}
        self._total = 0
        self._rows = 0
        self._bytes = 0
        self._stopped_by: str | None = None
        self._fatal: Exception | None = None

    def plan(self, refresh_days: int) -> None:
        """Decide what is kept, what lies in the future, and what is to be fetched."""
        now = utc_now()
        today = now.date()
        entries = self._directory.manifest.windows
        recent = _recent(self._job.range, refresh_days, today)
        for entry in entries:
            # The clock may have been ahead when it was fetched.
            early = entry.start <= today and not has_ended(entry.window, now)
            stale = entry.provisional or early or (recent is not None and entry.window.overlaps(recent))
            if stale or not self._directory.holds(entry):
                self._pending.append(entry.window)
            else:
                self._reports[entry.window] = _report("kept", entry.window, entry)
        done = [entry.window for entry in entries]
        for window in to_fetch(self._job.range, self._job.window_days, self._limit, done):
            if window.start > today:
                self._reports[window] = _report("future", window)
            else:
                self._pending.append(window)
        self._pending.sort()
        self._total = len(self._pending) + len(self._reports)

    async def __call__(self, concurrency: int) -> None:
        """Fetch what is to be fetched.

        Raises:
            OSError: something cannot be written.
            ClientClosedError: the client was closed meanwhile.
            WrongEventLoopError: the client belongs to another event loop.
            Exception: the caller's `on_malformed` raised it.
        """
        limiter = anyio.CapacityLimiter(concurrency)
        async with anyio.create_task_group() as workers:
            for window in self._pending:
                workers.start_soon(self._work, window, limiter, workers)
        if self._fatal is not None:
            raise self._fatal

    def report(self) -> ExportReport:
        """Return what became of the windows, and tell of it once more."""
        self._tell(at_end=True)
        return ExportReport(
            self._job,
            self._directory.path,
            [report for _, report in sorted(self._reports.items(), key=lambda item: item[0])],
            clock.monotonic() - self._began,
            self._stopped_by,
        )

    async def _work(self, window: Window, limiter: anyio.CapacityLimiter, workers: TaskGroup) -> None:
        async with limiter:
            if self._stopped_by is not None:
                self._settle("skipped", window)
                return
            try:
                shorter = await self._fetch(window)
            except Exception as error:  # noqa: BLE001 # raised when all have ended, and as itself: groups wrap
                # No window could be fetched any more: the disk, the client, a function of the caller's.
                self._fatal = self._fatal or error
                workers.cancel_scope.cancel()
                return
        for part in shorter:
            workers.start_soon(self._work, part, limiter, workers)

    async def _fetch(self, window: Window) -> Sequence[Window]:
        """Fetch a window; or return the shorter ones that are to be fetched in its place."""
        if window.days > self._limit:
            return self._split(window)
        entry: WindowEntry | None = None
        try:
            entry = await Fetch(
                self._spec(window),
                window,
                self._job.format,
                self._directory,
                utc_now,
                self._arrived,
                keep=self._keep_rejects,
            )()
        except (ClientClosedError, WrongEventLoopError):
            raise
        except ScarfError as error:
            if is_too_long(error) and window.days > 1:
                self._limit = min(self._limit, (window.days + 1) // 2)
                await run_sync(self._directory.remember_limit, self._limit)
                return self._split(window)
            self._settle("failed", window, error=error)
            if isinstance(error, APIError) and error.status in _ALL_WOULD_FAIL:
                self._stopped_by = self._stopped_by or _why(error)
        else:
            self._settle("fetched", window, entry)
        return ()

    def _split(self, window: Window) -> Sequence[Window]:
        parts = list(cut(window, self._limit))
        self._total += len(parts) - 1
        return parts

    def _settle(
        self,
        status: WindowStatus,
        window: Window,
        entry: WindowEntry | None = None,
        *,
        error: ScarfError | None = None,
    ) -> None:
        if entry is None:
            # What was to be replaced is still there.
            entry = next((old for old in self._directory.manifest.windows if old.window == window), None)
        self._reports[window] = _report(status, window, entry, error)
        self._tell()

    def _arrived(self, rows: int, received: int) -> None:
        self._rows += rows
        self._bytes += received
        self._tell()

    def _tell(self, *, at_end: bool = False) -> None:
        """Tell how far the run is, at most ten times a second, and once at the end."""
        now = clock.monotonic()
        if not at_end and (len(self._reports) == self._total or now - self._told < _PROGRESS_INTERVAL):
            return
        self._told = now
        failed = sum(report.status == "failed" for report in self._reports.values())
        self._progress.tell(
            ExportProgress(len(self._reports), self._total, failed, self._rows, self._bytes, now - self._began)
        )


def _why(error: APIError) -> str:
    wait = "" if error.retry_after is None else f"; run it again after {error.retry_after:,.0f} s"
    return f"{error}{wait}"


def _recent(whole: Window, days: int, today: dt.date) -> Window | None:
    """Return the last days of a range that have begun."""
    end = min(whole.end, today + dt.timedelta(1))
    start = max(whole.start, end - dt.timedelta(min(days, end.toordinal() - 1)))
    return Window(start, end) if start < end else None


def _report(
    status: WindowStatus, window: Window, entry: WindowEntry | None = None, error: ScarfError | None = None
) -> WindowReport:
    if entry is None:
        return WindowReport(window.start, window.end, status, error=error)
    return WindowReport(
        window.start,
        window.end,
        status,
        entry.provisional,
        entry.rows,
        entry.duplicates,
        entry.outside,
        entry.bytes,
        error,
        entry.malformed,
    )
