"""One directory for all nights: jobs that continue it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scarf_async import ExportError, ExportJob, JobBusyError, ValidationError, verify_export
from scarf_async.emulator import FaultRule
from scarf_async.files import lock

from .service import Service, manifest, names, service
from .test_run import WINDOWS, today


def night(some: Service, start: str | None = None, end: str | None = None, **values: Any) -> ExportJob:
    """Return a job that leaves its days open."""
    chosen: dict[str, Any] = {"package": some.web.uuid, "window_days": 2} | values
    return ExportJob("package_events", "acme", start, end, **chosen)


async def asked(some: Service, directory: Path, job: ExportJob, now: str, **options: Any) -> list[tuple[str, str]]:
    """Run it at this time; return what it asked for."""
    some.emulator.requests.clear()
    with today(now):
        (await some.scarf.exports.run(job, directory, **options)).raise_for_failures()
    return sorted(some.asked())


async def test_each_night_goes_on(tmp_path: Path) -> None:
    """From the end, with what may have come late; after missed nights too, and from a window that failed once."""
    async with service() as some:
        await asked(some, tmp_path, night(some, "2024-01-01"), "2024-01-05T02:00")
        assert [str(entry.window) for entry in manifest(tmp_path).windows] == [
            "2024-01-01..2024-01-03",
            "2024-01-03..2024-01-05",
        ]
        # The two that touch the last three days, and the day before this night.
        assert await asked(some, tmp_path, night(some), "2024-01-06T02:00") == [
            *WINDOWS[:2],
            ("2024-01-05", "2024-01-06"),
        ]
        assert await asked(some, tmp_path, night(some), "2024-01-06T03:00", refresh_days=0) == []
        later = ("2024-01-06", "2024-01-08")
        assert await asked(some, tmp_path, night(some), "2024-01-08T02:00", refresh_days=0) == [later]
        some.emulator.faults.add(FaultRule("GET", "*", 1, 500))
        with pytest.raises(ExportError, match="windows failed"):
            await asked(some, tmp_path, night(some), "2024-01-12T02:00", refresh_days=0, concurrency=1)
        assert "2024-01-08..2024-01-10 is missing" in str(verify_export(tmp_path))
        missing = await asked(some, tmp_path, night(some), "2024-01-12T02:00", refresh_days=0)
        assert missing[0] == ("2024-01-08", "2024-01-10")
    assert verify_export(tmp_path) == []


async def test_yesterday_is_over_from_one_o_clock(tmp_path: Path) -> None:
    """Until then it is provisional, and a complete report has none of that."""
    async with service() as some:
        with today("2024-01-05T00:30"):
            early = await some.scarf.exports.run(night(some, "2024-01-04"), tmp_path)
        with today("2024-01-05T01:00"):
            report = await some.scarf.exports.run(night(some), tmp_path)
    assert [window.provisional for window in (*early.windows, *report.windows)] == [True, False]
    assert (early.complete, report.complete) == (False, True)


async def test_borders_never_shift(tmp_path: Path) -> None:
    """Another range, or longer windows, fill gaps, each from its own first day; what lies outside stays."""
    async with service() as some:
        await asked(some, tmp_path, night(some, "2024-01-04", "2024-01-07"), "2024-02-01")
        wide = night(some, "2024-01-01", "2024-01-12", window_days=4)
        assert await asked(some, tmp_path, wide, "2024-02-01") == [
            ("2024-01-01", "2024-01-04"),
            ("2024-01-07", "2024-01-11"),
            ("2024-01-11", "2024-01-12"),
        ]
        with today("2024-02-01"):
            report = await some.scarf.exports.run(night(some, "2024-01-05", "2024-01-06"), tmp_path)
    assert [str(window.start) for window in report.windows] == ["2024-01-04"]
    assert report.complete
    assert len(manifest(tmp_path).windows) == 5
    assert verify_export(tmp_path) == []


async def test_nothing_to_go_on_with(tmp_path: Path) -> None:
    """It is refused before anything is made or sent; so is a start that nobody gave after a run that failed."""
    async with service(attempts=1) as some:
        with pytest.raises(ValidationError, match="give the job a start") as caught:
            await some.scarf.exports.run(night(some), tmp_path / "new")
        assert (caught.value.field, some.asked(), names(tmp_path)) == ("start", [], [])
        some.emulator.faults.add(FaultRule("GET", "*", 1, 500))
        await some.scarf.exports.run(night(some, "2024-01-01", "2024-01-03", format="jsonl"), tmp_path)
        some.emulator.requests.clear()
        with pytest.raises(ValidationError, match="give the job a start"):
            await some.scarf.exports.run(night(some), tmp_path)
        assert some.asked() == []
        # Nothing came into it: it belongs to no job.
        assert (await some.scarf.exports.run(some.job(), tmp_path)).complete


async def test_a_busy_directory(tmp_path: Path) -> None:
    """It has an error of its own, before anything is asked of the service."""
    async with service() as some:
        with (tmp_path / "lock").open("wb") as file:
            lock(file.fileno())
            with pytest.raises(JobBusyError, match="in use by another run"):
                await some.scarf.exports.run(some.job(), tmp_path)
        assert some.asked() == []
        assert (await some.scarf.exports.run(some.job(), tmp_path)).complete


async def test_conflicts_are_named(tmp_path: Path) -> None:
    """An id that comes with other values: the first stays, and the lines of the others are told."""
    rows = [{"id": "1", "type": "t", "time": "2024-01-01T00:00:00Z", "referer": text} for text in "aab"]
    rows.append({"id": "1", "type": "t", "time": "2024-01-01T00:00:00+00:00", "referer": "a"})
    async with service(events_per_day=0, columns=("id", "type", "time", "referer")) as some:
        await some.emulator.add_events(some.web.uuid, rows)
        report = await some.scarf.exports.run(some.job(end="2024-01-03"), tmp_path)
    assert (report.rows, report.duplicates, report.conflicting) == (1, 3, 1)
    (window,) = report.windows
    (entry,) = manifest(tmp_path).windows
    assert window.conflicts == entry.conflicts == (4,)
    told: Any = report.to_dict()
    assert (told["conflicting"], told["windows"][0]["conflicts"]) == (1, [4])
    assert "conflicting: 2024-01-01..2024-01-03: 1 left out, in lines 4" in str(report)


async def test_columns_that_differ_are_named(tmp_path: Path) -> None:
    """A CSV is as it was received; other formats have the same columns always."""
    async with service() as some:
        await some.scarf.exports.run(some.job(end="2024-01-03"), tmp_path)
        some.emulator.columns = ("id", "type", "time", "new\x1b")
        report = await some.scarf.exports.run(some.job(end="2024-01-07"), tmp_path)
        typed = await some.scarf.exports.run(some.job(format="jsonl"), tmp_path / "typed")
    assert report.windows[1].columns == ("id", "type", "time", "new\x1b")
    assert str(report).count("\ncolumns: ") == 1
    assert "columns: 2024-01-03..2024-01-05 without " in str(report)
    assert "with new\\x1b" in str(report)
    assert {window.columns for window in typed.windows} == {()}


@pytest.mark.parametrize("limit", ["", "lots", "1", "63MB", -1, 0, 63_999_999, True, None, 1e9, "256 XB", "-256MB"])
async def test_too_little_memory_is_refused(tmp_path: Path, limit: Any) -> None:
    """And what is not a size; before anything is made or sent."""
    async with service() as some:
        with pytest.raises(ValidationError, match=r"memory_limit must be .*at least 64 MB") as caught:
            await some.scarf.exports.run(some.job(), tmp_path / "new", memory_limit=limit)
        assert (caught.value.field, some.asked(), names(tmp_path)) == ("memory_limit", [], [])


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_an_id_in_two_windows_is_a_conflict(tmp_path: Path, form: Any) -> None:
    """A deep look finds it in every format; whatever has no id is nothing."""
    ids = [("1", 1), ("1", 3), ("2", 3), ("3", 1), ("3", 5), ("", 1), ("", 3)]
    rows = [{"id": name, "type": "t", "time": f"2024-01-0{day}T00:00:00Z"} for name, day in ids]
    async with service(events_per_day=0) as some:
        await some.emulator.add_events(some.web.uuid, rows)
        await some.scarf.exports.run(some.job(format=form), tmp_path)
        found = await some.scarf.exports.verify(tmp_path, deep=True)
    assert verify_export(tmp_path) == []
    assert [problem.problem for problem in found] == [
        "1 ids are in the window 2024-01-01..2024-01-03 and in 2024-01-03..2024-01-05, too, such as '1'",
        "1 ids are in the window 2024-01-01..2024-01-03 and in 2024-01-05..2024-01-07, too, such as '3'",
    ]
