"""A nightly job that keeps a directory of events up to date, and does not say that all is well unless it is.

`python examples/nightly_export.py` exports from a local Scarf server. With $SCARF_API_TOKEN and $SCARF_ORGANIZATION
set, it exports this month's events of that organization's packages; run it every night in the same place.
"""

import asyncio
import datetime as dt
import os
import sys
import tempfile
from pathlib import Path

from scarf_async import ExportJob, PackageUpsert, Scarf
from scarf_async.emulator import Emulator, FaultRule


def job_of_month(owner: str, day: dt.date) -> ExportJob:
    """The events of a whole month, in windows of a week; those that have not begun are not asked for yet."""
    first = day.replace(day=1)
    behind = (first + dt.timedelta(days=31)).replace(day=1)
    return ExportJob("owner_events", owner, first, behind, format="jsonl", window_days=7)


async def export(scarf: Scarf, job: ExportJob, directory: Path) -> bool:
    """Fetch what is missing, and read all of it again; tell whether everything up to today is there and whole."""
    # What was whole yesterday is kept; late events make the last three days worth a second look.
    report = await scarf.exports.run(job, directory, refresh_days=3)
    print(report)
    problems = await scarf.exports.verify(directory)
    for problem in problems:
        print(f"{problem.path}: {problem.problem}", file=sys.stderr)
    if report.failed or report.stopped_by:
        print(f"Not everything came: {report.stopped_by or report.failed[0].error}", file=sys.stderr)
    return not (problems or report.failed or report.stopped_by)


async def rehearse(directory: Path) -> bool:
    """A month of a local server: the first night a download is cut, the second finds nothing to do."""
    emulator = Emulator(events_per_day=40, load={"organizations": [{"name": "acme"}]})
    emulator.faults.add(FaultRule("GET", "*/events", 1, "cut_download"))
    async with emulator, Scarf(emulator.token, api="v2", owner="acme", v2_url=emulator.v2_url) as scarf:
        await scarf.packages.create(PackageUpsert(name="tool", short_description="", library_type="npm"))
        job = job_of_month("acme", dt.date(2024, 1, 31))
        nights = [await export(scarf, job, directory) for _ in range(2)]
    return all(nights)


async def main() -> int:
    if organization := os.environ.get("SCARF_ORGANIZATION"):
        today = dt.datetime.now(dt.UTC).date()
        async with Scarf(api="v2", owner=organization, read_only=True) as scarf:
            good = await export(scarf, job_of_month(organization, today), Path(f"{organization}-{today:%Y-%m}"))
    else:
        with tempfile.TemporaryDirectory() as directory:
            good = await rehearse(Path(directory, "acme-2024-01"))
    # What runs a job by the clock looks at its status.
    print("The export is whole." if good else "The export is NOT whole; the next run continues from here.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
