"""The sentences of a report. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from scarf_async.data.reporting.coverage import PERIOD, Coverage, Span
from scarf_async.data.reporting.figures import Figures, Total

__all__ = [
    "date",
    "default_title",
    "headline",
    "missing",
    "number",
    "percent",
    "period",
    "plural",
    "span_text",
    "views",
]

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY: Final = dt.timedelta(1)
_NAMED_SPANS: Final = 4


def number(value: int) -> str:
    """Return a number with thousands separators.

    >>> number(12345)
    '12,345'
    """
    return f"{value:,}"


def percent(share: float) -> str:
    """Return a share in percent; a share above zero is never shown as 0%.

    >>> percent(0.1234), percent(0.0004), percent(1.0), percent(0.0)
    ('12.3%', '<0.1%', '100%', '0%')
    """
    if 0 < share < 0.0005:
        return "<0.1%"
    return f"{100 * share:.1f}".removesuffix(".0") + "%"


def plural(count: int, one: str, many: str = "") -> str:
    """Return a number and its noun.

    >>> plural(1, "day"), plural(2000, "company", "companies")
    ('1 day', '2,000 companies')
    """
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def date(day: dt.date) -> str:
    """Return a readable day, independent of the locale.

    >>> date(dt.date(2024, 1, 5))
    '5 Jan 2024'
    """
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def span_text(span: Span) -> str:
    """Return a range of days as short as possible.

    >>> span_text(Span(dt.date(2024, 1, 5), dt.date(2024, 1, 8)))
    '5 to 7 Jan 2024'
    """
    first, last = span.start, span.end - _DAY
    if first == last:
        return date(first)
    if first.year != last.year:
        return f"{date(first)} to {date(last)}"
    month = "" if first.month == last.month else f" {_MONTHS[first.month - 1]}"
    return f"{first.day}{month} to {date(last)}"


def _spans_text(spans: Sequence[Span]) -> str:
    shown = "; ".join(map(span_text, spans[:_NAMED_SPANS]))
    return shown if len(spans) <= _NAMED_SPANS else f"{shown}; and {len(spans) - _NAMED_SPANS} more"


def _days(spans: Sequence[Span]) -> str:
    return f"{plural(sum(span.days for span in spans), 'day')} ({_spans_text(spans)})"


def default_title(figures: Figures) -> str:
    """Return the default title of a report: the package, or the number of packages."""
    packages = figures.packages
    if len(packages.top) == 1 and not packages.others:
        return f"Downloads of {packages.top[0].name}"
    count = len(packages.top) + packages.others
    return f"Downloads of {plural(count, 'package')}" if count else "Downloads"


def period(figures: Figures) -> str:
    """Return the default period of a table, in words."""
    last = figures.coverage.last
    if last is None:
        return ""
    return "last 28 days" if last.days == PERIOD.days else span_text(last)


def headline(figures: Figures) -> list[str]:
    """Return the sentences that a report begins with."""
    last = figures.coverage.last
    if last is None:
        return ["This source does not hold a whole day yet."]
    count = plural(figures.downloads.last, "download") if figures.downloads.last else "No downloads"
    sentence = f"{count} {_on(last)}"
    unknown = _why_no_change(figures.coverage)
    sentence += "" if unknown else f", {_change(figures.downloads)}"
    if figures.downloads.last:
        sentence += f", from {plural(figures.origins, 'origin')}{_companies(figures)}"
    sentences = [f"{sentence}."]
    if unknown:
        sentences.append(f"There is no comparison with the 28 days before: {unknown}.")
    if figures.provider_count:
        counted = plural(figures.provider_count, "internet provider is", "internet providers are")
        sentences.append(f"{counted} counted separately.")
    return sentences


def views(figures: Figures) -> str:
    """Return the sentence about pixels; empty where none was seen in either period."""
    seen, last = figures.views, figures.coverage.last
    if last is None or not (seen.last or seen.before):
        return ""
    change = "" if _why_no_change(figures.coverage) else f", {_change(seen)}"
    return f"Pages with a pixel were viewed {plural(seen.last, 'time')} in the same period{change}."


def _on(span: Span) -> str:
    return f"on {date(span.start)}" if span.days == 1 else f"in the {span.days} days from {span_text(span)}"


def _change(total: Total) -> str:
    if not total.before:
        return f"{'with' if total.last else 'and'} none in the 28 days before"
    change = (total.last - total.before) / total.before
    if not change:
        return "as many as in the 28 days before"
    return f"{percent(abs(change))} {'more' if change > 0 else 'fewer'} than in the 28 days before"


def _companies(figures: Figures) -> str:
    count = figures.company_count
    if not count:
        return ", none of them at an identified company"
    new = figures.new_company_count
    told = f" and {plural(count, 'identified company', 'identified companies')}"
    if not figures.has_earlier:
        return told
    return f"{told}, {_new(new, count)} new in this data"


def _new(new: int, count: int) -> str:
    if count == 1:
        return "which is" if new else "which is not"
    return f"{number(new) if new else 'none'} of those"


def _why_no_change(coverage: Coverage) -> str:
    """Explain why the two periods cannot be compared; empty if they can."""
    last, before = coverage.last, coverage.before
    if last is None or before is None:
        return "there are no days"
    if not coverage.is_known:
        return "the table does not say which days it holds in full"
    both = Span(before.start, last.end)
    missing = coverage.missing_in(both)
    provisional = [common for span in coverage.provisional if (common := both.common(span)).days]
    reasons = [f"{_days(missing)} {_are(missing)} missing"] if missing else []
    reasons += [f"{_days(provisional)} {_are(provisional)} provisional"] if provisional else []
    return ", and ".join(reasons)


def _are(spans: Sequence[Span]) -> str:
    return "is" if sum(span.days for span in spans) == 1 else "are"


def missing(figures: Figures) -> list[str]:
    """Return one sentence for each limitation of the figures."""
    coverage = figures.coverage
    said: list[str] = []
    if coverage.whole is not None:
        said.append(f"The data covers {span_text(coverage.whole)} (UTC).")
    if not coverage.is_known:
        said.append(
            "The table has no ledger, so days that are missing between its first and its last cannot be found."
        )
    elif coverage.gaps:
        said.append(f"Missing: {_days(coverage.gaps)}.")
    elif coverage.whole is not None:
        said.append("None of these days is missing.")
    if coverage.provisional:
        said.append(f"Provisional, so more events may come: {_days(coverage.provisional)}.")
    if len(coverage.by_job) > 1:
        said.append(_jobs(coverage))
    if figures.outside:
        events = plural(figures.outside, "event")
        said.append(
            f"{events} on days that were not over, or that are not covered, {_left(figures.outside)} left out."
        )
    if figures.duplicates:
        said.append(f"{plural(figures.duplicates, 'duplicate')} {_left(figures.duplicates)} removed.")
    if figures.malformed:
        said.append(
            f"{plural(figures.malformed, 'record')} could not be read and {_left(figures.malformed)} left out."
        )
    return said


def _left(count: int) -> str:
    return "was" if count == 1 else "were"


def _jobs(coverage: Coverage) -> str:
    spans = sorted({Span(job[0].start, job[-1].end) for job in coverage.by_job})
    count = len(coverage.by_job)
    if len(spans) == 1:
        return f"It holds {count} exports of the same days."
    return f"It holds {count} exports, of different days: {_spans_text(spans)}."
