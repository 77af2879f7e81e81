"""Version 2, program by program: what is sent, in which order, and what comes of the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import pytest

from scarf_async import (
    UNSET,
    APIError,
    ConflictError,
    DecodeError,
    DomainCreate,
    LibraryType,
    Member,
    MemberUpsert,
    NotFoundError,
    Organization,
    OrganizationUpsert,
    PackageKey,
    PackageUpsert,
    PermissionSet,
    Role,
    Route,
    RouteCreate,
    TransportError,
    UnprocessableError,
    UnsupportedError,
    ValidationError,
)
from scarf_async.dialects import V2
from scarf_async.protocol.looking import Found
from scarf_async.protocol.messages import Answer
from scarf_async.protocol.steps import LookContext, Read, Renaming, Steps

from .script import Script, refused, said

ACME: Final = V2("acme")
WEB: Final = {
    "id": "p-1",
    "name": "acme/web",
    "owner": "acme",
    "type": "docker",
    "backend_registry": "ghcr.io",
    "repository_name": "acme/web",
    "short_description": "Web",
    "website": "https://web.example/",
    "created_at": "2024-05-17T12:00:00.000001Z",
    "updated_at": "2024-05-18T12:00:00Z",
    "importance": "urgent",
    "_links": {"self": "https://api.scarf.sh/packages/acme/p-1"},
}
PYTHON: Final = {
    "id": "p-2",
    "name": "tool",
    "owner": "acme",
    "type": "python",
    "repository_url": "https://python-index.example/simple/",
}
FILE: Final = {"id": "p-3", "name": "dl", "owner": "acme", "type": "file", "short_description": "Files"}
ROUTE: Final = {
    "id": "r-1",
    "incoming_path": "/dl/{v}",
    "outgoing_url": "https://a.example/{v}",
    "type": "uri-template",
}
ORGANIZATION: Final = {"id": "o-1", "name": "acme", "billing_email": "pay@acme.example", "description": "Tools"}
KEY: Final = PackageKey(None, "p-1")


def read(wanted: Read[object]) -> Steps[object]:
    """Return the program of a read."""
    return wanted.steps()


def upsert(**fields: object) -> PackageUpsert:
    """Return an upsert that says no more than it has to."""
    return PackageUpsert(**{"name": "acme/web", "short_description": UNSET, **fields})  # type: ignore[arg-type] # by name


# Whose packages.


def test_a_bare_id_is_the_client_s_owner_s() -> None:
    """A key's own owner wins; without either nothing can be sent, and the error says what can be done."""
    assert ACME.routes(KEY).key == "/packages/acme/p-1/routes?per_page=100"
    assert ACME.routes(PackageKey("Other", "p-1")).key == "/packages/Other/p-1/routes?per_page=100"
    for call in (
        lambda: V2().routes(KEY),
        lambda: V2().packages(None),
        lambda: V2().package("web"),
        lambda: V2().create_package(upsert(library_type="npm"), None),
        lambda: V2().delete_package(KEY),
    ):
        with pytest.raises(ValidationError, match=r"Scarf\(owner="):
            call()


@pytest.mark.parametrize("word", ["overview", "events", "aggregates", "company-rollup"])
def test_a_word_of_the_router_is_not_an_id(word: str) -> None:
    """Under such an id another call would be made: nothing is sent, but a package of that name is read by list."""
    for call in (ACME.routes, ACME.domains, ACME.permissions, ACME.delete_package):
        with pytest.raises(ValidationError, match="has a call of this name"):
            call(PackageKey(None, word))
    with pytest.raises(ValidationError, match="has a call of this name"):
        ACME.update_package(PackageKey(None, word), upsert())
    script = Script.of(said([{**FILE, "name": word}]))
    assert script.run(ACME.package(word).steps()).uuid == "p-3"
    assert script.asked == ["GET /packages/acme?per_page=100"]


@pytest.mark.parametrize(
    "name",
    [
        "events",
        "domains",
        "routes",
        "permissions",
        "tracking-pixels",
        "import",
        "downloads-badge",
        "commercial-users-badge",
    ],
)
def test_a_word_of_the_router_is_not_a_name(name: str) -> None:
    """A package of such a name is read from the list."""
    script = Script.of(said({"results": [{**FILE, "name": name}]}))
    assert script.run(ACME.package(name, "file").steps()).name == name
    assert script.asked == ["GET /packages/acme?per_page=100&type=file"]


