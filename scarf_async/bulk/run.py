"""Running a schedule: a bounded number of workers over the units that are ready."""

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
from scarf_async.bulk.kinds import Call, Effect, OnPackage, Ref
from scarf_async.bulk.looks import Looks
from scarf_async.bulk.operations import Operation, Plan, perform
from scarf_async.bulk.outcomes import Outcomes, since
from scarf_async.bulk.parts import CreateRoute
from scarf_async.bulk.report import BulkReport, Status
from scarf_async.bulk.schedule import Schedule
from scarf_async.bulk.splitting import Splitter
from scarf_async.clock import Clock
from scarf_async.entities import Package, PackageKey, Route
from scarf_async.errors import (
    APIError,
    AuthenticationError,
    ClientClosedError,
    JournalError,
    OutcomeUnknownError,
    ReadOnlyError,
    ScarfError,
    TransportError,
    ValidationError,
    WriteConfirmedError,
    WrongEventLoopError,
)
from scarf_async.names import organization_key, user_key
from scarf_async.protocol.looking import Found
from scarf_async.protocol.messages import is_passing, unconfirmed
from scarf_async.resources import Members
from scarf_async.sending.pacing import AdaptivePacer, StoppedError
from scarf_async.sending.session import Session
from scarf_async.sending.sharing import SharedReads
from scarf_async.sending.turns import Work

__all__ = ["OnFailure", "Run"]

OnFailure: TypeAlias = Literal["continue", "stop"]

_SYNC_INTERVAL: Final = 0.4
_NO_MORE_MEMBERS: Final = frozenset({"max-organization-members-reached", "billing-error"})
# No operation's failure: the whole run cannot go on.
_FATAL: Final = (ClientClosedError, WrongEventLoopError, ReadOnlyError)


@attrs.frozen(eq=False)
class _Done:
    """What became of a request."""

    work: Work
    status: Status
    result: object
    failure: ScarfError | None


