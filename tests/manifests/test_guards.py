"""What is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from scarf_async import Member, Organization, OrganizationUpsert, Role, Scarf
from scarf_async.emulator import Emulator
from scarf_async.errors import GuardError
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.guards import check, check_owners, loosens_members
from scarf_async.manifests.live import Live, LiveOrganization
from scarf_async.manifests.model import Manifest, OrganizationSpec


def member(name: str, role: str | None, before: str | None = None) -> Change:
    """A change of a member of acme; no role: it is removed."""
    return Change(
        action="remove" if role is None else "update" if before else "create",
        kind="member",
        organization="acme",
        name=name,
        before=None if before is None else {"role": before},
        after=None if role is None else {"role": role},
    )


def removals(members: int, permissions: int = 0, there: Mapping[str, int] | None = None) -> Changes:
    """So many removals of each kind."""
    permission = [
        Change(action="remove", kind="permission", organization="acme", package="web", uuid="u", name=f"p{number}")
        for number in range(permissions)
    ]
    return Changes(tuple([member(f"m{number}", None) for number in range(members)] + permission), there=there or {})


@pytest.mark.parametrize(
    ("members", "there", "passes"),
    [(5, 5, True), (6, 6, False), (6, 23, False), (6, 24, True), (25, 100, True), (26, 100, False)],
)
def test_five_or_a_quarter_of_a_kind_may_go(members: int, there: int, passes: bool) -> None:
    """More than that is likely to be a mistake; the message says what to say if it is none."""
    changes = removals(members, 5, {"member": there, "permission": 5})
    if passes:
        check(changes)
        return
    message = f"{members} of {there} members would be removed: check .* max_removals={members + 5} .* if all"
    with pytest.raises(GuardError, match=message):
        check(changes)
    check(changes, max_removals=members + 5)


def test_a_given_number_counts_all_removals() -> None:
    """It may be lower than what would pass without it."""
    with pytest.raises(GuardError, match=r"3 removals, max_removals .* is 2"):
        check(removals(2, 1), max_removals=2)
    check(removals(2, 1), max_removals=3)


def test_all_that_is_wrong_is_named_together() -> None:
    """Nobody has to run it once for each guard; and nothing in the names steers a terminal."""
    changes = Changes((*removals(6), member("Ann", None, "owner")), ownerless=("ac\x1bme",), there={"member": 7})
    with pytest.raises(GuardError) as caught:
        check(changes, me=" ann")
    lines = str(caught.value).splitlines()
    assert lines[0] == "refused, and nothing was sent:"
    assert [line[:28] for line in lines[1:]] == [
        "- 7 of 7 members would be re",
        "- organization ac\\x1bme woul",
        "-  ann, whose token this is,",
    ]


@pytest.mark.parametrize("number", [None, 1000])
def test_no_organization_loses_its_last_owner(number: int | None) -> None:
    """No number of removals allows that."""
    with pytest.raises(GuardError, match="organization acme would be left without an owner: make someone else"):
        check(Changes(ownerless=("acme",)), max_removals=number)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (member("ann", None, "member"), "ann, whose token this is, would be removed from acme"),
        (member("ANN", "admin", "owner"), "ann, whose token this is, would no longer own acme"),
        (member("ann", "owner", "admin"), None),
        (member("ann", "member", "admin"), None),
        (member("bob", None, "owner"), None),
    ],
)
def test_nobody_shuts_themselves_out(change: Change, message: str | None) -> None:
    """Where it is known who the token's user is."""
    check(Changes((change,)))
    if message is None:
        check(Changes((change,)), me="ann")
    else:
        with pytest.raises(GuardError, match=message):
            check(Changes((change,)), me="ann")


def test_who_creates_an_organization_stays_its_owner() -> None:
    """Its creator is its owner, though no comparison saw that."""
    created = Change(action="create", kind="organization", organization="acme", after={})
    with pytest.raises(GuardError, match="would no longer own acme"):
        check(Changes((created, member("ann", "admin"))), me="ann")


def test_it_matters_who_the_token_is_where_somebody_loses_something() -> None:
    """New members take nothing away."""
    assert not loosens_members(Changes((member("ann", "owner"),)))
    assert loosens_members(Changes((member("ann", None),)))
    assert loosens_members(Changes((member("ann", "admin", "owner"),)))


def test_owners_are_counted_as_they_are_now() -> None:
    """A change that is left out may be the one that made the next owner."""
    live = Live(
        organizations={
            "acme": LiveOrganization(
                organization=Organization(name="acme"), members=(Member(username="Ann", role=Role.OWNER),)
            ),
            "umbra": LiveOrganization(),
        }
    )
    demoted, promoted = member("ann", "admin", "owner"), member("bob", "owner", "admin")
    check_owners([demoted, promoted], live)
    check_owners([promoted], live)
    with pytest.raises(GuardError, match="organization acme would be left without an owner"):
        check_owners([demoted], live)


async def test_a_guard_sends_nothing(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """Not even a read."""
    await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
    for number in range(6):
        await scarf.members.upsert("acme", f"m{number}", "member")
    spec = OrganizationSpec(name="acme", members={"emulator-user": Role.OWNER})
    changes = await scarf.manifests.diff(Manifest(organizations=(spec,)), prune=True)
    scarf_emulator.requests.clear()
    with pytest.raises(GuardError, match=r"6 of 7 members would be removed.*max_removals=6"):
        await scarf.manifests.apply(changes)
    assert not scarf_emulator.requests
    assert (await scarf.manifests.apply(changes, max_removals=6, me="emulator-user")).ok
