"""The faults, by the names of the table's columns: what becomes of the request that one strikes."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Final

import attrs

from .loop import Loop
from .world import Reply

__all__ = ["ELSEWHERE", "FAULTS", "LARGEST", "Exchange", "Fault"]

LARGEST: Final = 2**14
"""How long an ordinary answer may be: `max_response_bytes` of all clients here."""
ELSEWHERE: Final = "elsewhere/"
"""What paths begin with to which the service redirects."""

_LONGER_THAN_ANY_TIMEOUT: Final = 400.0
_STEP: Final = 20.0
_PIECES: Final = 4
_MOMENT: Final = 0.001
_MOST_OF_A_LINE: Final = 25
_PAGE: Final = b"<html><body><h1>Sign in</h1></body></html>\n"
_HTML: Final = {"Content-Type": "text/html"}


@attrs.frozen
class Exchange:
    """A request that was struck.

    Attributes:
        path: its path, without a slash in front.
        bodies: of all responses so far.
        reply: what a healthy service answers, where the request took effect.
    """

    loop: Loop
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    path: str
    bodies: list[bytes]
    reply: Reply = attrs.field(factory=Reply)

    def send(self, reply: Reply) -> None:
        """Answer."""
        self.bodies.append(reply.body)
        self.writer.write(reply.head + reply.body)

    def send_cut(self, data: bytes) -> None:
        """Send something, and close the connection."""
        self.writer.write(data)
        self.writer.close()


Act = Callable[[Exchange], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Fault:
    """A fault.

    Attributes:
        act: what becomes of a struck request; None where it does not arrive.
        effect: whether it takes effect before.
        always: whether all are struck, or only the first.
        wait: seconds that the service asks to wait.
    """

    act: Act | None = None
    effect: bool = False
    always: bool = False
    wait: float = 0.0


async def _reset(exchange: Exchange) -> None:
    raw: socket.socket = exchange.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.writer.transport.abort()


async def _half_a_head(exchange: Exchange) -> None:
    exchange.send_cut(exchange.reply.head[:40])


async def _half_a_body(exchange: Exchange) -> None:
    reply = exchange.reply
    exchange.send_cut(reply.head + reply.body[: len(reply.body) // 2])


async def _silent(exchange: Exchange) -> None:
    # The client's time limits run from before it sent this: they are over, and it leaves.
    exchange.loop.ahead += _LONGER_THAN_ANY_TIMEOUT
    await exchange.reader.read()


async def _drip(exchange: Exchange) -> None:
    reply = exchange.reply
    size = len(reply.body) // _PIECES + 1
    exchange.bodies.append(reply.body)
    exchange.writer.write(reply.head)
    for at in range(0, len(reply.body), size):
        exchange.writer.write(reply.body[at : at + size])
        # A turn of the loop, in which the other side takes it.
        await asyncio.sleep(_MOMENT)
        exchange.loop.ahead += _STEP


def _answer(status: int, body: bytes = b'{"message": "told so"}', **headers: str) -> Act:
    async def act(exchange: Exchange) -> None:
        exchange.send(Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()}))

    return act


def _altered(alter: Callable[[Reply], Reply]) -> Fault:
    async def act(exchange: Exchange) -> None:
        exchange.send(alter(exchange.reply))

    return Fault(act=act, effect=True)


def _limited(retry_after: str, *, wait: float = 0.0) -> Fault:
    act = _answer(429, Retry_After=retry_after, Date="Mon, 01 Jan 2024 00:00:00 GMT")
    return Fault(act=act, wait=wait)


async def _redirect(exchange: Exchange) -> None:
    path = exchange.path.removeprefix(ELSEWHERE)
    exchange.send(Reply(302, headers={"Location": f"/api/v1/{ELSEWHERE}{path}"}))


def _with(name: str, value: str) -> Fault:
    return _altered(lambda reply: attrs.evolve(reply, headers={**reply.headers, name: value}))


def _corrupt_gzip(reply: Reply) -> Reply:
    checksum = 8
    body = gzip.compress(reply.body)[:-checksum] + bytes(checksum)
    return Reply(200, body, {**reply.headers, "Content-Encoding": "gzip"})


def _cut_gzip(reply: Reply) -> Reply:
    return Reply(200, gzip.compress(reply.body)[:-9], {**reply.headers, "Content-Encoding": "gzip"})


FAULTS: Final[dict[str, Fault]] = {
    "refused": Fault(),
    "no such name": Fault(),
    "untrusted": Fault(always=True),
    "reset before": Fault(act=_reset),
    "reset after": Fault(act=_reset, effect=True),
    "half a head": Fault(act=_half_a_head, effect=True),
    "half a body": Fault(act=_half_a_body, effect=True),
    "cut gzip": _altered(_cut_gzip),
    **{str(status): Fault(act=_answer(status)) for status in (400, 401, 403, 404, 409, 422)},
    "403, 7 s": Fault(act=_answer(403, Retry_After="7"), wait=7.0),
    "408": Fault(act=_answer(408)),
    "425": Fault(act=_answer(425)),
    "429": Fault(act=_answer(429)),
    "429, 7 s": _limited("7", wait=7.0),
    "429, date": _limited("Mon, 01 Jan 2024 00:00:30 GMT", wait=30.0),
    "429, soon": _limited("soon"),
    "429, 1000 s": _limited("1000"),
    "500": Fault(act=_answer(500)),
    "500 after": Fault(act=_answer(500), effect=True),
    "502 page": Fault(act=_answer(502, _PAGE, **_HTML), effect=True),
    "503": Fault(act=_answer(503)),
    "503 after": Fault(act=_answer(503), effect=True),
    "504": Fault(act=_answer(504), effect=True),
    "silent before": Fault(act=_silent),
    "silent after": Fault(act=_silent, effect=True),
    "drip": Fault(act=_drip, effect=True),
    "garbage": _altered(lambda reply: Reply(200, b'["garb\x00age",\n', reply.headers)),
    "huge": _altered(lambda reply: Reply(200, reply.body + b"\n" * LARGEST, reply.headers)),
    "other type": _altered(lambda reply: Reply(200, reply.body, _HTML)),
    "web page": _altered(lambda _: Reply(200, _PAGE, _HTML)),
    "long head": _with("Set-Cookie", "a" * 9000),
    "huge head": _with("Set-Cookie", "a" * 70_000),
    "label none": _with("Content-Encoding", "none"),
    "label br": _with("Content-Encoding", "br"),
    "corrupt gzip": _altered(_corrupt_gzip),
    "short": _altered(lambda reply: attrs.evolve(reply, body=reply.body[:-_MOST_OF_A_LINE])),
    "no line end": _altered(lambda reply: attrs.evolve(reply, body=reply.body.rstrip(b"\n"))),
    "redirect": Fault(act=_redirect),
    "redirect*": Fault(act=_redirect, always=True),
    "refused*": Fault(always=True),
    "reset before*": Fault(act=_reset, always=True),
    "429*": Fault(act=_answer(429), always=True),
    "500*": Fault(act=_answer(500), always=True),
    "503*": Fault(act=_answer(503), always=True),
    "silent before*": Fault(act=_silent, always=True),
}
