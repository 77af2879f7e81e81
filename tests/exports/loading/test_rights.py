"""Roles that may not do everything, tables that are there already, and Scarf's own exporter's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from scarf_async import LoadError, MalformedRecordError

from ..jobs.service import service
from .tables import DAY, address, asked, ids, incoming, row, table

# As Scarf's own exporter makes it.
OFFICIAL = """CREATE TABLE scarf_events_raw (
  id text, type text, package text, pixel text, version text, time timestamp, referer text, user_agent text,
  platform text, variables text, origin_id text, origin_latitude numeric, origin_longitude numeric,
  origin_country text, origin_city text, origin_postal text, origin_connection_type text, origin_company text,
  origin_domain text, dnt boolean, confidence numeric, endpoint_id text, origin_state text,
  mtc_quota_exceeded boolean)"""
NAME = "scarf_events_raw"


@pytest.fixture
def role(database: str) -> Iterator[str]:
    """A role that may log in, and nothing else that not everybody may."""
    name = f"r{uuid4().hex}"
    asked(database, f"CREATE ROLE {name} LOGIN")
    asked(database, "REVOKE ALL ON SCHEMA public FROM public; GRANT USAGE ON SCHEMA public TO public")
    yield name
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {name}".encode())
        connection.execute(f"DROP ROLE {name}".encode())


@pytest.mark.parametrize("name", ["scarf_events", 'stats."My events"'])
def test_a_role_that_may_not_create_is_given_the_statements(database: str, role: str, name: str) -> None:
    """They can be run as they are by someone who may, and are all that is needed; nothing was made."""
    target = address(make_conninfo(database, user=role))
    held = table(target, name=name)
    assert held.missing()
    with pytest.raises(LoadError) as raised:
        held.open()
    assert raised.value.ddl == held.missing()
    assert str(raised.value).endswith(raised.value.ddl.rstrip())
    assert asked(database, "SELECT count(*) FROM pg_class WHERE relname LIKE 'scarf%'") == [(0,)]
    asked(database, raised.value.ddl)
    assert held.missing() == ""
    held.open()
    held.load(incoming([row("1")]))
    held.close()
    assert ids(database, name) == ["1"]


def test_rights_on_tables_that_are_there_are_asked_for(database: str, role: str) -> None:
    """Before the first window, with what is missing of the database's too."""
    owner = table(address(database))
    owner.open()
    owner.close()
    ((name,),) = asked(database, "SELECT current_database()")
    asked(database, f"REVOKE TEMPORARY ON DATABASE {name} FROM public; GRANT SELECT ON scarf_events TO {role}")
    held = table(address(make_conninfo(database, user=role)))
    with pytest.raises(LoadError) as raised:
        held.open()
    assert raised.value.ddl.count("GRANT") == 3
    asked(database, raised.value.ddl)
    held.open()
    held.load(incoming([row("1")]))
    held.close()


def test_a_table_that_lacks_columns_is_refused_and_stays(database: str) -> None:
    """With the statement that would add them."""
    asked(database, "CREATE TABLE scarf_events (id text, type text)")
    held = table(address(database))
    with pytest.raises(LoadError, match='ADD COLUMN "scarf_window" uuid') as raised:
        held.open()
    assert asked(database, "SELECT * FROM scarf_events") == []
    asked(database, raised.value.ddl)
    held.open()
    held.close()


def test_a_database_of_another_encoding_is_refused(postgres: str) -> None:
    """It could take some rows, and no replacement for the others."""
    name = f"t{uuid4().hex}"
    latin = make_conninfo(postgres, dbname=name)
    asked(postgres, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        with pytest.raises(LoadError, match="LATIN1"):
            table(address(latin)).open()
    finally:
        asked(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def test_the_official_exporters_table_is_filled_as_it_is(database: str) -> None:
    """Rows are replaced by id, duplicates of it too; no other is touched, and no column added."""
    asked(database, OFFICIAL)
    asked(
        database,
        f"INSERT INTO {NAME} (id, type, time) VALUES"
        " ('twice', 'old', '2024-01-01'), ('twice', 'old', '2024-01-01'),"
        " ('stays', 'old', '2024-01-01'), (NULL, 'old', '2024-01-01'), ('late', 'old', '2031-01-01')",
    )
    columns = asked(database, f"SELECT attname FROM pg_attribute WHERE attrelid = '{NAME}'::regclass")
    held = table(address(database), name=NAME, columns="official")
    held.open()
    moment = dt.datetime(2024, 1, 1, 23, 30, 0, 5, tzinfo=dt.UTC)
    held.load(incoming([row("twice", time=moment, confidence=0.271, dnt=True), row("new")]))
    loaded = held.load(incoming([row("twice", time=moment, confidence=0.5)]))
    with pytest.raises(MalformedRecordError, match="record 2 has no id"):
        held.load(incoming([row("1"), row("")]))
    assert held.last_day(DAY.end) == DAY.start
    held.close()
    assert loaded.deleted == 0
    assert ids(database, NAME) == ["late", "new", "stays", "twice", None]
    assert asked(database, f"SELECT time, confidence::text FROM {NAME} WHERE id = 'twice'") == [
        (moment.replace(tzinfo=None), "0.5")
    ]
    assert columns == asked(database, f"SELECT attname FROM pg_attribute WHERE attrelid = '{NAME}'::regclass")


def test_an_older_official_table_is_refused_with_what_it_lacks(database: str) -> None:
    """It stays as it is."""
    asked(database, OFFICIAL.replace(", origin_state text", ""))
    with pytest.raises(LoadError, match=f'ALTER TABLE "public"."{NAME}" ADD COLUMN "origin_state" text;'):
        table(address(database), name=NAME, columns="official").open()


async def test_an_official_table_is_gone_on_with(database: str) -> None:
    """From some days before its last one that is not after today, which may be a part; holes stay."""
    asked(database, OFFICIAL)
    asked(
        database,
        f"INSERT INTO {NAME} (id, type, time) VALUES ('old', 't', '2023-12-01'), ('last', 't', '2024-01-05 12:00'),"
        " ('late', 't', '2031-01-01')",
    )
    async with service() as some:
        job = some.job(start=None, window_days=31)  # type: ignore[arg-type] # a job may have no start
        report = await some.scarf.exports.load(job, address(database), table=NAME, columns="official")
    assert report.complete
    assert some.asked() == [("2024-01-02", "2024-01-09")]
    assert asked(database, f"SELECT count(*) FROM {NAME}") == [(3 + 7 * 20,)]
