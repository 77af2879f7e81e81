"""The commands for one thing at a time, as a shell runs them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from security.terminal import at_terminal

from scarf_async import OrganizationUpsert, PackageUpsert, Permission, Scarf
from scarf_async.cli.records import plain
from scarf_async.emulator import Emulator

from .shell import TOKEN, Done, invoke, of, run_on_terminal


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A server with one file package, `web`, of the organization `acme`."""
    async with Emulator(token=TOKEN) as emulator:
        async with client(emulator) as scarf:
            await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
            package = PackageUpsert(name="web", short_description="The web client", library_type="file")
            await scarf.packages.create(package, organization="acme")
        emulator.requests.clear()
        yield emulator


def client(emulator: Emulator) -> Scarf:
    """Return a client of the server."""
    return Scarf(TOKEN, base_url=emulator.url)


def writes(emulator: Emulator) -> list[str]:
    """Return the requests that were no questions."""
    return [request.method for request in emulator.requests if request.method != "GET"]


async def lines(*arguments: str, emulator: Emulator) -> list[list[str]]:
    """Run a command that succeeds; return its lines, taken apart at the tabs."""
    done = await invoke(*arguments, env=of(emulator))
    assert done.status == 0, done.err
    return [line.split("\t") for line in done.out.decode().splitlines()]


async def entities(*arguments: str, emulator: Emulator) -> list[dict[str, object]]:
    """Run a command with --json that succeeds; return what it says."""
    done = await invoke(*arguments, "--json", env=of(emulator))
    assert done.status == 0, done.err
    found: object = json.loads(done.out)
    return found if isinstance(found, list) else [found]  # type: ignore[list-item] # an object of JSON


async def test_organizations(emulator: Emulator) -> None:
    """They are created, shown and changed; what is not said stays."""
    (made,) = await entities(
        "orgs", "create", "umbra", "--description", "Shade", "--website", "https://u.example", emulator=emulator
    )
    assert (made["name"], made["description"]) == ("umbra", "Shade")
    await lines("orgs", "update", "umbra", "--website", "", "--billing-email", "b@u.example", emulator=emulator)
    shown = dict(await lines("orgs", "get", "umbra", emulator=emulator))
    assert (shown["description"], shown["website"], shown["billing_email"]) == ("Shade", "", "b@u.example")
    await lines("orgs", "update", "umbra", "--name", "penumbra", emulator=emulator)
    assert (await invoke("orgs", "get", "umbra", env=of(emulator))).status == 1


async def test_members(emulator: Emulator) -> None:
    """They are set, listed and removed; a role that there is not is wrong usage."""
    assert await lines("members", "set", "acme", "ann", "admin", emulator=emulator) == [["ann", "admin"]]
    assert ["ann", "admin"] in await lines("members", "list", "acme", emulator=emulator)
    assert {"ann"} < {
        str(member["username"]) for member in await entities("members", "list", "acme", emulator=emulator)
    }
    assert (await invoke("members", "set", "acme", "ann", "king", env=of(emulator))).status == 2
    await lines("members", "remove", "acme", "ann", "--yes", emulator=emulator)
    assert ["ann", "admin"] not in await lines("members", "list", "acme", emulator=emulator)


async def test_one_thing_is_one_object(emulator: Emulator) -> None:
    """What a command changes is a JSON object, as what `get` shows; a list is what `list` shows."""
    for arguments in (
        ("members", "set", "acme", "ann", "admin"),
        ("routes", "add", "acme/web", "/x", "https://x.example"),
        ("domains", "add", "acme/web", "dl.example"),
    ):
        done = await invoke(*arguments, "--json", env=of(emulator))
        assert isinstance(json.loads(done.out), dict), done.err


async def test_a_terminal_that_lacks_a_character(emulator: Emulator) -> None:
    """It is shown escaped; the command does not end for it."""
    await lines("orgs", "update", "acme", "--description", "Qualität", emulator=emulator)
    status, shown = await run_on_terminal("orgs", "get", "acme", env=of(emulator, PYTHONIOENCODING="ascii"))
    assert status == 0
    assert r"Qualit\xe4t" in shown


