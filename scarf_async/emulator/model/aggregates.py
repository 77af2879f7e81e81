"""Aggregates: rows for a package and a day, a week or longer, counted from the events of the exports."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from operator import itemgetter
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

import attrs

from scarf_async.emulator.answers import JSON
from scarf_async.emulator.generator import EVENT_COLUMNS, Cells
from scarf_async.emulator.wire import dump_json
from scarf_async.entities.enums import Breakdown, LibraryType

__all__ = [
    "FIRST_DAYS",
    "Counts",
    "Detail",
    "Row",
    "Sums",
    "cells_as",
    "client_of",
    "cloud_provider_of",
    "plain",
    "variables_of",
]

Row: TypeAlias = dict[str, JSON]
"""A row with the fields of v1's AggregateV1."""

Detail: TypeAlias = dict[str, str]

FIRST_DAYS: Final[Mapping[str, Callable[[date], date]]] = {
    "daily": lambda day: day,
    "weekly": lambda day: day - timedelta(days=day.weekday()),
    "monthly": lambda day: day.replace(day=1),
    "yearly": lambda day: day.replace(month=1, day=1),
}
"""Returns the first day of the bucket of a day."""

_PRODUCT: Final = re.compile(r"([^\s/]+)(?:/(\S+))?")


def client_of(agent: str) -> Iterator[Detail]:
    """The product that a user agent names first, as `docker/24.0.7`."""
    if product := _PRODUCT.match(agent):
        yield _filled({"client": product[1], "client_version": product[2] or ""})


def variables_of(text: str) -> Iterator[Detail]:
    """The variables of the URL of a file and their values."""
    for variable, value in parse_qsl(text, keep_blank_values=True):
        yield {"variable": variable, "value": value}


def cells_as(*names: str) -> Callable[..., Iterator[Detail]]:
    """Return a reader of cells under these names; it returns nothing if the first is empty."""
    return lambda *cells: iter([_filled(dict(zip(names, cells, strict=True)))] if cells[0] else [])


def cloud_provider_of(kind: str, name: str, domain: str) -> Iterator[Detail]:
    """The cloud provider that hosts it, if any."""
    if kind == "hosting" and name:
        yield _filled({"cloud_provider_name": name, "cloud_provider_domain": domain})


def _filled(detail: Detail) -> Detail:
    return {name: value for name, value in detail.items() if value}


_BREAKDOWNS: Final[Mapping[Breakdown, tuple[tuple[str, ...], Callable[..., Iterator[Detail]]]]] = {
    Breakdown.COMPANY: (("origin_company", "origin_domain"), cells_as("company_name", "company_domain")),
    Breakdown.CLOUD_PROVIDER: (("origin_connection_type", "origin_company", "origin_domain"), cloud_provider_of),
    Breakdown.COUNTRY: (("origin_country",), cells_as("country")),
    Breakdown.PLATFORM: (("platform",), cells_as("platform")),
    Breakdown.VERSION: (("version",), cells_as("version")),
    Breakdown.CLIENT: (("user_agent",), client_of),
    Breakdown.VARIABLE: (("variables",), variables_of),
}
# Versions are counted for docker packages only, variables for file packages only.
_ONLY_FOR: Final = {Breakdown.VERSION: LibraryType.DOCKER, Breakdown.VARIABLE: LibraryType.FILE}
# The second place of the column makes the getter return a tuple for a single column too.
_GETTERS: Final = {
    breakdown: itemgetter(*map(EVENT_COLUMNS.index, (*columns, columns[-1])))
    for breakdown, (columns, _) in _BREAKDOWNS.items()
}
_ORIGIN: Final = itemgetter(EVENT_COLUMNS.index("origin_id"))


@attrs.frozen
class Sums:
    """How a version shows aggregates.

    Attributes:
        first: Returns the first day of the bucket of a day; by default the day itself.
        show: Returns a row in the form of the version; None if it was not requested.
        without: Fields that the version does not have; rows that differ only in them are merged.
    """

    first: Callable[[date], date] = lambda day: day
    show: Callable[[Row], Row | None] = lambda row: row
    without: Collection[str] = ()


class Counts:
    """Counts the events of a package in one bucket of days.

    Args:
        day: The first day of the bucket.
        uuid: The package.
        library_type: Its type.
    """

    def __init__(self, day: date, uuid: str, library_type: str) -> None:
        self.day = day
        self._common: Row = {"date": day.isoformat(), "package": uuid}
        self._counts: dict[Breakdown, Counter[Cells]] = {
            breakdown: Counter()
            for breakdown in _BREAKDOWNS
            if _ONLY_FOR.get(breakdown, library_type) == library_type
        }
        self._total = 0
        self._origins: set[str] = set()

    def add(self, events: Sequence[Cells]) -> None:
        """Count more events."""
        for breakdown, counts in self._counts.items():
            counts.update(map(_GETTERS[breakdown], events))
        self._total += len(events)
        self._origins.update(filter(None, map(_ORIGIN, events)))

    def lines(self, shown: Sums) -> bytes:
        """One line of JSON for each breakdown and value; nothing for days without events."""
        rows = map(shown.show, self._rows(shown.without))
        return b"".join(dump_json(row) + b"\n" for row in rows if row is not None)

    def _rows(self, without: Collection[str]) -> Iterator[Row]:
        for breakdown, counts in self._counts.items():
            read = _BREAKDOWNS[breakdown][1]
            sums: Counter[tuple[tuple[str, str], ...]] = Counter()
            for cells, count in counts.items():
                for detail in read(*map(plain, cells[:-1])):
                    sums[tuple(item for item in detail.items() if item[0] not in without)] += count
            for details, total in sorted(sums.items()):
                yield {"breakdown": breakdown.value, **self._common, "total": total, **dict(details)}
        if self._total:
            unique = len(self._origins)
            yield {
                "breakdown": Breakdown.TOTAL.value, **self._common, "total": self._total, "unique_total": unique
            }  # fmt: skip


def plain(cell: str) -> str:
    """The value of a cell, without CSV's quotes."""
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell
