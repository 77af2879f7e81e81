"""Real processes, really killed."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs
from processes import fork_with_pipes

from scarf_async import (
    ApiVersion,
    BulkPlan,
    DomainCreate,
    OrganizationUpsert,
    PackageKey,
    PackageUpsert,
    RouteCreate,
)
from scarf_async.bulk import Kind
from scarf_async.bulk.journal import Journal
from scarf_async.bulk.planfile import digest
from scarf_async.emulator import Emulator, Quirks
from scarf_async.emulator.received import ReceivedRequest

from .crashes import Base
from .interpreter import CREATES, DELETES, Interpreter
from .killed_child import main

CONCURRENCY = 8


def organization(name: str, description: str = "") -> OrganizationUpsert:
    """An organization to create, or to change to."""
    return OrganizationUpsert(name=name, description=description, billing_email=f"pay@{name}.example")


def plan_of_all_kinds(base: Base) -> BulkPlan:
    """500 operations, none of which the service refuses."""
    plan = BulkPlan()
    one = base.uuids["acme/file/one"]
    for number in range(20):
        owner = f"org{number}"
        plan.create_organization(organization(owner))
        for user in range(3):
            plan.upsert_member(owner, f"user{user}", "member")
        for part in range(2):
            web = plan.create_package(
                PackageUpsert(name=f"web{part}", short_description="", library_type="file"), owner
            )
            for user in range(3):
                plan.set_permission(web, f"user{user}", "admin")
            for route in range(3):
                plan.create_route(web, RouteCreate("https://acme.example/x", f"/{route}"))
            plan.create_domain(web, DomainCreate(f"dl{part}.{owner}.example"))
            if part:
                plan.update_package(web, PackageUpsert(name="changed", short_description="changed"))
        if number < 12:
            plan.update_organization(owner, organization(f"renamed{number}" if number % 2 else owner, "changed"))
    leaving = plan.upsert_member("acme", "leaving", "admin")
    plan.remove_member("acme", "leaving", after=leaving)
    for owner in ("acme", "globex"):
        for member in ("ann", "bob"):
            plan.remove_member(owner, member)
    mine = [route for route, (path, _) in base.routes.items() if path == "/0"]
    plan.delete_route(one, mine[0])
    plan.delete_domain(one, next(iter(base.domains)))
    plan.delete_package(base.uuids["acme/file/two"])
    plan.delete_package(base.uuids["acme/file/kept"])
    for number in range(500 - len(plan)):
        plan.set_permission(one, f"user{number}", "member")
    return plan


@attrs.define
class Killing:
    """A plan that is run by one process after another."""

    emulator: Emulator
    plan: BulkPlan
    directory: Path
    api: ApiVersion = "v1"
    sent_again: int = 0
    cut_short: int = 0

    @property
    def journal(self) -> Path:
        """The journal of all of them."""
        return self.directory / "journal"

    @property
    def server(self) -> str:
        """The address of the version that is used."""
        return self.emulator.url if self.api == "v1" else self.emulator.v2_url

    async def run(self, killed_when: Callable[[list[ReceivedRequest]], bool] | None = None) -> list[str] | None:
        """Run a process; kill it at a moment, or return the statuses that it printed."""
        began = time.time()
        child = fork_with_pipes(
            main, self.server, self.emulator.token, str(self.directory / "plan"), str(self.journal), self.api
        )
        if killed_when is not None:
            ended = asyncio.create_task(child.wait())
            moment = asyncio.create_task(self.emulator.wait_until(killed_when))
            await asyncio.wait([ended, moment], return_when=asyncio.FIRST_COMPLETED)
            assert moment.done(), "it was done before it was killed"
            child.kill()
            await ended
            intended = self.open_intents()
            self.sent_again += len(intended)
            # What an earlier process left open may still be open: this one did not cut it short.
            self.cut_short += sum(at >= began for at in intended)
        output, errors = await child.communicate()
        if killed_when is not None:
            assert not output
            return None
        assert child.returncode == 0, errors
        statuses: list[str] = json.loads(output)
        return statuses

    def open_intents(self) -> list[float]:
        """When the operations were last about to leave of which the journal does not know the end."""
        journal = Journal.open(
            self.journal,
            plan=digest(self.plan, owners=self.api == "v2"),
            operations=len(self.plan),
            server=self.server,
            api=self.api,
        )
        journal.close()
        return [
            known.intended_at for known in journal.known.values() if known.open and known.intended_at is not None
        ]


def moments(first: int) -> Callable[[list[ReceivedRequest]], bool]:
    """By turns: when a request has arrived, and when one was answered."""
    if first % 2:
        return lambda requests: len(requests) >= first
    return lambda requests: sum(request.status is not None for request in requests) >= first


async def test_run_that_is_killed_again_and_again_does_everything_once(
    base: Base, tmp_path: Path, soak: bool
) -> None:
    """500 operations of all kinds: the state is the plan's, and all effects together are the plan, once."""
    kills, apart = (25, 13) if soak else (2, 120)
    plan = plan_of_all_kinds(base)
    assert len(plan) == 500
    assert {operation.kind for operation in plan} == set(Kind) - {Kind.UPDATE_ROUTE}
    plan.dump(tmp_path / "plan")
    async with Emulator() as emulator:
        await emulator.store.run(lambda transaction: transaction.replace(base.database))
        killing = Killing(emulator, plan, tmp_path)
        for _ in range(kills):
            await killing.run(moments(len(emulator.requests) + apart))
        assert await killing.run() == ["succeeded"] * 500
        interpreter = Interpreter(plan, base.state, uuids=base.uuids, routes=base.routes, domains=base.domains)
        assert await emulator.dump() == interpreter.run()
        effects = [request for request in emulator.requests if request.effective]
    once = [request for request in effects if request.method == "DELETE" or is_create(request)]
    assert len(once) == sum(operation.kind in CREATES | DELETES for operation in plan)
    stated = Counter(
        (request.method, request.path, entry)
        for request in effects
        if request not in once
        for entry in entries(request)
    )
    assert len(stated) == sum(operation.kind not in CREATES | DELETES for operation in plan)
    assert sum(stated.values()) - len(stated) <= killing.sent_again
    assert killing.cut_short <= kills * CONCURRENCY * 4


