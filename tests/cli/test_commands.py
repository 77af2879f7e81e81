"""The commands, as a shell runs them."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import anyio
import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from scarf_async import Scarf, __version__
from scarf_async.cli import rehearsal
from scarf_async.cli.app import app
from scarf_async.cli.rehearsal import Rehearsal
from scarf_async.emulator import Emulator

from .shorter_demo import part

SCARF = [sys.executable, "-c", "from scarf_async.cli import main; main()"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [*SCARF, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )


def run_with(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line under the name that shells know it by."""
    named = "import sys; sys.argv[0] = 'scarf-async'; from scarf_async.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", named, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def summary_of(output: str) -> dict[str, str]:
    """Read what the demo says at its end."""
    return dict(re.findall(r"^ ?([a-zA-Z ]+?2?)  +([\d,.]+)", output, re.MULTILINE))


@pytest.mark.parametrize("strict", [False, True])
def test_the_demo_of_v2(strict: bool, soak: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is set up through v2, too; where it refuses permissions of organizations, it says how many."""
    count, operations, permissions = (116, 3133, 2875) if soak else (4, 221, 75)
    monkeypatch.setattr(rehearsal, "read_example", partial(part, count))
    done = CliRunner().invoke(app, ["demo", "--api", "v2", *(["--strict"] if strict else []), "--seed", "3"])
    assert done.exit_code == 0, done.output
    summary = summary_of(done.output)
    blocked = permissions if strict else 0
    assert (summary["operations"], summary["differences"]) == (f"{operations:,}", "0")
    assert summary.get("blocked by v2") == (f"{blocked:,}" if blocked else None)
    assert summary["succeeded"] == f"{operations - blocked:,}"
    assert summary["events streamed"] == f"{count * 31 * 50:,}"


def test_strict_is_about_v2() -> None:
    """With v1 it is refused."""
    done = CliRunner().invoke(app, ["demo", "--strict"])
    assert (done.exit_code, done.stderr) == (2, "scarf-async: --strict needs --api v2\n")


COMMANDS: list[list[str]] = [
    [],
    ["version"],
    ["help"],
    ["check"],
    ["plan"],
    ["show"],
    ["apply"],
    ["pull"],
    ["copy"],
    ["validate"],
    ["schema"],
    ["orgs", "get"],
    ["orgs", "create"],
    ["orgs", "update"],
    ["members", "list"],
    ["members", "get"],
    ["members", "set"],
    ["members", "remove"],
    ["packages", "list"],
    ["packages", "overview"],
    ["packages", "get"],
    ["packages", "create"],
    ["packages", "update"],
    ["packages", "delete"],
    ["permissions", "list"],
    ["permissions", "set"],
    ["routes", "list"],
    ["routes", "get"],
    ["routes", "add"],
    ["routes", "update"],
    ["routes", "delete"],
    ["domains", "list"],
    ["domains", "get"],
    ["domains", "add"],
    ["domains", "delete"],
    ["domains", "status"],
    *(["pixels", name] for name in ("list", "get", "create", "update", "delete")),
    *(["pixels", name] for name in ("domains", "add-domain", "delete-domain")),
    *(["collections", name] for name in ("list", "get", "create", "update", "delete")),
    ["users", "get"],
    ["users", "organizations"],
    ["search"],
    ["demo"],
    ["emulator"],
    ["export", "aggregates"],
    ["export", "aggregations"],
    ["export", "package-events"],
    ["export", "owner-events"],
    ["export", "company-events"],
    ["export", "pixel-events"],
    ["export", "pixel-rollup"],
    ["export", "job"],
    ["export", "verify"],
    ["export", "gc"],
    ["load"],
    ["report"],
    ["imports", "send"],
    ["imports", "list"],
    ["imports", "get"],
    ["imports", "abort"],
    ["imports", "log"],
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_what_there_is(command: list[str]) -> None:
    """`--help` of each command names it and, below the top, gives an example."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    assert "Usage" in done.stdout
    if command:
        assert f"Example: scarf-async {' '.join(command)}" in done.stdout


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_what_cannot_be_written_is_a_line(option: str) -> None:
    """Where a full disk takes nothing, help and version end with status 1 and no traceback."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*SCARF, option], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (1, "scarf-async: standard output: No space left on device\n")


def test_every_command_has_an_example() -> None:
    """A command that is added here is among those whose help is looked at."""
    top = get_command(app)
    assert isinstance(top, TyperGroup)
    found = {
        (name, *sub)
        for name, command in top.commands.items()
        for sub in ([(below,) for below in command.commands] if isinstance(command, TyperGroup) else [()])
    }
    assert found == {tuple(command) for command in COMMANDS if command}


def complete(words: str) -> set[str]:
    """Return what bash offers after some words."""
    asked = {"_SCARF_ASYNC_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    return set(CliRunner(env=asked).invoke(app, prog_name="scarf-async").stdout.split())


def test_the_shell_completes() -> None:
    """Commands and options are offered; `--show-completion` prints what a shell takes."""
    assert complete("scarf-async pa") == {"packages"}
    assert complete("scarf-async packages de") == {"delete"}
    assert complete("scarf-async plan --det") == {"--detailed-exitcode"}
    script = run_with({"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}, "--show-completion", "bash")
    assert "complete" in script.stdout
    assert "scarf-async" in script.stdout


def test_version() -> None:
    """However it is asked for, also of the module."""
    for words in (["--version"], ["-V"], ["version"]):
        assert CliRunner().invoke(app, words).stdout == f"scarf-async {__version__}\n"
    module = subprocess.run([sys.executable, "-m", "scarf_async", "-V"], capture_output=True, text=True, check=True)
    assert module.stdout == f"scarf-async {__version__}\n"


@pytest.mark.parametrize("words", [["export", "job"], []])
def test_help_however_it_is_asked_for(words: list[str]) -> None:
    """`-h`, `--help` and `help` show the same."""
    shown = [
        CliRunner().invoke(app, asked).stdout for asked in ([*words, "-h"], [*words, "--help"], ["help", *words])
    ]
    assert shown[0].startswith(f"Usage: scarf-async {' '.join(words)}".rstrip())
    assert shown[0] == shown[1] == shown[2]


def test_nothing_in_the_help_is_typers() -> None:
    """No types of Python, no brackets twice; what must be given says so."""
    for command in COMMANDS:
        shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*command, "-h"]).stdout
        assert not re.search(r"<\w+>|\[\[|\[default", shown), command


def test_words_may_be_spelt_either_way() -> None:
    """With `_` or `-`; delete and remove; a word that is not there is not taken for another."""
    for words in (
        "packages remove",
        "routes remove",
        "members delete",
        "export owner_events",
        "pixels remove_domain",
    ):
        assert CliRunner().invoke(app, [*words.split(), "-h"]).exit_code == 0, words
    missing = CliRunner().invoke(
        app, ["export", "job", "owner-events", "acme", "--to", "/dev/null/x", "--days", "0"]
    )
    assert "--days must be" in missing.stderr
    unknown = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["vresions"]).stderr
    assert "permissions" not in unknown.partition("Known are")[0]
    assert "Did you mean 'packages'?" in CliRunner(env={"COLUMNS": "200"}).invoke(app, ["packags"]).stderr


def test_the_emulator_runs_until_interrupted() -> None:
    """`scarf-async emulator` prints where it is, asks for its token, and ends on Ctrl-C with status 130."""
    with subprocess.Popen(
        [*SCARF, "emulator", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.strip().removeprefix("export SCARF_BASE_URL=")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/packages", timeout=10)
        refused.value.close()
        assert refused.value.code == 401
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 130


def exported(printed: str) -> dict[str, str]:
    """Return the variables that a shell has when it has read what the emulator prints."""
    names = ("SCARF_BASE_URL", "SCARF_V2_URL", "SCARF_API_TOKEN")
    script = printed + "".join(f'printf "%s\\0" "${name}";' for name in names)
    shell = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, text=True)
    return dict(zip(names, shell.stdout.split("\0"), strict=False))


@pytest.mark.parametrize(
    ("host", "called", "listens"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1", "0.0.0.0"),
        ("::", "[::1]", "[::]"),
        ("::1", "[::1]", "[::1]"),
    ],
)
def test_what_the_emulator_prints_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str, called: str, listens: str
) -> None:
    """The client takes it as printed, whatever it listens on, and it says what that is."""
    told: dict[str, str] = {}

    async def ask() -> None:
        """Ask it for something while it runs."""
        out, told["err"] = capsys.readouterr()
        told.update(exported(out))
        monkeypatch.setenv("SCARF_API_TOKEN", told["SCARF_API_TOKEN"])
        async with Scarf(base_url=told["SCARF_BASE_URL"], v2_url=told["SCARF_V2_URL"]) as scarf:
            told["packages"] = str(await scarf.packages.list())

    monkeypatch.setattr("anyio.sleep_forever", ask)
    with pytest.raises(SystemExit):
        app(["emulator", "--port", "0", "--host", host, "--token", "a'$HOME*b"])
    port = told["SCARF_BASE_URL"].removeprefix(f"http://{called}:").removesuffix("/api/v1")
    assert told["SCARF_V2_URL"] == f"http://{called}:{port}/v2"
    assert told["SCARF_API_TOKEN"] == "a'$HOME*b"
    assert f"listens on {listens}:{port}. " in told["err"]
    assert "refuses" not in told["err"]
    assert told["packages"] == "[]"


def test_an_emulator_that_only_others_reach(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At an address that is not loopback it says that the client refuses that, and what to do."""
    monkeypatch.setattr("anyio.sleep_forever", partial(anyio.sleep, 0))
    # Of this machine, under a name that is no loopback's.
    monkeypatch.setattr("scarf_async.emulator.server.Emulator.url", "http://192.0.2.7:8787/api/v1")
    with pytest.raises(SystemExit):
        app(["emulator", "--port", "0"])
    out, err = capsys.readouterr()
    assert "SCARF_BASE_URL=http://192.0.2.7:8787/api/v1" in out
    assert "refuses that: SCARF_BASE_URL must be https" in err
    assert "http is only for 127.0.0.1, [::1] and localhost" in err
    assert "ssh -L" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "no.such.host.invalid"], "--host no.such.host.invalid: "),
        (["--host", "a..b"], "--host a..b: "),
        (["--error-rate", "0.8", "--drop-rate", "0.5"], "--error-rate and --drop-rate: shares must be"),
        (["--database", "/nowhere/scarf.db"], "--database /nowhere/scarf.db: unable to open"),
        (["--port", "99999"], "65535"),
    ],
)
def test_an_emulator_that_cannot_run(arguments: list[str], says: str) -> None:
    """It is wrong usage, and no traceback."""
    done = CliRunner(env={"COLUMNS": "100"}).invoke(app, ["emulator", "--port", "0", *arguments])
    assert done.exit_code == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """The emulator says so in a line; the demo, which was not interrupted, says how to go on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(app, ["emulator", "--port", port])
        directory = tmp_path / "my demo"
        directory.mkdir()
        (directory / "port").write_text(port)
        demo = CliRunner().invoke(app, ["demo", "--directory", str(directory)])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1), done.stderr
    assert demo.exit_code == 1
    assert "Interrupted" not in demo.stdout
    assert f"to continue: scarf-async demo --directory '{directory}'" in demo.stdout


async def test_the_demo_is_not_ended_by_an_export_without_an_answer() -> None:
    """Connections are dropped while it writes; a dropped export is not started again."""
    rehearsal = Rehearsal(faults=True, seed=0, concurrency=1, api="v2")
    async with Emulator(load={"organizations": [{"name": "acme"}]}) as emulator:
        emulator.faults.drop_after = 1.0
        async with Scarf(emulator.token, api="v2", owner="acme", v2_url=emulator.v2_url) as scarf:
            assert await rehearsal.export(emulator, scarf, "acme") == {"events": 0}


def interrupt(command: list[str], directory: Path) -> tuple[int, str]:
    """Start the demo, wait until it runs its plan, press Ctrl-C twice; return status and output."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        seen = []
        # The second line comes with the plan in progress.
        for line in process.stdout:
            seen.append(line)
            if "Applying" in line:
                break
        journal = directory / "demo.journal"
        while not journal.is_file() or journal.stat().st_size < 4096:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        for line in process.stdout:
            seen.append(line)
            if "Stopping" in line:
                break
        process.send_signal(signal.SIGINT)
        seen.append(process.stdout.read())
        return process.wait(timeout=60), "".join(seen)


def test_an_interrupted_demo_goes_on_where_it_was(tmp_path: Path, soak: bool) -> None:
    """Ctrl-C ends with status 130, a message and a journal; the next run finds everything, once, under faults."""
    count, operations = (116, "3,133") if soak else (8, "325")
    program = [sys.executable, str(Path(__file__).with_name("shorter_demo.py")), str(count), "demo"]
    command = [*program, "--directory", str(tmp_path / "demo"), "--concurrency", "4"]
    status, output = interrupt([*command, "--latency", "0.05"], tmp_path / "demo")
    assert status == 130, output
    assert "to continue: scarf-async demo --directory" in output
    assert "Traceback" not in output
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = summary_of(done.stdout)
    assert summary["operations"] == summary["succeeded"] == operations
    assert summary["differences"] == "0"
    assert int(summary["faults injected"]) > 0
    assert int(summary["retries"]) > 0
    assert int(summary["events streamed"].replace(",", "")) == count * 31 * 50
