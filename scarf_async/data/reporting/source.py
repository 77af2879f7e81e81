"""The source of a report: a table of events, and the days that it covers. All functions block."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import attrs

from scarf_async.data.reporting.coverage import Coverage, Held
from scarf_async.data.source import read
from scarf_async.dialects.exports import EXPORTS
from scarf_async.entities import Event
from scarf_async.errors import ExportError, JobBusyError, ValidationError
from scarf_async.exports.formats import ExportFormat, need_installed
from scarf_async.exports.jobs.source import source_of
from scarf_async.exports.loading.tables import LEDGER
from scarf_async.text import printable

if TYPE_CHECKING:
    import duckdb

__all__ = ["Source", "opened"]

_SCHEME: Final = "duckdb:"
_USUAL: Final = ("main", "scarf_events")
_MEMORY: Final = "600MB"
_NEEDED: Final = (
    "time", "package", "pixel", "version", "user_agent", "platform", "origin_id", "origin_country",
    "origin_company", "origin_connection_type",
)  # fmt: skip
_KINDS: Final = frozenset(str(kind) for (_, kind), call in EXPORTS.items() if call.record is Event)

# A value that is not a name, or means that there is none, is null. Only the product of a user agent matters.
_EVENTS: Final = """
CREATE OR REPLACE TEMP VIEW events AS SELECT
    CAST(make_timestamp(epoch_us(time)) AS DATE) AS day,
    coalesce(pixel, '') <> '' AS is_view,
    nullif(package, '') AS package,
    nullif(version, '') AS version,
    CASE WHEN trim(origin_company) NOT IN ('', 'UNKNOWN') THEN origin_company END AS company,
    nullif(origin_connection_type, '') AS connection,
    nullif(origin_country, '') AS country,
    nullif(CASE
        WHEN user_agent LIKE 'Mozilla/%' THEN 'browser'
        ELSE regexp_extract(user_agent, '^([A-Za-z][A-Za-z0-9_.+-]{{0,39}})(?:[/ (;,]|$)', 1)
    END, '') AS client,
    nullif(platform, '') AS platform,
    CASE WHEN origin_id <> '' THEN hash(origin_id) END AS origin
