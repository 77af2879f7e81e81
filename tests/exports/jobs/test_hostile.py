"""Services that mean no good, users who do not look, and machines that fail."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scarf_async import (
    ExportError,
    ExportFormatLike,
    ExportJob,
    ExportProgress,
    ExportReport,
    RetryPolicy,
    Scarf,
    verify_export,
)
from scarf_async.clock import Clock
from scarf_async.emulator import FaultRule
from scarf_async.events import Hook
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.job import Record
from scarf_async.exports.jobs.manifest import partition
from scarf_async.exports.jobs.run import run_job
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.spec import ExportSpec

from ..fakes import FakeDownload, csv_body, download, events
from .service import manifest, names, service
from .test_run import today

JOB = ExportJob("pixel_events", None, "2024-02-27", "2024-03-02", window_days=1)
COLUMNS = ("id", "type", "time", "package")
SERVER = "http://127.0.0.1/v1"


def body_of(window: Window, rows: int = 3) -> bytes:
    """Return events of a window's first day."""
    return csv_body(
        [
            {"id": f"{window.start} {n}", "type": "t", "time": f"{window.start}T00:00:00Z", "package": "p"}
            for n in range(rows)
        ],
        COLUMNS,
    )


async def run_with(
    directory: Path,
    answers: dict[str, FakeDownload],
    job: ExportJob = JOB,
    *,
    server: str = SERVER,
    concurrency: int = 2,
    progress: Callable[[ExportProgress], object] | None = None,
) -> ExportReport:
    """Run a job whose windows get these answers, by their first days, or what is whole."""

    def spec(window: Window) -> ExportSpec[Record]:
        answer = answers.get(str(window.start)) or download(body_of(window), step=40)
        return events(answer, attempts=1).spec  # type: ignore[return-value] # an event is a record

    return await run_job(
        job,
        Directory(directory, job, server),
        spec,
        concurrency=concurrency,
        refresh_days=0,
        progress=Hook("progress", progress),
        clock=Clock(),
    )


async def test_what_is_wrong_in_the_middle_fails_alone(tmp_path: Path) -> None:
    """A login page, gzip that is cut off, and gzip that is none: three failures, and a leap day that is there."""
    cut = gzip.compress(body_of(JOB.range([], dt.date(2024, 3, 2), 0), 500))[:-20]
    answers = {
        "2024-02-27": download(b"<html>Log in</html>"),
        "2024-02-28": download(cut, encoding="gzip"),
        "2024-03-01": download(b"no gzip at all", encoding="gzip"),
    }
    report = await run_with(tmp_path, answers)
    assert [window.status for window in report.windows] == ["failed", "failed", "fetched", "failed"]
    assert names(tmp_path) == ["data/2024-02-29--2024-03-01.csv", "lock", "manifest.json"]
    assert (await run_with(tmp_path, {})).complete
    assert verify_export(tmp_path) == []


async def test_a_long_pause_ends_the_run(tmp_path: Path) -> None:
    """A 429 that asks for more than anybody waits: nothing more is asked for, and the report says for how long."""
    async with service() as some:
        some.emulator.faults.add(FaultRule("GET", "*/events/*", None, 429, retry_after="3600"))
        report = await some.scarf.exports.run(some.job(), tmp_path, concurrency=1)
        assert len(some.asked()) == 1
    assert [window.status for window in report.windows] == ["failed", "skipped", "skipped", "skipped"]
    assert str(report.stopped_by).endswith("run it again after 3,600 s")


async def test_another_server_is_refused(tmp_path: Path) -> None:
    """Both are named, and the directory stays as it is."""
    await run_with(tmp_path, {})
    before = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(ExportError, match=r"server was 'http://127.0.0.1/v1' and is 'http://\[::1\]/v1'"):
        await run_with(tmp_path, {}, server="http://[::1]/v1")
    assert (tmp_path / "manifest.json").read_bytes() == before


async def test_the_server_is_the_one_that_is_asked(tmp_path: Path) -> None:
    """That of v1 or of v2, whichever the job asks."""
    job = ExportJob("owner_events", "acme", "2024-01-01", "2024-01-02")
    async with service() as some:
        await some.scarf.exports.run(job, tmp_path)
        assert manifest(tmp_path).server == some.emulator.v2_url
        other = Scarf("t", base_url=some.emulator.url, v2_url=some.emulator.url, retry=RetryPolicy(attempts=1))
        async with other:
            with pytest.raises(ExportError, match="another export: server was"):
                await other.exports.run(job, tmp_path)


async def test_a_clock_that_was_ahead(tmp_path: Path) -> None:
    """What was taken for whole, and cannot have been, is fetched again once its days have come."""
    with today("2025-01-01"):
        assert (await run_with(tmp_path, {})).complete
    with today("2024-02-29T12:00"):
        report = await run_with(tmp_path, {})
    assert [(window.status, window.provisional) for window in report.windows] == [
        ("kept", False),
        ("kept", False),
        ("fetched", True),
        ("kept", False),
    ]


