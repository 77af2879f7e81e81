"""Export jobs on a Dask cluster (extra `dask`): workers fetch the windows, and this process enters them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import attrs
import msgspec
from anyio.to_thread import run_sync

from scarf_async.checks import instance, whole
from scarf_async.client import Scarf
from scarf_async.clock import Clock
from scarf_async.entities import ApiVersion
from scarf_async.errors import (
    APIError,
    ClusterLostError,
    ConfigurationError,
    ConnectFailedError,
    ExportError,
    ScarfError,
    ValidationError,
)
from scarf_async.events import Hook
from scarf_async.exports.formats import need_installed
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import Manifest
from scarf_async.exports.jobs.memory import FOR_A_WINDOW
from scarf_async.exports.jobs.place import Prefix, place_of
from scarf_async.exports.jobs.report import ExportProgress, ExportReport
from scarf_async.exports.jobs.source import need_store
from scarf_async.exports.prepared import PreparedJob
from scarf_async.protocol.messages import Answer, Resend, Verdict, judge
from scarf_async.sending.retry import Course, RetryPolicy, persist
from scarf_async.settings import ADDRESSES, TOKEN_VARIABLE, read_api, read_bases, read_owner
from scarf_async.version import __version__

if TYPE_CHECKING:
    from distributed import Client

    from scarf_async.exports.jobs.remote import Fetched, RemoteWindow

__all__ = ["run"]

T = TypeVar("T")

_POLICY: Final = RetryPolicy()
# When to ask again is for the one who knows of all workers; what was cut off is fetched again where it was.
_ONCE: Final = RetryPolicy(max_elapsed=0.0)
_BETWEEN_LOOKS: Final = 5.0
_PATIENCE: Final = 30.0
"""Seconds that the scheduler may take to answer."""
_NEEDED: Final = ("duckdb", "pyarrow")
_NAMED: Final = 10
_LONGEST: Final = 80


async def run(
    jobs: Sequence[ExportJob],
    destination: str | os.PathLike[str],
    *,
    client: Client,
    concurrency: int = 4,
    refresh_days: int = 0,
    progress: Callable[[ExportProgress], object] | None = None,
) -> list[ExportReport]:
    """Fetch jobs by the workers of a Dask cluster; run them again to fetch what is missing.

    For what one process cannot do: conversion on several machines, or the bandwidth of several. What comes of it is
    what `scarf.exports.run` makes on one machine, but for times and names.

    ```python
    async with Client("tcp://scheduler:8786", asynchronous=True) as client:
        reports = await run([job], "/shared/events", client=client, concurrency=16)
    ```

    Each task fetches one window. At most `concurrency` of them are with the scheduler at a time, however many
    windows there are, and no more than its workers have threads. Where the service asks to wait (`Retry-After`),
    nothing is submitted until that is over. A worker that dies loses its window only, which another one fetches; a
    window whose workers die more often than Dask's `distributed.scheduler.allowed-failures` allows fails, and the
    others go on.

    The token is each worker's own `$SCARF_API_TOKEN`: it is in no task, key or result, and this process needs none.
    What is called is for this process to say: `$SCARF_BASE_URL`, `$SCARF_V2_URL`, `$SCARF_V3_URL`,
    `$SCARF_API_VERSION` and `$SCARF_OWNER`.

    Args:
        jobs: what to fetch, each another export.
        destination: a directory that this process and all workers have under the same path, or the address of a
            prefix in an object store, as `scarf.exports.run` takes it, for which each has credentials of its own.
            One job has it for itself; each of several has a folder in it, which `report.directory` names.
        client: a `distributed.Client` with `asynchronous=True`.
        concurrency: windows under way at the most, over all jobs. Each takes a thread of a worker, and 500 MB.
        refresh_days: fetch the windows again that have any of the last so many days.
        progress: called with the sum over the jobs that have begun, for each at most ten times a second, and at its
            end.

    Returns:
        What became of the windows of each job, in the order of the jobs.

    Raises:
        ConfigurationError: something is not installed, the client is not asynchronous, there are no workers, or the
            workers that are named lack a token, this version of the package or the directory; nothing was sent.
        JobBusyError: another run is at work there.
        ExportError: the destination is another export's, or its manifest cannot be used.
        ClusterLostError: the scheduler or the client was lost, which is noticed within a minute. Nothing more is
            submitted, and what was entered is there.
        OSError: something cannot be written, here or by a worker.
    """
    need_installed("scarf_async.distributed", "scarf-async[dask]", "distributed", *_NEEDED)
    from distributed import Client  # noqa: PLC0415 # large, and an extra

    instance("client", client, Client, ConfigurationError, wanted="a distributed.Client")
    if not client.asynchronous:
        raise ConfigurationError("client must be a distributed.Client that is made with asynchronous=True")
    whole("concurrency", concurrency, ValidationError)
    whole("refresh_days", refresh_days, ValidationError, least=0)
    instance("jobs", jobs, Iterable, ValidationError, wanted="a sequence of ExportJob")  # type: ignore[type-abstract] # isinstance takes it
    # A generator gives them once.
    jobs = list(jobs)
    for job in jobs:
        instance("jobs", job, ExportJob, ValidationError, wanted="a sequence of ExportJob")
    service, root = _Service.here(), _shown_to_all(destination)
    cluster = _Cluster(client, service, concurrency)
    sums = _Sums(Hook("progress", progress))
    # Workers have the token: nothing is sent by this one. What the service's addresses cannot hold is refused
    # before a directory is made.
    prepare = service.client("none").exports.prepare
    works = [_Work(prepare(job), cluster, refresh_days, sums.hook(number)) for number, job in enumerate(jobs)]
    if isinstance(root, Prefix):
        need_store(root)
    places = _places(root, works)
    if isinstance(root, Path):
        await run_sync(partial(root.mkdir, exist_ok=True))
    return await cluster.run([partial(work, place) for work, place in zip(works, places, strict=True)], root)


@attrs.frozen
class _Service:
    """What is called, by all but the token, which is each worker's own."""

    api: ApiVersion
    owner: str | None
    addresses: Mapping[str, str]

    @classmethod
    def here(cls) -> _Service:
        """Take it from the environment of this process."""
        bases = read_bases(None, None, None)
        if isinstance(bases, str):
            raise ConfigurationError(bases)
        addresses = {ADDRESSES[version]: str(base) for version, base in bases.items()}
        return cls(read_api(None), read_owner(None), addresses)

    def client(self, token: str | None = None) -> Scarf:
        """Make a client; None: with the token of the machine on which that is."""
        addresses: dict[str, Any] = {**self.addresses}
        return Scarf(token, api=self.api, owner=self.owner, retry=_ONCE, read_only=True, **addresses)


