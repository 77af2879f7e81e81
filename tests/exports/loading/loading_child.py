"""Load a job in a process of its own: be killed, or print its end."""

from __future__ import annotations

import asyncio
import datetime as dt

from scarf_async import ExportJob, Scarf


async def _run(url: str, token: str, package: str, days: str, target: str) -> None:
    start = dt.date(2024, 1, 1)
    job = ExportJob("package_events", "acme", start, start + dt.timedelta(int(days)), "csv", 1, package=package)
    async with Scarf(token, base_url=url) as scarf:
        report = await scarf.exports.load(job, target, concurrency=2)
    print("complete" if report.complete else report)


def main(*arguments: str) -> None:
    """Run it."""
    asyncio.run(_run(*arguments))
