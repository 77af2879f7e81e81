"""What became of changes that were applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from scarf_async.bulk.report import BulkReport, Outcome
from scarf_async.entities import JSON
from scarf_async.manifests.changes import Change, Changes
from scarf_async.text import aligned, counted, printable

__all__ = ["ApplyReport"]

_COLUMNS: Final = ("done", "failed", "unknown", "skipped", "drifted", "blocked")
_SHOWN: Final = 20


@attrs.frozen(kw_only=True, eq=False, repr=False, str=False)
class ApplyReport:
    """What became of changes; `str(report)` is a table for people.

    Attributes:
        changes: the changes that were to be applied.
        sent: those of them that were sent; the change of an outcome of `bulk` is
            `sent.applicable[outcome.operation.index]`.
        bulk: what became of those; None: nothing had to be sent.
        found: changes that were not sent, since they were already applied.
        drifted: changes that were not sent, since the live state had changed; the note of each says to what.
        me_unchecked: whether somebody is removed or gets another role, and nobody said who the token's user is.
    """

    changes: Changes
    sent: Changes = attrs.field(factory=Changes)
    bulk: BulkReport | None = None
    found: tuple[Change, ...] = ()
    drifted: tuple[Change, ...] = ()
    me_unchecked: bool = False

    @property
    def blocked(self) -> Sequence[Change]:
        """The changes that cannot be done; the note of each says why."""
        return self.changes.blocked

    @property
    def outcomes(self) -> Iterator[tuple[Change, Outcome[object]]]:
        """Each change that was sent, and what became of it."""
        return zip(self.sent.applicable, () if self.bulk is None else self.bulk, strict=True)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many changes there are of each end: `done`, `failed`, `unknown`, `skipped`, `drifted`, `blocked`."""
        return {column: sum(counts[column] for counts in self._table.values()) for column in _COLUMNS}

    @property
    def ok(self) -> bool:
        """Whether all is as the changes want it: nothing failed, was skipped, had drifted or is blocked."""
        counts = self.counts
        return counts["done"] == sum(counts.values())

    @property
    def _table(self) -> Mapping[str, Counter[str]]:
        table: dict[str, Counter[str]] = {}
        ends = [
            *((change, "done") for change in self.found),
            *((change, _end(outcome)) for change, outcome in self.outcomes),
            *((change, "drifted") for change in self.drifted),
            *((change, "blocked") for change in self.blocked),
        ]
        for change, end in ends:
            table.setdefault(change.kind, Counter())[end] += 1
        return table

    def raise_for_failures(self) -> None:
        """Raise if anything failed or is of unknown outcome. What had drifted or is blocked was not sent.

        Raises:
            BulkError: a group with the error of each of these operations.
        """
        if self.bulk is not None:
            self.bulk.raise_for_failures()

    def to_dict(self) -> dict[str, JSON]:
        """Return the report as JSON data."""
        return {
            "ok": self.ok,
            "counts": dict(self.counts),
            "failures": [
                {"change": str(change), "status": outcome.status, "error": str(outcome.error)}
                for change, outcome in self.failures
            ],
            "drifted": [str(change) for change in self.drifted],
            "blocked": [str(change) for change in self.blocked],
            "me_unchecked": self.me_unchecked,
            "bulk": None if self.bulk is None else self.bulk.to_dict(),
        }

    @property
    def failures(self) -> Sequence[tuple[Change, Outcome[object]]]:
        """Each change that failed or is of unknown outcome, and what became of it."""
        return [(change, outcome) for change, outcome in self.outcomes if outcome.status in {"failed", "unknown"}]

    def __bool__(self) -> bool:
        raise TypeError("a report is neither true nor false: use .ok")

    def __repr__(self) -> str:
        counts = ", ".join(f"{count:,} {end}" for end, count in self.counts.items() if count)
        return f"<ApplyReport: {counts or 'no changes'}>"

    def __str__(self) -> str:
        rows = [["change", *_COLUMNS]]
        rows += [[kind, *(f"{counts[end]:,}" for end in _COLUMNS)] for kind, counts in self._table.items()]
        rows.append(["all", *(f"{count:,}" for count in self.counts.values())])
        lines = aligned(rows)
        if self.bulk is not None:
            lines.append(f"{counted(self.bulk.requests, 'request')} in {self.bulk.elapsed:.1f} s")
            if self.bulk.stopped_by:
                lines.append(printable(f"stopped: {self.bulk.stopped_by}"))
        bad = [
            *(printable(f"{outcome.status}: {change}: {outcome.error}") for change, outcome in self.failures),
            *(f"drifted: {change}" for change in self.drifted),
            *(f"blocked: {change}" for change in self.blocked),
        ]
        lines += bad[:_SHOWN]
        if len(bad) > _SHOWN:
            lines.append(f"... and {len(bad) - _SHOWN:,} more")
        if self.me_unchecked:
            lines.append("not checked: whether the token's user loses access (give me to have it checked)")
        return "\n".join(lines)


def _end(outcome: Outcome[object]) -> str:
    return "done" if outcome.status == "succeeded" else outcome.status
