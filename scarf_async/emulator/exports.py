"""The exports: aggregates as lines of JSON, events as CSV."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from datetime import date
from itertools import chain, islice
from typing import Final

import attrs

from scarf_async.emulator.aggregates import Counted, aggregate_lines
from scarf_async.emulator.answers import Refusal, Stream
from scarf_async.emulator.calls import Call, World
from scarf_async.emulator.events import has_own_events, own_event_chunks
from scarf_async.emulator.generator import EventSource, again, chunks, csv_line, event_lines
from scarf_async.emulator.organizations import find_organization
from scarf_async.emulator.packages import find_package
from scarf_async.emulator.people import person_key
from scarf_async.emulator.wire import day

__all__ = [
    "organization_aggregates",
    "owner_events_v2",
    "package_events",
    "package_events_v2",
    "pixel_events",
    "pixel_events_v2",
    "user_aggregates",
]

_LINES_PER_CHUNK: Final = 512


@attrs.frozen
class _Days:
    """So many days from the first on, perhaps none."""

    first: date
    count: int


@attrs.frozen
class _Feed:
    """One source of events, and whether its events are a test's own."""

    source: EventSource
    package_id: int | None
    own: bool


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
    return _package_events(call, _days(call, "start_date", "end_date", inclusive=True))


def owner_events_v2(call: Call) -> Stream:
    """GET /v2/packages/{owner_name}/events: of all packages of an organization or a user."""
    days = _days(call, "start_date", "end_date", inclusive=True)
    rows = _packages_of_owner(call, call.params["owner"])
    feeds = [_package_feed(call, row) for row in rows]
    return _events(call, feeds, days, "package-events.csv")


def pixel_events(call: Call) -> Stream:
    """GET /pixels/events/{filename}.csv: of all pixels "the user has access to"."""
    days = _days(call, "startDate", "endDate")
    _refuse_other_files(call)
    return _pixel_events(call, call.world.user, days)


def pixel_events_v2(call: Call) -> Stream:
    """GET /v2/tracking-pixels/{owner_name}/events."""
    days = _days(call, "start_date", "end_date", inclusive=True)
    _packages_of_owner(call, call.params["owner"])
    return _pixel_events(call, call.params["owner"], days)


def _days(call: Call, start_name: str, end_name: str, *, inclusive: bool = False) -> _Days:
    """The range asked for. The description calls every end exclusive; users found v2's inclusive."""
    start, end = _date(call, start_name), _date(call, end_name)
    if end < start:
        raise Refusal(400, f"{end_name} lies before {start_name}.")
    count = (end - start).days + (1 if inclusive else 0)
    limit = call.world.max_range_days
    if limit is not None and count > limit:
        raise Refusal(400, f"A range may have {limit} days at most.", "range-too-long")
    return _Days(start, count)


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


def _packages_of_owner(call: Call, owner: str) -> list[sqlite3.Row]:
    """The packages of an organization or a user of this name; 404 where there is neither."""
    organization = call.db.one("SELECT id FROM organizations WHERE name = ?", owner)
    if organization is not None:
        return call.db.all("SELECT * FROM owned_packages WHERE organization_id = ? ORDER BY id", organization["id"])
    username = call.world.people.by_username(owner)
    if username is None or person_key(username) != person_key(call.world.user):
        raise Refusal(404, f"There is no organization or user {owner!r}.", "not-found")
    return _packages_of_user(call, username)


def _aggregates(call: Call, rows: Sequence[sqlite3.Row], days: _Days) -> Stream:
    packages = [Counted(_key(row), row["uuid"], row["library_type"]) for row in rows]
    lines = chain.from_iterable(
        aggregate_lines(package, days.first, days.count, seed=call.world.seed) for package in packages
    )
    return Stream("application/x-ndjson", _joined(lines))


async def _joined(lines: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    while batch := b"".join(islice(lines, _LINES_PER_CHUNK)):
        yield batch


def _package_events(call: Call, days: _Days) -> Stream:
    row = find_package(call.db, call.params["package"])
    if call.params.get("owner", row["owner"]) != row["owner"]:
        raise Refusal(404, f"{call.params['owner']!r} has no package {row['uuid']}.", "not-found")
    return _events(call, [_package_feed(call, row)], days, "package-events.csv")


def _package_feed(call: Call, row: sqlite3.Row) -> _Feed:
    source = EventSource(_key(row), row["library_type"], row["name"])
    return _Feed(source, row["id"], has_own_events(call.db, row["id"]))


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
                world.store, feed.package_id, days.first, days.count, columns=columns, duplicates=duplicates
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
        )
        for chunk in chunks(again(lines, duplicates, feed.source.key)):
            yield chunk


def _key(row: sqlite3.Row) -> str:
    """What names a package in every run, which its UUID does not."""
    return f"{row['owner']}/{row['library_type']}/{row['name']}"
