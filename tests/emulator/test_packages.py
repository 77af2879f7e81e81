"""Packages of every type, over HTTP."""

from __future__ import annotations

import pytest

from scarf_async.emulator import Emulator

from .conftest import JSON, Client, package_body

_INDEX = "https://python-index.example/simple/"


async def test_created_package_is_answered_without_its_addresses(call: Client) -> None:
    """A create gives 201 and a PackageV1, in which no address appears."""
    body = package_body("web", "docker", publicUrl="https://lscr.io/acme/web", longDescription="", website="w")
    created = await call("POST", "/packages", body)
    assert created.status == 201
    assert created.object().keys() == {
        "uuid", "owner", "name", "shortDescription", "createdAt", "longDescription", "website", "libraryType",
    }  # fmt: skip
    assert created.object()["owner"] == "emulator-user"
    assert created.object()["longDescription"] == ""
    assert (await call("GET", f"/packages/{created.text('uuid')}")).json == created.json


async def test_absent_optional_fields_are_left_out(call: Client) -> None:
    """Without a type a package is of type other; what was not given is not there."""
    created = await call("POST", "/packages", package_body("x", None, longDescription=None))
    assert created.object()["libraryType"] == "other"
    assert not created.object().keys() & {"longDescription", "website"}


async def test_lists_of_user_and_organization(call: Client) -> None:
    """The user's list holds the packages of the user's organizations too; the organization's only its own."""
    await call.organization()
    own = await call.package("own")
    shared = await call.package("shared", organization="acme")
    everything, of_acme = await call("GET", "/packages"), await call("GET", "/organizations/acme/packages")
    assert isinstance(everything.json, list)
    assert isinstance(of_acme.json, list)
    assert [p["uuid"] for p in everything.json if isinstance(p, dict)] == [own, shared]
    assert [p["uuid"] for p in of_acme.json if isinstance(p, dict)] == [shared]


async def test_packages_of_an_organization_the_user_left_are_not_listed(call: Client) -> None:
    """A user who is not a member sees neither the package in the list nor its name."""
    await call.organization()
    await call.package("shared", organization="acme")
    await call("POST", "/organizations/acme/users", {"username": "ann", "role": "owner"})
    await call("DELETE", "/organizations/acme/users/emulator-user")
    assert (await call("GET", "/packages")).json == []
    assert (await call("GET", "/packages/shared")).status == 404


@pytest.mark.parametrize("name", ["web", "acme/web"])
@pytest.mark.parametrize("asked", ["web", "acme%2Fweb"])
async def test_container_image_is_found_with_and_without_its_owner(call: Client, name: str, asked: str) -> None:
    """The owner in front of an image's name is not part of it, on either side."""
    await call.organization()
    uuid = await call.package(name, "docker", organization="acme")
    found = await call("GET", f"/packages/{asked}", params={"packageType": "docker"})
    assert found.status == 200
    assert found.object()["uuid"] == uuid


async def test_namesakes_are_told_apart_by_type(call: Client) -> None:
    """A name that means several packages is refused until packageType says which."""
    await call.package("web", "npm")
    uuid = await call.package("web", "file")
    unclear = await call("GET", "/packages/web")
    assert unclear.status == 400
    assert "packageType" in unclear.text("message")
    assert (await call("GET", "/packages/web", params={"packageType": "file"})).object()["uuid"] == uuid
    assert (await call("GET", "/packages/web", params={"packageType": "docker"})).status == 404


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("a/b", "a%2Fb"),
        ("50%", "50%25"),
        ("what?", "what%3F"),
        ("c#", "c%23"),
        ("a;b", "a;b"),
        ("c++", "c++"),
        ("x&y", "x&y"),
        ("%2F", "%252F"),
        ("two words", "two%20words"),
        ("snowman ☃", "snowman%20%E2%98%83"),
    ],
)
async def test_any_name_travels_as_one_segment(call: Client, name: str, segment: str) -> None:
    """A segment is decoded once, by itself; the record keeps it as it arrived."""
    uuid = await call.package(name)
    found = await call("GET", f"/packages/{segment}")
    assert found.object()["uuid"] == uuid
    assert call.emulator.requests[-1].path == f"/api/v1/packages/{segment}"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"shortDescription": None}, "shortDescription"),
        ({"shortDescription": 1}, "shortDescription"),
        ({"libraryType": ""}, "libraryType"),
        ({"longDescription": []}, "longDescription"),
        ({"repositoryUrl": _INDEX}, "repositoryUrl"),
        ({"backendUrl": "https://ghcr.io/acme/web"}, "backendUrl"),
        ({"repositoryURL": _INDEX}, "repositoryURL"),
    ],
)
async def test_bad_package_fields_are_refused_by_name(call: Client, change: dict[str, JSON], named: str) -> None:
    """A field that is missing, mistyped, misspelled or for another type is a 422 that names it."""
    reply = await call("POST", "/packages", {**package_body(), **change})
    assert reply.status == 422
    assert reply.text("message").startswith(f"{named}: ")
    assert (await call("GET", "/packages")).json == []


