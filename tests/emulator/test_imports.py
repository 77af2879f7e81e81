"""Imports, and the exports that are in v2 alone: the same store under both."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Literal

import aiohttp
import attrs
import pytest
from imports.service import Waits

from scarf_async import (
    Event,
    EventImport,
    ImportLogEntry,
    NotFoundError,
    OrganizationUpsert,
    PackageUpsert,
    Scarf,
    UnprocessableError,
)
from scarf_async.clock import Clock
from scarf_async.emulator import Emulator, FaultRule, Quirks

NOW: Final = dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC)
TODAY: Final = ("2026-06-15", "2026-06-16")
TIME: Final = "2026-06-15T01:02:03Z"


class Client(Scarf):
    """A client whose waits take no time."""

    @staticmethod
    def _make_clock() -> Clock:
        return Waits()


@attrs.frozen
class World:
    """An emulator whose imports end at once, a client, a package and a pixel of acme."""

    emulator: Emulator
    scarf: Scarf
    package: str
    pixel: str


async def _post(emulator: Emulator, path: str, json: object) -> str:
    headers = {"Authorization": f"Bearer {emulator.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{emulator.v2_url}{path}", json=json) as response,
    ):
        return str((await response.json())["id"])


@pytest.fixture(params=[0.0])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """What each test has; the parameter is how long an import is active."""
    quirks = Quirks(import_seconds=request.param)
    async with (
        Emulator(clock=lambda: NOW, quirks=quirks) as emulator,
        Client(emulator.token, owner="acme", base_url=emulator.url, v2_url=emulator.v2_url) as scarf,
    ):
        await scarf.organizations.create(
            OrganizationUpsert(name="acme", description="", billing_email="a@b.example")
        )
        package = await scarf.packages.create(
            PackageUpsert(name="web", short_description="", library_type="npm"), "acme"
        )
        pixel = await _post(emulator, "/tracking-pixels/acme", {"name": "docs"})
        yield World(emulator, scarf, package.uuid, pixel)


async def events(export: object) -> list[Event]:
    """Read an export."""
    async with export as stream:  # type: ignore[attr-defined] # each kind of export
        return [event async for event in stream]


async def test_what_is_imported_comes_out_of_its_exports(world: World) -> None:
    """Of the package and of the pixel, and of their owner; with its variables, and nothing invented beside it."""
    scarf = world.scarf
    row = {"$time": TIME, "$version": "1.2", "$user_agent": "curl", "$referrer": "https://r.example"}
    variables = {"mode": "a&b", "none": None}
    sent: list[dict[str, object]] = [
        {**row, **variables, "$package": world.package, "$type": "download"},
        {**row, "$tracking_pixel": world.pixel},
    ]
    report = await scarf.imports.send(sent)
    assert (report.sent, report.imported, report.failed, report.unknown) == (2, 2, 0, 0)
    (event,) = await events(scarf.exports.owner_events(None, *TODAY))
    assert (event.type, event.package, event.version, event.user_agent, event.referer) == (
        "download",
        "web",
        "1.2",
        "curl",
        "https://r.example",
    )
    assert (event.time.isoformat(), event.variable_map) == ("2026-06-15T01:02:03+00:00", {"mode": "a&b"})
    assert await events(scarf.exports.package_events("acme", world.package, *TODAY, api="v2")) == [event]
    (seen,) = await events(scarf.exports.pixel_events(*TODAY, pixel=world.pixel))
    assert (seen.package, seen.pixel) == (None, world.pixel)
    assert await events(scarf.exports.pixel_events(*TODAY, owner="acme", api="v2")) == [seen]
    assert await events(scarf.exports.pixel_events(*TODAY)) == [seen]


async def test_a_unique_id_is_imported_once(world: World) -> None:
    """Of one package; the later row is the one that stays."""
    for version in ("1", "2"):
        rows = [{"$time": TIME, "$unique_id": "u", "$version": version}]
        assert (await world.scarf.imports.send(rows, package=world.package)).imported == 1
    await world.scarf.imports.send([{"$time": TIME, "$unique_id": "u"}], pixel=world.pixel)
    (event,) = await events(world.scarf.exports.owner_events(None, *TODAY))
    assert (event.id, event.version) == ("u", "2")


async def test_a_lost_answer_doubles_nothing(world: World) -> None:
    """With identifiers the batch is sent again; without, it is unknown, and is there once."""
    rule = FaultRule("POST", "*/import", 1, "drop_after")
    for unique, unknown in ((True, 0), (False, 3)):
        world.emulator.faults.add(rule)
        rows = [{"$time": TIME, **({"$unique_id": str(n)} if unique else {})} for n in range(3)]
        assert (await world.scarf.imports.send(rows, package=world.package)).unknown == unknown
    assert len(await events(world.scarf.exports.owner_events(None, *TODAY))) == 6


async def test_what_cannot_be_imported_is_counted_and_in_the_log(world: World) -> None:
    """A row that is too old, one that names nothing that is there, and the rest is imported."""
    old = (NOW - dt.timedelta(days=8)).isoformat()
    names = {"$package": world.package}
    rows = [{"$time": old, **names}, {"$time": TIME, "$package": "none"}, {"$time": TIME, **names}]
    report = await world.scarf.imports.send(rows)
    (batch,) = report.batches
    assert (batch.imported, batch.failed, len(batch.error_sample)) == (1, 2, 2)
    assert batch.id is not None
    async with world.scarf.imports.log(batch.id) as log:
        entries = [entry async for entry in log]
    assert [(entry.type, entry.class_, entry.line) for entry in entries] == [
        ("failed-to-decode", "error", 1),
        ("artifact-not-found", "error", 2),
        ("progress", "info", None),
    ]
    assert isinstance(entries[2], ImportLogEntry)
    assert (entries[2].events_count, entries[2].failed_events_count) == (3, 2)


@pytest.mark.parametrize("world", [3600.0], indirect=True)
async def test_fifteen_imports_of_an_owner_are_active_at_most(world: World) -> None:
    """The next is refused, until one of them has ended; the list says which they are."""
    scarf = world.scarf
    rows = [{"$time": TIME} for _ in range(16)]
    report = await scarf.imports.send(rows, package=world.package, batch=1, concurrency=1, patience=0, wait=False)
    assert [batch.status for batch in report.batches] == [*["importing"] * 15, "failed"]
    assert isinstance(report.batches[15].error, UnprocessableError)
    active = await scarf.imports.list("importing")
    assert {one.id for one in active} == {batch.id for batch in report.batches} - {None}
    assert {(type(one), one.events_successfully_imported) for one in active} == {(EventImport, 0)}
    await scarf.imports.abort(active[0].id)
    assert (await scarf.imports.get(active[0].id)).status == "aborted"
    assert [one.id for one in await scarf.imports.list(["aborted"])] == [active[0].id]
    task = asyncio.create_task(scarf.imports.send(rows[:1], package=world.package, wait=False))
    assert (await task).active == 1


async def test_what_is_not_there_is_not_found(world: World) -> None:
    """An import, a package and a pixel; nothing is sent on."""
    for call in (world.scarf.imports.get("none"), world.scarf.imports.abort("none")):
        with pytest.raises(NotFoundError):
            await call
    for target in ({"package": "none"}, {"pixel": "none"}):
        with pytest.raises(NotFoundError):
            await world.scarf.imports.send([{"$time": TIME}], **target)  # type: ignore[arg-type] # either of two


async def test_events_of_a_company_are_those_with_its_domain(world: World) -> None:
    """Of all packages and pixels of the owner, under the columns of every export of events."""
    everything = await events(world.scarf.exports.owner_events(None, *TODAY))
    pixels = await events(world.scarf.exports.pixel_events(*TODAY, owner="acme", api="v2"))
    found = await events(world.scarf.exports.company_events("Acme.example", *TODAY))
    assert {event.id for event in found} == {
        event.id for event in everything + pixels if event.origin_domain == "acme.example"
    }
    assert found
    assert await events(world.scarf.exports.company_events("nobody.example", *TODAY)) == []


async def test_the_rollup_of_pixels_sums_their_events(world: World, tmp_path: Path) -> None:
    """By day, pixel and company; the day that the service sends beyond the range is left out."""
    export = world.scarf.exports.pixel_rollup("2026-06-13", "2026-06-15")
    async with export as stream:
        rows = [row async for row in stream]
    assert {row["date"] for row in rows} == {"2026-06-13", "2026-06-14"}
    assert stream.records_dropped > 0
    seen = await events(world.scarf.exports.pixel_events("2026-06-13", "2026-06-15", owner="acme", api="v2"))
    assert sum(int(row["total"] or 0) for row in rows) == sum(event.origin_domain is not None for event in seen)
    await export.save(tmp_path / "rollup.csv")
    saved = list(csv.DictReader(io.StringIO((tmp_path / "rollup.csv").read_text())))
    assert [{name: cell or None for name, cell in row.items()} for row in saved] == rows


async def test_programs_that_import_and_export(world: World) -> None:
    """As they are known to: plain lines without a last line end, null values, and a content type on a GET."""
    emulator = world.emulator
    lines = "\n".join(json.dumps({"$time": TIME, "n": n, "none": None}) for n in range(500))
    headers = {"Authorization": f"Bearer {emulator.token}"}
    async with aiohttp.ClientSession(emulator.v2_url.removesuffix("v2"), headers=headers) as session:
        for content_type in ("application/x-ndjson", "application/ndjson", "application/json"):
            where = f"/v2/packages/Acme/{world.package}/import"
            async with session.post(where, data=lines, headers={"Content-Type": content_type}) as answer:
                assert (answer.status, (await answer.json())["events_total"]) == (200, 500)
        async with session.post("/v2/nobody/import", data=lines) as answer:
            assert answer.status == 404
        for path in ("companies/acme/acme.example/events", "companies/acme/pixel-rollup"):
            as_json = {"Content-Type": "application/json"}
            async with session.get(f"/v2/{path}?start_date=2026-06-01", headers=as_json) as answer:
                assert (answer.status, answer.content_type) == (200, "text/csv")
        async with session.get("/v2/companies/acme/pixel-rollup?start_date=June") as answer:
            assert (answer.status, await answer.text()) == (400, "Unable to recognize query parameter: start_date")


@pytest.mark.parametrize("word", ["json", "text", "empty"])
async def test_the_limit_is_told_as_text_or_as_json(word: Literal["json", "text", "empty"]) -> None:
    """Whatever the quirks say of bodies, it is recognized and waited out."""
    quirks = Quirks(import_seconds=3600, error_bodies=word)
    async with (
        Emulator(clock=lambda: NOW, quirks=quirks) as emulator,
        Client(emulator.token, v2_url=emulator.v2_url, owner=emulator.user) as scarf,
    ):
        pixel = await _post(emulator, f"/tracking-pixels/{emulator.user}", {"name": "docs"})
        report = await scarf.imports.send([{"$time": TIME}] * 16, pixel=pixel, batch=1, patience=1, wait=False)
        assert (report.active, report.failed) == (15, 1)
        assert len(emulator.requests_for("POST", "*/import")) == 17


async def test_a_file_of_an_earlier_version_grows(tmp_path: Path) -> None:
    """A database without imports gets them, and its events stay."""
    path = tmp_path / "scarf.db"
    async with Emulator(database=path) as emulator:
        await emulator.add_events(None, [{"time": TIME, "type": "seen"}])
    with sqlite3.connect(path) as database:
        database.executescript(
            "DROP INDEX event_identity; ALTER TABLE events DROP COLUMN pixel_id;"
            "ALTER TABLE events DROP COLUMN unique_id; DROP TABLE imports;"
        )
    database.close()
    async with (
        Emulator(database=path, clock=lambda: NOW) as emulator,
        Client(emulator.token, v2_url=emulator.v2_url, owner=emulator.user) as scarf,
    ):
        (event,) = await events(scarf.exports.pixel_events(*TODAY, api="v2"))
        assert event.type == "seen"
        assert await scarf.imports.list() == []
