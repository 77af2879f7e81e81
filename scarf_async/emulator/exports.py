"""The exports: aggregates as lines of JSON, events as CSV."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Final

import attrs

from scarf_async.emulator.aggregates import DayCounts
from scarf_async.emulator.answers import Refusal, Stream
from scarf_async.emulator.calls import Call
from scarf_async.emulator.events import has_own_events, own_day_events, own_event_chunks
from scarf_async.emulator.generator import Cells, EventSource, again, chunks, csv_line, day_events, event_lines
from scarf_async.emulator.organizations import find_organization
from scarf_async.emulator.packages import find_package
from scarf_async.emulator.people import person_key
from scarf_async.emulator.selecting import names_matching
from scarf_async.emulator.wire import day
from scarf_async.emulator.world import World

__all__ = [
    "organization_aggregates",
    "owner_events_2022",
    "owner_events_v2",
    "package_events",
    "package_events_v2",
    "pixel_events",
    "pixel_events_v2",
    "user_aggregates",
]

_EVENTS_AT_ONCE: Final = 512
# What v2 calls a month where it is not told the dates: with today, 31 days.
_MONTH: Final = timedelta(days=30)


@attrs.frozen
class _Days:
    """So many days from the first on, perhaps none, of which events are exported that happened up to now."""

    first: date
    count: int
    now: datetime


@attrs.frozen
class _Feed:
    """One source of events, whether its events are a test's own, and the package that it is of."""

    source: EventSource
    package_id: int | None
    own: bool
    uuid: str = ""


def organization_aggregates(call: Call) -> Stream:
    """GET /organizations/{organization-name}/aggregates."""
    days = _days(call, "startDate", "endDate")
    organization = find_organization(call.db, call.params["organization"])
    rows = call.db.all("SELECT * FROM owned_packages WHERE organization_id = ? ORDER BY id", organization["id"])
    return _aggregates(call, rows, days)


def user_aggregates(call: Call) -> Stream:
    """GET /users/{username}/aggregates: of the packages that are the user's own."""
    days = _days(call, "startDate", "endDate")
    username = call.world.people.by_username(call.params["username"])
    if username is None:
        raise Refusal(404, f"There is no user {call.params['username']!r}.", "not-found")
    return _aggregates(call, _packages_of_user(call, username), days)


def package_events(call: Call) -> Stream:
    """GET /packages/{ownerName}/{packageId}/events/{fileName}.csv, and the same without the owner.

    The path without an owner is the one that was published first, and the one that programs are known to use.
    """
    days = _days(call, "startDate", "endDate")
    _refuse_other_files(call)
    return _package_events(call, days)


def package_events_v2(call: Call) -> Stream:
    """GET /v2/packages/{owner_name}/{package_id}/events."""
    days = _days_v2(call)
    _, rows = _packages_of_owner(call, call.params["owner"])
    row = find_package(call.db, call.params["package"])
    if row["id"] not in {owned["id"] for owned in rows}:
        raise _not_of_owner(call, row)
    return _events(call, [_package_feed(call, row)], days, "package-events.csv")


def owner_events_v2(call: Call) -> Stream:
    """GET /v2/packages/{owner_name}/events: of the packages of an organization or a user that `query` means."""
    return _owner_events(call, _days_v2(call), "query")


def owner_events_2022(call: Call) -> Stream:
    """GET /api/v2/{owner_name}/packages/events/{fileName}.csv: the same under its first names."""
    _refuse_other_files(call)
    return _owner_events(call, _days_v2(call, "startDate", "endDate"), "selector")


def pixel_events(call: Call) -> Stream:
    """GET /pixels/events/{filename}.csv: of all pixels "the user has access to"."""
    days = _days(call, "startDate", "endDate")
    _refuse_other_files(call)
    return _pixel_events(call, call.world.user, days)


def pixel_events_v2(call: Call) -> Stream:
    """GET /v2/tracking-pixels/{owner_name}/events."""
    days = _days_v2(call)
    owner, _ = _packages_of_owner(call, call.params["owner"])
    return _pixel_events(call, owner, days)


def _days(call: Call, start_name: str, end_name: str) -> _Days:
    """The range asked for in v1, without its end."""
    start, end = _date(call, start_name), _date(call, end_name)
    if end < start:
        raise Refusal(400, f"{end_name} lies before {start_name}.")
    return _limited(call, start, (end - start).days)


def _days_v2(call: Call, start_name: str = "start_date", end_name: str = "end_date") -> _Days:
    """The range asked for in v2, with its end: the description calls it exclusive, users found it inclusive."""
    start, end = _date_v2(call, start_name), _date_v2(call, end_name)
    if end is None:
        today = _now(call).date()
        end = today if start is None else max(start, today)
    if start is None:
        start = end - _MONTH if end - date.min > _MONTH else date.min
    if end < start:
        raise Refusal(400, f"{end_name} lies before {start_name}.")
    return _limited(call, start, (end - start).days + 1)


