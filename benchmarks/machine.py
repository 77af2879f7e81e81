"""What the benchmarks ran on: neither names of hosts nor of places."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

__all__ = ["machine", "versions"]

_PACKAGES: Final = (
    "scarf-async",
    "aiohttp",
    "anyio",
    "attrs",
    "cattrs",
    "msgspec",
    "tenacity",
    "duckdb",
    "httpx",
    "pyarrow",
    "uvloop",
)


def _processor() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def machine() -> Mapping[str, str]:
    """Return the system, the processor, its cores, and how busy it was in the last minute."""
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load": load,
    }


def versions() -> Mapping[str, str]:
    """Return the versions of Python and of the packages; of what is not installed nothing."""
    found = {"python": f"{platform.python_implementation()} {platform.python_version()}"}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
