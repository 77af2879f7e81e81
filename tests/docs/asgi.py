"""A server for one application of ASGI, as small as it can be: its life, and GET requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import msgspec

__all__ = ["Application", "ask", "living"]

# Of as many types as the protocol has messages.
_Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]
]


@asynccontextmanager
async def living(application: Application) -> AsyncIterator[None]:
    """Start an application, and end it after the block."""
    told: asyncio.Queue[_Message] = asyncio.Queue()
    said: asyncio.Queue[_Message] = asyncio.Queue()
    life = asyncio.ensure_future(application({"type": "lifespan", "asgi": {"version": "3.0"}}, told.get, said.put))
    for phase in ("startup", "shutdown"):
        await told.put({"type": f"lifespan.{phase}"})
        answer = await said.get()
        assert answer["type"] == f"lifespan.{phase}.complete", answer
        if phase == "startup":
            yield
    await life


async def ask(application: Application, path: str) -> tuple[int, object]:
    """Send a GET; return the status, and the JSON of the body."""
    said: list[_Message] = []

    async def send(message: _Message) -> None:
        said.append(message)

    async def receive() -> _Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path.replace("%2E", "."),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await application(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in said)
    return said[0]["status"], msgspec.json.decode(body)
