"""Version 2 as a whole: owners, the words of its router, lists, errors, and the check."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from scarf_async import (
    APIError,
    ConflictError,
    DomainCreate,
    Member,
    MemberUpsert,
    PackageKey,
    UnprocessableError,
    UnsupportedError,
    ValidationError,
)
from scarf_async.dialects.v2.dialect import V2
from scarf_async.protocol.messages import Answer
from scarf_async.protocol.steps import Steps

from .script import Script, refused, said
from .shown import ACME, FILE, KEY, ROUTE, upsert

# Whose packages.


def test_a_bare_id_is_the_client_s_owner_s() -> None:
    """A key's own owner wins; without either nothing can be sent, and the error says what can be done."""
    assert ACME.routes(KEY).key == "/packages/acme/p-1/routes"
    assert ACME.routes(PackageKey("Other", "p-1")).key == "/packages/Other/p-1/routes"
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
    assert script.asked == ["GET /packages/acme?type=file&per_page=100"]


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
