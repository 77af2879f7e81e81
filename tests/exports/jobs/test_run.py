"""Running jobs against a service."""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
import pytest

from scarf_async import (
    APIError,
    ClientClosedError,
    ExportError,
    ExportJob,
    ExportProgress,
    NotFoundError,
    Scarf,
    TruncatedExportError,
    ValidationError,
    verify_export,
)
from scarf_async.emulator import FaultRule
from scarf_async.events import RequestStarted, StreamFinished
from scarf_async.exports.jobs.run import is_too_long
from scarf_async.files import PartFile, write_whole

from .service import END, START, all_events, ids, manifest, names, service

LAST = [("2024-01-07", "2024-01-09")]
WINDOWS = [("2024-01-01", "2024-01-03"), ("2024-01-03", "2024-01-05"), ("2024-01-05", "2024-01-07"), *LAST]
FILES = [*(f"data/{start}--{end}.csv" for start, end in WINDOWS), "lock", "manifest.json"]


async def test_a_job_gives_what_one_request_gives(tmp_path: Path) -> None:
    """Window by window, every row once; a second run asks for nothing."""
    async with service() as some:
        report = await some.scarf.exports.run(some.job(), tmp_path / "new", concurrency=1)
        assert sorted(ids(tmp_path / "new")) == sorted(
            event.id or "" for event in await all_events(some.scarf, some.web, START, END)
        )
        some.emulator.requests.clear()
        again = await some.scarf.exports.run(some.job(), tmp_path / "new")
        assert some.asked() == []
    assert names(tmp_path / "new") == FILES
    assert report.complete
    assert [window.status for window in report.windows] == ["fetched"] * 4
    assert [window.status for window in again.windows] == ["kept"] * 4
    assert report.rows == again.rows == 160
    assert (
        report.bytes
        == again.bytes
        == sum(path.stat().st_size for path in (tmp_path / "new" / "data").glob("*.csv"))
    )
    again.raise_for_failures()
    assert await some.scarf.exports.verify(tmp_path / "new") == []


async def test_windows_become_shorter_where_the_service_wants_that(tmp_path: Path) -> None:
    """By halves, down to what it takes; the next run, with a gap to fill, knows that limit."""
    async with service(max_range_days=3) as some:
        job = some.job(window_days=8)
        report = await some.scarf.exports.run(job, tmp_path, concurrency=1)
        assert some.asked() == [("2024-01-01", "2024-01-09"), ("2024-01-01", "2024-01-05"), *WINDOWS]
        assert report.complete
        assert len(report.windows) == 4
        assert manifest(tmp_path).limit_days == 2
        some.emulator.requests.clear()
        await some.scarf.exports.run(job, tmp_path, refresh_days=1)
        assert some.asked() == LAST


async def test_a_day_that_is_too_long_is_a_failure(tmp_path: Path) -> None:
    """There is nothing shorter: the windows fail, with what the service said."""
    async with service(max_range_days=0) as some:
        report = await some.scarf.exports.run(some.job(), tmp_path)
    assert [window.status for window in report.windows] == ["failed"] * 8
    with pytest.raises(ExportError, match=r"8 of 8 windows failed.*range-too-long") as caught:
        report.raise_for_failures()
    assert isinstance(caught.value.__cause__, APIError)


@pytest.mark.parametrize(
    ("status", "code", "message", "too_long"),
    [
        (400, "range-too-long", "", True),
        (400, None, "The date range is too long.", True),
        (400, None, "A range may have 31 days at most.", True),
        (400, "invalid-package-query", "The range is too long.", False),
        (400, None, "Missing query parameter: start_date", False),
        (422, "range-too-long", "", False),
    ],
)
def test_what_is_taken_for_too_long(status: int, code: str | None, message: str, *, too_long: bool) -> None:
    """The code says it, or, where there is none, the message."""
    error = APIError(message, status=status, method="GET", url="http://x", code=code)
    assert is_too_long(error) is too_long


