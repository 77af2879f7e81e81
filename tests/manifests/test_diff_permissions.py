"""Permissions: what has to change in what users may do with packages."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec
import pytest

from scarf_async import Permission, PermissionLevel, ValidationError
from scarf_async.dialects.v1.dialect import V1
from scarf_async.manifests.diff import diff
from scarf_async.manifests.live import LivePackage
from scarf_async.manifests.model import Manifest, PackageSpec

from .states import acme, lines, package, said


def with_levels(**levels: str) -> LivePackage:
    """A package on which people have levels."""
    return LivePackage(
        package=package(), permissions=tuple(Permission(user, level) for user, level in levels.items())
    )


def granting(levels: Mapping[str, str], people: Mapping[str, str] | None = None) -> Manifest:
    """A manifest that gives levels."""
    permissions = {user: PermissionLevel(level) for user, level in levels.items()}
    return said(PackageSpec(name="web", permissions=permissions), people=people)


@pytest.mark.parametrize(
    ("there", "wanted", "prune", "expected"),
    [
        ({}, {"ann": "admin"}, False, ["+ permission acme/web/ann: admin"]),
        ({"ann": "member"}, {"ann": "admin"}, False, ["~ permission acme/web/ann: member -> admin"]),
        ({"ann": "admin"}, {"ANN": "admin"}, True, []),
        ({"ann": "admin"}, {}, False, []),
        ({"ann": "admin"}, {}, True, ["- permission acme/web/ann"]),
        ({"ann": "admin"}, {"ann": "default"}, False, ["~ permission acme/web/ann: admin -> default"]),
        ({}, {"ann": "default"}, True, []),
        ({"ann": "default"}, {}, True, []),
        ({"ann": "default"}, {"ann": "default"}, True, []),
        ({"ann": "auditor"}, {"ann": "admin"}, False, ["~ permission acme/web/ann: auditor -> admin"]),
    ],
)
def test_levels(there: dict[str, str], wanted: dict[str, str], prune: bool, expected: list[str]) -> None:
    """Levels are compared by username; `default` and no entry are alike."""
    assert lines(diff(granting(wanted), acme(with_levels(**there)), prune=prune)) == expected


def test_a_permission_is_taken_back_by_setting_default() -> None:
    """There is no other way."""
    (operation,) = diff(granting({}), acme(with_levels(ann="admin")), prune=True).to_plan()
    assert (operation.arguments["user_query"], operation.arguments["level"]) == ("ann", "default")


def test_an_address_is_compared_through_people() -> None:
    """The person with the address in people is meant, whatever the case of either."""
    people = {"Ann": "Ann@acme.example"}
    live = acme(with_levels(ann="admin"))
    assert lines(diff(granting({"ann@ACME.example": "admin"}, people), live, prune=True)) == []
    changes = diff(granting({"ann@acme.example": "member"}, people), live)
    assert lines(changes) == ["~ permission acme/web/ann: admin -> member"]


def test_an_address_of_nobody_is_set_without_comparing() -> None:
    """It is applied all the same, and counted apart; on a new package there is nothing to compare."""
    changes = diff(granting({"eve@acme.example": "admin"}), acme(with_levels()))
    assert (changes.counts["set"], len(changes.to_plan())) == (1, 1)
    changes = diff(granting({"eve@acme.example": "admin"}), acme())
    assert [change.action for change in changes] == ["create", "create"]


def test_nobody_is_pruned_who_may_be_behind_an_address() -> None:
    """Only whose own address is known is known to be another."""
    manifest = granting({"eve@acme.example": "admin"}, {"bob": "bob@acme.example"})
    changes = diff(manifest, acme(with_levels(eve="admin", bob="admin")), prune=True)
    assert [(change.action, change.name) for change in changes] == [
        ("set", "eve@acme.example"),
        ("blocked", "eve"),
        ("remove", "bob"),
    ]
    assert changes[1].note == "this may be the same person as eve@acme.example: give the address in people"


def test_where_users_have_addresses_for_names_they_are_names() -> None:
    """A service that shows what it was given is compared like any other."""
    names = msgspec.structs.replace(V1.traits, users_by_email=False)
    manifest, live = granting({"eve@acme.example": "admin"}), acme(with_levels(bob="admin"))
    changes = diff(manifest, live, prune=True, traits=names)
    assert lines(changes) == ["+ permission acme/web/eve@acme.example: admin", "- permission acme/web/bob"]


def test_two_levels_for_one_person_are_an_error() -> None:
    """An address and a username that people brings together must agree; if they do, one is enough."""
    people = {"ann": "ann@acme.example"}
    with pytest.raises(
        ValidationError, match=r"permissions of acme/web: 'ann@acme.example' and 'Ann' are the same"
    ):
        diff(granting({"ann@acme.example": "admin", "Ann": "member"}, people), acme(with_levels()))
    changes = diff(granting({"ann@acme.example": "admin", "Ann": "admin"}, people), acme(with_levels()))
    assert len(changes) == 1


def test_an_address_of_two_people_is_an_error() -> None:
    """It would not tell who is meant."""
    with pytest.raises(ValidationError, match=r"people gives X@acme.example to two: ann and bob"):
        diff(granting({}, {"ann": "x@acme.example", "bob": "X@acme.example"}), acme(with_levels()))


def test_ten_thousand_permissions_are_compared_at_once() -> None:
    """The time grows with the number of permissions, and not with its square."""
    users = {f"user{number}": "member" for number in range(10_000)}
    live, manifest = acme(with_levels(**users)), granting({**users, "user7": "admin"})
    start = time.process_time()
    changes = diff(manifest, live, prune=True)
    assert len(changes) == 1
    assert time.process_time() - start < 5
