"""Help for tests: a pytest plugin, scripted faults, a log of calls, and a clock that does not wait.

With `pytest_plugins = ["scarf_async.testing"]` in the `conftest.py` at the root, a test may ask for:

- `scarf_emulator`: a fresh local Scarf server, its database in memory; see `scarf_async.emulator.Emulator`.
- `scarf_quirks`: the `Quirks` of that server. Parametrize it, or define one of your own, to see what your code does
  where nobody knows how the service answers.
- `scarf`: an open client of it, which speaks v1 and retries fast. A fixture of your own that is named
  `scarf_emulator` (with other users, say) is used by it too.
- `scarf_v2`: the same, but it speaks v2, and its owner is the user of the emulator. Both may be used in one test:
  they see the same things.

Server and client live as long as one test, on its event loop. They work under pytest-asyncio, in its auto and its
strict mode and whatever the `loop_scope` of the test, and under anyio's pytest plugin, which comes with this
package: pytest-asyncio need not be installed. A fixture of your own that awaits them must have the `loop_scope` of
the test; on another event loop it gets an error that says so. Scarf's client runs on asyncio only, so a project
that has trio installed and marks its tests with `anyio` needs a fixture `anyio_backend` that returns "asyncio".

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
"""A policy for tests: as many attempts as ever, with short waits."""

_SCOPES: Final[tuple[_Scope, ...]] = ("function", "class", "module", "package", "session")


async def _skip(clock: Clock, seconds: float) -> None:
    until = clock.monotonic() + seconds
    await asyncio.sleep(0)
    # Sleepers side by side pass the same time: the clock goes forward to the latest, not by their sum.
    clock.ahead += max(0.0, until - clock.monotonic())


_skipping: Final = mock.patch.object(Clock, "sleep", _skip)
_blocks: Final[list[None]] = []


@contextmanager
def no_waiting() -> Iterator[None]:
    """Let backoff, pace and settling pass without sleeping, as long as the `with` block lasts.

    It applies to every client, whichever fixture, task or thread uses it. Time limits on the wire stay real, and so
    does a late effect of the emulator.
    """
    # A context variable would not do: a fixture, and a task that began earlier, have contexts of their own.
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
    """Say what the next requests of a kind meet, one step each; those after the last step pass.

    `script_faults(emulator, "POST", "*/packages", None, 503, "drop_after")`: the first `POST` to `*/packages` from
    now on passes, the second is answered 503 without an effect, the third takes effect and gets no answer.
    `emulator.faults.injected` counts what was carried out. To put another `emulator.faults` there ends the script.

    Args:
        emulator: the server.
        method: the method, or `*` for any.
        path_glob: a glob over the percent-encoded path, with or without `/api/v1`, `/v2` or `/v3` in front; `*`
            matches slashes too.
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

    The path is decoded, and is without `/api/v1`; an injected fault is in brackets. The query is left out.

    `["POST /organizations: 201", "POST /packages: 503 [503]", "POST /packages: no answer [drop_after]"]`
    """
    return [_line(request) for request in emulator.requests]


def _line(request: ReceivedRequest) -> str:
    path = unquote(request.path).removeprefix("/api/v1")
    fault = "" if request.fault is None else f" [{request.fault}]"
    return f"{request.method} {path}: {request.status or 'no answer'}{fault}"


# pytest-asyncio notes the event loop of a fixture at its function: each fixture needs one of its own.


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
    """Make a fixture for each plugin and each event loop: which of them run a test is only known with the test."""
    yield f"_{name}_of_anyio", pytest.fixture(make())
    try:
        from pytest_asyncio import fixture  # noqa: PLC0415 # it need not be there
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
    """Return a fixture as set up by the plugin that runs the test, on the test's event loop.

    Raises:
        pytest.UsageError: there is none, or it runs the test on another library than asyncio.
    """
    marker = request.node.get_closest_marker("asyncio")
    # In its auto mode pytest-asyncio marks the tests itself.
    if "anyio_backend" in request.fixturenames and marker is None:
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
    return request.getfixturevalue(f"_{name}_of_asyncio_{_loop_scope(request.config, marker)}")


def _loop_scope(config: pytest.Config, marker: pytest.Mark | None) -> str:
    """Return for how long the event loop of a test of pytest-asyncio's lives."""
    said = {} if marker is None else marker.kwargs
    try:
        default = config.getini("asyncio_default_test_loop_scope")
    except ValueError:
        # pytest-asyncio knows it from 0.26 on.
        default = "function"
    # It was called `scope` once.
    return str(said.get("loop_scope") or said.get("scope") or default)


@pytest.fixture
def scarf_quirks() -> Quirks:
    """The quirks of `scarf_emulator`: the usual ones.

    `@pytest.mark.parametrize("scarf_quirks", [Quirks(), Quirks(paging="after")])` runs a test under each.
    """
    return Quirks()


@pytest.fixture
def scarf_emulator(request: pytest.FixtureRequest) -> Emulator:
    """A fresh emulator of the service, with its database in memory."""
    emulator = _chosen(request, "scarf_emulator")
    assert isinstance(emulator, Emulator)  # noqa: S101 # for the type checker: pytest tells none
    return emulator


@pytest.fixture
def scarf(request: pytest.FixtureRequest) -> Scarf:
    """A client of `scarf_emulator` that speaks v1 and retries fast."""
    return _client(request, "scarf")


@pytest.fixture
def scarf_v2(request: pytest.FixtureRequest) -> Scarf:
    """A client of `scarf_emulator` that speaks v2, for the emulator's user, and retries fast."""
    return _client(request, "scarf_v2")


def _client(request: pytest.FixtureRequest, name: str) -> Scarf:
    client = _chosen(request, name)
    assert isinstance(client, Scarf)  # noqa: S101 # for the type checker: pytest tells none
    return client
