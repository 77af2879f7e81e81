"""What the commands write, wherever they write it: the token and the proxy's password are in none of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest_asyncio
import typer
from acceptance.hostile import Raw
from acceptance.test_secrets import KEY, PASSWORD
from cli.shell import RANGE, Done, environment, invoke, run

from scarf_async.cli.app import app
from scarf_async.emulator import Emulator

from .failures import reflect
from .reach import assert_unsaid

PROXY = {"SCARF_API_TOKEN": KEY, "HTTPS_PROXY": f"http://user:{PASSWORD}@127.0.0.1:9"}
MANIFEST = """
version: 1
organizations:
  acme:
    description: The makers
    billing_email: pay@acme.example
    members: {ann: admin, nobody: member}
    packages: [{name: web, type: file, domains: [dl.acme.example]}]
"""


@pytest_asyncio.fixture
async def env() -> AsyncIterator[dict[str, str]]:
    """Run an emulator that nobody is unknown to but `nobody`; return the environment of its commands."""
    async with Emulator(token=KEY, events_per_day=3, people={"ann": "ann@x.example"}) as emulator:
        yield environment(emulator.url, emulator.v2_url, **PROXY)


async def clean(*arguments: str, env: Mapping[str, str]) -> Done:
    """Run a command; look for secrets in what it writes."""
    done = await invoke(*arguments, env=env)
    assert_unsaid(done.out, done.err.encode())
    return done


async def test_a_day_of_commands(env: dict[str, str], tmp_path: Path) -> None:
    """Commands that work and commands that fail, and every file that they leave."""
    manifest, directory = tmp_path / "acme.yaml", str(tmp_path / "job")
    manifest.write_text(MANIFEST)
    plan, journal = str(tmp_path / "acme.plan"), str(tmp_path / "acme.journal")
    token_file = tmp_path.parent / f"{tmp_path.name}.token"
    token_file.write_text(KEY)
    lines: list[tuple[int, *tuple[str, ...]]] = [
        (0, "plan", str(manifest), "-o", plan),
        (0, "orgs", "get", "acme", "--json"),
        (0, "members", "list", "acme"),
        (0, "packages", "list", "acme", "--token-file", str(token_file)),
        (0, "domains", "list", "web"),
        (0, "pull", "acme", "-o", str(tmp_path / "pulled.json")),
        (0, "export", "job", "owner_events", "acme", *RANGE, "--directory", directory),
        (0, "export", "verify", directory),
        (1, "orgs", "get", "umbra"),
        (2, "orgs", "get", "acme", "--ca-file", str(token_file)),
        (2, "orgs", "get", "acme", "--base-url", f"https://user:{PASSWORD}@x.example"),
        (2, "validate", str(token_file), "--nothing"),
        (1, "validate", str(manifest.with_name("none.yaml"))),
    ]
    for place, (status, *arguments) in enumerate(lines):
        done = await clean(*arguments, env=env)
        assert done.status == status, (arguments, done.err)
        if place == 0:
            done = await run("apply", plan, "--yes", "--journal", journal, env=env)
            assert_unsaid(done.out, done.err.encode())
            assert done.status == 1, done.err
    files = files_below(tmp_path)
    assert {path.name for path in files} >= {"acme.plan", "acme.journal", "pulled.json", "manifest.json"}
    assert_unsaid(*(path.read_bytes() for path in files))


async def test_services_that_say_it_back() -> None:
    """An error's words, and a page in place of an export, are shown without the token that they repeat."""
    async with Raw(reflect) as raw:
        env = environment(raw.url, **PROXY)
        for name in ("400", "401", "404"):
            assert "***" in (await clean("orgs", "get", name, env=env)).err
        assert "***" in (await clean("export", "pixel-events", *RANGE, env=env)).err


def files_below(directory: Path) -> list[Path]:
    """Return all files."""
    return [path for path in directory.rglob("*") if path.is_file()]


def commands(command: object) -> Iterator[object]:
    """Return every command, groups among them."""
    yield command
    inside: Mapping[str, object] = getattr(command, "commands", {})
    for inner in inside.values():
        yield from commands(inner)


async def test_help_shows_no_environment(env: dict[str, str]) -> None:
    """No option takes its default from a variable, which `--help` would show."""
    every = list(commands(typer.main.get_command(app)))
    assert len(every) > 30
    options = [option for command in every for option in getattr(command, "params", ())]
    assert len(options) > 100
    assert not any(option.envvar for option in options)
    for path in ((), ("plan",), ("export", "job")):
        done = await clean(*path, "--help", env=env)
        assert (done.status, b"Usage" in done.out) == (0, True)


_BROKEN = """
from scarf_async.cli import main, records
def broken(*things):
    token = "of the traceback's own frames: kept"
    raise ZeroDivisionError("a bug")
records.RecordOptions.write_all = broken
main()
"""


async def test_a_bug_is_shown_without_local_variables(env: dict[str, str]) -> None:
    """Its traceback is whole, and has the values of no frame."""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", _BROKEN, "packages", "list"], env=env, capture_output=True
    )
    assert done.returncode == 1
    assert b"ZeroDivisionError" in done.stderr
    assert b"of the traceback's" not in done.stderr
    assert_unsaid(done.stdout, done.stderr)
