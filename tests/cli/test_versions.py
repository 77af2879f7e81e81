"""The command line in both versions: the check, whose packages are meant, and what only v2 has."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from scarf_async import OrganizationUpsert, PackageUpsert, Scarf
from scarf_async.cli.options import ClientOptions
from scarf_async.emulator import Emulator, Quirks
from scarf_async.testing import no_waiting

from .shell import RANGE, TOKEN, Done, answer, environment, invoke, of, server_of

V2 = ("--api", "v2")
ACME = (*V2, "--owner", "acme")
FILE = ("packages", "create", "dl", "--type", "file")


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A server with a package `web` of the organization `acme`, and one `mine` of the user."""
    async with Emulator(token=TOKEN, quirks=Quirks(permissions_of_organizations="works")) as emulator:
        async with Scarf(TOKEN, base_url=emulator.url) as scarf:
            await scarf.organizations.create(OrganizationUpsert(name="acme", description="A", billing_email="b@a"))
            web = PackageUpsert(
                name="web", short_description="The web client", website="https://w.example", library_type="npm"
            )
            await scarf.packages.create(PackageUpsert(name="mine", short_description="", library_type="npm"))
            await scarf.packages.create(web, organization="acme")
        emulator.requests.clear()
        yield emulator


async def told(emulator: Emulator, *arguments: str, **more: str) -> list[list[str]]:
    """Run a command that succeeds; return its lines, taken apart at the tabs."""
    done = await invoke(*arguments, env=of(emulator, **more))
    assert done.status == 0, done.err
    return [line.split("\t") for line in done.out.decode().splitlines()]


def asked(emulator: Emulator) -> list[str]:
    """Return what arrived."""
    return [f"{request.method} {request.path}" for request in emulator.requests]


@pytest.mark.parametrize(
    ("arguments", "status", "found", "advice"),
    [
        ((), 0, (True, True, True, None), "token and version work"),
        (ACME, 0, (True, True, True, True), "token, version and owner work"),
        (V2, 1, (False, True, True, None), "give --owner, or set $SCARF_OWNER"),
        ((*V2, "--owner", "nobody"), 1, (False, True, True, False), "there is no owner nobody"),
    ],
)
async def test_a_check(
    emulator: Emulator, arguments: Sequence[str], status: int, found: tuple[object, ...], advice: str
) -> None:
    """It tells what works and what to change; the status says whether all does."""
    done = await invoke("check", *arguments, "--json", env=of(emulator))
    said = json.loads(done.out)
    assert (done.status, tuple(said[name] for name in ("ok", "token", "version", "owner"))) == (status, found)
    assert advice in said["advice"]
    assert "Scarf(" not in said["advice"]
    shown = await invoke("check", *arguments, env=of(emulator))
    assert (shown.status, shown.err) == (status, "")
    assert f"advice\t{said['advice']}\n" in shown.out.decode()


async def test_a_check_of_a_wrong_token(emulator: Emulator) -> None:
    """It is not an error, and no token is shown."""
    done = await invoke("check", *ACME, "--json", env=of(emulator, SCARF_API_TOKEN="wrong"))
    assert (done.status, json.loads(done.out)["token"]) == (1, False)


async def test_a_check_without_an_answer() -> None:
    """That is an error as in every command."""
    with no_waiting():
        done = await invoke("check", env=environment("http://127.0.0.1:9"))
    assert (done.status, done.out) == (1, b"")


async def test_whose_packages_are_meant(emulator: Emulator) -> None:
    """Those of the option, else of the variables; with none nothing is asked, and the options are named."""
    names = [["acme", "web"]]
    assert [row[1:3] for row in await told(emulator, "packages", "list", *ACME)] == names
    named = {"SCARF_API_VERSION": "v2", "SCARF_ENTITY_NAME": "acme"}
    assert [row[1:3] for row in await told(emulator, "packages", "list", **named)] == names
    assert await told(emulator, "packages", "list", "--owner", "emulator-user", "--type", "file", **named) == []
    assert len(await told(emulator, "packages", "list", "--owner", "acme")) == 2
    emulator.requests.clear()
    done = await invoke("packages", "list", *V2, env=of(emulator))
    assert (done.status, asked(emulator)) == (2, [])
    assert "v2 needs an owner: give --owner, or set $SCARF_OWNER" in done.err


