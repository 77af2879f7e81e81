"""The endpoint of aggregations, and its rows."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import date, timedelta
from typing import Final

import attrs

from scarf_async.emulator.answers import JSON, Answer, Refusal, Reply, Stream
from scarf_async.emulator.calls import Call, Endpoints
from scarf_async.emulator.model.aggregations import SEGMENTS, Artifact, Count, Group, Source, Wanted, count
from scarf_async.emulator.model.exports import Days, package_feed, pixel_feed, present
from scarf_async.emulator.model.names import names_matching
from scarf_async.emulator.model.owners import Owner, find_owner
from scarf_async.emulator.model.packages import packages_of
from scarf_async.emulator.model.pixels import pixels_of
from scarf_async.emulator.v2.showing import package_name
from scarf_async.emulator.wire import day, dump_json, query_values
from scarf_async.emulator.world import World
from scarf_async.entities.enums import Dimension

__all__ = ["ENDPOINTS"]

_LONGEST: Final = 366
_BUCKETS: Final = 30
_ROLLUPS: Final = {"daily": 1, "weekly": 7, "monthly": 31, "yearly": 366, "total": 1}
"""The maximum number of days in a bucket, which determines the default range."""
_DIMENSIONS: Final = (*map(str, Dimension), *SEGMENTS)
_MOST_DIMENSIONS: Final = 2
_ROWS_AT_ONCE: Final = 256
_OWN_FIELDS: Final = (
    "company_name", "company_domain", "country", "cloud_provider_name", "platform", "version", "client", "variable",
    "value", "domain", "referer", "user_agent", "endpoint_id", "origin_id",
)  # fmt: skip


class _Query:
    """The parameters, read like a framework does: all errors are reported at once.

    Args:
        text: the query, percent-encoded.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self.problems: list[JSON] = []

    def complain(self, name: str, message: str, kind: str = "value_error") -> None:
        """Record an error of a parameter."""
        self.problems.append({"type": kind, "loc": ["query", name], "msg": message})

    def texts(self, name: str) -> list[str]:
        """All values of a parameter."""
        return [value or "" for value in query_values(self._text, name)]

    def text(self, name: str) -> str | None:
        """The value of a parameter; None if it is missing."""
        return next(iter(self.texts(name)), None)

    def day(self, name: str) -> date | None:
        """A day; None if it is missing."""
        text = self.text(name)
        found = None if text is None else day(text)
        if text is not None and found is None:
            self.complain(name, "Input should be a valid date in the format YYYY-MM-DD", "date_parsing")
        return found

    def words(self, name: str, words: Collection[str]) -> list[str]:
        """Values from a closed list."""
        values = self.texts(name)
        for value in values:
            if value not in words:
                self.complain(name, f"Input should be one of {', '.join(words)}", "enum")
        return values

    def flag(self, name: str, *, default: bool) -> bool:
        """A boolean."""
        text = self.text(name)
        if text is not None and text not in {"true", "false"}:
            self.complain(name, "Input should be a valid boolean", "bool_parsing")
        return default if text is None else text == "true"


@attrs.frozen
class _Chosen:
    """The parameters that select packages and pixels."""

    packages: Sequence[str]
    pixels: Sequence[str]
    of_package: str | None
    names: str | None

    def check(self) -> None:
        """Refuse parameters that exclude each other."""
        if self.names is not None and (self.packages or self.pixels):
            raise Refusal(422, "query cannot be combined with package_id or tracking_pixel_id")
        if self.of_package is not None and (self.names is not None or self.packages):
            raise Refusal(422, "tracking_pixels_for_package_id cannot be combined with query or package_id")


