"""A walk over everything that the package hands out: the token and the proxy's password are in none of it."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import attrs
import pytest
import pytest_asyncio
from acceptance.hostile import FAST
from acceptance.test_secrets import KEY, PASSWORD, assert_clean

import scarf_async
from scarf_async import (
    AggregationQuery,
    BulkError,
    BulkPlan,
    CollectionUpsert,
    ConfigurationError,
    DomainCreate,
    ExportJob,
    JobBusyError,
    LoadError,
    ManifestError,
    MemberUpsert,
    OrganizationUpsert,
    PackageUpsert,
    PermissionSet,
    RetryPolicy,
    RouteCreate,
    Scarf,
    ScarfError,
    ScarfWarning,
    TrackingPixelUpsert,
    UnsupportedError,
    manifest_schema,
    read_changes,
    read_manifest,
    verify_export,
    write_changes,
    write_manifest,
)
from scarf_async.emulator import Emulator, FaultRule, Quirks
from scarf_async.files import lock
from scarf_async.settings import Secret

from .failures import errors_of_calls, errors_of_exports, errors_of_files
from .reach import assert_unsaid, reach, shown

RANGE = ("2024-01-01", "2024-01-03")
PROXY = f"http://user:{PASSWORD}@127.0.0.1:9"
ACME = OrganizationUpsert(name="acme", description="", billing_email="")
WEB = PackageUpsert(name="web", short_description="", library_type="file")
MANIFEST = """
version: 1
organizations:
  acme:
    members: {ann: admin, nobody: member}
    packages:
      - name: web
        type: file
        permissions: {bob: member}
        domains: [dl.acme.example]
"""

# A cluster is lost in its own tests, which look for the token too.
CLASSES = {
    name
    for name in scarf_async.__all__
    if isinstance(kind := getattr(scarf_async, name), type) and not issubclass(kind, enum.Enum)
} - {"ClusterLostError"}


@attrs.define
class World:
    """A service, a client that knows both secrets, and all that it has handed out."""

    emulator: Emulator
    scarf: Scarf
    directory: Path
    found: list[object]

    def add(self, *things: object) -> None:
        """Take things down."""
        self.found += things

    def texts(self) -> list[bytes]:
        """Return what is in all files."""
        return [path.read_bytes() for path in self.directory.rglob("*") if path.is_file()]


@pytest_asyncio.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Start with an organization, and with a proxy for hosts that nobody asks."""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    events: list[object] = []
    async with (
        Emulator(token=KEY, events_per_day=3, people={"ann": "a@x.example", "bob": "b@x.example"}) as emulator,
        Scarf(KEY, base_url=emulator.url, v2_url=emulator.v2_url, retry=FAST, on_event=events.append) as scarf,
    ):
        yield World(emulator, scarf, tmp_path, events)


async def by_call(world: World) -> None:
    """Collect what plain calls give, and the events of them, with a refusal among them."""
    scarf = world.scarf
    world.emulator.faults.add(FaultRule("POST", "*/packages", 1, 429, retry_after="0.01"))
    made = await scarf.organizations.create(ACME)
    web = await scarf.packages.create(WEB, "acme")
    await scarf.permissions.set(web, PermissionSet("ann", "member"))
    route = RouteCreate("https://example.org/web-{version}.tgz", "/web/{version}.tgz")
    world.add(made, web, web.key, await scarf.members.upsert("acme", "ann", "admin"), MemberUpsert("ann", "admin"))
    world.add(await scarf.permissions.list(web), PermissionSet("ann", "member"), ACME, WEB)
    world.add(await scarf.routes.create(web, route), route)
    world.add(await scarf.domains.create(web, DomainCreate("x.acme.example")), DomainCreate("x.acme.example"))
    world.add(scarf, scarf.with_options(timeout=3, read_only=True), scarf.organizations, scarf.members)
    world.add(scarf.packages, scarf.permissions, scarf.routes, scarf.domains, scarf.exports, scarf.bulk)
    world.add(scarf.manifests, RetryPolicy(), await scarf.check(), ScarfWarning("not quite as asked"))
    with pytest.raises(UnsupportedError) as caught:
        await scarf.routes.update(web, "id", route)
    world.add(caught.value)


