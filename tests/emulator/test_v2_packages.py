"""Packages and their permissions in v2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from .conftest import JSON, Client, ClientV2

_DOCKER: dict[str, JSON] = {"type": "docker", "name": "acme/web", "backend_registry": "ghcr.io"}
_FILE: dict[str, JSON] = {
    "type": "file",
    "name": "tool",
    "incoming_path": "/{v}",
    "outgoing_url": "https://o.example/{v}",
}
_PYTHON: dict[str, JSON] = {
    "type": "python",
    "name": "snake",
    "repository_url": "https://python-index.example/simple/",
}
_TEXTS: dict[str, JSON] = {"short_description": "S", "long_description": "L", "website": "w", "importance": "mid"}
_BASE = {"id", "name", "owner", "type", "created_at", "updated_at", "_links"}


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (_DOCKER, {"backend_registry", "repository_name"}),
        (_FILE, set()),
        (_PYTHON, {"repository_url"}),
        ({"type": "npm", "name": "@acme/tool"}, set()),
        ({"type": "hackage", "name": "tool"}, set()),
        ({"type": "repository-jvm", "name": "io.acme/sdk"}, set()),
    ],
)
async def test_every_type_is_created_read_and_deleted(v2: ClientV2, body: dict[str, JSON], more: set[str]) -> None:
    """201 with the package, which is then found by id, by type and name, and in the list; 204, and it is gone."""
    made = await v2("POST", "/packages/ACME", body)
    assert (made.status, set(made.object())) == (201, _BASE | more)
    assert made.text("owner") == "Acme"
    path = f"/packages/acme/{made.text('id')}"
    name = made.text("name").replace("/", "%2F").replace("@", "%40")
    assert (await v2("GET", path)).json == made.json
    assert (await v2("GET", f"/packages/acme/{made.text('type')}/{name}")).json == made.json
    assert (await v2("GET", "/packages/acme")).array() == [made.json]
    full = await v2("PUT", path, {**body, **_TEXTS})
    assert (full.status, full.object().items() >= _TEXTS.items()) == (200, True)
    assert (await v2("DELETE", path)).status == 204
    for method, sent in (("GET", None), ("PUT", {**body}), ("DELETE", None)):
        assert (await v2(method, path, sent)).refusal() == (404, "not-found")


async def test_put_replaces_a_package(v2: ClientV2) -> None:
    """Optional texts that are left out are cleared, or stay; null clears, or is refused."""
    uuid = await v2.made("/packages/acme", {**_DOCKER, **_TEXTS})
    path = f"/packages/acme/{uuid}"
    v2.quirks(put_clears=False)
    assert (await v2("PUT", path, _DOCKER)).object().items() >= _TEXTS.items()
    assert "importance" not in (await v2("PUT", path, {**_DOCKER, "importance": None})).object()
    v2.quirks()
    assert not (await v2("PUT", path, _DOCKER)).object().keys() & _TEXTS.keys()
    v2.quirks(null="refused")
    assert (await v2("PUT", path, {**_DOCKER, "website": None})).status == 400
    v2.quirks(absent="null")
    shown = (await v2("GET", path)).object()
    assert {name: shown[name] for name in _TEXTS} == dict.fromkeys(_TEXTS)


async def test_put_moves_an_image(v2: ClientV2) -> None:
    """Another registry, another path; its own domain stays, with the new path behind it."""
    uuid = await v2.made("/packages/acme", {**_DOCKER, "domain": "cr.acme.example"})
    moved = await v2(
        "PUT", f"/packages/acme/{uuid}", {**_DOCKER, "backend_registry": "quay.io", "name": "acme/two"}
    )
    assert (moved.text("backend_registry"), moved.text("repository_name")) == ("quay.io", "acme/two")
    stored = (await v2.call.emulator.dump())["packages"]["Acme/docker/acme/two"]
    assert stored["backendUrl"] == "https://quay.io/acme/two"
    assert stored["publicUrl"] == "https://cr.acme.example/acme/two"


async def test_a_file_package_begins_with_its_route(v2: ClientV2) -> None:
    """Its outgoing URL may be left out; a domain is one more."""
    counts: JSON = {"type": "file", "name": "counts", "incoming_path": "/x", "domain": "dl.acme.example"}
    uuid = await v2.made("/packages/acme", counts)
    (route,) = (await v2("GET", f"/packages/acme/{uuid}/routes")).array()
    assert route["incoming_path"] == "/x"
    assert "outgoing_url" not in route
    domains = [one["name"] for one in (await v2("GET", f"/packages/acme/{uuid}/domains")).array()]
    assert domains == ["Acme.gateway.scarf.sh", "dl.acme.example"]


@pytest.mark.parametrize(
    ("body", "changes", "code"),
    [
        (_DOCKER, {"backend_registry": ""}, "backend-registry-is-empty"),
        (_DOCKER, {"backend_registry": "https://ghcr.io"}, "backend-registry-has-invalid-characters"),
        (_DOCKER, {"name": ""}, "package-name-is-empty"),
        (_DOCKER, {"name": "a" * 256}, "docker-image-name-is-longer-than-255-characters"),
        (_DOCKER, {"name": "acme//web"}, "docker-image-name-has-empty-segments"),
        (_DOCKER, {"name": "Acme/Web"}, "docker-image-name-has-invalid-characters"),
        (_DOCKER, {"domain": ""}, "public-domain-is-empty"),
        (_DOCKER, {"domain": "a b"}, "public-domain-has-invalid-characters"),
        (_DOCKER, {"domain": "other.docker.scarf.sh"}, "public-domain-is-invalid-scarf-domain"),
        (_DOCKER, {"domain": "taken.example"}, "public-domain-is-already-in-use"),
        (
            _DOCKER,
            {"domain": "cr.example", "name": "acme/two", "backend_registry": "x.io"},
            "package-is-conflicting",
        ),
        (_FILE, {"name": " "}, "package-name-is-empty"),
        (_FILE, {"outgoing_url": "https://o.example/{"}, "outgoing-url-invalid-url-template"),
        (_FILE, {"outgoing_url": "/{v}"}, "outgoing-url-must-be-absolute"),
        (_FILE, {"outgoing_url": ""}, "outgoing-url-must-not-be-empty"),
        (_FILE, {"incoming_path": "/{v"}, "incoming-path-invalid-url-template"),
        (_FILE, {"incoming_path": "https://x.example/{v}"}, "incoming-path-must-be-relative"),
        (_FILE, {"incoming_path": ""}, "incoming-path-must-not-be-empty"),
        (_FILE, {"incoming_path": "{v}"}, "incoming-path-must-start-with-slash"),
        (_FILE, {"incoming_path": "/{w}"}, "incoming-path-missing-variables"),
        (_PYTHON, {"name": "a b"}, "invalid-python-project-name"),
        (_PYTHON, {"repository_url": "index"}, "repository-url-invalid"),
        (_PYTHON, {"repository_url": "http://i.example/"}, "repository-url-not-https"),
        (_PYTHON, {"repository_url": "https://i.example"}, "repository-url-missing-trailing-slash"),
        ({"type": "npm", "name": "there"}, {}, "package-already-exists"),
    ],
)
async def test_codes_of_creates(
    call: Client, v2: ClientV2, body: dict[str, JSON], changes: dict[str, JSON], code: str
) -> None:
    """Each is a 422 with the documented code, and nothing is created."""
    await call.package("there", "npm", organization="Acme")
    await call.package("acme/one", "docker", organization="Acme", publicUrl="https://cr.example/acme/one")
    await call.package("acme/other", "docker", publicUrl="https://taken.example/acme/other")
    before = await call.emulator.dump()
    assert (await v2("POST", "/packages/acme", {**body, **changes})).refusal() == (422, code)
    assert await call.emulator.dump() == before


@pytest.mark.parametrize(
    ("body", "changes", "code"),
    [
        (_DOCKER, {"backend_registry": "a b"}, "backend-registry-has-invalid-characters"),
        (_DOCKER, {"name": "acme//web"}, "docker-image-name-has-empty-segments"),
        (_DOCKER, {"name": "acme/there"}, "package-already-exists"),
        (_DOCKER, {"backend_registry": "x.io"}, "package-is-conflicting"),
        (_PYTHON, {"repository_url": "https://i.example"}, "repository-url-missing-trailing-slash"),
        (_FILE, {"name": ""}, "package-name-is-empty"),
        (_FILE, {"type": "npm"}, None),
    ],
)
async def test_codes_of_updates(
    call: Client, v2: ClientV2, body: dict[str, JSON], changes: dict[str, JSON], code: str | None
) -> None:
    """Each is a 422, and nothing is changed."""
    await call.package("acme/there", "docker", organization="Acme", publicUrl="https://cr.example/acme/there")
    sent = {**body, "domain": "cr.example"} if body is _DOCKER else body
    uuid = await v2.made("/packages/acme", sent)
    before = await call.emulator.dump()
    assert (await v2("PUT", f"/packages/acme/{uuid}", {**body, **changes})).refusal() == (422, code)
    assert await call.emulator.dump() == before


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"type": "npm"},
        {"type": "other", "name": "x"},
        {"type": "pypi", "name": "x"},
        {"type": "docker", "name": "x"},
        {"type": "file", "name": "x"},
        {"type": "npm", "name": "x", "importance": "huge"},
        {"type": "npm", "name": "x", "website": 1},
        {"type": "npm", "name": "\ud800"},
        [],
    ],
)
async def test_bodies_that_do_not_fit(v2: ClientV2, body: JSON) -> None:
    """A bare 400."""
    reply = await v2("POST", "/packages/acme", body)
    assert (reply.status, reply.body) == (400, b"")


async def test_words_of_the_router_come_before_names(v2: ClientV2) -> None:
    """What is called like a part of a path is out of reach by its name; a type that is unknown is refused."""
    for name in ("routes", "overview"):
        await v2.made("/packages/acme", {"type": "npm", "name": name})
    assert (await v2("GET", "/packages/acme/npm/overview")).text("name") == "overview"
    assert (await v2("GET", "/packages/acme/npm/routes")).refusal() == (404, "not-found")
    reply = await v2("DELETE", "/packages/acme/overview")
    assert (reply.status, reply.body, reply.headers["Allow"]) == (405, b"", "GET")
    for target in ("/packages/acme/company-rollup", "/organizations/acme/members/invites"):
        assert (await v2("GET", target)).status == 501
    for kind in ("pypi", "other", "exe"):
        reply = await v2("GET", f"/packages/acme/{kind}/tool")
        assert (reply.status, reply.body) == (400, b"")
    assert (await v2("GET", "/packages/acme/docker/acme/web")).status == 404


async def test_packages_of_others_are_not_found(call: Client, v2: ClientV2) -> None:
    """An id leads to its owner's package only."""
    uuid = await call.package("alone", "npm")
    assert (await v2("GET", f"/packages/emulator-user/{uuid}")).status == 200
    for method, body in (("GET", None), ("PUT", {"type": "npm", "name": "x"}), ("DELETE", None)):
        assert (await v2(method, f"/packages/acme/{uuid}", body)).refusal() == (404, "not-found")
    assert (await v2("GET", "/packages/nobody")).refusal() == (404, "not-found")


