"""Aggregates are the sums of the very events that the exports serve."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TypeAlias
from urllib.parse import parse_qsl

import aiohttp
import pytest

from scarf_async.emulator import Emulator

from .conftest import JSON, Client

Rows: TypeAlias = list[dict[str, str]]

_RANGE = {"startDate": "2024-01-01", "endDate": "2024-01-04"}
_NOW = datetime(2024, 1, 3, 12, tzinfo=UTC)
_COLUMNS = {
    "company": ("company_name", "company_domain"),
    "cloud_provider": ("cloud_provider_name", "cloud_provider_domain"),
    "country": ("country",),
    "platform": ("platform",),
    "version": ("version",),
    "client": ("client", "client_version"),
    "variable": ("variable", "value"),
}


def sums(lines: bytes, package: str) -> Counter[tuple[str, ...]]:
    """What the aggregates say: totals by date, breakdown and its values."""
    counts: Counter[tuple[str, ...]] = Counter()
    for line in lines.splitlines():
        row = json.loads(line)
        if row["package"] == package:
            key = row["date"], row["breakdown"]
            if row["breakdown"] == "total":
                counts[*key, "unique"] = row["unique_total"]
            counts[*key, *(row.get(column, "") for column in _COLUMNS.get(row["breakdown"], ()))] += row["total"]
    return counts


def expected(rows: Rows, library_type: str) -> Counter[tuple[str, ...]]:
    """The same, counted from the events."""
    counts: Counter[tuple[str, ...]] = Counter()
    origins: dict[str, set[str]] = {}
    for row in rows:
        day = row["time"][:10]
        counts[day, "total"] += 1
        origins.setdefault(day, set()).add(row["origin_id"])
        company = row["origin_company"], row["origin_domain"]
        counts[day, "company", *company] += bool(company[0])
        counts[day, "cloud_provider", *company] += row["origin_connection_type"] == "hosting"
        counts[day, "country", row["origin_country"]] += bool(row["origin_country"])
        counts[day, "platform", row["platform"]] += bool(row["platform"])
        counts[day, "version", row["version"]] += library_type == "docker" and bool(row["version"])
        client, _, version = row["user_agent"].split()[0].partition("/")
        counts[day, "client", client, version] += 1
        for variable, value in parse_qsl(row["variables"]):
            counts[day, "variable", variable, value] += library_type == "file"
    for day, seen in origins.items():
        counts[day, "total", "unique"] = len(seen)
    return +counts


@pytest.mark.parametrize("library_type", ["docker", "file", "npm"])
async def test_aggregates_are_sums_of_invented_events(session: aiohttp.ClientSession, library_type: str) -> None:
    """By each breakdown, per day, up to now, however often delivered and whatever columns are exported."""
    async with Emulator(clock=lambda: _NOW, events_per_day=700) as emulator:
        call = Client(session, emulator)
        uuid = await call.package("tool", library_type)
        rows = (await call("GET", f"/packages/{uuid}/events/x.csv", params=_RANGE)).rows()
        emulator.duplicate_events = 0.5
        emulator.columns = ("id", "time")
        lines = (await call("GET", "/users/emulator-user/aggregates", params=_RANGE)).body
    assert {row["time"][:10] for row in rows} == {"2024-01-01", "2024-01-02", "2024-01-03"}
    assert len(rows) < 2100
    assert sums(lines, uuid) == expected(rows, library_type)


async def test_aggregates_are_sums_of_own_events(session: aiohttp.ClientSession) -> None:
    """Those that a test put there are counted by day, an id once, and nothing is invented beside them."""
    async with Emulator(clock=lambda: _NOW) as emulator:
        call = Client(session, emulator)
        uuid = await call.package("web", "docker")
        common = {
            "type": "manifest-fetch",
            "origin_company": 'Acme, "Inc."',
            "origin_domain": "acme.example",
            "user_agent": "docker/24.0.7 go/go1.20.10",
            "version": "1.0.0",
        }
        rows = [
            {**common, "id": f"{n % 1100}", "time": f"2024-01-0{n % 3 + 1}T06:00:00Z", "origin_id": f"{n % 5}"}
            for n in range(1200)
        ]
        future = {**common, "id": "later", "time": "2024-01-03T12:00:01Z", "origin_id": "later"}
        await emulator.add_events(uuid, [*rows, future])
        lines = (await call("GET", "/users/emulator-user/aggregates", params=_RANGE)).body
    once = list({(row["time"], row["id"]): row for row in rows}.values())
    empty = dict.fromkeys(("origin_connection_type", "origin_country", "platform", "variables"), "")
    assert sums(lines, uuid) == expected([{**empty, **row} for row in once], "docker")


async def test_days_without_events_have_no_aggregates(session: aiohttp.ClientSession) -> None:
    """Nothing was counted, so nothing is said."""
    async with Emulator(events_per_day=0) as emulator:
        call = Client(session, emulator)
        await call.package()
        assert (await call("GET", "/users/emulator-user/aggregates", params=_RANGE)).body == b""


_ASKED = "start_date=2024-01-01&end_date=2024-01-03"


async def _aggregates(call: Client, query: str) -> list[dict[str, JSON]]:
    url = f"{call.emulator.v2_url}/packages/acme/aggregates?{query}"
    async with call.session.get(url, headers={"Authorization": f"Bearer {call.emulator.token}"}) as answer:
        assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
        return [json.loads(line) for line in (await answer.text()).splitlines()]


async def test_v2_says_the_same_sums_in_its_words(session: aiohttp.ClientSession) -> None:
    """By day where nothing is asked for; versions of clients are counted together."""
    async with Emulator(clock=lambda: _NOW) as emulator:
        call = Client(session, emulator)
        await call.organization("acme")
        uuid = await call.package("web", "docker", organization="acme")
        await call.package("other", organization="acme")
        common = {"id": "", "origin_country": "DE", "origin_id": "o"}
        agents = ["docker/1", "docker/2", "docker/2"]
        times = ["2023-12-31T06:00:00Z", "2024-01-01T06:00:00Z", "2024-01-02T06:00:00Z"]
        rows = [
            {**common, "id": f"{number}", "time": time, "user_agent": agent}
            for number, (time, agent) in enumerate(zip(times, agents, strict=True))
        ]
        await emulator.add_events(uuid, rows)
        head = {"artifact": uuid, "rollup": "daily"}
        assert await _aggregates(call, f"{_ASKED}&query=web") == [
            {**head, "date": date, "total": 1, **more}
            for date in ("2024-01-01", "2024-01-02")
            for more in (
                {"breakdown": "by-country", "country": "DE"},
                {"breakdown": "by-client", "client": "docker"},
                {"breakdown": "by-total", "total_unique": 1},
            )
        ]
        asked = "start_date=2023-12-31&end_date=2024-01-03&query=web&breakdown=by-client&breakdown=by-referer"
        found = await _aggregates(call, f"{asked}&rollup=weekly&rollup=monthly&rollup=yearly")
        assert [(row["rollup"], row["date"], row["total"]) for row in found] == [
            ("weekly", "2023-12-25", 1),
            ("weekly", "2024-01-01", 2),
            ("monthly", "2023-12-01", 1),
            ("monthly", "2024-01-01", 2),
            ("yearly", "2023-01-01", 1),
            ("yearly", "2024-01-01", 2),
        ]
