"""The pages do what they say: their programs run, their commands too, and both print what the page shows."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from adapters.clusters import cluster_here
from cli.shell import SCARF, TOKEN, of
from imports.service import Waits
from psycopg.conninfo import conninfo_to_dict

from scarf_async import Scarf
from scarf_async.emulator import Emulator, Quirks
from scarf_async.emulator.answers import JSON
from scarf_async.emulator.loading import Document

from .asgi import Application, ask, living
from .pages import DOCS, PORT, Reader, blocks, load, python

FASTAPI = "how-to/fastapi.md"
FOLLOWED = (
    "tutorial.md",
    "errors.md",
    "reference/emulator.md",
    "how-to/migrate.md",
    "how-to/nightly-export.md",
    "how-to/nightly-bucket.md",
    "how-to/postgresql.md",
    "how-to/companies.md",
    "how-to/import-events.md",
    "how-to/resume.md",
    "how-to/pixels.md",
    "how-to/proxy.md",
    "how-to/notebook.md",
    "how-to/tables.md",
    "how-to/report.md",
    "how-to/dlt.md",
    "how-to/dask.md",
    "how-to/testing.md",
    "explanation/versions.md",
    "how-to/from-v1-scripts.md",
    "how-to/scripts.md",
    "how-to/many-packages.md",
    "how-to/observability.md",
)
WITH_A_PACKAGE = (
    "how-to/postgresql.md",
    "how-to/nightly-export.md",
    "how-to/nightly-bucket.md",
    "how-to/from-v1-scripts.md",
    "how-to/pixels.md",
    "how-to/import-events.md",
    "how-to/companies.md",
    "how-to/tables.md",
    "how-to/report.md",
    "how-to/dlt.md",
    "how-to/dask.md",
    "how-to/scripts.md",
)
_LIBPQ = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
CA_FILE = Path(__file__).with_name("acme-ca.pem")


@asynccontextmanager
async def served(page: str) -> AsyncIterator[Emulator]:
    """A service whose token must not be shown, with the organization that a page takes for given, or describes."""
    packages: list[JSON] = [{"name": "web", "libraryType": "file"}] if page in WITH_A_PACKAGE else []
    state: Document = {"organizations": [{"name": "acme", "packages": packages}]}
    for block in blocks(page):
        if block.title == "acme.json":
            state = json.loads(block.text)
    async with Emulator(token=TOKEN, load=state) as emulator:
        yield emulator


def pytest_without_plugins(arguments: list[str], *, directory: Path) -> str:
    """Run pytest as a project does that has the two plugins which the page names."""
    plugins = ["-p", "asyncio", "-p", "no:cacheprovider"]
    return python("-m", "pytest", *plugins, *arguments, directory=directory, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


def reader(emulator: Emulator, directory: Path) -> Reader:
    """Return someone to follow a page; the emulator is the proxy too, since it takes whole addresses."""
    programs: dict[str, Callable[[list[str]], str]] = {
        "pytest": partial(pytest_without_plugins, directory=directory)
    }
    stand_ins = {"proxy.example:3128": emulator.url.split("/")[2], "acme-ca.pem": str(CA_FILE)}
    return Reader(emulator, directory, programs, stand_ins)


@pytest.mark.parametrize("page", FOLLOWED)
async def test_a_page_is_true(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Who does what a page says, in its order, sees what it shows."""
    if page == "how-to/postgresql.md":
        for name, value in conninfo_to_dict(request.getfixturevalue("database")).items():
            monkeypatch.setenv(_LIBPQ[name], str(value))
    if page == "how-to/import-events.md":
        monkeypatch.setattr(Scarf, "_make_clock", Waits)
    if page == "how-to/nightly-bucket.md":
        request.getfixturevalue("store").create("acme-scarf")
    async with served(page) as emulator, AsyncExitStack() as others:
        # Imports end at once, and nobody waits for that.
        emulator.quirks = Quirks(import_seconds=0)
        follower = reader(emulator, tmp_path)
        if page == "how-to/dlt.md":
            follower.variables |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(tmp_path)}
        if page == "how-to/dask.md":
            cluster = await others.enter_async_context(cluster_here())
            follower.stand_ins = {
                "tcp://scheduler:8786": cluster.scheduler_info()["address"],
                "/shared/events": str(tmp_path / "events"),
            }
        await follower.follow(page)
    assert follower.ran == len(blocks(page)) > 0


async def test_the_service_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The FastAPI page's service gives data, and turns errors into the statuses that the page names."""
    async with served(FASTAPI) as emulator:
        await reader(emulator, tmp_path).follow(FASTAPI)
        for name, value in of(emulator).items():
            monkeypatch.setenv(name, value)
        service, views = load(tmp_path / "service.py"), load(tmp_path / "views.py")
        application: Application = service["app"]
        members = "/organizations/{}/members"
        async with living(application):
            assert (await ask(application, members.format("apex")))[0] == 404
            assert await ask(application, members.format("acme")) == (200, {"emulator-user": "owner"})
            assert (await ask(application, members.format("%2E%2E")))[0] == 422
            emulator.faults.status = {429: 1.0}
            emulator.faults.retry_after = "60"
            status, body = await ask(application, members.format("acme"))
            assert (status, TOKEN in str(body)) == (503, False)
            emulator.faults.status = {500: 1.0}
            assert (await ask(application, members.format("acme")))[0] == 502
            assert "for_reports" in views
        async with Scarf() as scarf:
            views["for_reports"](scarf)


def test_the_tutorials_server(tmp_path: Path) -> None:
    """Its command runs with its file, and prints the lines that the page shows."""
    state, command, shown = (block.text for block in blocks("tutorial.md")[1:4])
    (tmp_path / "acme.json").write_text(state)
    _, *arguments = shlex.split(command)
    with subprocess.Popen(
        [*SCARF, *arguments, "--port", "0"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            printed = [process.stdout.readline() for _ in shown.splitlines()]
        finally:
            process.terminate()
    assert re.sub(r":\d+/", f":{PORT}/", "".join(printed)) == shown


def test_no_page_is_left_out() -> None:
    """Every page that has a program or a command with its output is followed."""
    pages = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    programs = {page for page in pages for block in blocks(page) if block.language in {"python", "console"}}
    assert programs == {*FOLLOWED, FASTAPI}
