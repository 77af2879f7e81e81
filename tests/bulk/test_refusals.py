"""Refusals over real sockets: what is refused for the moment goes back into the queue and loses nothing."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from scarf_async import (
    BulkPlan,
    BulkReport,
    ConnectFailedError,
    OrganizationUpsert,
    Outcome,
    PackageUpsert,
    RateLimitedError,
    RequestFinished,
    RetryPolicy,
    Route,
    RouteCreate,
    Scarf,
    ScarfEvent,
    ServerError,
    Throttled,
)
from scarf_async.emulator import Emulator, FaultRule
from scarf_async.testing import no_waiting

from .service import Answer, Call, Service, client_of

TWICE = RetryPolicy(attempts=2, initial_delay=0.001, max_delay=0.002, settle=0.05)


@pytest.fixture
def passing_time() -> Iterator[None]:
    """Pauses pass at once."""
    with no_waiting():
        yield


def removals(number: int) -> BulkPlan:
    """As many operations, each of which is one request."""
    plan = BulkPlan()
    for index in range(number):
        plan.remove_member("acme", f"user{index}")
    return plan


def statuses(report: BulkReport) -> list[str]:
    """The statuses, in the report's order."""
    return [outcome.status for outcome in report.outcomes]


def refusing(service: Service, times: int, status: int, path: str = "") -> None:
    """Refuse each call of paths that contain this so many times."""
    seen = Counter[str]()

    def answers(call: Call) -> Answer:
        seen[call.name] += path in call.path
        return status if path in call.path and seen[call.name] <= times else None

    service.answers = answers


@pytest.mark.usefixtures("passing_time")
@pytest.mark.parametrize("status", [429, 503])
async def test_operation_that_is_refused_more_often_than_attempts_succeeds(
    service: Service, client: Scarf, status: int
) -> None:
    """A client that sends nothing twice, and twenty refusals: they count as sends and cost nothing else."""
    refusing(service, 20, status)
    report = await client.bulk.run(removals(3), concurrency=1)
    assert statuses(report) == ["succeeded"] * 3
    assert [outcome.attempts for outcome in report.outcomes] == [21, 21, 21]
    assert report.requests == len(service.calls) == 63


