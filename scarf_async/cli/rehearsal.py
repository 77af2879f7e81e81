"""The demo's run: a local Scarf, a plan, a comparison, two exports, a summary."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

import anyio
import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from scarf_async import BulkProgress, BulkReport, Permission, RequestStarted, RetryScheduled, Scarf, ScarfEvent
from scarf_async.cli.example import Example, Shown, build_plan, differences, load_example
from scarf_async.emulator import Emulator, Faults

__all__ = ["Rehearsal"]

_MONTH: Final = ("2024-01-01", "2024-02-01")
_SHOWN: Final = 20


@attrs.define
class Rehearsal:
    """One run of the demo."""

    faults: bool
    seed: int
    concurrency: int
    console: Console = attrs.field(factory=Console)
    counted: Counter[str] = attrs.field(factory=Counter)

    async def run(self) -> bool:
        """Run; tell whether everything is as it was asked for."""
        example = load_example()
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="scarf-async-demo-") as directory:
            async with Emulator(Path(directory) / "scarf.db", seed=self.seed) as emulator:
                if self.faults:
                    emulator.faults = Faults(seed=self.seed, status={503: 0.03, 429: 0.02}, drop_after=0.02)
                async with Scarf(
                    emulator.token, base_url=emulator.url, v2_url=emulator.v2_url, on_event=self._count
                ) as scarf:
                    report = await self._set_up(scarf, example)
                    found = differences(example, await self._read_back(scarf, example))
                    events, aggregates = await self._export(scarf, example)
                injected = sum(emulator.faults.injected.values())
                arrived = len(emulator.requests)
        for line in found[:_SHOWN]:
            self.console.print(f"[red]{line}[/red]")
        self.console.print(
            self._summary(
                {
                    "operations": f"{len(report):,}",
                    "succeeded": f"{report.counts['succeeded']:,}",
                    "found by looking": f"{sum(outcome.reconciled for outcome in report.outcomes):,}",
                    "HTTP requests": f"{arrived:,}",
                    "retries": f"{self.counted['RetryScheduled']:,}",
                    "faults injected": f"{injected:,}",
                    "differences": f"{len(found):,}",
                    "events streamed": f"{events:,}",
                    "aggregates streamed": f"{aggregates:,}",
                    "peak memory": f"{_peak_memory() / 2**20:.0f} MiB, the local server's included",
                    "time": f"{time.perf_counter() - began:.1f} s",
                }
            )
        )
        if report.counts["succeeded"] != len(report):
            self.console.print(str(report), markup=False)
        return not found and report.counts["succeeded"] == len(report)

    def _count(self, event: ScarfEvent) -> None:
        if isinstance(event, RequestStarted | RetryScheduled):
            self.counted[type(event).__name__] += 1

    async def _set_up(self, scarf: Scarf, example: Example) -> BulkReport:
        plan, _ = build_plan(example)
        self.console.print(
            f"Setting up [bold]{example.organization.name}[/bold]: {len(example.images)} images,"
            f" {len(example.levels)} people, {len(plan):,} operations"
        )
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[requests]} requests"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console) as display:
            task = display.add_task("operations", total=len(plan), requests=0)

            def show(progress: BulkProgress) -> None:
                failed = f" [red]{progress.failed} failed[/red]" if progress.failed else ""
                display.update(
                    task,
                    completed=progress.done,
                    requests=f"{progress.requests:,}",
                    description=f"operations{failed}",
                )

            return await scarf.bulk.run(plan, concurrency=self.concurrency, progress=show)

    async def _read_back(self, scarf: Scarf, example: Example) -> Shown:
        self.console.print("Reading everything back")
        name = example.organization.name
        packages = await scarf.packages.list(name)
        permissions: dict[str, list[Permission]] = {}

        async def read_permissions(uuid: str, package: str) -> None:
            permissions[package] = await scarf.permissions.list(uuid)

        async with anyio.create_task_group() as readers:
            for package in packages:
                readers.start_soon(read_permissions, package.uuid, package.name)
        files = [package for package in packages if package.library_type == "file"]
        return Shown(
            organization=await scarf.organizations.get(name),
            members=await scarf.members.list(name),
            packages=packages,
            permissions=permissions,
            routes=[route for package in files for route in await scarf.routes.list(package)],
            domains=[domain for package in files for domain in await scarf.domains.list(package)],
        )

    async def _export(self, scarf: Scarf, example: Example) -> tuple[int, int]:
        name = example.organization.name
        self.console.print(f"Exporting {_MONTH[0]} to {_MONTH[1]}")
        events = aggregates = 0
        async with scarf.exports.owner_events(name, *_MONTH) as event_stream:
            async for _ in event_stream:
                events += 1
        async with scarf.exports.organization_aggregates(name, *_MONTH) as aggregate_stream:
            async for _ in aggregate_stream:
                aggregates += 1
        return events, aggregates

    @staticmethod
    def _summary(rows: dict[str, str]) -> Table:
        table = Table(show_header=False, box=None)
        for name, value in rows.items():
            table.add_row(name, f"[bold]{value}[/bold]")
        return table


def _peak_memory() -> int:
    """Return the most memory that this process has held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS bytes.
    return peak if sys.platform == "darwin" else peak * 1024
