"""What became of each window of a load."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import attrs

from scarf_async.entities import JSON
from scarf_async.errors import LoadError, ScarfError
from scarf_async.exports.jobs.report import WindowReport
from scarf_async.text import aligned, printable

__all__ = ["LoadReport", "LoadStatus", "LoadedWindow"]

LoadStatus: TypeAlias = Literal["loaded", "unchanged", "failed", "skipped", "future"]


@attrs.frozen
class LoadedWindow:
    """What became of one window.

    Attributes:
        start: the first day.
        end: the first day after it.
        status: `loaded` by this run; `unchanged`, as the ledger already has it; `failed`; `skipped`, since the run
            stopped before it; `future`: it has not begun.
        provisional: whether it had not ended when it was asked for; the next run fetches it again.
        rows: how many were loaded.
        deleted: how many were there of an earlier load of it and did not come again.
        duplicates: how many came twice, and were left out.
        malformed: how many came that cannot be read, and were left out.
        replaced_characters: how many U+0000 became U+FFFD.
        error: why it failed.
    """

    start: dt.date
    end: dt.date
    status: LoadStatus
    provisional: bool = False
    rows: int = 0
    deleted: int = 0
    duplicates: int = 0
    malformed: int = 0
    replaced_characters: int = 0
    error: ScarfError | None = None

    @classmethod
    def of(cls, window: WindowReport) -> LoadedWindow:
        """Return what is known of a window before it comes to the table."""
        status: LoadStatus
        match window.status:
            case "fetched":
                status = "loaded"
            case "kept":
                status = "unchanged"
            case other:
                status = other
        return cls(
            window.start,
            window.end,
            status,
            window.provisional,
            window.rows,
            duplicates=window.duplicates,
            malformed=window.malformed,
            error=window.error,
        )

    def __str__(self) -> str:
        return f"{self.start}..{self.end}"


@attrs.frozen(eq=False, repr=False, str=False)
class LoadReport:
    """The windows of a load, in the order of their days. `str(report)` is a table for people.

    Attributes:
        table: the table, with its schema if that was given.
        windows: all of them.
        elapsed: seconds.
        stopped_by: why the run asked for nothing more from some point on; None if it went to its end.
    """

    table: str
    windows: Sequence[LoadedWindow]
    elapsed: float
    stopped_by: str | None = None

    def __bool__(self) -> bool:
        raise TypeError("a report is neither true nor false: call raise_for_failures(), or look at .complete")

    @property
    def rows(self) -> int:
        """Rows of all windows, as they were loaded; other jobs may have taken some over."""
        return sum(window.rows for window in self.windows)

    @property
    def deleted(self) -> int:
        """Rows that were there and did not come again."""
        return sum(window.deleted for window in self.windows)

    @property
    def duplicates(self) -> int:
        """Rows that came twice, and were left out."""
        return sum(window.duplicates for window in self.windows)

    @property
    def malformed(self) -> int:
        """Records that cannot be read, and were left out."""
        return sum(window.malformed for window in self.windows)

    @property
    def replaced_characters(self) -> int:
        """How many U+0000, which no text of PostgreSQL can hold, became U+FFFD."""
        return sum(window.replaced_characters for window in self.windows)

    @property
    def complete(self) -> bool:
        """Whether the whole range is in the table, and no day of it had yet to end."""
        return all(window.status in {"loaded", "unchanged"} and not window.provisional for window in self.windows)

    @property
    def failed(self) -> Sequence[LoadedWindow]:
        """The windows that failed."""
        return [window for window in self.windows if window.status == "failed"]

    def raise_for_failures(self) -> None:
        """Raise if a window failed. One that has not begun, or not ended, is not a failure.

        Raises:
            LoadError: says how many failed; its cause is the first one's error.
        """
        if not self.failed:
            return
        first = self.failed[0]
        raise LoadError(
            f"{self.table}: {len(self.failed)} of {len(self.windows)} windows failed;"
            f" the first, {first}: {first.error}"
        ) from first.error

    def to_dict(self) -> dict[str, JSON]:
        """Return the report as JSON data."""
        return {
            "table": self.table,
            "complete": self.complete,
            "rows": self.rows,
            "deleted": self.deleted,
            "duplicates": self.duplicates,
            "malformed": self.malformed,
            "replaced_characters": self.replaced_characters,
            "elapsed": self.elapsed,
            "stopped_by": self.stopped_by,
            "windows": [
                {
                    "start": str(window.start),
                    "end": str(window.end),
                    "status": window.status,
                    "provisional": window.provisional,
                    "rows": window.rows,
                    "deleted": window.deleted,
                    "duplicates": window.duplicates,
                    "malformed": window.malformed,
                    "replaced_characters": window.replaced_characters,
                    "error": None if window.error is None else str(window.error),
                }
                for window in self.windows
            ],
        }

    def __repr__(self) -> str:
        return f"<LoadReport {printable(self.table)}: {len(self.windows)} windows, {self.rows} rows>"

    def __str__(self) -> str:
        lines = [("window", "status", "rows", "deleted", "duplicates"), *map(_row, self.windows)]
        totals = (self.rows, self.deleted, self.duplicates)
        lines.append(("all", "complete" if self.complete else "incomplete", *_counts(totals)))
        text = aligned(lines, left=2)
        text.append(f"into {printable(self.table)}: {self.elapsed:.1f} s")
        if self.malformed:
            text.append(f"malformed: {self.malformed:,} left out")
        if self.replaced_characters:
            text.append(f"replaced: {self.replaced_characters:,} U+0000, each by U+FFFD")
        if self.stopped_by:
            text.append(f"stopped: {self.stopped_by}")
        text += [f"failed: {window}: {window.error}" for window in self.failed]
        return "\n".join(text)


def _row(window: LoadedWindow) -> tuple[str, ...]:
    status = f"{window.status}, provisional" if window.provisional else window.status
    return (str(window), status, *_counts((window.rows, window.deleted, window.duplicates)))


def _counts(counts: Iterable[int]) -> Iterable[str]:
    return (f"{count:,}" for count in counts)