@pytest.mark.parametrize(
    "url",
    [
        "ghcr.io/acme/web",
        "ftp://ghcr.io/acme/web",
        "https://ghcr.io",
        "https://ghcr.io/",
        "https://ghcr.io/acme/",
        "https://ghcr.io/acme//web",
        "https://ghcr.io/Acme/web",
        "https://ghcr.io/acme/web--1",
        "https://ghcr.io/acme/wéb",
        "https://ghcr.io/acme/web\n",
        "https:///acme/web",
        "https://ghcr.io:port/acme",
        "https://[ghcr.io/acme",
        "",
    ],
)
@pytest.mark.parametrize("field", ["backendUrl", "publicUrl"])
async def test_bad_registry_addresses_are_refused(call: Client, field: str, url: str) -> None:
    """A registry's address is an absolute URL whose path components all match the described pattern."""
    reply = await call("POST", "/packages", {**package_body("web", "docker"), field: url})
    assert reply.status == 422
    assert reply.text("message").startswith(f"{field}: ")


async def test_docker_package_needs_its_backend(call: Client) -> None:
    """The field is optional for packages at large, and needed for docker."""
    reply = await call("POST", "/packages", {**package_body("web", "docker"), "backendUrl": None})
    assert reply.status == 422
    assert "backendUrl" in reply.text("message")


async def test_public_path_is_the_backends(call: Client) -> None:
    """The two addresses differ in their host alone, also when one of them comes later."""
    body = package_body("web", "docker", publicUrl="https://lscr.io/acme/other")
    assert (await call("POST", "/packages", body)).status == 422
    uuid = await call.package("web", "docker")
    update = package_body("web", None, publicUrl="https://lscr.io/acme/other")
    assert (await call("PUT", f"/packages/{uuid}", update)).status == 422
    update["publicUrl"] = "https://lscr.io/acme/web"
    assert (await call("PUT", f"/packages/{uuid}", update)).status == 200


@pytest.mark.parametrize("library_type", ["pypi", "python"])
async def test_python_package_takes_an_index(call: Client, library_type: str) -> None:
    """The address of an index is absolute, and is kept though never shown."""
    body = package_body("tool", library_type, repositoryURL="/simple/")
    assert (await call("POST", "/packages", body)).status == 422
    body["repositoryURL"] = _INDEX
    assert (await call("POST", "/packages", body)).status == 201
    state = await call.emulator.dump()
    assert state["packages"][f"emulator-user/{library_type}/tool"]["repositoryURL"] == _INDEX


async def test_types_nobody_listed_are_taken(call: Client) -> None:
    """The published list of types lacks some that exist, so it is not enforced."""
    await call.package("tool", "helm")
    assert (await call("GET", "/packages/tool")).object()["libraryType"] == "helm"


async def test_second_package_of_owner_type_and_name_is_refused(call: Client) -> None:
    """One owner has one package of a type and name; another owner or type is another matter."""
    await call.organization()
    await call.package("web", "npm")
    again = await call("POST", "/packages", package_body("web", "npm"))
    assert (again.status, again.object()["code"]) == (409, "package-already-exists")
    await call.package("web", "hackage")
    await call.package("web", "npm", organization="acme")


