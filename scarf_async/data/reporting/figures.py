"""The figures of a report, counted by DuckDB: three passes over the events, everything else from their results."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs

from scarf_async.data.reporting.coverage import Bucket, Coverage, Grain
from scarf_async.data.reporting.markup import shortened
from scarf_async.data.reporting.source import Source

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "DRAWN_VERSIONS",
    "Client",
    "Company",
    "Counted",
    "Figures",
    "Named",
    "OriginsIn",
    "Ranking",
    "ShareIn",
    "Total",
    "Version",
    "figures_of",
]

_TOP: Final = 6
_COUNTRIES: Final = 10
_COMPANIES: Final = 25
_VERSIONS: Final = 15
DRAWN_VERSIONS: Final = 5
"""The number of versions with a share over time."""
_CLIENTS: Final = 15
_PROVIDER: Final = "isp"

_DAYS: Final = """
CREATE OR REPLACE TEMP TABLE days AS
SELECT CAST(unnest(generate_series(first, last, INTERVAL 1 DAY)) AS DATE) AS day
FROM (SELECT CAST(unnest($firsts) AS TIMESTAMP) AS first, CAST(unnest($lasts) AS TIMESTAMP) AS last)
"""
_TOTALS: Final = """
CREATE OR REPLACE TEMP TABLE totals AS
SELECT day, is_view, company, grouping(company) = 1 AS is_of_day, count(*) AS n,
    min(seen) FILTER (seen < $end) AS first, max(seen) FILTER (seen < $end) AS last
FROM (SELECT *, day AS seen FROM events) GROUP BY GROUPING SETS ((day, is_view), (company))
"""
_BY_DAY: Final = "CREATE OR REPLACE TEMP VIEW by_day AS SELECT day, is_view, n FROM totals WHERE is_of_day"
# Companies and countries matter only for the last days: for all others they would need a row for nearly each event.
_RECENT: Final = """
CREATE OR REPLACE TEMP TABLE recent AS
SELECT package, version, company, connection, country, client, platform, origin, count(*) AS n
FROM events SEMI JOIN days USING (day) WHERE NOT is_view AND day >= $start GROUP BY ALL
"""
_DRAWN: Final = """
CREATE OR REPLACE TEMP TABLE drawn AS
SELECT rank AS number, package, version, min(rank) OVER (PARTITION BY package) AS of_package
FROM versions WHERE rank < $most
"""
_BY_BUCKET: Final = """
CREATE OR REPLACE TEMP TABLE by_bucket AS
SELECT DISTINCT CAST(date_trunc('{grain}', day) AS DATE) AS bucket, origin, packages.of_package, drawn.number
FROM events SEMI JOIN days USING (day)
LEFT JOIN (SELECT DISTINCT package, of_package FROM drawn) AS packages
    ON packages.package IS NOT DISTINCT FROM events.package
LEFT JOIN drawn
    ON drawn.package IS NOT DISTINCT FROM events.package AND drawn.version IS NOT DISTINCT FROM events.version
WHERE NOT is_view AND origin IS NOT NULL
"""
_IN_PERIOD: Final = """
SELECT
    coalesce(sum(n) FILTER (NOT is_view AND day >= $start), 0),
    coalesce(sum(n) FILTER (NOT is_view AND day >= $before AND day < $middle), 0),
    coalesce(sum(n) FILTER (is_view AND day >= $start), 0),
    coalesce(sum(n) FILTER (is_view AND day >= $before AND day < $middle), 0)
FROM by_day SEMI JOIN days USING (day)
"""
_OUTSIDE: Final = "SELECT coalesce(sum(n), 0) FROM by_day ANTI JOIN days USING (day)"
_OVER_TIME: Final = """
SELECT CAST(date_trunc('{grain}', day) AS DATE) AS bucket, sum(n)
FROM by_day SEMI JOIN days USING (day) WHERE NOT is_view GROUP BY bucket
"""
_OF_COMPANIES: Final = """
CREATE OR REPLACE TEMP TABLE companies AS
WITH by_connection AS (
    SELECT company, connection, sum(n) AS n FROM recent GROUP BY ALL
), usual AS (
    SELECT company, CAST(sum(n) AS BIGINT) AS n, first(connection ORDER BY n DESC, connection) AS connection
    FROM by_connection GROUP BY company
), origins AS (
    SELECT company, count(DISTINCT origin) AS origins FROM recent GROUP BY company
)
SELECT company, connection, usual.n, origins, first, last, first >= $start AS is_new,
    coalesce(lower(connection) = '{provider}', false) AS is_provider
FROM usual JOIN (FROM totals WHERE NOT is_of_day) USING (company) JOIN origins USING (company)
"""
_COMPANIES_OF: Final = """
SELECT company, connection, n, origins, first, last, is_new FROM companies
WHERE is_provider = ? ORDER BY n DESC, origins DESC, company LIMIT ?
"""
_RANKED: Final = """
SELECT {name}, CAST(sum(n) AS BIGINT) AS downloads, count(DISTINCT origin) AS origins,
    sum(n) / sum(sum(n)) OVER () AS share
