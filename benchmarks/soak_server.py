"""An emulator on which things go wrong, in a process of its own: what it remembers is not the client's memory."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from scarf_async.emulator import Emulator, Faults

__all__ = ["LATE_BY"]

LATE_BY = 0.1
"""How late an effect may come, in seconds."""


async def _serve(seed: int) -> None:
    async with Emulator(user="owner", keep_requests=1, events_per_day=40, gzip=True) as emulator:
        emulator.faults = Faults(
            seed=seed,
            status={503: 0.02, 429: 0.01, 500: 0.01, 502: 0.005},
            drop_before=0.015,
            drop_after=0.015,
            late_effect=0.01,
            late_by=LATE_BY,
            latency=0.001,
            cut_download=0.1,
        )
        print(json.dumps({"url": emulator.url, "v2_url": emulator.v2_url, "pid": os.getpid()}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
