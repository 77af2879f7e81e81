"""The service's clock decides what has begun and ended, whatever the machine's says."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from scarf_async.exports.jobs.windows import ServiceClock, Window

from ..fakes import download
from .service import Service, manifest, service
from .test_hostile import body_of, run_with
from .test_run import WINDOWS, today


async def run_at(some: Service, directory: Path, machine: str, date: str, **values: Any) -> list[str]:
    """Run the job at a time, and return the outcome of its windows."""
    some.emulator.requests.clear()
    with today(machine, service=date):
        report = await some.scarf.exports.run(some.job(), directory, **values)
    return [f"{window.status}{' provisional' * window.provisional}" for window in report.windows]


async def test_a_clock_that_is_ahead(tmp_path: Path) -> None:
    """A window that has not ended for the service is provisional, and is fetched again."""
    async with service() as some:
        found = await run_at(some, tmp_path, "2024-01-05T01:30", "2024-01-04T22:30")
        # What the machine took for begun was asked for at the same time as what told that it has not.
        assert found[:2] == ["fetched", "fetched provisional"]
        assert not found[2].startswith("kept")
        found = await run_at(some, tmp_path, "2024-01-05T05:00", "2024-01-05T02:00")
        assert found == ["kept", "fetched", "fetched provisional", "future"]
        assert some.asked() == WINDOWS[1:3]


async def test_a_clock_that_is_far_ahead(tmp_path: Path) -> None:
    """Once a response has told the time, days to come are not asked for."""
    async with service() as some:
        found = await run_at(some, tmp_path, "2026-01-01", "2024-01-04T12:00", concurrency=1)
        assert some.asked() == WINDOWS[:2]
    assert found == ["fetched", "fetched provisional", "future", "future"]


async def test_a_clock_that_is_behind(tmp_path: Path) -> None:
    """What is over for the service is whole, and stays so; what has begun there is asked for in the same run."""
    async with service() as some:
        found = await run_at(some, tmp_path, "2024-01-04T22:00", "2024-01-05T01:00")
        assert found == ["fetched", "fetched", "fetched provisional", "future"]
        found = await run_at(some, tmp_path, "2024-01-04T22:05", "2024-01-05T01:05")
        assert found == ["kept", "kept", "fetched provisional", "future"]
        assert some.asked() == WINDOWS[2:3]


async def test_late_events_are_looked_for_by_the_clock_of_the_service(tmp_path: Path) -> None:
    """The last days that have begun are those that have begun there."""
    async with service() as some:
        await run_at(some, tmp_path, "2024-01-05T02:00", "2024-01-05T02:00")
        # For the machine the third and the fourth window hold the last three days, for the service the second too.
        found = await run_at(some, tmp_path, "2024-01-20", "2024-01-05T03:00", concurrency=1, refresh_days=3)
        assert some.asked() == [WINDOWS[2], WINDOWS[1]]
    assert found == ["kept", "fetched", "fetched provisional", "future"]


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 31 Dec 9999 23:59:59 -1200"])
async def test_without_a_readable_date(tmp_path: Path, date: str) -> None:
    """The machine's clock decides, for that window alone; the manifest says which of the two did."""
    dates = {"2024-02-27": "Wed, 28 Feb 2024 02:00:00 GMT", "2024-02-28": date}
    answers = {day: download(body_of(Window(dt.date.fromisoformat(day), dt.date.max))) for day in dates}
    for day, header in dates.items():
        answers[day].headers["Date"] = header
    with today("2024-02-28T00:30"):
        report = await run_with(tmp_path, answers)
    assert [(window.status, window.provisional) for window in report.windows] == [
        ("fetched", False),
        ("fetched", True),
        ("future", False),
        ("future", False),
    ]
    heard = [entry.answered_at for entry in manifest(tmp_path).windows]
    assert heard == [dt.datetime(2024, 2, 28, 2, tzinfo=dt.UTC), None]


def test_the_last_answer_tells_the_time() -> None:
    """In UTC, whatever its zone is; before the first one, and where none says it, the machine tells it."""
    machine = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    clock = ServiceClock(lambda: machine)
    assert clock.hear({}) is None
    assert clock.now() == machine
    earlier = machine + dt.timedelta(hours=3)
    assert ServiceClock(lambda: machine, [earlier, machine]).now() == earlier
    noon = dt.datetime(2024, 1, 2, 12, tzinfo=dt.UTC)
    assert clock.hear({"Date": "Tue, 02 Jan 2024 14:00:00 +0200"}) == noon
    assert clock.hear({"Date": "soon"}) is None
    assert clock.now() == noon
    assert clock.now().tzinfo is dt.UTC