def export_aggregations(call: Call) -> Reply:
    """GET /v3/insights/{owner}/aggregations/export."""
    query = _Query(call.target.query)
    start, end = query.day("start_date"), query.day("end_date")
    rollups = query.words("rollup", _ROLLUPS) or ["daily"]
    breakdowns = _breakdowns(query)
    chosen = _Chosen(
        query.texts("package_id"),
        query.texts("tracking_pixel_id"),
        query.text("tracking_pixels_for_package_id"),
        query.text("query"),
    )
    wanted = Wanted(
        rollups=rollups,
        breakdowns=breakdowns,
        company=query.text("company_reference"),
        unsure=query.flag("include_low_confidence", default=True),
    )
    by_artifact = query.flag("group_by_artifact", default=True)
    form = (query.words("format", ("ndjson", "json")) or ["ndjson"])[0]
    if query.problems:
        return Answer(422, {"detail": query.problems})
    chosen.check()
    if (name := query.text("filter")) is not None:
        # The emulator does not store filters.
        raise Refusal(422, f"There is no filter {name!r}")
    segments = [one for one in breakdowns if set(one) & set(SEGMENTS)]
    if segments and (form != "json" or rollups != ["total"] or len(breakdowns) > 1 or len(segments[0]) > 1):
        raise Refusal(422, f"{segments[0][0]} needs format=json, rollup=total and exactly one dimension")
    days, headers = _looked_at(call.world, start, end, rollups[0])
    owner = _find_owner(call)
    rows = _Rows(call.world, _sources(call, owner, chosen, by_artifact=by_artifact), days, wanted)
    if form == "json":
        return Stream("application/json", rows.document(), headers=headers)
    return Stream("application/x-ndjson", rows.lines(), headers=headers)


ENDPOINTS: Final[Endpoints] = {"/v3/insights/{owner}/aggregations/export": {"GET": export_aggregations}}


def _find_owner(call: Call) -> Owner:
    """The owner of exactly this name: names are case-sensitive in v3."""
    missing = Refusal(404, "Organization not found")
    try:
        owner = find_owner(call.world, call.db, call.params["owner"])
    except Refusal:
        raise missing from None
    if owner.name != call.params["owner"]:
        raise missing
    return owner


def _breakdowns(query: _Query) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [(word,) for word in query.words("breakdown", _DIMENSIONS)]
    for text in query.texts("breakdown_set"):
        words = tuple(text.split(","))
        if len(words) > _MOST_DIMENSIONS or len(set(words)) < len(words):
            query.complain("breakdown_set", "A set has one dimension, or two different ones")
        if not set(words) <= set(_DIMENSIONS):
            query.complain("breakdown_set", f"Input should be of {', '.join(_DIMENSIONS)}", "enum")
        found.append(words)
    return found or [(str(Dimension.TOTAL),)]


def _looked_at(world: World, start: date | None, end: date | None, rollup: str) -> tuple[Days, dict[str, str]]:
    """The days that are covered, which the plan may limit, and the headers that say so."""
    now = present(world)
    tomorrow = now.date() + timedelta(days=1)
    if end is None:
        end = tomorrow if start is None else max(tomorrow, start)
    if start is None:
        back = timedelta(days=min(_ROLLUPS[rollup] * _BUCKETS, _LONGEST))
        start = end - back if end - date.min > back else date.min
    if end < start:
        raise Refusal(422, "end_date must not be before start_date")
    if (end - start).days > _LONGEST:
        raise Refusal(422, f"The range may have {_LONGEST} days at most")
    behind = max(start, min(end, tomorrow))
    first = start
    if world.retention_days is not None:
        first = min(behind, max(start, now.date() - timedelta(days=world.retention_days)))
    headers = {
        "X-Scarf-Effective-Start-Date": first.isoformat(),
        "X-Scarf-Effective-End-Date": behind.isoformat(),
    }
    return Days(first, (behind - first).days, now), headers


