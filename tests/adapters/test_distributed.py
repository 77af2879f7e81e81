"""Jobs on a Dask cluster: in this process, and of processes that are killed."""

from __future__ import annotations

import asyncio
import datetime as dt
import pickle
import signal
from collections.abc import AsyncIterator
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, patch

import attrs
import msgspec
import pytest
from aiohttp import web
from distributed import Client

from scarf_async import (
    ClusterLostError,
    ConfigurationError,
    ExportError,
    ExportFormat,
    ExportJob,
    ExportProgress,
    Scarf,
    ValidationError,
    distributed,
    verify_export,
)
from scarf_async.clock import Clock
from scarf_async.exports.jobs.directory import read_manifest
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.stores import lease
from scarf_async.version import __version__

if TYPE_CHECKING:
    from exports.jobs.store import Store

from .clusters import cluster_here, processes, worker_here
from .events_service import EventsService, events_service, row

TOKEN = "tok-3f9a-do-not-show"
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(number) for number in range(8)]
pytestmark = pytest.mark.usefixtures("shared_engine")
JOB = ExportJob("owner_events", "acme", DAYS[0], DAYS[-1] + dt.timedelta(1), "parquet", 1)


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EventsService]:
    """A service of three events a day, one of which comes twice, as this process's environment has it."""
    async with events_service() as service:
        service.rows = [row(f"{day}-{n % 3}", f"{day}T12:00:00Z") for day in DAYS for n in range(4)]
        monkeypatch.setenv("SCARF_V2_URL", service.url)
        yield service


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """The client of a cluster of threads, whose workers have the token."""
    monkeypatch.setenv("SCARF_API_TOKEN", TOKEN)
    async with cluster_here() as client:
        yield client


def entries(folder: Path) -> list[WindowEntry]:
    """Return the windows that a directory has, without their times."""
    manifest = read_manifest(folder)
    assert manifest is not None
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    return [msgspec.structs.replace(entry, finished_at=moment, answered_at=moment) for entry in manifest.windows]


def data(folder: Path) -> dict[str, bytes]:
    """Return what is in the files of the data."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("data/**/*.*")}


@pytest.mark.parametrize("form", [ExportFormat.PARQUET, ExportFormat.CSV])
async def test_what_comes_of_it_is_as_of_one_machine(
    tmp_path: Path, service: EventsService, client: Client, form: ExportFormat
) -> None:
    """The same windows, rows, digests and files; nothing is left over, and a second run asks for nothing."""
    job = attrs.evolve(JOB, format=form)
    async with Scarf() as scarf:
        here = await scarf.exports.run(job, tmp_path / "here")
    asked, service.asked = sorted(service.asked), []
    (there,) = await distributed.run([job], tmp_path / "there", client=client)
    assert sorted(service.asked) == asked
    assert entries(tmp_path / "there") == entries(tmp_path / "here")
    assert data(tmp_path / "there") == data(tmp_path / "here")
    assert (there.rows, there.duplicates, there.complete) == (here.rows, here.duplicates, True) == (24, 8, True)
    assert list((tmp_path / "there" / "tmp").iterdir()) == []
    service.asked.clear()
    assert (await distributed.run([job], tmp_path / "there", client=client))[0].complete
    assert service.asked == []


async def test_windows_go_into_an_object_store(
    tmp_path: Path, service: EventsService, client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers upload them; this process alone writes the manifest, which names them, then what replaces them.

    While it waits for a run that was killed, it says so.
    """
    to = "s3://bucket/nightly"
    monkeypatch.setattr(lease, "_DEAD", 0.1)
    store.put("nightly/lease.json", b'{"run":"killed"}')
    told: list[ExportProgress] = []
    (report,) = await distributed.run([JOB], to, client=client, progress=told.append)
    assert told[0].stage == "waiting"
    async with Scarf() as scarf:
        here = await scarf.exports.run(JOB, tmp_path / "here")
    assert (report.complete, report.rows, report.directory) == (True, here.rows, to)
    assert verify_export(to) == []
    assert [window.rows for window in report.windows] == [window.rows for window in here.windows]
    service.rows = service.rows[:-4]
    (again,) = await distributed.run([JOB], to, client=client, refresh_days=1)
    assert (again.rows, [one.status for one in again.windows].count("fetched"), verify_export(to)) == (21, 1, [])
    assert [path for path in store.objects if path.startswith("nightly/lease")] == ["nightly/lease.json"]


