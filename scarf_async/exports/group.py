"""`scarf.exports`: the calls that return one export, and the jobs that fetch many."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Literal, cast

from anyio.to_thread import run_sync

from scarf_async.checks import flag, instance, whole, word
from scarf_async.dialects.v3.requests import read_artifacts
from scarf_async.entities import Aggregate, Aggregation, Event, ExportKind
from scarf_async.errors import ValidationError
from scarf_async.events import Hook
from scarf_async.exports.calls import EVERYTHING, ExportCalls
from scarf_async.exports.formats import need_installed
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.job import ExportJob, Record
from scarf_async.exports.jobs.memory import memory_bytes
from scarf_async.exports.jobs.report import ExportProgress, ExportReport
from scarf_async.exports.jobs.verify import FileProblem, verify_export
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.spec import ExportSpec
from scarf_async.exports.stream import Export

__all__ = ["Exports"]

_ANY_DAY: Final = Window(dt.date(2024, 1, 1), dt.date(2024, 1, 2))


class Exports(ExportCalls):
    """Exports of events, aggregates and aggregations, as streams of typed records or as files.

    Each call checks its arguments and returns an `Export`; nothing is sent before `async with` or `save`.

    ```python
    async with scarf.exports.package_events("acme", package_id, "2024-01-01", "2024-02-01") as events:
        async for event in events:
            print(event.time, event.type)
    ```

    In all of them `start` is the first day and `end` the first day after the range, each a `datetime.date` or
    `YYYY-MM-DD`, in UTC. Where the service may send more than that (aggregates, and events of v2), records at or
    after `end` are left out and counted in `.records_dropped`; `unfiltered=True` keeps them. `on_malformed`
    says what happens to a record that cannot be read: `"raise"`, `"skip"`, or a function that is given the
    `MalformedRecordError`, whose `.record` holds its bytes. In typed reading that goes for a record longer than
    `max_record_bytes`, too, of which the function gets the first 4 KiB; it is never held whole.

    Raises:
        ValidationError: an argument cannot be sent. Nothing was.
    """

    async def run(
        self,
        job: ExportJob,
        destination: str | os.PathLike[str],
        *,
        concurrency: int = 4,
        refresh_days: int | None = None,
        on_malformed: Literal["raise", "keep"] = "raise",
        memory_limit: int | str = "256MB",
        allow_loss: bool = False,
        progress: Callable[[ExportProgress], object] | None = None,
    ) -> ExportReport:
        """Fetch a job into a directory, window by window; run it again to fetch what is missing.

        Needs the extra `data`. Each window is a request. Its records are checked as typed ones; those outside of
        the window are dropped, and so are those events whose `id` has been there, of which the first to come stays;
        where another with its `id` has other values, the report names its line (`conflicts`). A window is written
        under other names, synced, written into `journal.jsonl` and put in its place: whenever the run is killed,
        what `manifest.json` and the journal name is whole, and the next run goes on from there. A window that is
        cut off is fetched again from its start, as often as the client's `RetryPolicy` allows. One that fails does
        not stop the others, unless all would fail as it did (401, 403, 404, or a 429 that outlasts the retries).
        Where the service refuses a range for its length, the windows become shorter.

        A directory belongs to one export of one server, in one format, but not to a range: a later `end`, an
        earlier `start` or another `window_days` go on in it. Fetched are the gaps, the windows that had not ended,
        and those that touch the last `refresh_days` of the range; windows outside of the range stay as they are.
        A job without a `start` goes on from the first gap, or else from the end, less `refresh_days`; that makes
        one directory for all nights:

        ```python
        job = ExportJob("owner_events", "acme", None, None, format="parquet")
        report = await scarf.exports.run(job, "events")
        report.raise_for_failures()
        ```

        Days are UTC. A window that has not begun is not asked for. One that has not been over for an hour is
        fetched, and again by the next run. What has begun and ended is for the service's clock to say, by the
        `Date` of its answers; for the machine's before the first one, and where there is none to be read.

        v2 has been seen to send the end day, too. Where the first window shows that, the others are asked for up
        to their last day alone, and those of 30 days become 31. A window whose last day then brings nothing is
        asked for that day once more, up to the day after, so that nothing is missing whatever the service does.

        Windows of aggregations are whole buckets of the rollup, but for the first and the last one. What the query
        names by id is read once before the first of them. Their rows are all kept, equal ones too. A window that
        holds rows fails where the service now sends none, or has looked at fewer days than before: plans forget,
        and what is there stays, unless `allow_loss`.

        A record that cannot be read, or is longer than `max_record_bytes`, fails its window, unless `on_malformed`
        is `"keep"`: that leaves it out and writes it to `rejects/<window>.jsonl` in the directory, a JSON object
        with its `line`, the `reason` and the `record` (`record_base64` where it is not UTF-8; of one that is too
        long the first 4 KiB). The report and the manifest count them as `malformed`.

        `csv` and `jsonl` are one file for a window: events in CSV and aggregates in JSON lines as the service sent
        them, so that columns may differ between windows, as the report then says; the others by the names of their
        attributes, all of them in each line, where `extra` is a JSON object of its own. The order of JSON lines is
        not promised. `parquet` is one file for a window, too, or with `partition_by` one for each month or each
        package or pixel of it, in folders `month=YYYY-MM/` or `artifact=.../`.

        The files lie in `data/`, and nothing else does, so that pandas, pyarrow, polars and DuckDB read that folder
        as one table, also while a run is under way: `pandas.read_parquet("events/data")`.

        Args:
            job: what to fetch; the version, and in v2 the owner, that it leaves out are the client's.
            destination: a directory, made where it is missing, but not those above it.
            concurrency: windows under way at the most.
            refresh_days: fetch the windows again that have any of the last so many days of the range that have
                begun, and replace them. None: 3 for a job without an `end`, else 0.
            on_malformed: what happens to a record that cannot be read.
            allow_loss: replace a window of aggregations also by nothing, or by fewer days.
            memory_limit: what the run takes for its windows, in bytes or as in `"256MB"`; where that is too little
                for all of them, fewer are under way. What is on its way through Python, pyarrow and DuckDB comes
                on top: with four windows of 600,000 events at once the process had 520 to 810 MB, with one 360 to
                490.
            progress: called at most ten times a second, and once at the end.

        Returns:
            What became of each window of the range.

        Raises:
            ValidationError: an argument cannot be used, or the job has no start and the directory no window;
                nothing was sent.
            UnsupportedError: they are aggregates, and the client speaks v2.
            NotFoundError: a package or pixel that aggregations are to be of is not there.
            JobBusyError: another run is in the directory; nothing was sent.
            ExportError: the directory is another export's or another server's, which the message names, or its
                manifest cannot be used; nothing was sent.
            OSError: something cannot be written.
            ConfigurationError: DuckDB or pyarrow is not installed.
            ClientClosedError: the client was closed meanwhile.
        """
        instance("job", job, ExportJob, ValidationError, wanted="an ExportJob")
        whole("concurrency", concurrency, ValidationError)
        if refresh_days is None:
            refresh_days = 3 if job.end is None else 0
        whole("refresh_days", refresh_days, ValidationError, least=0)
        flag("allow_loss", allow_loss, ValidationError)
        word("on_malformed", on_malformed, ("raise", "keep"), ValidationError)
        memory = memory_bytes(memory_limit)
        job = job.of_client(self._client.api, self._client.owner)
        spec = partial(self._spec_of, job)
        need_installed("an export job", "scarf-async[data]", "pyarrow", "duckdb")
        from scarf_async.exports.jobs.run import run_job  # noqa: PLC0415 # the engine is large, and an extra

        # What the service's addresses cannot hold is refused before a directory is made.
        spec(_ANY_DAY)
        reads = [] if job.query is None else list(read_artifacts(job.query, job.owner or ""))

        async def check() -> None:
            for read in reads:
                await self._client.tell(read)

        return await run_job(
            job,
            Directory(Path(destination), job, self._client.server_of(job.api or self._client.api)),
            spec,
            concurrency=concurrency,
            refresh_days=refresh_days,
            progress=Hook("progress", progress),
            clock=self._client.clock,
            memory_limit=memory,
            keep_rejects=on_malformed == "keep",
            allow_loss=allow_loss,
            check=check,
        )

    async def verify(self, directory: str | os.PathLike[str], *, deep: bool = False) -> list[FileProblem]:
        """Compare the files of a job's directory with its manifest, in a thread; see `verify_export`."""
        return await run_sync(partial(verify_export, directory, deep=deep))

    def _spec_of(self, job: ExportJob, asked: Window) -> ExportSpec[Record]:
        """Return the export of what a job asks for, with nothing left out: the job does that."""
        start, end = asked.start, asked.end
        exports = _JobExports(self._client)
        owner, package = job.owner or "", job.package or ""
        export: Export[Event] | Export[Aggregate] | Export[Aggregation]
        match job.what:
            case ExportKind.ORGANIZATION_AGGREGATES:
                export = exports.organization_aggregates(owner, start, end, unfiltered=True)
            case ExportKind.USER_AGGREGATES:
                export = exports.user_aggregates(owner, start, end, unfiltered=True)
            case ExportKind.PACKAGE_EVENTS:
                export = exports.package_events(job.owner, package, start, end, api=job.client_api, unfiltered=True)
            case ExportKind.OWNER_EVENTS:
                export = exports.owner_events(owner, start, end, names=job.names, unfiltered=True)
            case ExportKind.PIXEL_EVENTS:
                export = exports.pixel_events(start, end, owner=job.owner, api=job.client_api, unfiltered=True)
            case ExportKind.AGGREGATIONS:
                export = exports.aggregations(start, end, job.query or EVERYTHING, owner=job.owner)
        # Readers need not know which of them it is.
        return cast("ExportSpec[Record]", export.spec)


class _JobExports(ExportCalls):
    """Those of jobs: a day that is both start and end is a range for a service that takes the end in."""

    _one_day = True
