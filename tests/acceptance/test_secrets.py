"""The token and the proxy's password are in nothing that can be printed, logged, pickled or sent elsewhere."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import logging
import pickle
import socket
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Final
from urllib.parse import quote

import aiohttp
import attrs
import pytest

from scarf_async import (
    APIError,
    ClientClosedError,
    ConfigurationError,
    ConnectFailedError,
    ConnectTimeoutError,
    DecodeError,
    NotFoundError,
    OrganizationUpsert,
    OutcomeUnknownError,
    ReadOnlyError,
    RequestTimeoutError,
    RetryPolicy,
    Scarf,
    ScarfError,
    TransportError,
    ValidationError,
    WriteConfirmedError,
    WrongEventLoopError,
)

from .hostile import BASE, BIG, FAST, Hostile, Raw, answer, cut, drop, free_port, hang, head

MARK: Final = "S3CRET"
"""It is in every secret here, and nowhere else."""
KEY: Final = f'tok"/+\\&{MARK}=='
"""A token that JSON, HTML and addresses spell in other ways."""
PASSWORD: Final = f"pass-{MARK}"
BASIC: Final = base64.b64encode(f"user:{PASSWORD}".encode()).decode()

ONCE: Final = attrs.evolve(FAST, attempts=1)
ACME: Final = OrganizationUpsert(name="acme", description="", billing_email="")

Call = Callable[[Scarf], Awaitable[object]]


def client(
    url: str,
    *,
    retry: RetryPolicy = ONCE,
    timeout: float = 5.0,
    connect_timeout: float = 5.0,
    read_only: bool = False,
) -> Scarf:
    """Return a client with the secret token."""
    return Scarf(
        KEY, base_url=url, retry=retry, timeout=timeout, connect_timeout=connect_timeout, read_only=read_only
    )


async def get(scarf: Scarf) -> object:
    """Read an organization."""
    return await scarf.organizations.get("home")


async def create(scarf: Scarf) -> object:
    """Create an organization."""
    return await scarf.organizations.create(ACME)


def chain(error: BaseException) -> list[BaseException]:
    """Return an exception with all its causes and contexts, those that are not printed too."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and link not in found:
            found.append(link)
            waiting += [link.__cause__, link.__context__]
            waiting += [value for value in vars(link).values() if isinstance(value, BaseException)]
    return found


def assert_clean(error: BaseException) -> None:
    """Look for a secret in all that an exception shows, with the local variables of its frames."""
    for link in chain(error):
        texts = [repr(link), str(link), repr(link.args), repr(vars(link))]
        texts += traceback.TracebackException.from_exception(link, capture_locals=True, compact=True).format()
        for text in texts:
            assert MARK not in text, text
            assert BASIC not in text, text
        if isinstance(link, ScarfError):
            data = pickle.dumps(link)
            assert MARK.encode() not in data
            assert str(pickle.loads(data)) == str(link)  # noqa: S301 # our own
        assert not type(link).__module__.startswith("aiohttp")


