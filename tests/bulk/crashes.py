"""Plans, faults and crashes drawn from a seed, and what must be true when the plan has been run to its end.

A crash is simulated in the process: what the journal holds at that moment is what the next run finds, and nothing
is written or synced by the dying run any more; what it has in flight arrives or does not. A *power cut* also loses
any part of what was not synced. Time passes fifty times faster for the client than for the emulator, so that
backoff and settling cost little; late effects and limits on the wire are real.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import stat
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest.mock import patch

import attrs

from scarf_async import (
    UNSET,
    ApiVersion,
    BulkPlan,
    BulkReport,
    DomainCreate,
    JournalError,
    OrganizationUpsert,
    PackageKey,
    PackageUpsert,
    Ref,
    RetryPolicy,
    RouteCreate,
    Scarf,
    ValidationError,
)
from scarf_async.bulk.journal import Journal
from scarf_async.bulk.schedule import compile_plan
from scarf_async.clock import Clock
from scarf_async.dialects import dialect_of
from scarf_async.emulator import Emulator, FaultRule, Faults, Quirks
from scarf_async.emulator.faults import Action
from scarf_async.emulator.received import ReceivedRequest
from scarf_async.emulator.state import State
from scarf_async.emulator.store import Transaction

from .interpreter import CREATES, DELETES, Interpreter, without_double_routes
from .plans import arguments

__all__ = ["Base", "Case", "Verdict", "base_of", "check", "draw"]

T = TypeVar("T")

_OWNER: Final = "emulator-user"
_STATED: Final = ("users", "members", "permissions")
SPEED: Final = 50.0
LATE: Final = 0.01
# By the fast clock: 40 ms, four times as late as the latest effect.
POLICY: Final = RetryPolicy(attempts=12, initial_delay=0.2, max_delay=1.0, settle=2.0)
TIMEOUT: Final = 1.0
_CLEAN_RUNS: Final = 4
_ACTIONS: Final[Sequence[Action]] = ("empty", "empty", "drop_after", "html_502", ("effect", 503), ("effect", 502))
_LEVELS: Final = ("blocked", "default", "member", "admin")
_ROLES: Final = ("member", "admin", "owner")
_LEVELS_OF_V2: Final = ("default", "member", "admin")
# Of a list that ignores cursors ten elements are too many to tell where it ends.
_FEW: Final = 6


class FastClock(Clock):
    """Lets time pass fifty times as fast."""

    def monotonic(self) -> float:
        """Return the time."""
        return super().monotonic() * SPEED

    async def sleep(self, seconds: float) -> None:
        """Wait a fiftieth of it."""
        await super().sleep(seconds / SPEED)


class FastScarf(Scarf):
    """A client whose time passes as fast."""

    @staticmethod
    def _make_clock() -> Clock:
        return FastClock()


# What exists before


@attrs.frozen
class Base:
    """A service that holds something, and what its ids stand for."""

    database: bytes
    state: State
    uuids: Mapping[str, str]
    routes: Mapping[str, tuple[str, str]]
    domains: Mapping[str, str]


def _organization(name: str, description: str = "") -> OrganizationUpsert:
    return OrganizationUpsert(name=name, description=description, billing_email=f"pay@{name}.example")


async def base_of() -> Base:
    """Fill an emulator, and keep what it holds."""
    uuids, routes, domains = {}, {}, {}
    async with Emulator() as emulator, Scarf(emulator.token, base_url=emulator.url) as scarf:
        for name in ("acme", "globex"):
            await scarf.organizations.create(_organization(name))
            for user in ("ann", "bob"):
                await scarf.members.upsert(name, user, "member")
        for name in ("one", "two", "kept"):
            package = await scarf.packages.create(
                PackageUpsert(name=name, short_description="", library_type="file"), "acme"
            )
            uuids[f"acme/file/{name}"] = package.uuid
            for number in range(3):
                route = await scarf.routes.create(package, RouteCreate("https://acme.example/x", f"/{number}"))
                routes[route.id] = (route.template_path, route.outgoing_url)
            for number in range(2):
                domain = await scarf.domains.create(package, DomainCreate(f"d{number}.{name}.example"))
                domains[domain.id] = domain.name
        package = await scarf.packages.create(PackageUpsert(name="own", short_description="", library_type="npm"))
        uuids["emulator-user/npm/own"] = package.uuid
        database = await emulator.store.run(Transaction.copy)
        return Base(database, await emulator.dump(), uuids, routes, domains)


# Drawing


@attrs.frozen
class Case:
    """A plan, what goes wrong, and how often the run dies."""

    seed: int
    plan: BulkPlan
    faults: Mapping[str, Any]  # of as many types as `Faults` has fields
    rules: tuple[FaultRule, ...]
    crashes: tuple[int, ...]
    power_cut: bool
    concurrency: int
    permission_batch: int
    api: ApiVersion = "v1"
    quirks: Quirks = attrs.field(factory=Quirks)


@attrs.define
class _Draw:
    """Adds operations at random, of which some are refused by the service."""

    rng: random.Random
    base: Base
    late: bool
    api: ApiVersion
    plan: BulkPlan = attrs.field(factory=BulkPlan)
    refs: list[Ref[Any]] = attrs.field(factory=list)  # of what each operation gives
    organizations: list[str] = attrs.field(factory=lambda: ["acme", "globex"])
    packages: list[Any] = attrs.field(factory=list)  # uuids, and what will be packages
    files: list[Any] = attrs.field(factory=list)
    values: set[tuple[object, ...]] = attrs.field(factory=set)
    last: dict[tuple[object, ...], Ref[Any]] = attrs.field(factory=dict)
    ended: set[tuple[object, ...]] = attrs.field(factory=set)
    renamed: set[str] = attrs.field(factory=set)
    number: int = 0

    def __attrs_post_init__(self) -> None:
        self.files = [self.known("acme/file/one"), self.known("acme/file/two")]
        self.packages = [*self.files, self.known("emulator-user/npm/own")]

    def known(self, name: str) -> str | PackageKey:
        """A package that is there; v2 asks whose."""
        uuid = self.base.uuids[name]
        return uuid if self.api == "v1" else PackageKey(name.partition("/")[0], uuid)

    def name(self, stem: str) -> str:
        """A name that nothing else has."""
        self.number += 1
        return f"{stem}{self.number}"

    def after(self, *more: Ref[Any]) -> list[Ref[Any]]:
        """What an operation is put behind; never what the service refuses of deletes, which may count as done."""
        usual = [ref for ref in self.refs if self.plan[ref.index].kind not in DELETES]
        return [*more, *(self.rng.sample(usual, 1) if usual and self.rng.random() < 0.2 else [])]

    def behind_the_last(self, *target: object) -> list[Ref[Any]] | None:
        """Where a target may take a further value, and behind what; None where it may not."""
        if target in self.ended:
            return None
        if target not in self.last:
            return self.after()
        # A late effect of the value before would come after the further one.
        return None if self.late or self.rng.random() < 0.5 else self.after(self.last[target])

    def organization(self) -> str:
        """One that is there, or will be."""
        return self.rng.choice(self.organizations)

    def package(self) -> Any:
        """One that is there, or will be."""
        return self.rng.choice(self.packages)

    def user(self) -> str:
        """Someone, or now and then nobody."""
        return self.rng.choice(["ann", "bob", "cleo", "dan", "eve", "fay", "unknown-1"])

    def create_organization(self) -> Ref[Any]:
        if self.rng.random() < 0.1:
            description = self.rng.choice(["", "another"])
            return self.plan.create_organization(_organization("globex", description), if_exists="keep")
        name = self.name("org")
        self.organizations.append(name)
        return self.plan.create_organization(_organization(name), after=self.after())

    def update_organization(self) -> Ref[Any] | None:
        old = self.rng.choice([*self.organizations, "nowhere"])
        if ("updated", old) in self.values:
            return None
        self.values.add(("updated", old))
        new = self.name("renamed") if self.rng.random() < 0.5 else old
        if old not in {new, "nowhere"}:
            self.organizations.append(new)
            self.renamed.add(old)
        return self.plan.update_organization(old, _organization(new, self.name("about")), after=self.after())

    def upsert_member(self) -> Ref[Any] | None:
        organization, user = self.organization(), self.user()
        after = self.behind_the_last("member", organization, user)
        if after is None:
            return None
        ref = self.plan.upsert_member(organization, user, self.rng.choice(_ROLES), after=after)
        self.last["member", organization, user] = ref
        return ref

    def remove_member(self) -> Ref[Any] | None:
        organization, user = self.organization(), self.user()
        target = "member", organization, user
        after = self.behind_the_last(*target)
        if after is None:
            return None
        there = organization in {"acme", "globex"} and user in {"ann", "bob"}
        if target in self.last:
            there = self.plan[self.last[target].index].kind == "upsert_member"
        if not there or user.startswith("unknown") or organization in self.renamed:
            # What comes after a refused removal cannot be foretold: a 404 may count as done.
            self.ended.add(target)
        self.last[target] = ref = self.plan.remove_member(organization, user, after=after)
        return ref

    def create_package(self) -> Ref[Any]:
        organization = self.rng.choice([self.organization(), self.organization(), None])
        kind = self.rng.random()
        if kind < 0.1:
            # There is one of this name; with another description it is not what was asked for.
            description = self.rng.choice(["", "another"]) if self.api == "v1" else ""
            ref = self.plan.create_package(
                PackageUpsert(name="kept", short_description=description, library_type="file"),
                "acme",
                if_exists="keep",
            )
            self.with_route(ref)
            return ref
        library_type = ("docker" if self.api == "v1" else "npm") if kind < 0.3 else "file"
        fields = {"backend_url": "https://ghcr.io/a/b"} if library_type == "docker" else {}
        upsert = PackageUpsert(name=self.name("package"), short_description="", library_type=library_type, **fields)
        if_exists = self.rng.choice(["fail", "keep"])
        ref = self.plan.create_package(upsert, organization, if_exists=if_exists, after=self.after())  # type: ignore[arg-type] # one of the two
        self.packages.append(ref)
        if library_type == "file":
            self.files.append(ref)
            self.with_route(ref)
        return ref

    def with_route(self, package: Ref[Any]) -> None:
        """Let a new file package have the route without which v2 does not create it."""
        if self.api == "v2":
            route = RouteCreate("https://acme.example/x", self.name("/first"))
            self.refs.append(self.plan.create_route(package, route, if_exists=self.rng.choice(["fail", "keep"])))

    def update_package(self) -> Ref[Any] | None:
        package = self.package()
        if ("updated", package) in self.values:
            return None
        self.values.add(("updated", package))
        upsert = PackageUpsert(name=self.name("changed"), short_description=self.name("about"))
        return self.plan.update_package(package, upsert, after=self.after())

    def delete_package(self) -> Ref[Any] | None:
        package = self.rng.choice(self.packages[1:])
        if ("deleted", package) in self.values:
            return None
        self.values.add(("deleted", package))
        return self.plan.delete_package(package, after=self.after())

    def set_permission(self) -> Ref[Any] | None:
        package, user = self.package(), self.user()
        after = self.behind_the_last("permission", package, user)
        if after is None:
            return None
        ref = self.plan.set_permission(
            package, user, self.rng.choice(_LEVELS if self.api == "v1" else _LEVELS_OF_V2), after=after
        )
        self.last["permission", package, user] = ref
        return ref

    def create_route(self) -> Ref[Any]:
        package = self.rng.choice(self.files) if self.rng.random() < 0.9 else self.package()
        # Two of four equal ones, with different things before them, are two requests.
        path = self.name("/route") if self.rng.random() < 0.7 else "/2"
        return self.plan.create_route(
            package,
            RouteCreate("https://acme.example/x", path),
            if_exists=self.rng.choice(["fail", "keep"]),
            after=self.after(),
        )

    def update_route(self) -> Ref[Any] | None:
        route = self.rng.choice([route for route, (path, _) in self.base.routes.items() if path != "/2"][:2])
        if ("updated", route) in self.values:
            return None
        self.values.add(("updated", route))
        changed = RouteCreate("https://acme.example/z" if self.rng.random() < 0.5 else UNSET, self.name("/changed"))
        return self.plan.update_route(self.known("acme/file/one"), route, changed, after=self.after())

    def delete_route(self) -> Ref[Any]:
        # Of a package that is never deleted: a refused delete would keep it, or not.
        mine = [route for route, (path, _) in self.base.routes.items() if path != "/2"][:2]
        route = self.rng.choice([*mine, "gone"])
        return self.plan.delete_route(self.known("acme/file/one"), route)

    def create_domain(self) -> Ref[Any]:
        domain = DomainCreate(f"{self.name('d')}.example" if self.rng.random() < 0.9 else "d0.kept.example")
        return self.plan.create_domain(self.package(), domain, after=self.after())

    def delete_domain(self) -> Ref[Any]:
        domain = self.rng.choice([*list(self.base.domains)[:2], "gone"])
        return self.plan.delete_domain(self.known("acme/file/one"), domain)


_KINDS: Final = {
    "create_organization": 2,
    "update_organization": 2,
    "upsert_member": 4,
    "remove_member": 2,
    "create_package": 4,
    "update_package": 2,
    "delete_package": 1,
    "set_permission": 5,
    "create_route": 6,
    "delete_route": 1,
    "create_domain": 2,
    "delete_domain": 1,
}


_KINDS_OF_V2: Final = {**_KINDS, "create_organization": 0, "update_route": 1}


def _draw_plan(rng: random.Random, base: Base, *, late: bool, most: int, api: ApiVersion) -> BulkPlan:
    kinds = _KINDS if api == "v1" else _KINDS_OF_V2
    while True:
        drawing = _Draw(rng, base, late, api)
        for kind in rng.choices(list(kinds), list(kinds.values()), k=rng.randint(1, most)):
            ref = getattr(drawing, kind)()
            if ref is not None:
                drawing.refs.append(ref)
        # Circles and contradictions are for other tests.
        with suppress(ValidationError):
            compile_plan(drawing.plan, dialect=dialect_of(api, _OWNER))
            return drawing.plan


def _draw_quirks(rng: random.Random) -> Quirks:
    return Quirks(
        paging=rng.choice(["links", "after", "ignores-after"]),
        max_per_page=rng.choice([10, 50, 1000]),
        package_cursor=rng.choice(["name", "id"]),
        links_absolute=rng.random() < 0.5,
        absent=rng.choice(["omitted", "null"]),
        null=rng.choice(["taken", "refused"]),
        members_post_upserts=rng.random() < 0.5,
        put_clears=rng.random() < 0.5,
        permissions_of_organizations=rng.choice(["refused", "works"]),
        error_bodies=rng.choice(["json", "text", "empty"]),
    )


def draw(seed: int, base: Base, *, most: int = 24, api: ApiVersion = "v1") -> Case:
    """Draw a case; of v2 with quirks."""
    rng = random.Random(seed)
    quirks = Quirks() if api == "v1" else _draw_quirks(rng)
    if quirks.paging == "ignores-after":
        most = min(most, _FEW)
    late = rng.random() < 0.5
    faults: dict[str, Any] = {"seed": seed, "late_by": LATE}
    if rng.random() < 0.85:
        faults["status"] = {503: rng.choice([0, 0.06]), 429: rng.choice([0, 0.06]), 500: rng.choice([0, 0.05])}
        faults["drop_before"] = rng.choice([0, 0.05])
        faults["drop_after"] = rng.choice([0, 0.08])
        faults["late_effect"] = rng.choice([0, 0.1, 0.25]) if late else 0.0
    rules = [
        FaultRule(rng.choice(["POST", "PUT", "DELETE"]), "*", rng.randint(1, 12), action)
        for action in rng.sample(_ACTIONS, 3)
    ]
    crashes = [1 + int(rng.expovariate(1 / 40)) for _ in range(rng.choice([0, 1, 1, 2, 3, 5]))]
    return Case(
        seed=seed,
        plan=_draw_plan(rng, base, late=late, most=most, api=api),
        faults=faults,
        rules=tuple(rules),
        crashes=tuple(crashes),
        power_cut=rng.random() < 0.4,
        concurrency=rng.choice([1, 2, 8, 32]),
        permission_batch=rng.choice([1, 3, 100]),
        api=api,
        quirks=quirks,
    )


# Dying


@attrs.define
class _Crash:
    """Ends a run at its n-th event, and keeps what its journal is then worth."""

    path: Path
    at: int
    rng: random.Random
    power_cut: bool
    task: asyncio.Task[BulkReport] | None = None
    events: int = 0
    synced: int = 0
    survivor: bytes | None = None

    @property
    def dead(self) -> bool:
        return self.survivor is not None

    def event(self, half_written: bytes = b"") -> None:
        """Count an event; die if it is the one."""
        self.events += 1
        if self.events != self.at or self.task is None:
            return
        written = self.path.read_bytes() if self.path.exists() else b""
        # Of a line that is being written any part may be there already.
        written += half_written[: self.rng.randint(0, len(half_written))]
        if self.power_cut:
            written = written[: self.rng.randint(min(self.synced, len(written)), len(written))]
        self.survivor = written
        self.task.cancel()

    def watched(self) -> AbstractContextManager[object]:
        """Let all that the journal does be an event, and nothing of it happen after death."""
        write, sync, fsync = os.write, Journal.sync, os.fsync

        def watched_write(descriptor: int, line: bytes) -> int:
            self.event(half_written=line)
            if self.dead:
                raise OSError(errno.EIO, "dead")
            written = write(descriptor, line)
            self.event()
            return written

        async def watched_sync(journal: Journal) -> None:
            if not self.dead:
                await sync(journal)
            if self.dead:
                raise JournalError("dead")

        def watched_fsync(descriptor: int) -> None:
            size = os.fstat(descriptor).st_size
            fsync(descriptor)
            # The directory is synced too.
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                self.synced = max(self.synced, size)

        stack = ExitStack()
        stack.enter_context(patch.object(os, "write", watched_write))
        stack.enter_context(patch.object(Journal, "sync", watched_sync))
        stack.enter_context(patch.object(os, "fsync", watched_fsync))
        return stack


class _WatchedFaults(Faults):
    """Faults that tell of each arrival."""

    on_arrival: Callable[[], None] = staticmethod(lambda: None)

    def decide(self, method: str, path: str) -> Any:
        self.on_arrival()
        return super().decide(method, path)


# Checking


@attrs.define
class Verdict:
    """What a case showed.

    Attributes:
        runs: how many runs it took.
        crashes: how many of them died.
        injected: how many faults there were.
        problems: what should not be; nothing, if all is well.
    """

    runs: int = 0
    crashes: int = 0
    injected: int = 0
    problems: list[str] = attrs.field(factory=list)


@attrs.define
class _Check:
    case: Case
    base: Base
    directory: Path
    emulator: Emulator
    verdict: Verdict = attrs.field(factory=Verdict)
    journal: bytes | None = None

    async def __call__(self) -> Verdict:
        model = Interpreter(
            self.case.plan,
            self.base.state,
            uuids=self.base.uuids,
            routes=self.base.routes,
            domains=self.base.domains,
            api=self.case.api,
            quirks=self.case.quirks,
        )
        wanted = model.run()
        report = await self._to_the_end(model)
        await asyncio.sleep(2 * LATE if self.case.faults.get("late_effect") else 0)
        found = without_double_routes(await self.emulator.dump())
        if found != wanted:
            self.verdict.problems.append(f"the state is not the plan's: {_difference(wanted, found)}")
        self._check_statuses(model, report)
        self._check_doubles()
        await self._check_nothing_is_sent_again()
        return self.verdict

    async def _to_the_end(self, model: Interpreter) -> BulkReport:
        rng = random.Random(self.case.seed)
        for at in self.case.crashes:
            await self._run(self._faults(), at, rng)
        report = await self._run(self._faults())
        for _ in range(_CLEAN_RUNS):
            if report is not None and self._is_settled(model, report):
                break
            report = await self._run(Faults())
        assert report is not None
        return report

    def _faults(self) -> Faults:
        # Each run meets other faults, whatever it sends.
        faults = _WatchedFaults(**{**self.case.faults, "seed": self.case.seed * 100 + self.verdict.runs})
        for rule in self.case.rules:
            faults.add(rule)
        return faults

    async def _run(self, faults: Faults, at: int = 0, rng: random.Random | None = None) -> BulkReport | None:
        """Run with the journal that is left; return the report, or None where the run died."""
        self.verdict.runs += 1
        path = self.directory / f"{self.case.seed}-{self.verdict.runs}.journal"
        if self.journal is not None:
            path.write_bytes(self.journal)
        crash = _Crash(path, at, rng or random.Random(), self.case.power_cut, synced=len(self.journal or b""))
        self.emulator.faults = faults
        if isinstance(faults, _WatchedFaults):
            faults.on_arrival = crash.event
        report: BulkReport | None = None
        async with FastScarf(
            self.emulator.token,
            base_url=self.emulator.url,
            v2_url=self.emulator.v2_url,
            api=self.case.api,
            owner=_OWNER,
            retry=POLICY,
            timeout=TIMEOUT,
        ) as scarf:
            with crash.watched(), _watched_effects(self.emulator, crash.event):
                crash.task = asyncio.ensure_future(
                    scarf.bulk.run(
                        self.case.plan,
                        journal=path,
                        concurrency=self.case.concurrency,
                        permission_batch=self.case.permission_batch,
                    )
                )
                try:
                    report = await crash.task
                except (asyncio.CancelledError, JournalError):
                    if not crash.dead:
                        raise
        self.verdict.injected += sum(faults.injected.values())
        self.verdict.crashes += crash.dead
        self.journal = crash.survivor if crash.survivor is not None else path.read_bytes()
        path.unlink(missing_ok=True)
        return None if crash.dead else report

    def _is_settled(self, model: Interpreter, report: BulkReport) -> bool:
        return all(outcome.status in self._allowed(place, model) for place, outcome in enumerate(report.outcomes))

    def _allowed(self, place: int, model: Interpreter) -> set[str]:
        kind, status = self.case.plan[place].kind, model.statuses[place]
        if status == "failed" and kind in CREATES:
            # Looked for and found to be another's, it stays unknown.
            return {"failed", "unknown"}
        if kind in DELETES and status in {"failed", "succeeded"}:
            # After a failure that may hide a success, a 404 counts as one. And a power cut may lose that a delete
            # for which nothing waits was sent.
            return {"failed", "succeeded"} if status == "failed" or self.case.power_cut else {status}
        return {status}

    def _check_statuses(self, model: Interpreter, report: BulkReport) -> None:
        for place, outcome in enumerate(report.outcomes):
            if outcome.status not in self._allowed(place, model):
                self.verdict.problems.append(
                    f"{outcome.operation} {outcome.status} and not {model.statuses[place]}: {outcome.error}"
                )

    def _check_doubles(self) -> None:
        """No create had its effect more often than the plan has it."""
        done = Counter(_identity(request) for request in self.emulator.requests if request.effective)
        again = {identity: times for identity, times in done.items() if times > 1 and identity is not None}
        for (method, path, body), times in again.items():
            if times > self._equal_routes(path, body):
                self.verdict.problems.append(f"{times} times with effect: {method} {path} {body!r}")

    def _equal_routes(self, path: str, body: bytes) -> int:
        if not path.endswith("/routes"):
            return 1
        return sum(
            op.kind == "create_route" and arguments(op)["route"].template_path.encode() in body
            for op in self.case.plan
        )

    async def _check_nothing_is_sent_again(self) -> None:
        before = len(self.emulator.requests)
        await self._run(Faults())
        again = [request for request in self.emulator.requests[before:] if request.effective]
        self.verdict.problems += [f"sent again when all was done: {r.method} {r.path}" for r in again]


def _identity(request: ReceivedRequest) -> tuple[str, str, bytes] | None:
    """What tells a create from others; None for what may be sent twice."""
    if request.method == "POST" and not request.path.endswith(("/users", "/members", "/permissions")):
        return request.method, request.path, request.body
    # What was removed may have been added again.
    if request.method == "DELETE" and not any(f"/{part}/" in request.path for part in _STATED):
        return request.method, request.path, b""
    return None


def _watched_effects(emulator: Emulator, event: Callable[[], None]) -> AbstractContextManager[object]:
    run: Callable[[Callable[[Transaction], Any]], Awaitable[Any]] = emulator.store.run

    async def watched(work: Callable[[Transaction], T]) -> T:
        result: T = await run(work)
        event()
        return result

    return patch.object(emulator.store, "run", watched)


def _difference(wanted: State, found: State) -> str:
    lines = []
    for part in ("organizations", "packages"):
        mine: Mapping[str, object] = wanted[part]
        theirs: Mapping[str, object] = found[part]
        lines += [
            f"{key}: wanted {mine.get(key)}, found {theirs.get(key)}"
            for key in sorted({*mine, *theirs})
            if mine.get(key) != theirs.get(key)
        ]
    return "; ".join(lines)


async def check(case: Case, base: Base, directory: Path) -> Verdict:
    """Run a case to its end, however often it dies."""
    async with Emulator(quirks=case.quirks) as emulator:
        await emulator.store.run(lambda transaction: transaction.replace(base.database))
        return await _Check(case, base, directory, emulator)()
