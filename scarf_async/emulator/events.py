"""Events that a test or an import stores, and reading them for exports."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, islice
from typing import Final, TypeAlias

import attrs

from scarf_async.emulator.generator import EVENT_COLUMNS, Cells, again, csv_cell, csv_line
from scarf_async.emulator.model.owners import Owner
from scarf_async.emulator.model.packages import find_package
from scarf_async.emulator.store import SQLValue, Store, Transaction
from scarf_async.emulator.wire import day

__all__ = ["Pixels", "Whose", "has_own_events", "own_day_events", "own_event_chunks", "store_events"]

_PAGE: Final = 500
_IN_ORDER: Final = """
SELECT id, day, cells FROM events WHERE {chosen} AND id > ? AND day BETWEEN ? AND ? ORDER BY id LIMIT ?
"""
_BY_DAY: Final = """
SELECT id, day, cells FROM events WHERE {chosen} AND (day, id) > (?, ?) AND day <= ?
ORDER BY day, id LIMIT ?
"""


@attrs.frozen
class Pixels:
    """The pixels of an owner, or one of them, as a source of stored events.

    Events that a test stored without a pixel are in the exports of all owners' pixels, and in that of the pixel
    with their id or name.

    Attributes:
        owner: The owner of the pixels.
        pixel: The one pixel, or None for all.
    """

    owner: Owner
    pixel: sqlite3.Row | None = None

    @property
    def chosen(self) -> tuple[str, tuple[SQLValue, ...]]:
        """The SQL condition, and its parameters."""
        if self.pixel is not None:
            row = self.pixel
            mine = "pixel_id IS NULL AND json_extract(cells, '$.pixel') IN (?, ?)"
            return f"package_id IS NULL AND (pixel_id = ? OR {mine})", (row["id"], row["uuid"], row["name"])
        theirs = "SELECT id FROM pixels WHERE organization_id IS ? AND username IS ?"
        condition = f"package_id IS NULL AND (pixel_id IS NULL OR pixel_id IN ({theirs}))"  # of ours
        return condition, (self.owner.organization_id, self.owner.username)


Whose: TypeAlias = int | Pixels | None
"""A source of stored events: a package, pixels, or all pixels."""


def _chosen(whose: Whose) -> tuple[str, tuple[SQLValue, ...]]:
    return whose.chosen if isinstance(whose, Pixels) else ("package_id IS ?", (whose,))


def store_events(db: Transaction, package_uuid: str | None, rows: Iterable[Mapping[str, str]]) -> int:
    """Store events of a package, or pixel events (None); return how many."""
    package_id: int | None = None
    if package_uuid is not None:
        package_id = (find_package(db, package_uuid))["id"]
    remaining, count = iter(rows), 0
    while batch := _records(package_id, islice(remaining, _PAGE)):
        db.write_many("INSERT INTO events (package_id, day, cells) VALUES (?, ?, ?)", batch)
        count += len(batch)
    return count


def has_own_events(db: Transaction, whose: Whose) -> bool:
    """Return whether a test or an import stored events, in any range; then none are generated."""
    chosen, values = _chosen(whose)
    return db.one(f"SELECT 1 FROM events WHERE {chosen} LIMIT 1", *values) is not None  # noqa: S608 # of ours


async def own_event_chunks(
    store: Store,
    whose: Whose,
    first: date,
    days: int,
    *,
    columns: Sequence[str],
    duplicates: float,
    now: datetime,
) -> AsyncGenerator[bytes, None]:
    """Yield the stored events of a range up to now, in the order in which they were stored, a page at a time."""
    start, end = _bounds(first, days)
    after = 0
    chosen, values = _chosen(whose)
    sql = _IN_ORDER.format(chosen=chosen)
    # Each page is a separate transaction, so that a slow reader does not block the database.
    while rows := await store.run(_read(sql, *values, after, start, end, _PAGE)):
        after = rows[-1]["id"]
        lines = (csv_line([event.get(column, "") for column in columns]) for event in _past(rows, now))
        yield "".join(again(lines, duplicates, f"{values}/{after}")).encode()


async def own_day_events(
    store: Store, whose: Whose, first: date, days: int, *, now: datetime
) -> AsyncGenerator[tuple[date, list[Cells]], None]:
    """Yield the same events by day, in batches; events that were stored twice come once."""
    start, end = _bounds(first, days)
    day_of_ids, ids = "", set[str]()
    # Before every id of the first day.
    after: tuple[str, int] = start, 0
    chosen, values = _chosen(whose)
    sql = _BY_DAY.format(chosen=chosen)
    while rows := await store.run(_read(sql, *values, *after, end, _PAGE)):
        after = rows[-1]["day"], rows[-1]["id"]
        for text, of_day in groupby(rows, key=lambda row: str(row["day"])):
            if text != day_of_ids:
                day_of_ids, ids = text, set()
            cells: list[Cells] = []
            for event in _past(of_day, now):
                identifier = event.get("id", "")
                if not identifier or identifier not in ids:
                    ids.add(identifier)
                    cells.append(tuple(csv_cell(event.get(column, "")) for column in EVENT_COLUMNS))
            yield date.fromisoformat(text), cells


def _bounds(first: date, days: int) -> tuple[str, str]:
    """Return the first and the last day; the last is before the first if there are none."""
    return first.isoformat(), (first + timedelta(days=days - 1)).isoformat() if days > 0 else ""


def _read(sql: str, *parameters: SQLValue) -> Callable[[Transaction], list[sqlite3.Row]]:
    return lambda db: db.all(sql, *parameters)


def _past(rows: Iterable[sqlite3.Row], now: datetime) -> Iterator[dict[str, str]]:
    """Return the events of rows, without those in the future."""
    today = now.astimezone(UTC).date().isoformat()
    for row in rows:
        event: dict[str, str] = json.loads(row["cells"])
        if row["day"] < today or (row["day"] == today and _moment(event["time"]) <= now):
            yield event


def _records(package_id: int | None, rows: Iterator[Mapping[str, str]]) -> list[Sequence[SQLValue]]:
    return [(package_id, _moment(row.get("time", "")).date().isoformat(), json.dumps(dict(row))) for row in rows]


def _moment(text: str) -> datetime:
    """Return when an event happened, in UTC; the beginning of its day if no time can be read."""
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        if (of_day := day(text[:10])) is None:
            raise ValueError(f"an event needs a time that begins with a date, not {text!r}") from None
        moment = datetime.combine(of_day, time())
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
