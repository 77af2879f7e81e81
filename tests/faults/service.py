"""A service on a socket of this machine that one fault strikes, and that is healthy otherwise."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl

import attrs

from scarf_async.clock import Clock

from .faults import ELSEWHERE, Exchange, Fault
from .loop import HOST, Loop
from .world import Reply, World, WorldV2

__all__ = ["Arrival", "Service"]

_BASE = re.compile(r"/(?:api/v1|v2|v3)/")


@attrs.frozen
class Arrival:
    """A request as it arrived: the path below the base address, without the query; `at` by the clients' clock."""

    method: str
    path: str
    body: bytes
    at: float


class Service:
    """The service.

    Args:
        loop: where it runs.
        name: the fault's name.
        fault: the fault.
        target: method and path, without a slash in front, of the requests that the fault strikes.
        certificate: what it shows where the fault is that nobody trusts it.
        clock: its clients'.
    """

    def __init__(
        self,
        loop: Loop,
        name: str,
        fault: Fault,
        target: tuple[str, str],
        certificate: ssl.SSLContext,
        *,
        clock: Clock,
    ) -> None:
        self.worlds = {"v1": World(), "v2": WorldV2(), "v3": WorldV2()}
        """What there is, by version: the two know nothing of each other."""
        self.arrivals: list[Arrival] = []
        self.bodies: list[bytes] = []
        """The bodies of all responses."""
        self.handshakes = 0
        self.port = 0
        self._loop = loop
        self._clock = clock
        self._name = name
        self._fault = fault
        self._target = target
        self._struck = False
        self._tls = certificate if name == "untrusted" else None
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The address of v1."""
        return f"{'https' if self._tls else 'http'}://{HOST}:{self.port}/api/v1"

    @property
    def v2_url(self) -> str:
        """The address of v2."""
        return self.url.replace("/api/v1", "/v2")

    @property
    def aimed(self) -> list[Arrival]:
        """The requests that the fault may strike."""
        return [arrival for arrival in self.arrivals if (arrival.method, arrival.path) == self._target]

    @property
    def looks(self) -> list[Arrival]:
        """The reads after the first of these."""
        first = next((at for at, one in enumerate(self.arrivals) if (one.method, one.path) == self._target), 0)
        return [arrival for arrival in self.arrivals[first + 1 :] if arrival.method == "GET"]

    @property
    def followed(self) -> list[Arrival]:
        """The requests that followed a redirect."""
        return [arrival for arrival in self.arrivals if arrival.path.startswith(ELSEWHERE)]

    async def start(self) -> None:
        """Listen, unless the fault is that nobody does."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.port = int(listener.getsockname()[1])
        if self._tls is not None:
            self._tls.sni_callback = self._greeted
        refuses = self._name.startswith("refused")
        self._loop.unknown = int(self._name == "no such name")
        self._server = await asyncio.start_server(
            self._serve, sock=listener, ssl=self._tls, start_serving=not refuses
        )

    async def waited(self) -> None:
        """Take note that the client waits before it tries again: who was not there comes back."""
        if self._server is not None and not self._fault.always and not self._server.is_serving():
            await self._server.start_serving()

    async def stop(self) -> None:
        """Close everything."""
        assert self._server is not None
        self._server.close()
        for writer in self._serving.values():
            writer.transport.abort()
        await asyncio.gather(*self._serving)
        await self._server.wait_closed()

    def _greeted(self, *_: object) -> None:
        self.handshakes += 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = writer
        try:
            while not writer.is_closing():
                await self._talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left
        finally:
            writer.close()
            del self._serving[task]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, address, _ = head.decode().split(" ", 2)
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        path = _BASE.sub("", address.partition("?")[0], count=1)
        self.arrivals.append(Arrival(method, path, body, self._clock.monotonic()))
        struck = self._strikes(method, path)
        reply = Reply()
        if self._fault.effect or not struck:
            world = self.worlds["v2" if address.startswith("/v2/") else "v1"]
            reply = world.answer(method, path.removeprefix(ELSEWHERE), body)
        exchange = Exchange(self._loop, reader, writer, path, self.bodies, reply)
        if not struck or self._fault.act is None:
            exchange.send(reply)
            return
        self._struck = True
        await self._fault.act(exchange)
        await writer.drain()

    def _strikes(self, method: str, path: str) -> bool:
        if self._fault.act is None or (self._struck and not self._fault.always):
            return False
        return (method, path) == self._target or path.startswith(ELSEWHERE)
