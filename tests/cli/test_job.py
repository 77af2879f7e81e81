"""`scarf-async export job` and `export verify`, as a shell runs them."""

from __future__ import annotations

import signal
from pathlib import Path

from scarf_async.emulator import Emulator
from scarf_async.emulator.faults import FaultRule

from .shell import TOKEN, files_in, finish, invoke, of, run_on_terminal, start, until

DAYS = ("--start", "2024-01-01", "--end", "2024-01-07", "--window-days", "2")


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
        assert (stopped.status, stopped.err) == (130, "scarf-async: interrupted\n")
        done = await invoke(*job(tmp_path), env=of(emulator))
        assert (done.status, len(emulator.requests)) == (0, 4)
    assert "300 rows, " in done.err


async def test_what_cannot_be_read_blocks_no_job(tmp_path: Path) -> None:
    """By default its window fails; it can be left out, kept in the directory, or go to a file as it was sent."""
    rejects = tmp_path / "rejects.txt"
    rows = [
        {"id": "1", "type": "t", "time": "2024-01-01T00:00:00Z"},
        {"id": "2", "type": "t", "time": "2024-01-03 bad"},
    ]
    async with Emulator(token=TOKEN, columns=("id", "type", "time")) as emulator:
        await emulator.add_events(None, rows)
        raised = await invoke(*job(tmp_path / "a"), env=of(emulator))
        skipped = await invoke(*job(tmp_path / "a", "--on-malformed", "skip"), env=of(emulator))
        kept = await invoke(*job(tmp_path / "b", "--on-malformed", "keep"), env=of(emulator))
        filed = await invoke(*job(tmp_path / "c", "--on-malformed", str(rejects)), env=of(emulator))
    assert (raised.status, skipped.status, kept.status, filed.status) == (1, 0, 0, 0)
    for done in (skipped, kept, filed):
        assert "malformed: 1 left out, in 1 of 3 windows" in done.err
    assert files_in(tmp_path / "b" / "rejects") == ["2024-01-03--2024-01-05.jsonl"]
    assert rejects.read_bytes() == b"2,t,2024-01-03 bad\n"
