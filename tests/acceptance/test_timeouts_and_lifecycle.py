"""Time limits, closing, event loops, a caller's own session, and cancellation at every step."""

from __future__ import annotations

import asyncio
import gc
import pickle
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Final

import aiohttp
import anyio
import attrs
import pytest

from scarf_async import (
    ClientClosedError,
    ConfigurationError,
    ConnectFailedError,
    ConnectTimeoutError,
    OrganizationUpsert,
    RequestFinished,
    RequestTimeoutError,
    RetryPolicy,
    RetryScheduled,
    RouteCreate,
    Scarf,
    ScarfError,
    ScarfEvent,
    ServerError,
    TransportError,
    WrongEventLoopError,
)

from .hostile import (
    BASE,
    BIG,
    FAST,
    TOKEN,
    Hostile,
    Raw,
    answer,
    connect,
    cut,
    drop,
    eventually,
    free_port,
    hang,
    head,
    honest,
)

ONCE: Final = attrs.evolve(FAST, attempts=1)
ACME: Final = OrganizationUpsert(name="acme", description="", billing_email="")
ROUTE: Final = RouteCreate("https://a.example/{version}.tgz", "/dl/{version}.tgz")


def furnished() -> Hostile:
    """Return a service that knows an organization."""
    service = Hostile()
    service.add("organizations", "", {"name": "home"})
    return service


