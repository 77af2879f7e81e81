"""The outcomes of a run: kept in memory, written to the journal, and passed to callbacks."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Sequence
from typing import Final

import attrs

from scarf_async.bulk.journal import NOTHING_KNOWN, Journal, Known
from scarf_async.bulk.operations import Plan
from scarf_async.bulk.report import BulkProgress, BulkReport, Outcome, Settled, SettledOutcomes, Status
from scarf_async.bulk.schedule import Schedule
from scarf_async.clock import Clock
from scarf_async.errors import JournalError, ScarfError
from scarf_async.events import Hook

__all__ = ["Outcomes", "since"]

_PROGRESS_INTERVAL: Final = 0.1


@attrs.define(eq=False)
class Outcomes:
    """The outcomes of a run, collected as they arrive.

    Attributes:
        clock: the clock of the client.
        by_place: the outcome of each operation, or that of its request; None until it has one.
        succeeded: for each place of the schedule, whether it has succeeded.
        requests: the number of requests sent.
        broken: why the journal can no longer be written.
    """

    plan: Plan
    schedule: Schedule
    journal: Journal | None
    progress: Hook[BulkProgress]
    on_outcome: Hook[Outcome[object]]
    clock: Clock
    by_place: list[Settled | Outcome[object] | None] = attrs.field(init=False)
    succeeded: bytearray = attrs.field(init=False)
    requests: int = 0
    broken: JournalError | None = None
    _twins: dict[int, list[int]] = attrs.field(factory=lambda: defaultdict(list), init=False)
    _flushing: bool = False
    _counts: Counter[Status] = attrs.field(factory=Counter, init=False)
    _began: float = attrs.field(init=False)
    _told: float = float("-inf")

    def __attrs_post_init__(self) -> None:
        self._began = self.clock.monotonic()
        self.by_place = [None] * len(self.plan)
        self.succeeded = bytearray(self.schedule.places)
        for place, original in self.schedule.twins.items():
            self._twins[original].append(place)
        if self.journal is not None:
            for place, known in self.journal.known.items():
                if known.status == "succeeded":
                    self._settle(
                        (place,),
                        "succeeded",
                        result=known.result,
                        attempts=known.attempts,
                        reconciled=known.reconciled,
                        unchanged=known.unchanged,
                    )

    def open_places(self, unit: int) -> list[int]:
        """Return the operations of a unit without an outcome. The first of equal operations covers all of them."""
        places, twins, by_place = self.schedule.units[unit], self.schedule.twins, self.by_place
        if places[0] >= len(by_place):
            return []  # a barrier
        return [place for place in places if by_place[place] is None and not (twins and place in twins)]

    def open_among(self, places: Sequence[int]) -> list[Known]:
        """Return the journal entries of operations that an earlier run left without an outcome."""
        if self.journal is None or not self.journal.known:
            return []
        return [known for place in places if (known := self.known(place)).open]

    def known(self, place: int) -> Known:
        """Return the journal entry that an earlier run wrote for an operation."""
        return NOTHING_KNOWN if self.journal is None else self.journal.known.get(place, NOTHING_KNOWN)

    def before_send(self, places: Sequence[int], *, sync: bool) -> Awaitable[None] | None:
        """Record the intent to send the request of some operations. Return an awaitable if the request must wait.

        Raises:
            JournalError: it cannot be written; the request must not be sent.
        """
        if self.journal is None:
            return None
        if self.broken is not None:
            # The journal lacks an outcome, so a resumed run could not tell new requests from lost ones.
            raise self.broken
        try:
            self.journal.intend(self._with_twins(places))
        except JournalError as error:
            self.broken = error
            raise
        return self._synced(self.journal) if sync else None

    async def _synced(self, journal: Journal) -> None:
        try:
            await journal.sync()
        except JournalError as error:
            self.broken = error
            raise

    def _with_twins(self, places: Sequence[int]) -> Sequence[int]:
        if not self._twins:
            return places
        return [same for place in places for same in (place, *self._twins.get(place, ()))]

    def settle(
        self,
        places: Sequence[int],
        status: Status,
        *,
        result: object = None,
        error: ScarfError | None = None,
        attempts: int = 0,
        reconciled: bool = False,
        unchanged: bool = False,
        write: bool = True,
    ) -> None:
        """Record the outcome of operations that shared a request."""
        together = self._with_twins(places)
        outcome = self._settle(
            together,
            status,
            result=result,
            error=error,
            attempts=attempts,
            reconciled=reconciled,
            unchanged=unchanged,
        )
        if together and write and self.journal is not None and self.broken is None:
            self.journal.record(together, outcome)
            if not self._flushing:
                self._flushing = True
                asyncio.get_running_loop().call_soon(self._flush, self.journal)
        self.tell_progress()

    def _flush(self, journal: Journal) -> None:
        """Write the outcomes of this event loop iteration that were not already written with an intent."""
        self._flushing = False
        try:
            journal.flush()
        except JournalError as broken:
            self.broken = broken

    def _settle(
        self,
        places: Sequence[int],
        status: Status,
        *,
        result: object = None,
        error: ScarfError | None = None,
        attempts: int = 0,
        reconciled: bool = False,
        unchanged: bool = False,
    ) -> Settled:
        """Keep the outcome of a request for each of its operations; return it."""
        settled = Settled(status, result, error, attempts, reconciled, unchanged)
        for place in places:
            self.by_place[place] = settled
            self.succeeded[place] = status == "succeeded"
            if self.on_outcome.wanted:
                self.by_place[place] = own = settled.of(self.plan[place])
                self.on_outcome.tell(own)
        self._counts[status] += len(places)
        return settled

    def tell_progress(self, *, at_end: bool = False) -> None:
        """Report progress, at most ten times a second, and once at the end."""
        if not self.progress.wanted:
            return
        now = self.clock.monotonic()
        total = len(self.by_place)
        done, unknown = sum(self._counts.values()), self._counts["unknown"]
        if not at_end and (done == total or now - self._told < _PROGRESS_INTERVAL):
            return
        self._told = now
        rate = done / max(now - self._began, 1e-9)
        eta = (total - done) / rate if done else None
        failed = self._counts["failed"] + unknown
        self.progress.tell(
            BulkProgress(done, failed, total, self.requests, rate, eta, unknown, self._counts["skipped"])
        )

    def report(self, stopped_by: str | None, resume_after: float | None) -> BulkReport:
        """End the run; operations without an outcome were skipped."""
        for place, outcome in enumerate(self.by_place):
            if outcome is None:
                # An operation that an earlier run sent stays unknown if this run did not look it up.
                sent = self.known(place).open
                what = "not settled: sent by an earlier run, and" if sent else "not sent:"
                error = ScarfError(f"{what} the run stopped first ({stopped_by})")
                self._settle((place,), "unknown" if sent else "skipped", error=error)
        self.tell_progress(at_end=True)
        return BulkReport(
            plan=self.plan,
            outcomes=SettledOutcomes(self.plan, [outcome for outcome in self.by_place if outcome is not None]),
            requests=self.requests,
            elapsed=self.clock.monotonic() - self._began,
            stopped_by=stopped_by,
            resume_after=resume_after,
        )


def since(wall_time: float, clock: Clock) -> float | None:
    """Convert a time of the journal to the clock's; None if the system clock was set back."""
    passed = time.time() - wall_time
    return None if passed < 0 else clock.monotonic() - passed
