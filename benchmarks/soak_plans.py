"""`python -m benchmarks.soak_plans --plans 5000 --seed N --api v2`: random plans, faults and crashes.

The model of `tests/bulk/test_model.py` at scale, on loopback. It prints its seed, stops by itself, and ends with
status 1 if any plan did not come true once.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final, get_args

from benchmarks.results import Result, single
from scarf_async import ApiVersion

__all__ = ["main", "run"]

_TESTS: Final = Path(__file__).resolve().parent.parent / "tests"
_SHOWN_EVERY: Final = 500
_OPERATIONS: Final = 24
_FEW: Final = 100
_FEW_SECONDS: Final = 20.0


async def _soak(first: int, plans: int, seconds: float, most: int, api: ApiVersion = "v1") -> tuple[int, int]:
    """Check plans; return how many were checked, and how many of them did not come true once."""
    # The tests are not a package, and not installed.
    sys.path.insert(0, str(_TESTS))
    from bulk.crashes import base_of, check, draw  # noqa: PLC0415 # only now it can be found

    began = time.monotonic()
    base = await base_of()
    done = runs = crashes = injected = operations = bad = 0
    with tempfile.TemporaryDirectory() as directory:
        for seed in range(first, first + plans):
            if time.monotonic() - began > seconds:
                print(f"stopped after {seconds:g} s")
                break
            case = draw(seed, base, most=most, api=api)
            verdict = await check(case, base, Path(directory))
            done += 1
            operations += len(case.plan)
            runs += verdict.runs
            crashes += verdict.crashes
            injected += verdict.injected
            bad += bool(verdict.problems)
            for problem in verdict.problems:
                print(f"seed {seed}: {problem}", flush=True)
            if done % _SHOWN_EVERY == 0:
                print(f"{done:,} plans, {bad} bad, {time.monotonic() - began:.0f} s", flush=True)
    print(
        f"seed {first}: {done:,} plans of {operations:,} operations in {runs:,} runs, of which {crashes:,} crashed,"
        f" with {injected:,} faults: {bad} did not come true once; {time.monotonic() - began:.0f} s"
    )
    return done, bad


def main(arguments: list[str] | None = None) -> int:
    """Run; return the exit status."""
    parser = argparse.ArgumentParser(description="Random plans, faults and crashes against the local server.")
    parser.add_argument("--plans", type=int, default=5000, help="how many (5000)")
    parser.add_argument("--seed", type=int, help="of the first plan; each further one has the next (random)")
    parser.add_argument("--seconds", type=float, default=3600.0, help="when to stop at the latest (3600)")
    parser.add_argument("--operations", type=int, default=_OPERATIONS, help="how many a plan has at most (24)")
    parser.add_argument("--api", choices=get_args(ApiVersion), default="v1", help="the version (v1)")
    told = parser.parse_args(arguments)
    first = random.randrange(10**9) if told.seed is None else told.seed
    print(f"seed {first}", flush=True)
    done, bad = asyncio.run(_soak(first, told.plans, told.seconds, told.operations, told.api))
    return 1 if bad or not done else 0


def run() -> list[Result]:
    """Check a few of other seeds each time; a failure names its seed on the standard error."""
    with redirect_stdout(sys.stderr):
        done, bad = asyncio.run(_soak(random.randrange(10**9), _FEW, _FEW_SECONDS, _OPERATIONS))
    assert done, "no plan was checked"
    what = f"{done} random plans with faults and crashes: did not come true once"
    return [single("soak_plans", what, [bad], unit="plans", better="less", target=0)]


if __name__ == "__main__":
    sys.exit(main())
