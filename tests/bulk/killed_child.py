"""`python killed_child.py URL TOKEN PLAN JOURNAL`: run a plan with a journal; be killed, or print the statuses."""

from __future__ import annotations

import asyncio
import json
import sys

from scarf_async import BulkPlan, RetryPolicy, Scarf


async def main(url: str, token: str, plan: str, journal: str) -> None:
    """Run it."""
    policy = RetryPolicy(initial_delay=0.01, max_delay=0.1, settle=0.1)
    async with Scarf(token, base_url=url, retry=policy, timeout=0.3) as scarf:
        report = await scarf.bulk.run(BulkPlan.load(plan), journal=journal, concurrency=8, permission_batch=4)
    print(json.dumps([outcome.status for outcome in report.outcomes]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
