"""Organizations, members and packages: what has to change so that they become what a manifest says."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import msgspec
import pytest

from scarf_async import Package, Permission, PermissionLevel, Role, ValidationError
from scarf_async.dialects.v1.dialect import V1
from scarf_async.manifests.changes import Changes
from scarf_async.manifests.diff import diff
from scarf_async.manifests.drift import touched, verdicts
from scarf_async.manifests.live import Live, LiveOrganization, LivePackage
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec

from .states import ACME, acme, arguments, lines, package, said


def test_an_empty_manifest_changes_nothing() -> None:
    """What speaks of nothing differs in nothing, even with prune."""
    assert lines(diff(Manifest(), acme(package()), prune=True)) == []


def test_sections_that_are_not_there_are_left_alone() -> None:
    """None says nothing, and not even prune removes the live state; an empty section says that there is nothing."""
    live = acme(package(), members={"ann": Role.OWNER})
    untold = diff(Manifest(organizations=(OrganizationSpec(name="acme"),)), acme(package()), prune=True)
    assert (lines(untold), untold.ownerless) == ([], ())
    emptied = OrganizationSpec(name="acme", members={}, packages=())
    changes = diff(Manifest(organizations=(emptied,)), live, prune=True)
    assert lines(changes) == ["- member acme/ann", "- package acme/web (npm)"]
    assert lines(diff(Manifest(organizations=(emptied,)), live)) == []


def test_a_new_organization_gets_what_the_service_asks_for() -> None:
    """Description and billing address are not optional: empty where nothing is said about them."""
    live = Live(organizations={"acme": LiveOrganization()})
    (change,) = diff(Manifest(organizations=(OrganizationSpec(name="acme", website=""),)), live)
    assert (change.action, change.after) == ("create", {"description": "", "billing_email": ""})


def test_an_organization_that_cannot_be_created_is_blocked_with_all_it_has() -> None:
    """Nothing of it would succeed."""
    spec = OrganizationSpec(name="acme", description="\ud800", members={"ann": Role.OWNER}, packages=())
    (change,) = diff(Manifest(organizations=(spec,)), Live(organizations={"acme": LiveOrganization()}))
    assert (change.action, "surrogate" in change.note) == ("blocked", True)


def test_who_creates_an_organization_is_its_owner() -> None:
    """No change makes the token's user an owner of a new organization; one that says otherwise shows."""
    live = Live(organizations={"acme": LiveOrganization()}, me="ann")
    spec = OrganizationSpec(name="acme", members={"Ann": Role.OWNER, "bob": Role.MEMBER})
    changes = diff(Manifest(organizations=(spec,), me="ann"), live)
    assert lines(changes)[1:] == ["+ member acme/bob: member"]
    changes = diff(Manifest(organizations=(attrs.evolve(spec, members={"ann": Role.ADMIN}),), me="ann"), live)
    assert lines(changes)[1:] == ["~ member acme/ann: owner -> admin"]
    assert changes.ownerless == ("acme",)


def test_what_is_not_said_of_an_organization_stays() -> None:
    """A change states all fields again, those that the manifest does not name as they are."""
    (change,) = diff(Manifest(organizations=(OrganizationSpec(name="acme", description="Toys"),)), acme())
    assert change.after == {
        "description": "Toys",
        "website": "https://acme.example",
        "billing_email": "pay@acme.example",
    }
    assert change.differences == [("description", "Tools", "Toys")]
    (operation,) = Changes((change,)).to_plan()
    assert arguments(operation)["organization"].website == "https://acme.example"


def test_an_empty_text_takes_a_text_away() -> None:
    """`""` is a value: the website goes, as null."""
    changes = diff(Manifest(organizations=(OrganizationSpec(name="acme", website=""),)), acme())
    assert lines(changes) == ["~ organization acme: website 'https://acme.example' -> ''"]
    (operation,) = changes.to_plan()
    assert arguments(operation)["organization"].website is None


def test_an_organization_is_not_renamed_by_the_case_of_its_name() -> None:
    """Where the service tells names by less than their letters, its own spelling is kept."""
    live = acme(organization=attrs.evolve(ACME, name="Acme"))
    (change,) = diff(Manifest(organizations=(OrganizationSpec(name="acme", description="Toys"),)), live)
    (operation,) = Changes((change,)).to_plan()
    assert (arguments(operation)["name"], arguments(operation)["organization"].name) == ("Acme", "Acme")


