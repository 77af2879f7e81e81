"""Runs over real sockets: how many requests, how many at a time, in which order, and what comes of them."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest

from scarf_async import (
    AuthenticationError,
    BulkPlan,
    BulkProgress,
    BulkReport,
    ClientClosedError,
    ConflictError,
    DomainCreate,
    Member,
    NotFoundError,
    OrganizationUpsert,
    Outcome,
    OutcomeUnknownError,
    Package,
    PackageUpsert,
    ReadOnlyError,
    Ref,
    RequestTimeoutError,
    RetryPolicy,
    Route,
    RouteCreate,
    Scarf,
    ServerError,
    TransportError,
    UnprocessableError,
    ValidationError,
    WriteConfirmedError,
    WrongEventLoopError,
)
from scarf_async.clock import Clock
from scarf_async.emulator import Emulator, FaultRule, Faults

from .service import Answer, Call, Service, client_of

AnyOutcome = Outcome[object]
PATIENT = RetryPolicy(attempts=12, initial_delay=0.001, max_delay=0.01, settle=0.1)


def organization(name: str = "acme", description: str = "") -> OrganizationUpsert:
    """An organization to create, or to change to."""
    return OrganizationUpsert(name=name, description=description, billing_email="pay@acme.example")


def package(name: str = "web", **fields: str) -> PackageUpsert:
    """A package to create, or to change to."""
    return PackageUpsert(name=name, short_description="", **fields)


def route(path: str = "/dl") -> RouteCreate:
    """A route to create."""
    return RouteCreate("https://acme.example/{v}", path)


def removals(number: int) -> BulkPlan:
    """As many operations, each of which is one request that shows in its path which one it is."""
    plan = BulkPlan()
    for index in range(number):
        plan.remove_member("acme", f"user{index}")
    return plan


def removal(index: int) -> str:
    """The name of the call that removes this user."""
    return f"DELETE /organizations/acme/users/user{index}"


def statuses(report: BulkReport) -> list[str]:
    """The statuses, in the report's order."""
    return [outcome.status for outcome in report.outcomes]


# How many requests


async def test_permissions_travel_in_arrays(service: Service, client: Scarf) -> None:
    """300 users on 10 packages are 30 requests, and each user arrives on each package once."""
    plan = BulkPlan()
    for user in range(300):
        for number in range(10):
            plan.set_permission(f"p{number}", f"user{user}", "member")
    report = await client.bulk.run(plan)
    assert len(service.calls) == 30
    assert report.requests == 30
    assert report.counts == {"succeeded": 3000, "failed": 0, "unknown": 0, "skipped": 0}
    arrived = [(call.path, entry["userQuery"]) for call in service.calls for entry in entries(call)]
    assert len(arrived) == len(set(arrived)) == 3000
    assert {len(entries(call)) for call in service.calls} == {100}


def entries(call: Call) -> list[dict[str, str]]:
    """The permission sets in the body of a request."""
    told: list[dict[str, str]] = json.loads(call.body)
    return told


async def test_permission_batch_is_the_size_of_the_arrays(service: Service, client: Scarf) -> None:
    """One array after another, in the plan's order; a single permission is an array too."""
    service.lag = 0.005
    plan = BulkPlan()
    for user in range(7):
        plan.set_permission("p", f"user{user}", "member")
    await client.bulk.run(plan, permission_batch=3)
    assert [[entry["userQuery"] for entry in entries(call)] for call in service.calls] == [
        ["user0", "user1", "user2"],
        ["user3", "user4", "user5"],
        ["user6"],
    ]
    assert service.most_under_way == 1


async def test_equal_operations_share_a_request_and_its_outcome(service: Service, client: Scarf) -> None:
    """One package is created, and all who asked for it get it."""
    plan = BulkPlan()
    refs = [plan.create_package(package(), "acme") for _ in range(3)]
    routes = [plan.create_route(ref, route()) for ref in refs]
    told: list[AnyOutcome] = []
    report = await client.bulk.run(plan, on_outcome=told.append)
    assert service.names == ["POST /organizations/acme/packages", "POST /packages/uuid-of-web/routes"]
    assert {report[ref].result for ref in refs} == {Package(uuid="uuid-of-web", name="web")}
    assert len({report[ref].result for ref in routes}) == 1
    assert sorted(outcome.operation.index for outcome in told) == [0, 1, 2, 3, 4, 5]


