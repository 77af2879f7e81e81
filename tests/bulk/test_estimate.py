"""What a plan will take, said before anything is sent."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given

from scarf_async import (
    BulkPlan,
    DomainCreate,
    OrganizationUpsert,
    PackageUpsert,
    PlanEstimate,
    RouteCreate,
    Scarf,
    ValidationError,
)
from scarf_async.emulator import Emulator

from .plans import plans
from .service import Service


def package(name: str = "web", **fields: str | None) -> PackageUpsert:
    """A package to create, or to change to."""
    return PackageUpsert(name=name, short_description="", **fields)


def organization(name: str = "acme") -> OrganizationUpsert:
    """An organization to create, or to change to."""
    return OrganizationUpsert(name=name, description="", billing_email="")


def full() -> BulkPlan:
    """Something of everything that can be carried out on an empty service."""
    plan = BulkPlan()
    plan.create_organization(organization(), if_exists="keep")
    for number in range(3):
        plan.upsert_member("acme", f"user{number}", "member")
    plan.upsert_member("acme", "user0", "member")
    web = plan.create_package(package(library_type="file"), "acme")
    for number in range(25):
        plan.set_permission(web, f"user{number}", "member")
    plan.create_route(web, RouteCreate("https://acme.example", "/dl"), if_exists="keep")
    plan.create_domain(web, DomainCreate("dl.acme.example"))
    return plan


def test_empty_plan_takes_nothing() -> None:
    """And there is nothing to warn of."""
    assert BulkPlan().estimate() == PlanEstimate({}, [])


def test_requests_are_counted_by_kind() -> None:
    """What travels together counts once, what is equal too; looks by themselves."""
    assert full().estimate(permission_batch=10).requests == {
        "create_organization": 1,
        "upsert_member": 3,
        "create_package": 1,
        "set_permission": 3,
        "create_route": 1,
        "create_domain": 1,
        "look": 2,
    }
    assert full().estimate().requests["set_permission"] == 1


@pytest.mark.parametrize("batch", [1, 7, 100])
async def test_estimate_is_what_a_run_sends(scarf: Scarf, scarf_emulator: Emulator, batch: int) -> None:
    """To the request, where nothing goes wrong."""
    plan = full()
    wanted = plan.estimate(permission_batch=batch)
    report = await scarf.bulk.run(plan, permission_batch=batch)
    report.raise_for_failures()
    assert sum(wanted.requests.values()) == report.requests == len(scarf_emulator.requests)


async def test_looks_at_one_list_are_one_read(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """Of those that wait for the same; and a run sends just that."""
    plan = BulkPlan()
    plan.create_organization(organization())
    for number in range(40):
        plan.create_package(package(f"web{number}", library_type="file"), "acme", if_exists="keep")
        plan.create_package(package(f"own{number}", library_type="file"), if_exists="keep")
    web = plan.create_package(package(library_type="file"), "acme", if_exists="keep")
    for number in range(40):
        plan.create_route(web, RouteCreate("https://acme.example", f"/dl{number}"), if_exists="keep")
        plan.create_domain(web, DomainCreate(f"dl{number}.acme.example"), if_exists="keep")
    wanted = plan.estimate()
    assert wanted.requests["look"] == 4
    report = await scarf.bulk.run(plan)
    report.raise_for_failures()
    assert sum(wanted.requests.values()) == report.requests == len(scarf_emulator.requests)


async def test_estimating_sends_nothing(service: Service, client: Scarf) -> None:
    """It needs no client at all."""
    full().estimate()
    assert service.calls == []


@given(plans())
def test_no_kind_takes_more_requests_than_it_has_operations(plan: BulkPlan) -> None:
    """And none that occurs takes none."""
    kinds = Counter(str(operation.kind) for operation in plan)
    try:
        requests = dict(plan.estimate().requests)
    except ValidationError:
        return
    looks = requests.pop("look", 0)
    assert looks <= len(plan)
    assert requests.keys() == kinds.keys()
    assert all(0 < requests[kind] <= number for kind, number in kinds.items())


def test_plan_that_contradicts_itself_is_refused() -> None:
    """As a run would refuse it."""
    plan = BulkPlan()
    plan.upsert_member("acme", "ann", "member")
    plan.upsert_member("acme", "ann", "admin")
    with pytest.raises(ValidationError, match="nothing was sent"):
        plan.estimate()


@pytest.mark.parametrize("batch", [0, -1, True, 2.0, "3", None])
def test_batch_is_a_whole_number(batch: int) -> None:
    """As a run would have it."""
    with pytest.raises(ValidationError) as caught:
        full().estimate(permission_batch=batch)
    assert caught.value.field == "permission_batch"


# Warnings


def test_update_without_addresses_is_warned_of() -> None:
    """The service may clear those that are set; types without addresses have none to lose."""
    plan = BulkPlan()
    plan.update_package("p", package("lost", library_type="docker"))
    plan.update_package("q", package("safe", library_type="pypi", repository_url="https://pypi.example/simple"))
    plan.update_package("r", package("meant", library_type="docker", public_url=None))
    plan.update_package("s", package("plain", library_type="npm"))
    (warning,) = plan.estimate().warnings
    assert "lost" in warning
    assert not any(name in warning for name in ("safe", "meant", "plain"))


def test_creation_without_a_type_is_warned_of() -> None:
    """Nobody says which it gets; of many a few are named."""
    plan = BulkPlan()
    for number in range(5):
        plan.create_package(package(f"web{number}"))
    plan.create_package(package("null", library_type=None))
    plan.create_package(package("typed", library_type="npm"))
    (warning,) = plan.estimate().warnings
    assert "library_type" in warning
    assert "web0, web1, web2 and 3 more" in warning
    assert "typed" not in warning


def test_two_ways_to_name_people_are_warned_of() -> None:
    """On one package, by whatever reference; not on two."""
    plan = BulkPlan()
    plan.set_permission("p", "ann", "member")
    plan.set_permission("q", "bob@acme.example", "member")
    assert plan.estimate().warnings == []
    plan.set_permission("p", "ann@acme.example", "admin")
    (warning,) = plan.estimate().warnings
    assert warning.startswith("1 package ")
    web = plan.create_package(package(library_type="npm"))
    changed = plan.update_package(web, package(library_type="npm"))
    plan.set_permission(web, "ann", "member")
    plan.set_permission(changed, "bob@acme.example", "member")
    (warning,) = plan.estimate().warnings
    assert warning.startswith("2 packages ")
