"""A view of the client: carries out calls, shares reads, and refuses writes if it is read-only."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import msgspec

from scarf_async.dialects import Dialect, dialect_of
from scarf_async.errors import APIError, DecodeError, ReadOnlyError, ScarfError, TransportError
from scarf_async.http.transport import Transport
from scarf_async.protocol.messages import Addressed, Answer, Lost, Request, Resend, Verdict, decode, judge
from scarf_async.protocol.steps import LookContext, Read, Rewrite, Steps
from scarf_async.sending.attempts import Attempts
from scarf_async.sending.downloads import Downloads
from scarf_async.sending.retry import Course, RetryPolicy
from scarf_async.sending.turns import Work

__all__ = ["Session"]

T = TypeVar("T")
O = TypeVar("O")  # noqa: E741 # an outcome


class Session(msgspec.Struct, frozen=True, eq=False):
    """A view of the client with its own policy.

    Attributes:
        attempts: makes attempts and retries.
        dialect: the dialect of the API version.
        read_only: whether only GET, HEAD and searches are allowed.
        work: the operation of a bulk run that it serves, if any.
        owner: the default owner for v2 and v3 calls that do not name one.
    """

    attempts: Attempts
    dialect: Dialect
    read_only: bool = False
    work: Work | None = None
    owner: str | None = None

    def of_owner(self, owner: str | None) -> Session:
        """Return a view with another default owner."""
        dialect = dialect_of(self.transport.settings.api, owner)
        return msgspec.structs.replace(self, dialect=dialect, owner=owner)

    def __repr__(self) -> str:
        return f"<Session {self.transport.settings.shown}>"

    @property
    def transport(self) -> Transport:
        """The transport that sends requests."""
        return self.attempts.transport

    @property
    def retry(self) -> RetryPolicy:
        """The retry policy."""
        return self.attempts.retry

    @property
    def downloads(self) -> Downloads:
        """The parts of the client that exports need."""
        return Downloads(self.attempts, self.run, self.owner)

    @property
    def server(self) -> str:
        """The URL that its calls go to.

        Raises:
            ConfigurationError: the client only has the URL of another version.
        """
        return self.transport.settings.root(self.dialect.version)

    def serving(self, work: Work) -> Session:
        """Return a view for one operation of a bulk run."""
        return msgspec.structs.replace(self, work=work)

    def course(self, request: Addressed[T]) -> Course:
        """Start a call."""
        clock = self.attempts.transport.clock
        if self.work is None or request.endpoint.reads:
            return Course(clock)
        return self.work.begin(clock)

    @property
    def resuming(self) -> bool:
        """Whether an earlier run sent the write without learning its outcome."""
        return self.work is not None and self.work.open

    async def settle(self) -> None:
        """Wait until another lookup can tell whether an absent entity will stay absent."""
        settle, work = self.retry.settle, self.work
        if work is None or work.looks_from is None:
            await self.transport.sleep(settle)
            return
        # Other operations may have looked again in the meantime.
        work.looks_from = work.looked_at + settle
        await self.transport.sleep(max(0.0, work.looks_from - self.transport.clock.monotonic()))

    def looked(self) -> None:
        """Accept only reads from now on."""
        if self.work is not None:
            self.work.looks_from = None

    def look_context(self, age: Callable[[], float] | None = None, *, sent: bool = False) -> LookContext:
        """Return the context for looking up a create, with the time since it was sent."""
        return LookContext(age, in_bulk=self.work is not None, sent=sent)

    def reconciled(self) -> None:
        """Record that the outcome of the write was recovered by a lookup."""
        if self.work is not None:
            self.work.reconciled = True

    def unchanged(self) -> None:
        """Record that there was nothing to do."""
        if self.work is not None:
            self.work.unchanged = True

    def attempt(self, request: Request[T] | Rewrite[T], course: Course) -> Awaitable[Answer | Lost]:
        """Send a request once. In a bulk run, wait for its turn, and retry it while the service pushes back.

        A request that has to be built is built first.

        Raises:
            ReadOnlyError: it is a write, and this view is read-only.
            ClientClosedError: the client was closed.
        """
        if self.read_only and not request.endpoint.reads:
            raise ReadOnlyError(f"{request.endpoint.name} was not sent: this client is read-only")
        if isinstance(request, Rewrite):
            return self._rewrite(request, course)
        if self.work is None:
            return self.attempts.send(request, course)
        return self.work.send(self.attempts, request, course)

    async def _rewrite(self, rewrite: Rewrite[T], course: Course) -> Answer | Lost:
        request = await self.run(rewrite.make())
        if self.work is None:
            return await self.attempts.send(request, course)
        # By the end of a refusal, earlier reads are outdated.
        return await self.work.send(self.attempts, request, course, once=True)

    def persist(
        self,
        request: Addressed[T],
        course: Course,
        attempt: Callable[[], Awaitable[O]],
        *,
        first: O | None = None,
        reserve: Callable[[], float] = lambda: 0.0,
    ) -> Awaitable[O]:
        """Make attempts at a call until one is final; see `Attempts.persist`."""
        paced = self.work is not None
        return self.attempts.persist(request, course, attempt, first=first, reserve=reserve, paced=paced)

    async def run(self, steps: Steps[T]) -> T:
        """Carry out a call and return its result.

        Raises:
            APIError: the service returned an error.
            TransportError: no complete response arrived.
            DecodeError: a response does not have the documented form.
        """
        try:
            wanted = next(steps)
            while True:
                failure: ScarfError | None = None
                try:
                    given = await (self.read(wanted) if isinstance(wanted, Read) else self.send(wanted))
                except (APIError, TransportError, DecodeError) as error:
                    failure = error
                # Raise outside the block above, so that this does not become the context of the call's own error.
                wanted = steps.send(given) if failure is None else steps.throw(failure)
        except StopIteration as end:
            value: T = end.value
            return value

    async def read(self, read: Read[T]) -> T:
        """Carry out a read, or share one with another operation of the same run.

        Raises:
            APIError: the service returned an error.
            TransportError: no complete response arrived.
            DecodeError: a response does not have the documented form.
        """
        work = self.work
        if work is None:
            if read.request is not None:
                # A shortcut for its steps, which would take longer.
                return decode(read.request, await self.send(read.request))
            return await self.run(read.steps())
        since = -math.inf if read.lasting else work.looks_from
        shared = await work.shared.read((self.server, read.key), lambda: self.run(read.steps()), since=since)
        if not read.lasting:
            work.looked_at = shared.began
        # Reads with equal keys always have the same steps.
        return cast(T, shared.result)

    async def send(self, request: Request[T] | Rewrite[T]) -> Answer:
        """Send a request with retries; return the successful response.

        For a DELETE that was sent before without a response, a 404 is a success too.

        Raises:
            APIError: the service returned an error.
            TransportError: no complete response arrived.
        """
        course = self.course(request)
        outcome = await self.attempt(request, course)
        if isinstance(outcome, Answer) and judge(request.endpoint.resend, outcome) is Verdict.SUCCESS:
            return outcome
        outcome = await self.persist(request, course, lambda: self.attempt(request, course), first=outcome)
        if isinstance(outcome, Answer):
            if judge(request.endpoint.resend, outcome) is Verdict.SUCCESS:
                return outcome
            if request.endpoint.resend is Resend.DELETE and outcome.status == 404 and course.ambiguous:
                return outcome
        raise self.attempts.failure(request, outcome, course)
