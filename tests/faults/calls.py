"""Every kind of call, by the rows of the table: methods of the client, operations of a bulk run, exports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

import attrs

from scarf_async import (
    UNSET,
    ApiVersion,
    BulkPlan,
    CollectionUpsert,
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
    TrackingPixelUpsert,
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
    "bulk_calls_v2",
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
_PYTHON: Final = attrs.evolve(_ANVIL, library_type="python", repository_url="https://r.example/")
_ROUTE: Final = RouteCreate("https://x.example/", "/x")
_DOMAIN: Final = DomainCreate("x.example")
_CHANGED: Final = {"name": "web", "shortDescription": "new"}
_PIXEL: Final = TrackingPixelUpsert(name="docs", track_companies=False)
_PIXEL_NEW: Final = TrackingPixelUpsert(name="pages", short_description="new")
_COLLECTION: Final = CollectionUpsert(pattern="home/x", backend_domain="ghcr.io")

# In v2, what an update does not say is kept.
_AT: Final = f"packages/home/{PACKAGE}"
_MEMBERS: Final = f"{HOME}/members"
_SAID: Final = attrs.evolve(_NEW, billing_email=UNSET)
_NAMED: Final = attrs.evolve(_HOUSE, billing_email=UNSET, description=UNSET)
_OTHER_PATH: Final = RouteCreate(UNSET, "/x")


@attrs.frozen
class Call:
    """A kind of call.

    Attributes:
        row: the row of the table that it belongs to.
        name: what it is called, such as `routes.create`, `bulk create_route` or `$ routes add`.
        method: of the request that is meant.
        path: of the request that is meant.
        run: makes it; returns how it ended: `ok`, `unknown`, `skipped`, `later`, or the class of an error.
        stands: how often what it makes is in the world; None where it makes nothing.
        version: the version that it speaks.
    """

    row: str
    name: str
    method: str
    path: str
    run: Callable[[Bench], str]
    stands: Stands | None = None
    version: str = "v1"

    @property
    def sort(self) -> str:
        """Whether it is an operation of a bulk run, a command of the shell, or a call of the client."""
        first = self.name.split()[0]
        return first if first in {"bulk", "$"} else "client"


def _there(path: str, **fields: object) -> Stands:
    return lambda world: world.count(path, **fields)


def _gone(path: str, **fields: object) -> Stands:
    return lambda world: 1 - world.count(path, **fields)


_MAKES: Final[dict[tuple[str, str], tuple[str, Stands | None]]] = {
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
_PIXELS, _PIXEL_AT = "tracking-pixels/home", "tracking-pixels/home/x1"
_COLLECTIONS, _COLLECTION_AT = "collections/home", "collections/home/c1"
_MAKES_V2: Final[dict[tuple[str, str], tuple[str, Stands | None]]] = {
    ("PUT", HOME): (
        "change",
        _there("organizations", name="home", description="new", billing_email="pay@home.example"),
    ),
    ("PUT", _AT): ("change", _there("packages/home", name="web", short_description="new")),
    ("PUT", f"{_AT}/routes/r1"): (
        "change",
        _there(f"{_AT}/routes", incoming_path="/x", outgoing_url="https://r.example/"),
    ),
    ("DELETE", _AT): ("delete", _gone("packages/home", id=PACKAGE)),
    ("PUT", f"{_MEMBERS}/ann"): ("state", _there(_MEMBERS, username="ann", role="admin")),
    ("POST", _MEMBERS): ("state", _there(_MEMBERS, username="bob", role="admin")),
    ("POST", f"{_AT}/permissions"): (
        "state",
        _there(f"{_AT}/permissions", username="bob", permission_level="admin"),
    ),
    ("POST", "packages/home"): ("create", _there("packages/home", name="anvil")),
    ("POST", f"{_AT}/domains"): ("create", _there(f"{_AT}/domains", name="x.example")),
    ("POST", "search"): ("read", None),
    ("POST", "imports/home/i1/abort"): ("state", None),
    ("POST", _PIXELS): ("create", _there(_PIXELS, name="docs", track_companies=False)),
    ("PUT", _PIXEL_AT): ("change", _there(_PIXELS, name="pages", short_description="new", track_companies=True)),
    ("DELETE", _PIXEL_AT): ("delete", _gone(_PIXELS, id="x1")),
    ("POST", f"{_PIXEL_AT}/domains"): ("create", _there(f"{_PIXEL_AT}/domains", name="y.example")),
    ("DELETE", f"{_PIXEL_AT}/domains/d2"): ("delete", _gone(f"{_PIXEL_AT}/domains", id="d2")),
    ("POST", _COLLECTIONS): ("create", _there(_COLLECTIONS, pattern="home/x")),
    ("PUT", _COLLECTION_AT): ("change", _there(_COLLECTIONS, pattern="home/x")),
    ("DELETE", _COLLECTION_AT): ("delete", _gone(_COLLECTIONS, id="c1")),
}
_RENAMES: Final = ("rename", _there("organizations", name="house"))


def makes(
    method: str, path: str, version: ApiVersion = "v1", *, renames: bool = False
) -> tuple[str, Stands | None]:
    """Return the row of a request, and how often what it makes is in the world."""
    if method == "GET":
        return "read", None
    return _RENAMES if renames else (_MAKES if version == "v1" else _MAKES_V2)[method, path]


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


def _call(
    name: str, method: str, path: str, make: Callable[[Scarf], Awaitable[object]], version: ApiVersion = "v1"
) -> Call:
    async def work(scarf: Scarf, _: Bench) -> str:
        result = await make(scarf)
        promised = method != "DELETE" and not path.endswith(("/permissions", "/abort"))
        return "ok" if result or not promised else "no result"

    row, stands = makes(method, path, version, renames="renaming" in name)
    return Call(row, name, method, path, _on_client(work, version), stands, version)


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
        _call("request, reading", "GET", AT, lambda scarf: scarf.request("GET", f"/{AT}")),
        attrs.evolve(
            _call("request", "PUT", AT, lambda scarf: scarf.request("PUT", ["packages", PACKAGE], json=_CHANGED)),
            row="own write",
        ),
    ]


def client_calls_v2() -> list[Call]:
    """Return the calls of a client of v2."""
    return [
        _call("packages.list", "GET", "packages/home", lambda scarf: scarf.packages.list(), "v2"),
        _call(
            "packages.get", "GET", "packages/home/file/web", lambda scarf: scarf.packages.get("web", "file"), "v2"
        ),
        _call("routes.get", "GET", f"{_AT}/routes/r1", lambda scarf: scarf.routes.get(PACKAGE, "r1"), "v2"),
        _call("members.get", "GET", f"{_MEMBERS}/ann", lambda scarf: scarf.members.get("home", "ann"), "v2"),
        _call("organizations.update", "PUT", HOME, lambda scarf: scarf.organizations.update("home", _SAID), "v2"),
        _call(
            "organizations.update, renaming",
            "PUT",
            HOME,
            lambda scarf: scarf.organizations.update("home", _NAMED),
            "v2",
        ),
        _call("packages.update", "PUT", _AT, lambda scarf: scarf.packages.update(PACKAGE, _WEB), "v2"),
        _call(
            "routes.update",
            "PUT",
            f"{_AT}/routes/r1",
            lambda scarf: scarf.routes.update(PACKAGE, "r1", _OTHER_PATH),
            "v2",
        ),
        _call(
            "members.upsert",
            "PUT",
            f"{_MEMBERS}/ann",
            lambda scarf: scarf.members.upsert("home", "ann", "admin"),
            "v2",
        ),
        _call(
            "members.upsert, of a new one",
            "POST",
            _MEMBERS,
            lambda scarf: scarf.members.upsert("home", "bob", "admin"),
            "v2",
        ),
        _call(
            "permissions.set",
            "POST",
            f"{_AT}/permissions",
            lambda scarf: scarf.permissions.set(PACKAGE, PermissionSet("bob", "admin")),
            "v2",
        ),
        _call("packages.delete", "DELETE", _AT, lambda scarf: scarf.packages.delete(PACKAGE), "v2"),
        _call(
            "packages.create",
            "POST",
            "packages/home",
            lambda scarf: scarf.packages.create(_ANVIL, route=_ROUTE),
            "v2",
        ),
        _call(
            "domains.create", "POST", f"{_AT}/domains", lambda scarf: scarf.domains.create(PACKAGE, _DOMAIN), "v2"
        ),
        *_only_v2(),
    ]


def _only_v2() -> list[Call]:
    """Return the calls that v1 does not have."""
    pixels, pixel, collections, collection = _PIXELS, _PIXEL_AT, _COLLECTIONS, _COLLECTION_AT
    return [
        _call("packages.overview", "GET", "packages/home/overview", lambda scarf: scarf.packages.overview(), "v2"),
        _call(
            "domains.status",
            "GET",
            "domains/home/d.example/status",
            lambda scarf: scarf.domains.status("d.example"),
            "v2",
        ),
        _call("users.get", "GET", "users/ann", lambda scarf: scarf.users.get("ann"), "v2"),
        _call(
            "users.organizations",
            "GET",
            "users/ann/organizations",
            lambda scarf: scarf.users.organizations("ann"),
            "v2",
        ),
        _call("search", "POST", "search", lambda scarf: scarf.search("web"), "v2"),
        _call("pixels.list", "GET", pixels, lambda scarf: scarf.pixels.list(), "v2"),
        _call("pixels.get", "GET", pixel, lambda scarf: scarf.pixels.get("x1"), "v2"),
        _call(
            "pixels.list_domains", "GET", f"{pixel}/domains", lambda scarf: scarf.pixels.list_domains("x1"), "v2"
        ),
        _call(
            "pixels.create",
            "POST",
            pixels,
            lambda scarf: scarf.pixels.create(_PIXEL),
            "v2",
        ),
        _call(
            "pixels.update",
            "PUT",
            pixel,
            lambda scarf: scarf.pixels.update("x1", _PIXEL_NEW),
            "v2",
        ),
        _call("pixels.delete", "DELETE", pixel, lambda scarf: scarf.pixels.delete("x1"), "v2"),
        _call(
            "pixels.create_domain",
            "POST",
            f"{pixel}/domains",
            lambda scarf: scarf.pixels.create_domain("x1", "y.example"),
            "v2",
        ),
        _call(
            "pixels.delete_domain",
            "DELETE",
            f"{pixel}/domains/d2",
            lambda scarf: scarf.pixels.delete_domain("x1", "d2"),
            "v2",
        ),
        _call("collections.list", "GET", collections, lambda scarf: scarf.collections.list(), "v2"),
        _call("collections.get", "GET", collection, lambda scarf: scarf.collections.get("c1"), "v2"),
        _call(
            "collections.create",
            "POST",
            collections,
            lambda scarf: scarf.collections.create(_COLLECTION),
            "v2",
        ),
        _call(
            "collections.update",
            "PUT",
            collection,
            lambda scarf: scarf.collections.update("c1", _COLLECTION),
            "v2",
        ),
        _call(
            "collections.delete",
            "DELETE",
            collection,
            lambda scarf: scarf.collections.delete("c1"),
            "v2",
        ),
        _call("imports.list", "GET", "imports/home", lambda scarf: scarf.imports.list(), "v2"),
        _call("imports.get", "GET", "imports/home/i1", lambda scarf: scarf.imports.get("i1"), "v2"),
        _call("imports.abort", "POST", "imports/home/i1/abort", lambda scarf: scarf.imports.abort("i1"), "v2"),
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

    path = f"{_AT}/import"
    return Call(row, "imports.send", "POST", path, _on_client(work, "v2"), _there(path), "v2")


def _operation(
    name: str, method: str, path: str, add: Callable[[BulkPlan], object], version: ApiVersion = "v1"
) -> Call:
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

    row, stands = makes(method, path, version, renames="renaming" in name)
    return Call(f"bulk {row}", f"bulk {name}", method, path, _on_client(work, version), stands, version)


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


def bulk_calls_v2() -> list[Call]:
    """Return an operation of a run of v2 for each way in which its requests differ from those of v1."""
    return [
        _operation(
            "update_organization, renaming",
            "PUT",
            HOME,
            lambda plan: plan.update_organization("home", _NAMED),
            "v2",
        ),
        _operation(
            "upsert_member", "PUT", f"{_MEMBERS}/ann", lambda plan: plan.upsert_member("home", "ann", "admin"), "v2"
        ),
        _operation("create_package", "POST", "packages/home", lambda plan: plan.create_package(_PYTHON), "v2"),
        _operation("delete_package", "DELETE", _AT, lambda plan: plan.delete_package(PACKAGE), "v2"),
        _operation(
            "update_route",
            "PUT",
            f"{_AT}/routes/r1",
            lambda plan: plan.update_route(PACKAGE, "r1", _OTHER_PATH),
            "v2",
        ),
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
    kinds = {"aggregat": "aggregates", "log": "aggregates", "rollup": "rollup"}
    row = next((row for word, row in kinds.items() if word in name), "events")
    older = "." in path or path.endswith("aggregates")
    version = "v3" if name == "aggregations" else "v1" if older else "v2"
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
        *_export(
            "aggregations",
            "insights/home/aggregations/export",
            lambda scarf: scarf.exports.aggregations(*RANGE, owner="home"),
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
