"""Events that a test puts into the database, and how they come out again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice

from scarf_async.emulator.generator import again, csv_line
from scarf_async.emulator.packages import find_package
from scarf_async.emulator.store import SQLValue, Store, Transaction
from scarf_async.emulator.wire import day

__all__ = ["has_own_events", "own_event_chunks", "store_events"]

_PAGE = 500


def store_events(db: Transaction, package_uuid: str | None, rows: Iterable[Mapping[str, str]]) -> int:
    """Put events of a package, or pixel events (None), into the database; gives back how many."""
    package_id: int | None = None
    if package_uuid is not None:
        package_id = (find_package(db, package_uuid))["id"]
    remaining, count = iter(rows), 0
    while batch := _records(package_id, islice(remaining, _PAGE)):
        db.write_many("INSERT INTO events (package_id, day, cells) VALUES (?, ?, ?)", batch)
        count += len(batch)
    return count


def has_own_events(db: Transaction, package_id: int | None) -> bool:
    """Whether a test put events there, in whatever range; then none are invented."""
    return db.one("SELECT 1 FROM events WHERE package_id IS ? LIMIT 1", package_id) is not None


async def own_event_chunks(
    store: Store, package_id: int | None, first: date, days: int, *, columns: Sequence[str], duplicates: float
) -> AsyncGenerator[bytes, None]:
    """The stored events of so many days from the first on, as they were put in, a page at a time."""
    last = first + timedelta(days=max(days, 1) - 1)
    after = 0
    while days > 0:
        # Each page is a turn of its own, so that a slow reader keeps nobody from the database.
        rows = await store.run(partial(_page, package_id=package_id, after=after, first=first, last=last))
        if not rows:
            return
        after = rows[-1]["id"]
        lines = (_line(row["cells"], columns) for row in rows)
        yield "".join(again(lines, duplicates, f"{package_id}/{after}")).encode()


def _page(db: Transaction, *, package_id: int | None, after: int, first: date, last: date) -> list[sqlite3.Row]:
    return db.all(
        "SELECT id, cells FROM events WHERE package_id IS ? AND id > ? AND day BETWEEN ? AND ? ORDER BY id LIMIT ?",
        package_id,
        after,
        first.isoformat(),
        last.isoformat(),
        _PAGE,
    )


def _records(package_id: int | None, rows: Iterator[Mapping[str, str]]) -> list[Sequence[SQLValue]]:
    return [(package_id, _day_of(row), json.dumps(dict(row))) for row in rows]


def _day_of(row: Mapping[str, str]) -> str:
    """The day in UTC on which the event happened."""
    text = row.get("time", "")
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        if day(text[:10]) is None:
            raise ValueError(f"an event needs a time that begins with a date, not {text!r}") from None
        return text[:10]
    return (moment.astimezone(UTC) if moment.tzinfo is not None else moment).date().isoformat()


def _line(cells: str, columns: Sequence[str]) -> str:
    values: dict[str, str] = json.loads(cells)
    return csv_line([values.get(column, "") for column in columns])
