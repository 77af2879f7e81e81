"""The log of requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from scarf_async.emulator import Emulator, FaultRule

from .conftest import Client, organization_body


def lines(file: Path) -> list[Mapping[str, object]]:
    """What the log has."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


async def test_a_line_for_each_request(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """It is there before the response is, with what was sent and the status, whatever becomes of the request."""
    file = tmp_path / "requests.jsonl"
    async with Emulator(log=file) as emulator:
        call = Client(session, emulator)
        await call("POST", "/organizations", organization_body(description="Käse"))
        assert lines(file) == [
            {
                "method": "POST",
                "path": "/api/v1/organizations",
                "query": {},
                "status": 201,
                "body": json.dumps(organization_body(description="Käse")),
            }
        ]
        await call("PUT", "/organizations/acme", data=b"\xff{")
        days = [("start_date", "2024-01-01"), ("end_date", "2024-01-01")]
        url = URL(f"{emulator.v2_url}/packages/acme/events").with_query([*days, ("rollup", "a"), ("rollup", "b")])
        async with session.get(url, headers={"Authorization": f"Bearer {emulator.token}"}) as answer:
            assert len((await answer.read()).splitlines()) == 1
        emulator.faults.add(FaultRule("POST", "/packages", None, "drop_after"))
        with pytest.raises(aiohttp.ClientError):
            await call("POST", "/packages", token="wrong")
    logged = lines(file)[1:]
    assert [(line["status"], line["body"]) for line in logged] == [(415, "\\xff{"), (200, ""), (None, "")]
    assert logged[1]["query"] == {**dict(days), "rollup": ["a", "b"]}


async def test_no_token_is_written(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """Neither the emulator's own nor another that was sent, even where they do not concern a request."""
    file = tmp_path / "requests.jsonl"
    async with Emulator(token="hidden/1", log=file) as emulator:
        call = Client(session, emulator)
        await call("POST", "/organizations", {"name": "a hidden/1"}, params={"token": "hidden/1"})
        await call("GET", "/organizations/hidden%2F1", token="another-2", params={"hidden/1": "another-2"})
    text = file.read_text()
    assert len(text.splitlines()) == 2
    assert "hidden" not in text
    assert "another" not in text


async def test_lines_are_added(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """A second start goes on where the first ended."""
    file = tmp_path / "requests.jsonl"
    emulator = Emulator(log=file)
    for _ in range(2):
        async with emulator:
            await Client(session, emulator)("GET", "/packages")
    assert [line["status"] for line in lines(file)] == [200, 200]
