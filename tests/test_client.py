"""The client: its constructor's rules, its life, its views, and that it shows no secret."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import logging
import pickle
import socket
import traceback
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

import aiohttp
import pytest
from aioresponses import CallbackResult, aioresponses
from yarl import URL

from scarf_async import (
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    DomainCreate,
    Organization,
    OrganizationUpsert,
    PackageUpsert,
    PermissionSet,
    ReadOnlyError,
    RequestFinished,
    RequestStarted,
    RequestTimeoutError,
    RetryPolicy,
    RouteCreate,
    Scarf,
    ScarfEvent,
    WrongEventLoopError,
)
from scarf_async.settings import Settings

Make: TypeAlias = Callable[..., Scarf]

TOKEN = "s3cr3t-t0ken"
BASE = "https://scarf.sh/api/v1"
ACME = f"{BASE}/organizations/acme"
ONCE = RetryPolicy(attempts=1)

make: Make = Scarf


def settings(scarf: Scarf) -> Settings:
    """Return what a client was made of."""
    return scarf._session.transport.settings


def shown(error: BaseException) -> str:
    """Return a traceback with local variables, but for those of the test, which knows the secret."""
    assert error.__traceback__ is not None
    whole = traceback.TracebackException(type(error), error, error.__traceback__.tb_next, capture_locals=True)
    return "".join(whole.format())


# The constructor.


def test_the_signature() -> None:
    """The token may go by position, all else by name; the defaults are the documented ones."""
    parameters = inspect.signature(Scarf).parameters
    assert {name: parameter.default for name, parameter in parameters.items()} == {
        "token": None,
        "api": None,
        "owner": None,
        "base_url": None,
        "v2_url": None,
        "v3_url": None,
        "retry": RetryPolicy(),
        "timeout": 30.0,
        "connect_timeout": 10.0,
        "export_timeout": 300.0,
        "max_connections": 100,
        "rate_limit": None,
        "max_response_bytes": 64 * 2**20,
        "max_record_bytes": 2**20,
        "proxy": None,
        "ca_file": None,
        "read_only": False,
        "on_event": None,
        "session": None,
    }
    assert [name for name, parameter in parameters.items() if parameter.kind is not parameter.KEYWORD_ONLY] == [
        "token"
    ]


def test_the_defaults() -> None:
    """Without arguments and variables but for the token, the client speaks to the service."""
    chosen = settings(Scarf(TOKEN))
    assert chosen.bases == {
        "v1": URL(BASE),
        "v2": URL("https://api.scarf.sh/v2"),
        "v3": URL("https://api.scarf.sh/v3"),
    }
    assert (chosen.proxy, chosen.tls, chosen.rate_limit) == (None, None, None)


def test_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Token and addresses come from the environment, where no argument is given."""
    monkeypatch.setenv("SCARF_API_TOKEN", f" {TOKEN}\n")
    monkeypatch.setenv("SCARF_BASE_URL", "https://one.example/api/v1/")
    monkeypatch.setenv("SCARF_V2_URL", "https://two.example/v2")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    chosen = settings(Scarf())
    assert chosen.token.reveal() == TOKEN
    assert chosen.bases == {
        "v1": URL("https://one.example/api/v1"),
        "v2": URL("https://two.example/v2"),
        "v3": URL("https://two.example/v3"),
    }
    assert chosen.proxy is not None
    assert chosen.proxy.url == URL("http://proxy.example:3128")


def test_the_address() -> None:
    """As it is used: checked and without a slash at the end."""
    assert Scarf("token").base_url == "https://scarf.sh/api/v1"
    assert Scarf("token", base_url="http://127.0.0.1:8080/api/v1/").base_url == "http://127.0.0.1:8080/api/v1"