async def test_equal_permissions_are_one_entry_of_their_array(service: Service, client: Scarf) -> None:
    """And all of them have its outcome."""
    plan = BulkPlan()
    for user in ("ann", "bob", "ann", "ann"):
        plan.set_permission("p", user, "member")
    report = await client.bulk.run(plan)
    assert statuses(report) == ["succeeded"] * 4
    (call,) = service.calls
    assert [entry["userQuery"] for entry in entries(call)] == ["ann", "bob"]


async def test_empty_plan_sends_nothing(service: Service, client: Scarf) -> None:
    """There is a report, and the end of the progress is told."""
    told: list[BulkProgress] = []
    report = await client.bulk.run(BulkPlan(), progress=told.append)
    assert service.calls == []
    assert len(report) == 0
    assert list(report.outcomes) == []
    assert report.requests == 0
    assert report.stopped_by is None
    assert [(step.done, step.total, step.eta) for step in told] == [(0, 0, None)]
    report.raise_for_failures()


async def test_plan_can_be_run_again(service: Service, client: Scarf) -> None:
    """It is data: a run changes nothing in it, and what was resolved in one run is not kept for the next."""
    plan = BulkPlan()
    web = plan.create_package(package())
    plan.create_route(web, route())
    first = await client.bulk.run(plan)
    service.answers = lambda call: {"uuid": "another", "name": "web"} if call.path == "/packages" else None
    second = await client.bulk.run(plan)
    assert statuses(first) == statuses(second) == ["succeeded", "succeeded"]
    assert service.names[3] == "POST /packages/another/routes"
    assert len(plan) == 2


async def test_package_without_an_id_is_none_to_others(service: Service, client: Scarf) -> None:
    """What hangs on it fails unsent, and the run goes on."""
    service.answer({"POST /packages": {"uuid": "", "name": "web"}})
    plan = BulkPlan()
    web = plan.create_package(package())
    plan.create_route(web, route())
    plan.set_permission(web, "ann", "admin")
    plan.delete_route("p", "r-1", after=web)
    report = await client.bulk.run(plan)
    assert statuses(report) == ["succeeded", "failed", "failed", "succeeded"]
    assert service.names == ["POST /packages", "DELETE /packages/p/routes/r-1"]


async def test_operations_added_during_a_run_are_not_part_of_it(service: Service, client: Scarf) -> None:
    """The run is of what the plan was when it began, barriers and all."""
    plan = BulkPlan()
    plan.delete_route("p", "r-1")
    plan.create_route("p", route())
    report = await client.bulk.run(plan, on_outcome=lambda _: [plan.delete_package("q") for _ in range(9)])
    assert statuses(report) == ["succeeded", "succeeded"]
    assert len(service.calls) == 2


# How many at a time


@pytest.mark.parametrize("concurrency", [1, 5, 32, 80])
async def test_concurrency_is_reached_and_never_exceeded(service: Service, client: Scarf, concurrency: int) -> None:
    """Measured by the service: so many are in progress, and not one more."""
    service.gate.clear()
    run = asyncio.create_task(client.bulk.run(removals(100), concurrency=concurrency))
    await service.arrived(concurrency)
    service.gate.set()
    report = await run
    assert service.most_under_way == concurrency
    assert len(report.succeeded) == 100


async def test_first_requests_arrive_before_the_last_ones_are_begun(service: Service) -> None:
    """So a service that takes no more says so before all of `concurrency` have been sent."""
    begun = list[object]()
    service.gate.clear()
    async with client_of(service.url, on_event=begun.append) as client:
        run = asyncio.create_task(client.bulk.run(removals(64), concurrency=64))
        await service.arrived(1)
        assert len(begun) < 32
        await service.arrived(64)
        service.gate.set()
        await run


async def test_thirty_two_at_a_time_unless_told_otherwise(service: Service, client: Scarf) -> None:
    """The default."""
    service.gate.clear()
    run = asyncio.create_task(client.bulk.run(removals(40)))
    await service.arrived(32)
    service.gate.set()
    await run
    assert service.most_under_way == 32


async def test_workers_and_not_a_task_for_each_operation(service: Service, client: Scarf) -> None:
    """The tasks of a run are as many as requests may be in progress."""

    def tasks() -> int:
        """Count them without the service's."""
        return sum("web_protocol" not in repr(task) for task in asyncio.all_tasks())

    before = tasks()
    most = 0

    def count(_: object) -> None:
        nonlocal most
        most = max(most, tasks() - before)

    await client.bulk.run(removals(500), concurrency=4, on_outcome=count)
    assert most == 4