async def test_what_v2_sends_beyond_a_window_is_left_out(tmp_path: Path) -> None:
    """Its ranges end with the day that is asked for: it comes once, is counted, and is not asked for again."""
    async with service() as some:
        job = ExportJob("owner_events", "acme", START, END, window_days=2)
        report = await some.scarf.exports.run(job, tmp_path)
        expected = await all_events(some.scarf, some.web, START, END)
    assert sorted(ids(tmp_path)) == sorted(event.id or "" for event in expected)
    assert [window.dropped for window in report.windows] == [20, 0, 0, 0]
    assert report.dropped == 20
    assert [entry.outside for entry in manifest(tmp_path).windows] == [20, 0, 0, 0]


async def test_a_job_is_of_the_client_s_version_and_owner(tmp_path: Path) -> None:
    """What it leaves out it has of the client that runs it, and one of another version, or owner, is refused."""
    job = ExportJob("package_events", None, START, END, package="web", window_days=4)
    async with service() as some:
        job = attrs.evolve(job, package=some.web.uuid)
        token, v1, v2 = some.emulator.token, some.emulator.url, some.emulator.v2_url
        async with Scarf(token, api="v2", owner="acme", base_url=v1, v2_url=v2) as newer:
            report = await newer.exports.run(job, tmp_path / "v2")
            some.emulator.requests.clear()
            assert (await newer.exports.run(job, tmp_path / "v2")).complete
            with pytest.raises(ExportError, match=r"owner was 'acme' and is 'other'"):
                await newer.with_options(owner="other").exports.run(job, tmp_path / "v2")
            with pytest.raises(ExportError, match=r"api was 'v2' and is 'v1'.*server was"):
                await some.scarf.exports.run(job, tmp_path / "v2")
        async with Scarf(token, api="v2", v2_url=v2) as nobody_s:
            with pytest.raises(ValidationError, match="need an owner"):
                await nobody_s.exports.run(job, tmp_path / "none")
        assert some.emulator.requests == []
        older = await some.scarf.exports.run(job, tmp_path / "v1")
        assert {request.path for request in some.emulator.requests} == {
            f"/api/v1/packages/{some.web.uuid}/events/events.csv"
        }
    assert (report.job.api, report.job.owner) == ("v2", "acme")
    assert (older.job.api, older.job.owner) == ("v1", None)
    assert sorted(ids(tmp_path / "v1")) == sorted(ids(tmp_path / "v2")) != []
    assert not (tmp_path / "none").exists()


async def test_rows_are_taken_wherever_they_stand(tmp_path: Path) -> None:
    """In no order, before the window too; equal ones without an id stay, those with one do not."""
    times = ["2024-01-02T23:59:59Z", "2023-12-31T23:59:59Z", "2024-01-01T00:00:00Z", "2024-01-03T00:00:00Z"]
    rows = [{"id": str(number), "type": "t", "time": time} for number, time in enumerate(times)]
    rows += [rows[2], {"id": "", "type": "t", "time": times[2]}, {"id": "", "type": "t", "time": times[2]}]
    async with service() as some:
        await some.emulator.add_events(some.web.uuid, rows)
        # This service sends everything, whatever it is asked for.
        sql = "UPDATE events SET day = '2024-01-01'"
        await some.emulator.store.run(lambda transaction: transaction.write(sql))
        report = await some.scarf.exports.run(some.job(end="2024-01-03"), tmp_path)
    assert ids(tmp_path) == ["0", "2", "", ""]
    assert (report.rows, report.duplicates, report.dropped) == (4, 1, 2)


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_what_is_cut_off_is_fetched_again(tmp_path: Path, form: str) -> None:
    """From its start: the rows that had come are not there twice, nor counted."""
    told: list[ExportProgress] = []
    async with service(events_per_day=2000, duplicate_events=0.01) as some:
        some.emulator.faults.add(FaultRule("GET", "*/events/*", 1, "cut_download"))
        job = some.job(end="2024-01-03", format=form)
        report = await some.scarf.exports.run(job, tmp_path, progress=told.append)
        assert some.asked() == [("2024-01-01", "2024-01-03")] * 2
    assert report.complete
    assert report.rows == told[-1].rows == 4000
    assert report.duplicates > 0
    assert verify_export(tmp_path) == []


