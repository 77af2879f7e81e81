"""The outcome of each operation of a run."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Generic, Literal, TypeAlias, TypeVar, cast, overload

import attrs
import msgspec

from scarf_async.bulk.kinds import Ref
from scarf_async.bulk.operations import Operation, Plan
from scarf_async.entities import JSON
from scarf_async.errors import BulkError, ScarfError, ValidationError
from scarf_async.text import aligned, counted

__all__ = ["BulkProgress", "BulkReport", "Outcome", "Settled", "SettledOutcomes", "Status"]

T = TypeVar("T")

Status: TypeAlias = Literal["succeeded", "failed", "unknown", "skipped"]

_SHOWN: int = 20


@attrs.frozen
class Outcome(Generic[T]):
    """The outcome of one operation.

    Attributes:
        operation: the operation.
        status: `succeeded`; `failed`: the service refused it; `unknown`: it was sent, and whether it took effect is
            not known; `skipped`: an operation that it depends on did not succeed, or the run stopped first.
        result: the resulting entity, or None.
        error: why it did not succeed.
        attempts: how many write requests were sent for it; lookups and other reads do not count.
        reconciled: whether its outcome was recovered by a lookup, after a request without a response.
        unchanged: whether nothing was sent, since the requested state already existed.
    """

    operation: Operation
    status: Status
    result: T | None = None
    error: ScarfError | None = None
    attempts: int = 0
    reconciled: bool = False
    unchanged: bool = False


class Settled(msgspec.Struct):
    """The outcome of a request, for each of its operations; see `Outcome`."""

    status: Status
    result: object
    error: ScarfError | None
    attempts: int
    reconciled: bool
    unchanged: bool

    def of(self, operation: Operation) -> Outcome[object]:
        """Return the outcome of one of its operations."""
        shared = self.status, self.result, self.error, self.attempts, self.reconciled, self.unchanged
        return Outcome(operation, *shared)


class SettledOutcomes(Sequence[Outcome[object]]):
    """The outcomes of a plan, each made when it is first read: a run makes none that nobody asks for.

    Args:
        plan: the operations.
        by_place: for each operation its outcome, or that of its request.
    """

    def __init__(self, plan: Plan, by_place: list[Settled | Outcome[object]]) -> None:
        self._plan = plan
        self._by_place = by_place

    def __len__(self) -> int:
        return len(self._by_place)

    @overload
    def __getitem__(self, index: int) -> Outcome[object]: ...

    @overload
    def __getitem__(self, index: slice) -> list[Outcome[object]]: ...

    def __getitem__(self, index: int | slice) -> Outcome[object] | list[Outcome[object]]:
        places = range(len(self._by_place))[index]
        return self._at(places) if isinstance(places, int) else [self._at(place) for place in places]

    def __iter__(self) -> Iterator[Outcome[object]]:
        return map(self._at, range(len(self._by_place)))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, SettledOutcomes | list) else NotImplemented

    __hash__: ClassVar[None]  # type: ignore[assignment] # a class with `__eq__` alone has none

    def __repr__(self) -> str:
        return repr(list(self))

    def _at(self, place: int) -> Outcome[object]:
        outcome = self._by_place[place]
        if isinstance(outcome, Settled):
            outcome = self._by_place[place] = outcome.of(self._plan[place])
        return outcome

    def statuses(self) -> list[Status]:
        """Return the status of each outcome; this makes none."""
        return [outcome.status for outcome in self._by_place]


@attrs.frozen
class BulkProgress:
    """The progress of a run.

    Attributes:
        done: the number of operations that have an outcome.
        failed: how many of these failed or have an unknown outcome.
        total: the number of operations in the plan.
        requests: the number of requests sent so far, including lookups and retries.
        rate: operations per second since the start.
        eta: estimated seconds to the end at this rate; None before the first outcome.
        unknown: how many of `failed` have an unknown outcome.
        skipped: how many of `done` were not sent.
    """

    done: int
    failed: int
    total: int
    requests: int
    rate: float
    eta: float | None
    unknown: int = 0
    skipped: int = 0


@attrs.frozen(eq=False, repr=False, str=False)
class BulkReport:
    """The outcomes of a run, one for each operation of the plan, in the plan's order.

    `report[ref]` is the outcome of one operation; `str(report)` is a readable table.

    Attributes:
        outcomes: all outcomes.
        requests: the number of requests sent, including lookups and retries.
        elapsed: the duration of the run in seconds.
        stopped_by: why the run stopped early; None if it did not.
        resume_after: the seconds that the service asked to wait, if longer than the run's `patience`.
    """

    plan: Plan
    outcomes: Sequence[Outcome[object]]
    requests: int
    elapsed: float
    stopped_by: str | None = None
    resume_after: float | None = None

    def __getitem__(self, ref: Ref[T]) -> Outcome[T]:
        if not isinstance(ref, Ref):
            raise ValidationError(f"a report is indexed by the Refs of its plan; got {ref!r}")
        if not ref.belongs_to(self.plan):
            raise ValidationError(f"{ref!r} is an operation of another plan")
        # The result at the index of a reference has the reference's type.
        return cast("Outcome[T]", self.outcomes[ref.index])

    def __iter__(self) -> Iterator[Outcome[object]]:
        return iter(self.outcomes)

    def __len__(self) -> int:
        return len(self.outcomes)

    def __bool__(self) -> bool:
        raise TypeError("a report is neither true nor false: call raise_for_failures(), or look at .failed")

    @property
    def succeeded(self) -> Sequence[Outcome[object]]:
        """The outcomes that succeeded."""
        return self._of("succeeded")

    @property
    def failed(self) -> Sequence[Outcome[object]]:
        """The outcomes that failed: the service refused them."""
        return self._of("failed")

    @property
    def unknown(self) -> Sequence[Outcome[object]]:
        """The outcomes that are unknown: sent, but not known to have taken effect."""
        return self._of("unknown")

    @property
    def skipped(self) -> Sequence[Outcome[object]]:
        """The outcomes of operations that were not sent."""
        return self._of("skipped")

    def _of(self, *statuses: Status) -> Sequence[Outcome[object]]:
        return [self.outcomes[place] for place, status in enumerate(self._statuses()) if status in statuses]

    def _statuses(self) -> list[Status]:
        outcomes = self.outcomes
        if isinstance(outcomes, SettledOutcomes):
            return outcomes.statuses()
        return [outcome.status for outcome in outcomes]

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of outcomes of each status."""
        counts = Counter(self._statuses())
        return {status: counts[status] for status in _STATUSES}

    def raise_for_failures(self) -> None:
        """Raise an error if an operation failed or has an unknown outcome.

        Raises:
            BulkError: a group with the error of each such operation, with a note that names the operation.
        """
        bad = self._of("failed", "unknown")
        if not bad:
            return
        errors: list[Exception] = []
        seen: set[int] = set()
        for outcome in bad:
            error: ScarfError = outcome.error or ScarfError("it did not succeed")
            # Operations that shared a request share its error; each needs a copy with its own note.
            if id(error) in seen:
                error = copy.copy(error)
                error.__notes__ = list(error.__notes__[:-1])
            seen.add(id(error))
            note = f"in a bulk run: {outcome.operation}"
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
            errors.append(error)
        raise BulkError(f"{len(bad):,} of {counted(len(self.outcomes), 'operation')} did not succeed", errors)

    def to_dict(self) -> dict[str, JSON]:
        """Return the report as JSON data."""
        return {
            "counts": dict(self.counts),
            "requests": self.requests,
            "elapsed": self.elapsed,
            "stopped_by": self.stopped_by,
            "resume_after": self.resume_after,
            "outcomes": [
                {
                    "index": outcome.operation.index,
                    "kind": str(outcome.operation.kind),
                    "operation": str(outcome.operation),
                    "status": outcome.status,
                    "error": None if outcome.error is None else str(outcome.error),
                    "attempts": outcome.attempts,
                    "reconciled": outcome.reconciled,
                    "unchanged": outcome.unchanged,
                }
                for outcome in self.outcomes
            ],
        }

    def __repr__(self) -> str:
        counts = ", ".join(f"{count:,} {status}" for status, count in self.counts.items() if count)
        return f"<BulkReport: {counts or 'no operations'}>"

    def __str__(self) -> str:
        table: dict[str, Counter[str]] = defaultdict(Counter)
        for call, status in zip(self.plan.calls, self._statuses(), strict=False):  # the plan may have grown
            table[call.kind][status] += 1
        rows = [["operation", *_STATUSES]]
        rows += [[kind, *(f"{counts[status]:,}" for status in _STATUSES)] for kind, counts in table.items()]
        rows.append(["all", *(f"{count:,}" for count in self.counts.values())])
        lines = aligned(rows)
        lines.append(f"{counted(self.requests, 'request')} in {self.elapsed:.1f} s")
        if self.stopped_by:
            lines.append(f"stopped: {self.stopped_by}")
        bad = self._of("failed", "unknown")
        lines += [f"{outcome.status}: {outcome.operation}: {outcome.error}" for outcome in bad[:_SHOWN]]
        if len(bad) > _SHOWN:
            lines.append(f"... and {len(bad) - _SHOWN:,} more")
        return "\n".join(lines)


_STATUSES: tuple[Status, ...] = ("succeeded", "failed", "unknown", "skipped")
