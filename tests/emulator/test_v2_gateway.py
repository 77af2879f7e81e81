"""Routes, domains, tracking pixels, collections and the search of v2."""

from __future__ import annotations

import pytest

from .conftest import JSON, Client, ClientV2

_FILE: JSON = {"type": "file", "name": "tool", "incoming_path": "/{v}", "outgoing_url": "https://o.example/{v}"}
_ROUTE: dict[str, JSON] = {"incoming_path": "/get/{v}", "outgoing_url": "https://o.example/{v}"}
_COLLECTION: dict[str, JSON] = {"pattern": "acme/*", "backend_domain": "ghcr.io", "type": "docker"}


async def test_routes_are_created_changed_and_deleted(v2: ClientV2) -> None:
    """201, 200, 204; the first route came with the package."""
    uuid = await v2.made("/packages/acme", _FILE)
    path = f"/packages/acme/{uuid}/routes"
    (first,) = (await v2("GET", path)).array()
    assert first.keys() == {"id", "incoming_path", "outgoing_url", "owner", "package_id", "type", "created_at"}
    assert (first["owner"], first["package_id"], first["type"]) == ("Acme", uuid, "uri-template")
    made = await v2("POST", path, {**_ROUTE, "type": "uri-template"})
    assert made.status == 201
    assert (await v2("POST", path, _ROUTE)).text("id") != made.text("id")
    one = f"{path}/{made.text('id')}"
    assert (await v2("GET", one)).json == made.json
    changed = await v2("PUT", one, {**_ROUTE, "incoming_path": "/other/{v}"})
    assert (changed.status, changed.json) == (200, {**made.object(), "incoming_path": "/other/{v}"})
    assert (await v2("DELETE", one)).status == 204
    for method, body in (("GET", None), ("PUT", {**_ROUTE}), ("DELETE", None)):
        assert (await v2(method, one, body)).refusal() == (404, "not-found")


async def test_a_route_may_only_count(v2: ClientV2) -> None:
    """Without an outgoing URL; a PUT without one takes it away, or with a quirk does not."""
    path = f"/packages/acme/{await v2.made('/packages/acme', _FILE)}/routes"
    assert "outgoing_url" not in (await v2("POST", path, {"incoming_path": "/x"})).object()
    one = f"{path}/{await v2.made(path, _ROUTE)}"
    v2.quirks(put_clears=False)
    assert (await v2("PUT", one, {"incoming_path": "/get/{v}"})).text("outgoing_url") == "https://o.example/{v}"
    v2.quirks(absent="null")
    assert (await v2("PUT", one, {"incoming_path": "/get/{v}"})).object()["outgoing_url"] is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"outgoing_url": "ftp://o.example/{v}"}, "outgoing-url-must-be-absolute"),
        ({"incoming_path": "/get"}, "incoming-path-missing-variables"),
        ({"incoming_path": "/{v }"}, "incoming-path-invalid-url-template"),
        ({"incoming_path": "x/{v}"}, "incoming-path-must-start-with-slash"),
    ],
)
async def test_codes_of_routes(v2: ClientV2, changes: dict[str, JSON], code: str) -> None:
    """Of creates and of updates."""
    path = f"/packages/acme/{await v2.made('/packages/acme', _FILE)}/routes"
    one = f"{path}/{await v2.made(path, _ROUTE)}"
    assert (await v2("POST", path, {**_ROUTE, **changes})).refusal() == (422, code)
    assert (await v2("PUT", one, {**_ROUTE, **changes})).refusal() == (422, code)
    assert (await v2("POST", path, {**_ROUTE, "type": "regex"})).refusal() == (400, None)
    assert (await v2("POST", path, {"outgoing_url": "https://o.example"})).refusal() == (400, None)


@pytest.mark.parametrize("template", ["/{a,b}/{+c}", "/{c:3}{?a,b}", "/{a*}/x/{b}{c}", "/plain{a}{b}{c}"])
async def test_templates_may_be_whatever_rfc_6570_allows(v2: ClientV2, template: str) -> None:
    """Operators, lists, lengths and stars; the outgoing URL needs some of the variables."""
    path = f"/packages/acme/{await v2.made('/packages/acme', _FILE)}/routes"
    await v2.made(path, {"incoming_path": template, "outgoing_url": "https://o.example/{+c}/{a}"})


