"""The list of what arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs
from multidict import CIMultiDict, CIMultiDictProxy

from scarf_async.emulator.log import Entry, RequestLog

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Received", "ReceivedRequest", "Slot"]


@attrs.frozen
class ReceivedRequest:
    """A request that reached the emulator.

    It is listed on arrival; when more is known of it, a copy that says more takes its place in the list.

    Attributes:
        method: The method.
        path: The path as it arrived, percent-encoding and all.
        query: The query's parameters, decoded; of a repeated one the last.
        headers: The headers, by names in any case; `Authorization` says only that there was one.
        body: The body.
        status: The status that was answered; None where the connection was dropped, and before the answer.
        effective: Whether the request changed the database, now or (a late effect) after its connection was
            dropped.
        fault: The fault that was injected, in words, or None.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    status: int | None = None
    effective: bool = False
    fault: str | None = None


class Slot:
    """One request's place in the list, through which its record is brought up to date."""

    def __init__(self, received: Received, record: ReceivedRequest, entry: Entry | None = None) -> None:
        self._received = received
        self._record = record
        self._entry = entry

    def update(self, *, status: int | None = None, effective: bool | None = None, fault: str | None = None) -> None:
        """Put a copy that says more where the record is, unless somebody has cleared the list meanwhile."""
        old = self._record
        new = attrs.evolve(
            old,
            status=old.status if status is None else status,
            effective=old.effective if effective is None else effective,
            fault=old.fault if fault is None else fault,
        )
        self._record = new
        self._received.replace(old, new)

    def close(self) -> None:
        """Write the request's line into the log, if there is one: nothing more will be answered."""
        if self._entry is not None and self._received.log is not None:
            self._received.log.write(self._entry, self._record.status)


class Received:
    """Lists requests as they arrive.

    Args:
        keep: How many of the newest are kept; None keeps all, which a server that runs for days cannot
            afford.

    Attributes:
        requests: The list.
        log: Where a line is written for each; None: nowhere.
    """

    def __init__(self, keep: int | None = None) -> None:
        self.requests: list[ReceivedRequest] = []
        self.log: RequestLog | None = None
        self._keep = keep
        self._waiting: set[asyncio.Future[None]] = set()

    def arrived(self, request: web.Request, path: str, body: bytes) -> Slot:
        """List a request that has arrived whole."""
        headers = CIMultiDict(request.headers)
        if "Authorization" in headers:
            headers["Authorization"] = "***"
        record = ReceivedRequest(
            request.method,
            path,
            MappingProxyType(dict(request.query)),
            CIMultiDictProxy(headers),
            body,
        )
        self.requests.append(record)
        if self._keep is not None and len(self.requests) > self._keep:
            del self.requests[: -self._keep or None]
        self._wake()
        return Slot(self, record, None if self.log is None else self.log.entry(request, path, body))

    def replace(self, old: ReceivedRequest, new: ReceivedRequest) -> None:
        """Put a record where another is, if it is there still."""
        # From the end, since what is under way is among the newest.
        for index in range(len(self.requests) - 1, -1, -1):
            if self.requests[index] is old:
                self.requests[index] = new
                self._wake()
                return

    async def wait_until(self, condition: Callable[[list[ReceivedRequest]], bool]) -> None:
        """Wait until the list is as it should be, looking whenever it changes."""
        while not condition(self.requests):
            change = asyncio.get_running_loop().create_future()
            self._waiting.add(change)
            try:
                await change
            finally:
                self._waiting.discard(change)

    def _wake(self) -> None:
        for change in self._waiting:
            if not change.done():
                change.set_result(None)
