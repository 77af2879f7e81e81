"""Renaming an organization: a retried PUT could go to an old name that no longer exists."""

from __future__ import annotations

from scarf_async.entities import Organization
from scarf_async.errors import APIError, DecodeError, NotFoundError, OutcomeUnknownError, TransportError
from scarf_async.protocol.looking import Found
from scarf_async.protocol.messages import Answer, Lost, Verdict, judge
from scarf_async.protocol.steps import Renaming, settled
from scarf_async.sending.session import Session

__all__ = ["rename"]


async def rename(session: Session, renaming: Renaming[Organization]) -> Organization:
    """Send the change; return the result from the response, a read or a lookup.

    After a failure that may hide a success, the organization is looked up under its new name before the request is
    sent again under the old one.

    Raises:
        WriteConfirmedError: it was changed but could not be read back.
        OutcomeUnknownError: a lookup failed, or the old name is gone and a different organization has the new one.
        APIError: the service returned an error.
        TransportError: no complete response arrived.
    """
    request, requested = renaming.request, renaming.requested
    course = session.course(request)
    failure: APIError | TransportError | None = None

    async def find() -> Found[Organization]:
        try:
            return await session.run(renaming.look())
        except (APIError, TransportError, DecodeError) as error:
            look_failure = error
        raise OutcomeUnknownError(
            f"{request.endpoint.name} was sent, but its outcome is unknown: looking up the new name failed"
            f" ({look_failure})",
            requested=requested,
            failure=failure,
            look_failure=look_failure,
        )

    async def attempt() -> Answer | Lost | Found[Organization]:
        nonlocal failure
        if course.ambiguous and (found := await find()).equal is not None:
            return found
        try:
            outcome = await session.attempt(request, course)
        except NotFoundError as error:
            # The request is built from the organization under its old name; an earlier attempt may have renamed it.
            if not course.ambiguous:
                raise
            failure = error
            return Found()
        if judge(request.endpoint.resend, outcome) is not Verdict.SUCCESS:
            failure = session.attempts.failure(request, outcome, course)
        return outcome

    outcome = await session.persist(request, course, attempt)
    if isinstance(outcome, Answer) and judge(request.endpoint.resend, outcome) is Verdict.SUCCESS:
        return await session.run(settled(request, requested, outcome, renaming.read))
    if isinstance(outcome, Found):
        found = outcome or await find()
    else:
        # An earlier attempt may have taken effect late, so that the retry did not find the old name.
        found = await find() if course.ambiguous else Found()
        failure = session.attempts.failure(request, outcome, course)
    if found.equal is not None:
        session.reconciled()
        return found.equal
    assert failure is not None  # noqa: S101 # without one there was an equal organization or a success
    if found.different is not None and isinstance(failure, NotFoundError):
        raise OutcomeUnknownError(
            f"{request.endpoint.name}: the old name no longer exists, and the organization with the new name"
            f" differs: {found.different}",
            requested=requested,
            found=found.different,
            failure=failure,
        )
    raise failure
