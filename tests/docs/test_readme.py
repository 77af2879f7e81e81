"""The README's programs do what they say against a service."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from cli.shell import TOKEN, of
from faults.faults import FAULTS

from scarf_async import PackageUpsert, Scarf
from scarf_async.emulator import Emulator

README: Final = Path(__file__).parents[2] / "README.md"


def programs() -> Iterator[str]:
    """Yield the blocks of Python."""
    yield from re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def defined(word: str) -> dict[str, Any]:
    """Return what the one program that has a word defines, of whatever types."""
    (text,) = (program for program in programs() if word in program)
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(text.replace("asyncio.run(main())", ""), "README.md", "exec"), names)  # noqa: S102 # its own code
    return names


def test_the_number_of_faults() -> None:
    """As many as the table of faults has columns."""
    assert f"every kind of call and {len(FAULTS)} faults" in README.read_text("utf-8")


async def test_the_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One call, a bulk run, an export and your own test."""
    monkeypatch.chdir(tmp_path)
    assert len(list(programs())) == 4
    async with Emulator(token=TOKEN, load={"organizations": [{"name": "acme"}]}) as emulator:
        for name, value in of(emulator).items():
            monkeypatch.setenv(name, value)
        await defined("no such package")["main"]()
        image = PackageUpsert(
            name="acme/web", short_description="", library_type="docker", backend_url="https://ghcr.io/acme/web"
        )
        async with Scarf(api="v2", owner="acme") as scarf:
            package = await scarf.packages.create(image)
            await defined("no such package")["main"]()
            await defined("async def export")["export"](scarf, package.uuid)
            await defined("async def set_up")["set_up"](scarf)
            (web,) = await scarf.packages.list(types=["file"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["no such package", "acme/web ['acme.docker.scarf.sh']"]
    assert printed[-2:] == [repr(web), "[]"]
    assert await asyncio.to_thread((tmp_path / "acme.csv").is_file)
    await defined("async def test_set_up")["test_set_up"]()
