"""The clock: real waiting as a rule, and none where a test asks for that."""

from __future__ import annotations

import asyncio

import pytest

from scarf_async.clock import Clock
from scarf_async.testing import no_waiting


@pytest.fixture
def clock() -> Clock:
    """A client's clock."""
    return Clock()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect what would have been slept in earnest."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waits


async def test_as_a_rule_it_waits(clock: Clock, slept: list[float]) -> None:
    """Outside of the mode without waiting, the event loop sleeps."""
    await clock.sleep(3600)
    assert slept == [3600]


async def test_without_waiting_time_passes_at_once(clock: Clock, slept: list[float]) -> None:
    """An hour passes by the clock, and nothing is slept but a turn of the loop."""
    before = clock.monotonic()
    with no_waiting():
        await clock.sleep(3600)
    assert clock.monotonic() - before == pytest.approx(3600, abs=60)
    assert slept == [0]


async def test_sleepers_one_after_another_add_up(clock: Clock) -> None:
    """Two waits in a row take their sum."""
    before = clock.monotonic()
    with no_waiting():
        await clock.sleep(1000)
        await clock.sleep(2000)
    assert clock.monotonic() - before == pytest.approx(3000, abs=60)


async def test_sleepers_side_by_side_pass_the_same_time(clock: Clock) -> None:
    """Waits at the same time take as long as the longest of them."""
    before = clock.monotonic()
    with no_waiting():
        await asyncio.gather(*(clock.sleep(seconds) for seconds in (1000, 3000, 2000)))
    assert clock.monotonic() - before == pytest.approx(3000, abs=60)


@pytest.mark.parametrize("seconds", [0, -1])
async def test_no_wait_is_no_time(clock: Clock, seconds: float) -> None:
    """A wait of nothing, or of less, does not move the clock."""
    before = clock.monotonic()
    with no_waiting():
        await clock.sleep(seconds)
    assert 0 <= clock.monotonic() - before < 60


async def test_it_never_goes_back(clock: Clock) -> None:
    """When the mode ends, the time that passed stays passed."""
    seen = [clock.monotonic()]
    with no_waiting():
        await clock.sleep(500)
        seen.append(clock.monotonic())
    seen.append(clock.monotonic())
    assert seen == sorted(seen)


async def test_the_mode_ends_with_its_block(clock: Clock, slept: list[float]) -> None:
    """After the block it waits again, also after an error, but not while an outer block lasts."""
    with no_waiting():
        with pytest.raises(RuntimeError), no_waiting():
            raise RuntimeError
        await clock.sleep(10)
    await clock.sleep(20)
    assert slept == [0, 20]


async def test_others_run_while_it_sleeps(clock: Clock) -> None:
    """Even without waiting a sleep lets other tasks run."""
    seen: list[str] = []

    async def other() -> None:
        seen.append("other")

    with no_waiting():
        task = asyncio.create_task(other())
        await clock.sleep(1)
    assert seen == ["other"]
    await task


async def test_the_helper_for_tests_is_the_same_mode(clock: Clock, slept: list[float]) -> None:
    """`scarf_async.testing.no_waiting` lets backoff and pace pass."""
    with no_waiting():
        await clock.sleep(3600)
    assert slept == [0]


async def test_a_wait_in_a_task_that_began_earlier_passes_too(clock: Clock, slept: list[float]) -> None:
    """The mode is not bound to the context of the block."""
    begin = asyncio.Event()

    async def wait() -> None:
        await begin.wait()
        await clock.sleep(3600)

    task = asyncio.create_task(wait())
    with no_waiting():
        begin.set()
        await task
    assert slept == [0]


def test_a_wait_on_an_event_loop_that_began_earlier_passes_too(clock: Clock) -> None:
    """So a fixture that is not async may hold the block open around a test that is."""
    with asyncio.Runner() as runner:
        runner.run(asyncio.sleep(0))
        with no_waiting():
            before = clock.monotonic()
            runner.run(clock.sleep(3600))
    assert clock.monotonic() - before == pytest.approx(3600, abs=60)


async def test_blocks_may_overlap(clock: Clock, slept: list[float]) -> None:
    """The mode lasts until the last of them ends, whichever began first."""
    first, second = no_waiting(), no_waiting()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    await clock.sleep(10)
    second.__exit__(None, None, None)
    await clock.sleep(20)
    assert slept == [0, 20]


async def test_each_clock_passes_its_own_time(clock: Clock) -> None:
    """What one client did not wait for has not passed for another."""
    with no_waiting():
        await clock.sleep(3600)
    assert clock.monotonic() - Clock().monotonic() == pytest.approx(3600, abs=60)