@pytest.fixture(autouse=True)
def _quiet_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Take every log record, of every logger, and look for a secret in it."""
    caplog.set_level(logging.DEBUG)
    for name in ("scarf_async", "aiohttp", "aiohttp.client", "aiohttp.internal", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield
    for record in caplog.get_records("call"):
        for text in (record.getMessage(), repr(record.args), record.exc_text or "", repr(vars(record))):
            assert MARK not in text
            assert BASIC not in text


async def failure(scarf: Scarf, call: Call, kind: type[BaseException]) -> BaseException:
    """Make a call that fails in one way, look at what it shows, and return the error."""
    with pytest.raises(kind) as caught:
        async with scarf:
            await call(scarf)
    assert_clean(caught.value)
    for view in (scarf, scarf.with_options(timeout=1), scarf.organizations, scarf.packages):
        assert MARK not in repr(view) + str(view)
    return caught.value


# How services spell a token that they echo.
SPELLINGS: Final[dict[str, Callable[[str], str]]] = {
    "plain": str,
    "JSON": lambda token: json.dumps(token)[1:-1],
    "JSON with escaped slashes": lambda token: json.dumps(token)[1:-1].replace("/", "\\/"),
    "JSON with \\u002f": lambda token: "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in token),
    "JSON with \\u002F": lambda token: "".join(c if c.isalnum() else f"\\u{ord(c):04X}" for c in token),
    "HTML": html.escape,
    "address": lambda token: quote(token, safe=""),
}


class TestEcho:
    """A service that says the token back."""

    @pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 502, 302])
    async def test_in_the_body_of_an_error(self, status: int, spell: Callable[[str], str]) -> None:
        """Neither message nor body of the error hold it."""
        body = f'{{"message": "who is Bearer {spell(KEY)}?", "code": "{spell(KEY)}"}}'.encode()
        async with Raw(head(f"{status} Oh", length=len(body)) + body) as service:
            await failure(client(service.url), get, APIError)

    @pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "503 Oh", "429 Slow"])
    async def test_in_the_head(self, status: str) -> None:
        """Headers and reason phrase hold it, the exception does not."""
        lines = [f"X-Echo: Bearer {KEY}", f"WWW-Authenticate: Bearer {KEY}", f"Set-Cookie: t={MARK}"]
        data = head(f"{status} {KEY}", lines, length=1) + b"{"
        async with Raw(data) as service:
            await failure(client(service.url, retry=FAST), get, ScarfError)
            await failure(client(service.url, retry=FAST), create, ScarfError)

    @pytest.mark.parametrize(
        "body",
        [f'{{"token": "{MARK}"}}', f'["{MARK}"]', f'"{MARK}"', f"<p>{MARK}", f'{{"name": {{"{MARK}": 1}}}}'],
    )
    async def test_in_what_cannot_be_read(self, body: str) -> None:
        """The payload of a response that is not what was promised is in no frame of the error."""
        async with Raw(head(length=len(body)) + body.encode()) as service:
            await failure(client(service.url), get, DecodeError)
            await failure(client(service.url), lambda scarf: scarf.members.list("home"), DecodeError)
            await failure(client(service.url), create, WriteConfirmedError)

    @pytest.mark.parametrize(
        "data",
        [
            f"{KEY} is not HTTP\r\n\r\n",
            f"HTTP/1.1 200 OK\r\nno colon {KEY}\r\n\r\n",
            f"HTTP/1.1 200 OK\r\nX-{KEY}: 1\r\n\r\n",
            f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}\r\n\r\n",
            f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{KEY}\r\n",
            f"HTTP/1.1 200 OK\r\nContent-Encoding: {KEY}\r\nContent-Length: 2\r\n\r\n{{}}",
            f"HTTP/1.1 200 OK\r\nX-Long: {KEY * 6000}\r\n\r\n",
        ],
        ids=["status line", "header", "header name", "length", "chunk", "encoding", "too long"],
    )
    async def test_in_what_is_no_http(self, data: str) -> None:
        """What the parser complains about is not quoted, and the message is one line."""
        async with Raw(data.encode()) as service:
            error = await failure(client(service.url), get, TransportError)
            assert "\n" not in str(error)


class TestEveryFailure:
    """Whatever goes wrong."""

    @pytest.mark.parametrize("call", [get, create], ids=["read", "create"])
    @pytest.mark.parametrize("how", ["dropped", "silent", "cut", "stalled"])
    async def test_no_answer(self, how: str, call: Call) -> None:
        """Transport failures of reads, and open creates."""
        act = {"dropped": drop(), "silent": hang(), "cut": cut(503), "stalled": cut(503, stall=True)}[how]
        async with Hostile() as service:
            service.on("GET", "*", act)
            service.on("POST", "*", act)
            await failure(client(service.url, timeout=0.05), call, ScarfError)

    async def test_no_connection(self) -> None:
        """Refused, silent in TLS, no TLS at all, an unknown host."""
        await failure(client(f"http://127.0.0.1:{free_port()}"), get, ConnectFailedError)
        await failure(client("https://scarf.invalid"), get, ConnectFailedError)
        async with Raw(b"HTTP/1.1 400 no TLS here\r\n\r\n") as service:
            await failure(client(f"https://127.0.0.1:{service.port}", connect_timeout=0.1), get, ConnectFailedError)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            silent = client(f"https://127.0.0.1:{listener.getsockname()[1]}", connect_timeout=0.1)
            await failure(silent, get, ConnectTimeoutError)

    async def test_open_outcomes(self) -> None:
        """Creates that stay open, with what the looks ended with; renames; reading back."""
        async with Hostile() as service:
            service.on("POST", "*", *[answer(503)] * 9)
            await failure(client(service.url, retry=FAST), create, OutcomeUnknownError)
            service.on("GET", "*", *[drop()] * 9)
            await failure(client(service.url, retry=FAST), create, OutcomeUnknownError)
            service.forget()
            service.on("PUT", "*", drop())
            service.on("GET", "*", answer(401))
            rename: Call = lambda scarf: scarf.organizations.update("home", ACME)  # noqa: E731
            await failure(client(service.url, retry=FAST), rename, OutcomeUnknownError)
            service.on("POST", "*", answer(204))
            await failure(client(service.url, retry=FAST), create, WriteConfirmedError)

    async def test_what_is_not_sent(self) -> None:
        """Refused by the client itself."""
        url = f"http://127.0.0.1:{free_port()}"
        await failure(client(url), lambda scarf: scarf.organizations.get(".."), ValidationError)
        await failure(client(url, read_only=True), create, ReadOnlyError)
        closed = client(url)
        await closed.aclose()
        await failure(closed, get, ClientClosedError)

    async def test_closed_meanwhile(self) -> None:
        """A call that ends because the client was closed, before and within the response."""
        for act in (hang(), cut(stall=True)):
            async with Hostile() as service:
                service.on("GET", "*", act)
                scarf = client(service.url)
                task = asyncio.ensure_future(failure(scarf, get, ClientClosedError))
                await service.arrived.wait()
                await asyncio.sleep(0.01)
                await scarf.aclose()
                await task

    async def test_the_wrong_loop(self) -> None:
        """A client on a second event loop."""
        async with Hostile() as service, client(service.url) as scarf:
            with pytest.raises(NotFoundError):
                await get(scarf)

            async def elsewhere() -> None:
                with pytest.raises(WrongEventLoopError) as caught:
                    await get(scarf)
                assert_clean(caught.value)

            await asyncio.to_thread(lambda: asyncio.run(elsewhere()))

    async def test_a_deadline_of_the_caller(self) -> None:
        """The `TimeoutError` of `asyncio.timeout` has the cancellation as its cause, with all its frames."""

        async def bounded(scarf: Scarf) -> None:
            async with asyncio.timeout(0.05):
                await get(scarf)

        for act in (hang(), cut(stall=True), answer(503, headers={"Retry-After": "9"})):
            async with Hostile() as service:
                service.on("GET", "*", act)
                await failure(client(service.url, retry=RetryPolicy()), bounded, TimeoutError)


async def cancelled(call: Awaitable[object], after: int) -> BaseException | None:
    """Cancel a call after so many steps of the event loop; return what it ended with."""
    caught: list[BaseException] = []

    async def run() -> None:
        try:
            await call
        except BaseException as error:
            caught.append(error)
            raise

    task = asyncio.ensure_future(run())
    for _ in range(after):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return caught[0] if caught else None


class TestCancellation:
    """`CancelledError` shows the frames that it went through."""

    @pytest.mark.parametrize("borrowed", [False, True], ids=["own session", "caller's session"])
    @pytest.mark.parametrize("warm", [False, True], ids=["connecting", "connected"])
    @pytest.mark.parametrize("call", [get, create], ids=["read", "create"])
    async def test_at_every_step(self, call: Call, warm: bool, borrowed: bool) -> None:
        """Cancelled anywhere: in the pool, connecting, writing, waiting, reading, backing off, looking."""
        retry = RetryPolicy(initial_delay=0, max_delay=0, settle=0, attempts=2)
        session = aiohttp.ClientSession() if borrowed else None
        async with Hostile() as service:
            seen = 0
            for after in range(1, 41):
                scarf = Scarf(KEY, base_url=service.url, retry=retry, session=session)
                async with scarf:
                    if warm:
                        await scarf.packages.list()
                    service.forget()
                    service.on("GET", "/organizations/*", cut(stall=True), answer(503), cut(stall=True))
                    service.on("POST", "*", answer(503), cut(stall=True))
                    error = await cancelled(call(scarf), after)
                assert isinstance(error, asyncio.CancelledError | None)
                if error is not None:
                    assert_clean(error)
                    seen += 1
            assert seen > 30
        if session is not None:
            await session.close()

    async def test_in_the_body_of_an_echo(self) -> None:
        """Cancelled while the body is awaited of a response whose head holds the token."""

        async def talk(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await raw.request(reader)
            writer.write(head("503 Oh", [f"X-Echo: {KEY}"], length=9) + MARK.encode())
            await writer.drain()
            await raw.stopping.wait()

        async with Raw(talk) as service, client(service.url) as scarf:
            for after in range(1, 60, 4):
                error = await cancelled(get(scarf), after)
                assert isinstance(error, asyncio.CancelledError)
                assert_clean(error)

    async def test_during_backoff_after_an_echo(self) -> None:
        """Cancelled between two attempts, the first of which was answered with the token."""
        body = f'{{"message": "{MARK}"}}'.encode()
        data = head("503 Oh", [f"X-Echo: {MARK}", "Retry-After: 9"], length=len(body)) + body
        async with Raw(data) as service, client(service.url, retry=RetryPolicy()) as scarf:
            error = await cancelled(get(scarf), 2000)
            assert isinstance(error, asyncio.CancelledError)
            for link in chain(error):
                for text in traceback.TracebackException.from_exception(link, capture_locals=True).format():
                    assert "X-Echo" not in text

    @pytest.mark.parametrize("borrowed", [False, True], ids=["own session", "caller's session"])
    async def test_while_a_big_body_is_written(self, borrowed: bool) -> None:
        """Cancelled, timed out or closed while the service does not take the body of the request."""

        async def deaf(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await raw.stopping.wait()

        session = aiohttp.ClientSession() if borrowed else None
        async with (
            Raw(deaf) as service,
            Scarf(KEY, base_url=service.url, retry=ONCE, timeout=0.1, session=session) as scarf,
        ):
            for after in (1, 7, 20):
                error = await cancelled(scarf.permissions.set("p1", BIG), after)
                assert isinstance(error, asyncio.CancelledError)
                assert_clean(error)
            await failure(scarf, lambda scarf: scarf.permissions.set("p1", BIG), RequestTimeoutError)
        if session is not None:
            await session.close()

    async def test_in_debug_mode(self) -> None:
        """Asyncio's debug mode logs more; not this."""
        asyncio.get_running_loop().set_debug(True)
        async with Hostile() as service, client(service.url) as scarf:
            service.on("GET", "*", *[hang()] * 9)
            for after in (2, 5, 9, 14):
                error = await cancelled(get(scarf), after)
                assert isinstance(error, asyncio.CancelledError)
                assert_clean(error)


