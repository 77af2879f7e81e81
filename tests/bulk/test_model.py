"""Random plans, faults and crashes: in the end the service holds what a sequential interpreter says, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from scarf_async import ApiVersion

from .crashes import Base, Verdict, check, draw

PLANS_IN_A_GROUP = 20
MOST = {"v1": 24, "v2": 12}


@pytest.mark.parametrize("group", range(3))
async def test_whatever_goes_wrong_the_plan_comes_true_once(base: Base, tmp_path: Path, group: int) -> None:
    """Of 60 random plans each ends in the interpreter's state, with its statuses, and no create was doubled."""
    await check_plans(base, tmp_path, range(group * PLANS_IN_A_GROUP, (group + 1) * PLANS_IN_A_GROUP), "v1")


@pytest.mark.parametrize("group", range(10))
async def test_whatever_goes_wrong_it_comes_true_once_in_v2(base: Base, tmp_path: Path, group: int) -> None:
    """So do 200 random plans in v2, whatever its descriptions leave open."""
    await check_plans(base, tmp_path, range(group * PLANS_IN_A_GROUP, (group + 1) * PLANS_IN_A_GROUP), "v2")


async def check_plans(base: Base, directory: Path, seeds: range, api: ApiVersion) -> None:
    """Draw plans and run each to its end."""
    total = Verdict()
    for seed in seeds:
        verdict = await check(draw(seed, base, api=api, most=MOST[api]), base, directory)
        assert not verdict.problems, f"seed {seed}: " + "\n".join(verdict.problems)
        total.crashes += verdict.crashes
        total.injected += verdict.injected
    # Else the test would say nothing.
    assert total.crashes > len(seeds) / 4
    assert total.injected > len(seeds)
