"""Plans, streams, manifests and hooks as their users write them: never run, only type-checked, as `api.py` is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import assert_type

import duckdb
from opentelemetry import trace

from scarf_async import (
    JSON,
    Aggregate,
    ApplyReport,
    AuthenticationError,
    BadRequestError,
    BulkPlan,
    BulkProgress,
    BulkReport,
    Change,
    Changes,
    ClientClosedError,
    ConfigurationError,
    ConnectFailedError,
    ConnectTimeoutError,
    Difference,
    Domain,
    DomainCreate,
    Event,
    Export,
    ExportError,
    ExportFormatLike,
    ExportJob,
    ExportKindLike,
    ExportStream,
    GuardError,
    JournalError,
    Kind,
    MalformedRecordError,
    Manifest,
    ManifestError,
    ManifestProblem,
    Member,
    OnMalformed,
    Operation,
    Organization,
    OrganizationSpec,
    OrganizationUpsert,
    Outcome,
    Package,
    PackageSpec,
    PackageUpsert,
    PermissionDeniedError,
    PermissionLevel,
    PlanEstimate,
    ReadOnlyError,
    RecordTooLongError,
    Ref,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
    Role,
    Route,
    RouteCreate,
    SavedChanges,
    SavedExport,
    Scarf,
    ScarfError,
    ScarfEvent,
    ServerError,
    StreamClosedError,
    StreamConsumedError,
    StreamFinished,
    Throttled,
    TransportError,
    TruncatedExportError,
    UnprocessableError,
    ValidationError,
    WindowReport,
    WrongEventLoopError,
    data,
    manifest_schema,
    read_changes,
    read_manifest,
    write_changes,
    write_manifest,
)
from scarf_async.emulator import Emulator
from scarf_async.observe import CONTENT_TYPE, LoggingHook, PrometheusHook, combine
from scarf_async.observe.otel import OpenTelemetryHook
from scarf_async.testing import call_log, script_faults


def a_plan(path: Path, upsert: PackageUpsert, there: Package) -> BulkPlan:
    """Add every kind of operation."""
    plan = BulkPlan()
    acme = plan.create_organization(OrganizationUpsert(name="acme", description="", billing_email=""))
    assert_type(acme, Ref[Organization])
    assert_type(plan.upsert_member("acme", "ann", Role.ADMIN, after=acme), Ref[Member])
    assert_type(plan.remove_member("acme", "bob"), Ref[None])
    web = plan.create_package(upsert, "acme", if_exists="keep", after=[acme])
    assert_type(web, Ref[Package])
    assert_type(plan.set_permission(web, "ann@example.com", "admin"), Ref[None])
    assert_type(plan.create_route(web, RouteCreate("https://acme.example/{v}", "/{v}")), Ref[Route])
    assert_type(plan.create_domain(there, DomainCreate(name="dl.acme.example")), Ref[Domain])
    plan.update_package(there.uuid, upsert)
    plan.delete_route(there, "1")
    plan.delete_domain(there, "1")
    plan.delete_package(there)
    plan.dump(path)
    assert_type(BulkPlan.load(path), BulkPlan)
    assert_type(len(plan), int)
    for operation in plan:
        assert_type(operation, Operation)
        assert_type(operation.kind, Kind)
    estimate = plan.estimate(permission_batch=50)
    assert_type(estimate, PlanEstimate)
    assert_type(estimate.requests, Mapping[str, int])
    return plan


async def a_run(scarf: Scarf, plan: BulkPlan, web: Ref[Package], stop: asyncio.Event) -> None:
    """Run a plan, and read its report."""

    def watch(progress: BulkProgress) -> None:
        assert_type(progress.eta, float | None)

    def note(outcome: Outcome[object]) -> None:
        assert_type(outcome.operation, Operation)

    report = await scarf.bulk.run(
        plan, concurrency=8, journal="a.journal", on_failure="stop", stop=stop, progress=watch, on_outcome=note
    )
    assert_type(report, BulkReport)
    assert_type(report[web], Outcome[Package])
    assert_type(report[web].result, Package | None)
    assert_type(report[web].error, ScarfError | None)
    assert_type(report.failed, Sequence[Outcome[object]])
    assert_type(report.to_dict(), dict[str, JSON])
    report.raise_for_failures()
    for difference in await scarf.bulk.verify(plan):
        assert_type(difference, Difference)


async def streams(scarf: Scarf, on_malformed: OnMalformed, form: ExportFormatLike) -> None:
    """Read one export in each way."""
    export = scarf.exports.package_events("acme", "id", "2024-01-01", "2024-02-01", on_malformed=on_malformed)
    assert_type(export, Export[Event])
    async with export as stream:
        assert_type(stream, ExportStream[Event])
        async for event in stream:
            assert_type(event, Event)
        async for batch in stream.batches(size=10):
            assert_type(batch, list[Event])
        async for line in stream.lines():
            assert_type(line, bytes)
        assert_type(stream.chunks(form), AsyncIterator[bytes])
        async for chunk in stream.chunks("parquet"):
            assert_type(chunk, bytes)
        assert_type(stream.bytes_total, int | None)
        assert_type(stream.sha256, str | None)
        assert_type(stream.complete, bool)
    assert_type(scarf.exports.user_aggregates("ann", "2024-01-01", "2024-02-01"), Export[Aggregate])
    assert_type(scarf.exports.pixel_events("2024-01-01", "2024-02-01", owner="acme", api="v2"), Export[Event])


async def files(scarf: Scarf, path: Path, form: ExportFormatLike, what: ExportKindLike) -> None:
    """Save exports, alone and as a job."""

    def watch(stream: ExportStream[Event]) -> None:
        assert_type(stream.bytes_received, int)

    export = scarf.exports.owner_events("acme", "2024-01-01", "2024-02-01", unfiltered=True)
    saved = await export.save(path, overwrite=False, format=form, progress=watch)
    assert_type(saved, SavedExport)
    assert_type(saved.sha256, str)
    assert_type(
        await export.save("events.parquet", format="parquet", progress=lambda now: now.records_kept), SavedExport
    )
    report = await scarf.exports.run(ExportJob(what, "acme", "2024-01-01", "2024-02-01", form), path)
    assert_type(report.windows, Sequence[WindowReport])
    with duckdb.connect() as connection:
        assert_type(data.read(path, connection=connection), duckdb.DuckDBPyRelation)
        assert_type(data.read(str(path)).columns, list[str])
    assert_type(data.files(path), list[str])
    print(await export.to_pandas())


def a_manifest(path: Path) -> None:
    """Write an organization down."""
    web = PackageSpec(name="web", library_type="file", permissions={"ann": PermissionLevel.ADMIN}, domains=())
    acme = OrganizationSpec(name="acme", members={"ann": Role.OWNER}, packages=(web,))
    manifest = Manifest(organizations=(acme,))
    write_manifest(manifest, path, keep=True)
    try:
        assert_type(read_manifest(path), Manifest)
    except ManifestError as error:
        assert_type(error.problems, tuple[ManifestProblem, ...])
        assert_type(error.problems[0].line, int)
    assert_type(manifest_schema(), dict[str, JSON])


async def manifests(scarf: Scarf, other: Scarf, path: Path) -> None:
    """Pull, compare, keep, apply and copy."""
    manifest = await scarf.manifests.pull("acme", "globex", user_packages=True)
    assert_type(manifest, Manifest)
    changes = await scarf.manifests.diff(manifest, prune=True)
    assert_type(changes, Changes)
    assert_type(changes[0], Change)
    for change in changes:
        assert_type(change, Change)
    assert_type(changes.to_plan(), BulkPlan)
    write_changes(changes, path, server="https://scarf.sh/api/v1")
    saved = read_changes(path)
    assert_type(saved, SavedChanges)
    report = await scarf.manifests.apply(saved, journal=path, max_removals=3, me="ann", whole=True)
    assert_type(report, ApplyReport)
    assert_type(report.ok, bool)
    assert_type(report.bulk, BulkReport | None)
    copied = await scarf.manifests.changes_to_copy("acme", "acme-eu", to=other, members={"bob": None})
    await other.manifests.apply(copied)


def hooks(provider: trace.TracerProvider, logger: logging.Logger) -> Scarf:
    """Look on, in each of the ways."""

    def own(event: ScarfEvent) -> None:
        match event:
            case RequestStarted():
                assert_type(event.attempt, int)
            case RequestFinished():
                assert_type(event.url, str)
            case RetryScheduled():
                assert_type(event.delay, float)
            case Throttled():
                assert_type(event.seconds, float)
            case StreamFinished():
                assert_type(event.complete, bool)
            case _:
                assert_type(event.endpoint, str)

    counters = PrometheusHook()
    assert_type(counters.render(), str)
    assert_type(CONTENT_TYPE, str)
    hook = combine(own, LoggingHook(logger), counters, OpenTelemetryHook(tracer_provider=provider))
    assert_type(hook, Callable[[ScarfEvent], None])
    Scarf(on_event=LoggingHook())
    return Scarf(on_event=hook)


def in_a_test(emulator: Emulator) -> None:
    """Script faults, and read the log."""
    script_faults(emulator, "POST", "*/packages", None, 503, "drop_after", ("effect", 500), retry_after=1)
    assert_type(call_log(emulator), list[str])


def every_other_error(error: ScarfError) -> None:
    """Tell the errors apart."""
    match error:
        case GuardError() | ConfigurationError() | ClientClosedError() | WrongEventLoopError() | ReadOnlyError():
            print(error)
        case ConnectTimeoutError() | ConnectFailedError():
            transport: TransportError = error
            print(transport.method)
        case AuthenticationError() | PermissionDeniedError() | BadRequestError() | UnprocessableError():
            assert_type(error.code, str | None)
        case ServerError():
            assert_type(error.retry_after, float | None)
        case JournalError():
            print(error.report)
        case MalformedRecordError():
            assert_type(error.line_number, int)
        case TruncatedExportError() | RecordTooLongError() | StreamConsumedError() | StreamClosedError():
            export: ExportError = error
            print(export)
        case ValidationError():
            assert_type(error.field, str | None)
        case _:
            raise error
