"""The interface of a database for loads, and the loading of one window: the same steps in PostgreSQL and DuckDB."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, Protocol, TypeAlias

import attrs
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types

from scarf_async.errors import ScarfError
from scarf_async.exports.jobs.output import Refuse
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.loading.ledger import Line, after, overlapping
from scarf_async.exports.loading.rows import Batches, Tally, checked, refused
from scarf_async.exports.loading.tables import Layout, TableName

__all__ = [
    "STAGE",
    "Database",
    "Incoming",
    "LoadStoppedError",
    "Loaded",
    "Row",
    "Session",
    "Statements",
    "load_window",
]

Row: TypeAlias = tuple[object, ...]

STAGE: Final = "scarf_rows"
"""The temporary table that receives the rows of a window first."""


class LoadStoppedError(Exception):
    """No more windows can be loaded. Internal: callers get `error`.

    Attributes:
        error: the error for the caller.
    """

    def __init__(self, error: ScarfError) -> None:
        super().__init__(str(error))
        self.error = error


@attrs.frozen
class Incoming:
    """A window to load.

    Attributes:
        window: its days.
        batches: returns its rows; may be called more than once.
        provisional: whether it had not ended when it was requested.
        description: its description, for messages.
    """

    window: Window
    batches: Batches
    provisional: bool
    description: str


@attrs.frozen
class Loaded:
    """The result of loading a window.

    Attributes:
        status: `unchanged` if the ledger already had these rows.
        rows: the number of its rows.
        deleted: the number of earlier rows that were not received again.
        replaced: the number of U+0000 characters that were replaced.
    """

    status: Literal["loaded", "unchanged"]
    rows: int
    deleted: int
    replaced: int


class Session(Protocol):
    """A connection in a transaction. Parameters are `$1`, `$2`, ... in both databases."""

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run a statement; return its rows, if any."""

    def append(
        self, statements: Statements, window_id: uuid.UUID, batches: Iterable[pa.RecordBatch], tally: Tally
    ) -> bool:
        """Put rows, whose ids are all new, straight into the table, and all of them into the tally's digest.

        Returns:
            False where that cannot be, such as for an id that is there; then nothing has changed.
        """

    def stage(self, statements: Statements, batches: Iterable[pa.RecordBatch], tally: Tally) -> None:
        """Write rows into a new temporary table, and add them to the digest."""


class Database(Protocol):
    """A table to load into. All methods block, and are called in threads."""

    @property
    def refuse(self) -> Refuse:
        """Returns the first row that the table cannot store, and why."""

    def open(self) -> None:
        """Lock the table; create it if it does not exist.

        Raises:
            JobBusyError: another load has locked it.
            LoadError: the database cannot be reached, or something is missing that cannot be created.
        """

    def lines(self) -> list[Line]:
        """Return the ledger's lines of the job."""

    def last_day(self, before: dt.date) -> dt.date | None:
        """Return the last day of its rows before another day; None if there is none."""

    def load(self, incoming: Incoming) -> Loaded:
        """Load a window, completely or not at all.

        Raises:
            LoadError: the database returned an error.
            MalformedRecordError: it has a row that the table cannot store.
            LoadStoppedError: no more windows can be loaded.
        """

    def missing(self) -> str:
        """Return the statements that would create what is missing, without running them.

        Raises:
            LoadError: the database cannot be reached.
        """

    def close(self) -> None:
        """Unlock and close it."""


