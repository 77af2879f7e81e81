"""Windows: exactly the range, none too long."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scarf_async.exports.jobs.windows import Window, cut, cut_gaps, gaps

DAY = dt.date(2024, 1, 1)


def window(first: int, days: int) -> Window:
    """Return a window by numbers of days."""
    return Window(DAY + dt.timedelta(first), DAY + dt.timedelta(first + days))


def days_of(*windows: Window) -> list[dt.date]:
    """Return the days of windows, in their order."""
    return [some.start + dt.timedelta(number) for some in windows for number in range(some.days)]


RANGES = st.builds(window, st.integers(0, 50), st.integers(1, 400))
LENGTHS = st.integers(1, 60)


@st.composite
def partly_done(draw: st.DrawFn) -> tuple[Window, list[Window]]:
    """A range and windows in it that do not overlap, in any order."""
    whole = draw(RANGES)
    borders = sorted(draw(st.sets(st.integers(0, whole.days), max_size=12)))
    first = (whole.start - DAY).days
    parts = [window(first + a, b - a) for a, b in pairwise(borders)]
    kept = draw(st.lists(st.booleans(), min_size=len(parts), max_size=len(parts)))
    return whole, draw(st.permutations([part for part, keep in zip(parts, kept, strict=True) if keep]))


@given(RANGES, LENGTHS)
def test_cutting_covers_the_range(whole: Window, days: int) -> None:
    """Every day once, in order; no window is longer than asked for, and only the last one is shorter."""
    parts = list(cut(whole, days))
    assert days_of(*parts) == days_of(whole)
    assert all(part.days == days for part in parts[:-1])
    assert parts[-1].days <= days


@given(RANGES)
def test_halving_ends_at_single_days(whole: Window) -> None:
    """Halves cover what they come from, and one day is reached in a few steps."""
    parts, steps = [whole], 0
    while parts[0].days > 1:
        parts = [half for part in parts for half in (cut(part, (part.days + 1) // 2) if part.days > 1 else [part])]
        assert days_of(*parts) == days_of(whole)
        steps += 1
    assert steps <= 9


@given(partly_done())
def test_gaps_are_what_is_not_done(case: tuple[Window, list[Window]]) -> None:
    """Together with what is done they are the range, without overlaps, and none touches another."""
    whole, done = case
    found = list(gaps(whole, done))
    assert sorted(days_of(*found, *done)) == days_of(whole)
    assert all(a.end < b.start for a, b in pairwise(found))


@given(partly_done(), LENGTHS)
def test_what_is_to_fetch_covers_the_gaps(case: tuple[Window, list[Window]], days: int) -> None:
    """Whatever is done: all of the rest, each gap from its own first day on in windows of the wanted length."""
    whole, done = case
    found = list(cut_gaps(whole, done, days))
    assert sorted(days_of(*found, *done)) == days_of(whole)
    starts = [gap.start for gap in gaps(whole, done)]
    ends = [gap.end for gap in gaps(whole, done)]
    for some in found:
        assert some.days == days or some.end in ends
        assert some.start in starts or any(some.start == other.end for other in found)


def test_the_last_day_of_all_is_no_obstacle() -> None:
    """A range may end at the last day that a date can have."""
    whole = Window(dt.date(9999, 12, 1), dt.date.max)
    assert days_of(*cut(whole, 31)) == days_of(whole)
