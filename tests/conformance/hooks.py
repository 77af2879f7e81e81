"""What schemathesis needs besides the descriptions; it imports this file by `SCHEMATHESIS_HOOKS`."""

from __future__ import annotations

import schemathesis


def as_text(context: object, value: object) -> bytes:  # schemathesis gives it
    """Write a text as it is."""
    return str(value).encode("utf-8", "replace")


schemathesis.serializer("application/x-ndjson")(as_text)
