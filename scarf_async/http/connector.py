"""Customizes aiohttp's client: the connector and middleware of requests, and the meaning of its errors.

aiohttp itself retries GET, PUT and DELETE when a connection breaks, and has no option to disable that. So the
middleware of each request turns such errors into one that aiohttp does not know. It also adds the token: in
`headers=`, it would be in the frame locals of every traceback through aiohttp.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
import os
import ssl
from contextvars import ContextVar
from functools import partial, partialmethod
from typing import Final, TypedDict

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.tracing import Trace

from scarf_async.errors import ConnectFailedError, ConnectTimeoutError, RequestTimeoutError, TransportError
from scarf_async.http.deadlines import Attempt, Phase
from scarf_async.http.inflate import BodyEncodingError
from scarf_async.protocol.messages import Lost
from scarf_async.settings import Secret

__all__ = [
    "HEAD_LIMITS",
    "NO_LIMITS",
    "BrokenError",
    "Connector",
    "Guard",
    "RequestBody",
    "as_lost",
    "authorize",
    "next_piece",
]

_PIECE: Final = 2**16
_LONGEST_LINE: Final = 2**16
_MOST_HEADERS: Final = 512
_NOT_HTTP: Final = (
    "the response cannot be parsed: its head is not HTTP, has a line of more than 64 KiB or more than about"
    f" {_MOST_HEADERS} headers, or the chunks of its body are broken; a proxy on the way to the service may have"
    " changed it"
)
_BROKEN_FRAMING: Final = (
    "the framing of the body cannot be parsed: its chunks or their trailer are broken; a proxy on the way to the"
    " service may have changed it"
)
_UNKNOWN_AUTHORITY: Final = frozenset({18, 19, 20, 21})
"""OpenSSL's verification errors for a chain that does not end in a trusted certificate."""


class HeadLimits(TypedDict, total=False):
    """The arguments of a request that limit the size of the response head."""

    max_line_size: int
    max_field_size: int
    max_headers: int


HEAD_LIMITS: Final = HeadLimits(max_line_size=_LONGEST_LINE, max_field_size=_LONGEST_LINE)
if "max_headers" in inspect.signature(aiohttp.ClientSession).parameters:  # from 3.14 on
    # aiohttp's parser in Python counts the status line and the blank line too.
    HEAD_LIMITS["max_headers"] = _MOST_HEADERS + 2

NO_LIMITS: Final = aiohttp.ClientTimeout(total=None)

_current_attempt: ContextVar[Attempt | None] = ContextVar("scarf_async_attempt", default=None)


class _Handler(ResponseHandler):
    """Parses responses. If a body becomes unreadable, it tells the reader, which aiohttp leaves waiting.

    Attributes:
        used: whether a request has had its connection.
    """

    used: bool = False

    # The response of a proxy to CONNECT is read without the limits of the request.
    set_response_params = partialmethod(ResponseHandler.set_response_params, **HEAD_LIMITS)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Fail the response and its body."""
        payload = self._payload
        super().set_exception(exc, *cause)
        if isinstance(exc, HttpProcessingError) and payload is not None and not payload.is_eof():
            payload.set_exception(BodyEncodingError(_BROKEN_FRAMING))
            # Otherwise the end of the connection, which follows, would seem to end the body.
            self._payload = None


async def next_piece(content: aiohttp.StreamReader) -> bytes:
    """Return the next piece of a body, `b""` at its end.

    Raises:
        BodyEncodingError: its framing cannot be parsed.
    """
    try:
        # Most responses are complete by now: nothing needs to wait.
        return content.read_nowait() if content.is_eof() else await content.readany()
    except HttpProcessingError:  # from aiohttp's Python parser, which does tell the reader
        pass
    raise BodyEncodingError(_BROKEN_FRAMING)


class Connector(aiohttp.TCPConnector):
    """Tells the current attempt when it starts to connect and when it has a connection.

    The pool has no limit: the transport admits no more requests than connections are allowed, so that waiting for a
    connection does not count towards a timeout.
    """

    def __init__(self, *, ssl: ssl.SSLContext | bool, force_close: bool = False) -> None:
        super().__init__(limit=0, ssl=ssl, force_close=force_close)
        handler: type[ResponseHandler] = _Handler
        self._factory = partial(handler, loop=asyncio.get_running_loop())

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        """Return a connection for a request of the session; see `lend`."""
        attempt = _current_attempt.get()
        if attempt is None:
            return await super().connect(req, traces, timeout)
        return await self.lend(req, traces, timeout, attempt)

    async def lend(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout, attempt: Attempt
    ) -> aiohttp.connector.Connection:
        """Return a connection that is new, or received nothing while it was idle."""
        attempt.connecting()
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if not isinstance(protocol, _Handler):
                break
            if not (protocol.used and protocol.should_close):
                protocol.used = True
                break
            # It received something while idle, which would be taken for the response.
            connection.close()
        attempt.connected()
        return connection


class RequestBody(aiohttp.Payload):
    """The body of a request: written in pieces, once there is a connection."""

    def __init__(self, body: bytes, attempt: Attempt) -> None:
        super().__init__(body, content_type="application/json")
        self._body = body
        self._attempt = attempt

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return len(self._body)

    @property
    def autoclose(self) -> bool:
        """Nothing to close."""
        return True

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return self._body.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body."""
        self._attempt.connected()
        for at in range(0, self.size, _PIECE):
            if at:
                # A long body must not block the event loop.
                await asyncio.sleep(0)
            await writer.write(self._body[at : at + _PIECE])


