"""The hosts under which packages are served: who may have which, and which every package has."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import aiohttp
import pytest

from scarf_async.emulator import Emulator

from .conftest import JSON, Client, package_body


async def names(call: Client, uuid: str) -> list[str]:
    """The names of a package's domains."""
    reply = await call("GET", f"/packages/{uuid}/domains")
    assert reply.status == 200
    assert isinstance(reply.json, list)
    return [str(domain["name"]) for domain in reply.json if isinstance(domain, dict)]


async def add(call: Client, uuid: str, name: str) -> tuple[int, JSON]:
    """Add a domain; returns the status and the code of the response."""
    reply = await call("POST", f"/packages/{uuid}/domains", {"name": name})
    return reply.status, reply.object().get("code")


async def test_one_name_on_many_packages_of_an_owner(call: Client) -> None:
    """A program puts one name on sixty images and needs 201 for each; each lists it."""
    await call.organization()
    for number in range(60):
        uuid = await call.package(f"charts/image-{number}", "docker", organization="acme")
        assert await add(call, uuid, "dl.acme.example") == (201, None)
        assert "dl.acme.example" in await names(call, uuid)


async def test_name_of_another_owner_is_taken(call: Client) -> None:
    """In any case of letters, of an organization or a user, and for the host of a public address too."""
    await call.organization()
    mine, theirs = await call.package("one"), await call.package("two", organization="acme")
    await call.package("web", "docker", organization="acme", publicUrl="https://img.acme.example/acme/web")
    assert await add(call, theirs, "dl.acme.example") == (201, None)
    assert await add(call, mine, "DL.Acme.Example") == (409, "domain-is-already-in-use")
    assert await add(call, mine, "img.acme.example") == (409, "domain-is-already-in-use")
    assert not call.emulator.requests[-1].effective


async def test_name_is_once_on_a_package(call: Client) -> None:
    """Added twice it is a conflict, as is one that the package has from the beginning."""
    web = await call.package("web", "docker", publicUrl="https://img.acme.example/acme/web")
    assert await add(call, web, "dl.acme.example") == (201, None)
    for name in ("DL.acme.example", "img.acme.example"):
        assert await add(call, web, name) == (409, "domain-is-already-in-use")


def image(name: str, registry: str, host: str | None) -> dict[str, JSON]:
    """A docker package behind a host."""
    body = package_body(name, "docker", backendUrl=f"{registry}/acme/{name}")
    return body if host is None else {**body, "publicUrl": f"{host}/acme/{name}"}


async def test_two_registries_behind_one_public_host_are_refused(call: Client) -> None:
    """No matter who owns the packages, and how host and port are written; one registry is fine for all."""
    await call.organization()
    for path in ("/packages", "/organizations/acme/packages"):
        for name, registry, host, status in (
            ("a", "https://ghcr.io", "https://lscr.example", 201),
            ("b", "https://GHCR.io:443", "https://LSCR.example:443", 201),
            ("c", "https://quay.io", "https://lscr.example", 422),
            ("d", "https://ghcr.io:5000", "https://lscr.example", 422),
            ("e", "https://quay.io", None, 201),
        ):
            reply = await call("POST", path, image(name, registry, host))
            assert (name, reply.status) == (name, status)
            if status == 422:
                assert "single backend registry" in reply.text("message")
                assert not call.emulator.requests[-1].effective


async def test_no_change_brings_a_second_registry_behind_a_host(call: Client) -> None:
    """An update of either address and a domain are refused like a create; a package alone there may move."""
    first = await call.package("a", "docker", publicUrl="https://lscr.example/acme/a")
    moved: JSON = {"name": "a", "shortDescription": "", "backendUrl": "https://quay.io/acme/a"}
    assert (await call("PUT", f"/packages/{first}", moved)).status == 200
    second = await call.package("b", "docker")
    assert await add(call, second, "lscr.example") == (422, "package-is-conflicting")
    body: JSON = {"name": "b", "shortDescription": "", "publicUrl": "https://lscr.example/acme/b"}
    assert (await call("PUT", f"/packages/{second}", body)).status == 422
    third = await call.package("c", "docker", backendUrl="https://quay.io/acme/c")
    assert await add(call, third, "lscr.example") == (201, None)
    back: JSON = {"name": "c", "shortDescription": "", "backendUrl": "https://ghcr.io/acme/c"}
    assert (await call("PUT", f"/packages/{third}", back)).status == 422
    state = await call.emulator.dump()
    assert state["packages"]["emulator-user/docker/c"]["backendUrl"] == "https://quay.io/acme/c"