FROM recent GROUP BY {name}
ORDER BY {name} IS NULL, downloads DESC, origins DESC, {name}
"""
_VERSIONS_OF: Final = """
CREATE OR REPLACE TEMP TABLE versions AS
WITH of_package AS (
    SELECT package, count(DISTINCT origin) AS origins FROM recent GROUP BY package
), seen AS (
    SELECT package, version, CAST(sum(n) AS BIGINT) AS n, count(DISTINCT origin) AS origins
    FROM recent GROUP BY ALL
)
SELECT seen.package, version, n, seen.origins, coalesce(seen.origins / nullif(of_package.origins, 0), 0) AS share,
    row_number() OVER (ORDER BY seen.origins DESC, n DESC, seen.package, version) - 1 AS rank
FROM seen JOIN of_package ON seen.package IS NOT DISTINCT FROM of_package.package
"""
_FIRST_VERSIONS: Final = "SELECT package, version, n, origins, share FROM versions ORDER BY rank LIMIT ?"
_SHARES: Final = """
WITH of_package AS (
    SELECT bucket, of_package, count(DISTINCT origin) AS origins FROM by_bucket GROUP BY ALL
), of_version AS (
    SELECT bucket, number, count(DISTINCT origin) AS origins FROM by_bucket GROUP BY ALL
)
SELECT bucket, number, coalesce(of_version.origins, 0) / of_package.origins
FROM of_package JOIN drawn USING (of_package) LEFT JOIN of_version USING (bucket, number)
"""
_ORIGINS: Final = """
WITH seen AS (SELECT DISTINCT bucket, origin FROM by_bucket),
first AS (SELECT origin, min(bucket) AS bucket FROM seen GROUP BY origin)
SELECT seen.bucket, count(*) FILTER (seen.bucket = first.bucket), count(*)
FROM seen JOIN first USING (origin) GROUP BY seen.bucket
"""
_CLIENTS_OF: Final = """
SELECT client, platform, CAST(sum(n) AS BIGINT) AS downloads, count(DISTINCT origin) AS origins
FROM recent GROUP BY ALL ORDER BY downloads DESC, origins DESC, client, platform
"""


def _name_or_none(text: str | None) -> str | None:
    return None if text is None else shortened(text)


@attrs.frozen
class Total:
    """A count in the last 28 days, and in the 28 before."""

    last: int = 0
    before: int = 0


@attrs.frozen
class Counted:
    """The downloads of a bucket; None if nothing is known about any of its days."""

    bucket: Bucket
    downloads: int | None


@attrs.frozen
class OriginsIn:
    """The origins of a bucket, and how many of them are new."""

    bucket: Bucket
    new: int
    all: int


@attrs.frozen
class ShareIn:
    """The share of a package's origins that fetched a version in a bucket; None if none fetched the package."""

    bucket: Bucket
    number: int
    share: float | None


@attrs.frozen
class Company:
    """A company in the last 28 days; first and last seen at any time."""

    name: str = attrs.field(converter=shortened)
    connection: str | None = attrs.field(converter=_name_or_none)
    downloads: int
    origins: int
    first: dt.date
    last: dt.date
    is_new: bool


@attrs.frozen
class Version:
    """A version of a package in the last 28 days, with its share of the package's origins."""

    package: str | None = attrs.field(converter=_name_or_none)
    name: str | None = attrs.field(converter=_name_or_none)
    downloads: int
    origins: int
    share: float


@attrs.frozen
class Named:
    """A name in the last 28 days, with its share of all downloads."""

    name: str = attrs.field(converter=shortened)
    downloads: int
    origins: int
    share: float


@attrs.frozen
class Client:
    """A client and its platform in the last 28 days."""

    name: str | None = attrs.field(converter=_name_or_none)
    platform: str | None = attrs.field(converter=_name_or_none)
    downloads: int
    origins: int


@attrs.frozen
class Ranking:
    """A ranking of the last 28 days.

    Attributes:
        top: the first entries.
        others: the number of other entries.
        of_others: their downloads.
        of_nobody: the downloads without this value.
    """

    top: tuple[Named, ...] = ()
    others: int = 0
    of_others: int = 0
    of_nobody: int = 0


@attrs.frozen(kw_only=True)
class Figures:
    """All figures of a report. Those without a period are about the last 28 days."""

    coverage: Coverage
    duplicates: int | None
    malformed: int | None
    server: str | None
    outside: int
    downloads: Total = Total()
    views: Total = Total()
    origins: int = 0
    company_count: int = 0
    new_company_count: int = 0
    provider_count: int = 0
    companies: tuple[Company, ...] = ()
    providers: tuple[Company, ...] = ()
    over_time: tuple[Counted, ...] = ()
    origins_over_time: tuple[OriginsIn, ...] = ()
    version_count: int = 0
    versions: tuple[Version, ...] = ()
    shares: tuple[ShareIn, ...] = ()
    packages: Ranking = Ranking()
    connections: Ranking = Ranking()
    countries: Ranking = Ranking()
    client_count: int = 0
    clients: tuple[Client, ...] = ()

    @property
    def has_earlier(self) -> bool:
        """Whether there is data before the last 28 days, so that something can be new."""
        whole, last = self.coverage.whole, self.coverage.last
        return whole is not None and last is not None and whole.start < last.start