def _limited(call: Call, first: date, count: int) -> _Days:
    """So many days, but none in the future; refused where they are more than the server allows."""
    limit = call.world.max_range_days
    if limit is not None and count > limit:
        raise Refusal(400, f"A range may have {limit} days at most.", "range-too-long")
    now = _now(call)
    return _Days(first, max(0, min(count, (now.date() - first).days + 1)), now)


def _now(call: Call) -> datetime:
    return call.world.clock().astimezone(UTC)


def _date_v2(call: Call, name: str) -> date | None:
    """A date, or None where it is left out; refused in the words of the service's parser."""
    if name not in call.query:
        return None
    text = _text_v2(call, name)
    parsed = day(text)
    if parsed is None:
        raise Refusal(400, f"Unable to recognize query parameter: {name}", plain=True)
    return parsed


def _text_v2(call: Call, name: str) -> str:
    text = call.query[name]
    if text is None:
        raise Refusal(400, f"Missing query parameter: {name}", plain=True)
    return text


def _date(call: Call, name: str) -> date:
    text = call.query.get(name)
    if text is None:
        raise Refusal(400, f"Missing query parameter: {name}")
    parsed = day(text)
    if parsed is None:
        raise Refusal(400, f"Unable to recognize query parameter: {name} is to be YYYY-MM-DD.")
    return parsed


def _refuse_other_files(call: Call) -> None:
    if not call.params["file"].endswith(".csv"):
        raise Refusal(404, "The name of the file ends in .csv.", "not-found")


def _packages_of_user(call: Call, username: str) -> list[sqlite3.Row]:
    if person_key(username) != person_key(call.world.user):
        return []
    return call.db.all("SELECT * FROM owned_packages WHERE username = ? ORDER BY id", call.world.user)


def _packages_of_owner(call: Call, owner: str) -> tuple[str, list[sqlite3.Row]]:
    """An organization or a user, in any case of letters, and the packages; 404 where there is neither."""
    organization = call.db.one(
        "SELECT id, name FROM organizations WHERE name = ?1 COLLATE NOCASE ORDER BY name <> ?1", owner
    )
    if organization is not None:
        sql = "SELECT * FROM owned_packages WHERE organization_id = ? ORDER BY id"
        return organization["name"], call.db.all(sql, organization["id"])
    username = call.world.people.by_username(owner)
    if username is None or person_key(username) != person_key(call.world.user):
        raise Refusal(404, f"There is no organization or user {owner!r}.", "not-found")
    return username, _packages_of_user(call, username)


def _aggregates(call: Call, rows: Sequence[sqlite3.Row], days: _Days) -> Stream:
    feeds = [_package_feed(call, row) for row in rows]
    return Stream("application/x-ndjson", _aggregate_chunks(call.world, feeds, days))


async def _aggregate_chunks(world: World, feeds: Sequence[_Feed], days: _Days) -> AsyncGenerator[bytes, None]:
    """The aggregates of every feed, day by day; pieces without anything in them give way to others meanwhile."""
    for feed in feeds:
        counts: DayCounts | None = None
        async with aclosing(_day_events(world, feed, days)) as batches:
            async for of_day, events in batches:
                if counts is None or counts.day != of_day:
                    yield b"" if counts is None else counts.lines()
                    counts = DayCounts(of_day, feed.uuid, feed.source.library_type or "")
                counts.add(events)
                yield b""
        if counts is not None:
            yield counts.lines()


async def _day_events(world: World, feed: _Feed, days: _Days) -> AsyncGenerator[tuple[date, Sequence[Cells]], None]:
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


def _owner_events(call: Call, days: _Days, query_name: str) -> Stream:
    _, rows = _packages_of_owner(call, call.params["owner"])
    if query_name in call.query:
        wanted = names_matching(_text_v2(call, query_name))
        rows = [row for row in rows if wanted.fullmatch(row["name"])]
    return _events(call, [_package_feed(call, row) for row in rows], days, "package-events.csv")


def _package_events(call: Call, days: _Days) -> Stream:
    row = find_package(call.db, call.params["package"])
    if call.params.get("owner", row["owner"]) != row["owner"]:
        raise _not_of_owner(call, row)
    return _events(call, [_package_feed(call, row)], days, "package-events.csv")


def _not_of_owner(call: Call, row: sqlite3.Row) -> Refusal:
    return Refusal(404, f"{call.params['owner']!r} has no package {row['uuid']}.", "not-found")


def _package_feed(call: Call, row: sqlite3.Row) -> _Feed:
    source = EventSource(_key(row), row["library_type"], row["name"])
    return _Feed(source, row["id"], has_own_events(call.db, row["id"]), row["uuid"])


def _pixel_events(call: Call, owner: str, days: _Days) -> Stream:
    feed = _Feed(EventSource(f"pixels of {owner}"), None, has_own_events(call.db, None))
    return _events(call, [feed], days, "pixel-events.csv")


def _events(call: Call, feeds: Sequence[_Feed], days: _Days, filename: str) -> Stream:
    return Stream("text/csv", _event_chunks(call.world, feeds, days), filename)


async def _event_chunks(world: World, feeds: Sequence[_Feed], days: _Days) -> AsyncGenerator[bytes, None]:
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
