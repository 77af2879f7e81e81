"""How long a response may be where nobody has said so."""

from __future__ import annotations

import gzip

import pytest
from aiohttp import web

from scarf_async import DecodeError, Organization, RetryPolicy, Scarf

MIB = 2**20
SPACE = gzip.compress(b" " * MIB)


@pytest.mark.parametrize("more", [0, 1])
async def test_the_usual_limit(more: int) -> None:
    """A response of 64 MiB is read, one of a byte more is not, and it is asked for once only."""
    text = b'{"name": "acme"}'.ljust(MIB + more)
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=SPACE * 63 + gzip.compress(text), headers={"Content-Encoding": "gzip"})

    application = web.Application()
    application.router.add_get("/organizations/acme", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with Scarf("token", base_url=url, retry=RetryPolicy(initial_delay=0.001)) as scarf:
            if more:
                with pytest.raises(DecodeError, match="max_response_bytes"):
                    await scarf.organizations.get("acme")
            else:
                assert await scarf.organizations.get("acme") == Organization(name="acme")
    finally:
        await runner.cleanup()
    assert asked == ["/organizations/acme"]