async def by_calls_of_v2_alone(world: World) -> None:
    """Collect what a client of v1 gets from v2: pixels, collections, accounts, and answers to calls of its own."""
    scarf, docs = world.scarf.with_options(owner="acme"), TrackingPixelUpsert(name="Docs", track_companies=True)
    images = CollectionUpsert(pattern="acme/*", backend_domain="ghcr.io")
    pixel, collection = await scarf.pixels.create(docs), await scarf.collections.create(images)
    await scarf.pixels.create_domain(pixel, "px.acme.example")
    world.add(docs, images, pixel, collection, scarf.pixels, scarf.collections, scarf.users)
    world.add(await scarf.domains.status("px.acme.example"), await scarf.packages.overview())
    world.add(await scarf.users.get("acme"), await scarf.users.organizations(world.emulator.user))
    world.add(await scarf.search("docs"), await scarf.request("GET", "/tracking-pixels/acme", version="v2"))
    for call in (
        scarf.pixels.create(docs),
        scarf.collections.get("none"),
        scarf.pixels.update("events", docs),
        scarf.request("GET", f"/x?key={PASSWORD}", version="v2"),
        scarf.request("GET", f"https://user:{PASSWORD}@scarf.example/x", version="v2"),
        scarf.request("POST", ["x"], json={}, version="v2"),
    ):
        with pytest.raises(ScarfError) as caught:
            await call
        world.add(caught.value.args)


async def by_bulk(world: World) -> None:
    """Collect what a plan goes through, with an operation that fails."""
    plan = BulkPlan()
    ref = plan.create_package(attrs.evolve(WEB, name="two"), "acme")
    plan.upsert_member("acme", "nobody", "member")
    plan.set_permission(ref, "bob", "member")
    plan.dump(world.directory / "plan.jsonl")
    report = await world.scarf.bulk.run(plan, journal=world.directory / "bulk.journal", progress=world.add)
    with pytest.raises(BulkError) as caught:
        report.raise_for_failures()
    assert_clean(caught.value)
    world.add(plan, ref, *plan, plan.estimate(), report, *report, report.to_dict(), caught.value)
    world.add(*await world.scarf.bulk.verify(plan), BulkPlan.load(world.directory / "plan.jsonl"))


async def by_export(world: World) -> None:
    """Collect what exports give: while a stream is open, saved, and window by window."""
    exports, directory = world.scarf.exports, world.directory
    web = (await world.scarf.packages.list("acme"))[0]
    export = exports.package_events("acme", web, *RANGE)
    async with export as stream:
        world.add(export, stream, [event async for event in stream])
        assert_walked(stream, export, world.scarf)
    aggregates = exports.organization_aggregates("acme", *RANGE)
    async with aggregates as rows:
        world.add([row async for row in rows])
    world.add(await aggregates.save(directory / "aggregates.jsonl"))
    for form in ("csv", "parquet"):
        job = ExportJob("owner_events", "acme", *RANGE, form, 1)
        report = await exports.run(job, directory / form, progress=world.add)
        world.add(job, report, *report.windows, report.to_dict())
    query = AggregationQuery(packages=web)
    counts = exports.aggregations(*RANGE, query)
    async with counts as counted:
        world.add(query, counts, counted, [row async for row in counted])
    await exports.run(ExportJob("aggregations", "acme", *RANGE, query=query), directory / "counts")
    world.emulator.retention_days = 0
    with pytest.warns(ScarfWarning) as caught:
        world.add(await counts.save(directory / "counts.jsonl"))
    world.add(*(warning.message for warning in caught))
    report = await exports.run(
        ExportJob("aggregations", "acme", *RANGE, query=query), directory / "counts", refresh_days=9999
    )
    world.add(report, *report.windows, report.to_dict())
    with (directory / "csv" / "lock").open("wb") as busy:
        lock(busy.fileno())
        with pytest.raises(JobBusyError) as refused:
            await exports.run(ExportJob("owner_events", "acme", *RANGE, "csv", 1), directory / "csv")
    world.add(refused.value)
    next((directory / "csv" / "data").glob("*.csv")).write_text("")
    world.add(*verify_export(directory / "csv"))


async def by_load(world: World) -> None:
    """Collect what a load gives, and one into a database that cannot be reached, whose address has a password."""
    job = ExportJob("owner_events", "acme", *RANGE)
    report = await world.scarf.exports.load(job, f"duckdb:{world.directory / 'events.duckdb'}")
    world.add(report, *report.windows, report.to_dict())
    with pytest.raises(LoadError) as refused:
        await world.scarf.exports.load(job, f"postgresql://ann:{quote(KEY, safe='')}@127.0.0.1:1/events")
    world.add(refused.value)


async def by_manifest(world: World) -> None:
    """Collect what a manifest goes through: read, compared, kept, applied, and pulled again."""
    file, kept = world.directory / "acme.yaml", world.directory / "acme.plan"
    file.write_text(MANIFEST)
    manifest = read_manifest(file)
    changes = await world.scarf.manifests.diff(manifest)
    write_changes(changes, kept, server=world.emulator.url)
    report = await world.scarf.manifests.apply(changes, journal=world.directory / "apply.journal")
    assert not report.ok
    pulled = await world.scarf.manifests.pull("acme")
    for suffix in ("yaml", "json"):
        write_manifest(pulled, world.directory / f"pulled.{suffix}")
    world.add(manifest, *manifest.organizations, *(manifest.organizations[0].packages or ()), pulled)
    world.add(changes, *changes, changes.to_dict(), read_changes(kept), report, report.to_dict(), manifest_schema())
    file.write_text("version: 1\norganisations: 7\n")
    with pytest.raises(ManifestError) as caught:
        read_manifest(file)
    world.add(caught.value, *caught.value.problems)


