"""Which reads the creates that look first (`if_exists="keep"`) may share.

The first looks of a run at one list share one read. It must have begun after everything that the plan puts before
such a create, and after the run's own creates of the same name: what was read before those proves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from scarf_async import clock
from scarf_async.bulk.plan import BulkPlan, Kind, Operation
from scarf_async.names import domain_key, route_key
from scarf_async.reconcile import last_part

__all__ = ["Looks", "list_of"]


def list_of(operation: Operation) -> tuple[Kind, Hashable] | None:
    """Name the list that a create looks at first; None if it does not look, or at no list."""
    arguments = operation.arguments
    if arguments.get("if_exists") != "keep" or operation.kind is Kind.CREATE_ORGANIZATION:
        return None
    of_owner = operation.kind is Kind.CREATE_PACKAGE
    return operation.kind, arguments["organization"] if of_owner else arguments["package"]


def _identity(operation: Operation, uuid: str) -> Hashable | None:
    """Return what a create has in common with every other that may make the same thing."""
    arguments = operation.arguments
    if operation.kind is Kind.CREATE_PACKAGE:
        return last_part(arguments["package"].name)
    if operation.kind is Kind.CREATE_ROUTE:
        return uuid, route_key(arguments["route"].template_path, arguments["route"].outgoing_url)
    if operation.kind is Kind.CREATE_DOMAIN:
        return uuid, domain_key(arguments["domain"].name)
    return None


class Looks:
    """Since when a list must have been read to serve a first look."""

    def __init__(self, plan: BulkPlan) -> None:
        counts = Counter(filter(None, map(list_of, plan)))
        # What only one looks at is not worth keeping.
        self._shared = {shown for shown, count in counts.items() if count > 1}
        self._ready: dict[int, float] = {}
        self._made: dict[Hashable, float] = {}

    def ready(self, operation: Operation) -> None:
        """Note that everything that comes before an operation is done."""
        if list_of(operation) in self._shared:
            self._ready[operation.index] = clock.monotonic()

    def since(self, operation: Operation, uuid: str) -> float | None:
        """Return the earliest beginning of a read that serves an operation; None: only a fresh one does."""
        ready = self._ready.get(operation.index)
        return None if ready is None else max(ready, self._made.get(_identity(operation, uuid), ready))

    def made(self, operation: Operation, uuid: str) -> None:
        """Note that an operation has been carried out, or may have been."""
        if self._shared and (identity := _identity(operation, uuid)) is not None:
            self._made[identity] = clock.monotonic()
