"""Every call of the SDK against the emulator, and what was seen of it on both sides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from unittest.mock import patch

import attrs
from test_call_table import PACKAGE_UPSERT, ROWS, UUID

from scarf_async import PermissionSet, RetryPolicy, Scarf, ScarfError
from scarf_async.emulator import Emulator, ReceivedRequest
from scarf_async.protocol.messages import Endpoint, Request

from .derived import Sent

__all__ = ["Seen", "send_everything"]

_DAYS = ("2024-01-01", "2024-01-03")


@attrs.frozen
class Seen:
    """What the calls built, by the name of the endpoint, and what arrived."""

    sent: Mapping[str, Sent]
    received: list[ReceivedRequest]


async def _call_everything(scarf: Scarf) -> None:
    """Each call of the table, and each export. That most of them find nothing does not change what is sent."""
    calls = [row.call for row in ROWS]
    calls.append(lambda scarf: scarf.permissions.set(UUID, [PermissionSet("ann", "blocked")]))
    calls.append(lambda scarf: scarf.packages.create(attrs.evolve(PACKAGE_UPSERT, website=None), "acme"))
    for call in calls:
        with suppress(ScarfError):
            await call(scarf)
    for export in (
        scarf.exports.organization_aggregates("acme", *_DAYS),
        scarf.exports.user_aggregates("ann", *_DAYS),
        scarf.exports.package_events("acme", UUID, *_DAYS),
        scarf.exports.package_events(None, UUID, *_DAYS),
        scarf.exports.pixel_events(*_DAYS),
    ):
        with suppress(ScarfError):
            async with export:
                pass


async def send_everything() -> Seen:
    """Make every call once, without resending."""
    sent: defaultdict[str, Sent] = defaultdict(Sent)
    build = Endpoint.request

    def watched(
        endpoint: Endpoint[object], body: object = None, *, query: Mapping[str, str] | None = None, **values: str
    ) -> Request[object]:
        if isinstance(body, list):
            sent[endpoint.name].bodies.update(list[type(item)] for item in body)  # type: ignore[misc] # at run time
        elif body is not None:
            sent[endpoint.name].bodies.add(type(body))
        sent[endpoint.name].queries.update(query or ())
        return build(endpoint, body, query=query, **values)

    async with Emulator() as emulator:
        with patch.object(Endpoint, "request", watched):
            async with Scarf(emulator.token, base_url=emulator.url, retry=RetryPolicy(attempts=1)) as scarf:
                await _call_everything(scarf)
        return Seen(sent, emulator.requests)