async def test_two_runs_at_once_do_not_mix(service: Service, client: Scarf) -> None:
    """Each has its own outcomes, counts its own requests, and stops by itself."""
    service.refuse("DELETE /organizations/other/users/user3", status=401)
    other = BulkPlan()
    for index in range(10):
        other.remove_member("other", f"user{index}")
    service.lag = 0.002
    one, two = await asyncio.gather(
        client.bulk.run(removals(50), concurrency=4), client.bulk.run(other, concurrency=1)
    )
    assert one.counts["succeeded"] == 50
    assert one.requests == 50
    assert one.stopped_by is None
    assert statuses(two) == ["succeeded"] * 3 + ["failed"] + ["skipped"] * 6
    assert two.requests == 4
    assert len(service.calls) == 54


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "3", None])
@pytest.mark.parametrize("name", ["concurrency", "permission_batch"])
async def test_numbers_are_whole_and_positive(service: Service, client: Scarf, name: str, value: Any) -> None:
    """Anything else is refused by name before anything is sent."""
    with pytest.raises(ValidationError) as caught:
        await client.bulk.run(removals(1), **{name: value})
    assert caught.value.field == name
    assert service.calls == []


async def test_on_failure_is_one_of_two_words(service: Service, client: Scarf) -> None:
    """Anything else is refused before anything is sent."""
    word: Any = "explode"
    with pytest.raises(ValidationError) as caught:
        await client.bulk.run(removals(1), on_failure=word)
    assert caught.value.field == "on_failure"
    assert service.calls == []


async def test_contradictions_and_circles_are_found_before_anything_is_sent(
    service: Service, client: Scarf
) -> None:
    """Though other operations of the plan could have been carried out."""
    contradictory, circular = removals(3), removals(3)
    contradictory.upsert_member("acme", "user1", "admin")
    member = circular.upsert_member("acme", "ann", "member")
    circular.create_organization(organization(), after=member)
    for plan in (contradictory, circular):
        with pytest.raises(ValidationError, match="nothing was sent"):
            await client.bulk.run(plan)
    assert service.calls == []


# In which order


async def test_organization_then_its_package_then_what_is_on_it(service: Service, client: Scarf) -> None:
    """However they were added; and the package's uuid is the one that its creation was answered with."""
    service.lag = 0.01
    plan = BulkPlan()
    plan.upsert_member("acme", "ann", "member")
    web = plan.create_package(package(), organization="acme")
    changed = plan.update_package(web, package("web2"))
    plan.set_permission(changed, "ann", "member")
    plan.create_domain(web, DomainCreate("a.example"))
    plan.create_organization(organization())
    report = await client.bulk.run(plan)
    assert len(report.succeeded) == 6
    service.assert_order("POST /organizations", "POST /organizations/acme/users")
    service.assert_order(
        "POST /organizations",
        "POST /organizations/acme/packages",
        "PUT /packages/uuid-of-web",
        "POST /packages/uuid-of-web/permissions",
    )
    service.assert_order("POST /organizations/acme/packages", "POST /packages/uuid-of-web/domains")


async def test_deletes_come_last(service: Service, client: Scarf) -> None:
    """Of a package's routes, of the package, and of a member."""
    service.lag = 0.01
    plan = BulkPlan()
    plan.delete_package("p")
    plan.remove_member("acme", "ann")
    plan.delete_route("p", "r-1")
    plan.create_route("p", route())
    plan.set_permission("p", "ann", "blocked")
    await client.bulk.run(plan)
    service.assert_order("POST /packages/p/routes", "DELETE /packages/p/routes/r-1", "DELETE /packages/p")
    service.assert_order("POST /packages/p/permissions", "DELETE /packages/p")
    service.assert_order("POST /packages/p/permissions", "DELETE /organizations/acme/users/ann")


async def test_renaming_stands_between_its_names(service: Service, client: Scarf) -> None:
    """Old name, renaming, new name."""
    service.lag = 0.01
    plan = BulkPlan()
    plan.upsert_member("new", "ann", "member")
    plan.update_organization("old", organization("new"))
    plan.upsert_member("old", "bob", "member")
    await client.bulk.run(plan)
    service.assert_order("POST /organizations/old/users", "PUT /organizations/old", "POST /organizations/new/users")