async def test_overview_counts_a_month(v2: ClientV2) -> None:
    """Events of 30 days, the domains, and no count where there were none."""
    emulator = v2.call.emulator
    uuid = await v2.made("/packages/acme", _DOCKER)
    quiet = await v2.made("/packages/acme", {"type": "npm", "name": "quiet"})
    today = datetime.now(UTC)
    days = [(today - timedelta(days=number)).isoformat() for number in (1, 30, 31)]
    await emulator.add_events(uuid, [{"time": day} for day in days])
    await emulator.add_events(quiet, [{"time": days[2]}])
    web, other = (await v2("GET", "/packages/acme/overview")).array()
    assert web["total_installs"] == 2
    assert web["package"] == (await v2("GET", f"/packages/acme/{uuid}")).json
    assert web["domains"] == (await v2("GET", f"/packages/acme/{uuid}/domains")).json
    assert other.keys() == {"package", "domains"}


async def test_permissions_of_a_user_s_package(v2: ClientV2) -> None:
    """One object, 204; the owner is among them; DELETE takes back what was set, once."""
    uuid = await v2.made("/packages/emulator-user", {"type": "npm", "name": "tool"})
    path = f"/packages/emulator-user/{uuid}/permissions"
    for level in ("member", "owner", "admin"):
        reply = await v2("POST", path, {"username": "ann", "permission_level": level})
        assert (reply.status, reply.body) == (204, b"")
        levels = {one["username"]: one["permission_level"] for one in (await v2("GET", path)).array()}
        assert levels == {"emulator-user": "owner", "ann": level}
    assert {tuple(one) for one in (await v2("GET", path)).array()} == {("user_id", "username", "permission_level")}
    assert (await v2("DELETE", f"{path}/Ann")).status == 204
    assert (await v2("DELETE", f"{path}/ann")).refusal() == (404, "not-found")
    assert (await v2("DELETE", f"{path}/emulator-user")).refusal() == (422, "cannot-delete-owner")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "unknown-x", "permission_level": "admin"}, 422),
        ({"username": "a@acme.example", "permission_level": "admin"}, 422),
        ({"username": "emulator-user", "permission_level": "member"}, 422),
        ({"username": "ann", "permission_level": "blocked"}, 400),
        ({"username": "ann", "permission_level": "default"}, 400),
        ([{"username": "ann", "permission_level": "admin"}], 400),
    ],
)
async def test_permissions_that_are_refused(v2: ClientV2, body: JSON, status: int) -> None:
    """Refusals have a message and no code; words and shapes of v1 do not fit."""
    uuid = await v2.made("/packages/emulator-user", {"type": "npm", "name": "tool"})
    reply = await v2("POST", f"/packages/emulator-user/{uuid}/permissions", body)
    assert reply.status == status
    assert reply.body == b"" if status == 400 else reply.object().keys() == {"message"}


async def test_permissions_of_an_organization_s_package_are_a_quirk(v2: ClientV2) -> None:
    """Refused, all three of them; or they work."""
    uuid = await v2.made("/packages/acme", {"type": "npm", "name": "tool"})
    path = f"/packages/acme/{uuid}/permissions"
    body: JSON = {"username": "ann", "permission_level": "admin"}
    calls = (("POST", path, body, 204), ("GET", path, None, 200), ("DELETE", f"{path}/ann", None, 204))
    for method, target, sent, _ in calls:
        assert (await v2(method, target, sent)).refusal() == (404, "not-found")
    v2.quirks(permissions_of_organizations="works")
    for method, target, sent, status in calls:
        assert (await v2(method, target, sent)).status == status
