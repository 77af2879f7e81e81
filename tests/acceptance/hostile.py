"""A hostile service: it misbehaves as it is told, request by request, and remembers what arrived.

It keeps what was created, so that a connection dropped before the effect differs from one dropped after it. It is
no emulator: it knows the few calls well enough to tell whether something was done twice, and validates nothing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from typing import Final, Self
from urllib.parse import unquote

import attrs
from aiohttp import web

from scarf_async import PermissionSet, RetryPolicy, Scarf

__all__ = [
    "BASE",
    "BIG",
    "FAST",
    "TOKEN",
    "Act",
    "Arrival",
    "Hostile",
    "JSONObject",
    "Raw",
    "answer",
    "connect",
    "cut",
    "drop",
    "eventually",
    "free_port",
    "hang",
    "head",
    "honest",
    "package_json",
]

TOKEN: Final = "tok-abc/DEF+123"
BASE: Final = "/api/v1"
FAST: Final = RetryPolicy(initial_delay=0.001, max_delay=0.01, settle=0.02, attempts=4)

BIG: Final = [PermissionSet(f"{number}" * 75_000, "member") for number in range(10, 50)]
"""More than the buffers of a connection to `Raw` hold."""

JSONObject = dict[str, object]


@attrs.frozen
class Arrival:
    """One request as it arrived; `path` is raw and begins below the base address, `at` is monotonic."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def parts(self) -> list[str]:
        """The segments of the path, decoded."""
        return [unquote(part) for part in self.path.strip("/").split("/")]


@attrs.frozen(kw_only=True)
class Act:
    """What to do with one request.

    Attributes:
        effect: whether the request takes effect, before the response goes out.
        status: of the response; None for none at all.
        headers: of the response.
        body: of the response.
        hang: keep the connection open in silence until the client leaves or the service stops.
        cut: close the connection (or, with `hang`, fall silent) before the last bytes of the body.
        honest: answer as a well-behaved service; only `delay` and `then` count besides.
        delay: seconds that the response takes.
        then: called when the response has been made up.
    """

    effect: bool = False
    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    hang: bool = False
    cut: bool = False
    honest: bool = False
    delay: float = 0.0
    then: Callable[[], object] = lambda: None


def honest(then: Callable[[], object] = lambda: None, *, delay: float = 0.0) -> Act:
    """Behave, in due time; afterwards call something."""
    return Act(honest=True, then=then, delay=delay)


def drop(*, effect: bool = False) -> Act:
    """Close the connection without a word, before or after the effect."""
    return Act(effect=effect)


def hang(*, effect: bool = False) -> Act:
    """Say nothing until the client leaves."""
    return Act(effect=effect, hang=True)


