"""The pace of a run, by a clock that does not wait: what refusals do to it, and what brings it back."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from scarf_async.sending.pacing import AdaptivePacer, StoppedError

from . import virtual

Check = Callable[[], Coroutine[Any, Any, None]]


def in_virtual_time(check: Check) -> Callable[[], None]:
    """Make a test of a coroutine function, run by a clock that does not wait."""

    def test() -> None:
        virtual.run(check())

    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return test


async def passes(pacer: AdaptivePacer, count: int) -> list[float]:
    """Let requests pass side by side; return when each did, from now on."""
    start, seen = virtual.CLOCK.monotonic(), list[float]()

    async def one() -> None:
        await pacer.turn(looking=False)
        seen.append(virtual.CLOCK.monotonic() - start)

    await asyncio.gather(*(one() for _ in range(count)))
    return seen


async def paced(successes: int = 400, seconds: float = 1.0, patience: float = 600.0) -> AdaptivePacer:
    """A pacer that was refused after so many successes in so many seconds, when its pause is over."""
    pacer = AdaptivePacer(patience, virtual.CLOCK)
    ticket = await pacer.turn(looking=False)
    await asyncio.sleep(seconds)
    for _ in range(successes):
        pacer.succeeded()
    pacer.refused(ticket, None)
    await asyncio.sleep(0.1)
    return pacer


async def down(asked: float | None = None) -> AdaptivePacer:
    """A pacer of a service that has answered nothing but refusals."""
    pacer = AdaptivePacer(600.0, virtual.CLOCK)
    ticket = await pacer.turn(looking=False)
    for _ in range(3):
        pacer.refused(ticket, asked)
    return pacer


# Without a refusal


@in_virtual_time
async def test_nothing_waits_before_the_first_refusal() -> None:
    """There is no slow start and no limit."""
    pacer = AdaptivePacer(600.0, virtual.CLOCK)
    assert await passes(pacer, 1000) == [0.0] * 1000
    assert pacer.rate is None
    assert pacer.refusals == 0


@in_virtual_time
async def test_lost_answers_are_no_refusals() -> None:
    """A connection that broke in the middle says nothing of the pace."""
    pacer = AdaptivePacer(600.0, virtual.CLOCK)
    for _ in range(10):
        await pacer.turn(looking=False)
        pacer.undecided()
    assert await passes(pacer, 100) == [0.0] * 100


# The first refusal


@in_virtual_time
async def test_first_refusal_gives_a_pace() -> None:
    """Requests a second, somewhat less than what the service took so far."""
    pacer = await paced(400, 1.0)
    assert pacer.rate == pytest.approx(340, rel=0.05)
    seen = await passes(pacer, 100)
    assert seen[-1] == pytest.approx(99 / 345, rel=0.1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(seen)]
    assert max(gaps) < 0.02


@in_virtual_time
async def test_first_refusal_pauses_for_what_the_service_asks() -> None:
    """Nobody passes before, neither those who wait already nor those who come."""
    pacer = AdaptivePacer(600.0, virtual.CLOCK)
    ticket = await pacer.turn(looking=False)
    pacer.succeeded()
    pacer.refused(ticket, 5.0)
    seen = await passes(pacer, 3)
    assert min(seen) >= 5.0
    assert max(seen) < 5.2


@in_virtual_time
async def test_longest_pause_asked_for_counts() -> None:
    """A shorter one does not shorten it."""
    pacer = AdaptivePacer(600.0, virtual.CLOCK)
    ticket = await pacer.turn(looking=False)
    pacer.succeeded()
    pacer.refused(ticket, 5.0)
    pacer.refused(ticket, 1.0)
    assert min(await passes(pacer, 1)) >= 5.0


@in_virtual_time
async def test_who_waits_already_is_held_by_a_new_pause() -> None:
    """A pause that comes while a request waits for its turn holds that request too."""
    pacer = await paced(1, 1.0)
    ticket = await pacer.turn(looking=False)
    waiting = asyncio.create_task(passes(pacer, 1))
    await asyncio.sleep(0)
    pacer.succeeded()
    pacer.refused(ticket, 7.0)
    assert (await waiting)[0] >= 7.0


# Rounds


@in_virtual_time
async def test_refusals_of_one_round_count_once() -> None:
    """All that was let pass before the pace fell tells the same thing."""
    pacer = AdaptivePacer(600.0, virtual.CLOCK)
    tickets = [await pacer.turn(looking=False) for _ in range(64)]
    await asyncio.sleep(0.1)
    for _ in range(20):
        pacer.succeeded()
    for ticket in tickets[20:]:
        pacer.refused(ticket, None)
    assert pacer.refusals == 44
    await asyncio.sleep(0.1)
    assert pacer.rate == pytest.approx(170, rel=0.01)


@in_virtual_time
async def test_each_further_round_lowers_the_pace_by_a_factor() -> None:
    """But never below one request a second."""
    pacer, rates = await paced(400, 1.0), list[float]()
    for _ in range(20):
        ticket = await pacer.turn(looking=False)
        pacer.succeeded()
        before = pacer.rate
        pacer.refused(ticket, 0.0)
        assert before is not None
        assert pacer.rate is not None
        assert pacer.rate == max(1.0, pacer.rate)
        assert 0.45 * before < pacer.rate <= max(1.0, 0.86 * before)
        rates.append(pacer.rate)
    assert rates[-1] < 10


@in_virtual_time
async def test_failures_now_and_then_do_not_lower_the_pace() -> None:
    """Once there is a pace, less than a tenth of refusals is not a sign of too much."""
    pacer = await paced(400, 1.0)
    before = pacer.rate
    for _ in range(20):
        tickets = [await pacer.turn(looking=False) for _ in range(20)]
        for _ in tickets[1:]:
            pacer.succeeded()
        pacer.refused(tickets[0], None)
    assert pacer.rate is not None
    assert before is not None
    assert pacer.rate >= before


@in_virtual_time
async def test_pace_grows_back_by_so_much_a_second() -> None:
    """Additively: as much in the tenth second as in the first."""
    pacer = await paced(400, 1.0)
    rates = list[float]()
    for _ in range(11):
        assert pacer.rate is not None
        rates.append(pacer.rate)
        await asyncio.sleep(1.0)
    steps = [later - earlier for earlier, later in itertools.pairwise(rates)]
    assert steps == pytest.approx([34.0] * 10, rel=0.01)


@in_virtual_time
async def test_pace_that_was_found_out_is_kept_for_a_while() -> None:
    """After a round of some seconds it grows again only after as many, at most five."""
    for seconds, kept in ((2.0, 2.0), (60.0, 5.0)):
        pacer = await paced(400, 1.0)
        ticket = await pacer.turn(looking=False)
        await asyncio.sleep(seconds)
        pacer.succeeded()
        for _ in range(2):
            pacer.refused(ticket, None)
        lowest = pacer.rate
        assert lowest is not None
        await asyncio.sleep(kept)
        assert pacer.rate == lowest
        await asyncio.sleep(1.0)
        assert pacer.rate is not None
        assert pacer.rate >= lowest + 9.0


@in_virtual_time
async def test_pace_that_has_grown_too_high_falls_at_once() -> None:
    """After many requests without a refusal four in a row are enough, but not four among many."""
    for successes, falls in ((0, True), (19, False)):
        pacer = await paced(400, 1.0)
        ticket = await pacer.turn(looking=False)
        for _ in range(200):
            pacer.succeeded()
        before = pacer.rate
        assert before is not None
        for _ in range(4):
            assert pacer.rate == before
            pacer.refused(ticket, None)
            for _ in range(successes):
                pacer.succeeded()
        assert pacer.rate is not None
        assert (pacer.rate < before) is falls


# When the service is down


@in_virtual_time
async def test_one_request_at_a_time_asks_whether_it_is_back() -> None:
    """The others wait for what becomes of that one, in the order in which they came."""
    pacer = await down()
    order, asking = list[int](), asyncio.Event()

    async def one(number: int) -> None:
        await pacer.turn(looking=False)
        order.append(number)
        asking.set()

    tasks = [asyncio.create_task(one(number)) for number in range(5)]
    await asking.wait()
    await asyncio.sleep(30.0)
    assert order == [0]
    pacer.succeeded()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]


@in_virtual_time
async def test_pauses_between_questions_grow_to_a_limit() -> None:
    """So an hour of silence costs few requests, and the end of it is seen within seconds."""
    pacer = await down()
    moments = list[float]()
    for _ in range(12):
        ticket = await pacer.turn(looking=False)
        moments.append(virtual.CLOCK.monotonic())
        pacer.refused(ticket, None)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert gaps == sorted(gaps)
    assert gaps[0] < 0.5
    assert gaps[-1] == pytest.approx(2.0)


@in_virtual_time
async def test_pace_of_before_is_kept_for_when_it_is_back() -> None:
    """An outage says nothing of how much the service takes."""
    pacer = await paced(400, 1.0)
    before = pacer.rate
    ticket = await pacer.turn(looking=False)
    for _ in range(3):
        pacer.refused(ticket, None)
    for _ in range(30):
        pacer.refused(await pacer.turn(looking=False), None)
    await pacer.turn(looking=False)
    pacer.succeeded()
    assert before is not None
    assert pacer.rate is None or pacer.rate >= before


@in_virtual_time
async def test_outage_before_the_first_success_leaves_no_limit() -> None:
    """When it is back there is none, as before the first refusal."""
    pacer = await down()
    await pacer.turn(looking=False)
    pacer.succeeded()
    assert pacer.rate is None
    assert await passes(pacer, 50) == [0.0] * 50


@in_virtual_time
async def test_late_refusals_start_no_second_question() -> None:
    """What was sent before it was down and is refused now does not set a second request asking."""
    pacer = AdaptivePacer(600.0, virtual.CLOCK)
    tickets = [await pacer.turn(looking=False) for _ in range(10)]
    for ticket in tickets[:3]:
        pacer.refused(ticket, None)
    await pacer.turn(looking=False)
    other = asyncio.create_task(pacer.turn(looking=False))
    for ticket in tickets[3:]:
        pacer.refused(ticket, None)
    await asyncio.sleep(10.0)
    assert not other.done()
    pacer.succeeded()
    await other


@in_virtual_time
async def test_cancelled_question_is_asked_by_the_next() -> None:
    """Who was cancelled while it was asking holds up nobody."""
    pacer = await down()
    await pacer.turn(looking=False)
    other = asyncio.create_task(pacer.turn(looking=False))
    await asyncio.sleep(1.0)
    assert not other.done()
    pacer.undecided()
    await other


@in_virtual_time
async def test_who_is_cancelled_while_waiting_leaves_the_queue() -> None:
    """The next in line has its turn."""
    pacer = await paced(1, 1.0)
    order = list[int]()

    async def one(number: int) -> None:
        await pacer.turn(looking=False)
        order.append(number)

    tasks = [asyncio.create_task(one(number)) for number in range(6)]
    await asyncio.sleep(0)
    for task in tasks[1:4]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 4, 5]


@in_virtual_time
async def test_first_come_first_served() -> None:
    """Whatever the pace."""
    pacer, order = await paced(1, 1.0), list[int]()

    async def one(number: int) -> None:
        await pacer.turn(looking=False)
        order.append(number)

    await asyncio.gather(*(one(number) for number in range(50)))
    assert order == list(range(50))


# How it ends


@in_virtual_time
async def test_stop_wakes_who_waits() -> None:
    """Long before its turn; and nothing passes any more, but looks that need not wait."""
    pacer = AdaptivePacer(600.0, virtual.CLOCK)
    ticket = await pacer.turn(looking=False)
    pacer.succeeded()
    pacer.refused(ticket, 500.0)
    waiting = [asyncio.create_task(pacer.turn(looking=looking)) for looking in (False, True, False)]
    await asyncio.sleep(1.0)
    pacer.stop("enough")
    began = virtual.CLOCK.monotonic()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert virtual.CLOCK.monotonic() - began <= 0.5
    assert [str(result) for result in results] == ["not sent: enough"] * 3
    with pytest.raises(StoppedError):
        await pacer.turn(looking=False)


@in_virtual_time
async def test_looks_pass_after_a_stop() -> None:
    """What is in progress may find out the outcome of it."""
    pacer = AdaptivePacer(600.0, virtual.CLOCK)
    pacer.stop("enough")
    await pacer.turn(looking=True)
    with pytest.raises(StoppedError, match="enough"):
        await pacer.turn(looking=False)


@in_virtual_time
async def test_first_reason_to_stop_stands() -> None:
    """What follows from it is not a reason."""
    pacer = AdaptivePacer(600.0, virtual.CLOCK)
    pacer.stop("one")
    pacer.stop("two")
    assert pacer.stopped_by == "one"


@in_virtual_time
async def test_patience_ends() -> None:
    """Nothing succeeded for so long: it stops, and says so."""
    pacer = AdaptivePacer(60.0, virtual.CLOCK)
    began = virtual.CLOCK.monotonic()
    while pacer.stopped_by is None:
        pacer.refused(await pacer.turn(looking=False), None)
    assert 60.0 < virtual.CLOCK.monotonic() - began < 63.0
    assert pacer.stopped_by == "nothing succeeded for 60 s"
    assert pacer.resume_after is None
    with pytest.raises(StoppedError, match="60 s"):
        await pacer.turn(looking=False)


@in_virtual_time
async def test_one_success_renews_the_patience() -> None:
    """It is the time since the last one."""
    pacer = AdaptivePacer(60.0, virtual.CLOCK)
    for _ in range(10):
        await asyncio.sleep(50.0)
        ticket = await pacer.turn(looking=False)
        pacer.refused(ticket, None)
        await pacer.turn(looking=False)
        pacer.succeeded()
    assert pacer.stopped_by is None


@in_virtual_time
async def test_longer_wait_than_patience_stops_at_once() -> None:
    """And the report can say when to come again."""
    pacer = AdaptivePacer(60.0, virtual.CLOCK)
    pacer.refused(await pacer.turn(looking=False), 61.0)
    assert pacer.resume_after == 61.0
    assert pacer.stopped_by is not None
    assert "61 s" in pacer.stopped_by
    with pytest.raises(StoppedError):
        await pacer.turn(looking=False)


@in_virtual_time
async def test_wait_as_long_as_patience_is_waited() -> None:
    """To the second."""
    pacer = AdaptivePacer(60.0, virtual.CLOCK)
    pacer.refused(await pacer.turn(looking=False), 60.0)
    assert pacer.stopped_by is None
    assert min(await passes(pacer, 1)) == pytest.approx(60.0, abs=0.1)


@in_virtual_time
async def test_spent_budget_is_waited_for() -> None:
    """Until there is a retry left again, or the run is stopped."""
    pacer = AdaptivePacer(600.0, virtual.CLOCK)
    answers = deque([False] * 50)
    began = virtual.CLOCK.monotonic()
    await pacer.afford(lambda: not answers or answers.popleft())
    assert virtual.CLOCK.monotonic() - began == pytest.approx(10.0)
    waiting = asyncio.create_task(pacer.afford(lambda: False))
    await asyncio.sleep(1.0)
    pacer.stop("enough")
    with pytest.raises(StoppedError):
        await waiting


def test_virtual_time_sees_when_nothing_will_happen() -> None:
    """A test that would hang fails."""

    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing will ever happen"):
        virtual.run(hang())