async def test_a_name_cannot_be_emptied(emulator: Emulator) -> None:
    """An empty name is wrong usage, and does not stand for the old one."""
    for arguments in (("orgs", "update", "acme"), ("packages", "update", "acme/web")):
        done = await invoke(*arguments, "--name", "", env=of(emulator))
        assert (done.status, writes(emulator)) == (2, []), done.err


async def test_packages(emulator: Emulator) -> None:
    """They are created, listed, shown by name and by uuid, changed and deleted."""
    (made,) = await entities(
        "packages", "create", "cli", "--organization", "acme", "--type", "npm", "--website", "https://c.example",
        emulator=emulator,
    )  # fmt: skip
    uuid = str(made["uuid"])
    assert [uuid, "acme", "cli", "npm", ""] in await lines("packages", "list", "acme", emulator=emulator)
    (by_name,) = await entities("packages", "get", "acme/cli", "--type", "npm", emulator=emulator)
    assert [by_name] == await entities("packages", "get", uuid, emulator=emulator) == [made]
    assert await entities("packages", "get", "ACME/cli", "--type", "npm", emulator=emulator) == [made]
    await lines("packages", "update", uuid, "--short-description", "Tools", emulator=emulator)
    (changed,) = await entities("packages", "get", uuid, emulator=emulator)
    assert changed == {**made, "short_description": "Tools"}
    await lines("packages", "delete", uuid, "--yes", emulator=emulator)
    assert len(await lines("packages", "list", "acme", emulator=emulator)) == 1


async def test_an_address_that_may_be_lost_is_told(emulator: Emulator) -> None:
    """A docker package is changed without its addresses only with a warning."""
    docker = (
        "--type",
        "docker",
        "--backend-url",
        "https://ghcr.io/acme/img",
        "--public-url",
        "https://a.example/acme/img",
    )
    await lines("packages", "create", "acme/img", "--organization", "acme", *docker, emulator=emulator)
    done = await invoke("packages", "update", "acme/img", "--short-description", "x", env=of(emulator))
    assert done.status == 0, done.err
    assert "does not return backend_url and public_url" in done.err


async def test_permissions(emulator: Emulator) -> None:
    """They are set by name or e-mail address and listed."""
    emulator.requests.clear()
    await lines("permissions", "set", "acme/web", "bob", "eve", "member", emulator=emulator)
    assert writes(emulator) == ["POST"]
    assert ["eve", "member"] in await lines("permissions", "list", "acme/web", emulator=emulator)
    assert ["bob", "member"] in await lines("permissions", "list", "acme/web", emulator=emulator)
    listed = await entities("permissions", "list", "acme/web", "--type", "file", emulator=emulator)
    assert {"username": "bob", "permission_level": "member", "user_id": None, "extra": {}} in listed


async def test_routes_and_domains(emulator: Emulator) -> None:
    """They are added once, listed, and removed by their ids."""
    path, url = "/web/{version}.tgz", "https://example.org/web-{version}.tgz"
    ((route, *shown),) = await lines("routes", "add", "acme/web", path, url, emulator=emulator)
    assert shown == [path, url]
    assert await lines("routes", "add", "acme/web", path, url, emulator=emulator) == [[route, path, url]]
    ((domain, _),) = await lines("domains", "add", "acme/web", "dl.example", emulator=emulator)
    assert await lines("routes", "list", "acme/web", emulator=emulator) == [[route, path, url]]
    given, added = await lines("domains", "list", "acme/web", emulator=emulator)
    assert (given[1], added) == ("acme.gateway.scarf.sh", [domain, "dl.example"])
    await lines("routes", "remove", "acme/web", route, "--yes", emulator=emulator)
    await lines("domains", "remove", "acme/web", domain, "--yes", emulator=emulator)
    assert await entities("routes", "list", "acme/web", emulator=emulator) == []
    assert await lines("domains", "list", "acme/web", emulator=emulator) == [given]


