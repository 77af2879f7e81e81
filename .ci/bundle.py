#!/usr/bin/env python3
"""Make what draws the charts of a report: Vega, Vega-Lite and Vega-Embed as one script, and their licences.

    npm install --prefix DIR vega@6.2 vega-lite@6.4 vega-embed@7.0 lodash.debounce@4.0
    pip install vl-convert-python==1.9.0
    python3 .ci/bundle.py DIR

The script comes out of vl-convert, which is the same wherever it runs; npm is asked for nothing but the licences.
Both files are in the wheel, so a report needs neither.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import vl_convert

BUNDLE = Path(__file__).resolve().parent.parent / "scarf_async" / "data" / "reporting" / "bundle"
VEGA_LITE = "6.4"
# Others belong to programs of the command line, or have types only.
OF_OTHERS = {
    "delaunator", "fast-json-patch", "internmap", "json-stringify-pretty-compact", "lodash.debounce",
    "robust-predicates", "semver", "topojson-client", "tslib",
}  # fmt: skip


def licences(modules: Path) -> str:
    """Return each licence with the packages that it is of."""
    packages: dict[str, set[str]] = {}
    for path in modules.rglob("package.json"):
        text = next((file.read_text("utf-8") for file in licence_files(path.parent)), "")
        name = json.loads(path.read_text("utf-8")).get("name", "") if text else ""
        if name in OF_OTHERS or name.startswith(("vega", "d3-")):
            packages.setdefault("\n".join(map(str.strip, text.strip().splitlines())), set()).add(name)
    parts = (f"{', '.join(sorted(names))}\n\n{text}\n" for text, names in packages.items())
    return f"\n{'-' * 80}\n\n".join(sorted(parts))


def licence_files(folder: Path) -> Iterator[Path]:
    """Yield the files that hold a package's licence."""
    return (file for file in sorted(folder.iterdir()) if file.stem.casefold() == "license")


def main() -> None:
    """Write both files."""
    (folder,) = sys.argv[1:]
    text = licences(Path(folder, "node_modules"))
    # It is put into a comment, and that into an element.
    if not text or "*/" in text or "</" in text:
        raise SystemExit("the licences cannot be put into a script")
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    if "</script" in script or "<!--" in script:
        raise SystemExit("the script would end its element")
    (BUNDLE / "licences.txt").write_text(text, "utf-8")
    (BUNDLE / "vega.js").write_text(script, "utf-8")


if __name__ == "__main__":
    main()
