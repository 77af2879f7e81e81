"""Which reads the creates that look first (`if_exists="keep"`) may share.

The first looks of a run at one list share one read. It must have begun after everything that the plan puts before
such a create, and after the run's own creates of the same name: what was read before those proves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from scarf_async.bulk.kinds import Creates
from scarf_async.bulk.operations import Operation, Plan
from scarf_async.clock import Clock
from scarf_async.entities import PackageKey

__all__ = ["Looks", "list_of"]


def list_of(operation: Operation) -> Hashable | None:
    """Name the list that a create looks at first; None if it does not look, or at no list."""
    call = operation.call
    return call.looks_at(operation.root) if isinstance(call, Creates) and call.if_exists == "keep" else None


def _identity(operation: Operation, package: PackageKey | None) -> Hashable | None:
    """Return what a create has in common with every other that may make the same thing."""
    on = None if package is None else package.id
    return operation.call.identity(on) if isinstance(operation.call, Creates) else None


class Looks:
    """Since when a list must have been read to serve a first look."""

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self._clock = clock
        counts = Counter(filter(None, map(list_of, plan)))
        # What only one looks at is not worth keeping.
        self._shared = {shown for shown, count in counts.items() if count > 1}
        self._ready: dict[int, float] = {}
        self._made: dict[Hashable, float] = {}

    def ready(self, operation: Operation) -> None:
        """Note that everything that comes before an operation is done."""
        if self._shared and list_of(operation) in self._shared:
            self._ready[operation.index] = self._clock.monotonic()

    def since(self, operation: Operation, package: PackageKey | None) -> float | None:
        """Return the earliest beginning of a read that serves an operation; None: only a fresh one does."""
        ready = self._ready.get(operation.index)
        return None if ready is None else max(ready, self._made.get(_identity(operation, package), ready))

    def made(self, operation: Operation, package: PackageKey | None) -> None:
        """Note that an operation has been carried out, or may have been."""
        if self._shared and (identity := _identity(operation, package)) is not None:
            self._made[identity] = self._clock.monotonic()
