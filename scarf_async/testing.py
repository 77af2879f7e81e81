"""Help for tests: a pytest plugin, scripted faults, a log of calls, and a clock that does not wait.

With `pytest_plugins = ["scarf_async.testing"]` in the root `conftest.py`, tests can use these fixtures:

- `scarf_emulator`: a new local Scarf server with an in-memory database; see `scarf_async.emulator.Emulator`.
- `scarf_quirks`: the `Quirks` of that server. Parametrize or override it to test your code where the behaviour of
  the real service is unknown.
- `scarf`: an open client of it that calls v1 and retries fast. If you override `scarf_emulator`, for example with
  other users, it uses your fixture.
- `scarf_v2`: the same for v2, with the user of the emulator as its owner. A test can use both clients: they share
  the same state.

Server and client live for one test, on its event loop. They work with pytest-asyncio, in auto and strict mode and
with any `loop_scope`, and with anyio's pytest plugin, which is installed with this package, so pytest-asyncio is
optional. Your own fixtures that await them need the `loop_scope` of the test; on another event loop they raise a
clear error. The client runs only on asyncio: if trio is installed and tests are marked with `anyio`, define an
`anyio_backend` fixture that returns "asyncio".

Example:
    ```python
    async def test_set_up(scarf_emulator: Emulator, scarf: Scarf) -> None:
        script_faults(scarf_emulator, "POST", "*/packages", None, 503, "drop_after")
        await set_up(scarf)
        assert call_log(scarf_emulator) == ["POST /organizations: 201", ...]
    ```
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, Literal, TypeAlias
from unittest import mock
from urllib.parse import unquote

import pytest

from scarf_async.client import Scarf
from scarf_async.clock import Clock
from scarf_async.emulator import Emulator, FaultRule, Quirks, ReceivedRequest
from scarf_async.emulator.faults import Action
from scarf_async.entities import ApiVersion
from scarf_async.sending.retry import RetryPolicy

__all__ = ["FAST", "call_log", "no_waiting", "scarf", "scarf_emulator", "scarf_quirks", "scarf_v2", "script_faults"]

_Scope: TypeAlias = Literal["function", "class", "module", "package", "session"]

FAST: Final = RetryPolicy(initial_delay=0.01, max_delay=0.05, settle=0.05)
"""A policy for tests: the usual number of attempts, with short waits."""

_SCOPES: Final[tuple[_Scope, ...]] = ("function", "class", "module", "package", "session")


async def _skip(clock: Clock, seconds: float) -> None:
    until = clock.monotonic() + seconds
    await asyncio.sleep(0)
    # Concurrent sleepers wait for the same time: advance the clock to the latest end, not by the sum.
    clock.ahead += max(0.0, until - clock.monotonic())


_skipping: Final = mock.patch.object(Clock, "sleep", _skip)
_blocks: Final[list[None]] = []


@contextmanager
def no_waiting() -> Iterator[None]:
    """Skip the waits for backoff, rate limit and settling inside the `with` block.

    It applies to every client in every fixture, task and thread. Network timeouts and delayed effects of the
    emulator stay real.
    """
    # A context variable would not work: fixtures and earlier tasks have different contexts.
    if not _blocks:
        _skipping.start()
    _blocks.append(None)
    try:
        yield
    finally:
        # Blocks of several tasks may overlap.
        _blocks.pop()
        if not _blocks:
            _skipping.stop()


def script_faults(
    emulator: Emulator, method: str, path_glob: str, *steps: Action | None, retry_after: float | str | None = None
) -> None:
    """Script the faults of the next matching requests, one step each; requests after the last step pass.

    After `script_faults(emulator, "POST", "*/packages", None, 503, "drop_after")`, the first `POST` to `*/packages`
    passes, the second gets a 503 without an effect, and the third takes effect but gets no response.
    `emulator.faults.injected` counts the injected faults. Assigning a new `emulator.faults` ends the script.

    Args:
        emulator: the server.
        method: the method, or `*` for any.
        path_glob: a glob for the percent-encoded path, with or without `/api/v1`, `/v2` or `/v3` at its start; `*`
            also matches slashes.
        steps: for each request, a status, a fault such as `"drop_before"`, `("effect", status)` to take effect and
            then return the status, or None to let it pass.
        retry_after: the `Retry-After` header of all scripted statuses.

    Raises:
        ValueError: a step is invalid.
    """
    rules = [
        FaultRule(method, path_glob, nth, step, retry_after=retry_after)
        for nth, step in enumerate(steps, start=1)
        if step is not None
    ]
    for rule in rules:
        emulator.faults.add(rule)


def call_log(emulator: Emulator) -> list[str]:
    """Return one line for each received request, in order of arrival.

    A line has the decoded path without `/api/v1` and the query; an injected fault is in brackets.

    `["POST /organizations: 201", "POST /packages: 503 [503]", "POST /packages: no answer [drop_after]"]`

    Args:
        emulator: the server.
    """
    return [_line(request) for request in emulator.requests]


def _line(request: ReceivedRequest) -> str:
    path = unquote(request.path).removeprefix("/api/v1")
    fault = "" if request.fault is None else f" [{request.fault}]"
    return f"{request.method} {path}: {request.status or 'no answer'}{fault}"


# pytest-asyncio stores the event loop of a fixture on its function, so each fixture needs its own function.


def _make_emulator() -> Callable[[Quirks], AsyncIterator[Emulator]]:
    async def emulator(scarf_quirks: Quirks) -> AsyncIterator[Emulator]:
        async with Emulator(quirks=scarf_quirks) as emulator:
            yield emulator

    return emulator


def _make_client(api: ApiVersion) -> Callable[[Emulator], AsyncIterator[Scarf]]:
    async def client(scarf_emulator: Emulator) -> AsyncIterator[Scarf]:
        url, v2_url, owner = scarf_emulator.url, scarf_emulator.v2_url, scarf_emulator.user
        async with Scarf(
            scarf_emulator.token, api=api, owner=owner, base_url=url, v2_url=v2_url, retry=FAST
        ) as client:
            yield client

    return client


def _variants(name: str, make: Callable[[], Callable[..., AsyncIterator[object]]]) -> Iterator[tuple[str, object]]:
    """Make a fixture for each plugin and loop scope: which one a test needs is known only when it runs."""
    yield f"_{name}_of_anyio", pytest.fixture(make())
    try:
        from pytest_asyncio import fixture  # noqa: PLC0415 # it is optional
    except ImportError:
        return
    for scope in _SCOPES:
        yield f"_{name}_of_asyncio_{scope}", fixture(make(), loop_scope=scope)


globals().update(
    [
        *_variants("scarf_emulator", _make_emulator),
        *_variants("scarf", partial(_make_client, "v1")),
        *_variants("scarf_v2", partial(_make_client, "v2")),
    ]
)


def _chosen(request: pytest.FixtureRequest, name: str) -> object:
    """Return the fixture variant for the plugin that runs the test, on the test's event loop.

    Raises:
        pytest.UsageError: no plugin runs the test, or it does not run on asyncio.
    """
    marker = request.node.get_closest_marker("asyncio")
    # In auto mode, pytest-asyncio marks the tests itself.
    if "anyio_backend" in request.fixturenames and marker is None:
        if request.getfixturevalue("anyio_backend_name") != "asyncio":
            raise pytest.UsageError(
                "scarf_async runs on asyncio only: define a fixture `anyio_backend` that returns 'asyncio'"
            )
        return request.getfixturevalue(f"_{name}_of_anyio")
    # Do not look up the plugin by name, which depends on how it was loaded.
    if not hasattr(request.config.option, "asyncio_mode"):
        raise pytest.UsageError(
            f"the fixture {name!r} needs an event loop: mark the test with `pytest.mark.anyio`,"
            " or install pytest-asyncio"
        )
    return request.getfixturevalue(f"_{name}_of_asyncio_{_loop_scope(request.config, marker)}")


def _loop_scope(config: pytest.Config, marker: pytest.Mark | None) -> str:
    """Return the loop scope of a pytest-asyncio test."""
    said = {} if marker is None else marker.kwargs
    try:
        default = config.getini("asyncio_default_test_loop_scope")
    except ValueError:
        # pytest-asyncio has this option since 0.26.
        default = "function"
    # Older versions called it `scope`.
    return str(said.get("loop_scope") or said.get("scope") or default)


@pytest.fixture
def scarf_quirks() -> Quirks:
    """The quirks of `scarf_emulator`, by default the usual ones.

    `@pytest.mark.parametrize("scarf_quirks", [Quirks(), Quirks(paging="after")])` runs a test with each of them.
    """
    return Quirks()


@pytest.fixture
def scarf_emulator(request: pytest.FixtureRequest) -> Emulator:
    """A new emulator of the service with an in-memory database."""
    emulator = _chosen(request, "scarf_emulator")
    assert isinstance(emulator, Emulator)  # noqa: S101 # for the type checker: pytest tells none
    return emulator


@pytest.fixture
def scarf(request: pytest.FixtureRequest) -> Scarf:
    """A client of `scarf_emulator` that calls v1 and retries fast."""
    return _client(request, "scarf")


@pytest.fixture
def scarf_v2(request: pytest.FixtureRequest) -> Scarf:
    """A client of `scarf_emulator` that calls v2 for the emulator's user, and retries fast."""
    return _client(request, "scarf_v2")


def _client(request: pytest.FixtureRequest, name: str) -> Scarf:
    client = _chosen(request, name)
    assert isinstance(client, Scarf)  # noqa: S101 # for the type checker: pytest tells none
    return client
