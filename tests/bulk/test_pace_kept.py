"""What the pace comes to: services of all kinds, and how long runs take, by a clock that does not wait."""

from __future__ import annotations

import asyncio
from collections import deque

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scarf_async.sending.pacing import AdaptivePacer

from . import virtual


@attrs.define
class Service:
    """One that takes so many requests a second after a burst; what is beyond it refuses."""

    rate: float
    burst: float = 20.0
    asks: float | None = None
    outage: tuple[float, float] = (0.0, 0.0)
    taken: int = 0
    refused: int = 0
    tokens: float = attrs.field(init=False)
    began: float = attrs.field(init=False)
    filled: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tokens = self.burst
        self.began = self.filled = virtual.CLOCK.monotonic()

    def takes(self) -> bool:
        """Take one request, or refuse it."""
        now = virtual.CLOCK.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        is_down = self.outage[0] <= now - self.began < self.outage[1]
        if is_down or self.tokens < 1:
            self.refused += 1
            return False
        self.tokens -= 1
        self.taken += 1
        return True


async def carry_out(service: Service, operations: int, *, latency: float, at_once: int = 64) -> float:
    """Carry operations out as a run does; return the seconds that it took."""
    pacer, left = AdaptivePacer(600.0, virtual.CLOCK), deque(range(operations))
    began = virtual.CLOCK.monotonic()

    async def work() -> None:
        while left:
            left.popleft()
            while True:
                ticket = await pacer.turn(looking=False)
                await asyncio.sleep(latency / 2)
                taken = service.takes()
                await asyncio.sleep(latency / 2)
                if taken:
                    pacer.succeeded()
                    break
                pacer.refused(ticket, service.asks)

    await asyncio.gather(*(work() for _ in range(at_once)))
    assert service.taken == operations
    return virtual.CLOCK.monotonic() - began


@pytest.mark.parametrize("latency", [0.001, 0.02])
@pytest.mark.parametrize(("asks", "limit"), [(None, 12.0), (1.0, 20.0)])
def test_limited_service_is_used_well(asks: float | None, limit: float, latency: float) -> None:
    """600 operations at 100 a second after a burst of 20: near the floor of 5.8 s, and few refusals."""

    async def check() -> None:
        service = Service(100.0, asks=asks)
        assert 5.8 <= await carry_out(service, 600, latency=latency) <= limit
        assert service.refused < 80  # 44 of them the first 64 at once

    virtual.run(check())


@given(
    rate=st.floats(5.0, 2000.0),
    burst=st.floats(10.0, 100.0),
    latency=st.floats(0.001, 0.3),
    asks=st.sampled_from([None, None, 1.0, 5.0]),
    at_once=st.sampled_from([1, 8, 64]),
)
@example(rate=5.0, burst=10.0, latency=0.001, asks=None, at_once=64)
def test_every_service_is_used(rate: float, burst: float, latency: float, asks: float | None, at_once: int) -> None:
    """Whatever it takes: the run ends, in a few times what it needs at least."""

    async def check() -> None:
        service = Service(rate, burst, asks)
        floor = max((300 - burst) / rate, 300 * latency / at_once)
        took = await carry_out(service, 300, latency=latency, at_once=at_once)
        assert took <= 4 * floor + 12 * (1 + (asks or 0.0))

    virtual.run(check())


@pytest.mark.parametrize("latency", [0.001, 0.02])
def test_service_without_a_limit_is_not_held_back(latency: float) -> None:
    """Not by one moment."""

    async def check() -> None:
        service = Service(1e9, 1e9)
        took = await carry_out(service, 3200, latency=latency)
        assert took == pytest.approx(50 * latency, rel=0.01)
        assert service.refused == 0

    virtual.run(check())


@pytest.mark.parametrize(("rate", "burst"), [(100.0, 20.0), (1e9, 1e9)])
def test_outage_costs_its_own_length(rate: float, burst: float) -> None:
    """Down for 60 s in the middle: not much more than 60 s are lost, and few requests are spent on asking."""

    async def check() -> None:
        calm = await carry_out(Service(rate, burst), 2000, latency=0.02)
        service = Service(rate, burst, outage=(calm / 2, calm / 2 + 60.0))
        took = await carry_out(service, 2000, latency=0.02)
        assert calm + 59.0 < took < 1.1 * calm + 66.0
        assert service.refused < 200 + 300 * (rate < 1e9)

    virtual.run(check())
