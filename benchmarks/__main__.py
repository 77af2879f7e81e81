"""`python -m benchmarks`: run the benchmarks and print one table; `soak` is a command of its own."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

from benchmarks.machine import machine, versions
from benchmarks.results import Result, Saved, changes, changes_table, dump, load, selected, table

__all__ = ["main"]

_BENCHMARKS: Final = (
    "entity_calls",
    "one_call",
    "importing",
    "starting",
    "membership_upserts",
    "permission_sets",
    "version_2",
    "pace",
    "splitting",
    "planning",
    "ndjson_typed",
    "csv_typed",
    "arrow",
    "export_memory",
    "imports",
    "job_by_hand",
    "job_memory",
    "loading",
    "report_page",
    "soak_plans",
)
_LONG: Final = {"job_by_hand", "job_memory", "loading", "report_page", "soak_plans"}
"""Benchmarks that make millions of rows or run for long: each runs only when named."""
_NAMES: Final = f"a benchmark or a row of one: {', '.join(_BENCHMARKS)} (all but {', '.join(sorted(_LONG))})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What the SDK costs, and what it saves.",
        epilog="`python -m benchmarks soak --help` tells of the soak.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=_NAMES)
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the rows, with versions and machine")
    parser.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="show what got slower since; status 1 if anything did"
    )
    parser.add_argument("--plots", action="store_true", help="measure and draw the two plots instead")
    return parser


def _measured(names: list[str]) -> list[Result]:
    """Run what the names ask for, in the order of the table."""
    wanted = {name.partition(".")[0] for name in names} or {*_BENCHMARKS} - _LONG
    results: list[Result] = []
    for benchmark in _BENCHMARKS:
        if benchmark not in wanted:
            continue
        print(f"{benchmark} ...", file=sys.stderr, flush=True)
        # Each needs what it measures: a row can be had without the packages of the others.
        results += selected(import_module(f"benchmarks.{benchmark}").run(), names)
    return results


def main(arguments: list[str] | None = None) -> int:
    """Run; return the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["soak"]:
        # No row of the table: it says yes or no, after as many minutes as it is given.
        status: int = import_module("benchmarks.soak").main(given[1:])
        return status
    parser = _parser()
    told = parser.parse_args(given)
    unknown = [name for name in told.names if name.partition(".")[0] not in _BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(_BENCHMARKS)}")
    if told.plots:
        import_module("benchmarks.plots").draw()
        return 0
    try:
        # Before the minutes that measuring takes.
        before = load(told.compare.read_bytes()) if told.compare else None
    except (OSError, ValueError) as error:
        parser.error(f"{told.compare} cannot be compared with: {error}; give a file that --json wrote")
    at_start = machine()
    results = _measured(told.names)
    print(table(results))
    if not results:
        parser.error(f"no row is called {', '.join(told.names)}; give the name of a benchmark to see its rows")
    if told.json:
        told.json.write_bytes(dump(Saved(machine=at_start, versions=versions(), results=results)))
    if before is None:
        return 0
    found = changes(selected(before.results, told.names), results)
    print("", changes_table(found), sep="\n")
    for name in sorted({*before.machine, *before.versions}):
        then = {**before.machine, **before.versions}[name]
        now = {**at_start, **versions()}.get(name, "none")
        if then != now:
            print(f"{name}: {then} then, {now} now")
    return 1 if any(change.direction == "slower" for change in found) else 0


if __name__ == "__main__":
    sys.exit(main())
