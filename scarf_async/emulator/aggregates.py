"""Invented aggregates: AggregateV1 rows for the packages that exist, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

import attrs

from scarf_async.emulator.answers import JSON
from scarf_async.emulator.wire import dump_json
from scarf_async.entities.enums import Breakdown, LibraryType

__all__ = ["Counted", "aggregate_lines"]

_DETAILS: Final[dict[Breakdown, tuple[dict[str, JSON], ...]]] = {
    Breakdown.COMPANY: (
        {"company_name": "Acme, Inc.", "company_domain": "acme.example"},
        {"company_name": "Exämple GmbH", "company_domain": "example.net"},
    ),
    Breakdown.CLOUD_PROVIDER: ({"cloud_provider_name": "Cloud Example", "cloud_provider_domain": "cloud.example"},),
    Breakdown.COUNTRY: ({"country": "DE"}, {"country": "US"}, {"country": "JP"}),
    Breakdown.PLATFORM: ({"platform": "linux/amd64"}, {"platform": "linux/arm64"}),
    Breakdown.VERSION: ({"version": "latest"}, {"version": "2.1.3"}),
    Breakdown.CLIENT: (
        {"client": "docker", "client_version": "24.0.7"},
        {"client": "curl", "client_version": "8.5.0"},
    ),
    Breakdown.VARIABLE: ({"variable": "arch", "value": "amd64"}, {"variable": "arch", "value": "arm64"}),
}
# Versions are counted for docker packages only, variables for file packages only.
_ONLY_FOR: Final = {Breakdown.VERSION: LibraryType.DOCKER, Breakdown.VARIABLE: LibraryType.FILE}


@attrs.frozen
class Counted:
    """A package whose events are counted."""

    key: str
    uuid: str
    library_type: str


def aggregate_lines(package: Counted, first: date, days: int, *, seed: int) -> Iterator[bytes]:
    """One JSON object a line for each day, breakdown and value, for so many days from the first on."""
    for number in range(days):
        day = first + timedelta(days=number)
        chance = random.Random(f"{seed}/{package.key}/{day}")  # noqa: S311  # data for tests
        common: dict[str, JSON] = {"date": day.isoformat(), "package": package.uuid}
        for breakdown, details in _DETAILS.items():
            if _ONLY_FOR.get(breakdown, package.library_type) != package.library_type:
                continue
            for detail in details:
                total = chance.randrange(1, 500)
                yield dump_json({"breakdown": breakdown.value, **common, "total": total, **detail}) + b"\n"
        total = chance.randrange(500, 5000)
        unique = chance.randrange(1, total)
        yield (
            dump_json({"breakdown": Breakdown.TOTAL.value, **common, "total": total, "unique_total": unique})
            + b"\n"
        )
