"""SIGINT, SIGTERM and SIGHUP, as a shell, a container and a service manager send them."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from processes import Forked

from scarf_async import OrganizationUpsert, Scarf
from scarf_async.emulator import Emulator
from scarf_async.emulator.faults import FaultRule

from .shell import (
    RANGE,
    TOKEN,
    answer,
    environment,
    execute,
    files_in,
    finish,
    invoke,
    of,
    server_of,
    start,
    until,
)

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
EVENTS = ("export", "owner-events", "acme", *RANGE)
# As `nohup` and a shell's `&` start a command.
IGNORING = (
    "import os, signal, sys\n"
    "for number in sys.argv[1].split(','):\n"
    "    signal.signal(int(number), signal.SIG_IGN)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A server with an empty organization `acme`."""
    async with Emulator(token=TOKEN) as emulator:
        async with Scarf(TOKEN, base_url=emulator.url) as scarf:
            await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
        emulator.requests.clear()
        yield emulator


def applying(tmp_path: Path, packages: int) -> tuple[str, ...]:
    """Return the arguments that apply a manifest of so many packages, two at a time."""
    names = "".join(f"\n      - {{name: p{place}, type: npm}}" for place in range(packages))
    manifest = tmp_path / "many.yaml"
    manifest.write_text(f"version: 1\norganizations:\n  acme:\n    packages:{names}\n")
    return ("apply", str(manifest), "--yes", "--journal", str(tmp_path / "journal"), "--concurrency", "2")


def written(emulator: Emulator) -> int:
    """Return how many requests have come that change something."""
    return sum(request.method != "GET" for request in emulator.requests)


async def wait_for_line(process: Forked, words: bytes) -> None:
    """Read standard error up to a line with these words."""
    assert process.stderr is not None
    stderr = process.stderr
    while words not in (line := await asyncio.to_thread(stderr.readline)):
        assert line, f"it ended without saying {words!r}"


@pytest.mark.parametrize(("number", "status"), SIGNALS)
async def test_an_export_leaves_nothing_behind(tmp_path: Path, number: int, status: int) -> None:
    """In the middle of a download: the status that shells know, one line, and the file as it was."""
    file = tmp_path / "events"
    file.write_text("old")
    async with server_of(answer(b"type,time\npull,2024-01-01T00:00:00Z\n", length=10**6)) as (url, _):
        process = start(*EVENTS, "-o", str(file), "--replace", env=environment(url))
        await until(lambda: len(files_in(tmp_path)) == 2)
        process.send_signal(number)
        done = await finish(process)
    assert (done.status, done.err) == (status, "scarf-async: interrupted\n")
    assert files_in(tmp_path) == ["events"]
    assert file.read_text() == "old"


@pytest.mark.parametrize(("number", "status"), SIGNALS[2:])
async def test_a_job_leaves_nothing_behind_and_goes_on(tmp_path: Path, number: int, status: int) -> None:
    """No temporary file stays in its directory; the same command finishes it."""
    arguments = (
        "export", "job", "pixel_events", "--start", "2024-01-01", "--end", "2024-01-07", "--window-days", "2",
        "--directory", str(tmp_path), "--concurrency", "1",
    )  # fmt: skip
    async with Emulator(token=TOKEN) as emulator:
        emulator.faults.add(FaultRule("GET", "*", 2, "hang"))
        process = start(*arguments, env=of(emulator))
        await until(lambda: len(emulator.requests) == 2)
        process.send_signal(number)
        stopped = await finish(process)
        # Of what takes long, lines before it say how far it is.
        assert (stopped.status, stopped.err.splitlines()[-1]) == (status, "scarf-async: interrupted")
        assert not [name for name in files_in(tmp_path) if name.startswith(".scarf-") and "." in name[1:]]
        assert (await invoke(*arguments, env=of(emulator))).status == 0


@pytest.mark.parametrize(("number", "status", "times"), [(*SIGNALS[1], 1), (*SIGNALS[2], 2)])
async def test_apply_drains_and_goes_on(
    emulator: Emulator, tmp_path: Path, number: int, status: int, times: int
) -> None:
    """The first lets what is in progress end, the second stops at once; each time it says how to go on."""
    emulator.faults.latency = 0.1
    if times == 2:
        # One is in progress until the second, and is looked for when it has had its time.
        emulator.faults.add(FaultRule("POST", "*", 8, "hang"))
    brief = ("--timeout", "3")
    process = start(*applying(tmp_path, 40), *brief, env=of(emulator))
    await until(lambda: written(emulator) > 7)
    process.send_signal(number)
    await wait_for_line(process, signal.Signals(number).name.encode() + b" again stops at once")
    if times == 2:
        process.send_signal(number)
    done = await finish(process)
    assert done.status == status, done.err
    assert ("Stopped: interrupted\n" in done.err) is (times == 1)
    assert "stop was set" not in done.err
    emulator.faults.latency = 0
    again = shlex.split(done.err.partition("to continue: scarf-async ")[2].splitlines()[0])
    rest = await invoke(*again, *(() if "--timeout" in again else brief), env=of(emulator))
    assert rest.status == 0, rest.err
    async with Scarf(TOKEN, base_url=emulator.url) as scarf:
        assert len(await scarf.packages.list("acme")) == 40


