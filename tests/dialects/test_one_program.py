"""One program, spoken in both versions, does the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final, get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async import (
    ApiVersion,
    BadRequestError,
    BulkPlan,
    ConflictError,
    DomainCreate,
    NotFoundError,
    OrganizationUpsert,
    PackageUpsert,
    PermissionSet,
    Role,
    RouteCreate,
    Scarf,
    ScarfError,
    ValidationError,
)
from scarf_async.emulator import Emulator, Quirks

from .programs import (
    USER,
    ChangeOrganization,
    Create,
    Machine,
    Named,
    SetPermissions,
    Step,
    Update,
    in_words_of_v2,
    programs,
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all examples."""
    with asyncio.Runner() as runner:
        yield runner


_PAGES: Final = st.sampled_from(
    [
        {"paging": "links", "max_per_page": 10},
        {"paging": "after", "max_per_page": 10},
        {"paging": "after"},
    ]
)
_REST: Final = st.fixed_dictionaries(
    {
        "package_cursor": st.sampled_from(["name", "id"]),
        "absent": st.sampled_from(["omitted", "null"]),
        "null": st.sampled_from(["taken", "taken", "refused"]),
        "members_post_upserts": st.booleans(),
        "put_clears": st.booleans(),
        "permissions_of_organizations": st.sampled_from(["works", "works", "refused"]),
        "error_bodies": st.sampled_from(["json", "text", "empty"]),
    }
)
_QUIRKS: Final = st.builds(lambda pages, rest: Quirks(**pages, **rest), _PAGES, _REST)


async def differences(program: list[Step], quirks: Quirks) -> list[object]:
    """Carry out a program in both versions; return the first steps that give something else."""
    async with (
        Emulator() as first,
        Emulator(quirks=quirks) as second,
        Scarf(first.token, base_url=first.url) as one,
        Scarf(second.token, base_url=second.url) as creator,
        Scarf(second.token, api="v2", owner="acme", v2_url=second.v2_url) as two,
    ):
        for scarf in (one, creator):
            await scarf.organizations.create(
                OrganizationUpsert(name="acme", description="", billing_email="pay@a.example")
            )
        machines = Machine(one), Machine(two)
        for step in program:
            spoken = await machines[1].run(step)
            if not cannot(step, spoken, quirks):
                result = await machines[0].run(step)
                if not alike(step, result, spoken):
                    return [step, result, spoken]
        states = [in_words_of_v2(await emulator.dump()) for emulator in (first, second)]
        return [] if states[0] == states[1] else list(states)


def cannot(step: Step, result: object, quirks: Quirks) -> bool:
    """Return whether a service of these quirks refuses what only another one takes."""
    if quirks.null == "refused" and isinstance(result, BadRequestError):
        return isinstance(step, ChangeOrganization | Update)
    if quirks.permissions_of_organizations == "refused" and isinstance(result, NotFoundError):
        return isinstance(step, SetPermissions) or getattr(step, "what", "") == "permissions"
    return False


def alike(step: Step, one: object, two: object) -> bool:
    """Return whether a step gave the same in both versions: equal values, or errors of one class."""
    if isinstance(one, ConflictError) and isinstance(step, Create) and step.keep:
        # A text that the list of v2 does not show is not compared.
        return isinstance(two, ConflictError | tuple)
    if isinstance(step, Named) and isinstance(two, ValidationError):
        # Of an image and another package, v1 takes the one that is spelled just so.
        return True
    if isinstance(one, ScarfError):
        # What v1 leaves to the service may be refused before anything is changed.
        return isinstance(two, type(one) | ValidationError)
    return one == two


@attrs.frozen
class Wanted:
    """A package of acme, or of the token's user, and what belongs to it."""

    upsert: PackageUpsert
    is_users: bool = False
    routes: Sequence[RouteCreate] = ()
    domains: Sequence[str] = ()
    permissions: Sequence[PermissionSet] = ()

    def owner(self, scarf: Scarf) -> str | None:
        """Return whose it is, in the words of a version."""
        return "acme" if not self.is_users else USER if scarf.api == "v2" else None