@pytest.mark.parametrize("other", ["acme", "ACME"])
def test_two_entries_for_one_organization_are_an_error(other: str) -> None:
    """Also where only the service knows that they are one."""
    live = acme()
    live = attrs.evolve(live, organizations=dict.fromkeys(("acme", other), live.organizations["acme"]))
    with pytest.raises(ValidationError, match=f"two entries name the same organization: 'acme' and '{other}'"):
        diff(Manifest(organizations=(OrganizationSpec(name="acme"), OrganizationSpec(name=other))), live)


@pytest.mark.parametrize("spelling", ["ann", "ANN", " Ann "])
def test_members_are_one_person_in_every_spelling(spelling: str) -> None:
    """Spaces around and the case of a username tell nobody apart, and the service's spelling is sent."""
    live = acme(members={"Ann": Role.OWNER, "bob": Role.OWNER})
    spec = OrganizationSpec(name="acme", members={spelling: Role.OWNER, "bob": Role.OWNER})
    assert lines(diff(Manifest(organizations=(spec,)), live, prune=True)) == []
    changes = diff(Manifest(organizations=(attrs.evolve(spec, members={spelling: Role.ADMIN}),)), live)
    assert [change.name for change in changes] == ["Ann"]


def test_one_member_with_two_roles_is_an_error() -> None:
    """Two spellings of one username must agree."""
    spec = OrganizationSpec(name="acme", members={"ann": Role.OWNER, "ANN": Role.ADMIN})
    with pytest.raises(
        ValidationError,
        match="members of acme: 'ann' and 'ANN' are the same person, with two values: owner and admin",
    ):
        diff(Manifest(organizations=(spec,)), acme())


@pytest.mark.parametrize(
    ("members", "prune", "ownerless"),
    [
        ({"ann": Role.ADMIN}, False, ("acme",)),
        ({"bob": Role.ADMIN}, True, ("acme",)),
        ({}, True, ("acme",)),
        ({"bob": Role.ADMIN}, False, ()),
        ({"ann": Role.ADMIN, "bob": Role.OWNER}, False, ()),
        ({"bob": Role.OWNER}, True, ()),
    ],
)
def test_organizations_that_would_lose_all_owners_are_named(
    members: Mapping[str, Role], prune: bool, ownerless: tuple[str, ...]
) -> None:
    """It is told whether an organization that has an owner would have none."""
    manifest = Manifest(organizations=(OrganizationSpec(name="acme", members=members),))
    changes = diff(manifest, acme(members={"ann": Role.OWNER}), prune=prune)
    assert changes.ownerless == ownerless
    assert ("would be left without an owner" in str(changes)) == bool(ownerless)


# Packages.


@pytest.mark.parametrize("shown", ["acme/web", "web"])
@pytest.mark.parametrize("name", ["acme/web", "web"])
@pytest.mark.parametrize("library_type", ["npm", None])
def test_a_package_is_found_with_and_without_its_owner_and_type(
    shown: str, name: str, library_type: str | None
) -> None:
    """The only package of a name is meant, whether or not its owner and type are said."""
    live = acme(package(shown))
    assert lines(diff(said(PackageSpec(name=name, library_type=library_type)), live, prune=True)) == []


def test_what_is_not_said_of_a_package_stays() -> None:
    """A change of a package states its other fields as they are, under the name that the service shows."""
    live = acme(package("acme/web", short_description="Web", long_description="Long"))
    changes = diff(said(PackageSpec(name="web", website="https://web.example")), live)
    assert lines(changes) == ["~ package acme/web (npm): website '' -> 'https://web.example'"]
    (operation,) = changes.to_plan()
    upsert = arguments(operation)["upsert"]
    assert (upsert.name, upsert.short_description, upsert.long_description) == ("acme/web", "Web", "Long")


def test_a_new_package_without_a_type_is_created_without() -> None:
    """The type is left out, for the service to choose, and what it needs beside is empty."""
    changes = diff(said(PackageSpec(name="web", long_description="")), acme())
    (operation,) = changes.to_plan()
    assert repr(arguments(operation)["package"].library_type) == "UNSET"
    assert changes[0].after == {"short_description": ""}


