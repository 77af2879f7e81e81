"""Shared reads: who may be given which, and what a cancellation or an error of one does to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import attrs
import pytest

from scarf_async.clock import Clock
from scarf_async.sending.sharing import Read, SharedReads

CLOCK = Clock()


@attrs.define
class Source:
    """Answers reads in order, when it is told to; each with its number."""

    calls: int = 0
    gates: list[asyncio.Future[object]] = attrs.field(factory=list)
    arrived: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def __call__(self) -> int:
        """Read."""
        number = self.calls
        self.calls += 1
        gate: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        self.arrived.set()
        await gate
        return number

    async def until(self, calls: int) -> None:
        """Wait until so many reads have begun."""
        while self.calls < calls:
            self.arrived.clear()
            await self.arrived.wait()

    def answer(self, number: int) -> None:
        """Let a read end."""
        self.gates[number].set_result(None)

    def fail(self, number: int, error: Exception) -> None:
        """Let a read fail."""
        self.gates[number].set_exception(error)


@pytest.fixture
def source() -> Source:
    """A source that nobody has read."""
    return Source()


@pytest.fixture
def reads() -> SharedReads[int]:
    """Nothing was read yet."""
    return SharedReads(CLOCK)


async def turns(number: int = 5) -> None:
    """Let everybody go as far as they can."""
    for _ in range(number):
        await asyncio.sleep(0)


Begin = Callable[..., "asyncio.Task[Read[int]]"]


@pytest.fixture
def begin(reads: SharedReads[int], source: Source) -> Begin:
    """Begin to read `key` in a task of its own."""

    def begin(key: str = "list", since: float | None = None) -> asyncio.Task[Read[int]]:
        return asyncio.create_task(reads.read(key, source, since=since))

    return begin


async def results(*tasks: Awaitable[Read[int]]) -> list[int]:
    """What they were given."""
    return [read.result for read in await asyncio.gather(*tasks)]


async def test_single_reader_reads(source: Source, begin: Begin) -> None:
    """It is given what was read, and when that began."""
    before = CLOCK.monotonic()
    task = begin()
    await source.until(1)
    source.answer(0)
    read = await task
    assert read.result == 0
    assert before <= read.began <= CLOCK.monotonic()


async def test_many_readers_cost_two_reads(source: Source, begin: Begin) -> None:
    """The first has its own; all who come while it is in progress wait for one further read."""
    first = begin()
    await source.until(1)
    others = [begin() for _ in range(50)]
    await turns()
    assert source.calls == 1
    source.answer(0)
    await source.until(2)
    source.answer(1)
    assert await results(first, *others) == [0, *[1] * 50]
    assert source.calls == 2


async def test_read_that_began_before_is_not_given(source: Source, begin: Begin) -> None:
    """What it is answered with may be older than the question."""
    first = begin()
    await source.until(1)
    second = begin()
    source.answer(0)
    await source.until(2)
    source.answer(1)
    assert await results(first, second) == [0, 1]


async def test_nothing_is_kept_for_who_wants_it_fresh(source: Source, begin: Begin) -> None:
    """One after another, each reads."""
    for number in range(3):
        task = begin()
        await source.until(number + 1)
        source.answer(number)
        assert await results(task) == [number]


async def test_other_things_are_read_side_by_side(source: Source, begin: Begin) -> None:
    """Only readers of one thing wait for each other."""
    tasks = [begin(key) for key in ("a", "b", "c")]
    await source.until(3)
    for number in range(3):
        source.answer(number)
    assert await results(*tasks) == [0, 1, 2]


# Since when


async def test_read_since_then_is_kept(source: Source, begin: Begin) -> None:
    """Who can do with it is given it, without a further read."""
    moment = CLOCK.monotonic()
    first = begin(since=moment)
    await source.until(1)
    source.answer(0)
    await first
    assert await results(begin(since=moment), begin(since=moment)) == [0, 0]
    assert source.calls == 1


async def test_read_under_way_serves_who_can_do_with_it(source: Source, begin: Begin) -> None:
    """It is not waited for twice."""
    moment = CLOCK.monotonic()
    tasks = [begin(since=moment)]
    await source.until(1)
    tasks += [begin(since=moment) for _ in range(5)]
    await turns()
    source.answer(0)
    assert await results(*tasks) == [0] * 6
    assert source.calls == 1


async def test_read_of_before_does_not_serve(source: Source, begin: Begin) -> None:
    """Neither a kept one nor one in progress that began earlier."""
    first = begin(since=0.0)
    await source.until(1)
    later = begin(since=CLOCK.monotonic() + 1e-9)
    await turns()
    source.answer(0)
    await source.until(2)
    source.answer(1)
    assert await results(first, later) == [0, 1]


async def test_earliest_that_serves_is_given(source: Source, begin: Begin) -> None:
    """What is not there early is not there at all, for who asks since then."""
    moments = list[float]()
    for number in range(3):
        moments.append(CLOCK.monotonic())
        task = begin(since=moments[-1])
        await source.until(number + 1)
        source.answer(number)
        await task
    assert await results(*(begin(since=moment) for moment in moments)) == [0, 1, 2]
    assert source.calls == 3


# Errors and cancellations


async def test_error_is_told_to_all_who_share_it(source: Source, begin: Begin) -> None:
    """The next who asks reads again."""
    first = begin()
    await source.until(1)
    others = [begin() for _ in range(3)]
    await turns()
    source.answer(0)
    await source.until(2)
    error = RuntimeError("no")
    source.fail(1, error)
    assert await asyncio.gather(*others, return_exceptions=True) == [error] * 3
    assert (await first).result == 0
    again = begin()
    await source.until(3)
    source.answer(2)
    assert await results(again) == [2]


async def test_error_that_nobody_shares_is_raised_once(source: Source, begin: Begin) -> None:
    """And nothing complains that it was not looked at."""
    task = begin()
    await source.until(1)
    source.fail(0, RuntimeError("no"))
    with pytest.raises(RuntimeError, match="no"):
        await task


async def test_failed_read_does_not_fail_who_waits_for_the_next(source: Source, begin: Begin) -> None:
    """It was not theirs."""
    first = begin()
    await source.until(1)
    second = begin()
    await turns()
    source.fail(0, RuntimeError("no"))
    await source.until(2)
    source.answer(1)
    assert await results(second) == [1]
    with pytest.raises(RuntimeError):
        await first


async def test_cancelled_reader_leaves_the_reading_to_another(source: Source, begin: Begin) -> None:
    """While it reads."""
    first = begin()
    await source.until(1)
    second, third = begin(), begin()
    await turns()
    source.answer(0)
    await source.until(2)
    second.cancel()
    await source.until(3)
    source.answer(2)
    assert await results(first, third) == [0, 2]
    assert second.cancelled()


async def test_cancelled_waiter_leaves_the_reading_to_another(source: Source, begin: Begin) -> None:
    """Before its turn to read has come."""
    first = begin()
    await source.until(1)
    second, third = begin(), begin()
    await turns()
    second.cancel()
    await turns()
    assert source.calls == 1
    source.answer(0)
    await source.until(2)
    source.answer(1)
    assert await results(first, third) == [0, 1]
    assert second.cancelled()


async def test_cancelled_guest_takes_nothing_from_the_others(source: Source, begin: Begin) -> None:
    """Who only waits for another's read may leave."""
    first = begin()
    await source.until(1)
    tasks = [begin() for _ in range(4)]
    await turns()
    tasks[2].cancel()
    source.answer(0)
    await source.until(2)
    tasks[3].cancel()
    source.answer(1)
    assert await results(first, *tasks[:2]) == [0, 1, 1]
    assert [task.cancelled() for task in tasks[2:]] == [True, True]


async def test_all_cancelled_leaves_nothing_behind(source: Source, begin: Begin) -> None:
    """Who comes later is not held up."""
    tasks = [begin() for _ in range(5)]
    await source.until(1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    calls = source.calls
    task = begin()
    await source.until(calls + 1)
    source.answer(calls)
    assert await results(task) == [calls]