async def by_v2(world: World) -> None:
    """Collect what a client of v2 gives: calls, a plan, a manifest, a list that has no end, and what v2 refuses."""
    emulator, told = world.emulator, world.found
    web = attrs.evolve(WEB, name="v2")
    emulator.quirks = Quirks(permissions_of_organizations="works")
    route = RouteCreate("https://example.org/{v}", "/{v}")
    async with Scarf(
        KEY, api="v2", owner="acme", base_url=emulator.url, v2_url=emulator.v2_url, retry=FAST, on_event=told.append
    ) as scarf:
        made = await scarf.packages.create(web, route=route)
        await scarf.packages.update(made, attrs.evolve(web, short_description="new"))
        world.add(scarf, scarf.with_options(owner="other"), made, await scarf.packages.list(), await scarf.check())
        world.add(await scarf.routes.list(made), await scarf.domains.list(made), await scarf.members.list("acme"))
        plan = BulkPlan()
        plan.create_route(made, attrs.evolve(route, template_path="/other/{v}"))
        report = await scarf.bulk.run(plan, journal=world.directory / "v2.journal")
        world.add(report, *report, await scarf.manifests.pull("acme"))
        world.add(*await by_import(scarf, made.uuid, emulator))
        emulator.quirks = Quirks(paging="ignores-after", max_per_page=10)
        for number in range(10):
            await scarf.packages.create(attrs.evolve(web, name=f"n{number}", library_type="npm"))
        emulator.faults.add(FaultRule("GET", "*/v2/packages/acme", 1, 403))
        for call in (
            scarf.packages.list(),
            scarf.packages.list(),
            scarf.packages.create(web),
            scarf.packages.get("none"),
            scarf.permissions.set(made, PermissionSet("ann", "member")),
            scarf.members.upsert("acme", "nobody", "member"),
            scarf.organizations.create(ACME),
        ):
            with pytest.raises(ScarfError) as caught:
                await call
            world.add(caught.value)


async def by_import(scarf: Scarf, package: str, emulator: Emulator) -> list[object]:
    """Return what imports give: a report with a batch that failed, the outcome of it, and its log."""
    emulator.quirks = Quirks(import_seconds=0.0)
    emulator.faults.add(FaultRule("POST", "*/import", 1, 400))
    now = dt.datetime.now(dt.UTC)
    told: list[object] = []
    rows = [{"$time": now, "$unique_id": str(number)} for number in range(2)]
    report = await scarf.imports.send(
        rows, package=package, batch=1, concurrency=1, wait=False, progress=told.append
    )
    (made,) = await scarf.imports.list()
    log = scarf.imports.log(made.id)
    async with log as entries:
        read = [entry async for entry in entries]
    rollup = scarf.exports.pixel_rollup(*RANGE)
    return [report, *report.batches, *told, made, log, *read, rollup, scarf.imports]


def assert_walked(*things: object) -> None:
    """Walk from objects as far as it goes: every text is free of secrets, and so is what anything shows."""
    secrets = 0
    for thing in reach(*things):
        if isinstance(thing, str | bytes):
            assert_unsaid(thing.encode(errors="replace") if isinstance(thing, str) else thing)
        elif not isinstance(thing, dict | list | tuple | set | frozenset):
            assert_unsaid(next(shown(thing)))
            secrets += isinstance(thing, Secret)
    assert secrets >= 2 * any(isinstance(thing, Scarf) for thing in things)


async def test_everything_public(world: World) -> None:
    """Of every public class there is something; neither it, nor what hangs on it, nor any file shows a secret."""
    await by_call(world)
    await by_calls_of_v2_alone(world)
    await by_bulk(world)
    await by_export(world)
    await by_load(world)
    await by_manifest(world)
    await by_v2(world)
    world.add(*await errors_of_calls(), *await errors_of_exports())
    world.add(*await errors_of_files(world.scarf, world.directory / "bulk.journal"))
    world.add(refused_configuration())
    assert_walked(*world.found)
    for thing in world.found:
        assert_unsaid(*shown(thing))
        if isinstance(thing, ScarfError):
            assert_clean(thing)
    walked = {kind.__name__ for thing in reach(world.found) for kind in type(thing).__mro__}
    assert CLASSES - walked == set()
    texts = world.texts()
    assert len(texts) > 12
    assert_unsaid(*texts)


def refused_configuration() -> ConfigurationError:
    """Give an option that is wrong beside secrets that are right."""
    with pytest.raises(ConfigurationError) as caught:
        Scarf(KEY, proxy=PROXY, timeout=0)
    return caught.value
