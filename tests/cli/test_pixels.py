"""The commands for what only v2 has, as a shell runs them; the version that is used otherwise does not matter."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from scarf_async.emulator import Emulator
from scarf_async.emulator.answers import JSON

from .shell import TOKEN, invoke, of

WEB: dict[str, JSON] = {"name": "web", "libraryType": "npm", "shortDescription": "The web client"}


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A server with a package `web` of the organization `acme`."""
    load: dict[str, JSON] = {"organizations": [{"name": "acme", "packages": [WEB]}]}
    async with Emulator(token=TOKEN, load=load) as emulator:
        yield emulator


async def told(emulator: Emulator, *arguments: str, said: str = "") -> list[list[str]]:
    """Run a command of acme's that succeeds; return its lines, taken apart at the tabs."""
    done = await invoke(*arguments, env=of(emulator, SCARF_OWNER="acme"))
    assert done.status == 0, done.err
    assert said in done.err
    return [line.split("\t") for line in done.out.decode().splitlines()]


async def entity(emulator: Emulator, *arguments: str) -> dict[str, object]:
    """Run a command of acme's with --json that succeeds; return what it says of one thing."""
    done = await invoke(*arguments, "--json", env=of(emulator, SCARF_OWNER="acme"))
    assert done.status == 0, done.err
    found = json.loads(done.out)
    (one,) = found if isinstance(found, list) else [found]
    assert isinstance(one, dict)
    return one


def writes(emulator: Emulator) -> list[str]:
    """Return the requests that were not questions."""
    return [request.method for request in emulator.requests if request.method != "GET"]


async def test_pixels(emulator: Emulator) -> None:
    """They are created, kept, listed, changed in what is said, and deleted."""
    create = ("pixels", "create", "Docs", "--package", "acme/web", "--importance", "high", "--no-track-companies")
    made = await entity(emulator, *create, "--short-description", "S")
    identifier = str(made["id"])
    assert (made["track_companies"], made["owner"]) == (False, "acme")
    assert isinstance(made["package"], dict)
    await told(emulator, *create, said="Done: create the tracking pixel name 'Docs', importance 'high'")
    assert writes(emulator) == ["POST"]
    assert await told(emulator, "pixels", "list") == [[identifier, "Docs", "high", "S"]]
    assert await told(emulator, "pixels", "list", "--package", "acme/web") == [[identifier, "Docs", "high", "S"]]
    await told(emulator, "pixels", "update", identifier, "--importance", "low", "--short-description", "")
    shown = dict(await told(emulator, "pixels", "get", identifier))
    assert (shown["name"], shown["importance"], shown["short_description"]) == ("Docs", "low", "")
    assert (shown["package"], shown["track_companies"]) == (made["package"]["id"], "False")
    changed = await entity(emulator, "pixels", "update", "Docs", "--name", "Pages", "--package", "")
    assert (changed["name"], changed["package"], changed["importance"]) == ("Pages", None, "low")
    deleted = f"Done: delete the tracking pixel Pages ({identifier}) of acme"
    await told(emulator, "pixels", "delete", "Pages", "--yes", said=deleted)
    assert await told(emulator, "pixels", "list") == []


async def test_the_domains_of_pixels(emulator: Emulator) -> None:
    """They are added once, listed and removed; their status is shown while they are there."""
    identifier = str((await entity(emulator, "pixels", "create", "Docs"))["id"])
    domain = await entity(emulator, "pixels", "add-domain", identifier, "px.acme.example")
    assert await entity(emulator, "pixels", "add-domain", identifier, "px.acme.example") == domain
    assert await told(emulator, "pixels", "domains", identifier) == [[str(domain["id"]), "px.acme.example"]]
    assert ["verification_status", "verified"] in await told(emulator, "domains", "status", "px.acme.example")
    assert await told(emulator, "pixels", "domains", "Docs") == [[str(domain["id"]), "px.acme.example"]]
    await told(emulator, "pixels", "remove-domain", "Docs", "px.acme.example", "--yes")
    done = await invoke("domains", "status", "px.acme.example", "--owner", "acme", env=of(emulator))
    assert done.status == 1


async def test_collections(emulator: Emulator) -> None:
    """They are created, kept, listed, changed in what is said, and deleted."""
    create = ("collections", "create", "acme/*", "ghcr.io", "--public-domain", "cr.acme.example")
    made = await entity(emulator, *create)
    identifier = str(made["id"])
    assert await entity(emulator, *create) == made
    assert await told(emulator, "collections", "list") == [[identifier, "acme/*", "ghcr.io", "cr.acme.example"]]
    changed = await entity(emulator, "collections", "update", identifier, "--backend-domain", "quay.io")
    assert (changed["pattern"], changed["backend_domain"]) == ("acme/*", "quay.io")
    assert changed["public_domain"] == "cr.acme.example"
    changed = await entity(emulator, "collections", "update", "acme/*", "--public-domain", "")
    assert changed == await entity(emulator, "collections", "get", identifier)
    assert changed["public_domain"] == "acme.docker.scarf.sh"
    await told(emulator, "collections", "delete", "acme/*", "--yes", said="Done: delete the collection acme/*")
    assert await told(emulator, "collections", "list") == []


async def test_what_there_is_to_find(emulator: Emulator) -> None:
    """Accounts, organizations, what a search finds, and how often packages were fetched."""
    assert ["type", "organization"] in await told(emulator, "users", "get", "acme")
    assert await told(emulator, "users", "organizations", emulator.user) == [["acme", "owner"]]
    (found,) = await told(emulator, "search", "WEB")
    assert (found[0], found[2:]) == ("package", ["acme", "web", "npm"])
    (line,) = await told(emulator, "packages", "overview", "--type", "npm", "--permission", "owner")
    assert line[:3] == [found[1], "web", "npm"]
    assert int(line[3]) > 0
    one = await entity(emulator, "packages", "overview", "acme")
    assert isinstance(one["package"], dict)
    assert (one["package"]["uuid"], one["domains"]) == (found[1], [])


@pytest.mark.parametrize(
    "arguments",
    [
        ("pixels", "create", "Pages", "--package", "acme/web"),
        ("pixels", "update", "PIXEL", "--importance", "low"),
        ("pixels", "delete", "PIXEL"),
        ("pixels", "add-domain", "PIXEL", "px.acme.example"),
        ("pixels", "remove-domain", "PIXEL", "some-id"),
        ("collections", "create", "acme/x", "ghcr.io"),
        ("collections", "update", "COLLECTION", "--pattern", "acme/x"),
        ("collections", "delete", "COLLECTION"),
    ],
    ids=" ".join,
)
async def test_a_dry_run_changes_nothing(emulator: Emulator, arguments: tuple[str, ...]) -> None:
    """It says what it would send."""
    made = {
        "PIXEL": str((await entity(emulator, "pixels", "create", "Docs"))["id"]),
        "COLLECTION": str((await entity(emulator, "collections", "create", "acme/*", "ghcr.io"))["id"]),
    }
    emulator.requests.clear()
    words = [made.get(word, word) for word in arguments]
    assert await told(emulator, *words, "--dry-run", said="Dry run, not sent: ") == []
    assert writes(emulator) == []


async def test_without_an_owner(emulator: Emulator) -> None:
    """The option that is missing is named, and nothing is sent."""
    done = await invoke("pixels", "list", env=of(emulator, SCARF_OWNER="", SCARF_ENTITY_NAME=""))
    assert (done.status, emulator.requests) == (2, [])
    assert "--owner" in done.err
