"""Running a schedule: a bounded number of workers over the units that are ready."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal, TypeAlias

import anyio
import attrs

from scarf_async import clock
from scarf_async.bulk.perform import perform
from scarf_async.bulk.plan import BulkPlan, Operation, Ref
from scarf_async.bulk.report import BulkProgress, BulkReport, Outcome, Status
from scarf_async.bulk.schedule import Schedule
from scarf_async.entities import Package
from scarf_async.errors import (
    APIError,
    AuthenticationError,
    ClientClosedError,
    OutcomeUnknownError,
    ReadOnlyError,
    ScarfError,
    TransportError,
    WriteConfirmedError,
    WrongEventLoopError,
)
from scarf_async.events import Hook
from scarf_async.protocol import is_passing
from scarf_async.session import Session, Tally

__all__ = ["OnFailure", "Run"]

OnFailure: TypeAlias = Literal["continue", "stop"]

_PROGRESS_INTERVAL = 0.1


class _Queue:
    """The units that are ready, in order; workers wait for the next."""

    def __init__(self) -> None:
        self._ready: deque[int] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def put(self, unit: int) -> None:
        """Add a unit, and wake one worker."""
        self._ready.append(unit)
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def close(self) -> None:
        """Give nothing more out; workers that wait get None."""
        self._closed = True
        self._ready.clear()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

    async def get(self) -> int | None:
        """Return the next unit, or None when there will be none."""
        while not self._ready:
            if self._closed:
                return None
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        return self._ready.popleft()


@attrs.define(eq=False)
class Run:
    """One run of a plan."""

    session: Session
    plan: BulkPlan
    schedule: Schedule
    on_failure: OnFailure
    progress: Hook[BulkProgress]
    on_outcome: Hook[Outcome[object]]
    outcomes: list[Outcome[object] | None] = attrs.field(init=False)
    succeeded: bytearray = attrs.field(init=False)
    waits: list[int] = attrs.field(init=False)
    queue: _Queue = attrs.field(factory=_Queue, init=False)
    open_units: int = attrs.field(init=False)
    done: int = 0
    failed: int = 0
    requests: int = 0
    began: float = attrs.field(factory=clock.monotonic)
    told: float = float("-inf")
    stopped_by: str | None = None
    fatal: ScarfError | None = None

    def __attrs_post_init__(self) -> None:
        self.outcomes = [None] * len(self.plan)
        self.succeeded = bytearray(self.schedule.places)
        self.waits = list(self.schedule.waits)
        self.open_units = len(self.schedule.units)

    async def __call__(self, concurrency: int) -> BulkReport:
        """Run to the end; return the report.

        Raises:
            ClientClosedError: the client was closed meanwhile.
        """
        ready = [unit for unit, waits in enumerate(self.waits) if not waits]
        self._release(ready)
        if self.open_units:
            async with anyio.create_task_group() as workers:
                for _ in range(min(concurrency, len(self.schedule.units))):
                    workers.start_soon(self._work, workers.cancel_scope)
        if self.fatal is not None:
            raise self.fatal
        for place, outcome in enumerate(self.outcomes):
            if outcome is None:
                error = ScarfError(f"not sent: the run stopped first ({self.stopped_by})")
                self._settle(place, Outcome(self.plan[place], "skipped", error=error))
        self._tell_progress(at_end=True)
        return BulkReport(
            plan=self.plan,
            outcomes=[outcome for outcome in self.outcomes if outcome is not None],
            requests=self.requests,
            elapsed=clock.monotonic() - self.began,
            stopped_by=self.stopped_by,
        )

    async def _work(self, scope: anyio.CancelScope) -> None:
        while (unit := await self.queue.get()) is not None:
            try:
                await self._carry_out(unit)
            except (ClientClosedError, WrongEventLoopError, ReadOnlyError) as error:
                # No operation's failure: the whole run cannot go on.
                self.fatal = self.fatal or error
                scope.cancel()
                return
            self._release(self._finish(unit))

    async def _carry_out(self, unit: int) -> None:
        places = self.schedule.units[unit]
        operations = [self.plan[place] for place in places if place not in self.schedule.twins]
        tally = Tally()
        result: object = None
        failure: ScarfError | None = None
        try:
            result = await perform(self.session.counting(tally), operations, self._uuid(operations[0]))
        except (ClientClosedError, WrongEventLoopError, ReadOnlyError):
            raise
        except ScarfError as error:
            failure = error
        finally:
            self.requests += tally.requests
        status: Status = "succeeded" if failure is None else _status_of(failure, tally)
        for place in places:
            self._settle(
                place,
                Outcome(
                    self.plan[place],
                    status,
                    result=result,
                    error=failure,
                    attempts=tally.attempts,
                    reconciled=tally.reconciled,
                    unchanged=tally.unchanged,
                ),
            )
        if failure is not None:
            self._consider_stopping(failure)
        self._tell_progress()

    def _uuid(self, operation: Operation) -> str:
        """Return the uuid of an operation's package; `""` where it names none."""
        package = operation.arguments.get("package")
        if isinstance(package, str):
            return package
        if isinstance(package, Ref):
            outcome = self.outcomes[package.index]
            made = outcome.result if outcome is not None else None
            assert isinstance(made, Package)  # noqa: S101 # a unit is released when what it needs has succeeded
            return made.uuid
        return ""

    def _settle(self, place: int, outcome: Outcome[object]) -> None:
        self.outcomes[place] = outcome
        self.succeeded[place] = outcome.status == "succeeded"
        self.done += 1
        self.failed += outcome.status in {"failed", "unknown"}
        self.on_outcome.tell(outcome)

    def _finish(self, unit: int) -> list[int]:
        """Take a unit as done; return those that waited for nothing else."""
        self.open_units -= 1
        released = []
        for follower in self.schedule.followers.get(unit, ()):
            self.waits[follower] -= 1
            if not self.waits[follower]:
                released.append(follower)
        return released

    def _release(self, units: list[int]) -> None:
        """Queue the units that may be sent; settle barriers, and what cannot be sent, on the spot."""
        left = deque(units)
        while left:
            unit = left.popleft()
            places = self.schedule.units[unit]
            missing = next((need for need in self.schedule.needs.get(unit, ()) if not self.succeeded[need]), None)
            if places[0] >= len(self.outcomes):
                self.succeeded[places[0]] = missing is None
            elif missing is not None:
                for place in places:
                    self._settle(place, Outcome(self.plan[place], "skipped", error=self._why_skipped(missing)))
            else:
                if self.stopped_by is None:
                    self.queue.put(unit)
                continue
            left.extend(self._finish(unit))
        if not self.open_units:
            self.queue.close()

    def _why_skipped(self, need: int) -> ScarfError:
        cause = str(self.plan[need]) if need < len(self.outcomes) else "an operation on the same package"
        return ScarfError(f"not sent: {cause} did not succeed")

    def _consider_stopping(self, failure: ScarfError) -> None:
        if isinstance(failure, AuthenticationError):
            self._stop(f"the token is refused: {failure}")
        elif self.on_failure == "stop":
            self._stop(f"on_failure='stop': {failure}")

    def _stop(self, reason: str) -> None:
        self.stopped_by = self.stopped_by or reason
        self.queue.close()

    def _tell_progress(self, *, at_end: bool = False) -> None:
        now = clock.monotonic()
        total = len(self.outcomes)
        if not at_end and (self.done == total or now - self.told < _PROGRESS_INTERVAL):
            return
        self.told = now
        elapsed = max(now - self.began, 1e-9)
        rate = self.done / elapsed
        eta = (total - self.done) / rate if self.done else None
        self.progress.tell(BulkProgress(self.done, self.failed, total, self.requests, rate, eta))


def _status_of(failure: ScarfError, tally: Tally) -> Status:
    if isinstance(failure, OutcomeUnknownError | WriteConfirmedError):
        return "unknown"
    # An attempt that may have taken effect leaves it open, unless the service then said a plain no.
    if tally.ambiguous and (
        isinstance(failure, TransportError) or (isinstance(failure, APIError) and is_passing(failure.status))
    ):
        return "unknown"
    return "failed"
