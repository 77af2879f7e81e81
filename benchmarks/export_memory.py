"""How much does memory grow from a small export to one of 500 MB?

The server streams prepared lines from a process of its own, so only the reader is measured.
"""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import aiohttp
import attrs
from pyarrow import csv  # type: ignore[import-untyped] # it ships no types

from benchmarks.results import Result, single
from benchmarks.rounds import serve_forever, server_process
from scarf_async import Event, ExportStream, Scarf

__all__ = ["KINDS", "WHOLE", "Peak", "own_peak", "peak", "run"]

_SMALL: Final = 1.5
# What fills every buffer of record batches, which a small export does not.
_FILLING: Final = 50.0
_LARGE: Final = 500.0
_LIMIT: Final = 16.0
_ARROW_LIMIT: Final = 32.0
_PIECE: Final = 2**16
KINDS: Final[Mapping[str, str]] = {
    "ndjson": "ndjson typed",
    "csv": "csv typed",
    "arrow": "csv as record batches",
    "arrow_4096": "csv as record batches of 4096",
    "arrow_65536": "csv as record batches of 65536",
}
WHOLE: Final = "the body read whole, then pyarrow.csv"
"""What a user would write, for the plot: its memory grows with the export."""

_AGGREGATE = (
    json.dumps(
        {
            "breakdown": "company",
            "date": "2024-01-15",
            "package": "0d0c2a2e-6f3f-4d0e-9a52-5b5d3c1c7f10",
            "total": 12,
            "company_name": "Acme, Inc.",
            "company_domain": "acme.example",
        }
    )
    + "\n"
).encode()
_HEADER = (
    b"id,type,package,pixel,version,time,referer,user_agent,platform,variables,origin_id,origin_latitude,"
    b"origin_longitude,origin_country,origin_city,origin_postal,origin_connection_type,origin_company,"
    b"origin_domain,dnt,confidence,endpoint_id,origin_state,mtc_quota_exceeded\n"
)
_EVENT = (
    b'5b5d3c1c,file-download,sources,,1.2.3,2024-01-15T13:58:26.021037Z,,"curl/8.5.0 (x86_64, linux)",linux,'
    b"version=1.2.3,7f109a52,52.52,13.40,DE,Berlin,10115,isp,Acme,acme.example,false,0.874,e1,BE,false\n"
)


@attrs.frozen
class Peak:
    """What reading an export took: its records, the largest Arrow batch and the peak memory, both in MB."""

    records: int
    largest: float
    megabytes: float


async def _serve(megabytes: float) -> None:
    """Answer every request with a chunked body of about so many megabytes; the path tells the format."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        csv = b"/events" in head.split(b"\r\n", 1)[0]
        line = _EVENT if csv else _AGGREGATE
        piece = line * (_PIECE // len(line))
        chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        if csv:
            writer.write(b"%x\r\n%b\r\n" % (len(_HEADER), _HEADER))
        for _ in range(int(megabytes * 2**20 / len(piece))):
            writer.write(chunk)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _rows(stream: ExportStream[Event], size: int | None) -> tuple[int, int]:
    rows = largest = 0
    async for batch in stream.record_batches(size):
        rows += batch.num_rows
        largest = max(largest, batch.nbytes)
    return rows, largest


async def _whole(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/events") as response:
        body = await response.read()
    rows: int = csv.read_csv(io.BytesIO(body)).num_rows
    return rows


async def _read(port: int, kind: str) -> tuple[int, int]:
    """Read a whole export; return its records, and the bytes of the largest record batch."""
    address = f"http://127.0.0.1:{port}"
    records = largest = 0
    if kind == WHOLE:
        return await _whole(address), 0
    async with Scarf("benchmark", base_url=address, v2_url=address) as scarf:
        if kind == "csv typed":
            async with scarf.exports.owner_events("acme", "2024-01-01", "2024-02-01") as events:
                async for _ in events:
                    records += 1
        elif kind.startswith("csv as record batches"):
            async with scarf.exports.owner_events("acme", "2024-01-01", "2024-02-01") as events:
                size = kind.partition(" of ")[2]
                records, largest = await _rows(events, int(size) if size else None)
        else:
            async with scarf.exports.organization_aggregates("acme", "2024-01-01", "2024-02-01") as aggregates:
                async for _ in aggregates:
                    records += 1
    return records, largest


def own_peak() -> int:
    """Return the peak memory of this process in kB; getrusage would count what its parent had at the fork."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:", 1)[1].split(None, 1)[0])


def peak(kind: str, megabytes: float) -> Peak:
    """Read an export of so many MB in a process of its own, in one of the ways of `KINDS`."""
    with server_process("benchmarks.export_memory", "serve", str(megabytes)) as port:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.export_memory", "read", port, kind],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
    records, largest, kilobytes = map(int, done.stdout.split())
    return Peak(records, largest / 2**20, kilobytes / 1024)


def run() -> list[Result]:
    """Measure the ways of reading."""
    rows = []
    for name, kind in KINDS.items():
        large = peak(kind, _LARGE)
        held = f" (the largest {large.largest:.1f} MB)" if large.largest else ""
        starts = {name: _SMALL} | ({f"{name}.filled": _FILLING} if large.largest else {})
        rows += [
            single(
                f"export_memory.{row}",
                f"peak memory, {start:g} MB to {_LARGE:g} MB of {kind}{held}: growth",
                [large.megabytes - peak(kind, start).megabytes],
                unit="MB",
                better="less",
                target=_ARROW_LIMIT if large.largest else _LIMIT,
            )
            for row, start in starts.items()
        ]
    return rows


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve_forever(_serve(float(sys.argv[2])))
    else:
        print(*asyncio.run(_read(int(sys.argv[2]), sys.argv[3])), own_peak())