def test_the_member_invites_is_never_written() -> None:
    """At its address the service keeps invitations; it is read from the list."""
    for call in (
        lambda: ACME.remove_member("acme", "invites"),
        lambda: ACME.upsert_member("acme", MemberUpsert("invites", "admin")),
    ):
        with pytest.raises(UnsupportedError) as caught:
            call()
        assert caught.value.field == "username"
    script = Script.of(said({"results": [{"user_id": 7, "username": "invites", "role": "admin"}]}))
    member = script.run(ACME.member("acme", "invites").steps())
    assert member == Member(organization_name="acme", username="invites", role="admin", user_id="7")


# Organizations.


def test_an_organization_cannot_be_created() -> None:
    """The error is raised at the call."""
    with pytest.raises(UnsupportedError, match="cannot create organization"):
        ACME.create_organization(OrganizationUpsert(name="new", description="", billing_email="a@b.example"))


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        (
            {"description": UNSET, "billing_email": UNSET},
            {"billing_email": "pay@acme.example", "description": "Tools"},
        ),
        (
            {"description": "", "billing_email": "new@acme.example", "website": None},
            {"billing_email": "new@acme.example", "description": ""},
        ),
    ],
)
def test_an_organization_is_read_and_then_put(fields: dict[str, str], sent: dict[str, str]) -> None:
    """UNSET sends what was read; None of what is not there is left out."""
    script = Script.of(said(ORGANIZATION), said(ORGANIZATION))
    change = ACME.update_organization("acme", OrganizationUpsert(name="acme", **fields))
    assert not isinstance(change, Renaming)
    assert script.run(change).id == "o-1"
    assert script.sent == [
        ("GET", "/organizations/acme", None),
        ("PUT", "/organizations/acme", {"name": "acme", **sent}),
    ]


def test_what_is_there_is_cleared_by_none() -> None:
    """None is sent as null where there is something to clear."""
    there = {**ORGANIZATION, "website": "https://acme.example"}
    script = Script.of(said(there), said(ORGANIZATION))
    wanted = OrganizationUpsert(name="acme", description=UNSET, billing_email=UNSET, website=None)
    change = ACME.update_organization("acme", wanted)
    assert not isinstance(change, Renaming)
    script.run(change)
    assert script.sent[1][2] == {**{k: ORGANIZATION[k] for k in ORGANIZATION if k != "id"}, "website": None}


def test_an_organization_keeps_the_spelling_of_its_name() -> None:
    """That it is addressed in another case does not rename it."""
    script = Script.of(said(ORGANIZATION), said(ORGANIZATION))
    change = ACME.update_organization("ACME", OrganizationUpsert(name="ACME", description="x", billing_email=UNSET))
    assert not isinstance(change, Renaming)
    script.run(change)
    assert script.sent[1][1:] == (
        "/organizations/ACME",
        {"name": "acme", "billing_email": "pay@acme.example", "description": "x"},
    )


def test_a_billing_address_that_is_not_shown_has_to_be_given() -> None:
    """Without it v2 would refuse or forget it: nothing is put. An empty one is refused at the call."""
    script = Script.of(said({"name": "acme"}))
    change = ACME.update_organization("acme", OrganizationUpsert(name="acme", description="x", billing_email=UNSET))
    assert not isinstance(change, Renaming)
    error = script.fail(change)
    assert isinstance(error, ValidationError)
    assert error.field == "billing_email"
    assert script.asked == ["GET /organizations/acme"]
    with pytest.raises(ValidationError, match="billing_email"):
        ACME.update_organization("acme", OrganizationUpsert(name="acme", description="x", billing_email=""))


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (said({**ORGANIZATION, "name": "new", "description": "changed since"}), "equal"),
        (said({**ORGANIZATION, "name": "new", "id": "o-2"}), "different"),
        (said({**ORGANIZATION, "name": "other"}), "equal"),
        (refused(404), "nothing"),
    ],
)
def test_a_renamed_organization_is_known_by_its_id(there: Answer, found: str) -> None:
    """What has the new name is ours if its id is the one that was read before."""
    wanted = OrganizationUpsert(name="new", description=UNSET, billing_email=UNSET)
    renaming = ACME.update_organization("acme", wanted)
    assert isinstance(renaming, Renaming)

    def steps() -> Steps[Found[Organization]]:
        yield renaming.request
        return (yield from renaming.look())

    script = Script.of(said(ORGANIZATION), said({}), there)
    looked = script.run(steps())
    assert (looked.equal is not None, looked.different is not None) == (found == "equal", found == "different")
    assert script.asked == ["GET /organizations/acme", "PUT /organizations/acme", "GET /organizations/new"]


# Members.

ANN: Final = {"user_id": "u-1", "username": "ann", "role": "admin"}
PUT: Final = ("PUT", "/organizations/acme/members/ann", {"role": "admin"})
POST: Final = ("POST", "/organizations/acme/members", {"username": "ann", "role": "admin"})