async def test_only_file_packages_have_routes(v2: ClientV2) -> None:
    """Writes are refused with a code; the list is empty."""
    path = f"/packages/acme/{await v2.made('/packages/acme', {'type': 'npm', 'name': 'x'})}/routes"
    assert (await v2("GET", path)).json == []
    calls = (("POST", path, _ROUTE), ("PUT", f"{path}/x", _ROUTE), ("DELETE", f"{path}/x", None))
    for method, target, body in calls:
        assert (await v2(method, target, body)).refusal() == (422, "not-a-file-package")
    assert (await v2("GET", f"{path}/x")).refusal() == (404, "not-found")


@pytest.mark.parametrize(
    ("body", "first"),
    [
        (_FILE, "Acme.gateway.scarf.sh"),
        ({"type": "python", "name": "x"}, "Acme.gateway.scarf.sh"),
        ({"type": "docker", "name": "acme/x", "backend_registry": "ghcr.io"}, "Acme.docker.scarf.sh"),
    ],
)
async def test_domains_begin_with_the_default(v2: ClientV2, body: JSON, first: str) -> None:
    """The last domain stays; others come and go."""
    path = f"/packages/acme/{await v2.made('/packages/acme', body)}/domains"
    (default,) = (await v2("GET", path)).array()
    assert default.keys() == {"id", "name", "owner", "package_id", "created_at", "_links"}
    assert default["name"] == first
    last = f"{path}/{default['id']}"
    assert (await v2("GET", last)).json == default
    assert (await v2("DELETE", last)).refusal() == (422, "package-must-have-one-domain")
    made = await v2("POST", path, {"name": "dl.acme.example"})
    assert (made.status, made.text("name")) == (201, "dl.acme.example")
    one = f"{path}/{made.text('id')}"
    assert (await v2("GET", one)).json == made.json
    assert (await v2("DELETE", one)).status == 204
    for method in ("GET", "DELETE"):
        assert (await v2(method, one)).refusal() == (404, "not-found")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "domain-is-empty"),
        ("a b", "domain-has-invalid-characters"),
        ("x.scarf.sh", "domain-is-invalid-scarf-domain"),
        ("acme.GATEWAY.scarf.sh", "domain-is-already-in-use"),
        ("there.example", "domain-is-already-in-use"),
        ("taken.example", "domain-is-already-in-use"),
    ],
)
async def test_codes_of_domains(call: Client, v2: ClientV2, name: str, code: str) -> None:
    """Each is a 422."""
    other = await call.package("other")
    assert (await call("POST", f"/packages/{other}/domains", {"name": "taken.example"})).status == 201
    path = f"/packages/acme/{await v2.made('/packages/acme', _FILE)}/domains"
    await v2.made(path, {"name": "there.example"})
    assert (await v2("POST", path, {"name": name})).refusal() == (422, code)


async def test_status_of_a_domain(v2: ClientV2) -> None:
    """404 until it is attached, by name or by id; to a package, a pixel or a collection."""
    uuid = await v2.made("/packages/acme", _FILE)
    pixel = await v2.made("/tracking-pixels/acme", {"name": "logo"})
    assert (await v2("GET", "/domains/acme/dl.acme.example/status")).refusal() == (404, "not-found")
    ids = [
        await v2.made(f"/packages/acme/{uuid}/domains", {"name": "dl.acme.example"}),
        await v2.made(f"/tracking-pixels/acme/{pixel}/domains", {"name": "px.acme.example"}),
    ]
    await v2.made("/collections/acme", {**_COLLECTION, "public_domain": "cr.acme.example"})
    for reference in (*ids, "DL.acme.example", "px.acme.example", "cr.acme.example", "acme.gateway.scarf.sh"):
        reply = await v2("GET", f"/domains/acme/{reference}/status")
        assert (reply.status, reply.text("cname_status")) == (200, "valid")
    assert (await v2("GET", "/domains/emulator-user/dl.acme.example/status")).status == 404


