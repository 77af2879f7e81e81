"""The clock: real waiting as a rule, and none where a test asks for that."""

from __future__ import annotations

import asyncio

import pytest

from scarf_async import clock
from scarf_async.testing import no_waiting


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect what would have been slept in earnest."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waits


async def test_as_a_rule_it_waits(slept: list[float]) -> None:
    """Outside of the mode without waiting, the event loop sleeps."""
    await clock.sleep(3600)
    assert slept == [3600]


async def test_without_waiting_time_passes_at_once(slept: list[float]) -> None:
    """An hour passes by the clock, and nothing is slept but a turn of the loop."""
    before = clock.monotonic()
    with clock.without_waiting():
        await clock.sleep(3600)
    assert clock.monotonic() - before == pytest.approx(3600, abs=60)
    assert slept == [0]


async def test_sleepers_one_after_another_add_up() -> None:
    """Two waits in a row take their sum."""
    before = clock.monotonic()
    with clock.without_waiting():
        await clock.sleep(1000)
        await clock.sleep(2000)
    assert clock.monotonic() - before == pytest.approx(3000, abs=60)


async def test_sleepers_side_by_side_pass_the_same_time() -> None:
    """Waits at the same time take as long as the longest of them."""
    before = clock.monotonic()
    with clock.without_waiting():
        await asyncio.gather(*(clock.sleep(seconds) for seconds in (1000, 3000, 2000)))
    assert clock.monotonic() - before == pytest.approx(3000, abs=60)


@pytest.mark.parametrize("seconds", [0, -1])
async def test_no_wait_is_no_time(seconds: float) -> None:
    """A wait of nothing, or of less, does not move the clock."""
    before = clock.monotonic()
    with clock.without_waiting():
        await clock.sleep(seconds)
    assert 0 <= clock.monotonic() - before < 60


async def test_it_never_goes_back() -> None:
    """When the mode ends, the time that passed stays passed."""
    seen = [clock.monotonic()]
    with clock.without_waiting():
        await clock.sleep(500)
        seen.append(clock.monotonic())
    seen.append(clock.monotonic())
    assert seen == sorted(seen)


async def test_the_mode_ends_with_its_block(slept: list[float]) -> None:
    """After the block it waits again, also after an error, but not while an outer block lasts."""
    with clock.without_waiting():
        with pytest.raises(RuntimeError), clock.without_waiting():
            raise RuntimeError
        await clock.sleep(10)
    await clock.sleep(20)
    assert slept == [0, 20]


async def test_others_run_while_it_sleeps() -> None:
    """Even without waiting a sleep lets other tasks run."""
    seen: list[str] = []

    async def other() -> None:
        seen.append("other")

    with clock.without_waiting():
        task = asyncio.create_task(other())
        await clock.sleep(1)
    assert seen == ["other"]
    await task


async def test_the_helper_for_tests_is_the_same_mode(slept: list[float]) -> None:
    """`scarf_async.testing.no_waiting` lets backoff and pace pass."""
    with no_waiting():
        await clock.sleep(3600)
    assert slept == [0]
