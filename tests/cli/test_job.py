"""`scarf-async export job` and `export verify`, as a shell runs them."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scarf_async.emulator import Emulator
from scarf_async.emulator.faults import FaultRule
from scarf_async.exports.jobs.source import objects_at
from scarf_async.exports.jobs.stores import lease
from scarf_async.exports.jobs.stores.lease import Lease
from scarf_async.exports.jobs.stores.place import place_of
from scarf_async.files import lock

from .shell import TOKEN, environment, execute, files_in, finish, invoke, of, run_on_terminal, start, until

if TYPE_CHECKING:
    from exports.jobs.store import Store

DAYS = ("--start", "2024-01-01", "--end", "2024-01-07", "--window-days", "2")


GO_ON = ("export", "job", "pixel_events", "--to")


def job(directory: Path, *more: str) -> tuple[str, ...]:
    """Return the arguments of a job of three windows."""
    return ("export", "job", "pixel_events", *DAYS, "--directory", str(directory), *more)


async def test_a_job_is_resumed_and_verified(tmp_path: Path) -> None:
    """What failed is fetched by the next run and nothing else; then the directory is whole, until it is touched."""
    directory = tmp_path / "pixels"
    async with Emulator(token=TOKEN) as emulator:
        emulator.faults.add(FaultRule("GET", "*", 2, 500))
        failed = await invoke(*job(directory, "--concurrency", "1"), env=of(emulator))
        assert (failed.status, failed.out) == (1, b"")
        assert "failed: 2024-01-03..2024-01-05" in failed.err
        status, shown = await run_on_terminal(*job(directory), env=of(emulator))
        assert (status, len(emulator.requests)) == (0, 4)
        assert "windows (" in shown
        assert "300 rows, " in shown
    whole = await invoke("export", "verify", str(directory), env={})
    assert (whole.status, whole.out, whole.err) == (0, b"", f"{directory} is whole.\n")
    next(directory.glob("data/*.csv")).write_bytes(b"type,time\n")
    touched = await invoke("export", "verify", str(directory), env={})
    assert (touched.status, touched.err) == (4, "")
    assert touched.out.count(b"\n") == 1


async def test_no_resume_touches_nothing(tmp_path: Path) -> None:
    """A directory that holds something is refused, with status 3 and before anything is sent."""
    (tmp_path / "notes").touch()
    async with Emulator(token=TOKEN) as emulator:
        done = await invoke(*job(tmp_path, "--no-resume"), env=of(emulator))
        assert not emulator.requests
    assert done.status == 3
    assert "is not empty, and --no-resume was given" in done.err
    assert files_in(tmp_path) == ["notes"]


async def test_an_interrupted_job_goes_on(tmp_path: Path) -> None:
    """Ctrl-C ends with status 130 and one line; the same command again finishes."""
    async with Emulator(token=TOKEN) as emulator:
        emulator.faults.add(FaultRule("GET", "*", 2, "hang"))
        process = start(*job(tmp_path, "--concurrency", "1"), env=of(emulator))
        await until(lambda: len(emulator.requests) == 2)
        process.send_signal(signal.SIGINT)
        stopped = await finish(process)
        assert (stopped.status, stopped.err.splitlines()[-1]) == (130, "scarf-async: interrupted")
        done = await invoke(*job(tmp_path), env=of(emulator))
        assert (done.status, len(emulator.requests)) == (0, 4)
    assert "300 rows, " in done.err


async def test_what_cannot_be_read_blocks_no_job(tmp_path: Path) -> None:
    """By default its window fails; or it is left out, and kept in the directory."""
    rows = [
        {"id": "1", "type": "t", "time": "2024-01-01T00:00:00Z"},
        {"id": "2", "type": "t", "time": "2024-01-03 bad"},
    ]
    async with Emulator(token=TOKEN, columns=("id", "type", "time")) as emulator:
        await emulator.add_events(None, rows)
        raised = await invoke(*job(tmp_path / "a"), env=of(emulator))
        kept = await invoke(*job(tmp_path / "a", "--on-malformed", "keep"), env=of(emulator))
    assert (raised.status, kept.status) == (1, 0)
    assert "malformed: 1 left out, in 1 of 3 windows" in kept.err
    assert files_in(tmp_path / "a" / "rejects") == ["2024-01-03--2024-01-05.jsonl"]


async def test_a_job_for_programs(tmp_path: Path) -> None:
    """One object, whether it is done, fails, is busy or cannot be begun; and the status says which it is."""
    directory = tmp_path / "deep" / "pixels"
    async with Emulator(token=TOKEN) as emulator:
        nothing = await invoke(*GO_ON, str(directory), "--json", env=of(emulator))
        both = await invoke(*GO_ON, str(directory), "--start", "2024-01-01", "--days", "3", env=of(emulator))
        assert not emulator.requests
        emulator.faults.add(FaultRule("GET", "*", 2, 500))
        failed = await invoke(*job(directory, "--concurrency", "1", "--json", "--quiet"), env=of(emulator))
        done = await invoke(*GO_ON, str(directory), "--end", "2024-01-09", "--json", "--quiet", env=of(emulator))
        with (directory / "lock").open("rb") as file:
            lock(file.fileno())
            busy = await invoke(*job(directory, "--json"), env=of(emulator))
        other = await invoke(*job(directory, "--format", "jsonl", "--json"), env=of(emulator))
    assert [some.status for some in (nothing, both, failed, done, busy, other)] == [2, 2, 1, 0, 5, 1]
    assert "--start DAY or --days N" in nothing.err
    assert "--start and --days" in both.err
    assert "in use by another run" in busy.err
    assert "format was 'csv' and is 'jsonl'" in other.err
    assert "failed: 2024-01-03" in failed.err
    assert done.err == ""
    told = [json.loads(some.out) for some in (nothing, failed, done, busy, other)]
    assert [some["complete"] for some in told] == [False, False, True, False, False]
    assert [some["rows"] for some in told] == [0, 200, 300, 0, 0]
    assert [len(some["new_files"]) for some in told] == [0, 2, 3, 0, 0]
    assert [len(some["windows"]) for some in told] == [0, 3, 3, 0, 0]
    assert told[3]["error"] in busy.err
    for some in told:
        assert {"duplicates", "malformed", "elapsed"} <= some.keys()


async def test_a_pipe_gets_a_line_for_each_window(tmp_path: Path) -> None:
    """And `--days` reaches back from the end; a quiet run says nothing."""
    more = ("--days", "4", "--end", "2024-01-05", "--window-days", "2")
    async with Emulator(token=TOKEN) as emulator:
        shown = await invoke(*GO_ON, str(tmp_path / "a"), *more, env=of(emulator))
        quiet = await invoke(*GO_ON, str(tmp_path / "b"), *more, "--quiet", env=of(emulator))
    lines = shown.err.splitlines()
    for window in ("2024-01-01..2024-01-03", "2024-01-03..2024-01-05"):
        assert sum(line.startswith(f"{window}: fetched, 100 rows, ") for line in lines) == 1
    assert (quiet.status, quiet.out, quiet.err) == (0, b"", "")


async def test_a_log_tells_of_every_run(tmp_path: Path) -> None:
    """Of each window and of the end, with the time, whatever else is said; of a run that cannot begin, too."""
    log = tmp_path / "runs.log"
    async with Emulator(token=TOKEN) as emulator:
        emulator.faults.add(FaultRule("GET", "*", 2, 500))
        more = ("--concurrency", "1", "--quiet", "--log", str(log))
        failed = await invoke(*job(tmp_path / "a", *more), env=of(emulator))
        done = await invoke(*job(tmp_path / "a", *more), env=of(emulator))
        await invoke(*job(tmp_path / "a", *more, "--format", "jsonl"), env=of(emulator))
        nowhere = await invoke(*job(tmp_path / "b", "--log", str(tmp_path / "no" / "log")), env=of(emulator))
        assert len(emulator.requests) == 4
    assert (failed.status, done.status, nowhere.status) == (1, 0, 1)
    assert f"{tmp_path / 'no' / 'log'}: No such file" in nowhere.err
    lines = log.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S", line) for line in lines)
    told = [line.partition(" ")[2] for line in lines]
    assert [line for line in told if line.startswith("2024-01-03..2024-01-05: failed")]
    assert len([line for line in told if "fetched, 100 rows" in line]) == 3
    assert "ended by ExportError: " in told[-1]
    assert TOKEN not in log.read_text()


async def test_an_id_in_two_windows_is_found_by_a_deep_look(tmp_path: Path) -> None:
    """It differs from what each file holds."""
    rows = [{"id": "1", "type": "t", "time": f"2024-01-0{day}T00:00:00Z"} for day in (1, 3)]
    async with Emulator(token=TOKEN, events_per_day=0, columns=("id", "type", "time")) as emulator:
        await emulator.add_events(None, rows)
        await invoke(*job(tmp_path), env=of(emulator))
    whole = await invoke("export", "verify", str(tmp_path), env={})
    deep = await invoke("export", "verify", str(tmp_path), "--deep", env={})
    assert (whole.status, deep.status) == (0, 4)
    assert b"such as '1'" in deep.out


async def test_a_bucket(store: Store, tmp_path: Path) -> None:
    """A job goes into it and is verified there; busy, nothing to continue from and garbage are as everywhere."""
    to = "s3://bucket/a/pixels"
    async with Emulator(token=TOKEN) as emulator:
        env = of(emulator) | store.environment
        nothing = await invoke(*GO_ON, to, env=env)
        done = await invoke("export", "job", "pixel_events", *DAYS, "--to", to, "--json", env=env)
        again = await invoke("export", "job", "pixel_events", *DAYS, "--to", to, "--no-resume", env=env)
        wrong = await invoke(*GO_ON, "s3://key:s3cr3t@bucket/a", env=env)
        assert len(emulator.requests) == 3
    assert [some.status for some in (nothing, done, again, wrong)] == [2, 0, 3, 2]
    assert "--start DAY or --days N" in nothing.err
    assert "leave out what is before the @" in wrong.err
    assert "s3cr3t" not in wrong.err
    told = json.loads(done.out)
    assert {f"a/pixels/{file['path']}" for file in told["new_files"]} < {*store.objects}
    whole = await invoke("export", "verify", to, env=store.environment)
    assert (whole.status, whole.err) == (0, f"{to} is whole.\n")
    store.age("a/pixels/probe-*", dt.timedelta(days=2))
    swept = await invoke("export", "gc", to, env=store.environment)
    assert (swept.status, swept.out.count(b"\n"), swept.err) == (0, 1, f"1 object deleted in {to}.\n")
    store.delete(f"a/pixels/{told['new_files'][0]['path']}")
    gone = await invoke("export", "verify", to, env=store.environment)
    assert (gone.status, gone.out) == (4, f"{to}/{told['new_files'][0]['path']}: it is missing\n".encode())


async def test_ctrl_c_does_not_wait_for_a_bucket(store: Store) -> None:
    """The first one ends what waits for a store that does not answer."""
    store.fail("GET", "a/manifest.json", "hang", 100)
    running = execute("export", "verify", "s3://bucket/a", env=environment("", **store.environment))
    await asyncio.to_thread(store.wait_until, bool)
    running.send_signal(signal.SIGINT)
    done = await finish(running)
    assert (done.status, done.err) == (130, "scarf-async: interrupted\n")


async def test_a_bucket_that_is_in_use(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe is told once what is waited for, and the status is that of a directory in use."""
    monkeypatch.setattr(lease, "_RENEWED", 0.05)
    monkeypatch.setattr(lease, "_LOOK", 0.05)
    monkeypatch.setenv("SCARF_API_TOKEN", TOKEN)
    to = "s3://bucket/pixels"
    place = place_of(to)
    assert not isinstance(place, Path)
    holder = Lease(objects_at(place))
    await asyncio.to_thread(holder.take)
    async with Emulator(token=TOKEN) as emulator:
        busy = await invoke(
            "export", "job", "pixel_events", *DAYS, "--to", to, env=of(emulator) | store.environment
        )
        assert not emulator.requests
    swept = await invoke("export", "gc", to, env=store.environment)
    await asyncio.to_thread(holder.free)
    assert (busy.status, busy.err.count("\n"), swept.status) == (5, 2, 1)
    assert busy.err.startswith("waiting 30 s for a sign of life of the run that holds the prefix")
    assert "has no manifest.json" in swept.err
