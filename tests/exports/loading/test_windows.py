"""What a window does to a table: PostgreSQL and DuckDB alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from scarf_async import JobBusyError, LoadError, MalformedRecordError
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.loading.database import Database

from .tables import BOTH, DAY, NEXT, address, asked, ids, incoming, row, table


@pytest.fixture(params=["postgresql", "duckdb"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "duckdb":
        return f"duckdb:{tmp_path / 'it is [a] *x*.duckdb'}"
    return address(request.getfixturevalue("database"))


@pytest.fixture
def held(target: str) -> Iterator[Database]:
    """A table that is open."""
    database = table(target)
    database.open()
    yield database
    database.close()


def load(target: str, rows: list[dict[str, object]], window: Window = DAY, *, job: str = "job") -> tuple[str, int]:
    """Load a window with a load of its own; return its status, and what it deleted."""
    database = table(target, job=job)
    database.open()
    try:
        loaded = database.load(incoming(rows, window))
    finally:
        database.close()
    return loaded.status, loaded.deleted


def test_rows_that_do_not_come_again_go_and_others_stay(target: str) -> None:
    """What no ledger knows, another day's, another job's and a row of 2031 are nobody's to delete."""
    load(target, [row("mine"), row("gone"), row(None), row(None, version="2")])
    load(target, [row("next", NEXT)], NEXT)
    load(target, [row("theirs"), row("lost")], job="another")
    unknown = "'00000000-0000-0000-0000-000000000000'"
    asked(
        target,
        "INSERT INTO scarf_events (id, type, time, scarf_window) VALUES"
        f" ('unknown', 't', '2024-01-01 12:00:00+00', {unknown}),"
        f" ('late', 't', '2031-05-01 00:00:00+00', {unknown})",
    )
    assert load(target, [row("mine", version="2"), row("new"), row(None)]) == ("loaded", 2)
    assert ids(target)[:-1] == ["late", "lost", "mine", "new", "next", "theirs", "unknown"]
    assert asked(target, "SELECT count(*) FROM scarf_events WHERE id IS NULL") == [(1,)]
    assert asked(target, "SELECT version FROM scarf_events WHERE id = 'mine'") == [("2",)]


def test_the_same_rows_are_unchanged(target: str) -> None:
    """Whatever another load did meanwhile; a window that is provisional no more is known as that."""
    rows = [row("1"), row("2", extra='{"a":"b"}')]
    database = table(target)
    database.open()
    database.load(incoming(rows, provisional=True))
    (line,) = database.lines()
    assert (line.window, line.rows, line.provisional) == (DAY, 2, True)
    database.close()
    assert load(target, rows) == ("unchanged", 0)
    assert asked(target, 'SELECT "table", job, provisional, "rows" FROM scarf_windows') == [
        ("scarf_events", "job", False, 2)
    ]


def test_where_jobs_overlap_the_last_load_owns_a_row(target: str) -> None:
    """The first job's next load takes back what comes again, and deletes nothing of the other's."""
    load(target, [row("1"), row("2")])
    load(target, [row("2", version="theirs"), row("3")], job="another")
    assert load(target, [row("1", version="new")]) == ("loaded", 0)
    assert ids(target) == ["1", "2", "3"]
    assert load(target, [row("3")], job="another") == ("loaded", 1)
    assert ids(target) == ["1", "3"]


def test_an_id_is_there_once_whether_or_not_an_index_says_so(database: str) -> None:
    """Somebody has dropped the index that would refuse a second one."""
    target = address(database)
    load(target, [row("both")], job="another")
    asked(target, "DROP INDEX scarf_events_id_idx")
    assert load(target, [row("both", version="2")]) == ("loaded", 0)
    assert asked(target, "SELECT id, version FROM scarf_events") == [("both", "2")]