class BrokenError(Exception):
    """An error of aiohttp in a form that it does not retry."""

    def __init__(self, error: aiohttp.ClientError | OSError) -> None:
        super().__init__()
        self.error = error


def authorize(request: aiohttp.ClientRequest, token: Secret | None) -> None:
    """Add the token to a request, or remove one that a caller's session may have added."""
    if token is not None:
        request.headers["Authorization"] = f"Bearer {token.reveal()}"
    else:
        request.headers.pop("Authorization", None)


class Guard:
    """The middleware of a request."""

    def __init__(self, token: Secret | None, attempt: Attempt) -> None:
        self._token = token
        self._attempt = attempt

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Add the token, and wrap errors."""
        authorize(request, self._token)
        context = _current_attempt.set(self._attempt)
        try:
            return await handler(request)
        except (aiohttp.ClientError, OSError) as error:
            broken = BrokenError(error)
        finally:
            _current_attempt.reset(context)
        raise broken


def _mistrust(error: Exception) -> str:
    """Return why a certificate is invalid, and what to do about it."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return f"no connection: {error}"
    help_ = "if you trust its issuer, pass the issuer's certificate (PEM) as ca_file"
    if error.verify_code not in _UNKNOWN_AUTHORITY:
        help_ = "check the URL, the server's certificate, and this machine's clock"
    return f"no connection: the server's certificate is invalid: {error.verify_message.rstrip('.')}; {help_}"


def _unreachable(error: aiohttp.ClientConnectorError) -> str:
    """Return why there is no connection, and what to do about it."""
    host = f"[{error.host}]" if ":" in error.host else error.host
    cause = error.os_error
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        why = "the name cannot be resolved; check the address, and this machine's network and DNS"
    elif isinstance(error, aiohttp.ClientConnectorSSLError):
        why = f"the TLS handshake failed ({cause}); if the server uses plain http, its URL begins with http://"
    elif cause.errno == errno.ECONNREFUSED:
        why = "connection refused; check the URL, and that the server is running"
    else:
        why = os.strerror(cause.errno) if cause.errno else str(cause)
    return f"no connection to {host}:{error.port}: {why}"


def as_lost(error: Exception, attempt: Attempt, method: str, url: str) -> Lost:
    """Convert an aiohttp error to ours, and tell whether the request may have been sent."""
    kind: type[TransportError]
    unreadable = isinstance(error, aiohttp.ClientResponseError)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        kind, reason, sent = ConnectTimeoutError, f"no connection within {attempt.connect_timeout:g} s", False
    elif isinstance(error, aiohttp.ClientHttpProxyError):
        hint = "; add a user and password that it accepts to its URL" if error.status == 407 else ""
        kind, reason, sent = ConnectFailedError, f"the proxy refused with status {error.status}{hint}", False
    elif isinstance(error, aiohttp.ClientConnectorCertificateError):
        kind, reason, sent = ConnectFailedError, _mistrust(error.certificate_error), False
    elif isinstance(error, aiohttp.ClientConnectorError):
        kind, reason, sent = ConnectFailedError, _unreachable(error), False
    elif attempt.phase is Phase.CONNECTING:
        # Do not quote a proxy's broken response: it may repeat the user and password for the proxy.
        words = "the proxy's response to CONNECT cannot be read" if unreadable else str(error)
        kind, reason, sent = ConnectFailedError, f"no connection: {words}", False
    elif isinstance(error, TimeoutError):
        kind, reason, sent = RequestTimeoutError, f"no data for {attempt.timeout:g} s", True
    elif unreadable:
        kind, reason, sent = TransportError, _NOT_HTTP, True
    else:
        # Use only the first line: others may quote the response. For a partial head, `message` is not a string.
        message = getattr(error, "message", None) or str(error) or type(error).__name__
        words = message if isinstance(message, str) else "the connection was closed within the response head"
        words = words.splitlines()[0].rstrip(":")
        kind, reason, sent = TransportError, f"no complete response: {words}", True
    # Retrying does not help with an invalid certificate, a rejected password or a response that is not HTTP.
    if isinstance(error, aiohttp.ClientHttpProxyError):
        hopeless = error.status in {401, 403, 407}
    else:
        hopeless = isinstance(error, aiohttp.ClientConnectorCertificateError) or (unreadable and not sent)
    return Lost(kind(reason, method=method, url=url), sent=sent, hopeless=hopeless, answered=unreadable and sent)
