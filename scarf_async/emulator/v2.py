"""API v2: the exports of events, how they are asked for, and its plain words for what it cannot parse."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from scarf_async.emulator.answers import Refusal, Stream
from scarf_async.emulator.calls import Call, Endpoints
from scarf_async.emulator.model_exports import (
    Days,
    events_of_packages,
    events_of_pixels,
    limited_days,
    packages_of_owner,
    present,
)
from scarf_async.emulator.model_packages import find_package
from scarf_async.emulator.v1_exports import check_file
from scarf_async.emulator.wire import day

__all__ = ["ENDPOINTS", "names_matching"]

# What v2 calls a month where it is not told the dates: with today, 31 days.
_MONTH: Final = timedelta(days=30)
_PIECE: Final = re.compile(r"[{},*]|(?:\\[{},*]|[^{},*\\])+")
_MEANING: Final = {"{": "(?:", "}": ")", ",": "|", "*": ".*"}


def package_events(call: Call) -> Stream:
    """GET /v2/packages/{owner_name}/{package_id}/events."""
    days = _days(call)
    _, rows = packages_of_owner(call.world, call.db, call.params["owner"])
    row = find_package(call.db, call.params["package"])
    if row["id"] not in {owned["id"] for owned in rows}:
        raise Refusal(404, f"{call.params['owner']!r} has no package {row['uuid']}.", "not-found")
    return events_of_packages(call.world, call.db, [row], days)


def owner_events(call: Call) -> Stream:
    """GET /v2/packages/{owner_name}/events: of the packages of an organization or a user that `query` means."""
    return _owner_events(call, _days(call), "query")


def owner_events_2022(call: Call) -> Stream:
    """GET /api/v2/{owner_name}/packages/events/{fileName}.csv: the same under its first names."""
    check_file(call)
    return _owner_events(call, _days(call, "startDate", "endDate"), "selector")


def pixel_events(call: Call) -> Stream:
    """GET /v2/tracking-pixels/{owner_name}/events."""
    days = _days(call)
    owner, _ = packages_of_owner(call.world, call.db, call.params["owner"])
    return events_of_pixels(call.world, call.db, owner, days)


ENDPOINTS: Final[Endpoints] = {
    # Where the export was in 2022.
    "/api/v2/{owner}/packages/events/{file}": {"GET": owner_events_2022},
    "/v2/packages/{owner}/events": {"GET": owner_events},
    "/v2/packages/{owner}/{package}/events": {"GET": package_events},
    "/v2/tracking-pixels/{owner}/events": {"GET": pixel_events},
}


def names_matching(query: str) -> re.Pattern[str]:
    r"""A pattern for the whole of a name.

    A comma separates alternatives, braces enclose some, `*` matches any text, `/` included, and `\` goes
    before any of these where it means itself.

    Raises:
        Refusal: 400 for braces that do not match, for an alternative without text, and for another `\`.
    """
    pieces: list[str] = _PIECE.findall(query)
    depth, empty = 0, True
    parts: list[str] = []
    for piece in pieces:
        depth += (piece == "{") - (piece == "}")
        if depth < 0 or (empty and piece in {",", "}"}):
            raise _not_a_query(query)
        empty = piece in {"{", ","}
        parts.append(_MEANING.get(piece) or re.escape(re.sub(r"\\(.)", r"\1", piece)))
    if depth or empty or "".join(pieces) != query:
        raise _not_a_query(query)
    return re.compile("".join(parts), re.DOTALL)


def _owner_events(call: Call, days: Days, query_name: str) -> Stream:
    _, rows = packages_of_owner(call.world, call.db, call.params["owner"])
    if query_name in call.query:
        wanted = names_matching(_text(call, query_name))
        rows = [row for row in rows if wanted.fullmatch(row["name"])]
    return events_of_packages(call.world, call.db, rows, days)


def _days(call: Call, start_name: str = "start_date", end_name: str = "end_date") -> Days:
    """The range asked for, with its end: the description calls it exclusive, users found it inclusive."""
    start, end = _date(call, start_name), _date(call, end_name)
    if end is None:
        today = present(call.world).date()
        end = today if start is None else max(start, today)
    if start is None:
        start = end - _MONTH if end - date.min > _MONTH else date.min
    if end < start:
        raise Refusal(400, f"{end_name} lies before {start_name}.")
    return limited_days(call.world, start, (end - start).days + 1)


def _date(call: Call, name: str) -> date | None:
    """A date, or None where it is left out; refused in the words of the service's parser."""
    if name not in call.query:
        return None
    text = _text(call, name)
    parsed = day(text)
    if parsed is None:
        raise Refusal(400, f"Unable to recognize query parameter: {name}", plain=True)
    return parsed


def _text(call: Call, name: str) -> str:
    text = call.query[name]
    if text is None:
        raise Refusal(400, f"Missing query parameter: {name}", plain=True)
    return text


def _not_a_query(query: str) -> Refusal:
    return Refusal(400, f"{query!r} is not a query for package names.", "invalid-package-query")
