"""Random plans, faults and crashes: in the end the service holds what a sequential interpreter says, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from scarf_async import ApiVersion

from .crashes import Base, Verdict, check, draw

MOST = {"v1": 24, "v2": 12}


@pytest.mark.parametrize("group", range(2))
async def test_whatever_goes_wrong_the_plan_comes_true_once(
    base: Base, tmp_path: Path, group: int, soak: bool
) -> None:
    """Each random plan ends in the interpreter's state, with its statuses, and no create was doubled."""
    await check_plans(base, tmp_path, seeds(group, 30 if soak else 8), "v1")


@pytest.mark.parametrize("group", range(4))
async def test_whatever_goes_wrong_it_comes_true_once_in_v2(
    base: Base, tmp_path: Path, group: int, soak: bool
) -> None:
    """So does each random plan in v2, whatever its descriptions leave open."""
    await check_plans(base, tmp_path, seeds(group, 50 if soak else 10), "v2")


def seeds(group: int, plans: int) -> range:
    """Return the seeds of a group's plans."""
    return range(group * plans, (group + 1) * plans)


async def check_plans(base: Base, directory: Path, drawn: range, api: ApiVersion) -> None:
    """Draw plans and run each to its end."""
    total = Verdict()
    for seed in drawn:
        verdict = await check(draw(seed, base, api=api, most=MOST[api]), base, directory)
        assert not verdict.problems, f"seed {seed}: " + "\n".join(verdict.problems)
        total.crashes += verdict.crashes
        total.injected += verdict.injected
    # Else the test would say nothing.
    assert total.crashes > len(drawn) / 4
    assert total.injected > len(drawn)
