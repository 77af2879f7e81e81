"""Refused arrays of permissions: how the bad entries are found, and at which cost."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scarf_async import (
    APIError,
    AuthenticationError,
    BulkPlan,
    BulkReport,
    NotFoundError,
    PackageUpsert,
    PermissionDeniedError,
    RateLimitedError,
    Ref,
    RetryPolicy,
    Scarf,
    ScarfError,
    TransportError,
    UnprocessableError,
)
from scarf_async.bulk.splitting import Splitter
from scarf_async.emulator import Emulator
from scarf_async.protocol.messages import api_error

from .plans import arguments
from .service import Answer, Call, Service, client_of

BATCH = 1000


def refusal(status: int) -> APIError:
    """What the service says with a status."""
    return api_error(status)("no", status=status, method="POST", url="http://x", attempts=1)


@attrs.define
class Array:
    """A service of arrays without a socket, and what the splitter did with it."""

    bad: frozenset[int] = frozenset()
    status: int = 422
    largest: int = BATCH
    package_error: ScarfError | None = None
    sent: list[list[int]] = attrs.field(factory=list)
    taken: list[int] = attrs.field(factory=list)
    refused: dict[int, ScarfError] = attrs.field(factory=dict)
    looks: int = 0

    async def send(self, places: Sequence[int]) -> ScarfError | None:
        """Take an array, or refuse it."""
        await asyncio.sleep(0)
        self.sent.append(list(places))
        if len(places) > self.largest:
            return refusal(413)
        if self.bad.intersection(places):
            return refusal(self.status)
        self.taken.extend(places)
        return None

    async def look(self) -> ScarfError | None:
        """Return whether the package is the reason."""
        self.looks += 1
        return self.package_error

    def refuse(self, places: Sequence[int], error: ScarfError) -> None:
        """Settle entries."""
        for place in places:
            assert place not in self.refused
            self.refused[place] = error

    async def set(self, places: Sequence[int], splitter: Splitter | None = None) -> None:
        """Set permissions."""
        splitter = splitter or Splitter(BATCH)
        await splitter.send(places, send=self.send, package_refused=self.look, refuse=self.refuse)


def bound(entries: int, bad: int) -> int:
    """The most requests that halving takes: of each level no more arrays are refused than there are bad entries."""
    if not bad:
        return 1
    levels = math.ceil(math.log2(entries)) if entries > 1 else 0
    return 1 + sum(2 * min(bad, 1 << level) for level in range(levels))


SIZES = st.integers(1, 130).flatmap(
    lambda size: st.tuples(st.just(size), st.frozensets(st.integers(0, size - 1), max_size=size))
)


@given(SIZES, st.sampled_from([400, 403, 404, 409, 422]))
@example((100, frozenset({37})), 404)
@example((100, frozenset(range(100))), 422)
@example((1, frozenset({0})), 404)
def test_exactly_the_good_ones_are_set(case: tuple[int, frozenset[int]], status: int) -> None:
    """In their order, each once; the bad ones fail with the service's words; and the cost is bounded."""
    size, bad = case
    service = Array(bad, status)
    asyncio.run(service.set(range(size)))
    assert service.taken == [place for place in range(size) if place not in bad]
    assert service.refused.keys() == bad
    assert all(isinstance(error, APIError) and error.status == status for error in service.refused.values())
    assert len(service.sent) <= bound(size, len(bad))
    assert service.looks == (status in {403, 404} and size > 1 and bool(bad))


def test_one_bad_entry_in_a_hundred() -> None:
    """Fifteen requests and no more, wherever it is."""
    costs = []
    for bad in range(100):
        service = Array(frozenset({bad}))
        asyncio.run(service.set(range(100)))
        costs.append(len(service.sent))
    assert max(costs) <= 15


def test_all_bad_entries_in_a_hundred() -> None:
    """A tree of halves: twice as many requests as entries, but for one."""
    service = Array(frozenset(range(100)))
    asyncio.run(service.set(range(100)))
    assert len(service.sent) == 199
    assert service.taken == []


