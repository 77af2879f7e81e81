"""The outcome of each window of a load."""

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
    """The outcome of one window.

    Attributes:
        start: the first day.
        end: the first day after it.
        status: `loaded` by this run; `unchanged`: the ledger already has it; `failed`; `skipped`, because the run
            stopped before it; `future`: it has not begun.
        provisional: whether it had not ended when it was requested; the next run fetches it again.
        rows: the number of rows that were loaded.
        deleted: the number of rows of an earlier load that were not received again.
        duplicates: the number of repeated rows that were left out.
        malformed: the number of records that could not be read and were left out.
        replaced_characters: the number of U+0000 characters that became U+FFFD.
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
        """Return the report of a window before it is loaded.

        Args:
            window: the report of fetching it.
        """
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
    """The windows of a load, in the order of their days. `str(report)` is a readable table.

    Attributes:
        table: the table, with its schema if one was given.
        windows: all of them.
        elapsed: seconds.
        stopped_by: why the run stopped early; None if it did not.
    """

    table: str
    windows: Sequence[LoadedWindow]
    elapsed: float
    stopped_by: str | None = None

    def __bool__(self) -> bool:
        raise TypeError("a report is neither true nor false: call raise_for_failures(), or look at .complete")

    @property
    def rows(self) -> int:
        """The number of rows of all windows when they were loaded; other jobs may own some of them now."""
        return sum(window.rows for window in self.windows)

    @property
    def deleted(self) -> int:
        """The number of rows of earlier loads that were not received again."""
        return sum(window.deleted for window in self.windows)

    @property
    def duplicates(self) -> int:
        """The number of repeated rows that were left out."""
        return sum(window.duplicates for window in self.windows)

    @property
    def malformed(self) -> int:
        """The number of records that could not be read and were left out."""
        return sum(window.malformed for window in self.windows)

    @property
    def replaced_characters(self) -> int:
        """The number of U+0000 characters, which PostgreSQL cannot store in text, that became U+FFFD."""
        return sum(window.replaced_characters for window in self.windows)

    @property
    def complete(self) -> bool:
        """Whether the whole range is in the table, and each of its days had ended."""
        return all(window.status in {"loaded", "unchanged"} and not window.provisional for window in self.windows)

    @property
    def failed(self) -> Sequence[LoadedWindow]:
        """The windows that failed."""
        return [window for window in self.windows if window.status == "failed"]

    def raise_for_failures(self) -> None:
        """Raise an error if a window failed. A window that has not begun, or not ended, is not a failure.

        Raises:
            LoadError: it says how many failed; its cause is the error of the first one.
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
