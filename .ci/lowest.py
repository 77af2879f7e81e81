#!/usr/bin/env python3
"""What is the least that pyproject.toml promises to work with, and does it install.

    python3 .ci/lowest.py                 print the constraints
    python3 .ci/lowest.py --venv DIR      make an environment, and install the project with its tests under them
    DIR/bin/python -m pytest              then run the tests

Held down are the direct dependencies and those of the extras that are there for users; tools stay the newest.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("arrow", "cli", "cloud", "dask", "data", "dlt", "emulator", "manifests", "postgres", "prometheus")
FLOOR = re.compile(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?>=([0-9][0-9.]*)")


def lowest(core: list[str], extras: dict[str, list[str]]) -> list[str]:
    """Return `name==floor` for each dependency; one without a floor is an error."""
    found = set()
    for requirement in [*core, *(some for extra in EXTRAS for some in extras[extra])]:
        # Another extra, which is in EXTRAS itself.
        if requirement.startswith("scarf-async["):
            continue
        match = FLOOR.fullmatch(requirement)
        if match is None:
            raise SystemExit(f"pyproject.toml: {requirement!r} says no lowest version as `name>=version` does")
        found.add("==".join(match.groups()))
    return sorted(found)


def install(directory: Path, constraints: list[str]) -> None:
    """Install the project with its tests into an environment of its own."""
    venv.create(directory, with_pip=True)
    with TemporaryDirectory() as work:
        file = Path(work, "constraints.txt")
        file.write_text("\n".join(constraints), "ascii")
        pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--constraint", str(file), f"{ROOT}[test]"], check=True)  # noqa: S603 # our own words


def main() -> None:
    """Print, or install."""
    parser = argparse.ArgumentParser(description="The lowest versions that pyproject.toml promises.")
    parser.add_argument("--venv", type=Path, metavar="DIR", help="install them, and the project with its tests")
    told = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    constraints = lowest(project["dependencies"], project["optional-dependencies"])
    print("\n".join(constraints))
    if told.venv is not None:
        install(told.venv, constraints)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
