"""The outcome of the rows that were sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from scarf_async.entities import JSON
from scarf_async.errors import ScarfError

__all__ = ["ImportBatch", "ImportProgress", "ImportReport"]

_ENDED: Final = frozenset({"done", "aborted", "failed", "unknown"})


@attrs.frozen(kw_only=True)
class ImportBatch:
    """The outcome of one batch.

    Attributes:
        id: the id of its import; None if the service created none, or is not known to have.
        status: the last seen status of the import (`importing`, `done`, `aborted` or another of the service's
            words); `failed` if the service accepted nothing; `unknown` if it may have accepted the batch, or if the
            outcome of the import is not known.
        rows: how many rows it has.
        imported: how many of them were imported, according to the service.
        failed: how many of them failed.
        too_old: how many of them were older than a week when they were sent.
        error_sample: some errors that the service reports for rows, as sent.
        error: why it is `failed` or `unknown`.
    """

    id: str | None
    status: str
    rows: int
    imported: int = 0
    failed: int = 0
    too_old: int = 0
    error_sample: Sequence[JSON] = attrs.field(default=(), hash=False, repr=False)
    error: ScarfError | None = None

    @property
    def unknown(self) -> int:
        """The number of rows with an unknown outcome, without those of an active import."""
        return self.rows - self.imported - self.failed if self.status in _ENDED else 0


@attrs.frozen(kw_only=True)
class ImportProgress:
    """The progress of sending.

    Attributes:
        batches: the number of batches so far.
        batches_done: the number of batches that have a final outcome, even if it is unknown.
        sent: the number of rows in all batches.
        imported: the number of rows that were imported.
        failed: the number of rows that failed.
        unknown: the number of rows with an unknown outcome.
        elapsed: seconds since the start.
    """

    batches: int
    batches_done: int
    sent: int
    imported: int
    failed: int
    unknown: int
    elapsed: float


@attrs.frozen(eq=False, repr=False, kw_only=True)
class ImportReport:
    """The batches in row order. `sent` is the sum of `imported`, `failed`, `unknown` and `active`.

    Attributes:
        batches: all batches.
        elapsed: the duration in seconds.
    """

    batches: Sequence[ImportBatch]
    elapsed: float = 0.0

    def __bool__(self) -> bool:
        raise TypeError("a report is neither true nor false: look at .failed and .unknown")

    @property
    def sent(self) -> int:
        """The number of rows in all batches."""
        return sum(batch.rows for batch in self.batches)

    @property
    def imported(self) -> int:
        """The number of rows that were imported, according to the service."""
        return sum(batch.imported for batch in self.batches)

    @property
    def failed(self) -> int:
        """The number of rows that failed: the service refused them or their batch."""
        return sum(batch.failed for batch in self.batches)

    @property
    def unknown(self) -> int:
        """The number of rows with an unknown outcome: of lost batches, or not counted by their import."""
        return sum(batch.unknown for batch in self.batches)

    @property
    def active(self) -> int:
        """The number of rows in imports that were active when last seen."""
        return self.sent - self.imported - self.failed - self.unknown

    @property
    def too_old(self) -> int:
        """The number of rows older than a week when they were sent, which the service may refuse."""
        return sum(batch.too_old for batch in self.batches)

    def __repr__(self) -> str:
        return (
            f"<ImportReport: {self.sent} rows in {len(self.batches)} batches: {self.imported} imported,"
            f" {self.failed} failed, {self.unknown} unknown, {self.active} active>"
        )
