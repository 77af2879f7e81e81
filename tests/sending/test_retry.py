"""Trying again: the policy's limits, the budget over all calls, and the loop that keeps both."""

from __future__ import annotations

import asyncio
import math
import pickle
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.clock import Clock
from scarf_async.errors import ConfigurationError
from scarf_async.sending.retry import Course, RetryBudget, RetryPolicy, persist


def test_the_defaults() -> None:
    """The policy that a client has when none is given."""
    policy = RetryPolicy()
    assert attrs.asdict(policy) == {
        "attempts": 8,
        "initial_delay": 0.5,
        "max_delay": 30.0,
        "max_elapsed": 300.0,
        "settle": 2.0,
    }


def test_a_policy_is_a_value() -> None:
    """It is frozen, compares and hashes by content, and pickles."""
    policy = RetryPolicy(attempts=3)
    assert policy == RetryPolicy(attempts=3)
    assert len({policy, RetryPolicy(attempts=3), RetryPolicy()}) == 2
    assert pickle.loads(pickle.dumps(policy)) == policy  # noqa: S301 # our own bytes
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        policy.attempts = 4  # type: ignore[misc] # what the types forbid


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("attempts", value) for value in (0, -1, 1.0, 2.5, "3", None, True, math.inf)),
        *(
            (field, value)
            for field in ("initial_delay", "max_delay", "max_elapsed", "settle")
            for value in (-0.1, -1, math.inf, -math.inf, math.nan, "1", None, True)
        ),
    ],
)
def test_what_a_policy_cannot_be(field: str, value: object) -> None:
    """A value out of range, or of another type, is refused by the constructor, which names it."""
    make: Callable[..., RetryPolicy] = RetryPolicy
    with pytest.raises(ConfigurationError, match=field):
        make(**{field: value})


@pytest.mark.parametrize(
    "policy",
    [
        RetryPolicy(attempts=1),
        RetryPolicy(attempts=10**6),
        RetryPolicy(initial_delay=0, max_delay=0, max_elapsed=0, settle=0),
        RetryPolicy(initial_delay=5, max_delay=1),
    ],
)
def test_what_a_policy_can_be(policy: RetryPolicy) -> None:
    """Zero is a wait, one attempt is resending off, whole numbers are numbers."""
    assert policy.backoff(1) <= policy.max_delay


@given(
    initial=st.floats(0, 100),
    longest=st.floats(0, 1000),
    attempt=st.one_of(st.integers(1, 100), st.just(10**9)),
)
def test_the_bounds_of_the_jitter(initial: float, longest: float, attempt: int) -> None:
    """A wait lies between nothing and the doubled delay, and never beyond the longest."""
    policy = RetryPolicy(initial_delay=initial, max_delay=longest)
    wait = policy.backoff(attempt)
    assert 0 <= wait <= longest
    assert wait <= initial * 2.0 ** min(attempt - 1, 64)


def test_the_jitter_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is drawn from zero to a ceiling that doubles until it reaches the longest delay."""
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return high

    monkeypatch.setattr(random, "uniform", uniform)
    policy = RetryPolicy(initial_delay=0.5, max_delay=30)
    assert [policy.backoff(attempt) for attempt in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert {low for low, _ in drawn} == {0}


class Time(Clock):
    """A clock that only its own sleeps move."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    """Such a clock for the retries."""
    return Time()


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the longest wait each time."""
    monkeypatch.setattr(random, "uniform", lambda _, high: high)


@attrs.define
class Call:
    """A call whose attempts end with the given waits: None for a final outcome."""

    time: Time
    waits: Sequence[float | None]
    policy: RetryPolicy = attrs.field(factory=RetryPolicy)
    budget: RetryBudget = attrs.Factory(lambda call: RetryBudget(call.time), takes_self=True)
    course: Course = attrs.Factory(lambda call: Course(call.time), takes_self=True)
    reserve: float = 0.0
    takes: float = 0.0
    retries: list[tuple[int, int, float]] = attrs.field(factory=list)

    async def make(self) -> int:
        """Make the call; return the number of the attempt whose outcome it ended with."""

        async def attempt() -> int:
            self.course.sending()
            self.time.now += self.takes
            return self.course.sends

        return await persist(
            attempt,
            lambda number: self.waits[min(number, len(self.waits)) - 1],
            policy=self.policy,
            budget=self.budget,
            course=self.course,
            sleep=self.time.sleep,
            reserve=lambda _: self.reserve,
            on_retry=lambda *retry: self.retries.append(retry),
        )


