"""One operation of a bulk run: what it brings along, and its turn in the pace of the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs

from scarf_async.clock import Clock
from scarf_async.protocol.messages import Answer, Lost, Request, Verdict, is_refusal, judge, retry_after
from scarf_async.sending.attempts import Attempts
from scarf_async.sending.pacing import AdaptivePacer
from scarf_async.sending.retry import Course
from scarf_async.sending.sharing import SharedReads

__all__ = ["Work"]

T = TypeVar("T")


@attrs.define(eq=False)
class Work:
    """What one operation of many brings along, and what is to be known of it afterwards.

    Attributes:
        pacer: the pace of its run. Refusals are then matters of pace: they cost no attempt.
        shared: reads that operations of the run may share.
        before_send: called when a write is about to leave, each time; what it returns is to be waited for first.
        open: whether an earlier run sent it without learning what came of it.
        open_since: when that was first, by the client's clock; None where it is not known.
        looks_from: reads of the run that began then or later serve to look for it; None: only fresh ones.
        looked_at: when the last read began that it was given.
        requests: everything that was sent: retries, looks and reads included.
        writes: how often a write was sent; in some versions an operation is several.
        course: how its last write went.
        reconciled: whether its outcome was recovered by a look-up and not told by an answer.
        unchanged: whether nothing was sent, since what was asked for was there.
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
        """Begin the operation's write; an earlier run may have sent it."""
        self.course = Course(clock, started=self.open_since, ambiguous=self.open)
        return self.course

    @property
    def _unsettled(self) -> bool:
        """Whether the write was sent: to read what it is made of again, or to look for it, is not progress."""
        return self.course is not None and (self.course.sends > 0 or self.course.ambiguous)

    async def send(
        self, attempts: Attempts, request: Request[T], course: Course, *, once: bool = False
    ) -> Answer | Lost:
        """Send a request at the pace of the run, again and again while the service refuses it for the moment.

        Args:
            attempts: makes single attempts.
            request: what is sent.
            course: what the attempts share.
            once: whether a refusal ends it too, since the request would have to be made again.
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
            # What may have taken effect is for the call to see to: it may have to look first.
            if once or course.ambiguous or judge(request.endpoint.resend, outcome) is not Verdict.AGAIN:
                return outcome
            attempts.announce(request, outcome, course.sends, 0.0)
