"""When to try again: the policy (its backoff is tenacity's), the budget over all calls, and the loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import attrs
import tenacity

from scarf_async.checks import at_least, validator, whole
from scarf_async.clock import Clock

__all__ = ["BUDGET_NOTE", "Course", "RetryBudget", "RetryPolicy", "persist"]

O = TypeVar("O")  # noqa: E741 # an outcome

_NO_RETRYING: Final = tenacity.AsyncRetrying()
"""What tenacity wants to know of its caller."""
_LARGEST_POWER: Final = 64
_MINUTE: Final = 60
_FREE_RETRIES: Final = 100
BUDGET_NOTE: Final = (
    "not tried again: the client has used up its retries of the last minute (100, or half as many as it made calls)"
)
_number: Final = validator(at_least, "RetryPolicy: ")
_whole: Final = validator(whole, "RetryPolicy: ")


@attrs.frozen
class RetryPolicy:
    """How a call is tried again: full-jitter exponential backoff, within limits.

    >>> RetryPolicy(attempts=1)  # resending off
    RetryPolicy(attempts=1, initial_delay=0.5, max_delay=30.0, max_elapsed=300.0, settle=2.0)

    Attributes:
        attempts: how often a request is sent at the most, the first time included.
        initial_delay: seconds; the first wait is drawn from 0 to this, each further one from twice as much.
        max_delay: seconds that the backoff grows to at the most; what a server asks for is waited in full.
        max_elapsed: seconds from the first send after which nothing is sent again.
        settle: seconds between the two looks after which a create is believed not to have happened.

    Raises:
        ConfigurationError: a value is out of range.
    """

    attempts: int = attrs.field(default=8, validator=_whole)
    initial_delay: float = attrs.field(default=0.5, validator=_number)
    max_delay: float = attrs.field(default=30.0, validator=_number)
    max_elapsed: float = attrs.field(default=300.0, validator=_number)
    settle: float = attrs.field(default=2.0, validator=_number)

    def backoff(self, attempt: int) -> float:
        """Draw the seconds to wait after the `attempt`-th attempt (from 1)."""
        state = tenacity.RetryCallState(_NO_RETRYING, None, (), {})
        # Beyond that the cap has long been reached, and powers would cost time.
        state.attempt_number = min(attempt, _LARGEST_POWER)
        return tenacity.wait_random_exponential(self.initial_delay, self.max_delay)(state)


class RetryBudget:
    """A bound on retries over all calls of a client, so that an outage is not answered with a storm.

    In any minute at most 100 retries, or half as many as there were first attempts, whichever is more.
    Time is counted in whole seconds, in 61 of which every minute lies.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._firsts = [0] * (_MINUTE + 1)
        self._retries = [0] * (_MINUTE + 1)
        self._second = 0

    def _advance(self) -> int:
        second = int(self._clock.monotonic())
        if second == self._second:
            return second % (_MINUTE + 1)
        for passed in range(max(self._second + 1, second - _MINUTE), second + 1):
            self._firsts[passed % (_MINUTE + 1)] = 0
            self._retries[passed % (_MINUTE + 1)] = 0
        self._second = second
        return second % (_MINUTE + 1)

    def first(self) -> None:
        """Count a first attempt."""
        self._firsts[self._advance()] += 1

    def take(self) -> bool:
        """Take one retry out of the budget; False where none is left."""
        now = self._advance()
        # The oldest second may lie outside of the minute: its retries count, its first attempts do not.
        firsts = sum(self._firsts) - self._firsts[(now + 1) % (_MINUTE + 1)]
        if sum(self._retries) >= max(_FREE_RETRIES, firsts // 2):
            return False
        self._retries[now] += 1
        return True


@attrs.define
class Course:
    """How one call goes: what its attempts share.

    Attributes:
        clock: the client's.
        started: when it was first sent, by the clock.
        sends: how often it was sent.
        ambiguous: whether some attempt may have taken effect without saying so.
        budget_spent: whether it ended because the budget was.
    """

    clock: Clock
    started: float | None = None
    sends: int = 0
    ambiguous: bool = False
    budget_spent: bool = False
    _counted_from: float | None = None

    def sending(self) -> None:
        """Count one send."""
        self.sends += 1
        now = self.clock.monotonic()
        if self.started is None:
            self.started = now
        if self._counted_from is None:
            self._counted_from = now

    def spare(self) -> None:
        """Begin `max_elapsed` again with the next send: what happened so far was not the call's fault."""
        self._counted_from = None

    def left(self, policy: RetryPolicy) -> float:
        """Return the seconds left of `policy.max_elapsed`."""
        elapsed = 0.0 if self._counted_from is None else self.clock.monotonic() - self._counted_from
        return policy.max_elapsed - elapsed


async def persist(
    attempt: Callable[[], Awaitable[O]],
    least_wait: Callable[[O], float | None],
    *,
    policy: RetryPolicy,
    budget: RetryBudget | None,
    course: Course,
    first: O | None = None,
    sleep: Callable[[float], Awaitable[None]],
    reserve: Callable[[O], float] = lambda _: 0.0,
    spare: Callable[[O], bool] = lambda _: False,
    on_retry: Callable[[O, int, float], None] | None = None,
) -> O:
    """Make attempts until one ends well, or may not be followed by another; return the last outcome.

    Outcomes are values: an exception, a cancellation above all, passes through at once.

    Args:
        attempt: makes one attempt.
        least_wait: the seconds to wait at least before another attempt; None where the outcome is final.
        policy: the limits.
        budget: the client's retries; None where something else bounds them.
        course: what the call's attempts share.
        first: the outcome of an attempt that was made already.
        sleep: how to wait.
        reserve: seconds that another attempt needs before it may send.
        spare: tells of an outcome whether it costs no attempt and needs no wait.
        on_retry: told of the outcome, the number of the attempt that ended with it, and the wait.
    """
    outcome = await attempt() if first is None else first
    attempts = 1
    while (least := least_wait(outcome)) is not None:
        if spare(outcome):
            delay, counted = 0.0, attempts
        else:
            counted = attempts + 1
            # Jitter is added to what was asked for, as far as there is time for it.
            left = course.left(policy) - reserve(outcome)
            delay = least + min(policy.backoff(attempts), max(0.0, left - least))
            if attempts >= policy.attempts or delay > left:
                return outcome
            if budget is not None and not budget.take():
                course.budget_spent = True
                return outcome
        if on_retry is not None:
            on_retry(outcome, attempts, delay)
        await sleep(delay)
        attempts = counted
        outcome = await attempt()
    return outcome
