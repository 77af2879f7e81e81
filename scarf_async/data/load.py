"""Load the directory of an export job into a table of PostgreSQL or DuckDB, without a token."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from time import monotonic
from typing import TYPE_CHECKING, Literal

import attrs
from anyio.to_thread import run_sync

from scarf_async.checks import word
from scarf_async.data.source import contents, rows_of
from scarf_async.entities import Event
from scarf_async.errors import ScarfError, ValidationError
from scarf_async.events import Hook
from scarf_async.exports.formats import ExportFormat
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.report import ExportProgress, WindowReport
from scarf_async.exports.jobs.source import Source, source_of
from scarf_async.exports.loading.ledger import job_key
from scarf_async.exports.loading.report import LoadedWindow, LoadReport
from scarf_async.exports.loading.tables import read_table
from scarf_async.exports.loading.targets import hidden, read_target

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
    from obstore.store import ObjectStore

    from scarf_async.exports.loading.database import Database

__all__ = ["load"]


async def load(
    source: str | os.PathLike[str],
    target: str,
    *,
    table: str = "scarf_events",
    columns: Literal["scarf", "official"] = "scarf",
    progress: Callable[[ExportProgress], object] | None = None,
    store: ObjectStore | None = None,
) -> LoadReport:
    """Load a directory or prefix that `scarf.exports.run` wrote into a table of PostgreSQL or DuckDB.

    Windows that the table's ledger already has with the same rows are left unchanged. Tables, ledger and guarantees
    are those of `scarf.exports.load`, and a load of the same job from the service counts as the same job.

    ```python
    report = await scarf_async.data.load("events", "postgresql://")
    report.raise_for_failures()
    ```

    Args:
        source: the directory, or the URL of the prefix in an object store, of a job of events, in any format.
        target: `postgresql://...`, `service=NAME`, `postgresql://` alone or `duckdb:PATH`, as for
            `scarf.exports.load`.
        table: `name` or `schema.name`.
        columns: `scarf` for this package's table, `official` for that of Scarf's own exporter.
        progress: called after each window.
        store: an obstore store of the bucket; None: one with the credentials of the environment.

    Returns:
        The outcome of each window of the source.

    Raises:
        ValidationError: an argument is invalid, or the job is not one of events.
        ConfigurationError: the target is invalid (the message does not repeat it), or psycopg, DuckDB or pyarrow is
            not installed; for a prefix, credentials are missing or obstore is not installed.
        ExportError: the source is not that of an export job, or its manifest cannot be used.
        JobBusyError: another load is writing to the table, or another process has the DuckDB file open.
        LoadError: the database cannot be reached or returns an error; if a privilege is missing, `.ddl` has the
            statements for someone who has it.
        OSError: the source cannot be read.
    """
    # Tracebacks show variables, and the target may contain a password.
    address = hidden(target)
    del target
    word("columns", columns, ("scarf", "official"), ValidationError)
    name = read_table(table)
    place = read_target(address)
    from scarf_async.exports.loading.run import connected, database_of  # noqa: PLC0415 # extras

    found = await run_sync(source_of, source, store)
    manifest = found.manifest
    record, form = contents(found)
    if record is not Event:
        raise ValidationError(
            f"load takes jobs of events; {source} is one of {manifest.job['what']}", field="source"
        )
    database = database_of(place, name, columns, job_key(manifest))
    one = _Window(found, os.fspath(source), form, database)
    windows: list[LoadedWindow] = []
    hook = Hook("progress", progress)
    began = monotonic()
    async with connected(database):
        for entry in manifest.windows:
            windows.append(await run_sync(one, entry))
            hook.tell(_progress(windows, len(manifest.windows), monotonic() - began))
    return LoadReport(str(name), windows, monotonic() - began)


@attrs.frozen
class _Window:
    """Loads one window of a source in a thread.

    Attributes:
        source: the files of the job.
        name: its directory or URL, for messages.
        form: the format of its files.
        database: the open table.
    """

    source: Source
    name: str
    form: ExportFormat
    database: Database

    def __call__(self, entry: WindowEntry) -> LoadedWindow:
        """Load the window; an error becomes part of the report."""
        from scarf_async.exports.loading.database import Incoming  # noqa: PLC0415 # pyarrow is large, and an extra

        window = LoadedWindow(
            entry.start,
            entry.end,
            "loaded",
            entry.provisional,
            entry.rows,
            duplicates=entry.duplicates,
            malformed=entry.malformed,
        )
        try:
            with ExitStack() as opened:
                incoming = Incoming(
                    entry.window,
                    # Close it in this thread, where the CSV reader has its own event loop.
                    lambda: opened.enter_context(closing(self._rows(entry))),
                    entry.provisional,
                    f"{self.name} {entry.window}",
                )
                loaded = self.database.load(incoming)
        except ScarfError as error:
            return LoadedWindow(entry.start, entry.end, "failed", entry.provisional, error=error)
        return attrs.evolve(
            window,
            status=loaded.status,
            rows=loaded.rows,
            deleted=loaded.deleted,
            replaced_characters=loaded.replaced,
        )

    def _rows(self, entry: WindowEntry) -> Generator[pa.RecordBatch, None, None]:
        for file in entry.files:
            yield from rows_of(self.source, file, self.form)


def _progress(windows: Sequence[LoadedWindow], total: int, elapsed: float) -> ExportProgress:
    last = windows[-1]
    finished = [
        WindowReport(
            last.start,
            last.end,
            "failed" if last.status == "failed" else "kept" if last.status == "unchanged" else "fetched",
            last.provisional,
            last.rows,
            error=last.error,
        )
    ]
    return ExportProgress(
        len(windows),
        total,
        sum(window.status == "failed" for window in windows),
        sum(window.rows for window in windows if window.status == "loaded"),
        0,
        elapsed,
        "loading",
        finished,
    )
