"""The page of a report: one self-contained HTML file. Pure."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Final

import attrs
import msgspec

from scarf_async.data.reporting import charts
from scarf_async.data.reporting.charts import Chart
from scarf_async.data.reporting.coverage import Bucket, Grain
from scarf_async.data.reporting.figures import DRAWN_VERSIONS, Company, Figures, Ranking, Version
from scarf_async.data.reporting.markup import Html, element, joined, shortened
from scarf_async.data.reporting.words import (
    date,
    default_title,
    headline,
    missing,
    number,
    percent,
    period,
    plural,
    span_text,
    views,
)

__all__ = ["Parts", "page_of"]


@attrs.frozen
class Parts:
    """The static parts of a page.

    Attributes:
        style: its style sheet.
        library: Vega, as one script.
        script: what draws the charts.
    """

    style: str
    library: str
    script: str


@attrs.frozen
class _Column:
    """A column of a table: its heading, and the class of its cells."""

    head: str
    kind: str = ""


_DOWNLOADS: Final = _Column("Downloads", "number")
_ORIGINS: Final = _Column("Origins", "number")
_SHARE: Final = _Column("Share", "number")


def page_of(figures: Figures, parts: Parts, *, title: str | None, made: dt.datetime) -> str:
    """Return a report.

    Args:
        figures: the figures.
        parts: its static parts.
        title: the title; None for one that names the packages.
        made: the time of creation.
    """
    page = _Page(period(figures))
    sections = _sections(figures, page)
    title = shortened((title or "").strip() or default_title(figures))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(parts)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="generator", content="scarf-async"),
        element("title", title),
        element("style", Html(parts.style)),
    )
    body = element(
        "body",
        element("main", _beginning(figures, title, made), *sections),
        _footer(),
        element("script", Html(_json(page.charts)), type="application/json", id="charts"),
        element("script", Html(parts.library)),
        element("script", Html(parts.script)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _policy(parts: Parts) -> str:
    scripts = " ".join(map(_digest, (parts.library, parts.script)))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {_digest(parts.style)}; base-uri 'none';"
        " form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: object) -> str:
    """Return JSON that cannot end a script element or a line."""
    text = msgspec.json.encode(value).decode()
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@attrs.define
class _Page:
    """The shared state of sections.

    Attributes:
        period: the default period of sections.
        charts: the charts so far.
    """

    period: str
    charts: list[dict[str, object]] = attrs.field(factory=list)

    def figure(self, name: str, label: str, chart: Chart, *children: Html) -> Html:
        """Return a figure, and add its chart."""
        self.charts.append({"id": f"chart-{name}", "spec": chart})
        place = element("div", class_="chart", id=f"chart-{name}")
        return element("figure", place, *children, aria_label=label, id=name)


def _beginning(figures: Figures, title: str, made: dt.datetime) -> Html:
    first, *more = headline(figures)
    if told := views(figures):
        more.append(told)
    held = missing(figures)
    source = f" from events of {figures.server}" if figures.server else ""
    held.append(f"Made on {date(made.date())} at {made:%H:%M} UTC{source}.")
    return element(
        "header",
        element("h1", title),
        element("p", _numbers_whole(first), class_="lead"),
        *(element("p", _numbers_whole(sentence), class_="also") for sentence in more),
        element("div", element("ul", *(element("li", sentence) for sentence in held)), class_="held"),
        element("noscript", "The charts need JavaScript; the tables do not."),
    )


def _numbers_whole(sentence: str) -> str:
    """Keep dates and counts together with no-break spaces."""
    words = sentence.split(" ")
    joints = ("\u00a0" if word[-1:].isdigit() or word[-1:] == "%" else " " for word in words[:-1])
    return "".join(word + joint for word, joint in zip(words, [*joints, ""], strict=True))


def _sections(figures: Figures, page: _Page) -> list[Html]:
    if figures.coverage.last is None:
        return []
    grain = figures.coverage.grain
    slow = max(grain, Grain.WEEK, key=list(Grain).index)
    pairs = (
        (_ranked(page, _PACKAGES, figures.packages),
         _ranked(page, _CONNECTIONS, figures.connections)),
        (_ranked(page, _COUNTRIES, figures.countries),
         _clients(figures, page)),
    )  # fmt: skip
    return [
        _over_time(figures, page, grain),
        _companies(figures, page),
        _versions(figures, page, slow),
        _origins(figures, page, slow),
        *(element("div", *pair, class_="pair") for pair in pairs),
    ]


def _section(name: str, head: str, *children: Html, note: str = "") -> Html:
    small = [joined(" ", element("small", note))] if note else []
    return element("section", element("h2", head, *small), *children, id=f"section-{name}")


def _said(what: str) -> Html:
    return element("p", what)


def _table(columns: Sequence[_Column], rows: Sequence[Sequence[str | None]]) -> Html:
    heads = (element("th", element("bdi", column.head), class_=column.kind, scope="col") for column in columns)
    lines = [
        element("tr", *(_cell(column, cell) for column, cell in zip(columns, row, strict=True))) for row in rows
    ]
    return element(
        "div",
        element("table", element("thead", element("tr", *heads)), element("tbody", *lines)),
        class_="scroll",
        tabindex="0",
    )


def _cell(column: _Column, cell: str | None) -> Html:
    if cell is None:
        return element("td", element("span", "none", class_="none"), class_=column.kind)
    # Right-to-left text must stay in its cell.
    content = cell if column.kind or isinstance(cell, Html) else element("bdi", cell)
    return element("td", content, class_=column.kind)


def _hidden(table: Html) -> Html:
    return element("details", element("summary", "Table"), table)


def _key(*entries: tuple[str, str]) -> Html:
    return element(
        "ul",
        *(element("li", element("i", class_=kind), element("bdi", name)) for kind, name in entries),
        class_="key",
    )


def _others(count: int) -> list[Html]:
    return [_said(f"And {plural(count, 'other')}.")] if count else []


def _over_time(figures: Figures, page: _Page, grain: Grain) -> Html:
    head = f"Downloads by {grain}"
    chart = charts.downloads(figures.over_time, grain)
    if chart is None:
        return _section("downloads", head, _said(_no(figures.over_time, grain, "No downloads in this data.")))
    said = []
    if (mean := charts.mean_of(figures.over_time)) is not None:
        said.append(f"The line is the mean, {number(round(mean))} a {grain}.")
    buckets = [one.bucket for one in figures.over_time]
    said += _legend([bucket.missing > 0 for bucket in buckets], [not bucket.is_whole for bucket in buckets])
    rows = [
        [
            date(one.bucket.span.start) if grain is Grain.DAY else span_text(one.bucket.span),
            "not in the data" if one.downloads is None else number(one.downloads),
        ]
        for one in figures.over_time
    ]
    table = _table([_Column(grain.capitalize(), "date"), _DOWNLOADS], rows)
    caption = [element("figcaption", " ".join(said))] if said else []
    return _section("downloads", head, page.figure("downloads", head, chart, *caption, _hidden(table)))


def _no(counted: Sequence[object], grain: Grain, otherwise: str) -> str:
    """Explain why a chart over time is missing."""
    return otherwise if counted else f"There is no whole {grain} in this data yet."


def _legend(missing: Sequence[bool], unsure: Sequence[bool]) -> list[str]:
    said = ["Grey bands: days that are not in the data."] if any(missing) else []
    return [*said, "Pale bars are not final."] if any(unsure) else said


def _companies(figures: Figures, page: _Page) -> Html:
    head = "Companies"
    providers = _providers(figures)
    if not figures.companies:
        return _section("companies", head, _said("No company was identified."), *providers, note=page.period)
    columns = [
        _Column("Company"),
        _Column("Connection", "text wide"),
        _DOWNLOADS,
        _ORIGINS,
        _Column("First seen", "date wide"),
        _Column("Last seen", "date"),
    ]
    rows = [_company(one, figures.has_earlier) for one in figures.companies]
    more = _others(figures.company_count - len(figures.companies))
    return _section("companies", head, _table(columns, rows), *more, *providers, note=page.period)


def _company(one: Company, has_earlier: bool) -> list[str | None]:
    is_new = one.is_new and has_earlier
    name = joined(element("bdi", one.name), *([element("span", "new", class_="new")] if is_new else []))
    return [name, one.connection, number(one.downloads), number(one.origins), date(one.first), date(one.last)]


def _providers(figures: Figures) -> list[Html]:
    if not figures.providers:
        return []
    names = joined(
        *(
            joined(", " if place else "", element("bdi", one.name), f" ({number(one.downloads)})")
            for place, one in enumerate(figures.providers)
        )
    )
    rest = figures.provider_count - len(figures.providers)
    return [
        element(
            "p",
            "Internet providers, counted separately, with their downloads: ",
            names,
            f", and {plural(rest, 'other')}." if rest else ".",
        )
    ]


def _versions(figures: Figures, page: _Page, grain: Grain) -> Html:
    head = "Versions still in use"
    if not figures.versions:
        return _section("versions", head, _said("No downloads."), note=page.period)
    several = len(figures.packages.top) > 1
    shown: list[Html] = []
    chart = charts.shares(figures.shares, figures.versions, grain)
    if chart is None:
        shown.append(_said(_no(figures.shares, grain, "No origins in this data.")))
    else:
        names = [_version_name(one, several) for one in figures.versions[:DRAWN_VERSIONS]]
        key = _key(*((f"s{place}", name) for place, name in enumerate(names)))
        label = f"Share of a package's origins by {grain}"
        caption = element("figcaption", f"{label}. An origin may use more than one version.")
        table = _hidden(_share_table(figures, names, grain))
        shown.append(page.figure("versions", label, chart, key, caption, table))
    columns = [
        *([_Column("Package", "text")] if several else []),
        _Column("Version"),
        _DOWNLOADS,
        _ORIGINS,
        _Column("Share of origins", "number"),
    ]
    rows: list[list[str | None]] = [
        [
            *([one.package] if several else []),
            one.name,
            number(one.downloads),
            number(one.origins),
            percent(one.share),
        ]
        for one in figures.versions
    ]
    more = _others(figures.version_count - len(figures.versions))
    return _section("versions", head, *shown, _table(columns, rows), *more, note=page.period)


def _version_name(one: Version, with_package: bool) -> str:
    name = one.name or "(none)"
    return f"{one.package or '(none)'} {name}" if with_package else name


def _share_table(figures: Figures, names: Sequence[str], grain: Grain) -> Html:
    of_bucket: dict[Bucket, list[str]] = {}
    for one in figures.shares:
        nothing = "not in the data" if one.bucket.is_gap else "no origins"
        of_bucket.setdefault(one.bucket, []).append(nothing if one.share is None else percent(one.share))
    columns = [_Column(grain.capitalize(), "date"), *(_Column(name, "number") for name in names)]
    return _table(columns, [[span_text(bucket.span), *shares] for bucket, shares in of_bucket.items()])


def _origins(figures: Figures, page: _Page, grain: Grain) -> Html:
    head = f"Origins by {grain}"
    chart = charts.origins(figures.origins_over_time, grain)
    if chart is None:
        return _section("origins", head, _said(_no(figures.origins_over_time, grain, "No origins in this data.")))
    buckets = [one.bucket for one in figures.origins_over_time]
    said = [
        f"New: not in this data in an earlier {grain}, so in the first {grain} all of them are.",
        *_legend([bucket.missing > 0 for bucket in buckets], [False]),
    ]
    rows = [
        [
            span_text(one.bucket.span),
            *(
                ["not in the data"] * 3
                if one.bucket.is_gap
                else [number(one.new), number(one.all - one.new), number(one.all)]
            ),
        ]
        for one in figures.origins_over_time
    ]
    heads = [
        _Column(grain.capitalize(), "date"),
        *(_Column(head, "number") for head in ("New", "Returning", "All")),
    ]
    key = _key(("", "returning"), ("second", "new"))
    caption = element("figcaption", " ".join(said))
    figure = page.figure("origins", head, chart, key, caption, _hidden(_table(heads, rows)))
    return _section("origins", head, figure)


@attrs.frozen
class _Subject:
    """A dimension by which downloads are ranked.

    Attributes:
        name: the name of the section.
        head: its heading.
        one: the noun.
        many: its plural.
    """

    name: str
    head: str
    one: str
    many: str


_PACKAGES: Final = _Subject("packages", "By package", "package", "packages")
_CONNECTIONS: Final = _Subject("connections", "By connection type", "type", "types")
_COUNTRIES: Final = _Subject("countries", "By country", "country", "countries")


def _ranked(page: _Page, subject: _Subject, ranked: Ranking) -> Html:
    head = subject.head
    chart = charts.ranking(ranked, f"Downloads {head[0].lower()}{head[1:]}")
    unknown = [f"Unknown: {plural(ranked.of_nobody, 'download')}."] if ranked.of_nobody else []
    if chart is None:
        return _section(subject.name, head, _said(*(unknown or ["No downloads."])), note=page.period)
    if ranked.others:
        others = plural(ranked.others, f"other {subject.one}", f"other {subject.many}")
        unknown.insert(0, f"{others}: {plural(ranked.of_others, 'download')}.")
    rows = [[row.name, number(row.downloads), percent(row.share), number(row.origins)] for row in ranked.top]
    table = _table([_Column(subject.one.capitalize()), _DOWNLOADS, _SHARE, _ORIGINS], rows)
    caption = [element("figcaption", " ".join(unknown))] if unknown else []
    figure = page.figure(subject.name, head, chart, *caption, _hidden(table))
    return _section(subject.name, head, figure, note=page.period)


def _clients(figures: Figures, page: _Page) -> Html:
    head = "Clients and platforms"
    if not figures.clients:
        return _section("clients", head, _said("No downloads."), note=page.period)
    rows = [[one.name, one.platform, number(one.downloads), number(one.origins)] for one in figures.clients]
    more = _others(figures.client_count - len(figures.clients))
    table = _table([_Column("Client"), _Column("Platform"), _DOWNLOADS, _ORIGINS], rows)
    return _section("clients", head, table, *more, note=page.period)


def _footer() -> Html:
    return element(
        "footer",
        element(
            "p",
            "Days are in UTC. An origin is an anonymous client: two may be one person, and one may be many people.",
        ),
        element("p", "Downloads and page views are counted separately, and nothing here is an estimate."),
    )
