"""Scarf's own exporter to PostgreSQL, in three versions."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from scarf_async import Scarf
from scarf_async.emulator import Emulator
from scarf_async.emulator.generator import EVENT_COLUMNS, event_columns

from ..conftest import Client
from .conftest import Send

# It says of a GET that its body, which it has not, is JSON.
NODE: Final = {"Content-Type": "application/json", "Connection": "close"}
OF_2022: Final = event_columns(["2022"])
VERSIONS: Final = {"2022": OF_2022, "2023": (*OF_2022, "confidence", "endpoint_id"), "now": EVENT_COLUMNS}
NUMERIC: Final = ("origin_latitude", "origin_longitude", "confidence")
BOOLEAN: Final = ("dnt", "mtc_quota_exceeded")


def copied(body: bytes, table: Sequence[str]) -> list[dict[str, str]]:
    """The rows as PostgreSQL's COPY takes them: by position, without the header, each cell of its column's type."""
    _, *rows = csv.reader(body.decode().splitlines(keepends=True))
    named = [dict(zip(table, row, strict=True)) for row in rows]
    for row in named:
        assert datetime.fromisoformat(row["time"]).year == 2024
        assert all(Decimal(row[name]).is_finite() for name in NUMERIC if row.get(name))
        assert all(row.get(name, "") in {"", "true", "false"} for name in BOOLEAN)
    return named


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_exports_what_we_export(
    version: str, call: Client, emulator: Emulator, send: Send, tmp_path: Path
) -> None:
    """First a backfill, then a day whose start is its end; both byte for byte as the SDK writes the same range."""
    table = VERSIONS[version]
    emulator.columns = table
    await call.organization("acme")
    for name in ("tool", "other"):
        await call.package(name, organization="acme")
    yesterday = date(2024, 3, 31)
    seen: set[str] = set()
    for start in (yesterday - timedelta(days=30), yesterday):
        target = f"/v2/packages/acme/events?start_date={start}&end_date={yesterday}"
        status, body = await send("GET", target, NODE)
        assert status == 200
        rows = copied(body, table)
        days = (yesterday - start).days + 1
        assert len(rows) == 2 * 50 * days
        assert max(row["time"] for row in rows)[:10] == yesterday.isoformat()
        assert len(seen | {row["id"] for row in rows}) == 2 * 50 * 31
        seen |= {row["id"] for row in rows}
        ours = tmp_path / f"{start}.csv"
        async with Scarf(emulator.token, base_url=emulator.url, v2_url=emulator.v2_url) as scarf:
            export = scarf.exports.owner_events("acme", start, yesterday + timedelta(days=1))
            await export.save(ours)
        assert ours.read_bytes() == body