async def test_pixels_are_created_changed_and_deleted(v2: ClientV2) -> None:
    """201, 200, 204; companies are tracked where nothing is said."""
    uuid = await v2.made("/packages/acme", _FILE)
    path = "/tracking-pixels/acme"
    made = await v2("POST", path, {"name": "logo"})
    assert made.status == 201
    assert made.object().keys() == {"id", "owner", "name", "track_companies", "created_at", "updated_at"}
    assert made.object()["track_companies"] is True
    one = f"{path}/{made.text('id')}"
    given: dict[str, JSON] = {
        "name": "new",
        "importance": "low",
        "track_companies": False,
        "short_description": "S",
        "long_description": "L",
    }
    changed = await v2("PUT", one, {**given, "package_id": uuid})
    assert (changed.status, changed.object().items() >= given.items()) == (200, True)
    identifier = {"id": uuid, "name": "tool", "owner": "Acme", "type": "file"}
    assert changed.object()["package"] == identifier
    assert (await v2("GET", path)).array() == [changed.json]
    assert (await v2("GET", f"/packages/acme/{uuid}/tracking-pixels")).json == [changed.json]
    v2.quirks(put_clears=False)
    kept = (await v2("PUT", one, {"name": "new"})).object()
    assert (kept["package"], kept["track_companies"], kept["importance"]) == (identifier, False, "low")
    v2.quirks()
    cleared = (await v2("PUT", one, {"name": "new"})).object()
    assert cleared.keys() == made.object().keys()
    assert cleared["track_companies"] is True
    assert (await v2("DELETE", one)).status == 204
    for method, body in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
        assert (await v2(method, one, body)).refusal() == (404, "not-found")


async def test_a_pixel_outlives_its_package(v2: ClientV2) -> None:
    """It then belongs to none."""
    uuid = await v2.made("/packages/acme", _FILE)
    pixel = await v2.made("/tracking-pixels/acme", {"name": "logo", "package_id": uuid})
    assert (await v2("DELETE", f"/packages/acme/{uuid}")).status == 204
    assert "package" not in (await v2("GET", f"/tracking-pixels/acme/{pixel}")).object()


async def test_codes_of_pixels(call: Client, v2: ClientV2) -> None:
    """A name is given once for each owner; the package is to be the owner's."""
    other = await call.package("other")
    path = "/tracking-pixels/acme"
    one = f"{path}/{await v2.made(path, {'name': 'one'})}"
    await v2.made(path, {"name": "two"})
    await v2.made("/tracking-pixels/emulator-user", {"name": "one"})
    for method, target in (("POST", path), ("PUT", one)):
        assert (await v2(method, target, {"name": ""})).refusal() == (422, "name-is-empty")
        assert (await v2(method, target, {"name": "two"})).refusal() == (422, "name-already-exists")
        assert (await v2(method, target, {"name": "x", "track_companies": "no"})).refusal() == (400, None)
        assert (await v2(method, target, {"importance": "low"})).refusal() == (400, None)
    assert (await v2("PUT", one, {"name": "x", "package_id": other})).refusal() == (422, "invalid-package-owner")
    assert (await v2("POST", path, {"name": "x", "package_id": other})).refusal() == (404, "not-found")


async def test_domains_of_pixels(v2: ClientV2) -> None:
    """A bare array; one name on many pixels of an owner, once on each, and on none of another's."""
    one, two = [await v2.made("/tracking-pixels/acme", {"name": name}) for name in ("one", "two")]
    path = f"/tracking-pixels/acme/{one}/domains"
    assert (await v2("GET", path)).json == []
    made = await v2("POST", path, {"name": "px.example"})
    assert (made.status, made.text("tracking_pixel_id")) == (201, one)
    await v2.made(f"/tracking-pixels/acme/{two}/domains", {"name": "px.example"})
    assert (await v2("POST", path, {"name": "PX.example"})).refusal() == (422, "domain-is-already-in-use")
    alone = await v2.made("/tracking-pixels/emulator-user", {"name": "alone"})
    refused = await v2("POST", f"/tracking-pixels/emulator-user/{alone}/domains", {"name": "px.example"})
    assert refused.refusal() == (422, "domain-is-already-in-use")
    assert (await v2("GET", path)).json == [made.json]
    assert (await v2("GET", f"{path}/{made.text('id')}")).json == made.json
    assert (await v2("DELETE", f"{path}/{made.text('id')}")).status == 204
    assert (await v2("DELETE", f"{path}/{made.text('id')}")).refusal() == (404, "not-found")
    assert (await v2("GET", path)).json == []