@attrs.define(eq=False)
class Run:
    """One run of a plan."""

    session: Session
    plan: Plan
    schedule: Schedule
    outcomes: Outcomes
    pacer: AdaptivePacer
    splitter: Splitter
    on_failure: OnFailure
    stop: asyncio.Event | None
    waits: list[int] = attrs.field(init=False)
    open_units: int = attrs.field(init=False)
    ready: MemoryObjectSendStream[int] = attrs.field(init=False)
    units: MemoryObjectReceiveStream[int] = attrs.field(init=False)
    closed: bool = False
    clock: Clock = attrs.field(init=False)
    shared: SharedReads[object] = attrs.field(init=False)
    full: dict[str, asyncio.Future[frozenset[str]]] = attrs.field(factory=dict, init=False)
    permitted: set[str] = attrs.field(factory=set, init=False)
    unpermitted: dict[str, APIError] = attrs.field(factory=dict, init=False)
    renamings: list[Operation] = attrs.field(init=False)
    unsettled: set[int] = attrs.field(factory=set, init=False)
    looks_from: float = attrs.field(init=False)
    looks: Looks = attrs.field(init=False)
    fatal: ScarfError | None = None

    def __attrs_post_init__(self) -> None:
        self.waits = list(self.schedule.waits)
        self.open_units = len(self.schedule.units)
        self.ready, self.units = anyio.create_memory_object_stream[int](math.inf)
        self.clock = self.session.transport.clock
        self.shared = SharedReads(self.clock)
        self.looks_from = self._looks_from()
        self.looks = Looks(self.plan, self.clock)
        self.renamings = [
            operation
            for operation in self.plan
            if isinstance(operation.call, UpdateOrganization) and operation.call.renames
        ]

    def _looks_from(self) -> float:
        """Return from when on the creates that an earlier run left open are looked for.

        Before, the request of one may be on its way, and its not being there says nothing. It is one moment for
        all of them, so that one look at a list tells of all that it should hold.
        """
        now = self.clock.monotonic()
        known = self.outcomes.journal.known if self.outcomes.journal is not None else {}
        sent = [
            entry.intended_at
            for place, entry in known.items()
            if entry.open and entry.intended_at is not None and self.plan[place].call.effect is Effect.CREATES
        ]
        times = [now if (time := since(at, self.clock)) is None else time for at in sent]
        return max(times) + self.session.attempts.timeout if times else now

    async def __call__(self, concurrency: int) -> BulkReport:
        """Run to the end; return the report.

        Raises:
            ClientClosedError: the client was closed meanwhile.
            JournalError: the journal could not be written; `.report` holds what was done.
        """
        with self.ready, self.units:
            async with anyio.create_task_group() as helpers:
                if self.stop is not None:
                    helpers.start_soon(self._watch, self.stop)
                if self.outcomes.journal is not None:
                    helpers.start_soon(self._sync_now_and_then)
                async with anyio.create_task_group() as workers:
                    self._release([unit for unit, waits in enumerate(self.waits) if not waits], workers)
                    for _ in range(min(concurrency, self.open_units)):
                        workers.start_soon(self._work, workers)
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

    # What is ready

    def _finish(self, unit: int) -> list[int]:
        """Take a unit as done; return those that waited for nothing else."""
        self.open_units -= 1
        released = []
        for follower in self.schedule.followers.get(unit, ()):
            self.waits[follower] -= 1
            if not self.waits[follower]:
                released.append(follower)
        return released

    def _release(self, units: Sequence[int], workers: TaskGroup) -> None:
        """Queue the units that may be sent; settle barriers, and what cannot be sent, on the spot."""
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
                self._enqueue(unit, self.plan[places[0]], workers)
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
        """Tell whether it may come out otherwise in a further run, without the service changing its mind."""
        if place in self.unsettled:
            return True
        outcome = self.outcomes.by_place[place] if place < len(self.outcomes.by_place) else None
        return outcome is not None and outcome.status == "unknown"

    def _not_sent(self, unit: int, missing: int) -> ScarfError:
        if missing < len(self.outcomes.by_place):
            return ScarfError(f"not sent: {self.plan[missing]} did not succeed")
        if isinstance(self.plan[self.schedule.units[unit][0]].call, UpdateOrganization):
            return ScarfError("not sent: what became of an operation under the old name is not known")
        return ScarfError("not sent: an operation on the same package did not succeed")

    def _enqueue(self, unit: int, operation: Operation, workers: TaskGroup) -> None:
        self.looks.ready(operation)
        is_open = operation.call.effect is Effect.CREATES and self.outcomes.known(operation.index).open
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
        """Return the next unit that is ready; None: nothing more is handed out."""
        try:
            try:
                unit = self.units.receive_nowait()
            except anyio.WouldBlock:
                # Which gives the turn away each time, so it is for a queue that is empty.
                unit = await self.units.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            return None
        # It may have been closed since this one was on its way here.
        return None if self.closed else unit

    def _close(self) -> None:
        """Hand out nothing more."""
        self.closed = True
        self.ready.close()
        self.units.close()

    # Carrying out

    async def _work(self, workers: TaskGroup) -> None:
        while (unit := await self._next()) is not None:
            try:
                await self._carry_out(unit)
            except _FATAL as error:
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
        first = self.plan[places[0]]
        sync = self._goes_to_disk_first(unit, first.call)
        try:
            package = self._package(first)
        except ValidationError as nowhere:
            self._refuse(places, nowhere)
            return
        route = self.schedule.joined.get(places[0])
        if route is not None and route in places:
            await self._create_with_route(places[0], route, sync=sync)
            return
        if package is not None and isinstance(first.call, SetPermission):
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
        member = first.call if isinstance(first.call, UpsertMember) else None
        if self.full and member is not None and await self._is_full(member):
            error = ScarfError("not sent: the organization takes no further members")
            self.outcomes.settle(places, "skipped", error=error, write=False)
            return
        refusal = await self._attempt(places, package=package, sync=sync)
        if refusal is not None:
            self._refuse(places, refusal)
            if member is not None and isinstance(refusal, APIError) and refusal.code in _NO_MORE_MEMBERS:
                await self._take_no_more_members(member.organization)

    def _goes_to_disk_first(self, unit: int, call: Call) -> bool:
        """Tell whether the journal must be on the disk before the request leaves.

        A create must not be sent again without looking. And what changes or deletes must not be on the service
        while the journal has lost the create before it, which would then look for something that is no more;
        nor be lost itself where others wait for it, since a second delete or renaming is refused.
        """
        if call.effect in {Effect.CREATES, Effect.SETS}:
            return call.effect is Effect.CREATES
        renames = isinstance(call, UpdateOrganization) and call.renames
        return renames or bool(self.schedule.waits[unit] or self.schedule.followers.get(unit))

    async def _create_with_route(self, place: int, route: int, *, sync: bool) -> None:
        """Send a package and its first route in one request, and settle both."""
        done = await self._try((place, route), package=None, sync=sync)
        attempts = done.work.writes
        if done.failure is not None:
            if done.status != "failed":
                self._settle((place, route), done)
                return
            self._refuse((place,), done.failure)
            error = ScarfError(f"{self.plan[place]} did not succeed")
            self.outcomes.settle((route,), "skipped", error=error, attempts=attempts, write=attempts > 0)
            return
        self._settle((place,), done)
        try:
            package = self._package(self.plan[route])
        except ValidationError as nowhere:
            self._refuse((route,), nowhere)
            return
        assert package is not None  # noqa: S101 # a route is on one
        if done.work.unchanged or done.work.reconciled:
            # What is there may have been created with it, or without.
            refusal = await self._attempt((route,), package=package, sync=True, is_open=done.work.reconciled)
            if refusal is not None:
                self._refuse((route,), refusal)
            return
        await self._read_route(route, package, attempts)

    async def _read_route(self, place: int, package: PackageKey, attempts: int) -> None:
        """Settle a route that was created with its package: the one among the routes that equals it."""
        call = self.plan[place].call
        assert isinstance(call, CreateRoute)  # noqa: S101 # as the schedule says
        creation = self.session.dialect.create_route(package, call.route)
        work = self._begin(())
        session = self.session.serving(work)
        found: Found[Route] = Found()
        failure: ScarfError | None = None
        try:
            found = await session.run(creation.look(session.look_context(sent=True)))
        except _FATAL:
            raise
        except ScarfError as error:
            failure = error
        finally:
            self.outcomes.requests += work.requests
        if found.equal is not None:
            self.outcomes.settle((place,), "succeeded", result=found.equal, attempts=attempts)
            return
        unknown = unconfirmed(creation.request, call.route, failure)
        self.outcomes.settle((place,), "unknown", error=unknown, attempts=attempts)
        self._consider_stopping(failure or unknown)

    async def _set_permission(self, places: Sequence[int], package: PackageKey, *, sync: bool) -> None:
        """Send a permission by itself, unless its package has shown to have none."""
        if (known := self.unpermitted.get(package.id)) is not None:
            self.outcomes.settle(places, "failed", error=known)
            return
        refusal = await self._attempt(places, package=package, sync=sync)
        if refusal is None:
            outcome = self.outcomes.by_place[places[0]]
            if outcome is not None and outcome.status == "succeeded":
                self.permitted.add(package.id)
            return
        if isinstance(refusal, APIError) and refusal.status in {403, 404, 422} and package.id not in self.permitted:
            reason = await self._package_refused(package)
            if reason is None:
                self.permitted.add(package.id)
            else:
                self.unpermitted[package.id] = refusal
                for note in getattr(reason, "__notes__", ()):
                    if note not in getattr(refusal, "__notes__", ()):
                        refusal.add_note(note)
        self._refuse(places, refusal)

    async def _attempt(
        self, places: Sequence[int], *, package: PackageKey | None, sync: bool, is_open: bool = False
    ) -> ScarfError | None:
        """Send the request of some operations; settle it, or return the service's refusal."""
        done = await self._try(places, package=package, sync=sync, is_open=is_open)
        if done.status == "failed":
            return done.failure
        self._settle(places, done)
        return None

    async def _try(
        self, places: Sequence[int], *, package: PackageKey | None, sync: bool, is_open: bool = False
    ) -> _Done:
        """Send the request of some operations; return what became of it.

        Args:
            places: the operations.
            package: what they are on.
            sync: whether the journal must be on the disk before.
            is_open: whether this run may have sent it in another request.
        """
        work = self._begin(places, package=package, sync=sync, is_open=is_open)
        result: object = None
        failure: ScarfError | None = None
        try:
            calls = [self.schedule.calls.get(place, self.plan[place].call) for place in places]
            result = await perform(self.session.serving(work), calls, package)
        except (*_FATAL, JournalError) as error:
            if not isinstance(error, JournalError):
                raise
            self._stop(str(error))
            failure = StoppedError(f"not sent: {error}")
        except ScarfError as error:
            failure = error
        finally:
            self.outcomes.requests += work.requests
        course = work.course
        if work.writes:
            self.looks.made(self.plan[places[0]], package)
        elif failure is None and not work.reconciled:
            # What was asked for is there; an earlier run that sent it may have made it so.
            work.reconciled, work.unchanged = work.open, not work.open
        status = _status_of(failure, ambiguous=course.ambiguous if course is not None else work.open)
        if status == "failed" and isinstance(failure, APIError | TransportError):
            # Of an operation, which may be several requests.
            failure.attempts = work.writes
        return _Done(work, status, result, failure)

    def _settle(self, places: Sequence[int], done: _Done) -> None:
        work, status, failure = done.work, done.status, done.failure
        self.outcomes.settle(
            places,
            status,
            result=done.result,
            error=failure,
            attempts=work.writes,
            reconciled=work.reconciled,
            unchanged=work.unchanged,
            write=work.writes > 0 or status != "skipped",
        )
        if status == "unknown" and failure is not None:
            self._consider_stopping(failure)

    def _begin(
        self,
        places: Sequence[int],
        *,
        package: PackageKey | None = None,
        sync: bool = False,
        is_open: bool = False,
    ) -> Work:
        before_send = partial(self.outcomes.before_send, places, sync=sync)
        known = self.outcomes.open_among(places)
        if is_open and not known:
            return Work(self.pacer, self.shared, before_send, open=True)
        if not known:
            looks_from = self.looks.since(self.plan[places[0]], package) if places else None
            return Work(self.pacer, self.shared, before_send, looks_from=looks_from)
        opened = [entry.opened_at for entry in known if entry.opened_at is not None]
        return Work(
            self.pacer,
            self.shared,
            before_send,
            open=True,
            open_since=since(min(opened), self.clock) if opened else None,
            looks_from=self.looks_from if self.plan[places[0]].call.effect is Effect.CREATES else None,
        )

    def _refuse(self, places: Sequence[int], refusal: ScarfError) -> None:
        self.outcomes.settle(places, "failed", error=refusal, attempts=getattr(refusal, "attempts", 0))
        self._consider_stopping(refusal)

    async def _package_refused(self, package: PackageKey) -> ScarfError | None:
        work = self._begin(())
        session = self.session.serving(work)
        try:
            return await session.read(session.dialect.permissions_refusal(package))
        except _FATAL:
            raise
        except ScarfError:
            # It does not tell: the entries are tried one by one.
            return None
        finally:
            self.outcomes.requests += work.requests

    def _package(self, operation: Operation) -> PackageKey | None:
        """Return the package that an operation is on.

        Raises:
            ValidationError: the service gave it an id that nothing can be sent to.
        """
        if not isinstance(operation.call, OnPackage):
            return None
        package = operation.call.package
        if isinstance(package, Ref):
            outcome = self.outcomes.by_place[package.index]
            made = outcome.result if outcome is not None else None
            assert isinstance(made, Package)  # noqa: S101 # a unit is released when what it needs has succeeded
            key = made.key
        else:
            key = PackageKey(self.schedule.owners.get(package.id), package.id)
        owner = self.session.dialect.owner_of(key)
        if owner is None:
            return key
        for renaming in self.renamings:
            call = renaming.call
            if isinstance(call, UpdateOrganization) and self.outcomes.succeeded[renaming.index]:
                is_its = organization_key(call.name) == organization_key(owner)
                owner = call.organization.name if is_its else owner
        return PackageKey(owner, key.id)

    # Stopping

    def _stop(self, reason: str) -> None:
        self.pacer.stop(reason)
        self._close()

    def _consider_stopping(self, failure: ScarfError) -> None:
        if isinstance(failure, AuthenticationError):
            self._stop(f"the token is refused: {failure}")
        elif self.on_failure == "stop":
            self._stop(f"on_failure='stop': {failure}")

    async def _is_full(self, member: UpsertMember) -> bool:
        members = self.full.get(organization_key(member.organization))
        if members is None:
            return False
        # Its members are being read maybe; whoever is one of them can still be changed.
        await asyncio.wait([members])
        return user_key(member.username) not in members.result()

    async def _take_no_more_members(self, organization: str) -> None:
        """Let only those be changed who are members: the service takes no further ones."""
        key = organization_key(organization)
        if key in self.full:
            return
        names: frozenset[str] = frozenset()
        read = self.full[key] = asyncio.get_running_loop().create_future()
        work = self._begin(())
        try:
            members = await Members(self.session.serving(work)).list(organization)
            names = frozenset(user_key(member.username) for member in members)
        except _FATAL:
            raise
        except ScarfError:
            return
        finally:
            read.set_result(names)
            self.outcomes.requests += work.requests


def _status_of(failure: ScarfError | None, *, ambiguous: bool) -> Status:
    if failure is None:
        return "succeeded"
    if isinstance(failure, OutcomeUnknownError | WriteConfirmedError):
        return "unknown"
    # An attempt that may have taken effect leaves it open, unless the service then said a plain no.
    passing = isinstance(failure, APIError) and is_passing(failure.status)
    if isinstance(failure, StoppedError):
        return "unknown" if ambiguous else "skipped"
    return "unknown" if ambiguous and (isinstance(failure, TransportError) or passing) else "failed"
