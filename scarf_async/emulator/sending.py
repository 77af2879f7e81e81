"""Send a response: whole, in chunks, truncated, or not at all."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from aiohttp import hdrs, web

from scarf_async.emulator.answers import Answer, Stream
from scarf_async.emulator.wire import dump_json

__all__ = ["Connection", "cut", "html_502", "leave_out_type", "stream", "whole"]

_JSON: Final = "application/json; charset=utf-8"
_HTML_502: Final = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"
_GZIP_WBITS: Final = 31
_WHOLE_PIECES: Final = 2


class Connection:
    """The connection of a request.

    Args:
        request: The request.
        closing: Set when the emulator closes; it ends streams.
    """

    def __init__(self, request: web.Request, closing: asyncio.Event) -> None:
        self.request = request
        self.closing = closing
        # The request forgets its transport when the connection is lost.
        self._transport = request.transport

    @property
    def lost(self) -> bool:
        """Whether the client has disconnected."""
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> web.Response:
        """Drop the connection at once; the returned response is not sent, but aiohttp requires one."""
        if self._transport is not None:
            self._transport.abort()
        return web.Response()

    def close(self) -> None:
        """Close the connection after sending what was written."""
        if self._transport is not None:
            self._transport.close()


def whole(answer: Answer) -> web.Response:
    """Return the unchanged response."""
    body = _body(answer)
    return web.Response(status=answer.status, body=body or None, headers=_headers(answer))


async def leave_out_type(_request: web.Request, response: web.StreamResponse) -> None:
    """Remove the content type that aiohttp adds to a body without one."""
    if response.headers.get(hdrs.CONTENT_TYPE) == "":
        del response.headers[hdrs.CONTENT_TYPE]


def html_502() -> web.Response:
    """Return the response of a proxy whose service does not respond."""
    return web.Response(status=502, text=_HTML_502, content_type="text/html")


async def cut(connection: Connection, answer: Answer) -> web.StreamResponse:
    """Send a response whose body ends before its Content-Length."""
    body = _body(answer)
    if not body:
        return connection.abort()
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    response.content_length = len(body)
    await response.prepare(connection.request)
    await response.write(body[: len(body) // 2])
    connection.close()
    return response


async def stream(
    connection: Connection, reply: Stream, *, gzip: bool = False, cut: bool = False
) -> web.StreamResponse:
    """Send an export, chunk by chunk, as fast as the client reads.

    Args:
        connection: The connection.
        reply: The export.
        gzip: Compress if the client accepts it.
        cut: End in the middle, without the last chunk.
    """
    request = connection.request
    response = web.StreamResponse(
        status=reply.status, headers={**reply.headers, hdrs.CONTENT_TYPE: reply.media_type}
    )
    if reply.filename is not None:
        response.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{reply.filename}"'
    pieces = reply.chunks
    if gzip and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        pieces = _gzipped(pieces)
    if cut:
        pieces = _cut(pieces)
    async with aclosing(pieces):
        await response.prepare(request)
        async for piece in pieces:
            if connection.closing.is_set():
                return connection.abort()
            if piece:
                await response.write(piece)
            # Otherwise a fast client would block the event loop until the end of the export.
            await asyncio.sleep(0)
    if cut:
        connection.close()
    return response


def _body(answer: Answer) -> bytes:
    if answer.payload is None or answer.status in {204, 304}:
        return answer.text.encode()
    return dump_json(answer.payload)


def _headers(answer: Answer) -> dict[str, str]:
    headers: dict[str, str] = dict(answer.headers)
    if answer.payload is not None or answer.text:
        headers.setdefault(hdrs.CONTENT_TYPE, "" if answer.text else _JSON)
    return headers


async def _gzipped(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    compressor = zlib.compressobj(level=1, wbits=_GZIP_WBITS)
    async with aclosing(pieces):
        async for piece in pieces:
            if packed := compressor.compress(piece):
                yield packed
    yield compressor.flush()


async def _cut(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield at most two whole chunks, then half of one, so that even a short export is truncated."""
    held, whole_pieces = b"", 0
    async with aclosing(pieces):
        async for piece in pieces:
            if held:
                yield held
                whole_pieces += 1
            held = piece
            if whole_pieces == _WHOLE_PIECES:
                break
    yield held[: len(held) // 2]
