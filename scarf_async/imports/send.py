"""Send batches concurrently, retry only safe ones, and poll each import until it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Final

import attrs
from anyio.to_thread import run_sync

from scarf_async.dialects.v2.bodies import check_id
from scarf_async.dialects.v2.imports import Target, get_import
from scarf_async.dialects.v2.requests import GET_IMPORT
from scarf_async.entities import EventImport
from scarf_async.errors import (
    APIError,
    AuthenticationError,
    DecodeError,
    NotFoundError,
    PermissionDeniedError,
    ScarfError,
    TransportError,
    ValidationError,
)
from scarf_async.events import Hook
from scarf_async.imports.batches import Batch, Fate, fate_of, is_over, pauses
from scarf_async.imports.report import ImportBatch, ImportProgress, ImportReport
from scarf_async.protocol.messages import Answer, Lost, Request, decode_written, retry_after, written_id
from scarf_async.sending.retry import Course
from scarf_async.sending.session import Session
from scarf_async.text import printable

__all__ = ["Sending"]

_log = logging.getLogger("scarf_async")

_FATAL: Final = (AuthenticationError, PermissionDeniedError, NotFoundError)
"""The errors that every other batch would get too."""


@attrs.define(eq=False)
class _Sent:
    """A batch that is being sent.

    Attributes:
        shown: its current report.
        course: the state that its attempts share.
        posting: whether it is about to be sent, or a request in progress may be accepted.
        over: whether its report is final.
    """

    shown: ImportBatch
    course: Course
    posting: bool = True
    over: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether the service may have created an import of it whose id is unknown."""
        return self.shown.id is None and (
            self.shown.status == "unknown" or self.course.ambiguous or (self.posting and self.course.sends > 0)
        )


