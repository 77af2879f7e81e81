"""Version 2 of the service: an owner in every path, lists in pages, updates that read first.

The calls that only v2 has are imported when one is first made.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scarf_async.dialects.v2 import accounts, collections, pixels

__all__ = ["accounts", "collections", "pixels"]

if not TYPE_CHECKING:  # for a type checker it would turn every misspelt name into an object

    def __getattr__(name: str) -> object:
        if name in __all__:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
