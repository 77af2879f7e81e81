"""How a run ends before its end: each time its journal is whole, and the next run continues from it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from scarf_async import (
    APIError,
    AuthenticationError,
    BulkPlan,
    BulkReport,
    OrganizationUpsert,
    Outcome,
    Role,
    Scarf,
    UnprocessableError,
)
from scarf_async.emulator import Emulator, FaultRule
from scarf_async.testing import no_waiting

from .service import Answer, Call, Service, client_of

OPERATIONS = 30


def removals(number: int = OPERATIONS) -> BulkPlan:
    """As many operations, each of which is one request."""
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


async def goes_on(service: Service, journal: Path, done: int) -> None:
    """The next run does what is left, and nothing twice."""
    service.calls.clear()
    async with client_of(service.url) as client:
        report = await client.bulk.run(removals(), journal=journal)
    assert statuses(report) == ["succeeded"] * OPERATIONS
    assert report.stopped_by is None
    assert len(service.calls) == OPERATIONS - done


async def test_event_stops_the_run(service: Service, client: Scarf, tmp_path: Path) -> None:
    """Nothing new is started, what is in progress ends, and the report comes."""
    service.gate.clear()
    stop, journal = asyncio.Event(), tmp_path / "journal"
    run = asyncio.create_task(client.bulk.run(removals(), concurrency=4, stop=stop, journal=journal))
    await service.arrived(4)
    stop.set()
    service.gate.set()
    report = await run
    assert statuses(report) == ["succeeded"] * 4 + ["skipped"] * (OPERATIONS - 4)
    assert report.stopped_by == "stop was set"
    assert all("stop was set" in str(outcome.error) for outcome in report.skipped)
    assert len(service.calls) == 4
    await goes_on(service, journal, 4)


async def test_event_that_is_set_already_lets_nothing_start(
    service: Service, client: Scarf, tmp_path: Path
) -> None:
    """Not one request."""
    stop = asyncio.Event()
    stop.set()
    report = await client.bulk.run(removals(), stop=stop, journal=tmp_path / "journal")
    assert statuses(report) == ["skipped"] * OPERATIONS
    assert service.calls == []
    await goes_on(service, tmp_path / "journal", 0)


async def test_event_that_is_set_after_the_end_changes_nothing(service: Service, client: Scarf) -> None:
    """Nobody listens any more."""
    stop = asyncio.Event()
    report = await client.bulk.run(removals(), stop=stop)
    stop.set()
    assert report.stopped_by is None
    assert len(report.succeeded) == OPERATIONS


async def test_event_ends_a_long_pause(service: Service, client: Scarf, tmp_path: Path) -> None:
    """A run that the service told to wait does not wait when it is stopped."""
    service.answers = lambda _: 429
    stop = asyncio.Event()
    run = asyncio.create_task(client.bulk.run(removals(), concurrency=2, stop=stop, journal=tmp_path / "journal"))
    await service.arrived(6)
    stop.set()
    async with asyncio.timeout(5):
        report = await run
    assert statuses(report) == ["skipped"] * OPERATIONS
    service.answers = lambda _: 204
    await goes_on(service, tmp_path / "journal", 0)


async def test_first_failure_stops_the_run_on_demand(service: Service, client: Scarf, tmp_path: Path) -> None:
    """The next run does what failed again, and what was not started."""
    service.refuse(removal(7))
    journal = tmp_path / "journal"
    report = await client.bulk.run(removals(), concurrency=1, on_failure="stop", journal=journal)
    assert statuses(report) == ["succeeded"] * 7 + ["failed"] + ["skipped"] * (OPERATIONS - 8)
    assert isinstance(report.failed[0].error, UnprocessableError)
    service.answers = lambda _: None
    await goes_on(service, journal, 7)


async def test_refused_token_stops_the_run(service: Service, client: Scarf, tmp_path: Path) -> None:
    """With a token that is taken, the next run goes on."""
    refused = False

    def answers(call: Call) -> Answer:
        nonlocal refused
        refused = refused or call.name == removal(9)
        return 401 if refused else None

    service.answers = answers
    journal = tmp_path / "journal"
    report = await client.bulk.run(removals(), concurrency=1, journal=journal)
    assert statuses(report) == ["succeeded"] * 9 + ["failed"] + ["skipped"] * (OPERATIONS - 10)
    assert isinstance(report.failed[0].error, AuthenticationError)
    service.answers = lambda _: None
    await goes_on(service, journal, 9)


async def test_patience_stops_the_run(service: Service, client: Scarf, tmp_path: Path) -> None:
    """Nothing but refusals for so long: what was refused is skipped, since nothing of it was taken."""
    taken = iter([None] * 5)
    service.answers = lambda _: next(taken, 503)
    journal = tmp_path / "journal"
    with no_waiting():
        report = await client.bulk.run(removals(), concurrency=1, patience=60.0, journal=journal)
    assert report.stopped_by == "nothing succeeded for 60 s"
    assert statuses(report)[:5] == ["succeeded"] * 5
    assert report.counts["failed"] == 0
    assert report.elapsed > 60
    unsettled = report.counts["unknown"]
    assert unsettled <= 1
    service.answers = lambda _: None
    await goes_on(service, journal, 5)


async def test_cancelled_run_leaves_a_whole_journal(service: Service, client: Scarf, tmp_path: Path) -> None:
    """What was in progress is sent again, what was done is not."""
    journal, enough = tmp_path / "journal", asyncio.Event()

    async def answers(call: Call) -> Answer:
        if int(call.name.rpartition("user")[2]) >= 10:
            await asyncio.Event().wait()
        return None

    def on_outcome(outcome: Outcome[object]) -> None:
        if outcome.operation.index == 9:
            enough.set()

    service.answers = answers
    run = asyncio.create_task(client.bulk.run(removals(), concurrency=1, journal=journal, on_outcome=on_outcome))
    await enough.wait()
    await service.arrived(11)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await service.idle()
    service.answers = lambda _: None
    await goes_on(service, journal, 10)


# Organizations that are full


CODES = ["max-organization-members-reached", "billing-error"]


class Full:
    """Organizations, of which `acme` takes no member beyond `limit`, and says so with a code."""

    def __init__(self, code: str, limit: int) -> None:
        self.code = code
        self.limit = limit
        self.members = {"ann": "member", "bob": "member"}

    def __call__(self, call: Call) -> Answer:
        """Answer a call."""
        if not call.path.startswith("/organizations/acme"):
            return None
        if call.method == "GET":
            return [
                {"organizationName": "acme", "username": user, "role": role} for user, role in self.members.items()
            ]
        told = call.json
        assert isinstance(told, dict)
        user = told["username"].strip().casefold()
        if user not in self.members and len(self.members) >= self.limit:
            return web.json_response({"message": "no more", "code": self.code}, status=422)
        self.members[user] = told["role"]
        return None


def memberships() -> BulkPlan:
    """New members of `acme`, then those it has, then members of another organization."""
    plan = BulkPlan()
    for number in range(10):
        plan.upsert_member("acme", f"user{number}", "member")
    plan.upsert_member("acme", "Ann ", "admin")
    plan.upsert_member("acme", "bob", "admin")
    for number in range(5):
        plan.upsert_member("globex", f"user{number}", "member")
    return plan


@pytest.mark.parametrize("code", CODES)
async def test_full_organization_takes_no_further_new_members(
    service: Service, client: Scarf, tmp_path: Path, code: str
) -> None:
    """Those it has can still be changed, other organizations go on, and the next run does the rest."""
    full = Full(code, limit=5)
    service.answers = full
    report = await client.bulk.run(memberships(), concurrency=1, journal=tmp_path / "journal")
    assert statuses(report) == ["succeeded"] * 3 + ["failed"] + ["skipped"] * 6 + ["succeeded"] * 7
    assert report.stopped_by is None
    (failed,) = report.failed
    assert isinstance(failed.error, APIError)
    assert failed.error.code == code
    assert all("cannot have more members" in str(outcome.error) for outcome in report.skipped)
    assert full.members["bob"] == "admin"
    # Three and one refused, one list, two changes, five of the other organization.
    assert len(service.calls) == 12
    full.limit = 100
    service.calls.clear()
    report = await client.bulk.run(memberships(), journal=tmp_path / "journal")
    assert statuses(report) == ["succeeded"] * 17
    assert len(service.calls) == 7


async def test_members_under_way_are_each_told_by_the_service(service: Service, client: Scarf) -> None:
    """What was sent before the first response came fails by itself; the list is read once."""
    full = Full(CODES[0], limit=2)
    service.answers, service.lag = full, 0.005
    report = await client.bulk.run(memberships(), concurrency=4)
    assert statuses(report)[10:] == ["succeeded"] * 7
    assert report.counts["failed"] == 4
    assert report.counts["skipped"] == 6
    assert [call.method for call in service.calls].count("GET") == 1


async def test_list_that_cannot_be_read_lets_nobody_new_in(service: Service, client: Scarf) -> None:
    """Nor is anybody of the full organization changed, since it is not known who is one of it."""
    full = Full(CODES[0], limit=2)
    service.answers = lambda call: 403 if call.method == "GET" else full(call)
    report = await client.bulk.run(memberships(), concurrency=1)
    assert statuses(report) == ["failed"] + ["skipped"] * 11 + ["succeeded"] * 5


async def test_full_organization_of_the_emulator(tmp_path: Path) -> None:
    """The same against a server that counts its members."""
    plan = BulkPlan()
    plan.create_organization(OrganizationUpsert(name="acme", description="", billing_email=""))
    for number in range(6):
        plan.upsert_member("acme", f"user{number}", "member")
    journal = tmp_path / "journal"
    async with Emulator(max_members=3) as emulator, client_of(emulator.url, token=emulator.token) as client:
        first = await client.bulk.run(plan, concurrency=1, journal=journal)
        assert statuses(first) == ["succeeded"] * 3 + ["failed"] + ["skipped"] * 3
        emulator.max_members = None
        second = await client.bulk.run(plan, concurrency=1, journal=journal)
        members = await client.members.list("acme")
    assert statuses(second) == ["succeeded"] * 7
    assert sorted(member.username for member in members if member.role == Role.MEMBER) == [
        f"user{number}" for number in range(6)
    ]


async def test_wait_beyond_patience_and_the_run_after_it(
    scarf: Scarf, scarf_emulator: Emulator, tmp_path: Path
) -> None:
    """What was not sent is done by a later run, when the service is ready."""
    scarf_emulator.faults.add(FaultRule("POST", "*/users", 3, 503, retry_after=900))
    plan = BulkPlan()
    plan.create_organization(OrganizationUpsert(name="acme", description="", billing_email=""))
    for number in range(6):
        plan.upsert_member("acme", f"user{number}", "member")
    journal = tmp_path / "journal"
    first = await scarf.bulk.run(plan, concurrency=1, patience=600, journal=journal)
    assert first.resume_after == 900
    assert statuses(first)[:3] == ["succeeded"] * 3
    assert first.counts["failed"] == 0
    before = len(scarf_emulator.requests)
    second = await scarf.bulk.run(plan, journal=journal)
    assert statuses(second) == ["succeeded"] * 7
    assert second.resume_after is None
    assert len(scarf_emulator.requests) - before == 4
