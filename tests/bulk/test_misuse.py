"""What is given in a wrong form is refused by name, before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from scarf_async import (
    BulkPlan,
    DomainCreate,
    OrganizationUpsert,
    PackageUpsert,
    RouteCreate,
    Scarf,
    ValidationError,
)
from scarf_async.bulk.schedule import compile_plan

from .service import Service

ORGANIZATION = OrganizationUpsert(name="acme", description="", billing_email="")


@pytest.mark.parametrize("after", [None, 5, object(), True, [None], "ab", {"a": 1}])
def test_after_that_holds_no_refs_is_refused(after: Any) -> None:
    """Whatever it is."""
    plan = BulkPlan()
    with pytest.raises(ValidationError, match="takes Refs of this plan") as caught:
        plan.remove_member("acme", "ann", after=after)
    assert caught.value.field == "after"
    assert len(plan) == 0


@pytest.mark.parametrize("value", [[], ["keep"], {}, None, 1, "KEEP"])
async def test_if_exists_is_one_of_two_words(service: Service, client: Scarf, value: Any) -> None:
    """In a plan and in a plain call."""
    plan = BulkPlan()
    for add in (
        lambda: plan.create_organization(ORGANIZATION, if_exists=value),
        lambda: plan.create_package(PackageUpsert(name="web", short_description=""), if_exists=value),
        lambda: plan.create_route("p", RouteCreate("https://a.example", "/dl"), if_exists=value),
        lambda: plan.create_domain("p", DomainCreate("a.example"), if_exists=value),
    ):
        with pytest.raises(ValidationError) as caught:
            add()
        assert caught.value.field == "if_exists"
    with pytest.raises(ValidationError) as caught:
        await client.organizations.create(ORGANIZATION, if_exists=value)
    assert caught.value.field == "if_exists"
    assert service.calls == []


@pytest.mark.parametrize("plan", [[], None, "acme.plan", {}, BulkPlan])
async def test_plan_is_a_bulk_plan(service: Service, client: Scarf, plan: Any) -> None:
    """To run it and to verify it."""
    for use in (client.bulk.run, client.bulk.verify):
        with pytest.raises(ValidationError) as caught:
            await use(plan)
        assert caught.value.field == "plan"
    assert service.calls == []


@pytest.mark.parametrize("word", [[], {}, None, 1, "STOP"])
async def test_on_failure_is_one_of_two_words(service: Service, client: Scarf, word: Any) -> None:
    """Of whatever type the other is."""
    plan = BulkPlan()
    plan.remove_member("acme", "ann")
    with pytest.raises(ValidationError) as caught:
        await client.bulk.run(plan, on_failure=word)
    assert caught.value.field == "on_failure"
    assert service.calls == []


@pytest.mark.parametrize("seconds", [0, -1, True, "60", None, float("nan"), float("inf")])
async def test_patience_is_a_positive_number(service: Service, client: Scarf, seconds: Any) -> None:
    """Of seconds."""
    plan = BulkPlan()
    plan.remove_member("acme", "ann")
    with pytest.raises(ValidationError) as caught:
        await client.bulk.run(plan, patience=seconds)
    assert caught.value.field == "patience"
    assert service.calls == []


@pytest.mark.parametrize("key", [0, "0", None, slice(1)])
async def test_report_takes_refs_alone(service: Service, client: Scarf, key: Any) -> None:
    """A place is none: the outcomes by place are `.outcomes`."""
    plan = BulkPlan()
    plan.remove_member("acme", "ann")
    report = await client.bulk.run(plan)
    with pytest.raises(ValidationError, match="indexed by the Refs of its plan"):
        _ = report[key]


def conflict(*words: str) -> list[tuple[int, ...]]:
    """Give one user one level after another, each but the last after the one before; return the requests."""
    plan = BulkPlan()
    last = plan.set_permission("p", "ann", words[0])  # type: ignore[arg-type] # plain words
    for word in words[1:-1]:
        last = plan.set_permission("p", "ann", word, after=last)  # type: ignore[arg-type] # as above
    plan.set_permission("p", "ann", words[-1])  # type: ignore[arg-type] # as above
    return compile_plan(plan).units


def test_equal_operation_does_not_hide_a_contradiction() -> None:
    """Given again after another value, the first value contradicts that one: nothing says which is last."""
    with pytest.raises(ValidationError) as caught:
        conflict("member", "blocked", "member")
    assert "#1 set_permission p, ann, blocked and #2 set_permission p, ann, member" in str(caught.value)
    with pytest.raises(ValidationError, match=r"#3 .* and #4"):
        conflict("member", "blocked", "member", "blocked", "member")


def test_equal_operations_without_another_value_between_share_a_request() -> None:
    """As ever."""
    assert conflict("member", "member") == [(0, 1)]


def test_equal_removals_around_an_upsert_contradict_it() -> None:
    """A membership too is given by whatever was said last."""
    plan = BulkPlan()
    first = plan.remove_member("acme", "ann")
    plan.upsert_member("acme", "ann", "member", after=first)
    plan.remove_member("acme", "ann")
    with pytest.raises(ValidationError, match=r"#1 upsert_member .* and #2 remove_member"):
        compile_plan(plan)


def test_value_that_is_given_anew_in_order_is_sent_anew() -> None:
    """And equal ones after it share its request."""
    plan = BulkPlan()
    first = plan.upsert_member("acme", "ann", "member")
    second = plan.upsert_member("acme", "ann", "admin", after=first)
    plan.upsert_member("acme", "ann", "member", after=second)
    plan.upsert_member("acme", "ann", "member", after=second)
    schedule = compile_plan(plan)
    assert schedule.units == [(0,), (1,), (2, 3)]
    assert schedule.twins == {3: 2}
