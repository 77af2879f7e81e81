"""`python -m benchmarks [NAME ...]`: run all benchmarks, or the named ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from benchmarks import (
    arrow,
    csv_typed,
    export_memory,
    membership_upserts,
    ndjson_typed,
    pace,
    parquet_job,
    planning,
    splitting,
)

BENCHMARKS: Mapping[str, Callable[[], list[str]]] = {
    "arrow": arrow.run,
    "csv_typed": csv_typed.run,
    "export_memory": export_memory.run,
    "membership_upserts": membership_upserts.run,
    "ndjson_typed": ndjson_typed.run,
    "pace": pace.run,
    "parquet_job": parquet_job.run,
    "planning": planning.run,
    "splitting": splitting.run,
}


def main(names: list[str]) -> int:
    """Run the benchmarks of these names, or all; return the exit status."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        print("\n".join(BENCHMARKS[name]()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
