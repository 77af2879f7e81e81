"""What is wrong with one record, before it is known which one it is."""

from __future__ import annotations

from typing import Final

__all__ = ["RecordError", "shown"]

_SHOWN: Final = 40


class RecordError(ValueError):
    """A record cannot be read; the message says why and quotes no more of it than one short field."""


def shown(text: str) -> str:
    """Return a field as a message may show it."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
