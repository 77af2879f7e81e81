"""Make the README's picture of real output: `python -m tests.cli.picture docs/images/plan.svg`."""

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
from scarf_async.emulator import Emulator

__all__ = ["draw"]

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


async def draw() -> str:
    """Compare an organization with a manifest; return what a terminal shows as SVG."""
    console = Console(
        file=io.StringIO(), record=True, width=_WIDTH, force_terminal=True, highlight=False, markup=False
    )
    async with Emulator() as emulator, Scarf(emulator.token, base_url=emulator.url) as scarf:
        await scarf.manifests.apply(await scarf.manifests.diff(_manifest(_BEFORE)))
        changes = await scarf.manifests.diff(_manifest(_AFTER), prune=True)
    console.print(Text("$ scarf-async plan acme.yaml --prune", "bold"))
    for line in difference_lines(changes, width=_WIDTH):
        console.print(line, soft_wrap=True)
    picture = console.export_svg(title="scarf-async", theme=MONOKAI, unique_id="plan")
    # A viewer need not fetch fonts from somewhere.
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)


def _manifest(text: str) -> Manifest:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "acme.yaml"
        file.write_text(text)
        return read_manifest(file)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(asyncio.run(draw()))