@given(SIZES, st.integers(1, 40))
def test_too_long_arrays_are_halved(case: tuple[int, frozenset[int]], largest: int) -> None:
    """Until the service takes them; bad entries are found all the same."""
    size, bad = case
    service = Array(bad, largest=largest)
    splitter = Splitter(BATCH)
    asyncio.run(service.set(range(size), splitter))
    assert service.taken == [place for place in range(size) if place not in bad]
    assert service.refused.keys() == bad
    assert splitter.limit > largest / 2


def test_too_long_once_is_too_long_for_the_rest_of_the_run() -> None:
    """The next array is cut before it is sent."""
    service, splitter = Array(largest=30), Splitter(BATCH)
    asyncio.run(service.set(range(100), splitter))
    assert [len(array) for array in service.sent] == [100, 50, 25, 25, 25, 25]
    assert splitter.limit == 25
    service.sent.clear()
    asyncio.run(service.set(range(100, 200), splitter))
    assert [len(array) for array in service.sent] == [25, 25, 25, 25]


def test_entry_that_is_too_long_by_itself_fails() -> None:
    """It is not sent for ever."""
    service = Array(largest=0)
    asyncio.run(service.set(range(3)))
    assert len(service.sent) == 5
    assert [error.status for error in service.refused.values() if isinstance(error, APIError)] == [413] * 3


@pytest.mark.parametrize("status", [401, 408, 425, 429, 500, 503])
def test_what_says_nothing_of_the_entries_is_not_bisected(status: int) -> None:
    """All of the array fail, after one request."""
    service = Array(frozenset({3}), status)
    asyncio.run(service.set(range(10)))
    assert service.sent == [list(range(10))]
    assert service.refused.keys() == set(range(10))
    assert service.looks == 0


def test_no_answer_at_all_is_not_bisected() -> None:
    """Nor is what never left."""

    class Silent(Array):
        async def send(self, places: Sequence[int]) -> ScarfError | None:
            self.sent.append(list(places))
            return TransportError("no answer", method="POST", url="http://x")

    service = Silent()
    asyncio.run(service.set(range(10)))
    assert len(service.sent) == 1
    assert len(service.refused) == 10


@pytest.mark.parametrize("status", [403, 404])
def test_one_look_tells_whether_the_package_is_the_reason(status: int) -> None:
    """Then all entries fail at once, those that were not sent yet too, with the words of the first refusal."""
    service = Array(frozenset({60}), status, package_error=refusal(status))
    splitter = Splitter(50)
    asyncio.run(service.set(range(150), splitter))
    assert service.looks == 1
    assert [len(array) for array in service.sent] == [50, 50]
    assert service.taken == list(range(50))
    assert service.refused.keys() == set(range(50, 150))


# Over sockets


def plan_for(users: Sequence[str], package: str = "p") -> BulkPlan:
    """A permission for each user."""
    plan = BulkPlan()
    for user in users:
        plan.set_permission(package, user, "member")
    return plan


def failed(report: BulkReport) -> list[str]:
    """The users whose permission failed."""
    return [arguments(outcome.operation)["user_query"] for outcome in report.failed]


async def test_strangers_fail_with_the_services_words() -> None:
    """Of 40 users three are nobody: the others have their level."""
    people = {f"user{number}": f"user{number}@acme.example" for number in range(37)}
    users = [*people, "stranger1", "stranger2"]
    users.insert(20, "nobody@acme.example")
    async with Emulator(people=people) as emulator, client_of(emulator.url, token=emulator.token) as client:
        web = await _package(client)
        report = await client.bulk.run(plan_for(users, web))
        shown = {entry.username for entry in await client.permissions.list(web)}
    assert failed(report) == ["nobody@acme.example", "stranger1", "stranger2"]
    assert all(isinstance(outcome.error, NotFoundError) for outcome in report.failed)
    for outcome in report.failed:
        assert arguments(outcome.operation)["user_query"] in str(outcome.error)
    assert shown == set(people)


async def _package(client: Scarf) -> str:
    made = await client.packages.create(PackageUpsert(name="web", short_description="", library_type="file"))
    return made.uuid


