"""What stands between the resources and the wire: retries, the pause after a 429, read-only views, redirects.

This layer alone sends anything twice.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Container
from typing import Final, TypeVar, cast

import attrs
import msgspec
from yarl import URL

from scarf_async import clock
from scarf_async.dialects import Dialect
from scarf_async.errors import APIError, DecodeError, ExportError, ReadOnlyError, ScarfError, TransportError
from scarf_async.events import (
    Hook,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
    ScarfEvent,
    StreamFinished,
    Throttled,
)
from scarf_async.pacing import AdaptivePacer
from scarf_async.protocol import (
    Answer,
    Lost,
    Request,
    Resend,
    Verdict,
    error_of,
    is_refusal,
    judge,
    printable,
    retry_after,
)
from scarf_async.redirects import REDIRECTS, redirect_target
from scarf_async.retry import BUDGET_NOTE, Course, RetryBudget, RetryPolicy, persist
from scarf_async.settings import is_loopback
from scarf_async.sharing import SharedReads
from scarf_async.steps import LookContext, Read, Steps
from scarf_async.transport import Download, Transport

__all__ = ["Session", "Work"]

_log = logging.getLogger("scarf_async")

T = TypeVar("T")
O = TypeVar("O")  # noqa: E741 # an outcome

_READING: Final = frozenset({"GET", "HEAD"})
_MAX_REDIRECTS: Final = 5
_CUT_EXPORT: Final = "the export was cut off; fetching it again costs another call"


@attrs.define(eq=False)
class Work:
    """What one operation of many brings along, and what is to be known of it afterwards.

    Attributes:
        pacer: the pace of its run. Refusals are then matters of pace: they cost no attempt.
        shared: reads that operations of the run may share.
        organizations: keys of owners that are known to be organizations.
        before_send: called when a write is about to leave, each time; what it returns is to be waited for first.
        open: whether an earlier run sent it without learning what came of it.
        open_since: when that was first, by `clock.monotonic()`; None where it is not known.
        looks_from: reads of the run that began then or later serve to look for it; None: only fresh ones.
        looked_at: when the last read began that it was given.
        requests: everything that was sent: retries, looks and reads included.
        course: how its write went.
        reconciled: whether its outcome was found by looking and not told by an answer.
        unchanged: whether nothing was sent, since what was asked for was there.
    """

    pacer: AdaptivePacer
    shared: SharedReads[object]
    before_send: Callable[[], Awaitable[None] | None]
    organizations: Container[str] = ()
    open: bool = False
    open_since: float | None = None
    looks_from: float | None = None
    looked_at: float = 0.0
    requests: int = 0
    course: Course | None = None
    reconciled: bool = False
    unchanged: bool = False


@attrs.define(eq=False, repr=False)
class Session:
    """A view of the transport with its own policy; cheap to make, for which it is not frozen.

    Attributes:
        transport: sends single requests; shared by all views, like `budget` and `notices`.
        dialect: how the version of the service that it calls is spoken.
        retry: when to try again.
        timeout: seconds for one attempt of an ordinary call.
        read_only: whether everything but GET and HEAD is refused.
        work: the operation of a bulk run that it serves, if any.
    """

    transport: Transport
    dialect: Dialect
    budget: RetryBudget
    notices: Hook[ScarfEvent]
    retry: RetryPolicy
    timeout: float
    read_only: bool = False
    work: Work | None = None

    def __repr__(self) -> str:
        return f"<Session {self.transport.settings.shown}>"

    @property
    def server(self) -> str:
        """The address that its calls go to."""
        return self.server_of(self.dialect.version)

    def server_of(self, version: str) -> str:
        """Return the address of a version.

        Raises:
            ConfigurationError: the client was given another version's address only.
        """
        return self.transport.settings.root(version)

    def serving(self, work: Work) -> Session:
        """Return a view for one operation of a bulk run."""
        # Once for each operation: `attrs.evolve` would cost thrice as much.
        return Session(
            self.transport,
            self.dialect,
            self.budget,
            self.notices,
            self.retry,
            self.timeout,
            self.read_only,
            work,
        )

    def course(self, request: Request[T]) -> Course:
        """Begin a call."""
        course = Course()
        if self.work is not None and request.endpoint.method not in _READING:
            self.work.course = course
            course.started = self.work.open_since
            course.ambiguous = self.work.open
        return course

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
        await self.transport.sleep(max(0.0, work.looks_from - clock.monotonic()))

    def looked(self) -> None:
        """Take down that from now on only fresh reads tell anything."""
        if self.work is not None:
            self.work.looks_from = None

    def look_context(self, age: Callable[[], float] | None = None) -> LookContext:
        """Return what is known when a create is looked for that was sent so many seconds ago, if it was."""
        return LookContext(age, () if self.work is None else self.work.organizations)

    def reconciled(self) -> None:
        """Take down that the outcome of the write was found by looking."""
        if self.work is not None:
            self.work.reconciled = True

    def unchanged(self) -> None:
        """Take down that there was nothing to do."""
        if self.work is not None:
            self.work.unchanged = True

    def url(self, request: Request[T]) -> URL:
        """Return the address of a request, just as it is sent."""
        return self.transport.settings.address(request.endpoint.version, request.target)

    def attempt(self, request: Request[T], course: Course) -> Awaitable[Answer | Lost]:
        """Send a request once, and take down what that tells about the call and the whole client.

        Raises:
            ReadOnlyError: it would write, and this view may not.
            ClientClosedError: the client was closed.
        """
        method = request.endpoint.method
        if self.read_only and method not in _READING:
            raise ReadOnlyError(f"{request.endpoint.name} was not sent: this client is read-only")
        if self.work is None:
            return self._attempt_once(request, course)
        return self._attempt_in_turn(request, course, self.work)

    async def _attempt_once(self, request: Request[T], course: Course) -> Answer | Lost:
        url = self.url(request)
        began = self._begin(request, course)
        try:
            outcome = await self.transport.send(
                request.endpoint.method,
                url,
                request.body,
                timeout=self.timeout,
                on_send=course.sending,
            )
        except BaseException as error:
            self._tell(request, error, course.sends, clock.monotonic() - began)
            raise
        self._note(request, outcome, course, began)
        return outcome

    async def _attempt_in_turn(self, request: Request[T], course: Course, work: Work) -> Answer | Lost:
        """Send a request at the pace of its run, again and again while the service refuses it for the moment."""
        pacer = work.pacer
        reading = request.endpoint.method in _READING
        while True:
            if course.sends:
                await pacer.afford(self.budget.take)
            ticket = pacer.pass_at_once(looking=reading)
            if ticket is None:
                ticket = await pacer.turn(looking=reading)
            sent = course.sends
            try:
                if not reading and (synced := work.before_send()) is not None:
                    await synced
                outcome = await self._attempt_once(request, course)
            except BaseException:
                pacer.undecided()
                raise
            finally:
                work.requests += course.sends - sent
            if not is_refusal(outcome):
                if isinstance(outcome, Answer):
                    # That one can look for what is not settled is no progress.
                    pacer.succeeded(progress=not (reading and work.course and work.course.ambiguous))
                else:
                    pacer.undecided()
                return outcome
            pacer.refused(ticket, retry_after(outcome.headers) if isinstance(outcome, Answer) else None)
            course.spare()
            # What may have taken effect is for the call to see to: it may have to look first.
            if course.ambiguous or judge(request.endpoint.resend, outcome) is not Verdict.AGAIN:
                return outcome
            self._announce(request, outcome, course.sends, 0.0)

    def _begin(self, request: Request[T], course: Course) -> float:
        if course.sends == 0:
            self.budget.first()
        if self.notices.wanted:
            self.notices.tell(RequestStarted(endpoint=request.endpoint.name, attempt=course.sends + 1))
        return clock.monotonic()

    def _note(self, request: Request[T], outcome: Answer | Download | Lost, course: Course, began: float) -> None:
        if self.notices.wanted or _log.isEnabledFor(logging.DEBUG):
            self._tell(request, outcome, course.sends, clock.monotonic() - began)
        if isinstance(outcome, Download) or (isinstance(outcome, Answer) and 200 <= outcome.status < 300):
            return
        # What a create may not simply be sent again after is what may have taken effect.
        course.ambiguous = course.ambiguous or judge(Resend.CREATE, outcome) is Verdict.LOOK
        if isinstance(outcome, Answer) and outcome.status == 429:
            asked = retry_after(outcome.headers)
            may_wait = course.left(self.retry) if self.work is None else self.work.pacer.patience
            if asked and asked <= may_wait:
                self.transport.pacer.hold(asked)
                self.notices.tell(Throttled(endpoint=request.endpoint.name, seconds=asked))

    def _tell(
        self, request: Request[T], outcome: Answer | Download | Lost | BaseException, attempt: int, elapsed: float
    ) -> None:
        name = request.endpoint.name
        ended = outcome.error if isinstance(outcome, Lost) else outcome
        status, error = (None, type(ended).__name__) if isinstance(ended, BaseException) else (ended.status, None)
        _log.debug("%s attempt %d: %s in %.0f ms", name, attempt, error or status, elapsed * 1000)
        if self.notices.wanted:
            self.notices.tell(
                RequestFinished(
                    endpoint=name,
                    attempt=attempt,
                    status=status,
                    error=error,
                    elapsed=elapsed,
                    url=str(self.url(request)),
                )
            )

    def least_wait(self, request: Request[T], outcome: Answer | Lost) -> float | None:
        """Return the seconds to wait before another attempt; None where the outcome is final."""
        verdict = judge(request.endpoint.resend, outcome)
        if verdict is Verdict.SUCCESS or verdict is Verdict.FAILURE:
            return None
        if isinstance(outcome, Lost) and outcome.answered:
            # A create may have taken effect: it is looked for, and never sent again.
            return None
        return (retry_after(outcome.headers) or 0.0) if isinstance(outcome, Answer) else 0.0

    def _announce(self, request: Request[T], outcome: object, attempt: int, delay: float) -> None:
        """Tell that a request will be tried again."""
        if self.notices.wanted:
            reason = f"status {outcome.status}" if isinstance(outcome, Answer) else "no answer"
            self.notices.tell(
                RetryScheduled(endpoint=request.endpoint.name, attempt=attempt, delay=delay, reason=reason)
            )

    async def persist(
        self,
        request: Request[T],
        course: Course,
        attempt: Callable[[], Awaitable[O]],
        *,
        first: O | None = None,
        reserve: Callable[[], float] = lambda: 0.0,
    ) -> O:
        """Make attempts at a call until one is final; what is neither an answer nor a lost one always is.

        Args:
            request: what is sent.
            course: what the attempts share.
            attempt: makes one.
            first: the outcome of one that was made already.
            reserve: seconds that another attempt needs before it may send.
        """

        def least_wait(outcome: O) -> float | None:
            return self.least_wait(request, outcome) if isinstance(outcome, Answer | Lost) else None

        def spare(outcome: O) -> bool:
            return self.work is not None and isinstance(outcome, Answer | Lost) and is_refusal(outcome)

        return await persist(
            attempt,
            least_wait,
            first=first,
            policy=self.retry,
            budget=self.budget if self.work is None else None,
            course=course,
            sleep=self.transport.sleep,
            reserve=lambda _: reserve(),
            spare=spare,
            on_retry=lambda *retry: self._announce(request, *retry),
        )

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
                try:
                    given = await (self.send(wanted) if isinstance(wanted, Request) else self.read(wanted))
                except (APIError, TransportError, DecodeError) as error:
                    wanted = steps.throw(error)
                else:
                    wanted = steps.send(given)
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
            return await self.run(read.steps())
        shared = await work.shared.read(
            (self.server, read.key), lambda: self.run(read.steps()), since=work.looks_from
        )
        work.looked_at = shared.began
        # What the key stands for is always read by the same steps.
        return cast(T, shared.result)

    async def send(self, request: Request[T]) -> Answer:
        """Send a request until it succeeds; return the answer, a 2xx.

        To a DELETE that was sent before without an answer, a 404 is a success too.

        Raises:
            APIError: the service said no.
            TransportError: no answer came.
        """
        course = self.course(request)
        outcome = await self.attempt(request, course)
        if judge(request.endpoint.resend, outcome) is not Verdict.SUCCESS:
            outcome = await self.persist(request, course, lambda: self.attempt(request, course), first=outcome)
        if isinstance(outcome, Answer):
            if judge(request.endpoint.resend, outcome) is Verdict.SUCCESS:
                return outcome
            if request.endpoint.resend is Resend.DELETE and outcome.status == 404 and course.ambiguous:
                return outcome
        raise self.failure(request, outcome, course)

    def failure(self, request: Request[T], outcome: Answer | Lost, course: Course) -> APIError | TransportError:
        """Build the error of a call's last outcome."""
        error: APIError | TransportError
        if isinstance(outcome, Lost):
            error = outcome.error
        elif outcome.cut is not None and 200 <= outcome.status < 300:
            error = outcome.cut
        else:
            error = error_of(request, outcome, attempts=course.sends)
        error.attempts = course.sends
        if course.budget_spent:
            error.add_note(BUDGET_NOTE)
        return error

    @property
    def max_record_bytes(self) -> int:
        """How long one record of an export may be."""
        return self.transport.settings.max_record_bytes

    @property
    def save_attempts(self) -> int:
        """How often an export that is saved is fetched at the most."""
        return self.retry.attempts

    def redact(self, text: str) -> str:
        """Take the token out of what the service said."""
        return self.transport.settings.token.redact(text)

    async def pause(self, request: Request[None], attempt: int) -> None:
        """Say that an export that was cut off is fetched again, and wait."""
        name, delay = request.endpoint.name, self.retry.backoff(attempt)
        _log.warning(
            "%s was cut off: it is fetched again, which costs another call (%d of at most %d)",
            name,
            attempt + 1,
            self.save_attempts,
        )
        self.notices.tell(RetryScheduled(endpoint=name, attempt=attempt, delay=delay, reason=_CUT_EXPORT))
        await self.transport.sleep(delay)

    async def download(self, request: Request[None]) -> Download:
        """Ask for an export, follow its redirects, and return it open; all retries happen here.

        Raises:
            APIError: the service said no.
            TransportError: no answer came; what was sent is not sent again, since exports cost money.
            ExportError: a redirect leads where none may.
            ConfigurationError: the client was given another version's address only.
        """
        course, url = Course(), self.url(request)
        refused: list[ScarfError] = []

        async def attempt() -> Answer | Download | Lost:
            began = self._begin(request, course)
            try:
                outcome = await self._follow(url, course, refused)
            except BaseException as error:
                self._tell(request, error, course.sends, clock.monotonic() - began)
                raise
            self._note(request, outcome, course, began)
            return outcome

        outcome = await self.persist(request, course, attempt)
        if isinstance(outcome, Download):
            if self.notices.wanted:
                outcome.on_close = self._stream_finished(request)
            return outcome
        raise refused[-1] if refused else self.failure(request, outcome, course)

    def _stream_finished(self, request: Request[None]) -> Callable[[Download], None]:
        def tell(download: Download) -> None:
            self.notices.tell(
                StreamFinished(
                    endpoint=request.endpoint.name,
                    bytes_received=download.bytes_received,
                    complete=download.proven,
                )
            )

        return tell

    async def _follow(self, url: URL, course: Course, refused: list[ScarfError]) -> Answer | Download | Lost:
        origin = url.origin()
        for hop in range(_MAX_REDIRECTS + 1):
            # One attempt, however far it is sent on.
            sent = (lambda: None) if hop else course.sending
            outcome = await self.transport.open(url, authorize=url.origin() == origin, on_send=sent)
            if hop:
                outcome = _shown_as(outcome, printable(self.redact(str(url.with_query(None)))))
            if not isinstance(outcome, Answer) or outcome.status not in REDIRECTS:
                return outcome
            target = redirect_target(url, outcome, loopback=is_loopback(origin))
            if isinstance(target, str):
                refusal = self.redact(f"{outcome.status} from {url.origin()}: {target}")
                refused.append(ExportError(printable(refusal)))
                return outcome
            url = target
        refused.append(ExportError(f"{origin} redirected more than {_MAX_REDIRECTS} times"))
        return outcome


def _shown_as(outcome: Answer | Download | Lost, shown: str) -> Answer | Download | Lost:
    """Show an address that was redirected to without its query, which may be all the credential it takes."""
    if isinstance(outcome, Answer):
        return msgspec.structs.replace(outcome, url=shown)
    if isinstance(outcome, Lost):
        outcome.error.url = shown
    else:
        outcome.url = shown
    return outcome
