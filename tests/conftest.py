"""What all tests share: the package's own fixtures, an environment without settings, and one shim."""

from __future__ import annotations

import gc
import inspect
import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock, patch

import aiohttp
import hypothesis
import pytest

pytest_plugins = ["scarf_async.testing"]

# A busy machine is not a failure. `--hypothesis-profile=soak` looks further than there is time for each day.
hypothesis.settings.register_profile("tests", deadline=None, max_examples=25)
hypothesis.settings.register_profile("soak", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("tests")

# Each of hundreds of processes would compile the package, the workers of this run the tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_PROXIES = {"ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}


class _Response(aiohttp.ClientResponse):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, stream_writer=Mock(output_size=0), **kwargs)


def pytest_collection_finish() -> None:
    """Spare the garbage collector, which many tests call, the thousands of tests and all that they import."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _answers_of_aioresponses() -> Iterator[None]:
    """Give aioresponses 0.7.9 the argument that aiohttp asks for since 3.14.

    https://github.com/pnuckowski/aioresponses/issues/289
    """
    if "stream_writer" not in inspect.signature(aiohttp.ClientResponse.__init__).parameters:
        yield
        return
    with patch("aioresponses.core.ClientResponse", _Response):
        yield


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tester's own token, addresses and proxies out of every test."""
    for name in list(os.environ):
        if name.upper().startswith("SCARF_") or name.upper() in _PROXIES:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether there is time for large numbers: `--hypothesis-profile=soak`."""
    return bool(request.config.getoption("--hypothesis-profile") == "soak")
