"""The demo with the end of its example, where all kinds of packages are: `shorter_demo.py PACKAGES ARGUMENT...`."""

from __future__ import annotations

import sys
from functools import partial
from unittest import mock

import attrs

from scarf_async.cli import main, rehearsal
from scarf_async.manifests import Manifest

__all__ = ["part"]

_WHOLE = rehearsal.read_example


def part(packages: int) -> Manifest:
    """Return the example with its last packages only."""
    manifest = _WHOLE()
    (organization,) = manifest.organizations
    short = attrs.evolve(organization, packages=(organization.packages or ())[-packages:])
    return attrs.evolve(manifest, organizations=(short,))


if __name__ == "__main__":
    with mock.patch.object(rehearsal, "read_example", partial(part, int(sys.argv.pop(1)))):
        main()
