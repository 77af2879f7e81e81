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
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import Manifest
from scarf_async.exports.jobs.memory import memory_bytes
from scarf_async.exports.jobs.report import ExportProgress, ExportReport
from scarf_async.exports.jobs.source import need_store
from scarf_async.exports.jobs.stores.garbage import collect_garbage
from scarf_async.exports.jobs.stores.place import place_of
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
    after `end` are left out and counted in `.records_dropped`; `unfiltered=True` keeps them. `on_malformed` says
    what happens to a record that cannot be read: `"raise"`, `"skip"`, or a function that is called with the
    `MalformedRecordError`, whose `.record` has its bytes. Typed reading treats a record longer than
    `max_record_bytes` in the same way: the function gets the first 4 KiB, and the record is never held whole.

    Raises:
        ValidationError: an argument is invalid; nothing was sent.
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

        Needs the extra `data`, and for an object store `cloud`. Each window is one request. Its records are checked
        as typed records. Records outside the window are dropped, and so are events with an `id` that was already
        received; if such an event has other values than the first, the report names its line (`conflicts`). A
        window is written to temporary files, synced, recorded in `journal.jsonl` and renamed: if the run is killed,
        everything that `manifest.json` and the journal name is complete, and the next run continues from there. A
        window that is cut off is fetched again from its start, as often as the client's `RetryPolicy` allows. A
        window that fails does not stop the others, unless all would fail in the same way (401, 403, 404, or a 429
        that outlasts the retries). If the service refuses a range as too long, the windows become shorter.

        A directory belongs to one export of one server, in one format, but not to a range: a run with a later
        `end`, an earlier `start` or other `window_days` continues it. The run fetches the gaps, the windows that
        had not ended, and those that touch the last `refresh_days` of the range; windows outside the range stay as
        they are. A job without a `start` continues from the first gap, or else from the end, less `refresh_days`,
        so that a nightly job can use one directory:

        ```python
        job = ExportJob("owner_events", "acme", None, None, format="parquet")
        report = await scarf.exports.run(job, "events")
        report.raise_for_failures()
        ```

        Days are UTC. A window that has not begun is not requested. A window that ended less than an hour ago, or
        has not ended, is fetched, and fetched again by the next run. The time is that of the service, from the
        `Date` of its responses; without one, that of this machine.

        v2 has been seen to include the end day. If the first window shows that, the others are requested only up to
        their last day, and windows of 30 days become 31. If the last day of such a window has no records, that day
        is requested once more, up to the day after, so that nothing is missing whatever the service does.

        Windows of aggregations are whole buckets of the rollup, except for the first and the last one. Packages and
        pixels that the query names by id are read once before the first window. All rows are kept, equal ones too.
        A window that has rows fails if the service now sends none, or covers fewer days than before, as plans limit
        the history: without `allow_loss`, the existing rows stay.

        A record that cannot be read, or is longer than `max_record_bytes`, fails its window. With
        `on_malformed="keep"` it is left out instead and written to `rejects/<window>.jsonl` in the directory, as a
        JSON object with its `line`, the `reason` and the `record` (`record_base64` if it is not UTF-8; the first 4
        KiB if it is too long). The report and the manifest count such records as `malformed`.

        With `csv` and `jsonl`, a window is one file. Events in CSV and aggregates in JSON Lines are written as the
        service sent them, so columns may differ between windows, which the report then says. In the other
        combinations each line has all attributes by name, and `extra` is a JSON object. The order of JSON lines is
        not promised. With `parquet`, a window is one file too, or with `partition_by` one file for each of its
        months, or for each package or pixel, in folders `month=YYYY-MM/` or `artifact=.../`.

        `data/` contains these files and nothing else, so that pandas, pyarrow, polars and DuckDB can read that
        folder as one table, even during a run: `pandas.read_parquet("events/data")`.

        In an object store a window is written below `temp_dir` and then uploaded, under names that are never used
        twice. `manifest.json` names the files; it is replaced within five seconds, if no other run has replaced it.
        Replaced objects stay until `collect_garbage`, since others may be reading them: read what the manifest
        names, as `scarf_async.data.read` does. A run that was killed holds the prefix for 30 s, and the next run
        waits for that.

        Args:
            job: what to fetch. If it names no version, or in v2 no owner, those of the client apply.
            destination: a directory or a `file://` URL of one, which is created if its parent exists; or the URL of
                a prefix in an object store with conditional writes: `s3://bucket/prefix`, `gs://`, `az://` or
                `abfs://`, with the credentials that obstore finds in the environment.
            concurrency: the maximum number of windows in progress.
            refresh_days: fetch and replace the windows with any of the last `refresh_days` days of the range,
                without days that have not begun. None: 3 for a job without an `end`, else 0.
            on_malformed: `raise`: a record that cannot be read fails its window; `keep`: it is left out and written
                to `rejects/`.
            allow_loss: replace a window of aggregations even if the service now sends no rows or covers fewer days.
            memory_limit: the memory for windows, in bytes or as in `"256MB"`; if that is too little for all of
                them, fewer are in progress. Data that passes through Python, pyarrow and DuckDB is not included:
                with four windows of 600,000 events at once the process used 520 to 810 MB, with one 360 to 490 MB.
            temp_dir: where windows are received before they are uploaded to an object store; None: the system's
                directory for temporary files. Not used for a directory, which has its own.
            store: an obstore store of the bucket, for credentials that are not in the environment; the prefix is
                still that of `destination`.
            progress: called at most ten times a second, and once at the end.

        Returns:
            The outcome of each window of the range.

        Raises:
            ValidationError: an argument is invalid, or the job has no start and the directory has no window;
                nothing was sent.
            UnsupportedError: the job fetches aggregates, and the client calls v2.
            NotFoundError: the query of aggregations names a package or pixel that does not exist.
            JobBusyError: another run is writing to the destination; nothing was sent. Or another run took over the
                prefix because this one did not renew its lease for 30 s; what the manifest names is complete.
            ExportError: the destination belongs to another export or server, which the message names, or its
                manifest cannot be used; nothing was sent.
            OSError: a file cannot be written.
            ConfigurationError: DuckDB, pyarrow or obstore is not installed, the destination is another kind of URL
                or contains a user or password, credentials are missing, or the store does not support conditional
                writes; nothing was sent.
            ClientClosedError: the client was closed during the run.
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
        # Values that cannot be part of a URL are refused before a directory is created.
        prepared = self.prepare(job)
        need_installed("an export job", "scarf-async[data]", "pyarrow", "duckdb")
        from scarf_async.exports.jobs.run import run_job, tell_of_waiting  # noqa: PLC0415 # the engine is large, an extra

        told = Hook("progress", progress)
        target: Destination
        if isinstance(place, Path):
            target = Directory(place, prepared.job, prepared.server)
        else:
            need_store(place)
            from scarf_async.exports.jobs.stores.bucket import Bucket  # noqa: PLC0415 # obstore is an extra

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

        Needs the extra `postgres`, or `data` for DuckDB. The table has a column for each attribute of `Event`
        (`extra` is `jsonb`), and `scarf_window`. A second table in the same schema, `scarf_windows`, is the ledger
        of loaded windows. Both are created if they do not exist; schemas are not created, and existing tables are
        never altered. Times are UTC.

        A window is received and verified as by `run`, then loaded in one transaction with its row of the ledger:
        rows with the same `id` are replaced, and rows that an earlier load of this window of this job inserted and
        that were not received again are deleted. No other row is changed. Where jobs overlap, the last load owns a
        row. Even if the process is killed or the connection is lost, also during COMMIT, the table has each window
        completely or not at all, and each row once. A window whose rows match the ledger is left unchanged.

        ```python
        job = ExportJob("owner_events", "acme", None, None)
        report = await scarf.exports.load(job, "postgresql://")
        report.raise_for_failures()
        ```

        The ledger decides which windows are fetched, by the rules of `run`. `format` and `partition_by` of the job
        have no effect. A directory of the same job that was loaded with `scarf_async.data.load` counts as the same
        job.

        U+0000, which PostgreSQL does not accept, becomes U+FFFD, as do lone surrogates in `extra`; an empty `id`
        becomes NULL. An `id` of more than 2,692 bytes, which is too long for an index, fails its window.

        `columns="official"` fills a table of Scarf's own exporter: no column is added, rows must have an `id` and
        replace rows with the same one, and no other row is deleted. A job without a `start` begins `refresh_days`
        days before the last day in the table that is not after today.

        Args:
            job: what to fetch; it must be a job of events.
            target: `postgresql://...` or `postgres://...`; `service=NAME` from libpq's service file;
                `postgresql://` alone, to use libpq's environment variables, password file and service file; or
                `duckdb:PATH`. Put the password in `$PGPASSWORD` or the password file, not in the target.
            table: `name` or `schema.name`, case-sensitive; put a part with a dot in double quotes. Without a
                schema, PostgreSQL's `search_path` applies.
            columns: `scarf` for the table described above, `official` for that of Scarf's own exporter.
            concurrency: the maximum number of windows fetched at the same time; they are loaded one after another.
            refresh_days: fetch the windows with any of the last `refresh_days` days of the range again. None: 3 for
                a job without an `end` or with `columns="official"`, else 0.
            on_malformed: `raise`: a record that cannot be read fails its window; `keep`: it is left out and
                counted, and with `temp_dir` it is written to `temp_dir/rejects/`.
            memory_limit: the memory for windows, as in `run`. A DuckDB target is not bound by it: DuckDB has its
                own limit, by default 80% of the machine's memory.
            temp_dir: where windows are written before they are loaded; None: the system's directory for temporary
                files.
            progress: called at most ten times a second, and once at the end.

        Returns:
            The outcome of each window of the range.

        Raises:
            ValidationError: an argument is invalid, the job is not one of events, or it has no start and the table
                has nothing to continue from; nothing was sent.
            ConfigurationError: the target is invalid (the message does not repeat it), or psycopg, DuckDB or
                pyarrow is not installed.
            JobBusyError: another load is writing to the table, or another process has the DuckDB file open; nothing
                was sent.
            LoadError: the database cannot be reached or returns an error. If a privilege is missing, `.ddl` has the
                statements for someone who has it, and nothing was sent.
            OSError: a window cannot be written to `temp_dir`.
            ClientClosedError: the client was closed during the run.
        """
        # Tracebacks show variables, and the target may contain a password.
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
        """Compare the files of an export job with its manifest, in a thread.

        Args:
            directory: the directory, or the URL of the prefix, that `run` wrote.
            deep: also look for event ids that are in two windows; needs the extra `data`.
            store: an obstore store of the bucket; None: one with the credentials of the environment.

        Returns:
            The problems that were found; empty if the files match the manifest. See `verify_export`.

        Raises:
            ConfigurationError: DuckDB, pyarrow or obstore is not installed, or credentials are missing.
            OSError: the directory, the store or a file in it cannot be read.
        """
        return await run_sync(partial(verify_export, directory, deep=deep, store=store))

    async def collect_garbage(
        self, destination: str | os.PathLike[str], *, store: ObjectStore | None = None
    ) -> list[str]:
        """Delete objects of an export job that are no longer needed from an object store.

        These are objects that the manifest stopped naming at least a day ago, or never named and that were uploaded
        at least a day ago; until then someone may be reading them. Nothing else deletes objects, and no run can
        begin meanwhile. A directory needs no collection, since each run cleans it up.

        ```python
        deleted = await scarf.exports.collect_garbage("s3://bucket/events")
        ```

        Args:
            destination: the destination of `run`.
            store: an obstore store of the bucket; None: one with the credentials of the environment.

        Returns:
            The paths of the deleted objects, relative to the prefix.

        Raises:
            JobBusyError: a run is writing to the destination.
            ConfigurationError: the destination is neither a directory nor a prefix, credentials are missing, or
                obstore is not installed.
            ExportError: the destination is not that of a job, or its manifest cannot be used.
            OSError: the store does not respond, or returns an error.
        """
        return await run_sync(partial(collect_garbage, destination, store=store))

    def prepare(self, job: ExportJob) -> PreparedJob:
        """Return a job as this client would run it, for adapters that run it elsewhere; nothing is sent.

        Args:
            job: the job; a version or owner that it leaves open becomes that of the client.

        Raises:
            ValidationError: the job needs an owner and the client has none, or its windows do not fit the version.
            UnsupportedError: the client's version does not have this export.
        """
        return PreparedJob.of(job, self._client)
