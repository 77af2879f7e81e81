"""An emulator with an organization and packages, and what its exports should become."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from scarf_async import Event, OrganizationUpsert, Package, PackageUpsert, RetryPolicy, Scarf
from scarf_async.emulator import Emulator
from scarf_async.exports.jobs import ExportJob
from scarf_async.exports.jobs.directory import read_manifest
from scarf_async.exports.jobs.manifest import JOURNAL, Manifest

ORGANIZATION = OrganizationUpsert(name="acme", description="", billing_email="pay@acme.example")
START, END = "2024-01-01", "2024-01-09"


@attrs.frozen
class Service:
    """A running emulator, a client, and a package named `web`."""

    emulator: Emulator
    scarf: Scarf
    web: Package

    def job(self, start: str = START, end: str = END, **values: Any) -> ExportJob:
        """Return a job for the package's events, a window for every two days."""
        chosen: dict[str, Any] = {"package": self.web.uuid, "window_days": 2} | values
        return ExportJob("package_events", "acme", start, end, **chosen)

    def asked(self) -> list[tuple[str, str]]:
        """The ranges that exports were asked for, in order of arrival."""
        return [range_of(request.query) for request in self.emulator.requests if "/events" in request.path]


def range_of(query: Mapping[str, str]) -> tuple[str, str]:
    """Return the range of a request, of v1 or v2."""
    return (
        query.get("startDate") or query.get("start_date", ""),
        query.get("endDate") or query.get("end_date", ""),
    )


@asynccontextmanager
async def service(
    on_event: Callable[[object], object] | None = None, *, attempts: int = 3, **options: Any
) -> AsyncIterator[Service]:
    """Run an emulator of these options."""
    policy = RetryPolicy(attempts=attempts, initial_delay=0, max_delay=0)
    async with (
        Emulator(**{"events_per_day": 20} | options) as emulator,
        Scarf(
            emulator.token, base_url=emulator.url, v2_url=emulator.v2_url, retry=policy, on_event=on_event
        ) as scarf,
    ):
        await scarf.organizations.create(ORGANIZATION)
        upsert = PackageUpsert(name="web", short_description="", library_type="file")
        yield Service(emulator, scarf, await scarf.packages.create(upsert, "acme"))


def manifest(directory: Path) -> Manifest:
    """Return the manifest of a directory."""
    found = read_manifest(directory)
    assert found is not None
    return found


def names(directory: Path) -> list[str]:
    """Return the files of a directory, from it on, hidden ones too; but for the journal, which comes and goes."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.name != JOURNAL)
    return sorted(str(path.relative_to(directory)) for path in files)


def ids(directory: Path) -> list[str]:
    """Return the ids in the CSV files of a directory, in order of their names."""
    found: list[str] = []
    for path in sorted((directory / "data").glob("*.csv")):
        with path.open(newline="") as file:
            found += [row["id"] for row in csv.DictReader(file)]
    return found


async def all_events(scarf: Scarf, package: Package, start: str, end: str) -> list[Event]:
    """Return what one request for the whole range gives."""
    async with scarf.exports.package_events("acme", package, start, end) as events:
        return [event async for event in events]
