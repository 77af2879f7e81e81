"""The contents of exports: aggregates and events over days. Each version has its own requests for them."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from itertools import islice, product
from typing import Final

import attrs

from scarf_async.emulator.answers import Refusal, Stream
from scarf_async.emulator.events import Pixels, Whose, has_own_events, own_day_events, own_event_chunks
from scarf_async.emulator.generator import (
    EVENT_COLUMNS,
    Cells,
    EventSource,
    again,
    chunks,
    count_of,
    csv_cell,
    csv_line,
    day_events,
    event_lines,
)
from scarf_async.emulator.model.aggregates import Counts, Sums
from scarf_async.emulator.model.owners import Owner
from scarf_async.emulator.model.packages import packages_of
from scarf_async.emulator.model.pixels import pixels_of
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.world import World

__all__ = [
    "Days",
    "Feed",
    "events_by_day",
    "events_of_all_pixels",
    "events_of_company",
    "events_of_packages",
    "events_of_pixels",
    "limited_days",
    "package_feed",
    "pixel_feed",
    "present",
    "recent_installs",
    "rollup_of_pixels",
    "sums_of_packages",
]

_EVENTS_AT_ONCE: Final = 512
_MONTH: Final = timedelta(days=30)
_ROLLUP_COLUMNS: Final = ("date", "pixel", "pixel_name", "company", "company_domain", "total", "total_unique")
_PIXEL, _COMPANY, _DOMAIN, _ORIGIN = map(
    EVENT_COLUMNS.index, ("pixel", "origin_company", "origin_domain", "origin_id")
)


@attrs.frozen
class Days:
    """A range of days, possibly empty; events up to now are exported."""

    first: date
    count: int
    now: datetime


@attrs.frozen
class Feed:
    """One source of events, its stored events, and whether it has any."""

    source: EventSource
    whose: Whose
    own: bool
    uuid: str = ""


def present(world: World) -> datetime:
    """The server's time, in UTC."""
    return world.clock().astimezone(UTC)


def limited_days(world: World, first: date, count: int) -> Days:
    """Return a range without days in the future; refuse more days than the server allows."""
    limit = world.max_range_days
    if limit is not None and count > limit:
        raise Refusal(400, f"A range may have {limit} days at most.", "range-too-long")
    now = present(world)
    return Days(first, max(0, min(count, (now.date() - first).days + 1)), now)


def sums_of_packages(
    world: World, db: Transaction, rows: Sequence[sqlite3.Row], days: Days, *wanted: Sums
) -> Stream:
    """The aggregates of packages, as lines of JSON, in each of the requested forms."""
    feeds = [package_feed(db, row) for row in rows]
    return Stream("application/x-ndjson", _aggregate_chunks(world, feeds, days, wanted))


def events_of_packages(world: World, db: Transaction, rows: Sequence[sqlite3.Row], days: Days) -> Stream:
    """The events of packages, as CSV."""
    feeds = [package_feed(db, row) for row in rows]
    return Stream("text/csv", _event_chunks(world, feeds, days), "package-events.csv")


def events_of_pixels(
    world: World, db: Transaction, owner: Owner, days: Days, pixel: sqlite3.Row | None = None
) -> Stream:
    """The events of an owner's pixels, or of one of them, as CSV."""
    return Stream("text/csv", _event_chunks(world, [pixel_feed(db, owner, pixel)], days), "pixel-events.csv")


def events_of_all_pixels(world: World, db: Transaction, days: Days) -> Stream:
    """The events of all pixels, which v1 shows to everyone, as CSV."""
    feed = Feed(EventSource(f"pixels of {world.user}"), None, has_own_events(db, None))
    return Stream("text/csv", _event_chunks(world, [feed], days), "pixel-events.csv")


def events_of_company(world: World, db: Transaction, owner: Owner, domain: str, days: Days) -> Stream:
    """The events of an owner's packages and pixels that come from a company, as CSV."""
    feeds = [*(package_feed(db, row) for row in packages_of(db, owner)), pixel_feed(db, owner)]
    return Stream("text/csv", _company_chunks(world, feeds, domain, days), "company-events.csv")


