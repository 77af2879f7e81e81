"""Reads made at the same time."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from scarf_async import ScarfError
from scarf_async.bulk.concurrently import concurrently


async def test_results_come_in_the_order_of_the_calls() -> None:
    """Whatever the order in which the calls end."""
    second = asyncio.Event()

    async def first_call() -> str:
        await second.wait()
        return "first"

    async def second_call() -> str:
        second.set()
        return "second"

    assert await concurrently([first_call, second_call]) == ["first", "second"]
    assert await concurrently([]) == []


async def test_some_are_under_way_at_once() -> None:
    """As many as there are readers, and each call is made once."""
    under_way: set[int] = set()
    made: list[int] = []
    most = 0

    async def call(number: int) -> int:
        nonlocal most
        made.append(number)
        under_way.add(number)
        most = max(most, len(under_way))
        await asyncio.sleep(0)
        under_way.remove(number)
        return number

    assert await concurrently([partial(call, number) for number in range(100)]) == list(range(100))
    assert (sorted(made), most) == (list(range(100)), 32)


async def test_the_first_error_is_raised_by_itself() -> None:
    """In no group; and nothing is begun after it."""
    made: list[int] = []

    async def call(number: int) -> None:
        made.append(number)
        await asyncio.sleep(0)
        raise ScarfError(f"no {number}")

    with pytest.raises(ScarfError, match="no 0"):
        await concurrently([partial(call, number) for number in range(100)])
    assert len(made) == 32