async def test_after_is_kept(service: Service, client: Scarf) -> None:
    """A chain goes link by link, while everything else is in progress."""
    service.gate.clear()
    plan = removals(20)
    last: Ref[None] | None = None
    for number in range(5):
        last = plan.delete_package(f"p{number}", after=[last] if last else [])
    run = asyncio.create_task(client.bulk.run(plan))
    await service.arrived(21)
    service.gate.set()
    await run
    service.assert_order(*(f"DELETE /packages/p{number}" for number in range(5)))


async def test_what_may_go_at_once_does(service: Service, client: Scarf) -> None:
    """A long call holds up nothing but what waits for it."""
    slow, others = asyncio.Event(), asyncio.Event()

    async def answers(call: Call) -> Answer:
        if call.name == removal(0):
            await slow.wait()
        return None

    service.answers = answers
    plan = removals(50)
    waiting = plan.delete_package("p", after=Ref(plan, 0))

    def count(outcome: AnyOutcome) -> None:
        if next(counter) == 48:
            others.set()

    counter = itertools.count()
    run = asyncio.create_task(client.bulk.run(plan, concurrency=2, on_outcome=count))
    await others.wait()
    assert service.under_way == 1
    assert "DELETE /packages/p" not in service.names
    slow.set()
    assert (await run)[waiting].status == "succeeded"


# What becomes of each operation


async def test_one_failure_leaves_the_others_alone(service: Service, client: Scarf) -> None:
    """It is an outcome with the service's words, in the plan's order, and no exception."""
    service.refuse(removal(2))
    report = await client.bulk.run(removals(5))
    assert statuses(report) == ["succeeded", "succeeded", "failed", "succeeded", "succeeded"]
    (failed,) = report.failed
    assert failed.operation.index == 2
    assert isinstance(failed.error, UnprocessableError)
    assert failed.error.message == "told to say 422"
    assert failed.attempts == 1
    assert report.stopped_by is None


async def test_refused_array_fails_for_each_of_its_operations(service: Service, client: Scarf) -> None:
    """All who travelled in it; those of other packages did not."""
    service.refuse("POST /packages/p/permissions")
    plan = BulkPlan()
    for user in ("ann", "bob"):
        plan.set_permission("p", user, "member")
        plan.set_permission("q", user, "member")
    assert statuses(await client.bulk.run(plan, permission_batch=100)) == ["failed", "succeeded"] * 2


async def test_dependents_of_a_failure_are_skipped_with_the_reason(service: Service, client: Scarf) -> None:
    """Straight and at second hand; each names what it waited for, and nothing of them is sent."""
    service.refuse("POST /organizations/acme/packages")
    plan = BulkPlan()
    web = plan.create_package(package(), "acme")
    given = plan.set_permission(web, "ann", "member")
    later = plan.upsert_member("acme", "bob", "member", after=given)
    plan.upsert_member("acme", "eve", "member")
    report = await client.bulk.run(plan)
    assert statuses(report) == ["failed", "skipped", "skipped", "succeeded"]
    assert str(plan[0]) in str(report[given].error)
    assert str(plan[1]) in str(report[later].error)
    assert [outcome.attempts for outcome in report.skipped] == [0, 0]
    assert sorted(service.names) == ["POST /organizations/acme/packages", "POST /organizations/acme/users"]


async def test_what_an_organization_that_was_not_created_holds_is_skipped(service: Service, client: Scarf) -> None:
    """Its members and packages were meant for one that is not there."""
    service.refuse("POST /organizations", status=409)
    plan = BulkPlan()
    plan.upsert_member("acme", "ann", "member")
    made = plan.create_organization(organization())
    report = await client.bulk.run(plan)
    assert statuses(report) == ["skipped", "failed"]
    assert isinstance(report[made].error, ConflictError)


async def test_long_chain_of_dependents_is_skipped(service: Service, client: Scarf) -> None:
    """Five thousand, one after another."""
    service.refuse(removal(0))
    plan = removals(1)
    last = Ref[None](plan, 0)
    for number in range(5000):
        last = plan.delete_package(f"p{number}", after=last)
    report = await client.bulk.run(plan)
    assert report.counts == {"succeeded": 0, "failed": 1, "unknown": 0, "skipped": 5000}
    assert len(service.calls) == 1


