"""The endpoints of v2's exports."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from typing import Final

from scarf_async.emulator.answers import Refusal, Stream
from scarf_async.emulator.calls import Call, Endpoints
from scarf_async.emulator.model.aggregates import FIRST_DAYS, Row, Sums
from scarf_async.emulator.model.exports import (
    Days,
    events_of_company,
    events_of_packages,
    events_of_pixels,
    limited_days,
    present,
    rollup_of_pixels,
    sums_of_packages,
)
from scarf_async.emulator.model.names import names_matching
from scarf_async.emulator.model.packages import packages_of
from scarf_async.emulator.v1.exports import check_file
from scarf_async.emulator.v2.reading import owner_in, package_in, pixel_in, query_text, query_words, unrecognized
from scarf_async.emulator.wire import day
from scarf_async.entities.enums import Breakdown

__all__ = ["ENDPOINTS"]

# The default range of v2, a month: 31 days including today.
_MONTH: Final = timedelta(days=30)
_BREAKDOWNS: Final = {
    "by-company": Breakdown.COMPANY,
    "by-cloudprovider": Breakdown.CLOUD_PROVIDER,
    "by-country": Breakdown.COUNTRY,
    "by-platform": Breakdown.PLATFORM,
    "by-version": Breakdown.VERSION,
    "by-client": Breakdown.CLIENT,
    "by-variable": Breakdown.VARIABLE,
    "by-total": Breakdown.TOTAL,
}
_NAMES: Final = {"package": "artifact", "unique_total": "total_unique"}
# Their rows are unknown; the last one is spelled like this.
_NOT_COUNTED: Final = (
    "by-domain",
    "by-referer",
    "by-total-do-not-track",
    "by-educational-organization",
    "by-govermental-organization",
)


def package_events(call: Call) -> Stream:
    """GET /v2/packages/{owner_name}/{package_id}/events."""
    days = _days(call)
    return events_of_packages(call.world, call.db, [package_in(call)], days)


def owner_events(call: Call) -> Stream:
    """GET /v2/packages/{owner_name}/events: of the packages of an organization or a user that match `query`."""
    return _owner_events(call, _days(call), "query")


def owner_aggregates(call: Call) -> Stream:
    """GET /v2/packages/{owner_name}/aggregates: by default for each day, with all breakdowns."""
    days, rows = _days(call), _rows(call, "query")
    rollups = query_words(call, "rollup", FIRST_DAYS) or ["daily"]
    asked = query_words(call, "breakdown", [*_BREAKDOWNS, *_NOT_COUNTED]) or _BREAKDOWNS
    show = partial(_shown, words={str(_BREAKDOWNS[word]): word for word in asked if word in _BREAKDOWNS})
    sums = [
        Sums(FIRST_DAYS[rollup], partial(show, rollup=rollup), {"client_version"})
        for rollup in dict.fromkeys(rollups)
    ]
    return sums_of_packages(call.world, call.db, rows, days, *sums)


def owner_events_2022(call: Call) -> Stream:
    """GET /api/v2/{owner_name}/packages/events/{fileName}.csv: the same at its first URL."""
    check_file(call)
    return _owner_events(call, _days(call, "startDate", "endDate"), "selector")


def pixel_events(call: Call) -> Stream:
    """GET /v2/tracking-pixels/{owner_name}/events."""
    days = _days(call)
    return events_of_pixels(call.world, call.db, owner_in(call), days)


def one_pixels_events(call: Call) -> Stream:
    """GET /v2/tracking-pixels/{owner_name}/{tracking_pixel_id}/events."""
    days = _days(call)
    return events_of_pixels(call.world, call.db, owner_in(call), days, pixel_in(call))


def company_events(call: Call) -> Stream:
    """GET /v2/companies/{owner_name}/{domain}/events: empty for an unknown company."""
    days = _days(call)
    return events_of_company(call.world, call.db, owner_in(call), call.params["domain"], days)


def pixel_rollup(call: Call) -> Stream:
    """GET /v2/companies/{owner_name}/pixel-rollup."""
    days = _days(call)
    return rollup_of_pixels(call.world, call.db, owner_in(call), days)


ENDPOINTS: Final[Endpoints] = {
    # The URL of the export in 2022.
    "/api/v2/{owner}/packages/events/{file}": {"GET": owner_events_2022},
    "/v2/packages/{owner}/aggregates": {"GET": owner_aggregates},
    "/v2/packages/{owner}/events": {"GET": owner_events},
    "/v2/packages/{owner}/{package}/events": {"GET": package_events},
    "/v2/tracking-pixels/{owner}/events": {"GET": pixel_events},
    "/v2/tracking-pixels/{owner}/{pixel}/events": {"GET": one_pixels_events},
    "/v2/companies/{owner}/{domain}/events": {"GET": company_events},
    "/v2/companies/{owner}/pixel-rollup": {"GET": pixel_rollup},
}


def _owner_events(call: Call, days: Days, query_name: str) -> Stream:
    return events_of_packages(call.world, call.db, _rows(call, query_name), days)


def _rows(call: Call, query_name: str) -> list[sqlite3.Row]:
    """The owner's packages that match a query."""
    rows = packages_of(call.db, owner_in(call))
    if query_name in call.query:
        wanted = names_matching(query_text(call, query_name))
        rows = [row for row in rows if wanted.fullmatch(row["name"])]
    return rows


def _shown(row: Row, *, words: Mapping[str, str], rollup: str) -> Row | None:
    """A row in the form of v2, if its breakdown was requested."""
    word = words.get(str(row["breakdown"]))
    shown = {_NAMES.get(name, name): value for name, value in row.items()}
    return None if word is None else {**shown, "breakdown": word, "rollup": rollup}


def _days(call: Call, start_name: str = "start_date", end_name: str = "end_date") -> Days:
    """The requested range: the description calls its end exclusive, users found it inclusive."""
    start, end = _date(call, start_name), _date(call, end_name)
    inclusive = call.world.quirks.end_inclusive or end is None
    if end is None:
        today = present(call.world).date()
        end = today if start is None else max(start, today)
    if start is None:
        start = end - _MONTH if end - date.min > _MONTH else date.min
    if end < start:
        raise Refusal(400, f"{end_name} lies before {start_name}.")
    return limited_days(call.world, start, (end - start).days + inclusive)


def _date(call: Call, name: str) -> date | None:
    """A date, or None if it is omitted; invalid ones are refused with the message of the service's parser."""
    if name not in call.query:
        return None
    parsed = day(query_text(call, name))
    if parsed is None:
        raise unrecognized(name)
    return parsed
