"""What a hook is told, over sockets: in whose task, how it ends, and that nothing secret is in it."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import attrs
import pytest

from scarf_async import (
    ClientClosedError,
    NotFoundError,
    OrganizationUpsert,
    PackageUpsert,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
    Scarf,
    ScarfEvent,
    StreamFinished,
    Throttled,
)
from scarf_async.emulator import Emulator, Faults
from scarf_async.testing import FAST, no_waiting, script_faults

ACME = OrganizationUpsert(name="acme", description="a secret plan", billing_email="pay@acme.example")
FILE = PackageUpsert(name="tool", short_description="a secret tool", library_type="file")
KINDS = (RequestStarted, RequestFinished, RetryScheduled, Throttled, StreamFinished)

caller: ContextVar[str] = ContextVar("caller")


def client(emulator: Emulator, events: list[ScarfEvent]) -> Scarf:
    """Return a client of the emulator whose events are collected."""
    return Scarf(emulator.token, base_url=emulator.url, v2_url=emulator.v2_url, retry=FAST, on_event=events.append)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_is_frozen(kind: type[ScarfEvent]) -> None:
    """A hook cannot change what the next one is told."""
    fields = {field.name: None for field in attrs.fields(kind) if field.default is attrs.NOTHING}
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        kind(**fields).endpoint = "other"  # type: ignore[arg-type,misc] # that it is refused is the point


async def test_no_event_shows_a_secret(scarf_emulator: Emulator) -> None:
    """Neither the token nor a body is in any kind of event."""
    events: list[ScarfEvent] = []
    script_faults(scarf_emulator, "POST", "/organizations", 429, "drop_after", retry_after=1)
    with no_waiting():
        async with client(scarf_emulator, events) as scarf:
            await scarf.organizations.create(ACME)
            tool = await scarf.packages.create(FILE, "acme")
            async with scarf.exports.package_events("acme", tool.uuid, "2024-01-01", "2024-01-02") as stream:
                assert [row async for row in stream]
    assert {type(event) for event in events} == set(KINDS)
    for event in events:
        assert scarf_emulator.token not in repr(event)
        assert "secret" not in repr(event)


async def test_concurrent_calls_are_told_in_their_own_context(scarf_emulator: Emulator) -> None:
    """Each event of a call sees the context of its caller, retries included, however many run at once."""
    told: list[tuple[str, str]] = []

    def hook(event: ScarfEvent) -> None:
        if isinstance(event, RequestFinished):
            told.append((caller.get(), event.url.rpartition("/")[2]))

    async def call(name: str) -> None:
        caller.set(name)
        with pytest.raises(NotFoundError):
            await scarf.organizations.get(name)

    scarf_emulator.faults = Faults(status={503: 0.3})
    scarf = Scarf(scarf_emulator.token, base_url=scarf_emulator.url, retry=FAST, on_event=hook)
    async with scarf, asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(call(f"org-{number}"))
    assert len(told) == len(scarf_emulator.requests) > 20
    assert [context for context, name in told if context != name] == []


@pytest.mark.parametrize("export", [False, True])
async def test_a_cancelled_call_is_told_to_its_end(scarf_emulator: Emulator, export: bool) -> None:
    """A call that its caller gave up on has ended: with the name of the error and no status."""
    events: list[ScarfEvent] = []
    script_faults(scarf_emulator, "GET", "*", "hang")
    async with client(scarf_emulator, events) as scarf:
        call = scarf.exports.user_aggregates("ann", "2024-01-01", "2024-01-02").__aenter__
        task = asyncio.create_task(call() if export else scarf.organizations.get("acme"))
        await scarf_emulator.wait_until(lambda requests: len(requests) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    started, finished = events
    assert isinstance(started, RequestStarted)
    assert isinstance(finished, RequestFinished)
    assert (finished.attempt, finished.status, finished.error) == (1, None, "CancelledError")
    assert finished.url.startswith(scarf_emulator.url)


async def test_closing_the_client_ends_what_was_begun(scarf_emulator: Emulator) -> None:
    """So is a call whose client was closed; one that had not been sent yet counts no attempt."""
    events: list[ScarfEvent] = []
    script_faults(scarf_emulator, "GET", "*", "hang")
    scarf = Scarf(scarf_emulator.token, base_url=scarf_emulator.url, max_connections=1, on_event=events.append)
    calls = [asyncio.create_task(scarf.organizations.get(name)) for name in ("sent", "waiting")]
    await scarf_emulator.wait_until(lambda requests: len(requests) == 1)
    await scarf.aclose()
    assert {type(error) for error in await asyncio.gather(*calls, return_exceptions=True)} == {ClientClosedError}
    ended = {event.url: event for event in events if isinstance(event, RequestFinished)}
    assert {url.rpartition("/")[2]: event.attempt for url, event in ended.items()} == {"sent": 1, "waiting": 0}
    assert {event.error for event in ended.values()} == {"ClientClosedError"}