async def test_nothing_is_deleted_where_its_successor_was_not_created(service: Service, client: Scarf) -> None:
    """Routes and packages stay when what was to come before failed."""
    service.refuse("POST /packages/p/routes")
    plan = BulkPlan()
    plan.create_route("p", route())
    plan.delete_route("p", "r-1")
    plan.delete_package("p")
    report = await client.bulk.run(plan)
    assert statuses(report) == ["failed", "skipped", "skipped"]
    assert service.names == ["POST /packages/p/routes"]
    assert "an operation on the same package did not succeed" in str(report.outcomes[1].error)


async def test_member_is_removed_though_a_permission_failed(service: Service, client: Scarf) -> None:
    """It comes after the permissions of that user and does not depend on them."""
    service.refuse("POST /packages/p/permissions")
    plan = removals(1)
    plan.set_permission("p", "user0", "blocked")
    assert statuses(await client.bulk.run(plan)) == ["succeeded", "failed"]
    service.assert_order("POST /packages/p/permissions", removal(0))


async def test_results_are_the_entities(service: Service, client: Scarf) -> None:
    """`report[ref]` gives what the plain call would have returned."""
    plan = BulkPlan()
    member = plan.upsert_member("acme", "ann", "admin")
    web = plan.create_package(package())
    made = plan.create_route(web, route())
    gone = plan.delete_package("p")
    report = await client.bulk.run(plan)
    assert report[member].result == Member(organization_name="acme", username="ann", role="admin")
    assert report[web].result == Package(uuid="uuid-of-web", name="web")
    result = report[made].result
    assert isinstance(result, Route)
    assert (result.outgoing_url, result.template_path) == ("https://acme.example/{v}", "/dl")
    assert report[gone].result is None
    assert [outcome.operation for outcome in report.outcomes] == list(plan)
    assert [outcome.operation for outcome in report] == list(plan)


async def test_stop_after_the_first_failure_lets_what_is_under_way_end(service: Service, client: Scarf) -> None:
    """Three in progress, one fails: the two others end, and nothing new is started."""
    service.gate.clear()
    others = asyncio.Event()

    async def answers(call: Call) -> Answer:
        if call.name == removal(1):
            return 422
        await others.wait()
        return None

    service.answers = answers
    told: list[AnyOutcome] = []

    def on_outcome(outcome: AnyOutcome) -> None:
        told.append(outcome)
        others.set()

    run = asyncio.create_task(
        client.bulk.run(removals(10), concurrency=3, on_failure="stop", on_outcome=on_outcome)
    )
    await service.arrived(3)
    service.gate.set()
    report = await run
    assert statuses(report) == ["succeeded", "failed", "succeeded"] + ["skipped"] * 7
    assert len(service.calls) == 3
    assert report.stopped_by is not None
    assert "on_failure='stop'" in report.stopped_by
    assert all("stopped" in str(outcome.error) for outcome in report.skipped)
    assert len(told) == 10


async def test_stop_after_a_failure_starts_no_dependents_of_what_succeeded(service: Service, client: Scarf) -> None:
    """What was waiting for a success is not started either."""
    service.refuse(removal(0))
    plan = removals(2)
    plan.delete_package("p", after=Ref(plan, 1))
    report = await client.bulk.run(plan, concurrency=2, on_failure="stop")
    assert report.outcomes[2].status == "skipped"
    assert "DELETE /packages/p" not in service.names


async def test_refused_token_stops_the_run(service: Service, client: Scarf) -> None:
    """After a 401 nothing new is started, whatever `on_failure` says."""
    service.refuse(removal(3), status=401)
    report = await client.bulk.run(removals(10), concurrency=1)
    assert statuses(report) == ["succeeded"] * 3 + ["failed"] + ["skipped"] * 6
    assert isinstance(report.failed[0].error, AuthenticationError)
    assert len(service.calls) == 4
    assert report.stopped_by is not None
    assert "token" in report.stopped_by


