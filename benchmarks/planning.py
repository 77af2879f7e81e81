"""What does it cost to plan a million operations?"""

from __future__ import annotations

import time
import tracemalloc
from typing import Final

from scarf_async import BulkPlan
from scarf_async.bulk.schedule import compile_plan

__all__ = ["run"]

_OPERATIONS: Final = 1_000_000
_MEASURED_FOR_MEMORY: Final = 100_000


def _plan(operations: int) -> BulkPlan:
    """Nine permissions for each membership, on packages of a thousand users."""
    plan = BulkPlan()
    for number in range(operations // 10):
        user = f"user{number}"
        plan.upsert_member("acme", user, "member")
        for package in range(9):
            plan.set_permission(f"0d0c2a2e-6f3f-4d0e-9a52-{number // 1000:06}{package:06}", user, "member")
    return plan


def run() -> list[str]:
    """Measure; return a line for each figure."""
    began = time.perf_counter()
    plan = _plan(_OPERATIONS)
    added = time.perf_counter()
    schedule = compile_plan(plan)
    compiled = time.perf_counter()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = _plan(_MEASURED_FOR_MEMORY)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    add = (added - began) * 1e6 / _OPERATIONS
    whole = (compiled - began) * 1e6 / _OPERATIONS
    line = (
        f"planning, {_OPERATIONS:,} operations -> {len(schedule.units):,} requests: add {add:.1f} us (limit 6),"
        f" with compiling {whole:.1f} us (limit 12), {grown / len(kept):.0f} bytes each (limit 600)"
    )
    return [line]


if __name__ == "__main__":
    print("\n".join(run()))
