"""How fast does a file of events go into the service, against a loop written by hand, and how does memory grow?

The server takes what comes and says that it is imported, in a process of its own, so only the sender is measured.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

import aiohttp
import msgspec

from benchmarks.export_memory import own_peak
from benchmarks.results import Result, single, versus
from benchmarks.rounds import in_turn, serve_forever, server_process
from scarf_async import Scarf

__all__ = ["run"]

_ROWS: Final = int(os.environ.get("SCARF_BENCHMARK_ROWS", "500000"))
_ROUNDS: Final = 5
_BATCH: Final = 10_000
_AT_ONCE: Final = 4
_LEVEL: Final = 4
_LIMIT: Final = 32.0
_SMALL: Final = 2 * _BATCH
_ANSWER: Final = b'{"id":"7","status":"done","events_total":10000,"events_successfully_imported":10000}'
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_ANSWER)
_LENGTH: Final = re.compile(rb"(?i)content-length: *(\d+)")


async def _serve() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = _LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
                writer.write(_HEAD + _ANSWER)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def _file(rows: int) -> Iterator[Path]:
    """A file of so many events, as a gateway would log them."""
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "events.ndjson")
        with path.open("w") as file:
            for number in range(rows):
                event = {
                    "$time": (start + dt.timedelta(milliseconds=number)).isoformat(),
                    "$unique_id": f"{number:032x}",
                    "$type": "download",
                    "$version": f"1.{number % 40}.{number % 7}",
                    "$user_agent": f"curl/8.{number % 9}.0",
                    "$remote_address": f"192.0.2.{number % 250}",
                    "path": f"/dl/tool-{number % 400}.tgz",
                    "mirror": "eu-1",
                }
                file.write(json.dumps(event) + "\n")
        yield path


async def _ours(url: str, path: Path) -> int:
    async with Scarf("token", owner="acme", base_url=url, v2_url=url) as scarf:
        report = await scarf.imports.send(path, package="web", batch=_BATCH, concurrency=_AT_ONCE)
    return report.imported


class _Event(msgspec.Struct):
    time: str = msgspec.field(name="$time")
    unique_id: str = msgspec.field(name="$unique_id")


async def _by_hand(url: str, path: Path) -> int:
    """What one would write who checks each line, too, and keeps as many batches in progress."""
    read = msgspec.json.Decoder(_Event).decode
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip", "Authorization": "Bearer token"}
    slots, imported, lines = asyncio.Semaphore(_AT_ONCE), 0, list[bytes]()

    async def send(lines: list[bytes]) -> None:
        nonlocal imported
        try:
            body = await asyncio.to_thread(gzip.compress, b"".join(lines), _LEVEL)
            async with session.post(f"{url}/packages/acme/web/import", data=body, headers=headers) as answer:
                imported += (await answer.json())["events_successfully_imported"]
        finally:
            slots.release()

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        with path.open("rb") as file:  # as one would
            for line in file:
                event = read(line)
                if dt.datetime.fromisoformat(event.time).tzinfo is None or not event.unique_id:
                    raise ValueError("a line without a time zone or an identifier")
                lines.append(line)
                if len(lines) == _BATCH:
                    await slots.acquire()
                    tasks.create_task(send(lines))
                    lines = []
    return imported


def _rate(send: Callable[[], Coroutine[object, object, int]], rows: int) -> float:
    began = perf_counter()
    sent = asyncio.run(send())
    assert sent == rows, f"{sent:,} of {rows:,} rows"
    return rows / (perf_counter() - began)


def _peak(url: str, path: Path) -> float:
    """Send a file in a process of its own; return the peak of its memory in MB."""
    command = [sys.executable, "-m", "benchmarks.imports", url, str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def _send(url: str, path: str) -> None:
    asyncio.run(_ours(url, Path(path)))
    print(own_peak() / 1024)


def run() -> list[Result]:
    """Measure."""
    with server_process("benchmarks.imports") as port, _file(_ROWS) as path, _file(_SMALL) as small:
        url = f"http://127.0.0.1:{port}"
        ways = [partial(_rate, partial(send, url, path), _ROWS) for send in (_ours, _by_hand)]
        ours, by_hand = in_turn(ways, _ROUNDS)
        growth = _peak(url, path) - _peak(url, small)
    return [
        versus(
            "imports.by_hand",
            f"{_ROWS:,} events from a file",
            "aiohttp and gzip by hand",
            ours,
            by_hand,
            unit="rows/s",
            better="more",
            target=0.8,
        ),
        single(
            "imports.memory",
            f"growth from {_SMALL:,} events to {_ROWS:,}",
            [growth],
            unit="MB",
            better="less",
            target=_LIMIT,
        ),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _send(*sys.argv[1:])
    else:
        serve_forever(_serve())
