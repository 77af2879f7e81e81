"""The package as its users write it: never run, only type-checked (mypy --strict, pyright strict)."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import assert_type

import aiohttp
from obstore.store import S3Store

import scarf_async
from scarf_async import (
    JSON,
    UNSET,
    Aggregate,
    APIError,
    ApiVersion,
    Breakdown,
    BulkError,
    Check,
    Collection,
    CollectionUpsert,
    ConflictError,
    DecodeError,
    Domain,
    DomainCreate,
    DomainStatus,
    Event,
    EventImport,
    Export,
    ExportFormat,
    ExportJob,
    ExportKind,
    ExportProgress,
    ExportReport,
    FileProblem,
    Importance,
    ImportanceLike,
    ImportBatch,
    ImportLogEntry,
    ImportProgress,
    ImportReport,
    LibraryType,
    LibraryTypeLike,
    LoadedWindow,
    LoadReport,
    MalformedRecordError,
    Member,
    Membership,
    MemberUpsert,
    NotFoundError,
    Organization,
    OrganizationUpsert,
    OutcomeUnknownError,
    Package,
    PackageKey,
    PackageOverview,
    PackageUpsert,
    Permission,
    PermissionLevel,
    PermissionLevelLike,
    PermissionSet,
    RateLimitedError,
    RequestFinished,
    RequestTimeoutError,
    RetryPolicy,
    Role,
    RoleLike,
    Route,
    RouteCreate,
    Scarf,
    ScarfError,
    ScarfEvent,
    ScarfWarning,
    SearchResult,
    TrackingPixel,
    TrackingPixelUpsert,
    TransportError,
    Unset,
    UnsupportedError,
    User,
    ValidationError,
    WriteConfirmedError,
    verify_export,
)
from scarf_async.data import load as load_directory
from scarf_async.emulator import Emulator
from scarf_async.testing import no_waiting


async def the_shortest() -> None:
    """Open a client, read an organization."""
    async with Scarf() as scarf:
        assert_type(scarf, Scarf)
        assert_type(await scarf.organizations.get("acme"), Organization)


def every_option(session: aiohttp.ClientSession, path: Path) -> None:
    """Make clients with all that can be given."""

    def hook(event: ScarfEvent) -> None:
        assert_type(event.endpoint, str)
        if isinstance(event, RequestFinished):
            assert_type(event.status, int | None)
            assert_type(event.elapsed, float)

    scarf = Scarf(
        "token",
        base_url="http://127.0.0.1:8080/api/v1",
        v2_url="http://127.0.0.1:8080/v2",
        retry=RetryPolicy(attempts=3, initial_delay=1, max_delay=10, max_elapsed=60, settle=1),
        timeout=5,
        connect_timeout=2.5,
        export_timeout=60,
        max_connections=10,
        rate_limit=5,
        max_response_bytes=2**20,
        max_record_bytes=2**16,
        proxy="http://proxy.example:3128",
        ca_file=path,
        read_only=True,
        on_event=hook,
    )
    Scarf(session=session, ca_file=None, rate_limit=None, proxy=None, on_event=print)
    Scarf(ca_file="ca.pem")
    assert_type(scarf.with_options(timeout=1, retry=RetryPolicy(attempts=1), read_only=True), Scarf)


async def organizations(scarf: Scarf) -> None:
    """Get, create and update organizations."""
    acme = OrganizationUpsert(name="acme", description="", billing_email="pay@acme.example", website=None)
    assert_type(acme.website, str | Unset | None)
    shown = await scarf.organizations.create(acme)
    assert_type(shown, Organization)
    assert_type(await scarf.organizations.create(acme, if_exists="keep"), Organization)
    assert_type(await scarf.organizations.update("acme", acme), Organization)
    assert_type(shown.name, str)
    assert_type(shown.website, str | None)
    assert_type(shown.billing_email, str)
    assert_type(shown.created_at, dt.datetime | None)
    assert_type(shown.extra, Mapping[str, JSON])


async def members(scarf: Scarf, role: RoleLike) -> None:
    """List, upsert and remove members."""
    for member in await scarf.members.list("acme"):
        assert_type(member, Member)
        assert_type(member.role, Role | str)
    assert_type(await scarf.members.upsert("acme", "ann", "admin"), Member)
    assert_type(await scarf.members.upsert("acme", "ann", Role.OWNER), Member)
    assert_type(await scarf.members.upsert("acme", "ann", role), Member)
    await scarf.members.remove("acme", "ann")
    assert_type(MemberUpsert("ann", "admin").role, Role)


async def packages(scarf: Scarf, library_type: LibraryTypeLike) -> None:
    """List, get, create, update and delete packages."""
    assert_type(await scarf.packages.list(), list[Package])
    assert_type(await scarf.packages.list("acme"), list[Package])
    assert_type(await scarf.packages.list(organization="acme"), list[Package])
    web = await scarf.packages.get("acme/web", LibraryType.DOCKER)
    assert_type(web, Package)
    assert_type(await scarf.packages.get("acme/web", library_type="docker"), Package)
    upsert = PackageUpsert(
        name="acme/web",
        short_description="Web",
        long_description=None,
        website=UNSET,
        library_type=library_type,
        backend_url="https://docker.io/acme/web",
        public_url="https://acme.docker.scarf.sh/acme/web",
        repository_url=UNSET,
    )
    assert_type(upsert.library_type, LibraryType | str | Unset | None)
    assert_type(await scarf.packages.create(upsert), Package)
    assert_type(await scarf.packages.create(upsert, "acme"), Package)
    assert_type(await scarf.packages.create(upsert, organization="acme", if_exists="keep"), Package)
    assert_type(await scarf.packages.update(web, upsert), Package)
    assert_type(await scarf.packages.update(web.uuid, upsert), Package)
    await scarf.packages.delete(web)
    await scarf.packages.delete(web.uuid)
    assert_type(web.owner, str)
    assert_type(web.library_type, LibraryType | str | None)


async def permissions(scarf: Scarf, web: Package, level: PermissionLevelLike) -> None:
    """List and set permissions."""
    for permission in await scarf.permissions.list(web):
        assert_type(permission, Permission)
        assert_type(permission.permission_level, PermissionLevel | str)
    await scarf.permissions.set(web, PermissionSet("ann@example.com", "admin"))
    await scarf.permissions.set(
        web.uuid, [PermissionSet("ann", level), PermissionSet("bob", PermissionLevel.BLOCKED)]
    )
    await scarf.permissions.set(web, (PermissionSet(user, "default") for user in ("ann", "bob")))
    assert_type(PermissionSet(user_query="ann", permission_level="admin").permission_level, PermissionLevel)


async def routes(scarf: Scarf, web: Package) -> None:
    """List, create and delete routes."""
    assert_type(await scarf.routes.list(web), list[Route])
    route = await scarf.routes.create(web, RouteCreate("https://acme.example/{v}", "/dl/{v}"), if_exists="fail")
    assert_type(route, Route)
    assert_type(route.outgoing_url, str)
    await scarf.routes.delete(web.uuid, route.id)


async def domains(scarf: Scarf, web: Package) -> None:
    """List, create and delete domains."""
    assert_type(await scarf.domains.list(web), list[Domain])
    domain = await scarf.domains.create(web.uuid, DomainCreate("dl.acme.example"), if_exists="keep")
    assert_type(domain, Domain)
    assert_type(domain.name, str)
    await scarf.domains.delete(web, domain.id)


async def version_2(api: ApiVersion, importance: ImportanceLike) -> None:
    """Use v2: the same calls, and what only v2 has."""
    async with Scarf(api=api, owner="acme", v3_url="https://api.scarf.sh/v3") as scarf:
        assert_type(scarf.api, ApiVersion)
        assert_type(scarf.owner, str | None)
        assert_type((scarf.base_url, scarf.v2_url, scarf.v3_url), tuple[str, str, str])
        assert_type(scarf.with_options(owner="other"), Scarf)
        check = await scarf.check()
        assert_type(check, Check)
        assert_type(
            (check.ok, check.token, check.version, check.owner), tuple[bool, bool | None, bool | None, bool | None]
        )
        assert_type(await scarf.members.get("acme", "ann"), Member)
        assert_type(await scarf.packages.list(types=["docker", LibraryType.REPOSITORY_JVM]), list[Package])
        web = await scarf.packages.get("acme/web", "docker", owner="acme")
        assert_type(await scarf.packages.get(PackageKey("acme", "id")), Package)
        assert_type(web.key, PackageKey)
        assert_type(web.importance, Importance | str | None)
        assert_type(web.backend_registry, str | None)
        upsert = PackageUpsert(name="dl", short_description=UNSET, library_type="file", importance=importance)
        assert_type(upsert.short_description, str | Unset)
        counts = RouteCreate(None, "/dl/{v}")
        assert_type(counts.outgoing_url, str | Unset | None)
        assert_type(await scarf.packages.create(upsert, route=counts, if_exists="keep"), Package)
        route = await scarf.routes.get(web, "id")
        assert_type(route.type, str | None)
        assert_type(await scarf.routes.update(web, route.id, RouteCreate(UNSET, "/dl")), Route)
        assert_type(await scarf.domains.get(web.key, "id"), Domain)
        await scarf.permissions.set(web, PermissionSet("ann", "owner"))
        wanted = OrganizationUpsert(name="acme", description=UNSET, billing_email=UNSET)
        try:
            assert_type((await scarf.organizations.update("acme", wanted)).id, str | None)
        except UnsupportedError as error:
            assert_type(error.operations, tuple[object, ...])
            wrong(error)
    warnings.simplefilter("error", ScarfWarning)


async def only_version_2(scarf: Scarf, web: Package) -> None:
    """Make the calls that only v2 has, and some that have no method."""
    docs = TrackingPixelUpsert(name="Docs", package=web, importance="high", track_companies=False)
    assert_type(docs.package, PackageKey | Unset | None)
    assert_type(docs.importance, Importance | Unset | None)
    assert_type(docs.track_companies, bool | Unset | None)
    pixel = await scarf.pixels.create(docs, owner="acme", if_exists="keep")
    assert_type(pixel, TrackingPixel)
    assert_type((pixel.name, pixel.package), tuple[str | None, PackageKey | None])
    assert_type((pixel.importance, pixel.track_companies), tuple[Importance | str | None, bool | None])
    assert_type(await scarf.pixels.list("acme"), list[TrackingPixel])
    assert_type(await scarf.pixels.list(package=web.key), list[TrackingPixel])
    assert_type(await scarf.pixels.get("id", owner="acme"), TrackingPixel)
    assert_type(await scarf.pixels.update(pixel, TrackingPixelUpsert(name="Docs", package="id")), TrackingPixel)
    assert_type(await scarf.pixels.create_domain(pixel, "px.acme.example", if_exists="keep"), Domain)
    assert_type(await scarf.pixels.list_domains(pixel.id), list[Domain])
    await scarf.pixels.delete_domain(pixel, "id")
    await scarf.pixels.delete(pixel)
    images = CollectionUpsert(pattern="acme/*", backend_domain="ghcr.io")
    assert_type(images.public_domain, str | Unset | None)
    collection = await scarf.collections.create(images, if_exists="keep")
    assert_type(collection, Collection)
    assert_type(collection.public_domain, str | None)
    assert_type(await scarf.collections.list(), list[Collection])
    assert_type(await scarf.collections.get(collection), Collection)
    assert_type(await scarf.collections.update(collection.id, images, owner="acme"), Collection)
    await scarf.collections.delete(collection)
    for one in await scarf.packages.overview("acme", types=["docker"], permission="admin"):
        assert_type(one, PackageOverview)
        assert_type((one.package, one.domains), tuple[Package, tuple[Domain, ...]])
        assert_type(one.total_installs, int | None)
    status = await scarf.domains.status("px.acme.example", owner="acme")
    assert_type(status, DomainStatus)
    assert_type(status.cname_status, str | None)
    assert_type(await scarf.users.get("ann"), User)
    (membership, *_) = await scarf.users.organizations("ann")
    assert_type(membership, Membership)
    assert_type((membership.role, membership.organization_website), tuple[Role | str, str | None])
    (found, *_) = await scarf.search("web")
    assert_type(found, SearchResult)
    assert_type((found.type, found.library_type), tuple[str, LibraryType | str | None])
    assert_type(await scarf.request("GET", ["users", "ann"], query={"a": ["b"]}, version="v3"), JSON)
    assert_type(await scarf.request("PUT", "/x", json={"a": None}, resend="repeat"), JSON)


def records(aggregate: Aggregate, event: Event) -> None:
    """Read the records of exports."""
    assert_type(aggregate.breakdown, Breakdown | str)
    assert_type(aggregate.date, dt.date)
    assert_type(aggregate.total, int)
    assert_type(aggregate.unique_total, int | None)
    assert_type(event.time, dt.datetime)
    assert_type(event.origin_latitude, float | None)
    assert_type(event.dnt, bool | None)
    assert_type(event.extra, Mapping[str, str | None])
    assert_type(event.variable_map, dict[str, str])


async def imports(scarf: Scarf, package: Package) -> None:
    """Send events, and look at the outcome of them."""

    async def rows() -> AsyncIterator[dict[str, str]]:
        yield {"$time": "2026-06-15T00:00Z"}

    def watch(progress: ImportProgress) -> None:
        assert_type(progress.unknown, int)

    def unique(row: Mapping[str, object]) -> str:
        return str(row["n"])

    await scarf.imports.send(rows(), package=package, unique_id=unique, wait=False, progress=watch)
    await scarf.imports.send([{"$time": dt.datetime.now(dt.UTC), "n": 1}], pixel="id", batch=1, patience=0)
    report = await scarf.imports.send(Path("events.ndjson.gz"), owner="acme", concurrency=2)
    assert_type(report, ImportReport)
    assert_type((report.sent, report.imported, report.failed), tuple[int, int, int])
    for batch in report.batches:
        assert_type(batch, ImportBatch)
        assert_type(batch.id, str | None)
        assert_type(batch.error_sample, Sequence[JSON])
    assert_type(await scarf.imports.list(["done"]), list[EventImport])
    shown = await scarf.imports.get("id")
    assert_type(shown.events_failed_to_import, int | None)
    assert_type(await scarf.imports.abort(shown.id), None)
    async with scarf.imports.log(shown.id) as entries:
        async for entry in entries:
            assert_type(entry, ImportLogEntry)
    async with scarf.exports.pixel_rollup("2026-06-01", "2026-06-15", owner="acme") as stream:
        async for row in stream:
            assert_type(row, Mapping[str, str | None])
    assert_type(scarf.exports.owner_events(None, "2026-06-01", "2026-06-15", names=["a", "b*"]), Export[Event])
    assert_type(scarf.exports.company_events("corp.example", "2026-06-01", "2026-06-15"), Export[Event])
    scarf.exports.pixel_events("2026-06-01", "2026-06-15", pixel="id")
    ExportJob("owner_events", None, "2024-01-01", "2024-02-01", names="a,b")


async def export_jobs(scarf: Scarf, path: Path) -> None:
    """Fetch a range into a directory, and look after it."""

    def watch(progress: ExportProgress) -> None:
        assert_type(progress.windows_done, int)
        assert_type(progress.elapsed, float)

    job = ExportJob(
        "package_events", "acme", "2024-01-01", dt.date(2024, 2, 1), "parquet", 7, package="id", api="v2"
    )
    assert_type(job.what, ExportKind)
    assert_type(job.format, ExportFormat)
    ExportJob(ExportKind.PIXEL_EVENTS, None, "2024-01-01", "2024-02-01", ExportFormat.CSV, window_days=None)
    report = await scarf.exports.run(job, path, concurrency=2, progress=watch, refresh_days=3)
    assert_type(report, ExportReport)
    report.raise_for_failures()
    for window in report.windows:
        assert_type(window.start, dt.date)
        assert_type(window.error, ScarfError | None)
    assert_type(report.complete, bool)
    assert_type(report.to_dict(), dict[str, JSON])
    assert_type(report.directory, Path | str)
    await scarf.exports.run(job, "s3://bucket/prefix", temp_dir=path, store=S3Store("bucket"))
    assert_type(await scarf.exports.verify(path), list[FileProblem])
    assert_type(await scarf.exports.collect_garbage("s3://bucket/prefix"), list[str])
    loads = await scarf.exports.load(job, "postgresql://", table="stats.events", columns="official", progress=watch)
    assert_type(loads, LoadReport)
    assert_type(await load_directory(path, "duckdb:events.duckdb"), LoadReport)
    loads.raise_for_failures()
    for loaded in loads.windows:
        assert_type(loaded, LoadedWindow)
        assert_type(loaded.deleted, int)
    for problem in verify_export("directory"):
        assert_type(problem.path, Path | str)
        assert_type(problem.problem, str)


def late(error: TimeoutError) -> None:
    """Take a timeout of any library."""


def wrong(error: ValueError) -> None:
    """Take a wrong value of any library."""


async def errors_of_the_service(scarf: Scarf) -> None:
    """Catch what the service says no to."""
    try:
        await scarf.organizations.get("acme")
    except NotFoundError as error:
        assert_type(error.status, int)
        assert_type(error.code, str | None)
        assert_type(error.body, bytes)
    except RateLimitedError as error:
        assert_type(error.retry_after, float | None)
    except ConflictError as error:
        print(error.requested, error.found)
    except APIError as error:
        assert_type(error.message, str)
        assert_type(error.attempts, int)
        assert_type(error.url, str)


async def other_errors(scarf: Scarf) -> None:
    """Catch what else can go wrong."""
    try:
        await scarf.organizations.get("acme")
    except RequestTimeoutError as error:
        late(error)
    except TransportError as error:
        assert_type(error.url, str)
    except OutcomeUnknownError as error:
        assert_type(error.failure, ScarfError | None)
        assert_type(error.look_failure, ScarfError | None)
    except WriteConfirmedError as error:
        assert_type(error.failure, ScarfError | None)
    except DecodeError as error:
        assert_type(error.path, str)
    except ValidationError as error:
        wrong(error)
        assert_type(error.field, str | None)
    except MalformedRecordError as error:
        assert_type(error.line_number, int)
    except BulkError as error:
        assert_type(error.exceptions, tuple[Exception | ExceptionGroup[Exception], ...])


async def rehearse() -> None:
    """Try a client against the emulator, without waiting."""
    async with Emulator() as emulator:
        with no_waiting():
            async with Scarf(emulator.token, base_url=emulator.url, v2_url=emulator.v2_url) as scarf:
                assert_type(scarf, Scarf)


async def by_hand() -> None:
    """Close a client without a block."""
    scarf = Scarf()
    await scarf.aclose()


assert_type(scarf_async.__version__, str)
