"""Programs that register a container image whenever they build one."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from scarf_async.emulator import Emulator

from ..conftest import JSON, Client
from .conftest import CURL, FORM, Send

AS_JSON = {"Content-Type": "application/json"}
ADMINS = ("Spad", "roxedus", "nemchik", "driz", "aptalca", "saarg", "Stark")
MINE, OURS = "/api/v1/packages", "/api/v1/organizations/linuxserver-ci/packages"


def image(registry: str, public: str, name: str, website: str = "", **more: JSON) -> dict[str, JSON]:
    """A docker package, with the short description that both programs have."""
    return {
        "name": name,
        "shortDescription": "example description",
        "libraryType": "docker",
        "website": website,
        "backendUrl": f"https://{registry}/{name}",
        "publicUrl": f"https://{public}/{name}",
        **more,
    }


SWAG = image("ghcr.io", "lscr.io", "linuxserver/swag", "https://github.com/linuxserver/docker-swag")


def spread(body: JSON) -> bytes:
    """JSON as a shell script spreads it over lines, which its template joins: with runs of spaces in it."""
    return json.dumps(body, separators=(",                       ", ":")).encode()


async def found(send: Send, target: str, name: str) -> str | None:
    """The id of a package, looked for in a whole list by its name."""
    status, body = await send("GET", target, CURL)
    assert status == 200
    return next((one["uuid"] for one in json.loads(body) if one["name"] == name), None)


async def permit(send: Send, uuid: str | None, kind: dict[str, str]) -> int:
    """Make seven people admins, in one array."""
    body: JSON = [{"userQuery": admin, "permissionLevel": "admin"} for admin in ADMINS]
    status, _ = await send("POST", f"{MINE}/{uuid}/permissions", {**CURL, **kind}, spread(body))
    return status


async def test_the_first_version(call: Client, send: Send) -> None:
    """September 2021: list, create, list again, permit. Without a JSON content type both writes are 415."""
    assert await found(send, MINE, "linuxserver/swag") is None
    status, _ = await send("POST", MINE, {**CURL, **FORM}, spread(SWAG))
    assert status == 415
    assert await found(send, MINE, "linuxserver/swag") is None
    uuid = await call.package("linuxserver/swag", "docker")
    assert await found(send, MINE, "linuxserver/swag") == uuid
    assert await permit(send, uuid, FORM) == 415
    assert (await call("GET", f"/packages/{uuid}/permissions")).json == []


async def test_the_second_and_third_version(send: Send) -> None:
    """The answer to the create is an object even when it is refused, so that `.uuid` of it is null, as jq says."""
    status, body = await send("POST", MINE, {**CURL, **FORM}, spread(SWAG))
    assert (status, json.loads(body).get("uuid")) == (415, None)
    assert await permit(send, "null", FORM) == 415


async def test_the_fourth_version(call: Client, send: Send) -> None:
    """With the content type on the permissions, all seven admins are set, each time; the create is unchanged."""
    status, body = await send("POST", MINE, {**CURL, **AS_JSON}, spread(SWAG))
    uuid = json.loads(body)["uuid"]
    assert status == 201
    assert await found(send, MINE, "linuxserver/swag") == uuid
    for _ in range(2):
        assert 200 <= await permit(send, uuid, AS_JSON) < 300
    listed = (await call("GET", f"/packages/{uuid}/permissions")).json
    assert isinstance(listed, list)
    assert listed == [{"username": admin, "permissionLevel": "admin"} for admin in ADMINS]
    assert await permit(send, "null", AS_JSON) == 404


@pytest.mark.parametrize("version", ["fifth", "sixth"])
async def test_versions_of_the_organization(version: str, call: Client, emulator: Emulator, send: Send) -> None:
    """The package belongs to the organization; two builds at once create it twice, which is refused harmlessly."""
    await call.organization("linuxserver-ci")
    assert await found(send, OURS, "linuxserver/swag") is None
    status, body = await send("POST", OURS, {**CURL, **AS_JSON}, spread(SWAG))
    assert (status, json.loads(body)["owner"]) == (201, "linuxserver-ci")
    before = await emulator.dump()
    status, body = await send("POST", OURS, {**CURL, **AS_JSON}, spread(SWAG))
    assert (status, json.loads(body)["code"]) == (409, "package-already-exists")
    assert await emulator.dump() == before
    assert await found(send, OURS, "linuxserver/swag") == await found(send, MINE, "linuxserver/swag")
    if version == "sixth":
        # The list may fail, and the build goes on as if the package were not there.
        emulator.faults.status = {503: 1.0}
        assert (await send("GET", OURS, CURL))[0] == 503


async def test_truecharts(emulator: Emulator, send: Send) -> None:
    """One image first, then every image of four groups, that one among them: 417 are created, one is there."""
    groups = {"apps": 350, "dev": 7, "mirror": 49, "base": 10}
    names = ["jackett", *(f"{group}-{number}" for group, size in groups.items() for number in range(size))]
    headers = {**CURL, "Accept": "application/json", **AS_JSON}
    statuses: Counter[int] = Counter()
    for name in [names[0], *names]:
        website = "https://truecharts.org"
        body = image("ghcr.io", "tccr.io", f"truecharts/{name}", website, longDescription="")
        status, _ = await send("POST", MINE, headers, json.dumps(body, separators=(",", ":")).encode())
        statuses[status] += 1
    assert statuses == {201: 417, 409: 1}
    state = await emulator.dump()
    assert len(state["packages"]) == 417
    assert {package["longDescription"] for package in state["packages"].values()} == {""}
