"""How long does a command take from its start to its end, against a bare program that does the same?

The bare program imports the same libraries, and prints, or asks an emulator for the same list. That of the list
lets typer read its one argument, for which typer imports pydantic.
Both are whole processes, the start of Python included.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from typing import Final

from benchmarks.results import Result, versus
from benchmarks.rounds import compiled, in_turn, seconds, server_process
from scarf_async import OrganizationUpsert, PackageUpsert, Scarf
from scarf_async.emulator import Emulator

__all__ = ["run"]

_ROUNDS: Final = 5
_COMMAND: Final = "from scarf_async.cli import main; main()"
_VERSION: Final = """
import attrs, typer
typer.echo("scarf-async 0.1.0")
"""
_HELP: Final = """
import attrs, typer
app = typer.Typer()
for number in range(20):
    app.command(f"command-{number}", help="Do something.")(lambda name: None)
app()
"""
_LIST: Final = """
import asyncio, os
import aiohttp, anyio, attrs, cattrs.preconf.msgspec, msgspec, tenacity, typer
async def show(owner):
    headers = {"Authorization": "Bearer " + os.environ["SCARF_API_TOKEN"]}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(os.environ["SCARF_BASE_URL"] + f"/organizations/{owner}/packages") as answer:
            answer.raise_for_status()
            for package in await answer.json():
                print(package["uuid"], package["name"], package["libraryType"])
app = typer.Typer()
@app.command("list")
def list_packages(owner: str):
    asyncio.run(show(owner))
app()
"""


async def _serve() -> None:
    """Run an emulator with one package; print what a command needs to find it."""
    async with Emulator() as emulator:
        async with Scarf(emulator.token, base_url=emulator.url) as scarf:
            await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
            upsert = PackageUpsert(name="web", short_description="", library_type="file")
            await scarf.packages.create(upsert, "acme")
        values = {
            "SCARF_BASE_URL": emulator.url,
            "SCARF_V2_URL": emulator.v2_url,
            "SCARF_API_TOKEN": emulator.token,
        }
        print(json.dumps(values), flush=True)
        await asyncio.Event().wait()


def _milliseconds(code: str, arguments: list[str], environment: Mapping[str, str]) -> float:
    """Run a program to its end."""
    command = [sys.executable, "-c", code, *arguments]
    run = partial(subprocess.run, command, capture_output=True, check=True, timeout=60, env=environment)
    return seconds(run) * 1000


def run() -> list[Result]:
    """Measure."""
    rows = []
    with (
        tempfile.TemporaryDirectory() as bytecode,
        server_process("benchmarks.starting") as told,
    ):
        environment = {**compiled(bytecode), **json.loads(told)}
        for name, arguments, bare, given, target in (
            ("version", ["--version"], _VERSION, [], 0.35),
            ("help", ["--help"], _HELP, ["--help"], 0.8),
            ("list", ["packages", "list", "acme"], _LIST, ["acme"], 1.5),
        ):
            ours, theirs = in_turn(
                [
                    partial(_milliseconds, _COMMAND, arguments, environment),
                    partial(_milliseconds, bare, given, environment),
                ],
                _ROUNDS,
            )
            rows.append(
                versus(
                    f"starting.{name}",
                    f"scarf-async {' '.join(arguments)}, the whole process",
                    "a bare program on the same libraries",
                    ours,
                    theirs,
                    unit="ms",
                    better="less",
                    target=target,
                )
            )
    return rows


if __name__ == "__main__":
    asyncio.run(_serve())
