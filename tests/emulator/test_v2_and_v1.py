"""One store: what is written in v1 reads in v2, and the other way round."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import aiohttp
import pytest

from scarf_async.emulator import Emulator

from .conftest import JSON, Client, ClientV2


@pytest.mark.parametrize(
    ("library_type", "more", "shown"),
    [
        (
            "pypi",
            {"repositoryURL": "https://i.example/"},
            {"type": "python", "repository_url": "https://i.example/"},
        ),
        ("python", {}, {"type": "python"}),
        ("npm", {"website": "w", "longDescription": ""}, {"type": "npm", "website": "w", "long_description": ""}),
        ("hackage", {}, {"type": "hackage"}),
        ("other", {}, {"type": "other"}),
        (
            "docker",
            {"backendUrl": "http://r.example:5000/acme/tool"},
            {"type": "docker", "name": "acme/tool", "backend_registry": "r.example:5000"},
        ),
    ],
)
async def test_a_package_of_v1_reads_in_v2(
    call: Client, v2: ClientV2, library_type: str, more: dict[str, str], shown: dict[str, JSON]
) -> None:
    """In its words: pypi is python, an image is a registry and a path."""
    uuid = await call.package("tool", library_type, organization="Acme", **more)
    reply = await v2("GET", f"/packages/acme/{uuid}")
    assert reply.object().items() >= {"owner": "Acme", "short_description": "A tool", **shown}.items()
    if library_type != "other":
        name = reply.text("name").replace("/", "%2F")
        assert (await v2("GET", f"/packages/acme/{reply.text('type')}/{name}")).json == reply.json


async def test_putting_back_what_v2_shows_changes_nothing_in_v1(call: Client, v2: ClientV2) -> None:
    """The name in v1, the scheme of the registry and the public address stay."""
    uuid = await call.package(
        "tool",
        "docker",
        organization="Acme",
        backendUrl="http://r.example:5000/acme/tool",
        publicUrl="https://cr.example/acme/tool",
    )
    before = await call.emulator.dump()
    shown = (await v2("GET", f"/packages/acme/{uuid}")).object()
    assert (await v2("PUT", f"/packages/acme/{uuid}", shown)).status == 200
    assert await call.emulator.dump() == before


async def test_a_package_of_v2_reads_in_v1(call: Client, v2: ClientV2) -> None:
    """With its required fields, though v2 does not require them, and its importance survives v1."""
    body: JSON = {"type": "npm", "name": "tool", "importance": "high"}
    uuid = await v2.made("/packages/acme", body)
    shown = (await call("GET", f"/packages/{uuid}")).object()
    assert shown.keys() == {"uuid", "owner", "name", "shortDescription", "createdAt", "libraryType"}
    assert (shown["shortDescription"], shown["libraryType"]) == ("", "npm")
    assert (await call("PUT", f"/packages/{uuid}", {"name": "new", "shortDescription": "S"})).status == 200
    reply = await v2("GET", f"/packages/acme/{uuid}")
    assert (reply.text("importance"), reply.text("name"), reply.text("short_description")) == ("high", "new", "S")


async def test_equal_packages_leave_equal_stores(session: aiohttp.ClientSession) -> None:
    """The same docker and file packages, in the words of each version."""
    states = []
    for version in (1, 2):
        async with Emulator() as emulator:
            call = Client(session, emulator)
            v2 = ClientV2(call)
            await call.organization("acme")
            if version == 1:
                urls = {"backendUrl": "https://ghcr.io/acme/web", "publicUrl": "https://cr.example/acme/web"}
                await call.package("acme/web", "docker", organization="acme", **urls)
                path = f"/packages/{await call.package('tool', 'file', organization='acme')}"
                await call(
                    "POST", f"{path}/routes", {"templatePath": "/{v}", "outgoingUrl": "https://o.example/{v}"}
                )
                await call("POST", f"{path}/domains", {"name": "dl.example"})
            else:
                texts: dict[str, JSON] = {"short_description": "A tool"}
                docker: dict[str, JSON] = {"type": "docker", "name": "acme/web", "backend_registry": "ghcr.io"}
                await v2.made("/packages/acme", {**texts, **docker, "domain": "cr.example"})
                file: dict[str, JSON] = {"type": "file", "name": "tool", "incoming_path": "/{v}"}
                made = await v2.made("/packages/acme", {**texts, **file, "outgoing_url": "https://o.example/{v}"})
                path = f"/packages/acme/{made}"
                await v2.made(f"{path}/domains", {"name": "dl.example"})
            states.append(await emulator.dump())
    assert states[0] == states[1]


async def test_one_name_is_one_package_in_both(call: Client, v2: ClientV2) -> None:
    """The word pypi means python, and an image is its path, so that neither version makes a second."""
    await call.package("snake", "pypi", organization="Acme")
    await call.package("web", "docker", organization="Acme")
    for body in (
        {"type": "python", "name": "snake"},
        {"type": "docker", "name": "acme/web", "backend_registry": "ghcr.io"},
    ):
        assert (await v2("POST", "/packages/acme", body)).refusal() == (422, "package-already-exists")


async def test_permissions_of_both(call: Client, v2: ClientV2) -> None:
    """Who is blocked is not listed in v2; the level `owner` is the highest of v1 there."""
    uuid = await call.package("tool", "npm")
    levels = (("ann", "blocked"), ("bob", "admin"), ("cat", "member"))
    body: JSON = [{"userQuery": name, "permissionLevel": level} for name, level in levels]
    assert (await call("POST", f"/packages/{uuid}/permissions", body)).status == 204
    path = f"/packages/emulator-user/{uuid}/permissions"
    shown = {one["username"]: one["permission_level"] for one in (await v2("GET", path)).array()}
    assert shown == {"emulator-user": "owner", "bob": "admin", "cat": "member"}
    assert (await v2("DELETE", f"{path}/ann")).status == 404
    assert (await v2("DELETE", f"{path}/bob")).status == 204
    assert (await v2("POST", path, {"username": "cat", "permission_level": "owner"})).status == 204
    reply = await call("GET", f"/packages/{uuid}/permissions")
    assert reply.json == [
        {"username": "ann", "permissionLevel": "blocked"},
        {"username": "cat", "permissionLevel": "admin"},
    ]


async def test_routes_and_domains_of_both(call: Client, v2: ClientV2) -> None:
    """The same ids; a file package of v1 has no route before one is made; one that only counts leads nowhere."""
    uuid = await call.package("tool", "file", organization="Acme")
    assert (await v2("GET", f"/packages/acme/{uuid}/routes")).json == []
    made = await call("POST", f"/packages/{uuid}/routes", {"templatePath": "x", "outgoingUrl": "o"})
    (route,) = (await v2("GET", f"/packages/acme/{uuid}/routes")).array()
    assert (route["id"], route["incoming_path"], route["outgoing_url"]) == (made.text("id"), "x", "o")
    await v2.made(f"/packages/acme/{uuid}/routes", {"incoming_path": "/counts"})
    assert [one["outgoingUrl"] for one in (await call("GET", f"/packages/{uuid}/routes")).array()] == ["o", ""]
    domain = await v2.made(f"/packages/acme/{uuid}/domains", {"name": "dl.example"})
    names = [(one["id"], one["name"]) for one in (await call("GET", f"/packages/{uuid}/domains")).array()]
    assert names[1:] == [(domain, "dl.example")]


async def test_members_of_both(call: Client, v2: ClientV2) -> None:
    """A member of one is a member of the other."""
    assert (await call("POST", "/organizations/Acme/users", {"username": "ann", "role": "admin"})).status == 200
    assert (await v2("GET", "/organizations/acme/members/ann")).text("role") == "admin"
    assert (await v2("DELETE", "/organizations/acme/members/ann")).status == 204
    assert len((await call("GET", "/organizations/Acme/users")).array()) == 1


async def test_end_of_an_export_is_a_quirk(v2: ClientV2, call: Client) -> None:
    """The last day is in it, or not; without dates the month is the same."""
    await call.package("tool", "npm", organization="Acme")

    async def days(query: str) -> set[str]:
        reply = await v2("GET", f"/packages/acme/events?{query}")
        assert reply.status == 200
        return {row["time"][:10] for row in reply.rows()}

    assert await days("start_date=2024-05-01&end_date=2024-05-02") == {"2024-05-01", "2024-05-02"}
    month = await days("")
    v2.quirks(end_inclusive=False)
    assert await days("start_date=2024-05-01&end_date=2024-05-02") == {"2024-05-01"}
    assert await days("start_date=2024-05-01&end_date=2024-05-01") == set()
    assert await days("") >= month - {min(month)}


async def test_a_file_from_before_v2_is_read(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """Columns that it lacks are added, and those that had to be filled may be empty."""
    path = tmp_path / "scarf.db"
    with sqlite3.connect(path) as database:
        database.executescript(_BEFORE_V2)
    database.close()
    package = "/packages/acme/00000000-0000-4000-8000-000000000000"
    async with Emulator(path) as emulator:
        v2 = ClientV2(Client(session, emulator))
        shown = await v2("GET", package)
        assert shown.text("updated_at") == shown.text("created_at") == "2024-01-01T00:00:00Z"
        (route,) = (await v2("GET", f"{package}/routes")).array()
        assert route["created_at"] == "2024-01-01T00:00:00Z"
        cleared = await v2("PUT", f"{package}/routes/{route['id']}", {"incoming_path": "/x"})
        assert "outgoing_url" not in cleared.object()
        body: JSON = {"type": "file", "name": "tool", "importance": "low"}
        changed = await v2("PUT", package, body)
        assert "short_description" not in changed.object()
        organization: JSON = {"name": "acme", "billing_email": "a@acme.example"}
        assert "description" not in (await v2("PUT", "/organizations/acme", organization)).object()
        await v2.made(f"{package}/domains", {"name": "dl.example"})
    async with Emulator(path) as emulator:
        v2 = ClientV2(Client(session, emulator))
        assert (await v2("GET", package)).object()["updated_at"] == changed.object()["updated_at"]
        assert len((await v2("GET", f"{package}/domains")).array()) == 2


_BEFORE_V2 = """
CREATE TABLE organizations (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    description   TEXT NOT NULL,
    website       TEXT,
    billing_email TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL
);
CREATE TABLE packages (
    id                INTEGER PRIMARY KEY,
    uuid              TEXT NOT NULL UNIQUE,
    organization_id   INTEGER REFERENCES organizations ON DELETE CASCADE,
    username          TEXT,
    name              TEXT NOT NULL,
    library_type      TEXT NOT NULL,
    short_description TEXT NOT NULL,
    long_description  TEXT,
    website           TEXT,
    backend_url       TEXT,
    public_url        TEXT,
    repository_url    TEXT,
    created_at        TEXT NOT NULL,
    CHECK ((organization_id IS NULL) <> (username IS NULL))
);
CREATE VIEW owned_packages AS
    SELECT p.*, coalesce(o.name, p.username) AS owner
    FROM packages AS p LEFT JOIN organizations AS o ON o.id = p.organization_id;
CREATE TABLE routes (
    id            INTEGER PRIMARY KEY,
    uuid          TEXT NOT NULL UNIQUE,
    package_id    INTEGER NOT NULL REFERENCES packages ON DELETE CASCADE,
    outgoing_url  TEXT NOT NULL,
    template_path TEXT NOT NULL
);
INSERT INTO organizations VALUES (1, 'acme', '', NULL, '', '', '');
INSERT INTO packages (uuid, organization_id, name, library_type, short_description, created_at)
    VALUES ('00000000-0000-4000-8000-000000000000', 1, 'tool', 'file', '', '2024-01-01T00:00:00Z');
INSERT INTO routes VALUES (1, '00000000-0000-4000-8000-000000000001', 1, 'https://o.example', '/x');
"""
