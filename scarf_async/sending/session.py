"""A view of the client: carries out calls, shares reads, and refuses writes where it is read-only."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import attrs

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


@attrs.define(eq=False, repr=False)
class Session:
    """A view of the client with its own policy; cheap to make, for which it is not frozen.

    Attributes:
        attempts: makes single attempts, and repeats them.
        dialect: how the version of the service that it calls is spoken.
        read_only: whether everything but GET and HEAD, and a search, is refused.
        work: the operation of a bulk run that it serves, if any.
        owner: the account that is meant where a call of v2 or v3 names none.
    """

    attempts: Attempts
    dialect: Dialect
    read_only: bool = False
    work: Work | None = None
    owner: str | None = None

    def of_owner(self, owner: str | None) -> Session:
        """Return a view that means another account where a call names none."""
        dialect = dialect_of(self.transport.settings.api, owner)
        return attrs.evolve(self, dialect=dialect, owner=owner)

    def __repr__(self) -> str:
        return f"<Session {self.transport.settings.shown}>"

    @property
    def transport(self) -> Transport:
        """What sends single requests."""
        return self.attempts.transport

    @property
    def retry(self) -> RetryPolicy:
        """When to try again."""
        return self.attempts.retry

    @property
    def downloads(self) -> Downloads:
        """What the exports need."""
        return Downloads(self.attempts, self.run, self.owner)

    @property
    def server(self) -> str:
        """The address that its calls go to.

        Raises:
            ConfigurationError: the client was given another version's address only.
        """
        return self.transport.settings.root(self.dialect.version)

    def serving(self, work: Work) -> Session:
        """Return a view for one operation of a bulk run."""
        # Once for each operation: `attrs.evolve` would cost thrice as much.
        return Session(self.attempts, self.dialect, self.read_only, work, self.owner)

    def course(self, request: Addressed[T]) -> Course:
        """Begin a call."""
        clock = self.attempts.transport.clock
        if self.work is None or request.endpoint.reads:
            return Course(clock)
        return self.work.begin(clock)

    @property
    def resuming(self) -> bool:
        """Whether an earlier run sent the write and did not learn what came of it."""
        return self.work is not None and self.work.open

    async def settle(self) -> None:
        """Wait until a further look tells whether what is absent will stay so."""
        settle, work = self.retry.settle, self.work
        if work is None or work.looks_from is None:
            await self.transport.sleep(settle)
            return
        # Others may have looked again by now.
        work.looks_from = work.looked_at + settle
        await self.transport.sleep(max(0.0, work.looks_from - self.transport.clock.monotonic()))

    def looked(self) -> None:
        """Note that from now on only fresh reads count."""
        if self.work is not None:
            self.work.looks_from = None

    def look_context(self, age: Callable[[], float] | None = None, *, sent: bool = False) -> LookContext:
        """Return what is known when a create is looked for that was sent so many seconds ago, if it was."""
        return LookContext(age, in_bulk=self.work is not None, sent=sent)

    def reconciled(self) -> None:
        """Note that the outcome of the write was recovered by reading it back."""
        if self.work is not None:
            self.work.reconciled = True

    def unchanged(self) -> None:
        """Note that there was nothing to do."""
        if self.work is not None:
            self.work.unchanged = True

    def attempt(self, request: Request[T] | Rewrite[T], course: Course) -> Awaitable[Answer | Lost]:
        """Send a request once; in a bulk run when its turn comes, and again while it is refused for the moment.

        What makes its request is made to make it first.

        Raises:
            ReadOnlyError: it would write, and this view may not.
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
        # What was read is old by the time that a refusal is over.
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
        """Make attempts at a call until one is final, as `Attempts.persist`."""
        paced = self.work is not None
        return self.attempts.persist(request, course, attempt, first=first, reserve=reserve, paced=paced)

    async def run(self, steps: Steps[T]) -> T:
        """Carry out a call; return what it gives.

        Raises:
            APIError: the service said no.
            TransportError: no answer came.
            DecodeError: an answer is not what was promised.
        """
        try:
            wanted = next(steps)
            while True:
                failure: ScarfError | None = None
                try:
                    given = await (self.read(wanted) if isinstance(wanted, Read) else self.send(wanted))
                except (APIError, TransportError, DecodeError) as error:
                    failure = error
                # Outside of the block above: what the call raises instead is not to have this as its context.
                wanted = steps.send(given) if failure is None else steps.throw(failure)
        except StopIteration as end:
            value: T = end.value
            return value

    async def read(self, read: Read[T]) -> T:
        """Read something, or share what another operation of the same run reads.

        Raises:
            APIError: the service said no.
            TransportError: no answer came.
            DecodeError: an answer is not what was promised.
        """
        work = self.work
        if work is None:
            if read.request is not None:
                # As its steps would, but for the time that those take.
                return decode(read.request, await self.send(read.request))
            return await self.run(read.steps())
        since = -math.inf if read.lasting else work.looks_from
        shared = await work.shared.read((self.server, read.key), lambda: self.run(read.steps()), since=since)
        if not read.lasting:
            work.looked_at = shared.began
        # One key is always read by the same steps.
        return cast(T, shared.result)

    async def send(self, request: Request[T] | Rewrite[T]) -> Answer:
        """Send a request until it succeeds; return the answer, a 2xx.

        To a DELETE that was sent before without an answer, a 404 is a success too.

        Raises:
            APIError: the service said no.
            TransportError: no answer came.
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
