"""The list of received requests, and their log in JSON Lines, for tests in any language."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs
from multidict import CIMultiDict, CIMultiDictProxy

if TYPE_CHECKING:
    from aiohttp import web
    from multidict import MultiMapping

__all__ = ["Received", "ReceivedRequest", "RequestLog", "Slot"]


@attrs.frozen
class ReceivedRequest:
    """A request that reached the emulator.

    It is listed on arrival, and later replaced by a copy that has its outcome.

    Attributes:
        method: The method.
        path: The percent-encoded path.
        query: The decoded query parameters; for a repeated parameter, its last value.
        headers: The headers, with case-insensitive names; the value of `Authorization` is masked.
        body: The body.
        status: The status of the response; None before it is sent, or if the connection was dropped.
        effective: Whether the request changed the database, even if only after its connection was dropped.
        fault: The name of the injected fault, or None.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    status: int | None = None
    effective: bool = False
    fault: str | None = None


class RequestLog:
    """A file that lines are appended to.

    Args:
        path: The file; its contents are kept.
        token: The token that the server accepts.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, path: str | PathLike[str], token: str) -> None:
        self._token = token
        # JSON in a body may contain lone surrogates, which cannot be written to a file.
        self._file = open(path, "a", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: PTH123, SIM115 # any path; `close` closes it

    def write(self, record: ReceivedRequest, query: MultiMapping[str], sent: str) -> None:
        """Add the line of a request that has been answered, or whose connection was dropped.

        It contains neither the server's token nor the one that was sent. The value of a repeated parameter is a
        list; bytes that are not UTF-8 are escaped.
        """

        def clean(text: str) -> str:
            for token in filter(None, (self._token, sent)):
                for spelled in (token, quote(token, safe="")):
                    text = text.replace(spelled, "***")
            return text

        values = {name: [*map(clean, query.getall(name))] for name in query}
        line = {
            "method": record.method,
            "path": clean(record.path),
            "query": {clean(name): found[0] if len(found) == 1 else found for name, found in values.items()},
            "status": record.status,
            "body": clean(record.body.decode("utf-8", "backslashreplace")),
        }
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Slot:
    """The place of a request in the list, for updating its record."""

    def __init__(self, received: Received, record: ReceivedRequest, query: MultiMapping[str], sent: str) -> None:
        self._received = received
        self._record = record
        self._query = query
        self._sent = sent

    def update(self, *, status: int | None = None, effective: bool | None = None, fault: str | None = None) -> None:
        """Replace the record with an updated copy, unless the list was cleared."""
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
        """Write the line of the request to the log, if there is one: its outcome is final."""
        if self._received.log is not None:
            self._received.log.write(self._record, self._query, self._sent)


class Received:
    """Lists requests as they arrive.

    Args:
        keep: How many of the newest requests to keep; None keeps all, which needs too much memory in a server that
            runs for days.

    Attributes:
        requests: The list.
        log: The log to write each request to, or None.
    """

    def __init__(self, keep: int | None = None) -> None:
        self.requests: list[ReceivedRequest] = []
        self.log: RequestLog | None = None
        self._keep = keep
        self._waiting: set[asyncio.Future[None]] = set()

    def arrived(self, request: web.Request, path: str, body: bytes) -> Slot:
        """List a request that has arrived completely."""
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
        sent = request.headers.get("Authorization", "").partition(" ")[2].strip()
        return Slot(self, record, request.query, sent)

    def replace(self, old: ReceivedRequest, new: ReceivedRequest) -> None:
        """Replace a record, if it is still listed."""
        # Search from the end, since requests in progress are among the newest.
        for index in range(len(self.requests) - 1, -1, -1):
            if self.requests[index] is old:
                self.requests[index] = new
                self._wake()
                return

    async def wait_until(self, condition: Callable[[list[ReceivedRequest]], bool]) -> None:
        """Wait until the list fulfils a condition, which is checked whenever the list changes."""
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