async def test_owner_in_front_does_not_make_another_image(call: Client) -> None:
    """`acme/web` and `web` of acme are one container image; of npm they would be two packages."""
    await call.organization()
    await call.package("web", "docker", organization="acme")
    body = package_body("acme/web", "docker")
    assert (await call("POST", "/organizations/acme/packages", body)).status == 409
    await call.package("web", "npm", organization="acme")
    await call.package("acme/web", "npm", organization="acme")


async def test_update_states_descriptions_anew_and_keeps_addresses(call: Client) -> None:
    """What a PUT leaves out is taken away, but for addresses, which nobody could read and repeat."""
    uuid = await call.package("web", "docker", website="https://web.example")
    updated = await call("PUT", f"/packages/{uuid}", package_body("web2", None, longDescription="long"))
    assert updated.status == 200
    assert updated.json == (await call("GET", f"/packages/{uuid}")).json
    assert updated.object()["name"] == "web2"
    assert "website" not in updated.object()
    state = (await call.emulator.dump())["packages"]["emulator-user/docker/web2"]
    assert state["backendUrl"] == "https://ghcr.io/acme/web"


async def test_type_cannot_be_changed(call: Client) -> None:
    """Another type is refused; the same one, or none, is not."""
    uuid = await call.package("web", "npm")
    refused = await call("PUT", f"/packages/{uuid}", package_body("web", "file"))
    assert refused.status == 422
    assert refused.text("message").startswith("libraryType: ")
    assert (await call("PUT", f"/packages/{uuid}", package_body("web", "npm"))).status == 200


async def test_update_cannot_take_a_taken_name(call: Client) -> None:
    """A package may keep its name and not take its neighbour's."""
    uuid = await call.package("one")
    await call.package("two")
    assert (await call("PUT", f"/packages/{uuid}", package_body("two"))).status == 409
    assert (await call("PUT", f"/packages/{uuid}", package_body("one"))).status == 200


async def test_deleted_package_takes_everything_along(call: Client) -> None:
    """Permissions, routes and domains go with it; the domain's name is free again."""
    uuid = await call.package()
    domain: JSON = {"name": "dl.acme.example"}
    await call("POST", f"/packages/{uuid}/domains", domain)
    await call("POST", f"/packages/{uuid}/routes", {"outgoingUrl": "https://o.example", "templatePath": "/"})
    await call("POST", f"/packages/{uuid}/permissions", {"userQuery": "ann", "permissionLevel": "admin"})
    assert (await call("DELETE", f"/packages/{uuid}")).status == 204
    assert (await call("DELETE", f"/packages/{uuid}")).status == 404
    assert (await call("GET", f"/packages/{uuid}/domains")).status == 404
    assert (await call("POST", f"/packages/{await call.package()}/domains", domain)).status == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "", package_body()),
        ("DELETE", "", None),
        ("GET", "/permissions", None),
        ("POST", "/permissions", []),
        ("GET", "/routes", None),
        ("POST", "/routes", {"outgoingUrl": "https://o.example", "templatePath": "/"}),
        ("DELETE", "/routes/1", None),
        ("GET", "/domains", None),
        ("POST", "/domains", {"name": "dl.acme.example"}),
        ("DELETE", "/domains/1", None),
    ],
)
async def test_names_serve_in_one_call_only(call: Client, method: str, path: str, body: JSON) -> None:
    """Everywhere but in `GET /packages/{name}` a package is named by its UUID."""
    await call.package("tool")
    reply = await call(method, f"/packages/tool{path}", body)
    assert reply.status == 404


async def test_uuid_is_found_in_capitals(call: Client, emulator: Emulator) -> None:
    """A UUID is a number, whatever its letters."""
    uuid = await call.package()
    assert (await call("GET", f"/packages/{uuid.upper()}")).status == 200
    assert len(emulator.requests_for("get", "/packages/*")) == 1
