"""A state from a file: what it puts in, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import pytest

from scarf_async.emulator import Emulator
from scarf_async.emulator.loading import Document

from .conftest import JSON, Client

UUID = "0f6b2c1e-3a4d-4e5f-8a6b-7c8d9e0f1a2b"
OTHER = "7d3e8f90-1234-4abc-9def-0123456789ab"
ACME: dict[str, JSON] = {
    "organizations": [
        {
            "name": "acme",
            "website": "https://acme.example",
            "users": [{"username": "ann", "role": "admin"}],
            "packages": [
                {
                    "uuid": UUID.upper(),
                    "name": "tool",
                    "libraryType": "file",
                    "permissions": [{"userQuery": "ann", "permissionLevel": "admin"}],
                    "routes": [{"id": "3kTMd", "templatePath": "/{v}", "outgoingUrl": "https://acme.example/{v}"}],
                    "domains": [{"id": "d-1", "name": "get.acme.example"}],
                    "events": [{"id": "e1", "time": "2024-01-01T10:00:00Z", "dnt": None, "confidence": 0.5}],
                },
                {
                    "name": "acme/web",
                    "libraryType": "docker",
                    "backendUrl": "https://ghcr.io/acme/web",
                    "publicUrl": "https://cr.acme.example/acme/web",
                    "domains": [{"id": "d-2", "name": "cr.acme.example"}],
                },
            ],
        }
    ],
    "packages": [{"uuid": OTHER, "name": "mine", "shortDescription": "My own", "libraryType": "other"}],
    "pixelEvents": [{"type": "pixel-fetch", "time": "2024-01-01 11:00:00", "dnt": True}],
}
DAY = {"startDate": "2024-01-01", "endDate": "2024-01-02"}


async def test_everything_is_there_with_its_ids(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """Organizations, members, packages, permissions, routes, domains and events are served as the file says."""
    file = tmp_path / "acme.json"
    file.write_text(json.dumps(ACME))
    async with Emulator(load=file, columns=("id", "time", "dnt", "confidence")) as emulator:
        call = Client(session, emulator)
        assert emulator.loaded
        assert (await call("GET", "/organizations/acme")).text("website") == "https://acme.example"
        state = await emulator.dump()
        assert state["organizations"]["acme"]["members"] == {"emulator-user": "owner", "ann": "admin"}
        assert state["packages"].keys() == {"acme/file/tool", "acme/docker/acme/web", "emulator-user/other/mine"}
        assert (await call("GET", f"/packages/{OTHER}")).text("name") == "mine"
        assert (await call("GET", f"/packages/{UUID}/permissions")).json == [
            {"username": "ann", "permissionLevel": "admin"}
        ]
        assert (await call("GET", f"/packages/{UUID}/routes")).json == [
            {"id": "3kTMd", "outgoingUrl": "https://acme.example/{v}", "templatePath": "/{v}"}
        ]
        domains = (await call("GET", f"/packages/{UUID}/domains")).json
        assert isinstance(domains, list)
        assert {"id": "d-1", "name": "get.acme.example"} in domains
        events = await call("GET", f"/packages/acme/{UUID}/events/x.csv", params=DAY)
        assert events.body == b"id,time,dnt,confidence\ne1,2024-01-01T10:00:00Z,,0.5\n"
        pixels = await call("GET", "/pixels/events/x.csv", params=DAY)
        assert pixels.body == b"id,time,dnt,confidence\n,2024-01-01 11:00:00,true,\n"
        assert (await call("DELETE", f"/packages/{UUID}/routes/3kTMd")).status == 204


async def test_a_database_with_something_in_it_is_left_alone(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """What was changed since the first start survives the second; a database in memory is filled each time."""
    kept, forgotten = Emulator(tmp_path / "scarf.db", load=ACME), Emulator(load=ACME)
    for emulator, loaded, left in ((kept, False, 404), (forgotten, True, 200)):
        async with emulator:
            assert emulator.loaded
            assert (await Client(session, emulator)("DELETE", f"/packages/{OTHER}")).status == 204
        async with emulator:
            assert emulator.loaded is loaded
            assert (await Client(session, emulator)("GET", f"/packages/{OTHER}")).status == left


def _with(*path: str | int, value: JSON) -> dict[str, JSON]:
    """The document with something else at one place."""
    document: dict[str, JSON] = json.loads(json.dumps(ACME))
    found: JSON = document
    for step in path[:-1]:
        found = found[step]  # type: ignore[index] # the paths fit
    found[path[-1]] = value  # type: ignore[index] # the paths fit
    return document


FIRST = ("organizations", 0, "packages", 0)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"orgs": []}, r"^'orgs' is not known here; known are organizations, packages, pixelEvents$"),
        ({"packages": {}}, "^packages is to be a list$"),
        ({"packages": ["tool"]}, r"^packages\[0\]: is to be an object$"),
        ({"organizations": [{}]}, r"^organizations\[0\]: name: is required"),
        (_with(*FIRST, "uuid", value="p1"), r"^organizations\[0\]\.packages\[0\]: uuid: 'p1' is not a UUID$"),
        (_with(*FIRST, "uuid", value=7), r"packages\[0\]: uuid is to be a text$"),
        (_with("packages", 0, "uuid", value=UUID), r"^packages\[0\]: the id .* is taken already$"),
        (_with(*FIRST, "repositoryUrl", value=""), r"packages\[0\]: 'repositoryUrl' is not known here"),
        (_with(*FIRST, "routes", 0, "templatePath", value=None), r"routes\[0\]: templatePath: is required"),
        (_with(*FIRST, "permissions", 0, "userQuery", value="unknown-1"), r"permissions\[0\]: userQuery: there is"),
        (_with(*FIRST, "events", 0, "time", value="noon"), r"packages\[0\]: events: an event needs a time"),
        (_with("organizations", 0, "users", 0, "role", value="boss"), r"users\[0\]: role: 'boss' is not one of"),
    ],
)
async def test_what_cannot_be_is_named_by_its_place(document: Document, says: str) -> None:
    """The start fails, and the error says what is wrong, and where in the document."""
    with pytest.raises(ValueError, match=says):
        await Emulator(load=document).start()


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
async def test_a_file_that_is_something_else(content: bytes, tmp_path: Path) -> None:
    """It is an error at the start, whatever is in it."""
    file = tmp_path / "acme.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"^it is not "):
        await Emulator(load=file).start()
