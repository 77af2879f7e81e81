"""Services behind TLS, with certificates of authorities that nobody knows."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trustme
from acceptance.hostile import BASE, FAST, TOKEN
from aiohttp import web

from scarf_async import Scarf

__all__ = ["RANGE", "Secure", "client", "secure"]

RANGE = ("2024-01-01", "2024-01-02")


@attrs.define
class Secure:
    """A service that has been started, and what it was sent: the tokens, and the names of all headers."""

    url: str
    port: int
    tokens: list[str] = attrs.field(factory=list)
    headers: list[list[str]] = attrs.field(factory=list)


@asynccontextmanager
async def secure(certificate: trustme.LeafCert, *, old: bool = False) -> AsyncIterator[Secure]:
    """Serve an organization and an empty export with a certificate; old: by TLS 1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore"):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1

    async def answer(request: web.Request) -> web.Response:
        service.tokens.append(request.headers.get("Authorization", ""))
        service.headers.append(list(request.headers))
        if "events" in request.path:
            return web.Response(text="type,time\n", content_type="text/csv")
        return web.json_response({"name": "acme"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        port = runner.addresses[0][1]
        service = Secure(f"https://127.0.0.1:{port}{BASE}", port)
        yield service
    finally:
        await runner.cleanup()


def client(url: str, *, ca_file: str | None = None) -> Scarf:
    """Return a client that trusts the system's authorities, and those of a file."""
    return Scarf(TOKEN, base_url=url, v2_url=url, ca_file=ca_file, retry=FAST)