async def test_package_that_is_not_there_costs_two_requests_an_array(
    scarf: Scarf, scarf_emulator: Emulator
) -> None:
    """However many permissions it was to get; other packages get theirs."""
    web = await _package(scarf)
    plan = plan_for([f"user{number}" for number in range(250)], "nowhere")
    plan.set_permission(web, "ann", "member")
    before = len(scarf_emulator.requests)
    report = await scarf.bulk.run(plan)
    assert len(scarf_emulator.requests) - before == report.requests
    assert report.counts == {"succeeded": 1, "failed": 250, "unknown": 0, "skipped": 0}
    assert len(scarf_emulator.requests_for("POST", "/packages/nowhere/permissions")) == 3
    assert len(scarf_emulator.requests_for("GET", "/packages/nowhere/permissions")) == 3


async def test_look_that_fails_tells_nothing(service: Service, client: Scarf) -> None:
    """The entries are tried one by one all the same."""

    def answers(call: Call) -> Answer:
        if call.method == "GET":
            return 500
        return 403 if b"bad" in call.body else None

    service.answers = answers
    report = await client.bulk.run(plan_for(["a", "b", "bad", "d"]))
    assert failed(report) == ["bad"]
    assert isinstance(report.failed[0].error, PermissionDeniedError)


async def test_halves_arrive_in_the_plans_order(service: Service, client: Scarf) -> None:
    """An e-mail address and a username may be one person: a later entry is never set before an earlier one."""
    service.answers = lambda call: 422 if b"bad" in call.body else None
    report = await client.bulk.run(plan_for(["a", "b", "bad", "d", "e", "f", "g"]), permission_batch=4)
    assert failed(report) == ["bad"]
    taken = [
        entry["userQuery"] for call in service.calls if b"bad" not in call.body for entry in json.loads(call.body)
    ]
    assert taken == ["a", "b", "d", "e", "f", "g"]
    assert service.most_under_way == 1


async def test_array_size_is_halved_for_other_packages_too(service: Service, client: Scarf) -> None:
    """After the 413 for one, the arrays of the next are shorter from the start."""
    service.answers = lambda call: 413 if len(json.loads(call.body)) > 10 else None
    plan = plan_for([f"user{number}" for number in range(16)], "p")
    for number in range(16):
        plan.set_permission("q", f"user{number}", "member", after=Ref(plan, 0))
    report = await client.bulk.run(plan)
    assert len(report.succeeded) == 32
    assert [(call.path.split("/")[2], len(json.loads(call.body))) for call in service.calls] == [
        ("p", 16),
        ("p", 8),
        ("p", 8),
        ("q", 8),
        ("q", 8),
    ]


async def test_attempts_are_those_of_the_last_array(service: Service) -> None:
    """Each half is a request of its own; what was refused before is not counted again."""
    service.answers = lambda call: 422 if b"bad" in call.body else None
    async with client_of(service.url, retry=RetryPolicy(attempts=3)) as client:
        report = await client.bulk.run(plan_for(["a", "bad"]))
    assert [outcome.attempts for outcome in report.outcomes] == [1, 1]
    assert report.requests == 3


@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationError), (422, UnprocessableError)])
async def test_stop_comes_after_the_array_is_settled(
    service: Service, client: Scarf, status: int, error: type[APIError]
) -> None:
    """A refused token fails the whole array at once; a bad entry with `on_failure="stop"` ends the run."""
    service.answers = lambda call: status if b"bad" in call.body else None
    report = await client.bulk.run(
        plan_for(["a", "bad", "c", "d"]), permission_batch=2, on_failure="stop", concurrency=1
    )
    wanted = {401: ["failed", "failed", "skipped", "skipped"], 422: ["succeeded", "failed", "skipped", "skipped"]}
    assert [outcome.status for outcome in report.outcomes] == wanted[status]
    assert isinstance(report.failed[-1].error, error)


async def test_rate_limit_is_never_bisected(service: Service) -> None:
    """It is waited for, and the array is sent whole."""
    calls = iter([429, 429])
    service.answers = lambda _: next(calls, None)
    async with client_of(service.url) as client:
        report = await client.bulk.run(plan_for(["a", "b", "c"]))
    assert len(report.succeeded) == 3
    assert [len(json.loads(call.body)) for call in service.calls] == [3, 3, 3]
    assert not any(isinstance(outcome.error, RateLimitedError) for outcome in report.outcomes)
