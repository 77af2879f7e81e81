"""Every kind of call, by the rows of the table: methods of the client, operations of a bulk run, exports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

import attrs

from scarf_async import (
    UNSET,
    ApiVersion,
    BulkPlan,
    DomainCreate,
    Export,
    ExportJob,
    OrganizationUpsert,
    OutcomeUnknownError,
    PackageUpsert,
    PermissionSet,
    RouteCreate,
    Scarf,
    ScarfError,
)

from .bench import Bench
from .world import PACKAGE, World

__all__ = [
    "AT",
    "HOME",
    "PIXELS",
    "RANGE",
    "Call",
    "Stands",
    "bulk_calls",
    "client_calls",
    "client_calls_v2",
    "export_calls",
    "makes",
]

T = TypeVar("T")
Stands = Callable[[World], int]

RANGE: Final = ("2024-01-01", "2024-02-01")
HOME: Final = "organizations/home"
AT: Final = f"packages/{PACKAGE}"
PIXELS: Final = "pixels/events/events.csv"
_PATIENCE: Final = 100.0
_ROWS: Final = 2

_ACME: Final = OrganizationUpsert(name="acme", description="", billing_email="")
_NEW: Final = OrganizationUpsert(name="home", description="new", billing_email="")
_HOUSE: Final = OrganizationUpsert(name="house", description="", billing_email="")
_ANVIL: Final = PackageUpsert(name="anvil", short_description="", library_type="file")
_WEB: Final = PackageUpsert(name="web", short_description="new", library_type="file")
_ROUTE: Final = RouteCreate("https://x.example/", "/x")
_DOMAIN: Final = DomainCreate("x.example")


@attrs.frozen
class Call:
    """A kind of call.

    Attributes:
        row: the row of the table that it belongs to.
        name: what it is called, such as `routes.create`, `bulk create_route` or `$ routes add`.
        method: of the request that is meant.
        path: of the request that is meant.
        run: makes it; returns how it ended: `ok`, `unknown`, `skipped`, `later`, or the class of an error.
        stands: how often what it makes stands in the world; None where it makes nothing.
        version: the version that it speaks.
    """

    row: str
    name: str
    method: str
    path: str
    run: Callable[[Bench], str]
    stands: Stands | None = None
    version: str = "v1"


def _there(path: str, **fields: object) -> Stands:
    return lambda world: world.count(path, **fields)


def _gone(path: str, **fields: object) -> Stands:
    return lambda world: 1 - world.count(path, **fields)


_MAKES: Final[dict[tuple[str, str], tuple[str, Stands]]] = {
    ("PUT", HOME): ("change", _there("organizations", name="home", description="new")),
    ("PUT", AT): ("change", _there("packages", name="web", shortDescription="new")),
    ("DELETE", f"{HOME}/users/ann"): ("delete", _gone(f"{HOME}/users", username="ann")),
    ("DELETE", AT): ("delete", _gone("packages", uuid=PACKAGE)),
    ("DELETE", f"{AT}/routes/r1"): ("delete", _gone(f"{AT}/routes", id="r1")),
    ("DELETE", f"{AT}/domains/d1"): ("delete", _gone(f"{AT}/domains", id="d1")),
    ("POST", f"{HOME}/users"): ("state", _there(f"{HOME}/users", username="ann", role="admin")),
    ("POST", f"{AT}/permissions"): ("state", _there(f"{AT}/permissions", username="bob", permissionLevel="admin")),
    ("POST", "organizations"): ("create", _there("organizations", name="acme")),
    ("POST", "packages"): ("create", _there("packages", owner="me", name="anvil")),
    ("POST", f"{HOME}/packages"): ("create", _there("packages", owner="home", name="anvil")),
    ("POST", f"{AT}/routes"): ("create", _there(f"{AT}/routes", templatePath="/x")),
    ("POST", f"{AT}/domains"): ("create", _there(f"{AT}/domains", name="x.example")),
}
_RENAMES: Final = ("rename", _there("organizations", name="house"))


def makes(method: str, path: str, *, renames: bool = False) -> tuple[str, Stands | None]:
    """Return the row of a request, and how often what it makes stands in the world."""
    if method == "GET":
        return "read", None
    return _RENAMES if renames else _MAKES[method, path]


async def _ended(work: Awaitable[str]) -> str:
    try:
        return await work
    except OutcomeUnknownError:
        return "unknown"
    except ScarfError as error:
        return type(error).__name__


def _on_client(work: Callable[[Scarf, Bench], Awaitable[str]], api: ApiVersion = "v1") -> Callable[[Bench], str]:
    async def connected(bench: Bench) -> str:
        async with bench.client(api) as scarf:
            return await _ended(work(scarf, bench))

    return lambda bench: bench.run(connected(bench))


def _call(name: str, method: str, path: str, make: Callable[[Scarf], Awaitable[object]]) -> Call:
    async def work(scarf: Scarf, _: Bench) -> str:
        result = await make(scarf)
        promised = method != "DELETE" and not path.endswith("/permissions")
        return "ok" if result or not promised else "no result"

    row, stands = makes(method, path, renames="renaming" in name)
    return Call(row, name, method, path, _on_client(work), stands)


def client_calls() -> list[Call]:
    """Return the calls of the client."""
    return [
        _call("organizations.get", "GET", HOME, lambda scarf: scarf.organizations.get("home")),
        _call("members.list", "GET", f"{HOME}/users", lambda scarf: scarf.members.list("home")),
        _call("packages.list", "GET", f"{HOME}/packages", lambda scarf: scarf.packages.list("home")),
        _call("packages.list, the user's", "GET", "packages", lambda scarf: scarf.packages.list()),
        _call("packages.get", "GET", "packages/web", lambda scarf: scarf.packages.get("web")),
        _call("permissions.list", "GET", f"{AT}/permissions", lambda scarf: scarf.permissions.list(PACKAGE)),
        _call("routes.list", "GET", f"{AT}/routes", lambda scarf: scarf.routes.list(PACKAGE)),
        _call("domains.list", "GET", f"{AT}/domains", lambda scarf: scarf.domains.list(PACKAGE)),
        _call("domains.get", "GET", f"{AT}/domains", lambda scarf: scarf.domains.get(PACKAGE, "d1")),
        _call("organizations.update", "PUT", HOME, lambda scarf: scarf.organizations.update("home", _NEW)),
        _call(
            "organizations.update, renaming", "PUT", HOME, lambda scarf: scarf.organizations.update("home", _HOUSE)
        ),
        _call("packages.update", "PUT", AT, lambda scarf: scarf.packages.update(PACKAGE, _WEB)),
        _call("members.remove", "DELETE", f"{HOME}/users/ann", lambda scarf: scarf.members.remove("home", "ann")),
        _call("packages.delete", "DELETE", AT, lambda scarf: scarf.packages.delete(PACKAGE)),
        _call("routes.delete", "DELETE", f"{AT}/routes/r1", lambda scarf: scarf.routes.delete(PACKAGE, "r1")),
        _call("domains.delete", "DELETE", f"{AT}/domains/d1", lambda scarf: scarf.domains.delete(PACKAGE, "d1")),
        _call(
            "members.upsert", "POST", f"{HOME}/users", lambda scarf: scarf.members.upsert("home", "ann", "admin")
        ),
        _call(
            "permissions.set",
            "POST",
            f"{AT}/permissions",
            lambda scarf: scarf.permissions.set(PACKAGE, PermissionSet("bob", "admin")),
        ),
        _call("organizations.create", "POST", "organizations", lambda scarf: scarf.organizations.create(_ACME)),
        _call("packages.create", "POST", f"{HOME}/packages", lambda scarf: scarf.packages.create(_ANVIL, "home")),
        _call("packages.create, the user's", "POST", "packages", lambda scarf: scarf.packages.create(_ANVIL)),
        _call("routes.create", "POST", f"{AT}/routes", lambda scarf: scarf.routes.create(PACKAGE, _ROUTE)),
        _call("domains.create", "POST", f"{AT}/domains", lambda scarf: scarf.domains.create(PACKAGE, _DOMAIN)),
    ]


_ROWS_V2: Final = {"GET": "read", "PUT": "change", "DELETE": "delete"}


def _v2(
    name: str,
    method: str,
    path: str,
    make: Callable[[Scarf], Awaitable[object]],
    stands: Stands | None = None,
    *,
    row: str | None = None,
) -> Call:
    async def work(scarf: Scarf, _: Bench) -> str:
        result = await make(scarf)
        promised = method != "DELETE" and not path.endswith(("/permissions", "/abort"))
        return "ok" if result or not promised else "no result"

    return Call(row or _ROWS_V2[method], f"v2 {name}", method, path, _on_client(work, "v2"), stands, "v2")


def client_calls_v2() -> list[Call]:
    """Return the calls of a client of v2."""
    at, members = f"packages/home/{PACKAGE}", f"{HOME}/members"
    change = attrs.evolve(_NEW, billing_email=UNSET)
    house = attrs.evolve(_HOUSE, billing_email=UNSET, description=UNSET)
    return [
        _v2("packages.list", "GET", "packages/home", lambda scarf: scarf.packages.list()),
        _v2("packages.get", "GET", "packages/home/file/web", lambda scarf: scarf.packages.get("web", "file")),
        _v2("routes.get", "GET", f"{at}/routes/r1", lambda scarf: scarf.routes.get(PACKAGE, "r1")),
        _v2("members.get", "GET", f"{members}/ann", lambda scarf: scarf.members.get("home", "ann")),
        _v2(
            "organizations.update",
            "PUT",
            HOME,
            lambda scarf: scarf.organizations.update("home", change),
            _there("organizations", name="home", description="new", billing_email="pay@home.example"),
        ),
        _v2(
            "organizations.update, renaming",
            "PUT",
            HOME,
            lambda scarf: scarf.organizations.update("home", house),
            _there("organizations", name="house"),
            row="rename",
        ),
        _v2(
            "packages.update",
            "PUT",
            at,
            lambda scarf: scarf.packages.update(PACKAGE, _WEB),
            _there("packages/home", name="web", short_description="new"),
        ),
        _v2(
            "routes.update",
            "PUT",
            f"{at}/routes/r1",
            lambda scarf: scarf.routes.update(PACKAGE, "r1", RouteCreate(UNSET, "/x")),
            _there(f"{at}/routes", incoming_path="/x", outgoing_url="https://r.example/"),
        ),
        _v2(
            "members.upsert",
            "PUT",
            f"{members}/ann",
            lambda scarf: scarf.members.upsert("home", "ann", "admin"),
            _there(members, username="ann", role="admin"),
            row="state",
        ),
        _v2(
            "members.upsert, of a new one",
            "POST",
            members,
            lambda scarf: scarf.members.upsert("home", "bob", "admin"),
            _there(members, username="bob", role="admin"),
            row="state",
        ),
        _v2(
            "permissions.set",
            "POST",
            f"{at}/permissions",
            lambda scarf: scarf.permissions.set(PACKAGE, PermissionSet("bob", "admin")),
            _there(f"{at}/permissions", username="bob", permission_level="admin"),
            row="state",
        ),
        _v2(
            "packages.delete",
            "DELETE",
            at,
            lambda scarf: scarf.packages.delete(PACKAGE),
            _gone("packages/home", id=PACKAGE),
        ),
        _v2(
            "packages.create",
            "POST",
            "packages/home",
            lambda scarf: scarf.packages.create(_ANVIL, route=_ROUTE),
            _there("packages/home", name="anvil", incoming_path="/x"),
            row="create",
        ),
        _v2(
            "domains.create",
            "POST",
            f"{at}/domains",
            lambda scarf: scarf.domains.create(PACKAGE, _DOMAIN),
            _there(f"{at}/domains", name="x.example"),
            row="create",
        ),
        _v2("imports.list", "GET", "imports/home", lambda scarf: scarf.imports.list()),
        _v2("imports.get", "GET", "imports/home/i1", lambda scarf: scarf.imports.get("i1")),
        _v2("imports.abort", "POST", "imports/home/i1/abort", lambda scarf: scarf.imports.abort("i1"), row="state"),
        _import("import", unique=True),
        _import("import, no ids", unique=False),
    ]


def _import(row: str, *, unique: bool) -> Call:
    rows = [{"$time": "2024-01-01T00:00Z", **({"$unique_id": "u"} if unique else {})}]

    async def work(scarf: Scarf, _: Bench) -> str:
        (batch,) = (await scarf.imports.send(rows, package=PACKAGE, wait=False)).batches
        if batch.status == "failed":
            return type(batch.error).__name__
        return "ok" if batch.status == "importing" else batch.status

    path = f"packages/home/{PACKAGE}/import"
    return Call(row, "v2 imports.send", "POST", path, _on_client(work, "v2"), _there(path), "v2")


def _operation(name: str, method: str, path: str, add: Callable[[BulkPlan], object]) -> Call:
    async def work(scarf: Scarf, _: Bench) -> str:
        plan = BulkPlan()
        add(plan)
        report = await scarf.bulk.run(plan, patience=_PATIENCE)
        (outcome,) = report
        if outcome.status == "failed":
            return type(outcome.error).__name__
        if outcome.status == "skipped" and report.resume_after is not None:
            return "later"
        return "ok" if outcome.status == "succeeded" else outcome.status

    row, stands = makes(method, path, renames="renaming" in name)
    return Call(f"bulk {row}", f"bulk {name}", method, path, _on_client(work), stands)


def bulk_calls() -> list[Call]:
    """Return the operations of a bulk run."""
    return [
        _operation("create_organization", "POST", "organizations", lambda plan: plan.create_organization(_ACME)),
        _operation("update_organization", "PUT", HOME, lambda plan: plan.update_organization("home", _NEW)),
        _operation(
            "update_organization, renaming", "PUT", HOME, lambda plan: plan.update_organization("home", _HOUSE)
        ),
        _operation(
            "upsert_member", "POST", f"{HOME}/users", lambda plan: plan.upsert_member("home", "ann", "admin")
        ),
        _operation("remove_member", "DELETE", f"{HOME}/users/ann", lambda plan: plan.remove_member("home", "ann")),
        _operation("create_package", "POST", f"{HOME}/packages", lambda plan: plan.create_package(_ANVIL, "home")),
        _operation("create_package, the user's", "POST", "packages", lambda plan: plan.create_package(_ANVIL)),
        _operation("update_package", "PUT", AT, lambda plan: plan.update_package(PACKAGE, _WEB)),
        _operation("delete_package", "DELETE", AT, lambda plan: plan.delete_package(PACKAGE)),
        _operation(
            "set_permission", "POST", f"{AT}/permissions", lambda plan: plan.set_permission(PACKAGE, "bob", "admin")
        ),
        _operation("create_route", "POST", f"{AT}/routes", lambda plan: plan.create_route(PACKAGE, _ROUTE)),
        _operation("delete_route", "DELETE", f"{AT}/routes/r1", lambda plan: plan.delete_route(PACKAGE, "r1")),
        _operation("create_domain", "POST", f"{AT}/domains", lambda plan: plan.create_domain(PACKAGE, _DOMAIN)),
        _operation("delete_domain", "DELETE", f"{AT}/domains/d1", lambda plan: plan.delete_domain(PACKAGE, "d1")),
    ]


async def _read(export: Export[T]) -> str:
    async with export as stream:
        read = [record async for record in stream]
    return "ok" if len(read) == _ROWS and stream.complete else f"{len(read)} records"


async def _save(export: Export[T], bench: Bench) -> str:
    saved = await export.save(bench.fresh())
    return "ok" if saved.path.read_bytes() == bench.service.bodies[-1] else "another file"


async def _run(job: ExportJob, scarf: Scarf, bench: Bench) -> str:
    report = await scarf.exports.run(job, bench.fresh())
    (window,) = report.windows
    if window.error is not None:
        return type(window.error).__name__
    return "ok" if report.rows == _ROWS else f"{report.rows} rows"


def _export(name: str, path: str, make: Callable[[Scarf], Export[T]], *jobs: ExportJob) -> Iterator[Call]:
    kinds = {"aggregates": "aggregates", "log": "aggregates", "rollup": "rollup"}
    row = next((row for word, row in kinds.items() if word in name), "events")
    version = "v1" if "." in path or path.endswith("aggregates") else "v2"
    read = _on_client(lambda scarf, _: _read(make(scarf)))
    name = name if "." in name else f"exports.{name}"
    yield Call(row, name, "GET", path, read, version=version)
    save = _on_client(lambda scarf, bench: _save(make(scarf), bench))
    yield Call(f"saved {row}", f"{name}, saved", "GET", path, save, version=version)
    for job in jobs:
        run = _on_client(lambda scarf, bench, job=job: _run(job, scarf, bench))  # type: ignore[misc] # bound early
        yield Call("saved events", f"exports.run, {job.what}", "GET", path, run, version=version)


def export_calls() -> list[Call]:
    """Return the exports: read, saved, and as jobs."""
    return [
        *_export(
            "organization_aggregates",
            f"{HOME}/aggregates",
            lambda scarf: scarf.exports.organization_aggregates("home", *RANGE),
        ),
        *_export(
            "user_aggregates", "users/ann/aggregates", lambda scarf: scarf.exports.user_aggregates("ann", *RANGE)
        ),
        *_export(
            "package_events",
            f"packages/home/{PACKAGE}/events/events.csv",
            lambda scarf: scarf.exports.package_events("home", PACKAGE, *RANGE),
        ),
        *_export(
            "package_events, no owner",
            f"{AT}/events/events.csv",
            lambda scarf: scarf.exports.package_events(None, PACKAGE, *RANGE),
        ),
        *_export(
            "package_events, v2",
            f"packages/home/{PACKAGE}/events",
            lambda scarf: scarf.exports.package_events("home", PACKAGE, *RANGE, api="v2"),
        ),
        *_export(
            "owner_events",
            "packages/home/events",
            lambda scarf: scarf.exports.owner_events("home", *RANGE),
            ExportJob("owner_events", "home", "2024-01-01", "2024-01-31"),
        ),
        *_export("pixel_events", PIXELS, lambda scarf: scarf.exports.pixel_events(*RANGE)),
        *_export(
            "pixel_events, v2",
            "tracking-pixels/home/events",
            lambda scarf: scarf.exports.pixel_events(*RANGE, owner="home", api="v2"),
        ),
        *_export(
            "company_events",
            "companies/home/corp.example/events",
            lambda scarf: scarf.exports.company_events("corp.example", *RANGE),
        ),
        *_export("pixel_rollup", "companies/home/pixel-rollup", lambda scarf: scarf.exports.pixel_rollup(*RANGE)),
        *_export("imports.log", "imports/home/i1/log", lambda scarf: scarf.imports.log("i1")),
    ]
