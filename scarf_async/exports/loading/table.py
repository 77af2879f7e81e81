"""A table as the destination of an export job: each window arrives as a file, which is loaded."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs
import msgspec
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped] # it ships no types

from scarf_async.exports.jobs.destination import Made, Stage
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import REJECTS, Manifest, WindowEntry
from scarf_async.exports.jobs.report import ExportReport
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.loading.database import Database, Incoming, Loaded
from scarf_async.exports.loading.ledger import as_manifest
from scarf_async.exports.loading.report import LoadedWindow, LoadReport

__all__ = ["Table", "parquet_batches"]

# While the database takes some, the next ones are made.
_ROWS_AT_ONCE: Final = 8192


def parquet_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file in batches.

    Raises:
        OSError: the file cannot be read.
    """
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(_ROWS_AT_ONCE)


class Table:
    """A table as a destination, locked by one run.

    Attributes:
        stage: the name of its work on a received window, for the progress.
        path: the directory of windows that are not loaded yet.
        temporary: the same.
        manifest: the windows of the job in the table.
        loaded: the reports of the windows of this run.

    Args:
        database: the open table.
        job: the job.
        begun: an empty manifest of the job.
        temporary: the directory of this run.
        rejects: the directory for records that cannot be read; None to drop them.
    """

    stage: Stage = "loading"

    def __init__(
        self, database: Database, job: ExportJob, begun: Manifest, temporary: Path, rejects: Path | None
    ) -> None:
        self.path: Path = temporary
        self.temporary: Path = temporary
        self.manifest: Manifest = begun
        self.loaded: dict[Window, Loaded] = {}
        self._database = database
        self._job = job
        self._rejects = rejects
        self._entered: dict[Window, WindowEntry] = {}
        self._turn = threading.Lock()
        self._closed = False

    def open(self) -> None:
        """Read the ledger.

        Raises:
            LoadError: it cannot be read.
            ValidationError: the job has no start, and the table has no windows.
        """
        self._job.check_start(self._look())

    def _look(self) -> Sequence[WindowEntry]:
        known = as_manifest(self.manifest, self._database.lines())
        # The ledger has fewer values than the run's report.
        windows = (self._entered.get(entry.window, entry) for entry in known.windows)
        self.manifest = attrs.evolve(known, windows=tuple(windows))
        return self.manifest.windows

    def checkpoint(self) -> None:
        """Do nothing: each window is in the ledger."""

    def close(self) -> None:
        """Stop loading."""
        self._closed = True

    def remember(self, *, limit_days: int | None = None, end_inclusive: bool | None = None) -> None:
        """Remember for the run what the service has shown."""
        with self._turn:
            known = self.manifest
            self.manifest = attrs.evolve(
                known,
                limit_days=known.limit_days if limit_days is None else limit_days,
                end_inclusive=known.end_inclusive if end_inclusive is None else end_inclusive,
            )

    def holds(self, entry: WindowEntry) -> bool:  # noqa: ARG002 # what the ledger has is there
        """Return whether the rows of a window are there, which the ledger shows."""
        return True

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Load a window, replacing those that it overlaps.

        Raises:
            LoadError: the database returned an error.
            MalformedRecordError: it has a row that the table cannot store.
            OSError: its file cannot be read.
        """
        try:
            with self._turn:
                if self._closed:
                    return False
                paths = [file.part for file in made if not _is_rejects(file)]
                incoming = Incoming(
                    entry.window,
                    lambda: (batch for path in paths for batch in parquet_batches(path)),
                    entry.provisional,
                    f"{self._job.what} {entry.window}",
                )
                self.loaded[entry.window] = self._database.load(incoming)
                self._entered[entry.window] = msgspec.structs.replace(entry, files=())
                self._look()
                if self._rejects is not None:
                    self._keep(filter(_is_rejects, made), self._rejects)
        finally:
            for file in made:
                file.part.unlink(missing_ok=True)
        return True

    def _keep(self, made: Iterable[Made], folder: Path) -> None:
        for file in made:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            file.part.replace(target)

    def report(self, table: str, run: ExportReport) -> LoadReport:
        """Return the report of a run."""
        windows = []
        for one in run.windows:
            window = LoadedWindow.of(one)
            loaded = self.loaded.get(Window(one.start, one.end))
            if loaded is not None and one.status == "fetched":
                window = attrs.evolve(
                    window,
                    status=loaded.status,
                    rows=loaded.rows,
                    deleted=loaded.deleted,
                    replaced_characters=loaded.replaced,
                )
            windows.append(window)
        return LoadReport(table, windows, run.elapsed, run.stopped_by)


def _is_rejects(file: Made) -> bool:
    return file.path.startswith(f"{REJECTS}/")
