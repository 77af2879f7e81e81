"""However v2 reads the end of a range, and whenever it changes its mind, nothing is lost."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async import ExportJob, verify_export
from scarf_async.clock import Clock
from scarf_async.emulator.answers import Refusal
from scarf_async.emulator.v2 import exports as emulated
from scarf_async.events import Hook
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.job import Record
from scarf_async.exports.jobs.run import run_job
from scarf_async.exports.jobs.windows import Window, midnight
from scarf_async.exports.spec import ExportSpec

from ..fakes import csv_body, download, events
from .service import Service, ids, manifest, service
from .test_run import today

YEAR = ("2024-01-01", "2025-01-01")
FIRST = ("2024-01-01", "2024-01-31")


def owner_job(start: str, end: str, **values: Any) -> ExportJob:
    """Return a job of v2."""
    return ExportJob("owner_events", "acme", start, end, **values)


async def all_ids(some: Service, start: str, end: str) -> list[str]:
    """Return what one request for the whole range gives, in order."""
    async with some.scarf.exports.package_events("acme", some.web, start, end) as stream:
        return sorted([event.id or "" async for event in stream])


@contextmanager
def exclusive(*requests: int, refused: bool = False) -> Iterator[None]:
    """Let the emulator leave the end out of ranges of v2: of these requests, from 0 on, or of all."""
    inclusive: Any = emulated._days
    count = iter(range(10_000))

    def days(call: Any, start: str = "start_date", end: str = "end_date") -> Any:
        if requests and next(count) not in requests:
            return inclusive(call, start, end)
        if refused and call.query[start] == call.query[end]:
            raise Refusal(400, f"{end} lies before {start}.")
        whole = inclusive(call, start, end)
        first = dt.date.fromisoformat(call.query[start])
        return attrs.evolve(whole, count=min(whole.count, (dt.date.fromisoformat(call.query[end]) - first).days))

    with patch.object(emulated, "_days", days):
        yield


async def test_a_month_of_31_days_is_one_request(tmp_path: Path) -> None:
    """As long as the service takes; nothing is asked for that is not wanted."""
    async with service(max_range_days=31) as some:
        report = await some.scarf.exports.run(owner_job("2024-01-01", "2024-02-01"), tmp_path)
        assert some.asked() == [FIRST]
        assert sorted(ids(tmp_path)) == await all_ids(some, "2024-01-01", "2024-02-01")
    assert (report.complete, report.dropped, len(report.windows)) == (True, 0, 1)
    assert manifest(tmp_path).end_inclusive
    assert verify_export(tmp_path) == []


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_no_day_is_asked_for_twice(tmp_path: Path, form: str) -> None:
    """Windows of 31 days, each up to its last one; the next run goes on like that from the first request on."""
    async with service(max_range_days=31, events_per_day=1) as some:
        report = await some.scarf.exports.run(owner_job(*YEAR, format=form), tmp_path)
        days = [tuple(map(dt.date.fromisoformat, asked)) for asked in sorted(some.asked())]
        lengths = [(end - start).days + 1 for start, end in days]
        assert lengths == [31] * 11 + [25]
        assert [start for start, _ in days[1:]] == [end + dt.timedelta(1) for _, end in days[:-1]]
        some.emulator.requests.clear()
        await some.scarf.exports.run(owner_job(*YEAR, format=form), tmp_path, refresh_days=1)
        assert some.asked() == [("2024-12-07", "2024-12-31")]
    assert (report.complete, report.dropped, report.rows) == (True, 0, 366)


@pytest.mark.parametrize("window_days", [1, 2, 7])
async def test_windows_that_were_asked_for_keep_their_length(tmp_path: Path, window_days: int) -> None:
    """Only the first one is sent a day too many."""
    async with service() as some:
        job = owner_job("2024-01-01", "2024-01-15", window_days=window_days)
        report = await some.scarf.exports.run(job, tmp_path)
        assert len(some.asked()) == len(report.windows) == 14 // window_days
        assert sorted(ids(tmp_path)) == await all_ids(some, "2024-01-01", "2024-01-15")
    assert (report.complete, report.dropped) == (True, 20)
    assert {(window.end - window.start).days for window in report.windows} == {window_days}


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_a_service_that_leaves_the_end_out(tmp_path: Path, form: str) -> None:
    """It is asked for windows of 30 days up to the day after, as ever."""
    async with service(max_range_days=31, events_per_day=1) as some:
        with exclusive():
            report = await some.scarf.exports.run(owner_job("2024-01-01", "2024-03-31", format=form), tmp_path)
        assert sorted(some.asked()) == [FIRST, ("2024-01-31", "2024-03-01"), ("2024-03-01", "2024-03-31")]
    assert (report.complete, report.dropped, report.rows) == (True, 0, 90)
    assert not manifest(tmp_path).end_inclusive


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("changed", [(0, 1), (1, 2, 3, 4, 5, 6, 7, 8, 9), (2,), (0, 2, 4), (1, 3, 5)])
async def test_a_service_that_changes_its_mind(tmp_path: Path, form: str, changed: Sequence[int]) -> None:
    """In the middle of a run: no day is lost, and none comes twice."""
    async with service(events_per_day=1) as some:
        with exclusive(*changed):
            report = await some.scarf.exports.run(
                owner_job("2024-01-01", "2024-05-01", format=form), tmp_path, concurrency=1
            )
        expected = await all_ids(some, "2024-01-01", "2024-05-01")
    assert (report.complete, report.rows, report.duplicates) == (True, 121, 0)
    if form == "csv":
        assert sorted(ids(tmp_path)) == expected
    else:
        with duckdb.cursor() as database:
            found = database.read_parquet(f"{tmp_path}/data/*.parquet").project("id").fetchall()
        assert sorted(id for (id,) in found) == expected  # noqa: A001 # what it is
    assert verify_export(tmp_path) == []


@pytest.mark.parametrize("refused", [True, False])
async def test_what_was_known_may_have_become_wrong(tmp_path: Path, *, refused: bool) -> None:
    """Between two runs: a window shows it, is asked for once more, and from then on the others are as at first."""
    job = owner_job("2024-01-01", "2024-01-07", window_days=1)
    async with service() as some:
        await some.scarf.exports.run(job, tmp_path)
        assert manifest(tmp_path).end_inclusive
        some.emulator.requests.clear()
        with exclusive(refused=refused):
            report = await some.scarf.exports.run(job, tmp_path, refresh_days=3, concurrency=1)
        again = [("2024-01-04", "2024-01-05"), ("2024-01-05", "2024-01-06"), ("2024-01-06", "2024-01-07")]
        assert sorted(asked for asked in some.asked() if asked[0] != asked[1]) == again
        assert len(some.asked()) == (4 if refused else 6)
        assert sorted(ids(tmp_path)) == await all_ids(some, "2024-01-01", "2024-01-07")
    assert report.complete
    assert not manifest(tmp_path).end_inclusive


async def test_a_last_day_without_events_is_asked_for_once_more(tmp_path: Path) -> None:
    """It may be that the service leaves it out; that nothing comes then, either, changes nothing."""
    async with service(events_per_day=0) as some:
        rows = [{"id": str(n), "type": "t", "time": f"2024-01-{n:02}T12:00:00Z"} for n in (1, 3, 5, 6, 9)]
        await some.emulator.add_events(some.web.uuid, rows)
        report = await some.scarf.exports.run(
            owner_job("2024-01-01", "2024-01-11", window_days=2), tmp_path, concurrency=1
        )
        assert some.asked() == [
            *(("2024-01-01", "2024-01-03"), ("2024-01-03", "2024-01-04"), ("2024-01-05", "2024-01-06")),
            *(("2024-01-07", "2024-01-08"), ("2024-01-09", "2024-01-10")),
            *(("2024-01-04", "2024-01-05"), ("2024-01-08", "2024-01-09"), ("2024-01-10", "2024-01-11")),
        ]
    assert ids(tmp_path) == ["1", "3", "5", "6", "9"]
    assert report.complete
    assert manifest(tmp_path).end_inclusive


async def test_what_has_not_ended_is_not_asked_for_once_more(tmp_path: Path) -> None:
    """Its last day has no events since it is still to come, and it is fetched again anyway."""
    async with service(max_range_days=31) as some:
        rows = [{"id": str(n), "type": "t", "time": f"2024-01-{n:02}T12:00:00Z"} for n in range(1, 15)]
        await some.emulator.add_events(some.web.uuid, rows)
        with today("2024-01-15T12:00"):
            report = await some.scarf.exports.run(owner_job("2024-01-01", "2024-02-01"), tmp_path)
        assert some.asked() == [FIRST]
        assert [(window.provisional, window.rows) for window in report.windows] == [(True, 14)]
        await some.emulator.add_events(some.web.uuid, [{"id": "x", "type": "t", "time": "2024-01-31T12:00:00Z"}])
        report = await some.scarf.exports.run(owner_job("2024-01-01", "2024-02-01"), tmp_path)
        assert some.asked() == [FIRST, FIRST]
    assert (report.complete, report.rows, len(report.windows)) == (True, 15, 1)


Reading = Callable[[dt.datetime, dt.date], bool]
INCLUSIVE: Reading = lambda time, end: time < midnight(end + dt.timedelta(1))  # noqa: E731 # a table of them
EXCLUSIVE: Reading = lambda time, end: time < midnight(end)  # noqa: E731
UP_TO_MIDNIGHT: Reading = lambda time, end: time <= midnight(end)  # noqa: E731


async def run_read(
    directory: Path, job: ExportJob, moments: Sequence[dt.datetime], readings: Iterator[Reading]
) -> None:
    """Run a job against a service that has these events, and reads the end of each request in its own way."""
    rows = [
        {"id": str(number), "type": "t", "time": f"{time:%Y-%m-%dT%H:%M:%SZ}"}
        for number, time in enumerate(moments)
    ]

    def spec(asked: Window) -> ExportSpec[Record]:
        reads = next(readings)
        inside = [
            row
            for row, time in zip(rows, moments, strict=True)
            if midnight(asked.start) <= time and reads(time, asked.end)
        ]
        return events(download(csv_body(inside, ("id", "type", "time"))), attempts=1).spec  # type: ignore[return-value] # an event is a record

    report = await run_job(
        job,
        Directory(directory, job, "http://127.0.0.1/v2"),
        spec,
        concurrency=3,
        refresh_days=0,
        progress=Hook("progress", None),
        clock=Clock(),
    )
    assert report.complete


async def test_a_service_that_ends_at_midnight(tmp_path: Path) -> None:
    """An event of the very moment at which the end day begins does not show that the day is there."""
    moments = [dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=12) * n for n in range(124)]
    await run_read(tmp_path, owner_job("2024-01-01", "2024-03-01"), moments, iter(lambda: UP_TO_MIDNIGHT, None))
    assert sorted(map(int, ids(tmp_path))) == list(range(120))
    assert not manifest(tmp_path).end_inclusive


async def test_a_service_without_times_of_day(tmp_path: Path) -> None:
    """Where every event lies at midnight, one of the end day shows that it is there."""
    moments = [dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(n) for n in range(62)]
    await run_read(tmp_path, owner_job("2024-01-01", "2024-03-01"), moments, iter(lambda: INCLUSIVE, None))
    assert sorted(map(int, ids(tmp_path))) == list(range(60))
    assert manifest(tmp_path).end_inclusive
    assert len(manifest(tmp_path).windows) == 2


@given(
    hours=st.sets(st.integers(0, 24 * 70), max_size=60),
    days=st.integers(1, 69),
    window_days=st.sampled_from([1, 2, 7, 29, 30]),
    readings=st.lists(st.sampled_from([INCLUSIVE, EXCLUSIVE]), min_size=1, max_size=10),
)
async def test_nothing_is_lost(hours: set[int], days: int, window_days: int, readings: Sequence[Reading]) -> None:
    """Whatever there is, and however each request is read."""
    start = dt.date(2024, 1, 1)
    end = start + dt.timedelta(days)
    job = owner_job(str(start), str(end), window_days=window_days)
    moments = [midnight(start) + dt.timedelta(hours=hour, minutes=30) for hour in sorted(hours)]
    endless = (readings[number % len(readings)] for number in range(10_000))
    with tempfile.TemporaryDirectory() as directory:
        await run_read(Path(directory), job, moments, endless)
        expected = [str(number) for number, time in enumerate(moments) if time < midnight(end)]
        assert sorted(ids(Path(directory))) == sorted(expected)
        assert verify_export(directory) == []
