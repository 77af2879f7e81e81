"""`python applying_child.py URL TOKEN CHANGES JOURNAL`: apply saved changes; be killed, or print the counts."""

from __future__ import annotations

import asyncio
import json
import sys

from scarf_async import RetryPolicy, Scarf
from scarf_async.manifests.saved import read_changes


async def main(url: str, token: str, changes: str, journal: str) -> None:
    """Apply them."""
    policy = RetryPolicy(initial_delay=0.01, max_delay=0.1, settle=0.1)
    async with Scarf(token, base_url=url, retry=policy, timeout=1.0) as scarf:
        report = await scarf.manifests.apply(read_changes(changes), whole=True, journal=journal, concurrency=8)
    print(json.dumps(report.counts))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
