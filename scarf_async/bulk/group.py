"""`scarf.bulk`: run plans and verify their effects."""

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
    """`scarf.bulk`: run plans of many operations concurrently, in the required order, and verify their effects.

    ```python
    plan = BulkPlan()
    plan.upsert_member("acme", "ann", "admin")
    report = await scarf.bulk.run(plan, journal="acme.journal")
    report.raise_for_failures()
    ```
    """

    def __init__(self, session: Session, *, opened: Callable[[], Journal] | None = None) -> None:
        self._session = session
        # Returns a journal that is already open; the run closes it.
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
        """Run a plan. A failed operation is an outcome, not an exception.

        The run is limited only by `concurrency` until the service pushes back (429, 503 or no connection). Then it
        pauses for as long as the service asks, and adapts its rate to what the service accepts. An operation that
        was turned away like this is retried, and its attempts do not count.

        With a `journal`, a run that was killed can be resumed: run the same plan again. Operations known to have
        succeeded are not sent again, and operations that may have taken effect are looked up first.

        Args:
            plan: the operations to run.
            concurrency: the maximum number of requests in progress.
            journal: a file to record intents and outcomes in, and to resume from; it never contains the token.
            on_failure: `continue`, or `stop` to start nothing new after the first failure.
            permission_batch: the maximum number of permissions of one package in one request; v2 sends each one
                separately.
            patience: seconds without any success after which the run starts nothing new; also the longest wait
                that the service may ask for.
            stop: when set, the run starts nothing new and finishes the requests in progress.
            progress: called at most ten times a second, and once at the end.
            on_outcome: called with each outcome as it arrives.

        Returns:
            The outcomes of all operations, in the plan's order.

        Raises:
            ValidationError: the plan contradicts itself or has a dependency cycle; nothing was sent.
            UnsupportedError: the version does not support some operations (`.operations`); nothing was sent.
            JournalError: the journal cannot be used, or can no longer be written (then with `.report`).
            ReadOnlyError: the client is read-only; nothing was sent.
            ConfigurationError: the client only has the URL of another version; nothing was sent.
            ClientClosedError: the client was closed during the run.
        """
        instance("plan", plan, BulkPlan, ValidationError, wanted="a BulkPlan")
        whole("concurrency", concurrency, ValidationError)
        positive("patience", patience, ValidationError, wanted="a positive number of seconds")
        word("on_failure", on_failure, get_args(OnFailure), ValidationError)
        dialect = self._session.dialect
        schedule = compile_plan(plan, permission_batch, dialect)
        refuse_unsupported(
            plan,
            dialect,
            calls=schedule.calls,
            twins=schedule.twins,
            owners=schedule.owners,
            by_kind=schedule.by_kind,
        )
        if self._session.read_only:
            raise ReadOnlyError("the plan was not run: this client is read-only")
        _ = self._session.server  # if the client has no URL, raise one error rather than one for each operation
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
            # Do not await: a second cancellation must not keep written lines from the disk. Do not raise: a full
            # disk must not replace the error that ends the run.
            if book is not None:
                problem = book.close()
        if problem is not None:
            problem.report = report
            raise problem
        return report

    async def verify(self, plan: BulkPlan) -> list[Difference]:
        """Compare a plan with the live state; works on a read-only client.

        Each affected list is read once. Only the last value of each target is compared, and nothing that belongs to
        a package that the plan deletes. URLs of packages are compared only in v2, since v1 does not return them.

        In v1, packages that are changed or deleted by uuid are looked up in the list of the token's user, which
        includes the packages of the user's organizations. If the plan creates a package for the user, and the list
        has one with this name, its owner is looked up once, since it may be an organization. Permissions by e-mail
        address are not compared, since v1 returns usernames. In v2, permissions that cannot be read are a
        difference with nothing found.

        Raises:
            APIError: the service refused a read (a missing resource is a difference, not an error).
            TransportError: no complete response arrived.
            DecodeError: a response does not have the documented form.
        """
        instance("plan", plan, BulkPlan, ValidationError, wanted="a BulkPlan")
        return await verify(self._session, plan)


def open_journal(session: Session, path: str | os.PathLike[str], plan: BulkPlan) -> Journal:
    """Open the journal of a plan, or create it.

    Raises:
        JournalError: the journal cannot be used.
    """
    dialect = session.dialect
    owners = owners_of(plan)
    roots = (call.root(place) for place, call in enumerate(plan.calls))
    unnamed = (package_of(plan, root, owners) for root in roots if root is not None)
    # The owner of packages for which the plan names none.
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
