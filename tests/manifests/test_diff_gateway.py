"""Routes and domains: what has to change in how packages are reached."""

from __future__ import annotations

import pytest

from scarf_async import Domain, Route, RouteCreate
from scarf_async.manifests.diff import diff
from scarf_async.manifests.live import LivePackage
from scarf_async.manifests.model import PackageSpec

from .states import acme, lines, package, said

ROUTE = RouteCreate("https://example.org/a", "/a")


def with_routes(*paths: str, domains: tuple[str, ...] = ()) -> LivePackage:
    """A file package with routes and domains, whose identifiers are their places."""
    return LivePackage(
        package=package(library_type="file"),
        routes=tuple(Route(str(place), f"https://example.org{path}", path) for place, path in enumerate(paths)),
        domains=tuple(Domain(str(place), name) for place, name in enumerate(domains)),
    )


@pytest.mark.parametrize(
    ("there", "routes", "expected"),
    [
        ((), (ROUTE,), ["+ route acme/web//a: -> 'https://example.org/a'"]),
        ((), (ROUTE, ROUTE), ["+ route acme/web//a: -> 'https://example.org/a'"]),
        (("/a",), (ROUTE, ROUTE), []),
        (("/a", "/a"), (ROUTE,), []),
        (("/a", "/a"), (), [*2 * ["- route acme/web//a: -> 'https://example.org/a'"]]),
        (("/a",), None, []),
        (
            ("/a",),
            (RouteCreate("https://example.org/b", "/a"),),
            [
                "+ route acme/web//a: -> 'https://example.org/b'",
                "- route acme/web//a: -> 'https://example.org/a'",
            ],
        ),
    ],
)
def test_routes_are_compared_by_both_addresses(
    there: tuple[str, ...], routes: tuple[RouteCreate, ...] | None, expected: list[str]
) -> None:
    """Equal ones count as one; an address that changes is a new route and, with prune, one route less."""
    assert (
        lines(diff(said(PackageSpec(name="web", routes=routes)), acme(with_routes(*there)), prune=True)) == expected
    )


def test_a_domain_leaves_a_package_that_goes_before_another_takes_it() -> None:
    """Its other domains go with it."""
    manifest = said(PackageSpec(name="dl", library_type="file", domains=("DL.example",)))
    changes = diff(manifest, acme(with_routes(domains=("dl.example", "old.example"))), prune=True)
    assert lines(changes) == [
        "+ package acme/dl (file): short_description ''",
        "+ domain acme/dl/DL.example",
        "- domain acme/web/dl.example",
        "- package acme/web (file)",
    ]
    plan = changes.to_plan()
    assert [operation.kind for operation in plan] == [
        "create_package",
        "delete_domain",
        "delete_package",
        "create_domain",
    ]
    assert plan[3].after == (1,)


def test_domains_are_compared_whatever_their_case() -> None:
    """The service does not tell them apart by case, and a repeated one is one."""
    manifest = said(PackageSpec(name="web", domains=("DL.acme.example", "new.example", "New.example")))
    live = acme(with_routes(domains=("dl.Acme.example", "old.example")))
    changes = diff(manifest, live, prune=True)
    assert lines(changes) == ["+ domain acme/web/new.example", "- domain acme/web/old.example"]
    assert [operation.kind for operation in changes.to_plan()] == ["delete_domain", "create_domain"]


def test_what_is_not_said_of_the_gateway_is_left_alone() -> None:
    """Without a section nothing is removed; an empty one says that there is nothing."""
    live = acme(with_routes("/a", domains=("dl.example",)))
    assert lines(diff(said(PackageSpec(name="web")), live, prune=True)) == []
    emptied = said(PackageSpec(name="web", routes=(), domains=()))
    assert lines(diff(emptied, live, prune=True)) == [
        "- route acme/web//a: -> 'https://example.org/a'",
        "- domain acme/web/dl.example",
    ]
    assert lines(diff(emptied, live)) == []


def test_types_without_routes_or_domains_are_told() -> None:
    """What the service would refuse is blocked; nothing at all of it is no difference."""
    spec = PackageSpec(name="web", routes=(ROUTE,), domains=("dl.example",))
    changes = diff(said(spec), acme(package()))
    assert [change.note for change in changes.blocked] == [
        "a package of type npm has no routes",
        "a package of type npm has no domains",
    ]
    assert lines(diff(said(PackageSpec(name="web", routes=(), domains=())), acme(package()), prune=True)) == []
