"""Help for tests: a pytest plugin, scripted faults, a log of calls, and a clock that does not wait.

With `pytest_plugins = ["scarf_async.testing"]` in the `conftest.py` at the root, a test may ask for:

- `scarf_emulator`: a fresh local Scarf server, its database in memory; see `scarf_async.emulator.Emulator`.
- `scarf`: an open client of it, which retries fast. A fixture of your own that is named `scarf_emulator` (with
  other users, say) is used by it too.

Both live as long as one test, on its event loop. They work under pytest-asyncio, in its auto and its strict mode,
and under anyio's pytest plugin, which comes with this package: pytest-asyncio need not be installed. Scarf's client
runs on asyncio only, so a project that has trio installed and marks its tests with `anyio` needs a fixture
`anyio_backend` that returns "asyncio". The fixtures need the extra `emulator`.

Example:
    ```python
    async def test_set_up(scarf_emulator: Emulator, scarf: Scarf) -> None:
        script_faults(scarf_emulator, "POST", "*/packages", None, 503, "drop_after")
        await set_up(scarf)
        assert call_log(scarf_emulator) == ["POST /organizations: 201", ...]
    ```
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Final, ParamSpec, TypeVar
from urllib.parse import unquote

import pytest

from scarf_async import clock
from scarf_async.client import Scarf
from scarf_async.emulator import Emulator, FaultRule, ReceivedRequest
from scarf_async.emulator.faults import Action
from scarf_async.retry import RetryPolicy

__all__ = ["FAST", "call_log", "no_waiting", "scarf", "scarf_emulator", "script_faults"]

FAST: Final = RetryPolicy(initial_delay=0.01, max_delay=0.05, settle=0.05)
"""A policy for tests: as many attempts as ever, with short waits."""

P = ParamSpec("P")
I = TypeVar("I", bound=AsyncIterator[object])  # noqa: E741 # an iterator


def no_waiting() -> AbstractContextManager[None]:
    """Let backoff, pace and settling pass without sleeping, as long as the `with` block lasts.

    Time limits on the wire stay real, and so does a late effect of the emulator.
    """
    return clock.without_waiting()


def script_faults(
    emulator: Emulator, method: str, path_glob: str, *steps: Action | None, retry_after: float | str | None = None
) -> None:
    """Say what the next requests of a kind meet, one step each; those after the last step pass.

    `script_faults(emulator, "POST", "*/packages", None, 503, "drop_after")`: the first `POST` to `*/packages` from
    now on passes, the second is answered 503 without an effect, the third takes effect and gets no answer.
    `emulator.faults.injected` counts what was carried out. To put another `emulator.faults` there ends the script.

    Args:
        emulator: the server.
        method: the method, or `*` for any.
        path_glob: a glob over the percent-encoded path, with or without `/api/v1` or `/v2` in front; `*` matches
            slashes too.
        steps: a status, a fault such as `"drop_before"`, `("effect", status)` for an effect that the status hides,
            or None to let a request pass.
        retry_after: the `Retry-After` of all statuses.

    Raises:
        ValueError: a step is none of these.
    """
    rules = [
        FaultRule(method, path_glob, nth, step, retry_after=retry_after)
        for nth, step in enumerate(steps, start=1)
        if step is not None
    ]
    for rule in rules:
        emulator.faults.add(rule)


def call_log(emulator: Emulator) -> list[str]:
    """Return what arrived, a line for each request, in order of arrival: to be compared and to be read.

    The path is decoded, and stands without `/api/v1`; an injected fault stands in brackets. The query is left out.

    `["POST /organizations: 201", "POST /packages: 503 [503]", "POST /packages: no answer [drop_after]"]`
    """
    return [_line(request) for request in emulator.requests]


def _line(request: ReceivedRequest) -> str:
    path = unquote(request.path).removeprefix("/api/v1")
    fault = "" if request.fault is None else f" [{request.fault}]"
    return f"{request.method} {path}: {request.status or 'no answer'}{fault}"


# Which plugin runs a test is only known with the test, and each sets up fixtures on its own event loop: so there
# are two of each, and the public ones choose.


def _of_pytest_asyncio(function: Callable[P, I]) -> Callable[P, I]:
    """Make a fixture for pytest-asyncio; where that is not installed nobody will ask for it."""
    try:
        from pytest_asyncio import fixture  # noqa: PLC0415 # it need not be there
    except ImportError:
        return function
    return fixture(function)


def _chosen(request: pytest.FixtureRequest, name: str) -> object:
    """Return a fixture as set up by the plugin that runs the test.

    Raises:
        pytest.UsageError: there is none, or it runs the test on another library than asyncio.
    """
    # In its auto mode pytest-asyncio marks the tests itself.
    if "anyio_backend" in request.fixturenames and request.node.get_closest_marker("asyncio") is None:
        if request.getfixturevalue("anyio_backend_name") != "asyncio":
            raise pytest.UsageError(
                "scarf_async runs on asyncio only: define a fixture `anyio_backend` that returns 'asyncio'"
            )
        return request.getfixturevalue(f"_{name}_of_anyio")
    # The plugin's own name depends on how it was loaded.
    if not hasattr(request.config.option, "asyncio_mode"):
        raise pytest.UsageError(
            f"the fixture {name!r} needs an event loop: mark the test with `pytest.mark.anyio`,"
            " or install pytest-asyncio"
        )
    return request.getfixturevalue(f"_{name}_of_asyncio")


@pytest.fixture
async def _scarf_emulator_of_anyio() -> AsyncIterator[Emulator]:
    async with Emulator() as emulator:
        yield emulator


@_of_pytest_asyncio
async def _scarf_emulator_of_asyncio() -> AsyncIterator[Emulator]:
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
def scarf_emulator(request: pytest.FixtureRequest) -> Emulator:
    """A fresh emulator of the service, with its database in memory."""
    emulator = _chosen(request, "scarf_emulator")
    assert isinstance(emulator, Emulator)  # noqa: S101 # for the type checker: pytest tells none
    return emulator


def _client(emulator: Emulator) -> Scarf:
    return Scarf(emulator.token, base_url=emulator.url, v2_url=emulator.v2_url, retry=FAST)


@pytest.fixture
async def _scarf_of_anyio(scarf_emulator: Emulator) -> AsyncIterator[Scarf]:
    async with _client(scarf_emulator) as client:
        yield client


@_of_pytest_asyncio
async def _scarf_of_asyncio(scarf_emulator: Emulator) -> AsyncIterator[Scarf]:
    async with _client(scarf_emulator) as client:
        yield client


@pytest.fixture
def scarf(request: pytest.FixtureRequest) -> Scarf:
    """A client of `scarf_emulator` that retries fast."""
    client = _chosen(request, "scarf")
    assert isinstance(client, Scarf)  # noqa: S101 # for the type checker: pytest tells none
    return client
