"""What a handler is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias

import attrs

from scarf_async.emulator.answers import JSON, Reply
from scarf_async.emulator.faults import Faults
from scarf_async.emulator.people import People
from scarf_async.emulator.store import Store, Transaction
from scarf_async.emulator.wire import Fields

__all__ = ["Call", "Handler", "World"]


class World(Protocol):
    """The server as its parts see it. `Emulator` is one; what is plain there may be changed while it runs."""

    token: str
    user: str
    people: People
    faults: Faults
    clock: Callable[[], datetime]
    max_members: int | None
    max_range_days: int | None
    events_per_day: int
    duplicate_events: float
    columns: Sequence[str]
    seed: int
    gzip: bool

    @property
    def store(self) -> Store:
        """The open database."""
        ...


@attrs.frozen
class Call:
    """One request, past the gate: authorized, its path understood, its body parsed.

    Attributes:
        world: The server.
        db: The transaction in which the handler runs.
        params: The decoded segments of the path, by the names in the table of endpoints.
        query: The parameters of the query; of a repeated one the first, None for one without `=`.
        body: The parsed body; None for methods without one.
    """

    world: World
    db: Transaction
    params: Mapping[str, str]
    query: Mapping[str, str | None]
    body: JSON

    def fields(self) -> Fields:
        """The body as the object that most endpoints expect."""
        return Fields.of(self.body)


Handler: TypeAlias = Callable[[Call], Reply]
