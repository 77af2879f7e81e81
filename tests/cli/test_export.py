"""`scarf-async export`, as a shell runs it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from scarf_async import OrganizationUpsert, PackageUpsert, Scarf
from scarf_async.cli.app import app
from scarf_async.emulator import Emulator
from scarf_async.emulator.faults import FaultRule
from scarf_async.emulator.loading import Document

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
    run,
    run_on_terminal,
    server_of,
    start,
    until,
)

HEADER = b"type,time\n"
ROW = b"pull,2024-01-01T00:00:00Z\n"
EVENTS = ("export", "owner-events", "acme", *RANGE)


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A server with one package, `web`, of the organization `acme`."""
    async with Emulator(token=TOKEN) as emulator:
        async with Scarf(TOKEN, base_url=emulator.url) as scarf:
            await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
            package = PackageUpsert(name="web", short_description="The web client", library_type="file")
            await scarf.packages.create(package, organization="acme")
        emulator.requests.clear()
        yield emulator


async def package_of(emulator: Emulator) -> str:
    """Return the uuid of the package."""
    async with Scarf(TOKEN, base_url=emulator.url) as scarf:
        return (await scarf.packages.list("acme"))[0].uuid


@pytest.mark.parametrize("kind", ["package-events", "aggregates", "pixel-events"])
async def test_what_is_piped_is_what_is_saved(emulator: Emulator, tmp_path: Path, kind: str) -> None:
    """Standard output gets the bytes of the file, and nothing else; both runs end with the same figures."""
    arguments = {
        "package-events": ("acme", await package_of(emulator), "--api", "v2"),
        "aggregates": ("--organization", "acme"),
        "pixel-events": ("--owner", "acme"),
    }[kind]
    file = tmp_path / "saved"
    # One real pipe: the others are told apart by what they send.
    piped = await (run if kind == "package-events" else invoke)(
        "export", kind, *arguments, *RANGE, env=of(emulator)
    )
    saved = await invoke("export", kind, *arguments, *RANGE, "-o", str(file), env=of(emulator))
    assert (piped.status, saved.status, saved.out) == (0, 0, b"")
    assert piped.out == file.read_bytes() != b""
    digest = hashlib.sha256(piped.out).hexdigest()
    for done in (piped, saved):
        assert f"{len(piped.out):,} bytes" in done.err
        assert f"sha256 {digest}" in done.err
        assert done.err.count("\n") == 1
    assert files_in(tmp_path) == ["saved"]


async def test_a_consumer_gets_what_it_can_read(emulator: Emulator) -> None:
    """Events as JSON lines go through a pipe into another program."""
    process = start(*EVENTS, "--format", "jsonl", env=of(emulator))
    assert process.stdout is not None
    counting = "import json,sys; print(len({json.loads(line)['id'] for line in sys.stdin}))"
    consumer = await asyncio.create_subprocess_exec(
        "python3", "-c", counting, stdin=process.stdout, stdout=subprocess.PIPE
    )
    process.stdout.close()
    process.stdout = None
    counted, _ = await consumer.communicate()
    done = await finish(process)
    assert (done.status, int(counted)) == (0, 150)
    assert done.err.startswith("150 rows, ")


async def test_parquet_goes_into_a_file(emulator: Emulator, tmp_path: Path) -> None:
    """A conversion with -o FILE is whole under its name, and its figures are the file's."""
    file = tmp_path / "events.parquet"
    done = await invoke(*EVENTS, "--format", "parquet", "-o", str(file), env=of(emulator))
    assert done.status == 0, done.err
    assert hashlib.sha256(file.read_bytes()).hexdigest() in done.err
    assert file.read_bytes()[-4:] == b"PAR1"
    assert files_in(tmp_path) == ["events.parquet"]


@pytest.mark.parametrize(
    ("words", "days"),
    [
        (("--month", "2024-02"), ("2024-02-01", "2024-03-01")),
        (("--days", "3", "--end", "2024-01-04"), ("2024-01-01", "2024-01-04")),
        (("--since", "2w", "--end", "2024-01-15"), ("2024-01-01", "2024-01-15")),
        (("--since", "2024-01-01", "--end", "2024-01-02"), ("2024-01-01", "2024-01-02")),
    ],
)
async def test_days_as_people_say_them(emulator: Emulator, words: tuple[str, ...], days: tuple[str, str]) -> None:
    """What is asked for is the same as with --start and --end; a package may be named."""
    await package_of(emulator)
    emulator.requests.clear()
    for what in (("owner-events", "acme"), ("package-events", "acme/web"), ("aggregates", "acme")):
        done = await invoke("export", *what, *words, env=of(emulator))
        assert done.status == 0, done.err
        assert set(days) <= {value[:10] for value in emulator.requests[-1].query.values()}, emulator.requests[-1]