async def test_a_list_of_some_types(emulator: Emulator) -> None:
    """It may be given several times, in both versions."""
    await told(emulator, *FILE, "--route", "/{v}", *ACME)
    for version in ((), ACME):
        for types, names in ((["npm"], {"web"}), (["file"], {"dl"}), (["npm", "file"], {"web", "dl"})):
            options = [word for name in types for word in ("--type", name)]
            rows = await told(emulator, "packages", "list", "acme", *options, *version)
            assert {row[2] for row in rows} == names


@pytest.mark.parametrize("owner", [(), ("--owner", "acme"), ("--owner", "emulator-user")])
async def test_an_owner_in_front_of_a_name(emulator: Emulator, owner: Sequence[str]) -> None:
    """It is found with the client's owner, without one, and with another."""
    shown = dict(await told(emulator, "packages", "get", "acme/web", *V2, *owner))
    assert (shown["owner"], shown["name"]) == ("acme", "web")
    assert await told(emulator, "domains", "list", "acme/web", *V2, *owner) == []


async def test_a_file_package_with_its_route(emulator: Emulator) -> None:
    """It is created with it, and may only count; without one, or in v1 with one, nothing is sent."""
    url = "https://a.example/{v}.tgz"
    await told(emulator, *FILE, "--route", "/{v}.tgz", "--outgoing-url", url, *ACME)
    (route,) = await told(emulator, "routes", "list", "acme/dl", *V2)
    assert route[1:] == ["/{v}.tgz", url]
    assert await told(emulator, "routes", "get", "acme/dl", route[0], *V2) == [route]
    assert await told(emulator, "routes", "get", "acme/dl", route[0]) == [route]
    changed = [route[0], "/{v}.tgz", ""]
    update = ("routes", "update", "acme/dl", route[0])
    assert await told(emulator, *update, "--outgoing-url", "", *V2) == [changed]
    assert await told(emulator, *update, "--path", "/x/{v}", *V2) == [[route[0], "/x/{v}", ""]]
    assert (await told(emulator, "routes", "add", "acme/dl", "/counted", *V2))[0][1:] == ["/counted", ""]
    emulator.requests.clear()
    refused = [
        ((*FILE, *ACME), "give --route"),
        ((*FILE, "--outgoing-url", url, *ACME), "--outgoing-url needs --route"),
        ((*FILE, "--route", "/{v}"), "v1"),
        ((*update, "--path", "/y"), "v1 cannot change route"),
        (("packages", "update", "acme/dl", "--importance", "high"), "v1 has no importance"),
    ]
    for arguments, says in refused:
        done = await invoke(*arguments, env=of(emulator))
        assert (done.status, says in done.err) == (2, True), done.err
        assert "RouteCreate" not in done.err
    assert {line.split()[0] for line in asked(emulator)} <= {"GET"}


async def test_updates_keep_what_is_not_said(emulator: Emulator) -> None:
    """They send only what is said, and read the rest themselves."""
    await told(emulator, "packages", "update", "web", "--importance", "high", *ACME)
    shown = dict(await told(emulator, "packages", "get", "web", *ACME))
    assert (shown["importance"], shown["short_description"], shown["website"]) == (
        "high",
        "The web client",
        "https://w.example",
    )
    await told(emulator, "orgs", "update", "ACME", "--website", "https://a.example", *V2)
    shown = dict(await told(emulator, "orgs", "get", "acme", *V2))
    assert (shown["name"], shown["description"], shown["billing_email"]) == ("acme", "A", "b@a")