class TestConfiguration:
    """What the constructor refuses, it does not print."""

    @pytest.mark.parametrize(
        "make",
        [
            lambda: Scarf(f"two\nlines {MARK}"),
            lambda: Scarf(f"a\rb{MARK}"),
            lambda: Scarf(f"tab\t{MARK}"),
            lambda: Scarf(f"nul\0{MARK}"),
            lambda: Scarf(f"\u00fcml\u00e4ut{MARK}"),
            lambda: Scarf(MARK.encode()),  # type: ignore[arg-type] # a common mistake
            lambda: Scarf(KEY, timeout=-1),
            lambda: Scarf(KEY, rate_limit=0, proxy=f"http://user:{PASSWORD}@proxy.example"),
            lambda: Scarf(KEY, proxy=f"ftp://user:{PASSWORD}@proxy.example"),
            lambda: Scarf(KEY, proxy=f"http://user:{PASSWORD}@pr oxy:99999999"),
            lambda: Scarf(KEY, base_url=f"https://user:{PASSWORD}@scarf.example"),
            lambda: Scarf(KEY, base_url=f"http://user:{PASSWORD}@scarf.example"),
            lambda: Scarf(KEY, base_url="http://scarf.example"),
            lambda: Scarf(KEY, base_url=f"https://scarf.example?token={MARK}"),
            lambda: Scarf(KEY, v2_url=f"//{MARK}"),
            lambda: Scarf(KEY, ca_file="/nowhere", proxy=f"http://user:{PASSWORD}@proxy.example"),
            lambda: Scarf(KEY, on_event=3, proxy=f"http://user:{PASSWORD}@proxy.example"),  # type: ignore[arg-type]
            lambda: Scarf(KEY, retry=None, proxy=f"http://user:{PASSWORD}@proxy.example"),  # type: ignore[arg-type]
            lambda: Scarf(KEY, session=3),  # type: ignore[arg-type] # a mistake
        ],
    )
    def test_refused(self, make: Callable[[], Scarf]) -> None:
        """The error says what is wrong without the value, and can be printed with its frames' variables."""
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert_clean(caught.value)

    def test_no_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a token the error names the variable."""
        for value in (None, "", "  \n"):
            monkeypatch.delenv("SCARF_API_TOKEN", raising=False)
            if value is not None:
                monkeypatch.setenv("SCARF_API_TOKEN", value)
            with pytest.raises(ConfigurationError, match="SCARF_API_TOKEN"):
                Scarf()

    def test_a_bad_token_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A line break inside is refused there too."""
        monkeypatch.setenv("SCARF_API_TOKEN", f"a\nb{MARK}")
        with pytest.raises(ConfigurationError) as caught:
            Scarf()
        assert_clean(caught.value)

    @pytest.mark.parametrize("space", ["\n", " ", "\r\n", "\t", "\n\n  "])
    async def test_white_space_around_a_token(self, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The line break at the end of a secret's file does no harm, given or in the environment."""
        monkeypatch.setenv("SCARF_API_TOKEN", f"{KEY}{space}")
        async with Hostile() as service:
            for scarf in (Scarf(f"{space}{KEY}{space}", base_url=service.url), Scarf(base_url=service.url)):
                async with scarf:
                    await scarf.packages.list()
            assert {arrival.headers["Authorization"] for arrival in service.arrivals} == {f"Bearer {KEY}"}


class TestProxy:
    """A proxy's user and password."""

    async def _through(self, status: str, *, by_argument: bool, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
        data = f"HTTP/1.1 {status} {BASIC}\r\nX-Echo: {BASIC}\r\nContent-Length: 0\r\n\r\n".encode()
        async with Raw(data) as proxy:
            address = f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}"
            if not by_argument:
                monkeypatch.setenv("HTTPS_PROXY", address)
            scarf = Scarf(
                KEY, base_url="https://scarf.invalid/api/v1", retry=FAST, proxy=address if by_argument else None
            )
            del address
            await failure(scarf, get, ConnectFailedError)
            return proxy.requests

    @pytest.mark.parametrize("by_argument", [True, False], ids=["argument", "environment"])
    @pytest.mark.parametrize("status", ["407", "502", "403", "500"])
    async def test_refused(self, status: str, by_argument: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proxy gets its password and never the token; its refusal shows neither."""
        requests = await self._through(status, by_argument=by_argument, monkeypatch=monkeypatch)
        for request in requests:
            assert request.startswith(b"CONNECT scarf.invalid:443 ")
            assert f"Proxy-Authorization: Basic {BASIC}".encode() in request
            assert MARK.encode() not in request
        # Neither a wrong password nor a ban passes by itself.
        assert len(requests) == (1 if status in {"407", "403"} else FAST.attempts)

    async def test_cancelled_while_connecting(self) -> None:
        """Cancelled while the proxy is silent."""

        async def silent(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await raw.stopping.wait()

        async with Raw(silent) as proxy:

            def through(connect_timeout: float) -> Scarf:
                return Scarf(
                    KEY,
                    base_url=f"https://scarf.invalid{BASE}",
                    retry=ONCE,
                    proxy=f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}",
                    connect_timeout=connect_timeout,
                )

            async with through(60) as scarf:
                for after in range(1, 40, 3):
                    error = await cancelled(get(scarf), after)
                    assert isinstance(error, asyncio.CancelledError)
                    assert_clean(error)
            await failure(through(0.05), get, ConnectTimeoutError)


async def test_the_token_stays_at_home() -> None:
    """It goes to the base address and nowhere else: redirects, to wherever, are not followed."""
    async with Hostile() as service, Hostile() as other, client(service.url) as scarf:
        for location in (other.url, f"//127.0.0.1:{other.port}/x", "https://scarf.invalid/", "/api/v1/other"):
            service.on("GET", "*", answer(302, headers={"Location": location}))
            with pytest.raises(APIError):
                await get(scarf)
        assert len(service.arrivals) == 4
        assert not other.arrivals