async def silent(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read and say nothing, until the client leaves."""
    while await reader.read(2**16):
        pass


async def deaf(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Do not even read more than the buffers take."""
    await raw.stopping.wait()


class TestWhatCountsTowardsNoTimeout:
    """Waiting that is the client's own making."""

    async def test_waiting_for_a_connection(self) -> None:
        """Six calls over one connection take longer than the time limit of each, and none times out."""
        async with (
            furnished() as service,
            Scarf(
                TOKEN, base_url=service.url, retry=ONCE, timeout=0.2, connect_timeout=0.2, max_connections=1
            ) as scarf,
        ):
            service.on("GET", "*", *[honest(delay=0.08)] * 6)
            await asyncio.gather(*[scarf.organizations.get("home") for _ in range(6)])
            assert all(second.at - first.at >= 0.079 for first, second in pairwise(service.arrivals))
            assert service.open == 1

    async def test_waiting_for_a_connection_of_a_callers_session(self) -> None:
        """So it is with the limit of a caller's own session."""
        connector = aiohttp.TCPConnector(limit=1)
        async with (
            furnished() as service,
            aiohttp.ClientSession(connector=connector) as session,
            Scarf(
                TOKEN, base_url=service.url, retry=ONCE, timeout=0.2, connect_timeout=0.2, session=session
            ) as scarf,
        ):
            service.on("GET", "*", *[honest(delay=0.08)] * 6)
            await asyncio.gather(*[scarf.organizations.get("home") for _ in range(6)])
            assert service.open == 1

    async def test_waiting_for_the_pace(self) -> None:
        """Calls that wait for their turn do not time out, and are sent without bursts."""
        async with (
            furnished() as service,
            Scarf(TOKEN, base_url=service.url, retry=ONCE, timeout=0.1, rate_limit=25) as scarf,
        ):
            await asyncio.gather(*[scarf.organizations.get("home") for _ in range(8)])
            times = [arrival.at for arrival in service.arrivals]
            assert times[-1] - times[0] >= 7 / 25 * 0.95
            assert times[-1] - times[0] <= 7 / 25 + 0.2

    async def test_a_slow_answer_is_no_slow_connection(self) -> None:
        """`connect_timeout` has nothing to do with what comes after the connection."""
        async with (
            furnished() as service,
            Scarf(TOKEN, base_url=service.url, retry=ONCE, connect_timeout=0.4, timeout=5) as scarf,
        ):
            service.on("GET", "*", honest(delay=0.5))
            assert (await scarf.organizations.get("home")).name == "home"


class TestConnectTimeout:
    """TCP, TLS and the proxy together."""

    async def _fails(
        self, url: str, *, proxy: str | None = None, session: aiohttp.ClientSession | None = None
    ) -> None:
        began = time.monotonic()
        async with Scarf(
            TOKEN,
            base_url=url,
            retry=attrs.evolve(FAST, attempts=2),
            connect_timeout=0.1,
            timeout=60,
            proxy=proxy,
            session=session,
        ) as scarf:
            with pytest.raises(ConnectTimeoutError) as caught:
                await scarf.organizations.create(ACME)
        assert isinstance(caught.value, ConnectFailedError | RequestTimeoutError | TimeoutError)
        assert caught.value.attempts == 2
        assert 0.19 <= time.monotonic() - began < 2

    async def test_tls_that_never_answers(self) -> None:
        """A TLS handshake that hangs ends at `connect_timeout`; nothing was sent, so nothing is looked for."""
        async with Raw(silent) as service:
            await self._fails(f"https://127.0.0.1:{service.port}{BASE}")
            await service.until(lambda: service.open == 0)

    async def test_tls_that_never_answers_a_callers_session(self) -> None:
        """So it does over a caller's own session."""
        async with Raw(silent) as service, aiohttp.ClientSession() as session:
            await self._fails(f"https://127.0.0.1:{service.port}{BASE}", session=session)

    async def test_a_proxy_that_never_answers(self) -> None:
        """The response to CONNECT is part of connecting."""
        async with Raw(silent) as service:
            await self._fails("https://scarf.invalid/api/v1", proxy=f"http://127.0.0.1:{service.port}")

    async def test_a_full_backlog(self) -> None:
        """A listener that accepts nobody more."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            waiting = [socket.socket() for _ in range(4)]
            try:
                for client in waiting:
                    client.setblocking(False)
                    client.connect_ex(listener.getsockname())
                await self._fails(f"http://127.0.0.1:{listener.getsockname()[1]}{BASE}")
            finally:
                for client in waiting:
                    client.close()


@asynccontextmanager
async def both_ways(
    service: Raw | Hostile, *, borrowed: bool, timeout: float, retry: RetryPolicy = ONCE
) -> AsyncIterator[Scarf]:
    """Open a client, with its own session or with a caller's."""
    if not borrowed:
        async with connect(service, retry=retry, timeout=timeout) as scarf:
            yield scarf
        return
    async with (
        aiohttp.ClientSession() as session,
        Scarf(TOKEN, base_url=service.url, retry=retry, timeout=timeout, session=session) as scarf,
    ):
        yield scarf


own_or_borrowed = pytest.mark.parametrize("borrowed", [False, True], ids=["own session", "caller's session"])


class TestTimeout:
    """One attempt of an ordinary call, to the last byte."""

    @pytest.mark.parametrize("where", ["head", "body"])
    async def test_a_slow_drip(self, where: str) -> None:
        """Bytes that keep coming do not keep a call alive."""

        async def drip(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await raw.request(reader)
            writer.write(head(length=10**6) if where == "body" else b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)

        async with Raw(drip) as service, connect(service, retry=ONCE, timeout=0.15) as scarf:
            began = time.monotonic()
            with pytest.raises(RequestTimeoutError):
                await scarf.organizations.get("home")
            assert 0.14 <= time.monotonic() - began < 1
            await service.until(lambda: service.open == 0)

    async def test_a_late_head_and_a_slow_body(self) -> None:
        """The head of the response does not wind the time limit up again."""

        async def late(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await raw.request(reader)
            await asyncio.sleep(0.2)
            writer.write(head(length=10**6))
            await silent(raw, reader, writer)

        async with Raw(late) as service, connect(service, retry=ONCE, timeout=0.3) as scarf:
            began = time.monotonic()
            with pytest.raises(RequestTimeoutError):
                await scarf.organizations.get("home")
            assert 0.29 <= time.monotonic() - began < 0.45

    @own_or_borrowed
    async def test_a_slow_drip_of_the_body(self, borrowed: bool) -> None:
        """Over a caller's session the time limit counts from the head of the response."""

        async def drip(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await raw.request(reader)
            writer.write(head(length=10**6))
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)

        async with Raw(drip) as service, both_ways(service, borrowed=borrowed, timeout=0.15) as scarf:
            async with asyncio.timeout(2):
                with pytest.raises(RequestTimeoutError):
                    await scarf.organizations.get("home")
            await service.until(lambda: service.open == 0)

    @own_or_borrowed
    async def test_silence(self, borrowed: bool) -> None:
        """No answer at all."""
        async with Raw(silent) as service, both_ways(service, borrowed=borrowed, timeout=0.1) as scarf:
            async with asyncio.timeout(2):
                with pytest.raises(RequestTimeoutError):
                    await scarf.organizations.get("home")
            await service.until(lambda: service.open == 0)

    @own_or_borrowed
    async def test_a_body_that_is_not_read(self, borrowed: bool) -> None:
        """A service that does not take the request's body."""
        async with Raw(deaf) as service, both_ways(service, borrowed=borrowed, timeout=0.2) as scarf:
            async with asyncio.timeout(3):
                with pytest.raises(RequestTimeoutError):
                    await scarf.permissions.set("p1", BIG)
            assert not [task for task in asyncio.all_tasks() if "aiohttp" in str(task.get_coro())]

    async def test_every_attempt_has_its_own(self) -> None:
        """The time limit is that of an attempt, not of the call."""
        async with furnished() as service, connect(service, timeout=0.1) as scarf:
            service.on("GET", "*", hang(), hang(), honest(delay=0.05))
            assert (await scarf.organizations.get("home")).name == "home"


class Watch:
    """An `on_event` hook that tells when something has happened so many times."""

    def __init__(self, kind: type[ScarfEvent], times: int = 1) -> None:
        self.reached = asyncio.Event()
        self._kind = kind
        self._left = times

    def __call__(self, event: ScarfEvent) -> None:
        self._left -= isinstance(event, self._kind)
        if self._left <= 0:
            self.reached.set()


class TestClosing:
    """`aclose`."""

    async def _close_during(self, scarf: Scarf, call: Awaitable[object], reached: asyncio.Event) -> None:
        task = asyncio.ensure_future(call)
        async with asyncio.timeout(3):
            await reached.wait()
            for _ in range(5):
                await asyncio.sleep(0)
            assert not task.done()
            await scarf.aclose()
            with pytest.raises(ClientClosedError):
                await task
        with pytest.raises(ClientClosedError):
            await scarf.organizations.get("home")
        gc.collect()

    @pytest.mark.parametrize("attempts", [1, 8])
    async def test_during_silence(self, attempts: int) -> None:
        """A call that waits for its response."""
        async with furnished() as service, connect(service, retry=RetryPolicy(attempts=attempts)) as scarf:
            service.on("GET", "*", hang())
            await self._close_during(scarf, scarf.organizations.get("home"), service.arrived)
            await eventually(lambda: service.open == 0)

    @pytest.mark.parametrize("attempts", [1, 8])
    @pytest.mark.parametrize("status", [200, 503])
    async def test_during_the_body(self, attempts: int, status: int) -> None:
        """A call whose response has begun."""
        watch = asyncio.Event()
        async with furnished() as service, connect(service, retry=RetryPolicy(attempts=attempts)) as scarf:
            service.on("GET", "*", attrs.evolve(cut(status, stall=True), then=watch.set))
            task = asyncio.ensure_future(scarf.organizations.get("home"))
            await watch.wait()
            await asyncio.sleep(0.02)  # the head of the response is on its way
            await self._close_during(scarf, task, watch)

    async def test_during_backoff(self) -> None:
        """A call that waits before its next attempt."""
        watch = Watch(RetryScheduled)
        async with (
            furnished() as service,
            Scarf(TOKEN, base_url=service.url, on_event=watch) as scarf,
        ):
            service.on("GET", "*", answer(503, headers={"Retry-After": "60"}))
            await self._close_during(scarf, scarf.organizations.get("home"), watch.reached)

    async def test_during_a_hold(self) -> None:
        """A call that waits because a 429 holds the client, and one that has yet to come."""
        watch = Watch(RetryScheduled)
        async with (
            furnished() as service,
            Scarf(TOKEN, base_url=service.url, on_event=watch) as scarf,
        ):
            service.on("GET", "*", answer(429, headers={"Retry-After": "60"}))
            first = asyncio.ensure_future(scarf.organizations.get("home"))
            await watch.reached.wait()
            await self._close_during(scarf, scarf.packages.list(), watch.reached)
            with pytest.raises(ClientClosedError):
                await first
            assert len(service.arrivals) == 1

    async def test_while_a_create_settles(self) -> None:
        """A create between its two looks."""
        watch = Watch(RequestFinished, 2)
        retry = RetryPolicy(initial_delay=0.001, settle=60)
        async with (
            furnished() as service,
            Scarf(TOKEN, base_url=service.url, retry=retry, on_event=watch) as scarf,
        ):
            service.on("POST", "*", drop())
            await self._close_during(scarf, scarf.organizations.create(ACME), watch.reached)
            assert len(service.sent("POST")) == 1

    async def test_while_connecting(self) -> None:
        """A call in the midst of a TLS handshake."""
        async with Raw(silent) as service:
            async with Scarf(TOKEN, base_url=f"https://127.0.0.1:{service.port}{BASE}") as scarf:
                await self._close_during(scarf, scarf.organizations.get("home"), service.changed)
            await service.until(lambda: service.open == 0)

    async def test_while_waiting_for_a_connection_or_the_pace(self) -> None:
        """Calls that were not sent yet are never sent."""
        async with (
            furnished() as service,
            Scarf(TOKEN, base_url=service.url, max_connections=2, rate_limit=0.02) as scarf,
        ):
            service.on("GET", "*", hang())
            tasks = [asyncio.ensure_future(scarf.organizations.get("home")) for _ in range(4)]
            await self._close_during(scarf, scarf.packages.list(), service.arrived)
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(type(error) is ClientClosedError for error in ended)
            assert len(service.arrivals) == 1

    async def test_while_a_big_body_is_written(self) -> None:
        """A call whose body the service does not take."""
        async with Raw(deaf) as service, connect(service) as scarf:
            await self._close_during(scarf, scarf.permissions.set("p1", BIG), service.changed)

    async def test_any_number_of_times(self) -> None:
        """Closing again, at once from two sides, before first use: all the same."""
        async with furnished() as service:
            unused = Scarf(TOKEN, base_url=service.url)
            await unused.aclose()
            await unused.aclose()
            with pytest.raises(ClientClosedError):
                await unused.organizations.get("home")
            async with connect(service) as scarf:
                await scarf.organizations.get("home")
                await asyncio.gather(scarf.aclose(), scarf.aclose(), scarf.aclose())
            assert repr(scarf).endswith("closed>")
        gc.collect()

    async def test_after_an_exception(self) -> None:
        """An exception in the block passes, and the client is closed."""
        async with furnished() as service:
            scarf = Scarf(TOKEN, base_url=service.url)

            async def fail() -> None:
                async with scarf:
                    await scarf.organizations.get("home")
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await fail()
            await eventually(lambda: service.open == 0)
            await scarf.aclose()
        gc.collect()

    @pytest.mark.parametrize("steps", range(6))
    async def test_cancelled_while_closing(self, steps: int) -> None:
        """Closing that is cancelled leaves nothing open, and may be repeated."""
        async with furnished() as service:
            scarf = Scarf(TOKEN, base_url=service.url)
            await scarf.organizations.get("home")
            task = asyncio.ensure_future(scarf.aclose())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await scarf.aclose()
            await eventually(lambda: service.open == 0)
            del scarf
            gc.collect()

    async def test_a_view_closes_nothing(self) -> None:
        """A view shares the session: closing it closes nothing, closing the client closes both."""
        async with furnished() as service, connect(service) as scarf:
            view = scarf.with_options(timeout=3)
            async with view:
                await view.organizations.get("home")
            await view.organizations.get("home")
            await scarf.organizations.get("home")
            assert service.open == 1
            await scarf.aclose()
            with pytest.raises(ClientClosedError):
                await view.organizations.get("home")


class TestEventLoops:
    """A client belongs to the event loop of its first use."""

    async def test_made_without_a_loop(self) -> None:
        """It may be made where no event loop runs, by a thread too."""
        async with (
            furnished() as service,
            await asyncio.to_thread(lambda: Scarf(TOKEN, base_url=service.url)) as scarf,
        ):
            assert (await scarf.organizations.get("home")).name == "home"

    async def test_a_second_loop(self) -> None:
        """Used from a second event loop it says what to do, and goes on working on the first."""
        async with furnished() as service, connect(service) as scarf:
            await scarf.organizations.get("home")

            async def elsewhere() -> None:
                with pytest.raises(WrongEventLoopError, match="per event loop"):
                    await scarf.organizations.get("home")
                with pytest.raises(WrongEventLoopError):
                    await scarf.with_options(timeout=1).packages.list()
                with pytest.raises(WrongEventLoopError):
                    await scarf.aclose()

            await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
            assert (await scarf.organizations.get("home")).name == "home"

    async def test_no_pickle(self) -> None:
        """A client cannot be pickled."""
        async with furnished() as service, connect(service) as scarf:
            for client in (scarf, scarf.with_options(timeout=3)):
                with pytest.raises(TypeError):
                    pickle.dumps(client)


class TestCallersSession:
    """`session=`: used, never changed, never closed."""

    async def test_used_and_left_open(self) -> None:
        """Calls go through it, and closing the client leaves it open."""
        async with furnished() as service, aiohttp.ClientSession() as session:
            async with Scarf(TOKEN, base_url=service.url, session=session) as scarf:
                await scarf.organizations.get("home")
            with pytest.raises(ClientClosedError):
                await scarf.organizations.get("home")
            assert not session.closed
            async with session.get(f"{service.url}/organizations/home") as response:
                assert response.status == 200
            assert service.open == 1
            assert "Authorization" not in service.arrivals[-1].headers

    async def test_its_ways_do_not_apply(self) -> None:
        """Middlewares, `raise_for_status`, default headers, auth and timeouts leave our calls alone."""
        called: list[str] = []

        async def middleware(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            called.append(request.method)
            return await handler(request)

        headers = {"Authorization": "Basic b2xk", "Accept": "text/html", "X-Theirs": "1"}
        async with (
            furnished() as service,
            aiohttp.ClientSession(
                headers=headers,
                raise_for_status=True,
                middlewares=[middleware],
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=0.05),
            ) as session,
            Scarf(TOKEN, base_url=service.url, session=session, retry=FAST) as scarf,
        ):
            service.on("GET", "*", answer(503), honest(delay=0.1))
            await scarf.organizations.get("home")
            service.on("GET", "*", answer(404))
            with pytest.raises(ScarfError):
                await scarf.organizations.get("home")
            for arrival in service.arrivals:
                assert arrival.headers["Authorization"] == f"Bearer {TOKEN}"
                assert arrival.headers["Accept"] == "application/json"
            assert not called
            assert dict(session.headers) == headers

    @pytest.mark.filterwarnings("ignore:.*auth:DeprecationWarning")
    async def test_its_auth_does_not_apply(self) -> None:
        """A session that signs in by itself still sends our token, and only that."""
        async with (
            furnished() as service,
            aiohttp.ClientSession(auth=aiohttp.BasicAuth("them", "theirs")) as session,
            Scarf(TOKEN, base_url=service.url, session=session, retry=ONCE) as scarf,
        ):
            await scarf.organizations.get("home")
            assert service.arrivals[0].headers["Authorization"] == f"Bearer {TOKEN}"

    async def test_nothing_is_sent_twice_over_it(self) -> None:
        """Aiohttp's own resend is off there too."""
        async with (
            furnished() as service,
            aiohttp.ClientSession() as session,
            Scarf(TOKEN, base_url=service.url, session=session, retry=ONCE) as scarf,
        ):
            await scarf.organizations.get("home")
            service.on("GET", "*", drop())
            service.on("DELETE", "*", drop())
            for call in (scarf.organizations.get("home"), scarf.packages.delete("p1")):
                with pytest.raises(TransportError):
                    await call
            assert len(service.arrivals) == 3

    async def test_closed_by_its_owner(self) -> None:
        """A session closed before or during a call gives a clear error."""
        async with furnished() as service:
            session = aiohttp.ClientSession()
            async with Scarf(TOKEN, base_url=service.url, session=session, retry=FAST) as scarf:
                service.on("GET", "*", hang())
                task = asyncio.ensure_future(scarf.organizations.get("home"))
                await service.arrived.wait()
                await session.close()
                with pytest.raises(ClientClosedError, match="session"):
                    await task
                with pytest.raises(ClientClosedError, match="session"):
                    await scarf.organizations.get("home")

    async def test_closed_while_calls_queue_in_it(self) -> None:
        """Calls that wait for a connection of it end too, and not as if someone had cancelled them."""
        async with furnished() as service:
            session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1))
            async with Scarf(TOKEN, base_url=service.url, session=session, retry=FAST) as scarf:
                service.on("GET", "*", hang())
                tasks = [asyncio.ensure_future(scarf.organizations.get("home")) for _ in range(3)]
                await service.arrived.wait()
                await session.close()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert [type(error) for error in ended] == [ClientClosedError] * 3

    async def test_our_closing_ends_calls_in_it(self) -> None:
        """Closing the client ends its calls, in flight or queued, and no others."""
        async with (
            furnished() as service,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2)) as session,
            Scarf(TOKEN, base_url=service.url, session=session, retry=FAST) as scarf,
        ):
            service.on("GET", "/organizations/home", hang())
            service.on("GET", "/theirs/users", honest(delay=0.1))
            theirs = asyncio.ensure_future(session.get(f"{service.url}/theirs/users"))
            ours = [asyncio.ensure_future(scarf.organizations.get("home")) for _ in range(3)]
            await eventually(lambda: len(service.arrivals) == 2)
            await scarf.aclose()
            ended = await asyncio.gather(*ours, return_exceptions=True)
            assert [type(error) for error in ended] == [ClientClosedError] * 3
            async with await theirs as response:
                assert response.status == 200

    async def test_options_that_it_brings(self) -> None:
        """What a session brings cannot be given beside it."""
        async with aiohttp.ClientSession() as session:
            for option in ({"proxy": "http://127.0.0.1:1"}, {"ca_file": "/x"}, {"max_connections": 5}):
                with pytest.raises(ConfigurationError, match=next(iter(option))):
                    Scarf(TOKEN, session=session, **option)


