"""What all tests share: the package's own fixtures, an environment without settings, and one shim."""

from __future__ import annotations

import gc
import inspect
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, patch

import aiohttp
import hypothesis
import pytest
from typer.main import get_command

if TYPE_CHECKING:
    import duckdb
    from exports.jobs.store import Store

pytest_plugins = ["scarf_async.testing", "postgres"]

# A busy machine is not a failure. `--hypothesis-profile=soak` looks further than there is time for each day.
hypothesis.settings.register_profile("tests", deadline=None, max_examples=25)
hypothesis.settings.register_profile("soak", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("tests")

# Each of hundreds of processes would compile the package, the workers of this run the tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Nor has each to read the certificates of all authorities: no test leaves the machine. obstore asks for one.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("docs") / "acme-ca.pem")
os.environ.pop("SSL_CERT_DIR", None)

# The tester's own token, addresses and proxies are kept out of every test.
_PROXIES = {"ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
for _name in list(os.environ):
    if _name.upper().startswith("SCARF_") or _name.upper() in _PROXIES:
        del os.environ[_name]


class _Response(aiohttp.ClientResponse):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, stream_writer=Mock(output_size=0), **kwargs)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one more than there are cores: tests wait for deadlines, disks and processes as long as they work."""
    return (os.cpu_count() or 1) + 1


def pytest_collectstart() -> None:
    """Collect no garbage among modules and tests that all stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Spare the garbage collector, which many tests call, the thousands of tests and all that they import."""
    gc.collect()
    gc.freeze()
    gc.enable()


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


@pytest.fixture(scope="session", autouse=True)
def _commands_are_made_once() -> Iterator[None]:
    """Keep what typer makes of a command line: it makes it for each call, of which there are hundreds here."""
    made = cache(get_command)
    with patch("typer.main.get_command", made), patch("typer.testing._get_command", made):
        yield


@cache
def _database() -> duckdb.DuckDBPyConnection:
    import duckdb  # noqa: PLC0415 # it is large, and few files of tests need it

    return duckdb.connect(config={"threads": 1, "preserve_insertion_order": "false"})


@pytest.fixture(scope="module")
def shared_engine() -> Iterator[None]:
    """Let all jobs of a file of tests use one database: to open it takes longer than most of them."""
    from scarf_async.exports.jobs.engine import Engine  # noqa: PLC0415

    def open_cursor(engine: Engine, spill: Path, memory: int) -> None:
        # What a job keeps are temporary tables, which belong to a cursor.
        engine._connection = _database().cursor()

    with patch.object(Engine, "__init__", open_cursor):
        yield


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether there is time for large numbers: `--hypothesis-profile=soak`."""
    return bool(request.config.getoption("--hypothesis-profile") == "soak")


@pytest.fixture(scope="session")
def _one_store() -> Iterator[Store]:
    from exports.jobs.store import running  # noqa: PLC0415 # moto is large

    with running() as store:
        yield store


@pytest.fixture
def store(_one_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An object store with an empty bucket, that the environment leads to."""
    _one_store.reset()
    for name, value in _one_store.environment.items():
        monkeypatch.setenv(name, value)
    return _one_store
