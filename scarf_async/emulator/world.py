"""The server as its parts see it: its settings and its state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike

import attrs

from scarf_async.emulator.faults import Faults
from scarf_async.emulator.generator import EVENT_COLUMNS, PerDay, event_columns
from scarf_async.emulator.people import People
from scarf_async.emulator.quirks import Quirks
from scarf_async.emulator.store import Store

__all__ = ["World"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@attrs.define(slots=False, eq=False, repr=False)
class World:
    """The settings and the state of a server. `Emulator`, a subclass, describes each setting.

    Public attributes may be changed while it runs.
    """

    _database: str | PathLike[str] = attrs.field(default=":memory:", alias="database")
    token: str = "emulator-token"  # noqa: S105  # it opens nothing but a local emulator
    user: str = "emulator-user"
    _people: Mapping[str, str] | None = attrs.field(default=None, alias="people")
    max_members: int | None = attrs.field(default=None, kw_only=True)
    max_range_days: int | None = attrs.field(default=None, kw_only=True)
    retention_days: int | None = attrs.field(default=None, kw_only=True)
    events_per_day: PerDay = attrs.field(default=50, kw_only=True)
    duplicate_events: float = attrs.field(default=0.0, kw_only=True)
    columns: Sequence[str] = attrs.field(default=EVENT_COLUMNS, kw_only=True)
    seed: int = attrs.field(default=0, kw_only=True)
    gzip: bool = attrs.field(default=False, kw_only=True)
    clock: Callable[[], datetime] = attrs.field(default=_utc_now, kw_only=True)
    quirks: Quirks = attrs.field(factory=Quirks, kw_only=True)
    people: People = attrs.field(init=False)
    faults: Faults = attrs.field(init=False, factory=Faults)
    _store: Store | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        if self.clock().tzinfo is None:
            raise ValueError("the clock needs to return times with a time zone, as datetime.now(UTC) does")
        self.people = People(self.user, self._people)
        self.columns = event_columns(self.columns)

    @property
    def store(self) -> Store:
        """The open database.

        Raises:
            RuntimeError: The emulator is not running.
        """
        if self._store is None:
            raise RuntimeError("the emulator is not running")
        return self._store