async def test_routes_and_domains_by_their_names(emulator: Emulator) -> None:
    """A path and a name mean what an id does; where several routes have the path, all ids are named."""
    for url in ("https://a.example", "https://b.example"):
        await lines("routes", "add", "acme/web", "/x", url, emulator=emulator)
    await lines("routes", "add", "acme/web", "/y", "https://y.example", emulator=emulator)
    await lines("domains", "add", "acme/web", "dl.example", emulator=emulator)
    emulator.requests.clear()
    twice = await invoke("routes", "remove", "acme/web", "/x", "--yes", env=of(emulator))
    assert (twice.status, writes(emulator)) == (2, [])
    assert "to https://a.example" in twice.err
    missing = await invoke("routes", "get", "acme/web", "/z", env=of(emulator))
    assert (missing.status, "there is no route /z" in missing.err) == (1, True)
    assert (await lines("routes", "get", "acme/web", "/y", emulator=emulator))[0][1:] == ["/y", "https://y.example"]
    assert (await lines("domains", "get", "acme/web", "DL.example", emulator=emulator))[0][1] == "dl.example"
    for words, asked in (
        (("routes", "remove", "acme/web", "/y"), "Delete the route /y to 'https://y.example' ("),
        (("domains", "remove", "acme/web", "dl.example"), "Delete the domain dl.example ("),
    ):
        refused = await invoke(*words, env=of(emulator))
        assert (refused.status, writes(emulator)) == (3, [])
        assert asked in (await invoke(*words, "--dry-run", env=of(emulator))).err.replace("delete", "Delete")
    await lines("routes", "remove", "acme/web", "/y", "--yes", emulator=emulator)
    await lines("domains", "remove", "acme/web", "dl.example", "--yes", emulator=emulator)
    assert writes(emulator) == ["DELETE", "DELETE"]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("orgs", "update", "acme"), 2, "nothing to change: give --name, --description"),
        (("packages", "update", "acme/web"), 2, "nothing to change: give --name, --short-description"),
        (("pixels", "update", "x", "--owner", "acme"), 2, "nothing to change: give --name"),
        (("collections", "update", "x", "--owner", "acme"), 2, "nothing to change: give --pattern"),
        (("routes", "update", "acme/web", "x", "--api", "v2"), 2, "nothing to change: give --path"),
        (("routes", "add", "acme/web", "https://x.example", "/x"), 2, "swapped?"),
        (("routes", "add", "acme/web", "/x", "https://x.example", "--to", "https://x.example"), 2, "given twice"),
        (
            ("packages", "create", "x", "--type", "dokcer", "--dry-run"),
            0,
            "dokcer is unknown; did you mean docker?",
        ),
        (("packages", "list", "acme", "--type", "zzz"), 0, "zzz is unknown; known are docker, npm"),
    ],
)
async def test_what_is_likely_a_mistake_is_told(
    emulator: Emulator, arguments: tuple[str, ...], status: int, says: str
) -> None:
    """Before anything is sent; what cannot be meant is refused."""
    done = await invoke(*arguments, env=of(emulator))
    assert (done.status, says in done.err, writes(emulator)) == (status, True, []), done.err


