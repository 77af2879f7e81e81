"""The days that a source covers, and how they are drawn. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Final

import attrs

__all__ = ["PERIOD", "Bucket", "Coverage", "Grain", "Held", "Span"]

PERIOD: Final = dt.timedelta(28)
"""The length in days of the period of the first sentence, and of the one before."""
_DAY: Final = dt.timedelta(1)
_MOST_DAYS: Final = 92
_MOST_DAYS_IN_WEEKS: Final = 731


@attrs.frozen(order=True)
class Span:
    """A range of days, up to the first day after it."""

    start: dt.date
    end: dt.date

    @property
    def days(self) -> int:
        """The number of days."""
        return max((self.end - self.start).days, 0)

    def common(self, other: Span) -> Span:
        """Return the common days of both."""
        return Span(max(self.start, other.start), min(self.end, other.end))

    def common_days(self, spans: Iterable[Span]) -> int:
        """Return how many of these days are in non-overlapping spans."""
        return sum(self.common(span).days for span in spans)


@attrs.frozen
class Held:
    """A window of a source.

    Attributes:
        start: the first day.
        end: the first day after it.
        provisional: whether something may be missing in it.
        asked: the day on which it was requested; days from then on are incomplete.
    """

    start: dt.date
    end: dt.date
    provisional: bool
    asked: dt.date

    @property
    def span(self) -> Span:
        """The days that had ended when they were requested."""
        return Span(self.start, min(self.end, self.asked) if self.provisional else self.end)


class Grain(StrEnum):
    """The length of the buckets of a chart."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def first(self, day: dt.date) -> dt.date:
        """Return the first day of the bucket of a day."""
        match self:
            case Grain.DAY:
                return day
            case Grain.WEEK:
                return day - dt.timedelta(day.weekday())
            case Grain.MONTH:
                return day.replace(day=1)

    def next(self, first: dt.date) -> dt.date:
        """Return the first day of the next bucket."""
        return self.first(first + {Grain.DAY: _DAY, Grain.WEEK: 7 * _DAY, Grain.MONTH: 31 * _DAY}[self])


@attrs.frozen
class Bucket:
    """A day, a week or a month of a chart.

    Attributes:
        span: its days.
        missing: the number of days that the source lacks.
        provisional: whether one of the days is provisional.
    """

    span: Span
    missing: int = 0
    provisional: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether its figures are final."""
        return not self.missing and not self.provisional

    @property
    def is_gap(self) -> bool:
        """Whether the source has none of its days."""
        return self.missing == self.span.days


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    found: list[Span] = []
    for span in sorted(span for span in spans if span.days):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)


def _without(whole: Span, spans: Sequence[Span]) -> list[Span]:
    """Return the days of a span that are not in others, which are sorted and do not overlap."""
    inside = [common for span in spans if (common := whole.common(span)).days]
    starts = [whole.start, *(span.end for span in inside)]
    ends = [*(span.start for span in inside), whole.end]
    return [span for span in map(Span, starts, ends) if span.days]


@attrs.frozen(slots=False)
class Coverage:
    """The days that a source covers.

    Attributes:
        jobs: the windows of each job in the source.
        is_known: whether the source names its days; else they are derived from its events.
    """

    jobs: tuple[tuple[Held, ...], ...] = ()
    is_known: bool = True

    @cached_property
    def by_job(self) -> tuple[tuple[Span, ...], ...]:
        """The days of each job that has any."""
        return tuple(filter(None, (_merged(held.span for held in job) for job in self.jobs)))

    @cached_property
    def whole(self) -> Span | None:
        """The span from the first day to the last one."""
        spans = [span for job in self.by_job for span in job]
        return Span(min(spans).start, max(span.end for span in spans)) if spans else None

    @cached_property
    def gaps(self) -> tuple[Span, ...]:
        """The days in this span that no job has, or that a job lacks between its own."""
        if self.whole is None:
            return ()
        everything = _merged(span for job in self.by_job for span in job)
        lacking = [gap for job in self.by_job for gap in _without(Span(job[0].start, job[-1].end), job)]
        return _merged([*_without(self.whole, everything), *lacking])

    @cached_property
    def held(self) -> tuple[Span, ...]:
        """The days that exist."""
        return () if self.whole is None else tuple(_without(self.whole, self.gaps))

    @cached_property
    def provisional(self) -> tuple[Span, ...]:
        """The days that have ended and may be incomplete."""
        return _merged(held.span for job in self.jobs for held in job if held.provisional)

    @cached_property
    def last(self) -> Span | None:
        """The last 28 days of the source, or fewer if it has fewer."""
        if self.whole is None:
            return None
        return Span(max(self.whole.start, self.whole.end - PERIOD), self.whole.end)

    @cached_property
    def before(self) -> Span | None:
        """The 28 days before the last 28."""
        return None if self.whole is None else Span(self.whole.end - 2 * PERIOD, self.whole.end - PERIOD)

    def missing_in(self, span: Span) -> tuple[Span, ...]:
        """Return the days that are missing, or that a job lacks which has others of them."""
        jobs = [job for job in self.by_job if span.common_days(job)] or [()]
        return _merged(gap for job in jobs for gap in _without(span, job))

    @cached_property
    def grain(self) -> Grain:
        """The buckets of time: days up to three months, weeks up to two years, then months."""
        days = 0 if self.whole is None else self.whole.days
        if days <= _MOST_DAYS:
            return Grain.DAY
        return Grain.WEEK if days <= _MOST_DAYS_IN_WEEKS else Grain.MONTH

    def buckets(self, grain: Grain) -> tuple[Bucket, ...]:
        """Return the buckets of a chart, without incomplete ones at either end."""
        found: list[Bucket] = []
        if self.whole is None:
            return ()
        first = grain.first(self.whole.start)
        first = first if first == self.whole.start else grain.next(first)
        while (end := grain.next(first)) <= self.whole.end:
            span = Span(first, end)
            found.append(Bucket(span, span.common_days(self.gaps), bool(span.common_days(self.provisional))))
            first = end
        return tuple(found)
