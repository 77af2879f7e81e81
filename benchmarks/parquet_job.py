"""How long does the command line take to make Parquet of a month of a million events, and in how much memory?

The emulator runs in a process of its own; it makes the events as they are asked for, which is most of the time.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import duckdb

from benchmarks.results import Result, single
from benchmarks.rounds import server_process
from scarf_async import OrganizationUpsert, PackageUpsert, Scarf
from scarf_async.emulator import Emulator

__all__ = ["run"]

_DAYS: Final = 31
_PER_DAY: Final = 32_259
_SAMPLE: Final = 0.02
_COMMAND: Final = (
    "export job package_events acme --start 2024-01-01 --end 2024-02-01 --format parquet --window-days 1"
)


async def _serve(per_day: int) -> None:
    """Run an emulator with one package; say where it is."""
    async with Emulator(events_per_day=per_day) as emulator:
        async with Scarf(emulator.token, base_url=emulator.url) as scarf:
            await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
            upsert = PackageUpsert(name="web", short_description="", library_type="file")
            package = await scarf.packages.create(upsert, "acme")
        values = {
            "SCARF_BASE_URL": emulator.url,
            "SCARF_V2_URL": emulator.v2_url,
            "SCARF_API_TOKEN": emulator.token,
            "PACKAGE": package.uuid,
        }
        print(json.dumps(values), flush=True)
        await asyncio.Event().wait()


def _fetch(values: Mapping[str, str], directory: Path) -> tuple[float, int, str]:
    """Run the command; return its seconds, its peak memory in kB, and what it said last."""
    arguments = [*_COMMAND.split(), "--package", values["PACKAGE"], "--directory", str(directory)]
    program = [sys.executable, "-c", "from scarf_async.cli import main; main()"]
    peak = 0
    began = time.perf_counter()
    with subprocess.Popen([*program, *arguments], env={**os.environ, **values}, stderr=subprocess.PIPE) as command:
        status = Path(f"/proc/{command.pid}/status")
        while command.poll() is None:
            # What a process has had at most is gone with it; getrusage would count its parent's at the fork.
            # A process that has just ended has no such line.
            peak = max(peak, int((status.read_text().partition("VmHWM:")[2].split() or ["0"])[0]))
            time.sleep(_SAMPLE)
        elapsed = time.perf_counter() - began
        assert command.stderr is not None
        said = command.stderr.read().decode()
    assert command.returncode == 0, said
    return elapsed, peak, said.splitlines()[-1]


def run() -> list[Result]:
    """Measure."""
    with (
        tempfile.TemporaryDirectory() as place,
        server_process("benchmarks.parquet_job", str(_PER_DAY)) as values,
    ):
        directory = Path(place) / "events"
        elapsed, peak, said = _fetch(json.loads(values), directory)
        rows = int(said.split()[0].replace(",", ""))
        query = f"SELECT count(DISTINCT id) FROM read_parquet('{directory}/**/*.parquet')"  # noqa: S608 # our own
        with duckdb.connect() as database:
            ((distinct,),) = database.execute(query).fetchall()
    assert rows == distinct == _DAYS * _PER_DAY, (rows, distinct)
    what = f"a month of {rows:,} events to Parquet by the command line"
    return [
        single("parquet_job.rows", what, [rows / elapsed], unit="rows/s", better="more"),
        single("parquet_job.memory", f"{what}, peak memory", [peak / 1024], unit="MB", better="less"),
    ]


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
