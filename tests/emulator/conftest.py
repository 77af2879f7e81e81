"""A running emulator, and a small client that speaks plain HTTP to it."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from typing import Any, TypeAlias

import aiohttp
import attrs
import pytest
from yarl import URL

from scarf_async.emulator import Emulator, Quirks

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"


@attrs.frozen
class Reply:
    """A response that was read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    json: JSON

    def object(self) -> dict[str, JSON]:
        """The body, which is to be an object."""
        assert isinstance(self.json, dict), self.json
        return self.json

    def text(self, field: str) -> str:
        """A field of the body, which is to be a text."""
        value = self.object()[field]
        assert isinstance(value, str)
        return value

    def array(self) -> list[dict[str, JSON]]:
        """The body, which is to be an array of objects or to have one as its `results`."""
        found = self.json["results"] if isinstance(self.json, dict) else self.json
        assert isinstance(found, list), self.body
        objects = [one for one in found if isinstance(one, dict)]
        assert len(objects) == len(found)
        return objects

    def refusal(self) -> tuple[int, JSON]:
        """The status, and the code where there is one."""
        return self.status, self.json.get("code") if isinstance(self.json, dict) else None

    def rows(self) -> list[dict[str, str]]:
        """The rows of a CSV body."""
        return list(csv.DictReader(io.StringIO(self.body.decode(), newline="")))


class Client:
    """Sends what it is told, to v1 unless the path says otherwise."""

    def __init__(self, session: aiohttp.ClientSession, emulator: Emulator) -> None:
        self.session = session
        self.emulator = emulator

    async def __call__(
        self,
        method: str,
        path: str,
        json: JSON = None,
        *,
        v2: bool = False,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | BytesIO | None = None,
        token: str | None = None,
    ) -> Reply:
        base = self.emulator.v2_url if v2 else self.emulator.url
        sent = {"Authorization": f"Bearer {token or self.emulator.token}", **(headers or {})}
        url = URL(base + path, encoded=True).with_query(params)
        async with self.session.request(method, url, json=json, data=data, headers=sent) as response:
            body = await response.read()
            is_json = response.content_type == "application/json"
            return Reply(response.status, response.headers, body, await response.json() if is_json else None)

    async def organization(self, name: str = "acme") -> Reply:
        """Create an organization."""
        reply = await self("POST", "/organizations", organization_body(name))
        assert reply.status == 201, reply
        return reply

    async def package(
        self,
        name: str = "tool",
        library_type: str = "file",
        *,
        organization: str | None = None,
        **more: str,
    ) -> str:
        """Create a package; returns its UUID."""
        path = "/packages" if organization is None else f"/organizations/{organization}/packages"
        reply = await self("POST", path, package_body(name, library_type, **more))
        assert reply.status == 201, reply
        return reply.text("uuid")


class ClientV2:
    """Sends what it is told to v2, to a path with its query just as they are written."""

    def __init__(self, call: Client) -> None:
        self.call = call

    async def __call__(
        self,
        method: str,
        target: str,
        json: object = None,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        emulator, session = self.call.emulator, self.call.session
        sent = {"Authorization": f"Bearer {emulator.token}", **(headers or {})}
        url = URL(target if target.startswith("http") else emulator.v2_url + target, encoded=True)
        async with session.request(method, url, json=json, data=data, headers=sent) as response:
            body = await response.read()
            is_json = response.content_type == "application/json" and "Content-Type" in response.headers
            return Reply(response.status, response.headers, body, await response.json() if is_json else None)

    async def made(self, target: str, json: object) -> str:
        """Create something; returns its id."""
        reply = await self("POST", target, json)
        assert reply.status == 201, reply
        return reply.text("id")

    def quirks(self, **changes: Any) -> None:
        """Give the emulator other quirks."""
        self.call.emulator.quirks = Quirks(**changes)


def organization_body(name: str = "acme", **more: JSON) -> dict[str, JSON]:
    """An OrganizationUpsertV1."""
    return {"name": name, "description": "All of it", "billingEmail": "pay@acme.example", **more}


def package_body(name: str = "tool", library_type: str | None = "file", **more: JSON) -> dict[str, JSON]:
    """A PackageUpsertV1."""
    body: dict[str, JSON] = {"name": name, "shortDescription": "A tool", **more}
    if library_type is not None:
        body["libraryType"] = library_type
    if library_type == "docker":
        body.setdefault("backendUrl", f"https://ghcr.io/acme/{name.rpartition('/')[2]}")
    return body


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A fresh emulator."""
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session of its own for each test."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def call(session: aiohttp.ClientSession, emulator: Emulator) -> Client:
    """A client of the emulator."""
    return Client(session, emulator)


@pytest.fixture
async def v2(call: Client) -> ClientV2:
    """A client of v2, with the organization `Acme`, which only v1 can create."""
    await call.organization("Acme")
    return ClientV2(call)