async def test_an_existing_file_is_replaced_only_on_request(emulator: Emulator, tmp_path: Path) -> None:
    """Without --replace the status is 3 and nothing is requested; the ending chooses the format."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"mine")
    kept = await invoke(*EVENTS, "-o", str(file), env=of(emulator))
    assert (kept.status, emulator.requests, file.read_bytes()) == (3, [], b"mine")
    assert "--replace" in kept.err
    replaced = await invoke(*EVENTS, "-o", str(file), "--replace", env=of(emulator))
    assert (replaced.status, file.read_bytes()[:1]) == (0, b"{")
    unknown = await invoke(*EVENTS, "-o", str(tmp_path / "events.xlsx"), env=of(emulator))
    assert (unknown.status, len(emulator.requests), files_in(tmp_path)) == (2, 1, ["events.jsonl"])


async def test_a_reader_that_leaves_is_no_error() -> None:
    """As with `| head -1`: no message, no traceback, none when Python ends, and the status of a broken pipe."""
    body = HEADER + ROW * 400_000
    async with server_of(answer(body)) as (url, _):
        process = execute(*EVENTS, env=environment(url))
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        process.stdout.close()
        process.stdout = None
        done = await finish(process)
    assert line == HEADER
    assert (done.status, done.err) == (141, "")


@pytest.mark.parametrize("form", [(), ("--format", "jsonl")])
async def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, form: tuple[str, ...]) -> None:
    """In the middle of a download: status 130, one line, and no file, neither whole nor in part."""
    async with server_of(answer(HEADER + ROW, length=10**6)) as (url, asked):
        process = start(*EVENTS, *form, "-o", str(tmp_path / "events"), env=environment(url))
        await asked.wait()
        await until(lambda: files_in(tmp_path))
        process.send_signal(signal.SIGINT)
        done = await finish(process)
    assert (done.status, done.err) == (130, "scarf-async: interrupted\n")
    assert files_in(tmp_path) == []


async def test_ctrl_c_does_not_wait_for_a_reader() -> None:
    """A pipe that is full and that nobody empties does not keep the command from ending."""
    async with server_of(answer(HEADER + ROW * 100_000)) as (url, _):
        reading, writing = os.pipe()
        process = execute(*EVENTS, env=environment(url), stdout=writing)
        os.close(writing)
        await asyncio.to_thread(os.read, reading, 1)
        process.send_signal(signal.SIGINT)
        done = await finish(process)
        os.close(reading)
    assert (done.status, done.err) == (130, "scarf-async: interrupted\n")


async def test_a_full_disk_is_a_message(emulator: Emulator) -> None:
    """Standard output that cannot be written ends with status 1 and says why."""
    full = os.open("/dev/full", os.O_WRONLY)
    done = await finish(execute(*EVENTS, env=of(emulator), stdout=full))
    os.close(full)
    assert (done.status, done.err) == (1, "scarf-async: standard output: No space left on device\n")


async def test_a_closed_standard_output_is_a_message(emulator: Emulator) -> None:
    """Nothing is asked for where the data have no place to go."""
    closing = "import os, sys; os.close(1); os.execv(sys.argv[1], sys.argv[1:])"
    done = await finish(execute(*EVENTS, env=of(emulator), through=[sys.executable, "-c", closing]))
    assert done.status == 2
    assert "standard output is closed" in done.err
    assert not emulator.requests


@pytest.mark.parametrize("retries", [0, 1])
async def test_a_cut_download_is_fetched_again_as_often_as_it_may(
    emulator: Emulator, tmp_path: Path, retries: int
) -> None:
    """`--retries` bounds what a cut costs, for one export and for a job; 0 turns it off."""
    emulator.faults.cut_download = 1.0
    option = ("--retries", str(retries))
    done = await invoke(*EVENTS, "-o", str(tmp_path / "file"), *option, env=of(emulator))
    assert (done.status, len(emulator.requests), files_in(tmp_path)) == (1, 1 + retries, [])
    job = ("export", "job", "owner_events", "acme", *RANGE, "--directory", str(tmp_path / "job"))
    done = await invoke(*job, *option, env=of(emulator))
    assert (done.status, len(emulator.requests)) == (1, 2 * (1 + retries))
    done = await invoke(*EVENTS, "--retries", "-1", env=of(emulator))
    assert (done.status, len(emulator.requests)) == (2, 2 * (1 + retries))


async def test_an_address_of_v1_alone(emulator: Emulator, tmp_path: Path) -> None:
    """Where only `--base-url` is given nothing of v2 is asked of Scarf: the status is 2, and a line says why."""
    env = environment("", SCARF_V2_URL="")
    job = ("export", "job", "owner_events", "acme", *RANGE, "--directory", str(tmp_path / "job"))
    for command in (EVENTS, (*EVENTS, "-o", str(tmp_path / "file")), job):
        done = await invoke(*command, "--base-url", emulator.url, env=env)
        assert (done.status, done.out, files_in(tmp_path)) == (2, b"", [])
        assert "--v2-url" in done.err
        assert done.err.count("\n") == 1
    assert emulator.requests == []


async def test_a_cut_download_fails(emulator: Emulator) -> None:
    """What was piped is not the whole: status 1, and the message says so."""
    emulator.faults.cut_download = 1.0
    done = await invoke(*EVENTS, env=of(emulator))
    assert done.status == 1
    assert "what came is not the whole export: ask for it again" in done.err


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_a_cut_download_into_a_file_is_fetched_again(emulator: Emulator, tmp_path: Path, form: str) -> None:
    """A file may be started again, converted or not, and holds everything once."""
    emulator.faults.add(FaultRule("GET", "*events*", 1, "cut_download"))
    file = tmp_path / "events"
    done = await invoke(*EVENTS, "--format", form, "-o", str(file), env=of(emulator))
    assert done.status == 0, done.err
    assert "\n150 rows, " in done.err
    assert hashlib.sha256(file.read_bytes()).hexdigest() in done.err
    assert len(emulator.requests) == 2


async def test_a_page_is_no_export(tmp_path: Path) -> None:
    """A 200 with HTML in it is refused before anything of it is handed out."""
    async with server_of(answer(b"<html>Log in</html>", "text/html")) as (url, _):
        piped = await invoke(*EVENTS, env=environment(url))
        saved = await invoke(*EVENTS, "-o", str(tmp_path / "events"), env=environment(url))
    assert (piped.status, piped.out) == (saved.status, b"") == (1, b"")
    assert "an HTML page where CSV was promised" in piped.err
    assert files_in(tmp_path) == []


async def test_what_the_service_says_cannot_steer_a_terminal() -> None:
    """Control characters of a message are escaped, and it stays one line; an echoed token is not shown."""
    words = b'{"message": "no \\u001b[2J\\u009b\\n such thing ' + TOKEN.encode() + b'"}'
    async with server_of(answer(words, "application/json", status="404 Not Found")) as (url, _):
        done = await invoke(*EVENTS, env=environment(url))
    assert done.status == 1
    assert done.err.endswith("\n")
    assert done.err[:-1].isprintable()


async def test_what_is_skipped_is_told(tmp_path: Path) -> None:
    """With `--on-malformed skip` each record that is left out is a line on standard error."""
    async with server_of(answer(HEADER + b"pull,yesterday\n" + ROW)) as (url, _):
        arguments = (*EVENTS, "--unfiltered", "--format", "jsonl")
        raised = await invoke(*arguments, env=environment(url))
        skipped = await invoke(*arguments, "--on-malformed", "skip", env=environment(url))
    assert raised.status == 1
    assert "the record on line 2 cannot be read" in raised.err
    assert skipped.status == 0
    assert skipped.out == b'{"type":"pull","time":"2024-01-01T00:00:00Z"}\n'
    assert skipped.err.startswith("Skipped: ")
    assert "\n1 row, " in skipped.err


async def test_what_is_left_out_goes_to_a_file(tmp_path: Path) -> None:
    """The raw records, and nothing of an earlier run; each is told as with `skip`."""
    rejects = tmp_path / "rejects"
    rejects.write_bytes(b"old")
    body = HEADER + b"pull,\xffyesterday\r\n" + ROW + b"too,many,fields\n"
    async with server_of(answer(body)) as (url, _):
        arguments = (*EVENTS, "--unfiltered", "--format", "jsonl", "--on-malformed")
        done = await invoke(*arguments, str(rejects), env=environment(url))
        nowhere = await invoke(*arguments, str(tmp_path / "no" / "such"), env=environment(url))
    assert done.status == 0
    assert done.out == b'{"type":"pull","time":"2024-01-01T00:00:00Z"}\n'
    assert rejects.read_bytes() == b"pull,\xffyesterday\ntoo,many,fields\n"
    assert done.err.count("Skipped: ") == 2
    assert (nowhere.status, nowhere.out) == (1, b"")
    assert "No such file or directory" in nowhere.err


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("Skip", (2, "give skip, or ./Skip for a file of that name")),
        ("RAISE", (2, "give raise, or ./RAISE")),
        ("Keep", (2, "give keep, or ./Keep")),
        ("", (2, "--on-malformed is empty")),
        (" ", (2, "--on-malformed is empty")),
        ("{0}", (1, "{0}: Is a directory")),
        ("/dev/stdout", (1, "/dev/stdout: this is an open stream")),
    ],
)
async def test_where_records_cannot_go(
    emulator: Emulator, tmp_path: Path, value: str, says: tuple[int, str]
) -> None:
    """A mistyped word, nothing, a directory or a stream: refused before anything is sent."""
    status, words = says
    where = value.format(tmp_path)
    done = await invoke("export", "owner-events", "acme", *RANGE, "--on-malformed", where, env=of(emulator))
    assert (done.status, done.err.count("\n")) == (status, 1), done.err
    assert words.format(tmp_path) in done.err
    assert emulator.requests == []
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("value", ["out", "./out", "link"])
async def test_records_do_not_go_where_the_data_goes(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """One would take the place of the other, under whatever name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("out")
    done = await invoke(*EVENTS, "-o", "out", "--on-malformed", value, env=of(emulator))
    assert (done.status, emulator.requests, files_in(tmp_path)) == (2, [], ["link"])
    assert f"--on-malformed {value}: the data goes into that file" in done.err


