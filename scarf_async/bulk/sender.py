"""Sends the operations of a run, and records their results, failures and unknown outcomes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Final

import attrs

from scarf_async.bulk.calls import CALLS, UpdateOrganization
from scarf_async.bulk.kinds import ANY_PACKAGE, Call, Creates, Effect, Kind, OnPackage, Ref
from scarf_async.bulk.looks import Looks
from scarf_async.bulk.operations import Plan
from scarf_async.bulk.outcomes import Outcomes, since
from scarf_async.bulk.parts import CreateRoute
from scarf_async.bulk.report import Status
from scarf_async.bulk.schedule import Schedule
from scarf_async.clock import Clock
from scarf_async.entities import Package, PackageKey, Route
from scarf_async.errors import (
    APIError,
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
from scarf_async.names import organization_key
from scarf_async.protocol.looking import Found
from scarf_async.protocol.messages import is_passing, unconfirmed
from scarf_async.sending.pacing import AdaptivePacer, StoppedError
from scarf_async.sending.session import Session
from scarf_async.sending.sharing import SharedReads
from scarf_async.sending.turns import Work

__all__ = ["FATAL", "Sender"]

# These are not failures of an operation: they end the whole run.
FATAL: Final = (ClientClosedError, WrongEventLoopError, ReadOnlyError)


@attrs.define(eq=False)
class _Done:
    """The outcome of a request. Not frozen, since that would slow down every request."""

    work: Work
    status: Status
    result: object
    failure: ScarfError | None


@attrs.define(eq=False)
class Sender:
    """Sends operations of a run and records their outcomes."""

    session: Session
    plan: Plan
    schedule: Schedule
    outcomes: Outcomes
    pacer: AdaptivePacer
    clock: Clock = attrs.field(init=False)
    shared: SharedReads[object] = attrs.field(init=False)
    looks_from: float = attrs.field(init=False)
    looks: Looks = attrs.field(init=False)
    permitted: set[str] = attrs.field(factory=set, init=False)
    unpermitted: dict[str, APIError] = attrs.field(factory=dict, init=False)
    renamings: list[int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.clock = self.session.transport.clock
        self.shared = SharedReads(self.clock)
        self.looks_from = self._looks_from()
        by_kind = self.schedule.by_kind
        creates = chain.from_iterable(by_kind[kind] for kind in by_kind if issubclass(CALLS[kind], Creates))
        self.looks = Looks(self.plan, creates, self.clock)
        self.renamings = [
            place
            for place in by_kind.get(Kind.UPDATE_ORGANIZATION, ())
            if isinstance(call := self.plan.calls[place], UpdateOrganization) and call.renames
        ]

    def _looks_from(self) -> float:
        """Return the time from which creates that an earlier run left open are looked up.

        Before that, a request may still be in flight, so a lookup that finds nothing proves nothing. All of them
        share one time, so that one read of a list serves them all.
        """
        now = self.clock.monotonic()
        known = self.outcomes.journal.known if self.outcomes.journal is not None else {}
        sent = [
            entry.intended_at
            for place, entry in known.items()
            if entry.open and entry.intended_at is not None and self.plan.calls[place].effect is Effect.CREATES
        ]
        times = [now if (time := since(at, self.clock)) is None else time for at in sent]
        return max(times) + self.session.attempts.timeout if times else now

    @abstractmethod
    def _stop(self, reason: str) -> None:
        """Stop the run: start nothing new."""

    @abstractmethod
    def _consider_stopping(self, failure: ScarfError) -> None:
        """Stop the run if a failure requires it."""

    async def _create_with_route(self, place: int, route: int, *, sync: bool) -> None:
        """Send a package and its first route in one request, and settle both operations."""
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
            package = self._package(self.plan.calls[route])
        except ValidationError as nowhere:
            self._refuse((route,), nowhere)
            return
        assert package is not None  # noqa: S101 # a route always has one
        if done.work.unchanged or done.work.reconciled:
            # The existing package may have been created with or without the route.
            refusal = await self._attempt((route,), package=package, sync=True, is_open=done.work.reconciled)
            if refusal is not None:
                self._refuse((route,), refusal)
            return
        await self._read_route(route, package, attempts)

    async def _read_route(self, place: int, package: PackageKey, attempts: int) -> None:
        """Settle a route that was created with its package, with the listed route that equals it."""
        call = self.plan.calls[place]
        assert isinstance(call, CreateRoute)  # noqa: S101 # as the schedule says
        creation = self.session.dialect.create_route(package, call.route)
        work = self._begin(())
        session = self.session.serving(work)
        found: Found[Route] = Found()
        failure: ScarfError | None = None
        try:
            found = await session.run(creation.look(session.look_context(sent=True)))
        except FATAL:
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
        """Send a single permission, unless its package has already been refused."""
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
        """Send the request of some operations; settle them, or return the service's refusal."""
        done = await self._try(places, package=package, sync=sync, is_open=is_open)
        if done.status == "failed":
            return done.failure
        self._settle(places, done)
        return None

    async def _try(
        self, places: Sequence[int], *, package: PackageKey | None, sync: bool, is_open: bool = False
    ) -> _Done:
        """Send the request of some operations; return its outcome.

        Args:
            places: the operations.
            package: the package that they act on.
            sync: whether the journal must be synced first.
            is_open: whether this run may already have sent it in another request.
        """
        work = self._begin(places, package=package, sync=sync, is_open=is_open)
        result: object = None
        failure: ScarfError | None = None
        try:
            planned, adapted = self.plan.calls, self.schedule.calls
            calls = [adapted.get(place, planned[place]) for place in places]
            result = await calls[0].perform(self.session.serving(work), package or ANY_PACKAGE, calls)
        except (*FATAL, JournalError) as error:
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
            self.looks.made(places[0], package)
        elif failure is None and not work.reconciled:
            # The requested state exists already; an earlier run that sent the request may have created it.
            work.reconciled, work.unchanged = work.open, not work.open
        status = _status_of(failure, ambiguous=course.ambiguous if course is not None else work.open)
        if status == "failed" and isinstance(failure, APIError | TransportError):
            # Count the attempts of the operation, which may consist of several requests.
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
            looks_from = self.looks.since(places[0], package) if places else None
            return Work(self.pacer, self.shared, before_send, looks_from=looks_from)
        opened = [entry.opened_at for entry in known if entry.opened_at is not None]
        return Work(
            self.pacer,
            self.shared,
            before_send,
            open=True,
            open_since=since(min(opened), self.clock) if opened else None,
            looks_from=self.looks_from if self.plan.calls[places[0]].effect is Effect.CREATES else None,
        )

    def _refuse(self, places: Sequence[int], refusal: ScarfError) -> None:
        self.outcomes.settle(places, "failed", error=refusal, attempts=getattr(refusal, "attempts", 0))
        self._consider_stopping(refusal)

    async def _package_refused(self, package: PackageKey) -> ScarfError | None:
        work = self._begin(())
        session = self.session.serving(work)
        try:
            return await session.read(session.dialect.permissions_refusal(package))
        except FATAL:
            raise
        except ScarfError:
            # The read does not tell, so the entries are tried one by one.
            return None
        finally:
            self.outcomes.requests += work.requests

    def _package(self, call: Call) -> PackageKey | None:
        """Return the package that a call acts on.

        Raises:
            ValidationError: the service gave it an id that cannot be part of a URL.
        """
        if not isinstance(call, OnPackage):
            return None
        package = call.package
        if isinstance(package, Ref):
            outcome = self.outcomes.by_place[package.index]
            made = outcome.result if outcome is not None else None
            assert isinstance(made, Package)  # noqa: S101 # a unit is released after its needs have succeeded
            key = made.key
        else:
            key = _owned(package, self.schedule.owners.get(package.id))
        owner = self.session.dialect.owner_of(key)
        if owner is None:
            return key
        for place in self.renamings:
            renaming = self.plan.calls[place]
            if isinstance(renaming, UpdateOrganization) and self.outcomes.succeeded[place]:
                is_its = organization_key(renaming.name) == organization_key(owner)
                owner = renaming.organization.name if is_its else owner
        return _owned(key, owner)


def _owned(package: PackageKey, owner: str | None) -> PackageKey:
    return package if package.owner == owner else PackageKey(owner, package.id)


def _status_of(failure: ScarfError | None, *, ambiguous: bool) -> Status:
    if failure is None:
        return "succeeded"
    if isinstance(failure, OutcomeUnknownError | WriteConfirmedError):
        return "unknown"
    # An attempt that may have taken effect leaves the outcome unknown, unless the service then refused the request.
    passing = isinstance(failure, APIError) and is_passing(failure.status)
    if isinstance(failure, StoppedError):
        return "unknown" if ambiguous else "skipped"
    return "unknown" if ambiguous and (isinstance(failure, TransportError) or passing) else "failed"