async def test_one_of_a_list(emulator: Emulator) -> None:
    """A member and a domain are shown in both versions."""
    await told(emulator, *FILE, "--organization", "acme")
    (domain,) = await told(emulator, "domains", "list", "acme/dl")
    for version in ((), ACME):
        assert await told(emulator, "members", "get", "acme", "emulator-user", *version) == [
            ["emulator-user", "owner"]
        ]
        assert await told(emulator, "domains", "get", "acme/dl", domain[0], *version) == [domain]


async def test_permissions(emulator: Emulator) -> None:
    """Owners are a level of v2; what only v1 has is refused with its name."""
    await told(emulator, "permissions", "set", "acme/web", "ann", "admin", *V2)
    assert ["ann", "admin"] in await told(emulator, "permissions", "list", "acme/web", *V2)
    emulator.requests.clear()
    for arguments in (("ann", "blocked", *V2), ("ann@a.example", "admin", *V2), ("ann", "owner")):
        done: Done = await invoke("permissions", "set", "acme/web", *arguments, env=of(emulator))
        assert done.status == 2, done.err
    assert {line.split()[0] for line in asked(emulator)} == {"GET"}


async def test_what_an_error_is_noted_with_is_said(emulator: Emulator) -> None:
    """A refusal is followed by what v2 documents, and a page at the address of v1 by what to try."""
    emulator.quirks = Quirks()
    done = await invoke("permissions", "set", "acme/web", "ann", "admin", *V2, env=of(emulator))
    assert (done.status, "packages of users only" in done.err.splitlines()[1]) == (1, True), done.err
    async with server_of(answer(b"<html>gone", "text/html", status="404 Not Found")) as (url, _):
        done = await invoke("orgs", "get", "acme", env=environment(url))
    assert done.err.splitlines()[-1] == "scarf-async: Scarf announced that v1 ends on 2023-09-01: try --api v2"


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("pixel-events", "--owner", "acme"), "/v2/tracking-pixels/acme/events"),
        (("pixel-events", "--owner", "acme", *V2), "/v2/tracking-pixels/acme/events"),
        (("pixel-events",), "/api/v1/pixels/events/events.csv"),
        (("owner-events", "acme", "--api", "v1"), "/v2/packages/acme/events"),
        (("job", "owner_events", "acme"), "/v2/packages/acme/events"),
        (("job", "owner_events", "--owner", "acme"), "/v2/packages/acme/events"),
        (("job", "pixel_events", "acme"), "/v2/tracking-pixels/acme/events"),
        (("job", "pixel_events"), "/api/v1/pixels/events/events.csv"),
        (("job", "pixel_events", *ACME), "/v2/tracking-pixels/acme/events"),
    ],
)
async def test_where_an_export_is_asked_for(
    emulator: Emulator, tmp_path: Path, arguments: Sequence[str], path: str
) -> None:
    """As the client is set up, and where the export is of an owner, in v2."""
    where = ("--directory", str(tmp_path / "job")) if arguments[0] == "job" else ()
    await told(emulator, "export", *arguments, *RANGE, *where)
    assert {request.path for request in emulator.requests} == {path}


async def test_the_pixels_of_an_owner_in_v1(emulator: Emulator) -> None:
    """There are none: the command is refused, and not answered with those of everybody."""
    done = await invoke("export", "pixel-events", "--owner", "acme", "--api", "v1", *RANGE, env=of(emulator))
    assert (done.status, emulator.requests) == (2, [])
    assert "an owner needs --api v2" in done.err


def test_a_plan_is_kept_for_the_version_s_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is that of the option, or of the variable."""
    for name in ("SCARF_API_VERSION", "SCARF_BASE_URL", "SCARF_V2_URL"):
        monkeypatch.delenv(name, raising=False)
    assert ClientOptions().server == "https://scarf.sh/api/v1"
    assert ClientOptions(api="v2").server == "https://api.scarf.sh/v2"
    monkeypatch.setenv("SCARF_API_VERSION", "v2")
    assert ClientOptions(v2_url="https://s.example/v2").server == "https://s.example/v2"