@attrs.frozen
class Statements:
    """The SQL of a load into a table. Pure.

    Attributes:
        layout: the layout of the table.
        table: its name, with its schema.
        job: the name of the job in the ledger.
    """

    layout: Layout
    table: TableName
    job: str

    @property
    def events(self) -> str:
        """The table, quoted."""
        return self.layout.quoted(self.table)

    @property
    def ledger(self) -> str:
        """The ledger, quoted."""
        return self.layout.quoted(self.layout.ledger(self.table))

    @property
    def names(self) -> str:
        """The columns that an event fills, quoted."""
        return ", ".join(map(self.layout.quote, self.layout.names))

    def refuse(self, batch: pa.RecordBatch) -> tuple[int, str] | None:
        """Return the first row that the table cannot store, and why."""
        return refused(batch, longest=self.layout.longest_id, required=self.layout.columns == "official")

    def read(self, session: Session) -> list[Line]:
        """Return the ledger's lines of the job."""
        rows = session.execute(
            'SELECT start, "end", digest, window_id, load_id, "rows", provisional'
            f' FROM {self.ledger} WHERE "table" = $1 AND job = $2 ORDER BY start',
            (self.table.name, self.job),
        )
        return [_line(*row) for row in rows]

    def last_day(self, session: Session, before: dt.date) -> dt.date | None:
        """Return the last day of the table's rows before another day; None if there is none."""
        ((day,),) = session.execute(
            f'SELECT CAST(max("time") AS date) FROM {self.events} WHERE "time" < CAST($1 AS timestamp)', (before,)
        )
        return day if isinstance(day, dt.date) else None

    def write(self, session: Session, lines: Sequence[Line], new: Line) -> None:
        """Write a window into the ledger; other windows lose its days."""
        old = set(lines)
        now = after(lines, new)
        for line in old.difference(now):
            session.execute(
                f'DELETE FROM {self.ledger} WHERE "table" = $1 AND job = $2 AND start = $3',
                (self.table.name, self.job, line.window.start),
            )
        for line in now:
            if line not in old:
                session.execute(
                    f"INSERT INTO {self.ledger} VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CURRENT_TIMESTAMP)",
                    (
                        *(self.table.name, self.job, line.window.start, line.window.end, line.digest),
                        *(line.window_id, line.load_id, line.rows, line.provisional),
                    ),
                )

    def replace(self, session: Session, lines: Sequence[Line], new: Line, tally: Tally) -> int:
        """Move the rows of the temporary table into the table, replacing earlier ones.

        Returns:
            The number of earlier rows that were not received again.
        """
        if tally.changed_ids:
            # Ids that differed only in U+0000 are equal now; the first row stays.
            session.execute(
                f"DELETE FROM {STAGE} WHERE {self._place} IN ("
                f"SELECT {self._place} FROM (SELECT {self._place}, id, row_number() OVER"
                f" (PARTITION BY id ORDER BY {self._place}) AS number FROM {STAGE}) AS numbered"
                " WHERE id IS NOT NULL AND number > 1)"
            )
        deleted = 0 if self.layout.columns == "official" else self._delete(session, lines, new.window, tally)
        names, values = self.names, self.names
        if self.layout.columns == "scarf":
            names, values = f"{names}, scarf_window", f"{values}, CAST($1 AS uuid)"
        insert = f"INSERT INTO {self.events} ({names}) SELECT {values} FROM {STAGE}"
        inserts = [insert]
        if (self.layout.dialect, self.layout.columns) == ("duckdb", "scarf"):
            # Before 2.0, DuckDB's index still contains rows that the same transaction deleted, and rows without an
            # id conflict with each other.
            news = ", ".join(
                f"{name} = excluded.{name}" for name in names.split(", ") if name != self.layout.quote("id")
            )
            known = f"{insert} WHERE id IS NOT NULL ON CONFLICT (id) DO UPDATE SET {news}"
            inserts = [known, f"{insert} WHERE id IS NULL"]
        else:
            session.execute(f"DELETE FROM {self.events} WHERE id IN (SELECT id FROM {STAGE})")
        for one in inserts:
            session.execute(one, (new.window_id,) if self.layout.columns == "scarf" else ())
        return deleted

    def _delete(self, session: Session, lines: Sequence[Line], window: Window, tally: Tally) -> int:
        """Delete rows of an earlier load of these days that were not received again; return their number."""
        identified = unidentified = 0
        for line in lines:
            # Deleting by time alone would delete rows of other owners.
            where = (
                f"FROM {self.events} WHERE scarf_window = $1"
                " AND time >= CAST($2 AS timestamptz) AND time < CAST($3 AS timestamptz)"
                f" AND NOT EXISTS (SELECT 1 FROM {STAGE} AS come WHERE come.id = {self.events}.id)"
            )
            values = (line.window_id, f"{window.start} 00:00:00+00", f"{window.end} 00:00:00+00")
            ((some, others),) = session.execute(f"SELECT count(id), count(*) - count(id) {where}", values)
            identified += _number(some)
            unidentified += _number(others)
            session.execute(f"DELETE {where}", values)
        # Rows without an id cannot be matched.
        return identified + max(0, unidentified - tally.unidentified)

    @property
    def _place(self) -> str:
        return "ctid" if self.layout.dialect == "postgresql" else "rowid"


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _line(*values: object) -> Line:
    match values:
        case (
            dt.date() as start,
            dt.date() as end,
            str() as digest,
            uuid.UUID() as window_id,
            uuid.UUID() as load_id,
            int() as rows,
            bool() as provisional,
        ):
            return Line(Window(start, end), digest, window_id, load_id, rows, provisional)
    raise TypeError("the ledger has other types than were made")


def load_window(
    session: Session, statements: Statements, incoming: Incoming, load_id: uuid.UUID, before: Loaded | None = None
) -> Loaded:
    """Load a window, in a transaction with exclusive access.

    Args:
        session: the connection.
        statements: the SQL for the table.
        incoming: the window.
        load_id: identifies this load in all its attempts.
        before: the result of an earlier attempt whose COMMIT got no response.

    Raises:
        MalformedRecordError: the table cannot store a row.
    """
    window = incoming.window
    lines = statements.read(session)
    same = next((line for line in lines if line.window == window), None)
    if before is not None and same is not None and same.load_id == load_id:
        return before
    line = Line(window, "", uuid.uuid4(), load_id, 0, incoming.provisional)
    if same is not None:
        line = attrs.evolve(line, window_id=same.window_id)
    if same is not None and same.digest:
        seen = Tally()
        for batch in incoming.batches():
            seen.text(seen.clean(batch, statements.layout.names))
        if seen.digest == same.digest:
            statements.write(session, lines, attrs.evolve(line, digest=seen.digest, rows=seen.rows))
            return Loaded("unchanged", seen.rows, 0, seen.replaced)

    def rows() -> tuple[Tally, Iterator[pa.RecordBatch]]:
        tally = Tally()
        batches = checked(incoming.batches(), statements.refuse, incoming.description)
        return tally, (tally.clean(batch, statements.layout.names) for batch in batches)

    earlier = overlapping(lines, window)
    deleted = 0
    tally, come = rows()
    # Most windows are new, and so are their ids: to look for those that are there costs a third of the whole.
    if earlier or not session.append(statements, line.window_id, come, tally):
        tally, come = rows()
        session.stage(statements, come, tally)
        deleted = statements.replace(session, earlier, line, tally)
    line = attrs.evolve(line, digest=tally.digest, rows=tally.rows)
    statements.write(session, lines, line)
    return Loaded("loaded", tally.rows, deleted, tally.replaced)
