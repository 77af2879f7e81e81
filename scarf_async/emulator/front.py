"""Requests from the socket: they are recorded, get their faults, and are answered."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import attrs
from aiohttp import hdrs, web

from scarf_async.emulator import sending
from scarf_async.emulator.answers import Answer, Refusal, Reply, Stream, refused
from scarf_async.emulator.calls import Call, Target
from scarf_async.emulator.dispatch import answer_to, find_handler, read_body
from scarf_async.emulator.faults import Decision, EffectThen, Fault
from scarf_async.emulator.received import Received, Slot
from scarf_async.emulator.sending import Connection
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import parse_query
from scarf_async.emulator.world import World

__all__ = ["Front"]

_WITH_BODY: Final = frozenset({"POST", "PUT"})
_NO_EFFECT_YET: Final = frozenset({Fault.DROP_BEFORE, Fault.LATE_EFFECT, Fault.HANG, Fault.HTML_502})
_POLL: Final = 0.02
_GRACE: Final = 0.25


@attrs.frozen
class _Arrival:
    """A request that has arrived completely. It may outlive its connection."""

    method: str
    target: Target
    authorization: str = attrs.field(repr=False)
    content_type: str
    body: bytes

    @property
    def path(self) -> str:
        """The path as received."""
        return self.target.path


class Front:
    """Answers the requests to a server.

    Args:
        world: The server.
        received: The list of received requests.
    """

    def __init__(self, world: World, received: Received) -> None:
        self._world = world
        self._received = received
        self._closing = asyncio.Event()
        self._active: dict[asyncio.Task[object], Connection] = {}
        self._late: set[asyncio.Task[Reply]] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; the handler of the application's only route."""
        connection = Connection(request, self._closing)
        if self._closing.is_set():
            return connection.abort()
        task = asyncio.current_task()
        if task is not None:
            self._active[task] = connection
            # Until the task is done, not only this method: the response is sent after it has returned.
            task.add_done_callback(lambda done: self._active.pop(done, None))
        try:
            return await self._serve(request, connection)
        except web.HTTPRequestEntityTooLarge:
            return sending.whole(refused(413, "The body is too large."))
        except web.RequestPayloadError:
            return sending.whole(refused(400, "The body is not encoded as its headers say."))
        except ConnectionError:
            return connection.abort()

    async def drain(self, _application: web.Application) -> None:
        """End all requests: late effects happen now, waiting and streaming ones are dropped."""
        self._closing.set()
        if self._active:
            _, busy = await asyncio.wait(list(self._active), timeout=_GRACE)
            for task in busy:
                self._active[task].abort()
            if busy:
                await asyncio.wait(busy)
        if self._late:
            await asyncio.gather(*self._late)

    async def _serve(self, request: web.Request, connection: Connection) -> web.StreamResponse:
        body = await request.read()
        target = request.raw_path
        path = target.partition("?")[0] if target.startswith("/") else request.rel_url.raw_path
        # No await from here to the decision: faults are decided in the order in which requests are listed.
        slot = self._received.arrived(request, path, body)
        decision = self._world.faults.decide(request.method, path)
        arrival = _Arrival(
            request.method,
            Target(f"{request.scheme}://{request.host}", path, request.rel_url.raw_query_string),
            request.headers.get(hdrs.AUTHORIZATION, ""),
            request.content_type,
            body,
        )
        try:
            return await self._answer(decision, arrival, connection, slot)
        finally:
            slot.close()

    async def _answer(
        self, decision: Decision, arrival: _Arrival, connection: Connection, slot: Slot
    ) -> web.StreamResponse:
        """Answer as decided."""
        await self._pause(self._world.faults.latency)
        if decision.action is None:
            reply = await self._effect(arrival, slot)
            cut = decision.cut_export and isinstance(reply, Stream)
            if cut:
                self._note(slot, Fault.CUT_DOWNLOAD)
            return await self._send(connection, slot, reply, cut=cut)
        self._note(slot, decision.action)
        if isinstance(decision.action, Fault):
            return await self._suffer(decision.action, arrival, connection, slot)
        hidden = isinstance(decision.action, tuple)
        status = decision.action[1] if isinstance(decision.action, tuple) else decision.action
        return await self._overrule(
            status, arrival, connection, slot, retry_after=decision.retry_after, hidden=hidden
        )

    async def _suffer(
        self, fault: Fault, arrival: _Arrival, connection: Connection, slot: Slot
    ) -> web.StreamResponse:
        """Inject a fault other than an error status."""
        reply: Reply = Answer(204)
        if fault not in _NO_EFFECT_YET:
            reply = await self._effect(arrival, slot)
        if fault is Fault.LATE_EFFECT:
            self._effect_later(arrival, slot)
        elif fault is Fault.HTML_502:
            slot.update(status=502)
            return sending.html_502()
        elif fault is Fault.EMPTY:
            if isinstance(reply, Stream) or reply.status < 400:
                reply = Answer(reply.status)
            return await self._send(connection, slot, reply)
        elif fault is Fault.CUT_DOWNLOAD:
            return await self._send(connection, slot, reply, cut=True)
        elif fault in {Fault.HANG, Fault.HANG_AFTER}:
            while not (connection.lost or self._closing.is_set()):
                await self._pause(_POLL)
        return connection.abort()

    async def _overrule(
        self,
        status: int,
        arrival: _Arrival,
        connection: Connection,
        slot: Slot,
        *,
        retry_after: str | None,
        hidden: bool,
    ) -> web.StreamResponse:
        """Return a status instead of the response: without an effect, or hiding one."""
        if hidden:
            await self._effect(arrival, slot)
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return await self._send(connection, slot, refused(status, f"An injected {status}.", headers=headers))

    async def _effect(self, arrival: _Arrival, slot: Slot) -> Reply:
        """Carry out the request in one transaction."""
        try:
            self._check_token(arrival)
            match, query = find_handler(arrival.method, arrival.path), parse_query(arrival.target.query)
            body = None
            if arrival.method in _WITH_BODY and match.takes_json:
                body = read_body(arrival.path, arrival.content_type, arrival.body)

            def work(db: Transaction) -> tuple[Reply, bool]:
                raw = b"" if match.takes_json else arrival.body
                reply = match.handler(Call(self._world, db, match.params, query, body, arrival.target, raw))
                return reply, db.wrote

            reply, wrote = await self._world.store.run(work)
        except Refusal as refusal:
            return answer_to(refusal, arrival.path, self._world.quirks)
        if wrote:
            slot.update(effective=True)
        return reply

    def _effect_later(self, arrival: _Arrival, slot: Slot) -> None:
        async def wait_and_do() -> Reply:
            await self._pause(self._world.faults.late_by)
            return await self._effect(arrival, slot)

        task = asyncio.create_task(wait_and_do())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _check_token(self, arrival: _Arrival) -> None:
        scheme, _, token = arrival.authorization.partition(" ")
        if scheme.lower() != "bearer" or token.strip() != self._world.token:
            raise Refusal(401, "A valid token is needed: Authorization: Bearer <token>.")

    def _note(self, slot: Slot, action: int | Fault | EffectThen) -> None:
        self._world.faults.injected[action] += 1
        slot.update(fault=f"{action[0]}_{action[1]}" if isinstance(action, tuple) else str(action))

    async def _pause(self, seconds: float) -> None:
        """Wait, at most until the emulator closes."""
        if seconds > 0.0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closing.wait()

    async def _send(
        self, connection: Connection, slot: Slot, reply: Reply, *, cut: bool = False
    ) -> web.StreamResponse:
        slot.update(status=reply.status)
        if isinstance(reply, Stream):
            return await sending.stream(connection, reply, gzip=self._world.gzip, cut=cut)
        return await sending.cut(connection, reply) if cut else sending.whole(reply)
