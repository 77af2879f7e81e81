"""Aggregations: counts in buckets of days, by dimensions, from the events of the exports."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import date
from itertools import product
from operator import itemgetter
from typing import Final, TypeAlias

import attrs

from scarf_async.emulator.generator import EVENT_COLUMNS, Cells
from scarf_async.emulator.model.aggregates import (
    FIRST_DAYS,
    Detail,
    cells_as,
    client_of,
    cloud_provider_of,
    plain,
    variables_of,
)
from scarf_async.emulator.model.exports import Days, Feed, events_by_day
from scarf_async.emulator.world import World
from scarf_async.entities.enums import Dimension

__all__ = ["SEGMENTS", "Artifact", "Count", "Group", "Source", "Wanted", "count"]

SEGMENTS: Final = ("by-company-funnel-stage", "by-company-size", "by-company-sic-code")
"""The dimensions that count companies."""

_SURE: Final = 0.5


@attrs.frozen(order=True)
class Artifact:
    """A package or a pixel; both strings are empty if several are counted together."""

    type: str
    id: str = ""
    name: str = ""


@attrs.frozen
class Source:
    """Events, and the artifact of each, by the pixel in it; None if the artifact was not requested."""

    feed: Feed
    artifact: Callable[[str], Artifact | None]


@attrs.frozen(kw_only=True)
class Wanted:
    """What to count, and by which dimensions.

    Attributes:
        rollups: the lengths of buckets; each is counted separately.
        breakdowns: the sets of one or two dimensions; each is counted separately.
        company: the name or domain of the only company to count; None for all.
        unsure: whether to count companies with low confidence.
    """

    rollups: Sequence[str]
    breakdowns: Sequence[tuple[str, ...]]
    company: str | None = None
    unsure: bool = True


@attrs.define
class Count:
    """The counts of one group."""

    total: int = 0
    origins: set[str] = attrs.field(factory=set)
    endpoints: set[str] = attrs.field(factory=set)
    last_seen: str = ""

    def add(self, event: Mapping[str, str]) -> None:
        """Count an event."""
        self.total += 1
        self.origins.update(filter(None, [event["origin_id"]]))
        self.endpoints.update(filter(None, [event["endpoint_id"]]))
        self.last_seen = max(self.last_seen, event["time"])


@attrs.frozen(order=True)
class Group:
    """The group of a row."""

    rollup: str
    breakdown: tuple[str, ...]
    bucket: date
    artifact: Artifact
    details: tuple[tuple[str, str], ...]


_Read: TypeAlias = "tuple[tuple[str, ...], Callable[..., Iterator[Detail]]]"


def _tracked(dnt: str) -> Iterator[Detail]:
    return iter([{}] if dnt == "true" else [])


def _provider(*cells: str) -> Iterator[Detail]:
    return ({"cloud_provider_name": found["cloud_provider_name"]} for found in cloud_provider_of(*cells))


def _product(agent: str) -> Iterator[Detail]:
    return ({"client": found["client"]} for found in client_of(agent))


# The events have no data for the other dimensions.
_READ: Final[Mapping[str, _Read]] = {
    Dimension.TOTAL: ((), lambda: iter([{}])),
    Dimension.TOTAL_DO_NOT_TRACK: (("dnt",), _tracked),
    Dimension.COMPANY: (("origin_company", "origin_domain"), cells_as("company_name", "company_domain")),
    Dimension.CLOUD_PROVIDER: (("origin_connection_type", "origin_company", "origin_domain"), _provider),
    Dimension.COUNTRY: (("origin_country",), cells_as("country")),
    Dimension.PLATFORM: (("platform",), cells_as("platform")),
    Dimension.VERSION: (("version",), cells_as("version")),
    Dimension.CLIENT: (("user_agent",), _product),
    Dimension.VARIABLE: (("variables",), variables_of),
    Dimension.REFERER: (("referer",), cells_as("referer")),
    Dimension.USER_AGENT: (("user_agent",), cells_as("user_agent")),
    Dimension.ENDPOINT: (("endpoint_id",), cells_as("endpoint_id")),
    Dimension.ORIGIN: (("origin_id",), cells_as("origin_id")),
    # This is not shown: the companies of a segment are counted.
    **dict.fromkeys(SEGMENTS, (("origin_company",), cells_as("company_name"))),
}
_NOTHING: Final[_Read] = ((), lambda: iter([]))
_COLUMNS: Final = (
    "pixel", "version", "time", "referer", "user_agent", "platform", "variables", "origin_id", "origin_country",
    "origin_connection_type", "origin_company", "origin_domain", "dnt", "confidence", "endpoint_id",
)  # fmt: skip
_CELLS: Final = itemgetter(*map(EVENT_COLUMNS.index, _COLUMNS))


async def count(
    world: World, sources: Sequence[Source], days: Days, wanted: Wanted, groups: dict[Group, Count]
) -> AsyncGenerator[bytes, None]:
    """Count the events of some days by group; yields empty chunks so that others can run."""
    for source in sources:
        async with aclosing(events_by_day(world, source.feed, days)) as batches:
            async for of_day, events in batches:
                for cells in events:
                    _count_event(of_day, cells, source, wanted, groups)
                yield b""


def _count_event(of_day: date, cells: Cells, source: Source, wanted: Wanted, groups: dict[Group, Count]) -> None:
    event = dict(zip(_COLUMNS, map(plain, _CELLS(cells)), strict=True))
    artifact = source.artifact(event["pixel"])
    if artifact is None:
        return
    if not wanted.unsure and _confidence(event["confidence"]) < _SURE:
        event |= dict.fromkeys(("origin_company", "origin_domain", "origin_connection_type"), "")
    if wanted.company is not None and wanted.company.casefold() not in {
        event["origin_company"].casefold(),
        event["origin_domain"].casefold(),
    }:
        return
    for breakdown in wanted.breakdowns:
        for details in product(*(_details(dimension, event) for dimension in breakdown)):
            together = tuple(item for detail in details for item in detail.items())
            for rollup in wanted.rollups:
                first = FIRST_DAYS.get(rollup, _only_bucket)
                group = Group(rollup, breakdown, first(of_day), artifact, together)
                groups.setdefault(group, Count()).add(event)


def _only_bucket(_: date) -> date:
    return date.min


def _confidence(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return 1.0


def _details(dimension: str, event: Mapping[str, str]) -> list[Detail]:
    columns, read = _READ.get(dimension, _NOTHING)
    return list(read(*(event[column] for column in columns)))
