"""Dask clusters: one in this process, and one whose scheduler and workers are processes that may be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
from distributed import Client, LocalCluster, Worker

__all__ = ["Processes", "cluster_here", "processes", "worker_here"]


@asynccontextmanager
async def cluster_here(workers: int = 2) -> AsyncIterator[Client]:
    """Run a cluster whose workers are threads of this process."""
    async with (
        LocalCluster(  # type: ignore[no-untyped-call] # Dask is untyped
            n_workers=workers,
            threads_per_worker=2,
            processes=False,
            protocol="tcp",
            # Without one it takes 8787, which only one cluster of a machine can have.
            dashboard_address="127.0.0.1:0",
            asynchronous=True,
        ) as cluster,
        Client(cluster, asynchronous=True) as client,  # type: ignore[no-untyped-call] # as above
    ):
        yield client


@attrs.define
class Processes:
    """A scheduler and workers, each a process without a nanny, so that whatever is killed stays dead.

    Attributes:
        folder: where they write.
        scheduler: the scheduler.
        workers: all workers that were started.
    """

    folder: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = attrs.field(factory=list)

    @property
    def file(self) -> Path:
        """The file that tells where the scheduler is."""
        return self.folder / "scheduler.json"

    def work(self, environment: Mapping[str, str]) -> None:
        """Start a worker."""
        arguments = (
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--death-timeout",
            "30",
            "--local-directory",
            str(self.folder),
        )
        self.workers.append(
            _started("worker", "--scheduler-file", str(self.file), *arguments, environment=environment)
        )

    def logs(self) -> bytes:
        """Return what all have written."""
        return b"".join(path.read_bytes() for path in self.folder.glob("*.log"))


def _started(what: str, *arguments: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    folder = Path(arguments[arguments.index("--scheduler-file") + 1]).parent
    number = len(list(folder.glob("*.log")))
    with (folder / f"{what}-{number}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments],
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
        )


@asynccontextmanager
async def processes(folder: Path, *workers: Mapping[str, str]) -> AsyncIterator[tuple[Processes, Client]]:
    """Run a scheduler, and a worker for each of these environments."""
    file = str(folder / "scheduler.json")
    arguments = (
        "--scheduler-file",
        file,
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--dashboard-address",
        "127.0.0.1:0",
    )
    cluster = Processes(folder, _started("scheduler", *arguments, "--no-show", environment={}))
    try:
        for environment in workers:
            cluster.work(environment)
        async with Client(  # type: ignore[no-untyped-call] # Dask is untyped
            scheduler_file=file, asynchronous=True
        ) as client:
            if workers:
                await client.wait_for_workers(len(workers))
            yield cluster, client
    finally:
        for process in (*cluster.workers, cluster.scheduler):
            # One that was stopped cannot end otherwise.
            process.send_signal(signal.SIGKILL)
        for process in (*cluster.workers, cluster.scheduler):
            await asyncio.to_thread(process.wait)


@asynccontextmanager
async def worker_here(cluster: Processes) -> AsyncIterator[str]:
    """Add a worker that is a thread of this process and cannot be killed; yields its address."""
    async with Worker(
        scheduler_file=str(cluster.file), nthreads=1, dashboard=False, local_directory=str(cluster.folder)
    ) as worker:
        yield worker.address