async def test_a_file_that_a_manifest_has_twice(tmp_path: Path) -> None:
    """Its rows would count twice: it is damage."""
    await run_with(tmp_path, {})
    path = tmp_path / "manifest.json"
    whole = json.loads(path.read_bytes())
    window = whole["windows"][0]
    window["files"] *= 2
    window["rows"] *= 2
    path.write_text(json.dumps(whole))
    with pytest.raises(ExportError, match="is there twice"):
        await run_with(tmp_path, {})


def test_folders_differ_by_more_than_case() -> None:
    """Some file systems take capital letters for small ones; Parquet's readers give them back."""
    packages = ["web", "Web", "WEB", "%57eb", "é", "É", "__hive_default_partition__", "NULL", "null", "Null", None]
    folders = {partition(package).casefold() for package in packages}
    assert len(folders) == len(packages)


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_a_run_may_be_cancelled_anywhere(tmp_path: Path, form: ExportFormatLike) -> None:
    """After any number of turns of the event loop: nothing temporary is left, the next run goes on at once."""
    job = ExportJob("pixel_events", None, "2024-02-27", "2024-03-01", form, 1)
    ended = 0
    for turns in [*range(12), *range(12, 240, 24)]:
        directory = tmp_path / str(turns)
        task = asyncio.create_task(run_with(directory, {}, job))
        for _ in range(turns):
            await asyncio.sleep(0.0002)
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        ended += isinstance(outcome, ExportReport)
        if not isinstance(outcome, ExportReport):
            assert isinstance(outcome, asyncio.CancelledError)
        if (directory / "manifest.json").exists():
            assert all("is missing; run" in problem.problem for problem in verify_export(directory))
        if turns % 12 == 0:
            assert (await run_with(directory, {}, job)).complete
            assert verify_export(directory) == []
    assert 0 < ended < 22


async def test_a_run_that_is_cancelled_at_its_end_lets_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory is free for the next run at once, however long it takes to unlock it."""
    close = Directory.close

    def close_slowly(directory: Directory) -> None:
        time.sleep(0.05)
        close(directory)

    monkeypatch.setattr(Directory, "close", close_slowly)

    def cancel(progress: ExportProgress) -> None:
        if progress.windows_done == progress.windows_total:
            task.cancel()

    task = asyncio.create_task(run_with(tmp_path, {}, progress=cancel))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await run_with(tmp_path, {})).complete


@pytest.mark.parametrize(("concurrency", "start", "windows"), [(1, "2023-01-01", 13), (64, "2014-01-01", 122)])
async def test_ten_years_of_days(tmp_path: Path, concurrency: int, start: str, windows: int) -> None:
    """Leap days and all, whatever is in progress at a time."""
    job = ExportJob("pixel_events", "acme", start, "2024-01-01")
    report = await run_with(tmp_path, {}, job, concurrency=concurrency)
    assert (report.complete, len(report.windows), report.rows) == (True, windows, 3 * windows)
    assert verify_export(tmp_path) == []


async def test_killed_between_a_file_and_its_entry(tmp_path: Path) -> None:
    """A file that is in its place and in no manifest is swept, and fetched again."""
    await run_with(tmp_path / "new", {})
    stray = tmp_path / "new" / "data" / "2024-02-27--2024-02-28.csv"
    content = stray.read_bytes()
    await run_with(tmp_path / "old", {"2024-02-27": download(b"<html>")})
    (tmp_path / "old" / "data" / stray.name).write_bytes(content[:10])
    assert len(verify_export(tmp_path / "old")) == 1
    assert (await run_with(tmp_path / "old", {})).complete
    assert (tmp_path / "old" / "data" / stray.name).read_bytes() == content


_LIMITED = """
import asyncio, sys
from pathlib import Path
from tests.exports.jobs.test_hostile import download, run_with
body = b"type,time\\n" + b"t,2024-02-29T00:00:00Z\\n" * 20_000
try:
    asyncio.run(run_with(Path(sys.argv[1]), {"2024-02-29": download(body)}, concurrency=1))
except OSError as error:
    print(error.strerror)
"""


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """The system's own error ends the run; what was whole before it stays, and nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
    )
    assert done.stdout == "File too large\n"
    assert names(tmp_path) == [
        "data/2024-02-27--2024-02-28.csv",
        "data/2024-02-28--2024-02-29.csv",
        "lock",
        "manifest.json",
    ]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_no_content_is_a_window_without_rows(tmp_path: Path, form: ExportFormatLike) -> None:
    """A 204 has no header either; what was written of it is whole."""
    answer = FakeDownload([], status=204)
    job = ExportJob("pixel_events", None, "2024-02-27", "2024-02-28", form)
    report = await run_with(tmp_path, {"2024-02-27": answer}, job)
    assert (report.complete, report.rows) == (True, 0)
    assert verify_export(tmp_path, deep=True) == []
