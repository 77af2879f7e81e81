"""`python -m tests.fuzz.guided TARGET [-max_total_time=SECONDS ...]`: a target on bytes, guided by coverage.

It needs atheris, and takes the options of libFuzzer, which ends the process.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped] # it is in no extra

# The tests are not a package, and not installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
with atheris.instrument_imports(include=["scarf_async"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Run until an error, or until libFuzzer's options say so."""
    fit = [name for name, target in TARGETS.items() if target.of_bytes is not None]
    if len(sys.argv) < 2 or sys.argv[1] not in fit:
        raise SystemExit(f"which target? There are {', '.join(fit)}")
    target = TARGETS[sys.argv.pop(1)]
    of_bytes, check = target.of_bytes, target.check
    assert of_bytes is not None
    atheris.Setup(sys.argv, lambda data: check(of_bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
