"""The OpenAPI descriptions of the server's versions, written by hand beside this file."""

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
"""The path of the description of each version."""


def description(version: str = "v1") -> bytes:
    """Return the OpenAPI 3.1 description of a version as JSON. Its paths are relative to the version's base URL."""
    return resources.files(__package__).joinpath(DESCRIPTIONS[version].lstrip("/")).read_bytes()


async def describe(request: web.Request) -> web.Response:
    """Return a description, without authorization, since it is not part of the API."""
    (version,) = (version for version, path in DESCRIPTIONS.items() if path == request.path)
    return web.Response(body=description(version), content_type="application/json")
