"""DuckDB as jobs use it (extra `data`): ids that came before, JSON lines, and partitions. Imported on first use.

It is given typed columns only: what a record means is for the readers to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import duckdb
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types

from scarf_async.errors import ExportError

__all__ = ["Again", "Crossing", "Engine", "Ids", "IdsOfTwo", "JsonLines", "engine_told"]

_ROWS_AT_ONCE: Final = 16_384
_LINES_AT_ONCE: Final = 8192


@contextmanager
def engine_told(description: str) -> Iterator[None]:
    """Tell of what the engine refuses as this package does.

    Raises:
        ExportError: the engine cannot go on, for want of memory, say.
        OSError: the disk, where it keeps what has no room in memory, cannot be written.
    """
    try:
        yield
    except duckdb.IOException as error:
        problem = str(error)
        raise OSError(problem) from None
    except duckdb.Error as error:
        problem = str(error)
    else:
        return
    raise ExportError(f"{description}: the engine cannot go on: {problem}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Engine:
    """One database in memory for a run.

    Args:
        spill: a folder for what has no room in memory.
        memory: bytes that it may take.
    """

    def __init__(self, spill: Path, memory: int) -> None:
        # One thread: windows have threads of their own, and the order of rows is that of arrival.
        self._connection = duckdb.connect(
            config={
                "threads": 1,
                "memory_limit": f"{memory}B",
                "temp_directory": str(spill),
                "preserve_insertion_order": "false",
            }
        )

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of a window's own: it takes turns with nobody."""
        return self._connection.cursor()

    def close(self) -> None:
        """Let go of the memory, and of what was spilled."""
        self._connection.close()


@attrs.frozen
class Again:
    """A row whose id has been there before.

    Attributes:
        row: its place in the table.
        differs: whether another of its values is not that of the first row with this id.
    """

    row: int
    differs: bool


class Ids:
    """Tells which rows' ids have been there; rows without an id are never told of."""

    def __init__(self, engine: Engine, names: Sequence[str]) -> None:
        self._cursor = engine.cursor()
        values = ", ".join(map(_quoted, names))
        self._take_in = (
            "CREATE OR REPLACE TEMP TABLE latest AS"  # noqa: S608 # our own names
            f" SELECT md5_number(id) AS key, hash({values}) AS digest, row FROM arrived WHERE id <> ''"
        )
        self._cursor.execute("CREATE TEMP TABLE seen (key UHUGEINT, digest UBIGINT)")

    def again(self, table: pa.Table) -> list[Again]:
        """Return the rows whose id came before, in this table or an earlier one, and take in the others'."""
        cursor = self._cursor
        cursor.register("arrived", table.append_column("row", pa.array(range(table.num_rows), pa.int32())))
        cursor.execute(self._take_in)
        cursor.unregister("arrived")
        found = cursor.execute(
            "SELECT row, digest <> first_value(digest) OVER of_one_id FROM ("
            "  SELECT key, -1 AS row, digest FROM seen SEMI JOIN latest USING (key)"
            "  UNION ALL SELECT key, row, digest FROM latest"
            ") WINDOW of_one_id AS (PARTITION BY key ORDER BY row)"
            " QUALIFY row_number() OVER of_one_id > 1 ORDER BY row"
        ).fetchall()
        again = [Again(row, differs) for row, differs in found]
        cursor.execute(
            "INSERT INTO seen SELECT key, digest FROM latest WHERE row NOT IN (SELECT unnest(?::INTEGER[]))",
            [[one.row for one in again]],
        )
        return again

    def close(self) -> None:
        """Forget them."""
        self._cursor.close()


@attrs.frozen
class IdsOfTwo:
    """Ids that two windows have.

    Attributes:
        first: the number of one window.
        second: the number of the other.
        count: how many ids there are.
        example: one of them.
    """

    first: int
    second: int
    count: int
    example: str


class Crossing:
    """Finds ids that are in two windows."""

    def __init__(self, engine: Engine) -> None:
        self._cursor = engine.cursor()
        self._cursor.execute("CREATE TEMP TABLE held (id VARCHAR, number INTEGER)")

    def add(self, ids: pa.Array, number: int) -> None:
        """Take ids of a window."""
        self._cursor.register("ids", pa.table({"id": ids}))
        self._cursor.execute("INSERT INTO held SELECT id, ? FROM ids WHERE id <> ''", [number])
        self._cursor.unregister("ids")

    def found(self) -> list[IdsOfTwo]:
        """Return what was found, by the windows' numbers."""
        rows = self._cursor.execute(
            "SELECT one.number, other.number, count(*), min(id) FROM held AS one JOIN held AS other USING (id)"
            " WHERE one.number < other.number GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        return [IdsOfTwo(*row) for row in rows]


class JsonLines:
    """Writes rows as JSON objects, each with all its columns; `extra` as an object, times in UTC."""

    def __init__(self, engine: Engine, names: Sequence[str]) -> None:
        self._cursor = engine.cursor()
        values = {"time": "strftime(time, '%Y-%m-%dT%H:%M:%S.%fZ')", "extra": "CAST(extra AS JSON)"}
        row = ", ".join(f"{values.get(name, _quoted(name))} AS {_quoted(name)}" for name in names)
        self._query = f"SELECT CAST(to_json(line) AS VARCHAR) || chr(10) FROM (SELECT {row} FROM kept) AS line"  # noqa: S608 # our own names

    def lines(self, batch: pa.RecordBatch) -> Iterator[memoryview]:
        """Return the lines of some rows, some at a time: they are longer than what they are made of."""
        self._cursor.register("kept", _without_zone(pa.Table.from_batches([batch])))
        for lines in self._cursor.sql(self._query).to_arrow_reader(_LINES_AT_ONCE):
            if lines.num_rows:
                yield _text(lines.column(0))
        self._cursor.unregister("kept")

    def close(self) -> None:
        """Let go of it."""
        self._cursor.close()


def _without_zone(table: pa.Table) -> pa.Table:
    """Return a table whose times have no zone, which is UTC: for others the engine asks a time zone database."""
    fields = [
        pa.field(field.name, pa.timestamp("us") if pa.types.is_timestamp(field.type) else field.type)
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _text(lines: pa.Array) -> memoryview:
    """Return texts one behind another, as they lie in memory."""
    _, offsets, data = lines.buffers()
    width = 8 if pa.types.is_large_string(lines.type) else 4
    at = memoryview(offsets).cast("q" if width == 8 else "i")
    return memoryview(data)[at[lines.offset] : at[lines.offset + len(lines)]]