def answer(
    status: int, body: object = b"", *, effect: bool = False, headers: Mapping[str, str] | None = None
) -> Act:
    """Answer with a status, before or after the effect; a body that is not bytes goes out as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Act(effect=effect, status=status, body=data, headers=headers or {})


def cut(status: int = 200, *, body: bytes = b"[", effect: bool = False, stall: bool = False) -> Act:
    """Answer, but close the connection or fall silent before the end of the body."""
    return Act(effect=effect, status=status, body=body, cut=True, hang=stall)


@attrs.define
class _Thing:
    kind: str
    parent: str
    shown: JSONObject

    def is_called(self, name: str) -> bool:
        return name in {self.shown.get(key) for key in ("id", "uuid", "name", "username")}


@attrs.define
class _Script:
    method: str
    path: str
    acts: deque[Act]


# What has one name only once: the service refuses a second with 409.
_UNIQUE: Final = {"organizations": "name", "packages": "name", "domains": "name"}


def package_json(name: str, **fields: object) -> JSONObject:
    """Return a package as the service shows it."""
    return {"uuid": f"u-{name}", "owner": "me", "name": name, "shortDescription": "", **fields}


class Hostile:
    """The service: `async with Hostile() as service`, then `service.on("POST", "/organizations", drop())`."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.things: list[_Thing] = []
        self.arrived = asyncio.Event()
        """Set by every request; clear it to wait for the next."""
        self.left = asyncio.Event()
        """Set when a client leaves a request that hangs."""
        self.date: str | None = None
        self.busy = 0
        """How many requests are being answered."""
        self._scripts: list[_Script] = []
        self._ids = 0
        self._faults: list[Exception] = []
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        return await self.listen(0) if not self.port else self

    async def listen(self, port: int) -> Self:
        """Listen on a port of the loopback interface; 0 for a free one."""
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        assert not self._faults

    @property
    def url(self) -> str:
        """The base address to give to a client."""
        return f"http://127.0.0.1:{self.port}{BASE}"

    @property
    def open(self) -> int:
        """How many connections are open, seen from here."""
        assert self._runner.server is not None
        return len(self._runner.server.connections)

    def on(self, method: str, path: str, *acts: Act) -> None:
        """Script the next requests of a method to paths that match a glob; all others are served honestly."""
        self._scripts.append(_Script(method, path, deque(acts)))

    def forget(self) -> None:
        """Drop what was scripted and has not happened."""
        self._scripts.clear()

    def sent(self, method: str, path: str = "*") -> list[Arrival]:
        """Return what arrived of a method, at paths that match a glob."""
        return [
            arrival for arrival in self.arrivals if arrival.method == method and fnmatchcase(arrival.path, path)
        ]

    def made(self, kind: str) -> list[JSONObject]:
        """Return what there is of `organizations`, `packages`, `routes`, `domains`, `users`, `permissions`."""
        return [thing.shown for thing in self.things if thing.kind == kind]

    def add(self, kind: str, parent: str, shown: JSONObject) -> JSONObject:
        """Put something there, as if it had been created long ago."""
        self.things.append(_Thing(kind, parent, shown))
        return shown

    def take_effect(self, arrival: Arrival) -> None:
        """Let a request take effect that was dropped before."""
        self._serve(arrival)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.busy += 1
        try:
            return await self._answer(request)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as error:
            self._faults.append(error)
            raise
        finally:
            self.busy -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw_path, _, query = request.raw_path.partition("?")
        arrival = Arrival(
            request.method,
            raw_path.removeprefix(BASE),
            query,
            dict(request.headers),
            await request.read(),
            time.monotonic(),
        )
        self.arrivals.append(arrival)
        self.arrived.set()
        act = self._next_act(arrival)
        status, value = self._serve(arrival) if act.honest or act.effect else (0, None)
        act.then()
        if act.delay:
            await asyncio.sleep(act.delay)
        if act.honest:
            return self._response(status, b"" if value is None else json.dumps(value).encode(), {})
        if act.status is not None and not act.cut:
            return self._response(act.status, act.body, act.headers)
        if act.cut:
            part = web.StreamResponse(status=act.status or 200, headers=act.headers)
            part.content_length = len(act.body) + 9
            await part.prepare(request)
            await part.write(act.body)
        if act.hang:
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    def _response(self, status: int, body: bytes, headers: Mapping[str, str]) -> web.Response:
        response = web.Response(status=status, body=body, headers=headers)
        if not any(name.lower() == "content-type" for name in headers):
            response.content_type = "application/json"
        if self.date is not None and "Date" not in headers:
            response.headers["Date"] = self.date
        return response

    def _next_act(self, arrival: Arrival) -> Act:
        for script in self._scripts:
            if script.acts and script.method == arrival.method and fnmatchcase(arrival.path, script.path):
                return script.acts.popleft()
        return Act(honest=True)

    def _serve(self, arrival: Arrival) -> tuple[int, object]:
        """Do what the request asks for; return a status and a JSON value, None for an empty body."""
        *above, last = arrival.parts
        parent = "/".join(above)
        sent: object = json.loads(arrival.body) if arrival.body else None
        if arrival.method == "POST":
            return self._post(last, parent, sent)
        if arrival.method == "GET" and last in {"organizations", "packages", "routes", "domains", "users"}:
            everything = last == "packages" and not parent
            return 200, [
                thing.shown
                for thing in self.things
                if thing.kind == last and (everything or thing.parent == parent)
            ]
        if arrival.method == "GET" and last == "permissions":
            return 200, [thing.shown for thing in self.things if (thing.kind, thing.parent) == (last, parent)]
        kind = above[-1]
        owner = "/".join(above[:-1])
        found = next(
            (
                thing
                for thing in self.things
                if thing.kind == kind
                and thing.is_called(last)
                and (kind in {"organizations", "packages"} or thing.parent == owner)
            ),
            None,
        )
        if found is None:
            return 404, {"message": "no such thing"}
        if arrival.method == "DELETE":
            self.things.remove(found)
            return 204, None
        if arrival.method == "PUT" and isinstance(sent, dict):
            found.shown = {**found.shown, **sent}
        return 200, found.shown

    def _post(self, kind: str, parent: str, sent: object) -> tuple[int, object]:
        if kind == "permissions":
            assert isinstance(sent, list)
            for entry in sent:
                self._replace(
                    kind, parent, {"username": entry["userQuery"], "permissionLevel": entry["permissionLevel"]}
                )
            return 204, None
        assert isinstance(sent, dict)
        if kind == "users":
            shown = {"organizationName": parent.rpartition("/")[2], **sent}
            self._replace(kind, parent, shown)
            return 200, shown
        unique = _UNIQUE.get(kind)
        if unique and any(
            thing.kind == kind and thing.parent == parent and thing.shown[unique] == sent[unique]
            for thing in self.things
        ):
            return 409, {"message": "it exists already"}
        return 201, self.add(kind, parent, self._shown(kind, parent, sent))

    def _shown(self, kind: str, parent: str, sent: JSONObject) -> JSONObject:
        self._ids += 1
        now = dt.datetime.now(dt.UTC).isoformat()
        if kind == "organizations":
            return {**sent, "createdAt": now, "updatedAt": now}
        if kind == "packages":
            hidden = {"backendUrl", "publicUrl", "repositoryURL"}
            fields = {key: value for key, value in sent.items() if key not in hidden}
            owner = parent.rpartition("/")[2] or "me"
            return {"uuid": f"uuid-{self._ids}", "owner": owner, "createdAt": now, **fields}
        return {"id": f"id-{self._ids}", **sent}

    def _replace(self, kind: str, parent: str, shown: JSONObject) -> None:
        self.things = [
            thing
            for thing in self.things
            if (thing.kind, thing.parent) != (kind, parent) or thing.shown["username"] != shown["username"]
        ]
        self.add(kind, parent, shown)


