"""Calls go past aiohttp's session, unless something watches it: telemetry, a recorder, the mock of a test."""

from __future__ import annotations

from collections.abc import Callable
from functools import partialmethod
from typing import Any

import aiohttp
import pytest
from acceptance.hostile import Raw, connect, head

from scarf_async import Role, Scarf
from scarf_async.http import exchange

_BODY = b'{"username":"ann","role":"member"}'
_Watch = Callable[[pytest.MonkeyPatch, list[str]], None]


async def _calls(scarf: Scarf) -> None:
    for role in (Role.MEMBER, Role.ADMIN):
        await scarf.members.upsert("acme", "ann", role)
    await scarf.members.remove("acme", "ann")


def _trace(patch: pytest.MonkeyPatch, seen: list[str]) -> None:
    """Do as the instrumentation of telemetry: every session from now on has a tracer."""

    async def started(_: aiohttp.ClientSession, __: object, request: aiohttp.TraceRequestStartParams) -> None:
        seen.append(request.method)

    tracer = aiohttp.TraceConfig()
    tracer.on_request_start.append(started)
    patch.setattr(
        aiohttp.ClientSession, "__init__", partialmethod(aiohttp.ClientSession.__init__, trace_configs=[tracer])
    )


def _record(patch: pytest.MonkeyPatch, seen: list[str]) -> None:
    """Do as recorders and mocks: what sends the requests of all sessions is replaced."""
    sends = aiohttp.ClientSession._request

    async def record(session: aiohttp.ClientSession, method: str, *rest: Any, **more: Any) -> Any:
        seen.append(method)
        return await sends(session, method, *rest, **more)

    patch.setattr(aiohttp.ClientSession, "_request", record)


@pytest.mark.parametrize("watch", [_trace, _record])
async def test_who_watches_the_session_sees_every_call(watch: _Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watched session sends every call, and what it sends says the same as what is sent past it."""
    seen: list[str] = []
    async with Raw(head(length=len(_BODY)) + _BODY) as raw:
        async with connect(raw) as scarf:
            await _calls(scarf)
        past, raw.requests = raw.requests, []
        watch(monkeypatch, seen)
        async with connect(raw) as scarf:
            await _calls(scarf)
    assert [sent.split(b" ")[0].decode() for sent in past] == seen == ["POST", "POST", "DELETE"]
    assert [sorted(sent.split(b"\r\n")) for sent in past] == [sorted(sent.split(b"\r\n")) for sent in raw.requests]


async def test_a_recorder_that_comes_later_sees_the_calls_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose session is open already is watched as well."""
    seen: list[str] = []
    async with Raw(head(length=len(_BODY)) + _BODY) as raw, connect(raw) as scarf:
        await _calls(scarf)
        _record(monkeypatch, seen)
        await _calls(scarf)
    assert seen == ["POST", "POST", "DELETE"]


@pytest.mark.parametrize(
    ("version", "known"), [("3.12.0", True), ("3.14.5", True), ("3.99.0", False), ("4.0.0a1", False)]
)
def test_an_unknown_aiohttp_sends_by_its_session(
    version: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a session does is left out only for versions of aiohttp that are known to do just that."""
    monkeypatch.setattr(aiohttp, "__version__", version)
    assert (exchange._as_shipped() is not None) is known


def test_a_library_that_was_first_is_left_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """What had been replaced before this package was imported is not taken for aiohttp's own."""
    _record(monkeypatch, [])
    assert exchange._as_shipped() is None