@pytest.mark.parametrize(("concurrency", "tasks"), [(2, 2), (50, 4)])
async def test_no_more_tasks_than_asked_for_are_with_the_scheduler(
    tmp_path: Path, service: EventsService, client: Client, concurrency: int, tasks: int
) -> None:
    """Nor than workers have threads, over all jobs. Each has a folder of its own, and progress is of all.

    The token is in no task or key.
    """
    days = 4
    jobs = [attrs.evolve(JOB, owner=f"acme-{number}", end=DAYS[days]) for number in range(3)]
    most = submitted = 0
    told: list[ExportProgress] = []
    submit = client.submit

    def watched(*args: Any, **kwargs: Any) -> object:
        nonlocal most, submitted
        submitted += 1
        if submitted == days:
            # No job can have come to its end, and so none but the first ones may have begun.
            assert len(list(tmp_path.iterdir())) == min(concurrency, 3)
        assert TOKEN.encode() not in pickle.dumps(args)
        future = submit(*args, **kwargs)
        assert TOKEN not in str(future.key)
        most = max(most, len(client.futures))
        return future

    with patch.object(client, "submit", watched):
        reports = await distributed.run(
            map(copy, jobs),  # type: ignore[arg-type] # an iterator will do
            tmp_path,
            client=client,
            concurrency=concurrency,
            progress=told.append,
        )
    assert most == tasks
    assert [report.job.owner for report in reports] == ["acme-0", "acme-1", "acme-2"]
    assert len({report.directory for report in reports}) == 3
    assert all(report.complete and verify_export(report.directory) == [] for report in reports)
    assert (told[-1].windows_done, told[-1].windows_total, told[-1].rows) == (12, 12, 36)


class Held(Clock):
    """Waits for a long time only once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.go = asyncio.Event()
        self.changed = asyncio.Condition()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        if seconds < 100:
            return await super().sleep(seconds)
        async with self.changed:
            self.waiting += 1
            self.changed.notify_all()
        await self.go.wait()
        self.ahead = max(self.ahead, 200.0)
        return None

    async def wait_for(self, waiting: int) -> None:
        """Return once so many wait."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.waiting >= waiting)


