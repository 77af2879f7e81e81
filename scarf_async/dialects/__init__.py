"""How each version of the service is spoken: data, and small pure programs."""

from scarf_async.dialects.dialect import Dialect, Traits
from scarf_async.dialects.v1 import V1

__all__ = ["V1", "Dialect", "Traits"]
