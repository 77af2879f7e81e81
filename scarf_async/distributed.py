"""Export jobs on a Dask cluster (extra `dask`): workers fetch the windows, and this process commits them."""

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
from scarf_async.exports.jobs.report import ExportProgress, ExportReport
from scarf_async.exports.jobs.source import need_store
from scarf_async.exports.jobs.stores.place import Prefix, place_of
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
# This process, which knows of all workers, decides when to retry; a worker retries only a download that was cut
# off.
_ONCE: Final = RetryPolicy(max_elapsed=0.0)
_BETWEEN_LOOKS: Final = 5.0
_PATIENCE: Final = 30.0
"""How many seconds the scheduler may take to respond."""
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
    """Fetch jobs with the workers of a Dask cluster; run them again to fetch what is missing.

    Use it if one machine is not enough: for conversion on several machines, or for their bandwidth. The result is
    that of `scarf.exports.run` on one machine, except for times and file names.

    ```python
    async with Client("tcp://scheduler:8786", asynchronous=True) as client:
        reports = await run([job], "/shared/events", client=client, concurrency=16)
    ```

    Each task fetches one window. At most `concurrency` tasks are submitted at a time, and no more than the workers
    have threads. If the service asks to wait (`Retry-After`), nothing is submitted until then. If a worker dies,
    another one fetches its window; a window whose workers die more often than Dask's
    `distributed.scheduler.allowed-failures` fails, and the others continue.

    Each worker uses the token in its own `$SCARF_API_TOKEN`: no task, key or result contains it, and this process
    needs none. URLs, version and owner come from the environment of this process: `$SCARF_BASE_URL`,
    `$SCARF_V2_URL`, `$SCARF_V3_URL`, `$SCARF_API_VERSION` and `$SCARF_OWNER`.

    Args:
        jobs: the jobs, each of another export.
        destination: a directory that this process and all workers share under the same path, or the URL of a prefix
            in an object store, as for `scarf.exports.run`, for which each needs its own credentials. With several
            jobs, each gets a folder in it, which `report.directory` names.
        client: a `distributed.Client` with `asynchronous=True`.
        concurrency: the maximum number of windows in progress, over all jobs. Each takes a thread of a worker, and
            500 MB of its memory.
        refresh_days: fetch the windows with any of the last `refresh_days` days again.
        progress: called with the totals of the jobs that have begun, at most ten times a second for each job, and
            at its end.

    Returns:
        A report of each job, in the order of the jobs.

    Raises:
        ConfigurationError: a package is not installed, the client is not asynchronous, the cluster has no workers,
            or workers (which the message names) lack a token, this version of the package or the directory;
            nothing was sent.
        JobBusyError: another run is writing to the destination.
        ExportError: the destination belongs to another export, or its manifest cannot be used.
        ClusterLostError: the scheduler or the client was lost, which is noticed within a minute. Nothing more is
            submitted, and committed windows are kept.
        OSError: a file cannot be written, here or by a worker.
    """
    need_installed("scarf_async.distributed", "scarf-async[dask]", "distributed", *_NEEDED)
    from distributed import Client  # noqa: PLC0415 # large, and an extra

    instance("client", client, Client, ConfigurationError, wanted="a distributed.Client")
    if not client.asynchronous:
        raise ConfigurationError("client must be a distributed.Client that is made with asynchronous=True")
    whole("concurrency", concurrency, ValidationError)
    whole("refresh_days", refresh_days, ValidationError, least=0)
    instance("jobs", jobs, Iterable, ValidationError, wanted="a sequence of ExportJob")  # type: ignore[type-abstract] # isinstance takes it
    # A generator yields them only once.
    jobs = list(jobs)
    for job in jobs:
        instance("jobs", job, ExportJob, ValidationError, wanted="a sequence of ExportJob")
    service, root = _Service.here(), _shown_to_all(destination)
    cluster = _Cluster(client, service, concurrency)
    sums = _Sums(Hook("progress", progress))
    # The workers have the token: this client sends nothing. Values that cannot be part of a URL are refused before
    # a directory is created.
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
    """How to call the service, except for the token, which each worker has."""

    api: ApiVersion
    owner: str | None
    addresses: Mapping[str, str]

    @classmethod
    def here(cls) -> _Service:
        """Read it from the environment of this process."""
        bases = read_bases(None, None, None)
        if isinstance(bases, str):
            raise ConfigurationError(bases)
        addresses = {ADDRESSES[version]: str(base) for version, base in bases.items()}
        return cls(read_api(None), read_owner(None), addresses)

    def client(self, token: str | None = None) -> Scarf:
        """Create a client; None: with the token of this machine."""
        addresses: dict[str, Any] = {**self.addresses}
        return Scarf(token, api=self.api, owner=self.owner, retry=_ONCE, read_only=True, **addresses)


