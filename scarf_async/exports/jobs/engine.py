"""DuckDB for jobs (extra `data`): finds repeated ids in a window and across windows. Imported on first use.

It only receives typed columns: the readers define the meaning of records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import duckdb
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped] # it ships no types

from scarf_async.errors import ExportError

__all__ = ["Crossing", "Engine", "Ids", "IdsOfTwo", "engine_told", "quoted"]

_AGAIN: Final = """
    SELECT latest.row, latest.digest <> first.digest AS differs
    FROM latest JOIN (
        SELECT key, min(row) AS row, arg_min(digest, row) AS digest
        FROM (
            SELECT key, -1 AS row, digest FROM seen SEMI JOIN latest USING (key)
            UNION ALL SELECT key, row, digest FROM latest
        )
        GROUP BY key HAVING count(*) > 1
    ) AS first USING (key)
    WHERE latest.row > first.row ORDER BY ALL
"""

# DuckDB reports the errors of a file system in Python in Python's words.
_OF_A_STORE: Final = re.compile(
    r"(?:Traceback \(most recent call last\):\n(?:(?: .*)?\n)*[\w.]+|\w+Error(?=: \[Errno)): (.*)"
)


@contextmanager
def engine_told(description: str) -> Iterator[None]:
    """Convert errors of DuckDB to those of this package.

    Raises:
        ExportError: DuckDB cannot continue, for example because it lacks memory.
        OSError: a file cannot be read, or temporary data cannot be written to disk.
    """
    try:
        yield
    except duckdb.IOException as error:
        problem = str(error)
        raise OSError(problem) from None
    except duckdb.Error as error:
        problem = str(error)
        if (failed := _OF_A_STORE.match(problem)) is not None:
            raise OSError(failed[1]) from None
    else:
        return
    raise ExportError(f"{description}: DuckDB failed: {problem}")


def quoted(name: str) -> str:
    """Return a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


class Engine:
    """An in-memory database for a run.

    Args:
        spill: a directory for data that does not fit into memory.
        memory: its memory limit in bytes.
    """

    def __init__(self, spill: Path, memory: int) -> None:
        # One thread: windows have their own threads, and the order of rows must be that of arrival.
        self._connection = duckdb.connect(
            config={
                "threads": 1,
                "memory_limit": f"{memory}B",
                "temp_directory": str(spill),
                "preserve_insertion_order": "false",
            }
        )

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a separate connection for a window, which does not wait for others."""
        return self._connection.cursor()

    def close(self) -> None:
        """Release the memory and the spilled data."""
        self._connection.close()


class Ids:
    """Finds rows whose id was already received; rows without an id never count."""

    def __init__(self, engine: Engine, names: Sequence[str]) -> None:
        self._cursor = engine.cursor()
        values = ", ".join(map(quoted, names))
        self._take_in = (
            "CREATE OR REPLACE TEMP TABLE latest AS"  # noqa: S608 # our own names
            f" SELECT md5_number(id) AS key, hash({values}) AS digest, row FROM arrived WHERE id <> ''"
        )
        self._cursor.execute("CREATE TEMP TABLE seen (key UHUGEINT, digest UBIGINT)")

    def take_in(self, table: pa.Table) -> tuple[pa.BooleanArray, list[int]]:
        """Add the ids of a table.

        Returns:
            For each row, whether its id is new in this and earlier tables; and the indexes of repeated rows that
            differ from the first row with their id.
        """
        cursor = self._cursor
        rows = pa.array(range(table.num_rows), pa.int32())
        cursor.register("arrived", table.append_column("row", rows))
        cursor.execute(self._take_in)
        again = cursor.sql(_AGAIN).to_arrow_table()
        cursor.register("arrived", again)
        cursor.execute("INSERT INTO seen SELECT key, digest FROM latest ANTI JOIN arrived USING (row)")
        cursor.unregister("arrived")
        differing = again.filter(again["differs"])["row"].to_pylist()
        return pc.invert(pc.is_in(rows, value_set=again["row"])), differing

    def close(self) -> None:
        """Drop the ids."""
        self._cursor.close()


@attrs.frozen
class IdsOfTwo:
    """The common ids of two windows.

    Attributes:
        first: the index of one window.
        second: the index of the other one.
        count: the number of common ids.
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
        """Add ids of a window."""
        self._cursor.register("ids", pa.table({"id": ids}))
        self._cursor.execute("INSERT INTO held SELECT id, ? FROM ids WHERE id <> ''", [number])
        self._cursor.unregister("ids")

    def found(self) -> list[IdsOfTwo]:
        """Return the results, by the indexes of the windows."""
        rows = self._cursor.execute(
            "SELECT one.number, other.number, count(*), min(id) FROM held AS one JOIN held AS other USING (id)"
            " WHERE one.number < other.number GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        return [IdsOfTwo(*row) for row in rows]