async def test_what_was_ignored_at_the_start_stays_ignored(emulator: Emulator, tmp_path: Path) -> None:
    """Ctrl-C does not end `apply` in a shell's background, nor does the end of the terminal under nohup."""
    emulator.faults.latency = 0.05
    ignored = (signal.SIGINT, signal.SIGHUP)
    through = [sys.executable, "-c", IGNORING, ",".join(str(int(number)) for number in ignored)]
    process = execute(*applying(tmp_path, 20), env=of(emulator), through=through)
    await until(lambda: written(emulator) > 4)
    for number in (*ignored, *ignored):
        process.send_signal(number)
    done = await finish(process)
    assert done.status == 0, done.err
    assert "Stopping" not in done.err


async def test_what_is_not_ignored_still_ends_it(emulator: Emulator, tmp_path: Path) -> None:
    """With SIGINT ignored, SIGTERM drains all the same."""
    emulator.faults.latency = 0.1
    through = [sys.executable, "-c", IGNORING, str(int(signal.SIGINT))]
    process = execute(*applying(tmp_path, 40), env=of(emulator), through=through)
    await until(lambda: written(emulator) > 4)
    process.send_signal(signal.SIGTERM)
    done = await finish(process)
    assert done.status == 143, done.err
    assert "to continue: scarf-async " in done.err


@pytest.mark.parametrize(
    ("number", "status", "arguments"),
    [
        (*SIGNALS[1], ("pull", "acme", "-o", "acme.yaml", "--replace")),
        (*SIGNALS[2], ("copy", "acme", "new", "--yes")),
        (*SIGNALS[1], ("plan", "m.yaml")),
    ],
)
async def test_what_waits_for_the_service_ends(
    tmp_path: Path, number: int, status: int, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command that asks the service, with the file that it would have replaced as it was."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acme.yaml").write_text("version: 1\n")
    (tmp_path / "m.yaml").write_text("version: 1\norganizations: {acme: {description: x}}\n")
    async with server_of(b"") as (url, asked):
        process = start(*arguments, env=environment(url))
        await asked.wait()
        process.send_signal(number)
        done = await finish(process)
    assert (done.status, done.err) == (status, "scarf-async: interrupted\n")
    assert files_in(tmp_path) == ["acme.yaml", "m.yaml"]
    assert (tmp_path / "acme.yaml").read_text() == "version: 1\n"


@pytest.mark.parametrize(("number", "status"), SIGNALS[1:])
async def test_the_emulator_ends(number: int, status: int) -> None:
    """By a handler of its own, without which process 1 of a container would not see the signal."""
    process = start("emulator", "--port", "0", env={})
    await wait_for_line(process, b"Ctrl-C ends it")
    process.send_signal(number)
    done = await finish(process)
    assert (done.status, done.err) == (status, "scarf-async: interrupted\n")


@pytest.mark.parametrize(("number", "status"), SIGNALS[1:2])
async def test_the_demo_says_how_to_go_on(tmp_path: Path, number: int, status: int) -> None:
    """It ends with the signal's status, and the journal for the next run."""
    directory = tmp_path / "demo"
    process = start("demo", "--directory", str(directory), "--latency", "0.05", env=environment(""))
    journal = directory / "demo.journal"
    await until(lambda: journal.is_file() and journal.stat().st_size > 4096)
    process.send_signal(number)
    done = await finish(process)
    assert done.status == status, done.err
    assert b"to continue: scarf-async demo --directory" in done.out


async def test_what_a_killed_export_left_is_swept(tmp_path: Path) -> None:
    """By the next one into the same directory; what a living one writes stays, and comes to its end."""
    body = b"type,time\npull,2024-01-01T00:00:00Z\n"
    async with server_of(answer(body, length=10**6)) as (url, _):
        killed = start(*EVENTS, "-o", str(tmp_path / "a"), env=environment(url))
        await until(lambda: len(files_in(tmp_path)) == 1)
        killed.kill()
        await finish(killed)
        (left,) = files_in(tmp_path)
        living = start(*EVENTS, "-o", str(tmp_path / "b"), env=environment(url))
        await until(lambda: files_in(tmp_path) not in ([], [left]) and left not in files_in(tmp_path))
        (alive,) = files_in(tmp_path)
        async with server_of(answer(body)) as (other, _):
            done = await invoke(*EVENTS, "-o", str(tmp_path / "c"), env=environment(other))
        assert done.status == 0, done.err
        assert files_in(tmp_path) == [alive, "c"]
        living.send_signal(signal.SIGTERM)
        await finish(living)
    assert files_in(tmp_path) == ["c"]