@pytest.mark.usefixtures("passing_time")
async def test_limit_that_comes_as_a_403_is_one(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """If it says when to come back."""
    for nth in range(1, 13):
        scarf_emulator.faults.add(FaultRule("POST", "*/users", nth, 403, retry_after=1))
    plan = BulkPlan()
    plan.create_organization(OrganizationUpsert(name="acme", description="", billing_email=""))
    plan.upsert_member("acme", "ann", "member")
    report = await scarf.bulk.run(plan)
    assert statuses(report) == ["succeeded"] * 2
    assert report.outcomes[1].attempts == 13


@pytest.mark.usefixtures("passing_time")
async def test_own_failures_still_count_against_attempts(service: Service) -> None:
    """Refusals are spared, a 500 is not: after the second one the operation ends."""
    answers = itertools.chain([429, 500, 429, 429, 500], itertools.repeat(204))
    service.answers = lambda _: next(answers)
    async with client_of(service.url, retry=TWICE) as client:
        report = await client.bulk.run(removals(1))
    assert statuses(report) == ["unknown"]
    assert isinstance(report.outcomes[0].error, ServerError)
    assert report.outcomes[0].attempts == 5


async def test_plain_calls_beside_a_run_keep_their_attempts(service: Service, client: Scarf) -> None:
    """What a run may do a plain call may not."""
    service.refuse("DELETE /organizations/acme/users/ann", status=429)
    with pytest.raises(RateLimitedError) as caught:
        await client.members.remove("acme", "ann")
    assert caught.value.attempts == 1


async def listen(port: int = 0) -> tuple[asyncio.Server, list[bytes]]:
    """A service that takes everything, one request to a connection."""
    seen = list[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", port), seen


async def test_refused_connections_cost_no_operation() -> None:
    """The service is gone in the middle of a run and comes back on the same port: everything is done, once."""
    server, seen = await listen()
    port = server.sockets[0].getsockname()[1]
    gone, enough = asyncio.Event(), asyncio.Event()
    refused = 0

    def on_event(event: ScarfEvent) -> None:
        nonlocal refused
        refused += isinstance(event, RequestFinished) and event.error == ConnectFailedError.__name__
        if refused == 5:
            enough.set()

    def on_outcome(outcome: Outcome[object]) -> None:
        if outcome.operation.index == 10:
            server.close()
            gone.set()

    async with client_of(f"http://127.0.0.1:{port}", on_event=on_event) as client:
        run = asyncio.create_task(client.bulk.run(removals(40), concurrency=2, on_outcome=on_outcome))
        await gone.wait()
        await server.wait_closed()
        before = len(seen)
        assert before < 40
        # So many attempts at a connection are refused by the system before there is someone again.
        await enough.wait()
        back, after = await listen(port)
        async with back:
            report = await run
    assert statuses(report) == ["succeeded"] * 40
    assert before + len(after) == 40


async def test_nobody_ever_there_ends_with_patience() -> None:
    """All are skipped, since nothing was sent; the report says why."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with client_of(f"http://127.0.0.1:{port}") as client:
        with no_waiting():
            report = await client.bulk.run(removals(5), patience=30.0)
    assert statuses(report) == ["skipped"] * 5
    assert report.stopped_by == "nothing succeeded for 30 s"
    assert report.resume_after is None


@pytest.mark.usefixtures("passing_time")
async def test_spent_budget_is_waited_for(service: Service, client: Scarf) -> None:
    """Three hundred retries where a minute allows a hundred: nothing fails, and it takes minutes."""
    refusing(service, 300, 429)
    report = await client.bulk.run(removals(1))
    assert statuses(report) == ["succeeded"]
    assert report.outcomes[0].attempts == 301
    assert report.elapsed > 120


@pytest.mark.usefixtures("passing_time")
async def test_create_that_was_refused_without_effect_is_sent_again(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """Once it has been looked for, twice, and was not there; after a 429 without looking."""
    for nth, status in enumerate([429, 503, 429], start=1):
        scarf_emulator.faults.add(FaultRule("POST", "/packages", nth, status))
    plan = BulkPlan()
    web = plan.create_package(PackageUpsert(name="web", short_description="", library_type="file"))
    plan.create_route(web, RouteCreate("https://acme.example/{v}", "/dl"))
    report = await scarf.bulk.run(plan)
    assert statuses(report) == ["succeeded"] * 2
    assert isinstance(report.outcomes[1].result, Route)
    assert report[web].attempts == 4
    methods = [request.method for request in scarf_emulator.requests]
    assert methods[:4] == ["POST", "POST", "GET", "GET"]
    assert len(scarf_emulator.requests_for("GET", "/packages")) >= 2


async def test_longer_wait_than_patience_ends_the_run(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """The report says when to come again; what was not sent is skipped, what was refused too."""
    scarf_emulator.faults.add(FaultRule("DELETE", "*/user3", None, 429, retry_after=3600))
    plan = BulkPlan()
    made = plan.create_organization(OrganizationUpsert(name="acme", description="", billing_email=""))
    for number in range(8):
        member = plan.upsert_member("acme", f"user{number}", "member", after=made)
        plan.remove_member("acme", f"user{number}", after=member)
    report = await scarf.bulk.run(plan, concurrency=1, patience=60)
    assert report.resume_after == 3600
    assert report.stopped_by is not None
    assert "3600 s" in report.stopped_by
    assert report.counts["failed"] == report.counts["unknown"] == 0
    assert report.counts["skipped"] > 0
    refused = [outcome for outcome in report.outcomes if outcome.operation.arguments.get("username") == "user3"]
    assert [outcome.status for outcome in refused if outcome.operation.kind == "remove_member"] == ["skipped"]
    assert len(scarf_emulator.requests_for("DELETE", "*/user3")) == 1


async def test_wait_of_a_run_holds_plain_calls_too(scarf_emulator: Emulator) -> None:
    """A 429 holds the whole client."""
    scarf_emulator.faults.add(FaultRule("DELETE", "*", 1, 429, retry_after=0.5))
    loop = asyncio.get_running_loop()
    throttled: asyncio.Future[float] = loop.create_future()

    def on_event(event: ScarfEvent) -> None:
        if isinstance(event, Throttled):
            throttled.set_result(loop.time())

    async with Scarf(scarf_emulator.token, base_url=scarf_emulator.url, on_event=on_event) as client:
        run = asyncio.create_task(client.bulk.run(removals(1)))
        began = await throttled
        await client.packages.list()
        assert loop.time() - began > 0.45
        await run
