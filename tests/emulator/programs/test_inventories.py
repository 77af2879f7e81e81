"""Programs that make an inventory: organizations and packages, and the events of each."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, timedelta

from scarf_async.emulator import Emulator
from scarf_async.emulator.generator import event_columns

from ..conftest import Client
from .conftest import CURL, REQUESTS, Send


async def test_fixinventory(call: Client, send: Send) -> None:
    """The collector reads an organization, then all packages, and finds the organization by their owner."""
    await call.organization("acme")
    await call.package("tool", organization="acme", longDescription="")
    await call.package("acme/web", "docker", organization="acme")
    await call.package("alone")

    status, body = await send("GET", "/api/v1/organizations/acme", REQUESTS)
    assert status == 200
    organization = json.loads(body)
    assert {"name", "description", "billingEmail", "createdAt", "updatedAt"} <= organization.keys()
    status, body = await send("GET", "/api/v1/packages", REQUESTS)
    assert status == 200
    packages = json.loads(body)
    assert [package["owner"] == organization["name"] for package in packages] == [True, True, False]
    for package in packages:
        assert {"uuid", "name", "shortDescription", "libraryType"} <= package.keys()
        assert datetime.fromisoformat(package["createdAt"]).tzinfo is UTC
    # Every other status makes it log the text of the response and go on.
    status, body = await send("GET", "/api/v1/organizations/nobody", REQUESTS)
    assert (status, b"nobody" in body) == (404, True)


async def test_scarfgatewaystats_of_january_2022(call: Client, emulator: Emulator, send: Send) -> None:
    """The list gives names and ids of file packages; in a package's CSV, columns 5, 8, 9 are cut by position."""
    emulator.columns = event_columns(["2022"])
    uuid = await call.package("amtm")
    await call.package("image", "docker")
    status, body = await send("GET", "/api/v1/packages", CURL)
    assert status == 200
    files = [(one["name"], one["uuid"]) for one in json.loads(body) if one["libraryType"] == "file"]
    assert files == [("amtm", uuid)]
    target = f"/api/v1/packages/{uuid}/events/amtm.csv?startDate=2022-01-03&endDate=2022-01-05"
    status, body = await send("GET", target, CURL)
    assert status == 200
    header, *rows = csv.reader(body.decode().splitlines(keepends=True))
    cut = [[row[number - 1] for number in (5, 8, 9)] for row in (header, *rows)]
    assert cut[0] == ["time", "variables", "origin_id"]
    assert len(rows) == 100
    for time, variables, origin in cut[1:]:
        assert "2022-01-03" <= time[:10] < "2022-01-05"
        assert datetime.fromisoformat(time).timestamp() > 0
        assert all(pair.count("=") == 1 for pair in filter(None, variables.split("&")))
        assert origin


async def test_a_range_without_events_is_a_header(call: Client, emulator: Emulator, send: Send) -> None:
    """The same program takes more than one line for statistics, and one for none."""
    emulator.events_per_day = 0
    uuid = await call.package("amtm")
    target = f"/api/v1/packages/{uuid}/events/amtm.csv?startDate=2022-01-03&endDate=2022-01-04"
    status, body = await send("GET", target, CURL)
    assert (status, body.count(b"\n")) == (200, 1)


async def test_the_days_of_falco(call: Client, emulator: Emulator, send: Send) -> None:
    """Ninety days, one by one, each with its start as its end: each is whole, and together they are the range."""
    emulator.events_per_day = 3
    await call.organization("falco")
    uuid = await call.package("falco", organization="falco")
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(90)]

    async def ids(start: date, end: date) -> list[tuple[str, str]]:
        target = f"/v2/packages/falco/{uuid}/events?start_date={start}&end_date={end}"
        status, body = await send("GET", target, CURL)
        assert status == 200
        return [(row["time"][:10], row["id"]) for row in csv.DictReader(body.decode().splitlines(keepends=True))]

    seen = []
    for day in days:
        rows = await ids(day, day)
        assert [time for time, _ in rows] == [day.isoformat()] * 3
        seen += rows
    assert sorted(await ids(days[0], days[-1])) == sorted(seen)
