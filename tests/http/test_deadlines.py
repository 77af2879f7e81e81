"""Time limits, by a clock that does not wait: one timer ends what takes too long, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
from bulk import virtual

from scarf_async.http.deadlines import Attempt, Deadlines, Phase


def in_virtual_time(check: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Make a test of a coroutine function, run by a clock that does not wait."""

    def test() -> None:
        virtual.run(check())

    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return test


def now() -> float:
    """The time."""
    return asyncio.get_running_loop().time()


async def lasts(deadlines: Deadlines, begin: Callable[[Attempt], None], connect: float, whole: float) -> float:
    """Begin an attempt that never ends by itself; return the seconds after which it was ended."""
    began = now()
    attempt = Attempt(deadlines, connect, whole)
    with suppress(TimeoutError), attempt:
        begin(attempt)
        await asyncio.Event().wait()
    return now() - began


@in_virtual_time
async def test_connecting_and_what_follows_have_limits_of_their_own() -> None:
    """The first runs out while there is no connection, the second from when there is one."""
    deadlines = Deadlines()
    assert await lasts(deadlines, Attempt.connecting, 10, 30) == pytest.approx(10)
    assert await lasts(deadlines, Attempt.connected, 10, 30) == pytest.approx(30)
    assert await lasts(deadlines, Attempt.connected, 10, 3) == pytest.approx(3)


@in_virtual_time
async def test_first_sign_of_a_connection_counts() -> None:
    """Later ones do not wind the limit up again."""
    deadlines = Deadlines()

    def begin(attempt: Attempt) -> None:
        attempt.connecting()
        attempt.connected()
        asyncio.get_running_loop().call_later(20, attempt.connected)

    assert await lasts(deadlines, begin, 10, 30) == pytest.approx(30)


@in_virtual_time
async def test_many_attempts_end_each_at_its_time() -> None:
    """However they were begun, and though one timer looks after all of them."""
    deadlines = Deadlines()
    limits = [5, 1, 3, 3, 8, 2]
    assert await asyncio.gather(
        *(lasts(deadlines, Attempt.connected, 0, limit) for limit in limits)
    ) == pytest.approx(limits)


@in_virtual_time
async def test_what_ended_in_time_is_left_alone() -> None:
    """Its limit ends neither it nor what comes after it."""
    deadlines = Deadlines()
    attempt = Attempt(deadlines, 1, 2)
    with attempt:
        attempt.connecting()
        attempt.connected()
        await asyncio.sleep(1.5)
    assert await lasts(deadlines, Attempt.connected, 0, 7) == pytest.approx(7)
    await asyncio.sleep(100)
    assert attempt.phase is Phase.CONNECTED
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


@in_virtual_time
async def test_ending_all_ends_what_has_no_limit_too() -> None:
    """At once, and each once."""
    deadlines = Deadlines()
    waits = [asyncio.create_task(lasts(deadlines, begin, 10, 30)) for begin in (Attempt.connected, lambda _: None)]
    await asyncio.sleep(1)
    deadlines.end_all()
    deadlines.end_all()
    assert await asyncio.gather(*waits) == [pytest.approx(1)] * 2


@in_virtual_time
async def test_cancellation_from_outside_stays_one() -> None:
    """It is not taken for a time limit."""
    task = asyncio.create_task(lasts(Deadlines(), Attempt.connected, 10, 30))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
