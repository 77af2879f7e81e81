"""Apply saved changes in a process of its own: be killed, or print the counts."""

from __future__ import annotations

import asyncio
import json

from scarf_async import RetryPolicy, Scarf
from scarf_async.manifests.saved import read_changes


async def _apply(url: str, token: str, changes: str, journal: str) -> None:
    policy = RetryPolicy(initial_delay=0.01, max_delay=0.1, settle=0.1)
    async with Scarf(token, base_url=url, retry=policy, timeout=1.0) as scarf:
        report = await scarf.manifests.apply(read_changes(changes), whole=True, journal=journal, concurrency=8)
    print(json.dumps(report.counts))


def main(url: str, token: str, changes: str, journal: str) -> None:
    """Apply them."""
    asyncio.run(_apply(url, token, changes, journal))
