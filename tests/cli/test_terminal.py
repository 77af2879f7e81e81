"""Terminals that say nothing of themselves, or nonsense: nothing is lost on them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scarf_async import OrganizationUpsert, PackageUpsert, Scarf
from scarf_async.cli.app import app
from scarf_async.emulator import Emulator

from .shell import SCARF, TOKEN, finish, of, run_on_terminal, start

UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
WORDS = [f"word-{number}" for number in range(60)]
NONSENSE = ["", "0", "-1", "1", "abc", "\u00b2", "99999999999999999999", "+80"]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """Return a service with a package whose names and words are long."""
    async with Emulator(token=TOKEN) as emulator:
        async with Scarf(TOKEN, base_url=emulator.url) as scarf:
            await scarf.organizations.create(
                OrganizationUpsert(name="an-organization-of-a-long-name", description="", billing_email="")
            )
            long = PackageUpsert(
                name="a-package-of-a-very-long-name-that-takes-half-of-a-terminal",
                short_description=" ".join(WORDS),
                library_type="file",
            )
            await scarf.packages.create(long, "an-organization-of-a-long-name")
        yield emulator


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    """Return the path of a manifest that creates an organization with long words."""
    file = tmp_path / "manifest.yaml"
    file.write_text(f"version: 1\norganizations:\n  acme: {{description: {' '.join(WORDS)}}}\n")
    return str(file)


def assert_whole(shown: str) -> None:
    """Ids and words are there, none of them cut or broken."""
    assert UUID.search(shown), shown
    assert {
        "a-package-of-a-very-long-name-that-takes-half-of-a-terminal",
        "an-organization-of-a-long-name",
        *WORDS,
    } <= set(shown.split()), shown
    assert "\u2026" not in shown


@pytest.mark.parametrize(
    ("columns", "size", "term", "more"),
    [
        ("", (0, 0), None, {}),
        ("-1", (24, 80), "dumb", {"NO_COLOR": "1"}),
        ("abc", (1, 1), "unknown", {}),
        ("99999999999999999999", (0, 0), "", {"NO_COLOR": "1"}),
        ("", (1, 1), "xterm", {}),
    ],
)
async def test_a_list_is_whole(
    emulator: Emulator, columns: str, size: tuple[int, int], term: str | None, more: dict[str, str]
) -> None:
    """Whatever environment and terminal say about width and kind, no id is broken, no word lost."""
    env = of(emulator, COLUMNS=columns, LINES=columns, **more)
    status, shown = await run_on_terminal("packages", "list", env=env, size=size, term=term)
    assert status == 0, shown
    assert_whole(shown)


@pytest.mark.parametrize(("columns", "term"), [("", "xterm"), ("0", "dumb"), ("abc", None)])
async def test_a_question_is_asked(emulator: Emulator, manifest: str, columns: str, term: str | None) -> None:
    """What is asked about is shown whole where the width is not known, and the response counts."""
    env = of(emulator, COLUMNS=columns)
    status, shown = await run_on_terminal("apply", manifest, env=env, term=term, answer=b"no\n")
    assert status == 3, shown
    # A line that a terminal of 80 columns is not shown to its end.
    assert "', billing_email ''" in shown
    assert "Make this change? [y/N]" in shown


async def test_a_name_is_never_cut(emulator: Emulator, tmp_path: Path) -> None:
    """Where a long line is shortened to the terminal's width, it is behind the name."""
    name = "x" * 100
    file = tmp_path / "manifest.yaml"
    file.write_text(f"version: 1\norganizations:\n  {name}: {{}}\n")
    _, shown = await run_on_terminal("plan", str(file), env=of(emulator, COLUMNS="80"))
    assert f"organization \x1b[0m\x1b[1;32m{name}" in shown


async def test_what_a_terminal_does_not_show_is_counted(emulator: Emulator, manifest: str, tmp_path: Path) -> None:
    """A line says how to see it; with --full, and of a saved plan, all of it is shown."""
    plan = str(tmp_path / "acme.plan")
    for words, whole in [
        (("plan", manifest, "-o", plan), False),
        (("show", plan), False),
        (("show", plan, "--full"), True),
        (("apply", manifest, "--full", "--dry-run"), True),
    ]:
        status, shown = await run_on_terminal(*words, env=of(emulator, COLUMNS="80"))
        assert status == 0, shown
        assert ("Not shown: parts of long lines; --full shows everything" in shown, "word-59" in shown) == (
            not whole,
            whole,
        )


@pytest.mark.parametrize("columns", [*NONSENSE, "79"])
@pytest.mark.parametrize("arguments", [["--help"], ["export", "job", "--help"], ["copy", "--help"], ["no-such"]])
def test_help_does_not_depend_on_it(columns: str, arguments: list[str]) -> None:
    """It is what a terminal of 80 columns is shown."""
    odd = CliRunner(env={"COLUMNS": columns, "LINES": columns}).invoke(app, arguments)
    assert (odd.exit_code, odd.output) == usual(*arguments)


@cache
def usual(*arguments: str) -> tuple[int, str]:
    """Return the status and the output where there are 80 columns."""
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(app, arguments)
    return shown.exit_code, shown.output


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("packages", "list"), 2, "standard output is closed"),
        (("apply", "{manifest}"), 3, "give --yes"),
        (("plan", "{manifest}"), 2, "standard output is closed"),
        (("schema",), 2, "standard output is closed"),
        (("validate", "{manifest}"), 0, "1 organization"),
    ],
)
async def test_closed_streams(
    emulator: Emulator, manifest: str, arguments: tuple[str, ...], status: int, says: str
) -> None:
    """Without standard input and output nothing is asked, and a line says where the data cannot go."""
    words = [word.format(manifest=manifest) for word in arguments]
    done = await finish(start(*words, env=of(emulator, COLUMNS="0"), closed=(0, 1)))
    assert (done.status, says in done.err) == (status, True), done.err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["packages", "--help"]])
def test_help_with_nowhere_to_go(arguments: list[str]) -> None:
    """It ends without a traceback."""
    through = ["/bin/sh", "-c", 'exec "$@" <&- >&-', "sh"]
    done = subprocess.run(
        [*through, *SCARF, *arguments], stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