def test_a_type_does_not_change() -> None:
    """Another type is blocked with the reason, and the existing package is not pruned instead."""
    spec = PackageSpec(name="web", library_type="docker", permissions={"ann": PermissionLevel.ADMIN})
    (change,) = diff(said(spec), acme(package()), prune=True)
    assert change.action == "blocked"
    assert "exists with the type npm, and a type cannot change" in change.note


def test_a_name_may_be_there_with_two_types_if_both_are_said() -> None:
    """A second package of a name is created where the manifest names the first too."""
    both = said(PackageSpec(name="web", library_type="npm"), PackageSpec(name="web", library_type="file"))
    assert lines(diff(both, acme(package()), prune=True)) == ["+ package acme/web (file): short_description ''"]


def test_a_name_without_a_type_that_several_have_is_blocked() -> None:
    """Which package is meant is not guessed, and none of them is pruned."""
    (change,) = diff(said(PackageSpec(name="web")), acme(package(), package(library_type="file")), prune=True)
    assert (change.action, change.note) == (
        "blocked",
        "several packages have this name (file and npm): give the type of the one that is meant",
    )


def test_of_several_the_one_to_the_letter_is_meant() -> None:
    """A type that shows goes before one that does not, and the name as it is written before the other spelling."""
    untyped = diff(said(PackageSpec(name="web", library_type="npm")), acme(package(library_type=None), package()))
    assert lines(untyped) == []
    both = acme(package("web"), package("acme/web"))
    changes = diff(said(PackageSpec(name="acme/web", short_description="New")), both, prune=True)
    assert [(change.action, change.package) for change in changes] == [("update", "acme/web"), ("remove", "web")]


@pytest.mark.parametrize(
    "specs",
    [
        (PackageSpec(name="web"), PackageSpec(name="acme/web")),
        (PackageSpec(name="web", library_type="npm"), PackageSpec(name="web")),
        (PackageSpec(name="new"), PackageSpec(name="acme/new")),
    ],
)
def test_two_entries_for_one_package_are_an_error(specs: tuple[PackageSpec, ...]) -> None:
    """They could say two things of it."""
    with pytest.raises(ValidationError, match="two entries of acme name the same package"):
        diff(said(*specs), acme(package()))


def with_addresses(addresses: Mapping[str, str], short_description: str | None = None) -> PackageSpec:
    """A package of no said type with addresses."""
    return PackageSpec(
        name="web",
        short_description=short_description,
        backend_url=addresses.get("backend_url"),
        public_url=addresses.get("public_url"),
        repository_url=addresses.get("repository_url"),
    )


DOCKER = {"backend_url": "https://ghcr.io/acme/web", "public_url": "https://acme.example/acme/web"}
PYPI = {"repository_url": "https://pypi.example/simple/"}


@pytest.mark.parametrize(
    ("library_type", "addresses", "missing"),
    [
        ("docker", {}, "backend_url and public_url"),
        ("docker", {"backend_url": DOCKER["backend_url"]}, "public_url"),
        ("pypi", {}, "repository_url"),
        ("python", {}, "repository_url"),
    ],
)
def test_no_package_is_changed_without_its_addresses(
    library_type: str, addresses: dict[str, str], missing: str
) -> None:
    """A change might clear what it leaves out, so it is blocked and names what is missing."""
    spec = with_addresses(addresses, "New")
    (change,) = diff(said(spec), acme(package(library_type=library_type)))
    assert change.action == "blocked"
    assert change.note == f'an update may clear what it leaves out: give {missing}, or "" if there is none'
    assert change.differences[0] == ("short_description", "", "New")


@pytest.mark.parametrize(("library_type", "addresses"), [("docker", DOCKER), ("pypi", PYPI), ("python", PYPI)])
def test_addresses_are_not_compared_and_set_again_if_asked(library_type: str, addresses: dict[str, str]) -> None:
    """The service does not give them back: they are left, or sent with all that the package has."""
    live = acme(package(library_type=library_type, short_description="Web"))
    manifest = said(with_addresses(addresses))
    changes = diff(manifest, live)
    assert (changes.counts["uncompared"], len(changes.to_plan())) == (1, 0)
    changes = diff(manifest, live, rewrite_addresses=True)
    (operation,) = changes.to_plan()
    assert changes.counts["set"] == 1
    upsert = arguments(operation)["upsert"]
    assert upsert.short_description == "Web"
    assert {name: getattr(upsert, name) for name in addresses} == addresses


