"""The manifest's JSON Schema, made of what the reader is made of."""

from __future__ import annotations

from scarf_async.entities import JSON
from scarf_async.manifests.drafts import DOCUMENT

__all__ = ["manifest_schema"]


def manifest_schema() -> dict[str, JSON]:
    """Return the JSON Schema (2020-12) of manifests, for editors; it stands in `schema.json` beside this file too.

    It says what may stand where. What refers to each other (groups, templates), addresses and what may not stand
    there twice is checked by `read_manifest` alone.

    >>> manifest_schema()["$ref"]
    '#/$defs/Document'
    """
    definitions: dict[str, JSON] = {}
    root = DOCUMENT.schema(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scarf organizations, as they should be",
        **root,
        "$defs": definitions,
    }
