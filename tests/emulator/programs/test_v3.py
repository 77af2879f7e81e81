"""Programs that use v3: what they send, and what they need back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from scarf_async.emulator import Emulator

from ..conftest import Client
from .conftest import CURL, REQUESTS, Send

PYTHON = {"User-Agent": "Python-urllib/3.11", "Accept-Encoding": "identity"}
EXPORT = "/v3/insights/Acme/aggregations/export"


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An emulator with few events a day: some of these programs ask for a year."""
    async with Emulator(events_per_day=5) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
async def _packages(call: Client) -> None:
    await call.organization("Acme")
    for name in ("io.dapr/sdk", "web"):
        await call.package(name, "npm", organization="Acme")


async def rows(send: Send, query: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Ask for rows, which are there, as lines or in one document."""
    status, body = await send("GET", f"{EXPORT}?{query}" if query else EXPORT, headers)
    assert status == 200
    found = json.loads(body)["data"] if "format=json" in query else [json.loads(line) for line in body.splitlines()]
    assert found
    assert all(isinstance(row, dict) for row in found)
    return list(found)


@pytest.mark.parametrize("days", [45, 90])
async def test_soneso_collects_its_statistics(send: Send, days: int) -> None:
    """Three exports up to tomorrow; a run that counts to nothing it throws away."""
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    span = f"start_date={tomorrow - timedelta(days=days)}&end_date={tomorrow}"
    for row in await rows(send, f"{span}&rollup=daily&breakdown=by-total", PYTHON):
        assert str(date.fromisoformat(row["date"])) == row["date"]
        assert row["total"] > 0
    for row in await rows(send, f"{span}&rollup=total&breakdown=by-total", PYTHON):
        assert row["artifact_name"]
        assert row["total"] > 0 < row["unique_origins"]
    origins = await rows(send, f"{span}&rollup=total&breakdown=by-origin", PYTHON)
    assert all(row["origin_id"] for row in origins)


async def test_tdlib_asks_without_dates(send: Send) -> None:
    """And looks for a word in the name, so that it must not be null."""
    for query in ("breakdown=by-total&rollup=daily", "breakdown=by-origin&rollup=yearly"):
        for row in await rows(send, query, REQUESTS):
            assert "sdk" in row["artifact_name"] or row["artifact_name"]
            assert row["total"] is not None


async def test_the_skill_asks_for_two_dimensions(send: Send, emulator: Emulator) -> None:
    """Its comma is encoded, gzip is taken, and it reads the headers; unknown ids bring nothing."""
    emulator.gzip = True
    span = "start_date=2024-05-01&end_date=2024-05-08&rollup=weekly&breakdown_set=by-company%2Cby-referer"
    headers = {"User-Agent": "Ruby", "Accept-Encoding": "gzip"}
    common = "&query=io.dapr*&group_by_artifact=true&include_low_confidence=false&format=ndjson"
    for row in await rows(send, span + common, headers):
        assert row["company_name"]
        assert row["referer"]
    unknown = "11111111-2222-4333-8444-555555555555"
    ids = f"&package_id={unknown}&package_id={unknown}&tracking_pixel_id={unknown}&company_reference=a.example"
    assert await send("GET", f"{EXPORT}?{span}{ids}&format=ndjson", CURL) == (200, b"")
    status, body = await send("GET", f"{EXPORT}?{span}&filter=saved&format=json", CURL)
    assert (status, list(json.loads(body))) == (422, ["detail"])


async def test_dapr_asks_with_raw_commas_and_stars(send: Send) -> None:
    """It reads one document, whose dates are days, and whose counts are there, if only as null."""
    for query in (
        "query=io.dapr*&rollup=weekly&breakdown_set=by-version&format=json",
        "tracking_pixel_id=all&rollup=weekly&breakdown_set=by-referer,by-company&format=json",
        "breakdown=by-company&group_by_artifact=false&format=json",
    ):
        for row in await rows(send, f"start_date=2024-05-01&end_date=2024-06-01&{query}", CURL):
            assert str(date.fromisoformat(row["date"])) == row["date"]
            assert {"total", "unique_origins", "company_name"} <= row.keys()
    status, body = await send("GET", EXPORT.replace("Acme", "acme"), CURL)
    assert (status, json.loads(body)) == (404, {"detail": "Organization not found"})
