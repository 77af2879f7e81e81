"""Run an export job in a process of its own: be killed, or print its end."""

from __future__ import annotations

import asyncio
import datetime as dt
import os

from scarf_async import ExportFormat, ExportJob, Scarf
from scarf_async.exports.jobs.stores import bucket, lease


def job_of(package: str, form: str, days: int) -> ExportJob:
    """Return a job of so many windows."""
    start = dt.date(2024, 1, 1)
    end = start + dt.timedelta(days)
    return ExportJob("package_events", "acme", start, end, ExportFormat(form), 1, package=package)


async def _run(url: str, token: str, *values: str) -> None:
    package, directory, form, days = values
    if "SCARF_TEST_LEASE" in os.environ:
        # The holder that was killed is waited for, and each window is named at once.
        vars(lease)["_DEAD"] = float(os.environ["SCARF_TEST_LEASE"])
        vars(bucket)["_BETWEEN_COMMITS"] = 0.0
    job = job_of(package, form, int(days))
    async with Scarf(token, base_url=url) as scarf:
        report = await scarf.exports.run(job, directory, concurrency=2)
    print("complete" if report.complete else report)


def main(*arguments: str) -> None:
    """Run it."""
    asyncio.run(_run(*arguments))
