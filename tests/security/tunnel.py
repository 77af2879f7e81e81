"""A proxy that tunnels: it takes CONNECT, and remembers what it saw."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Self

from acceptance.test_secrets import BASIC

__all__ = ["Tunnel"]

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Tunnel:
    """The proxy: `async with Tunnel() as proxy`.

    Every host's name leads to this machine.

    Args:
        guarded: take only who gives the right user and password; 407 to all others.
        answer: what every CONNECT is answered with, as it is, before the connection is closed; None to tunnel.
        port: where every tunnel ends, whatever was asked for; None for the port that was asked for.
        tls: what the proxy itself speaks TLS with.
    """

    def __init__(
        self,
        *,
        guarded: bool = False,
        answer: bytes | None = None,
        port: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.heads: list[bytes] = []
        """What it was told in the clear: all that came before the tunnels."""
        self.carried = b""
        """What came through the tunnels from the client's side."""
        self._guarded = guarded
        self._answer = answer
        self._target = port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The address to give to a client, without user and password."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[bytes]:
        """The first lines of what it was told in the clear."""
        return [head.split(b"\r\n")[0] for head in self.heads]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await self._answered(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if self._answer is not None:
            writer.write(self._answer)
            await writer.drain()
            return
        if self._guarded and f"Proxy-Authorization: Basic {BASIC}\r\n".encode() not in head:
            writer.write(b'HTTP/1.1 407 Who are you?\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n')
            await writer.drain()
            return
        asked_for = int(head.split(b" ")[1].rpartition(b":")[2])
        there, back = await asyncio.open_connection("127.0.0.1", self._target or asked_for)
        writer.write(_ESTABLISHED)
        try:
            await asyncio.gather(_carry(reader, back, self._see), _carry(there, writer, lambda _: None))
        finally:
            back.close()

    def _see(self, data: bytes) -> None:
        self.carried += data


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, see: Callable[[bytes], None]) -> None:
    while data := await reader.read(65536):
        see(data)
        writer.write(data)
        await writer.drain()
    writer.close()
