"""Aggregations of v3: sums of the very events that the exports serve, and how they are asked for."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

import aiohttp
import pytest

from scarf_async.emulator import Emulator, Quirks

from .conftest import Client, ClientV2, Reply

Row: TypeAlias = Mapping[str, str]
Key: TypeAlias = tuple[str, ...]

NOW = datetime(2024, 5, 15, 12, tzinfo=UTC)
DAYS = "start_date=2024-05-01&end_date=2024-05-16"
UNKNOWN = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
async def call(session: aiohttp.ClientSession) -> AsyncIterator[Client]:
    """A client of an emulator on a certain day, with an organization, its packages and its pixels."""
    async with Emulator(clock=lambda: NOW, events_per_day=30) as emulator:
        call = Client(session, emulator)
        await call.organization("Acme")
        for name, kind in (("web", "docker"), ("io.acme/sdk", "npm")):
            await call.package(name, kind, organization="Acme")
        yield call


async def ask(call: Client, query: str, owner: str = "Acme") -> Reply:
    """Ask for aggregations by a query just as it is written."""
    return await ClientV2(call)("GET", f"{call.emulator.v3_url}/insights/{owner}/aggregations/export?{query}")


async def rows_of(call: Client, query: str) -> list[dict[str, Any]]:
    """Ask for the rows of these days."""
    reply = await ask(call, f"{DAYS}&{query}")
    assert reply.status == 200, reply
    return [json.loads(line) for line in reply.body.splitlines()]


async def events(call: Client, target: str) -> list[dict[str, str]]:
    """Ask for the events of these days."""
    reply = await ClientV2(call)("GET", f"{target}?start_date=2024-05-01&end_date=2024-05-15")
    return reply.rows()


def told(rows: list[dict[str, Any]], *names: str) -> dict[Key, tuple[int, int]]:
    """The totals and the distinct clients of the rows, by these fields."""
    return {tuple(row.get(name, "") for name in names): (row["total"], row["unique_origins"]) for row in rows}


def counted(events: list[dict[str, str]], key: Callable[[Row], Key | None]) -> dict[Key, tuple[int, int]]:
    """The same, counted from events."""
    totals: Counter[Key] = Counter()
    origins: defaultdict[Key, set[str]] = defaultdict(set)
    for event in events:
        if (found := key(event)) is not None:
            totals[found] += 1
            origins[found].add(event["origin_id"])
    return {found: (totals[found], len(origins[found])) for found in totals}


def monday(event: Row) -> str:
    """The first day of an event's week."""
    day = date.fromisoformat(event["time"][:10])
    return str(day - timedelta(days=day.weekday()))


@pytest.mark.parametrize(
    ("query", "names", "key"),
    [
        ("breakdown=by-total", ("date",), lambda one: (one["time"][:10],)),
        (
            "breakdown=by-country",
            ("date", "country"),
            lambda one: (one["time"][:10], one["origin_country"]) if one["origin_country"] else None,
        ),
        (
            "breakdown_set=by-company,by-version&rollup=weekly",
            ("date", "company_name", "company_domain", "version"),
            lambda one: (
                (monday(one), one["origin_company"], one["origin_domain"], one["version"])
                if one["origin_company"] and one["version"]
                else None
            ),
        ),
        ("breakdown=by-total&rollup=total", ("date",), lambda _: ("2024-05-01",)),
        ("breakdown=by-total-do-not-track&rollup=yearly", (), lambda one: () if one["dnt"] else None),
        (
            "breakdown=by-company&rollup=total&include_low_confidence=false",
            ("company_name",),
            lambda one: (one["origin_company"],) if one["confidence"] and float(one["confidence"]) >= 0.5 else None,
        ),
        (
            "breakdown=by-country&rollup=monthly&company_reference=ACME.example",
            ("country",),
            lambda one: (
                (one["origin_country"],)
                if one["origin_country"] and one["origin_domain"] == "acme.example"
                else None
            ),
        ),
        ("breakdown=by-user-agent&rollup=total", ("user_agent",), lambda one: (one["user_agent"],)),
    ],
)
async def test_they_are_sums_of_events(
    call: Client, query: str, names: tuple[str, ...], key: Callable[[Row], Key | None]
) -> None:
    """By day, country, company, version: of all packages together the same as what their CSV counts to."""
    rows = await rows_of(call, f"{query}&package_id=all&group_by_artifact=false")
    assert {(row["artifact"], row["artifact_name"], row["artifact_type"]) for row in rows} == {("", "", "package")}
    found = await events(call, "/packages/Acme/events")
    assert rows
    assert told(rows, *names) == counted(found, key)
    call.emulator.duplicate_events = 0.5
    assert await rows_of(call, f"{query}&package_id=all&group_by_artifact=false") == rows