DAYS: Final = ("2024-01-01", "2024-01-03")
MEMBERS: Final = {"ann": Role.ADMIN, "bob": Role.MEMBER}
PACKAGES: Final = (
    Wanted(
        PackageUpsert(
            name="acme/web",
            short_description="Web",
            library_type="docker",
            backend_url="https://ghcr.io/acme/web",
            public_url="https://cr.example/acme/web",
        ),
        domains=["cr.example", "cs.example"],
    ),
    Wanted(
        PackageUpsert(
            name="tool",
            short_description="",
            long_description="A tool",
            library_type="python",
            repository_url="https://i.example/simple/",
        )
    ),
    Wanted(
        PackageUpsert(name="dl", short_description="", website="https://a.example", library_type="file"),
        routes=[RouteCreate("https://o.example/{v}", "/{v}"), RouteCreate("https://o.example/x", "/x/{v}")],
        domains=["dl.example"],
    ),
    Wanted(
        PackageUpsert(name="mine", short_description="", library_type="npm"),
        is_users=True,
        permissions=[PermissionSet("ann", "admin"), PermissionSet("bob", "member")],
    ),
)


def planned(scarf: Scarf) -> BulkPlan:
    """Return what is wanted as a plan."""
    plan = BulkPlan()
    for username, role in MEMBERS.items():
        plan.upsert_member("acme", username, role)
    for wanted in PACKAGES:
        package = plan.create_package(wanted.upsert, wanted.owner(scarf))
        for route in wanted.routes:
            plan.create_route(package, route)
        for name in wanted.domains:
            plan.create_domain(package, DomainCreate(name), if_exists="keep")
        for entry in wanted.permissions:
            plan.set_permission(package, entry.user_query, entry.permission_level)
    return plan


async def at_once(scarf: Scarf) -> None:
    """Make what is wanted in one run."""
    (await scarf.bulk.run(planned(scarf))).raise_for_failures()


async def one_by_one(scarf: Scarf) -> None:
    """Make what is wanted in single calls: only v2 takes the first route with its package."""
    for username, role in MEMBERS.items():
        await scarf.members.upsert("acme", username, role)
    for wanted in PACKAGES:
        with_package = wanted.routes[: scarf.api == "v2"]
        package = await scarf.packages.create(
            wanted.upsert, wanted.owner(scarf), route=next(iter(with_package), None)
        )
        for route in wanted.routes[len(with_package) :]:
            await scarf.routes.create(package, route)
        for name in wanted.domains:
            await scarf.domains.create(package, DomainCreate(name), if_exists="keep")
        if wanted.permissions:
            await scarf.permissions.set(package, wanted.permissions)


async def test_what_is_made_is_verified_and_exported() -> None:
    """One by one or in one run, each version leaves the same there, finds no difference, and exports the same."""
    states, exported = [], []
    for api, make in product(get_args(ApiVersion), (one_by_one, at_once)):
        async with (
            Emulator(load={"organizations": [{"name": "acme"}]}, events_per_day=3) as emulator,
            Scarf(emulator.token, api=api, owner="acme", base_url=emulator.url, v2_url=emulator.v2_url) as scarf,
        ):
            await make(scarf)
            assert await scarf.bulk.verify(planned(scarf)) == []
            found = set()
            for package in await scarf.packages.list("acme"):
                async with scarf.exports.package_events("acme", package.uuid, *DAYS) as events:
                    found |= {(package.name, event.type, event.time) async for event in events}
            exported.append(found)
            states.append(in_words_of_v2(await emulator.dump()))
    assert set(states[0]["packages"]) == {
        "acme/docker/acme/web", "acme/python/tool", "acme/file/dl", "emulator-user/npm/mine",
    }  # fmt: skip
    assert states == states[:1] * 4
    assert len(exported[0]) == 3 * 2 * 3
    assert exported == exported[:1] * 4


@given(program=programs(), quirks=_QUIRKS)
def test_a_program_leaves_equal_stores(runner: asyncio.Runner, program: list[Step], quirks: Quirks) -> None:
    """Each call gives the same, or an error of the same class, and the live state in the end is the same."""
    assert runner.run(differences(program, quirks)) == []