def test_arguments_count_before_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given to the constructor is not looked for in the environment."""
    for name in ("SCARF_API_TOKEN", "SCARF_BASE_URL", "SCARF_V2_URL", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "not usable: \n")
    scarf = Scarf(
        TOKEN, base_url="https://one.example", v2_url="https://two.example", proxy="http://proxy.example:3128"
    )
    assert settings(scarf).token.reveal() == TOKEN
    assert scarf.base_url == "https://one.example"
    assert settings(scarf).bases["v2"].host == "two.example"


def test_empty_variables_count_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty address in the environment leaves the default."""
    for name in ("SCARF_BASE_URL", "SCARF_V2_URL", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "")
    assert Scarf(TOKEN).base_url == BASE


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SCARF_BASE_URL", "http://scarf.sh"),
        ("SCARF_BASE_URL", "https://ann:s3cr3t-pw@scarf.sh"),
        ("SCARF_V2_URL", "api.scarf.sh"),
        ("HTTPS_PROXY", "socks5://ann:s3cr3t-pw@proxy.example"),
    ],
)
def test_variables_are_checked_too(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """A variable that cannot be used is refused like an argument."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        Scarf(TOKEN)
    assert "s3cr3t" not in shown(caught.value)


@pytest.mark.parametrize("token", [None, "", "  ", "\n"])
def test_no_token(token: str | None) -> None:
    """Without a token the error names the variable to set."""
    with pytest.raises(ConfigurationError, match="SCARF_API_TOKEN"):
        Scarf(token)


def test_white_space_around_a_token() -> None:
    """A line break at its end, as files have it, is dropped."""
    assert settings(Scarf(f" {TOKEN}\r\n")).token.reveal() == TOKEN


NUMBERS = (
    "timeout",
    "connect_timeout",
    "export_timeout",
    "max_connections",
    "rate_limit",
    "max_response_bytes",
    "max_record_bytes",
)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *((name, value) for name in NUMBERS for value in (0, -1, float("inf"), float("nan"), "1", True)),
        *((name, None) for name in NUMBERS if name != "rate_limit"),
        *((name, 1.5) for name in ("max_connections", "max_response_bytes", "max_record_bytes")),
        ("retry", None),
        ("retry", 3),
        ("on_event", "print"),
        ("session", object()),
        ("ca_file", "/there/is/no/such/file.pem"),
        ("ca_file", 7),
        ("base_url", "http://scarf.sh"),
        ("base_url", ""),
        ("base_url", 7),
        ("v2_url", "https://scarf.sh/?a=b"),
        ("proxy", "socks5://proxy.example"),
        ("proxy", 7),
        ("token", 7),
        ("token", b"bytes"),
    ],
)
def test_what_cannot_be_configured(argument: str, value: object) -> None:
    """The constructor refuses what cannot be used, and names it."""
    with pytest.raises(ConfigurationError, match=argument):
        make(**{"token": TOKEN, argument: value})


@pytest.mark.parametrize(
    "arguments",
    [
        {"token": "s3cr3t s3cr3t"},
        {"token": "s3cr3t\ns3cr3t"},
        {"token": "s3cr3t\x00s3cr3t"},
        {"token": "s3cr3t\u00e9"},
        {"token": "s3cr3t", "base_url": "https://ann:s3cr3t@scarf.sh"},
        {"token": "s3cr3t", "base_url": "https://scarf.sh?token=s3cr3t"},
        {"token": "s3cr3t", "v2_url": "https://ann:s3cr3t@scarf.sh"},
        {"token": "s3cr3t", "base_url": "http://scarf.sh"},
        {"token": "s3cr3t", "proxy": "socks5://ann:s3cr3t@proxy.example"},
        {"token": "s3cr3t", "proxy": "http://ann:s3cr3t@proxy.example:port"},
        {"token": "s3cr3t", "proxy": "http://ann:s3cr3t@proxy.example", "timeout": 0},
        {"token": "s3cr3t", "proxy": "http://ann:s3cr3t@proxy.example", "connect_timeout": 0},
        {"token": "s3cr3t", "proxy": "http://ann:s3cr3t@proxy.example", "retry": None},
        {"token": "s3cr3t", "proxy": "http://ann:s3cr3t@proxy.example", "ca_file": "/no/such/file.pem"},
        {"token": "s3cr3t", "proxy": "http://ann:s3cr3t@proxy.example", "on_event": 7},
        {"token": "s3cr3t", "proxy": "http://ann:s3cr3t@proxy.example", "session": object()},
    ],
)
def test_a_refusal_shows_no_secret(arguments: dict[str, object]) -> None:
    """Neither the message nor a traceback with local variables shows a token or a password."""
    with pytest.raises(ConfigurationError) as caught:
        make(**arguments)
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in shown(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/api/v1", "http://localhost:1", "http://[::1]:8080"])
def test_plain_http_is_for_this_machine(url: str) -> None:
    """An emulator on the loopback interface needs no certificate."""
    assert Scarf(TOKEN, base_url=url, v2_url=url).base_url == url


@pytest.mark.parametrize(
    ("name", "value"),
    [("proxy", "http://proxy.example"), ("ca_file", "/etc/ca.pem"), ("max_connections", 7)],
)
async def test_a_session_brings_its_own_connections(name: str, value: object) -> None:
    """What belongs to the connections cannot be given together with a session."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigurationError, match=name):
            make(TOKEN, session=session, **{name: value})


async def test_a_session_goes_around_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that was not asked for is not a conflict: the session has its own."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    async with aiohttp.ClientSession() as session:
        assert settings(Scarf(TOKEN, session=session)).proxy is None


async def test_a_closed_session_is_refused() -> None:
    """A session that is closed already can serve nobody."""
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(ConfigurationError, match="closed"):
        Scarf(TOKEN, session=session)


# Secrets.


def test_the_repr() -> None:
    """It shows the version and its address, and nothing else of what the client was given."""
    scarf = Scarf(TOKEN, proxy="http://ann:s3cr3t-pw@proxy.example")
    assert repr(scarf) == "<Scarf v1 https://scarf.sh/api/v1>"


async def test_the_repr_of_a_closed_client() -> None:
    """It says so."""
    scarf = Scarf(TOKEN)
    await scarf.aclose()
    assert repr(scarf) == "<Scarf v1 https://scarf.sh/api/v1 closed>"


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_client_stays_where_it_is(leave: Callable[[object], object]) -> None:
    """It can be neither pickled nor copied, and the error says what to do."""
    with pytest.raises(TypeError, match="make one where it is used"):
        leave(Scarf(TOKEN))


def test_a_client_takes_no_further_attributes() -> None:
    """A misspelt option is an error and not a new attribute."""
    with pytest.raises(AttributeError):
        Scarf(TOKEN).timeuot = 3  # type: ignore[attr-defined] # what the types forbid


def test_a_client_is_not_for_a_plain_with() -> None:
    """A `with` without `async` fails before its body and says what to write."""
    with pytest.raises(TypeError, match="write `async with"), Scarf(TOKEN):
        pytest.fail("the body must not run")


async def test_an_echoed_token_is_redacted(caplog: pytest.LogCaptureFixture) -> None:
    """A service that repeats the token in its error does not get it into ours, nor into the log."""
    caplog.set_level(logging.DEBUG)
    events: list[ScarfEvent] = []
    async with Scarf(TOKEN, retry=ONCE, on_event=events.append) as scarf:
        with aioresponses() as service:
            service.get(ACME, status=401, payload={"message": f"bad token {TOKEN}", "code": TOKEN})
            with pytest.raises(AuthenticationError) as caught:
                await scarf.organizations.get("acme")
    error = caught.value
    assert error.message == "bad token ***"
    for text in (str(error), repr(error.body), repr(vars(error)), shown(error), caplog.text, repr(events)):
        assert TOKEN not in text


# Life.


def test_it_is_made_outside_of_a_loop() -> None:
    """Without a running loop a client can be made, and be used on a loop later."""
    scarf = Scarf(TOKEN)

    async def use() -> Organization:
        async with scarf:
            return await scarf.organizations.get("acme")

    with aioresponses() as service:
        service.get(ACME, payload={"name": "acme"})
        assert asyncio.run(use()) == Organization(name="acme")


def test_a_second_loop_is_refused() -> None:
    """A client belongs to the loop of its first use; another one gets an error that says what to do."""
    scarf = Scarf(TOKEN)
    with asyncio.Runner() as first, asyncio.Runner() as second, aioresponses() as service:
        service.get(ACME, payload={"name": "acme"}, repeat=True)
        first.run(_get(scarf))
        with pytest.raises(WrongEventLoopError, match="one Scarf"):
            second.run(_get(scarf))
        with pytest.raises(WrongEventLoopError, match="on which it was used"):
            second.run(scarf.aclose())
        assert first.run(_get(scarf)) == Organization(name="acme")
        first.run(scarf.aclose())


async def _get(scarf: Scarf) -> Organization:
    return await scarf.organizations.get("acme")


async def test_closing_any_number_of_times() -> None:
    """The first close closes, the others do nothing; a client that was never used closes too."""
    scarf = Scarf(TOKEN)
    for _ in range(3):
        await scarf.aclose()
    async with scarf:
        pass


@pytest.mark.parametrize("used", [True, False])
async def test_a_closed_client_is_closed(used: bool) -> None:
    """Every later call ends with ClientClosedError, and sends nothing."""
    with aioresponses() as service:
        service.get(ACME, payload={"name": "acme"}, repeat=True)
        async with Scarf(TOKEN) as scarf:
            if used:
                await scarf.organizations.get("acme")
        sent = sum(map(len, service.requests.values()))
        for call in WRITES:
            with pytest.raises(ClientClosedError):
                await call(scarf)
        with pytest.raises(ClientClosedError):
            await scarf.organizations.get("acme")
        assert sum(map(len, service.requests.values())) == sent


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, asyncio.CancelledError])
async def test_it_closes_after_an_error(error: type[BaseException]) -> None:
    """An exception in the block passes through, and the client is closed without a warning."""
    with aioresponses() as service:
        service.get(ACME, payload={"name": "acme"})
        scarf = Scarf(TOKEN)

        async def use() -> None:
            async with scarf:
                await scarf.organizations.get("acme")
                raise error

        with pytest.raises(error):
            await use()
    assert "closed" in repr(scarf)
    gc.collect()


