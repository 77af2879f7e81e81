"""The tables of a load: their names, their columns, and the SQL that creates them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, Literal, TypeAlias

import attrs

from scarf_async.entities import Event
from scarf_async.errors import ValidationError

__all__ = ["LEDGER", "Columns", "Dialect", "Found", "Layout", "TableName", "as_script", "lacking", "read_table"]

Columns: TypeAlias = Literal["scarf", "official"]
Dialect: TypeAlias = Literal["postgresql", "duckdb"]

LEDGER: Final = "scarf_windows"

# The columns of the table of Scarf's own exporter, in order.
_OFFICIAL: Final = [
    "id",
    "type",
    "package",
    "pixel",
    "version",
    "time",
    "referer",
    "user_agent",
    "platform",
    "variables",
    "origin_id",
    "origin_latitude",
    "origin_longitude",
    "origin_country",
    "origin_city",
    "origin_postal",
    "origin_connection_type",
    "origin_company",
    "origin_domain",
    "dnt",
    "confidence",
    "endpoint_id",
    "origin_state",
    "mtc_quota_exceeded",
]
_NUMBERS: Final = frozenset({"origin_latitude", "origin_longitude", "confidence"})
_FLAGS: Final = frozenset({"dnt", "mtc_quota_exceeded"})
_REQUIRED: Final = frozenset({"type", "time", "scarf_window"})
_LEDGER: Final = {
    "table": "text",
    "job": "text",
    "start": "date",
    "end": "date",
    "digest": "text",
    "window_id": "uuid",
    "load_id": "uuid",
    "rows": "bigint",
    "provisional": "boolean",
    "loaded_at": "timestamptz",
}
_KEY: Final = ("table", "job", "start")

_PART: Final = re.compile(r'"(?:[^"]|"")+"|[^".]+')
# The maximum size of an entry of a PostgreSQL index, without its header.
_LONGEST_ID: Final = 2692
# PostgreSQL truncates longer names, so that two may become equal.
_LONGEST_NAME: Final = 63


@attrs.frozen
class TableName:
    """A table, in a schema or in the database's default one.

    Attributes:
        schema: the schema, if given.
        name: the table.
    """

    schema: str | None
    name: str

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


def read_table(table: object) -> TableName:
    """Read `[schema.]name`; a part with a dot or a quote in it is quoted as in SQL.

    >>> read_table("scarf_events"), read_table('stats."a.b"')
    (TableName(schema=None, name='scarf_events'), TableName(schema='stats', name='a.b'))

    Raises:
        ValidationError: it is not such a name.
    """
    parts = _PART.findall(table) if isinstance(table, str) else []
    names = [part[1:-1].replace('""', '"') if part.startswith('"') else part for part in parts]
    fits = all(0 < len(name.encode(errors="replace")) <= _LONGEST_NAME and name.isprintable() for name in names)
    if ".".join(parts) != table or len(names) not in {1, 2} or not fits:
        raise ValidationError(
            f"table must be a name or schema.name, each of 1 to {_LONGEST_NAME} bytes; got {table!r}", field="table"
        )
    if names[-1] == LEDGER:
        raise ValidationError(f"{LEDGER} is the ledger's table: give another name", field="table")
    return TableName(names[0] if len(names) == 2 else None, names[-1])


def _event_type(name: str, columns: Columns, dialect: Dialect) -> str:
    exact = columns == "official" and dialect == "postgresql"
    if name == "time":
        return "timestamp" if columns == "official" else "timestamptz"
    if name in _NUMBERS:
        # Without a scale, DuckDB's numeric has three decimal places.
        return "numeric" if exact else "double precision"
    if name in _FLAGS:
        return "boolean"
    if name == "extra":
        return "jsonb" if dialect == "postgresql" else "json"
    return "text"


@attrs.frozen
class Layout:
    """The columns of a table of events, and the SQL that creates it and its ledger.

    Attributes:
        dialect: the SQL dialect.
        columns: the kind of table, `scarf` or `official`.
        quote: quotes an identifier.
    """

    dialect: Dialect
    columns: Columns
    quote: Callable[[str], str]

    @property
    def names(self) -> list[str]:
        """The columns that an event fills, in order."""
        return list(_OFFICIAL) if self.columns == "official" else [field.name for field in attrs.fields(Event)]

    @property
    def types(self) -> dict[str, str]:
        """The types of all columns by their names."""
        types = {name: _event_type(name, self.columns, self.dialect) for name in self.names}
        return types if self.columns == "official" else types | {"scarf_window": "uuid"}

    @property
    def longest_id(self) -> int | None:
        """The maximum size of an id in bytes; None for no limit."""
        return _LONGEST_ID if (self.dialect, self.columns) == ("postgresql", "scarf") else None

    def quoted(self, table: TableName) -> str:
        """Return the name of a table in SQL."""
        return ".".join(map(self.quote, filter(None, (table.schema, table.name))))

    def ledger(self, table: TableName) -> TableName:
        """Return the ledger of a table."""
        return TableName(table.schema, LEDGER)

    def creation(self, table: TableName, *, events: bool = True, ledger: bool = True) -> list[str]:
        """Return the statements that create the tables, or one of them."""
        made = self._events(table) if events else []
        return [*made, self._ledger(self.ledger(table))] if ledger else made

    def _events(self, table: TableName) -> list[str]:
        required = frozenset() if self.columns == "official" else _REQUIRED
        made = [_create(self.quoted(table), self._definitions(self.types, required))]
        if self.columns == "official":
            return made
        # DuckDB needs no such index (it keeps min-max statistics), and would keep it in memory.
        plain = ("scarf_window", "time") if self.dialect == "postgresql" else ()
        return [*made, self._index(table, "id", "UNIQUE "), *(self._index(table, name) for name in plain)]

    def _index(self, table: TableName, column: str, kind: str = "") -> str:
        # PostgreSQL chooses a name that is free and short enough.
        name = "" if self.dialect == "postgresql" else f"{self.quote(f'{table.name}_{column}')} "
        return f"CREATE {kind}INDEX {name}ON {self.quoted(table)} ({self.quote(column)})"

    def _ledger(self, table: TableName) -> str:
        key = ", ".join(map(self.quote, _KEY))
        return _create(
            self.quoted(table), [*self._definitions(_LEDGER, frozenset(_LEDGER)), f"PRIMARY KEY ({key})"]
        )

    def _definitions(self, types: dict[str, str], required: frozenset[str]) -> list[str]:
        return [
            f"{self.quote(name)} {kind}{' NOT NULL' if name in required else ''}" for name, kind in types.items()
        ]

    def additions(self, table: TableName, there: Collection[str], *, ledger: bool = False) -> list[str]:
        """Return the statement that adds missing columns to a table, if any."""
        types = _LEDGER if ledger else self.types
        added = [f"ADD COLUMN {self.quote(name)} {kind}" for name, kind in types.items() if name not in there]
        return [f"ALTER TABLE {self.quoted(table)} {one}" for one in added]


def as_script(statements: Iterable[str]) -> str:
    """Return statements as a script."""
    return "".join(f"{statement};\n" for statement in statements)


def _create(table: str, parts: Iterable[str]) -> str:
    return f"CREATE TABLE {table} (\n  " + ",\n  ".join(parts) + "\n)"


@attrs.frozen(kw_only=True)
class Found:
    """The existing objects in a database that a load needs.

    Attributes:
        events: the columns of the table; None if it does not exist.
        ledger: the columns of the ledger; None if it does not exist.
        role: the role of the load, if the database has privileges.
        has_schema: whether the schema exists.
        may_create: whether the role may create tables in it.
        rights: the statements that grant other missing privileges to the role.
    """

    events: Collection[str] | None = None
    ledger: Collection[str] | None = None
    role: str | None = None
    has_schema: bool = True
    may_create: bool = True
    rights: Sequence[str] = ()


def lacking(layout: Layout, table: TableName, found: Found) -> tuple[list[str], list[str]]:
    """Return the statements for missing objects: those that the load can run, and those that others must run."""
    quoted = [layout.quoted(table), layout.quoted(layout.ledger(table))]
    altered = layout.additions(table, found.events) if found.events is not None else []
    if found.ledger is not None:
        altered += layout.additions(layout.ledger(table), found.ledger, ledger=True)
    created = layout.creation(table, events=found.events is None, ledger=found.ledger is None)
    if not created or (found.has_schema and found.may_create):
        return created, [*altered, *found.rights]
    schema = layout.quote(table.schema or "")
    asked = [] if found.has_schema else [f"CREATE SCHEMA {schema}"]
    asked += [*created, *altered, *found.rights]
    if found.role is not None:
        role = layout.quote(found.role)
        asked.append(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        asked += [f"GRANT SELECT, INSERT, DELETE ON {name} TO {role}" for name in quoted]
    return [], asked