async def steps(count: int) -> None:
    """Let the event loop go round so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def by_task(call: Awaitable[object], after: int) -> bool:
    """Cancel a call through its task; tell whether it had ended by then."""
    task = asyncio.ensure_future(call)
    await steps(after)
    ended = task.done()
    task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError) or not isinstance(outcome, BaseException)
    return ended


async def by_anyio(call: Awaitable[object], after: int) -> bool:
    """Cancel a call through the cancel scope around it; tell whether it had ended by then."""
    scope = anyio.CancelScope()

    async def cancel() -> None:
        await steps(after)
        scope.cancel()

    canceller = asyncio.ensure_future(cancel())
    with scope:
        await call
    ended = not scope.cancelled_caught
    await canceller
    return ended


async def by_timeout(call: Awaitable[object], after: int) -> bool:
    """Cancel a call through `asyncio.timeout`; tell whether it had ended by then."""
    scope = asyncio.timeout(None)
    ended = False

    async def cancel() -> None:
        await steps(after)
        if not ended:
            scope.reschedule(asyncio.get_running_loop().time())

    canceller = asyncio.ensure_future(cancel())
    try:
        async with scope:
            await call
            ended = True
    except TimeoutError:
        pass
    stopped, ended = not ended, True
    await canceller
    return not stopped


def clients_tasks(before: set[asyncio.Task[object]]) -> list[str]:
    """Name the tasks that have come up since, but for those of the service."""
    return [
        coro
        for task in asyncio.all_tasks() - before
        if not any(
            name in (coro := repr(task.get_coro()))
            for name in ("RequestHandler", "Raw._connection", "_accept_connection")
        )
    ]


Cancel = Callable[[Awaitable[object], int], Awaitable[bool]]


class TestCancellation:
    """At any await: no task, no connection, no place in the pool is left behind."""

    @own_or_borrowed
    @pytest.mark.parametrize("cancel", [by_task, by_anyio, by_timeout], ids=["task", "anyio", "timeout"])
    @pytest.mark.parametrize("kind", ["read", "create"])
    async def test_at_every_step(self, kind: str, cancel: Cancel, borrowed: bool) -> None:
        """Cancelled after any number of event loop steps, up to the end of the call, the client goes on working."""
        retry = RetryPolicy(initial_delay=0, max_delay=0, settle=0, attempts=2)
        async with furnished() as service, both_ways(service, borrowed=borrowed, timeout=5, retry=retry) as scarf:
            await scarf.organizations.get("home")
            before = asyncio.all_tasks()
            after = ended = 0
            while ended < 5:
                if kind == "read":
                    call: Awaitable[object] = scarf.organizations.get("home")
                else:
                    service.forget()
                    service.on("POST", "*", answer(503), drop(effect=True))
                    call = scarf.routes.create("p1", attrs.evolve(ROUTE, template_path=f"/{after}"))
                ended += await cancel(call, after)
                after += 1
                assert not clients_tasks(before)
            await scarf.organizations.get("home")
            await eventually(lambda: service.busy == 0)
            await eventually(lambda: service.open <= 1)
            # Of each create there is one thing at most.
            paths = [shown["templatePath"] for shown in service.made("routes")]
            assert len(paths) == len(set(paths))
        gc.collect()

    @own_or_borrowed
    @pytest.mark.parametrize("cancel", [by_task, by_anyio, by_timeout], ids=["task", "anyio", "timeout"])
    async def test_in_the_body(self, cancel: Cancel, borrowed: bool) -> None:
        """Cancelled while the body of the response is awaited: the connection is closed, not kept."""
        async with furnished() as service, both_ways(service, borrowed=borrowed, timeout=5) as scarf:
            for after in range(0, 60, 3):
                service.on("GET", "/packages", cut(stall=True))
                assert not await cancel(scarf.packages.list(), after)
            await eventually(lambda: service.busy == 0)
            await eventually(lambda: service.open <= 1)
            await scarf.organizations.get("home")

    async def test_without_a_connection_yet(self) -> None:
        """Cancelled while connecting, again and again, a fresh client each time."""
        async with furnished() as service:
            for after in range(30):
                async with connect(service) as scarf:
                    await by_task(scarf.organizations.get("home"), after)
                    await scarf.organizations.get("home")
            gc.collect()
            await eventually(lambda: service.open == 0)

    async def test_during_a_handshake(self) -> None:
        """Cancelled in the midst of TLS: the connection is closed."""
        async with (
            Raw(silent) as service,
            Scarf(TOKEN, base_url=f"https://127.0.0.1:{service.port}{BASE}") as scarf,
        ):
            for after in range(0, 40, 3):
                await by_task(scarf.organizations.get("home"), after)
            await service.until(lambda: service.open == 0)

    async def test_while_a_big_body_is_written(self) -> None:
        """Cancelled while the service does not take the body: no task goes on writing."""
        async with Raw(deaf) as service, connect(service) as scarf:
            before = asyncio.all_tasks()
            for after in (3, 10, 30):
                await by_task(scarf.permissions.set("p1", BIG), after)
            await steps(5)
            assert not clients_tasks(before)

    async def test_in_the_queue(self) -> None:
        """Calls cancelled while they wait for a connection or their turn leave no gap in the queue."""
        async with (
            furnished() as service,
            Scarf(TOKEN, base_url=service.url, retry=ONCE, max_connections=1, rate_limit=500) as scarf,
        ):
            service.on("GET", "*", honest(delay=0.05))
            tasks = [asyncio.ensure_future(scarf.organizations.get("home")) for _ in range(30)]
            await service.arrived.wait()
            for task in tasks[1::2]:
                task.cancel()
            async with asyncio.timeout(5):
                ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert sum(isinstance(error, asyncio.CancelledError) for error in ended) == 15
            assert len(service.arrivals) == 15
            assert service.open == 1

    async def test_not_retried(self) -> None:
        """A cancelled call sends nothing more."""
        async with furnished() as service, connect(service) as scarf:
            service.on("GET", "*", hang())
            task = asyncio.ensure_future(scarf.organizations.get("home"))
            await service.arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await service.left.wait()
            await scarf.packages.list()
            assert [arrival.path for arrival in service.arrivals] == ["/organizations/home", "/packages"]

    async def test_a_deadline_of_the_caller(self) -> None:
        """`asyncio.timeout` bounds a call with all its attempts, and is told from our own time limits."""
        async with (
            furnished() as service,
            connect(service, retry=RetryPolicy(initial_delay=9, attempts=99)) as scarf,
        ):
            service.on("GET", "*", answer(503, headers={"Retry-After": "30"}))
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.05):
                    await scarf.organizations.get("home")
            assert not isinstance(caught.value, ScarfError)


class TestThePoolStaysFree:
    """Nothing that fails keeps a place."""

    async def test_a_thousand_failures(self) -> None:
        """1000 failed calls over two connections leave both free."""
        async with (
            furnished() as service,
            Scarf(TOKEN, base_url=service.url, retry=ONCE, max_connections=2) as scarf,
        ):
            service.on("GET", "*", *[answer(503, b"x" * 9000)] * 1000)
            calls = [scarf.organizations.get("home") for _ in range(1000)]
            ended = await asyncio.gather(*calls, return_exceptions=True)
            assert all(type(error) is ServerError for error in ended)
            async with asyncio.timeout(2):
                await asyncio.gather(*[scarf.organizations.get("home") for _ in range(4)])
            assert service.open <= 2
            assert len(service.arrivals) == 1004

    async def test_failures_of_all_kinds(self) -> None:
        """So do dropped, cut, silent, oversized and refused ones."""
        async with (
            furnished() as service,
            Scarf(
                TOKEN, base_url=service.url, retry=ONCE, max_connections=3, timeout=0.1, max_response_bytes=99
            ) as scarf,
        ):
            acts = [drop(), cut(), cut(404), hang(), cut(stall=True), answer(200, b" " * 999), answer(301)] * 3
            service.on("GET", "*", *acts)
            ended = await asyncio.gather(*[scarf.organizations.get("home") for _ in acts], return_exceptions=True)
            assert all(isinstance(error, ScarfError) for error in ended)
            async with asyncio.timeout(2):
                await asyncio.gather(*[scarf.organizations.get("home") for _ in range(9)])
            await eventually(lambda: service.open <= 3)

    async def test_refused_connections(self) -> None:
        """Connections that were never made hold no place either."""
        url = f"http://127.0.0.1:{free_port()}{BASE}"
        async with Scarf(TOKEN, base_url=url, retry=ONCE, max_connections=1) as scarf:
            for _ in range(20):
                async with asyncio.timeout(2):
                    with pytest.raises(ConnectFailedError):
                        await scarf.organizations.get("home")
