"""The demo's run: a local Scarf, a plan, its verification, two exports, a summary."""

from __future__ import annotations

import asyncio
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import anyio
import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from scarf_async import BulkPlan, BulkProgress, BulkReport, Package, Ref, RetryScheduled, Scarf, ScarfEvent
from scarf_async.cli.example import Example, build_plan, load_example
from scarf_async.emulator import Emulator, Faults

__all__ = ["Rehearsal"]

_MONTH: Final = ("2024-01-01", "2024-02-01")
_SHOWN: Final = 20
_TIMEOUT: Final = 3.0
_INTERRUPTED: Final = 130


@attrs.define(eq=False)
class Rehearsal:
    """One run of the demo."""

    faults: bool
    seed: int
    concurrency: int
    latency: float = 0.0
    directory: Path | None = None
    console: Console = attrs.field(factory=Console)
    retries: int = 0
    running: bool = False
    stop: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def run(self) -> int:
        """Run; return the exit status: 0 if everything is as it was asked for, 1 if not, 130 if interrupted."""
        directory = self.directory or Path(tempfile.mkdtemp(prefix="scarf-async-demo-"))
        directory.mkdir(parents=True, exist_ok=True)
        status = _INTERRUPTED
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, tasks.cancel_scope)
            status = await self._rehearse(directory)
            tasks.cancel_scope.cancel()
        if status == _INTERRUPTED:
            self.console.print(
                f"Interrupted. The journal is complete; to go on: scarf-async demo --directory {directory}",
                soft_wrap=True,
                markup=False,
            )
        elif self.directory is None:
            shutil.rmtree(directory)
        return status

    async def _listen(self, scope: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGINT) as signals:
            async for _ in signals:
                if not self.running or self.stop.is_set():
                    scope.cancel()
                else:
                    self.stop.set()
                    self.console.print("Stopping when what is under way has ended; Ctrl-C again stops at once")

    async def _rehearse(self, directory: Path) -> int:
        example = load_example()
        plan, sources = build_plan(example)
        began = time.perf_counter()
        async with Emulator(directory / "scarf.db", port=_kept_port(directory), seed=self.seed) as emulator:
            _keep_port(directory, emulator.url)
            if self.faults:
                emulator.faults = Faults(seed=self.seed, status={503: 0.03, 429: 0.02}, drop_after=0.02)
            emulator.faults.latency = self.latency
            # On this machine an answer is quick or never comes.
            async with Scarf(
                emulator.token,
                base_url=emulator.url,
                v2_url=emulator.v2_url,
                timeout=_TIMEOUT,
                on_event=self._count,
            ) as scarf:
                report = await self._set_up(scarf, example, plan, directory / "demo.journal")
                if report.stopped_by is not None:
                    self.console.print(str(report), markup=False)
                    return _INTERRUPTED if self.stop.is_set() else 1
                self.console.print("Reading everything back")
                found = [str(difference) for difference in await scarf.bulk.verify(plan)]
                found += await self._doubled(scarf, example, report, sources)
                events, aggregates = await self._export(scarf, example)
            arrived, injected = len(emulator.requests), sum(emulator.faults.injected.values())
        for line in found[:_SHOWN]:
            self.console.print(line, style="red", markup=False)
        self.console.print(
            self._summary(
                {
                    "operations": f"{len(report):,}",
                    "succeeded": f"{report.counts['succeeded']:,}",
                    "found by looking": f"{sum(outcome.reconciled for outcome in report.outcomes):,}",
                    "HTTP requests": f"{arrived:,}",
                    "retries": f"{self.retries:,}",
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
        return 0 if not found and report.counts["succeeded"] == len(report) else 1

    def _count(self, event: ScarfEvent) -> None:
        self.retries += isinstance(event, RetryScheduled)

    async def _set_up(self, scarf: Scarf, example: Example, plan: BulkPlan, journal: Path) -> BulkReport:
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
        self.running = True
        try:
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

                return await scarf.bulk.run(
                    plan, concurrency=self.concurrency, journal=journal, stop=self.stop, progress=show
                )
        finally:
            self.running = False

    async def _doubled(
        self, scarf: Scarf, example: Example, report: BulkReport, sources: Ref[Package]
    ) -> list[str]:
        """Look for what is there more than once, which no single operation can tell."""
        package = report[sources].result
        routes = 0 if package is None else len(await scarf.routes.list(package))
        packages = len(await scarf.packages.list(example.organization.name))
        counts = (("packages", packages, len(example.images) + 1), ("routes", routes, len(example.images)))
        return [f"{found} {kind} instead of {wanted}" for kind, found, wanted in counts if found != wanted]

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


def _kept_port(directory: Path) -> int:
    """Return the port of the run that is gone on with: a journal is bound to its server's address."""
    file = directory / "port"
    return int(file.read_text("ascii")) if file.is_file() else 0


def _keep_port(directory: Path, url: str) -> None:
    port = urlsplit(url).port
    (directory / "port").write_text(str(port), "ascii")
