"""One request and the head of its answer by aiohttp's own parts, without the session around them.

`ClientSession.request` also prepares redirects, cookies, traces, timeouts and retries, none of which this client
lets it do: an eighth of the processor time of a call. Where something watches the session, all goes through it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import FunctionType
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from scarf_async.http.connector import HEAD_LIMITS, NO_LIMITS, Connector, RequestBody, authorize
from scarf_async.http.deadlines import Attempt
from scarf_async.settings import Secret

__all__ = ["exchange", "is_watched"]

_TRIED: Final = frozenset({"3.12", "3.13", "3.14"})
"""Versions of aiohttp whose session does just this; any other one is left to know better."""


def _as_shipped() -> object:
    """Return what sends a session's requests; None where it is not known, or where something has replaced it."""
    sends = aiohttp.ClientSession._request  # noqa: SLF001 # what recorders, mocks and tracers replace
    if aiohttp.__version__.rpartition(".")[0] not in _TRIED or type(sends) is not FunctionType:
        return None
    return sends if sends.__globals__ is vars(aiohttp.client) else None


_AS_SHIPPED: Final = _as_shipped()


def is_watched(session: aiohttp.ClientSession) -> bool:
    """Return whether something may expect requests in a session: a tracer, a recorder or the mock of a test."""
    sends = aiohttp.ClientSession._request  # noqa: SLF001 # as above
    return sends is not _AS_SHIPPED or bool(session.trace_configs)


async def exchange(
    session: aiohttp.ClientSession,
    connector: Connector,
    method: str,
    url: URL,
    body: RequestBody | None,
    *,
    headers: Mapping[str, str],
    token: Secret | None,
    attempt: Attempt,
) -> aiohttp.ClientResponse:
    """Send a request once; return the head of its response with the body unread.

    Raises:
        aiohttp.ClientError: there is no connection, or no response came.
        OSError: as before.
    """
    request = aiohttp.ClientRequest(
        method, url, headers=headers, data=body, loop=asyncio.get_running_loop(), session=session, traces=[]
    )
    authorize(request, token)
    connection = await connector.lend(request, [], NO_LIMITS, attempt)
    try:
        protocol = connection.protocol
        assert protocol is not None  # noqa: S101 # it was just lent
        # Past the handler's own, which is for the answers of proxies: a partial method takes a fortieth of a call.
        ResponseHandler.set_response_params(
            protocol, skip_payload=method == "HEAD", read_until_eof=True, auto_decompress=False, **HEAD_LIMITS
        )
        response = await request.send(connection)
        try:
            return await response.start(connection)
        except BaseException:
            response.close()
            raise
    except BaseException:
        connection.close()
        raise