async def test_a_final_outcome_ends_the_call(time: Time) -> None:
    """What needs no second attempt gets none, and waits for nothing."""
    call = Call(time, [None])
    assert await call.make() == 1
    assert (time.slept, call.retries) == ([], [])


@pytest.mark.parametrize("failures", [1, 2, 5, 7])
async def test_it_tries_until_it_succeeds(time: Time, failures: int) -> None:
    """Failures that may be repeated are, until an outcome is final."""
    call = Call(time, [*[0.0] * failures, None])
    assert await call.make() == failures + 1
    assert len(time.slept) == failures


@pytest.mark.parametrize("attempts", [1, 2, 3, 8])
async def test_it_gives_up_after_so_many_attempts(time: Time, attempts: int) -> None:
    """The last outcome is returned when all attempts are made; one attempt means none is repeated."""
    call = Call(time, [0.0], RetryPolicy(attempts=attempts))
    assert await call.make() == attempts
    assert len(time.slept) == attempts - 1


@pytest.mark.usefixtures("no_jitter")
async def test_the_backoff_grows(time: Time) -> None:
    """Each wait has twice the ceiling of the one before it."""
    await Call(time, [0.0], RetryPolicy(attempts=9, max_delay=30)).make()
    assert time.slept == [0.5, 1, 2, 4, 8, 16, 30, 30]


@given(asked=st.floats(0, 200), attempts=st.integers(2, 5))
def test_what_was_asked_for_is_the_least_wait(asked: float, attempts: int) -> None:
    """Jitter is added to the wait that was asked for, never subtracted."""
    time = Time()
    policy = RetryPolicy(attempts=attempts, max_elapsed=10_000)
    asyncio.run(Call(time, [asked], policy).make())
    assert len(time.slept) == attempts - 1
    assert all(asked <= wait <= asked + policy.max_delay for wait in time.slept)


@pytest.mark.usefixtures("no_jitter")
async def test_what_was_asked_for_is_waited_in_full(time: Time) -> None:
    """A wait longer than max_delay is kept, since max_delay bounds the backoff alone."""
    await Call(time, [100.0, 0.0, None], RetryPolicy(max_delay=1)).make()
    assert time.slept == [100.5, 1.0]


async def test_a_wait_beyond_the_time_limit_ends_the_call_at_once(time: Time) -> None:
    """Where the wait is longer than what is left of max_elapsed, the outcome is returned without waiting."""
    call = Call(time, [300.1, None])
    assert await call.make() == 1
    assert time.slept == []
    assert not call.course.budget_spent


@pytest.mark.usefixtures("no_jitter")
async def test_the_time_limit_runs_from_the_first_send(time: Time) -> None:
    """Attempts and waits count, and nothing is sent after the limit."""
    call = Call(time, [60.0], RetryPolicy(attempts=100, max_elapsed=300, max_delay=1, initial_delay=1), takes=30)
    assert await call.make() == 4
    assert time.slept == [61, 61, 61]


async def test_what_another_attempt_needs_counts_as_time(time: Time) -> None:
    """An attempt that could not send before the limit is not begun."""
    policy = RetryPolicy(max_elapsed=10, initial_delay=0)
    assert await Call(time, [0.0, None], policy, reserve=10.1).make() == 1
    assert await Call(time, [0.0, None], policy, reserve=9.9).make() == 2


@pytest.mark.usefixtures("no_jitter")
async def test_each_retry_is_told(time: Time) -> None:
    """The hook gets the outcome, the number of the attempt and the wait."""
    call = Call(time, [0.0, 3.0, None])
    await call.make()
    assert call.retries == [(1, 1, 0.5), (2, 2, 4.0)]


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("error", [asyncio.CancelledError, RuntimeError, KeyboardInterrupt])
async def test_exceptions_pass_at_once(time: Time, number: int, error: type[BaseException]) -> None:
    """Only outcomes are repeated: what an attempt raises goes through, as it is, without another attempt."""
    made = 0
    raised = error()

    async def attempt() -> int:
        nonlocal made
        made += 1
        if made == number:
            raise raised
        return made

    with pytest.raises(error) as caught:
        await persist(
            attempt,
            lambda _: 0.0,
            policy=RetryPolicy(),
            budget=RetryBudget(time),
            course=Course(time),
            sleep=time.sleep,
        )
    assert caught.value is raised
    assert made == number


