"""The emulator: its options, start and shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from ipaddress import ip_address
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self

import anyio
import attrs
from aiohttp import web

from scarf_async.emulator.addresses import host_to_call, listened_on
from scarf_async.emulator.description import DESCRIPTIONS, describe
from scarf_async.emulator.events import store_events
from scarf_async.emulator.faults import matches
from scarf_async.emulator.front import Front
from scarf_async.emulator.loading import Document, is_empty, load, read_document
from scarf_async.emulator.received import Received, ReceivedRequest, RequestLog
from scarf_async.emulator.sending import leave_out_type
from scarf_async.emulator.state import State, read_state
from scarf_async.emulator.store import Store, Transaction
from scarf_async.emulator.tls import Certified, certify, write_certificate
from scarf_async.emulator.world import World

__all__ = ["Emulator"]

_MAX_BODY: Final = 64 * 2**20
# By the time of aiohttp's shutdown, no request is open; its default of a minute would hide a bug here.
_SHUTDOWN_TIMEOUT: Final = 1.0
_ELSEWHERE: Final = (
    "the emulator was started on another event loop, which is not running: requests would get no response. Start it"
    " on the event loop that uses it; under pytest-asyncio, give the test and its fixtures the same loop_scope, or"
    " set asyncio_default_test_loop_scope and asyncio_default_fixture_loop_scope to the same value"
)


@attrs.define(slots=False, eq=False, repr=False)
class Emulator(World):
    """A local Scarf server.

    ```python
    async with Emulator() as emulator:
        ...  # emulator.url, emulator.v2_url, emulator.token
    ```

    Where the published API v1 description is silent, creates return 201 and the entity, other writes 200 and the
    entity, deletes and permissions 204. Errors are JSON with a `message` and sometimes a `code`. In v2, an invalid
    query gets plain text, and an invalid body an empty response; in v3, errors are `{"detail": ...}`. v1 and v2
    share one state. v3 has aggregations, which are counted from the events of the exports. OpenAPI descriptions are
    at `/openapi.json` (v1), `/openapi_v2.json` (v2) and `/openapi_v3.json` (v3).

    Args:
        database: A file, which is kept and may already exist, or `:memory:`.
        token: The only token that the server accepts.
        user: The user that the token belongs to, and who owns what is created.
        people: Usernames and e-mail addresses of the existing users. With None, all users exist except names that
            start with `unknown`, and the username is the part of an e-mail address before the `@`.
        host: The address to listen on; `0.0.0.0` and `::` mean all addresses of this machine. `url` then has the
            loopback address, since clients only call loopback over http.
        port: The port; 0 chooses a free port, which is kept when the emulator is started again.
        max_members: How many members an organization may have; adding another gets
            `max-organization-members-reached`.
        max_range_days: How many days an export may span; a longer one gets `range-too-long`.
        retention_days: How many days before today the plan keeps. v3 ignores earlier days, and says so in the
            response headers. None keeps all.
        events_per_day: How many events to generate for each day of a package or of the pixels: a number, or a
            function of the day (`lambda day: 0 if day.weekday() > 4 else 100`), for weeks, growth and gaps.
        duplicate_events: Share of the events that an export contains twice, since delivery is at least once.
        columns: The columns of event exports in order; unknown names give empty cells. Three names stand for a list
            of columns: `real` for the 24 of today, `published` for the 16 of the published description in its
            order, `2022` for the 18 of that year.
        seed: The seed of generated data.
        gzip: Compress exports for clients that accept it.
        keep_requests: How many of the newest requests to keep in `requests`; None keeps all.
        tls: Serve https instead of http, with a certificate for `localhost`, `127.0.0.1`, `::1`, `scarf.sh`,
            `api.scarf.sh` and `host`, from a certificate authority made for this emulator, which clients must
            trust. Needs the extra `emulator`.
        ca_file: The file to write the certificate of the authority (PEM) to; by default in a temporary directory
            that is removed at the end. A file that is not an emulator's certificate is not replaced.
        load: The initial state: a JSON file, or its contents. A database that is not empty is left unchanged.
        log: A file to append a JSON line to for each finished request: `method`, `path`, `query`, `status` (null if
            the connection was dropped) and `body`, but never a token.
        clock: Returns the current time, with a time zone. Exports contain events up to that time, so the current
            day fills as it passes.
        quirks: The behaviour of v2 where that of the service is unknown. New `Quirks` can be assigned at any time.

    Raises:
        ValueError: The time of the clock has no time zone.

    Attributes:
        faults: The faults to inject; none by default. New `Faults` can be assigned at any time.
        loaded: Whether `load` was loaded into the database at the last start.
    """

    _host: str = attrs.field(default="127.0.0.1", alias="host")
    _port: int = attrs.field(default=0, alias="port")
    _keep_requests: int | None = attrs.field(default=None, kw_only=True, alias="keep_requests")
    _tls: bool = attrs.field(default=False, kw_only=True, alias="tls")
    _wanted_ca_file: str | PathLike[str] | None = attrs.field(default=None, kw_only=True, alias="ca_file")
    _load: str | PathLike[str] | Document | None = attrs.field(default=None, kw_only=True, alias="load")
    _log: str | PathLike[str] | None = attrs.field(default=None, kw_only=True, alias="log")

    def __attrs_post_init__(self) -> None:
        if self._wanted_ca_file is not None and not self._tls:
            raise ValueError("ca_file is for an emulator with tls=True")
        super().__attrs_post_init__()
        self.loaded: bool = False
        self._called = self._host
        self._certified: Certified | None = certify(self._host) if self._tls else None
        self._ca_file: Path | None = None
        self._received = Received(self._keep_requests)
        self._files = ExitStack()
        self._runner: web.AppRunner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Open the database and listen. Can be called again after `aclose`; an in-memory database is then empty.

        Raises:
            RuntimeError: It is already running.
            OSError: It cannot listen on the address, or a file cannot be read or written.
            ValueError: `load` has invalid contents.
        """
        if self._runner is not None:
            raise RuntimeError("the emulator is already running")
        try:
            if self._log is not None:
                self._received.log = RequestLog(self._log, self.token)
                self._files.callback(self._received.log.close)
            self._store = await Store.open(self._database)
            await self._fill()
            await self._listen()
            # Only after listening: another emulator on the same address may have written the same file.
            self._write_ca_file()
        except BaseException:
            await self.aclose()
            raise

    async def _listen(self) -> None:
        front = Front(self, self._received)
        application = web.Application(client_max_size=_MAX_BODY)
        for path in DESCRIPTIONS.values():
            application.router.add_get(path, describe)
        # Paths are decoded before they are matched, so they may contain line breaks.
        application.router.add_route("*", "/{path:(?s:.*)}", front.handle)
        application.on_response_prepare.append(leave_out_type)
        application.on_shutdown.append(front.drain)
        runner = self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT)
        await runner.setup()
        context = None if self._certified is None else self._certified.context
        await web.TCPSite(runner, self._host, self._port, ssl_context=context).start()
        self._loop = asyncio.get_running_loop()
        bound, self._port = runner.addresses[0][:2]
        # An address has many spellings and names; the client recognizes only the usual ones as loopback.
        if ip_address(bound).is_loopback or ip_address(bound).is_unspecified:
            self._called = bound

    async def aclose(self) -> None:
        """Stop: carry out late effects at once and close everything. Safe to call more than once."""
        runner, self._runner = self._runner, None
        self._loop = None
        try:
            if runner is not None:
                await runner.cleanup()
        finally:
            store, self._store = self._store, None
            self._received.log = self._ca_file = None
            with self._files:
                if store is not None:
                    await store.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Close even if the block was cancelled: an open database would keep its thread.
        with anyio.CancelScope(shield=True):
            await self.aclose()

    @property
    def url(self) -> str:
        """The v1 URL, such as `http://127.0.0.1:8080/api/v1`.

        Raises:
            RuntimeError: The emulator belongs to another event loop that is not running, so that requests would
                wait forever.
        """
        return f"{self._origin}/api/v1"

    @property
    def v2_url(self) -> str:
        """The v2 URL, such as `http://127.0.0.1:8080/v2`.

        Raises:
            RuntimeError: As for `url`.
        """
        return f"{self._origin}/v2"

    @property
    def v3_url(self) -> str:
        """The v3 URL, such as `http://127.0.0.1:8080/v3`.

        Raises:
            RuntimeError: As for `url`.
        """
        return f"{self._origin}/v3"

    @property
    def ca_file(self) -> Path | None:
        """The CA certificate that clients must trust; None without TLS, or when not running."""
        return self._ca_file

    @property
    def listening(self) -> list[str]:
        """The addresses it listens on, such as `0.0.0.0:8080` or `[::1]:8080`; empty when not running."""
        return [] if self._runner is None else [listened_on(address) for address in self._runner.addresses]

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The received requests, in order of arrival. The list may be cleared."""
        return self._received.requests

    def requests_for(self, method: str, path_glob: str) -> list[ReceivedRequest]:
        """Return the received requests with a method and path, in order of arrival.

        They are those that a `FaultRule` with the same values would match.

        Args:
            method: The method, or `*` for any.
            path_glob: A glob for the percent-encoded path, with or without `/api/v1`, `/v2` or `/v3` at its start;
                `*` also matches slashes.
        """
        return [
            request
            for request in self.requests
            if matches(request.method, request.path, wanted_method=method.upper(), path_glob=path_glob)
        ]

    async def wait_until(self, condition: Callable[[list[ReceivedRequest]], bool]) -> None:
        """Wait until `requests` fulfils a condition, without polling.

        `await emulator.wait_until(lambda requests: any(request.effective for request in requests))`

        Args:
            condition: Called with `requests` now and whenever the list changes.

        Raises:
            RuntimeError: As for `url`.
        """
        self._check_loop()
        await self._received.wait_until(condition)

    async def add_events(self, package_uuid: str | None, rows: Iterable[Mapping[str, str]]) -> int:
        """Add events of a package to the database. Its exports then contain only these, and no generated events.

        Args:
            package_uuid: The package; None for pixel events, which then appear in all exports of pixels.
            rows: Cells by column; each row needs a `time`. Missing columns give empty cells.

        Returns:
            The number of events.
        """
        return await self.store.run(lambda db: store_events(db, package_uuid, rows))

    async def dump(self) -> State:
        """Return the state visible in v1, without ids and times: equal histories give equal dictionaries."""
        return await self.store.run(read_state)

    def _write_ca_file(self) -> None:
        if self._certified is None:
            return
        if self._wanted_ca_file is None:
            directory = self._files.enter_context(TemporaryDirectory(prefix="scarf-emulator-"))
            self._ca_file = Path(directory, "ca.pem")
        else:
            self._ca_file = Path(self._wanted_ca_file)
        write_certificate(self._ca_file, self._certified.authority)

    async def _fill(self) -> None:
        """Load `load` into the database, if it is empty."""
        if self._load is None:
            return
        document = self._load if isinstance(self._load, Mapping) else read_document(self._load)

        def work(db: Transaction) -> bool:
            empty = is_empty(db)
            if empty:
                load(self, db, document)
            return empty

        self.loaded = await self.store.run(work)

    @property
    def _origin(self) -> str:
        if self._runner is None and self._port == 0:
            raise RuntimeError("the emulator has not been started")
        self._check_loop()
        scheme = "http" if self._certified is None else "https"
        return f"{scheme}://{host_to_call(self._called)}:{self._port}"

    def _check_loop(self) -> None:
        if self._loop is None or self._loop.is_running():
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            # A caller outside any event loop may still run the emulator's loop again.
            return
        raise RuntimeError(_ELSEWHERE)