async def test_what_is_always_cut_off_fails_alone(tmp_path: Path) -> None:
    """As often as the policy allows; the other windows are there, and the next run fetches only this one."""
    async with service(attempts=2) as some:
        for number in (2, 3):
            some.emulator.faults.add(FaultRule("GET", "*/events/*", number, "cut_download"))
        report = await some.scarf.exports.run(some.job(), tmp_path, concurrency=1)
        assert some.asked() == [WINDOWS[0], WINDOWS[1], *WINDOWS[1:]]
        assert [window.status for window in report.windows] == ["fetched", "failed", "fetched", "fetched"]
        assert isinstance(report.windows[1].error, TruncatedExportError)
        assert names(tmp_path) == [FILES[0], *FILES[2:]]
        assert [problem.problem for problem in verify_export(tmp_path)] == [
            "the window 2024-01-03..2024-01-05 is missing; run the job again"
        ]
        some.emulator.requests.clear()
        assert (await some.scarf.exports.run(some.job(), tmp_path)).complete
        assert some.asked() == WINDOWS[1:2]


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_where_all_would_fail_no_more_is_asked_for(tmp_path: Path, status: int) -> None:
    """Exports cost money."""
    async with service() as some:
        some.emulator.faults.add(FaultRule("GET", "*/events/*", 2, status))
        report = await some.scarf.exports.run(some.job(), tmp_path, concurrency=1)
        assert some.asked() == WINDOWS[:2]
    assert [window.status for window in report.windows] == ["fetched", "failed", "skipped", "skipped"]
    assert not report.complete
    assert str(status) in str(report.stopped_by)
    with pytest.raises(ExportError, match="1 of 4 windows failed, and 2 were not requested"):
        report.raise_for_failures()


async def test_a_record_that_cannot_be_read_fails_its_window(tmp_path: Path) -> None:
    """Nothing of it stays."""
    async with service() as some:
        row = {"id": "1", "time": "2024-01-01T00:00:00Z", "confidence": "high"}
        await some.emulator.add_events(some.web.uuid, [row])
        report = await some.scarf.exports.run(some.job(end="2024-01-03"), tmp_path)
    assert [window.status for window in report.windows] == ["failed"]
    assert "column 'confidence': 'high' is not a number" in str(report.windows[0].error)
    assert names(tmp_path) == ["lock", "manifest.json"]


async def test_days_to_come_are_not_asked_for(tmp_path: Path) -> None:
    """And a window that has not been over for an hour is fetched again by the next run, until it has."""
    async with service() as some:

        async def at(now: str) -> list[str]:
            some.emulator.requests.clear()
            with today(now):
                report = await some.scarf.exports.run(some.job(), tmp_path)
            assert not any(window.provisional for window in report.windows) or not report.complete
            return [f"{window.status}{' provisional' * window.provisional}" for window in report.windows]

        assert await at("2024-01-04T12:00") == ["fetched", "fetched provisional", "future", "future"]
        assert "provisional" in str(verify_export(tmp_path)[0])
        assert await at("2024-01-05T00:59") == ["kept", "fetched provisional", "fetched provisional", "future"]
        assert some.asked() == WINDOWS[1:3]
        assert await at("2024-01-05T01:00") == ["kept", "fetched", "fetched provisional", "future"]
        assert await at("2024-01-09T01:00") == ["kept", "kept", "fetched", "fetched"]
        assert await at("2024-01-09T01:00") == ["kept"] * 4


@contextmanager
def today(now: str, *, service: str | None = None) -> Iterator[None]:
    """Let machine and service take this for the time, or the service another."""
    moment, date = (dt.datetime.fromisoformat(some).replace(tzinfo=dt.UTC) for some in (now, service or now))
    with (
        patch("scarf_async.exports.jobs.run.utc_now", lambda: moment),
        patch("aiohttp.web_response.rfc822_formatted_time", lambda: format_datetime(date, usegmt=True)),
    ):
        yield