async def test_cancelling_ends_a_wait(time: Time) -> None:
    """A cancellation during the backoff passes at once, and nothing is sent after it."""
    waiting = asyncio.Event()
    made = 0

    async def attempt() -> int:
        nonlocal made
        made += 1
        return made

    async def for_ever(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(
        persist(
            attempt,
            lambda _: 0.0,
            policy=RetryPolicy(),
            budget=RetryBudget(time),
            course=Course(time),
            sleep=for_ever,
        )
    )
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert made == 1


async def test_a_spent_budget_ends_the_call(time: Time) -> None:
    """Without a retry left the outcome is returned at once, and the course says why."""
    budget = RetryBudget(time)
    assert all(budget.take() for _ in range(100))
    call = Call(time, [0.0, None], budget=budget)
    assert await call.make() == 1
    assert call.course.budget_spent
    assert time.slept == []


async def test_what_ends_for_another_reason_takes_no_retry(time: Time) -> None:
    """A call out of attempts or of time leaves the budget alone."""
    budget = RetryBudget(time)
    await Call(time, [0.0], RetryPolicy(attempts=1), budget=budget).make()
    await Call(time, [1000.0], budget=budget).make()
    assert [budget.take() for _ in range(101)] == [True] * 100 + [False]


def taken(budget: RetryBudget, most: int = 1000) -> int:
    """Take retries until there are none."""
    count = 0
    while count < most and budget.take():
        count += 1
    return count


@pytest.mark.parametrize(
    ("firsts", "retries"), [(0, 100), (1, 100), (199, 100), (200, 100), (202, 101), (203, 101), (1000, 500)]
)
def test_the_budget_of_a_minute(time: Time, firsts: int, retries: int) -> None:
    """A hundred retries, or half as many as there were first attempts, whichever is more."""
    budget = RetryBudget(time)
    for _ in range(firsts):
        budget.first()
    assert taken(budget) == retries


def test_the_budget_comes_back(time: Time) -> None:
    """A minute and a second after they were taken, all retries are there again, and not before a minute."""
    budget = RetryBudget(time)
    assert taken(budget) == 100
    time.now += 59.9
    assert taken(budget) == 0
    time.now += 1.2
    assert taken(budget) == 100


def test_the_budget_comes_back_bit_by_bit(time: Time) -> None:
    """What was taken earlier comes back earlier."""
    budget = RetryBudget(time)
    assert taken(budget, 40) == 40
    time.now += 30
    assert taken(budget) == 60
    time.now += 31
    assert taken(budget) == 40
    time.now += 30
    assert taken(budget) == 60


def test_first_attempts_count_for_a_minute(time: Time) -> None:
    """Calls of more than a minute ago allow no retries any more."""
    budget = RetryBudget(time)
    for _ in range(1000):
        budget.first()
    time.now += 61
    assert taken(budget) == 100


def test_a_long_silence_empties_the_count(time: Time) -> None:
    """After hours nothing is left of what was before."""
    budget = RetryBudget(time)
    for _ in range(1000):
        budget.first()
    taken(budget)
    time.now += 100_000
    assert taken(budget) == 100


def in_the_minute(moments: deque[float], now: float) -> Iterator[float]:
    """Pick what lies in the minute that ends now."""
    return (moment for moment in moments if now - 60 < moment <= now)


@given(st.lists(st.tuples(st.floats(0, 70), st.integers(0, 150), st.integers(0, 150)), max_size=12))
def test_no_minute_sees_more_retries(steps: list[tuple[float, int, int]]) -> None:
    """In whatever minute: at most a hundred, or half as many as there were first attempts in it."""
    time = Time()
    firsts: deque[float] = deque()
    retries: deque[float] = deque()
    budget = RetryBudget(time)
    for pause, calls, tries in steps:
        time.now += pause
        for _ in range(calls):
            budget.first()
            firsts.append(time.now)
        retries.extend([time.now] * taken(budget, tries))
        allowed = max(100, sum(1 for _ in in_the_minute(firsts, time.now)) // 2)
        before = sum(1 for _ in in_the_minute(retries, time.now))
        assert before <= allowed or not budget.take()


def test_a_course_counts_its_sends(time: Time) -> None:
    """It begins with the first send, and knows what is left of the time from there."""
    course, policy = Course(time), RetryPolicy(max_elapsed=10)
    assert (course.sends, course.started, course.left(policy)) == (0, None, 10)
    course.sending()
    time.now += 3
    course.sending()
    assert (course.sends, course.started, course.left(policy)) == (2, 1000.0, 7)
