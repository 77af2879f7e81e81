"""A table in a DuckDB file to load into (extra `data`). Imported on first use."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import duckdb
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types

from scarf_async.errors import JobBusyError, LoadError
from scarf_async.exports.jobs.output import Refuse
from scarf_async.exports.loading.database import STAGE, Incoming, Loaded, Row, Statements, load_window
from scarf_async.exports.loading.ledger import Line
from scarf_async.exports.loading.rows import Tally
from scarf_async.exports.loading.tables import Columns, Found, Layout, TableName, as_script, lacking

__all__ = ["DuckDBTable"]

T = TypeVar("T")

_PATIENCE: Final = 10.0
_LOOK_AGAIN: Final = 0.1
_LOCKED: Final = "lock"
_BATCH: Final = "scarf_batch"

# DuckDB shares one database in a process, however often it is opened.
_held: set[Path] = set()
_holding = threading.Lock()


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class _Session:
    """A connection. DuckDB's messages may contain events, so only its errors about files are passed on."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._connection = self._opened(read_only=read_only)

    def _opened(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return duckdb.connect(str(self._path), read_only=read_only)
            except duckdb.IOException as error:
                problem, is_locked = str(error), _LOCKED in str(error)
            except duckdb.Error as error:
                problem, is_locked = str(error), False
            if not is_locked:
                raise LoadError(f"DuckDB file {self._path} cannot be opened: {problem}")
            if time.monotonic() > until:
                raise JobBusyError(f"DuckDB file {self._path} is held by another process: {problem}")
            time.sleep(_LOOK_AGAIN)

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run a statement; return its rows, if any."""
        return self._told(lambda: self._execute(sql, parameters))

    def _execute(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        return self._connection.execute(sql, list(parameters)).fetchall()

    def append(
        self, _statements: Statements, _window_id: uuid.UUID, _batches: Iterable[pa.RecordBatch], _tally: Tally
    ) -> bool:
        # An error ends the whole transaction.
        return False

    def stage(self, statements: Statements, batches: Iterable[pa.RecordBatch], tally: Tally) -> None:
        """Write rows into a new temporary table, and add them to the digest."""
        names = statements.names
        self.execute(f"CREATE TEMP TABLE {STAGE} AS SELECT {names} FROM {statements.events} LIMIT 0")
        for batch in batches:
            tally.text(batch)
            rows = _without_zone(batch) if statements.layout.columns == "official" else batch
            self._told(partial(self._insert, rows, names))

    def _insert(self, rows: pa.RecordBatch, names: str) -> None:
        self._connection.register(_BATCH, rows)
        self._connection.execute(f"INSERT INTO {STAGE} SELECT {names} FROM {_BATCH}")
        self._connection.unregister(_BATCH)

    def roll_back(self) -> None:
        """Roll back the transaction, if DuckDB has not done so."""
        with suppress(duckdb.Error):
            self._connection.rollback()

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def _told(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except duckdb.IOException as error:
            problem = str(error)
        except duckdb.Error as error:
            problem = type(error).__name__
        # Outside the handler, so that DuckDB's exception does not become the context of this one.
        raise LoadError(f"DuckDB file {self._path}: {problem}")


def _without_zone(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows with UTC times without a zone: DuckDB would convert others to its own zone."""
    columns = [
        column.cast(pa.timestamp("us")) if pa.types.is_timestamp(column.type) else column
        for column in batch.columns
    ]
    return pa.record_batch(columns, names=batch.schema.names)


class DuckDBTable:
    """A table in a DuckDB file, locked by one load, with one connection: a cursor has its own transactions.

    Args:
        path: the file, which is created if it does not exist.
        table: the table.
        columns: the kind of table, `scarf` or `official`.
        job: the name of the job in the ledger.
    """

    def __init__(self, path: Path, table: TableName, columns: Columns, job: str) -> None:
        self._path = path
        table = TableName(table.schema or "main", table.name)
        self._statements = Statements(Layout("duckdb", columns, _quote), table, job)
        self._turn = threading.Lock()
        self._session: _Session | None = None

    @property
    def refuse(self) -> Refuse:
        """Returns the first row that the table cannot store, and why."""
        return self._statements.refuse

    @property
    def _open_session(self) -> _Session:
        if self._session is None:
            raise ValueError("the table is not open")
        return self._session

    def open(self) -> None:
        """Lock the file, and create the table if it does not exist.

        Raises:
            JobBusyError: another load or process has the file open.
            LoadError: it cannot be opened, or something is missing that cannot be created.
        """
        with self._turn:
            path = self._path.resolve()
            with _holding:
                if path in _held:
                    raise JobBusyError(f"DuckDB file {self._path} is being loaded by another run of this process")
                _held.add(path)
            try:
                self._session = _Session(self._path)
                self._prepare(self._session)
            except BaseException:
                self._let_go(path)
                raise

    def _prepare(self, session: _Session) -> None:
        statements = self._statements
        created, asked = lacking(statements.layout, statements.table, self._look(session))
        if asked:
            raise LoadError(
                f"table {statements.table} of {self._path} cannot be loaded into; run these statements:",
                ddl=as_script(asked),
            )
        session.execute("BEGIN")
        for statement in created:
            session.execute(statement)
        session.execute("COMMIT")

    def _look(self, session: _Session) -> Found:
        table = self._statements.table
        columns: list[list[str] | None] = []
        for one in (table, self._statements.layout.ledger(table)):
            names = session.execute(
                "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database()"
                " AND schema_name = $1 AND table_name = $2",
                (one.schema, one.name),
            )
            columns.append([str(name) for (name,) in names] or None)
        schemas = session.execute(
            "SELECT 1 FROM duckdb_schemas() WHERE database_name = current_database() AND schema_name = $1",
            (table.schema,),
        )
        return Found(events=columns[0], ledger=columns[1], has_schema=bool(schemas))

    def missing(self) -> str:
        """Return the statements that would create what is missing, without running them or creating the file.

        Raises:
            JobBusyError: another process has the file open.
            LoadError: it cannot be opened.
        """
        statements = self._statements
        found = Found(has_schema=statements.table.schema == "main")
        if self._path.exists():
            session = _Session(self._path, read_only=True)
            try:
                found = self._look(session)
            finally:
                session.close()
        created, asked = lacking(statements.layout, statements.table, found)
        return as_script([*created, *asked])

    def lines(self) -> list[Line]:
        """Return the ledger's lines of the job."""
        with self._turn:
            return self._statements.read(self._open_session)

    def last_day(self, before: dt.date) -> dt.date | None:
        """Return the last day of its rows before another day; None if there is none."""
        with self._turn:
            return self._statements.last_day(self._open_session, before)

    def load(self, incoming: Incoming) -> Loaded:
        """Load a window, completely or not at all.

        Raises:
            LoadError: the database returned an error.
            MalformedRecordError: it has a row that the table cannot store.
        """
        with self._turn:
            session = self._open_session
            session.execute("BEGIN")
            try:
                loaded = load_window(session, self._statements, incoming, uuid.uuid4())
                if loaded.status == "loaded":
                    session.execute(f"DROP TABLE {STAGE}")
                session.execute("COMMIT")
            except BaseException:
                session.roll_back()
                raise
            return loaded

    def close(self) -> None:
        """Unlock and close it."""
        with self._turn:
            if self._session is not None:
                self._let_go(self._path.resolve())

    def _let_go(self, path: Path) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
        with _holding:
            _held.discard(path)