async def test_refreshing_replaces(tmp_path: Path) -> None:
    """The windows of the last days that have begun; one that fails leaves what there was."""
    async with service() as some:
        await some.scarf.exports.run(some.job(), tmp_path)
        old = ids(tmp_path)
        some.emulator.seed = 1
        some.emulator.requests.clear()
        report = await some.scarf.exports.run(some.job(), tmp_path, refresh_days=3)
        assert sorted(some.asked()) == WINDOWS[2:]
        assert [window.status for window in report.windows] == ["kept", "kept", "fetched", "fetched"]
        new = ids(tmp_path)
        assert new[:80] == old[:80]
        assert not {*new[80:]} & {*old}
        assert verify_export(tmp_path) == []
        some.emulator.requests.clear()
        with today("2024-01-04T12:00"):
            await some.scarf.exports.run(some.job(), tmp_path, refresh_days=2)
        assert some.asked() == WINDOWS[1:2]
        some.emulator.faults.add(FaultRule("GET", "*/events/*", None, 400))
        failed = await some.scarf.exports.run(some.job(), tmp_path, refresh_days=1)
        # The second one was provisional.
        assert [window.status for window in failed.windows] == ["kept", "failed", "kept", "failed"]
        assert failed.rows == 160
    assert len(ids(tmp_path)) == 160


async def test_what_was_deleted_is_fetched_again(tmp_path: Path) -> None:
    """A window whose file is gone is not taken for kept: the directory is whole afterwards."""
    async with service() as some:
        await some.scarf.exports.run(some.job(), tmp_path)
        lost = tmp_path / FILES[0]
        lost.unlink()
        report = await some.scarf.exports.run(some.job(), tmp_path)
    assert [window.status for window in report.windows].count("fetched") == 1
    assert lost.exists()
    assert verify_export(tmp_path) == []


async def test_another_job_is_refused(tmp_path: Path) -> None:
    """Every difference is named, and nothing is sent or changed; days are none."""
    async with service() as some:
        await some.scarf.exports.run(some.job(), tmp_path)
        before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
        some.emulator.requests.clear()
        other = some.job(end="2024-02-01", format="jsonl", package="another")
        with pytest.raises(ExportError, match="another export") as caught:
            await some.scarf.exports.run(other, tmp_path)
        assert some.emulator.requests == []
    assert f"package was '{some.web.uuid}' and is 'another'; format was 'csv' and is 'jsonl';" in str(caught.value)
    assert "end was" not in str(caught.value)
    assert "owner" not in str(caught.value)
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "is not the manifest of an export"),
        ("[1]", "is damaged, or not the manifest of an export"),
        ("", "is damaged, or not the manifest of an export"),
        ('{"format":"scarf-async-export","version":4}', "was written by a newer version"),
        ('{"format":"scarf-async-export","version":3}', "is damaged"),
        ('{"format":"scarf-async-export","version":2}', "was written by an earlier version"),
    ],
)
async def test_a_manifest_that_cannot_be_used_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """It says why, and the file stays as it is."""
    (tmp_path / "manifest.json").write_text(text)
    async with service() as some:
        with pytest.raises(ExportError, match=problem):
            await some.scarf.exports.run(some.job(), tmp_path)
        assert some.asked() == []
    assert (tmp_path / "manifest.json").read_text() == text
    assert problem in str(verify_export(tmp_path)[0])


async def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """Without a manifest a file of our pattern is someone's own; with one, what it does not name is swept."""
    (tmp_path / "notes.csv").write_text("mine")
    (tmp_path / "data").mkdir()
    (tmp_path / FILES[0]).write_text("mine")
    async with service() as some:
        with pytest.raises(ExportError, match=r"has no manifest\.json, but has data/2024-01-01--2024-01-03\.csv"):
            await some.scarf.exports.run(some.job(), tmp_path)
        (tmp_path / FILES[0]).unlink()
        await some.scarf.exports.run(some.job(), tmp_path)
        left = ".scarf-0123456789abcdef"
        for stray in ("data/2023-01-01--2023-01-03.csv", f"tmp/{left}.part", f"tmp/{left}.seen", f"{left}.part"):
            (tmp_path / stray).write_text("left")
        assert len(verify_export(tmp_path)) == 4
        await some.scarf.exports.run(some.job(), tmp_path)
    assert names(tmp_path) == sorted([*FILES, "notes.csv"])
    assert verify_export(tmp_path) == []


