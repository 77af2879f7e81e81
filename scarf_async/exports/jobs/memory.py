"""The memory limit of a run. Pure."""

from __future__ import annotations

import re
from typing import Final

from scarf_async.checks import whole
from scarf_async.errors import ValidationError

__all__ = ["FOR_A_WINDOW", "memory_bytes"]

FOR_A_WINDOW: Final = 64 * 10**6
"""The minimum for each window in bytes; with less, fewer windows are fetched at once."""

_SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?([KMGT]I?)?B?", re.ASCII | re.IGNORECASE)


def memory_bytes(limit: int | str) -> int:
    """Return a limit in bytes.

    >>> memory_bytes("256MB"), memory_bytes("0.5 GiB"), memory_bytes(100_000_000)
    (256000000, 536870912, 100000000)

    Raises:
        ValidationError: it is not a size, or is too little for one window.
    """
    size = limit
    if isinstance(limit, str) and (match := _SIZE.fullmatch(limit.strip())) is not None:
        number, unit = match[1], (match[2] or "").upper()
        size = int(float(number) * (1024 if "I" in unit else 1000) ** " KMGT".index(unit[:1] or " "))
    bounds = f"of bytes, or a text such as '256MB', at least {FOR_A_WINDOW // 10**6} MB"
    return whole("memory_limit", size, ValidationError, least=FOR_A_WINDOW, bounds=bounds)  # type: ignore[arg-type] # what is not a number is refused
