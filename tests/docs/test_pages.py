"""The pages do what they say: their programs run, their commands too, and both print what the page shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from cli.shell import TOKEN

from scarf_async import OrganizationUpsert, PackageUpsert, Scarf
from scarf_async.emulator import Emulator

from .asgi import Application, ask, living
from .pages import DOCS, Reader, blocks, load, python

FASTAPI = "how-to/fastapi.md"
FOLLOWED = (
    "tutorial.md",
    "errors.md",
    "how-to/migrate.md",
    "how-to/nightly-export.md",
    "how-to/resume.md",
    "how-to/proxy.md",
    "how-to/notebook.md",
    "how-to/tables.md",
    "how-to/testing.md",
    "explanation/versions.md",
    "how-to/from-v1-scripts.md",
)
CA_FILE = Path(__file__).with_name("acme-ca.pem")


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A service whose token must not be shown."""
    async with Emulator(token=TOKEN) as emulator:
        yield emulator


def pytest_without_plugins(arguments: list[str], *, directory: Path) -> str:
    """Run pytest as a project does that has the two plugins which the page names."""
    plugins = ["-p", "asyncio", "-p", "no:cacheprovider"]
    return python("-m", "pytest", *plugins, *arguments, directory=directory, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


def reader(emulator: Emulator, directory: Path) -> Reader:
    """Return somebody to follow a page; the emulator is the proxy too, since it takes whole addresses."""
    programs: dict[str, Callable[[list[str]], str]] = {
        "pytest": partial(pytest_without_plugins, directory=directory)
    }
    stand_ins = {"proxy.example:3128": emulator.url.split("/")[2], "acme-ca.pem": str(CA_FILE)}
    return Reader(emulator, directory, programs, stand_ins)


async def have_acme(emulator: Emulator) -> None:
    """Put in what a page takes for given."""
    async with Scarf(TOKEN, base_url=emulator.url) as scarf:
        await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
        await scarf.packages.create(PackageUpsert(name="web", short_description="", library_type="file"), "acme")


@pytest.mark.parametrize("page", FOLLOWED)
async def test_a_page_is_true(page: str, emulator: Emulator, tmp_path: Path) -> None:
    """Who does what a page says, in its order, sees what it shows."""
    if page in {"how-to/nightly-export.md", "how-to/from-v1-scripts.md", "how-to/tables.md"}:
        await have_acme(emulator)
    follower = reader(emulator, tmp_path)
    await follower.follow(page)
    assert follower.ran == len(blocks(page)) > 0


async def test_the_service_answers(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The FastAPI page's service gives data, and turns errors into the statuses that the page names."""
    await reader(emulator, tmp_path).follow(FASTAPI)
    for name, value in (("API_TOKEN", TOKEN), ("BASE_URL", emulator.url), ("V2_URL", emulator.v2_url)):
        monkeypatch.setenv(f"SCARF_{name}", value)
    service, views = load(tmp_path / "service.py"), load(tmp_path / "views.py")
    application: Application = service["app"]
    members = "/organizations/{}/members"
    async with living(application):
        assert (await ask(application, members.format("acme")))[0] == 404
        await have_acme(emulator)
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


def test_no_page_is_left_out() -> None:
    """Every page that has a program or a command with its output is followed."""
    pages = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    programs = {page for page in pages for block in blocks(page) if block.language in {"python", "console"}}
    assert programs == {*FOLLOWED, FASTAPI}