async def test_each_package_and_the_pixels(call: Client) -> None:
    """By its id and name; without a choice all of them, and with one of either kind nothing of the other."""
    rows = await rows_of(call, "rollup=total&breakdown=by-total")
    ids = {row["artifact_name"]: row["artifact"] for row in rows}
    assert [row["artifact_type"] for row in rows] == ["package", "package", "tracking-pixel"]
    # As v2 names them: of an image the path.
    assert {"acme/web", "io.acme/sdk"} <= ids.keys()
    for name in ("acme/web", "io.acme/sdk"):
        of_one = await events(call, f"/packages/Acme/{ids[name]}/events")
        (row,) = await rows_of(call, f"rollup=total&package_id={ids[name]}")
        assert row == next(one for one in rows if one["artifact_name"] == name)
        assert row["total"] == len(of_one)
        assert row["last_seen"][:19].replace(" ", "T") == max(one["time"] for one in of_one)[:19]
    (pixel,) = await rows_of(call, "rollup=total&tracking_pixel_id=all")
    assert pixel["total"] == len(await events(call, "/tracking-pixels/Acme/events"))
    both = f"rollup=total&package_id={ids['acme/web']}&tracking_pixel_id={pixel['artifact']}"
    assert [row["artifact_name"] for row in await rows_of(call, both)] == ["acme/web", pixel["artifact"]]
    assert [row["artifact_name"] for row in await rows_of(call, "rollup=total&query=io.acme*")] == ["io.acme/sdk"]


async def test_events_of_ones_own(call: Client) -> None:
    """Each once, by the pixel that it names, which has a name; those of a package's pixels too."""
    v2 = ClientV2(call)
    (web,) = [one["id"] for one in (await v2("GET", "/packages/Acme?type=docker")).array()]
    one = await v2.made("/tracking-pixels/Acme", {"name": "page", "package_id": web})
    other = await v2.made("/tracking-pixels/Acme", {"name": "other"})
    common = {"time": "2024-05-02", "origin_id": "a"}
    await call.emulator.add_events(
        None, [{**common, "id": str(n), "pixel": one if n % 3 else other.upper()} for n in (*range(10), 5)]
    )
    rows = await rows_of(call, "rollup=total&tracking_pixel_id=all")
    assert {row["artifact_name"]: (row["total"], row["unique_origins"]) for row in rows} == {
        "page": (6, 1),
        "other": (4, 1),
    }
    assert rows[0]["last_seen"] == "2024-05-02 00:00:00+00:00"
    for query in (f"tracking_pixels_for_package_id={web}", "query=pag*", f"tracking_pixel_id={one}"):
        assert [row["artifact"] for row in await rows_of(call, f"rollup=total&{query}")] == [one]


async def test_unknown_ids_are_nothing(call: Client) -> None:
    """With success."""
    for query in ("package_id", "tracking_pixel_id", "tracking_pixels_for_package_id"):
        assert await rows_of(call, f"{query}={UNKNOWN}") == []
    assert await rows_of(call, "package_id=none&tracking_pixel_id=none") == []


@pytest.mark.parametrize(
    ("retention", "asked", "effective", "days"),
    [
        (None, "start_date=2024-05-01&end_date=2024-05-10", ("2024-05-01", "2024-05-10"), 9),
        (None, "start_date=2024-05-01&end_date=2024-07-01", ("2024-05-01", "2024-05-16"), 15),
        (3, "start_date=2024-05-01&end_date=2024-05-16", ("2024-05-12", "2024-05-16"), 4),
        (3, "start_date=2024-05-01&end_date=2024-05-10", ("2024-05-10", "2024-05-10"), 0),
        (None, "start_date=2024-06-01&end_date=2024-06-10", ("2024-06-01", "2024-06-01"), 0),
        (None, "", ("2024-04-16", "2024-05-16"), 30),
        (None, "end_date=2024-05-10&rollup=weekly", ("2023-10-13", "2024-05-10"), 31),
        (None, "start_date=2024-05-10", ("2024-05-10", "2024-05-16"), 6),
    ],
)
async def test_the_days_that_are_looked_at(
    call: Client, retention: int | None, asked: str, effective: tuple[str, str], days: int
) -> None:
    """None in the future, none that the plan has forgotten, and thirty buckets where nobody says; headers tell."""
    call.emulator.retention_days = retention
    reply = await ask(call, f"{asked}&breakdown=by-total&group_by_artifact=false&package_id=all")
    shown = tuple(reply.headers[f"X-Scarf-Effective-{name}-Date"] for name in ("Start", "End"))
    dates = [json.loads(line)["date"] for line in reply.body.splitlines()]
    assert (reply.status, shown, len(dates)) == (200, effective, days)
    assert all(day < effective[1] for day in dates)


