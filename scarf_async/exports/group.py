"""`scarf.exports`: the calls that return one export, and the jobs that fetch many."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs
from anyio.to_thread import run_sync

from scarf_async.checks import flag, instance, whole, word
from scarf_async.errors import ValidationError
from scarf_async.events import Hook
from scarf_async.exports.calls import ExportCalls
from scarf_async.exports.formats import need_installed
from scarf_async.exports.jobs.destination import Destination
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.garbage import collect_garbage
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import Manifest
from scarf_async.exports.jobs.memory import memory_bytes
from scarf_async.exports.jobs.place import place_of
from scarf_async.exports.jobs.report import ExportProgress, ExportReport
from scarf_async.exports.jobs.source import need_store
from scarf_async.exports.jobs.verify import FileProblem, verify_export
from scarf_async.exports.loading.ledger import EVENTS, job_key
from scarf_async.exports.loading.report import LoadReport
from scarf_async.exports.loading.tables import read_table
from scarf_async.exports.loading.targets import hidden, read_target
from scarf_async.exports.prepared import PreparedJob

if TYPE_CHECKING:
    from obstore.store import ObjectStore

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
        destination: str | os.PathLike[str],
        *,
        concurrency: int = 4,
        refresh_days: int | None = None,
        on_malformed: Literal["raise", "keep"] = "raise",
        memory_limit: int | str = "256MB",
        allow_loss: bool = False,
        temp_dir: str | os.PathLike[str] | None = None,
        store: ObjectStore | None = None,
        progress: Callable[[ExportProgress], object] | None = None,
    ) -> ExportReport:
        """Fetch a job into a directory or an object store, window by window; run it again to fetch what is missing.

        Needs the extra `data`, and for an object store `cloud`. Each window is a request. Its records are checked
        as typed ones; those outside of the window are dropped, and so are those events whose `id` has been there,
        of which the first to come stays; where another with its `id` has other values, the report names its line
        (`conflicts`). A window is written under other names, synced, written into `journal.jsonl` and put in its
        place: whenever the run is killed, what `manifest.json` and the journal name is whole, and the next run goes
        on from there. A window that is cut off is fetched again from its start, as often as the client's
        `RetryPolicy` allows. One that fails does not stop the others, unless all would fail as it did (401, 403,
        404, or a 429 that outlasts the retries). Where the service refuses a range for its length, the windows
        become shorter.

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
        and the rows that are there stay, unless `allow_loss`.

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

        In an object store a window is written below `temp_dir` and then uploaded, under names that are never used
        twice; `manifest.json` names the files, and is replaced within five seconds, if nobody else has. What is
        replaced stays until `collect_garbage`, since others may be reading it: read what the manifest names, as
        `scarf_async.data.read` does. A run that was killed holds the prefix for 30 s, which the next one waits.

        Args:
            job: what to fetch; the version, and in v2 the owner, that it leaves out are the client's.
            destination: a directory, `file://...` too, made where it is missing, but not those above it; or the
                address of a prefix in an object store that has conditional writes: `s3://bucket/prefix`, `gs://`,
                `az://` or `abfs://`, with the credentials that obstore finds in the environment.
            concurrency: windows under way at the most.
            refresh_days: fetch the windows again that have any of the last so many days of the range that have
                begun, and replace them. None: 3 for a job without an `end`, else 0.
            on_malformed: what happens to a record that cannot be read.
            allow_loss: replace a window of aggregations also by nothing, or by fewer days.
            memory_limit: what the run takes for its windows, in bytes or as in `"256MB"`; where that is too little
                for all of them, fewer are under way. What is on its way through Python, pyarrow and DuckDB comes
                on top: with four windows of 600,000 events at once the process had 520 to 810 MB, with one 360 to
                490.
            temp_dir: where windows are received that go into an object store; None: where the system keeps
                temporary files. A directory has its own.
            store: an obstore store of the bucket, for credentials that are not in the environment; the prefix is
                still that of the address.
            progress: called at most ten times a second, and once at the end.

        Returns:
            What became of each window of the range.

        Raises:
            ValidationError: an argument cannot be used, or the job has no start and the directory no window;
                nothing was sent.
            UnsupportedError: they are aggregates, and the client speaks v2.
            NotFoundError: a package or pixel that aggregations are to be of is not there.
            JobBusyError: another run is at work there; nothing was sent. Or it has taken over a prefix since this
                one showed no sign of life for 30 s; what the manifest names is whole.
            ExportError: the destination is another export's or another server's, which the message names, or its
                manifest cannot be used; nothing was sent.
            OSError: something cannot be written.
            ConfigurationError: DuckDB, pyarrow or obstore is not installed, the destination is an address of
                another kind or holds a user or a password, there are no credentials, or the store does not know or
                ignores conditional writes; nothing was sent.
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
        place = place_of(destination)
        # What the service's addresses cannot hold is refused before a directory is made.
        prepared = self.prepare(job)
        need_installed("an export job", "scarf-async[data]", "pyarrow", "duckdb")
        from scarf_async.exports.jobs.run import run_job, tell_of_waiting  # noqa: PLC0415 # the engine is large, an extra

        told = Hook("progress", progress)
        target: Destination
        if isinstance(place, Path):
            target = Directory(place, prepared.job, prepared.server)
        else:
            need_store(place)
            from scarf_async.exports.jobs.bucket import Bucket  # noqa: PLC0415 # obstore is an extra

            waiting = tell_of_waiting(told)
            target = Bucket(place, prepared.job, prepared.server, store=store, temp_dir=temp_dir, waiting=waiting)
        return await run_job(
            prepared.job,
            target,
            prepared.spec,
            concurrency=concurrency,
            refresh_days=refresh_days,
            progress=told,
            clock=self._client.clock,
            memory_limit=memory,
            keep_rejects=on_malformed == "keep",
            allow_loss=allow_loss,
            check=prepared.check,
        )

    async def load(
        self,
        job: ExportJob,
        target: str,
        *,
        table: str = "scarf_events",
        columns: Literal["scarf", "official"] = "scarf",
        concurrency: int = 4,
        refresh_days: int | None = None,
        on_malformed: Literal["raise", "keep"] = "raise",
        memory_limit: int | str = "256MB",
        temp_dir: str | os.PathLike[str] | None = None,
        progress: Callable[[ExportProgress], object] | None = None,
    ) -> LoadReport:
        """Fetch a job of events into a table of PostgreSQL or DuckDB; run it again to fetch what is missing.

        Needs the extra `postgres`, for DuckDB `data`. The table has the attributes of `Event`, `extra` as `jsonb`,
        and `scarf_window`; beside it, in `scarf_windows`, is the ledger of the windows that are in it. Both are
        made where they are missing; schemas are not, and existing tables are never altered. Times are UTC.

        A window is received and proven as by `run`, then loaded in one transaction with its line of the ledger:
        rows whose `id` comes again are replaced, and those that an earlier load of this window of this job put
        there and that did not come again are deleted. No other row is touched. Where jobs overlap, the last load
        owns a row. Whenever the process is killed or the connection is lost, at COMMIT too, the table holds each
        window whole or not at all, and each row once. A window whose rows are those that the ledger has is left as
        it is.

        ```python
        job = ExportJob("owner_events", "acme", None, None)
        report = await scarf.exports.load(job, "postgresql://")
        report.raise_for_failures()
        ```

        Which windows are fetched is decided as by `run`, from the ledger. `format` and `partition_by` of the job do
        not matter, and a directory of the same job that `scarf_async.data.load` has loaded is the same job.

        U+0000, which PostgreSQL does not take, becomes U+FFFD, as do halves of surrogate pairs in `extra`; an empty
        `id` becomes NULL. A row whose `id` is too long for an index, of more than 2,692 bytes, fails its window.

        `columns="official"` fills the table of Scarf's own exporter as it is: no column is added, rows are replaced
        by their `id`, which they must have, and no other is deleted. A job without a `start` begins `refresh_days`
        days before the last day in the table that is not after today.

        Args:
            job: what to fetch: events.
            target: `postgresql://...` or `postgres://...`; `service=NAME` of libpq's service file; `postgresql://`
                alone, which leaves all to libpq's variables, passfile and service file; or `duckdb:PATH`. Leave the
                password out of it: `$PGPASSWORD` or the passfile have it.
            table: `name` or `schema.name`, each as it is, a part in double quotes if it has a dot. Without a schema
                it is looked for as PostgreSQL does, along `search_path`.
            columns: whose table it is.
            concurrency: windows fetched at the same time, at the most; they are loaded one after another.
            refresh_days: fetch the windows again that have any of the last so many days of the range. None: 3 for
                a job without an `end` or `columns="official"`, else 0.
            on_malformed: what happens to a record that cannot be read: it fails its window, or is left out and
                counted; with `temp_dir`, such records are kept in `temp_dir/rejects/`.
            memory_limit: what the run takes for its windows, as of `run`.
            temp_dir: where windows are written before they are loaded; None: the system's.
            progress: called at most ten times a second, and once at the end.

        Returns:
            What became of each window of the range.

        Raises:
            ValidationError: an argument cannot be used, the job is not one of events, or it has no start and the
                table has nothing to continue from; nothing was sent.
            ConfigurationError: the target cannot be read, of which the message repeats nothing, or psycopg, DuckDB
                or pyarrow is not installed.
            JobBusyError: another load of the table, or another process in the DuckDB file; nothing was sent.
            LoadError: the database is out of reach, or refuses; where a right is missing, `.ddl` has the statements
                for somebody who has it, and nothing was sent.
            OSError: a window cannot be written to `temp_dir`.
            ClientClosedError: the client was closed meanwhile.
        """
        # Tracebacks show variables, and an address may hold a password.
        address = hidden(target)
        del target
        instance("job", job, ExportJob, ValidationError, wanted="an ExportJob")
        if job.what not in EVENTS:
            raise ValidationError(f"load takes jobs of events; this is one of {job.what}", field="job")
        whole("concurrency", concurrency, ValidationError)
        word("columns", columns, ("scarf", "official"), ValidationError)
        if refresh_days is None:
            refresh_days = 3 if job.end is None or columns == "official" else 0
        whole("refresh_days", refresh_days, ValidationError, least=0)
        word("on_malformed", on_malformed, ("raise", "keep"), ValidationError)
        memory = memory_bytes(memory_limit)
        name = read_table(table)
        prepared = self.prepare(attrs.evolve(job, format="parquet", partition_by=None))
        place = read_target(address)
        from scarf_async.exports.loading.run import database_of, run_load  # noqa: PLC0415 # extras

        begun = Manifest.of(prepared.job, prepared.server)
        return await run_load(
            prepared.job,
            database_of(place, name, columns, job_key(begun)),
            begun,
            prepared.spec,
            table=name,
            columns=columns,
            concurrency=concurrency,
            refresh_days=refresh_days,
            progress=Hook("progress", progress),
            clock=self._client.clock,
            memory_limit=memory,
            keep_rejects=on_malformed == "keep",
            temp_dir=None if temp_dir is None else Path(temp_dir),
        )

    async def verify(
        self, directory: str | os.PathLike[str], *, deep: bool = False, store: ObjectStore | None = None
    ) -> list[FileProblem]:
        """Compare the files of a job with its manifest, in a thread; see `verify_export`."""
        return await run_sync(partial(verify_export, directory, deep=deep, store=store))

    async def collect_garbage(
        self, destination: str | os.PathLike[str], *, store: ObjectStore | None = None
    ) -> list[str]:
        """Delete in an object store what a job no longer needs.

        That is what its manifest stopped naming a day ago, and what was uploaded a day ago and is not named; until
        then others may be reading it. Nothing else ever deletes. While this is at work, no run can begin. In a
        directory there is nothing to do, since each run sweeps it.

        ```python
        deleted = await scarf.exports.collect_garbage("s3://bucket/events")
        ```

        Args:
            destination: where `run` has written.
            store: an obstore store of the bucket; None: one by the environment.

        Returns:
            The paths, from the prefix on, of what was deleted.

        Raises:
            JobBusyError: a run is at work there.
            ConfigurationError: it is neither a directory nor a prefix, there are no credentials, or obstore is not
                installed.
            ExportError: it is not that of a job, or its manifest cannot be used.
            OSError: the store does not answer, or refuses.
        """
        return await run_sync(partial(collect_garbage, destination, store=store))

    def prepare(self, job: ExportJob) -> PreparedJob:
        """Return a job as this client carries it out, for adapters that have others do it; nothing is sent."""
        return PreparedJob.of(job, self._client)
