"""`python -m tests.fuzz --minutes N [TARGET ...]`: run the checks at depth, each with its share of the time.

It prints what failed with the least example that hypothesis finds, continues with the next target, and ends with
status 1 if anything did.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

# The tests are not a package, and not installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from fuzz.made import Target  # only now it can be found
from fuzz.targets import TARGETS  # only now it can be found

_EXAMPLES = 500


def _run(target: Target[Any], seconds: float) -> tuple[int, str]:
    """Check examples for so long; return how many there were, and what failed."""
    count = 0

    def counted(example: Any) -> None:
        nonlocal count
        count += 1
        target.check(example)

    depth = settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            depth(given(target.examples)(counted))()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return count, "".join(traceback.format_exception(error))
    return count, ""


def main(arguments: list[str] | None = None) -> int:
    """Run; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Examples without end, for a while.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (all)")
    parser.add_argument("--minutes", type=float, default=5.0, help="for all of them together (5)")
    told = parser.parse_args(arguments)
    if unknown := set(told.targets) - TARGETS.keys():
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    names = told.targets or list(TARGETS)
    failed = 0
    for name in names:
        began = time.monotonic()
        count, failure = _run(TARGETS[name], told.minutes * 60 / len(names))
        failed += bool(failure)
        print(
            f"{name}: {count:,} examples, {time.monotonic() - began:.0f} s, {'FAILED' if failure else 'ok'}",
            flush=True,
        )
        if failure:
            print(failure, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