async def test_what_was_left_out_before_stays_without_cause(emulator: Emulator, tmp_path: Path) -> None:
    """A file of an earlier run is replaced by a record, and by nothing else; none is made without one."""
    rejects = tmp_path / "rejects"
    rejects.write_bytes(b"old")
    arguments = (*EVENTS, "--format", "jsonl", "--on-malformed")
    assert (await invoke(*arguments, str(rejects), env=of(emulator))).status == 0
    assert (await invoke(*arguments, str(tmp_path / "new"), env=of(emulator))).status == 0
    assert (await invoke(*arguments, str(rejects), "--retries", "x", env=of(emulator))).status == 2
    assert files_in(tmp_path) == ["rejects"]
    assert rejects.read_bytes() == b"old"


async def test_a_full_disk_of_left_out_records_is_named() -> None:
    """The error says which file has no room."""
    async with server_of(answer(HEADER + b"pull,yesterday\n")) as (url, _):
        done = await invoke(*EVENTS, "--format", "jsonl", "--on-malformed", "/dev/full", env=environment(url))
    assert (done.status, done.err) == (1, "scarf-async: /dev/full: No space left on device\n")


async def test_what_the_shell_redirected_is_not_replaced(emulator: Emulator, tmp_path: Path) -> None:
    """`-o /dev/stdout` is refused before anything is sent, and says how to do it; the shell's file stays whole."""
    out = tmp_path / "out.txt"
    script = 'exec > "$0"; echo before; "$@"; echo "status $?"'
    process = execute(*EVENTS, "-o", "/dev/stdout", env=of(emulator), through=["/bin/sh", "-c", script, str(out)])
    done = await finish(process)
    assert out.read_text() == "before\nstatus 1\n"
    assert "/dev/stdout: this is an open stream" in done.err
    assert "without -o" in done.err
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("owner-events", "acme", *RANGE, "--on-malformed", "keep"), "--on-malformed keep is for jobs"),
        (("aggregates", *RANGE), "give exactly one of ORG"),
        (("aggregates", "acme", "--user", "ann", *RANGE), "give exactly one of ORG"),
        (("owner-events", "acme", "--start", "2024-01-02", "--end", "2024-01-01"), "must be after start"),
        (("owner-events", "acme"), "no days: give --start DAY"),
        (
            ("owner-events", "acme", "--start", "9000-01-01", "--end", "9000-01-02"),
            "is in the future: today",
        ),
        (("owner-events", "acme", "--month", "2024-13"), "--month is a year and a month"),
        (("owner-events", "acme", "--since", "3x"), "--since is a number of days or weeks"),
        (("owner-events", "acme", "--since", "3d", "--days", "3"), "--days and --since cannot be combined"),
        (
            ("owner-events", "acme", "--month", "2024-01", "--end", "2024-02-01"),
            "--month and --end cannot be combined",
        ),
        (("package-events", "web", *RANGE), "give the package: OWNER/NAME"),
        (("job", "owner_events", "acme", "--to", "x", "--since", "9000-01-01"), "is in the future"),
        (("job", "owner_events", "acme", "--to", "x", "--month", "2024-01", "--days", "3"), "cannot be combined"),
        (("pixel-events", "--owner", "acme", "--api", "v1", *RANGE), "an owner needs --api v2"),
        (("owner-events", "acme", *RANGE, "--timeout", "0"), "--timeout must be a positive number"),
        (("owner-events", "acme", *RANGE, "--base-url", "http://example.org"), "--base-url must be https"),
        (("owner-events", "acme", *RANGE, "--format", "xml"), "xml"),
    ],
)
def test_wrong_usage_sends_nothing(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str) -> None:
    """Status 2, and a message that names what is wrong."""
    for name, value in environment("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    output = () if arguments[0] == "job" else ("-o", "events")
    done = CliRunner().invoke(app, ["export", *arguments, *output])
    assert done.exit_code == 2
    assert words in done.stderr


async def test_progress_is_for_a_terminal(emulator: Emulator) -> None:
    """On a terminal standard error shows how far it is; the data in the pipe know nothing of it."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file:
        (status, shown), data = await asyncio.gather(
            run_on_terminal(*EVENTS, env=of(emulator), pipe=writing), asyncio.to_thread(file.read)
        )
    assert status == 0
    assert "waiting for the service" in shown
    assert "\x1b[" in shown
    assert f"sha256 {hashlib.sha256(data).hexdigest()}" in shown.replace("\r\n", "")
    assert data == (await invoke(*EVENTS, env=of(emulator))).out


async def test_ctrl_c_at_a_terminal_gives_it_back(tmp_path: Path) -> None:
    """The key ends the command with one line; the cursor that the progress hid is shown again."""
    async with server_of(answer(HEADER + ROW, length=10**6)) as (url, asked):
        arguments = (*EVENTS, "-o", str(tmp_path / "events"))
        status, shown = await run_on_terminal(*arguments, env=environment(url), interrupt=asked)
    assert status == 130
    assert shown.count("scarf-async: interrupted") == 1
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert files_in(tmp_path) == []


async def test_parquet_is_not_for_a_terminal(emulator: Emulator) -> None:
    """It is refused before anything is sent; text is shown, without a progress that would tear it."""
    status, shown = await run_on_terminal(*EVENTS, "--format", "parquet", env=of(emulator))
    assert (status, len(emulator.requests)) == (2, 0)
    assert "Parquet cannot be shown on a terminal" in shown
    status, shown = await run_on_terminal(*EVENTS, env=of(emulator))
    assert status == 0
    assert "waiting" not in shown
    assert shown.splitlines()[0].startswith("id,type,package")


async def test_aggregations(tmp_path: Path) -> None:
    """By two dimensions, to standard output; a plan that makes it fewer days is a line, what is contradictory 2."""
    now = datetime(2026, 3, 20, 12, tzinfo=UTC)
    span = ("--start", "2026-03-01", "--end", "2026-03-21", "--owner", "acme")
    two = ("--breakdown", "by-company", "--breakdown", "by-version", "--rollup", "total")
    document: Document = {"organizations": [{"name": "acme", "packages": [{"name": "web", "libraryType": "npm"}]}]}
    async with Emulator(token=TOKEN, clock=lambda: now, load=document) as emulator:
        counted = await invoke("export", "aggregations", *span, *two, "--packages", "all", env=of(emulator))
        emulator.retention_days = 5
        clamped = await invoke("export", "aggregations", *span, "--no-group-by-artifact", env=of(emulator))
        wrong = await invoke("export", "aggregations", *span, "--names", "a", "--pixels", "all", env=of(emulator))
        args = ("export", "job", "aggregations", "acme", *span[:4], "--directory", str(tmp_path / "x"), *two)
        done = await invoke(*args, "--format", "jsonl", env=of(emulator))
        emulator.retention_days = 2
        stays = await invoke(*args, "--format", "jsonl", "--refresh-days", "99", env=of(emulator))
        gone = await invoke(*args, "--format", "jsonl", "--refresh-days", "99", "--allow-loss", env=of(emulator))
        other = await invoke("export", "job", "owner_events", *args[3:], env=of(emulator))
    rows = [json.loads(line) for line in counted.out.splitlines()]
    assert {(row["artifact_name"], *row["breakdowns"]) for row in rows} == {("web", "by-company", "by-version")}
    assert "ScarfWarning" not in clamped.err
    assert "scarf-async: aggregations of acme" in clamped.err
    assert "covered only 2026-03-15..2026-03-21" in clamped.err
    assert (wrong.status, "names and pixels" in wrong.err) == (2, True)
    assert (counted.status, clamped.status, done.status, stays.status, gone.status) == (0, 0, 0, 1, 0)
    assert "allow" in stays.err
    assert (other.status, "no query" in other.err) == (2, True)
