"""A service of aggregations without a socket, and what it answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import attrs

from scarf_async import NotFoundError, ScarfError
from scarf_async.exports.group import Exports
from scarf_async.protocol.messages import Request
from scarf_async.protocol.steps import Steps

from .fakes import FakeClient, FakeDownload, Piece, ndjson

__all__ = ["Service", "answer", "row"]


def row(number: object = 1, **fields: object) -> dict[str, object]:
    """Return an aggregation on the wire."""
    return {"breakdown": "by-total", "date": "2024-01-01", "artifact": "p", "total": number} | fields


def answer(
    *numbers: object, body: bytes | list[Piece] | None = None, looked_at: tuple[str, str] | None = None
) -> FakeDownload:
    """Return a response of rows with these totals, or of this body."""
    pieces = [ndjson(*map(row, numbers))] if body is None else [body] if isinstance(body, bytes) else body
    names = ("X-Scarf-Effective-Start-Date", "X-Scarf-Effective-End-Date")
    headers = {} if looked_at is None else dict(zip(names, looked_at, strict=True))
    return FakeDownload(list(pieces), headers)


@attrs.define
class Service(FakeClient):
    """Answers each window as it is told, and remembers what was asked, and which ids were read.

    Attributes:
        answers: what comes for the days from the first up to the second.
        missing: ids that are not there.
    """

    answers: Callable[[str, str], FakeDownload | ScarfError] = lambda _start, _end: answer(1, 1)
    missing: set[str] = attrs.field(factory=set)
    asked: list[tuple[str, str]] = attrs.field(factory=list)
    read: list[str] = attrs.field(factory=list)
    save_attempts: int = attrs.field(default=2, kw_only=True)

    @property
    def exports(self) -> Exports:
        """The calls."""
        return Exports(self)

    async def download(self, request: Request[None]) -> FakeDownload:
        self.requests.append(request)
        query = parse_qs(urlsplit(request.target).query)
        start, end = query["start_date"][0], query["end_date"][0]
        self.asked.append((start, end))
        given = self.answers(start, end)
        if isinstance(given, ScarfError):
            raise given
        # The days of these tests are over.
        given.headers["Date"] = dt.datetime(2026, 1, 1, tzinfo=dt.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return given

    async def tell(self, steps: Steps[None]) -> None:
        request = next(steps)
        assert isinstance(request, Request)
        self.read.append(request.target)
        if request.target.rpartition("/")[2] in self.missing:
            raise NotFoundError("not here", status=404, method="GET", url=request.target)
