"""Random plans, faults and crashes: in the end the service holds what a sequential interpreter says, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from .crashes import Base, Verdict, base_of, check, draw

GROUPS = 4
PLANS_IN_A_GROUP = 30


@pytest.fixture
async def base() -> Base:
    """A service that holds something already."""
    return await base_of()


@pytest.mark.parametrize("group", range(GROUPS))
async def test_whatever_goes_wrong_the_plan_comes_true_once(base: Base, tmp_path: Path, group: int) -> None:
    """Of 120 random plans each ends in the interpreter's state, with its statuses, and no create was doubled."""
    total = Verdict()
    for seed in range(group * PLANS_IN_A_GROUP, (group + 1) * PLANS_IN_A_GROUP):
        verdict = await check(draw(seed, base), base, tmp_path)
        assert not verdict.problems, f"seed {seed}: " + "\n".join(verdict.problems)
        total.crashes += verdict.crashes
        total.injected += verdict.injected
    # Else the test would say nothing.
    assert total.crashes > PLANS_IN_A_GROUP / 2
    assert total.injected > PLANS_IN_A_GROUP