async def test_collections_are_created_changed_and_deleted(v2: ClientV2) -> None:
    """201, 200, 204; without a public domain it has Scarf's own."""
    path = "/collections/acme"
    made = await v2("POST", path, _COLLECTION)
    assert made.status == 201
    shown = made.object()
    assert (shown["owner"], shown["public_domain"]) == ("Acme", "Acme.docker.scarf.sh")
    assert shown.keys() == {*_COLLECTION, "id", "owner", "public_domain", "created_at", "updated_at"}
    one = f"{path}/{made.text('id')}"
    body: dict[str, JSON] = {
        "pattern": "acme/{a,b}",
        "backend_domain": "quay.io",
        "public_domain": "cr.example",
    }
    changed = await v2("PUT", one, body)
    assert (changed.status, changed.object().items() >= body.items()) == (200, True)
    assert (await v2("GET", path)).array() == [changed.json]
    v2.quirks(put_clears=False)
    del body["public_domain"]
    assert (await v2("PUT", one, body)).text("public_domain") == "cr.example"
    v2.quirks()
    assert (await v2("PUT", one, body)).text("public_domain") == "Acme.docker.scarf.sh"
    assert (await v2("DELETE", one)).status == 204
    for method, sent in (("GET", None), ("PUT", {**body}), ("DELETE", None)):
        assert (await v2(method, one, sent)).refusal() == (404, "not-found")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"backend_domain": ""}, "backend-registry-is-empty"),
        ({"backend_domain": "https://ghcr.io"}, "backend-registry-has-invalid-characters"),
        ({"public_domain": ""}, "public-domain-is-empty"),
        ({"public_domain": "taken.example"}, "public-domain-is-already-in-use"),
        ({"public_domain": "a b"}, "public-domain-has-invalid-characters"),
        ({"public_domain": "x.scarf.sh"}, "public-domain-is-invalid-scarf-domain"),
        ({"public_domain": "cr.example", "backend_domain": "quay.io"}, "collection-is-conflicting"),
        ({"pattern": ""}, "pattern-is-empty"),
        ({"pattern": "acme/{a"}, "pattern-is-invalid"),
        ({"pattern": "acme/web"}, "pattern-is-duplicated"),
        ({"pattern": "Acme/*"}, "pattern-has-invalid-characters"),
    ],
)
async def test_codes_of_collections(call: Client, v2: ClientV2, changes: dict[str, JSON], code: str) -> None:
    """Each is a 422, of a create and of an update."""
    await call.package("acme/one", "docker", organization="Acme", publicUrl="https://cr.example/acme/one")
    await call.package("acme/other", "docker", publicUrl="https://taken.example/acme/other")
    await v2.made("/collections/acme", {**_COLLECTION, "pattern": "acme/web"})
    one = f"/collections/acme/{await v2.made('/collections/acme', {**_COLLECTION, 'pattern': 'acme/x'})}"
    for method, target in (("POST", "/collections/acme"), ("PUT", one)):
        assert (await v2(method, target, {**_COLLECTION, **changes})).refusal() == (422, code)


async def test_collections_are_of_docker(v2: ClientV2) -> None:
    """Another type is refused, and none does not fit."""
    assert (await v2("POST", "/collections/acme", {**_COLLECTION, "type": "npm"})).refusal() == (
        422,
        "type-is-invalid",
    )
    body = {name: value for name, value in _COLLECTION.items() if name != "type"}
    assert (await v2("POST", "/collections/acme", body)).refusal() == (400, None)


async def test_a_collection_keeps_its_host_to_its_registry(v2: ClientV2) -> None:
    """A docker package cannot lead the host of a collection elsewhere."""
    await v2.made("/collections/acme", {**_COLLECTION, "public_domain": "cr.acme.example"})
    body: dict[str, JSON] = {"type": "docker", "name": "acme/x", "domain": "cr.acme.example"}
    refused = await v2("POST", "/packages/acme", {**body, "backend_registry": "quay.io"})
    assert refused.refusal() == (422, "package-is-conflicting")
    await v2.made("/packages/acme", {**body, "backend_registry": "ghcr.io"})


async def test_search_finds_packages_and_pixels(call: Client, v2: ClientV2) -> None:
    """By a part of a name, in any case, with all owners that the user sees; it changes nothing."""
    await call.package("snake-tool", "pypi")
    uuid = await v2.made("/packages/acme", _FILE)
    await v2.made("/tracking-pixels/acme", {"name": "Toolbar", "package_id": uuid})
    reply = await v2("POST", "/search", {"query": "TOOL", "context": "x"})
    assert reply.status == 200
    assert not call.emulator.requests[-1].effective
    snake, tool, pixel = reply.array()
    identifier = {"id": uuid, "name": "tool", "owner": "Acme", "type": "file"}
    assert (snake["type"], tool) == ("package", {"type": "package", "package": identifier})
    found = pixel["tracking-pixel"]
    assert isinstance(found, dict)
    assert (pixel["type"], found["name"], found["package"]) == ("tracking-pixel", "Toolbar", identifier)
    assert (await v2("POST", "/search", {"query": "nothing"})).array() == []
    assert (await v2("POST", "/search", {})).refusal() == (400, None)
