"""The examples: each runs by itself, is short, and does on a real server what it says."""

from __future__ import annotations

import asyncio
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path

import attrs
import pytest

from scarf_async import OrganizationUpsert, PackageUpsert, Scarf
from scarf_async.emulator import Emulator
from scarf_async.testing import call_log, no_waiting

EXAMPLES = Path(__file__).parents[1] / "examples"
LAST_LINES = {
    "bulk_setup.py": "All is set up.",
    "migrate.py": "The target is a copy of the source.",
    "nightly_export.py": "The export is whole.",
    "observability.py": "Everything that happened was logged and counted.",
    "service.py": "The service answered and was shut down.",
}
ACME = OrganizationUpsert(name="acme", description="", billing_email="")


def run(name: str) -> None:
    """Run an example as `python examples/NAME` does, in this process."""
    try:
        with no_waiting():
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    except SystemExit as ended:
        assert ended.code == 0, ended  # noqa: PT017 # what a process ends with


def test_none_is_forgotten() -> None:
    """Every example is run here, and is short enough to be read."""
    files = {path.name: path.read_text() for path in EXAMPLES.glob("*.py")}
    assert set(files) == set(LAST_LINES)
    for name, text in files.items():
        assert len(text.splitlines()) < 80, name


@pytest.mark.parametrize("name", LAST_LINES)
def test_it_runs_by_itself(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without settings it starts its own server, ends with a clear line, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    run(name)
    assert capfd.readouterr().out.splitlines()[-1] == LAST_LINES[name]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["observability.py", "service.py"])
async def test_what_only_reads_writes_nothing(
    name: str, scarf_emulator: Emulator, scarf: Scarf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an organization in the environment it is that one's server that is asked, and only asked."""
    await scarf.organizations.create(ACME)
    scarf_emulator.requests.clear()
    point_to(scarf_emulator, monkeypatch)
    await asyncio.to_thread(run, name)
    assert {line.split()[0] for line in call_log(scarf_emulator)} == {"GET"}


def point_to(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what a user would set for the real server."""
    monkeypatch.setenv("SCARF_API_TOKEN", emulator.token)
    monkeypatch.setenv("SCARF_BASE_URL", emulator.url)
    monkeypatch.setenv("SCARF_V2_URL", emulator.v2_url)
    monkeypatch.setenv("SCARF_ORGANIZATION", "acme")


async def test_a_set_up_goes_on_after_ctrl_c(
    scarf_emulator: Emulator, scarf: Scarf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Interrupted in the middle it says so; run again it creates what was missing, and nothing twice."""
    await scarf.organizations.create(ACME)
    point_to(scarf_emulator, monkeypatch)
    scarf_emulator.faults.latency = 0.05

    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", EXAMPLES / "bulk_setup.py",
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    first = await start()
    async with asyncio.timeout(60):  # what ends before it sends anything would be waited for in vain
        await scarf_emulator.wait_until(lambda requests: any(one.path.endswith("/routes") for one in requests))
    first.send_signal(signal.SIGINT)
    said, _ = await first.communicate()
    assert (first.returncode, said.splitlines()[-1]) == (1, b"Not all is set up yet. Run it again to go on.")
    second = await start()
    said, _ = await second.communicate()
    assert (second.returncode, said.splitlines()[-1]) == (0, b"All is set up.")
    posts = Counter((request.path, request.body) for request in scarf_emulator.requests if request.method == "POST")
    assert set(posts.values()) == {1}
    assert len(await scarf.packages.list("acme")) == 20


async def test_a_migration_is_shown_before_it_is_made(
    scarf_emulator: Emulator, scarf: Scarf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a real server nothing is written until it is asked for."""
    for name in ("acme", "acme-eu"):
        await scarf.organizations.create(attrs.evolve(ACME, name=name))
    await scarf.packages.create(PackageUpsert(name="tool", short_description="", library_type="npm"), "acme")
    point_to(scarf_emulator, monkeypatch)
    monkeypatch.setenv("SCARF_TARGET", "acme-eu")
    monkeypatch.chdir(tmp_path)
    scarf_emulator.requests.clear()
    with pytest.raises(AssertionError, match="1"):
        await asyncio.to_thread(run, "migrate.py")
    assert {request.method for request in scarf_emulator.requests} == {"GET"}
    monkeypatch.setenv("SCARF_APPLY", "yes")
    await asyncio.to_thread(run, "migrate.py")
    assert [package.name for package in await scarf.packages.list("acme-eu")] == ["tool"]