@pytest.mark.parametrize(
    ("answers", "sent"),
    [
        ([said(ANN)], [PUT]),
        ([refused(404), said(ANN, 201)], [PUT, POST]),
        ([refused(404), Answer(201, {}, b"")], [PUT, POST]),
        ([refused(404), refused(409), said(ANN)], [PUT, POST, PUT]),
        ([refused(404), refused(422), said(ANN)], [PUT, POST, PUT]),
        ([refused(404), said({**ANN, "role": "member"}, 201), said(ANN)], [PUT, POST, PUT]),
    ],
)
def test_a_membership(answers: Sequence[Answer], sent: Sequence[object]) -> None:
    """The role is set; who is not a member is added; who became one meanwhile has the role set again."""
    script = Script.of(*answers)
    member = script.run(ACME.upsert_member("acme", MemberUpsert("ann", "admin")))
    assert (member.organization_name, member.username, member.role) == ("acme", "ann", Role.ADMIN)
    assert script.sent == list(sent)


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([refused(403)], 403),
        ([refused(404), refused(404)], 404),
        ([refused(404), refused(422, {"code": "billing-error", "message": "pay"}), refused(404)], 422),
        ([refused(404), refused(409), refused(403)], 403),
        ([refused(404), said({**ANN, "role": "member"}, 201), refused(404)], 404),
    ],
)
def test_a_membership_that_is_refused(answers: Sequence[Answer], status: int) -> None:
    """The error is that of adding, where the member is not there in the end either."""
    error = Script.of(*answers).fail(ACME.upsert_member("acme", MemberUpsert("ann", "admin")))
    assert isinstance(error, APIError)
    assert error.status == status


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
            ["/docker/web", "?per_page=100&type=docker"],
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
    assert script.asked == ["GET /packages/Other?per_page=100&type=python&type=file"]
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
def test_a_package_is_read_and_then_put(there: object, wanted: PackageUpsert, body: object) -> None:
    """All of it goes back: what was read, what is wanted over it, and nothing that was not shown."""
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
def test_what_cannot_be_changed(there: object, wanted: PackageUpsert, field: str) -> None:
    """What is there tells: nothing is put, and the field is named."""
    script = Script.of(said(there))
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


# Permissions.

PERMISSIONS: Final = "/packages/acme/p-1/permissions"


def test_permissions_go_one_by_one() -> None:
    """One request each, in order; a level is taken back by deleting it, and may not have been there."""
    script = Script.of(refused(204), refused(204), refused(404), said([]), said({}, 201))
    wanted = [PermissionSet("ann", "admin"), PermissionSet("bob", "default"), PermissionSet("cyd", "default")]
    script.run(ACME.set_permissions(KEY, [*wanted, PermissionSet("dee", "owner")]))
    assert script.sent == [
        ("POST", PERMISSIONS, {"username": "ann", "permission_level": "admin"}),
        ("DELETE", f"{PERMISSIONS}/bob", None),
        ("DELETE", f"{PERMISSIONS}/cyd", None),
        ("GET", PERMISSIONS, None),
        ("POST", PERMISSIONS, {"username": "dee", "permission_level": "owner"}),
    ]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (PermissionSet("bob", "blocked"), "permission_level"),
        (PermissionSet("bob@acme.example", "admin"), "user_query"),
    ],
)
def test_what_v2_cannot_permit(wanted: PermissionSet, field: str) -> None:
    """All entries are checked before the first is sent."""
    with pytest.raises(UnsupportedError) as caught:
        ACME.set_permissions(KEY, [PermissionSet("ann", "admin"), wanted])
    assert caught.value.field == field


ORGANIZATIONS: Final = "v2 documents permissions for packages of users only"


@pytest.mark.parametrize(
    ("level", "answers", "kind", "notes"),
    [
        ("admin", [refused(404), refused(404)], NotFoundError, [ORGANIZATIONS, "0 of 2"]),
        ("admin", [refused(422, {"message": "no"}), refused(403)], UnprocessableError, [ORGANIZATIONS, "0 of 2"]),
        ("admin", [refused(422, {"message": "no such user"}), said([])], UnprocessableError, ["0 of 2"]),
        ("default", [refused(404), refused(403)], NotFoundError, [ORGANIZATIONS, "0 of 2"]),
        ("admin", [refused(204), refused(422)], UnprocessableError, ["1 of 2"]),
        ("admin", [refused(400)], APIError, ["0 of 2"]),
        ("admin", [refused(204), TransportError("cut")], TransportError, ["1 of 2"]),
    ],
)
def test_permissions_that_are_refused(
    level: str, answers: Sequence[Answer | TransportError], kind: type[Exception], notes: Sequence[str]
) -> None:
    """The first failure is raised as itself; a refusal of the first call is followed by one read."""
    script = Script.of(*answers)
    first = PermissionSet("ann", level)  # type: ignore[arg-type] # a computed word
    error = script.fail(ACME.set_permissions(KEY, [first, PermissionSet("bob", "member")]))
    assert isinstance(error, kind)
    told = [note for note in error.__notes__ if "refuses a body" not in note]
    assert len(told) == len(notes)
    assert all(said in note for said, note in zip(notes, told, strict=True))


