"""Make the README's pictures of real output: `python -m tests.cli.picture docs/images`."""

from __future__ import annotations

import asyncio
import io
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from scarf_async import Manifest, Scarf, read_manifest
from scarf_async.cli.difference import difference_lines
from scarf_async.cli.rehearsal import Rehearsal
from scarf_async.emulator import Emulator

__all__ = ["demo", "plan"]

_WIDTH = 92
_BEFORE = """
version: 1
organizations:
  acme:
    description: Tools
    members: {ann: admin, bob: member, eve: member}
    packages:
      - {name: web, type: npm, short_description: The web client, permissions: {ann: admin, eve: admin}}
      - name: downloads
        type: file
        routes: [{template_path: "/old.tgz", outgoing_url: "https://old.example/old.tgz"}]
"""
_AFTER = """
version: 1
groups: {crew: [ann, bob, cyd, dee, fay, gus, hal, ida]}
organizations:
  acme:
    description: Tools for everybody
    packages:
      - {name: web, type: npm, short_description: The web client, permissions: {ann: admin, bob: member}}
      - name: downloads
        type: file
        routes: [{template_path: "/web/{version}.tgz", outgoing_url: "https://acme.example/{version}.tgz"}]
        domains: [dl.acme.example]
      - name: images
        type: docker
        backend_url: https://ghcr.io/acme/images
        public_url: https://acme.example/acme/images
        permissions: {group:crew: member}
"""


async def plan() -> str:
    """Compare an organization with a manifest; return what a terminal shows as SVG."""
    console = _terminal("scarf-async plan acme.yaml --prune")
    async with Emulator() as emulator, Scarf(emulator.token, base_url=emulator.url) as scarf:
        await scarf.manifests.apply(await scarf.manifests.diff(_manifest(_BEFORE)))
        changes = await scarf.manifests.diff(_manifest(_AFTER), prune=True)
    for line in difference_lines(changes, width=_WIDTH):
        console.print(line, soft_wrap=True)
    return _svg(console, "plan")


async def demo() -> str:
    """Run the demo; return what a terminal shows as SVG."""
    console = _terminal("scarf-async demo --api v2")
    rehearsal = Rehearsal(
        faults=True,
        seed=0,
        concurrency=32,
        latency=0.0,
        directory=None,
        api="v2",
        strict=False,
        as_json=False,
        console=console,
    )
    await rehearsal.run()
    return _svg(console, "demo")


def _terminal(command: str) -> Console:
    # Not interactive: of a progress bar only its end is printed.
    console = Console(
        file=io.StringIO(),
        width=_WIDTH,
        force_terminal=True,
        force_interactive=False,
        highlight=False,
        markup=False,
    )
    console.print(Text(f"$ {command}", "bold"))
    return console


def _svg(terminal: Console, name: str) -> str:
    printed = terminal.file
    assert isinstance(printed, io.StringIO)
    console = Console(file=io.StringIO(), record=True, width=_WIDTH, force_terminal=True, highlight=False)
    # Printed once more, since a recording does not wrap what the terminal wraps.
    console.print(Text.from_ansi(printed.getvalue()))
    picture = console.export_svg(title="scarf-async", theme=MONOKAI, unique_id=name)
    # A viewer need not fetch fonts from somewhere.
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)


def _manifest(text: str) -> Manifest:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "acme.yaml"
        file.write_text(text)
        return read_manifest(file)


if __name__ == "__main__":
    for drawn in (plan, demo):
        Path(sys.argv[1], f"{drawn.__name__}.svg").write_text(asyncio.run(drawn()))
