"""The arguments of a handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from scarf_async.emulator.answers import JSON, Reply
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.wire import Fields
from scarf_async.emulator.world import World

__all__ = ["Call", "Endpoints", "Handler", "Target"]


@attrs.frozen
class Target:
    """The target of a request, as received.

    Attributes:
        origin: The scheme and the host by which the client calls the server.
        path: The path, percent-encoded.
        query: The query, percent-encoded.
    """

    origin: str = ""
    path: str = ""
    query: str = ""


@attrs.frozen
class Call:
    """One authorized request, with its path resolved and its body parsed.

    Attributes:
        world: The server.
        db: The transaction in which the handler runs.
        params: The decoded variables of the path, by name.
        query: The query parameters; the first value of a repeated one, None for one without `=`.
        body: The parsed body; None for methods without one, and if it is not JSON.
        raw: The body if it is not JSON.
        target: The target of the request.
    """

    world: World
    db: Transaction
    params: Mapping[str, str]
    query: Mapping[str, str | None]
    body: JSON
    target: Target = Target()
    raw: bytes = b""

    def fields(self) -> Fields:
        """The fields of the body, which most endpoints expect to be an object."""
        return Fields.of(self.body)


Handler: TypeAlias = Callable[[Call], Reply]
Endpoints: TypeAlias = Mapping[str, Mapping[str, Handler]]
