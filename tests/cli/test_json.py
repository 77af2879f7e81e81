"""`--json`: of every command, of dry runs and of errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from scarf_async.bulk import BulkProgress
from scarf_async.cli.applying import progress_line
from scarf_async.emulator import Emulator
from scarf_async.emulator.answers import JSON

from .shell import TOKEN, environment, invoke, of

LOAD: dict[str, JSON] = {
    "organizations": [
        {"name": "acme", "packages": [{"name": "web", "libraryType": "file", "shortDescription": "The web client"}]}
    ]
}
MANIFEST = """
version: 1
organizations:
  acme:
    packages:
      - name: web
        type: file
        routes: [{template_path: /x, outgoing_url: "https://u:pw@x.example"}]
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def emulator() -> AsyncIterator[Emulator]:
    """A server with a package `web` of the organization `acme`."""
    async with Emulator(token=TOKEN, load=LOAD) as emulator:
        yield emulator


async def told(*arguments: str, env: dict[str, str], status: int = 0) -> dict[str, object]:
    """Run a command with --json; return what it writes, which is one document."""
    done = await invoke(*arguments, "--json", env=env)
    assert done.status == status, done.err
    found = json.loads(done.out)
    assert isinstance(found, dict)
    return found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("orgs create umbra", "create the organization umbra: "),
        ("members remove acme ann", "remove ann from acme"),
        ("packages delete acme/web", "delete the package web (file) of acme"),
        ("permissions set acme/web bob member", "set bob to member on acme/web"),
        ("routes add acme/web /x --to https://x.example", "add a route to acme/web: "),
        ("domains add acme/web dl.example", "add the domain dl.example to acme/web"),
        ("imports abort i1 --owner acme", "end the import i1"),
        ("imports send /dev/null --owner acme", "send /dev/null"),
    ],
)
async def test_of_a_dry_run(emulator: Emulator, words: str, change: str) -> None:
    """It says which change it would be."""
    found = await told(*words.split(), "--dry-run", env=of(emulator))
    assert found["dry_run"] is True
    assert str(found["change"]).startswith(change)


@pytest.mark.asyncio(loop_scope="module")
async def test_of_a_change_that_gives_nothing_back(emulator: Emulator) -> None:
    """It says what was done."""
    found = await told("permissions", "set", "acme/web", "bob", "member", env=of(emulator))
    assert found == {"dry_run": False, "change": "set bob to member on acme/web"}


@pytest.mark.asyncio(loop_scope="module")
async def test_of_an_error(emulator: Emulator, tmp_path: Path) -> None:
    """One document with what happened and the status; problems of a manifest are data."""
    missing = await told("orgs", "get", "umbra", env=of(emulator), status=1)
    assert (missing["type"], missing["exit_code"]) == ("NotFoundError", 1)
    assert "umbra" in str(missing["error"])
    nowhere = environment("http://127.0.0.1:9/api/v1")
    lost = await told("orgs", "get", "acme", "--retries", "0", env=nowhere, status=1)
    assert lost["type"] == "ConnectFailedError"
    file = tmp_path / "acme.yaml"
    file.write_text("version: 1\norganisations: {}\n")
    wrong = await told("plan", str(file), env=nowhere, status=2)
    problems = wrong["problems"]
    assert isinstance(problems, list)
    problem = problems[0]
    assert (problem["file"], problem["line"]) == (str(file), 2)
    assert (await told("validate", str(file), env={}, status=1)) == {"valid": False, "problems": [problem]}


@pytest.mark.asyncio(loop_scope="module")
async def test_of_files(emulator: Emulator, tmp_path: Path) -> None:
    """What was written where; data and JSON do not share standard output."""
    days = ("--start", "2024-01-01", "--end", "2024-01-02")
    file = str(tmp_path / "a.csv")
    written = await told("export", "owner-events", "acme", *days, "-o", file, env=of(emulator))
    assert (written["file"], written["rows"]) == (file, 50)
    assert (await told("export", "owner-events", "acme", *days, env=of(emulator), status=2))["exit_code"] == 2
    pulled = await told("pull", "acme", "-o", str(tmp_path / "a.yaml"), env=of(emulator))
    counts = pulled["counts"]
    assert isinstance(counts, dict)
    assert (counts["organizations"], counts["packages"]) == (1, 1)
    assert (await told("pull", "acme", env=of(emulator)))["version"] == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_of_what_was_applied(emulator: Emulator, tmp_path: Path) -> None:
    """Nothing in it is spelt as Python does, and no password is shown."""
    file = tmp_path / "acme.yaml"
    file.write_text(MANIFEST)
    found = await told("apply", str(file), "--yes", env=of(emulator))
    text = json.dumps(found)
    assert "/x -> 'https://***@x.example'" in text
    assert "RouteCreate" not in text
    assert "pw" not in text


def test_a_bar_and_a_table_say_the_same() -> None:
    """What was skipped is not done, and what is unknown has not failed; one is one."""
    progress = BulkProgress(320, 102, 320, 1, 1.0, None, unknown=102, skipped=215)
    assert progress_line(progress) == "105 of 320 changes (32%)  102 unknown  215 skipped  1 request"
