"""Is it there already? What was asked for, compared with what the service shows."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from scarf_async.entities import (
    Domain,
    DomainCreate,
    Organization,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    Route,
    RouteCreate,
)
from scarf_async.protocol.looking import (
    Found,
    PackageIndex,
    differing_fields,
    find_domain,
    find_organization,
    find_package,
    find_route,
)

NOON = dt.datetime(2024, 5, 17, 12, tzinfo=dt.UTC)
WEB = Package(uuid="u-1", owner="acme", name="web", short_description="Web", library_type="docker")
WANTED = PackageUpsert(name="web", short_description="Web", library_type="docker")
ACME = OrganizationUpsert(name="acme", description="Tools", billing_email="pay@acme.example")
ACME_THERE = Organization(name="acme", description="Tools", billing_email="pay@acme.example")


@pytest.mark.parametrize(
    ("asked", "there", "names"),
    [
        ({}, {}, []),
        ({}, {"website": "https://acme.example"}, []),
        ({"website": None}, {}, []),
        ({"website": None}, {"website": ""}, []),
        ({"website": ""}, {}, []),
        ({"website": None}, {"website": "https://acme.example"}, ["website"]),
        ({"website": "https://acme.example"}, {}, ["website"]),
        ({"website": "https://acme.example"}, {"website": "https://acme.example"}, []),
        ({"website": "https://acme.example"}, {"website": "https://ACME.example/"}, []),
        ({"website": "https://acme.example/a"}, {"website": "https://acme.example/a/"}, ["website"]),
        ({"description": "Tools\r\n"}, {}, []),
        ({"billing_email": "Pay@ACME.example"}, {}, []),
        ({"description": "Toys"}, {}, ["description"]),
        ({"description": ""}, {"description": ""}, []),
        ({"description": ""}, {}, ["description"]),
        ({"billing_email": "x@acme.example"}, {}, ["billing_email"]),
        ({"description": "Toys", "billing_email": "x@acme.example"}, {}, ["description", "billing_email"]),
        ({"name": "ACME"}, {}, []),
        ({}, {"extra": {"isPrivate": True}}, []),
        ({}, {"created_at": NOON}, []),
    ],
)
def test_the_fields_that_differ(asked: dict[str, object], there: dict[str, object], names: list[str]) -> None:
    """What was sent is compared, empty and absent alike; what was not, and the name, is not."""
    wanted, shown = attrs.asdict(ACME) | asked, attrs.asdict(ACME_THERE) | there
    assert differing_fields(OrganizationUpsert(**wanted), Organization(**shown)) == names


def test_addresses_are_not_compared() -> None:
    """The service does not give the addresses of packages back."""
    wanted = attrs.evolve(WANTED, backend_url="https://docker.io/acme/web")
    assert differing_fields(wanted, WEB) == []


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        (None, Found()),
        (ACME_THERE, Found(equal=ACME_THERE)),
        (
            attrs.evolve(ACME_THERE, description="Toys"),
            Found(different=attrs.evolve(ACME_THERE, description="Toys")),
        ),
    ],
)
def test_an_organization(shown: Organization | None, found: Found[Organization]) -> None:
    """The one of its name is equal or different; without one there is nothing."""
    assert find_organization(ACME, shown) == found


@pytest.mark.parametrize(
    ("found", "there"), [(Found(), False), (Found(equal=WEB), True), (Found(different=WEB), True)]
)
def test_something_or_nothing(found: Found[Package], there: bool) -> None:
    """A find is true where anything is under the identity."""
    assert bool(found) is there


@pytest.mark.parametrize(
    ("wanted", "shown", "same"),
    [
        ("web", "web", True),
        ("web", "acme/web", True),
        ("acme/web", "web", True),
        ("acme/web", "acme/web", True),
        ("other/web", "web", False),
        ("web", "other/web", False),
        ("web", "Web", False),
        ("web", "web2", False),
        ("web", "acme/web/x", False),
        ("web", "acme/acme/web", False),
        ("web", "ACME/web", True),
        ("caf\u00e9", "cafe\u0301", True),
    ],
)
@pytest.mark.parametrize("organization", ["acme", None])
def test_names_with_and_without_the_owner(wanted: str, shown: str, same: bool, organization: str | None) -> None:
    """A package is recognized by its name, whether the owner is in front of it or not."""
    package = attrs.evolve(WEB, name=shown)
    found = find_package(attrs.evolve(WANTED, name=wanted), [package], organization=organization)
    assert (found.equal, found.different) == (package if same else None, None)


def test_the_spelling_to_the_letter_counts_before_others() -> None:
    """A service that shows both keeps them apart: the other is another package, even where it alone is equal."""
    ours = attrs.evolve(WEB, uuid="u-1", name="caf\u00e9", short_description="Toys")
    other = attrs.evolve(WEB, uuid="u-2", name="cafe\u0301")
    wanted = attrs.evolve(WANTED, name="caf\u00e9")
    assert find_package(wanted, [other, ours]) == Found(different=ours)
    assert find_package(wanted, [other]) == Found(equal=other)


@pytest.mark.parametrize("name", ["web", "acme/web", "Acme/web", " web"])
def test_an_index_gives_all_that_may_have_a_name(name: str) -> None:
    """No matter who their owner is; and the one with a uuid, in whatever case."""
    shown = [attrs.evolve(WEB, uuid=f"u-{place}", name=one) for place, one in enumerate(["web", "acme/web", "x"])]
    index = PackageIndex(shown)
    assert index.named(name) == shown[:2]
    assert index.named("other") == ()
    assert index.with_uuid("U-1") is shown[1]
    assert index.with_uuid("u-3") is None


def test_a_package_without_an_owner() -> None:
    """Where the service leaves the owner out, names are compared as they are, or by the organization."""
    package = attrs.evolve(WEB, owner="", name="acme/web")
    assert not find_package(WANTED, [package])
    assert find_package(WANTED, [package], organization="acme") == Found(equal=package)


@pytest.mark.parametrize(
    ("wanted", "shown", "found"),
    [
        ({"library_type": "docker"}, {"library_type": "npm"}, "nothing"),
        ({"library_type": "docker"}, {"library_type": None}, "nothing"),
        ({"library_type": None}, {"library_type": None}, "equal"),
        ({"short_description": "Toys"}, {}, "different"),
        ({"short_description": ""}, {"short_description": ""}, "equal"),
        ({"long_description": "Long"}, {}, "different"),
        ({"long_description": "Long"}, {"long_description": "Long"}, "equal"),
        ({}, {"long_description": "Long"}, "equal"),
        ({"website": None}, {"website": "https://acme.example"}, "different"),
    ],
)
def test_a_package(wanted: dict[str, object], shown: dict[str, object], found: str) -> None:
    """The type belongs to the identity where it is given; every other field that was sent must be equal."""
    upsert = PackageUpsert(**{"name": "web", "short_description": "Web", **wanted})  # type: ignore[arg-type] # rows
    package = Package(**{"uuid": "u-1", "owner": "acme", "name": "web", "short_description": "Web", **shown})  # type: ignore[arg-type] # rows
    actual = find_package(upsert, [package])
    assert actual.equal == (package if found == "equal" else None)
    assert actual.different == (package if found == "different" else None)


def test_a_package_of_unspecified_type() -> None:
    """Where no type was asked for, any type is the same package."""
    wanted = PackageUpsert(name="web", short_description="Web")
    assert find_package(wanted, [WEB]) == Found(equal=WEB)


def test_an_equal_package_counts_before_a_different_one() -> None:
    """Of two under one identity the equal one is the response, whatever their order."""
    other = attrs.evolve(WEB, uuid="u-2", short_description="Toys")
    for shown in ([other, WEB], [WEB, other]):
        assert find_package(WANTED, shown) == Found(equal=WEB)
    assert find_package(WANTED, [other]) == Found(different=other)
    assert not find_package(WANTED, [])


@pytest.mark.parametrize(
    ("age", "counts"),
    [
        (dt.timedelta(0), True),
        (dt.timedelta(seconds=60), True),
        (dt.timedelta(seconds=61), False),
        (dt.timedelta(days=300), False),
        (dt.timedelta(seconds=-3600), True),
        (None, True),
    ],
)
def test_a_package_of_before(age: dt.timedelta | None, counts: bool) -> None:
    """What was created more than a minute before the first send is someone else's; without a date it counts."""
    package = attrs.evolve(WEB, created_at=None if age is None else NOON - age)
    assert bool(find_package(WANTED, [package], not_before=NOON)) is counts
    assert find_package(WANTED, [package])


