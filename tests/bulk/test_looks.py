"""Creates that look first: many of one run share one read, and none is misled by what was read too early."""

from __future__ import annotations

from collections import Counter

import pytest

from scarf_async import BulkPlan, DomainCreate, OrganizationUpsert, Package, PackageUpsert, RouteCreate, Scarf
from scarf_async.emulator import Emulator
from scarf_async.protocol.wire import Wire

from .service import Answer, Call, Service

MANY = 417
ORGANIZATION = OrganizationUpsert(name="acme", description="", billing_email="")


def package(name: str, **fields: str) -> PackageUpsert:
    """A package to create."""
    return PackageUpsert(**{"name": name, "short_description": "", "library_type": "file", **fields})


async def organization(scarf: Scarf, emulator: Emulator) -> None:
    """Make an empty one, and forget how."""
    plan = BulkPlan()
    plan.create_organization(ORGANIZATION)
    (await scarf.bulk.run(plan)).raise_for_failures()
    emulator.requests.clear()


def sent(emulator: Emulator) -> Counter[str]:
    """What arrived since the last time."""
    counts = Counter(f"{one.method} {one.path.removeprefix('/api/v1')}" for one in emulator.requests)
    emulator.requests.clear()
    return counts


@pytest.mark.parametrize("owner", ["acme", None])
async def test_rerun_reads_the_list_once(scarf: Scarf, scarf_emulator: Emulator, owner: str | None) -> None:
    """However many packages are kept; so does the first run, before it creates them. Own ones: their owner too."""
    await organization(scarf, scarf_emulator)
    plan = BulkPlan()
    for number in range(MANY):
        plan.create_package(package(f"web{number}"), owner, if_exists="keep")
    path = "/organizations/acme/packages" if owner else "/packages"
    (await scarf.bulk.run(plan)).raise_for_failures()
    assert sent(scarf_emulator) == {f"GET {path}": 1, f"POST {path}": MANY}
    report = await scarf.bulk.run(plan)
    whose = {} if owner else {f"GET /organizations/{scarf_emulator.user}": 1}
    assert sent(scarf_emulator) == {f"GET {path}": 1, **whose}
    assert all(outcome.unchanged for outcome in report.succeeded)
    assert len(report.succeeded) == MANY
    assert report.requests == 1 + len(whose)


async def test_shared_list_is_decoded_once(
    scarf: Scarf, scarf_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not by each create that looks at it."""
    await organization(scarf, scarf_emulator)
    plan = BulkPlan()
    for number in range(MANY):
        plan.create_package(package(f"web{number}"), "acme", if_exists="keep")
    (await scarf.bulk.run(plan)).raise_for_failures()
    decoded: list[object] = []

    read = Wire.read

    def counted(wire: Wire, body: bytes, target: type[object]) -> object:
        decoded.append(target)
        return read(wire, body, target)

    monkeypatch.setattr(Wire, "read", counted)
    (await scarf.bulk.run(plan)).raise_for_failures()
    assert len(decoded) == 1


async def test_lists_of_a_package_are_read_once(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """Of its routes and of its domains."""
    await organization(scarf, scarf_emulator)
    web = await scarf.packages.create(package("web"), "acme")
    plan = BulkPlan()
    for number in range(50):
        plan.create_route(web, RouteCreate("https://acme.example", f"/{number}"), if_exists="keep")
        plan.create_domain(web, DomainCreate(f"dl{number}.acme.example"), if_exists="keep")
    await scarf.bulk.run(plan)
    sent(scarf_emulator)
    report = await scarf.bulk.run(plan)
    assert all(outcome.unchanged for outcome in report.succeeded)
    lists = f"GET /packages/{web.uuid}"
    assert sent(scarf_emulator) == {f"{lists}/routes": 1, f"{lists}/domains": 1}


async def test_what_comes_after_a_create_looks_after_it(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """A list that was read before for others does not hold what the run has made since."""
    await organization(scarf, scarf_emulator)
    plan = BulkPlan()
    early = [plan.create_package(package(f"early{number}"), "acme", if_exists="keep") for number in range(3)]
    made = plan.create_package(package("web"), "acme", after=early)
    kept = plan.create_package(package("web"), "acme", if_exists="keep", after=made)
    route = plan.create_route(made, RouteCreate("https://acme.example", "/a"))
    again = [
        plan.create_route(made, RouteCreate("https://acme.example", path), if_exists="keep", after=route)
        for path in ("/a", "/b")
    ]
    report = await scarf.bulk.run(plan)
    report.raise_for_failures()
    assert report[kept].unchanged
    assert report[kept].result == report[made].result
    assert [report[ref].unchanged for ref in again] == [True, False]
    made_package = report[made].result
    assert isinstance(made_package, Package)
    assert sent(scarf_emulator) == {
        "GET /organizations/acme/packages": 2,
        "POST /organizations/acme/packages": 4,
        f"GET /packages/{made_package.uuid}/routes": 1,
        f"POST /packages/{made_package.uuid}/routes": 2,
    }


async def test_namesakes_of_one_run_are_seen_without_an_order(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """What was created meanwhile under the same name, here with the owner in front of it, is looked for."""
    await organization(scarf, scarf_emulator)
    plan = BulkPlan()
    for number in range(3):
        plan.create_package(package(f"early{number}"), "acme", if_exists="keep")
    plan.create_package(package("acme/web"), "acme")
    kept = plan.create_package(PackageUpsert(name="web", short_description=""), "acme", if_exists="keep")
    report = await scarf.bulk.run(plan, concurrency=1)
    report.raise_for_failures()
    assert report[kept].unchanged
    assert sent(scarf_emulator) == {
        "GET /organizations/acme/packages": 2,
        "POST /organizations/acme/packages": 4,
    }


async def test_equal_routes_of_one_run_are_seen_without_an_order(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """The service takes a route twice, so nothing but the look keeps it from being doubled."""
    await organization(scarf, scarf_emulator)
    web = await scarf.packages.create(package("web"), "acme")
    plan = BulkPlan()
    plan.create_route(web, RouteCreate("https://acme.example", "/other"), if_exists="keep")
    plan.create_route(web, RouteCreate("https://acme.example", "/dl"))
    plan.create_route(web, RouteCreate("https://acme.example", "/dl"), if_exists="keep")
    (await scarf.bulk.run(plan, concurrency=1)).raise_for_failures()
    assert sorted(route.template_path for route in await scarf.routes.list(web)) == ["/dl", "/other"]


async def test_package_that_came_meanwhile_is_kept(service: Service, client: Scarf) -> None:
    """A create that the service refuses, since another client was first, is looked for afresh."""
    shown: list[dict[str, object]] = []

    def answers(call: Call) -> Answer:
        if call.name == "GET /organizations/acme/packages":
            return [*shown]
        assert isinstance(call.json, dict)
        name = call.json["name"]
        shown.append({"uuid": f"u-{name}", "owner": "acme", "name": name, "shortDescription": ""})
        return 409 if name == "late" else shown[-1]

    service.answers = answers
    plan = BulkPlan()
    early, late = (
        plan.create_package(PackageUpsert(name=name, short_description=""), "acme", if_exists="keep")
        for name in ("early", "late")
    )
    report = await client.bulk.run(plan, concurrency=1)
    assert [report[ref].unchanged for ref in (early, late)] == [False, True]
    assert service.names.count("GET /organizations/acme/packages") == 2