async def test_every_status_is_told_apart(service: Service, client: Scarf) -> None:
    """No, maybe, yes without a look at it, and not at all."""
    service.answer(
        {
            removal(0): 404,
            removal(1): 500,
            "POST /organizations": 500,
            "POST /packages": {"something": "else"},
            "GET /packages": 403,
        }
    )
    plan = removals(2)
    made = plan.create_organization(organization("other"))
    web = plan.create_package(package())
    given = plan.set_permission(web, "ann", "member")
    report = await client.bulk.run(plan)
    assert statuses(report) == ["failed", "unknown", "unknown", "unknown", "skipped"]
    errors = [type(outcome.error) for outcome in report.outcomes[:4]]
    assert errors == [NotFoundError, ServerError, OutcomeUnknownError, WriteConfirmedError]
    assert report[made].result is None
    assert report[given].attempts == 0
    assert report.counts == {"succeeded": 0, "failed": 1, "unknown": 3, "skipped": 1}


async def test_silence_leaves_the_outcome_unknown(service: Service, client: Scarf) -> None:
    """A request that was sent and not answered may have been carried out."""
    service.gate.clear()
    report = await client.with_options(timeout=0.05).bulk.run(removals(1))
    assert statuses(report) == ["unknown"]
    assert isinstance(report.unknown[0].error, RequestTimeoutError)
    assert report.unknown[0].attempts == 1


# What it cost