@asynccontextmanager
async def connect(
    service: Hostile | Raw, *, retry: RetryPolicy = FAST, timeout: float = 5.0
) -> AsyncIterator[Scarf]:
    """Open a client of a service, with short waits."""
    async with Scarf(TOKEN, base_url=service.url, retry=retry, timeout=timeout) as scarf:
        yield scarf


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something holds that the other side of a socket brings about."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 # no event tells
            await asyncio.sleep(0.001)


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


Talk = Callable[["Raw", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Raw:
    """A listener that leaves every connection to a function: for what no HTTP library can be brought to do.

    Args:
        talk: called with each connection, which is closed when it returns; give what is to be sent as `bytes`
            to have that sent in answer to every request.
    """

    def __init__(self, talk: Talk | bytes) -> None:
        self.requests: list[bytes] = []
        """The raw heads of the requests that `request` has read."""
        self.open = 0
        """How many connections are open, seen from here."""
        self.changed = asyncio.Event()
        """Set whenever a connection is opened or closed."""
        self.stopping = asyncio.Event()
        """Set when the listener is closed: a function that waits for nothing else waits for this."""
        self._talk: Talk = self._always(talk) if isinstance(talk, bytes) else talk
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @staticmethod
    def _always(data: bytes) -> Talk:
        async def talk(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await raw.request(reader) is not None:
                writer.write(data)
                await writer.drain()

        return talk

    async def __aenter__(self) -> Self:
        listener = socket.socket()
        # Small, so that who does not read is soon noticed.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**14)
        listener.bind(("127.0.0.1", 0))
        self._server = await asyncio.start_server(self._connection, sock=listener, limit=2**16)
        self.port = int(listener.getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.stopping.set()
        for writer in list(self._writers):
            writer.transport.abort()
        while self.open:
            self.changed.clear()
            await self.changed.wait()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The base address to give to a client."""
        return f"http://127.0.0.1:{self.port}{BASE}"

    async def request(self, reader: asyncio.StreamReader) -> bytes | None:
        """Read one request, head and body; return the head, or None where the client has left."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            for line in head.split(b"\r\n"):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    await reader.readexactly(int(value))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return head

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds that opening or closing a connection can bring about."""
        async with asyncio.timeout(5):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self._writers.add(writer)
        self.changed.set()
        try:
            await self._talk(self, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            self.open -= 1
            self.changed.set()
            writer.close()


def head(status: str = "200 OK", headers: Iterable[str] = (), *, length: int | None = None) -> bytes:
    """Return the head of a response, for `Raw`."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()