async def test_what_is_saved_in_a_directory_meanwhile_stays(tmp_path: Path) -> None:
    """A run does not sweep the part of a living `save`, nor does a `save` sweep the parts of a run."""
    async with service() as some:
        await some.scarf.exports.run(some.job(end="2024-01-03"), tmp_path / "other")
        (tmp_path / "job").mkdir()
        part = PartFile.to_replace(tmp_path / "job" / "mine.csv")
        part.write(b"mine")
        await some.scarf.exports.run(some.job(), tmp_path / "job")
        closed = PartFile(tmp_path / "job" / "tmp")
        closed.finish()
        part.sync()
        part.replace(tmp_path / "job" / "mine.csv")
        write_whole(tmp_path / "job" / "notes", [b"mine"])
        assert closed.path.exists()
        await some.scarf.exports.run(some.job(), tmp_path / "job")
    assert names(tmp_path / "job") == sorted([*FILES, "mine.csv", "notes"])


async def test_who_may_read_its_files_stays(tmp_path: Path) -> None:
    """The manifest, and what is fetched again, are as open as they were."""
    async with service() as some:
        await some.scarf.exports.run(some.job(), tmp_path)
        files = [tmp_path / "manifest.json", tmp_path / FILES[1]]
        for file in files:
            file.chmod(0o600)
        await some.scarf.exports.run(some.job(), tmp_path, refresh_days=10_000)
        assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
        assert len(some.asked()) == 2 * (len(FILES) - 2)


async def test_two_runs_do_not_share_a_directory(tmp_path: Path) -> None:
    """The second is refused, and the first goes on; afterwards the directory is free."""
    async with service() as some:
        some.emulator.faults.add(FaultRule("GET", "*/events/*", 1, "hang"))
        first = asyncio.create_task(some.scarf.exports.run(some.job(), tmp_path))
        await some.emulator.wait_until(lambda requests: any("/events/" in request.path for request in requests))
        with pytest.raises(ExportError, match="in use by another run"):
            await some.scarf.exports.run(some.job(), tmp_path)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await some.scarf.exports.run(some.job(), tmp_path)).complete


async def test_no_more_windows_are_under_way_than_wanted(tmp_path: Path) -> None:
    """As many as that, and never one more."""
    under_way = [0]

    def watch(event: object) -> None:
        change = isinstance(event, RequestStarted) - isinstance(event, StreamFinished)
        if change and "/events" in getattr(event, "endpoint", ""):
            under_way.append(under_way[-1] + change)

    async with service(watch) as some:
        report = await some.scarf.exports.run(some.job(window_days=1), tmp_path, concurrency=3)
    assert report.complete
    assert max(under_way) == 3
    assert under_way[-1] == 0


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_cancelling_leaves_nothing_behind(tmp_path: Path, form: str) -> None:
    """In the middle of windows: no temporary file, and a manifest from which the next run goes on."""
    begun = asyncio.Event()

    def watch(progress: ExportProgress) -> None:
        if progress.rows and progress.windows_done:
            begun.set()

    async with service(events_per_day=1000) as some:
        job = some.job(format=form, end="2024-01-21", window_days=1)
        running = asyncio.create_task(some.scarf.exports.run(job, tmp_path, progress=watch))
        await asyncio.wait([running, asyncio.create_task(begun.wait())], return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, 5)
        assert not [name for name in names(tmp_path) if name.endswith((".part", ".seen"))]
        done = len(manifest(tmp_path).windows)
        assert 0 < done < 20
        assert all("is missing; run" in str(problem) for problem in verify_export(tmp_path))
        report = await some.scarf.exports.run(job, tmp_path)
    assert sum(window.status == "kept" for window in report.windows) == done
    assert (report.complete, report.rows) == (True, 20_000)