ROUTE = RouteCreate("https://acme.example/a", "/a")


def test_a_route() -> None:
    """Both addresses make the identity, so that a route is equal or not there."""
    one = Route("r-1", "https://acme.example/a", "/a")
    assert find_route(ROUTE, [one]) == Found(equal=one)
    assert not find_route(ROUTE, [attrs.evolve(one, outgoing_url="https://acme.example/A")])
    assert not find_route(ROUTE, [attrs.evolve(one, template_path="/a/")])
    assert not find_route(ROUTE, [])
    respelled = attrs.evolve(one, outgoing_url="https://ACME.example:443/a")
    assert find_route(ROUTE, [respelled]) == Found(equal=respelled)


def test_of_equal_routes_the_youngest() -> None:
    """Where the service has taken equal routes, the last of the list is the response."""
    shown = [Route(f"r-{number}", "https://acme.example/a", "/a") for number in range(3)]
    assert find_route(ROUTE, iter(shown)) == Found(equal=shown[2])


@pytest.mark.parametrize(
    ("wanted", "shown", "same"),
    [
        ("dl.acme.example", "dl.acme.example", True),
        ("DL.Acme.Example", "dl.acme.example", True),
        ("stra\u00dfe.example", "STRASSE.example", True),
        ("dl.acme.example", "acme.example", False),
        ("dl.acme.example", "dl.acme.example.", True),
        ("m\u00fcnchen.example", "xn--mnchen-3ya.example", True),
    ],
)
def test_a_domain(wanted: str, shown: str, same: bool) -> None:
    """Names of domains are equal where DNS knows one name only."""
    domain = Domain("d-1", shown)
    assert find_domain(DomainCreate(wanted), [Domain("d-0", "other.example"), domain]) == (
        Found(equal=domain) if same else Found()
    )
