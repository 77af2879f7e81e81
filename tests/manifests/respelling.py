"""A service that spells names its own way: everything is an emulator's, but for the words of its responses."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias
from unicodedata import normalize

from aiohttp import ClientSession, ServerDisconnectedError, web
from yarl import URL

from scarf_async.emulator import Emulator

__all__ = ["canonical", "respelling"]

Spell: TypeAlias = Callable[[str, str, str], str]
"""Takes the path of a request, the name of a field and its value."""

_SLASHED: Final = "https://acme.example"


def canonical(path: str, field: str, value: str) -> str:
    """Spell as a service that normalizes whatever it is given."""
    value = normalize("NFC", value.strip().replace("\r\n", "\n"))
    if field == "name" and path.endswith("/domains"):
        return value.lower().removesuffix(".").encode("idna").decode("ascii")
    if field in {"username", "billingEmail"}:
        return value.lower()
    if field in {"website", "outgoingUrl"}:
        return value.replace("HTTPS://ACME.example:443", _SLASHED).replace(_SLASHED + "?", _SLASHED + "/?")
    return value


def _respelled(path: str, value: object, spell: Spell) -> object:
    if isinstance(value, list):
        return [_respelled(path, entry, spell) for entry in value]
    if isinstance(value, dict):
        return {key: spell(path, key, entry) if isinstance(entry, str) else entry for key, entry in value.items()}
    return value


@asynccontextmanager
async def respelling(emulator: Emulator, spell: Spell = canonical) -> AsyncIterator[str]:
    """Serve what an emulator says in another spelling; gives the base address."""
    async with ClientSession() as session:

        async def handle(request: web.Request) -> web.Response:
            url = URL(emulator.url).origin().join(URL(request.raw_path, encoded=True))
            headers = {
                name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers
            }
            content = await request.read()
            try:
                async with session.request(request.method, url, headers=headers, data=content) as answer:
                    body = await answer.read()
            except ServerDisconnectedError:
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            if body and answer.ok:
                body = json.dumps(_respelled(request.path, json.loads(body), spell)).encode()
            return web.Response(status=answer.status, body=body, content_type="application/json")

        application = web.Application()
        application.router.add_route("*", "/{path:(?s:.*)}", handle)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        listener = socket.create_server(("127.0.0.1", 0))
        try:
            await web.SockSite(runner, listener).start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}{URL(emulator.url).path}"
        finally:
            await runner.cleanup()