@pytest.mark.parametrize("after", [0, 3000])
async def test_a_full_disk_says_so(tmp_path: Path, after: int) -> None:
    """With the system's own error; nothing is under a final name, and nothing else is left."""
    write = PartFile.write

    def full(file: PartFile, data: bytes) -> int:
        if file.size + len(data) > after and not data.startswith(b"{"):
            raise OSError(errno.ENOSPC, "No space left on device", str(file.path))
        return write(file, data)

    async with service() as some:
        with patch.object(PartFile, "write", full), pytest.raises(OSError, match="No space left") as caught:
            await some.scarf.exports.run(some.job(), tmp_path)
        assert caught.value.errno == errno.ENOSPC
        assert names(tmp_path) == ["lock", "manifest.json"]
        assert (await some.scarf.exports.run(some.job(), tmp_path)).complete


async def test_a_manifest_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    """The disk is full at the end of the run: it says so, and the next one finds all in the journal."""
    write = PartFile.write

    def full(file: PartFile, data: bytes) -> int:
        if b'"path"' in data:
            raise OSError(errno.ENOSPC, "No space left on device", str(file.path))
        return write(file, data)

    async with service() as some:
        with patch.object(PartFile, "write", full), pytest.raises(OSError, match="No space left"):
            await some.scarf.exports.run(some.job(), tmp_path)
        assert len(manifest(tmp_path).windows) == 4
        report = await some.scarf.exports.run(some.job(), tmp_path)
    assert [window.status for window in report.windows] == ["kept"] * 4
    assert verify_export(tmp_path) == []


async def test_progress_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Up to the end, which comes once; what the function raises is logged once and harms nothing."""
    told: list[ExportProgress] = []

    def watch(progress: ExportProgress) -> None:
        told.append(progress)
        raise RuntimeError("of the caller's own")

    async with service(max_range_days=3) as some:
        with caplog.at_level(logging.ERROR, "scarf_async"):
            report = await some.scarf.exports.run(some.job(window_days=8), tmp_path, progress=watch)
    last = told[-1]
    assert (last.windows_done, last.windows_total, last.windows_failed, last.rows) == (4, 4, 0, 160)
    assert last.bytes == report.bytes
    assert [progress.windows_done for progress in told].count(4) == 1
    assert len(told) <= 2 + 10 * last.elapsed
    assert [record.message for record in caplog.records].count(
        "progress raised; its further errors are not logged"
    ) == 1


async def test_a_closed_client_ends_the_run(tmp_path: Path) -> None:
    """It is not the windows' failure."""
    async with service() as some:
        some.emulator.faults.add(FaultRule("GET", "*/events/*", None, "hang"))
        running = asyncio.create_task(some.scarf.exports.run(some.job(), tmp_path))
        await some.emulator.wait_until(lambda requests: any("/events/" in request.path for request in requests))
        await some.scarf.aclose()
        with pytest.raises(ClientClosedError):
            await running
    assert names(tmp_path) == ["lock", "manifest.json"]


async def test_what_cannot_be_run_is_refused_first(tmp_path: Path) -> None:
    """Before anything is made or sent."""
    async with service() as some:
        run = some.scarf.exports.run
        for values in ({"concurrency": 0}, {"concurrency": True}, {"refresh_days": -1}):
            with pytest.raises(ValidationError) as caught:
                await run(some.job(), tmp_path / "new", **values)
            assert caught.value.field in values
        with pytest.raises(ValidationError):
            await run(some.job(package=".."), tmp_path / "new")
        with pytest.raises(FileNotFoundError):
            await run(some.job(), tmp_path / "new" / "deep")
        assert some.asked() == []
    assert names(tmp_path) == []


async def test_a_report_for_people_and_for_programs(tmp_path: Path) -> None:
    """A table, JSON data, and no truth value by accident."""
    async with service() as some:
        some.emulator.faults.add(FaultRule("GET", "*/events/*", 1, 404))
        report = await some.scarf.exports.run(some.job(), tmp_path, concurrency=1)
    assert isinstance(report.windows[0].error, NotFoundError)
    text = str(report)
    assert "2024-01-01..2024-01-03  failed" in text
    assert "incomplete" in text
    assert "stopped: " in text
    data: Any = report.to_dict()
    assert data["job"]["start"] == START
    assert data["windows"][0]["status"] == "failed"
    assert "1 failed, 3 skipped" in repr(report)
    with pytest.raises(TypeError):
        bool(report)
