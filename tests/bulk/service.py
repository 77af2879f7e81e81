"""A small service on a real socket: it takes everything, answers as told, and remembers who overlapped whom."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import count, pairwise
from typing import Final, TypeAlias
from urllib.parse import unquote

import attrs
from aiohttp import web

from scarf_async import RetryPolicy, Scarf, ScarfEvent
from scarf_async.clock import Clock

__all__ = ["ONCE", "Answer", "Call", "Service", "client_of", "serving"]

ONCE: Final = RetryPolicy(attempts=1)
TOKEN: Final = "token"


@attrs.define(eq=False)
class Call:
    """One request; `began` and `ended` are places in the one sequence of all beginnings and ends."""

    method: str
    path: str
    body: bytes
    began: int
    ended: int = -1

    @property
    def name(self) -> str:
        """Method and path, decoded."""
        return f"{self.method} {self.path}"

    @property
    def json(self) -> object:
        """The body."""
        return json.loads(self.body)


Answer: TypeAlias = "int | dict[str, object] | list[object] | web.Response | None"
"""A status without effect, what a success holds, a whole response, or None for what the service usually says."""


def _usual(call: Call) -> Answer:
    """What a willing service says."""
    body = call.json if call.body else None
    told = body if isinstance(body, dict) else {}
    *_, last = call.path.split("/")
    if call.method == "GET":
        return []
    if call.method == "DELETE" or last == "permissions":
        return 204
    if last == "users":
        return {"organizationName": call.path.split("/")[2], **told}
    if last in {"routes", "domains"}:
        return {"id": f"id-{call.began}", **told}
    if call.path.startswith("/packages/"):
        return {"uuid": last, **told}
    if last == "packages":
        return {"uuid": f"uuid-of-{told['name']}", **told}
    return told


class Service:
    """Every call is answered by `answers`, once `gate` is open, after a moment in which others may arrive."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self.under_way = 0
        self.most_under_way = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.answers: Callable[[Call], Answer | Awaitable[Answer]] = _usual
        self.lag = 0.0
        self._sequence = count()
        self._changed = asyncio.Event()

    @property
    def names(self) -> list[str]:
        """Method and path of everything that arrived, in order of arrival."""
        return [call.name for call in self.calls]

    def answer(self, told: Mapping[str, Answer]) -> None:
        """Answer the named calls as told, and the others as usual."""
        self.answers = lambda call: told[call.name] if call.name in told else _usual(call)

    def refuse(self, *names: str, status: int = 422) -> None:
        """Say no to the named calls, and answer the others as usual."""
        self.answer(dict.fromkeys(names, status))

    def call(self, name: str) -> Call:
        """The one call of this method and path."""
        (found,) = [call for call in self.calls if call.name == name]
        return found

    def assert_order(self, *names: str) -> None:
        """Each of these calls was answered before the next arrived."""
        calls = [self.call(name) for name in names]
        for before, after in pairwise(calls):
            assert before.ended < after.began, f"{after.name} did not wait for {before.name}"

    async def arrived(self, number: int) -> None:
        """Wait until so many calls have arrived."""
        await self._until(lambda: len(self.calls) >= number)

    async def idle(self) -> None:
        """Wait until no call is in progress."""
        await self._until(lambda: not self.under_way)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a call."""
        path = unquote(request.rel_url.raw_path)
        call = Call(request.method, path, await request.read(), next(self._sequence))
        self.calls.append(call)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self._changed.set()
        try:
            await self.gate.wait()
            # What may be sent at the same time arrives in this moment, and shows that nobody held it back.
            await asyncio.sleep(self.lag)
            answer = self.answers(call)
            if isinstance(answer, Awaitable):
                answer = await answer
            if answer is None:
                answer = _usual(call)
        finally:
            self.under_way -= 1
            call.ended = next(self._sequence)
            self._changed.set()
        if isinstance(answer, int):
            return web.json_response({"message": f"told to say {answer}"}, status=answer)
        if isinstance(answer, web.Response):
            return answer
        return web.json_response(answer)


@asynccontextmanager
async def serving() -> AsyncIterator[Service]:
    """A running service."""
    service = Service()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        await web.SockSite(runner, listener).start()
        service.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield service
    finally:
        service.gate.set()
        await runner.cleanup()


@asynccontextmanager
async def client_of(
    url: str,
    *,
    token: str = TOKEN,
    retry: RetryPolicy = ONCE,
    clock: Clock | None = None,
    on_event: Callable[[ScarfEvent], None] | None = None,
) -> AsyncIterator[Scarf]:
    """A client of a service, which sends nothing twice unless told so."""

    class Timed(Scarf):
        @staticmethod
        def _make_clock() -> Clock:
            return clock or Clock()

    async with Timed(token, base_url=url, retry=retry, on_event=on_event) as scarf:
        yield scarf
