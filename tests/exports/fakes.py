"""A download without a socket, exports made of it, and the slow twins of the splitters."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import pairwise
from typing import Generic, TypeVar

import attrs
import msgspec
import pytest

from scarf_async.clock import Clock
from scarf_async.entities import ApiVersion, Event
from scarf_async.errors import ExportError
from scarf_async.exports.aggregate_reader import AggregateReader
from scarf_async.exports.aggregation_reader import AggregationReader
from scarf_async.exports.event_reader import EventReader
from scarf_async.exports.rollup_reader import RollupReader
from scarf_async.exports.spec import ExportSpec, OnMalformed, RecordReader
from scarf_async.exports.stream import Export
from scarf_async.imports.log_reader import ImportLogReader
from scarf_async.protocol.messages import Request
from scarf_async.protocol.steps import Steps

COLUMNS = (
    *("id", "type", "package", "pixel", "version", "time", "referer", "user_agent", "platform", "variables"),
    *("origin_id", "origin_latitude", "origin_longitude", "origin_country", "origin_city", "origin_postal"),
    *("origin_connection_type", "origin_company", "origin_domain", "dnt", "confidence", "endpoint_id"),
    *("origin_state", "mtc_quota_exceeded"),
)

Piece = bytes | Exception
T = TypeVar("T")


@attrs.define
class FakeDownload:
    """Gives its pieces, or raises them; then the end."""

    pieces: list[Piece]
    headers: dict[str, str] = attrs.field(factory=dict)
    proven: bool = True
    status: int = 200
    reads: int = 0
    closed: int = 0

    async def read(self) -> bytes:
        self.reads += 1
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self.closed += 1


@attrs.define
class FakeClient:
    """What exports need from a client, without a socket; a subclass gives the downloads.

    Attributes:
        requests: what was asked for.
    """

    requests: list[Request[None]] = attrs.field(factory=list, kw_only=True)
    max_record_bytes: int = attrs.field(default=2**20, kw_only=True)
    save_attempts: int = attrs.field(default=1, kw_only=True)
    clock: Clock = attrs.field(factory=Clock, kw_only=True)
    api: ApiVersion = attrs.field(default="v1", kw_only=True)
    owner: str | None = attrs.field(default=None, kw_only=True)

    def server_of(self, version: str) -> str:
        return f"http://127.0.0.1/{version}"

    async def tell(self, steps: Steps[None]) -> None:
        raise AssertionError(f"nothing is to be read; got {steps}")

    def redact(self, text: str) -> str:
        return text

    async def pause(self, request: Request[None], attempt: int) -> None:
        """Waits for nothing."""


@attrs.define
class Shop:
    """Opens downloads, one after another, and remembers them."""

    answers: list[FakeDownload | Exception]
    opened: list[FakeDownload] = attrs.field(factory=list)
    pauses: list[int] = attrs.field(factory=list)

    async def open(self) -> FakeDownload:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.opened.append(answer)
        return answer

    async def pause(self, attempt: int) -> None:
        self.pauses.append(attempt)


def download(
    body: bytes | Sequence[Piece], *, step: int = 2**16, encoding: str = "", proven: bool = True
) -> FakeDownload:
    """Return a download of a body, cut into equal pieces, or of these pieces."""
    pieces: list[Piece] = (
        [body[at : at + step] for at in range(0, len(body), step)] if isinstance(body, bytes) else list(body)
    )
    headers = {"Content-Encoding": encoding} if encoding else {}
    return FakeDownload(pieces, headers, proven)


@attrs.frozen
class Exporting(Generic[T]):
    """Makes exports of one kind, which open the downloads that they are given, one after another."""

    description: str
    reader: Callable[[dt.date | None], RecordReader[T]]

    def __call__(
        self,
        *answers: FakeDownload | Exception,
        shop: Shop | None = None,
        end: dt.date | None = None,
        on_malformed: OnMalformed = "raise",
        max_record_bytes: int = 2**20,
        attempts: int = 3,
    ) -> Export[T]:
        shop = shop or Shop(list(answers))
        spec = (self.description, shop.open, self.reader, end, on_malformed)
        return Export(ExportSpec(*spec, max_record_bytes, attempts, shop.pause))


events = Exporting("events of acme", EventReader)
aggregates = Exporting("aggregates of acme", AggregateReader)
aggregations = Exporting("aggregations of acme", lambda _: AggregationReader())
rollup = Exporting("rollup", RollupReader)
import_log = Exporting("log", lambda _: ImportLogReader())


def csv_body(rows: Sequence[Mapping[str, str]], columns: Sequence[str] = ("type", "time")) -> bytes:
    """Write rows as the service does."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def event_rows(count: int, *, day: int = 1) -> list[dict[str, str]]:
    """Return rows that can be told apart by their type."""
    return [{"type": f"t{n}", "time": f"2024-01-{day:02}T00:00:{n % 60:02}Z"} for n in range(count)]


