"""What a report says: its figures, its sentences, and that nothing in it is markup that is not ours."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import attrs
import duckdb
import pytest
from cli.shell import invoke

from data.jobs import day, job_of, window
from scarf_async import ConfigurationError, ExportError, JobBusyError, ValidationError
from scarf_async.data import load, report
from scarf_async.data.reporting.coverage import Coverage, Grain, Held, Span
from scarf_async.data.reporting.figures import Figures, figures_of
from scarf_async.data.reporting.source import opened
from scarf_async.data.reporting.words import headline, missing, views

HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!--",
    "__proto__",
    "\u202eevil\u2028\u2029",
    "nul\x01\x1b[2J",
    "'{{7*7}}'",
]

NAMES = (
    "id", "type", "time", "package", "pixel", "version", "user_agent", "platform", "origin_id", "origin_country",
    "origin_company", "origin_connection_type", "origin_city",
)  # fmt: skip


def events_of(path: Path, rows: Iterable[dict[str, Any]]) -> str:
    """Return a query of events, which are given as columns by their names; its file is at this path."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    columns = dict.fromkeys(NAMES, "VARCHAR")
    return f"SELECT * REPLACE (CAST(time AS TIMESTAMP) AS time) FROM read_json('{path}', columns = {columns})"  # noqa: S608 # ours


def invented(days: int, first: str = "2024-01-01", count: int = 4000) -> list[dict[str, Any]]:
    """Return events of so many days, with gaps in what is known of them."""
    chance = random.Random(7)
    rows = []
    for number in range(count):
        origin = chance.randrange(90)
        at = dt.datetime.combine(day(first), dt.time()) + dt.timedelta(
            days=chance.triangular(0, days, days), seconds=1
        )
        rows.append(
            {
                "id": str(number),
                "type": "file-download",
                "time": min(at, dt.datetime.combine(day(first), dt.time()) + dt.timedelta(days, -1)).isoformat(),
                "package": chance.choice(["web", "api", "cli", None]),
                "pixel": chance.choice([None, None, None, "", "px"]),
                "version": chance.choice(["1.0", "1.1", "2.0", ""]),
                "user_agent": ["curl/8.5.0", "Mozilla/5.0 (X11)", "ann@acme.example", ""][origin % 4],
                "platform": ["linux", None][origin % 2],
                "origin_id": None if origin == 0 else f"origin-{origin}",
                "origin_country": ["DE", "FR", "US", None, "JP"][origin % 5],
                "origin_company": ["Acme", "UNKNOWN", "", None, "Telekom", f"Firm {origin}"][origin % 6],
                "origin_connection_type": "isp" if origin % 6 == 4 else ["business", None][origin % 2],
                "origin_city": "Atlantis",
            }
        )
    return rows


