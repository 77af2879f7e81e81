"""`python killed_child.py URL TOKEN UUID DIRECTORY FORMAT DAYS`: run an export job; be killed, or print its end."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys

from scarf_async import ExportFormat, ExportJob, Scarf


def job_of(package: str, form: str, days: int) -> ExportJob:
    """Return a job of so many windows."""
    start = dt.date(2024, 1, 1)
    end = start + dt.timedelta(days)
    return ExportJob("package_events", "acme", start, end, ExportFormat(form), 1, package=package)


async def main(url: str, token: str, *values: str) -> None:
    """Run it."""
    package, directory, form, days = values
    job = job_of(package, form, int(days))
    async with Scarf(token, base_url=url) as scarf:
        report = await scarf.exports.run(job, directory, concurrency=2)
    print("complete" if report.complete else report)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
