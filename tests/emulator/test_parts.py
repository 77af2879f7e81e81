"""The pure parts, without a server."""

from __future__ import annotations

import csv
import io
import time
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.emulator.answers import Refusal
from scarf_async.emulator.dispatch import find_handler
from scarf_async.emulator.generator import EVENT_COLUMNS, EventSource, csv_line, event_lines
from scarf_async.emulator.people import People
from scarf_async.emulator.wire import day, timestamp


def test_fraction_of_zero_is_left_out() -> None:
    """Times are UTC with a Z, and have a fraction only where there is one."""
    assert timestamp(datetime(2024, 5, 1, 12, 34, 56, tzinfo=UTC)) == "2024-05-01T12:34:56Z"
    east = timezone(timedelta(hours=2))
    assert timestamp(datetime(2024, 5, 1, 1, 0, 0, 70, tzinfo=east)) == "2024-04-30T23:00:00.000070Z"


@pytest.mark.parametrize("text", ["2024-1-01", "2024-13-01", "20240101", "2024-01-01T00:00", "202\u0664-01-01", ""])
def test_dates_have_one_form(text: str) -> None:
    """Only YYYY-MM-DD in ASCII digits is a date."""
    assert day(text) is None
    assert day("2024-02-29") == date(2024, 2, 29)


@given(st.lists(st.text(), min_size=2))
def test_any_cells_survive_csv(cells: list[str]) -> None:
    """What is written comes back from a reader of RFC 4180."""
    (row,) = csv.reader(io.StringIO(csv_line(cells), newline=""), strict=True)
    assert row == cells


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_name_is_one_segment(name: str) -> None:
    """Whatever a name consists of, percent-encoded it is found as itself."""
    raw = "".join(f"%{byte:02X}" for byte in name.encode())
    assert find_handler("GET", f"/api/v1/organizations/{raw}").params == {"organization": name}


def test_unknown_paths_and_methods_are_told_apart() -> None:
    """404 for a path, 405 for a method."""
    with pytest.raises(Refusal) as unknown:
        find_handler("GET", "/api/v1/nothing")
    with pytest.raises(Refusal) as other:
        find_handler("TRACE", "/api/v1/packages")
    assert (unknown.value.status, other.value.status) == (404, 405)
    assert "GET, POST" in other.value.message


def test_everybody_exists_but_strangers() -> None:
    """Without a list, names are taken as they come, in their own spelling."""
    people = People("me")
    assert people.by_username(" Ann ") == "Ann"
    assert people.by_username("ME") == "me"
    assert people.by_username("Unknown-1") is None
    assert people.by_username(" ") is None
    assert people.by_query("Ann@acme.example") == "Ann"
    assert people.by_query("unknown@acme.example") is None
    assert people.by_query("@acme.example") is None


def test_listed_people_alone_exist() -> None:
    """With a list, even an empty one, nobody else exists but the user."""
    people = People("me", {"Ann": "a@acme.example", "unknown-but-listed": "u@acme.example"})
    assert people.by_username("ann") == "Ann"
    assert people.by_query("A@acme.example ") == "Ann"
    assert people.by_username("unknown-but-listed") == "unknown-but-listed"
    assert people.by_query("ann@acme.example") is None
    assert People("me", {}).by_username("ann") is None
    assert People("me", {}).by_username("me") == "me"


def test_each_day_may_have_another_number_of_events() -> None:
    """Weekends without any, and growth; a day has the same rows in whatever range it is asked for."""

    def per_day(day: date) -> int:
        return 0 if day.weekday() > 4 else day.day

    def rows(first: date, days: int) -> list[str]:
        source = EventSource("acme/file/web", "file", "web")
        return sorted(event_lines(source, first, days, per_day=per_day, seed=0, columns=("time", "id")))

    some = rows(date(2024, 1, 5), 4)
    assert [line[8:10] for line in some] == ["05"] * 5 + ["08"] * 8
    assert rows(date(2024, 1, 8), 1) == some[5:]


def test_event_lines_are_made_one_by_one() -> None:
    """The first line of an export without end costs no more than a line."""
    source = EventSource("acme/docker/web", "docker", "web")
    lines = event_lines(source, date.min, (date.max - date.min).days, per_day=10**9, seed=0, columns=EVENT_COLUMNS)
    begin = time.perf_counter()
    rows = list(csv.reader(islice(lines, 3)))
    assert time.perf_counter() - begin < 1.0
    assert [len(row) for row in rows] == [24, 24, 24]