def whole(start: str, end: str) -> Coverage:
    """Return the coverage of one window that was over."""
    return Coverage(((Held(day(start), day(end), False, day(end)),),))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sources: `job` of 70 days, its events `rows.jsonl`, and the same `loaded` into a database."""
    place = tmp_path_factory.mktemp("sources")
    query = events_of(place / "rows.jsonl", invented(70))
    windows = [window("2024-01-01", "2024-02-01", duplicates=3, malformed=2), window("2024-02-01", "2024-03-11")]
    job_of(place / "job", query, windows)
    asyncio.run(load(place / "job", f"duckdb:{place / 'loaded'}")).raise_for_failures()
    return place


def figures(source: Path | str) -> Figures:
    """Return the figures of a source."""
    with opened(source) as found:
        return figures_of(found)


def test_the_figures_are_those_that_counting_gives(sources: Path) -> None:
    """Downloads and views, origins, companies and providers, what is new, and the rankings of the last 28 days."""
    found = figures(sources / "job")
    rows = [json.loads(line) for line in (sources / "rows.jsonl").read_text().splitlines()]
    last = [row for row in rows if row["time"] >= "2024-02-12"]
    before = [row for row in rows if "2024-01-15" <= row["time"] < "2024-02-12"]
    downloads = [row for row in last if not row["pixel"]]
    assert found.downloads.last == len(downloads)
    assert found.downloads.before == sum(not row["pixel"] for row in before)
    assert (found.views.last, found.views.before) == tuple(sum(bool(r["pixel"]) for r in p) for p in (last, before))
    assert found.origins == len({row["origin_id"] for row in downloads} - {None})
    named = [row for row in downloads if row["origin_company"] not in {"UNKNOWN", "", None}]
    companies = {row["origin_company"] for row in named if row["origin_connection_type"] != "isp"}
    assert found.company_count == len(companies) > 10
    assert found.provider_count == len({row["origin_company"] for row in named} - companies) > 0
    earlier = {row["origin_company"] for row in rows if row["time"] < "2024-02-12"}
    assert found.new_company_count == len(companies - earlier)
    counted = Counter(row["origin_company"] for row in named if row["origin_company"] in companies)
    assert {one.name: one.downloads for one in found.companies} == dict(counted.most_common(25)) | {
        one.name: counted[one.name] for one in found.companies
    }
    for ranking, column in ((found.packages, "package"), (found.countries, "origin_country")):
        by_name = Counter(row[column] for row in downloads)
        assert {one.name: one.downloads for one in ranking.top} | {None: ranking.of_nobody} == by_name
    shares = {(one.package, one.name): one.share for one in found.versions}
    of_web = {row["origin_id"] for row in downloads if row["package"] == "web"} - {None}
    of_version = {row["origin_id"] for row in downloads if (row["package"], row["version"]) == ("web", "2.0")} - {
        None
    }
    assert shares["web", "2.0"] == len(of_version) / len(of_web)


def test_over_time_nothing_is_left_out_and_nobody_is_new_twice(sources: Path) -> None:
    """Days add up to all downloads; weeks are whole; each origin is new in the first week that it is seen in."""
    found = figures(sources / "job")
    rows = [json.loads(line) for line in (sources / "rows.jsonl").read_text().splitlines()]
    downloads = [row for row in rows if not row["pixel"]]
    assert sum(one.downloads or 0 for one in found.over_time) == len(downloads)
    assert len(found.over_time) == 70
    weeks: dict[dt.date, set[str]] = {one.bucket.span.start: set() for one in found.origins_over_time}
    assert list(weeks) == [day("2024-01-01") + dt.timedelta(7 * number) for number in range(10)]
    for row in downloads:
        at = dt.date.fromisoformat(row["time"][:10])
        weeks[at - dt.timedelta(at.weekday())] |= {row["origin_id"]} - {None}
    seen: set[str] = set()
    for one in found.origins_over_time:
        of_week = weeks[one.bucket.span.start]
        assert (one.all, one.new) == (len(of_week), len(of_week - seen))
        seen |= of_week


def test_a_database_gives_the_same(sources: Path) -> None:
    """But for what only a manifest knows."""
    same_figures(sources / "job", sources / "loaded")


def same_figures(job: Path, database: Path) -> None:
    """Assert that a database gives what the job gives that was loaded into it."""
    ours, theirs = figures(job), figures(f"duckdb:{database}")
    assert (theirs.duplicates, theirs.malformed, theirs.server) == (None, None, None)
    same = attrs.evolve(theirs, duplicates=3, malformed=2, server=ours.server, coverage=ours.coverage)
    assert same == ours
    assert theirs.coverage.held == ours.coverage.held


async def test_tables_of_other_names(tmp_path: Path, sources: Path) -> None:
    """The only table of events is read, whatever its name; of several only the usual one, with its own windows."""
    loaded, other = tmp_path / "loaded", sources / "job"
    gaps = [window("2024-01-01", "2024-01-05"), window("2024-02-05", "2024-02-06", provisional=True)]
    events = "SELECT TIMESTAMP '2024-01-01' AS time, 'a' AS id, 'view' AS type"
    less = job_of(tmp_path / "less", events, gaps)
    (await load(other, f"duckdb:{loaded}", table='"a.scarf_events"', columns="official")).raise_for_failures()
    same_figures(other, loaded)
    await load(less, f"duckdb:{loaded}", table="b")
    with pytest.raises(ExportError, match=r"none is main\.scarf_events: main\.a\.scarf_events, main\.b; load one"):
        report(f"duckdb:{loaded}")
    (await load(less, f"duckdb:{loaded}")).raise_for_failures()
    assert missing(figures(f"duckdb:{loaded}")) == missing(figures(less))


def test_lines_are_read_once(tmp_path: Path, sources: Path) -> None:
    """Records in JSON lines take long to read: all figures come from one reading, and are those of Parquet."""
    query = events_of(tmp_path / "rows.jsonl", invented(70))
    job = job_of(
        tmp_path / "job", query, [window("2024-01-01", "2024-02-01"), window("2024-02-01", "2024-03-11")], "jsonl"
    )
    with opened(job) as found:
        shutil.rmtree(job / "data")
        assert attrs.evolve(figures_of(found), duplicates=3, malformed=2) == figures(sources / "job")


def test_a_database_without_a_ledger(tmp_path: Path, sources: Path) -> None:
    """Whether its days are whole is not known, and is said in place of a percentage; the future does not count."""
    copy = tmp_path / "it's"
    copy.write_bytes((sources / "loaded").read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute("DROP TABLE scarf_windows")
        connection.execute(
            "INSERT INTO scarf_events SELECT * REPLACE (TIMESTAMPTZ '2999-01-01' AS time, '' AS id)"
            " FROM scarf_events LIMIT 1"
        )
    found = figures(f"duckdb:{copy}")
    first, second = headline(found)[:2]
    assert "%" not in first
    assert "the table does not say which days it holds in full" in second
    assert "The data covers 1 Jan to 10 Mar 2024 (UTC)." in missing(found)
    assert "1 event on days that were not over, or that are not covered, was left out." in missing(found)


def test_a_database_that_cannot_be_read(tmp_path: Path, sources: Path) -> None:
    """One that is missing, has no such table, is none, or is held by another process."""
    with pytest.raises(FileNotFoundError):
        report(f"duckdb:{tmp_path / 'none'}")
    assert list(tmp_path.iterdir()) == []
    duckdb.connect(str(tmp_path / "other")).close()
    with pytest.raises(ExportError, match="has no table with the columns time, package"):
        report(f"duckdb:{tmp_path / 'other'}")
    (tmp_path / "text").write_text("SQLite or so" * 1000)
    with pytest.raises((ExportError, OSError), match="text"):
        report(f"duckdb:{tmp_path / 'text'}")
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(tmp_path / "other")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(JobBusyError, match=f"another process holds the database {tmp_path / 'other'}"):
            report(f"duckdb:{tmp_path / 'other'}")
        holder.communicate()


OF_ALL = "280 downloads in the 28 days from 29 Jan to 25 Feb 2024, "
NO_CHANGE = "There is no comparison with the 28 days before: "
ORIGINS = "from 5 origins and 1 identified company, which is not new in this data."


@pytest.mark.parametrize(
    ("windows", "sentences"),
    [
        ([("2024-01-01", "2024-02-26")], [f"{OF_ALL}as many as in the 28 days before, {ORIGINS}"]),
        (
            [("2024-01-01", "2024-01-15"), ("2024-01-18", "2024-02-26")],
            [f"{OF_ALL}{ORIGINS}", f"{NO_CHANGE}3 days (15 to 17 Jan 2024) are missing."],
        ),
        (
            [("2024-01-01", "2024-02-12"), ("2024-02-12", "2024-02-26", True)],
            [f"{OF_ALL}{ORIGINS}", f"{NO_CHANGE}14 days (12 to 25 Feb 2024) are provisional."],
        ),
        (
            [("2024-02-01", "2024-02-02")],
            [
                "10 downloads on 1 Feb 2024, from 5 origins and 1 identified company.",
                f"{NO_CHANGE}55 days (8 Dec 2023 to 31 Jan 2024) are missing.",
            ],
        ),
        ([], ["This source does not hold a whole day yet."]),
    ],
    ids=["whole", "gap", "provisional", "one day", "empty"],
)
def test_the_first_sentence(tmp_path: Path, windows: Sequence[Any], sentences: list[str]) -> None:
    """It compares two periods only where every day of both is there and final, and else says which is not."""
    events = """SELECT TIMESTAMP '2024-01-01' + INTERVAL 1 DAY * (i // 10) AS time, 'web' AS package,
        'o' || i % 5 AS origin_id, 'Acme' AS origin_company FROM range(600) AS numbers(i)"""
    entries = [window(start, end, provisional=bool(more)) for start, end, *more in windows]
    assert headline(figures(job_of(tmp_path / "job", events, entries))) == sentences


def test_a_window_that_had_not_ended_when_it_was_asked_for(tmp_path: Path) -> None:
    """The day on which it was asked for is not whole, and left out; the days before it are provisional."""
    asked = dt.datetime(2024, 2, 20, 23, 59, tzinfo=dt.timezone(dt.timedelta(hours=-1)))
    windows = [
        window("2024-01-01", "2024-02-15"),
        window("2024-02-15", "2024-03-01", provisional=True, answered_at=asked),
    ]
    events = "SELECT TIMESTAMP '2024-01-01' + INTERVAL 1 HOUR * i AS time FROM range(1230) AS numbers(i)"
    found = figures(job_of(tmp_path / "job", events, windows))
    assert found.coverage.last == Span(day("2024-01-24"), day("2024-02-21"))
    assert found.coverage.provisional == (Span(day("2024-02-15"), day("2024-02-21")),)
    assert found.outside == 1230 - 51 * 24
    assert not any("%" in sentence for sentence in headline(found))


def test_views_are_never_added_to_downloads(tmp_path: Path) -> None:
    """They have a sentence of their own, also where nothing else is there."""
    events = (
        "SELECT TIMESTAMP '2024-01-01' + INTERVAL 1 HOUR * i AS time, 'p' AS pixel FROM range(1344) AS numbers(i)"
    )
    found = figures(job_of(tmp_path / "job", events, [window("2024-01-01", "2024-02-26")]))
    assert headline(found) == [
        "No downloads in the 28 days from 29 Jan to 25 Feb 2024, and none in the 28 days before."
    ]
    assert (
        views(found)
        == "Pages with a pixel were viewed 672 times in the same period, as many as in the 28 days before."
    )


def test_what_is_missing_is_told(sources: Path, tmp_path: Path) -> None:
    """Gaps, provisional days, what was left out; and that nothing is, where that is so."""
    assert missing(figures(sources / "job")) == [
        "The data covers 1 Jan to 10 Mar 2024 (UTC).",
        "None of these days is missing.",
        "3 duplicates were removed.",
        "2 records could not be read and were left out.",
    ]
    windows = [
        window("2024-01-01", "2024-01-05"), window("2024-01-06", "2024-01-08"),
        window("2024-01-10", "2024-01-11", provisional=True),
    ]  # fmt: skip
    assert missing(figures(job_of(tmp_path / "job", "SELECT now()::TIMESTAMP AS time", windows))) == [
        "The data covers 1 to 10 Jan 2024 (UTC).",
        "Missing: 3 days (5 Jan 2024; 8 to 9 Jan 2024).",
        "Provisional, so more events may come: 1 day (10 Jan 2024).",
    ]


@pytest.mark.parametrize(
    ("start", "end", "grain", "buckets"),
    [
        ("2024-01-01", "2024-04-02", Grain.DAY, 92),
        ("2024-01-01", "2024-04-03", Grain.WEEK, 13),
        ("2024-01-02", "2024-04-08", Grain.WEEK, 13),
        ("2024-01-01", "2026-01-01", Grain.WEEK, 104),
        ("2024-01-01", "2026-01-02", Grain.MONTH, 24),
        ("2024-01-02", "2026-01-04", Grain.MONTH, 23),
    ],
)
def test_how_time_is_cut(start: str, end: str, grain: Grain, buckets: int) -> None:
    """Days up to 92, then weeks, months beyond two years; what is not whole at either end is left out."""
    coverage = whole(start, end)
    assert coverage.grain is grain
    assert len(coverage.buckets(grain)) == buckets


def test_jobs_of_one_table() -> None:
    """A day that one of them lacks between its own is a gap; what only one of them has is none."""
    jobs = (
        (Held(day("2024-01-01"), day("2024-01-10"), False, day("2024-02-01")),
         Held(day("2024-01-12"), day("2024-01-20"), False, day("2024-02-01"))),
        (Held(day("2024-01-01"), day("2024-01-31"), False, day("2024-02-01")),),
    )  # fmt: skip
    coverage = Coverage(jobs)
    assert coverage.gaps == (Span(day("2024-01-10"), day("2024-01-12")),)
    assert coverage.missing_in(Span(day("2024-01-15"), day("2024-01-31"))) == (
        Span(day("2024-01-20"), day("2024-01-31")),
    )


class _Page(HTMLParser):
    """Collects the elements of a page, and what its scripts hold."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.scripts: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script &= tag != "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data


def read_page(text: str) -> _Page:
    """Return what is in a page."""
    page = _Page()
    page.feed(text)
    page.close()
    return page


def test_no_name_becomes_markup(tmp_path: Path) -> None:
    """Nor a script: the elements are those of a page with harmless names, and names stay what they are."""
    named = "package version platform origin_country origin_company origin_connection_type"
    pages = []
    for kind, names in (("hostile", HOSTILE), ("harmless", [f"name{number}" for number in range(len(HOSTILE))])):
        rows = [
            {"time": f"2024-01-{1 + number % 20:02}T00:00:00", "origin_id": f"{number % 9}"}
            | dict.fromkeys(named.split(), names[number % len(names)])
            for number in range(140)
        ]
        query = events_of(tmp_path / f"{kind}.jsonl", rows)
        source = job_of(tmp_path / kind, query, [window("2024-01-01", "2024-01-21")])
        text = report(source, title=f"{HOSTILE[0]}\ud800").html()
        assert not {"\x01", "\x1b", "\ud800"} & set(text)
        pages.append(read_page(text))
    page, other = pages
    assert page.tags["script"] == 3
    assert (page.tags, page.attributes) == (other.tags, other.attributes)
    charts = json.loads(page.scripts[0])
    assert not {"<", "\u2028", "\u2029"} & set(page.scripts[0])
    drawn = {row["name"] for chart in charts for row in chart["spec"].get("data", {}).get("values", [])}
    assert {"</script><script>alert(1)</script>", "__proto__", "nul\\x01\\x1b[2J"} <= drawn


def test_no_person_is_in_it(sources: Path) -> None:
    """No origin, no event, no city, and of a user agent nothing that may be an address."""
    text = report(sources / "job").html()
    assert "Firm 5" in text
    assert not re.search(r"origin-\d|Atlantis|ann@acme|8\.5\.0", text)


def test_however_long_names_are_a_page_is_small(tmp_path: Path) -> None:
    """One of two years with names of 5,000 characters, and a title of 3,000,000, has at most 3 MB."""
    events = """SELECT TIMESTAMP '2022-01-01' + INTERVAL 6 HOUR * i AS time, n AS package, n AS version,
        n AS platform, 'o' || i % 9 AS origin_id, n AS origin_country, n AS origin_company,
        n AS origin_connection_type
        FROM (SELECT i, i % 60 || repeat('<', 5000) AS n FROM range(2920) AS numbers(i))"""
    source = job_of(tmp_path / "job", events, [window("2022-01-01", "2024-01-01")])
    text = report(source, title="<" * 3_000_000).html()
    assert len(text.encode()) <= 3_000_000
    assert "…" in text


def test_saving(tmp_path: Path, sources: Path) -> None:
    """A page replaces a page; another ending is refused, and changes nothing; directories are made."""
    made = report(sources / "job", title=" ")
    assert "<title>Downloads of 3 packages</title>" in made.html()
    made.save(tmp_path / "new" / "directory" / "page.html")
    target = tmp_path / "new" / "page.html"
    target.write_text("old")
    made.save(target)
    assert target.read_text() == made.html()
    with pytest.raises(ValidationError, match=r"ends in \.html") as caught:
        made.save(tmp_path / "page.htm")
    assert caught.value.field == "path"
    assert sorted(path.name for path in target.parent.iterdir()) == ["directory", "page.html"]
    assert made._repr_html_().startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert repr(made) == f"<Report of {len(made.html().encode()):,} bytes of HTML>"


def test_what_is_not_of_events(tmp_path: Path) -> None:
    """A job of aggregates is refused, and so is a title that is not text."""
    job = job_of(tmp_path / "job", "SELECT now()::TIMESTAMP AS time", [])
    manifest = job / "manifest.json"
    manifest.write_text(manifest.read_text().replace("owner_events", "organization_aggregates"))
    with pytest.raises(ValidationError, match=r"a report is of events, and \S+ holds organization_aggregates"):
        report(job)
    with pytest.raises(ValidationError, match="title must be"):
        report(job, title=7)  # type: ignore[arg-type] # what a caller may do
    with pytest.raises(ExportError, match="no manifest"):
        report(tmp_path)


def test_without_the_extra(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'scarf-async\[data\]'"):
        report(sources / "job")


async def test_the_command(tmp_path: Path, sources: Path) -> None:
    """It writes the page and says how large; a wrong ending is told before the source is looked at."""
    target = tmp_path / "page.html"
    done = await invoke("report", str(sources / "job"), "-o", str(target), "--title", "Acme & Co", env={})
    assert (done.status, done.out) == (0, b"")
    assert re.fullmatch(rf"{target}: [\d.]+ kB\n", done.err)
    assert "<title>Acme &amp; Co</title>" in target.read_text()
    wrong = await invoke("report", str(tmp_path / "none"), "-o", str(tmp_path / "page.pdf"), env={})
    assert (wrong.status, "ends in .html" in wrong.err) == (2, True)
    missing = await invoke("report", str(tmp_path / "none"), "-o", str(target), env={})
    assert (missing.status, "No such file" in missing.err) == (1, True)
