"""Runs a schedule: a bounded number of workers take the ready units."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final, Literal, TypeAlias

import anyio
import attrs
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from scarf_async.bulk.calls import SetPermission, UpdateOrganization, UpsertMember
from scarf_async.bulk.kinds import Call, Effect
from scarf_async.bulk.report import BulkReport
from scarf_async.bulk.sender import FATAL, Sender
from scarf_async.bulk.splitting import Splitter
from scarf_async.errors import (
    APIError,
    AuthenticationError,
    JournalError,
    ScarfError,
    ValidationError,
)
from scarf_async.names import organization_key, user_key
from scarf_async.resources import Members

__all__ = ["OnFailure", "Run"]

OnFailure: TypeAlias = Literal["continue", "stop"]

_SYNC_INTERVAL: Final = 0.4
_NO_MORE_MEMBERS: Final = frozenset({"max-organization-members-reached", "billing-error"})


@attrs.define(eq=False, kw_only=True)
class Run(Sender):
    """One run of a plan."""

    splitter: Splitter
    on_failure: OnFailure
    stop: asyncio.Event | None
    waits: list[int] = attrs.field(init=False)
    open_units: int = attrs.field(init=False)
    ready: MemoryObjectSendStream[int] = attrs.field(init=False)
    units: MemoryObjectReceiveStream[int] = attrs.field(init=False)
    closed: bool = False
    full: dict[str, asyncio.Future[frozenset[str]]] = attrs.field(factory=dict, init=False)
    unsettled: set[int] = attrs.field(factory=set, init=False)
    fatal: ScarfError | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.waits = list(self.schedule.waits)
        self.open_units = len(self.schedule.units)
        self.ready, self.units = anyio.create_memory_object_stream[int](math.inf)

    async def __call__(self, concurrency: int) -> BulkReport:
        """Run the plan and return the report.

        Raises:
            ClientClosedError: the client was closed during the run.
            JournalError: the journal could not be written; `.report` has the outcomes so far.
        """
        with self.ready, self.units:
            async with anyio.create_task_group() as helpers:
                if self.stop is not None:
                    helpers.start_soon(self._watch, self.stop)
                if self.outcomes.journal is not None:
                    helpers.start_soon(self._sync_now_and_then)
                async with anyio.create_task_group() as workers:
                    self._release([unit for unit, waits in enumerate(self.waits) if not waits], workers)
                    workers.start_soon(self._work, workers, concurrency - 1)
                helpers.cancel_scope.cancel()
        if self.fatal is not None:
            raise self.fatal
        report = self.outcomes.report(self.pacer.stopped_by, self.pacer.resume_after)
        if self.outcomes.broken is not None:
            self.outcomes.broken.report = report
            raise self.outcomes.broken
        return report

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._stop("stop was set")

    async def _sync_now_and_then(self) -> None:
        journal = self.outcomes.journal
        while journal is not None and self.outcomes.broken is None:
            await anyio.sleep(_SYNC_INTERVAL)
            try:
                await journal.sync()
            except JournalError as error:
                self.outcomes.broken = error
                self._stop(str(error))

    # Ready units

    def _finish(self, unit: int) -> list[int]:
        """Mark a unit as done; return the units that waited only for it."""
        self.open_units -= 1
        released = []
        for follower in self.schedule.followers.get(unit, ()):
            self.waits[follower] -= 1
            if not self.waits[follower]:
                released.append(follower)
        return released

    def _release(self, units: Sequence[int], workers: TaskGroup) -> None:
        """Queue the units that can be sent; settle barriers and units that cannot be sent at once."""
        left = deque(units)
        while left:
            unit = left.popleft()
            barrier = self.schedule.units[unit][0]
            missing = self._missing(unit)
            places = self.outcomes.open_places(unit)
            if missing is not None and self._is_unsettled(missing):
                self.unsettled.update(self.schedule.units[unit])
            if barrier >= len(self.outcomes.by_place):
                self.outcomes.succeeded[barrier] = missing is None
            elif missing is not None and places:
                self.outcomes.settle(places, "skipped", error=self._not_sent(unit, missing), write=False)
            elif places:
                self._enqueue(unit, places[0], workers)
                continue
            left.extend(self._finish(unit))
        if not self.open_units:
            self._close()

    def _missing(self, unit: int) -> int | None:
        if unit not in self.schedule.needs and unit not in self.schedule.settles:
            return None
        needs, settles = self.schedule.needs.get(unit, ()), self.schedule.settles.get(unit, ())
        missing = next((need for need in needs if not self.outcomes.succeeded[need]), None)
        return missing if missing is not None else next(filter(self._is_unsettled, settles), None)

    def _is_unsettled(self, place: int) -> bool:
        """Return whether a later run may have a different outcome for a place, with the same responses."""
        if place in self.unsettled:
            return True
        outcome = self.outcomes.by_place[place] if place < len(self.outcomes.by_place) else None
        return outcome is not None and outcome.status == "unknown"

    def _not_sent(self, unit: int, missing: int) -> ScarfError:
        if missing < len(self.outcomes.by_place):
            return ScarfError(f"not sent: {self.plan[missing]} did not succeed")
        if isinstance(self.plan.calls[self.schedule.units[unit][0]], UpdateOrganization):
            return ScarfError("not sent: the outcome of an operation under the old name is unknown")
        return ScarfError("not sent: an operation on the same package did not succeed")

    def _enqueue(self, unit: int, place: int, workers: TaskGroup) -> None:
        self.looks.ready(place)
        is_open = self.plan.calls[place].effect is Effect.CREATES and self.outcomes.known(place).open
        if is_open and self.looks_from > self.clock.monotonic():
            workers.start_soon(self._enqueue_later, unit)
        else:
            self._put(unit)

    async def _enqueue_later(self, unit: int) -> None:
        while (left := self.looks_from - self.clock.monotonic()) > 0 and self.pacer.stopped_by is None:
            await self.clock.sleep(min(left, _SYNC_INTERVAL))
        self._put(unit)

    def _put(self, unit: int) -> None:
        if not self.closed:
            self.ready.send_nowait(unit)

    async def _next(self) -> int | None:
        """Return the next ready unit; None when the run is over."""
        try:
            try:
                unit = self.units.receive_nowait()
            except anyio.WouldBlock:
                # `receive` always yields to the event loop, so it is used only for an empty queue.
                unit = await self.units.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            return None
        # The queue may have been closed while this unit was being received.
        return None if self.closed else unit

    def _close(self) -> None:
        """Start no more units."""
        self.closed = True
        self.ready.close()
        self.units.close()

    # Execution

    async def _work(self, workers: TaskGroup, further: int) -> None:
        while (unit := await self._next()) is not None:
            if further:
                # One in each iteration of the event loop: the first requests are on their way before the last ones
                # are built, and their answers may show that the service takes no more.
                workers.start_soon(self._work, workers, further - 1)
                further = 0
            try:
                await self._carry_out(unit)
            except FATAL as error:
                self.fatal = self.fatal or error
                workers.cancel_scope.cancel()
                return
            if self.outcomes.broken is not None:
                self._stop(str(self.outcomes.broken))
            released = self._finish(unit)
            if released or not self.open_units:
                self._release(released, workers)

    async def _carry_out(self, unit: int) -> None:
        places = self.outcomes.open_places(unit)
        call = self.plan.calls[places[0]]
        sync = self._goes_to_disk_first(unit, call)
        try:
            package = self._package(call)
        except ValidationError as nowhere:
            self._refuse(places, nowhere)
            return
        route = self.schedule.joined.get(places[0])
        if route is not None and route in places:
            await self._create_with_route(places[0], route, sync=sync)
            return
        if package is not None and isinstance(call, SetPermission):
            if not self.session.dialect.traits.permission_arrays:
                await self._set_permission(places, package, sync=sync)
                return
            await self.splitter.send(
                places,
                send=partial(self._attempt, package=package, sync=sync),
                package_refused=partial(self._package_refused, package),
                refuse=self._refuse,
            )
            return
        member = call if isinstance(call, UpsertMember) else None
        if self.full and member is not None and await self._is_full(member):
            error = ScarfError("not sent: the organization cannot have more members")
            self.outcomes.settle(places, "skipped", error=error, write=False)
            return
        refusal = await self._attempt(places, package=package, sync=sync)
        if refusal is not None:
            self._refuse(places, refusal)
            if member is not None and isinstance(refusal, APIError) and refusal.code in _NO_MORE_MEMBERS:
                await self._take_no_more_members(member.organization)

    def _goes_to_disk_first(self, unit: int, call: Call) -> bool:
        """Return whether the journal must be synced before the request is sent.

        A create must not be sent again without a lookup. An update or delete must not take effect while the journal
        has lost the create before it: the lookup for the create would then find nothing. It must not be lost itself
        if others wait for it, since a second delete or rename is refused.
        """
        if call.effect is Effect.SETS or call.effect is Effect.CREATES:
            return call.effect is Effect.CREATES
        renames = isinstance(call, UpdateOrganization) and call.renames
        return renames or bool(self.schedule.waits[unit] or self.schedule.followers.get(unit))

    # Stopping

    def _stop(self, reason: str) -> None:
        self.pacer.stop(reason)
        self._close()

    def _consider_stopping(self, failure: ScarfError) -> None:
        if isinstance(failure, AuthenticationError):
            self._stop(f"the service rejected the token: {failure}")
        elif self.on_failure == "stop":
            self._stop(f"on_failure='stop': {failure}")

    async def _is_full(self, member: UpsertMember) -> bool:
        members = self.full.get(organization_key(member.organization))
        if members is None:
            return False
        # Wait for the read of its members: existing members can still be changed.
        await asyncio.wait([members])
        return user_key(member.username) not in members.result()

    async def _take_no_more_members(self, organization: str) -> None:
        """From now on only change existing members: the service accepts no new ones."""
        key = organization_key(organization)
        if key in self.full:
            return
        names: frozenset[str] = frozenset()
        read = self.full[key] = asyncio.get_running_loop().create_future()
        work = self._begin(())
        try:
            members = await Members(self.session.serving(work)).list(organization)
            names = frozenset(user_key(member.username) for member in members)
        except FATAL:
            raise
        except ScarfError:
            return
        finally:
            read.set_result(names)
            self.outcomes.requests += work.requests
