"""A PostgreSQL table to load into (extra `postgres`). Imported on first use."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import psycopg
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
from psycopg.pq.abc import PGconn
from psycopg.sql import Identifier

from scarf_async.errors import JobBusyError, LoadError
from scarf_async.exports.jobs.output import Refuse
from scarf_async.exports.loading.database import (
    STAGE,
    Incoming,
    Loaded,
    LoadStoppedError,
    Row,
    Statements,
    load_window,
)
from scarf_async.exports.loading.ledger import Line
from scarf_async.exports.loading.rows import Tally
from scarf_async.exports.loading.tables import (
    Columns,
    Found,
    Layout,
    TableName,
    as_script,
    lacking,
)
from scarf_async.exports.loading.targets import PostgreSQL
from scarf_async.settings import Secret
from scarf_async.text import printable

__all__ = ["PostgreSQLTable"]

T = TypeVar("T")

# A backend whose client was killed ends within milliseconds.
_PATIENCE: Final = 2.0
_LOOK_AGAIN: Final = 0.05
# The seconds before each further attempt at a window: a restarting server is back by then.
_PAUSES: Final = (0.1, 1.0, 4.0, 10.0)
# Transactions with these errors can simply be retried.
_TRY_AGAIN: Final = frozenset({"40001", "40P01"})


# A backend whose client has vanished would keep its locks for hours by default.
_SETTINGS: Final = (
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;"
    " SET idle_in_transaction_session_timeout = '5min'"
)
# Without such an index the same id may come in twice.
_UNIQUE: Final = (
    "SELECT 1 FROM pg_catalog.pg_index JOIN pg_catalog.pg_attribute ON attrelid = indrelid AND attnum = indkey[0]"
    " WHERE indrelid = to_regclass($1) AND attname = 'id' AND indnkeyatts = 1 AND indpred IS NULL"
    " AND indisunique AND indimmediate AND indisvalid"
)
_DIRECT: Final = "SELECT, INSERT, DELETE"


class _LostError(Exception):
    """The connection was lost, or the transaction was chosen as the victim of a conflict."""


def _quote(name: str) -> str:
    return Identifier(name).as_string(None)


def _password(connection: PGconn) -> Secret:
    """Return the password that was sent to a server, which may echo it; it may come from the password file."""
    return Secret(connection.password.decode(errors="replace"))


def _key(purpose: str, *names: str | None) -> int:
    """Return a number for an advisory lock."""
    text = "\0".join(["scarf-async", purpose, *(name or "" for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], signed=True)


class _Session:
    """A connection. The driver's exceptions do not leave it: they refer to the connection, and so to passwords."""

    def __init__(self, server: PostgreSQL) -> None:
        self._server = server
        self._given = Secret("")
        self._connection = self._told(
            lambda: psycopg.connect(
                server.address.reveal(),
                autocommit=True,
                # Prepared statements would interfere with those of other sessions of a pooler.
                prepare_threshold=None,
                client_encoding="UTF8",
                cursor_factory=psycopg.RawCursor,
            ),
            "cannot connect: ",
        )
        self._given = _password(self._connection.pgconn)
        self._cursor = self._connection.cursor()
        self.execute(_SETTINGS)

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run a statement; return its rows, if any."""
        return self._told(lambda: self._execute(sql, parameters))

    def _execute(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        self._cursor.execute(sql.encode(), parameters or None)
        return self._cursor.fetchall() if self._cursor.description else []

    def append(
        self, statements: Statements, window_id: uuid.UUID, batches: Iterable[pa.RecordBatch], tally: Tally
    ) -> bool:
        if statements.layout.columns == "official" or not self.execute(_UNIQUE, (statements.events,)):
            return False
        into = f"COPY {statements.events} ({statements.names}, scarf_window) FROM STDIN"
        self.execute("SAVEPOINT before_rows")
        try:
            self._told(lambda: self._copy(into, batches, tally, f"\t{window_id}\n".encode()))
        except LoadError:
            self.execute("ROLLBACK TO SAVEPOINT before_rows")
            return False
        return True

    def stage(self, statements: Statements, batches: Iterable[pa.RecordBatch], tally: Tally) -> None:
        """Write rows into a new temporary table, and add them to the digest."""
        names = statements.names
        # Its types are those of the table, which may be of another program.
        self.execute(
            f"CREATE TEMPORARY TABLE {STAGE} ON COMMIT DROP AS SELECT {names} FROM {statements.events} WITH NO DATA"
        )
        self._told(lambda: self._copy(f"COPY pg_temp.{STAGE} ({names}) FROM STDIN", batches, tally))
        # The other columns are not needed, and would cost more than anything but the rows.
        self.execute(f"ANALYZE pg_temp.{STAGE} (id)")

    def _copy(
        self, sql: str, batches: Iterable[pa.RecordBatch], tally: Tally, line_end: bytes | None = None
    ) -> None:
        with self._cursor.copy(sql.encode()) as copy:
            for batch in batches:
                text = tally.text(batch)
                # A LF in a value is escaped.
                copy.write(text if line_end is None else bytes(text).replace(b"\n", line_end))

    def close(self) -> None:
        """Close it; the server rolls back its transaction."""
        self._connection.close()

    def _told(self, call: Callable[[], T], doing: str = "") -> T:
        try:
            return call()
        except psycopg.Error as error:
            said = error.diag.message_primary or (str(error) if error.sqlstate is None else type(error).__name__)
            state = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
            # The exception of a failed attempt to connect refers to the arguments.
            given = self._given if error.pgconn is None else _password(error.pgconn)
            said = printable(" ".join(given.redact(self._server.redact(said)).split()))
            problem = f"PostgreSQL: {doing}{said}{state}"
            is_lost = error.sqlstate in _TRY_AGAIN or (
                isinstance(error, psycopg.OperationalError) and (bool(doing) or self._connection.closed)
            )
        # Outside the handler, so that the driver's exception does not become the context of this one.
        if is_lost:
            raise _LostError(problem)
        raise LoadError(problem)


class PostgreSQLTable:
    """A PostgreSQL table, locked by one load.

    One connection locks the table for the load, with an advisory lock of its session; another one has the
    transactions, and is replaced when one fails. The lock and the ledger of each transaction keep the rows correct;
    the session's lock only keeps a second load from requesting the same windows.

    Args:
        server: the server.
        table: the table.
        columns: the kind of table, `scarf` or `official`.
        job: the name of the job in the ledger.
    """

    def __init__(self, server: PostgreSQL, table: TableName, columns: Columns, job: str) -> None:
        self._server = server
        self._statements = Statements(Layout("postgresql", columns, _quote), table, job)
        self._turn = threading.Lock()
        self._holder: _Session | None = None
        self._worker: _Session | None = None
        self._load_id = uuid.uuid4()
        self._before: Loaded | None = None

    @property
    def refuse(self) -> Refuse:
        """Returns the first row that the table cannot store, and why."""
        return self._statements.refuse

    def open(self) -> None:
        """Lock the table; create it if it does not exist.

        Raises:
            JobBusyError: another load has locked it.
            LoadError: the database cannot be reached, or something is missing that cannot be created.
        """
        with self._turn:
            self._reached(self._open)

    def _open(self) -> None:
        holder = _Session(self._server)
        try:
            self._resolve(holder)
            self._hold(holder)
            self._prepare(holder)
        except BaseException:
            holder.close()
            raise
        self._holder = holder

    def _reached(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except _LostError as error:
            problem = str(error)
        raise LoadError(problem)

    def _resolve(self, session: _Session) -> None:
        """Find the schema of the table, or the one in which it would be created."""
        table, layout = self._statements.table, self._statements.layout
        schema = table.schema
        if schema is None:
            ((found,),) = session.execute(
                "SELECT coalesce((SELECT nspname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n"
                " ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)), current_schema())::text",
                (layout.quoted(table),),
            )
            if found is None:
                raise LoadError("PostgreSQL: none of the schemas in search_path is there; give table='schema.name'")
            schema = str(found)
        self._statements = Statements(layout, TableName(schema, table.name), self._statements.job)

    def _hold(self, session: _Session) -> None:
        table = self._statements.table
        until = time.monotonic() + _PATIENCE
        while session.execute("SELECT pg_try_advisory_lock($1)", (_key("load", table.schema, table.name),)) != [
            (True,)
        ]:
            if time.monotonic() > until:
                raise JobBusyError(f"table {table} is being loaded by another run; wait for its end")
            time.sleep(_LOOK_AGAIN)

    def _prepare(self, session: _Session) -> None:
        """Create missing tables, and refuse existing ones with another layout."""
        session.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        # Another load may be creating the same ledger.
        session.execute("SELECT pg_advisory_xact_lock($1)", (_key("create"),))
        statements = self._statements
        found = self._look(session)
        created, asked = lacking(statements.layout, statements.table, found)
        if asked:
            raise LoadError(
                f"table {statements.table} cannot be loaded into as {found.role}; have these statements run:",
                ddl=as_script(asked),
            )
        for statement in created:
            session.execute(statement)
        session.execute("COMMIT")

    def missing(self) -> str:
        """Return the statements that would create what is missing, without running them.

        Raises:
            LoadError: the database cannot be reached.
        """
        with self._turn:
            return self._reached(self._missing)

    def _missing(self) -> str:
        session = _Session(self._server)
        try:
            self._resolve(session)
            statements = self._statements
            created, asked = lacking(statements.layout, statements.table, self._look(session))
        finally:
            session.close()
        return as_script([*created, *asked])

    def _look(self, session: _Session) -> Found:
        statements, table = self._statements, self._statements.table
        ((role, database, encoding, temporary),) = session.execute(
            "SELECT current_user::text, current_database()::text, current_setting('server_encoding'),"
            " has_database_privilege(current_database(), 'TEMPORARY')"
        )
        if encoding not in {"UTF8", "SQL_ASCII"}:
            raise LoadError(f"PostgreSQL: database {database} is encoded as {encoding}; events need one in UTF8")
        quoted = _quote(str(role))
        rights = [] if temporary else [f"GRANT TEMPORARY ON DATABASE {_quote(str(database))} TO {quoted}"]
        schema = session.execute(
            "SELECT has_schema_privilege(oid, 'USAGE'), has_schema_privilege(oid, 'CREATE')"
            " FROM pg_catalog.pg_namespace WHERE nspname = $1",
            (table.schema,),
        )
        if not schema:
            return Found(role=str(role), has_schema=False, rights=rights)
        ((may_use, may_create),) = schema
        if not may_use:
            rights.append(f"GRANT USAGE ON SCHEMA {_quote(table.schema or '')} TO {quoted}")
        columns: list[list[str] | None] = []
        for one in (table, statements.layout.ledger(table)):
            names = session.execute(
                "SELECT attname::text, c.oid FROM pg_catalog.pg_class AS c"
                " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
                " JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
                " WHERE nspname = $1 AND relname = $2",
                (one.schema, one.name),
            )
            columns.append([str(name) for name, _ in names] or None)
            if names and session.execute(
                "SELECT 1 FROM unnest(string_to_array($1, ', ')) AS wanted"
                " WHERE NOT has_table_privilege($2::oid, wanted)",
                (_DIRECT, names[0][1]),
            ):
                rights.append(f"GRANT {_DIRECT} ON {statements.layout.quoted(one)} TO {quoted}")
        return Found(
            events=columns[0],
            ledger=columns[1],
            role=str(role),
            may_create=may_create is True,
            rights=rights,
        )

    def lines(self) -> list[Line]:
        """Return the ledger's lines of the job."""
        with self._turn:
            return self._reached(lambda: self._statements.read(self._held()))

    def last_day(self, before: dt.date) -> dt.date | None:
        """Return the last day of its rows before another day; None if there is none."""
        with self._turn:
            return self._reached(lambda: self._statements.last_day(self._held(), before))

    def load(self, incoming: Incoming) -> Loaded:
        """Load a window, completely or not at all.

        Raises:
            LoadError: the database returned an error.
            MalformedRecordError: it has a row that the table cannot store.
            LoadStoppedError: no more windows can be loaded.
        """
        with self._turn:
            # A number for each load: a window may be loaded twice in a run.
            self._load_id, self._before = uuid.uuid4(), None
            for pause in (0.0, *_PAUSES):
                time.sleep(pause)
                try:
                    return self._attempt(incoming)
                except _LostError as error:
                    problem = str(error)
                except JobBusyError as error:
                    raise LoadStoppedError(error) from None
            raise LoadStoppedError(LoadError(problem))

    def _attempt(self, incoming: Incoming) -> Loaded:
        table = self._statements.table
        self._held()
        session = self._worker = self._worker or _Session(self._server)
        try:
            # With the role's defaults it might see the ledger as of before the lock, or read dates differently.
            session.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
            session.execute("SET LOCAL TIME ZONE 'UTC'")
            # If the COMMIT of an earlier connection is still running, this waits for its end.
            session.execute("SELECT pg_advisory_xact_lock($1)", (_key("window", table.schema, table.name),))
            self._before = load_window(session, self._statements, incoming, self._load_id, self._before)
            session.execute("COMMIT")
        except BaseException:
            self._worker = None
            session.close()
            raise
        return self._before

    def _held(self) -> _Session:
        """Return the connection that locks the table; reconnect if it was lost."""
        if self._holder is not None:
            try:
                self._holder.execute("SELECT 1")
            except _LostError:
                self._holder.close()
                self._holder = None
            else:
                return self._holder
        holder = _Session(self._server)
        try:
            self._hold(holder)
        except BaseException:
            holder.close()
            raise
        self._holder = holder
        return holder

    def close(self) -> None:
        """Unlock and close it."""
        with self._turn:
            for session in (self._worker, self._holder):
                if session is not None:
                    session.close()
            self._worker = self._holder = None
