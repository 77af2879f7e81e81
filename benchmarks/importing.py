"""What does importing the SDK take beyond importing its dependencies?

Names are lazy, and so are the groups of calls that a service may never use: measured is the import of the client,
and besides that of everything that `__all__` names.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from typing import Final

from benchmarks.results import Result, versus
from benchmarks.rounds import in_turn

__all__ = ["run"]

_ROUNDS: Final = 7
_CLIENT: Final = "from scarf_async import Scarf"
_EVERYTHING: Final = "import scarf_async; [getattr(scarf_async, name) for name in scarf_async.__all__]"
_DEPENDENCIES: Final = "import aiohttp, anyio, attrs, cattrs, msgspec, tenacity"


def _milliseconds(code: str, bytecode: str) -> float:
    """Import in a fresh process; the start of Python is not counted."""
    timed = f"from time import perf_counter as now; began = now(); {code}; print((now() - began) * 1000)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = bytecode
    done = subprocess.run(
        [sys.executable, "-c", timed], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    return float(done.stdout)


def run() -> list[Result]:
    """Measure."""
    # What is installed is compiled; a checkout may not be. The round that is not counted compiles both.
    with tempfile.TemporaryDirectory() as bytecode:
        codes = (_CLIENT, _EVERYTHING, _DEPENDENCIES)
        client, everything, theirs = in_turn([partial(_milliseconds, code, bytecode) for code in codes], _ROUNDS)
    against = "its own dependencies imported"
    return [
        versus("importing.client", _CLIENT, against, client, theirs, unit="ms", better="less", target=1.25),
        versus(
            "importing.everything", "everything of __all__", against, everything, theirs, unit="ms", better="less"
        ),
    ]
