"""The state: one SQLite database with one connection, one transaction at a time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from os import PathLike
from typing import TypeAlias, TypeVar

from scarf_async.emulator.answers import Refusal
from scarf_async.emulator.wire import url_host, url_path

__all__ = ["SQLValue", "Store", "Transaction"]

SQLValue: TypeAlias = str | int | float | None
T = TypeVar("T")

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;

CREATE TABLE IF NOT EXISTS organizations (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    description   TEXT,
    website       TEXT,
    billing_email TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS members (
    id              INTEGER PRIMARY KEY,
    organization_id INTEGER NOT NULL REFERENCES organizations ON DELETE CASCADE,
    key             TEXT NOT NULL,
    username        TEXT NOT NULL,
    role            TEXT NOT NULL,
    UNIQUE (organization_id, key)
);
CREATE INDEX IF NOT EXISTS member_role ON members (organization_id, role);
CREATE INDEX IF NOT EXISTS member_key ON members (key);
-- A package belongs to an organization or, without one, to a user; so do pixels and collections.
CREATE TABLE IF NOT EXISTS packages (
    id                INTEGER PRIMARY KEY,
    uuid              TEXT NOT NULL UNIQUE,
    organization_id   INTEGER REFERENCES organizations ON DELETE CASCADE,
    username          TEXT,
    name              TEXT NOT NULL,
    library_type      TEXT NOT NULL,
    short_description TEXT,
    long_description  TEXT,
    website           TEXT,
    backend_url       TEXT,
    public_url        TEXT,
    repository_url    TEXT,
    importance        TEXT,
    created_at        TEXT NOT NULL,
    updated_at        TEXT,
    CHECK ((organization_id IS NULL) <> (username IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS package_identity
    ON packages (coalesce(organization_id, 0), coalesce(username, ''), library_type, name);
CREATE INDEX IF NOT EXISTS package_organization ON packages (organization_id);
CREATE INDEX IF NOT EXISTS package_name ON packages (name);
CREATE INDEX IF NOT EXISTS package_path ON packages (url_path(backend_url));
CREATE INDEX IF NOT EXISTS package_order ON packages (
    coalesce(organization_id, 0), coalesce(username, ''),
    CASE library_type WHEN 'docker' THEN coalesce(url_path(backend_url), name) ELSE name END, uuid
);
CREATE VIEW IF NOT EXISTS owned_packages AS
    SELECT p.*, coalesce(o.name, p.username) AS owner
    FROM packages AS p LEFT JOIN organizations AS o ON o.id = p.organization_id;
CREATE TABLE IF NOT EXISTS permissions (
    id         INTEGER PRIMARY KEY,
    package_id INTEGER NOT NULL REFERENCES packages ON DELETE CASCADE,
    key        TEXT NOT NULL,
    username   TEXT NOT NULL,
    level      TEXT NOT NULL,
    UNIQUE (package_id, key)
);
-- A route without an outgoing URL only counts.
CREATE TABLE IF NOT EXISTS routes (
    id            INTEGER PRIMARY KEY,
    uuid          TEXT NOT NULL UNIQUE,
    package_id    INTEGER NOT NULL REFERENCES packages ON DELETE CASCADE,
    outgoing_url  TEXT,
    template_path TEXT NOT NULL,
    created_at    TEXT
);
CREATE INDEX IF NOT EXISTS route_package ON routes (package_id);
-- Domains that were added; the one that every package has follows from its owner and its public address.
CREATE TABLE IF NOT EXISTS package_domains (
    id         INTEGER PRIMARY KEY,
    uuid       TEXT NOT NULL UNIQUE,
    package_id INTEGER NOT NULL REFERENCES packages ON DELETE CASCADE,
    key        TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at TEXT,
    UNIQUE (package_id, key)
);
CREATE INDEX IF NOT EXISTS domain_key ON package_domains (key);
-- A file of an earlier version keeps them in a table that has each name once.
CREATE TABLE IF NOT EXISTS domains (id, uuid, package_id, key, name);
INSERT OR IGNORE INTO package_domains (id, uuid, package_id, key, name)
    SELECT id, uuid, package_id, key, name FROM domains;
DROP TABLE domains;
CREATE TABLE IF NOT EXISTS pixels (
    id                INTEGER PRIMARY KEY,
    uuid              TEXT NOT NULL UNIQUE,
    organization_id   INTEGER REFERENCES organizations ON DELETE CASCADE,
    username          TEXT,
    name              TEXT NOT NULL,
    package_id        INTEGER REFERENCES packages ON DELETE SET NULL,
    importance        TEXT,
    track_companies   INTEGER NOT NULL,
    short_description TEXT,
    long_description  TEXT,
    created_at        TEXT NOT NULL,
    updated_at        TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS pixel_identity
    ON pixels (coalesce(organization_id, 0), coalesce(username, ''), name);
CREATE INDEX IF NOT EXISTS pixel_package ON pixels (package_id);
CREATE VIEW IF NOT EXISTS owned_pixels AS
    SELECT p.*, coalesce(o.name, p.username) AS owner
    FROM pixels AS p LEFT JOIN organizations AS o ON o.id = p.organization_id;
CREATE TABLE IF NOT EXISTS pixel_domains (
    id         INTEGER PRIMARY KEY,
    uuid       TEXT NOT NULL UNIQUE,
    pixel_id   INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    key        TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (pixel_id, key)
);
CREATE INDEX IF NOT EXISTS pixel_domain_key ON pixel_domains (key);
CREATE TABLE IF NOT EXISTS collections (
    id              INTEGER PRIMARY KEY,
    uuid            TEXT NOT NULL UNIQUE,
    organization_id INTEGER REFERENCES organizations ON DELETE CASCADE,
    username        TEXT,
    pattern         TEXT NOT NULL,
    backend_domain  TEXT NOT NULL,
    public_domain   TEXT,
    type            TEXT NOT NULL,
    created_at      TEXT NOT NULL,
    updated_at      TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS collection_identity
    ON collections (coalesce(organization_id, 0), coalesce(username, ''), pattern, coalesce(public_domain, ''));
CREATE INDEX IF NOT EXISTS collection_domain ON collections (public_domain);
CREATE VIEW IF NOT EXISTS owned_collections AS
    SELECT c.*, coalesce(o.name, c.username) AS owner
    FROM collections AS c LEFT JOIN organizations AS o ON o.id = c.organization_id;
CREATE INDEX IF NOT EXISTS package_host ON packages (url_host(public_url));
CREATE VIEW IF NOT EXISTS hosts AS
    SELECT id AS package_id, url_host(public_url) AS key FROM packages
    UNION ALL SELECT package_id, key FROM package_domains;
-- Which owner has which domain, Scarf's own aside.
CREATE VIEW IF NOT EXISTS claims AS
    SELECT organization_id, username, url_host(public_url) AS key FROM packages
    UNION ALL SELECT p.organization_id, p.username, d.key
        FROM package_domains AS d JOIN packages AS p ON p.id = d.package_id
    UNION ALL SELECT p.organization_id, p.username, d.key
        FROM pixel_domains AS d JOIN pixels AS p ON p.id = d.pixel_id
    UNION ALL SELECT organization_id, username, public_domain FROM collections;
-- Events that a test put there, or an import; without a package they are pixel events.
CREATE TABLE IF NOT EXISTS events (
    id         INTEGER PRIMARY KEY,
    package_id INTEGER REFERENCES packages ON DELETE CASCADE,
    day        TEXT NOT NULL,
    cells      TEXT NOT NULL,
    pixel_id   INTEGER REFERENCES pixels ON DELETE CASCADE,
    unique_id  TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS event_identity
    ON events (coalesce(package_id, 0), coalesce(pixel_id, 0), unique_id) WHERE unique_id IS NOT NULL;
-- An import is active until a moment, in seconds since 1970.
CREATE TABLE IF NOT EXISTS imports (
    id              INTEGER PRIMARY KEY,
    uuid            TEXT NOT NULL UNIQUE,
    organization_id INTEGER REFERENCES organizations ON DELETE CASCADE,
    username        TEXT,
    total           INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    log             TEXT NOT NULL,
    active_until    REAL NOT NULL,
    aborted         INTEGER NOT NULL DEFAULT 0,
    created_at      TEXT NOT NULL,
    updated_at      TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS event_package ON events (package_id, id);
CREATE INDEX IF NOT EXISTS event_day ON events (package_id, day, id);
"""
_IS_WITHOUT_IMPORTS = """
SELECT 1 FROM sqlite_master WHERE name = 'events'
AND NOT EXISTS (SELECT 1 FROM pragma_table_info('events') WHERE name = 'pixel_id')
"""
_GROW_IMPORTS = """
ALTER TABLE events ADD COLUMN pixel_id INTEGER REFERENCES pixels ON DELETE CASCADE;
ALTER TABLE events ADD COLUMN unique_id TEXT;
"""
_IS_EARLIER = """
SELECT 1 FROM sqlite_master WHERE name = 'packages'
AND NOT EXISTS (SELECT 1 FROM pragma_table_info('packages') WHERE name = 'updated_at')
"""
# A file from before v2. Making a column nullable does not change stored data, so editing the schema is enough.
_GROW = """
BEGIN;
ALTER TABLE packages ADD COLUMN importance TEXT;
ALTER TABLE packages ADD COLUMN updated_at TEXT;
ALTER TABLE routes ADD COLUMN created_at TEXT;
CREATE TABLE IF NOT EXISTS package_domains (
    id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE,
    package_id INTEGER NOT NULL REFERENCES packages ON DELETE CASCADE,
    key TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (package_id, key)
);
ALTER TABLE package_domains ADD COLUMN created_at TEXT;
PRAGMA writable_schema = ON;
UPDATE sqlite_master
SET sql = replace(replace(replace(sql,
    'short_description TEXT NOT NULL', 'short_description TEXT'),
    'description   TEXT NOT NULL', 'description   TEXT'),
    'outgoing_url  TEXT NOT NULL', 'outgoing_url  TEXT')
WHERE name IN ('organizations', 'packages', 'routes');
COMMIT;
PRAGMA writable_schema = RESET;
"""