@attrs.frozen
class _Held:
    """The service refuses for the moment.

    Attributes:
        error: what it said.
        seconds: that it asks to wait; 0 where it does not.
    """

    error: ScarfError
    seconds: float


@attrs.frozen
class _Failed:
    """The window failed; with an OSError the run does, as on one machine."""

    error: ScarfError | OSError


def _on_worker(service: _Service, work: Callable[[Scarf], Awaitable[T]]) -> T | _Held | _Failed:
    """Do some work; what the service or the disk refuses is a value, since Dask would log its arguments."""

    async def done() -> T:
        async with service.client() as scarf:
            return await work(scarf)

    try:
        return asyncio.run(done())
    except ScarfError as error:
        return _Held(error, getattr(error, "retry_after", None) or 0.0) if _may_pass(error) else _Failed(error)
    except OSError as error:
        return _Failed(error)


def _may_pass(error: ScarfError) -> bool:
    if isinstance(error, APIError):
        return judge(Resend.EXPORT, Answer(error.status, {}, b"")) is Verdict.AGAIN
    return isinstance(error, ConnectFailedError)


async def _fetch(what: RemoteWindow, scarf: Scarf) -> Fetched:
    from scarf_async.exports.jobs.remote import fetch_here  # noqa: PLC0415 # the engine is large, and an extra

    return await fetch_here(what, scarf.exports.prepare(what.job).spec(what.asked))


async def _look_up(job: ExportJob, scarf: Scarf) -> None:
    await scarf.exports.prepare(job).check()


