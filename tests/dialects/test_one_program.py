"""One program, spoken in both versions, does the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    OrganizationUpsert,
    Scarf,
    ScarfError,
    ValidationError,
)
from scarf_async.emulator import Emulator, Quirks

from .programs import (
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
    """Tell whether a service of these quirks refuses what only another one takes."""
    if quirks.null == "refused" and isinstance(result, BadRequestError):
        return isinstance(step, ChangeOrganization | Update)
    if quirks.permissions_of_organizations == "refused" and isinstance(result, NotFoundError):
        return isinstance(step, SetPermissions) or getattr(step, "what", "") == "permissions"
    return False


def alike(step: Step, one: object, two: object) -> bool:
    """Tell whether a step gave the same in both versions: equal values, or errors of one class."""
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


@given(program=programs(), quirks=_QUIRKS)
def test_a_program_leaves_equal_stores(runner: asyncio.Runner, program: list[Step], quirks: Quirks) -> None:
    """Each call gives the same, or an error of the same class, and what is there in the end is the same."""
    assert runner.run(differences(program, quirks)) == []