async def test_where_the_service_asks_to_wait_nobody_is_sent_there(
    tmp_path: Path, service: EventsService, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One window was refused with `Retry-After`: no worker asks for any, until that is over; then all come."""
    clock = Held()
    monkeypatch.setattr(distributed, "Clock", lambda: clock)
    refused = [web.Response(status=429, headers={"Retry-After": "120"})]

    async def before(start: str, _token: str) -> web.Response | None:
        return refused.pop() if start == str(DAYS[3]) and refused else None

    service.before = before
    running = asyncio.create_task(distributed.run([JOB], tmp_path / "a", client=client, concurrency=2))
    async with asyncio.timeout(60):
        await clock.wait_for(2)
    there, under_way = len(service.asked), client.futures
    assert (under_way, there < len(DAYS)) == ({}, True)
    clock.go.set()
    (report,) = await running
    assert (report.complete, len(service.asked)) == (True, len(DAYS) + 1)


async def test_a_window_that_is_refused_for_good_fails_alone(
    tmp_path: Path, service: EventsService, client: Client
) -> None:
    """As on one machine; the error is the service's, and what a worker raised."""

    async def before(start: str, _token: str) -> web.Response | None:
        return web.Response(status=410, text="gone") if start == str(DAYS[2]) else None

    service.before = before
    (report,) = await distributed.run([JOB], tmp_path / "a", client=client)
    (failed,) = report.failed
    assert (failed.start, [one.status for one in report.windows].count("fetched")) == (DAYS[2], len(DAYS) - 1)
    with pytest.raises(ExportError, match=r"1 of 8 windows failed.*410"):
        report.raise_for_failures()


@pytest.mark.parametrize("day", [DAYS[4], DAYS[-1]])
async def test_a_client_that_is_closed_ends_the_run(
    tmp_path: Path, service: EventsService, client: Client, day: dt.date
) -> None:
    """What was entered is there, nothing more is submitted, and another run goes on."""
    closed: list[asyncio.Task[None]] = []

    async def before(start: str, _token: str) -> web.Response | None:
        if start == str(day) and not closed:
            closed.append(asyncio.ensure_future(client.close()))  # type: ignore[no-untyped-call] # Dask is untyped
        return None

    service.before = before
    with pytest.raises(ClusterLostError, match="run it again"):
        await distributed.run([JOB], tmp_path / "a", client=client, concurrency=1)
    await closed[0]
    with pytest.raises(ClusterLostError, match="run it again"):
        await distributed.run([JOB], tmp_path / "a", client=client)
    assert (len(entries(tmp_path / "a")), len(service.asked)) == (DAYS.index(day), DAYS.index(day) + 1)


def env(name: str) -> dict[str, str]:
    """Return the environment of a worker, whose token tells it."""
    return {"SCARF_API_TOKEN": f"{TOKEN}-{name}"}


async def test_a_worker_that_dies_loses_its_window_only(
    tmp_path: Path, service: EventsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker fetches that one. A window that kills every worker that has it fails, and the others go on.

    A worker without a token is named before anything is asked for, and no log has that of another.
    """
    asked: list[tuple[str, str]] = []
    deadly: list[str] = []
    kills = 1

    async def before(start: str, token: str) -> web.Response | None:
        name = token.removeprefix(f"{TOKEN}-")
        asked.append((start, name))
        if name != "here" and len(deadly) < kills:
            deadly.append(start)
            cluster.workers["ab".index(name)].kill()
            await asyncio.Event().wait()
        return None

    service.before = before
    async with (
        processes(tmp_path, env("a"), env("b")) as (cluster, client),
        worker_here(cluster) as here,
    ):
        with pytest.raises(ConfigurationError, match="SCARF_API_TOKEN") as raised:
            await distributed.run([JOB], tmp_path / "one", client=client)
        assert (here in str(raised.value), str(raised.value).count("has no token"), asked) == (True, 1, [])
        monkeypatch.setenv("SCARF_API_TOKEN", f"{TOKEN}-here")

        (report,) = await distributed.run([JOB], tmp_path / "one", client=client, concurrency=3)
        assert (report.complete, report.rows, verify_export(tmp_path / "one")) == (True, 24, [])
        both = [name for start, name in asked if start == deadly[0]]
        assert (len(both), len(set(both)), len(asked)) == (2, 2, len(DAYS) + 1)

        kills = 2
        await client.run_on_scheduler(  # type: ignore[no-untyped-call] # Dask is untyped
            lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0)
        )
        (report,) = await distributed.run([JOB], tmp_path / "two", client=client, concurrency=2)
        (failed,) = report.failed
        assert (str(failed.start), report.rows) == (deadly[1], 21)
        assert "1 workers died over it" in str(failed.error)
    logs = cluster.logs()
    assert (b"Start worker at" in logs, TOKEN.encode() in logs) == (True, False)


class Looking(Clock):
    """Lets the scheduler be looked at once it was struck."""

    def __init__(self) -> None:
        super().__init__()
        self.struck = asyncio.Event()

    async def sleep(self, _seconds: float) -> None:
        """Wait."""
        await self.struck.wait()


async def test_a_lost_scheduler_ends_the_run(
    tmp_path: Path, service: EventsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alive without a response, or killed: what was entered is there, and nothing more is asked for."""
    monkeypatch.setenv("SCARF_API_TOKEN", TOKEN)
    blows = {str(DAYS[2]): signal.SIGSTOP, str(DAYS[5]): signal.SIGKILL}
    ended = asyncio.Event()

    async def before(start: str, _token: str) -> web.Response | None:
        if start in blows:
            cluster.scheduler.send_signal(blows.pop(start))
            monkeypatch.setattr(distributed, "_PATIENCE", 0.1)
            clock.struck.set()
            await ended.wait()
        return None

    service.before = before
    async with processes(tmp_path) as (cluster, client), worker_here(cluster):
        for entered in (2, 5):
            clock = Looking()
            monkeypatch.setattr(distributed, "Clock", lambda clock=clock: clock)
            monkeypatch.setattr(distributed, "_PATIENCE", 30.0)
            service.asked.clear()
            with pytest.raises(ClusterLostError, match="run it again"):
                await distributed.run([JOB], tmp_path / "one", client=client, concurrency=1)
            assert (len(entries(tmp_path / "one")), len(service.asked)) == (entered, 3 + (entered == 5))
            ended.set()
            ended = asyncio.Event()
            cluster.scheduler.send_signal(signal.SIGCONT)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ((__version__, True, [], True), ""),
        (("0.0.1", True, [], True), "has scarf_async 0.0.1, and this process"),
        ((None, True, [], True), "has no scarf_async"),
        ((__version__, True, ["duckdb"], True), "has no duckdb: pip install"),
        ((__version__, False, [], True), "has no token in $SCARF_API_TOKEN"),
        ((__version__, True, [], False), "does not have the directory"),
        (OSError("gone"), "does not respond (OSError)"),
    ],
)
def test_what_is_wrong_with_a_worker_is_said(told: object, problem: str) -> None:
    """The first reason for which it cannot be used; empty where it can."""
    said = distributed._problem(told)
    assert said.startswith(problem)
    assert bool(said) == bool(problem)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"client": object()}, ConfigurationError, "a distributed.Client"),
        ({"client": Mock(spec=Client, asynchronous=False)}, ConfigurationError, "asynchronous=True"),
        ({"concurrency": 0}, ValidationError, "concurrency"),
        ({"refresh_days": -1}, ValidationError, "refresh_days"),
        ({"jobs": ["events"]}, ValidationError, "ExportJob"),
        ({"jobs": JOB}, ValidationError, "a sequence of ExportJob"),
        ({"jobs": [JOB, attrs.evolve(JOB, end=DAYS[2])]}, ValidationError, "two jobs are the same export"),
        ({"jobs": [ExportJob("pixel_events", None, DAYS[0], DAYS[1], api="v2")]}, ValidationError, "owner"),
    ],
)
async def test_what_cannot_be_used_is_refused(
    tmp_path: Path, arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    """By this package's own errors, before a worker is asked."""
    given: dict[str, object] = {"client": Mock(spec=Client, asynchronous=True), "jobs": [JOB], **arguments}
    jobs = given.pop("jobs")
    with pytest.raises(error, match=message):
        await distributed.run(jobs, tmp_path / "a", **given)  # type: ignore[arg-type] # what is wrong is the point
    assert not (tmp_path / "a").exists()


async def test_a_cluster_without_workers_is_refused(tmp_path: Path, service: EventsService) -> None:
    """Instead of waiting for one for ever."""
    async with cluster_here(0) as client:
        with pytest.raises(ConfigurationError, match="no workers"):
            await distributed.run([JOB], tmp_path / "a", client=client)
