"""The outcome of each window of a job."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs

from scarf_async.entities import JSON
from scarf_async.errors import ExportError, ScarfError
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.text import aligned, counted, printable

__all__ = ["ExportProgress", "ExportReport", "WindowReport", "WindowStatus"]

WindowStatus: TypeAlias = Literal["fetched", "kept", "failed", "skipped", "future"]

_SHOWN: Final = 20


@attrs.frozen
class WindowReport:
    """The outcome of one window.

    Attributes:
        start: the first day.
        end: the first day after it.
        status: `fetched` by this run; `kept` from an earlier one; `failed`; `skipped`, because the run stopped
            before it; `future`: it has not begun.
        provisional: whether it had not ended when it was requested; the next run fetches it again.
        rows: the number of rows in its files, like `bytes`; if replacing it failed, those of the old files.
        duplicates: the number of repeated rows that were dropped.
        dropped: the number of rows outside the window.
        bytes: the size of its files in bytes.
        error: why it failed.
        malformed: the number of records that could not be read and were left out.
        effective_start: the first day that the service covered, if it said so.
        effective_end: the first day after those that the service covered, if it said so.
        conflicting: how many of the duplicates differ from the first row with their id.
        conflicts: the line numbers of the first hundred of these, in the body that the service sent.
        columns: the columns of a CSV that was written as received, which may differ between windows; at most 4 KiB.
        files: the SHA-256 of each of its files, by path relative to the destination.
    """

    start: dt.date
    end: dt.date
    status: WindowStatus
    provisional: bool = False
    rows: int = 0
    duplicates: int = 0
    dropped: int = 0
    bytes: int = 0
    error: ScarfError | None = None
    malformed: int = 0
    effective_start: dt.date | None = None
    effective_end: dt.date | None = None
    conflicting: int = 0
    conflicts: Sequence[int] = ()
    columns: Sequence[str] = ()
    files: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def clamped(self) -> bool:
        """Whether the service covered fewer of its days than have begun, as plans limit the history."""
        starts_later = self.effective_start is not None and self.effective_start > self.start
        return starts_later or (
            not self.provisional and self.effective_end is not None and self.effective_end < self.end
        )


@attrs.frozen
class ExportProgress:
    """The progress of a job.

    Attributes:
        windows_done: the number of windows that are finished in this run: fetched, kept, failed or in the future.
        windows_total: the number of windows of the job; it grows if the service requires shorter ones.
        windows_failed: the number of windows that failed.
        rows: the number of rows that this run has written, without those of a fetch that was cut off.
        bytes: the number of bytes that this run has received.
        elapsed: seconds.
        stage: `fetching`; once everything in progress has been received, `writing`, `uploading` (object store) or
            `loading` (database); `waiting` for a run that may have been killed.
        finished: the reports of the windows that finished since the last call.
        waiting_for: while `waiting`, what for and how long, in words.
    """

    windows_done: int
    windows_total: int
    windows_failed: int
    rows: int
    bytes: int
    elapsed: float
    stage: Literal["fetching", "writing", "uploading", "loading", "waiting"] = "fetching"
    finished: Sequence[WindowReport] = ()
    waiting_for: str | None = None


@attrs.frozen(eq=False, repr=False, str=False)
class ExportReport:
    """The windows of a job after a run, in the order of their days. `str(report)` is a readable table.

    Attributes:
        job: the job.
        directory: the destination: a directory, or the URL of a prefix.
        windows: all of them.
        elapsed: seconds.
        stopped_by: why the run stopped early; None if it did not.
    """

    job: ExportJob
    directory: Path | str
    windows: Sequence[WindowReport]
    elapsed: float
    stopped_by: str | None = None

    def __bool__(self) -> bool:
        raise TypeError("a report is neither true nor false: call raise_for_failures(), or look at .complete")

    @property
    def rows(self) -> int:
        """The number of rows in the destination."""
        return sum(window.rows for window in self.windows)

    @property
    def duplicates(self) -> int:
        """The number of rows that were dropped because their `id` was already received."""
        return sum(window.duplicates for window in self.windows)

    @property
    def dropped(self) -> int:
        """The number of rows that were dropped because they are outside their window."""
        return sum(window.dropped for window in self.windows)

    @property
    def malformed(self) -> int:
        """The number of records that could not be read and were left out."""
        return sum(window.malformed for window in self.windows)

    @property
    def conflicting(self) -> int:
        """The number of duplicates that differ from the first row with their `id`."""
        return sum(window.conflicting for window in self.windows)

    @property
    def new_files(self) -> Mapping[str, str]:
        """The SHA-256 of each file that this run has written, by path relative to the destination."""
        fetched = (window.files for window in self.windows if window.status == "fetched")
        return {path: sha256 for files in fetched for path, sha256 in files.items()}

    @property
    def bytes(self) -> int:
        """The size of the files in bytes."""
        return sum(window.bytes for window in self.windows)

    @property
    def complete(self) -> bool:
        """Whether the whole range is there, and each of its days had ended."""
        return all(window.status in {"fetched", "kept"} and not window.provisional for window in self.windows)

    @property
    def failed(self) -> Sequence[WindowReport]:
        """The windows that failed."""
        return [window for window in self.windows if window.status == "failed"]

    def raise_for_failures(self) -> None:
        """Raise an error if a window failed. A window that has not begun, or not ended, is not a failure.

        Raises:
            ExportError: it says how many failed; its cause is the error of the first one.
        """
        if not self.failed:
            return
        first = self.failed[0]
        words = f"{len(self.failed):,} of {counted(len(self.windows), 'window')} failed"
        skipped = sum(window.status == "skipped" for window in self.windows)
        if skipped:
            words += f", and {skipped} were not requested"
        raise ExportError(f"{self.job}: {words}; the first, {_days(first)}: {first.error}") from first.error

    def to_dict(self) -> dict[str, JSON]:
        """Return the report as JSON data."""
        return {
            "job": {name: _plain(value) for name, value in self.job.values().items()},
            "directory": str(self.directory),
            "complete": self.complete,
            "rows": self.rows,
            "duplicates": self.duplicates,
            "dropped": self.dropped,
            "malformed": self.malformed,
            "conflicting": self.conflicting,
            "bytes": self.bytes,
            "new_files": [{"path": path, "sha256": sha256} for path, sha256 in self.new_files.items()],
            "elapsed": self.elapsed,
            "stopped_by": self.stopped_by,
            "windows": [
                {
                    "start": str(window.start),
                    "end": str(window.end),
                    "status": window.status,
                    "provisional": window.provisional,
                    "rows": window.rows,
                    "duplicates": window.duplicates,
                    "dropped": window.dropped,
                    "malformed": window.malformed,
                    "conflicting": window.conflicting,
                    "conflicts": list(window.conflicts),
                    "columns": list(window.columns),
                    "bytes": window.bytes,
                    "effective_start": _plain(window.effective_start),
                    "effective_end": _plain(window.effective_end),
                    "error": None if window.error is None else str(window.error),
                }
                for window in self.windows
            ],
        }

    def __repr__(self) -> str:
        counts = Counter(window.status for window in self.windows)
        return f"<ExportReport {self.job}: {', '.join(f'{count} {status}' for status, count in counts.items())}>"

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("window", "status", "rows", "duplicates", "dropped", "bytes")]
        rows += [
            (
                _days(window),
                f"{window.status}, provisional" if window.provisional else window.status,
                *(f"{count:,}" for count in (window.rows, window.duplicates, window.dropped, window.bytes)),
            )
            for window in self.windows
        ]
        totals = (self.rows, self.duplicates, self.dropped, self.bytes)
        rows.append(("all", "complete" if self.complete else "incomplete", *(f"{count:,}" for count in totals)))
        lines = aligned(rows, left=2)
        lines.append(f"{self.job} in {self.directory}: {self.elapsed:.1f} s")
        if self.malformed:
            windows = sum(window.malformed > 0 for window in self.windows)
            lines.append(f"malformed: {self.malformed:,} left out, in {windows} of {len(self.windows)} windows")
        lines += [
            f"clamped: {window.start}..{window.end}: the service looked at {window.effective_start or window.start}"
            f"..{window.effective_end or window.end} only"
            for window in self.windows
            if window.clamped
        ]
        lines += _some(
            f"conflicting: {_days(window)}: {window.conflicting:,} left out, in lines"
            f" {', '.join(map(str, window.conflicts[:_SHOWN]))}"
            for window in self.windows
            if window.conflicting
        )
        lines += _some(_differing_columns(self.windows))
        if self.stopped_by:
            lines.append(f"stopped: {self.stopped_by}")
        lines += _some(f"failed: {_days(window)}: {window.error}" for window in self.failed)
        return "\n".join(lines)


def _days(window: WindowReport) -> str:
    return f"{window.start}..{window.end}"


def _some(lines: Iterable[str]) -> list[str]:
    """Return the first lines, and how many more there are."""
    lines = list(lines)
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], f"... and {more} more"] if more > 0 else lines


def _differing_columns(windows: Iterable[WindowReport]) -> Iterator[str]:
    """Describe where columns change from one window to the next that has any."""
    columns: Sequence[str] = ()
    for window in windows:
        if columns and window.columns and columns != window.columns:
            changes = [f"without {name}" for name in columns if name not in window.columns]
            changes += [f"with {name}" for name in window.columns if name not in columns]
            yield printable(f"columns: {_days(window)} {', '.join(changes) or 'in another order'}")
        columns = window.columns or columns


def _plain(value: object) -> JSON:
    return value if isinstance(value, int) or value is None else str(value)
