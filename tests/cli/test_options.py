"""The options that commands share, and what makes commands of functions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import attrs
import pytest
import typer
from typer.testing import CliRunner

from scarf_async.cli.app import app as program
from scarf_async.cli.command import command
from scarf_async.cli.help import Commands
from scarf_async.cli.options import ClientOptions, read_token_file
from scarf_async.cli.output import Status
from scarf_async.errors import ConfigurationError, ReadOnlyError

SECRET = "tok-77-do-not-show"


def test_the_first_line_of_a_file_is_the_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """White space around it and further lines do not count; a file for its owner alone needs no warning."""
    file = tmp_path / "token"
    file.write_text(f"  {SECRET} \r\nsecond line\n")
    file.chmod(0o600)
    assert read_token_file(file) == SECRET
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_token_that_others_may_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int
) -> None:
    """The warning says what to do, and does not show the token; the token is used."""
    file = tmp_path / "token"
    file.write_text(SECRET)
    file.chmod(mode)
    assert read_token_file(file) == SECRET
    warning = capsys.readouterr().err
    assert f"chmod 600 {file}" in warning
    assert SECRET not in warning


@pytest.mark.parametrize("content", [None, "", "\n", "  \nsecond line"])
def test_a_file_without_token_is_wrong_usage(tmp_path: Path, content: str | None) -> None:
    """A file that is missing, or whose first line is empty, is named."""
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=str(file)):
        read_token_file(file)


def test_what_is_no_token_is_not_shown(tmp_path: Path) -> None:
    """A file that holds something else is refused without being printed."""
    file = tmp_path / "token"
    file.write_bytes(SECRET.encode() + b" \xff\n")
    file.chmod(0o600)
    with pytest.raises(ConfigurationError) as refused:
        ClientOptions(token_file=file).client()
    assert SECRET not in str(refused.value)


def test_without_a_token_both_ways_are_named() -> None:
    """The message is for people at a shell."""
    with pytest.raises(ConfigurationError, match="set \\$SCARF_API_TOKEN, or give --token-file FILE"):
        ClientOptions().client()


@attrs.frozen(kw_only=True)
class Paint:
    """A group of options."""

    colour: Annotated[str, typer.Option(help="Which colour.")] = "red"
    coats: int = 1


def app_of(seen: list[object], outcome: Status | BaseException) -> typer.Typer:
    """Return two commands that take a group of options and end in some way."""
    app = typer.Typer()

    @app.command()
    @command
    def paint(*, wall: Annotated[str, typer.Argument()], paint: Paint) -> Status:
        seen.append((wall, paint))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    @app.command()
    @command
    async def spray(*, wall: Annotated[str, typer.Argument()], paint: Paint) -> Status:
        seen.append((wall, paint))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return app


@pytest.mark.parametrize("name", ["paint", "spray"])
def test_a_group_is_its_options(name: str) -> None:
    """Each attribute is an option with its help and default, and the function is given the object."""
    seen: list[object] = []
    app = app_of(seen, Status.DIFFERENT)
    assert CliRunner().invoke(app, [name, "north", "--coats", "2"]).exit_code == 4
    assert seen == [("north", Paint(colour="red", coats=2))]
    assert "Which colour." in CliRunner().invoke(app, [name, "--help"]).stdout


@pytest.mark.parametrize("name", ["paint", "spray"])
def test_an_error_is_one_line(name: str) -> None:
    """It goes to standard error, without a traceback; what is not one of our errors is raised."""
    done = CliRunner().invoke(app_of([], ReadOnlyError("no\x1b")), [name, "north"])
    assert (done.exit_code, done.stdout, done.stderr) == (3, "", "scarf-async: no\\x1b\n")
    assert isinstance(
        CliRunner().invoke(app_of([], ZeroDivisionError()), [name, "north"]).exception, ZeroDivisionError
    )


_PROBE = """
import io, sys
from contextlib import redirect_stdout, suppress
from scarf_async.cli import main
sys.argv = ["scarf-async", *sys.argv[1:]]
with redirect_stdout(io.StringIO()), suppress(SystemExit):
    main()
print(*sys.modules)
"""


def imported_by(*arguments: str) -> set[str]:
    """Return the modules that are there when the program has run."""
    command = [sys.executable, "-c", _PROBE, *arguments]
    return set(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split())


def ours(modules: set[str]) -> set[str]:
    """Return those of the command line, but those that every command needs."""
    return {name.rpartition(".")[2] for name in modules if name.startswith("scarf_async.cli.")}


_HEAVY = {"aiohttp", "anyio", "asyncio", "cattrs", "msgspec", "pyarrow", "rich.progress", "scarf_async.client"}


def test_the_version_waits_for_nothing() -> None:
    """It is printed before anything is imported but what tells signals apart."""
    modules = imported_by("--version")
    assert ours(modules) == {"signals"}
    assert not modules & {*_HEAVY, "attrs", "typer", "rich"}


def test_help_waits_for_no_command() -> None:
    """The list of commands imports none of them, nor what they are made of."""
    modules = imported_by("--help")
    assert ours(modules) == {"app", "help", "output", "signals"}
    assert not modules & {*_HEAVY, "attrs", "scarf_async.entities"}


def test_a_command_waits_for_its_own_module() -> None:
    """The help of a group imports no other group, nor the client, an event loop or Arrow."""
    modules = imported_by("packages", "--help")
    assert "packages" in ours(modules)
    assert not ours(modules) & {"collections", "emulator", "export", "load", "manifests", "orgs", "plan"}
    assert not modules & _HEAVY


def test_no_command_waits_for_anything_heavy() -> None:
    """All commands are there before the client, an event loop or Arrow is imported."""
    probe = (
        "import sys, typer; from scarf_async.cli.app import app as program;"
        " all(typer.main.get_command(program).commands.values());"
        " print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True, timeout=60)
    assert "scarf_async.cli.export" in done.stdout.split()
    assert not _HEAVY & set(done.stdout.split())


def test_the_help_lists_what_the_commands_say() -> None:
    """The list of commands is kept apart from them; heading, name and words are theirs."""
    top = typer.main.get_command(program)
    assert isinstance(top, Commands)
    assert list(top.listed()) == list(Commands.listed(top))


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_faster_loop_is_used_where_there_is_one(tmp_path: Path, asynchronous: bool) -> None:
    """Uvloop makes the event loop of a command, and only a command that needs one looks for it."""
    (tmp_path / "uvloop.py").write_text("import asyncio\nprint('asked')\nnew_event_loop = asyncio.new_event_loop\n")
    arguments = ["owner-events", "acme", "--start", "2024-01-01", "--end", "x"] if asynchronous else ["verify", "."]
    main = "from scarf_async.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", main, "export", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "SCARF_API_TOKEN": "token"},
        cwd=tmp_path,
    )
    assert ("asked" in done.stdout) == asynchronous, done.stderr
