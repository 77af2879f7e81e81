"""Every error that there is, made to happen, by services that say back what they were told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import pytest
from acceptance.hostile import FAST, Hostile, Raw, answer, cut, drop, free_port, hang, head
from acceptance.test_secrets import KEY

from scarf_async import BulkPlan, OrganizationUpsert, Scarf, ScarfError

__all__ = ["errors_of_calls", "errors_of_exports", "errors_of_files"]

Call = Callable[[Scarf], Awaitable[object]]

RANGE: Final = ("2024-01-01", "2024-01-03")
ACME: Final = OrganizationUpsert(name="acme", description="", billing_email="")
ONCE: Final = attrs.evolve(FAST, attempts=1)
ECHO: Final = f"Bearer {KEY}".replace('"', '""')
"""The token as a CSV spells it."""
ROW: Final = "x,2024-01-01T00:00:00Z"
NAMES: Final = ("302", "400", "401", "403", "404", "409", "418", "422", "429", "500", "home", "..")
"""Organizations: `reflect` answers with the status that the name is; none with an organization."""
BODIES: Final = {
    "a value that is not a number": f'type,time,origin_latitude\n{ROW},"{ECHO}"\n',
    "a column that is there twice": f'type,time,"{ECHO}","{ECHO}"\n',
    "a record that is too long": f"type,time\n{'x' * 99}{ROW}\n",
    "a page": f"<html>{ECHO}</html>",
    "a record without its end": f'type,time\n{ROW}\n"{ECHO}',
}


def client(url: str) -> Scarf:
    """Return a client that tries once."""
    return Scarf(KEY, base_url=url, v2_url=url, retry=ONCE, timeout=0.05, connect_timeout=0.05, max_record_bytes=90)


async def failure(scarf: Scarf, call: Call) -> ScarfError:
    """Return the error that a call ends with."""
    with pytest.raises(ScarfError) as caught:
        await call(scarf)
    return caught.value


async def get(scarf: Scarf, name: str = "home") -> object:
    """Read an organization."""
    return await scarf.organizations.get(name)


async def create(scarf: Scarf) -> object:
    """Create one."""
    return await scarf.organizations.create(ACME)


async def read(scarf: Scarf) -> object:
    """Read an export."""
    async with scarf.exports.pixel_events(*RANGE) as events:
        return [event async for event in events]


async def read_twice(scarf: Scarf) -> object:
    """Read a stream a second time."""
    async with scarf.exports.pixel_events(*RANGE) as events:
        return [aiter(events), aiter(events)]


async def read_late(scarf: Scarf) -> object:
    """Read a stream after its block."""
    async with scarf.exports.pixel_events(*RANGE) as events:
        rows = aiter(events)
    return await anext(rows)


async def reflect(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with the status that the path names, and say the token back in every place that a response has."""
    while request := await raw.request(reader):
        status = request.split()[1].rpartition(b"/")[2].decode()
        words = f"Bearer {KEY}".replace("\\", "\\\\").replace('"', '\\"')
        body = f'{{"message": "you sent {words}", "code": "{words}"}}'.encode()
        line = f"{status if status.isdigit() else 200} Bearer {KEY}"
        writer.write(head(line, [f"X-Echo: Bearer {KEY}", "Retry-After: 0"], length=len(body)) + body)
        await writer.drain()


async def errors_of_calls() -> list[ScarfError]:
    """Return the errors of plain calls."""
    async with Raw(reflect) as raw, client(raw.url) as scarf:
        errors = [await failure(scarf, partial(get, name=name)) for name in NAMES]
        errors.append(await failure(scarf, read))
        errors.append(await failure(scarf.with_options(read_only=True), create))
        errors.append(await asyncio.to_thread(lambda: asyncio.run(failure(scarf, get))))
        await scarf.aclose()
        errors.append(await failure(scarf, get))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for url in (f"http://127.0.0.1:{free_port()}", f"https://127.0.0.1:{silent.getsockname()[1]}"):
            async with client(url) as scarf:
                errors.append(await failure(scarf, get))
    async with Hostile() as hostile, client(hostile.url) as scarf:
        hostile.on("GET", "*", drop(), hang(), cut(), answer(500), answer(500))
        hostile.on("POST", "*", answer(503), answer(204))
        errors += [await failure(scarf, call) for call in (get, get, get, create, create)]
    return errors


async def errors_of_exports() -> list[ScarfError]:
    """Return the errors of streams."""
    errors = []
    for body in BODIES.values():
        async with Raw(head(length=len(body)) + body.encode()) as raw, client(raw.url) as scarf:
            errors.append(await failure(scarf, read))
    body = f"type,time\n{ROW}\n"
    async with Raw(head(length=len(body)) + body.encode()) as raw, client(raw.url) as scarf:
        errors += [await failure(scarf, call) for call in (read_twice, read_late)]
    return errors


async def errors_of_files(scarf: Scarf, journal: Path) -> list[ScarfError]:
    """Return the errors of another plan's journal, and of a guard."""
    plan = BulkPlan()
    plan.remove_member("acme", "ann")
    pulled = await scarf.manifests.pull("acme")
    empty = attrs.evolve(pulled, organizations=(attrs.evolve(pulled.organizations[0], members={}),))
    changes = await scarf.manifests.diff(empty, prune=True)
    return [
        await failure(scarf, lambda scarf: scarf.bulk.run(plan, journal=journal)),
        await failure(scarf, lambda scarf: scarf.manifests.apply(changes, max_removals=0)),
    ]
