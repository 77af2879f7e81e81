"""Which reads the creates that look first (`if_exists="keep"`) can share.

The first lookups of a run in one list share one read. It must start after everything that the plan puts before such
a create, and after the run's own creates of the same name: an earlier read proves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable

from scarf_async.bulk.kinds import Creates
from scarf_async.bulk.operations import Operation, Plan
from scarf_async.clock import Clock
from scarf_async.entities import PackageKey

__all__ = ["Looks", "list_of"]


def list_of(operation: Operation) -> Hashable | None:
    """Return a key of the list that a create looks at first; None if it looks at no list."""
    call = operation.call
    return call.looks_at(operation.root) if isinstance(call, Creates) and call.if_exists == "keep" else None


def _identity(operation: Operation, package: PackageKey | None) -> Hashable | None:
    """Return a key shared by all creates that may create the same entity."""
    on = None if package is None else package.id
    return operation.call.identity(on) if isinstance(operation.call, Creates) else None


class Looks:
    """Tracks how recent the read of a list must be to serve a first lookup.

    Args:
        plan: the operations.
        creates: the indices of the creates among them.
        clock: the clock of the client.
    """

    def __init__(self, plan: Plan, creates: Iterable[int], clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        counts = Counter(filter(None, (list_of(plan[place]) for place in creates)))
        # A list that only one create looks at cannot be shared.
        self._shared = {shown for shown, count in counts.items() if count > 1}
        self._ready: dict[int, float] = {}
        self._made: dict[Hashable, float] = {}

    def ready(self, place: int) -> None:
        """Record that everything that comes before an operation is done."""
        if self._shared and list_of(self._plan[place]) in self._shared:
            self._ready[place] = self._clock.monotonic()

    def since(self, place: int, package: PackageKey | None) -> float | None:
        """Return the earliest start of a read that serves an operation; None if it needs a new read."""
        ready = self._ready.get(place)
        return None if ready is None else max(ready, self._made.get(_identity(self._plan[place], package), ready))

    def made(self, place: int, package: PackageKey | None) -> None:
        """Record that an operation has taken effect, or may have."""
        if self._shared and (identity := _identity(self._plan[place], package)) is not None:
            self._made[identity] = self._clock.monotonic()
