"""Decide what a run fetches next, and what it keeps. Pure."""

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
    """The plan for the windows that a run has not processed yet.

    Attributes:
        due: the windows to fetch, in order; some only after a new plan.
        first: how many of these this plan may fetch.
        kept: the windows that stay as they are.
        future: the windows that have not begun.
    """

    due: Sequence[Window]
    first: int
    kept: Sequence[WindowEntry]
    future: Sequence[Window]


def longest(job: ExportJob) -> int:
    """Return the maximum number of days in a window.

    In v2 it may be one day more than the maximal `window_days`: v2 includes the end, so a request for 31 days up to
    their last one covers as many days as one for 30 up to the day after.
    """
    return job.days + (job.api == "v2" and job.days == V2_DAYS)


def asks_short(job: ExportJob, window: Window, *, end_inclusive: bool) -> bool:
    """Return whether to request a window up to its last day, and not up to the day after."""
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
    """Decide which windows are kept, in the future, or to be fetched.

    Args:
        job: the job.
        whole: the range of days of the job.
        manifest: the existing windows, and what is known about the service.
        tried: the windows that this run has processed.
        refresh_days: windows with any of the last `refresh_days` days that have begun are fetched again.
        now: the current time, by the service's clock if known.
        holds: returns whether the files of a window are there.
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
        # The first one shows whether the service includes the end: the others wait for it.
        due[0] = _with_end_day(job, whole, manifest, due[0], done)
        due[1:] = [window for window in due[1:] if not window.overlaps(due[0])]
        return Plan(due, 1, kept, future)
    return Plan(due, len(due), kept, future)


def _is_stale(entry: WindowEntry, recent: Window | None, now: dt.datetime) -> bool:
    # The machine's clock may have been ahead when it was fetched without the service's clock.
    early = entry.answered_at is None and entry.start <= now.date() and not has_ended(entry.window, now)
    return entry.provisional or early or (recent is not None and entry.window.overlaps(recent))


def loss(old: Iterable[WindowEntry], rows: int, looked_at: Window) -> str | None:
    """Return why a response would lose existing rows; None if it would not.

    Args:
        old: the windows that it would replace.
        rows: the number of received rows.
        looked_at: the days that the service covered.
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
    """Add the end day of the request for a window if it is due too: it may be included anyway."""
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
