"""Connections that are lost, and processes that are killed."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import psycopg
import pytest
from processes import Forked, fork_with_pipes

from scarf_async import LoadError
from scarf_async.exports.loading.database import LoadStoppedError

from ..jobs.service import Service, all_events, service
from .loading_child import main
from .proxy import Cut, Proxy, proxied
from .tables import DAY, NEXT, address, asked, ids, incoming, row, table

CUTS: Final[Sequence[Cut]] = ("before", "after")


@pytest.mark.parametrize("cut", CUTS)
def test_a_connection_that_is_lost_at_commit_loads_a_window_once(database: str, cut: Cut) -> None:
    """Whether COMMIT came through or only its response was lost; what was deleted is told all the same."""
    with proxied(database) as proxy:
        held = table(address(proxy.conninfo))
        held.open()
        held.load(incoming([row("gone"), row("1")]))
        first = asked(database, "SELECT xmin::text FROM scarf_windows")
        proxy.cuts += [cut]
        loaded = held.load(incoming([row("1"), row("2"), row(None)]))
        assert not proxy.cuts
        held.load(incoming([row("3", NEXT)], NEXT))
        held.close()
    assert (loaded.status, loaded.rows, loaded.deleted) == ("loaded", 3, 1)
    assert ids(database) == ["1", "2", "3", None]
    assert asked(database, 'SELECT start, "rows" FROM scarf_windows ORDER BY start') == [
        (DAY.start, 3),
        (NEXT.start, 1),
    ]
    assert first != asked(database, "SELECT xmin::text FROM scarf_windows")


def test_rows_and_ledger_are_there_together_or_not_at_all(database: str) -> None:
    """What the ledger does not take leaves no row, and what was there stays."""
    held = table(address(database))
    held.open()
    held.load(incoming([row("1")]))
    asked(
        database,
        "CREATE FUNCTION no() RETURNS trigger AS $$ BEGIN RAISE 'no more'; END $$ LANGUAGE plpgsql;"
        " CREATE TRIGGER no BEFORE INSERT ON scarf_windows FOR EACH ROW EXECUTE FUNCTION no()",
    )
    with pytest.raises(LoadError, match="no more"):
        held.load(incoming([row("2")]))
    held.close()
    assert ids(database) == ["1"]


def test_a_backend_that_is_ended_is_replaced(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also that which holds the table; a server that stays away ends the load, and says so."""
    monkeypatch.setattr("scarf_async.exports.loading.postgresql._PATIENCE", 0.2)
    held = table(address(database))
    held.open()
    held.load(incoming([row("1")]))
    asked(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'scarf-async'")
    held.load(incoming([row("2", NEXT)], NEXT))
    second = table(address(database))
    with pytest.raises(Exception, match="another run"):
        second.open()
    held.close()
    assert ids(database) == ["1", "2"]


def test_a_server_that_stays_away_ends_the_load(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only one window."""
    monkeypatch.setattr("scarf_async.exports.loading.postgresql._PAUSES", (0.0, 0.0))
    with proxied(database) as proxy:
        held = table(address(proxy.conninfo))
        held.open()
        proxy.cuts += ["before", "before", "before"]
        with pytest.raises(LoadStoppedError, match=r"PostgreSQL: .*closed") as raised:
            held.load(incoming([row("1")]))
        held.close()
    assert isinstance(raised.value.error, LoadError)
    assert ids(database) == []


async def run_child(some: Service, days: int, target: str, kill: Callable[[Forked], Awaitable[object]]) -> str:
    """Run a process, and kill it; or return what it printed, where it was quicker."""
    child = fork_with_pipes(main, some.emulator.url, some.emulator.token, some.web.uuid, str(days), target)
    await kill(child)
    output, errors = await child.communicate()
    assert child.returncode in {-9, 0}, errors
    return output.decode().strip()


async def kill_after(some: Service, requests: int, child: Forked) -> None:
    """Kill a process at a random moment after so many requests, if it is not done by then."""
    first = len(some.emulator.requests) + requests
    ended = asyncio.create_task(child.wait())
    moment = asyncio.create_task(some.emulator.wait_until(lambda requests: len(requests) >= first))
    await asyncio.wait([ended, moment], return_when=asyncio.FIRST_COMPLETED)
    moment.cancel()
    # Somewhere between two windows: while one is received, copied, committed, entered.
    await asyncio.wait([ended], timeout=random.uniform(0, 0.2))
    if child.returncode is None:
        child.kill()


async def kill_at_commit(proxy: Proxy, cut: Cut, child: Forked) -> None:
    """Kill a process at the COMMIT of its first window, once it has sent that: the first one is of the tables."""
    proxy.cutting = child.kill
    proxy.cuts = [None, cut]
    await child.wait()
    assert not proxy.cuts


TORN = (
    "SELECT * FROM (SELECT scarf_window AS w, count(*) AS n FROM scarf_events GROUP BY 1) AS a"
    ' FULL JOIN scarf_windows ON w = window_id WHERE n IS DISTINCT FROM "rows"'
)


async def test_a_load_that_is_killed_again_and_again_ends_whole(database: str, soak: bool) -> None:
    """As if nobody had killed it: at each moment the ledger names what is in the table."""
    days = 120 if soak else 8
    end = str(dt.date(2024, 1, 1) + dt.timedelta(days))
    with psycopg.connect(database, autocommit=True) as reader, proxied(database) as proxy:
        target = address(proxy.conninfo)
        async with service(events_per_day=200, duplicate_events=0.05) as some:
            kills = [partial(kill_at_commit, proxy, cut) for cut in CUTS]
            kills += [partial(kill_after, some, 1 + number % 4) for number in range(20 if soak else 0)]
            for kill in kills:
                await run_child(some, days, target, kill)
                if reader.execute("SELECT to_regclass('scarf_windows')").fetchone() != (None,):
                    assert reader.execute(TORN).fetchall() == []
            assert await run_child(some, days, target, Forked.wait) == "complete"
            sent = await all_events(some.scarf, some.web, "2024-01-01", end)
        assert reader.execute(TORN).fetchall() == []
        found = reader.execute("SELECT id, time, version FROM scarf_events ORDER BY id").fetchall()
    assert found == sorted({(event.id, event.time, event.version) for event in sent})
    assert len(found) == 200 * days
