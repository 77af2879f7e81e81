"""Single requests over aiohttp's client: one call of `send` or `open` is one request on the wire.

Only this module and `connector.py` use aiohttp's client, and none of its exceptions leaves them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from types import MappingProxyType
from typing import Final, cast

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from scarf_async.clock import Clock
from scarf_async.errors import (
    ClientClosedError,
    ConnectTimeoutError,
    RequestTimeoutError,
    TransportError,
    WrongEventLoopError,
)
from scarf_async.http.connector import (
    HEAD_LIMITS,
    NO_LIMITS,
    BrokenError,
    Connector,
    Guard,
    RequestBody,
    as_lost,
    next_piece,
)
from scarf_async.http.deadlines import Attempt, Deadlines, Phase
from scarf_async.http.exchange import exchange, is_watched
from scarf_async.http.inflate import BodyEncodingError, Inflater
from scarf_async.http.pacer import Pacer
from scarf_async.protocol.messages import Answer, Lost
from scarf_async.settings import Settings
from scarf_async.text import printable
from scarf_async.version import __version__

__all__ = ["Download", "Transport"]

_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"scarf-async/{__version__}",
}
_NO_CONTENT: Final[Mapping[str, str]] = MappingProxyType({})
_ERROR_BODY: Final = 2**16
"""How much of the body of an error response is read; the rest is dropped."""
_LARGER_THAN_READS: Final = 2**20
_NO_LIMIT: Final = nullcontext()
_EXPORT_HEADERS: Final = {**_HEADERS, "Accept": "*/*"}


def content_encoding(response: aiohttp.ClientResponse) -> str:
    """Return the codings of a body, of several headers too."""
    return ",".join(response.headers.getall("Content-Encoding", ()))


class Download:
    """An open response whose raw body is read piece by piece.

    Attributes:
        status: the HTTP status code.
        url: the URL that responded.
        headers: the response headers, with case-insensitive names.
        proven: after `read` returned `b""`, whether Content-Length or a last chunk proves the end.
        bytes_received: the number of bytes of the body so far.
        on_close: called once, when it is closed.
    """

    def __init__(self, transport: Transport, response: aiohttp.ClientResponse, attempt: Attempt) -> None:
        self._transport = transport
        self._response: aiohttp.ClientResponse | None = response
        self._attempt = attempt
        self.status: int = response.status
        self.url: str = str(response.url)
        headers = CIMultiDict(response.headers)
        headers["Content-Encoding"] = content_encoding(response)
        self.headers: Mapping[str, str] = headers
        # Without either, the body ends with the connection, complete or not.
        codings = response.headers.get("Transfer-Encoding", "").lower().split(",")
        self._framed = (
            "Content-Length" in response.headers or codings[-1].strip() == "chunked" or response.status == 204
        )
        self._ended = False
        self.bytes_received: int = 0
        self.on_close: Callable[[Download], None] | None = None

    @property
    def proven(self) -> bool:  # noqa: D102 # described with the class
        return self._ended and self._framed

    async def read(self) -> bytes:
        """Return the next piece, of at most 256 KiB; `b""` at the end.

        Raises:
            RequestTimeoutError: nothing arrived within the timeout.
            TransportError: the connection was lost, or the body ended before its length.
            BodyEncodingError: the framing of the body cannot be parsed.
            ClientClosedError: the client was closed.
        """
        if self._response is None:
            raise ClientClosedError("this download is closed")
        failure: Exception
        try:
            with self._transport.silence(self._attempt.timeout):
                piece = await next_piece(self._response.content)
        except asyncio.CancelledError as error:
            raise error.with_traceback(None)  # noqa: B904 # aiohttp's frames show what it was sending
        except BodyEncodingError as error:
            failure = error.with_traceback(None)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = self._transport.lost(error, self._attempt, "GET", self.url).error
        else:
            self._ended = not piece
            self.bytes_received += len(piece)
            return piece
        self.close()
        if self._transport.closed:
            raise ClientClosedError
        raise failure

    def close(self) -> None:
        """Return the connection to the pool if the body was read to its end, else drop it; never waits."""
        if self._response is not None:
            self._response.close()
            self._response = None
            self._transport.open_exports -= 1
            if self.on_close is not None:
                self.on_close(self)


class Transport:
    """Sends single requests, and owns the connections.

    It can be created anywhere. It belongs to the event loop on which it is bound or first sends.

    Args:
        settings: the settings of the client.
        clock: the clock to wait by.
        session: the caller's session, which is never changed or closed.
    """

    def __init__(self, settings: Settings, clock: Clock, session: aiohttp.ClientSession | None = None) -> None:
        self.settings = settings
        self.clock = clock
        self.pacer: Pacer = Pacer(settings.rate_limit, clock)
        self.closed: bool = False
        self._borrowed = session is not None
        self._session = session
        self._connector: Connector | None = None
        self._export_session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # Only for ordinary calls, which release their places by themselves: the reader of an export decides when to
        # release it, and may wait for a call first. The pool of a caller's session has a queue of its own.
        self._places: AbstractAsyncContextManager[None] = (
            _NO_LIMIT if self._borrowed else asyncio.Semaphore(settings.max_connections)
        )
        self._deadlines = Deadlines()
        self.open_exports: int = 0

    def __repr__(self) -> str:
        return f"<Transport {self.settings.shown}{' closed' if self.closed else ''}>"

    def lost(self, error: Exception, attempt: Attempt, method: str, url: str) -> Lost:
        """Convert an aiohttp error to ours, without the token and control characters."""
        lost = as_lost(error.error if isinstance(error, BrokenError) else error, attempt, method, url)
        lost.error.args = (printable(self.settings.token.redact(str(lost.error.args[0]))),)
        return lost

    def silence(self, seconds: float) -> Attempt:
        """Limit one wait for a piece of a body: aiohttp's own timeout ends once it cannot parse the response."""
        attempt = Attempt(self._deadlines)
        self._deadlines.limit(attempt, seconds)
        return attempt

    def bind(self) -> None:
        """Bind the client to the running event loop.

        Raises:
            WrongEventLoopError: the client belongs to another event loop.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise WrongEventLoopError(
                "this client belongs to another event loop; make one Scarf() per event loop"
                " (for instance inside the function given to asyncio.run; under pytest-asyncio, give the test and"
                " its fixtures the same loop_scope)"
            )

    def _ready(self) -> aiohttp.ClientSession:
        if self.closed:
            raise ClientClosedError
        if self._session is None:
            self._connector = Connector(ssl=self.settings.tls or True)
            self._session = aiohttp.ClientSession(
                connector=self._connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
            )
            # asyncio reads into 256 KiB at a time, which glibc maps and unmaps for every response until it has once
            # freed a larger block: a tenth of the time of a request to a near server.
            bytes(_LARGER_THAN_READS)
        elif self._borrowed and self._session.closed:
            raise ClientClosedError("the aiohttp session given to this client is closed")
        return self._session

    def _for_exports(self) -> aiohttp.ClientSession:
        # A request that is lost on a dead pooled connection must not be repeated if that may cost money: each
        # export gets a new connection.
        if self._export_session is None:
            connector = Connector(ssl=self.settings.tls or True, force_close=True)
            self._export_session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers=_EXPORT_HEADERS
            )
        return self._export_session

    def _respond(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: URL,
        body: bytes | None,
        *,
        content: Mapping[str, str],
        attempt: Attempt,
        authorize: bool,
        export: bool,
    ) -> Awaitable[aiohttp.ClientResponse]:
        """Send one request; return the head of the response with its body unread."""
        token = self.settings.token if authorize else None
        data = None if body is None else RequestBody(body, attempt)
        # The default headers of a session yield to these.
        headers = _EXPORT_HEADERS if export else _HEADERS if body is None else {**_HEADERS, **content}
        proxy = self.settings.proxy if self.settings.proxy and self.settings.proxy.serves(url) else None
        if not (self._connector is None or export or proxy or is_watched(session)):
            return exchange(
                session, self._connector, method, url, data, headers=headers, token=token, attempt=attempt
            )
        timeouts = NO_LIMITS
        if self._borrowed:
            # A caller's pool does not tell when it hands out a connection: the nearest that aiohttp offers.
            timeouts = aiohttp.ClientTimeout(
                total=None, sock_connect=attempt.connect_timeout, sock_read=attempt.timeout
            )
        elif export:
            session = self._for_exports()
        return session.request(
            method,
            url,
            data=data,
            headers=headers,
            timeout=timeouts,
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=False,
            **HEAD_LIMITS,
            middlewares=(Guard(token, attempt),),
            proxy=proxy.url if proxy else None,
            proxy_headers={"Proxy-Authorization": proxy.authorization.reveal()}
            if proxy and proxy.authorization
            else None,
        )

    async def _answer(self, response: aiohttp.ClientResponse, url: URL, attempt: Attempt) -> Answer:
        """Read the body of an ordinary response, decompressed and limited in size."""
        headers = response.headers
        success = 200 <= response.status < 300
        limit = self.settings.max_response_bytes if success else _ERROR_BODY
        body = bytearray()
        too_long = begun = garbled = False
        cut: TransportError | None = None
        content = response.content
        try:
            encoding = content_encoding(response)
            inflater = Inflater(encoding) if encoding else None
            while not (too_long or content.at_eof()) and (data := await next_piece(content)):
                begun = True
                for piece in (data,) if inflater is None else inflater.feed(data):
                    body += piece
                    if too_long := len(body) > limit:
                        break
            if begun and inflater is not None and not (too_long or inflater.ended):
                reason = "the compressed response is truncated"
                cut = TransportError(reason, method=response.method, url=str(url))
        except BodyEncodingError as error:
            reason = self.settings.token.redact(str(error))
            cut, garbled = TransportError(reason, method=response.method, url=str(url)), True
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cut = self.lost(error, attempt, response.method, str(url)).error
        finally:
            # If the body was read to its end, its connection is back in the pool.
            if response.connection is not None:
                response.close()
        data = bytes(body[:limit] if too_long else body)
        if not success:
            # A service that echoes the request in its error could put the token into our exception.
            data = self.settings.token.redact_bytes(data)
        return Answer(response.status, headers, data, url, cut, too_long and success, garbled)

    async def _attempt(
        self,
        method: str,
        url: URL,
        body: bytes | None = None,
        *,
        content: Mapping[str, str] = _NO_CONTENT,
        timeout: float,
        authorize: bool,
        export: bool,
        on_send: Callable[[], None],
    ) -> Answer | Download | Lost:
        if self.closed:
            raise ClientClosedError
        self.bind()
        attempt = Attempt(self._deadlines, self.settings.connect_timeout, timeout)
        response: aiohttp.ClientResponse | None = None
        outcome: Answer | Download | Lost
        try:
            with attempt:
                async with _NO_LIMIT if export else self._places:
                    if not self.pacer.free:
                        await self.pacer.turn()
                    session = self._ready()
                    on_send()
                    if self._borrowed and self.open_exports:
                        self._deadlines.limit(attempt, self.settings.export_timeout)
                    try:
                        response = await self._respond(
                            session,
                            method,
                            url,
                            body,
                            content=content,
                            attempt=attempt,
                            authorize=authorize,
                            export=export,
                        )
                    except (aiohttp.ClientError, OSError, ValueError, BrokenError) as error:
                        outcome = self.lost(error, attempt, method, str(url))
                    else:
                        attempt.connected()
                        if export and 200 <= response.status < 300:
                            outcome = Download(self, response, attempt)
                            self.open_exports += 1
                        else:
                            outcome = await self._answer(response, url, attempt)
        except TimeoutError:
            outcome = self._timed_out(attempt, method, str(url), response)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling() or not self._taken_away():
                # aiohttp's frames hold what it was sending: the head of the request with the token in it.
                raise error.with_traceback(None)  # noqa: B904
            # Nobody cancelled this call: closing a session cancels the requests that wait in it.
            outcome = Lost(TransportError("the session was closed", method=method, url=str(url)), sent=False)
        finally:
            response = None  # its repr, in a traceback with local variables, would show headers
        if not (isinstance(outcome, Answer) and outcome.cut is None) and self._taken_away():
            self._ready()  # raises, and says why
        return outcome

    def _taken_away(self) -> bool:
        return self.closed or (self._session is not None and self._session.closed)

    def _timed_out(
        self, attempt: Attempt, method: str, url: str, response: aiohttp.ClientResponse | None
    ) -> Answer | Lost:
        if attempt.phase is Phase.CONNECTING:
            reason = f"no connection within {attempt.connect_timeout:g} s"
            return Lost(ConnectTimeoutError(reason, method=method, url=url), sent=False)
        if attempt.phase is Phase.WAITING:
            reason = (
                f"no response within {self.settings.export_timeout:g} s: {self.open_exports} open exports hold"
                " connections of the session given to this client, whose pool may have none left"
            )
            return Lost(RequestTimeoutError(reason, method=method, url=url), sent=True)
        late = RequestTimeoutError(f"no complete response within {attempt.timeout:g} s", method=method, url=url)
        if response is None:
            return Lost(late, sent=True)
        return Answer(response.status, response.headers, b"", url, late)

    def send(
        self,
        method: str,
        url: URL,
        body: bytes | None,
        *,
        content: Mapping[str, str],
        timeout: float,
        on_send: Callable[[], None],
    ) -> Awaitable[Answer | Lost]:
        """Send one request once, when it is its turn.

        Args:
            method: the HTTP method.
            url: the encoded URL.
            body: the body, or None.
            content: the headers that describe the body.
            timeout: seconds from acquiring a connection to the last byte of the response.
            on_send: called when it is the turn of the request.

        Returns:
            The outcome; never an exception of aiohttp.

        Raises:
            ClientClosedError: the client was closed before or during the call.
            WrongEventLoopError: the client belongs to another event loop.
        """
        attempt = self._attempt(
            method,
            url,
            body,
            content=content,
            timeout=timeout,
            authorize=True,
            export=False,
            on_send=on_send,
        )
        # Only exports are left open.
        return cast("Awaitable[Answer | Lost]", attempt)

    async def open(self, url: URL, *, authorize: bool, on_send: Callable[[], None]) -> Answer | Download | Lost:
        """Request an export once: return an open response for a success, else the same as `send`.

        Raises:
            ClientClosedError: the client was closed before or during the call.
            WrongEventLoopError: the client belongs to another event loop.
        """
        return await self._attempt(
            "GET",
            url,
            timeout=self.settings.export_timeout,
            authorize=authorize,
            export=True,
            on_send=on_send,
        )

    async def sleep(self, seconds: float) -> None:
        """Wait, or stop waiting when the client is closed.

        Raises:
            ClientClosedError: the client was closed.
        """
        if self.closed:
            raise ClientClosedError
        with suppress(TimeoutError), Attempt(self._deadlines):
            await self.clock.sleep(seconds)
        if self.closed:
            raise ClientClosedError

    async def aclose(self) -> None:
        """Close the client; calls in progress raise `ClientClosedError`. Safe to call more than once."""
        if self.closed:
            return
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            raise WrongEventLoopError("close this client on the event loop on which it was used")
        self.closed = True
        self._deadlines.end_all()
        try:
            if self._session is not None and not self._borrowed:
                await self._session.close()
        finally:
            if self._export_session is not None:
                await self._export_session.close()