async def test_attempts_are_the_sends_of_an_operations_own_request(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """Retries count, looks do not; `requests` counts everything that the service saw."""
    scarf_emulator.faults.add(FaultRule("POST", "/organizations/acme/users", 1, 500))
    scarf_emulator.faults.add(FaultRule("POST", "/organizations/acme/users", 2, "drop_after"))
    scarf_emulator.faults.add(FaultRule("POST", "/organizations/acme/packages", 1, "drop_after"))
    plan = BulkPlan()
    made = plan.create_organization(organization())
    member = plan.upsert_member("acme", "ann", "admin")
    web = plan.create_package(package(library_type="file"), "acme")
    report = await scarf.bulk.run(plan, concurrency=1)
    assert statuses(report) == ["succeeded"] * 3
    assert [report[made].attempts, report[member].attempts, report[web].attempts] == [1, 3, 1]
    assert [outcome.reconciled for outcome in report.outcomes] == [False, False, True]
    assert [outcome.unchanged for outcome in report.outcomes] == [False, False, False]
    assert report.requests == len(scarf_emulator.requests) == 6


async def test_renaming_that_cannot_be_looked_for_counts_its_sends(service: Service) -> None:
    """Sent once, not settled: the attempt counts though the look after it failed."""
    service.answer({"PUT /organizations/old": 500, "GET /organizations/new": 403})
    plan = BulkPlan()
    renaming = plan.update_organization("old", organization("new"))
    async with client_of(service.url, retry=RetryPolicy(attempts=3, initial_delay=0.0)) as client:
        report = await client.bulk.run(plan)
    assert report[renaming].status == "unknown"
    assert isinstance(report[renaming].error, OutcomeUnknownError)
    assert report[renaming].attempts == 1
    assert report.requests == 2


async def test_what_was_there_is_unchanged(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """With `if_exists="keep"` a second run of the same plan writes nothing; what differs is a failure."""
    plan = BulkPlan()
    plan.create_organization(organization(), if_exists="keep")
    web = plan.create_package(package(library_type="file"), "acme", if_exists="keep")
    plan.create_route(web, route(), if_exists="keep")
    plan.create_domain(web, DomainCreate("a.example"), if_exists="keep")
    first = await scarf.bulk.run(plan)
    before = len(scarf_emulator.requests)
    second = await scarf.bulk.run(plan)
    assert [outcome.unchanged for outcome in first.outcomes] == [False] * 4
    assert [outcome.unchanged for outcome in second.outcomes] == [True] * 4
    assert [outcome.attempts for outcome in second.outcomes] == [0] * 4
    assert second[web].result == first[web].result
    assert {request.method for request in scarf_emulator.requests[before:]} == {"GET"}
    assert second.requests == len(scarf_emulator.requests) - before
    other = BulkPlan()
    other.create_organization(organization("acme", "New"), if_exists="keep")
    assert isinstance((await scarf.bulk.run(other)).failed[0].error, ConflictError)


def full_plan() -> BulkPlan:
    """Everything a plan can hold, on an empty service that knows everybody."""
    plan = BulkPlan()
    for owner in ("acme", "globex"):
        plan.create_organization(organization(owner))
        for user in range(12):
            plan.upsert_member(owner, f"user{user}", "member")
        for number in range(5):
            web = plan.create_package(package(f"file{number}", library_type="file"), owner)
            changed = plan.update_package(web, package(f"file{number}", website="https://acme.example"))
            for user in range(25):
                plan.set_permission(web, f"user{user}", "member" if user % 2 else "admin")
            plan.create_domain(web, DomainCreate(f"dl{number}.{owner}.example"))
            for path in range(3):
                plan.create_route(changed if path else web, route(f"/{path}"))
    own = plan.create_package(package("own", library_type="npm"))
    plan.set_permission(own, "ann@example.com", "member")
    plan.update_organization("globex", organization("initech", "Renamed"))
    plan.upsert_member("initech", "late", "admin")
    return plan


@pytest.mark.parametrize("seed", range(4))
async def test_faults_change_nothing_about_what_is_there_in_the_end(scarf_emulator: Emulator, seed: int) -> None:
    """Statuses, connections dropped before and after the effect, late effects: all as without, nothing twice."""
    async with Emulator() as calm, client_of(calm.url, token=calm.token) as client:
        report = await client.bulk.run(full_plan())
        report.raise_for_failures()
        wanted = await calm.dump()
    scarf_emulator.faults = Faults(
        seed=seed,
        status={503: 0.04, 429: 0.04, 500: 0.02},
        drop_before=0.03,
        drop_after=0.05,
        late_effect=0.03,
        late_by=0.02,
    )
    scarf_emulator.faults.add(FaultRule("POST", "/organizations/acme/packages", 2, "drop_after"))
    async with client_of(scarf_emulator.url, token=scarf_emulator.token, retry=PATIENT) as client:
        report = await client.bulk.run(full_plan(), permission_batch=10)
    report.raise_for_failures()
    assert await scarf_emulator.dump() == wanted
    assert report.requests == len(scarf_emulator.requests)
    assert sum(scarf_emulator.faults.injected.values()) > 20
    assert any(outcome.reconciled for outcome in report.outcomes)
    assert {outcome.status for outcome in report.outcomes} == {"succeeded"}


# What is told on the way


class Ticking(Clock):
    """A clock that goes so many seconds at each look."""

    def __init__(self, step: float) -> None:
        self._ticks = itertools.count(1000.0, step)

    def monotonic(self) -> float:
        """Return the time."""
        return next(self._ticks)


async def test_progress_is_told_ten_times_a_second_at_the_most(service: Service) -> None:
    """By a clock that does not move: after the first outcome, and once at the end."""
    told: list[BulkProgress] = []
    async with client_of(service.url, clock=Ticking(0.0)) as client:
        await client.bulk.run(removals(50), concurrency=1, progress=told.append)
    assert [step.done for step in told] == [1, 50]


async def test_progress_counts_what_is_done(service: Service) -> None:
    """By a clock that goes a second at each look: every outcome; failures and requests among the numbers."""
    service.refuse(removal(1))
    told: list[BulkProgress] = []
    async with client_of(service.url, clock=Ticking(1.0)) as client:
        await client.bulk.run(removals(4), concurrency=1, progress=told.append)
    assert [step.done for step in told] == [1, 2, 3, 4]
    assert [step.failed for step in told] == [0, 1, 1, 1]
    assert [step.requests for step in told] == [1, 2, 3, 4]
    assert {step.total for step in told} == {4}
    assert all(step.rate > 0 for step in told)
    assert told[-1].eta == 0.0
    assert all(step.eta is not None and step.eta > 0 for step in told[:-1])


async def test_progress_reaches_its_end_when_everything_else_is_skipped(service: Service, client: Scarf) -> None:
    """The last report is of all operations."""
    service.refuse(removal(0))
    told: list[BulkProgress] = []
    await client.bulk.run(removals(9), concurrency=1, on_failure="stop", progress=told.append)
    assert told[-1].done == told[-1].total == 9
    assert told[-1].failed == 1


async def test_outcomes_are_told_as_they_come(service: Service, client: Scarf) -> None:
    """Each once, in the order in which they ended, the same that the report holds."""
    service.refuse(removal(1))
    plan = removals(4)
    plan.remove_member("acme", "user0")
    plan.delete_package("p", after=Ref(plan, 1))
    told: list[AnyOutcome] = []
    report = await client.bulk.run(plan, concurrency=1, on_outcome=told.append)
    assert [outcome.operation.index for outcome in told] == [0, 4, 1, 5, 2, 3]
    assert sorted(told, key=lambda outcome: outcome.operation.index) == list(report.outcomes)


@pytest.mark.parametrize("name", ["progress", "on_outcome"])
async def test_hook_that_raises_harms_nothing(
    service: Service, client: Scarf, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """It is logged once in a run, and called again all the same."""
    calls = 0

    def hook(_: object) -> None:
        nonlocal calls
        calls += 1
        raise RuntimeError("a fault of the caller's")

    with caplog.at_level(logging.ERROR, logger="scarf_async"):
        options: dict[str, Any] = {name: hook}
        report = await client.bulk.run(removals(5), **options)
    assert len(report.succeeded) == 5
    assert calls >= 2
    (record,) = caplog.records
    assert record.exc_info is not None
    assert name in record.getMessage()


# How it ends early


def tasks_of_the_client(before: set[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
    """The tasks that are new, without those of the service."""
    return [task for task in asyncio.all_tasks() - before if "aiohttp/web" not in repr(task)]


async def _by_task(run: Callable[[], Awaitable[object]], service: Service) -> None:
    task = asyncio.ensure_future(run())
    await service.arrived(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def _by_timeout(run: Callable[[], Awaitable[object]], service: Service) -> None:
    async def limited() -> None:
        async with asyncio.timeout(None) as scope:
            limit.set_result(scope)
            await run()

    limit: asyncio.Future[asyncio.Timeout] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(limited())
    await service.arrived(5)
    (await limit).reschedule(0.0)
    with pytest.raises(TimeoutError):
        await task


async def _by_scope(run: Callable[[], Awaitable[object]], service: Service) -> None:
    async with anyio.create_task_group() as group:
        ended: list[bool] = []

        async def scoped() -> None:
            with scope:
                await run()
            ended.append(scope.cancelled_caught)

        scope = anyio.CancelScope()
        group.start_soon(scoped)
        await service.arrived(5)
        scope.cancel()
    assert ended == [True]


@pytest.mark.parametrize("end", [_by_task, _by_timeout, _by_scope])
async def test_cancelled_run_ends_at_once_and_leaves_nothing(
    service: Service, client: Scarf, end: Callable[..., Awaitable[None]]
) -> None:
    """While the service is silent; no task is left, no outcome is told, and the client goes on."""
    service.gate.clear()
    before = asyncio.all_tasks()
    told: list[AnyOutcome] = []
    async with asyncio.timeout(5):
        await end(lambda: client.bulk.run(removals(50), concurrency=5, on_outcome=told.append), service)
        assert tasks_of_the_client(before) == []
        await service.idle()
    assert len(service.calls) == 5
    assert told == []
    service.gate.set()
    assert len((await client.bulk.run(removals(3))).succeeded) == 3


async def test_client_that_is_closed_ends_the_run(service: Service, client: Scarf) -> None:
    """`ClientClosedError` itself, and no group around it; no task is left."""
    service.gate.clear()
    before = asyncio.all_tasks()
    run = asyncio.create_task(client.bulk.run(removals(50), concurrency=5))
    await service.arrived(5)
    await client.aclose()
    with pytest.raises(ClientClosedError):
        await run
    assert tasks_of_the_client(before) == []
    assert len(service.calls) == 5


async def test_closed_client_runs_nothing(service: Service, client: Scarf) -> None:
    """Not one request."""
    await client.aclose()
    with pytest.raises(ClientClosedError):
        await client.bulk.run(removals(3))
    assert service.calls == []


async def test_read_only_client_runs_nothing(service: Service, client: Scarf) -> None:
    """`ReadOnlyError` before anything is looked at, even where a look might have been enough."""
    plan = BulkPlan()
    plan.create_organization(organization(), if_exists="keep")
    with pytest.raises(ReadOnlyError):
        await client.with_options(read_only=True).bulk.run(plan)
    assert service.calls == []


def test_client_of_another_event_loop_runs_nothing() -> None:
    """The error says so by itself, not in a group and not in outcomes."""
    client = Scarf("token", base_url="http://127.0.0.1:1", retry=RetryPolicy(attempts=1))

    async def use() -> None:
        with suppress(TransportError):
            await client.packages.list()

    async def run() -> None:
        with pytest.raises(WrongEventLoopError):
            await client.bulk.run(removals(3))

    with asyncio.Runner() as one:
        one.run(use())
        with asyncio.Runner() as other:
            other.run(run())
        one.run(client.aclose())
