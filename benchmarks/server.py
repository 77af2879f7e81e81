"""A service that is as cheap as it can be, in a process of its own: it says yes, or no, and counts.

It speaks just enough HTTP for a client that waits for each response before it sends on over the same connection.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, cast
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import attrs

from benchmarks.rounds import serve_forever, server_process

__all__ = ["LISTED", "PACKAGE", "Behaviour", "Server", "serving"]

PACKAGE: Final = "0d0c2a2e-6f3f-4d0e-9a52-5b5d3c1c7f10"
"""The package that it has."""
_PACKAGE_PATH: Final = f"/packages/{PACKAGE}".encode()
_PACKAGE_BODY: Final = json.dumps(
    {
        "uuid": PACKAGE,
        "owner": "acme",
        "name": "acme/web",
        "shortDescription": "The web server of Acme",
        "createdAt": "2024-01-15T13:58:26.021037Z",
        "longDescription": None,
        "website": "https://acme.example",
        "libraryType": "docker",
    }
).encode()
LISTED: Final = 10_000
"""The packages that it lists as v2 does, in pages of a hundred."""
_LIST_PATH: Final = b"/packages/acme?"
_V2_PATH: Final = f"/packages/acme/{PACKAGE}".encode()
_STATISTICS: Final = b"/statistics"
_ACTUAL: Final = {200: b"OK", 204: b"No Content", 404: b"Not Found", 413: b"Too Large"}


def _page(packages: list[bytes], path: bytes) -> bytes:
    """A page of the list, behind the package that the query names; each but the last one leads to the next."""
    (after,) = parse_qs(urlsplit(path.decode()).query).get("after", [""])
    first = int(after.removeprefix("web")) + 1 if after else 0
    page = packages[first : first + 100]
    last = first + len(page)
    links = {"next": f"/v2/packages/acme?per_page=100&after=web{last - 1:05}"} if last < LISTED else {}
    return b'{"results":[' + b",".join(page) + b'],"_links":' + json.dumps(links).encode() + b"}"


def _v2_package(package: str, name: str) -> bytes:
    return json.dumps(
        {
            "id": package,
            "owner": "acme",
            "name": name,
            "type": "docker",
            "backend_registry": "ghcr.io",
            "repository_name": name,
            "short_description": "The web server of Acme",
            "website": "https://acme.example",
            "created_at": "2024-01-15T13:58:26.021037Z",
            "updated_at": "2024-01-15T13:58:26.021037Z",
        }
    ).encode()


_V2_BODY: Final = _v2_package(PACKAGE, "web")


def _packages() -> list[bytes]:
    return [_v2_package(f"0d0c2a2e-6f3f-4d0e-9a52-{number:012}", f"web{number:05}") for number in range(LISTED)]


@attrs.frozen(kw_only=True)
class Behaviour:
    """How the service answers.

    Attributes:
        rate: requests a second that it takes; None for any number. What is beyond gets a 429.
        burst: how many it takes at once.
        retry_after: what a 429 asks for.
        latency: seconds before each response.
        outage: from when to when, in seconds after the first request, it answers 503.
        bad: users whom nobody knows.
        largest: how many permissions it takes in one array.
    """

    rate: float | None = None
    burst: float = 20.0
    retry_after: int | None = None
    latency: float = 0.0
    outage: tuple[float, float] = (0.0, 0.0)
    bad: tuple[str, ...] = ()
    largest: int = 10**6


class _Service:
    """What all connections share."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.bad = frozenset(behaviour.bad)
        self.statuses: dict[int, int] = {}
        self.began: float | None = None
        self._packages: list[bytes] = []
        self._tokens = behaviour.burst
        self._filled = time.monotonic()

    def answer(self, path: bytes, body: bytes) -> tuple[int, bytes]:
        """Return status and body, and count."""
        now = time.monotonic()
        if self.began is None:
            self.began = now
        status, told = self._decide(path, body, now)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        return status, told

    def _decide(self, path: bytes, body: bytes, now: float) -> tuple[int, bytes]:
        assert self.began is not None
        start, end = self.behaviour.outage
        if start <= now - self.began < end:
            return 503, b'{"message":"down"}'
        if self.behaviour.rate is not None and not self._take(self.behaviour.rate, now):
            return 429, b'{"message":"too many"}'
        if path.endswith(b"/permissions") and body:
            return self._set_permissions(json.loads(body))
        if path.startswith(_LIST_PATH):
            self._packages = self._packages or _packages()
            return 200, _page(self._packages, path)
        if path == _PACKAGE_PATH:
            return 200, _PACKAGE_BODY
        if path == _V2_PATH:
            return 200, _V2_BODY
        # A membership is answered with the membership, in which v2 leaves its organization out.
        named = b'{"organizationName":"acme",' + body[1:] if path.endswith(b"/users") else body
        return 200, named if body else b"[]"

    def _set_permissions(self, entries: list[dict[str, str]] | dict[str, str]) -> tuple[int, bytes]:
        if isinstance(entries, dict):  # v2 takes one at a time
            return 204, b""
        if len(entries) > self.behaviour.largest:
            return 413, b'{"message":"too long"}'
        for entry in entries:
            if entry["userQuery"] in self.bad:
                return 404, b'{"message":"no such user"}'
        return 204, b""

    def _take(self, rate: float, now: float) -> bool:
        self._tokens = min(self.behaviour.burst, self._tokens + (now - self._filled) * rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class _Connection(asyncio.Protocol):
    def __init__(self, service: _Service) -> None:
        self._service = service
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one in all but its class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        at = head.lower().find(b"\r\ncontent-length:")
        length = 0 if at < 0 else int(head[at + 17 :].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self._received = b""
        path = head.split(b" ", 2)[1]
        if path == _STATISTICS:
            self._send(200, json.dumps(self._service.statuses).encode())
            return
        status, told = self._service.answer(path, body)
        latency = self._service.behaviour.latency
        if latency:
            asyncio.get_running_loop().call_later(latency, self._send, status, told)
        else:
            self._send(status, told)

    def _send(self, status: int, body: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        reason = _ACTUAL.get(status, b"Refused")
        head = b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\n" % (status, reason)
        if status != 204:
            head += b"Content-Length: %d\r\n" % len(body)
        if status == 429 and self._service.behaviour.retry_after is not None:
            head += b"Retry-After: %d\r\n" % self._service.behaviour.retry_after
        self._transport.write(head + b"\r\n" + body)


async def _serve(behaviour: Behaviour) -> None:
    service = _Service(behaviour)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(service), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@attrs.frozen
class Server:
    """A running server."""

    url: str

    def statuses(self) -> Mapping[int, int]:
        """Return how often it answered with which status."""
        with urlopen(self.url + _STATISTICS.decode(), timeout=10) as answer:  # noqa: S310 # our own
            return {int(status): number for status, number in json.load(answer).items()}


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[Server]:
    """Run a server in a process of its own."""
    with server_process("benchmarks.server", json.dumps(attrs.asdict(behaviour))) as port:
        yield Server(f"http://127.0.0.1:{port}")


if __name__ == "__main__":
    serve_forever(_serve(Behaviour(**json.loads(sys.argv[1]))))