async def test_file_package_may_share_the_host_of_images(call: Client) -> None:
    """Only images have a registry."""
    await call.package("web", "docker", publicUrl="https://dl.acme.example/acme/web")
    assert await add(call, await call.package("tool"), "dl.acme.example") == (201, None)


@pytest.mark.parametrize(
    ("library_type", "address", "expected"),
    [
        ("docker", {}, ["acme.docker.scarf.sh"]),
        ("docker", {"publicUrl": "https://img.acme.example:8443/acme/tool"}, ["img.acme.example"]),
        ("file", {}, ["acme.gateway.scarf.sh"]),
        ("python", {}, ["acme.gateway.scarf.sh"]),
        ("pypi", {}, ["acme.gateway.scarf.sh"]),
        ("npm", {}, []),
        ("other", {}, []),
    ],
)
async def test_package_begins_with_a_domain(
    call: Client, library_type: str, address: dict[str, str], expected: list[str]
) -> None:
    """That of its public address, else Scarf's own for its owner; others come behind it."""
    await call.organization()
    uuid = await call.package("tool", library_type, organization="acme", **address)
    assert await names(call, uuid) == expected
    if expected:
        await add(call, uuid, "dl.acme.example")
        assert await names(call, uuid) == [*expected, "dl.acme.example"]


async def test_domain_of_the_public_address_follows_it(call: Client) -> None:
    """An update that names another host changes it; its id stays while the name does."""
    uuid = await call.package("web", "docker", publicUrl="https://one.example/acme/web")
    path = f"/packages/{uuid}"
    before = await call("GET", f"{path}/domains")
    await call("PUT", path, package_body("web", None, website="https://w.example"))
    assert (await call("GET", f"{path}/domains")).json == before.json
    await call("PUT", path, package_body("web", None, publicUrl="https://two.example/acme/web"))
    assert await names(call, uuid) == ["two.example"]


async def test_package_keeps_one_domain(call: Client) -> None:
    """Without the domain of its public address it is served under Scarf's own, and that cannot be deleted."""
    uuid = await call.package("web", "docker", publicUrl="https://one.example/acme/web")
    path = f"/packages/{uuid}/domains"
    for status, left in ((204, ["emulator-user.docker.scarf.sh"]), (422, ["emulator-user.docker.scarf.sh"])):
        shown = (await call("GET", path)).json
        assert isinstance(shown, list)
        assert isinstance(shown[0], dict)
        reply = await call("DELETE", f"{path}/{shown[0]['id']}")
        assert reply.status == status
        assert await names(call, uuid) == left
    assert reply.object()["code"] == "package-must-have-one-domain"
    assert (await call.emulator.dump())["packages"]["emulator-user/docker/web"]["publicUrl"] is None


async def test_file_of_an_earlier_version_keeps_its_domains(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """It had a table in which each name is there once."""
    path = tmp_path / "scarf.db"
    emulator = Emulator(path)
    call = Client(session, emulator)
    async with emulator:
        one, two = await call.package("one"), await call.package("two")
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE domains (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, package_id INTEGER NOT NULL"
            " REFERENCES packages ON DELETE CASCADE, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL)"
        )
        database.execute("INSERT INTO domains VALUES (1, 'u', 1, 'dl.acme.example', 'DL.acme.example')")
    database.close()
    for _ in range(2):
        async with emulator:
            assert await names(call, one) == ["emulator-user.gateway.scarf.sh", "DL.acme.example"]
    async with emulator:
        assert await add(call, two, "dl.acme.example") == (201, None)
