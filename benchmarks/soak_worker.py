"""One user of the soak: sets up organizations in every way, is interrupted, and knows what it meant."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Final, TypeVar

import attrs

from benchmarks.soak_server import LATE_BY
from scarf_async import (
    BulkPlan,
    DomainCreate,
    Event,
    ExportFormat,
    ExportJob,
    GuardError,
    NotFoundError,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    RouteCreate,
    Scarf,
    ScarfError,
    verify_export,
)
from scarf_async.entities import LibraryType, PermissionLevel, Role
from scarf_async.manifests import Manifest, OrganizationSpec, PackageSpec, read_changes, write_changes

__all__ = ["Worker"]

T = TypeVar("T")

_TRIES: Final = 40
_INTERRUPTED: Final = 8
_START, _END = "2024-01-01", "2024-01-05"


@attrs.define(eq=False)
class Worker:
    """Sets up organizations, one after another, each checked at its end and then forgotten.

    Attributes:
        scarf: the client, which all workers share.
        connect: makes another client of the same server.
        server: the base address that its changes are for.
        rng: decides what it does.
        directory: a place of its own.
        name: begins the names of its organizations.
        seen: how often what happened.
        problems: what is not as it was meant.
    """

    scarf: Scarf
    connect: Callable[[], Scarf]
    server: str
    rng: random.Random
    directory: Path
    name: str
    seen: Counter[str] = attrs.field(factory=Counter)
    problems: list[str] = attrs.field(factory=list)
    _number: int = 0
    _organization: str = ""
    _plans: list[BulkPlan] = attrs.field(factory=list)
    _members: set[str] = attrs.field(factory=set)
    _packages: dict[str, tuple[set[str], set[str]]] = attrs.field(factory=dict)
    _specs: list[PackageSpec] = attrs.field(factory=list)

    async def generation(self) -> None:
        """Set up one organization, and check it."""
        self._number += 1
        self._organization = f"{self.name}-{self._number}"
        self._plans, self._members, self._packages, self._specs = [], {"owner"}, {}, []
        self.directory.mkdir()
        upsert = OrganizationUpsert(name=self._organization, description="", billing_email="")
        await self._done(lambda: self.scarf.organizations.create(upsert, if_exists="keep"))
        steps = [self._bulk, self._bulk, self._bulk, self._manifest, self._manifest, self._calls, self._calls]
        steps += [self._exports, self._exports, self._own_client]
        self.rng.shuffle(steps)
        for step in steps:
            await step()
        await self._check()
        rmtree(self.directory)
        self.seen["organizations"] += 1

    async def _done(self, make: Callable[[], Awaitable[T]]) -> T:
        """Do something until it was done, and interrupt it the first times."""
        last = ""
        for attempt in range(_TRIES):
            how = self.rng.choice(["let", "cancel", "timeout"]) if attempt < _INTERRUPTED else "let"
            after = self.rng.choice([0.0, 0.002, 0.02, 0.2]) * self.rng.random()
            try:
                if how == "let":
                    return await make()
                if how == "timeout":
                    async with asyncio.timeout(after):
                        return await make()
                return await self._cancelled(make, after)
            except ScarfError as error:
                self.seen[type(error).__name__] += 1
                last = f"{type(error).__name__}: {error}"
            except TimeoutError:
                self.seen["timed out"] += 1
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                self.seen["cancelled"] += 1
            # What was in progress may still take effect; who asks again at once could not tell.
            await asyncio.sleep(2 * LATE_BY)
        raise AssertionError(f"{self._organization}: not done after {_TRIES} tries; {last}")

    async def _cancelled(self, make: Callable[[], Awaitable[T]], after: float) -> T:
        async def run() -> T:
            return await make()

        task = asyncio.create_task(run())
        await asyncio.wait([task], timeout=after)
        # Once, or a second time while it is still clearing up.
        for _ in range(self.rng.choice([1, 1, 2])):
            task.cancel()
            await asyncio.sleep(0)
        return await task

    # What it does

    def _package(self, number: int) -> str:
        name = f"p{len(self._packages)}-{number}"
        self._packages[name] = (set(), set())
        return name

    async def _bulk(self) -> None:
        plan = BulkPlan()
        for number in range(self.rng.randint(2, 12)):
            self._members.add(user := f"user{len(self._members)}")
            plan.upsert_member(self._organization, user, self.rng.choice(["member", "admin"]))
            name = self._package(number)
            upsert = PackageUpsert(name=name, short_description="", library_type="file")
            package = plan.create_package(upsert, self._organization)
            plan.set_permission(package, f"reader{number}", "member")
            routes, domains = self._packages[name]
            for at in range(self.rng.randint(0, 3)):
                routes.add(path := f"/{name}/{at}")
                plan.create_route(package, RouteCreate("https://dl.example/x", path))
            if self.rng.random() < 0.5:
                domains.add(domain := f"{self._organization}-{name}.example")
                plan.create_domain(package, DomainCreate(domain))
        journal = self.directory / f"journal{len(self._plans)}"
        self._plans.append(plan)

        async def run() -> None:
            report = await self.scarf.bulk.run(plan, concurrency=self.rng.randint(1, 16), journal=journal)
            self.seen["operations"] += len(report.succeeded)
            report.raise_for_failures()

        await self._done(run)

    async def _manifest(self) -> None:
        for number in range(self.rng.randint(1, 4)):
            name = self._package(number)
            routes, domains = self._packages[name]
            routes.add(at := f"/{name}")
            domains.add(domain := f"{self._organization}-{name}.example")
            spec = PackageSpec(
                name=name,
                library_type=LibraryType.FILE,
                short_description="from a manifest",
                permissions={"writer": PermissionLevel.ADMIN},
                routes=(RouteCreate("https://dl.example/y", at),),
                domains=(domain,),
            )
            self._specs.append(spec)
        self._members.add(user := f"user{len(self._members)}")
        members = {user: Role.MEMBER}
        manifest = Manifest(
            organizations=(OrganizationSpec(name=self._organization, members=members, packages=tuple(self._specs)),)
        )
        path, journal = self.directory / "changes", self.directory / "changes.journal"

        async def apply() -> None:
            if not path.exists():
                changes = await self.scarf.manifests.diff(manifest)
                write_changes(changes, path, server=self.server)
            try:
                report = await self.scarf.manifests.apply(read_changes(path), journal=journal, me="owner")
                report.raise_for_failures()
            except GuardError:
                # Something late has come: what is missing now is another comparison's matter.
                path.unlink()
                journal.unlink(missing_ok=True)
                raise

        await self._done(apply)
        path.unlink()
        journal.unlink(missing_ok=True)
        left = await self._done(lambda: self.scarf.manifests.diff(manifest))
        if any(count for action, count in left.counts.items() if action != "uncompared"):
            self.problems.append(f"{self._organization}: not as its manifest says: {left}")
        self.seen["manifests"] += 1

    async def _calls(self) -> None:
        name = self._package(0)
        upsert = PackageUpsert(name=name, short_description="", library_type="file")
        package = await self._done(lambda: self.scarf.packages.create(upsert, self._organization, if_exists="keep"))
        routes, domains = self._packages[name]
        routes.add(f"/{name}")
        route = RouteCreate("https://dl.example/z", f"/{name}")
        await self._done(lambda: self.scarf.routes.create(package, route, if_exists="keep"))
        domains.add(f"{self._organization}-{name}.example")
        domain = DomainCreate(f"{self._organization}-{name}.example")
        await self._done(lambda: self.scarf.domains.create(package, domain, if_exists="keep"))
        changed = attrs.evolve(upsert, short_description="changed")
        await self._done(lambda: self.scarf.packages.update(package, changed))
        await self._done(lambda: self.scarf.members.upsert(self._organization, "guest", "member"))
        # An upsert whose response was lost is sent again; the lost one may come late, and undo a removal before it.
        await asyncio.sleep(2 * LATE_BY)
        await self._done(self._remove_guest)
        found = await self._done(lambda: self.scarf.packages.get(package.uuid))
        if found.short_description != "changed":
            self.problems.append(f"{self._organization}: {name} was not changed")
        self.seen["calls"] += 7

    async def _remove_guest(self) -> None:
        # A call that was interrupted may have done it.
        with suppress(NotFoundError):
            await self.scarf.members.remove(self._organization, "guest")

    async def _exports(self) -> None:
        packages = await self._done(lambda: self.scarf.packages.list(self._organization))
        if not packages:
            return
        package = self.rng.choice(packages)
        for _ in range(3):
            with suppress(ScarfError):
                await self._glance(package)
        expected = sorted(await self._done(lambda: self._read(package)))
        target = self.directory / "saved"
        export = self.scarf.exports.package_events(self._organization, package, _START, _END)
        saved = await self._done(lambda: export.save(target))
        form = self.rng.choice(list(ExportFormat))
        job = ExportJob(
            "package_events", self._organization, _START, _END, form, package=package.uuid, window_days=1
        )
        directory = self.directory / f"job{self.seen['jobs']}"

        async def run() -> int:
            report = await self.scarf.exports.run(job, directory)
            report.raise_for_failures()
            return report.rows

        rows = await self._done(run)
        bad = await asyncio.to_thread(verify_export, directory)
        if bad or not len(expected) == saved.records == rows:
            self.problems.append(
                f"{self._organization}: {len(expected)} read, {saved.records} saved, {rows} in a job: {bad}"
            )
        self.seen["jobs"] += 1

    async def _glance(self, package: Package) -> None:
        """Begin to read in some way, and break out of it."""
        enough = self.rng.randint(0, 60)
        async with self.scarf.exports.package_events(self._organization, package, _START, _END) as stream:
            ways: list[Callable[[], AsyncIterator[object]]] = [
                stream.__aiter__,
                stream.batches,
                stream.lines,
                stream.record_batches,
            ]
            async for _ in self.rng.choice(ways)():
                enough -= 1
                if enough < 0:
                    break
        self.seen["streams"] += 1

    async def _read(self, package: Package) -> Sequence[str]:
        rows: list[Event] = []
        async with self.scarf.exports.package_events(self._organization, package, _START, _END) as stream:
            async for batch in stream.batches(50):
                rows += batch
        return [row.id or "" for row in rows]

    async def _own_client(self) -> None:
        """Open a client for a moment, and close it with calls in flight."""
        scarf = self.connect()
        async with asyncio.TaskGroup() as group:
            for _ in range(self.rng.randint(1, 6)):
                group.create_task(self._some_call(scarf))
            await asyncio.sleep(self.rng.random() * 0.02)
            await scarf.aclose()
        self.seen["clients"] += 1

    async def _some_call(self, scarf: Scarf) -> None:
        with suppress(ScarfError):
            await scarf.members.list(self._organization)

    # What there should be

    async def _check(self) -> None:
        for plan in self._plans:
            differences = await self._done(partial(self.scarf.bulk.verify, plan))
            self.problems += [f"{self._organization}: {difference}" for difference in differences]
        members = await self._done(lambda: self.scarf.members.list(self._organization))
        self._same("members", [member.username for member in members], self._members)
        packages = await self._done(lambda: self.scarf.packages.list(self._organization))
        names = [package.name.rpartition("/")[2] for package in packages]
        self._same("packages", names, self._packages.keys())
        for name, package in zip(names, packages, strict=True):
            await self._check_package(package, *self._packages.get(name, (set(), set())))

    async def _check_package(self, package: Package, wanted_routes: set[str], wanted_domains: set[str]) -> None:
        routes = await self._done(partial(self.scarf.routes.list, package))
        self._same(f"routes of {package.name}", [route.template_path for route in routes], wanted_routes)
        domains = await self._done(partial(self.scarf.domains.list, package))
        self._same(f"domains of {package.name}", [domain.name for domain in domains], wanted_domains)

    def _same(self, what: str, found: Sequence[str], wanted: Collection[str]) -> None:
        if sorted(found) != sorted(wanted):
            self.problems.append(f"{self._organization}: {what}: {sorted(found)} where {sorted(wanted)} was meant")
