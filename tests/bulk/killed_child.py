"""Run a plan with a journal in a process of its own: be killed, or say statuses."""

from __future__ import annotations

import asyncio
import json

from scarf_async import ApiVersion, BulkPlan, RetryPolicy, Scarf


async def _run(url: str, token: str, plan: str, journal: str, api: ApiVersion) -> None:
    policy = RetryPolicy(initial_delay=0.01, max_delay=0.1, settle=0.1)
    async with Scarf(token, base_url=url, v2_url=url, api=api, retry=policy, timeout=0.3) as scarf:
        report = await scarf.bulk.run(BulkPlan.load(plan), journal=journal, concurrency=8, permission_batch=4)
    print(json.dumps([outcome.status for outcome in report.outcomes]))


def main(url: str, token: str, plan: str, journal: str, api: ApiVersion) -> None:
    """Run it."""
    asyncio.run(_run(url, token, plan, journal, api))
