"""How each version of the service is called: data, and small pure programs."""

from scarf_async.dialects.dialect import Dialect, Traits
from scarf_async.dialects.v1.dialect import V1
from scarf_async.entities import ApiVersion

__all__ = ["V1", "Dialect", "Traits", "dialect_of"]


def dialect_of(version: ApiVersion, owner: str | None) -> Dialect:
    """Return the dialect of a version, for a client with or without a default owner."""
    if version == "v2":
        from scarf_async.dialects.v2.dialect import V2  # noqa: PLC0415 # many clients never call v2

        return V2(owner)
    return V1()
