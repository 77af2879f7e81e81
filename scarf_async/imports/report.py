"""What became of the rows that were sent."""

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
    """What became of one batch.

    Attributes:
        id: the import that the service made of it; None where it made none, or is not known to have.
        status: the service's word for the import (`importing`, `done`, `aborted`, or another), as it was last seen;
            `failed`: the service took nothing of the batch; `unknown`: it may have taken it or not, or what became
            of the import is not known.
        rows: how many rows it has.
        imported: how many of them the service says are in.
        failed: how many of them are not.
        too_old: how many of them were older than a week when they were sent.
        error_sample: some of what the service says of rows that failed, as sent.
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
        """Rows of which nobody has said what became of them; those of an import that goes on are not."""
        return self.rows - self.imported - self.failed if self.status in _ENDED else 0


@attrs.frozen(kw_only=True)
class ImportProgress:
    """How far the sending is.

    Attributes:
        batches: how many have been made.
        batches_done: those of which the outcome is known, or will not be.
        sent: rows in all batches.
        imported: rows that are in.
        failed: rows that are not.
        unknown: rows of which nobody has said what became of them.
        elapsed: seconds.
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
    """The batches in the order of their rows. `sent` is the sum of `imported`, `failed`, `unknown` and `active`.

    Attributes:
        batches: all of them.
        elapsed: seconds.
    """

    batches: Sequence[ImportBatch]
    elapsed: float = 0.0

    def __bool__(self) -> bool:
        raise TypeError("a report is neither true nor false: look at .failed and .unknown")

    @property
    def sent(self) -> int:
        """Rows in all batches."""
        return sum(batch.rows for batch in self.batches)

    @property
    def imported(self) -> int:
        """Rows that the service says are in."""
        return sum(batch.imported for batch in self.batches)

    @property
    def failed(self) -> int:
        """Rows that are not in: the service refused them, or their batch."""
        return sum(batch.failed for batch in self.batches)

    @property
    def unknown(self) -> int:
        """Rows that may be in or not: of batches that were lost, and that no counter of an import names."""
        return sum(batch.unknown for batch in self.batches)

    @property
    def active(self) -> int:
        """Rows of imports that were going on when last seen."""
        return self.sent - self.imported - self.failed - self.unknown

    @property
    def too_old(self) -> int:
        """Rows that were older than a week when they were sent, which the service may refuse."""
        return sum(batch.too_old for batch in self.batches)

    def __repr__(self) -> str:
        return (
            f"<ImportReport: {self.sent} rows in {len(self.batches)} batches: {self.imported} imported,"
            f" {self.failed} failed, {self.unknown} unknown, {self.active} active>"
        )