FROM {table}
"""
_TABLES: Final = """
SELECT schema_name, table_name FROM duckdb_columns()
WHERE database_name = 'source' AND list_contains(?, column_name) GROUP BY ALL HAVING count(*) = ? ORDER BY ALL
"""
_HAS_LEDGER: Final = """
FROM duckdb_tables() WHERE database_name = 'source' AND schema_name = ? AND table_name = ?
"""
_HELD: Final = """
SELECT CAST(job AS VARCHAR), "start", "end", provisional, CAST(make_timestamp(epoch_us(loaded_at)) AS DATE)
FROM {ledger} WHERE "table" = ? ORDER BY ALL
"""
# There are three passes over the events, and parsing lines takes long.
_READ_ONCE: Final = """
COPY events TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE_BYTES '32MB');
CREATE OR REPLACE TEMP VIEW events AS FROM read_parquet('{path}');
"""


@attrs.frozen
class Source:
    """Events in a table `events`, by day, and what is known about them.

    Attributes:
        connection: the connection of the table.
        coverage: the days that it covers.
        duplicates: the number of dropped events with a repeated id; None if unknown.
        malformed: the number of records that could not be read and were left out; None if unknown.
        server: the base URL of the service that they are from; None if unknown.
    """

    connection: duckdb.DuckDBPyConnection
    coverage: Coverage
    duplicates: int | None = None
    malformed: int | None = None
    server: str | None = None


@contextmanager
def opened(source: str | os.PathLike[str]) -> Iterator[Source]:
    """Open a source.

    Raises:
        ConfigurationError: the extra `data` is not installed.
        ValidationError: it does not contain events.
        ExportError: it is not that of an export job or load, or is damaged.
        JobBusyError: another process has the database open.
        OSError: it cannot be read.
    """
    need_installed("report()", "scarf-async[data]", "pyarrow", "duckdb")
    import duckdb  # noqa: PLC0415 # large, and an extra

    from scarf_async.exports.jobs.engine import engine_told  # noqa: PLC0415 # as above

    with TemporaryDirectory(prefix="scarf-report-") as spill, engine_told(f"report of {source}"):
        connection = duckdb.connect(
            config={
                "memory_limit": _MEMORY,
                "temp_directory": spill,
                "preserve_insertion_order": "false",
                # Extensions would be downloaded.
                "autoinstall_known_extensions": "false",
            }
        )
        try:
            if isinstance(source, str) and source.startswith(_SCHEME):
                yield _database(connection, Path(source.removeprefix(_SCHEME)).absolute())
            else:
                yield _job(connection, source, Path(spill))
        finally:
            connection.close()


def _job(connection: duckdb.DuckDBPyConnection, source: str | os.PathLike[str], spill: Path) -> Source:
    manifest = source_of(source).manifest
    if manifest.job.get("what") not in _KINDS:
        raise ValidationError(
            f"a report is of events, and {os.fspath(source)} holds {manifest.job.get('what')}", field="source"
        )
    read(source, connection=connection).create_view("records")
    connection.execute(_EVENTS.format(table="records"))
    if manifest.job.get("format") == ExportFormat.JSONL:
        connection.execute(_READ_ONCE.format(path=str(spill / "events.parquet").replace("'", "''")))
    windows = manifest.windows
    held = tuple(
        Held(one.start, one.end, one.provisional, (one.answered_at or one.finished_at).astimezone(dt.UTC).date())
        for one in windows
    )
    return Source(
        connection,
        Coverage((held,)),
        sum(one.duplicates for one in windows),
        sum(one.malformed for one in windows),
        manifest.server,
    )


def _database(connection: duckdb.DuckDBPyConnection, path: Path) -> Source:
    import duckdb  # noqa: PLC0415 # large, and an extra

    from scarf_async.exports.jobs.engine import quoted  # noqa: PLC0415 # as above

    # A missing file is an OSError; DuckDB would create it.
    path.stat()
    name = str(path).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{name}' AS source (READ_ONLY, TYPE duckdb)")
    except duckdb.IOException as error:
        if "lock" not in str(error):
            raise
        problem = f"another process holds the database {path}; try again when it is done"
        raise JobBusyError(problem) from None
    schema, table = _table(connection, path)
    connection.execute(_EVENTS.format(table=f"source.{quoted(schema)}.{quoted(table)}"))
    ledger = _ledger(connection, schema, table)
    return Source(connection, Coverage(ledger) if ledger else _without_ledger(connection))


def _table(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[str, str]:
    """Return the schema and name of the table of events: the usual one, or else the only one."""
    found = connection.execute(_TABLES, [_NEEDED, len(_NEEDED)]).fetchall()
    if _USUAL in found:
        return _USUAL
    match found:
        case [(schema, table)]:
            return schema, table
        case []:
            raise ExportError(
                f"{path} has no table with the columns {', '.join(_NEEDED)}: load events into it, or name another"
                " database"
            )
        case _:
            names = ", ".join(printable(f"{schema}.{table}") for schema, table in found)
            raise ExportError(
                f"{path} has several tables of events, and none is {'.'.join(_USUAL)}: {names}; load one of them"
                " into a database of its own"
            )


def _ledger(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> tuple[tuple[Held, ...], ...]:
    from scarf_async.exports.jobs.engine import quoted  # noqa: PLC0415 # it imports what is large, and an extra

    if not connection.execute(_HAS_LEDGER, [schema, LEDGER]).fetchall():
        return ()
    rows = connection.execute(_HELD.format(ledger=f"source.{quoted(schema)}.{LEDGER}"), [table]).fetchall()
    jobs: dict[str, list[Held]] = {}
    for job, *window in rows:
        jobs.setdefault(job, []).append(Held(*window))
    return tuple(map(tuple, jobs.values()))


def _without_ledger(connection: duckdb.DuckDBPyConnection) -> Coverage:
    """Derive the days from the events, up to today: later times are errors."""
    today = dt.datetime.now(dt.UTC).date()
    ((first, last),) = connection.execute("SELECT min(day), max(day) FROM events WHERE day < ?", [today]).fetchall()
    if first is None:
        return Coverage((), is_known=False)
    return Coverage(((Held(first, last + dt.timedelta(1), False, today),),), is_known=False)
