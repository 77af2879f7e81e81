"""Retries: the policy (with tenacity's backoff), the budget over all calls, and the loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import attrs
import msgspec
import tenacity

from scarf_async.checks import at_least, validator, whole
from scarf_async.clock import Clock

__all__ = ["BUDGET_NOTE", "Course", "RetryBudget", "RetryPolicy", "persist"]

O = TypeVar("O")  # noqa: E741 # an outcome

_NO_RETRYING: Final = tenacity.AsyncRetrying()
"""The caller that tenacity's state object requires."""
_LARGEST_POWER: Final = 64
_MINUTE: Final = 60
_FREE_RETRIES: Final = 100
BUDGET_NOTE: Final = (
    "not retried: the client has used up its retries of the last minute (100, or half as many as it made calls)"
)
_number: Final = validator(at_least, "RetryPolicy: ")
_whole: Final = validator(whole, "RetryPolicy: ")


@attrs.frozen
class RetryPolicy:
    """How to retry a call: exponential backoff with full jitter, within limits.

    >>> RetryPolicy(attempts=1)  # no retries
    RetryPolicy(attempts=1, initial_delay=0.5, max_delay=30.0, max_elapsed=300.0, settle=2.0)

    Attributes:
        attempts: the maximum number of attempts, including the first.
        initial_delay: seconds; the first wait is drawn from 0 to this, and the range doubles for each further wait.
        max_delay: the maximum backoff in seconds. If the server asks for a longer wait, that is waited in full.
        max_elapsed: seconds since the first attempt after which nothing is sent again.
        settle: seconds between two lookups; if both find nothing, a create has not taken effect.

    Raises:
        ConfigurationError: a value is out of range.
    """

    attempts: int = attrs.field(default=8, validator=_whole)
    initial_delay: float = attrs.field(default=0.5, validator=_number)
    max_delay: float = attrs.field(default=30.0, validator=_number)
    max_elapsed: float = attrs.field(default=300.0, validator=_number)
    settle: float = attrs.field(default=2.0, validator=_number)

    def backoff(self, attempt: int) -> float:
        """Return a random delay in seconds after an attempt: exponential backoff with full jitter.

        Args:
            attempt: the number of the attempt that failed, from 1.
        """
        state = tenacity.RetryCallState(_NO_RETRYING, None, (), {})
        # The cap is reached long before, and larger powers would cost time.
        state.attempt_number = min(attempt, _LARGEST_POWER)
        return tenacity.wait_random_exponential(self.initial_delay, self.max_delay)(state)


class RetryBudget:
    """A limit on the retries of all calls of a client, so that an outage does not cause a retry storm.

    Any minute has at most 100 retries, or half as many as first attempts, whichever is more. Time is counted in
    whole seconds; 61 of them cover any minute.
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
        """Take one retry from the budget; return False if none is left."""
        now = self._advance()
        # The oldest second may lie outside the minute: count its retries, but not its first attempts.
        firsts = sum(self._firsts) - self._firsts[(now + 1) % (_MINUTE + 1)]
        if sum(self._retries) >= max(_FREE_RETRIES, firsts // 2):
            return False
        self._retries[now] += 1
        return True


class Course(msgspec.Struct):
    """The state of one call that its attempts share.

    Attributes:
        clock: the clock of the client.
        started: when it was first sent, by the clock.
        sends: how often it was sent.
        ambiguous: whether an attempt without a response may have taken effect.
        budget_spent: whether it ended because the retry budget was used up.
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
        """Restart `max_elapsed` with the next send: the time so far does not count for this call."""
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
    """Make attempts until one succeeds or no other is allowed; return the last outcome.

    Outcomes are values. Exceptions, such as a cancellation, propagate at once.

    Args:
        attempt: makes one attempt.
        least_wait: returns the minimum seconds before another attempt; None if the outcome is final.
        policy: the limits.
        budget: the retry budget of the client; None if something else limits retries.
        course: the state that the attempts share.
        first: the outcome of an attempt that has already been made.
        sleep: how to wait.
        reserve: seconds that another attempt needs before it may send.
        spare: returns whether an outcome costs no attempt and needs no wait.
        on_retry: called with the outcome, the number of its attempt, and the wait.
    """
    outcome = await attempt() if first is None else first
    attempts = 1
    while (least := least_wait(outcome)) is not None:
        if spare(outcome):
            delay, counted = 0.0, attempts
        else:
            counted = attempts + 1
            # Add jitter to the wait that the server asked for, as far as time allows.
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
