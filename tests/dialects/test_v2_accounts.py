"""Organizations, members and permissions in v2: what is sent, in which order, and what comes of the responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest

from scarf_async import (
    UNSET,
    APIError,
    MemberUpsert,
    NotFoundError,
    Organization,
    OrganizationUpsert,
    PermissionDeniedError,
    PermissionSet,
    Role,
    TransportError,
    UnprocessableError,
    UnsupportedError,
    ValidationError,
)
from scarf_async.protocol.looking import Found
from scarf_async.protocol.messages import Answer
from scarf_async.protocol.steps import Renaming, Steps

from .script import Script, refused, said
from .shown import ACME, KEY, ORGANIZATION

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


@pytest.mark.parametrize(
    ("old", "there", "found"),
    [
        (said(ORGANIZATION), said({**ORGANIZATION, "id": "o-2", "name": "new"}), "different"),
        (refused(404), said({**ORGANIZATION, "name": "new"}), "equal"),
        (said({"name": "acme"}), said({"name": "new"}), "different"),
    ],
)
def test_a_rename_of_an_earlier_run(old: Answer, there: Answer, found: str) -> None:
    """What still has the old name has not been renamed."""
    wanted = OrganizationUpsert(name="new", description=UNSET, billing_email=UNSET)
    renaming = ACME.update_organization("acme", wanted)
    assert isinstance(renaming, Renaming)
    script = Script.of(there, old)
    looked = script.run(renaming.look())
    assert (looked.equal is not None, looked.different is not None) == (found == "equal", found == "different")
    assert script.asked == ["GET /organizations/new", "GET /organizations/acme"]


@pytest.mark.parametrize(("email", "found"), [("pay@acme.example", "equal"), ("b@acme.example", "different")])
def test_a_renamed_organization_without_an_id(email: str, found: str) -> None:
    """All that a rename leaves as it is has to be the same."""
    renaming = ACME.update_organization(
        "acme", OrganizationUpsert(name="new", description="x", billing_email=UNSET)
    )
    assert isinstance(renaming, Renaming)

    def steps() -> Steps[Found[Organization]]:
        yield renaming.request
        return (yield from renaming.look())

    there = {"name": "new", "description": "x", "billing_email": email}
    looked = Script.of(said({"name": "acme", "billing_email": "pay@acme.example"}), said({}), said(there)).run(
        steps()
    )
    assert (looked.equal is not None, looked.different is not None) == (found == "equal", found == "different")


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
        ("default", [refused(404), TransportError("cut")], NotFoundError, ["0 of 2"]),
        ("admin", [refused(403), TransportError("cut")], PermissionDeniedError, ["0 of 2"]),
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
