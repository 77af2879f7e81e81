"""`scarf-async load`, as a shell runs it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

import duckdb
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from scarf_async.emulator import Emulator

from .shell import TOKEN, invoke, of

DAYS = ("pixel_events", "--start", "2024-01-01", "--end", "2024-01-05", "--window-days", "2")


def address(database: str) -> str:
    """Return an address of PostgreSQL as people write it."""
    return f"postgresql://?{urlencode(conninfo_to_dict(database))}"


async def test_events_come_into_a_file_and_a_second_run_is_for_programs(tmp_path: Path) -> None:
    """Parent directories are created; a pipe and a log get a line for each window, a program one object."""
    target = f"duckdb:{tmp_path / 'new' / 'events.duckdb'}"
    async with Emulator(token=TOKEN) as emulator:
        first = await invoke("load", *DAYS, "--to", target, "--log", str(tmp_path / "log"), env=of(emulator))
        again = await invoke("load", *DAYS, "--json", "--quiet", env=of(emulator, SCARF_LOAD_URL=target))
        none = await invoke("load", "pixel_events", "--table", "other", "--to", target, "--json", env=of(emulator))
    assert (first.status, first.out) == (0, b"")
    assert "2024-01-01..2024-01-03: loaded, 100 rows" in first.err
    assert (again.status, again.err) == (0, "")
    report = json.loads(again.out)
    assert (report["complete"], report["rows"], report["new_files"], report["error"]) == (True, 200, [], None)
    assert "Z 2024-01-01..2024-01-03: loaded, 100 rows\n" in (tmp_path / "log").read_text()
    assert [window["status"] for window in report["windows"]] == ["unchanged"] * 2
    assert none.status == 2
    assert "give --start DAY or --days N" in json.loads(none.out)["error"]
    with duckdb.connect(tmp_path / "new" / "events.duckdb") as engine:
        assert engine.execute("SELECT count(*) FROM scarf_events").fetchall() == [(200,)]


@pytest.mark.parametrize(
    "target",
    ["postgresql://me:hunter2@localhost/db", "postgresql:///db?password=hunter2", "postgresql://a:hunter2/@b/c"],
)
async def test_a_password_on_the_command_line_is_refused(target: str) -> None:
    """With what to do; no part of it is shown, and nothing is sent."""
    async with Emulator(token=TOKEN) as emulator:
        done = await invoke("load", *DAYS, "--to", target, "--json", env=of(emulator))
        assert not emulator.requests
    assert done.status == 2
    assert "$PGPASSWORD" in done.err
    assert "passfile" in done.err
    assert "hunter2" not in done.err + done.out.decode()
    if "@b" not in target:
        assert "$SCARF_LOAD_URL" in done.err


async def test_ddl_can_be_run_as_it_is_and_makes_nothing_itself(database: str) -> None:
    """It needs no token; then nothing is missing."""
    command = ("load", "--table", "my_events", "--to", address(database), "--ddl")
    with psycopg.connect(database, autocommit=True) as connection:
        done = await invoke(*command, env={})
        assert (done.status, done.err) == (0, "")
        assert connection.execute("SELECT to_regclass('my_events')").fetchall() == [(None,)]
        connection.execute(done.out)
        assert connection.execute("SELECT count(*) FROM my_events").fetchall() == [(0,)]
        done = await invoke(*command, env={})
    assert (done.status, done.out, done.err) == (0, b"", "nothing is missing\n")


async def test_a_directory_is_loaded_without_a_token(tmp_path: Path, database: str) -> None:
    """And takes nothing that says what to fetch; a busy table is status 5."""
    command = ("load", "--from", str(tmp_path / "events"), "--to", address(database))
    async with Emulator(token=TOKEN) as emulator:
        fetched = await invoke("export", "job", *DAYS, "--to", str(tmp_path / "events"), env=of(emulator))
        assert fetched.status == 0
        with psycopg.connect(database, autocommit=True) as connection:
            done = await invoke(*command, env={})
            assert (done.status, done.out) == (0, b"")
            assert "200" in done.err
            found = connection.execute("SELECT count(*) FROM scarf_events").fetchall()
            assert found == [(200,)]
            connection.execute("ALTER TABLE scarf_events ALTER type SET DEFAULT 'x', DROP origin_state")
            refused = await invoke(*command, env={})
    assert refused.status == 1
    assert (
        'scarf-async: ALTER TABLE "public"."scarf_events" ADD COLUMN "origin_state" text;'
        in refused.err.splitlines()
    )
    for more in (("owner_events",), ("--days", "3")):
        assert (await invoke(*command, *more, env={})).status == 2
    assert (await invoke("load", "--to", address(database), env={})).status == 2
    assert (await invoke("load", "--from", str(tmp_path), env={})).status == 2