def rollup_of_pixels(world: World, db: Transaction, owner: Owner, days: Days) -> Stream:
    """How often companies have seen an owner's pixels, by day, as CSV."""
    names = {row["uuid"]: row["name"] for row in pixels_of(db, owner)}
    return Stream("text/csv", _rollup_chunks(world, pixel_feed(db, owner), names, days), "pixel-rollup.csv")


def recent_installs(world: World, db: Transaction, package_id: int) -> int | None:
    """The number of events of a package in the 30 days before today; None if there were none."""
    today = present(world).date()
    if not has_own_events(db, package_id):
        days = (today - timedelta(number) for number in range(1, _MONTH.days + 1))
        return sum(count_of(world.events_per_day, day) for day in days) or None
    sql = "SELECT count(*) AS events FROM events WHERE package_id = ? AND day >= ? AND day < ?"
    row = db.one(sql, package_id, (today - _MONTH).isoformat(), today.isoformat())
    return None if row is None else row["events"] or None


def pixel_feed(db: Transaction, owner: Owner, pixel: sqlite3.Row | None = None) -> Feed:
    """The events of an owner's pixels, or of one of them."""
    whose = Pixels(owner, pixel)
    key = f"pixels of {owner.name}" if pixel is None else f"pixel {owner.name}/{pixel['name']}"
    return Feed(EventSource(key), whose, has_own_events(db, whose))


def package_feed(db: Transaction, row: sqlite3.Row) -> Feed:
    """The events of a package."""
    source = EventSource(_key(row), row["library_type"], row["name"])
    return Feed(source, row["id"], has_own_events(db, row["id"]), row["uuid"])


async def _aggregate_chunks(
    world: World, feeds: Sequence[Feed], days: Days, wanted: Sequence[Sums]
) -> AsyncGenerator[bytes, None]:
    """Yield the aggregates of every feed, day by day, and empty chunks so that others can run."""
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
    """Yield the events of a feed, each once, day by day, in batches."""
    if feed.own:
        own = own_day_events(world.store, feed.whose, days.first, days.count, now=days.now)
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
    """Yield the header, then every feed: stored events, else generated ones."""
    columns, duplicates = tuple(world.columns), world.duplicate_events
    yield csv_line(columns).encode()
    for feed in feeds:
        if feed.own:
            own = own_event_chunks(
                world.store,
                feed.whose,
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


async def _company_chunks(
    world: World, feeds: Sequence[Feed], domain: str, days: Days
) -> AsyncGenerator[bytes, None]:
    places = [EVENT_COLUMNS.index(name) if name in EVENT_COLUMNS else None for name in world.columns]
    wanted = csv_cell(domain).casefold()
    yield csv_line(world.columns).encode()
    for feed in feeds:
        async with aclosing(events_by_day(world, feed, days)) as batches:
            async for _, events in batches:
                found = [cells for cells in events if cells[_DOMAIN].casefold() == wanted]
                rows = (",".join("" if place is None else cells[place] for place in places) for cells in found)
                yield "".join(f"{row}\n" for row in rows).encode()


async def _rollup_chunks(
    world: World, feed: Feed, names: Mapping[str, str], days: Days
) -> AsyncGenerator[bytes, None]:
    totals: Counter[tuple[str, str, str, str]] = Counter()
    origins: defaultdict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    async with aclosing(events_by_day(world, feed, days)) as batches:
        async for of_day, events in batches:
            for cells in events:
                if cells[_DOMAIN]:
                    key = (of_day.isoformat(), cells[_PIXEL], cells[_COMPANY], cells[_DOMAIN])
                    totals[key] += 1
                    origins[key].add(cells[_ORIGIN])
            yield b""
    yield csv_line(_ROLLUP_COLUMNS).encode()
    for key, total in sorted(totals.items()):
        of_date, pixel, company, domain = key
        name = csv_cell(names.get(pixel, ""))
        yield f"{of_date},{pixel},{name},{company},{domain},{total},{len(origins[key])}\n".encode()


def _key(row: sqlite3.Row) -> str:
    """The key of a package that is the same in every run, unlike its UUID."""
    return f"{row['owner']}/{row['library_type']}/{row['name']}"
