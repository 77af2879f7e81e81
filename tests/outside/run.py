"""The pytest plugin as another project has it: from the wheel, in an environment without this checkout.

`python tests/outside/run.py WHEEL` installs the wheel, without any extra, beside pytest and one plugin for async
tests, and runs a small project under it: pytest-asyncio in auto and in strict mode, and anyio's plugin where
pytest-asyncio is not installed. It ends with status 1 if a test fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import venv
from pathlib import Path
from typing import Final

TESTS: Final = """
    import pytest

    from scarf_async import OrganizationUpsert, PackageUpsert, Scarf
    from scarf_async.emulator import Emulator
    from scarf_async.testing import call_log, no_waiting, script_faults

    {mark}

    async def set_up(scarf: Scarf) -> None:
        await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
        tool = PackageUpsert(name="tool", short_description="", library_type="file")
        await scarf.packages.create(tool, "acme")

    async def test_set_up(scarf_emulator: Emulator, scarf: Scarf) -> None:
        script_faults(scarf_emulator, "POST", "*/packages", 503, "drop_after")
        with no_waiting():
            await set_up(scarf)
        assert [line for line in call_log(scarf_emulator) if line.startswith("POST")] == [
            "POST /organizations: 201",
            "POST /organizations/acme/packages: 503 [503]",
            "POST /organizations/acme/packages: no answer [drop_after]",
        ]
        assert [package.name for package in await scarf.packages.list("acme")] == ["tool"]

    async def test_each_test_has_its_own_server(scarf: Scarf, scarf_v2: Scarf) -> None:
        assert await scarf.packages.list() == await scarf_v2.packages.list() == []
"""
ANYIO: Final = """pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend():
        return "asyncio"
"""
LOOP_SCOPE: Final = "asyncio_default_fixture_loop_scope = function"
RUNS: Final = {
    "pytest-asyncio": {
        "auto": (f"asyncio_mode = auto\n{LOOP_SCOPE}", ""),
        "strict": (f"asyncio_mode = strict\n{LOOP_SCOPE}", "pytestmark = pytest.mark.asyncio\n"),
    },
    "anyio": {"anyio": ("", ANYIO)},
}


def make_environment(directory: Path, *requirements: str) -> Path:
    """Make a virtual environment, and return its Python."""
    venv.create(directory, with_pip=True)
    python = directory / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    subprocess.run(install, check=True)
    return python


def run_project(python: Path, project: Path, ini: str, mark: str) -> int:
    """Write the project's files, run its tests, and return pytest's status."""
    project.mkdir()
    (project / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\n{ini}\n")
    (project / "conftest.py").write_text('pytest_plugins = ["scarf_async.testing"]\n')
    (project / "test_project.py").write_text(textwrap.dedent(TESTS.format(mark=mark)))
    return subprocess.run([python, "-m", "pytest", "-q"], cwd=project, timeout=120, check=False).returncode


def main(wheel: Path) -> int:
    """Run the project in each environment and each mode; return the process's status."""
    failed = []
    with tempfile.TemporaryDirectory() as directory:
        for plugin, modes in RUNS.items():
            python = make_environment(
                Path(directory, plugin), str(wheel.resolve()), "pytest>=8.3", *({plugin} - {"anyio"})
            )
            for mode, (ini, mark) in modes.items():
                print(f"-- {plugin}, {mode}", flush=True)
                if run_project(python, Path(directory, f"project-{mode}"), ini, mark):
                    failed.append(mode)
    print(f"failed: {', '.join(failed)}" if failed else "the plugin works from the wheel")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
