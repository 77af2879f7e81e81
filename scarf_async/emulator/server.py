"""The emulator itself: its options, its beginning and its end."""

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
# Nothing is left to wait for when aiohttp comes to it; its default of a minute would hide that something is.
_SHUTDOWN_TIMEOUT: Final = 1.0
_ELSEWHERE: Final = (
    "the emulator was started on another event loop, which does not run now: no request would be answered. Start it"
    " on the event loop that uses it; under pytest-asyncio, give the test and its fixtures the same loop_scope, or"
    " set asyncio_default_test_loop_scope and asyncio_default_fixture_loop_scope alike"
)


@attrs.define(slots=False, eq=False, repr=False)
class Emulator(World):
    """A local Scarf server.

    ```python
    async with Emulator() as emulator:
        ...  # emulator.url, emulator.v2_url, emulator.token
    ```

    What the published API v1 description does not say, the emulator decides so: creates are answered with 201
    and the entity, other writes with 200 and the entity, deletes and permissions with 204; errors are JSON
    with a `message` and sometimes a `code`, but in v2 plain text where a query cannot be parsed, and nothing where
    a body cannot, and in v3 `{"detail": ...}`. What is written in v1 reads in v2, and the other way round; v3 has
    aggregations, counted from the events of the exports. OpenAPI descriptions are at `/openapi.json` (v1),
    `/openapi_v2.json` (v2) and `/openapi_v3.json` (v3).

    Args:
        database: A file, which may exist already and is kept, or `:memory:`.
        token: The only token that is taken.
        user: The user to whom it belongs, who owns what is created.
        people: Usernames and e-mail addresses of those who exist. None: everybody does, but for names that
            begin with `unknown`; the part of an e-mail address before the `@` is then the username.
        host: The address to listen on; `0.0.0.0` and `::` are all of this machine's. `url` is then that of
            loopback, which alone the client calls over http.
        port: The port; 0 takes a free one, and keeps it when the emulator is started again.
        max_members: How many members an organization may have; the next gets
            `max-organization-members-reached`.
        max_range_days: How many days an export may span; a longer one gets `range-too-long`.
        retention_days: How many days before today the plan keeps: v3 looks at no earlier ones, and says so in the
            headers of its answer. None: all.
        events_per_day: How many events are invented for each day of a package or of the pixels.
        duplicate_events: Share of the events that an export carries twice, since delivery is at least once.
        columns: The columns of event exports and their order; names that mean nothing give empty cells. Three
            names mean many: `real` the 24 of today, `seed` the 16 of the published description
            in its order, `2022` the 18 of that year.
        seed: Decides what is invented.
        gzip: Compress exports for clients that take it.
        keep_requests: How many of the newest requests are kept in `requests`; None keeps all.
        tls: Serve https instead of http, with a certificate for `localhost`, `127.0.0.1`, `::1`, `scarf.sh`,
            `api.scarf.sh` and `host`, of an authority made for this emulator, which clients are to trust. It
            needs the extra `emulator`.
        ca_file: Where the authority's certificate (PEM) is written; by default into a temporary directory that
            goes at the end. A file that is not an emulator's certificate is not replaced.
        load: What there is in the beginning: a file of JSON, or what would be in it. A database that holds
            something already is left as it is.
        log: A file to which a line of JSON is added for each request when it is answered: `method`, `path`,
            `query`, `status` (null where the connection was dropped) and `body`, and never a token.
        clock: Returns the present time, with a time zone. Exports hold what happened up to then, so that the
            present day fills as it passes.
        quirks: How v2 answers where nobody knows how the service does. New `Quirks` can be assigned at any time.

    Raises:
        ValueError: The clock's time has no time zone.

    Attributes:
        faults: What goes wrong, and how often: nothing in the beginning. A new `Faults` can be assigned at
            any time.
        loaded: Whether `load` was put into the database at the last start.
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
        """Open the database and listen. After `aclose` again, too; a database in memory is then empty.

        Raises:
            RuntimeError: It is running.
            OSError: It cannot listen there, or a file cannot be read or written.
            ValueError: What `load` says cannot be.
        """
        if self._runner is not None:
            raise RuntimeError("the emulator is running already")
        try:
            if self._log is not None:
                self._received.log = RequestLog(self._log, self.token)
                self._files.callback(self._received.log.close)
            self._store = await Store.open(self._database)
            await self._fill()
            await self._listen()
            # Not before the address is ours: another emulator there may have written the same file.
            self._write_ca_file()
        except BaseException:
            await self.aclose()
            raise

    async def _listen(self) -> None:
        front = Front(self, self._received)
        application = web.Application(client_max_size=_MAX_BODY)
        for path in DESCRIPTIONS.values():
            application.router.add_get(path, describe)
        # Paths are matched decoded: they may hold line breaks.
        application.router.add_route("*", "/{path:(?s:.*)}", front.handle)
        application.on_response_prepare.append(leave_out_type)
        application.on_shutdown.append(front.drain)
        runner = self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT)
        await runner.setup()
        context = None if self._certified is None else self._certified.context
        await web.TCPSite(runner, self._host, self._port, ssl_context=context).start()
        self._loop = asyncio.get_running_loop()
        bound, self._port = runner.addresses[0][:2]
        # Of one address there are many spellings, and names: the client knows loopback by the usual ones only.
        if ip_address(bound).is_loopback or ip_address(bound).is_unspecified:
            self._called = bound

    async def aclose(self) -> None:
        """Stop: late effects happen at once, all is closed, nothing is left. Any number of times."""
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
        # Also where the block was cancelled: a database left open keeps its thread.
        with anyio.CancelScope(shield=True):
            await self.aclose()

    @property
    def url(self) -> str:
        """The base address of v1, as `http://127.0.0.1:8080/api/v1`.

        Raises:
            RuntimeError: It is asked for on an event loop while that of the emulator does not run, where every
                request would wait in vain.
        """
        return f"{self._origin}/api/v1"

    @property
    def v2_url(self) -> str:
        """The base address of v2, as `http://127.0.0.1:8080/v2`.

        Raises:
            RuntimeError: As of `url`.
        """
        return f"{self._origin}/v2"

    @property
    def v3_url(self) -> str:
        """The base address of v3, as `http://127.0.0.1:8080/v3`.

        Raises:
            RuntimeError: As of `url`.
        """
        return f"{self._origin}/v3"

    @property
    def ca_file(self) -> Path | None:
        """The certificate of the authority that clients are to trust; None without TLS, and when not running."""
        return self._ca_file

    @property
    def listening(self) -> list[str]:
        """What it listens on, as `0.0.0.0:8080` or `[::1]:8080`; nothing while it is not running."""
        return [] if self._runner is None else [listened_on(address) for address in self._runner.addresses]

    @property
    def requests(self) -> list[ReceivedRequest]:
        """What arrived, in order of arrival. The list may be cleared."""
        return self._received.requests

    def requests_for(self, method: str, path_glob: str) -> list[ReceivedRequest]:
        """The requests that a `FaultRule` of this method and glob would match."""
        return [
            request
            for request in self.requests
            if matches(request.method, request.path, wanted_method=method.upper(), path_glob=path_glob)
        ]

    async def wait_until(self, condition: Callable[[list[ReceivedRequest]], bool]) -> None:
        """Wait until `requests` is as the condition wants it, without polling.

        `await emulator.wait_until(lambda requests: any(request.effective for request in requests))`

        Raises:
            RuntimeError: As of `url`.
        """
        self._check_loop()
        await self._received.wait_until(condition)

    async def add_events(self, package_uuid: str | None, rows: Iterable[Mapping[str, str]]) -> int:
        """Put events into the database; of this package they are served from then on, and none are invented.

        Args:
            package_uuid: The package; None for pixel events, which all exports of pixels then give.
            rows: Cells by column, each with a `time`. Columns that are left out give empty cells.

        Returns:
            How many there were.
        """
        return await self.store.run(lambda db: store_events(db, package_uuid, rows))

    async def dump(self) -> State:
        """All that v1 knows of the state, without ids and times: equal histories give equal dictionaries."""
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
        """Put `load` into a database that is still empty."""
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
            # A caller outside any loop may let the emulator's run again.
            return
        raise RuntimeError(_ELSEWHERE)
