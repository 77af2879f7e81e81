"""Version 1: what it refuses at the call, and what it finds in a list that v2 has a call for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from scarf_async import (
    UNSET,
    Domain,
    Importance,
    Member,
    NotFoundError,
    Organization,
    OrganizationUpsert,
    PackageKey,
    PackageUpsert,
    PermissionSet,
    Route,
    RouteCreate,
    UnsupportedError,
)
from scarf_async.dialects import V1
from scarf_async.dialects.v1.requests import WIRE
from scarf_async.entities import Package
from scarf_async.protocol.steps import LookContext, Read

from .script import Script, said

V: Final = V1()
KEY: Final = PackageKey(None, "p-1")
WEB: Final = PackageUpsert(name="web", short_description="")


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: V.create_package(PackageUpsert(name="web", short_description=UNSET), None), "short_description"),
        (lambda: V.update_package(KEY, PackageUpsert(name="web", short_description=UNSET)), "short_description"),
        (
            lambda: V.update_package(KEY, PackageUpsert(name="web", short_description="", importance="low")),
            "importance",
        ),
        (
            lambda: V.create_package(
                PackageUpsert(name="web", short_description="", importance=Importance.LOW), "acme"
            ),
            "importance",
        ),
        (lambda: V.create_package(WEB, None, RouteCreate("https://a.example", "/a")), "route"),
        (
            lambda: V.create_organization(OrganizationUpsert(name="a", description=UNSET, billing_email="")),
            "description",
        ),
        (
            lambda: V.update_organization("a", OrganizationUpsert(name="a", description="", billing_email=UNSET)),
            "billing_email",
        ),
        (lambda: V.create_route(KEY, RouteCreate(None, "/a")), "outgoing_url"),
        (lambda: V.create_route(KEY, RouteCreate(UNSET, "/a")), "outgoing_url"),
        (lambda: V.update_route(KEY, "r-1", RouteCreate("https://a.example", "/a")), None),
        (
            lambda: V.set_permissions(KEY, [PermissionSet("ann", "admin"), PermissionSet("bob", "owner")]),
            "permission_level",
        ),
    ],
)
def test_what_only_v2_has(call: Callable[[], object], field: str | None) -> None:
    """It is refused at the call, and the field is named."""
    with pytest.raises(UnsupportedError, match="v1") as caught:
        call()
    assert caught.value.field == field


ANN: Final = {"organizationName": "acme", "username": "ann", "role": "admin"}


@pytest.mark.parametrize(
    ("call", "missing", "listed", "found", "asked"),
    [
        (
            V.member("acme", "Ann"),
            V.member("acme", "bob"),
            [{**ANN, "username": "carol"}, ANN],
            Member(organization_name="acme", username="ann", role="admin"),
            "/organizations/acme/users",
        ),
        (
            V.route(KEY, "r-2"),
            V.route(KEY, "r-3"),
            [{"id": f"r-{n}", "outgoingUrl": "u", "templatePath": "/"} for n in (1, 2)],
            Route("r-2", "u", "/"),
            "/packages/p-1/routes",
        ),
        (
            V.domain(KEY, "d-1"),
            V.domain(KEY, "d-2"),
            [{"id": "d-1", "name": "a.example"}],
            Domain("d-1", "a.example"),
            "/packages/p-1/domains",
        ),
    ],
)
def test_one_out_of_a_list(
    call: Read[object], missing: Read[object], listed: object, found: object, asked: str
) -> None:
    """v1 has no call for one of them: the list is read, and what is not in it is a 404."""
    script = Script.of(said(listed))
    assert script.run(call.steps()) == found
    assert script.asked == [f"GET {asked}"]
    error = Script.of(said(listed)).fail(missing.steps())
    assert isinstance(error, NotFoundError)
    assert "is not in the list" in str(error)


def test_packages_of_types() -> None:
    """The list is whole, and those of the types are taken out of it."""
    shown = [{"uuid": kind, "name": kind, "libraryType": kind} for kind in ("docker", "file", "npm")]
    script = Script.of(said(shown))
    assert [one.uuid for one in script.run(V.packages("acme", ["npm", "docker"]).steps())] == ["docker", "npm"]
    assert script.asked == ["GET /organizations/acme/packages"]


def test_what_v2_calls_a_field_is_none_of_v1() -> None:
    """Should v1 send a field of such a name, it stays in `extra`, whatever it holds."""
    shown = WIRE.read(b'{"name": "acme", "id": {"odd": 1}}', Organization)
    assert (shown.id, shown.extra) == (None, {"id": {"odd": 1}})
    web = WIRE.read(b'{"uuid": "u", "name": "web", "repositoryURL": 7, "importance": "low"}', Package)
    assert (web.repository_url, web.importance) == (None, None)


def test_addresses_are_not_compared() -> None:
    """v1 does not give them back: a python package that is there is the one that was asked for."""
    wanted = PackageUpsert(
        name="tool",
        short_description="",
        library_type="pypi",
        repository_url="https://python-index.example/simple/",
    )
    shown = [{"uuid": "u", "name": "tool", "owner": "acme", "libraryType": "pypi"}]

    creation = V.create_package(wanted, "acme")
    looked = Script.of(said(shown)).run(creation.look(LookContext()))
    assert looked.equal is not None
