"""What a run is to fetch next, and what it leaves as it is. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Sequence

import attrs

from scarf_async.exports.jobs.job import V2_DAYS, ExportJob
from scarf_async.exports.jobs.manifest import Manifest, WindowEntry
from scarf_async.exports.jobs.windows import Window, cut_gaps, has_ended

__all__ = ["Plan", "asks_short", "longest", "loss", "make_plan"]

_DAY = dt.timedelta(1)


@attrs.frozen
class Plan:
    """What becomes of the windows that a run has not dealt with.

    Attributes:
        due: those to be fetched, in order; some may be fetched only after the plan was made once more.
        first: how many of these may be fetched by this plan.
        kept: those that stay as they are.
        future: those that have not begun.
    """

    due: Sequence[Window]
    first: int
    kept: Sequence[WindowEntry]
    future: Sequence[Window]


def longest(job: ExportJob) -> int:
    """Return how many days a window may have at the most.

    One of v2 may have a day more than `window_days` where that is as long as it can be: v2 takes the end in, and
    so it sends as many days for 31 that are asked for up to their last one as for 30 up to the day after.
    """
    return job.days + (job.api == "v2" and job.days == V2_DAYS)


def asks_short(job: ExportJob, window: Window, *, end_inclusive: bool) -> bool:
    """Tell whether a window is to be asked for up to its last day, and not up to the day after."""
    return job.api == "v2" and (end_inclusive or window.days > job.days)


def make_plan(  # noqa: PLR0917 # all that it depends on
    job: ExportJob,
    whole: Window,
    manifest: Manifest,
    tried: Collection[Window],
    refresh_days: int,
    now: dt.datetime,
    holds: Callable[[WindowEntry], bool],
) -> Plan:
    """Decide what is kept, what lies in the future, and what is to be fetched.

    Args:
        job: the job.
        whole: its days.
        manifest: the windows that are held, and what is known about the service.
        tried: the windows that this run has dealt with.
        refresh_days: the windows that touch so many days at the end of what has begun are fetched again.
        now: the time, by the service's clock as far as that is known.
        holds: whether a window's files are there.
    """
    today = now.date()
    recent = _recent(whole, refresh_days, today)
    due: list[Window] = []
    future: list[Window] = []
    kept: list[WindowEntry] = []
    for entry in manifest.windows:
        if entry.window in tried or not entry.window.overlaps(whole):
            continue
        if not _is_stale(entry, recent, now) and holds(entry):
            kept.append(entry)
        else:
            (due if entry.start <= today else future).append(entry.window)
    done = [*(entry.window for entry in manifest.windows), *tried]
    for window in cut_gaps(whole, done, _days_at_once(job, manifest), job.rollup):
        (due if window.start <= today else future).append(window)
    due.sort()
    if job.api == "v2" and due and not manifest.end_inclusive and not tried:
        # The first one shows how the service reads the end: the others wait for it.
        due[0] = _with_end_day(job, whole, manifest, due[0], done)
        due[1:] = [window for window in due[1:] if not window.overlaps(due[0])]
        return Plan(due, 1, kept, future)
    return Plan(due, len(due), kept, future)


def _is_stale(entry: WindowEntry, recent: Window | None, now: dt.datetime) -> bool:
    # The machine's clock may have been ahead when it was fetched, and nobody knew of the service's.
    early = entry.answered_at is None and entry.start <= now.date() and not has_ended(entry.window, now)
    return entry.provisional or early or (recent is not None and entry.window.overlaps(recent))


def loss(old: Iterable[WindowEntry], rows: int, looked_at: Window) -> str | None:
    """Say why an answer would lose rows that are there; None if it would not.

    Args:
        old: the windows that it would replace.
        rows: how many rows came.
        looked_at: the days that the service looked at.
    """
    for entry in old:
        if not entry.rows:
            continue
        if not rows:
            return f"the service sent nothing, and {entry.rows} rows are there"
        before = entry.looked_at
        if before.start < looked_at.start or looked_at.end < before.end:
            return f"the service looked at {looked_at}, and the {entry.rows} rows that are there are of {before}"
    return None


def _days_at_once(job: ExportJob, manifest: Manifest) -> int:
    most = longest(job) if manifest.end_inclusive else job.days
    return min(most, manifest.limit_days or most)


def _with_end_day(
    job: ExportJob, whole: Window, manifest: Manifest, window: Window, done: Iterable[Window]
) -> Window:
    """Add the day up to which a window would be asked for, if it is wanted too: it may come with the others."""
    most = min(longest(job), manifest.limit_days or longest(job))
    if window.days != job.days or window.days >= most or window.end >= whole.end:
        return window
    longer = Window(window.start, window.end + _DAY)
    return window if any(longer.overlaps(other) for other in done) else longer


def _recent(whole: Window, days: int, today: dt.date) -> Window | None:
    """Return the last days of a range that have begun."""
    end = min(whole.end.toordinal(), today.toordinal() + 1)
    start = max(whole.start.toordinal(), end - days)
    return Window(dt.date.fromordinal(start), dt.date.fromordinal(end)) if start < end else None
