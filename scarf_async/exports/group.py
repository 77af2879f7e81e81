"""`scarf.exports`: the calls that return one export, and the jobs that fetch many."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, cast

import attrs
from anyio.to_thread import run_sync

from scarf_async.checks import flag, instance, whole
from scarf_async.dialects.v3.requests import read_artifacts
from scarf_async.entities import Aggregate, Aggregation, Event, ExportKind
from scarf_async.errors import ValidationError
from scarf_async.events import Hook
from scarf_async.exports.calls import EVERYTHING, ExportCalls, check_on_malformed
from scarf_async.exports.formats import need_arrow
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.report import ExportProgress, ExportReport
from scarf_async.exports.jobs.run import run_job
from scarf_async.exports.jobs.text_output import Record
from scarf_async.exports.jobs.verify import FileProblem, verify_export
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.spec import ExportSpec, OnMalformed
from scarf_async.exports.stream import Export

__all__ = ["Exports"]


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
        directory: str | os.PathLike[str],
        *,
        concurrency: int = 4,
        progress: Callable[[ExportProgress], object] | None = None,
        refresh_days: int = 0,
        on_malformed: OnMalformed | Literal["keep"] = "raise",
        allow_loss: bool = False,
    ) -> ExportReport:
        """Fetch a job into a directory, window by window; run it again to fetch what is missing.

        Each window is a request. Its records are checked as typed ones; those outside of the window are dropped,
        and so are those events whose `id` has been there. It is written under another name, synced, put in its
        place and entered in `manifest.json`: whenever the run is killed, what the manifest names is whole, and the
        next run goes on from there. A window that is cut off is fetched again from its start, as often as the
        client's `RetryPolicy` allows. One that fails does not stop the others, unless all would fail as it did
        (401, 403, 404, or a 429 that outlasts the retries). Where the service refuses a range for its length, the
        windows become shorter.

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

        A record that cannot be read, or is longer than `max_record_bytes`, fails its window, unless
        `on_malformed` says otherwise: `"skip"` leaves it out; `"keep"` leaves it out and writes it to
        `rejects/<window>.jsonl` in the directory, a JSON object with its `line`, the `reason` and the `record`
        (`record_base64` where it is not UTF-8; of one that is too long the first 4 KiB); a function is given the
        `MalformedRecordError`, again if the window is fetched again. The report and the manifest count them as
        `malformed`.

        `csv` and `jsonl` are one file for a window: events in CSV and aggregates in JSON lines as the service sent
        them (a record on which readers of CSV differ is quoted), the others by the names of their attributes, all
        of them in each line; `extra` is then a JSON object of its own. `parquet` (extra `arrow`) is one file for a
        window, too, or with `partition_by` one for each month or each package or pixel of it, in folders
        `month=YYYY-MM/` or `artifact=.../`.

        The files lie in `data/`, and nothing else does, so that pandas, pyarrow, polars and DuckDB read that folder
        as one table, also while a run is under way: `pandas.read_parquet("events/data")`.

        ```python
        job = ExportJob("owner_events", "acme", "2024-01-01", "2024-04-01", format="parquet")
        report = await scarf.exports.run(job, "events")
        report.raise_for_failures()
        ```

        Args:
            job: what to fetch; the version, and in v2 the owner, that it leaves out are the client's.
            directory: where to; made where it is missing, but not those above it. For this job alone, its version,
                owner and server included.
            concurrency: windows under way at the most.
            progress: called at most ten times a second, and once at the end.
            refresh_days: fetch the windows again that have any of the last so many days of the range that have
                begun, and replace them.
            on_malformed: what happens to a record that cannot be read; what a function raises ends the run, but a
                `ScarfError` fails the window.
            allow_loss: replace a window of aggregations also by nothing, or by fewer days.

        Returns:
            What became of each window.

        Raises:
            ValidationError: an argument cannot be used; nothing was sent.
            UnsupportedError: they are aggregates, and the client speaks v2.
            NotFoundError: a package or pixel that aggregations are to be of is not there.
            ExportError: the directory is another job's or another server's, is in use by another run, or its
                manifest cannot be used; nothing was sent.
            OSError: something cannot be written.
            ImportError: the format is Parquet, and pyarrow is not installed.
            ClientClosedError: the client was closed meanwhile.
        """
        instance("job", job, ExportJob, ValidationError, wanted="an ExportJob")
        whole("concurrency", concurrency, ValidationError)
        whole("refresh_days", refresh_days, ValidationError, least=0)
        flag("allow_loss", allow_loss, ValidationError)
        check_on_malformed(on_malformed, "raise", "skip", "keep")
        heard = on_malformed if callable(on_malformed) or on_malformed != "keep" else "skip"
        job = job.of_client(self._client.api, self._client.owner)
        spec = partial(self._spec_of, job, heard)
        need_arrow(job.format)
        # What the service's addresses cannot hold is refused before a directory is made.
        spec(Window(job.start, job.start + dt.timedelta(1)))
        reads = [] if job.query is None else list(read_artifacts(job.query, job.owner or ""))

        async def check() -> None:
            for read in reads:
                await self._client.tell(read)

        return await run_job(
            job,
            Path(directory),
            self._client.server_of(job.api or self._client.api),
            spec,
            concurrency=concurrency,
            refresh_days=refresh_days,
            progress=Hook("progress", progress),
            clock=self._client.clock,
            keep_rejects=on_malformed == "keep",
            allow_loss=allow_loss,
            check=check,
        )

    async def verify(self, directory: str | os.PathLike[str]) -> list[FileProblem]:
        """Compare the files of a job's directory with its manifest, in a thread; see `verify_export`."""
        return await run_sync(verify_export, directory)

    def _spec_of(self, job: ExportJob, on_malformed: OnMalformed, asked: Window) -> ExportSpec[Record]:
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
        # Whoever only reads from it need not know which of them it is.
        spec = cast("ExportSpec[Record]", export.spec)
        return attrs.evolve(spec, on_malformed=on_malformed)


class _JobExports(ExportCalls):
    """Those of jobs: a day that is both start and end is a range for a service that takes the end in."""

    _one_day = True
