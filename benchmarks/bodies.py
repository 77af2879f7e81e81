"""A body that a process of its own sends over and over, as cheaply as it can: a file, by the kernel."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Final

from scarf_async.emulator.generator import EVENT_COLUMNS, EventSource, csv_line, event_lines

__all__ = ["aggregates", "compare", "events", "serving_body"]

_FIRST: Final = dt.date(2024, 1, 1)
_DAYS: Final = 10


def events(rows: int) -> bytes:
    """Return events as the emulator makes them: 24 columns, some quoted, some with line breaks."""
    source = EventSource("benchmark", "file", "sources")
    lines = event_lines(source, _FIRST, _DAYS, per_day=rows // _DAYS, seed=1, columns=EVENT_COLUMNS)
    return "".join(chain([csv_line(EVENT_COLUMNS)], lines)).encode()


def aggregates(rows: int) -> bytes:
    """Return aggregates as lines of JSON."""
    return b"".join(
        json.dumps(
            {
                "breakdown": "company",
                "date": f"2024-01-{number % 10 + 1:02}",
                "package": "0d0c2a2e-6f3f-4d0e-9a52-5b5d3c1c7f10",
                "total": number % 977,
                "unique_total": number % 97,
                "company_name": f"Acme {number % 50}, Inc.",
                "company_domain": f"acme{number % 50}.example",
            }
        ).encode()
        + b"\n"
        for number in range(rows)
    )


async def _serve(path: str, size: int) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await writer.drain()
        with Path(path).open("rb") as file:  # noqa: ASYNC230 # in the page cache
            await asyncio.get_running_loop().sendfile(writer.transport, file)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def serving_body(body: bytes) -> Iterator[str]:
    """Answer every request with a body; give the address."""
    descriptor, path = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bodies", path, str(len(body))], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                yield f"http://127.0.0.1:{int(process.stdout.readline())}"
            finally:
                process.terminate()
    finally:
        Path(path).unlink()


def compare(
    name: str, size: int, ways: Sequence[tuple[str, Callable[[], int]]], targets: Sequence[float], *, rounds: int
) -> list[str]:
    """Run ways in turn, the first one ours; return a line for it and one for each of the others, with the ratio.

    Args:
        name: what is measured.
        size: bytes of the body.
        ways: what each is called, and what reads the body and returns its records.
        targets: how many times as fast as each of the others ours should be.
        rounds: how often.
    """
    walls: list[list[float]] = [[] for _ in ways]
    processors: list[list[float]] = [[] for _ in ways]
    records: set[int] = set()
    for _ in range(rounds):
        for wall, processor, (_, way) in zip(walls, processors, ways, strict=True):
            began, used = perf_counter(), process_time()
            records.add(way())
            wall.append(perf_counter() - began)
            processor.append(process_time() - used)
    assert len(records) == 1, f"they read {records} records"
    megabytes = size / 2**20
    lines = [f"{name}, {megabytes:.0f} MB, {records.pop():,} records: {megabytes / median(walls[0]):.0f} MB/s"]
    others = zip(ways[1:], walls[1:], processors[1:], targets, strict=True)
    for (other, _), wall, processor, target in others:
        # In turn, so that what else the machine does meets both.
        ratios = sorted(theirs / ours for ours, theirs in zip(walls[0], wall, strict=True))
        used = median(theirs / ours for ours, theirs in zip(processors[0], processor, strict=True))
        verdict = "ok" if median(ratios) >= target else "TOO SLOW"
        lines.append(
            f"  {other}: {megabytes / median(wall):.0f} MB/s; ratio {median(ratios):.2f} ({ratios[0]:.2f}-"
            f"{ratios[-1]:.2f}, {rounds} rounds, target {target:g}) {verdict}; by processor time {used:.2f}"
        )
    return lines


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
