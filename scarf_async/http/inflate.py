"""Decode the content encodings gzip and deflate, in bounded pieces. Pure.

A truncated gzip body looks complete if only its output is read; `Inflater.ended` tells whether its end marker was
seen.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final

__all__ = ["PIECE", "BodyEncodingError", "Inflater"]

PIECE: Final = 2**16
"""The maximum length of a decompressed piece."""

# zlib copies unconsumed input for each piece: small steps keep that linear.
_STEP: Final = 2**14
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_UNDONE: Final = _GZIP | {"deflate", "x-deflate"}
# Values that proxies, stores and frameworks send and that do not encode the body. All others are refused: a body
# that is still encoded would be saved as if it were the export.
_PLAIN: Final = frozenset(
    {"", "*", "-", "7bit", "8bit", "any", "auto", "aws-chunked", "binary", "chunked", "csv", "default", "false"}
    | {"html", "identity", "json", "jsonl", "ndjson", "nil", "no", "none", "null", "off", "plain", "raw", "string"}
    | {"text", "true", "uncompressed", "undefined", "unencoded", "unknown", "xml"}
)
_PLAIN_KINDS: Final = re.compile(
    r"(application|text)/"
    r"|ansi|ascii|big5|cp\d|euc|gb[k\d]|iso|koi8|latin|mac|s(hift.)?jis|unicode|us-ascii|utf|windows-"
    r"|(de|en|es|fr|it|ja|ko|nl|pl|pt|ru|zh)(-|$)"
)
"""The prefixes of media types, charsets and languages."""
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


class BodyEncodingError(ValueError):
    """A body is encoded in a way that is not supported, or is not what its `Content-Encoding` says."""


def _label(element: str) -> str:
    """Return an element of the header without its parameters."""
    return element.partition(";")[0].strip().lower().removeprefix("charset=").strip("\t \"'")


def _encoding(header: str | None) -> str:
    labels = map(_label, (header or "").split(","))
    named = [label for label in labels if not (label in _PLAIN or _PLAIN_KINDS.match(label))]
    if len(named) > 1 or (named and named[0] not in _UNDONE):
        raise BodyEncodingError(f"Content-Encoding {(header or '')[:80]!r} is not supported; gzip and deflate are")
    return named[0] if named else ""


def _deflate_window(start: bytes) -> int:
    """Distinguish zlib's wrapping, which deflate should have, from the raw form that some servers send."""
    wrapped = start[0] & 0x0F == 8 and start[0] >> 4 <= 7 and (start[0] << 8 | start[1]) % 31 == 0
    return zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS


class Inflater:
    """Decodes a `Content-Encoding` as the body arrives.

    >>> import gzip
    >>> inflater = Inflater("gzip")
    >>> b"".join(inflater.feed(gzip.compress(b"one, ") + gzip.compress(b"two"))), inflater.ended
    (b'one, two', True)

    gzip may have several members, and zeros after the last; deflate may be wrapped or raw.

    Args:
        content_encoding: the value of the header; if it names no coding (`identity`, `none`, a charset), the body
            passes through.

    Raises:
        BodyEncodingError: the encoding is not supported.
    """

    def __init__(self, content_encoding: str | None) -> None:
        self._encoding = _encoding(content_encoding)
        self._start = b""
        # None before the first byte of a member (deflate: before the second).
        self._member: zlib._Decompress | None = None
        self._left = b""
        self._marked = False

    @property
    def compressed(self) -> bool:
        """Whether the body is compressed, and so has an end marker."""
        return bool(self._encoding)

    @property
    def ended(self) -> bool:
        """Whether the body may end here: its end marker was seen, or its encoding has none."""
        return self._marked or not self._encoding

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decoded form of the next bytes of the body, in pieces of at most 64 KiB.

        Consume all pieces before feeding again. Only consumed pieces are decompressed, so that a decompression bomb
        does not fill the memory.

        Raises:
            BodyEncodingError: the body is corrupt, or continues after its end.
        """
        if not self._encoding:
            if data:
                yield data
            return
        for at in range(0, len(data), _STEP):
            step = self._begin(data[at : at + _STEP])
            while step and self._member is not None:
                yield from self._inflate(self._member, step)
                step = self._begin(self._left)

    def _begin(self, step: bytes) -> bytes:
        """Begin a member if one begins here; return the bytes to inflate now."""
        if self._member is not None or not step:
            return step
        if self._encoding in _GZIP:
            if self._marked:
                step = step.lstrip(b"\0")
            if step:
                self._member = zlib.decompressobj(_GZIP_WINDOW)
                self._marked = False
            return step
        if self._marked:
            raise BodyEncodingError("the deflate body continues after its end")
        self._start += step
        if len(self._start) < 2:
            return b""
        self._member = zlib.decompressobj(_deflate_window(self._start))
        return self._start

    def _inflate(self, member: zlib._Decompress, step: bytes) -> Iterator[bytes]:
        full = True
        while step or full:
            try:
                piece = member.decompress(step, PIECE)
            except zlib.error as error:
                raise BodyEncodingError(f"the {self._encoding} body is corrupt ({error})") from None
            if piece:
                yield piece
            if member.eof:
                self._member, self._left, self._marked = None, member.unused_data, True
                return
            step = member.unconsumed_tail
            # After a full piece there may be more output even though all input is consumed.
            full = len(piece) == PIECE
        self._left = b""
