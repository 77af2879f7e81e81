"""A body that a process of its own sends over and over, as cheaply as it can: a file, by the kernel."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.rounds import server_process
from scarf_async.emulator.generator import EVENT_COLUMNS, EventSource, csv_line, event_lines

__all__ = ["aggregates", "events", "serving_body", "throughput"]

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
        with server_process("benchmarks.bodies", path, str(len(body))) as port:
            yield f"http://127.0.0.1:{port}"
    finally:
        Path(path).unlink()


def throughput(body: bytes, records: int, read: Callable[[], int]) -> float:
    """Read a body once, which has so many records; return MB a second."""
    began = perf_counter()
    found = read()
    took = perf_counter() - began
    assert found == records, f"it read {found:,} of {records:,} records"
    return len(body) / 2**20 / took


if __name__ == "__main__":
    # Not uvloop: it has no sendfile, and a file that the kernel sends costs less than any loop.
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
