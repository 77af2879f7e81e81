"""The body of an export: inflated in bounded pieces, and its end proven."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Protocol

from scarf_async.errors import RequestTimeoutError, ScarfError, TransportError
from scarf_async.exports.source import Download
from scarf_async.exports.tally import Tally
from scarf_async.inflate import BodyEncodingError, Inflater

__all__ = ["Body", "Digest"]

# A little of a compressed body may stand for very much: others get their turn in between.
_PIECES_AT_A_STRETCH: Final = 16


class Digest(Protocol):
    """A hash in the making."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""


class Body:
    """Reads a download piece by piece, nothing ahead of the consumer.

    A read that is cancelled loses nothing: the next one goes on.

    Args:
        download: what is read.
        tally: counts, and makes errors.
        digest: takes every byte of the inflated body.

    Raises:
        ExportError: the body's encoding is not supported.
    """

    def __init__(self, download: Download, tally: Tally, digest: Digest | None = None) -> None:
        self._download = download
        self._tally = tally
        self._digest = digest
        self._failure: Callable[[], ScarfError] | None = None
        self._wire: bytes | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._stretch = 0
        self._ended = False
        tally.no_content = download.status == 204
        problem = ""
        try:
            self._inflater = Inflater(download.headers.get("Content-Encoding"))
        except BodyEncodingError as error:
            problem = str(error)
        if problem:
            raise tally.refused(f"the answer cannot be read: {problem}")

    def close(self) -> None:
        """Let go of the connection."""
        self._download.close()

    async def first(self) -> None:
        """Wait for the first bytes.

        Raises:
            TransportError: the connection was lost before them.
            RequestTimeoutError: they did not come in time.
            ExportError: the framing of the body cannot be parsed.
        """
        if self._wire is None:
            self._wire = await self._read()

    async def next(self) -> bytes:
        """Return the next piece of the inflated body; `b""` at its proven end.

        Raises:
            TruncatedExportError: the body ended, or the connection was lost, before the end.
            RequestTimeoutError: nothing came for too long.
            ExportError: the body cannot be parsed or inflated.

        An error comes again, if asked again, with what the tally has counted by then.
        """
        if self._failure is not None:
            raise self._failure()
        try:
            return await self._next()
        except ScarfError as error:
            # An error that is kept keeps no frames.
            kept = error.with_traceback(None)
            if self._failure is None:
                self._failure = lambda: kept
            raise

    async def _next(self) -> bytes:
        while True:
            if self._stretch >= _PIECES_AT_A_STRETCH:
                self._stretch = 0
                await asyncio.sleep(0)
            if piece := self._inflated():
                self._stretch += 1
                self._tally.ended_with_newline = piece.endswith(b"\n")
                if self._digest is not None:
                    self._digest.update(piece)
                return piece
            if self._ended:
                return b""
            await self.first()
            wire, self._wire = self._wire, None
            self._stretch = 0
            if wire:
                self._pieces = self._inflater.feed(wire)
            else:
                self._ended = True
                self._check_end()

    def _inflated(self) -> bytes:
        problem = ""
        try:
            return next(self._pieces, b"")
        except BodyEncodingError as error:
            problem = str(error)
        raise self._tally.refused(problem)

    async def _read(self) -> bytes:
        failure: ScarfError
        try:
            data = await self._download.read()
        except RequestTimeoutError:
            raise
        except BodyEncodingError as error:
            failure = self._tally.refused(str(error))
        except TransportError as error:
            if not self._tally.bytes_received:
                raise
            failure = self._truncated(f"the connection was lost ({error})")
        else:
            self._tally.bytes_received += len(data)
            return data
        raise failure

    def _check_end(self) -> None:
        if self._download.proven and not self._tally.bytes_received:
            return
        if not self._inflater.ended:
            raise self._truncated("the compressed body is cut off", proven_end=self._download.proven)
        if not (self._inflater.compressed or self._download.proven):
            raise self._truncated(
                "the connection ended, and neither a Content-Length nor a last chunk proves that this is the end"
            )

    def _truncated(self, reason: str, *, proven_end: bool = False) -> ScarfError:
        self._failure = partial(self._tally.truncated, reason, proven_end=proven_end)
        return self._failure()