async def test_one_document(call: Client) -> None:
    """With nulls; of companies by a segment only how many there are."""
    reply = await ask(call, f"{DAYS}&rollup=total&format=json&package_id=all")
    rows = reply.object()["data"]
    assert isinstance(rows, list)
    assert [isinstance(row, dict) and (row["company_name"], row["company_sic_codes"]) for row in rows] == [
        (None, [])
    ] * 2
    call.emulator.quirks = Quirks(absent="null")
    assert await rows_of(call, "rollup=total&package_id=all") == rows
    reply = await ask(call, f"{DAYS}&rollup=total&format=json&breakdown=by-company-size")
    (counts,) = [row["company_count"] for row in reply.object()["data"]]  # type: ignore[union-attr, call-overload, index] # an array of objects
    assert counts == 4


async def test_several_breakdowns_are_independent(call: Client) -> None:
    """As are several rollups."""
    rows = await rows_of(call, "rollup=total&rollup=yearly&breakdown=by-total&breakdown=by-platform&package_id=all")
    assert {(row["rollup"], row["breakdown"]) for row in rows} == {
        (rollup, breakdown) for rollup in ("total", "yearly") for breakdown in ("by-total", "by-platform")
    }


@pytest.mark.parametrize(
    "query",
    [
        "query=a&package_id=all",
        "query=a&tracking_pixel_id=none",
        f"tracking_pixels_for_package_id={UNKNOWN}&query=a",
        f"tracking_pixels_for_package_id={UNKNOWN}&package_id=all",
        "start_date=2024-01-01&end_date=2025-01-02",
        "start_date=2024-01-02&end_date=2024-01-01",
        "query=%7B",
        "filter=abc",
        "breakdown=by-company-size",
        "breakdown=by-company-size&breakdown=by-total&format=json&rollup=total",
    ],
)
async def test_what_does_not_go_together(call: Client, query: str) -> None:
    """A 422 whose detail is a sentence."""
    reply = await ask(call, query)
    assert reply.status == 422
    assert isinstance(reply.object()["detail"], str)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("start_date=soon", "start_date"),
        ("end_date", "end_date"),
        ("rollup=daily%2Cweekly", "rollup"),
        ("breakdown=by-moon", "breakdown"),
        ("breakdown_set=by-company,by-version,by-total", "breakdown_set"),
        ("breakdown_set=by-company,by-company", "breakdown_set"),
        ("breakdown_set=by-company,by-moon", "breakdown_set"),
        ("group_by_artifact=maybe", "group_by_artifact"),
        ("format=csv", "format"),
    ],
)
async def test_what_cannot_be_read(call: Client, query: str, name: str) -> None:
    """A 422 whose detail is a list, as frameworks make it."""
    reply = await ask(call, query)
    assert reply.status == 422
    detail = reply.object()["detail"]
    assert isinstance(detail, list)
    assert [isinstance(one, dict) and one["loc"] for one in detail] == [["query", name]]


async def test_owners_are_told_by_case(call: Client) -> None:
    """Unlike in v2; and every refusal has a detail."""
    for owner in ("acme", "nobody"):
        reply = await ask(call, DAYS, owner)
        assert (reply.status, reply.object()) == (404, {"detail": "Organization not found"})
    bad = await call.session.get(f"{call.emulator.v3_url}/insights/Acme/aggregations/export")
    assert (bad.status, list(await bad.json())) == (401, ["detail"])
    assert (await ClientV2(call)("GET", f"{call.emulator.v3_url}/nothing")).object().keys() == {"detail"}
    wrong = await ClientV2(call)("POST", f"{call.emulator.v3_url}/insights/Acme/aggregations/export", {})
    assert (wrong.status, list(wrong.object())) == (405, ["detail"])
    assert (await ask(call, f"{DAYS}&rollup=total", call.emulator.user)).body