@pytest.mark.parametrize("windows", [(BOTH, DAY), (DAY, BOTH)])
def test_a_window_of_other_days_replaces_what_it_covers(target: str, windows: tuple[Window, Window]) -> None:
    """And leaves the rest of a longer one, which the ledger knows by its rows' number."""
    first, then = windows
    both = [row("day"), row("next", NEXT)]
    load(target, both if first == BOTH else both[:1], first)
    rows = [row("new")] if then == DAY else [row("new"), row("next", NEXT)]
    assert load(target, rows, then) == ("loaded", 1)
    assert ids(target) == ["new", "next"]
    database = table(target)
    database.open()
    assert [line.window for line in database.lines()] == ([DAY, NEXT] if then == DAY else [BOTH])
    database.close()
    assert load(target, [], NEXT) == ("loaded", 1)
    assert ids(target) == ["new"]


def test_what_no_text_can_hold_is_replaced(held: Database, target: str) -> None:
    """U+0000 everywhere, halves of pairs in extra; ids that are the same then are one row; empty ids are none."""
    rows = [
        row("a\0", type="x\0y\0", extra='{"k\\u0000":"\\ud800\\u0000é"}'),
        row("a\ufffd", version="second"),
        row("b", type='\\N\t\n\r\\."', extra='{"a":"\\\\n\\n"}'),
        *(row(""), row("")),
    ]
    loaded = held.load(incoming(rows))
    held.close()
    assert loaded.replaced == 5
    assert ids(target) == ["a\ufffd", "b", None, None]
    found = asked(
        target, "SELECT type, CAST(extra AS text), version FROM scarf_events WHERE id IS NOT NULL ORDER BY id"
    )
    assert [kind for kind, _, _ in found] == ["x\ufffdy\ufffd", '\\N\t\n\r\\."']
    assert [str(extra).replace(" ", "") for _, extra, _ in found] == [
        '{"k\ufffd":"\ufffd\ufffdé"}',
        '{"a":"\\\\n\\n"}',
    ]


def test_times_are_utc(held: Database, target: str) -> None:
    """Whatever zone the machine, the database and the row have; microseconds are kept."""
    moment = dt.datetime(2024, 1, 1, 3, 4, 5, 678901, tzinfo=dt.UTC)
    held.load(incoming([row("1", time=moment)]))
    held.close()
    assert asked(target, f"SELECT time = '{moment.isoformat()}' FROM scarf_events") == [(True,)]


def test_a_second_load_of_a_table_is_refused_at_once(
    held: Database, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the first one has released it."""
    monkeypatch.setattr("scarf_async.exports.loading.postgresql._PATIENCE", 0)
    second = table(target, job="another")
    with pytest.raises(JobBusyError, match="another run"):
        second.open()
    held.close()
    second.open()
    second.close()


def test_a_window_that_fails_changes_nothing(held: Database, target: str) -> None:
    """Neither rows nor the ledger, and the next one is loaded all the same."""
    held.load(incoming([row("1")]))
    bad = [row("2"), row("3", time=None)]
    with pytest.raises(LoadError, match=r"not-null|Constraint") as raised:
        held.load(incoming(bad))
    assert raised.value.__cause__ is raised.value.__context__ is None
    held.load(incoming([row("4", NEXT)], NEXT))
    held.close()
    assert ids(target) == ["1", "4"]
    assert asked(target, 'SELECT "rows" FROM scarf_windows ORDER BY start') == [(1,), (1,)]


def test_names_are_quoted(target: str) -> None:
    """Whatever is in them."""
    name = '"a ""b"".c; DROP"'
    for number in ("1", "2"):
        database = table(target, name=name)
        database.open()
        database.load(incoming([row(number)]))
        database.close()
    assert ids(target, name) == ["2"]


@pytest.mark.parametrize("length", [2692, 2693])
def test_an_id_that_no_index_takes_fails_its_window(database: str, length: int) -> None:
    """And is named by its place; one that just fits is loaded. DuckDB takes any."""
    # So that PostgreSQL cannot compress it.
    name = "".join(chr(33 + (number * number // 7 + number) % 90) for number in range(length))
    rows = [row("1"), row(name)]
    if length == 2692:
        assert load(address(database), rows) == ("loaded", 0)
        return
    with pytest.raises(MalformedRecordError, match="record 2 has an id of more than 2692 bytes") as raised:
        load(address(database), rows)
    assert raised.value.line_number == 2
    assert ids(address(database)) == []
