"""The example organization and its comparison."""

from collections import Counter

import attrs
import pytest

from scarf_async import Domain, Member, Organization, Package, Permission, Route
from scarf_async.cli.example import Shown, build_plan, differences, load_example

EXAMPLE = load_example()


def shown() -> Shown:
    """Return just what was asked for, as the service would show it."""
    organization = EXAMPLE.organization
    wanted = [*map(EXAMPLE.package, EXAMPLE.images), EXAMPLE.sources]
    return Shown(
        organization=Organization(
            name=organization.name,
            description=organization.description,
            website=str(organization.website),
            billing_email=organization.billing_email,
        ),
        members=[Member(username=user, role=role) for user, role in EXAMPLE.levels.items()]
        + [Member(username="emulator-user", role="owner")],
        packages=[
            Package(
                uuid=str(number),
                name=package.name,
                short_description=package.short_description,
                library_type=str(package.library_type),
            )
            for number, package in enumerate(wanted)
        ],
        permissions={
            EXAMPLE.package(image).name: [Permission(user, level) for user, level in EXAMPLE.levels.items()]
            for image in EXAMPLE.images
        },
        routes=[
            Route(str(number), route.outgoing_url, route.template_path)
            for number, route in enumerate(map(EXAMPLE.route, EXAMPLE.images))
        ],
        domains=[Domain("1", EXAMPLE.domain)],
    )


def test_the_plan_has_the_size_that_was_promised() -> None:
    """One organization, 25 memberships, 116 packages, 2,875 permissions, 115 routes, one domain."""
    plan, sources = build_plan(EXAMPLE)
    assert Counter(str(operation.kind) for operation in plan) == {
        "create_organization": 1,
        "upsert_member": 25,
        "create_package": 116,
        "set_permission": 2875,
        "create_route": 115,
        "create_domain": 1,
    }
    assert plan[sources.index].arguments["package"].name == "sources"


def test_what_was_asked_for_shows_no_difference() -> None:
    """The comparison of equal things is empty."""
    assert differences(EXAMPLE, shown()) == []


SHOWN = shown()
NGINX = "linuxserver/nginx"


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (attrs.evolve(SHOWN, members=SHOWN.members[1:]), f"member {EXAMPLE.admins[0]}: missing"),
        (
            attrs.evolve(SHOWN, members=[*SHOWN.members, SHOWN.members[0]]),
            f"member {EXAMPLE.admins[0]}: doubled",
        ),
        (attrs.evolve(SHOWN, packages=SHOWN.packages[:-1]), "package sources: missing"),
        (
            attrs.evolve(SHOWN, routes=[*SHOWN.routes, Route("x", "https://x.example", "/x")]),
            "route /x: not asked for",
        ),
        (attrs.evolve(SHOWN, domains=[]), f"domain {EXAMPLE.domain}: missing"),
        (
            attrs.evolve(
                SHOWN, permissions={**SHOWN.permissions, NGINX: [Permission(EXAMPLE.admins[0], "member")]}
            ),
            f"permission on {NGINX} {EXAMPLE.admins[0]}: member instead of admin",
        ),
    ],
)
def test_each_difference_is_named(changed: Shown, line: str) -> None:
    """What is missing, doubled, other or too much gets a line of its own."""
    assert line in differences(EXAMPLE, changed)