def row(number: object = 1, **fields: object) -> dict[str, object]:
    """Return an aggregate on the wire."""
    return {"breakdown": "total", "date": "2024-01-01", "package": "p", "total": number} | fields


def ndjson(*rows: Mapping[str, object]) -> bytes:
    """Write rows as the service does."""
    return b"".join(msgspec.json.encode(one) + b"\n" for one in rows)


def cuts(body: bytes, at: Sequence[int]) -> list[bytes]:
    """Cut a body at these places."""
    places = [0, *sorted({place % (len(body) + 1) for place in at}), len(body)]
    return [body[begin:end] for begin, end in pairwise(places) if begin < end]


@attrs.frozen
class Slow:
    """What a splitter should give: a byte at a time, everything held, nothing clever.

    `too_long` is the line of the first record over the limit; `records` are those before it.
    """

    records: list[bytes]
    numbers: list[int]
    too_long: int | None
    in_quotes: bool


def slow_split(body: bytes, limit: int, *, quotes: bool) -> Slow:
    """Split a body a byte at a time."""
    lines: list[tuple[bytes, int, bool]] = []
    body = body.removeprefix(b"\xef\xbb\xbf")
    record, first, line, state = b"", 1, 1, "start"
    for at in range(len(body)):
        char = body[at : at + 1]
        if char == b"\n" and state != "quoted":
            lines.append((record.removesuffix(b"\r"), first, False))
            line += 1
            record, first, state = b"", line, "start"
            continue
        line += char == b"\n"
        record += char
        if quotes:
            state = _next_state(state, char)
    if record:
        lines.append((record, first, state == "quoted"))
    kept = [(text, number, open_) for text, number, open_ in lines if text]
    over = next((at for at, (text, _, _) in enumerate(kept) if len(text) > limit), None)
    good = kept if over is None else kept[:over]
    return Slow(
        [text for text, _, _ in good],
        [number for _, number, _ in good],
        None if over is None else kept[over][1],
        any(open_ for _, _, open_ in good),
    )


def _next_state(state: str, char: bytes) -> str:
    if state == "quoted":
        return "quote" if char == b'"' else "quoted"
    if char == b'"' and state in {"start", "quote"}:
        return "quoted"
    return "start" if char == b"," else "field"


ROWS = event_rows(5)
BODY = csv_body(ROWS)
TYPES = [one["type"] for one in ROWS]
END = dt.date(2024, 1, 2)


async def types(export: Export[Event]) -> list[str]:
    """Read everything."""
    async with export as stream:
        return [event.type async for event in stream]


async def until_error(export: Export[Event]) -> tuple[list[str], ExportError]:
    """Read typed records up to an error, which comes again however often one asks."""
    got: list[Event] = []
    async with export as stream:
        source = aiter(stream)
        with pytest.raises(ExportError) as caught:
            await drain(source, got)
        assert not stream.complete
        with pytest.raises(type(caught.value)):
            await anext(source)
    return [event.type for event in got], caught.value


async def drain(source: AsyncIterator[T], into: list[T]) -> None:
    """Collect items, so that those before an error are kept."""
    async for item in source:
        into.append(item)  # noqa: PERF401 # a comprehension would lose them


class Hanging(FakeDownload):
    """Gives its pieces, then nothing until it is told to."""

    def __init__(self, *pieces: bytes) -> None:
        super().__init__(list(pieces))
        self.waiting = asyncio.Event()
        self.released = asyncio.Event()

    async def read(self) -> bytes:
        if not self.pieces:
            self.waiting.set()
            await self.released.wait()
        return await super().read()
