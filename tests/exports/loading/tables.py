"""Tables to load into, rows to load, and what is in them then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import duckdb
import psycopg
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
from psycopg.conninfo import conninfo_to_dict

from scarf_async import Event
from scarf_async.exports.arrow import schema_of
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.loading.database import Database, Incoming
from scarf_async.exports.loading.run import database_of
from scarf_async.exports.loading.tables import Columns, read_table
from scarf_async.exports.loading.targets import hidden, read_target

DAY = Window(dt.date(2024, 1, 1), dt.date(2024, 1, 2))
NEXT = Window(dt.date(2024, 1, 2), dt.date(2024, 1, 3))
BOTH = Window(DAY.start, NEXT.end)


def address(conninfo: str, **more: str) -> str:
    """Return an address of PostgreSQL as people write it."""
    return f"postgresql://?{urlencode({**{k: str(v) for k, v in conninfo_to_dict(conninfo).items()}, **more})}"


def table(target: str, *, name: str = "scarf_events", columns: Columns = "scarf", job: str = "job") -> Database:
    """Return a table, not open yet."""
    return database_of(read_target(hidden(target)), read_table(name), columns, job)


def row(number: str | None, window: Window = DAY, **values: object) -> dict[str, object]:
    """Return an event at noon of a window's first day."""
    noon = dt.datetime(window.start.year, window.start.month, window.start.day, 12, tzinfo=dt.UTC)
    return {"id": number, "type": "t", "time": noon} | values


def incoming(rows: Sequence[dict[str, object]], window: Window = DAY, *, provisional: bool = False) -> Incoming:
    """Return a window of these events."""
    columns = schema_of(Event)
    batch = pa.RecordBatch.from_pylist([dict.fromkeys(columns.names) | one for one in rows], columns)
    return Incoming(window, lambda: [batch], provisional, f"test {window}")


def asked(target: str, sql: str) -> list[tuple[object, ...]]:
    """Return what a database answers, in a connection of its own."""
    if target.startswith("duckdb:"):
        with duckdb.connect(target.removeprefix("duckdb:")) as engine:
            return engine.execute(sql).fetchall()
    with psycopg.connect(target, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def ids(target: str, name: str = "scarf_events") -> list[object]:
    """Return the ids in a table, in order."""
    return [one for (one,) in asked(target, f"SELECT id FROM {name} ORDER BY id")]


def path_of(target: str) -> Path:
    """Return a file of DuckDB."""
    return Path(target.removeprefix("duckdb:"))
