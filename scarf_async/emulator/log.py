"""The log of requests: a line of JSON for each, for tests in any language."""

from __future__ import annotations

import json
from os import PathLike
from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs

if TYPE_CHECKING:
    from aiohttp import web
    from multidict import MultiMapping

__all__ = ["Entry", "RequestLog"]


@attrs.frozen
class Entry:
    """A request that has arrived and is not answered yet.

    Attributes:
        method: The method.
        path: The path as it arrived.
        query: The decoded parameters.
        body: The body.
        tokens: What must not be written.
    """

    method: str
    path: str
    query: MultiMapping[str]
    body: bytes
    tokens: tuple[str, ...] = attrs.field(repr=False)

    def line(self, status: int | None) -> str:
        """The line. Of a parameter that is repeated the value is a list; bytes that are not UTF-8 are escaped."""
        values = {name: self.query.getall(name) for name in self.query}
        return json.dumps(
            {
                "method": self.method,
                "path": self._clean(self.path),
                "query": {
                    self._clean(name): self._clean(found[0]) if len(found) == 1 else [*map(self._clean, found)]
                    for name, found in values.items()
                },
                "status": status,
                "body": self._clean(self.body.decode("utf-8", "backslashreplace")),
            },
            ensure_ascii=False,
        )

    def _clean(self, text: str) -> str:
        for token in self.tokens:
            for spelled in (token, quote(token, safe="")):
                text = text.replace(spelled, "***")
        return text


class RequestLog:
    """A file to which lines are added.

    Args:
        path: The file; what is in it already stays.
        token: The token that the server takes.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: str | PathLike[str], token: str) -> None:
        self._token = token
        # Surrogates, which JSON can put into a body, are not text that a file takes.
        self._file = open(path, "a", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: PTH123, SIM115 # any path; `close` closes it

    def entry(self, request: web.Request, path: str, body: bytes) -> Entry:
        """Note what arrived; neither the server's token nor the one that was sent will be in it."""
        sent = request.headers.get("Authorization", "").partition(" ")[2].strip()
        tokens = tuple(token for token in (self._token, sent) if token)
        return Entry(request.method, path, request.query, body, tokens)

    def write(self, entry: Entry, status: int | None) -> None:
        """Add the line of a request that has been answered; None: its connection was dropped."""
        self._file.write(entry.line(status) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