class _Cluster:
    """Hands out work, so much at a time, as long as the scheduler is there.

    Args:
        client: of the scheduler.
        service: what workers call.
        concurrency: tasks at the most.

    Attributes:
        concurrency: as given.
        clock: what is waited by.
    """

    def __init__(self, client: Client, service: _Service, concurrency: int) -> None:
        self.concurrency = concurrency
        self.clock = Clock()
        self._client = client
        self._service = service
        self._slots = anyio.CapacityLimiter(concurrency)
        self._held_until = self.clock.monotonic()

    async def do(self, work: Callable[[Scarf], Awaitable[T]]) -> T:
        """Have some work done, again where the service refuses for the moment.

        Raises:
            ScarfError: it failed.
            OSError: a worker cannot write.
            ClusterLostError: the cluster was lost.
        """
        course = Course(self.clock)
        outcome = await persist(
            partial(self._submit, course, work),
            lambda outcome: outcome.seconds if isinstance(outcome, _Held) else None,
            policy=_POLICY,
            budget=None,
            course=course,
            sleep=self.clock.sleep,
        )
        if isinstance(outcome, _Held | _Failed):
            raise outcome.error
        return outcome

    async def _submit(self, course: Course, work: Callable[[Scarf], Awaitable[T]]) -> T | _Held | _Failed:
        from distributed import KilledWorker  # noqa: PLC0415 # large, and an extra

        async with self._slots:
            while (wait := self._held_until - self.clock.monotonic()) > 0:
                await self.clock.sleep(wait)
            self._check()
            try:
                outcome: T | _Held | _Failed = await self._client.submit(
                    _on_worker, self._service, work, pure=False
                )
            except CancelledError:
                raise ClusterLostError(_LOST) from None
            except KilledWorker as error:
                return _Failed(ExportError(f"{error.allowed_failures + 1} workers died over it"))
            if isinstance(outcome, _Held):
                # How long the window took before is not for the policy.
                course.sending()
                if outcome.seconds <= _POLICY.max_elapsed:
                    # To the service all workers are one.
                    self._held_until = max(self._held_until, self.clock.monotonic() + outcome.seconds)
            return outcome

    def _check(self) -> None:
        if self._client.status != "running":
            raise ClusterLostError(_LOST)

    async def _count_threads(self) -> None:
        """Let no task wait at a worker: it would ask the service also while that is held."""
        scheduler = self._client.scheduler
        if scheduler is None:
            raise ClusterLostError(_LOST)
        try:
            threads = await asyncio.wait_for(scheduler.ncores(), _PATIENCE)
        except OSError:
            raise ClusterLostError(_LOST) from None
        self._slots.total_tokens = max(1, min(self.concurrency, sum(threads.values())))

    async def _watch(self) -> None:
        """Notice within a minute that the scheduler does not answer any more, also where it does not say so."""
        while True:
            await self.clock.sleep(_BETWEEN_LOOKS)
            self._check()
            await self._count_threads()

    async def run(
        self, calls: Sequence[Callable[[], Awaitable[ExportReport]]], root: Path | Prefix
    ) -> list[ExportReport]:
        """Make calls, as many at a time as there may be tasks; the first one that fails ends all."""
        failures: list[Exception] = []
        reports: dict[int, ExportReport] = {}
        left = iter(enumerate(calls))

        async def guarded(work: Callable[[], Awaitable[None]]) -> None:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 # raised when all have ended, and as itself: groups wrap
                failures.append(error)
                group.cancel_scope.cancel()

        async def one_by_one() -> None:
            for number, call in left:
                reports[number] = await call()

        async def all_of_them() -> None:
            await self._check_workers(root)
            await self._count_threads()
            async with anyio.create_task_group() as lines:
                for _ in range(min(self.concurrency, len(calls))):
                    lines.start_soon(guarded, one_by_one)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(guarded, self._watch)
            group.start_soon(guarded, all_of_them)
        if failures:
            raise failures[0]
        return [reports[number] for number in range(len(calls))]

    async def _check_workers(self, root: Path | Prefix) -> None:
        # One that is not awaited is not running yet, and waits for itself.
        if self._client.status in {"closing", "closed"}:
            raise ClusterLostError(_LOST)
        needed, folder = (_NEEDED, str(root)) if isinstance(root, Path) else ((*_NEEDED, "obstore"), None)
        try:
            found = await self._client.run(_looker(), TOKEN_VARIABLE, needed, folder, on_error="return")
        except OSError:
            raise ClusterLostError(_LOST) from None
        problems = [f"{worker} {problem}" for worker, told in found.items() if (problem := _problem(told))]
        if not found:
            problems = ["it has no workers; await client.wait_for_workers(1) first"]
        if problems:
            more = f" and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
            raise ConfigurationError(f"the cluster cannot be used: {'; '.join(problems[:_NAMED])}{more}")


_LOST: Final = (
    "the Dask scheduler or the client of it was lost; what was fetched and entered is there: run it again"
)


