"""Generated events: reproducible from the seed, and created row by row, so that their number needs no memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Final, TypeAlias

import attrs

from scarf_async.entities.enums import LibraryType

__all__ = [
    "EVENT_COLUMNS",
    "Cells",
    "EventSource",
    "PerDay",
    "again",
    "chunks",
    "count_of",
    "csv_cell",
    "csv_line",
    "day_events",
    "event_columns",
    "event_lines",
]

EVENT_COLUMNS: Final = (
    "id", "type", "package", "pixel", "version", "time", "referer", "user_agent", "platform", "variables",
    "origin_id", "origin_latitude", "origin_longitude", "origin_country", "origin_city", "origin_postal",
    "origin_connection_type", "origin_company", "origin_domain", "dnt", "confidence", "endpoint_id",
    "origin_state", "mtc_quota_exceeded",
)  # fmt: skip
"""The columns of the service's exports today: more than the published description lists, and in another order,
which has changed several times. Clients should read columns by name."""

_PUBLISHED_COLUMNS: Final = (
    "type", "package", "version", "time", "referer", "user_agent", "variables", "origin_id", "origin_latitude",
    "origin_longitude", "origin_country", "origin_city", "origin_postal", "origin_company", "origin_domain",
    "origin_connection_type",
)  # fmt: skip
_COLUMNS_OF_2022: Final = (
    "id", "type", "package", "version", "time", "referer", "user_agent", "variables", "origin_id",
    "origin_latitude", "origin_longitude", "origin_country", "origin_city", "origin_postal",
    "origin_connection_type", "origin_company", "origin_domain", "dnt",
)  # fmt: skip
_COLUMN_SETS: Final = {
    "real": EVENT_COLUMNS,
    "published": _PUBLISHED_COLUMNS,
    "seed": _PUBLISHED_COLUMNS,
    "2022": _COLUMNS_OF_2022,
}

_DAYS_AT_ONCE: Final = 16
_LINES_PER_CHUNK: Final = 256
_PIXEL: Final = "5d5e3d4c-6a53-4a6e-9f0f-2f1d6c1b7a10"

Cells: TypeAlias = tuple[str, ...]
"""The cells of an event in the order of `EVENT_COLUMNS`, encoded by `csv_cell`."""

PerDay: TypeAlias = int | Callable[[date], int]
"""The number of events of each day: a constant, or a function of the day."""

_TIME: Final = EVENT_COLUMNS.index("time")


def count_of(per_day: PerDay, day: date) -> int:
    """Return the number of events of a day."""
    return per_day if isinstance(per_day, int) else per_day(day)


def csv_cell(value: str) -> str:
    """Encode a cell as in RFC 4180: quoted only if necessary."""
    if any(character in value for character in ',"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


def csv_line(cells: Sequence[str]) -> str:
    """Return a line of cells that are not encoded yet."""
    return ",".join(map(csv_cell, cells)) + "\n"


def event_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns for names, each that of a column or of a set, as `Emulator` describes.

    >>> event_columns(["2022", "mood"])[-3:]
    ('origin_domain', 'dnt', 'mood')

    Raises:
        ValueError: A column has no name, or is repeated.
    """
    columns = tuple(column for name in names for column in _COLUMN_SETS.get(name, (name,)))
    for column in columns:
        if not column or columns.count(column) > 1:
            raise ValueError(f"each column has a name and comes once, unlike {column!r}")
    return columns


_VERSIONS: Final = ("1.0.0", "1.0.1", "1.1.0", "2.0.0-rc.1", "2.0.0", "2.1.3", "latest", "")
_AGENTS: Final = tuple(
    (csv_cell(agent), csv_cell(platform))
    for agent, platform in (
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0", "Linux"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)", "macOS"),
        ("docker/24.0.7 go/go1.20.10 git-commit/311b9ff kernel/5.15.0 os/linux arch/amd64", "linux/amd64"),
        ("containerd/v1.7.11", "linux/arm64"),
        ("curl/8.5.0", ""),
        ('pip/24.0 {"ci":null,"cpu":"x86_64","distro":{"name":"Debian"}}', "Linux"),
        ("npm/10.5.0 node/v20.12.2 linux x64 workspaces/false", "Linux"),
        ("Wget/1.21.4", ""),
    )
) * 4 + (
    (csv_cell('agent "of a kind"\r\nsecond line, héllo'), ""),
    (csv_cell("agent\nthird line"), ""),
    *((csv_cell("Go-http-client/2.0"), "linux/amd64") for _ in range(30)),
)
_REFERERS: Final = tuple(
    map(
        csv_cell,
        (
            *("" for _ in range(12)),
            "https://docs.example.com/install",
            "https://example.org/search?q=a,b",
            'https://example.net/?title="quoted"',
            "https://example.com/",
        ),
    )
)
_VARIABLES: Final = ("version=1.0.0&arch=amd64", "version=2.0.0&arch=arm64", "version=2.1.3", "")
_PLACES: Final = (
    ("52.520", "13.405", "DE", "Berlin", "10115", "Berlin"),
    ("40.713", "-74.006", "US", "New York", "10001", "New York"),
    ("35.690", "139.692", "JP", "Tokyo", "100-0001", "Tokyo"),
    ("48.857", "2.352", "FR", "Paris", "75001", "Île-de-France"),
    ("-33.868", "151.209", "AU", "Sydney", "2000", "New South Wales"),
    ("", "", "", "", "", ""),
)
_COMPANIES: Final = (
    ("isp", "", ""),
    ("business", "Acme, Inc.", "acme.example"),
    ("hosting", "Cloud Example", "cloud.example"),
    ("business", "UNKNOWN", ""),
    ("education", 'The "Example" Institute', "institute.example"),
)


