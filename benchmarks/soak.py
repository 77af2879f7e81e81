"""`python -m benchmarks soak --minutes N [--seed S]`: everything at once, interrupted, while things go wrong.

Workers set up organizations by calls, bulk runs and manifests, read exports in all ways, are cancelled and time
out, against an emulator in a process of its own that refuses, drops, delays and cuts. All is on loopback. After
each fifth of the time, the first of which warms up, everything is let go and counted. At the end nothing may be
left, the memory must be flat, and each organization as it was meant; if not so, the status is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Final

import attrs

from benchmarks.rounds import server_process
from benchmarks.soak_worker import Worker
from scarf_async import RetryPolicy, Scarf

__all__ = ["main"]

_WORKERS: Final = 16
_PHASES: Final = 5
# Beyond what caches and the allocator still take after the warm-up.
_MORE_OBJECTS: Final = 0.03
_MORE_BLOCKS: Final = 0.05
_MORE_BYTES: Final = 24 * 2**20
_POLICY: Final = RetryPolicy(initial_delay=0.01, max_delay=0.2, settle=0.3)
_TIMEOUT: Final = 5.0


@attrs.frozen
class Server:
    """Where the emulator is, and in which process."""

    url: str
    v2_url: str
    pid: int


@attrs.frozen
class Held:
    """What a process holds while nothing is going on.

    Attributes:
        tasks: but for the one that counts.
        files: file handles.
        server_files: those of the emulator's process.
        rss: bytes of memory.
        objects: that the garbage collector knows.
        blocks: that Python's allocator has given out.
    """

    tasks: int
    files: int
    server_files: int
    rss: int
    objects: int
    blocks: int

    def __str__(self) -> str:
        return (
            f"{self.tasks} tasks, {self.files} file handles, {self.server_files} of the emulator,"
            f" {self.rss / 2**20:.1f} MiB, {self.objects:,} objects, {self.blocks:,} blocks"
        )


def _files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 # names are all that is wanted


def _held(server: Server) -> Held:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return Held(
        tasks=len(asyncio.all_tasks()) - 1,
        files=_files(os.getpid()),
        server_files=_files(server.pid),
        rss=pages * os.sysconf("SC_PAGE_SIZE"),
        objects=len(gc.get_objects()),
        blocks=sys.getallocatedblocks(),
    )


def _left(before: Held, warm: Held, end: Held) -> list[str]:
    """Say what is left at the end and should not be."""
    found = [f"{end.tasks} tasks are left"] if end.tasks else []
    if end.files > warm.files:
        found.append(f"{end.files - warm.files} file handles are left")
    if end.server_files > before.server_files:
        found.append(f"the emulator has {end.server_files - before.server_files} connections left")
    if end.objects > warm.objects * (1 + _MORE_OBJECTS):
        found.append(f"{end.objects - warm.objects:,} more objects")
    if end.blocks > warm.blocks * (1 + _MORE_BLOCKS):
        found.append(f"{end.blocks - warm.blocks:,} more blocks of memory")
    if end.rss > warm.rss + _MORE_BYTES:
        found.append(f"{(end.rss - warm.rss) / 2**20:.1f} MiB more memory")
    return found


class _Complaints(logging.Handler):
    """Keeps what was warned of: a task's error that nobody took, a session that nobody closed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # The SDK tells of retries by its own logger.
        if not record.name.startswith("scarf_async"):
            self.words.append(record.getMessage())


async def _phase(
    server: Server, workers: list[random.Random], until: float, place: Path
) -> tuple[Counter[str], list[str]]:
    """Work for a while with one client; let everything go. Return what was seen, and what is wrong."""
    seen: Counter[str] = Counter()

    def connect() -> Scarf:
        return Scarf(
            "emulator-token",
            base_url=server.url,
            v2_url=server.v2_url,
            retry=_POLICY,
            timeout=_TIMEOUT,
            export_timeout=_TIMEOUT,
            on_event=lambda event: seen.update([type(event).__name__]),
        )

    async def work(worker: Worker) -> None:
        while time.monotonic() < until and not worker.problems:
            await worker.generation()

    async with connect() as scarf:
        users = [
            Worker(scarf, connect, server.url, rng, place / f"w{number}", f"w{number}-{rng.randrange(10**9)}")
            for number, rng in enumerate(workers)
        ]
        async with asyncio.TaskGroup() as group:
            for user in users:
                group.create_task(work(user))
    for user in users:
        seen.update(user.seen)
    return seen, [problem for user in users for problem in user.problems]


async def _settled(server: Server, before: Held) -> Held:
    """Count once the emulator has noticed that its connections are gone."""
    for _ in range(50):
        held = _held(server)
        if held.server_files <= before.server_files and not held.tasks:
            break
        await asyncio.sleep(0.1)
    return held


async def _soak(server: Server, seconds: float, seed: int, place: Path) -> list[str]:
    before = _held(server)
    print(f"at the start: {before}", flush=True)
    workers = [random.Random(f"{seed} {number}") for number in range(_WORKERS)]
    began = time.monotonic()
    all_seen: Counter[str] = Counter()
    after: list[Held] = []
    for phase in range(1, _PHASES + 1):
        seen, problems = await _phase(server, workers, began + seconds * phase / _PHASES, place)
        all_seen.update(seen)
        after.append(await _settled(server, before))
        print(f"after {time.monotonic() - began:.0f} s: {after[-1]}", flush=True)
        if problems:
            return problems
    print(", ".join(f"{count:,} {what}" for what, count in sorted(all_seen.items())))
    return _left(before, after[0], after[-1])


def main(arguments: list[str] | None = None) -> int:
    """Run; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks soak", description="Everything at once, for a while."
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (10)")
    parser.add_argument("--seed", type=int, help="what decides (random)")
    told = parser.parse_args(arguments)
    seed = random.randrange(10**9) if told.seed is None else told.seed
    print(f"seed {seed}", flush=True)
    complaints = _Complaints()
    logging.getLogger().addHandler(complaints)
    logging.captureWarnings(capture=True)
    warnings.simplefilter("always", ResourceWarning)
    with server_process("benchmarks.soak_server", str(seed)) as line, tempfile.TemporaryDirectory() as place:
        server = Server(**json.loads(line))
        problems = asyncio.run(_soak(server, told.minutes * 60, seed, Path(place)))
    problems += [f"warned: {words}" for words in complaints.words]
    for problem in problems:
        print(f"NOT SO: {problem}")
    print(
        "not as it should be"
        if problems
        else "nothing left, memory flat, everything as it was meant, nothing doubled"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