async def test_a_call_under_way_ends_with_the_client() -> None:
    """Closing ends what waits for a response with ClientClosedError."""
    asked = asyncio.Event()

    async def never(_: URL, **__: object) -> CallbackResult:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    scarf = Scarf(TOKEN)
    with aioresponses() as service:
        service.get(ACME, callback=never)
        call = asyncio.create_task(scarf.organizations.get("acme"))
        await asked.wait()
        await scarf.aclose()
        with pytest.raises(ClientClosedError):
            await call


async def test_a_retry_under_way_ends_with_the_client() -> None:
    """Closing ends a wait between two attempts with ClientClosedError."""
    waiting = asyncio.Event()
    scarf = Scarf(
        TOKEN, retry=RetryPolicy(initial_delay=100, max_delay=200), on_event=lambda event: _set_once(event, waiting)
    )
    with aioresponses() as service:
        service.get(ACME, status=503, headers={"Retry-After": "100"}, repeat=True)
        call = asyncio.create_task(scarf.organizations.get("acme"))
        await waiting.wait()
        await asyncio.sleep(0)
        await scarf.aclose()
        with pytest.raises(ClientClosedError):
            await call
        assert len(service.requests) == 1


def _set_once(event: ScarfEvent, waiting: asyncio.Event) -> None:
    if type(event).__name__ == "RetryScheduled":
        waiting.set()