def _visitors() -> tuple[tuple[Cells, Cells], ...]:
    """Return the clients of the events: their cells between `variables` and `dnt`, and after it."""
    chance = random.Random(20240501)  # noqa: S311  # data for tests
    visitors: list[tuple[Cells, Cells]] = []
    for number in range(256):
        latitude, longitude, country, city, postal, state = chance.choice(_PLACES)
        kind, company, domain = chance.choice(_COMPANIES)
        confidence = f"{chance.uniform(0.2, 1.0):.3f}" if company else ""
        origin = (
            f"{chance.getrandbits(64):016x}",
            latitude,
            longitude,
            country,
            city,
            postal,
            kind,
            company,
            domain,
        )
        rest = ("true" if number % 32 == 0 else "", confidence, f"{chance.getrandbits(64):016x}", state, "")
        visitors.append((tuple(map(csv_cell, origin)), tuple(map(csv_cell, rest))))
    return tuple(visitors)


_VISITORS: Final = _visitors()
_MINUTES: Final = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(1440))


@attrs.frozen
class EventSource:
    """A source of generated events.

    Attributes:
        key: Identifies the source; together with the seed it determines every row.
        library_type: The package's type; None for pixels.
        package: The package's name; empty for pixels.
    """

    key: str
    library_type: str | None = None
    package: str = ""

    @property
    def event_type(self) -> str:
        """Return the word in the column `type`, which is an open list."""
        if self.library_type is None:
            return "pixel-fetch"
        if self.library_type == LibraryType.DOCKER:
            return "manifest-fetch"
        return "file-download" if self.library_type == LibraryType.FILE else "binary-download"


def event_lines(
    source: EventSource,
    first: date,
    days: int,
    *,
    per_day: PerDay,
    seed: int,
    columns: Sequence[str],
    now: datetime | None = None,
) -> Iterator[str]:
    """Yield the lines of all events of a range of days; only up to `now`, if given.

    The rows of a day do not depend on the range. They are not in order of time: several days are interleaved, and
    the latest days come first.
    """
    usual = tuple(columns) == EVENT_COLUMNS
    places = [EVENT_COLUMNS.index(name) if name in EVENT_COLUMNS else None for name in columns]
    for start in reversed(range(0, days, _DAYS_AT_ONCE)):
        dates = [first + timedelta(days=number) for number in range(start, min(start + _DAYS_AT_ONCE, days))]
        days_of_rows = [day_events(source, day, per_day=per_day, seed=seed, now=now) for day in dates]
        for _ in range(max(count_of(per_day, day) for day in dates)):
            for rows in days_of_rows:
                cells = next(rows, None)
                if cells is None:
                    continue
                if not usual:
                    cells = tuple("" if place is None else cells[place] for place in places)
                yield ",".join(cells) + "\n"


def day_events(
    source: EventSource, day: date, *, per_day: PerDay, seed: int, now: datetime | None = None
) -> Iterator[Cells]:
    """Return the events of one day; if the day has not passed, more of them later."""
    rows = islice(_rows(source, day, seed), count_of(per_day, day))
    if now is None or day < now.astimezone(UTC).date():
        return rows
    # Strings of one format sort like the times.
    latest = now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return (cells for cells in rows if cells[_TIME] <= latest)


def _rows(source: EventSource, day: date, seed: int) -> Iterator[Cells]:
    """Yield endless rows of one day, with encoded cells."""
    bits = random.Random(f"{seed}/{source.key}/{day}").getrandbits  # noqa: S311  # data for tests
    package, prefix = csv_cell(source.package), f"{day}T"
    usual = source.event_type
    is_pixel, is_file = source.library_type is None, source.library_type == LibraryType.FILE
    while True:
        number = bits(128)
        text = f"{number:032x}"
        low = number & 0xFFFFFFFF
        # An event of a pixel on the page of a package is an event of the package.
        of_pixel = is_pixel or not low & 0xF
        agent, platform = _AGENTS[(number >> 32) & 0x3F]
        origin, rest = _VISITORS[(number >> 40) & 0xFF]
        minute = ((number >> 48) & 0xFFFF) % 1440
        yield (
            f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}",
            "pixel-fetch" if of_pixel else usual,
            package,
            _PIXEL if of_pixel else "",
            "" if of_pixel else _VERSIONS[(low >> 4) & 0x7],
            f"{prefix}{_MINUTES[minute]}:{(number >> 64) % 60:02}.{(number >> 72) % 1000000:06}Z",
            _REFERERS[(low >> 8) & 0xF],
            agent,
            platform,
            _VARIABLES[(low >> 12) & 0x3] if is_file and not of_pixel else "",
            *origin,
            *rest,
        )


def again(lines: Iterator[str], share: float, key: str) -> Iterator[str]:
    """Repeat a share of the lines a little later, since delivery is at least once."""
    if share <= 0.0:
        yield from lines
        return
    chance = random.Random(key)  # noqa: S311  # data for tests
    while batch := list(islice(lines, _LINES_PER_CHUNK)):
        yield from batch
        yield from (line for line in batch if chance.random() < share)


def chunks(lines: Iterator[str]) -> Iterator[bytes]:
    """Yield lines in chunks of about 64 KiB."""
    while batch := list(islice(lines, _LINES_PER_CHUNK)):
        yield "".join(batch).encode()
