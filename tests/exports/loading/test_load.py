"""Jobs and directories into tables, as users load them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import duckdb
import pytest

from scarf_async import ExportFormat, ExportProgress, JobBusyError, LoadError, ValidationError
from scarf_async.data import load

from ..jobs.service import END, START, all_events, names, service
from .tables import address, asked, table

TARGETS = pytest.mark.parametrize("kind", ["postgresql", "duckdb"])
LONG = "".join(chr(33 + (number * number // 7 + number) % 90) for number in range(3000)).replace(",", "x")


def target_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """Return the address of an empty database."""
    if kind == "duckdb":
        return f"duckdb:{folder / 'events.duckdb'}"
    return address(request.getfixturevalue("database"))


@TARGETS
async def test_a_table_holds_what_the_service_sends(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Each event once with all its values; a second load fetches nothing, a longer range only what is new."""
    target = target_of(kind, request, tmp_path)
    told: list[ExportProgress] = []
    async with service(duplicate_events=0.1) as some:
        report = await some.scarf.exports.load(some.job(end="2024-01-07"), target, progress=told.append)
        again = await some.scarf.exports.load(some.job(end="2024-01-07"), target)
        first = len(some.asked())
        more = await some.scarf.exports.load(some.job(), target)
        events = await all_events(some.scarf, some.web, START, END)
    assert (report.complete, report.rows, report.duplicates, report.deleted) == (True, 120, 6, 0)
    assert [window.status for window in report.windows] == ["loaded"] * 3
    assert [window.status for window in again.windows] == ["unchanged"] * 3
    assert [window.status for window in more.windows] == ["unchanged"] * 3 + ["loaded"]
    assert (first, told[-1].windows_done, told[-1].windows_total) == (3, 3, 3)
    assert "unchanged" in str(again)
    assert report.to_dict()["rows"] == 120
    columns = "id, type, version, user_agent, variables, origin_latitude, dnt, confidence"
    moment = {
        "postgresql": "to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
        "duckdb": "strftime(make_timestamp(epoch_us(time)), '%Y-%m-%d %H:%M:%S.%f')",
    }[kind]
    found = asked(target, f"SELECT {columns}, {moment} FROM scarf_events ORDER BY id")
    wanted = {
        event.id: (
            *(event.id, event.type, event.version, event.user_agent, event.variables, event.origin_latitude),
            *(event.dnt, event.confidence, event.time.strftime("%Y-%m-%d %H:%M:%S.%f")),
        )
        for event in events
    }
    assert found == [wanted[name] for name in sorted(map(str, wanted))]


@pytest.mark.parametrize("form", list(ExportFormat))
async def test_a_directory_and_the_service_are_one_job(database: str, tmp_path: Path, form: ExportFormat) -> None:
    """In any format: what one has loaded is unchanged for the other, and needs no token."""
    target = address(database)
    async with service(duplicate_events=0.1) as some:
        (await some.scarf.exports.run(some.job(format=form), tmp_path / "events")).raise_for_failures()
        requests = len(some.emulator.requests)
        report = await load(tmp_path / "events", target)
        assert len(some.emulator.requests) == requests
        live = await some.scarf.exports.load(some.job(), target, refresh_days=4)
    assert (report.complete, report.rows, report.duplicates) == (True, 160, 8)
    assert {window.status for window in live.windows} == {"unchanged"}
    assert len(some.asked()) == 4 + 2
    again = await load(tmp_path / "events", target)
    assert {window.status for window in again.windows} == {"unchanged"}
    with contextlib.closing(duckdb.connect(str(tmp_path / "e.duckdb"))) as engine:
        engine.execute("SET TimeZone = 'America/New_York'")
    other = await load(tmp_path / "events", f"duckdb:{tmp_path / 'e.duckdb'}")
    assert other.rows == 160


async def test_an_id_too_long_fails_its_window_and_no_other(database: str, tmp_path: Path) -> None:
    """With its line in what the service sent; the report says so, raises it, and counts none of its rows."""
    async with service() as some:
        rows = [{"id": name, "type": "t", "time": "2024-01-01T00:00:00Z"} for name in ("1", LONG)]
        await some.emulator.add_events(some.web.uuid, rows)
        report = await some.scarf.exports.load(some.job(), address(database))
        kept = await some.scarf.exports.load(some.job(), address(database), on_malformed="keep")
        (await some.scarf.exports.run(some.job(), tmp_path / "events")).raise_for_failures()
    whole = await load(tmp_path / "events", address(database))
    assert [window.status for window in report.windows] == ["failed", "loaded", "loaded", "loaded"]
    with pytest.raises(LoadError, match="line 3 has an id of more than 2692 bytes, which no index takes"):
        report.raise_for_failures()
    for again in (kept, whole):
        assert [window.status for window in again.windows] == ["failed", "unchanged", "unchanged", "unchanged"]
    assert report.rows == kept.rows == whole.rows == 0


async def test_records_that_cannot_be_read_are_kept(database: str, tmp_path: Path) -> None:
    """Beside the temporary files, where a directory for those is given; nothing else stays there."""
    async with service() as some:
        await some.emulator.add_events(some.web.uuid, [{"id": "1", "type": "t", "time": "2024-01-01 bad"}])
        report = await some.scarf.exports.load(
            some.job(end="2024-01-03"), address(database), on_malformed="keep", temp_dir=tmp_path
        )
    assert (report.complete, report.malformed) == (True, 1)
    assert names(tmp_path) == ["rejects/2024-01-01--2024-01-03.jsonl"]


@TARGETS
async def test_a_busy_table_costs_nothing(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second load of it is refused before anything is asked of the service."""
    monkeypatch.setattr("scarf_async.exports.loading.postgresql._PATIENCE", 0)
    target = target_of(kind, request, tmp_path)
    held = table(target)
    held.open()
    try:
        async with service() as some:
            with pytest.raises(JobBusyError):
                await some.scarf.exports.load(some.job(), target)
            assert some.asked() == []
    finally:
        held.close()


async def test_a_job_without_a_start_needs_something_to_go_on_with(database: str) -> None:
    """And then continues from the ledger."""
    async with service() as some:
        job = some.job(start=None)  # type: ignore[arg-type] # a job may have no start
        with pytest.raises(ValidationError, match="give the job a start"):
            await some.scarf.exports.load(job, address(database))
        await some.scarf.exports.load(some.job(end="2024-01-03"), address(database))
        report = await some.scarf.exports.load(job, address(database), refresh_days=0)
    assert [str(window) for window in report.windows] == [
        "2024-01-03..2024-01-05",
        "2024-01-05..2024-01-07",
        "2024-01-07..2024-01-09",
    ]
