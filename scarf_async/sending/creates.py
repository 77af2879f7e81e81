"""Creating without duplicates, even if the outcome of a create is unknown.

The promise: no create is sent again unless lookups have found nothing for `settle` seconds.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Generic, Literal, TypeAlias, get_args

import msgspec

from scarf_async.checks import word
from scarf_async.errors import (
    APIError,
    ConflictError,
    DecodeError,
    OutcomeUnknownError,
    ScarfError,
    TransportError,
    ValidationError,
)
from scarf_async.protocol.looking import E, Found
from scarf_async.protocol.messages import (
    Answer,
    Lost,
    Resend,
    Verdict,
    decode_written,
    judge,
    unconfirmed,
    written_id,
)
from scarf_async.protocol.steps import Creation
from scarf_async.sending.retry import BUDGET_NOTE, Course
from scarf_async.sending.session import Session

__all__ = ["IfExists", "check_if_exists", "create"]


IfExists: TypeAlias = Literal["fail", "keep"]


def check_if_exists(value: object) -> None:
    """Raise `ValidationError` for a value that is not an `IfExists`."""
    word("if_exists", value, get_args(IfExists), ValidationError)


class _LookFailed(msgspec.Struct, frozen=True):
    error: ScarfError


_Outcome: TypeAlias = Answer | Lost | Found[E] | _LookFailed


async def create(session: Session, creation: Creation[E], if_exists: IfExists) -> E:
    """Create an entity once, and return it.

    Args:
        session: the session to send with.
        creation: what to create.
        if_exists: with `fail`, the service refuses an existing entity; with `keep`, return it if it is equal.

    Raises:
        ConflictError: with `keep`, it exists and differs; or the service returned 409.
        OutcomeUnknownError: no response arrived, and a lookup did not show whether it was created.
        WriteConfirmedError: it was created but could not be read back.
        APIError: the service returned an error.
        TransportError: the request was not sent.
    """
    check_if_exists(if_exists)
    # When resuming, an earlier run may have created what a lookup finds, so do not look first.
    if if_exists == "keep" and not session.resuming:
        found = await session.run(creation.look(session.look_context()))
        if found:
            return await _kept(session, creation, found)
    return await _Create(session, creation, if_exists, session.course(creation.request)).run()


async def _kept(session: Session, creation: Creation[E], found: Found[E]) -> E:
    if found.equal is not None:
        if creation.rest is None:
            session.unchanged()
        return await _whole(session, creation, found.equal)
    raise ConflictError(
        f"it exists and differs: requested {creation.requested}, found {found.different}",
        method=creation.request.endpoint.method,
        url=str(session.attempts.url(creation.request)),
        attempts=0,
        requested=creation.requested,
        found=found.different,
    )


async def _whole(session: Session, creation: Creation[E], found: E) -> E:
    """Return the found entity, after creating any part that it lacks."""
    if creation.rest is not None:
        try:
            await create(session, creation.rest(found), "keep")
        except ScarfError as error:
            error.add_note(f"the entity that it belongs to exists: {found}")
            raise
    return found


class _Create(msgspec.Struct, Generic[E]):
    """A create in progress."""

    session: Session
    creation: Creation[E]
    if_exists: IfExists
    course: Course
    failure: ScarfError | None = None
    confirmed: bool = False

    async def run(self) -> E:
        session, request = self.session, self.creation.request
        settle = session.retry.settle
        outcome = await session.persist(
            request, self.course, self._attempt, reserve=lambda: settle if self.course.ambiguous else 0.0
        )
        if isinstance(outcome, Answer) and judge(Resend.CREATE, outcome) is Verdict.SUCCESS:
            return await self._written(outcome)
        if isinstance(outcome, Answer | Lost):
            return await self._last_look(outcome)
        return await self._settled(outcome)

    async def _attempt(self) -> _Outcome[E]:
        if self.course.ambiguous and (settled := await self._look_twice()):
            return settled
        self.session.looked()
        outcome = await self.session.attempt(self.creation.request, self.course)
        if judge(Resend.CREATE, outcome) is not Verdict.SUCCESS:
            self.failure = self.session.attempts.failure(self.creation.request, outcome, self.course)
        return outcome

    async def _look_twice(self) -> Found[E] | _LookFailed | None:
        """Look it up; if it is absent, look again after the first request has had time to settle."""
        found = await self._look()
        if found:
            return found
        await self.session.settle()
        return await self._look() or None

    def _look_once(self) -> Awaitable[Found[E]]:
        started = self.course.started
        age = None if started is None else lambda: self.course.clock.monotonic() - started
        return self.session.run(
            self.creation.look(self.session.look_context(age, sent=self.course.ambiguous or self.confirmed))
        )

    async def _look(self) -> Found[E] | _LookFailed:
        try:
            return await self._look_once()
        except (APIError, TransportError, DecodeError) as error:
            return _LookFailed(error)

    async def _last_look(self, outcome: Answer | Lost) -> E:
        """Interpret an outcome that is not a success, possibly after one more lookup."""
        failure = self.session.attempts.failure(self.creation.request, outcome, self.course)
        refused = isinstance(outcome, Answer) and outcome.status in {409, 422}
        if not self.course.ambiguous and not (refused and self.if_exists == "keep"):
            raise failure
        found = await self._look()
        if not self.course.ambiguous:
            if isinstance(found, Found) and found:
                return await _kept(self.session, self.creation, found)
            raise failure
        open_still = judge(Resend.CREATE, outcome) is Verdict.LOOK
        if not open_still and not found:
            # The service refused it, and earlier attempts took no effect: the outcome is known.
            raise failure
        self.failure = failure
        return await self._settled(found)

    async def _settled(self, found: Found[E] | _LookFailed) -> E:
        """Return the found entity if it settles the outcome."""
        if isinstance(found, Found) and found.equal is not None:
            self.session.reconciled()
            return await _whole(self.session, self.creation, found.equal)
        what = self.creation.requested
        name = self.creation.request.endpoint.name
        look_failure = found.error if isinstance(found, _LookFailed) else None
        different = found.different if isinstance(found, Found) else None
        if look_failure is not None:
            state = f"looking it up failed ({look_failure})"
        elif different is not None:
            state = f"a different one exists: {different}"
        else:
            state = "a lookup did not find it, but it may still appear"
        unknown = OutcomeUnknownError(
            f"{name} was sent, but its outcome is unknown: {state}; look again before you create {what}",
            requested=what,
            found=different,
            failure=self.failure,
            look_failure=look_failure,
        )
        if self.course.budget_spent:
            unknown.add_note(BUDGET_NOTE)
        raise unknown

    async def _written(self, answer: Answer) -> E:
        """Return the entity from the response to a successful create, or read it back."""
        entity = decode_written(self.creation.request, answer)
        if entity is not None:
            return entity
        self.confirmed = True
        failure: ScarfError | None = None
        try:
            by_id = self.creation.by_id
            identifier = written_id(answer)
            if by_id is not None and identifier is not None:
                read = await self.session.run(by_id(identifier))
                if read is not None:
                    return read
            found = await self._look_once()
            read = found.there
            if read is not None:
                return read
        except (APIError, TransportError, DecodeError) as error:
            failure = error
        raise unconfirmed(self.creation.request, self.creation.requested, failure)
