"""What the server says of itself: API v1 as an OpenAPI description, written by hand beside this file."""

from __future__ import annotations

from importlib import resources
from typing import Final

from aiohttp import web

__all__ = ["DESCRIPTION_PATH", "describe", "description"]

DESCRIPTION_PATH: Final = "/openapi.json"


def description() -> bytes:
    """The description (OpenAPI 3.1), as JSON. Its paths hang on the base address of v1."""
    return resources.files(__package__).joinpath("openapi.json").read_bytes()


async def describe(_request: web.Request) -> web.Response:
    """Answer with the description: to everybody, as it is no part of what it describes."""
    return web.Response(body=description(), content_type="application/json")