@attrs.frozen
class _Held:
    """The service refuses requests for the moment.

    Attributes:
        error: its response.
        seconds: how long it asks to wait; 0 if it does not say.
    """

    error: ScarfError
    seconds: float


@attrs.frozen
class _Failed:
    """The window failed; with an OSError, the run fails, as on one machine."""

    error: ScarfError | OSError


def _on_worker(service: _Service, work: Callable[[Scarf], Awaitable[T]]) -> T | _Held | _Failed:
    """Do a piece of work. Errors of the service or disk are values here, since Dask would log the arguments."""

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
    """Submits a limited number of tasks at a time, as long as the scheduler responds.

    Args:
        client: the client of the scheduler.
        service: how the workers call the service.
        concurrency: the maximum number of tasks.

    Attributes:
        concurrency: as given.
        clock: the clock for waits.
    """

    def __init__(self, client: Client, service: _Service, concurrency: int) -> None:
        self.concurrency = concurrency
        self.clock = Clock()
        self._client = client
        self._service = service
        self._slots = anyio.CapacityLimiter(concurrency)
        self._held_until = self.clock.monotonic()

    async def do(self, work: Callable[[Scarf], Awaitable[T]]) -> T:
        """Submit a piece of work, and again if the service refuses requests for the moment.

        Raises:
            ScarfError: the work failed.
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
                # The time that the window took before does not count for the policy.
                course.sending()
                if outcome.seconds <= _POLICY.max_elapsed:
                    # To the service, all workers are one client.
                    self._held_until = max(self._held_until, self.clock.monotonic() + outcome.seconds)
            return outcome

    def _check(self) -> None:
        if self._client.status != "running":
            raise ClusterLostError(_LOST)

    async def _count_threads(self) -> None:
        """Limit tasks to the threads: a task that waits at a worker would send its request even during a pause."""
        scheduler = self._client.scheduler
        if scheduler is None:
            raise ClusterLostError(_LOST)
        try:
            threads = await asyncio.wait_for(scheduler.ncores(), _PATIENCE)
        except OSError:
            raise ClusterLostError(_LOST) from None
        self._slots.total_tokens = max(1, min(self.concurrency, sum(threads.values())))

    async def _watch(self) -> None:
        """Notice within a minute that the scheduler no longer responds, even if no connection is closed."""
        while True:
            await self.clock.sleep(_BETWEEN_LOOKS)
            self._check()
            await self._count_threads()

    async def run(
        self, calls: Sequence[Callable[[], Awaitable[ExportReport]]], root: Path | Prefix
    ) -> list[ExportReport]:
        """Run calls concurrently, up to the number of tasks; the first error ends all of them."""
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
        # A client that was not awaited yet starts on its first use.
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
    # A nested function is sent as code: the worker may not have this package.
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
    """Return why a worker cannot be used; empty if it can."""
    if not isinstance(told, tuple):
        return f"does not respond ({type(told).__name__})"
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
    """One job, which runs when called with the destination of its windows."""

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
            # This process does not use the memory that the workers use.
            memory_limit=self.cluster.concurrency * FOR_A_WINDOW,
            check=self._check,
            fetch=partial(RemoteFetch, fetched, server),
        )

    async def _check(self) -> None:
        if self.prepared.job.query is not None:
            await self.cluster.do(partial(_look_up, self.prepared.job))

    @property
    def identity(self) -> str:
        """The folder name, the same for the same export."""
        job = self.prepared.job
        values = Manifest.of(job, self.prepared.server).job
        digest = hashlib.sha256(msgspec.json.encode(values, order="sorted")).hexdigest()[:16]
        words = "-".join(filter(None, (job.what, job.owner, job.package)))
        return f"{re.sub('[^a-z0-9]+', '-', words.lower())[:_LONGEST]}-{digest}"


def _shown_to_all(destination: str | os.PathLike[str]) -> Path | Prefix:
    place = place_of(destination)
    # The workers have other working directories.
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
    """The total progress of the jobs that have begun."""

    def __init__(self, told: Hook[ExportProgress]) -> None:
        self._told = told
        self._latest: dict[int, ExportProgress] = {}

    def hook(self, number: int) -> Hook[ExportProgress]:
        """Return the progress hook of a job."""
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
