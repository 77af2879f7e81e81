"""The pace: no bursts, first come first served, and a pause that holds everything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.clock import Clock
from scarf_async.http.pacer import Pacer
from scarf_async.testing import no_waiting


class Time(Clock):
    """A clock that does not move but for who sleeps by it, and for `overshoots`: how late each sleep returns."""

    def __init__(self, overshoots: Iterator[float] | None = None) -> None:
        super().__init__()
        self.now = 1000.0
        self.slept: list[float] = []
        self._overshoots = overshoots or iter(())

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds + next(self._overshoots, 0.0)
        await asyncio.sleep(0)


@pytest.fixture
def time() -> Time:
    """A clock for the pacer that only its sleeps move."""
    return Time()


async def passes(pacer: Pacer, time: Time, count: int) -> list[float]:
    """Let requests pass side by side; return when each did."""
    seen: list[float] = []

    async def one() -> None:
        await pacer.turn()
        seen.append(time.now)

    await asyncio.gather(*(one() for _ in range(count)))
    return seen


async def test_without_a_rate_nothing_waits(time: Time) -> None:
    """No rate, no hold: every turn comes at once."""
    assert await passes(Pacer(None, time), time, 50) == [1000.0] * 50
    assert time.slept == []


async def test_a_rate_spreads_requests_evenly(time: Time) -> None:
    """Many requests at once pass one interval apart, the first of them at once."""
    seen = await passes(Pacer(4.0, time), time, 9)
    assert seen == [1000.0 + 0.25 * number for number in range(9)]


@pytest.mark.parametrize("rate", [0.1, 1, 3, 1000.0])
async def test_an_idle_time_is_not_made_up_for(time: Time, rate: float) -> None:
    """After a pause there is no burst: the next requests are an interval apart again."""
    pacer = Pacer(rate, time)
    await passes(pacer, time, 2)
    time.now += 1000 / rate
    start = time.now
    assert await passes(pacer, time, 3) == pytest.approx([start, start + 1 / rate, start + 2 / rate])


@given(
    rate=st.sampled_from([0.5, 2.0, 10.0]),
    overshoots=st.lists(st.floats(0, 5), max_size=30),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=5),
)
def test_there_is_never_a_burst(rate: float, overshoots: list[float], pauses: list[float]) -> None:
    """However late sleeps return, a window of n intervals sees no more than n + 2 requests."""
    time = Time(iter(overshoots))

    async def run() -> list[float]:
        pacer = Pacer(rate, time)
        seen: list[float] = []
        for pause in pauses:
            seen += await passes(pacer, time, 5)
            time.now += pause
        return seen

    seen = asyncio.run(run())
    for first, start in enumerate(seen):
        for further, end in enumerate(seen[first + 1 :]):
            assert (end - start) * rate >= further - 1e-6


async def test_late_wakings_do_not_lower_the_rate() -> None:
    """Sleeps that each return a little late keep to the grid, so that the rate is kept over time."""
    time = Time(iter([0.01] * 100))
    seen = await passes(Pacer(10.0, time), time, 101)
    assert seen[-1] - seen[0] == pytest.approx(10.0, abs=0.02)


async def test_a_stall_is_not_made_up_for() -> None:
    """After a sleep that returns much too late the next request is an interval away, as after any other."""
    time = Time(iter([5.0]))
    assert await passes(Pacer(4.0, time), time, 4) == [1000.0, 1005.25, 1005.5, 1005.75]


async def test_a_hold_stops_everything(time: Time) -> None:
    """While it lasts nothing passes, with a rate or without."""
    for pacer in (Pacer(None, time), Pacer(4.0, time)):
        start = time.now
        pacer.hold(5)
        assert pacer.held_for == 5
        seen = await passes(pacer, time, 3)
        assert min(seen) >= start + 5
        assert pacer.held_for == 0


async def test_after_a_hold_the_pace_goes_on(time: Time) -> None:
    """What waited for a hold to end passes an interval apart, not all at once."""
    pacer = Pacer(4.0, time)
    await passes(pacer, time, 1)
    pacer.hold(5)
    assert await passes(pacer, time, 3) == [1005.0, 1005.25, 1005.5]


async def test_a_shorter_hold_does_not_shorten_a_longer_one(time: Time) -> None:
    """The end of the longest hold counts."""
    pacer = Pacer(None, time)
    pacer.hold(5)
    pacer.hold(1)
    assert pacer.held_for == 5
    pacer.hold(7)
    assert pacer.held_for == 7
    assert await passes(pacer, time, 1) == [1007.0]


@pytest.mark.parametrize("rate", [None, 4.0])
async def test_a_hold_catches_who_waits_already(rate: float | None) -> None:
    """A hold that comes while a request waits for its turn holds that request too."""
    woken: list[float] = []

    class Holding(Time):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if not woken:
                pacer.hold(10)
            woken.append(self.now)

    pacer = Pacer(rate, Holding())
    pacer.hold(1)
    await pacer.turn()
    assert woken == [1001.0, 1011.0]


async def test_first_come_first_served(time: Time) -> None:
    """With a rate, requests pass in the order in which they came."""
    pacer = Pacer(4.0, time)
    order: list[int] = []

    async def one(number: int) -> None:
        await pacer.turn()
        order.append(number)

    await asyncio.gather(*(one(number) for number in range(20)))
    assert order == list(range(20))


async def test_who_is_cancelled_leaves_the_queue() -> None:
    """A request that is cancelled while it waits takes no turn and holds up nobody."""
    waiting = asyncio.Event()

    class Stuck(Time):
        async def sleep(self, seconds: float) -> None:
            if not waiting.is_set():
                waiting.set()
                await asyncio.Event().wait()
            await super().sleep(seconds)

    time = Stuck()
    pacer = Pacer(4.0, time)
    await pacer.turn()
    first = asyncio.create_task(pacer.turn())
    await waiting.wait()
    second = asyncio.create_task(pacer.turn())
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    assert time.now == 1000.25


async def test_the_pace_passes_without_waiting() -> None:
    """In the clock's mode without waiting a slow pace costs no time, and is kept by the clock."""
    clock = Clock()
    pacer = Pacer(0.001, clock)
    before = clock.monotonic()
    with no_waiting():
        for _ in range(3):
            await pacer.turn()
    assert clock.monotonic() - before == pytest.approx(2000, abs=60)