def _sources(call: Call, owner: Owner, chosen: _Chosen, *, by_artifact: bool) -> list[Source]:
    db, packages, pixels = call.db, packages_of(call.db, owner), pixels_of(call.db, owner)
    pattern = None if chosen.names is None else _pattern(chosen.names)

    def made(kind: str, identifier: str, name: str) -> Artifact:
        return Artifact(kind, identifier, name) if by_artifact else Artifact(kind)

    def is_wanted(ids: Sequence[str], others: Sequence[str], identifier: str, name: str) -> bool:
        if pattern is not None:
            return pattern.fullmatch(name) is not None
        return identifier in ids or "all" in ids or not (ids or others)

    sources = []
    for row in packages if chosen.of_package is None else []:
        name = package_name(row)
        if is_wanted(chosen.packages, chosen.pixels, row["uuid"], name):
            found = made("package", row["uuid"], name)
            sources.append(Source(package_feed(db, row), lambda _, found=found: found))  # type: ignore[misc] # mypy infers no lambda with a default
    names = {row["uuid"]: row["name"] for row in pixels}
    uuids = {row["id"]: row["uuid"] for row in packages}
    attached = {row["uuid"]: uuids.get(row["package_id"]) for row in pixels}

    def pixel(identifier: str) -> Artifact | None:
        identifier = identifier.lower()
        name = names.get(identifier, identifier)
        if chosen.of_package is not None and attached.get(identifier) != chosen.of_package:
            return None
        if not is_wanted(chosen.pixels, chosen.packages, identifier, name):
            return None
        return made("tracking-pixel", identifier, name)

    return [*sources, Source(pixel_feed(db, owner), pixel)]


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return names_matching(text)
    except Refusal as refusal:
        raise Refusal(422, refusal.message) from None


@attrs.frozen
class _Rows:
    """The rows of an export, counted while they are sent."""

    world: World
    sources: Sequence[Source]
    days: Days
    wanted: Wanted

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Yield each row as a line of JSON."""
        groups: dict[Group, Count] = {}
        async with aclosing(self._count(groups)) as counting:
            async for nothing in counting:
                yield nothing
        rows = [dump_json(row) + b"\n" for row in self._rows(groups, keep=self.world.quirks.absent == "null")]
        for at in range(0, len(rows), _ROWS_AT_ONCE):
            yield b"".join(rows[at : at + _ROWS_AT_ONCE])

    async def document(self) -> AsyncGenerator[bytes, None]:
        """Yield all rows as one JSON document."""
        groups: dict[Group, Count] = {}
        async with aclosing(self._count(groups)) as counting:
            async for nothing in counting:
                yield nothing
        is_segment = self.wanted.breakdowns[0][0] in SEGMENTS
        yield dump_json({"data": self._segments(groups) if is_segment else [*self._rows(groups, keep=True)]})

    def _count(self, groups: dict[Group, Count]) -> AsyncGenerator[bytes, None]:
        return count(self.world, self.sources, self.days, self.wanted, groups)

    def _rows(self, groups: Mapping[Group, Count], *, keep: bool) -> Iterator[dict[str, JSON]]:
        for group in sorted(groups):
            yield self._row(group, groups[group], keep=keep)

    def _segments(self, groups: Mapping[Group, Count]) -> list[JSON]:
        """The number of companies in each segment; the events do not have the segment of a company."""
        companies = {group.details for group in groups}
        if not companies:
            return []
        (dimension,) = self.wanted.breakdowns[0]
        return [
            {
                "date": self.days.first.isoformat(),
                "rollup": "total",
                "breakdown": dimension,
                "breakdowns": [dimension],
                "company_count": len(companies),
            }
        ]

    def _row(self, group: Group, found: Count, *, keep: bool) -> dict[str, JSON]:
        details = dict(group.details)
        row: dict[str, JSON] = {
            "date": (self.days.first if group.rollup == "total" else group.bucket).isoformat(),
            "artifact": group.artifact.id,
            "artifact_name": group.artifact.name,
            "artifact_type": group.artifact.type,
            "rollup": group.rollup,
            "breakdown": group.breakdown[0],
            "breakdowns": list(group.breakdown),
            "total": found.total,
            "unique_origins": len(found.origins),
            "unique_endpoints": len(found.endpoints),
            "points": found.total,
            "company_sic_codes": [],
            "company_count": None,
            "last_seen": f"{found.last_seen[:10]} {found.last_seen[11:19] or '00:00:00'}+00:00",
            **{name: details.get(name) for name in _OWN_FIELDS},
        }
        return row if keep else {name: value for name, value in row.items() if value is not None}
