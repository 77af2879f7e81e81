"""Run a load: lock the table, run the job into it, and raise the error that stopped it."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import attrs
from anyio.to_thread import run_sync

from scarf_async.clock import Clock
from scarf_async.errors import ScarfError
from scarf_async.events import Hook
from scarf_async.exports.jobs.job import ExportJob, Record
from scarf_async.exports.jobs.manifest import Manifest
from scarf_async.exports.jobs.report import ExportProgress
from scarf_async.exports.jobs.run import run_job
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.loading.database import Database, LoadStoppedError
from scarf_async.exports.loading.report import LoadReport
from scarf_async.exports.loading.table import Table
from scarf_async.exports.loading.tables import Columns, TableName
from scarf_async.exports.loading.targets import DuckDBFile, Target
from scarf_async.exports.spec import ExportSpec

__all__ = ["connected", "database_of", "run_load"]


def database_of(target: Target, table: TableName, columns: Columns, job: str) -> Database:
    """Return a table to load into, which is not open yet.

    Args:
        target: the database.
        table: its name.
        columns: the kind of table, `scarf` or `official`.
        job: the name of the job in the ledger.
    """
    if isinstance(target, DuckDBFile):
        from scarf_async.exports.loading.duckdb_file import DuckDBTable  # noqa: PLC0415 # the engine is large

        return DuckDBTable(target.path, table, columns, job)
    from scarf_async.exports.loading.postgresql import PostgreSQLTable  # noqa: PLC0415 # an extra of its own

    return PostgreSQLTable(target, table, columns, job)


@asynccontextmanager
async def connected(database: Database) -> AsyncIterator[None]:
    """Open and lock a table. An error that stopped the load is raised as itself.

    Raises:
        JobBusyError: another load has locked it.
        LoadError: the database cannot be reached, or something is missing that cannot be created.
    """
    stopped: ScarfError | None = None
    try:
        await run_sync(database.open)
        yield
    except LoadStoppedError as error:
        stopped = error.error
    finally:
        # Without waiting: a cancellation now must not leave it locked.
        database.close()
    if stopped is not None:
        raise stopped


async def run_load(
    job: ExportJob,
    database: Database,
    begun: Manifest,
    spec: Callable[[Window], ExportSpec[Record]],
    *,
    table: TableName,
    columns: Columns,
    concurrency: int,
    refresh_days: int,
    progress: Hook[ExportProgress],
    clock: Clock,
    memory_limit: int,
    keep_rejects: bool,
    temp_dir: Path | None,
) -> LoadReport:
    """Fetch the windows that the table's ledger lacks; see `Exports.load`."""
    temporary = Path(await run_sync(partial(mkdtemp, prefix="scarf-load-", dir=temp_dir)))
    try:
        async with connected(database):
            if columns == "official" and job.start is None:
                job = await run_sync(partial(_from_last_day, job, database, refresh_days))
            destination = Table(database, job, begun, temporary, temp_dir)
            run = await run_job(
                job,
                destination,
                spec,
                concurrency=concurrency,
                refresh_days=refresh_days,
                progress=progress,
                clock=clock,
                memory_limit=memory_limit,
                keep_rejects=keep_rejects,
                refuse=database.refuse,
            )
            return destination.report(str(table), run)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _from_last_day(job: ExportJob, database: Database, refresh_days: int) -> ExportJob:
    """Start a job some days before the last day in a table that another program filled."""
    # A later date is an error of a clock.
    last = database.last_day(dt.datetime.now(dt.UTC).date() + dt.timedelta(1))
    if last is None:
        return job
    start = last.fromordinal(max(1, last.toordinal() - refresh_days))
    return attrs.evolve(job, start=start if job.end is None else min(start, job.end))
