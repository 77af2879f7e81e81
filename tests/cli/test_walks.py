"""What two people type: from an installation to a first export, and from a table of packages to an applied plan."""

from __future__ import annotations

import json
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from scarf_async.emulator import Emulator
from scarf_async.emulator.answers import JSON

from .shell import TOKEN, Done, invoke, of

LOAD: dict[str, JSON] = {
    "organizations": [
        {
            "name": "acme",
            "description": "",
            "billingEmail": "b@acme.example",
            "packages": [{"name": "web", "libraryType": "npm", "shortDescription": "The web client"}],
        }
    ]
}
# Of someone who is not quick.
CHARACTERS_A_MINUTE = 150


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A service with an organization and a package."""
    async with Emulator(token=TOKEN, load=LOAD) as emulator:
        yield emulator


async def typed(line: str, env: dict[str, str]) -> Done:
    """Run a line that someone types, which works."""
    program, *words = shlex.split(line)
    assert program == "scarf-async"
    done = await invoke(*words, env=env)
    assert done.status == 0, (line, done.err)
    return done


async def test_from_an_installation_to_a_first_export(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In less than three minutes of typing, and with nothing to look up but a name."""
    monkeypatch.chdir(tmp_path)
    lines = [
        "scarf-async check",
        "scarf-async packages list",
        "scarf-async export package-events acme/web --month 2024-01 -o january.csv",
        "scarf-async export owner-events --since 7d --end 2024-02-01 -o week.jsonl.gz",
    ]
    done = [await typed(line, of(emulator, SCARF_API_VERSION="v2", SCARF_OWNER="acme")) for line in lines]
    assert "1,550 rows" in done[2].err
    assert (tmp_path / "january.csv").read_text().startswith("id,type,package,")
    assert (tmp_path / "week.jsonl.gz").read_bytes()[:2] == b"\x1f\x8b"
    variables = [f"export SCARF_{name}={'x' * 30}" for name in ("API_TOKEN", "API_VERSION", "OWNER")]
    before = ['pip install "scarf-async[cli]"', *variables]
    assert sum(map(len, [*before, *lines])) < 3 * CHARACTERS_A_MINUTE


async def test_a_hundred_packages_from_a_table(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checked, planned, looked at, applied exactly so, and planned again: nothing differs any more."""
    monkeypatch.chdir(tmp_path)
    rows = [f"acme,tool-{number},npm,Tool {number}" for number in range(100)]
    (tmp_path / "acme").mkdir()
    table = tmp_path / "acme" / "packages.csv"
    table.write_text("\n".join(["organization,package,type,short_description", *rows, ""]))
    env = of(emulator)
    assert "100 packages" in (await typed("scarf-async validate acme", env)).err
    planned = await typed("scarf-async plan acme -o acme.plan", env)
    assert planned.out.decode().splitlines()[-1] == "100 to create"
    assert (await typed("scarf-async show acme.plan", env)).out == planned.out
    assert "**100 to create**" in (await typed("scarf-async show acme.plan --markdown", env)).out.decode()
    applied = await typed("scarf-async apply acme.plan --yes --journal acme.journal --json", env)
    assert json.loads(applied.out)["counts"]["done"] == 100
    listed = (await typed("scarf-async packages list acme", env)).out.decode().splitlines()
    assert len(listed) == 101
    assert (await typed("scarf-async plan acme --detailed-exitcode", env)).out == b"no changes\n"
    # A word that is wrong is told before anything is asked for, with the line to look at.
    table.write_text(f"{table.read_text()}acme,more,dokcer,More\n")
    assert "did you mean docker?" in (await typed("scarf-async validate acme", env)).err
