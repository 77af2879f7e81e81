"""How much memory does a job take, however long a window is, and with four windows at once?

The server makes the events as it sends them, in a process of its own: each has an id of its own, and of some eight
one comes again.

    python -m benchmarks.job_memory ROWS    with so many rows in a window
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.results import Result, single
from benchmarks.rounds import serve_forever, server_process

__all__ = ["run"]

_ROWS: Final = 10_000_000
_LIMIT: Final = 256
_BESIDES: Final = 250
"""Megabytes that a job may take besides its limit."""
_FORMS: Final = ("csv", "jsonl", "parquet", "partitioned")
_AT_ONCE: Final = 5000
_AGAIN: Final = 8
_HEADER: Final = (
    b"id,type,package,pixel,version,time,referer,user_agent,platform,variables,origin_id,origin_latitude,"
    b"origin_longitude,origin_country,origin_city,origin_postal,origin_connection_type,origin_company,"
    b"origin_domain,dnt,confidence,endpoint_id,origin_state,mtc_quota_exceeded\n"
)


def _piece(day: bytes) -> bytes:
    """Return events of a day, without the two halves of their ids."""
    return b"".join(
        b"5b5d%%08x-3c1c-7f10-%%08x,file-download,sources%d,,1.2.%d,%bT13:%02d:%02d.%06dZ,,"
        b'"curl/8.5.%d (x86_64, linux)",linux,version=1.2.3,7f109a%02x,52.%d,13.%d,DE,Berlin,10%03d,isp,Acme %d,'
        b"acme.example,false,0.874,e1,BE,false\n"
        % (n % 23, n % 7, day, n // 60 % 60, n % 60, n, n % 5, n % 251, n % 89, n % 97, n % 1000, n % 50)
        for n in range(_AT_ONCE)
    )


async def _serve(rows: int) -> None:
    """Answer every request with so many events of its first day."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (day,) = re.findall(rb"startDate=([\d-]{10})", head)
        piece = _piece(day)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        writer.write(b"%x\r\n%b\r\n" % (len(_HEADER), _HEADER))
        for first in range(0, rows, _AT_ONCE):
            # Half of the time the ids of a piece in eight are those of half as far.
            again = first // _AT_ONCE % _AGAIN == 0
            begin = first // 2 if again else first
            data = piece % tuple(
                part for n in range(begin, begin + _AT_ONCE) for part in (n, n * 2654435761 % 2**32)
            )
            writer.write(b"%x\r\n%b\r\n" % (len(data), data))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


async def _fetch(url: str, to: str, form: str, windows: int) -> None:
    """Run a job; print its rows, those that came again, the megabytes that this process has had, and seconds."""
    from scarf_async import ExportJob, Scarf  # noqa: PLC0415 # the server does without

    job = ExportJob(
        "package_events",
        "acme",
        "2024-01-01",
        f"2024-01-{1 + windows:02}",
        "parquet" if form == "partitioned" else form,  # type: ignore[arg-type] # a row's name
        1,
        package="p",
        partition_by="artifact" if form == "partitioned" else None,
    )
    began = perf_counter()
    async with Scarf("t", base_url=url) as scarf:
        report = await scarf.exports.run(job, to, memory_limit=f"{_LIMIT}MB")
    report.raise_for_failures()
    print(report.rows, report.duplicates, _peak(), perf_counter() - began)


def _peak() -> float:
    kilobytes = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    return int(kilobytes) * 1024 / 10**6


def _measured(rows: int, form: str, windows: int) -> Result:
    with tempfile.TemporaryDirectory() as place, server_process("benchmarks.job_memory", "serve", str(rows)) as url:
        command = [sys.executable, "-m", "benchmarks.job_memory", "fetch", url, str(Path(place, "to")), form]
        done = subprocess.run(
            [*command, str(windows)], check=True, stdout=subprocess.PIPE, text=True, env={**os.environ}
        )
        shutil.rmtree(Path(place, "to"))
    kept, again, megabytes, seconds = map(float, done.stdout.split())
    assert kept + again == rows * windows, (kept, again)
    print(f"{form}, {windows} x {rows:,}: {megabytes:.0f} MB, {seconds:.0f} s", file=sys.stderr, flush=True)
    return single(
        f"job_memory.{form}_{windows}",
        f"a job of {windows} windows at once, {rows:,} events in each, {form}: peak memory",
        [megabytes],
        unit="MB",
        better="less",
        target=_LIMIT + _BESIDES,
    )


def run(rows: int = _ROWS) -> list[Result]:
    """Measure."""
    return [_measured(rows, form, windows) for form in _FORMS for windows in (1, 4)]


if __name__ == "__main__":
    match sys.argv[1:]:
        case "serve", rows:
            serve_forever(_serve(int(rows)))
        case "fetch", url, to, form, windows:
            asyncio.run(_fetch(url, to, form, int(windows)))
        case rows, *_:
            run(int(rows))
