"""DuckDB as jobs use it (extra `data`): ids that came before, in a window and across them. Imported on first use.

It is given typed columns only: what a record means is for the readers to say.
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

# What a file system in Python raises, DuckDB tells of as Python does.
_OF_A_STORE: Final = re.compile(
    r"(?:Traceback \(most recent call last\):\n(?: .*\n)*[\w.]+|\w+Error(?=: \[Errno)): (.*)"
)


@contextmanager
def engine_told(description: str) -> Iterator[None]:
    """Tell of what the engine refuses as this package does.

    Raises:
        ExportError: the engine cannot go on, for want of memory, say.
        OSError: a file cannot be read, or the disk, where it keeps what has no room in memory, not be written.
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
    raise ExportError(f"{description}: the engine cannot go on: {problem}")


def quoted(name: str) -> str:
    """Return an identifier as it is in SQL."""
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


class Ids:
    """Tells which rows' ids have been there; rows without an id are never told of."""

    def __init__(self, engine: Engine, names: Sequence[str]) -> None:
        self._cursor = engine.cursor()
        values = ", ".join(map(quoted, names))
        self._take_in = (
            "CREATE OR REPLACE TEMP TABLE latest AS"  # noqa: S608 # our own names
            f" SELECT md5_number(id) AS key, hash({values}) AS digest, row FROM arrived WHERE id <> ''"
        )
        self._cursor.execute("CREATE TEMP TABLE seen (key UHUGEINT, digest UBIGINT)")

    def take_in(self, table: pa.Table) -> tuple[pa.BooleanArray, list[int]]:
        """Take in the ids of a table.

        Returns:
            Of each row whether its id is new, in this table and the earlier ones; and the places of those that
            came again with other values than the first row with this id has.
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