async def test_a_session_of_the_caller_is_used_and_left_alone() -> None:
    """It carries the calls, and is neither changed nor closed."""
    async with aiohttp.ClientSession(headers={"X-Mine": "1"}) as session:
        before = dict(session.headers)
        with aioresponses() as service:
            service.get(ACME, payload={"name": "acme"})
            async with Scarf(TOKEN, session=session) as scarf:
                await scarf.organizations.get("acme")
        assert not session.closed
        assert dict(session.headers) == before


async def test_a_session_that_is_closed_later() -> None:
    """When the caller closes the session, the client's calls say so."""
    session = aiohttp.ClientSession()
    scarf = Scarf(TOKEN, session=session)
    await session.close()
    with pytest.raises(ClientClosedError, match="session"):
        await scarf.organizations.get("acme")
    await scarf.aclose()


# Read-only clients.


WRITES: list[Callable[[Scarf], Awaitable[object]]] = [
    lambda scarf: scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email="")),
    lambda scarf: scarf.organizations.update(
        "acme", OrganizationUpsert(name="acme", description="", billing_email="")
    ),
    lambda scarf: scarf.organizations.update(
        "acme", OrganizationUpsert(name="new", description="", billing_email="")
    ),
    lambda scarf: scarf.members.upsert("acme", "ann", "admin"),
    lambda scarf: scarf.members.remove("acme", "ann"),
    lambda scarf: scarf.packages.create(PackageUpsert(name="web", short_description="")),
    lambda scarf: scarf.packages.create(PackageUpsert(name="web", short_description=""), "acme"),
    lambda scarf: scarf.packages.update("u-1", PackageUpsert(name="web", short_description="")),
    lambda scarf: scarf.packages.delete("u-1"),
    lambda scarf: scarf.permissions.set("u-1", PermissionSet("ann", "admin")),
    lambda scarf: scarf.routes.create("u-1", RouteCreate("https://acme.example/a", "/a")),
    lambda scarf: scarf.routes.delete("u-1", "r-1"),
    lambda scarf: scarf.domains.create("u-1", DomainCreate("dl.acme.example")),
    lambda scarf: scarf.domains.delete("u-1", "d-1"),
]


