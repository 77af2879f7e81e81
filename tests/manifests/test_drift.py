"""What exists, compared with changes: on data, without a request."""

from __future__ import annotations

from functools import partial

import attrs
from hypothesis import given
from hypothesis import strategies as st

from scarf_async import LibraryType, Permission, Role
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.diff import diff
from scarf_async.manifests.drift import Verdict, touched, verdicts
from scarf_async.manifests.live import Live, LiveOrganization, LivePackage
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec

from .states import acme, package
from .worlds import ME, applied, lives, wanted


def held(changes: Changes, live: Live, *, created: bool = True) -> list[Verdict]:
    """The verdicts on all changes that send something."""
    makes = {change.organization for change in changes if change.kind == "organization" and not change.before}
    return verdicts(changes.applicable, touched(changes.applicable, ME), live, created=makes if created else ())


def cannot_tell(change: Change) -> bool:
    """Whether the service does not show what a change is about."""
    addresses = {"backend_url", "public_url", "repository_url"} & (change.after or {}).keys()
    return change.action == "set" or "@" in (change.name or "") or (change.action != "create" and bool(addresses))


@given(lives(), wanted(), st.booleans(), st.booleans())
def test_where_nothing_moved_all_is_open(live: Live, manifest: Manifest, prune: bool, rewrite: bool) -> None:
    """Each change finds what it was made for, and stays as it is."""
    changes = diff(manifest, live, prune=prune, rewrite_addresses=rewrite)
    assert held(changes, live) == [Verdict(change, "open") for change in changes.applicable]


@given(lives(), wanted(), st.booleans(), st.booleans())
def test_where_all_was_applied_all_is_done(live: Live, manifest: Manifest, prune: bool, rewrite: bool) -> None:
    """But for what the service does not show, which is sent again."""
    changes = diff(manifest, live, prune=prune, rewrite_addresses=rewrite)
    for verdict in held(changes, applied(changes, live)):
        assert verdict.state == ("open" if cannot_tell(verdict.change) else "done"), verdict


@given(lives(), wanted(), st.data())
def test_where_some_was_applied_nothing_has_moved(live: Live, manifest: Manifest, data: st.DataObject) -> None:
    """A run that was cut short anywhere leaves what its changes know: what is open and what is done."""
    changes = diff(manifest, live, prune=True)
    cut = data.draw(st.integers(0, len(changes.applicable)))
    for place, verdict in enumerate(held(changes, applied(Changes(changes.applicable[:cut]), live))):
        expected = "done" if place < cut and not cannot_tell(verdict.change) else "open"
        assert verdict.state == expected, verdict


def test_what_is_read_again_is_what_the_changes_are_about() -> None:
    """Sections that no change is about are not read, nor are packages beside them."""
    changes = [
        Change(action="create", kind="organization", organization="new", after={}),
        Change(action="create", kind="member", organization="acme", name="ann", after={"role": "admin"}),
        *(
            Change(action="remove", kind=kind, organization="acme", package="web", library_type="npm", uuid="u")
            for kind in ("permission", "route", "domain")
        ),
        Change(action="remove", kind="package", package="own", uuid="o"),
    ]
    assert touched(changes, "ann") == Manifest(
        organizations=(
            OrganizationSpec(name="new"),
            OrganizationSpec(
                name="acme",
                members={},
                packages=(PackageSpec(name="web", library_type="npm", permissions={}, routes=(), domains=()),),
            ),
        ),
        packages=(PackageSpec(name="own"),),
        me="ann",
    )


def test_who_created_an_organization_may_be_its_owner() -> None:
    """No comparison knew who that would be; where the organization was there before, it is drift."""
    change = Change(action="create", kind="member", organization="acme", name="ann", after={"role": "admin"})
    owner = acme(members={"Ann": Role.OWNER})
    manifest = touched([change], None)
    assert verdicts([change], manifest, owner, created={"acme"}) == [Verdict(change, "open")]
    assert verdicts([change], manifest, owner) == [Verdict(change, "moved", "now role 'owner'")]


def test_an_organization_that_went_away_is_drift() -> None:
    """What was to be changed in it cannot be."""
    change = Change(action="create", kind="member", organization="acme", name="ann", after={"role": "admin"})
    gone = Live(organizations={"acme": LiveOrganization()})
    assert verdicts([change], touched([change], None), gone) == [
        Verdict(change, "moved", "the organization is not there")
    ]


def test_a_usual_level_is_none() -> None:
    """Services show `default` or leave it out."""
    change = Change(
        action="remove",
        kind="permission",
        organization="acme",
        package="web",
        library_type="npm",
        uuid="u-web-npm",
        name="ann",
        before={"level": "admin"},
    )
    live = acme(LivePackage(package=package(), permissions=(Permission("ann", "default"),)))
    assert [verdict.state for verdict in verdicts([change], touched([change], None), live)] == ["done"]


def test_what_was_to_be_created_and_is_there_gets_what_hangs_on_it() -> None:
    """The package that someone else made is the one; its identifier is known now."""
    on = partial(Change, action="create", organization="acme", package="web", library_type=LibraryType.NPM)
    create = on(kind="package", after={"short_description": ""})
    admin = on(kind="permission", name="ann", after={"level": "admin"})
    live = acme(LivePackage(package=package(), permissions=()))
    assert verdicts([create, admin], touched([create, admin], None), live) == [
        Verdict(create, "done", "it is already applied"),
        Verdict(attrs.evolve(admin, uuid="u-web-npm"), "open"),
    ]


def test_a_removal_of_what_is_not_there_is_done() -> None:
    """Nothing is sent for it: under that identifier there may be someone else's by now."""
    change = Change(action="remove", kind="package", organization="acme", package="web", uuid="elsewhere")
    live = acme(package())
    assert [verdict.state for verdict in verdicts([change], touched([change], None), live)] == ["done"]
