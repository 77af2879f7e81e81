"""`scarf.bulk`: run plans, and see what they did."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import get_args

from scarf_async.bulk.adapting import owners_of, package_of, refuse_unsupported
from scarf_async.bulk.journal import Journal
from scarf_async.bulk.outcomes import Outcomes
from scarf_async.bulk.plan import BulkPlan
from scarf_async.bulk.planfile import digest
from scarf_async.bulk.report import BulkProgress, BulkReport, Outcome
from scarf_async.bulk.run import OnFailure, Run
from scarf_async.bulk.schedule import compile_plan
from scarf_async.bulk.splitting import Splitter
from scarf_async.bulk.verify import Difference, verify
from scarf_async.checks import instance, positive, whole, word
from scarf_async.errors import JournalError, ReadOnlyError, ValidationError
from scarf_async.events import Hook
from scarf_async.sending.pacing import AdaptivePacer
from scarf_async.sending.session import Session

__all__ = ["Bulk", "open_journal"]


class Bulk:
    """`scarf.bulk`: run plans of many operations, concurrently and in order, and verify what they did."""

    def __init__(self, session: Session, *, opened: Callable[[], Journal] | None = None) -> None:
        self._session = session
        # Gives a journal that is open already, for the run to close.
        self._opened = opened

    async def run(
        self,
        plan: BulkPlan,
        *,
        concurrency: int = 32,
        journal: str | os.PathLike[str] | None = None,
        on_failure: OnFailure = "continue",
        permission_batch: int = 100,
        patience: float = 600.0,
        stop: asyncio.Event | None = None,
        progress: Callable[[BulkProgress], object] | None = None,
        on_outcome: Callable[[Outcome[object]], object] | None = None,
    ) -> BulkReport:
        """Run a plan; one failed operation is an outcome, not an exception.

        There is no limit but `concurrency` until the service refuses something (429, 503, no connection): then
        the run pauses for as long as the service asks, and goes on at a pace that follows what the service takes.
        An operation that was refused so is tried again and loses none of its attempts.

        With a `journal` a run that was killed goes on where it was when it is started again with the same plan:
        what is known to be done is not sent again, and what may have happened is looked for first.

        Args:
            plan: what to do.
            concurrency: requests under way at the most.
            journal: a file to write intents and outcomes to, and to go on from; it holds no token.
            on_failure: `continue`, or `stop`: start nothing new after the first failure.
            permission_batch: how many permissions of one package travel in one request at the most; in v2 each
                travels by itself.
            patience: seconds without any success after which nothing new is started, and the longest wait that
                the service may ask for.
            stop: when set, nothing new is started, and what is under way ends.
            progress: called at most ten times a second, and once at the end.
            on_outcome: called with each outcome as it comes.

        Returns:
            The outcomes of all operations, in the plan's order.

        Raises:
            ValidationError: the plan contradicts itself or goes round in a circle; nothing was sent.
            UnsupportedError: the version cannot carry out some operations (`.operations`); nothing was sent.
            JournalError: the journal cannot be used, or not be written any more (then with `.report`).
            ReadOnlyError: the client is read-only; nothing was sent.
            ConfigurationError: the client was given an address of another version only; nothing was sent.
            ClientClosedError: the client was closed meanwhile.
        """
        instance("plan", plan, BulkPlan, ValidationError, wanted="a BulkPlan")
        whole("concurrency", concurrency, ValidationError)
        positive("patience", patience, ValidationError, wanted="a positive number of seconds")
        word("on_failure", on_failure, get_args(OnFailure), ValidationError)
        dialect = self._session.dialect
        schedule = compile_plan(plan, permission_batch, dialect)
        refuse_unsupported(plan, dialect, calls=schedule.calls, twins=schedule.twins, owners=schedule.owners)
        if self._session.read_only:
            raise ReadOnlyError("the plan was not run: this client is read-only")
        _ = self._session.server  # one error for all operations, where the client has no address for them
        if self._opened is not None:
            book: Journal | None = self._opened()
        else:
            book = None if journal is None else open_journal(self._session, journal, plan)
        problem: JournalError | None = None
        clock = self._session.transport.clock
        try:
            run = Run(
                session=self._session,
                plan=plan,
                schedule=schedule,
                outcomes=Outcomes(
                    plan, schedule, book, Hook("progress", progress), Hook("on_outcome", on_outcome), clock
                ),
                pacer=AdaptivePacer(patience, clock),
                splitter=Splitter(permission_batch),
                on_failure=on_failure,
                stop=stop,
            )
            report = await run(concurrency)
        finally:
            # Without waiting: a second cancellation must not keep what was written from the disk. And without
            # raising: what ends the run is told rather than that the disk is full besides.
            if book is not None:
                problem = book.close()
        if problem is not None:
            problem.report = report
            raise problem
        return report

    async def verify(self, plan: BulkPlan) -> list[Difference]:
        """Compare a plan with what the service shows; works on a read-only client.

        Each touched list is read once. Only the last value for a target is compared, and nothing that hangs on a
        package which the plan deletes. Addresses of packages are compared in v2, which gives them back.

        In v1, what became of a package that is changed or deleted by its uuid shows in the list of the token's
        user's packages, where those of the user's organizations are too. So the owner of a package there of the
        name of one that the plan creates for the user is asked for once: it may be an organization. Permissions
        by e-mail address are not compared, since v1 gives usernames back. In v2, permissions that cannot be read
        are a difference with nothing found.

        Raises:
            APIError: the service refused to show something (what is not there is a difference, not an error).
            TransportError: no answer came.
            DecodeError: an answer is not what was promised.
        """
        instance("plan", plan, BulkPlan, ValidationError, wanted="a BulkPlan")
        return await verify(self._session, plan)


def open_journal(session: Session, path: str | os.PathLike[str], plan: BulkPlan) -> Journal:
    """Open the journal of a plan, or begin one.

    Raises:
        JournalError: it cannot be used.
    """
    dialect = session.dialect
    owners = owners_of(plan)
    unnamed = (package_of(plan, operation.root, owners) for operation in plan if operation.root is not None)
    # Whose a package is of which the plan does not say so.
    owner = next((dialect.owner_of(package) for package in unnamed if package.owner is None), None)
    return Journal.open(
        path,
        plan=digest(plan, owners=dialect.traits.owners_in_paths),
        operations=len(plan),
        server=session.server,
        api=dialect.version,
        owner=owner,
        redact=session.transport.settings.token.redact_bytes,
    )
