"""A server that cannot be reached: what is said while the command waits, and at its end."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from scarf_async.cli.telling import Teller
from scarf_async.emulator import Emulator
from scarf_async.emulator.faults import FaultRule
from scarf_async.events import RetryScheduled
from scarf_async.http.connector import as_lost
from scarf_async.http.deadlines import Attempt, Deadlines

from .shell import TOKEN, environment, invoke, of, server_of

GET = ("orgs", "get", "acme")


@pytest.fixture
def nowhere() -> str:
    """Return the host and port of nobody."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An empty server."""
    async with Emulator(token=TOKEN) as emulator:
        yield emulator


async def test_each_retry_is_a_line(nowhere: str) -> None:
    """While the command waits, and its error says in plain words why there is no connection."""
    done = await invoke(*GET, "--retries", "2", env=environment(f"http://{nowhere}/api/v1"))
    first, second, error = done.err.splitlines()
    assert first.startswith(f"no connection to {nowhere}; retry 1 of 2 in 0.")
    assert second.startswith(f"no connection to {nowhere}; retry 2 of 2 in ")
    assert error == (
        f"scarf-async: GET http://{nowhere}/api/v1/organizations/acme: no connection to {nowhere}: connection"
        " refused; check the URL, and that the server is running (3 attempts)"
    )
    assert done.status == 1


async def test_a_deadline_ends_a_command(nowhere: str) -> None:
    """A server that takes connections and never answers, and retries of one that is not there."""
    async with server_of(b"") as (silent, _):
        for url in (silent, f"http://{nowhere}"):
            done = await invoke(*GET, "--deadline", "0.2", env=environment(f"{url}/api/v1"))
            assert done.status == 1
            assert "not finished within --deadline 0.2 s" in done.err.splitlines()[-1]


async def test_every_request_is_told_on_request(emulator: Emulator) -> None:
    """With -v; without it a command that works says nothing."""
    emulator.faults.add(FaultRule("GET", "*", 1, 503))
    told = await invoke("orgs", "get", "emulator-user", "-v", "--retries", "1", env=of(emulator))
    lines = told.err.splitlines()
    assert lines[0] == "GET /organizations/{organization}: attempt 1 starts"
    assert any(line.startswith("the service answered with status 503; retry 1 of 1 in ") for line in lines)
    assert lines[-1].startswith("scarf-async: ")
    assert (await invoke("packages", "list", env=of(emulator))).err == ""


async def test_https_of_a_server_that_speaks_http(emulator: Emulator) -> None:
    """The message says what the address should begin with."""
    url = emulator.url.replace("http:", "https:")
    done = await invoke(*GET, "--retries", "0", env=environment(url))
    assert "the TLS handshake failed" in done.err
    assert "its URL begins with http://" in done.err


def test_a_name_that_is_not_known() -> None:
    """The message names it, and nothing of how we tried."""
    key = ConnectionKey("scarf.example", 443, True, True, None, None, None)
    error = aiohttp.ClientConnectorDNSError(key, OSError(None, "Could not contact DNS servers"))
    lost = as_lost(error, Attempt(Deadlines()), "GET", "https://scarf.example")
    assert str(lost.error).startswith(
        "GET https://scarf.example: no connection to scarf.example:443: the name cannot be resolved"
    )


def test_requests_that_fail_alike_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a bulk run, whose attempts are not counted."""
    tell = Teller(verbose=False)
    for attempt in range(1, 33):
        tell(
            RetryScheduled(
                endpoint="PUT /x", attempt=attempt, delay=0.0, reason="status 503", detail="refused: 503"
            )
        )
    assert capsys.readouterr().err == "refused; trying again\n"
