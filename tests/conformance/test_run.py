"""The parts of the conformance step that need no schemathesis."""

from __future__ import annotations

import tomllib
from typing import Final

import pytest

from scarf_async.emulator import Emulator, Quirks, ReceivedRequest

from .described import document, operations
from .run import never_answered, prepare, prepare_v3, settings_with
from .world_v2 import prepare_v2

_PATHS: Final[dict[str, dict[str, object]]] = {
    "/packages": {"get": {}, "post": {}},
    "/packages/{a}/events/{b}.csv": {"get": {}},
}


def _request(method: str, path: str, status: int | None) -> ReceivedRequest:
    return ReceivedRequest(method, f"/api/v1{path}", {}, {}, b"", status)


def test_what_never_succeeded_is_named() -> None:
    """A refusal is not a success, nor is a response to another method or at another path."""
    requests = [
        _request("GET", "/packages", 200),
        _request("POST", "/packages", 422),
        _request("GET", "/packages/x/y/events/z.csv", 200),
        _request("GET", "/packages/x/events/zcsv", 200),
        _request("GET", "/packages/x/events/z.csv", None),
    ]
    assert never_answered(_PATHS, requests) == ["POST /packages", "GET /packages/{a}/events/{b}.csv"]
    requests += [_request("POST", "/packages", 201), _request("GET", "/packages/x/events/z.csv", 200)]
    assert never_answered(_PATHS, requests) == []


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
async def test_the_world_fits_its_configuration(version: str) -> None:
    """What is prepared is taken, and each parameter's dictionary has a word that leads somewhere."""
    async with Emulator(quirks=Quirks(permissions_of_organizations="works")) as emulator:
        world = await {"v1": prepare, "v2": prepare_v2, "v3": prepare_v3}[version](emulator)
        assert {request.status for request in emulator.requests} <= {200, 201, 204}
    settings = tomllib.loads(settings_with(world, version))
    bound = [*settings["parameters"].values()]
    bound += [
        one for operation in settings.get("operations", []) for one in operation.get("parameters", {}).values()
    ]
    assert {parameter["dictionary"] for parameter in bound} == settings["dictionaries"].keys()
    assert all(dictionary["values"] for dictionary in settings["dictionaries"].values())
    ids = {operation["operationId"] for _, _, operation in operations(document(version))}
    named = [operation.get("include-operation-id", []) for operation in settings.get("operations", [])]
    assert {name for names in named for name in names} <= ids
