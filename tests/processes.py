"""Processes forked from one that has imported the package: to import it takes most of the time that they live."""

from __future__ import annotations

import asyncio
import fcntl
import multiprocessing
import os
import sys
import termios
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import IO, Final

import attrs

__all__ = ["Forked", "fork", "fork_with_pipes"]

# What is imported by what is run here. pyarrow is not among it: it starts a thread, and what forks must have none.
_IMPORTED: Final = (
    "aiohttp", "duckdb", "obstore", "typer._adapters", "rich.progress", "rich.syntax", "rich.traceback", "uvloop",
    "scarf_async.client", "scarf_async.cli.applying", "scarf_async.cli.copying", "scarf_async.cli.export",
    "scarf_async.cli.orgs", "scarf_async.cli.packages", "scarf_async.cli.plan", "scarf_async.cli.telling",
    "scarf_async.bulk.group", "scarf_async.exports.group", "scarf_async.manifests.group",
    "scarf_async.manifests.yamlfile",
)  # fmt: skip


@attrs.define
class Forked:
    """A process with pipes, as `asyncio.subprocess` has them.

    Attributes:
        process: the process.
        stdout: the other end of its standard output.
        stderr: the same of its standard error.
    """

    process: ForkServerProcess
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None

    @property
    def returncode(self) -> int | None:
        """Its status once it has ended, less than 0 for the signal that killed it."""
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()

    async def wait(self) -> None:
        """Wait for its end, which several may do at a time."""
        await asyncio.to_thread(wait, [self.process.sentinel])

    async def communicate(self) -> tuple[bytes, bytes]:
        """Read what it writes, and wait for its end; a minute is enough for any."""
        late = asyncio.get_running_loop().call_later(60, self.kill)
        out, err = await asyncio.gather(*(asyncio.to_thread(_rest, pipe) for pipe in (self.stdout, self.stderr)))
        await self.wait()
        late.cancel()
        return out, err


def _rest(pipe: IO[bytes] | None) -> bytes:
    if pipe is None:
        return b""
    with pipe:
        return pipe.read()


def fork_with_pipes(
    main: Callable[..., object],
    *arguments: str,
    env: Mapping[str, str] = os.environ,
    streams: Mapping[int, int | None] | None = None,
) -> Forked:
    """Start a function, as `fork` does, with pipes as its standard output and error."""
    (out, stdout), (err, stderr) = os.pipe(), os.pipe()
    process = fork(main, *arguments, env=env, streams={1: stdout, 2: stderr, **(streams or {})})
    os.close(stdout)
    os.close(stderr)
    return Forked(process, os.fdopen(out, "rb"), os.fdopen(err, "rb"))


def fork(
    main: Callable[..., object],
    *arguments: str,
    env: Mapping[str, str],
    streams: Mapping[int, int | None],
    leads: bool = False,
) -> ForkServerProcess:
    """Start a function with these descriptors as its standard streams; None is a stream that is closed.

    With `leads` it leads a session whose terminal is its standard input.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_IMPORTED])
    # What knows how to get into another process.
    given = {number: fd if fd is None else Connection(os.dup(fd)) for number, fd in streams.items()}
    process = context.Process(target=_run, args=(given, leads, {**env}, Path.cwd(), main, *arguments))
    process.start()
    for connection in filter(None, given.values()):
        connection.close()
    return process


def _run(
    streams: Mapping[int, Connection | None],
    leads: bool,
    env: Mapping[str, str],
    directory: Path,
    main: Callable[..., object],
    *arguments: str,
) -> None:
    for number, connection in streams.items():
        if connection is None:
            os.close(number)
        else:
            os.dup2(connection.fileno(), number)
            connection.close()
    if leads:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(env)
    encoding = env.get("PYTHONIOENCODING")
    closed = {number for number, connection in streams.items() if connection is None}
    # As Python has them when it begins.
    vars(sys).update(
        stdin=None if 0 in closed else os.fdopen(0, closefd=False),
        stdout=None if 1 in closed else os.fdopen(1, "w", encoding=encoding, closefd=False),
        stderr=os.fdopen(2, "w", 1, encoding, "backslashreplace", closefd=False),
    )
    main(*arguments)
