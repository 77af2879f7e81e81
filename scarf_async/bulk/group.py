"""`scarf.bulk`: run plans."""

from __future__ import annotations

from collections.abc import Callable

from scarf_async.bulk.plan import BulkPlan
from scarf_async.bulk.report import BulkProgress, BulkReport, Outcome
from scarf_async.bulk.run import OnFailure, Run
from scarf_async.bulk.schedule import compile_plan
from scarf_async.errors import ReadOnlyError, ValidationError
from scarf_async.events import Hook
from scarf_async.session import Session

__all__ = ["Bulk"]


class Bulk:
    """`scarf.bulk`: run plans of many operations, concurrently and in order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def run(
        self,
        plan: BulkPlan,
        *,
        concurrency: int = 32,
        on_failure: OnFailure = "continue",
        permission_batch: int = 100,
        progress: Callable[[BulkProgress], object] | None = None,
        on_outcome: Callable[[Outcome[object]], object] | None = None,
    ) -> BulkReport:
        """Run a plan; one failed operation is an outcome, not an exception.

        Args:
            plan: what to do.
            concurrency: requests under way at the most.
            on_failure: `continue`, or `stop`: start nothing new after the first failure.
            permission_batch: how many permissions of one package travel in one request at the most.
            progress: called at most ten times a second, and once at the end.
            on_outcome: called with each outcome as it comes.

        Returns:
            The outcomes of all operations, in the plan's order.

        Raises:
            ValidationError: the plan contradicts itself or goes round in a circle; nothing was sent.
            ReadOnlyError: the client is read-only; nothing was sent.
            ClientClosedError: the client was closed meanwhile.
        """
        for name, number in (("concurrency", concurrency), ("permission_batch", permission_batch)):
            if type(number) is not int or number < 1:
                raise ValidationError(f"{name} must be a whole number of at least 1; got {number!r}", field=name)
        if on_failure not in {"continue", "stop"}:
            raise ValidationError(
                f"on_failure must be 'continue' or 'stop'; got {on_failure!r}", field="on_failure"
            )
        schedule = compile_plan(plan, permission_batch)
        if self._session.read_only:
            raise ReadOnlyError("the plan was not run: this client is read-only")
        run = Run(
            session=self._session,
            plan=plan,
            schedule=schedule,
            on_failure=on_failure,
            progress=Hook("progress", progress),
            on_outcome=Hook("on_outcome", on_outcome),
        )
        return await run(concurrency)
