"""One operation of a bulk run: its context, and its turn at the rate of the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from scarf_async.clock import Clock
from scarf_async.protocol.messages import Answer, Lost, Request, Verdict, is_refusal, judge, retry_after
from scarf_async.sending.attempts import Attempts
from scarf_async.sending.pacing import AdaptivePacer
from scarf_async.sending.retry import Course
from scarf_async.sending.sharing import SharedReads

__all__ = ["Work"]

T = TypeVar("T")


class Work(msgspec.Struct, eq=False):
    """The context of one operation of a bulk run, and what is known about it afterwards.

    Attributes:
        pacer: the pacer of its run. A refusal then adjusts the rate and does not count as an attempt.
        shared: reads that the operations of the run share.
        before_send: called each time before a write is sent; an awaitable that it returns is awaited first.
        open: whether an earlier run sent it without learning its outcome.
        open_since: when that was first, by the client's clock; None if unknown.
        looks_from: the earliest start of a read of the run that serves to look it up; None if it needs a new read.
        looked_at: when the last read that it used started.
        requests: the number of requests sent, including retries, lookups and reads.
        writes: the number of writes sent; in some versions an operation has several.
        course: the state of its last write.
        reconciled: whether its outcome was recovered by a lookup rather than a response.
        unchanged: whether nothing was sent, since the requested state already existed.
    """

    pacer: AdaptivePacer
    shared: SharedReads[object]
    before_send: Callable[[], Awaitable[None] | None]
    open: bool = False
    open_since: float | None = None
    looks_from: float | None = None
    looked_at: float = 0.0
    requests: int = 0
    writes: int = 0
    course: Course | None = None
    reconciled: bool = False
    unchanged: bool = False

    def begin(self, clock: Clock) -> Course:
        """Start the write of the operation; an earlier run may already have sent it."""
        self.course = Course(clock, started=self.open_since, ambiguous=self.open)
        return self.course

    @property
    def _unsettled(self) -> bool:
        """Whether the write was sent. Reads for building it again, or for looking it up, are then not progress."""
        return self.course is not None and (self.course.sends > 0 or self.course.ambiguous)

    async def send(
        self, attempts: Attempts, request: Request[T], course: Course, *, once: bool = False
    ) -> Answer | Lost:
        """Send a request at the rate of the run, and repeat it while the service pushes back.

        Args:
            attempts: makes single attempts.
            request: the request.
            course: the state that the attempts share.
            once: whether to return after a refusal, since the request has to be built again.
        """
        pacer = self.pacer
        reading = request.endpoint.reads
        while True:
            if course.sends:
                await pacer.afford(attempts.budget.take)
            ticket = pacer.pass_at_once(looking=reading)
            if ticket is None:
                ticket = await pacer.turn(looking=reading)
            sent = course.sends
            try:
                if not reading and (synced := self.before_send()) is not None:
                    await synced
                outcome = await attempts.send(request, course, pacer.patience)
            except BaseException:
                pacer.undecided()
                raise
            finally:
                self.requests += course.sends - sent
                self.writes += 0 if reading else course.sends - sent
            if not is_refusal(outcome):
                if isinstance(outcome, Answer):
                    pacer.succeeded(progress=not (reading and self._unsettled))
                else:
                    pacer.undecided()
                return outcome
            pacer.refused(ticket, retry_after(outcome.headers) if isinstance(outcome, Answer) else None)
            course.spare()
            # Return a request that may have taken effect to the call, which may need a lookup first.
            if once or course.ambiguous or judge(request.endpoint.resend, outcome) is not Verdict.AGAIN:
                return outcome
            attempts.announce(request, outcome, course.sends, 0.0)