def plan_of_v2(base: Base) -> BulkPlan:
    """Some operations of every kind that v2 has, none of which the service refuses."""
    plan = BulkPlan()
    one = PackageKey("acme", base.uuids["acme/file/one"])
    for number in range(20):
        web = plan.create_package(
            PackageUpsert(name=f"web{number}", short_description="", library_type="file"), "acme"
        )
        for path in range(3):
            plan.create_route(web, RouteCreate("https://acme.example/x", f"/{path}"))
        plan.create_domain(web, DomainCreate(f"dl{number}.example"))
        plan.set_permission(web, "ann", "admin")
        plan.update_package(web, PackageUpsert(name=f"changed{number}", short_description="changed"))
        plan.upsert_member("globex", f"user{number}", "member")
    plan.update_organization("acme", organization("renamed", "changed"))
    first, second, *_ = base.routes
    plan.update_route(one, first, RouteCreate("https://acme.example/z", "/new"))
    plan.delete_route(one, second)
    plan.delete_domain(one, next(iter(base.domains)))
    plan.remove_member("globex", "ann")
    plan.delete_package(PackageKey("acme", base.uuids["acme/file/two"]))
    return plan


async def test_run_in_v2_that_is_killed_does_everything_once(base: Base, tmp_path: Path, soak: bool) -> None:
    """The state is the plan's, and nothing was created or deleted twice."""
    kills, apart = (8, 17) if soak else (2, 60)
    plan = plan_of_v2(base)
    assert {operation.kind for operation in plan} == set(Kind) - {Kind.CREATE_ORGANIZATION}
    plan.dump(tmp_path / "plan")
    async with Emulator(quirks=Quirks(permissions_of_organizations="works")) as emulator:
        await emulator.store.run(lambda transaction: transaction.replace(base.database))
        killing = Killing(emulator, plan, tmp_path, "v2")
        for _ in range(kills):
            await killing.run(moments(len(emulator.requests) + apart))
        assert await killing.run() == ["succeeded"] * len(plan)
        interpreter = Interpreter(
            plan, base.state, uuids=base.uuids, routes=base.routes, domains=base.domains, api="v2"
        )
        assert await emulator.dump() == interpreter.run()
        effects = [request for request in emulator.requests if request.effective]
    once = [request for request in effects if request.method == "DELETE" or is_create(request)]
    # Twenty routes were created with their packages.
    assert len(once) == sum(operation.kind in CREATES | DELETES for operation in plan) - 20
    assert killing.sent_again


def is_create(request: ReceivedRequest) -> bool:
    """Whether it makes something that was not there."""
    return request.method == "POST" and not request.path.endswith(("/users", "/members", "/permissions"))


def entries(request: ReceivedRequest) -> list[str]:
    """What a request states: each permission of an array by itself."""
    told = json.loads(request.body)
    return [json.dumps(entry) for entry in (told if isinstance(told, list) else [told])]
