"""What exports hold: aggregates and events over days. Each version says how they are asked for."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from itertools import islice, product
from typing import Final

import attrs

from scarf_async.emulator.aggregates import Counts, Sums
from scarf_async.emulator.answers import Refusal, Stream
from scarf_async.emulator.events import has_own_events, own_day_events, own_event_chunks
from scarf_async.emulator.generator import Cells, EventSource, again, chunks, csv_line, day_events, event_lines
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.world import World

__all__ = [
    "Days",
    "Feed",
    "events_by_day",
    "events_of_packages",
    "events_of_pixels",
    "limited_days",
    "package_feed",
    "pixel_feed",
    "present",
    "recent_installs",
    "sums_of_packages",
]

_EVENTS_AT_ONCE: Final = 512
_MONTH: Final = timedelta(days=30)


@attrs.frozen
class Days:
    """So many days from the first on, perhaps none, of which events are exported that happened up to now."""

    first: date
    count: int
    now: datetime


@attrs.frozen
class Feed:
    """One source of events, whether its events are a test's own, and the package that it is of."""

    source: EventSource
    package_id: int | None
    own: bool
    uuid: str = ""


def present(world: World) -> datetime:
    """The world's time, in UTC."""
    return world.clock().astimezone(UTC)


def limited_days(world: World, first: date, count: int) -> Days:
    """So many days, but none in the future; refused where they are more than the server allows."""
    limit = world.max_range_days
    if limit is not None and count > limit:
        raise Refusal(400, f"A range may have {limit} days at most.", "range-too-long")
    now = present(world)
    return Days(first, max(0, min(count, (now.date() - first).days + 1)), now)


def sums_of_packages(
    world: World, db: Transaction, rows: Sequence[sqlite3.Row], days: Days, *wanted: Sums
) -> Stream:
    """The aggregates of packages, as lines of JSON, put together in each of the ways that are wanted."""
    feeds = [package_feed(db, row) for row in rows]
    return Stream("application/x-ndjson", _aggregate_chunks(world, feeds, days, wanted))


def events_of_packages(world: World, db: Transaction, rows: Sequence[sqlite3.Row], days: Days) -> Stream:
    """The events of packages, as CSV."""
    feeds = [package_feed(db, row) for row in rows]
    return Stream("text/csv", _event_chunks(world, feeds, days), "package-events.csv")


def events_of_pixels(world: World, db: Transaction, owner: str, days: Days) -> Stream:
    """The events of an owner's pixels, as CSV."""
    return Stream("text/csv", _event_chunks(world, [pixel_feed(db, owner)], days), "pixel-events.csv")


def recent_installs(world: World, db: Transaction, package_id: int) -> int | None:
    """How many events a package had in the 30 days before today; None where there were none."""
    today = present(world).date()
    if not has_own_events(db, package_id):
        return world.events_per_day * _MONTH.days or None
    sql = "SELECT count(*) AS events FROM events WHERE package_id = ? AND day >= ? AND day < ?"
    row = db.one(sql, package_id, (today - _MONTH).isoformat(), today.isoformat())
    return None if row is None else row["events"] or None


def pixel_feed(db: Transaction, owner: str) -> Feed:
    """The events of an owner's pixels."""
    return Feed(EventSource(f"pixels of {owner}"), None, has_own_events(db, None))


def package_feed(db: Transaction, row: sqlite3.Row) -> Feed:
    """The events of a package."""
    source = EventSource(_key(row), row["library_type"], row["name"])
    return Feed(source, row["id"], has_own_events(db, row["id"]), row["uuid"])


async def _aggregate_chunks(
    world: World, feeds: Sequence[Feed], days: Days, wanted: Sequence[Sums]
) -> AsyncGenerator[bytes, None]:
    """The aggregates of every feed, day by day; pieces without anything in them give way to others meanwhile."""
    for sums, feed in product(wanted, feeds):
        counts: Counts | None = None
        async with aclosing(events_by_day(world, feed, days)) as batches:
            async for of_day, events in batches:
                if counts is None or counts.day != sums.first(of_day):
                    yield b"" if counts is None else counts.lines(sums)
                    counts = Counts(sums.first(of_day), feed.uuid, feed.source.library_type or "")
                counts.add(events)
                yield b""
        if counts is not None:
            yield counts.lines(sums)


async def events_by_day(world: World, feed: Feed, days: Days) -> AsyncGenerator[tuple[date, Sequence[Cells]], None]:
    """The events of a feed, each once, day by day and some at a time."""
    if feed.own:
        own = own_day_events(world.store, feed.package_id, days.first, days.count, now=days.now)
        async with aclosing(own):
            async for batch in own:
                yield batch
        return
    for number in range(days.count):
        of_day = days.first + timedelta(days=number)
        events = day_events(feed.source, of_day, per_day=world.events_per_day, seed=world.seed, now=days.now)
        while some := list(islice(events, _EVENTS_AT_ONCE)):
            yield of_day, some


async def _event_chunks(world: World, feeds: Sequence[Feed], days: Days) -> AsyncGenerator[bytes, None]:
    """The header, then every feed: a test's own events, else invented ones."""
    columns, duplicates = tuple(world.columns), world.duplicate_events
    yield csv_line(columns).encode()
    for feed in feeds:
        if feed.own:
            own = own_event_chunks(
                world.store,
                feed.package_id,
                days.first,
                days.count,
                columns=columns,
                duplicates=duplicates,
                now=days.now,
            )
            async with aclosing(own):
                async for chunk in own:
                    yield chunk
            continue
        lines = event_lines(
            feed.source,
            days.first,
            days.count,
            per_day=world.events_per_day,
            seed=world.seed,
            columns=columns,
            now=days.now,
        )
        for chunk in chunks(again(lines, duplicates, feed.source.key)):
            yield chunk


def _key(row: sqlite3.Row) -> str:
    """What names a package in every run, which its UUID does not."""
    return f"{row['owner']}/{row['library_type']}/{row['name']}"