class Sending:
    """One call to `send`.

    Args:
        session: the session to send with.
        target: the owner, package or pixel of the rows.
        concurrency: the maximum number of batches in progress.
        patience: seconds for which a batch waits while too many imports are active.
        wait: whether to poll imports until they end.
        progress: called when something has changed.
    """

    def __init__(
        self,
        session: Session,
        target: Target,
        *,
        concurrency: int,
        patience: float,
        wait: bool,
        progress: Hook[ImportProgress],
    ) -> None:
        self._session = session
        self._target = target
        self._patience = patience
        self._wait = wait
        self._progress = progress
        self._slots = asyncio.Semaphore(concurrency)
        self._clock = session.transport.clock
        self._began = self._clock.monotonic()
        self._sent: list[_Sent] = []
        self._tasks: dict[asyncio.Task[None], _Sent | None] = {}
        self._ended: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()
        self._stopped = False
        # The totals for `progress`, so that it need not visit all batches each time.
        self._rows = self._over = self._imported = self._failed = self._unknown = 0

    async def run(self, batches: AsyncGenerator[Batch, None]) -> ImportReport:
        """Send all batches.

        Raises:
            APIError: the service refuses all batches with 401, 403 or 404.
            Exception: the error of the source of the rows.
        """
        self._start(self._produce(batches), None)
        try:
            while self._tasks:
                task = await self._ended.get()
                del self._tasks[task]
                task.result()
        except BaseException as error:
            try:
                await self._stop(at_once=isinstance(error, asyncio.CancelledError))
            finally:
                self._log_what_is_known()
            raise
        return ImportReport(batches=[sent.shown for sent in self._sent], elapsed=self._elapsed())

    def _start(self, work: Coroutine[None, None, None], sent: _Sent | None) -> None:
        task = asyncio.create_task(work)
        self._tasks[task] = sent
        task.add_done_callback(self._ended.put_nowait)

    async def _produce(self, batches: AsyncGenerator[Batch, None]) -> None:
        async with aclosing(batches):
            async for batch in batches:
                await self._slots.acquire()
                if self._stopped:
                    return
                shown = ImportBatch(id=None, status="sending", rows=len(batch.lines), too_old=batch.too_old)
                sent = _Sent(shown, Course(self._clock))
                self._sent.append(sent)
                self._rows += shown.rows
                self._start(self._carry(sent, batch), sent)

    async def _carry(self, sent: _Sent, batch: Batch) -> None:
        """Send a batch, and start polling its import."""
        try:
            # This runs while the next batch is read.
            request = self._target.request(await run_sync(batch.packed), resendable=batch.resendable)
            del batch
            self._settle(sent, request, await self._post(sent, request))
        finally:
            self._slots.release()
        if self._wait and not (self._stopped or sent.over):
            # A separate task does not keep the body in memory.
            self._start(self._follow(sent), sent)

    async def _post(self, sent: _Sent, request: Request[EventImport]) -> Answer | Lost:
        """Send a batch until it is accepted, refused or ambiguous; return the last outcome."""
        session, course = self._session, sent.course
        waited, between = 0.0, pauses()
        while True:
            sent.posting = True
            outcome = await session.persist(request, course, lambda: session.attempt(request, course))
            patient = waited < self._patience and not self._stopped
            if fate_of(outcome, ambiguous=course.ambiguous, patient=patient) is not Fate.LATER:
                return outcome
            sent.posting = False
            asked = retry_after(outcome.headers) if isinstance(outcome, Answer) else None
            pause = min(max(next(between), asked or 0.0), self._patience - waited)
            await session.transport.sleep(pause)
            waited += pause
            course.spare()

    def _settle(self, sent: _Sent, request: Request[EventImport], outcome: Answer | Lost) -> None:
        """Record the last outcome of a batch.

        Raises:
            APIError: every other batch would get the same error.
        """
        sent.posting = False
        fate = fate_of(outcome, ambiguous=sent.course.ambiguous, patient=False)
        if fate is Fate.TAKEN and isinstance(outcome, Answer):
            found, import_id = decode_written(request, outcome), written_id(outcome)
            if found is not None:
                self._see(sent, found)
            elif import_id is not None:
                self._change(sent, attrs.evolve(sent.shown, id=import_id, status="importing"), over=False)
            else:
                missing = DecodeError(
                    "the batch was accepted, but the response does not name its import",
                    endpoint=request.endpoint.name,
                    entity="EventImport",
                    path="id",
                )
                self._lose(sent, outcome.cut or missing)
            return
        error = self._session.attempts.failure(request, outcome, sent.course)
        if fate is Fate.UNKNOWN:
            self._lose(sent, error)
            return
        shown = attrs.evolve(sent.shown, status="failed", failed=sent.shown.rows, error=error)
        self._change(sent, shown, over=True)
        if isinstance(error, _FATAL):
            self._stopped = True
            raise error

    async def _follow(self, sent: _Sent) -> None:
        """Poll an import until it ends; if it makes no progress, only until `patience` is over."""
        import_id, doubt = sent.shown.id or "", 0.0
        shown: EventImport | None = None
        failure: ScarfError | None = None
        try:
            look = get_import(self._target.owner, import_id)
        except ValidationError as error:
            # The service returned an id that cannot be part of a URL.
            self._lose(sent, error)
            return
        for pause in pauses():
            await self._session.transport.sleep(pause)
            try:
                shown = await self._session.read(look)
                check_id(GET_IMPORT, shown.id, import_id, effect="")
                self._see(sent, shown)
            except NotFoundError as error:
                shown, failure = None, error
            except (APIError, TransportError, DecodeError) as error:
                self._lose(sent, error)
                return
            if is_over(shown):
                return
            doubt = doubt + pause if is_over(shown) is None else 0.0
            if doubt >= self._patience:
                if shown is None:
                    self._lose(sent, failure)
                else:
                    self._change(sent, sent.shown, over=True)
                return

    def _see(self, sent: _Sent, found: EventImport) -> None:
        """Record the state of an import."""
        rows = sent.shown.rows
        imported = _within(found.events_successfully_imported, rows)
        shown = attrs.evolve(
            sent.shown,
            id=found.id,
            status=found.status or "importing",
            imported=imported,
            failed=_within(found.events_failed_to_import, rows - imported),
            error_sample=found.error_log_sample,
        )
        self._change(sent, shown, over=is_over(found) is True)

    def _lose(self, sent: _Sent, error: ScarfError | None) -> None:
        """Record that the outcome of a batch is unknown."""
        self._change(sent, attrs.evolve(sent.shown, status="unknown", error=error), over=True)

    def _change(self, sent: _Sent, shown: ImportBatch, *, over: bool) -> None:
        self._imported += shown.imported - sent.shown.imported
        self._failed += shown.failed - sent.shown.failed
        self._unknown += shown.unknown - sent.shown.unknown
        self._over += over - sent.over
        sent.shown, sent.over = shown, over
        if self._progress.wanted:
            self._progress.tell(
                ImportProgress(
                    batches=len(self._sent),
                    batches_done=self._over,
                    sent=self._rows,
                    imported=self._imported,
                    failed=self._failed,
                    unknown=self._unknown,
                    elapsed=self._elapsed(),
                )
            )

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    async def _stop(self, *, at_once: bool) -> None:
        """End the tasks. A request that may be accepted is allowed to finish, unless the end must be immediate."""
        self._stopped = True
        for task, sent in self._tasks.items():
            if at_once or sent is None or not sent.posting:
                task.cancel()
        if not self._tasks:
            return
        try:
            await asyncio.wait(self._tasks)
        except asyncio.CancelledError:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
            raise
        finally:
            for task in self._tasks:
                # One error is reported; retrieve the others so that asyncio does not complain.
                if task.done() and not task.cancelled():
                    task.exception()

    def _log_what_is_known(self) -> None:
        """Log the known and possible imports once, since the caller gets no report."""
        shown = [sent.shown for sent in self._sent]
        known = [f"{one.id} ({one.rows} rows, {one.status})" for one in shown if one.id is not None]
        lost = [sent.shown.rows for sent in self._sent if sent.is_lost]
        if known or lost:
            _log.warning(
                "imports.send ended early; imports of %s that it has begun: %s; batches that may have been taken:"
                " %d (%d rows)",
                self._target.owner,
                printable(", ".join(known)) or "none",
                len(lost),
                sum(lost),
            )


def _within(count: int | None, most: int) -> int:
    return min(max(count or 0, 0), most)
