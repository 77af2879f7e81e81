"""The run of the demo: a local server, a manifest planned, applied, pulled and planned again, and two exports."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from scarf_async.bulk import BulkProgress
from scarf_async.cli.applying import failures, failures_table, other_ends, say_stopping
from scarf_async.cli.asking import stoppable
from scarf_async.cli.difference import difference_lines
from scarf_async.cli.output import Status, data_console, print_table
from scarf_async.cli.records import write_json
from scarf_async.client import Scarf
from scarf_async.emulator import Emulator, Faults, Quirks
from scarf_async.entities import ApiVersion
from scarf_async.events import RetryScheduled, ScarfEvent
from scarf_async.files import write_whole
from scarf_async.manifests import Change, Changes, Manifest, read_manifest, write_manifest
from scarf_async.manifests.report import ApplyReport
from scarf_async.manifests.saved import read_changes, write_changes
from scarf_async.text import counted

__all__ = ["Rehearsal", "read_example"]

_FILE: Final = "linuxserver.yaml"
_MONTH: Final = ("2024-01-01", "2024-02-01")
_SHOWN: Final = 20
_TIMEOUT: Final = 3.0


def read_example() -> Manifest:
    """Read the example, which is in the wheel and, in a checkout, in `examples/`."""
    packaged = resources.files("scarf_async.cli") / _FILE
    if not packaged.is_file():
        return read_manifest(Path(__file__).parents[2] / "examples" / _FILE)
    with resources.as_file(packaged) as file:
        return read_manifest(file)


@attrs.define(eq=False)
class Rehearsal:
    """One run of the demo."""

    faults: bool
    seed: int
    concurrency: int
    latency: float = 0.0
    directory: Path | None = None
    api: ApiVersion = "v1"
    strict: bool = False
    console: Console = attrs.field(factory=data_console)
    retries: int = 0
    blocked: int = 0
    interrupted: bool = False
    as_json: bool = False

    async def run(self) -> Status:
        """Run; return the exit status: success only if everything matches the manifest."""
        # Check requirements first, before there is anything to continue.
        manifest = read_example()
        directory = self.directory or Path(tempfile.mkdtemp(prefix="scarf-async-demo-"))
        directory.mkdir(parents=True, exist_ok=True)
        status = Status.INTERRUPTED
        try:
            status = await self._rehearse(directory, manifest)
        finally:
            if status is Status.INTERRUPTED:
                version = [] if self.api == "v1" else ["--api", self.api, *(["--strict"] if self.strict else [])]
                again = shlex.join(["scarf-async", "demo", *version, "--directory", str(directory)])
                self._say(f"Not finished; to continue: {again}")
            elif self.directory is None:
                shutil.rmtree(directory)
        return status

    def _say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True)

    async def _rehearse(self, directory: Path, manifest: Manifest) -> Status:
        began = time.perf_counter()
        (name,) = [organization.name for organization in manifest.organizations]
        async with Emulator(
            directory / "scarf.db",
            port=_kept_port(directory),
            seed=self.seed,
            load=None if self.api == "v1" else {"organizations": [{"name": name}]},
            quirks=Quirks(permissions_of_organizations="refused" if self.strict else "works"),
        ) as emulator:
            _keep_port(directory, emulator.url)
            self._say(_opening(manifest, faults=self.faults))
            if self.faults:
                emulator.faults = Faults(seed=self.seed, status={503: 0.03, 429: 0.02}, drop_after=0.02)
            emulator.faults.latency = self.latency
            # On this machine, a response comes quickly or never.
            async with Scarf(
                emulator.token,
                api=self.api,
                owner=name,
                base_url=emulator.url,
                v2_url=emulator.v2_url,
                timeout=_TIMEOUT,
                on_event=self._count,
            ) as scarf:
                server = scarf.v2_url if self.api == "v2" else scarf.base_url
                changes = await self._plan(scarf, manifest, directory / "demo.plan", server)
                report = await self._apply(scarf, changes, directory / "demo.journal")
                if report is None or report.bulk is None:
                    return Status.INTERRUPTED
                if report.bulk.stopped_by is not None or self.interrupted:
                    self._say(str(report.bulk))
                    return Status.INTERRUPTED if self.interrupted else Status.FAILED
                found = await self._read_back(scarf, manifest, directory / "pulled.yaml")
                exported = await self.export(emulator, scarf, name)
            arrived, injected = len(emulator.requests), sum(emulator.faults.injected.values())
        for line in found[:_SHOWN]:
            self.console.print(line, style="red")
        counts = report.bulk.counts
        figures = {
            "operations": len(report.bulk),
            "succeeded": counts["succeeded"],
            "recovered after a lost response": sum(outcome.reconciled for outcome in report.bulk),
            "HTTP requests": arrived,
            "retries": self.retries,
            "faults injected": injected,
            "differences": len(found),
            **({f"blocked by {self.api}": self.blocked} if self.blocked else {}),
            **{f"{what} streamed": count for what, count in exported.items()},
        }
        elapsed = time.perf_counter() - began
        if self.as_json:
            write_json({**figures, "peak memory": _peak_memory(), "time": elapsed})
        else:
            memory = f"{_peak_memory() / 2**20:.0f} MiB, the local server's included"
            shown = {name: f"{figure:,}" for name, figure in figures.items()}
            self.console.print(_summary({**shown, "peak memory": memory, "time": f"{elapsed:.1f} s"}))
        as_expected = counts["succeeded"] + self.blocked == len(report.bulk)
        if not as_expected:
            print_table(failures_table(failures(report)), self.console)
        if found or not as_expected:
            return Status.FAILED
        self._say(
            f"{counted(injected, 'fault')} met, nothing created twice, nothing missing.\n"
            "Next, run the same server for your own programs: scarf-async emulator --api v2"
        )
        return Status.DONE

    def _count(self, event: ScarfEvent) -> None:
        self.retries += isinstance(event, RetryScheduled)

    async def _plan(self, scarf: Scarf, manifest: Manifest, file: Path, server: str) -> Changes:
        """Return the plan, which an interrupted run has saved: a journal belongs to one plan."""
        kept = _kept_plan(file)
        if kept is not None:
            self._say("Continuing with the plan of the previous run")
            return kept
        changes = await scarf.manifests.diff(manifest)
        write_changes(changes, file, server=server)
        for line in difference_lines(changes, width=self.console.width):
            self.console.print(line, soft_wrap=True)
        return changes

    async def _apply(self, scarf: Scarf, changes: Changes, journal: Path) -> ApplyReport | None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[requests]}"),
            TimeElapsedColumn(),
        )
        self._say(f"Applying {counted(len(changes.applicable), 'change')}")
        with stoppable(say_stopping) as stop, Progress(*columns, console=self.console) as display:
            task = display.add_task("operations", total=len(changes.applicable), requests="")

            def show(progress: BulkProgress) -> None:
                told = "".join(f", [red]{end}[/red]" for end in other_ends(progress))
                display.update(
                    task,
                    completed=progress.done - progress.skipped,
                    requests=counted(progress.requests, "request"),
                    description=f"operations{told}",
                )

            report = await scarf.manifests.apply(
                changes,
                journal=journal,
                concurrency=self.concurrency,
                whole=True,
                stop=stop,
                progress=show,
            )
            self.interrupted = stop.is_set()
            return report
        return None

    async def _read_back(self, scarf: Scarf, manifest: Manifest, file: Path) -> list[str]:
        """Plan again with the original and the pulled manifest; return all differences."""
        self._say("Pulling it back, and planning again")
        names = [organization.name for organization in manifest.organizations]
        write_manifest(await scarf.manifests.pull(*names), file)
        changes = await scarf.manifests.diff(manifest)
        # Whether permissions of a new package are accepted is only known once it exists.
        self.blocked = sum(change.action == "blocked" for change in changes)
        found = _differing(changes)
        found += _differing(await scarf.manifests.diff(read_manifest(file), prune=True))
        return found + await self._doubled(scarf, manifest)

    async def _doubled(self, scarf: Scarf, manifest: Manifest) -> list[str]:
        """Find duplicates, which a comparison would not notice."""
        (organization,) = manifest.organizations
        wanted = organization.packages or ()
        packages = await scarf.packages.list(organization.name)
        files = [package for package in packages if package.library_type == "file"]
        routes = sum([len(await scarf.routes.list(package)) for package in files])
        counts = (
            ("packages", len(packages), len(wanted)),
            ("routes", routes, sum(len(spec.routes or ()) for spec in wanted)),
        )
        return [f"{count} {kind} instead of {planned}" for kind, count, planned in counts if count != planned]

    async def export(self, emulator: Emulator, scarf: Scarf, name: str) -> dict[str, int]:
        """Return the number of records of each kind of export."""
        # An export without a response would end the demo: it is not retried, since it may cost money.
        emulator.faults.drop_after = 0.0
        self._say(f"Exporting {_MONTH[0]} to {_MONTH[1]}")
        counts = {"events": 0}
        async with scarf.exports.owner_events(name, *_MONTH) as event_stream:
            async for _ in event_stream:
                counts["events"] += 1
        if self.api == "v1":
            counts["aggregates"] = 0
            async with scarf.exports.organization_aggregates(name, *_MONTH) as aggregate_stream:
                async for _ in aggregate_stream:
                    counts["aggregates"] += 1
        return counts


def _opening(manifest: Manifest, *, faults: bool) -> str:
    """Print what is about to happen."""
    packages = sum(len(organization.packages or ()) for organization in manifest.organizations)
    bad = "returns an error for 5% of requests and drops 2% of connections after the request took effect"
    return (
        f"A local Scarf server{f', which {bad},' if faults else ''} is about to receive an organization of"
        f" {counted(packages, 'package')}: planned, applied, read back, compared and exported.\n"
    )


def _differing(changes: Iterable[Change]) -> list[str]:
    """Return the differences, without those that the service cannot show or apply."""
    return [str(change) for change in changes if change.action not in {"uncompared", "blocked"}]


def _summary(rows: dict[str, str]) -> Table:
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name, Text(value, "bold"))
    return table


def _peak_memory() -> int:
    """Return the peak memory of this process in bytes; 0 if the system does not report it."""
    try:
        import resource  # noqa: PLC0415 # there is none on Windows
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS bytes.
    return peak if sys.platform == "darwin" else peak * 1024


def _kept_port(directory: Path) -> int:
    """Return the port of the run that is being resumed: a journal is bound to its server's address."""
    file = directory / "port"
    return int(file.read_text("ascii")) if file.is_file() else 0


def _kept_plan(file: Path) -> Changes | None:
    return read_changes(file).changes if file.is_file() else None


def _keep_port(directory: Path, url: str) -> None:
    port = urlsplit(url).port
    write_whole(directory / "port", [str(port).encode()])