class Transaction:
    """A transaction of a handler.

    Attributes:
        wrote: Whether there is something to commit.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.wrote: bool = False

    def all(self, sql: str, *parameters: SQLValue) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        return self._connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, *parameters: SQLValue) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        rows = self.all(sql, *parameters)
        return rows[0] if rows else None

    def write(self, sql: str, *parameters: SQLValue, taken: Refusal | None = None) -> list[sqlite3.Row]:
        """Change rows, and return those of `RETURNING`.

        Args:
            sql: The statement.
            parameters: Its parameters.
            taken: The refusal if the statement violates a uniqueness constraint.
        """
        self.wrote = True
        try:
            return self.all(sql, *parameters)
        except sqlite3.IntegrityError:
            if taken is None:
                raise
            raise taken from None

    def write_many(self, sql: str, rows: Iterable[Sequence[SQLValue]]) -> None:
        """Run one statement for each row."""
        self.wrote = True
        self._connection.executemany(sql, rows)

    def copy(self) -> bytes:
        """Return a copy of the whole database, for `replace`."""
        return self._connection.serialize()

    def replace(self, database: bytes) -> None:
        """Replace the whole database with a copy."""
        self._connection.deserialize(database)


class Store:
    """An open database: one connection, used on one thread, so that transactions run one after another.

    Args:
        path: A file, or `:memory:`.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        # The thread uses it; another one may open or close it, but never at the same time.
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.create_function("url_host", 1, url_host, deterministic=True)
        self._connection.create_function("url_path", 1, url_path, deterministic=True)
        self._executor = ThreadPoolExecutor(1, "scarf-emulator-store")
        self._closed: Future[None] | None = None

    @classmethod
    async def open(cls, path: str | PathLike[str]) -> Store:
        """Open a file or `:memory:`, and create missing tables.

        Raises:
            sqlite3.Error: it cannot be opened, or is not such a database.
        """
        store = cls(path)
        try:
            await store._on_thread(store._make_tables)
        except BaseException:
            await store.close()
            raise
        return store

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run a function in a transaction on the database's thread: committed, or rolled back on any exception.

        The thread runs a whole transaction at once, since a thread switch costs more than most statements. On
        cancellation, a transaction that has begun is still finished.
        """

        def in_one_transaction() -> T:
            with self._connection:
                return work(Transaction(self._connection))

        return await self._on_thread(in_one_transaction)

    async def close(self) -> None:
        """Close the database and end its thread after the current transaction. Safe to call more than once."""
        if self._closed is None:
            self._closed = self._executor.submit(self._connection.close)
            self._executor.shutdown(wait=False)
        # Shielded: cancelling a call that waits for the thread would leave the database open.
        await asyncio.shield(asyncio.wrap_future(self._closed))
        self._executor.shutdown()

    def _make_tables(self) -> None:
        if self._connection.execute(_IS_EARLIER).fetchone() is not None:
            self._connection.executescript(_GROW)
        if self._connection.execute(_IS_WITHOUT_IMPORTS).fetchone() is not None:
            self._connection.executescript(_GROW_IMPORTS)
        self._connection.executescript(_SCHEMA)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
