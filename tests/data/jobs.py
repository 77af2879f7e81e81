"""Directories of export jobs whose events DuckDB has invented: as many, and as odd, as a test wants them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import duckdb
import msgspec

from scarf_async import Event, ExportJob
from scarf_async.exports.arrow import schema_of
from scarf_async.exports.jobs.manifest import MANIFEST, FileEntry, Manifest, WindowEntry, dump

__all__ = ["day", "job_of", "window"]


def day(text: str) -> dt.date:
    """Return a date."""
    return dt.date.fromisoformat(text)


def window(start: str, end: str, **values: object) -> WindowEntry:
    """Return a window without files, fetched when it was over."""
    asked = dt.datetime.combine(day(end), dt.time(2), dt.UTC)
    return msgspec.structs.replace(WindowEntry(day(start), day(end), 0, 0, 0, False, asked, asked, ()), **values)


def job_of(
    path: Path, events: str, windows: Sequence[WindowEntry], form: Literal["parquet", "jsonl"] = "parquet"
) -> Path:
    """Make a directory that a job might have written.

    Args:
        path: where.
        events: a query in SQL of columns of events, `time` among them; those that it lacks are null.
        windows: what is fetched; each takes those of the events that are of its days.
        form: what its files are.
    """
    (path / "data").mkdir(parents=True)
    manifest = Manifest.of(
        ExportJob("owner_events", "acme", None, None, form, api="v2"), "https://api.scarf.example"
    )
    written = "FORMAT parquet, COMPRESSION zstd" if form == "parquet" else "FORMAT json"
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"CREATE VIEW given AS {events}")
    given = {row[0] for row in connection.execute("DESCRIBE given").fetchall()}
    types = {"timestamp[us, tz=UTC]": "TIMESTAMPTZ", "double": "DOUBLE", "bool": "BOOLEAN"}
    columns = ", ".join(
        f"CAST({f.name if f.name in given else 'NULL'} AS {types.get(str(f.type), 'VARCHAR')}) AS {f.name}"
        for f in schema_of(Event)
    )
    for entry in windows:
        name = f"data/{entry.start}--{entry.end}.{form}"
        of_window = f"SELECT {columns} FROM given WHERE time >= '{entry.start}' AND time < '{entry.end}'"  # noqa: S608 # ours
        copied = connection.execute(f"COPY ({of_window}) TO '{path / name}' ({written})")
        ((rows,),) = copied.fetchall()
        file = FileEntry(name, (path / name).stat().st_size, "0" * 64, rows)
        manifest = manifest.having(msgspec.structs.replace(entry, rows=rows, files=(file,)))
    (path / MANIFEST).write_bytes(dump(manifest))
    return path
