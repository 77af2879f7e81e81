"""Files of version 0.1.0: its plans and journals are read as they were meant, and a run killed under it goes on."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

from scarf_async import (
    UNSET,
    BulkPlan,
    DomainCreate,
    Kind,
    Member,
    Organization,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    PermissionLevel,
    Ref,
    RetryPolicy,
    Role,
    Route,
    RouteCreate,
)
from scarf_async.bulk.journal import Journal
from scarf_async.bulk.planfile import digest

from .service import Service, client_of

FILES: Final = Path(__file__).parent / "files"
PLAN: Final = FILES / "plan-0.1.0.jsonl"
KILLED: Final = FILES / "killed-0.1.0.jsonl"
JOURNAL: Final = FILES / "killed-0.1.0.journal.jsonl"
SERVER: Final = "http://service.invalid/api/v1"
WEB: Final = "2fd1b2e9-f4cc-4797-81c3-bf82bddb3fb5"


def expected() -> BulkPlan:
    """What the plan of the file was made with: every kind, references, `after`, UNSET and None."""
    plan = BulkPlan()
    acme = OrganizationUpsert(name="Acme", description='Wérkzeug "quoted"', billing_email="pay@acme.example")
    plan.create_organization(acme)
    globex = OrganizationUpsert(name="globex", description="", billing_email="", website=None)
    plan.create_organization(globex, if_exists="keep")
    renamed = OrganizationUpsert(
        name="acme-tools", description="", billing_email="", website="https://acme.example"
    )
    plan.update_organization("acme", renamed)
    plan.upsert_member("acme", " Ann ", Role.ADMIN)
    gone = plan.remove_member("acme", "bob")
    web = plan.create_package(PackageUpsert(name="web", short_description=""), "acme")
    tool = PackageUpsert(
        name="acme/tool",
        short_description="\u2028",
        long_description=None,
        website="https://acme.example/",
        library_type="docker",
        backend_url="https://registry.example/acme/tool",
        public_url="https://dl.acme.example/acme/tool",
    )
    mine = plan.create_package(tool, if_exists="keep")
    waits: list[Ref[object]] = [Ref(plan, gone.index), Ref(plan, web.index)]
    novel = plan.create_package(
        PackageUpsert(name="novel", short_description="n", library_type=None), "acme", after=waits
    )
    changed = PackageUpsert(name="tool", short_description="changed", library_type="docker")
    later = plan.update_package(mine, changed, after=novel)
    python = "0d0c2a2e-6f3f-4d0e-9a52-000000000001"
    address = "https://user:secret@py.example/simple"
    plan.update_package(
        python, PackageUpsert(name="py", short_description="", library_type="pypi", repository_url=address)
    )
    plan.set_permission(web, "bob@example.com", "member")
    plan.set_permission(later, "ann", "blocked", after=(novel, web))
    plan.set_permission(python, "ann", PermissionLevel.DEFAULT)
    plan.create_route(web, RouteCreate("https://acme.example/{v}.tgz", "/dl/{v}"))
    plan.create_route("p-1", RouteCreate("https://acme.example/x", "/x"), if_exists="keep")
    plan.delete_route("p-1", "r/1")
    plan.create_domain(later, DomainCreate("dl.acme.example"))
    plan.create_domain("p-1", DomainCreate("münchen.example"), if_exists="keep")
    plan.delete_domain("p-1", "d-1")
    plan.delete_package(later, after=gone)
    plan.delete_package("p-2")
    return plan


def test_plan_is_read_as_it_was_made(tmp_path: Path) -> None:
    """Every kind; written again it is the same file, byte for byte."""
    plan = BulkPlan.load(PLAN)
    assert plan == expected()
    assert {operation.kind for operation in plan} == set(Kind) - {Kind.UPDATE_ROUTE}
    upsert = plan[9].arguments["upsert"]
    assert isinstance(upsert, PackageUpsert)
    assert (upsert.website, upsert.public_url) == (UNSET, UNSET)
    assert plan[11].arguments["package"] == Ref(plan, 8)
    plan.dump(tmp_path / "plan")
    assert (tmp_path / "plan").read_bytes() == PLAN.read_bytes()


def test_digests_are_what_they_were() -> None:
    """A journal of 0.1.0 belongs to the same plan."""
    assert digest(expected()) == "981c7edd8b2c2ddfb59f83b27f4d3e78513c81dbcb6ee5d94a04d5ca4e143a7d"
    assert digest(BulkPlan.load(KILLED)) == "24e2134dc46ecb47d72dbb4e204d9e77387edbaa73ded0fe030fea52d0ae895f"


def test_journal_of_a_killed_run_is_read(tmp_path: Path) -> None:
    """What succeeded and what that gave, what failed, and what was open when the process was killed."""
    plan = BulkPlan.load(KILLED)
    path = tmp_path / "journal"
    path.write_bytes(JOURNAL.read_bytes())
    journal = Journal.open(path, plan=digest(plan), operations=len(plan), server=SERVER)
    assert journal.close() is None
    known = journal.known
    assert {place: entry.status for place, entry in known.items() if not entry.open} == {
        **dict.fromkeys((0, 1, 2, 3, 4, 5, 6, 10), "succeeded"),
        9: "failed",
    }
    assert [place for place, entry in known.items() if entry.open] == [7, 11]
    results = {place: entry.result for place, entry in known.items() if entry.result is not None}
    assert {place: type(result) for place, result in results.items()} == {
        0: Organization,
        1: Member,
        2: Package,
        3: Package,
        6: Route,
        10: Member,
    }
    assert results[1] == Member(organization_name="acme", username="ann", role="admin")
    created = dt.datetime(2026, 11, 29, 3, 24, 22, 117190, dt.UTC)
    assert results[3] == Package(
        uuid=WEB, owner="acme", name="web", short_description="changed", created_at=created, library_type="file"
    )


async def test_run_that_was_killed_goes_on(service: Service, tmp_path: Path) -> None:
    """Nothing that is done is sent again, an open create is looked for, and results of then are used now."""
    path = tmp_path / "journal"
    path.write_bytes(JOURNAL.read_bytes().replace(SERVER.encode(), service.url.encode(), 1))
    async with client_of(service.url, retry=RetryPolicy(attempts=1, settle=0)) as scarf:
        report = await scarf.bulk.run(BulkPlan.load(KILLED), journal=path, concurrency=1)
    assert report.counts["succeeded"] == 16
    assert sorted(service.names) == sorted(
        [
            f"DELETE /packages/{WEB}/routes/nowhere",
            f"POST /packages/{WEB}/domains",
            "DELETE /organizations/acme/users/nobody",
            "GET /packages",
            "POST /packages",
            "GET /packages/uuid-of-own/domains",
            "POST /packages/uuid-of-own/domains",
            "DELETE /packages/uuid-of-own/domains/nowhere",
            "PUT /organizations/acme",
            "DELETE /packages/uuid-of-own",
        ]
    )
