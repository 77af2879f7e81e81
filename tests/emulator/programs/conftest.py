"""Requests as programs of the field send them: their headers, their bytes, over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import aiohttp
import pytest
from yarl import URL

from scarf_async.emulator import Emulator

CURL = {"User-Agent": "curl/7.74.0", "Accept": "*/*"}
REQUESTS = {
    "User-Agent": "python-requests/2.28.1",
    "Accept-Encoding": "gzip, deflate",
    "Accept": "*/*",
    "Connection": "keep-alive",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
"""What curl says of `-d` where nothing else is said."""


class Send(Protocol):
    """Sends a request to a path of either version; returns status and body."""

    async def __call__(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, bytes]: ...


@pytest.fixture
async def send(emulator: Emulator) -> AsyncIterator[Send]:
    """Requests with the token, and with nothing of aiohttp's own."""
    bare = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
    async with aiohttp.ClientSession(skip_auto_headers=bare) as session:

        async def request(
            method: str, target: str, headers: Mapping[str, str], body: bytes | None = None
        ) -> tuple[int, bytes]:
            url = URL(emulator.url.removesuffix("/api/v1") + target, encoded=True)
            sent = {"Authorization": f"Bearer {emulator.token}", **headers}
            async with session.request(method, url, headers=sent, data=body) as answer:
                return answer.status, await answer.read()

        yield request