def figures_of(source: Source) -> Figures:
    """Count the figures of a source."""
    connection, coverage = source.connection, source.coverage
    last, before = coverage.last, coverage.before
    connection.execute(
        _DAYS,
        {
            "firsts": [span.start for span in coverage.held],
            "lasts": [span.end - dt.timedelta(1) for span in coverage.held],
        },
    )
    connection.execute(_TOTALS, {"end": last.end if last else dt.date.max})
    connection.execute(_BY_DAY)
    ((outside,),) = connection.execute(_OUTSIDE).fetchall()
    known = Figures(
        coverage=coverage,
        duplicates=source.duplicates,
        malformed=source.malformed,
        server=source.server,
        outside=int(outside),
    )
    if last is None or before is None:
        return known
    slow = max(coverage.grain, Grain.WEEK, key=list(Grain).index)
    connection.execute(_RECENT, {"start": last.start})
    connection.execute(_VERSIONS_OF)
    connection.execute(_DRAWN, {"most": DRAWN_VERSIONS})
    connection.execute(_BY_BUCKET.format(grain=slow))
    connection.execute(_OF_COMPANIES.format(provider=_PROVIDER), {"start": last.start})
    totals = connection.execute(
        _IN_PERIOD, {"start": last.start, "before": before.start, "middle": before.end}
    ).fetchall()[0]
    downloads, downloads_before, views, views_before = map(int, totals)
    versions = connection.execute(_FIRST_VERSIONS, [_VERSIONS]).fetchall()
    clients = [Client(*row) for row in connection.execute(_CLIENTS_OF).fetchall()]
    buckets = coverage.buckets(slow)
    return attrs.evolve(
        known,
        downloads=Total(downloads, downloads_before),
        views=Total(views, views_before),
        origins=_count(connection, "SELECT count(DISTINCT origin) FROM recent"),
        company_count=_count(connection, "SELECT count(*) FROM companies WHERE NOT is_provider"),
        new_company_count=_count(connection, "SELECT count(*) FROM companies WHERE NOT is_provider AND is_new"),
        provider_count=_count(connection, "SELECT count(*) FROM companies WHERE is_provider"),
        companies=_companies(connection, False, _COMPANIES),
        providers=_companies(connection, True, _TOP),
        over_time=_over_time(connection, coverage),
        origins_over_time=_origins(connection, buckets),
        version_count=_count(connection, "SELECT count(*) FROM versions"),
        versions=tuple(Version(*row) for row in versions),
        shares=_shares(connection, buckets),
        packages=_ranking(connection, "package", _TOP),
        connections=_ranking(connection, "connection", _TOP),
        countries=_ranking(connection, "country", _COUNTRIES),
        client_count=len(clients),
        clients=tuple(clients[:_CLIENTS]),
    )


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    ((count,),) = connection.execute(query).fetchall()
    return int(count)


def _companies(connection: duckdb.DuckDBPyConnection, providers: bool, most: int) -> tuple[Company, ...]:
    return tuple(Company(*row) for row in connection.execute(_COMPANIES_OF, [providers, most]).fetchall())


def _ranking(connection: duckdb.DuckDBPyConnection, name: str, most: int) -> Ranking:
    rows = connection.execute(_RANKED.format(name=name)).fetchall()
    named = [Named(*row) for row in rows if row[0] is not None]
    of_nobody = sum(row[1] for row in rows if row[0] is None)
    others = named[most:]
    return Ranking(tuple(named[:most]), len(others), sum(one.downloads for one in others), of_nobody)


def _over_time(connection: duckdb.DuckDBPyConnection, coverage: Coverage) -> tuple[Counted, ...]:
    found = dict(connection.execute(_OVER_TIME.format(grain=coverage.grain)).fetchall())
    return tuple(
        Counted(bucket, None if bucket.is_gap else int(found.get(bucket.span.start, 0)))
        for bucket in coverage.buckets(coverage.grain)
    )


def _origins(connection: duckdb.DuckDBPyConnection, buckets: Sequence[Bucket]) -> tuple[OriginsIn, ...]:
    found = {bucket: counts for bucket, *counts in connection.execute(_ORIGINS).fetchall()}
    return tuple(OriginsIn(bucket, *found.get(bucket.span.start, (0, 0))) for bucket in buckets)


def _shares(connection: duckdb.DuckDBPyConnection, buckets: Sequence[Bucket]) -> tuple[ShareIn, ...]:
    found = {(bucket, number): share for bucket, number, share in connection.execute(_SHARES).fetchall()}
    drawn = _count(connection, "SELECT count(*) FROM drawn")
    return tuple(
        ShareIn(bucket, number, found.get((bucket.span.start, number)))
        for number in range(drawn)
        for bucket in buckets
    )