async def test_what_is_there_may_be_kept(emulator: Emulator) -> None:
    """Created again is an error, or with --if-exists keep the one that is there."""
    org = ("orgs", "create", "umbra")
    package = ("packages", "create", "cli", "--organization", "acme", "--type", "npm")
    for words in (org, package):
        made = await entities(*words, emulator=emulator)
        assert (await invoke(*words, env=of(emulator))).status == 1
        assert await entities(*words, "--if-exists", "keep", emulator=emulator) == made


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("orgs", "create", "umbra"), "create the organization umbra: name 'umbra'"),
        (("orgs", "update", "acme", "--website", "https://a.example"), "website 'https://a.example'"),
        (("members", "set", "acme", "ann", "admin"), "make ann admin of acme"),
        (("members", "remove", "acme", "ann"), "remove ann from acme"),
        (
            ("packages", "create", "x", "--type", "pypi", "--repository-url", "https://u:pw@i.example/"),
            "https://***@i",
        ),
        (
            ("packages", "update", "acme/web", "--name", "site"),
            "update the package web (file) of acme: name 'site'",
        ),
        (("packages", "delete", "acme/web"), "delete the package web (file) of acme"),
        (("permissions", "set", "acme/web", "bob", "admin"), "set bob to admin on acme/web"),
        (("routes", "add", "acme/web", "/x", "https://x.example"), "template_path '/x'"),
        (("routes", "remove", "acme/web", "1"), "delete the route 1"),
        (("domains", "add", "acme/web", "x.example"), "add the domain x.example"),
        (("domains", "remove", "acme/web", "1"), "delete the domain 1"),
    ],
)
async def test_a_dry_run_sends_no_change(emulator: Emulator, arguments: tuple[str, ...], says: str) -> None:
    """It says what would be sent, asks nothing, prints no data, and nothing but questions reach the service."""
    done = await invoke(*arguments, "--dry-run", env=of(emulator))
    assert (done.status, done.out) == (0, b""), done.err
    assert "Dry run, not sent: " in done.err
    assert says in done.err
    assert "pw@" not in done.err
    assert writes(emulator) == []


async def test_a_dry_run_of_what_is_there(emulator: Emulator) -> None:
    """It does not claim to have added what would be kept."""
    arguments = ("domains", "add", "acme/web", "dl.example")
    await lines(*arguments, emulator=emulator)
    done = await invoke(*arguments, "--dry-run", env=of(emulator))
    assert (done.status, done.err) == (0, "Already applied: add the domain dl.example to acme/web\n")


DELETE = ("packages", "delete", "acme/web")


async def test_a_question_is_answered_on_the_terminal(emulator: Emulator) -> None:
    """No and Enter leave everything with status 3; yes does it."""
    for keys in (b"n\n", b"\n"):
        status, shown = await run_on_terminal(*DELETE, env=of(emulator), answer=keys)
        assert status == 3
        assert "Delete the package web (file) of acme? [y/N]" in shown
        assert "nothing was changed" in shown
    assert writes(emulator) == []
    status, shown = await run_on_terminal(*DELETE, env=of(emulator), answer=b"y\n")
    assert (status, writes(emulator)) == (0, ["DELETE"]), shown


async def test_ctrl_c_answers_a_question(emulator: Emulator) -> None:
    """It ends the command with status 130 and changes nothing."""
    status, shown = await run_on_terminal(*DELETE, env=of(emulator), answer=b"\x03")
    assert (status, writes(emulator)) == (130, []), shown


async def test_without_a_terminal_nothing_is_asked(emulator: Emulator) -> None:
    """The command refuses with status 3 and says what to give."""
    for arguments in (DELETE, ("members", "remove", "acme", "ann")):
        done: Done = await invoke(*arguments, env=of(emulator))
        assert (done.status, done.out) == (3, b"")
        assert "--yes" in done.err
    assert writes(emulator) == []


async def test_a_list_is_a_table_on_a_terminal(emulator: Emulator) -> None:
    """It has a header, and colours unless $NO_COLOR is set; what steers a terminal is escaped."""
    async with client(emulator) as scarf:
        package = PackageUpsert(name="evil", short_description="\x1b[2J[bold]x", library_type="file")
        await scarf.packages.create(package, organization="acme")
    status, shown = await run_on_terminal("packages", "list", "acme", env=of(emulator))
    assert status == 0
    assert "short_description" in shown
    assert "\\x1b[2J[bold]x" in shown
    assert "\x1b[2J" not in shown
    _, plain = await at_terminal("packages", "list", "acme", env=of(emulator), no_color="1")
    assert "\x1b" not in plain
    piped = await lines("packages", "list", "acme", emulator=emulator)
    assert piped[1][-1] == "\\x1b[2J[bold]x"


def test_extra_is_in_json_only() -> None:
    """What the service sends beyond what is known is not lost in JSON."""
    assert plain(Permission("bob", "new-level", extra={"since": 1})) == {
        "username": "bob",
        "permission_level": "new-level",
        "user_id": None,
        "extra": {"since": 1},
    }
