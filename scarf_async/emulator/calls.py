"""What a handler is given."""

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
    """What a request was sent to, as it arrived.

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
    """One request, past the gate: authorized, its path understood, its body parsed.

    Attributes:
        world: The server.
        db: The transaction in which the handler runs.
        params: The decoded segments of the path, by the names in the table of endpoints.
        query: The parameters of the query; of a repeated one the first, None for one without `=`.
        body: The parsed body; None for methods without one, and where it is not JSON.
        raw: The body of a call that is not JSON.
        target: What the request was sent to.
    """

    world: World
    db: Transaction
    params: Mapping[str, str]
    query: Mapping[str, str | None]
    body: JSON
    target: Target = Target()
    raw: bytes = b""

    def fields(self) -> Fields:
        """The body as the object that most endpoints expect."""
        return Fields.of(self.body)


Handler: TypeAlias = Callable[[Call], Reply]
Endpoints: TypeAlias = Mapping[str, Mapping[str, Handler]]
