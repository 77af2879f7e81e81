"""The outcome of applied changes."""

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
    """The outcome of applied changes; `str(report)` is a readable table.

    Attributes:
        changes: the changes to apply.
        sent: the changes that were sent; the change of an outcome of `bulk` is
            `sent.applicable[outcome.operation.index]`.
        bulk: the report of the run that sent them; None if nothing had to be sent.
        found: the changes that were not sent because they were already applied.
        drifted: the changes that were not sent because the live state had changed; the note of each says to what.
        me_unchecked: whether someone is removed or gets another role without `me` being given.
    """

    changes: Changes
    sent: Changes = attrs.field(factory=Changes)
    bulk: BulkReport | None = None
    found: tuple[Change, ...] = ()
    drifted: tuple[Change, ...] = ()
    me_unchecked: bool = False

    @property
    def blocked(self) -> Sequence[Change]:
        """The changes that cannot be made; the note of each says why."""
        return self.changes.blocked

    @property
    def outcomes(self) -> Iterator[tuple[Change, Outcome[object]]]:
        """Each change that was sent, and its outcome."""
        return zip(self.sent.applicable, () if self.bulk is None else self.bulk, strict=True)

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of changes by result: `done`, `failed`, `unknown`, `skipped`, `drifted`, `blocked`."""
        return {column: sum(counts[column] for counts in self._table.values()) for column in _COLUMNS}

    @property
    def ok(self) -> bool:
        """Whether all changes are in effect: none failed, was skipped, had drifted or is blocked."""
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
        """Raise an error if a change failed or has an unknown outcome. Drifted and blocked changes were not sent.

        Raises:
            BulkError: a group with the error of each such operation.
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
        """Each change that failed or has an unknown outcome, and its outcome."""
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
