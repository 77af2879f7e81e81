"""What an export is made of, and what it needs from the session below."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar

import attrs

from scarf_async.errors import MalformedRecordError
from scarf_async.exports.lines import LineSplitter
from scarf_async.protocol import Request

__all__ = ["Download", "ExportClient", "ExportSpec", "OnMalformed", "RecordFormat", "RecordReader"]

T = TypeVar("T")

OnMalformed: TypeAlias = Literal["raise", "skip"] | Callable[[MalformedRecordError], object]
"""What to do about a record that cannot be read: raise, leave it out, or leave it out and tell a function of it."""


class Download(Protocol):
    """An open 2xx answer whose body is read piece by piece."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The answer's headers; names in any case."""

    @property
    def proven(self) -> bool:
        """After `read` gave `b""`: whether Content-Length or a last chunk proves the end."""

    async def read(self) -> bytes:
        """Return the next piece of the body as it came over the wire; `b""` at its end.

        Raises:
            RequestTimeoutError: nothing came for as long as the time limit allows.
            TransportError: the connection was lost, or the body is shorter than announced.
            BodyEncodingError: the framing of the body cannot be parsed.
            ClientClosedError: the client was closed.
        """

    def close(self) -> None:
        """Give the connection back, or drop it where the body was not read to its end; never waits."""


class ExportClient(Protocol):
    """What the export calls need from the client."""

    @property
    def max_record_bytes(self) -> int:
        """The longest record that is taken."""

    @property
    def save_attempts(self) -> int:
        """How often `save` fetches at the most."""

    def server_of(self, version: str, /) -> str:
        """Return the address that the requests of a version go to."""

    async def download(self, request: Request[None], /) -> Download:
        """Send the request and return the answer, open; all retries happen here."""

    async def pause(self, request: Request[None], attempt: int, /) -> None:
        """Say that `save` fetches again after the attempt of that number, from 1, was cut; and wait."""

    def redact(self, text: str, /) -> str:
        """Take the client's secrets out of what the service said."""


class RecordFormat(Protocol):
    """One format. Pure; made anew for every stream.

    `late`, like `RecordReader.decode`, takes several records at once, for speed: it raises `RecordError` if any
    of them cannot be read, and the reason counts only where it was given a single one.
    """

    @property
    def promised(self) -> str:
        """What the body should be: `CSV` or `NDJSON`."""

    @property
    def headed(self) -> bool:
        """Whether the first record is a header."""

    def splitter(self, max_record_bytes: int, *, keep_ends: bool = False) -> LineSplitter:
        """Return what cuts the body into records."""

    def foreign(self, start: bytes) -> str | None:
        """Say what the body is, from its first bytes that are not blank, if it cannot be what was promised."""

    def begin(self, header: bytes, *, typed: bool) -> None:
        """Take the header. Raises RecordError where it cannot be used."""

    def late(self, records: list[bytes]) -> list[bool]:
        """Say of each record whether it is at or after the end."""

    def cut(self, record: bytes) -> str | None:
        """Say why a last record without line end is not whole; None if it is."""


class RecordReader(RecordFormat, Protocol[T]):
    """A format, and what its records are read as."""

    @property
    def record(self) -> type[attrs.AttrsInstance]:
        """The class of the typed records."""

    def decode(self, records: list[bytes]) -> tuple[list[T], int]:
        """Return typed records without those at or after the end, and how many those were."""


@attrs.frozen(eq=False)
class ExportSpec(Generic[T]):
    """All that an export is: what to ask for, what comes, and what to do with it.

    Attributes:
        description: the export, for messages.
        open: sends the request and returns the answer, open; all retries happen inside.
        reader: makes the reader of records; it takes the end of the range, None for no filter.
        end: the first day after the range, if records from it on are to be left out.
        on_malformed: what happens to a record that cannot be read.
        max_record_bytes: the longest record that is taken.
        attempts: how often `save` fetches at the most.
        pause: waits before `save` fetches again; it takes the number of the attempt that was cut, from 1.
        redact: takes secrets out of what the service said.
    """

    description: str
    open: Callable[[], Awaitable[Download]]
    reader: Callable[[dt.date | None], RecordReader[T]]
    end: dt.date | None
    on_malformed: OnMalformed
    max_record_bytes: int
    attempts: int
    pause: Callable[[int], Awaitable[None]]
    redact: Callable[[str], str] = str