def test_permissions_that_cannot_be_listed() -> None:
    """The error says that v2 documents them for users' packages only."""
    error = Script.of(refused(403)).fail(ACME.permissions(KEY).steps())
    assert ORGANIZATIONS in error.__notes__[0]
    shown = Script.of(said([{"user_id": 3, "username": "ann", "permission_level": "owner"}])).run(
        ACME.permissions(KEY).steps()
    )
    assert [(one.username, one.user_id) for one in shown] == [("ann", "3")]


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


# Lists and errors.


def test_links_are_followed_on_our_own_path() -> None:
    """A link's query is laid over ours; its host and path are not used. Any envelope is a list."""
    first = {"results": [ROUTE], "_links": {"next": "https://evil.example/elsewhere?after=r-1&per_page=7"}}
    script = Script.of(said(first), said({"data": [{**ROUTE, "id": "r-2"}]}))
    assert [route.id for route in script.run(ACME.routes(KEY).steps())] == ["r-1", "r-2"]
    assert script.asked == [
        "GET /packages/acme/p-1/routes?per_page=100",
        "GET /packages/acme/p-1/routes?per_page=7&after=r-1",
    ]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("package-already-exists", ConflictError),
        ("package-is-conflicting", ConflictError),
        ("entity-already-exists", ConflictError),
        ("domain-is-already-in-use", ConflictError),
        ("public-domain-is-already-in-use", ConflictError),
        ("name-already-exists", ConflictError),
        ("pattern-is-duplicated", ConflictError),
        ("collection-is-conflicting", ConflictError),
        ("package-name-is-empty", UnprocessableError),
        (None, UnprocessableError),
    ],
)
def test_a_422_that_is_a_conflict(code: str | None, kind: type[APIError]) -> None:
    """The code tells; the status stays what it was."""

    def steps() -> Steps[object]:
        return (yield ACME.create_domain(KEY, DomainCreate("a.example")).request)

    error = Script.of(refused(422, {"code": code, "message": "no"})).fail(steps())
    assert type(error) is kind
    assert isinstance(error, APIError)
    assert (error.status, error.code, error.message) == (422, code, "no")


@pytest.mark.parametrize("status", [400, 415])
def test_an_empty_refusal_of_a_write_is_explained(status: int) -> None:
    """v2 does not say what it cannot read."""

    def steps(call: Callable[[], Steps[object]]) -> Steps[object]:
        return (yield from call())

    error = Script.of(refused(status)).fail(ACME.upsert_member("acme", MemberUpsert("ann", "admin")))
    assert "refuses a body" in error.__notes__[0]
    error = Script.of(refused(status, {"message": "because"})).fail(
        ACME.upsert_member("acme", MemberUpsert("ann", "admin"))
    )
    assert not hasattr(error, "__notes__")


# The check.


@pytest.mark.parametrize(
    ("owner", "answers", "found", "advice"),
    [
        ("acme", [said({"results": []}), said({"results": []})], (True, True, True, True), "work"),
        ("acme", [said({"results": []}), refused(404)], (False, True, True, False), "no owner acme"),
        ("acme", [said({"results": []}), refused(403)], (False, True, True, False), "may not read"),
        ("acme", [refused(401)], (False, False, True, None), "SCARF_API_TOKEN"),
        ("acme", [refused(403), refused(403)], (False, False, True, None), "SCARF_API_TOKEN"),
        ("acme", [refused(403), said([])], (True, True, True, True), "work"),
        ("acme", [refused(404)], (False, None, False, None), "v2_url"),
        ("acme", [Answer(200, {}, b"<html></html>")], (False, None, False, None), "v2_url"),
        (None, [said({"results": []})], (False, True, True, None), "owner"),
    ],
)
def test_the_check(owner: str | None, answers: Sequence[Answer], found: object, advice: str) -> None:
    """Two cheap reads tell what works, and what to change."""
    script = Script.of(*answers)
    check = script.run(V2(owner).check())
    assert (check.ok, check.token, check.version, check.owner) == found
    assert advice in check.advice
    assert script.asked[0] == "POST /search"