def _looker() -> Callable[[str, Sequence[str], str | None], tuple[str | None, bool, list[str], bool]]:
    # A function in a function goes over as its code: the worker need not have this package.
    def look(variable: str, modules: Sequence[str], folder: str | None) -> tuple[str | None, bool, list[str], bool]:
        import importlib.util  # noqa: PLC0415 # there
        import os  # noqa: PLC0415 # there

        try:
            version = importlib.import_module("scarf_async.version").__version__
        except ImportError:
            version = None
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        has_folder = folder is None or os.path.isdir(folder)  # noqa: PTH112 # it goes over as its code
        return version, bool(os.environ.get(variable, "").strip()), missing, has_folder

    return look


def _problem(told: object) -> str:
    """Say why a worker cannot be used; empty where it can."""
    if not isinstance(told, tuple):
        return f"does not answer ({type(told).__name__})"
    version, has_token, missing, has_folder = told
    if version != __version__:
        return f"has scarf_async {version}, and this process {__version__}" if version else "has no scarf_async"
    if missing:
        return f"has no {' and no '.join(missing)}: pip install 'scarf-async[dask]'"
    if not has_token:
        return f"has no token in ${TOKEN_VARIABLE}"
    return "" if has_folder else "does not have the directory, which all must share"


@attrs.frozen
class _Work:
    """One job: called with the place where its windows go, it runs."""

    prepared: PreparedJob
    cluster: _Cluster
    refresh_days: int
    progress: Hook[ExportProgress]

    async def __call__(self, place: Path | Prefix) -> ExportReport:
        from scarf_async.exports.jobs.remote import (  # noqa: PLC0415 # the engine is large, and an extra
            RemoteFetch,
            shared,
        )
        from scarf_async.exports.jobs.run import run_job, tell_of_waiting  # noqa: PLC0415 # as above

        job, server = self.prepared.job, self.prepared.server

        def fetched(what: RemoteWindow) -> Awaitable[Fetched]:
            return self.cluster.do(partial(_fetch, what))

        return await run_job(
            job,
            shared(place, job, server, tell_of_waiting(self.progress)),
            self.prepared.spec,
            concurrency=self.cluster.concurrency,
            refresh_days=self.refresh_days,
            progress=self.progress,
            clock=self.cluster.clock,
            # What workers take is not taken here.
            memory_limit=self.cluster.concurrency * FOR_A_WINDOW,
            check=self._check,
            fetch=partial(RemoteFetch, fetched, server),
        )

    async def _check(self) -> None:
        if self.prepared.job.query is not None:
            await self.cluster.do(partial(_look_up, self.prepared.job))

    @property
    def identity(self) -> str:
        """A name for a folder, the same for the same export."""
        job = self.prepared.job
        values = Manifest.of(job, self.prepared.server).job
        digest = hashlib.sha256(msgspec.json.encode(values, order="sorted")).hexdigest()[:16]
        words = "-".join(filter(None, (job.what, job.owner, job.package)))
        return f"{re.sub('[^a-z0-9]+', '-', words.lower())[:_LONGEST]}-{digest}"


def _shown_to_all(destination: str | os.PathLike[str]) -> Path | Prefix:
    place = place_of(destination)
    # Workers have other working directories.
    return place.absolute() if isinstance(place, Path) else place


def _places(root: Path | Prefix, works: Sequence[_Work]) -> Sequence[Path | Prefix]:
    if len(works) == 1:
        return [root]
    names = [work.identity for work in works]
    if len(set(names)) < len(names):
        twice = next(work.prepared.job for work in works if names.count(work.identity) > 1)
        raise ValidationError(f"two jobs are the same export ({twice}): give one of the whole range", field="jobs")
    if isinstance(root, Path):
        return [root / name for name in names]
    return [attrs.evolve(root, path=root.key(name)) for name in names]


class _Sums:
    """How far all jobs are that have begun."""

    def __init__(self, told: Hook[ExportProgress]) -> None:
        self._told = told
        self._latest: dict[int, ExportProgress] = {}

    def hook(self, number: int) -> Hook[ExportProgress]:
        """Return what a job tells."""
        return Hook("progress", partial(self._take, number))

    def _take(self, number: int, latest: ExportProgress) -> None:
        self._latest[number] = latest
        some = self._latest.values()
        self._told.tell(
            attrs.evolve(
                latest,
                windows_done=sum(one.windows_done for one in some),
                windows_total=sum(one.windows_total for one in some),
                windows_failed=sum(one.windows_failed for one in some),
                rows=sum(one.rows for one in some),
                bytes=sum(one.bytes for one in some),
                elapsed=max(one.elapsed for one in some),
            )
        )
