"""Run a job: which windows to fetch, in which order, and their outcomes."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import anyio
from anyio import from_thread
from anyio.abc import TaskGroup
from anyio.to_thread import run_sync

from scarf_async.clock import Clock
from scarf_async.errors import (
    APIError,
    ClientClosedError,
    ClusterLostError,
    JobBusyError,
    ScarfError,
    WrongEventLoopError,
)
from scarf_async.events import Hook
from scarf_async.exports.jobs.destination import Destination
from scarf_async.exports.jobs.engine import Engine
from scarf_async.exports.jobs.fetch import Fetch, Fetching
from scarf_async.exports.jobs.job import ExportJob, Record
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.memory import FOR_A_WINDOW
from scarf_async.exports.jobs.output import Refuse
from scarf_async.exports.jobs.plan import asks_short, longest, make_plan
from scarf_async.exports.jobs.report import ExportProgress, ExportReport, WindowReport, WindowStatus
from scarf_async.exports.jobs.windows import ServiceClock, Window, cut, longest_bucket
from scarf_async.exports.spec import ExportSpec

__all__ = ["run_job", "tell_of_waiting", "utc_now"]

_PROGRESS_INTERVAL: Final = 0.1
_CLOSING: Final = 1.0
"""How many seconds a cancelled run waits for its destination to close if it is cancelled again."""
_ALL_WOULD_FAIL: Final = frozenset({401, 403, 404, 429})
_TOO_LONG: Final = re.compile(
    r"range\W.{0,60}too\W?(?:long|large|big|wide)|range\W.{0,60}\bdays\b", re.IGNORECASE | re.DOTALL
)


def utc_now() -> dt.datetime:
    """Return the current time."""
    return dt.datetime.now(dt.UTC)


def is_too_long(error: ScarfError) -> bool:
    """Return whether the service refuses a range as too long."""
    if not isinstance(error, APIError) or error.status != 400:
        return False
    return error.code == "range-too-long" or (not error.code and _TOO_LONG.search(error.message) is not None)


async def nothing() -> None:
    """Do nothing before the first window."""


def tell_of_waiting(progress: Hook[ExportProgress]) -> Callable[[float], object]:
    """Return a function that reports, from a thread, that another run may have been killed."""

    def tell(seconds: float) -> None:
        from_thread.check_cancelled()
        what = f"{seconds:.0f} s for a sign of life of the run that holds the prefix, and may have been killed"
        from_thread.run_sync(progress.tell, ExportProgress(0, 0, 0, 0, 0, 0.0, "waiting", (), what))

    return tell


async def run_job(
    job: ExportJob,
    destination: Destination,
    spec: Callable[[Window], ExportSpec[Record]],
    *,
    concurrency: int,
    refresh_days: int,
    progress: Hook[ExportProgress],
    clock: Clock,
    memory_limit: int = 256 * 10**6,
    keep_rejects: bool = False,
    allow_loss: bool = False,
    refuse: Refuse | None = None,
    check: Callable[[], Awaitable[None]] = nothing,
    fetch: Callable[..., Fetching] = Fetch,
) -> ExportReport:
    """Run a job; see `Exports.run`. `fetch` creates the object that fetches a window, like `Fetch`."""
    began = clock.monotonic()
    engine = Engine(destination.temporary / "engine", memory_limit // 3)
    try:
        await run_sync(destination.open)
        run = _Run(
            job,
            destination,
            spec,
            progress,
            elapsed=lambda: clock.monotonic() - began,
            refresh_days=refresh_days,
            keep_rejects=keep_rejects,
            engine=engine,
            memory_limit=memory_limit,
            allow_loss=allow_loss,
            refuse=refuse,
            fetch=fetch,
        )
        await run(concurrency, check)
        await run_sync(destination.checkpoint)
        return run.report()
    finally:
        engine.close()
        # It begins at once: a cancellation now must not leave the destination locked.
        closing = asyncio.get_running_loop().run_in_executor(None, destination.close)
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            # anyio may deliver the cancellation that ended the run once more. Only a store that hangs takes longer.
            await asyncio.wait([closing], timeout=_CLOSING)
            raise


class _Run:
    """One run of a job.

    Args:
        job: the job.
        destination: the open destination.
        spec: returns the export for the first day and the end day of a request.
        progress: called with the progress.
        elapsed: returns the seconds since the start.
        refresh_days: how many days at the end to fetch again.
        keep_rejects: whether to write records that cannot be read to files.
        engine: the DuckDB engine.
        memory_limit: the memory in bytes for all windows in progress, including that of the engine.
        allow_loss: whether a response with fewer rows or days may replace existing rows.
        refuse: returns the first row that the destination cannot store.
        fetch: creates the object that fetches a window.
    """

    def __init__(
        self,
        job: ExportJob,
        destination: Destination,
        spec: Callable[[Window], ExportSpec[Record]],
        progress: Hook[ExportProgress],
        *,
        elapsed: Callable[[], float],
        refresh_days: int,
        keep_rejects: bool,
        engine: Engine,
        memory_limit: int,
        allow_loss: bool,
        refuse: Refuse | None,
        fetch: Callable[..., Fetching],
    ) -> None:
        self._destination = destination
        self._spec = spec
        self._make = fetch
        self._progress = progress
        self._elapsed = elapsed
        self._keep_rejects = keep_rejects
        # Plans limit the history: v3 may send less today than before.
        self._guarded = job.query is not None and not allow_loss
        self._refuse = refuse
        self._engine = engine
        self._memory = memory_limit
        self._memory_each = memory_limit
        self._ahead = True
        self._told = -_PROGRESS_INTERVAL
        self._finished: list[WindowReport] = []
        self._fetching: list[Fetching] = []
        # Windows that had begun by the service's clock have begun, whatever this machine's clock says.
        answered = (entry.answered_at for entry in destination.manifest.windows if entry.provisional)
        self._clock = ServiceClock(utc_now, filter(None, answered))
        self._limit = min(longest(job), destination.manifest.limit_days or longest(job))
        there = [entry.window for entry in destination.manifest.windows]
        self._job = job
        self._range = job.range(there, self._clock.now().date(), refresh_days)
        # A job that continues an earlier run checks all of its windows again.
        self._refresh_days = self._range.days if job.start is None else refresh_days
        self._dealt_with: set[Window] = set()
        self._doubtful: set[Window] = set()
        self._others: dict[Window, WindowReport] = {}
        self._reports: dict[Window, WindowReport] = {}
        self._total = 0
        self._rows = 0
        self._bytes = 0
        self._stopped_by: str | None = None
        self._fatal: Exception | None = None

    async def __call__(self, concurrency: int, check: Callable[[], Awaitable[None]]) -> None:
        """Fetch all due windows, then those that the responses have shown to be missing.

        Args:
            concurrency: the maximum number of windows in progress.
            check: awaited once before the first window; it may raise.

        Raises:
            OSError: a file cannot be written.
            JobBusyError: another run has taken over.
            ClientClosedError: the client was closed during the run.
            ClusterLostError: the cluster that fetches was lost.
            WrongEventLoopError: the client belongs to another event loop.
        """
        at_once = min(concurrency, max(1, self._memory // FOR_A_WINDOW))
        limiter = anyio.CapacityLimiter(at_once)
        due = self._next()
        if due:
            await check()
        while due:
            under_way = min(at_once, len(due))
            self._ahead = under_way == 1
            # A fetch that reads ahead has records waiting in three places.
            self._memory_each = self._memory // (8 if self._ahead else 4 * under_way)
            async with anyio.create_task_group() as workers:
                for window in due:
                    workers.start_soon(self._work, window, limiter, workers)
            if self._fatal is not None:
                raise self._fatal
            due = self._next()

    def _next(self) -> Sequence[Window]:
        """Return the windows to fetch, by current knowledge."""
        manifest, holds = self._destination.manifest, self._destination.holds
        plan = make_plan(
            self._job, self._range, manifest, self._dealt_with, self._refresh_days, self._clock.now(), holds
        )
        self._others = {entry.window: _report("kept", entry.window, entry) for entry in plan.kept}
        self._others |= {window: _report("future", window) for window in plan.future}
        self._total = len(self._reports) + len(self._others) + len(plan.due)
        return plan.due[: plan.first]

    def report(self) -> ExportReport:
        """Return the report, after a last call of `progress`."""
        self._tell(at_end=True)
        return ExportReport(
            self._job,
            self._destination.path,
            [report for _, report in sorted((self._others | self._reports).items(), key=lambda item: item[0])],
            self._elapsed(),
            self._stopped_by,
        )

    async def _work(self, window: Window, limiter: anyio.CapacityLimiter, workers: TaskGroup) -> None:
        async with limiter:
            if self._stopped_by is not None:
                self._settle("skipped", window)
                return
            if window.start > self._clock.now().date():
                # As a response has shown meanwhile.
                return
            try:
                shorter = await self._fetch(window)
            except Exception as error:  # noqa: BLE001 # raised when all have ended, and as itself: groups wrap
                # No more windows can be fetched: a disk error, a closed client, another run.
                self._fatal = self._fatal or error
                workers.cancel_scope.cancel()
                return
        for part in shorter:
            workers.start_soon(self._work, part, limiter, workers)

    async def _fetch(self, window: Window) -> Sequence[Window]:
        """Fetch a window, or return shorter ones to fetch instead."""
        if window.days > max(self._limit, longest_bucket(window, self._job.rollup)):
            return self._split(window)
        short = window not in self._doubtful and asks_short(
            self._job, window, end_inclusive=self._destination.manifest.end_inclusive
        )
        asked = Window(window.start, window.end - dt.timedelta(short))
        fetch = self._make(
            self._spec(asked),
            window,
            self._job,
            self._destination,
            self._clock,
            self._arrived,
            self._engine,
            self._memory_each,
            short=short,
            keep=self._keep_rejects,
            guarded=self._guarded,
            ahead=self._ahead,
            refuse=self._refuse,
        )
        self._fetching.append(fetch)
        try:
            entry = await fetch()
        except (ClientClosedError, ClusterLostError, JobBusyError, WrongEventLoopError):
            raise
        except ScarfError as error:
            return await self._failed(window, error, short=short)
        finally:
            self._fetching.remove(fetch)
        await self._learn(window, fetch, entry)
        if not fetch.doubted:
            self._settle("fetched", window, entry)
        elif entry is None:
            self._doubtful.add(window)
        else:
            self._doubtful.add(Window(entry.end, window.end))
            self._settle("fetched", entry.window, entry)
        return ()

    async def _failed(self, window: Window, error: ScarfError, *, short: bool) -> Sequence[Window]:
        """Process a failed window; return the windows to fetch instead."""
        if is_too_long(error) and window.days > longest_bucket(window, self._job.rollup):
            self._limit = min(self._limit, (window.days + 1) // 2)
            await run_sync(partial(self._destination.remember, limit_days=self._limit))
            return self._split(window)
        if short and window.days == 1 and isinstance(error, APIError) and error.status == 400:
            # A range that ends on its first day is empty for a service that excludes the end.
            self._doubtful.add(window)
            await run_sync(partial(self._destination.remember, end_inclusive=False))
            return [window]
        self._settle("failed", window, error=error)
        if isinstance(error, APIError) and error.status in _ALL_WOULD_FAIL:
            self._stopped_by = self._stopped_by or _why(error)
        return ()

    async def _learn(self, window: Window, fetch: Fetching, entry: WindowEntry | None) -> None:
        """Record whether the service includes the end, if its response shows that."""
        if fetch.shown:
            await run_sync(partial(self._destination.remember, end_inclusive=True))
        elif window in self._doubtful and entry is not None and entry.rows:
            # For a day that was not sent as the end.
            await run_sync(partial(self._destination.remember, end_inclusive=False))

    def _split(self, window: Window) -> Sequence[Window]:
        self._dealt_with.add(window)
        parts = list(cut(window, self._limit, self._job.rollup))
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
        if entry is None or status == "fetched":
            # The replaced windows are still there; or the files have the names that the destination gave them.
            there = self._destination.manifest.windows
            entry = next((old for old in there if old.window == window), entry)
        self._dealt_with.add(window)
        self._reports[window] = _report(status, window, entry, error)
        self._finished.append(self._reports[window])
        self._tell()

    def _arrived(self, rows: int, received: int) -> None:
        self._rows += rows
        self._bytes += received
        self._tell()

    def _tell(self, *, at_end: bool = False) -> None:
        """Report the progress, at most ten times a second, and once at the end."""
        now = self._elapsed()
        done = len(self._reports) + len(self._others)
        if not at_end and (done == self._total or now - self._told < _PROGRESS_INTERVAL):
            return
        self._told = now
        failed = sum(report.status == "failed" for report in self._reports.values())
        writing = bool(self._fetching) and not any(fetch.receiving for fetch in self._fetching)
        finished, self._finished = self._finished, []
        self._progress.tell(
            ExportProgress(
                done,
                self._total,
                failed,
                self._rows,
                self._bytes,
                now,
                self._destination.stage if writing else "fetching",
                finished,
            )
        )


def _why(error: APIError) -> str:
    wait = "" if error.retry_after is None else f"; run it again after {error.retry_after:,.0f} s"
    return f"{error}{wait}"


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
        entry.effective_start,
        entry.effective_end,
        entry.conflicting,
        entry.conflicts,
        entry.columns,
        {file.path: file.sha256 for file in entry.files},
    )
