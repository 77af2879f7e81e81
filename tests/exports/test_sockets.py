"""Exports over real connections that end in every way they can."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from scarf_async import RetryPolicy, Scarf
from scarf_async.errors import (
    ExportError,
    NotFoundError,
    RequestTimeoutError,
    TransportError,
    TruncatedExportError,
)

from .fakes import BODY, TYPES

RANGE = ("2024-01-01", "2024-02-01")
ZIPPED = gzip.compress(BODY)


def chunked(body: bytes, *, whole: bool = True, size: int = 17) -> bytes:
    """Write a body in chunks; not whole: without the last one."""
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n" * whole


def answer(body: bytes, *headers: str, length: int | None = None, status: str = "200 OK") -> bytes:
    """Write a response; with a length only where one is given."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Server:
    """Answers each connection with the next of its responses, as they are, and closes it."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.hang = asyncio.Event()
        self.serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answers.pop(0))
        await writer.drain()
        if not self.answers:
            await self.hang.wait()
        writer.close()


@asynccontextmanager
async def scarf_of(server: Server, *, export_timeout: float = 10.0) -> AsyncIterator[Scarf]:
    """Give a client of a server; the last response's connection stays open if `hang` is not set."""
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        async with Scarf(
            "token",
            base_url=f"http://127.0.0.1:{port}/api/v1",
            retry=RetryPolicy(initial_delay=0.001, max_delay=0.002, attempts=2),
            export_timeout=export_timeout,
        ) as scarf:
            yield scarf
    finally:
        server.hang.set()
        listening.close()
        await asyncio.gather(*server.serving, return_exceptions=True)
        await listening.wait_closed()


async def read(*answers: bytes, hang: bool = False, export_timeout: float = 10.0) -> list[str]:
    """Read a whole export of what the server sends."""
    server = Server(*answers)
    if not hang:
        server.hang.set()
    async with (
        scarf_of(server, export_timeout=export_timeout) as scarf,
        scarf.exports.package_events("acme", "p", *RANGE) as events,
    ):
        got = [event.type async for event in events]
        assert events.complete
        return got


WHOLE = [
    answer(BODY, length=len(BODY)),
    answer(chunked(BODY), "Transfer-Encoding: chunked"),
    answer(ZIPPED, "Content-Encoding: gzip", length=len(ZIPPED)),
    answer(chunked(ZIPPED, size=1), "Content-Encoding: gzip", "Transfer-Encoding: chunked"),
    answer(ZIPPED, "Content-Encoding: gzip"),
]


@pytest.mark.parametrize("whole", WHOLE)
async def test_whole_answers(whole: bytes) -> None:
    """A length, a last chunk or a trailer proves the end."""
    assert await read(whole) == TYPES


CUT = [
    answer(BODY[:-40], length=len(BODY)),
    answer(chunked(BODY, whole=False), "Transfer-Encoding: chunked"),
    answer(ZIPPED[:-9], "Content-Encoding: gzip", length=len(ZIPPED) - 9),
    answer(chunked(ZIPPED[:-9]), "Content-Encoding: gzip", "Transfer-Encoding: chunked"),
    answer(ZIPPED[:-1], "Content-Encoding: gzip"),
    answer(BODY),
    answer(b"", length=0),
]


@pytest.mark.parametrize("cut", CUT)
async def test_cut_answers(cut: bytes) -> None:
    """Without such a proof, or with one that comes too soon, the export is truncated; nothing foreign is kept."""
    with pytest.raises(TruncatedExportError) as caught:
        await read(cut)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_lost_before_the_first_byte() -> None:
    """It is not a truncation, and, since exports may cost money, it is not sent again."""
    server = Server(answer(b"", length=10), answer(BODY, length=len(BODY)))
    server.hang.set()
    async with scarf_of(server) as scarf:
        with pytest.raises(TransportError):
            async with scarf.exports.package_events("acme", "p", *RANGE):
                pass
    assert len(server.requests) == 1


@pytest.mark.parametrize("sent", [b"", BODY[:40]])
async def test_silence(sent: bytes) -> None:
    """A silence longer than `export_timeout` is told as such, before the first byte and after."""
    with pytest.raises(RequestTimeoutError):
        await read(answer(sent, length=1000), hang=True, export_timeout=0.05)


async def test_statuses_come_on_entering() -> None:
    """A refusal is raised by `async with`; a passing one is tried again there."""
    server = Server(answer(b"", length=0, status="503 Later"), answer(b"", length=0, status="404 Gone"))
    server.hang.set()
    async with scarf_of(server) as scarf:
        with pytest.raises(NotFoundError):
            async with scarf.exports.package_events("acme", "p", *RANGE):
                pass
    assert len(server.requests) == 2
    assert server.requests[0].startswith(
        b"GET /api/v1/packages/acme/p/events/events.csv?startDate=2024-01-01&endDate=2024-02-01 HTTP/1.1\r\n"
    )


async def test_an_encoding_nobody_asked_for() -> None:
    """It is refused instead of being read as something."""
    with pytest.raises(ExportError, match="br"):
        await read(answer(BODY, "Content-Encoding: br", length=len(BODY)))


async def test_saved_after_a_cut(tmp_path: Path) -> None:
    """A cut export is fetched again into the file."""
    server = Server(CUT[0], WHOLE[3])
    server.hang.set()
    async with scarf_of(server) as scarf:
        saved = await scarf.exports.package_events("acme", "p", *RANGE).save(tmp_path / "acme.csv")
    assert saved.path.read_bytes() == BODY
    assert saved.records == 5
    assert len(server.requests) == 2


async def test_leaving_early_frees_the_connection() -> None:
    """A block that is left early does not leave a connection behind, though the service would go on."""
    server = Server(answer(BODY, length=10**9))
    async with scarf_of(server) as scarf, scarf.exports.package_events("acme", "p", *RANGE) as events:
        async for event in events:
            assert event.type == "t0"
            break
