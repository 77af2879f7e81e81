"""An export job against what a user does by hand: curl into a file, and DuckDB from that into the same format.

Each is a process of its own, in turn, and is timed without its start: Python, and the imports. By hand DuckDB is
left at its defaults. What both wrote is compared by value.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

import duckdb

from benchmarks.bodies import events, serving_body
from benchmarks.results import Result, versus
from benchmarks.rounds import compiled, in_turn
from scarf_async.exports.csv import CsvSplitter

__all__ = ["run"]

_ROWS: Final = 400_000
_AGAIN: Final = 8
"""Of so many records one comes again, much later."""
_ROUNDS: Final = 3
_TARGETS: Final = {"parquet": 1.05, "csv": 0.95, "jsonl": 0.8, "partitioned": 1.0}

_BY_HAND: Final = "COPY (SELECT DISTINCT ON (id) {columns} FROM read_csv('{body}')) TO '{to}' ({how})"
_HOW: Final = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv": "FORMAT csv",
    "jsonl": "FORMAT json",
    "partitioned": "FORMAT parquet, COMPRESSION zstd, PARTITION_BY (artifact), OVERWRITE",
}
_WRITTEN: Final = {
    "parquet": "read_parquet('{}')",
    "csv": "read_csv('{}')",
    "jsonl": "read_json('{}')",
    "partitioned": "read_parquet('{}')",
}


def with_duplicates(rows: int) -> tuple[bytes, int]:
    """Return events of which some come again, and how many there are."""
    head, *records = CsvSplitter(2**20).feed(events(rows))
    again = records[: len(records) // 2 : _AGAIN // 2]
    half = len(records) // 2
    return b"\n".join([head, *records[:half], *again, *records[half:], b""]), len(records)


def _by_hand(form: str, url: str, to: Path) -> None:
    body = to.with_suffix(".body")
    subprocess.run(["curl", "--silent", "--fail", "--output", body, url], check=True)  # noqa: S607 # by hand
    columns = "*, coalesce(package, pixel) AS artifact" if form == "partitioned" else "*"
    with duckdb.connect() as database:
        # It would show how far it is, where the machine is busy.
        database.execute("SET enable_progress_bar = false")
        database.execute(_BY_HAND.format(columns=columns, body=body, to=to, how=_HOW[form]))
    body.unlink()


def _as_a_job(form: str, url: str, to: Path) -> None:
    from scarf_async import ExportJob, Scarf  # noqa: PLC0415 # not what the other way imports

    job = ExportJob(
        "package_events",
        "acme",
        "2024-01-01",
        "2024-01-31",
        "parquet" if form == "partitioned" else form,  # type: ignore[arg-type] # a row's name
        package="p",
        partition_by="artifact" if form == "partitioned" else None,
    )

    async def fetch() -> None:
        async with Scarf("t", base_url=url) as scarf:
            report = await scarf.exports.run(job, to)
        report.raise_for_failures()

    asyncio.run(fetch())


_WAYS: Final = {"job": _as_a_job, "hand": _by_hand}


def _child(way: str, form: str, url: str, to: str) -> None:
    """Print the seconds that one way takes, and the megabytes that this process has had at most."""
    import pyarrow.dataset  # type: ignore[import-untyped] # noqa: F401, PLC0415 # it ships no types; not timed

    import scarf_async.client  # noqa: F401, PLC0415 # nor is this

    began = perf_counter()
    _WAYS[way](form, url, Path(to))
    took = perf_counter() - began
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    print(took, int(peak) / 1024)


def _run(way: str, form: str, url: str, to: Path, memory: list[float]) -> float:
    environment = compiled(str(to.with_name("bytecode")))
    command = [sys.executable, "-m", "benchmarks.job_by_hand", way, form, url, str(to)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    seconds, megabytes = map(float, done.stdout.split())
    memory.append(megabytes)
    return seconds


def _differences(form: str, job: Path, hand: Path) -> int:
    """Return how many rows the two ways do not have in common."""
    ending = "parquet" if form == "partitioned" else form
    ours = _WRITTEN[form].format(job / "data" / ("**" if form == "partitioned" else "") / f"*.{ending}")
    theirs = _WRITTEN[form].format(hand / "**" / "*.parquet" if form == "partitioned" else hand)
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        names = [name for name in database.sql(f"FROM {theirs}").columns if name != "artifact"]
        select = ", ".join(f"try_cast({name} AS {_TYPES.get(name, 'VARCHAR')}) AS {name}" for name in names)
        one, other = (database.sql(f"FROM {source} SELECT {select}") for source in (ours, theirs))
        return len(one.except_(other)) + len(other.except_(one)) + abs(len(one) - len(other))


_TYPES: Final = {
    "time": "TIMESTAMPTZ",
    **dict.fromkeys(("origin_latitude", "origin_longitude", "confidence"), "DOUBLE"),
    **dict.fromkeys(("dnt", "mtc_quota_exceeded"), "BOOLEAN"),
}


def _rows(form: str, url: str, records: int) -> list[Result]:
    memory: dict[str, list[float]] = {way: [] for way in _WAYS}
    with tempfile.TemporaryDirectory() as place:
        made: dict[str, Path] = {}

        def way(name: str) -> float:
            to = made[name] = Path(place) / f"{name}{len(memory[name])}"
            return _run(name, form, url, to, memory[name])

        ways: list[Callable[[], float]] = [partial(way, "job"), partial(way, "hand")]
        ours, theirs = in_turn(ways, _ROUNDS)
        differing = _differences(form, made["job"], made["hand"])
    assert differing == 0, f"{form}: {differing} rows differ"
    what = f"a job of {records:,} events and {records // _AGAIN:,} again, {form}"
    speeds = [[records / took for took in times] for times in (ours, theirs)]
    return [
        versus(
            f"job_by_hand.{form}",
            what,
            "curl and DuckDB",
            *speeds,
            unit="rows/s",
            better="more",
            target=_TARGETS[form],
        ),
        versus(
            f"job_by_hand.{form}_memory",
            f"{what}: peak memory",
            "curl and DuckDB",
            memory["job"][1:],
            memory["hand"][1:],
            unit="MB",
            better="less",
        ),
    ]


def run() -> list[Result]:
    """Measure."""
    body, records = with_duplicates(_ROWS)
    with serving_body(body) as url:
        return [row for form in _TARGETS for row in _rows(form, url, records)]


if __name__ == "__main__":
    _child(*sys.argv[1:])