def test_addresses_that_are_shown_are_compared() -> None:
    """A service that gives them back is asked, and what is not said of one stays."""
    there = Package(
        uuid="u",
        owner="acme",
        name="web",
        library_type="docker",
        backend_registry="ghcr.io",
        repository_name="acme/web",
    )
    shows = msgspec.structs.replace(V1.traits, addresses_shown=True)
    same, other = (with_addresses({"backend_url": f"https://{host}/acme/web"}) for host in ("ghcr.io", "quay.io"))
    assert lines(diff(said(same), acme(there), traits=shows)) == []
    changes = diff(said(other), acme(there), traits=shows)
    assert lines(changes) == [
        "~ package acme/web (docker): backend_url 'https://ghcr.io/acme/web' -> 'https://quay.io/acme/web'"
    ]
    manifest = touched(changes, None)
    assert [verdict.state for verdict in verdicts(changes, manifest, acme(there), traits=shows)] == ["open"]
    moved = attrs.evolve(there, backend_registry="quay.io")
    assert [verdict.state for verdict in verdicts(changes, manifest, acme(moved), traits=shows)] == ["done"]


def test_addresses_are_not_set_in_part() -> None:
    """One that is missing may be cleared by setting the other."""
    live = acme(package(library_type="docker"))
    manifest = said(with_addresses({"backend_url": DOCKER["backend_url"]}))
    (change,) = diff(manifest, live, rewrite_addresses=True)
    assert (change.action, "give public_url" in change.note) == ("blocked", True)


def test_an_address_that_is_empty_is_none() -> None:
    """`""` says that there is no address: that can be sent."""
    spec = PackageSpec(name="web", short_description="New", backend_url=DOCKER["backend_url"], public_url="")
    changes = diff(said(spec), acme(package(library_type="docker")))
    (operation,) = changes.to_plan()
    assert arguments(operation)["upsert"].public_url is None


def test_a_docker_package_is_not_created_without_a_registry() -> None:
    """It is blocked with all that hangs on it: the service would refuse it."""
    spec = PackageSpec(name="web", library_type="docker", permissions={"ann": PermissionLevel.ADMIN})
    changes = diff(said(spec), acme())
    assert [change.action for change in changes] == ["blocked"]
    assert "backend_url" in changes[0].note


def test_what_cannot_be_sent_is_blocked_with_the_reason() -> None:
    """One package that cannot be is not a reason to stop the comparison of the others."""
    wrong = attrs.evolve(with_addresses(PYPI), library_type="npm")
    changes = diff(said(wrong, PackageSpec(name="cli", library_type="npm")), acme())
    assert [change.action for change in changes] == ["blocked", "create"]
    assert changes[0].note == "repository_url does not fit a package of type npm"


def test_a_package_whose_type_does_not_show_may_have_addresses() -> None:
    """It is not changed before the manifest says its type."""
    live = acme(package(library_type=None))
    (change,) = diff(said(PackageSpec(name="web", short_description="New")), live)
    assert (change.action, "give library_type" in change.note) == ("blocked", True)
    (change,) = diff(said(PackageSpec(name="web", library_type="npm", short_description="New")), live)
    assert change.action == "update"


def test_a_pruned_package_takes_all_with_it() -> None:
    """Nothing that hangs on it is removed by itself."""
    live = LivePackage(package=package(), permissions=(Permission("ann", "admin"),))
    changes = diff(said(), acme(live), prune=True)
    assert lines(changes) == ["- package acme/web (npm)"]
    assert dict(changes.there) == {"package": 1, "permission": 1}


def test_the_users_own_packages() -> None:
    """They are compared like an organization's, and created without one."""
    live = Live(packages=(LivePackage(package=attrs.evolve(package("ann/cli"), owner="ann")),), me="ann")
    manifest = Manifest(packages=(PackageSpec(name="cli"), PackageSpec(name="new", library_type="npm")))
    changes = diff(manifest, live, prune=True)
    assert lines(changes) == ["+ package ~/new (npm): short_description ''"]
    (operation,) = changes.to_plan()
    assert arguments(operation)["organization"] is None
    assert lines(diff(Manifest(packages=()), live, prune=True)) == ["- package ~/ann/cli (npm)"]
