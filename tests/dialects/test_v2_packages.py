"""Packages, routes and domains in v2: what is sent, in which order, and what comes of the responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from scarf_async import (
    UNSET,
    APIError,
    DecodeError,
    DomainCreate,
    LibraryType,
    NotFoundError,
    PackageUpsert,
    Route,
    RouteCreate,
    UnsupportedError,
    ValidationError,
)
from scarf_async.protocol.looking import Found
from scarf_async.protocol.messages import Answer
from scarf_async.protocol.steps import LookContext, Read, Steps

from .script import Script, refused, said
from .shown import ACME, FILE, KEY, PYTHON, ROUTE, WEB, read, upsert

# Packages, by id and by name.


def test_a_package_of_v2() -> None:
    """What v2 shows has its place in the entity; links are dropped, what is not known is kept."""
    script = Script.of(said({**WEB, "stars": 5, "long_description": None}))
    web = script.run(ACME.package("p-1").steps())
    assert (web.uuid, web.library_type, web.backend_registry, web.repository_name, web.importance) == (
        "p-1",
        LibraryType.DOCKER,
        "ghcr.io",
        "acme/web",
        "urgent",
    )
    assert web.extra == {"stars": 5}
    assert web.updated_at is not None
    assert web.long_description is None
    assert script.asked == ["GET /packages/acme/p-1"]


@pytest.mark.parametrize(
    ("call", "answers", "asked"),
    [
        (ACME.package("p-1"), [said(WEB)], ["/p-1"]),
        (ACME.package("web"), [refused(404), said([WEB])], ["/web", "?per_page=100"]),
        (ACME.package("web"), [refused(400), said([WEB])], ["/web", "?per_page=100"]),
        (ACME.package("acme/web"), [said([FILE, WEB])], ["?per_page=100"]),
        (ACME.package("acme/web", "docker"), [said(WEB)], ["/docker/acme%2Fweb"]),
        (
            ACME.package("web", "docker"),
            [refused(404), said([WEB])],
            ["/docker/web", "?type=docker&per_page=100"],
        ),
    ],
)
def test_a_package_by_id_or_name(call: Read[object], answers: Sequence[Answer], asked: Sequence[str]) -> None:
    """By its id, else by its name from the list; with a type by type and name, else from the list."""
    script = Script.of(*answers)
    assert getattr(script.run(read(call)), "uuid", None) == "p-1"
    assert script.asked == [f"GET /packages/acme{path}" for path in asked]


def test_pypi_is_python() -> None:
    """Both words are one type in v2: `python` is sent, and what is shown so is taken for it."""
    script = Script.of(said(PYTHON))
    assert script.run(ACME.package("tool", "pypi").steps()).uuid == "p-2"
    assert script.asked == ["GET /packages/acme/python/tool"]


@pytest.mark.parametrize("answer", [{**WEB, "type": "file"}, {**WEB, "name": "acme/other"}, {"results": []}])
def test_another_package_under_a_name(answer: object) -> None:
    """What is answered to a name has to be of that name and type."""
    assert isinstance(Script.of(said(answer)).fail(ACME.package("acme/web", "docker").steps()), DecodeError)


def test_a_name_that_is_not_there_or_not_one() -> None:
    """None of the name is a 404; several are a question of which."""
    error = Script.of(refused(404), said([])).fail(ACME.package("web").steps())
    assert isinstance(error, NotFoundError)
    assert isinstance(Script.of(refused(400), said([])).fail(ACME.package("web").steps()), NotFoundError)
    error = Script.of(said([])).fail(ACME.package("acme/web").steps())
    assert isinstance(error, NotFoundError)
    error = Script.of(said([WEB, {**FILE, "name": "web"}])).fail(ACME.package("acme/web").steps())
    assert isinstance(error, ValidationError)
    assert "p-1" in str(error)
    assert "p-3" in str(error)
    assert isinstance(Script.of(refused(403)).fail(ACME.package("web").steps()), APIError)


def test_packages_of_types() -> None:
    """The types are asked for, and of a service that does not know them only those are taken."""
    script = Script.of(said({"results": [WEB, PYTHON, FILE]}))
    assert [one.uuid for one in script.run(ACME.packages("Other", ["pypi", "file"]).steps())] == ["p-2", "p-3"]
    assert script.asked == ["GET /packages/Other?type=python&type=file&per_page=100"]
    with pytest.raises(UnsupportedError):
        ACME.packages(None, ["other"])


# Packages to create.


@pytest.mark.parametrize(
    ("wanted", "route", "body"),
    [
        (
            upsert(name="web", library_type="docker", backend_url="https://ghcr.io:443/acme/web", website=None),
            None,
            {"type": "docker", "name": "acme/web", "backend_registry": "ghcr.io:443"},
        ),
        (
            upsert(
                library_type="docker",
                backend_url="https://ghcr.io/acme/web",
                public_url="https://cr.acme.example/acme/web",
                short_description="Web",
                importance="high",
            ),
            None,
            {
                "type": "docker",
                "name": "acme/web",
                "backend_registry": "ghcr.io",
                "domain": "cr.acme.example",
                "short_description": "Web",
                "importance": "high",
            },
        ),
        (
            upsert(name="tool", library_type="pypi", repository_url="https://python-index.example/simple/"),
            None,
            {"type": "python", "name": "tool", "repository_url": "https://python-index.example/simple/"},
        ),
        (
            upsert(name="lib", library_type="npm", short_description=""),
            None,
            {"type": "npm", "name": "lib", "short_description": ""},
        ),
        (
            upsert(name="dl", library_type="file"),
            RouteCreate("https://a.example/{v}", "/dl/{v}"),
            {"type": "file", "name": "dl", "incoming_path": "/dl/{v}", "outgoing_url": "https://a.example/{v}"},
        ),
        (
            upsert(name="dl", library_type="file"),
            RouteCreate(None, "/dl/{v}"),
            {"type": "file", "name": "dl", "incoming_path": "/dl/{v}"},
        ),
    ],
)
def test_the_body_of_a_new_package(wanted: PackageUpsert, route: RouteCreate | None, body: object) -> None:
    """An upsert of v1 in the fields of v2; what is None or UNSET is left out."""

    def steps() -> Steps[object]:
        return (yield ACME.create_package(wanted, None, route).request)

    script = Script.of(said(WEB, 201))
    script.run(steps())
    assert script.sent == [("POST", "/packages/acme", body)]


@pytest.mark.parametrize(
    ("fields", "route", "field"),
    [
        ({"name": "lib"}, None, "library_type"),
        ({"name": "lib", "library_type": None}, None, "library_type"),
        ({"name": "lib", "library_type": "other"}, None, "library_type"),
        ({"library_type": "docker"}, None, "backend_url"),
        ({"library_type": "docker", "backend_url": "http://ghcr.io/acme/web"}, None, "backend_url"),
        ({"library_type": "docker", "backend_url": "https://ghcr.io/other/web"}, None, "name"),
        (
            {"library_type": "python", "repository_url": "http://python-index.example/simple/"},
            None,
            "repository_url",
        ),
        ({"library_type": "pypi", "repository_url": "https://python-index.example/simple"}, None, "repository_url"),
        ({"library_type": "file"}, None, "route"),
        ({"library_type": "npm"}, RouteCreate(None, "/a"), "route"),
    ],
)
def test_what_cannot_be_created(fields: dict[str, object], route: RouteCreate | None, field: str) -> None:
    """It is refused at the call, and the field is named."""
    with pytest.raises(ValidationError) as caught:
        ACME.create_package(upsert(**fields), None, route)
    assert caught.value.field == field
    assert isinstance(caught.value, UnsupportedError) == (fields.get("library_type") == "other")


IMAGE: Final = upsert(library_type="docker", backend_url="https://ghcr.io/acme/web", short_description="Web")


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        (WEB, "equal"),
        ({**WEB, "name": "web", "repository_name": None}, "equal"),
        ({k: WEB[k] for k in ("id", "name", "type")}, "equal"),
        ({**WEB, "backend_registry": "GHCR.io:443"}, "equal"),
        ({**WEB, "short_description": "Other"}, "different"),
        ({**WEB, "backend_registry": "quay.io"}, "different"),
        ({**WEB, "name": "web", "repository_name": "web"}, "different"),
        ({**WEB, "type": "npm"}, "nothing"),
        ({**WEB, "name": "other/web"}, "nothing"),
    ],
)
def test_a_package_is_looked_for_in_the_list(shown: object, found: str) -> None:
    """Same type and name, and every field that was sent and is shown: its registry, but not its public address."""
    script = Script.of(said([FILE, shown]))
    looked = script.run(ACME.create_package(IMAGE, None).look(LookContext()))
    assert (looked.equal is not None, looked.different is not None) == (found == "equal", found == "different")
    assert script.asked == ["GET /packages/acme?per_page=100"]


FILES: Final = upsert(name="dl", library_type="file", short_description="Files")


@pytest.mark.parametrize(
    ("routes", "found"),
    [
        ([ROUTE], "equal"),
        ([], "equal"),
        ([{**ROUTE, "incoming_path": "/other"}], "different"),
        ([{**ROUTE, "outgoing_url": "https://b.example/{v}"}], "different"),
        ([{k: ROUTE[k] for k in ("id", "incoming_path")}], "equal"),
    ],
)
def test_a_file_package_is_looked_for_with_its_route(routes: object, found: str) -> None:
    """Its route among those of the package, or none at all: the package is ours."""
    creation = ACME.create_package(FILES, None, RouteCreate("https://a.example/{v}", "/dl/{v}"))
    script = Script.of(said([FILE]), said(routes))
    looked = script.run(creation.look(LookContext()))
    assert (looked.equal is not None, looked.different is not None) == (found == "equal", found == "different")
    assert script.asked == ["GET /packages/acme?per_page=100", "GET /packages/acme/p-3/routes?per_page=100"]
    assert creation.rest is not None


# Packages to change.


@pytest.mark.parametrize(
    ("there", "wanted", "body"),
    [
        (
            WEB,
            upsert(name="web", website=None),
            {
                "type": "docker",
                "name": "acme/web",
                "short_description": "Web",
                "website": None,
                "importance": "urgent",
                "backend_registry": "ghcr.io",
            },
        ),
        (
            {k: v for k, v in WEB.items() if k not in {"website", "short_description", "importance"}},
            upsert(name="site", website=None),
            {"type": "docker", "name": "site", "backend_registry": "ghcr.io"},
        ),
        (
            WEB,
            upsert(
                name="web",
                short_description="",
                backend_url="https://quay.io/acme/web",
                importance=None,
                website="https://new.example",
            ),
            {
                "type": "docker",
                "name": "acme/web",
                "short_description": "",
                "website": "https://new.example",
                "importance": None,
                "backend_registry": "quay.io",
            },
        ),
        (
            PYTHON,
            upsert(name="tool", library_type="pypi", long_description="long"),
            {
                "type": "python",
                "name": "tool",
                "long_description": "long",
                "repository_url": "https://python-index.example/simple/",
            },
        ),
        (FILE, upsert(name="files"), {"type": "file", "name": "files", "short_description": "Files"}),
    ],
)
def test_a_package_is_read_and_then_put(there: Mapping[str, object], wanted: PackageUpsert, body: object) -> None:
    """All of it goes back: what was read, what is wanted over it, and nothing that was not shown."""
    there = {**there, "id": "p-1"}
    script = Script.of(said(there), said(there))
    script.run(ACME.update_package(KEY, wanted))
    assert script.sent == [("GET", "/packages/acme/p-1", None), ("PUT", "/packages/acme/p-1", body)]


@pytest.mark.parametrize(
    ("there", "wanted", "field"),
    [
        (WEB, upsert(library_type="npm"), "library_type"),
        ({**WEB, "backend_registry": None}, upsert(), "backend_url"),
        (WEB, upsert(backend_url=None), "backend_url"),
        (FILE, upsert(backend_url="https://ghcr.io/acme/web"), "backend_url"),
        ({**PYTHON, "repository_url": ""}, upsert(name="tool"), "repository_url"),
        ({"id": "p-1", "name": "web"}, upsert(), "library_type"),
    ],
)
def test_what_cannot_be_changed(there: Mapping[str, object], wanted: PackageUpsert, field: str) -> None:
    """The list tells: nothing is put, and the field is named."""
    script = Script.of(said({**there, "id": "p-1"}))
    error = script.fail(ACME.update_package(KEY, wanted))
    assert isinstance(error, ValidationError)
    assert error.field == field
    assert script.asked == ["GET /packages/acme/p-1"]


def test_a_public_address_has_to_be_a_domain() -> None:
    """It says that its host is one of the domains: then it is nothing to send, else v2 cannot do it here."""
    wanted = upsert(public_url="https://CR.acme.example/acme/web")
    script = Script.of(said(WEB), said([{"id": "d-1", "name": "cr.acme.example."}]), said(WEB))
    script.run(ACME.update_package(KEY, wanted))
    assert "domain" not in str(script.sent[-1])
    script = Script.of(said(WEB), said([{"id": "d-1", "name": "acme.docker.scarf.sh"}]))
    error = script.fail(ACME.update_package(KEY, wanted))
    assert isinstance(error, UnsupportedError)
    assert error.field == "public_url"
    assert "domains.create" in str(error)
    assert script.asked == ["GET /packages/acme/p-1", "GET /packages/acme/p-1/domains"]


# Routes and domains.


def test_a_route_that_only_counts() -> None:
    """It is shown without an address, which reads as an empty one."""
    script = Script.of(said({"id": 4, "incoming_path": "/a", "package_id": 9, "_links": {}}))
    assert script.run(ACME.route(KEY, "4").steps()) == Route("4", "", "/a", package_id="9")
    assert script.asked == ["GET /packages/acme/p-1/routes/4"]


@pytest.mark.parametrize(
    ("there", "url", "body"),
    [
        (ROUTE, UNSET, {"outgoing_url": "https://a.example/{v}", "type": "uri-template"}),
        (ROUTE, None, {"outgoing_url": None, "type": "uri-template"}),
        (ROUTE, "https://b.example", {"outgoing_url": "https://b.example", "type": "uri-template"}),
        ({"id": "r-1", "incoming_path": "/x"}, UNSET, {}),
        ({"id": "r-1", "incoming_path": "/x"}, None, {}),
    ],
)
def test_a_route_is_read_and_then_put(there: object, url: str | None, body: dict[str, object]) -> None:
    """Its type goes back as it was; an address that is not shown is not invented."""
    script = Script.of(said(there), said(ROUTE))
    script.run(ACME.update_route(KEY, "r-1", RouteCreate(url, "/new")))
    assert script.sent == [
        ("GET", "/packages/acme/p-1/routes/r-1", None),
        ("PUT", "/packages/acme/p-1/routes/r-1", {"incoming_path": "/new", **body}),
    ]


@pytest.mark.parametrize("url", [None, UNSET])
def test_the_body_of_a_new_route(url: None) -> None:
    """A route without an address has none in its body, and is looked for without one."""

    def steps() -> Steps[object]:
        creation = ACME.create_route(KEY, RouteCreate(url, "/a"))
        yield creation.request
        return (yield from creation.look(LookContext()))

    script = Script.of(said(ROUTE, 201), said([ROUTE, {"id": "r-2", "incoming_path": "/a"}]))
    assert script.run(steps()) == Found(equal=Route("r-2", "", "/a"))
    assert script.sent[0] == ("POST", "/packages/acme/p-1/routes", {"incoming_path": "/a"})


def test_domains_are_one_request() -> None:
    """Without parameters of pages; one of them has a call of its own."""
    script = Script.of(said([{"id": "d-1", "name": "a.example", "created_at": "2024-05-17T12:00:00Z"}]))
    (domain,) = script.run(ACME.domains(KEY).steps())
    assert domain.created_at is not None
    assert script.asked == ["GET /packages/acme/p-1/domains"]
    assert ACME.domain(KEY, "d-1").key == "/packages/acme/p-1/domains/d-1"
    assert ACME.create_domain(KEY, DomainCreate("a.example")).request.body == b'{"name":"a.example"}'
