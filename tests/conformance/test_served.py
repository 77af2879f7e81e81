"""The description is given away by the server, is one, is complete, and holds where requests are malformed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from typing import Final, cast

import aiohttp
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from yarl import URL

from scarf_async.emulator import Emulator, Faults
from scarf_async.emulator.calls import Endpoints
from scarf_async.emulator.description import DESCRIPTIONS, description
from scarf_async.emulator.v1 import endpoints as v1
from scarf_async.emulator.v2 import endpoints as v2
from scarf_async.emulator.v3 import aggregations as v3

from .described import JSON, Schema, document, inlined, operations

_ROOT: Final = document()
_RANGE: Final = {"startDate": "2024-01-01", "endDate": "2024-01-03"}


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A fresh emulator."""
    async with Emulator(events_per_day=20) as emulator:
        yield emulator


@pytest.fixture
async def session(emulator: Emulator) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with the emulator's token."""
    headers = {"Authorization": f"Bearer {emulator.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield session


def _named(name: str) -> Schema:
    return cast(Schema, inlined(_ROOT, {"$ref": f"#/components/schemas/{name}"}))


def _is_valid(schema: Schema, value: JSON) -> bool:
    return Draft202012Validator(schema, format_checker=FormatChecker()).is_valid(value)


@pytest.mark.parametrize("version", DESCRIPTIONS)
async def test_it_is_given_to_everybody(emulator: Emulator, version: str) -> None:
    """It needs no token, meets no faults, and is none of the requests that are listed."""
    emulator.faults = Faults(status={503: 1.0})
    address = emulator.url.removesuffix("/api/v1") + DESCRIPTIONS[version]
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        assert await response.read() == description(version)
    assert emulator.requests == []


def _within(node: JSON, key: str) -> Iterator[JSON]:
    """Everything that is under a key, however deep."""
    if isinstance(node, list):
        for item in node:
            yield from _within(item, key)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from _within(value, key)


@pytest.mark.parametrize("version", DESCRIPTIONS)
def test_it_is_sound(version: str) -> None:
    """Its schemas are schemas, its references and links lead somewhere, nothing in it is unused."""
    root = document(version)
    assert root["openapi"] == "3.1.0"
    for schema in _within(inlined(root, root), "schema"):
        Draft202012Validator.check_schema(cast(Schema, schema))
    ids = [operation["operationId"] for _, _, operation in operations(root)]
    assert len(ids) == len(set(map(str, ids)))
    assert set(map(str, _within(root, "operationId"))) == set(map(str, ids))
    used = set(map(str, _within(root, "$ref")))
    components = cast(dict[str, Schema], root["components"])
    defined = {
        f"#/components/{kind}/{name}"
        for kind, named in components.items()
        for name in named
        if kind != "securitySchemes"
    }
    assert used == defined
    assert [list(cast(Schema, scheme)) for scheme in cast(list[JSON], root["security"])] == [["token"]]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_its_examples_are_valid(version: str) -> None:
    """Each example of a body is what its schema asks for."""
    tried = 0
    for _, _, operation in operations(document(version)):
        if "requestBody" in operation:
            content = cast(dict[str, dict[str, Schema]], cast(Schema, operation["requestBody"])["content"])
            media = content.get("application/json", {})
            many = cast(dict[str, Schema], media.get("examples", {}))
            for example in [media["example"]] if "example" in media else [one["value"] for one in many.values()]:
                assert _is_valid(media["schema"], example), example
                tried += 1
    assert tried > 10


@pytest.mark.parametrize(
    ("version", "base", "endpoints"),
    [("v1", "/api/v1", v1.ENDPOINTS), ("v2", "/v2", v2.ENDPOINTS), ("v3", "/v3", v3.ENDPOINTS)],
)
def test_every_endpoint_is_described(version: str, base: str, endpoints: Endpoints) -> None:
    """The emulator answers at the described paths and at no others of the version."""

    def shape(path: str) -> str:
        named = ("{}" if segment.startswith("{") else segment for segment in path.split("/"))
        return "/".join(named)

    served = {
        (method, shape(path.removeprefix(base)))
        for path, methods in endpoints.items()
        if path.startswith(f"{base}/")
        for method in methods
    }
    assert served == {(method, shape(path)) for method, path, _ in operations(document(version))}


async def _package(emulator: Emulator, session: aiohttp.ClientSession) -> str:
    body = {"name": "tool", "shortDescription": "", "libraryType": "file"}
    async with session.post(f"{emulator.url}/packages", json=body) as response:
        uuid: str = (await response.json())["uuid"]
        return uuid


async def test_aggregates_are_as_described(emulator: Emulator, session: aiohttp.ClientSession) -> None:
    """Each line of the export is an AggregateV1."""
    await _package(emulator, session)
    address = f"{emulator.url}/users/{emulator.user}/aggregates"
    async with session.get(address, params=_RANGE) as response:
        rows = [json.loads(line) for line in (await response.text()).splitlines()]
    assert len(rows) > 10
    assert [
        row for row in rows if not _is_valid({**_named("AggregateV1"), "additionalProperties": False}, row)
    ] == []


async def test_events_are_as_described(emulator: Emulator, session: aiohttp.ClientSession) -> None:
    """Each row of the export is an EventV1, and the header has its properties, all of them."""
    event = _named("EventV1")
    properties = cast(dict[str, Schema], event["properties"])
    address = f"{emulator.url}/packages/{await _package(emulator, session)}/events/any.csv"
    async with session.get(address, params=_RANGE) as response:
        rows = list(csv.DictReader(io.StringIO(await response.text(), newline="")))
    assert len(rows) == 40

    def value(name: str, cell: str) -> JSON:
        is_text = properties[name]["type"] == "string"
        parsed: JSON = cell if is_text else json.loads(cell.lower())
        return parsed

    for row in rows:
        assert row.keys() == properties.keys()
        assert _is_valid(event, {name: value(name, cell) for name, cell in row.items() if cell}), row


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_is_not_encoded_as_it_says(
    emulator: Emulator, session: aiohttp.ClientSession, encoding: str
) -> None:
    """A body that cannot be inflated is a 400 with a message, and no request of the list."""
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    async with session.post(f"{emulator.url}/organizations", data=b"not at all", headers=headers) as response:
        assert response.status == 400
        assert "encoded" in (await response.json())["message"]
    assert emulator.requests == []


async def test_a_line_break_in_a_path(emulator: Emulator, session: aiohttp.ClientSession) -> None:
    """A name may hold a line break: it is looked for like any other, and the refusal has its message."""
    async with session.get(URL(f"{emulator.url}/organizations/a%0D%0Ab", encoded=True)) as response:
        assert response.status == 404
        assert (await response.json())["code"] == "not-found"


async def test_a_domain_with_space_around_it(emulator: Emulator, session: aiohttp.ClientSession) -> None:
    """The description's pattern has no room for white space, and the emulator takes none."""
    address = f"{emulator.url}/packages/{await _package(emulator, session)}/domains"
    for name in (" dl.acme.example", "dl.acme.example\n", "\x1cdl.acme.example"):
        async with session.post(address, json={"name": name}) as response:
            assert response.status == 422
            assert (await response.json())["code"] == "domain-has-invalid-characters"
