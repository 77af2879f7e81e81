"""What does it cost to plan a million operations?"""

from __future__ import annotations

import time
import tracemalloc
from typing import Final

from benchmarks.results import Result, single, versus
from scarf_async import BulkPlan
from scarf_async.bulk.schedule import compile_plan

__all__ = ["run"]

_MANY: Final = 1_000_000
_FEW: Final = 100_000
_ROUNDS: Final = 3


def _plan(operations: int) -> BulkPlan:
    """Nine permissions for each membership, on packages of a thousand users."""
    plan = BulkPlan()
    for number in range(operations // 10):
        user = f"user{number}"
        plan.upsert_member("acme", user, "member")
        for package in range(9):
            plan.set_permission(f"0d0c2a2e-6f3f-4d0e-9a52-{number // 1000:06}{package:06}", user, "member")
    return plan


def _microseconds(operations: int) -> tuple[float, float]:
    """Plan and compile; return the microseconds that an operation takes to add, and with compiling."""
    began = time.perf_counter()
    plan = _plan(operations)
    added = time.perf_counter()
    compile_plan(plan)
    compiled = time.perf_counter()
    return (added - began) * 1e6 / operations, (compiled - began) * 1e6 / operations


def _bytes() -> float:
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = _plan(_FEW)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown / len(kept)


def run() -> list[Result]:
    """Measure."""
    few, many = [], []
    for _ in range(_ROUNDS):
        few.append(_microseconds(_FEW))
        many.append(_microseconds(_MANY))
    whole = [compiled for _, compiled in many]
    what = f"planning {_MANY:,} operations"
    return [
        single("planning.add", f"{what}, adding one", [add for add, _ in many], unit="us", better="less", target=5),
        single("planning.time", f"{what}, adding and compiling one", whole, unit="us", better="less", target=7),
        single("planning.memory", "planning, memory of one", [_bytes()], unit="bytes", better="less", target=200),
        versus(
            "planning.linear",
            what,
            f"{_FEW:,}: what one takes",
            whole,
            [compiled for _, compiled in few],
            unit="us",
            better="less",
            target=1.5,
        ),
    ]