@pytest.mark.parametrize("number", range(len(WRITES)))
async def test_a_read_only_client_writes_nothing(number: int) -> None:
    """Every write is refused in the session, and nothing is sent."""
    async with Scarf(TOKEN, read_only=True) as scarf:
        with aioresponses() as service:
            with pytest.raises(ReadOnlyError, match="read-only"):
                await WRITES[number](scarf)
            assert not service.requests


async def test_a_read_only_client_reads() -> None:
    """A GET goes through."""
    async with Scarf(TOKEN, read_only=True) as scarf:
        with aioresponses() as service:
            service.get(ACME, payload={"name": "acme"})
            assert (await scarf.organizations.get("acme")).name == "acme"


# Views.


async def test_a_view_keeps_what_it_is_not_given() -> None:
    """Each option alone changes that option alone; the view shows itself as the client does."""
    twice = RetryPolicy(attempts=2, initial_delay=0)
    # It takes connections and says nothing.
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with Scarf(TOKEN, base_url=url, timeout=0.05, retry=ONCE) as scarf:
            for view, timeout, attempts, read_only in (
                (scarf.with_options(), 0.05, 1, False),
                (scarf.with_options(timeout=0.03), 0.03, 1, False),
                (scarf.with_options(retry=twice), 0.05, 2, False),
                (scarf.with_options(read_only=True), 0.05, 1, True),
                (scarf.with_options(timeout=0.03).with_options(read_only=True), 0.03, 1, True),
                (scarf, 0.05, 1, False),
            ):
                with pytest.raises(RequestTimeoutError, match=f"{timeout} s") as caught:
                    await view.organizations.get("acme")
                assert caught.value.attempts == attempts
                with pytest.raises(ReadOnlyError if read_only else RequestTimeoutError):
                    await view.packages.delete("web")
                assert isinstance(view, Scarf)
                assert repr(view) == repr(scarf)


@pytest.mark.parametrize(
    ("name", "value"), [("timeout", 0), ("timeout", "1"), ("timeout", float("nan")), ("retry", 3)]
)
def test_a_view_is_checked_too(name: str, value: object) -> None:
    """A view refuses what the constructor refuses."""
    view: Make = Scarf(TOKEN).with_options
    with pytest.raises(ConfigurationError, match=name):
        view(**{name: value})


async def test_closing_a_view_closes_nothing() -> None:
    """Neither `aclose` nor `async with` on a view ends the client."""
    async with Scarf(TOKEN) as scarf:
        async with scarf.with_options(timeout=1) as view:
            pass
        await view.aclose()
        with aioresponses() as service:
            service.get(ACME, payload={"name": "acme"}, repeat=True)
            assert (await scarf.organizations.get("acme")).name == "acme"
            assert (await view.organizations.get("acme")).name == "acme"


async def test_a_view_ends_with_its_client() -> None:
    """When the client is closed, so are its views."""
    scarf = Scarf(TOKEN)
    view = scarf.with_options(timeout=1)
    await scarf.aclose()
    with pytest.raises(ClientClosedError):
        await view.organizations.get("acme")


async def test_a_read_only_client_stays_so() -> None:
    """No view of a read-only client writes."""
    scarf = Scarf(TOKEN, read_only=True)
    with pytest.raises(ReadOnlyError):
        await scarf.with_options(read_only=False).members.remove("acme", "ann")


# Events.


async def test_the_hook_is_told() -> None:
    """A call tells its begin and its end."""
    events: list[ScarfEvent] = []
    async with Scarf(TOKEN, on_event=events.append) as scarf:
        with aioresponses() as service:
            service.get(ACME, payload={"name": "acme"})
            await scarf.organizations.get("acme")
    started, finished = events
    assert started == RequestStarted(endpoint="GET /organizations/{organization}", attempt=1)
    assert isinstance(finished, RequestFinished)
    assert (finished.endpoint, finished.attempt) == ("GET /organizations/{organization}", 1)
    assert (finished.status, finished.error) == (200, None)
    assert finished.elapsed >= 0


async def test_a_hook_that_raises_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged once, and the calls go on."""

    def hook(_: ScarfEvent) -> Literal[True]:
        raise RuntimeError("the hook's own fault")

    async with Scarf(TOKEN, on_event=hook) as scarf:
        with aioresponses() as service:
            service.get(ACME, payload={"name": "acme"}, repeat=True)
            for _ in range(3):
                assert (await scarf.organizations.get("acme")).name == "acme"
    (record,) = caplog.records
    assert "on_event raised" in record.message
