"""Where calls are made: one event loop, a service with a fault, and clients that all have the same policy."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import threading
from asyncio import Runner
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import count
from pathlib import Path
from typing import Final, TypeVar
from unittest import mock

import attrs
import typer

from scarf_async import ApiVersion, RetryPolicy, Scarf
from scarf_async.cli import command, output
from scarf_async.cli.app import app
from scarf_async.clock import Clock
from scarf_async.testing import no_waiting

from .faults import FAULTS, LARGEST
from .loop import Loop
from .service import Service
from .table import ATTEMPTS, SETTLE

__all__ = ["COMMANDS", "TOKEN", "Bench", "Done"]

T = TypeVar("T")

TOKEN: Final = "tok-5d1e-do-not-show"
_POLICY: Final = RetryPolicy(attempts=ATTEMPTS, settle=SETTLE)
COMMANDS: Final = typer.main.get_command(app)


@attrs.frozen
class Done:
    """What a command ended with; `error` is what it says on standard error about, if that was an error."""

    status: int
    out: bytes
    err: str
    error: BaseException | None


@attrs.define
class Bench:
    """The bench.

    Attributes:
        runner: of the event loop on which everything happens, services and clients.
        directory: for files.
        certificate: what nobody trusts.
    """

    runner: Runner
    directory: Path
    certificate: ssl.SSLContext
    _numbers: Iterator[int] = attrs.field(factory=count)
    _service: Service | None = None

    @property
    def service(self) -> Service:
        """The service that is running."""
        assert self._service is not None
        return self._service

    def fresh(self) -> Path:
        """Return a path at which there is nothing."""
        return self.directory / f"fresh-{next(self._numbers)}"

    @contextmanager
    def bounded(self, seconds: float) -> Iterator[None]:
        """Cancel everything that is not over in so many seconds of the clock on the wall."""
        loop = self.runner.get_loop()

        def give_up() -> None:
            for task in asyncio.all_tasks(loop):
                task.cancel()

        timer = threading.Timer(seconds, loop.call_soon_threadsafe, [give_up])
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def run(self, awaitable: Awaitable[T]) -> T:
        """Wait for something on the loop."""

        async def wait() -> T:
            return await awaitable

        return self.runner.run(wait())

    @contextmanager
    def serving(self, fault: str, target: tuple[str, str]) -> Iterator[Service]:
        """Run a service that a fault strikes at its target; waits before another attempt take no time."""
        loop = self.runner.get_loop()
        assert isinstance(loop, Loop)

        class Waiting(Clock):
            async def sleep(self, seconds: float) -> None:
                await service.waited()
                await super().sleep(seconds)

        clock = Waiting()
        service = self._service = Service(loop, fault, FAULTS[fault], target, self.certificate, clock=clock)
        self.run(service.start())
        try:
            with no_waiting(), mock.patch.object(Scarf, "_make_clock", return_value=clock):
                yield service
        finally:
            self.run(service.stop())

    def client(self, api: ApiVersion = "v1") -> Scarf:
        """Make a client of the service."""
        service = self.service
        return Scarf(
            TOKEN,
            api=api,
            owner="home",
            base_url=service.url,
            v2_url=service.v2_url,
            retry=_POLICY,
            max_response_bytes=LARGEST,
        )

    def invoke(self, *arguments: str) -> Done:
        """Run a command of the command line in this thread and on this loop."""
        errors: list[BaseException] = []

        def verdict(error: BaseException) -> tuple[output.Status, str] | None:
            errors.append(error)
            return output.verdict(error)

        def run(main: Callable[[], Awaitable[T]], **_: object) -> T:
            return self.run(main())

        service = self.service
        environment = {
            "COLUMNS": "200",
            "SCARF_API_TOKEN": TOKEN,
            "SCARF_BASE_URL": service.url,
            "SCARF_V2_URL": service.v2_url,
        }
        usual = Scarf.__init__.__kwdefaults__
        assert usual is not None
        with (
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
            mock.patch.dict("os.environ", environment),
            mock.patch.dict(usual, retry=_POLICY, max_response_bytes=LARGEST),
            mock.patch.object(command, "verdict", verdict),
            mock.patch("anyio.run", run),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                COMMANDS.main(list(arguments), prog_name="scarf-async")
            except SystemExit as end:
                status = int(end.code or 0)
            out.seek(0)
            err.seek(0)
            return Done(status, out.read().encode(), err.read(), errors[0] if errors else None)
