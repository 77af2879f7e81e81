"""What the server says of itself: OpenAPI descriptions of its versions, written by hand beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Final

from aiohttp import web

__all__ = ["DESCRIPTIONS", "describe", "description"]

_DESCRIPTION_PATH: Final = "/openapi.json"
DESCRIPTIONS: Final[Mapping[str, str]] = {
    "v1": _DESCRIPTION_PATH,
    "v2": "/openapi_v2.json",
    "v3": "/openapi_v3.json",
}
"""Where the description of each version is."""


def description(version: str = "v1") -> bytes:
    """The description of a version (OpenAPI 3.1), as JSON. Its paths hang on the base address of the version."""
    return resources.files(__package__).joinpath(DESCRIPTIONS[version].lstrip("/")).read_bytes()


async def describe(request: web.Request) -> web.Response:
    """Answer with a description: to everybody, since it is not part of what it describes."""
    (version,) = (version for version, path in DESCRIPTIONS.items() if path == request.path)
    return web.Response(body=description(version), content_type="application/json")
