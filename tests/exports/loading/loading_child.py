"""`python loading_child.py URL TOKEN UUID DAYS TARGET`: load a job; be killed, or print its end."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys

from scarf_async import ExportJob, Scarf


async def main(url: str, token: str, package: str, days: str, target: str) -> None:
    """Run it."""
    start = dt.date(2024, 1, 1)
    job = ExportJob("package_events", "acme", start, start + dt.timedelta(int(days)), "csv", 1, package=package)
    async with Scarf(token, base_url=url) as scarf:
        report = await scarf.exports.load(job, target, concurrency=2)
    print("complete" if report.complete else report)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
