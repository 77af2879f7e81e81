"""Attempts at a call: their outcomes, effects on the client, and retries."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from yarl import URL

from scarf_async.errors import APIError, TransportError
from scarf_async.events import Hook, RequestFinished, RequestStarted, RetryScheduled, ScarfEvent, Throttled
from scarf_async.http.transport import Download, Transport
from scarf_async.protocol.messages import (
    Addressed,
    Answer,
    Lost,
    Request,
    Resend,
    Verdict,
    error_of,
    is_refusal,
    judge,
    retry_after,
)
from scarf_async.sending.retry import BUDGET_NOTE, Course, RetryBudget, RetryPolicy, persist

__all__ = ["Attempts", "shown_as"]

_log = logging.getLogger("scarf_async")

T = TypeVar("T")
O = TypeVar("O")  # noqa: E741 # an outcome
A = TypeVar("A", bound=Answer | Download | Lost)


class Attempts(msgspec.Struct, frozen=True, eq=False):
    """Makes attempts with the policy of one view.

    Attributes:
        transport: sends single requests; shared by all views, like `budget` and `notices`.
        budget: the retry budget of the client.
        notices: the hook for events.
        retry: the retry policy.
        timeout: seconds for one attempt of an ordinary call.
    """

    transport: Transport
    budget: RetryBudget
    notices: Hook[ScarfEvent]
    retry: RetryPolicy
    timeout: float

    def url(self, request: Request[T]) -> URL:
        """Return the URL of a request, exactly as it is sent.

        Raises:
            ConfigurationError: the client only has the URL of another version.
        """
        return self.transport.settings.address(request.endpoint.version, request.target)

    async def send(self, request: Request[T], course: Course, patience: float | None = None) -> Answer | Lost:
        """Send a request of an ordinary call once.

        Args:
            request: the request.
            course: the state that the call's attempts share.
            patience: the longest pause that the service may ask for; None for the rest of the policy's time.
        """
        url = address = self.url(request)
        began = self._begin(request, course)
        if request.is_linked:
            url = address.with_query(None)
        try:
            outcome = await self.transport.send(
                request.endpoint.method,
                address,
                request.body,
                content=request.endpoint.content,
                timeout=self.timeout,
                on_send=course.sending,
            )
        except BaseException as error:
            self._tell(request, error, course, url=url, began=began)
            raise
        if request.is_linked:
            outcome = shown_as(outcome, str(url))
        self._note(request, outcome, course, url=url, began=began, patience=patience)
        return outcome

    async def open(
        self, request: Request[None], course: Course, follow: Callable[[URL], Awaitable[A]], url: URL
    ) -> A:
        """Send the request of an export once, with a function that follows its redirects."""
        began = self._begin(request, course)
        try:
            outcome = await follow(url)
        except BaseException as error:
            self._tell(request, error, course, url=url, began=began)
            raise
        self._note(request, outcome, course, url=url, began=began, patience=None)
        return outcome

    async def persist(
        self,
        request: Addressed[T],
        course: Course,
        attempt: Callable[[], Awaitable[O]],
        *,
        first: O | None = None,
        reserve: Callable[[], float] = lambda: 0.0,
        paced: bool = False,
    ) -> O:
        """Make attempts at a call until one is final. An outcome that is not a response or a lost one always is.

        Args:
            request: the request.
            course: the state that the attempts share.
            attempt: makes one attempt.
            first: the outcome of an attempt that has already been made.
            reserve: seconds that another attempt needs before it may send.
            paced: whether something else limits the retries, and a refusal costs no attempt.
        """

        def least_wait(outcome: O) -> float | None:
            return _least_wait(request, outcome) if isinstance(outcome, Answer | Lost) else None

        return await persist(
            attempt,
            least_wait,
            first=first,
            policy=self.retry,
            budget=None if paced else self.budget,
            course=course,
            sleep=self.transport.sleep,
            reserve=lambda _: reserve(),
            spare=lambda outcome: paced and isinstance(outcome, Answer | Lost) and is_refusal(outcome),
            on_retry=lambda *retry: self.announce(request, *retry, attempts=0 if paced else self.retry.attempts),
        )

    def announce(
        self, request: Addressed[T], outcome: object, attempt: int, delay: float, *, attempts: int = 0
    ) -> None:
        """Report that a request will be retried."""
        if self.notices.wanted:
            reason = f"status {outcome.status}" if isinstance(outcome, Answer) else "no answer"
            detail = outcome.error.args[0] if isinstance(outcome, Lost) else f"the service answered with {reason}"
            self.notices.tell(
                RetryScheduled(
                    endpoint=request.endpoint.name,
                    attempt=attempt,
                    delay=delay,
                    reason=reason,
                    attempts=attempts,
                    detail=detail,
                )
            )

    def failure(self, request: Addressed[T], outcome: Answer | Lost, course: Course) -> APIError | TransportError:
        """Return the error for the last outcome of a call."""
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

    def _begin(self, request: Request[T], course: Course) -> float:
        if course.sends == 0:
            self.budget.first()
        if self.notices.wanted:
            self.notices.tell(RequestStarted(endpoint=request.endpoint.name, attempt=course.sends + 1))
        return self.transport.clock.monotonic()

    def _note(
        self,
        request: Request[T],
        outcome: Answer | Download | Lost,
        course: Course,
        *,
        url: URL,
        began: float,
        patience: float | None,
    ) -> None:
        if self.notices.wanted or _log.isEnabledFor(logging.DEBUG):
            self._tell(request, outcome, course, url=url, began=began)
        if isinstance(outcome, Download) or (isinstance(outcome, Answer) and 200 <= outcome.status < 300):
            return
        # The outcomes after which a create must not simply be sent again are those that may have taken effect.
        course.ambiguous = course.ambiguous or judge(Resend.CREATE, outcome) is Verdict.LOOK
        if isinstance(outcome, Answer) and outcome.status == 429:
            asked = retry_after(outcome.headers)
            if asked and asked <= (course.left(self.retry) if patience is None else patience):
                self.transport.pacer.hold(asked)
                self.notices.tell(Throttled(endpoint=request.endpoint.name, seconds=asked))

    def _tell(
        self,
        request: Request[T],
        outcome: Answer | Download | Lost | BaseException,
        course: Course,
        *,
        url: URL,
        began: float,
    ) -> None:
        name, elapsed = request.endpoint.name, self.transport.clock.monotonic() - began
        ended = outcome.error if isinstance(outcome, Lost) else outcome
        status, error = (None, type(ended).__name__) if isinstance(ended, BaseException) else (ended.status, None)
        _log.debug("%s attempt %d: %s in %.0f ms", name, course.sends, error or status, elapsed * 1000)
        if self.notices.wanted:
            self.notices.tell(
                RequestFinished(
                    endpoint=name,
                    attempt=course.sends,
                    status=status,
                    error=error,
                    elapsed=elapsed,
                    url=str(url),
                )
            )


def shown_as(outcome: A, shown: str) -> A:
    """Return a URL from the service without its query, which may contain a credential."""
    if isinstance(outcome, Answer):
        if outcome.cut is not None:
            outcome.cut.url = shown
        return msgspec.structs.replace(outcome, url=shown)
    if isinstance(outcome, Lost):
        outcome.error.url = shown
    else:
        outcome.url = shown
    return outcome


def _least_wait(request: Addressed[T], outcome: Answer | Lost) -> float | None:
    """Return the minimum seconds before another attempt; None if the outcome is final."""
    verdict = judge(request.endpoint.resend, outcome)
    if verdict is Verdict.SUCCESS or verdict is Verdict.FAILURE:
        return None
    if isinstance(outcome, Lost) and outcome.answered:
        # A create may have taken effect: it is looked up, not sent again.
        return None
    return (retry_after(outcome.headers) or 0.0) if isinstance(outcome, Answer) else 0.0
