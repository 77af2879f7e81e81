"""Addresses: which are read, and that no part of a password is shown."""

from __future__ import annotations

import contextlib
import copy
import logging
import pickle
import socket
import struct
import threading
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from scarf_async import ConfigurationError, ExportJob, LoadError, Scarf, ScarfError, ValidationError
from scarf_async.data import load
from scarf_async.exports.loading.targets import DuckDBFile, PostgreSQL, hidden, read_target

from ..jobs.service import service
from .proxy import proxied
from .tables import table

SECRET = "hunter2"
UNREADABLE = [
    f"postgresql://user:{SECRET}/RET@localhost/db",
    f"postgresql://user:12/{SECRET}@localhost/db",
    f"postgresql://user:12/{SECRET}?x=y@localhost/db",
    f"postgresql://user:{SECRET}%zz@localhost/db",
    f"postgresql://user:{SECRET}\0@localhost/db",
    f"postgresql://a@{SECRET}@localhost/db",
    f"postgresql://localhost:{SECRET}/db",
    f"postgresql://localhost/db?pasword={SECRET}",
    f"mysql://user:{SECRET}@localhost/db",
    f"host=localhost password={SECRET}",
    f"service=prod password={SECRET}",
    f"duckdb{SECRET}",
]


def shown(error: BaseException) -> str:
    """Return all that a traceback with variables shows of an error and of what is behind it, and its pickle."""
    lines: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        frames = traceback.StackSummary.extract(traceback.walk_tb(seen.__traceback__), capture_locals=True)
        # This test's own frames have the address.
        lines += [repr(frame.locals) for frame in frames if frame.filename != __file__]
        lines += [repr(seen), str(seen), repr(vars(seen)), pickle.dumps(seen).decode("latin-1")]
        assert seen.__cause__ is None or isinstance(seen.__cause__, ScarfError)
        seen = seen.__cause__ or seen.__context__
    return "".join(lines)


async def failure(loading: Coroutine[Any, Any, object]) -> ScarfError:
    """Return what a load ends with."""
    with pytest.raises(ScarfError) as raised:
        await loading
    return raised.value


@pytest.mark.parametrize("target", UNREADABLE)
async def test_an_address_that_cannot_be_read_is_not_repeated(target: str, tmp_path: Path) -> None:
    """Not in a message, and not in a variable of a traceback; nothing is sent."""
    job = ExportJob("pixel_events", None, "2024-01-01", "2024-01-02")
    async with Scarf("token", base_url="http://127.0.0.1:9") as scarf:
        for loading in (scarf.exports.load(job, target), load(tmp_path, target)):
            error = await failure(loading)
            assert type(error) is ConfigurationError
            assert SECRET not in shown(error)
            assert "RET@" not in shown(error)


@pytest.mark.parametrize(
    "bad",
    [{"table": "a.b.c"}, {"columns": "mine"}, {"concurrency": 0}, {"memory_limit": "1MB"}, {"refresh_days": -1}],
)
async def test_other_mistakes_show_no_address_either(bad: dict[str, Any]) -> None:
    """The argument is gone before anything can be wrong."""
    job = ExportJob("pixel_events", None, "2024-01-01", "2024-01-02")
    async with Scarf("token", base_url="http://127.0.0.1:9") as scarf:
        error = await failure(scarf.exports.load(job, f"postgresql://user:{SECRET}@localhost/db", **bad))
    assert isinstance(error, ValidationError)
    assert SECRET not in shown(error)


async def test_jobs_of_other_records_are_refused() -> None:
    """Before anything is asked of a database."""
    job = ExportJob("organization_aggregates", "acme", "2024-01-01", "2024-01-02")
    async with Scarf("token", base_url="http://127.0.0.1:9") as scarf:
        error = await failure(scarf.exports.load(job, f"postgresql://user:{SECRET}@localhost:1/db"))
    assert isinstance(error, ValidationError)
    assert (error.field, SECRET in shown(error)) == ("job", False)


@pytest.mark.parametrize("password", [SECRET, "p@ss/w:rd?#[]"])
async def test_a_server_that_refuses_is_told_without_the_password(
    database: str, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is anything of the driver's behind the error, whose connection holds it."""
    caplog.set_level(logging.DEBUG)
    from urllib.parse import quote  # noqa: PLC0415 # here alone

    with proxied(database) as proxy:
        port = proxy.conninfo.split("port=")[1].split()[0]
        target = f"postgresql://nobody:{quote(password, safe='')}@127.0.0.1:{port}/nowhere"
        async with service() as some:
            error = await failure(some.scarf.exports.load(some.job(), target))
            assert some.asked() == []
    assert isinstance(error, LoadError)
    assert 'role "nobody" does not exist' in str(error)
    assert error.__cause__ is error.__context__ is None
    assert password not in shown(error)
    assert quote(password, safe="") not in shown(error)
    assert password not in caplog.text


def _echo(listener: socket.socket) -> None:
    """Ask who comes for a password, and send it back as the reason for a refusal."""
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, client.makefile("rb") as file:
                file.read(int.from_bytes(file.read(4)) - 4)
                client.sendall(b"R" + struct.pack("!II", 8, 3))
                file.read(1)
                password = file.read(int.from_bytes(file.read(4)) - 4)
                said = b"SFATAL\0C28P01\0Mno " + password + b"Dno " + password + b"\0"
                client.sendall(b"E" + struct.pack("!I", len(said) + 4) + said)


@pytest.mark.parametrize("where", ["address", "service", "environment", "passfile"])
def test_a_server_that_sends_a_password_back_is_told_without_it(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the driver had it from."""
    given = f"{SECRET}/RET"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_echo, args=(listener,), daemon=True).start()
        port = listener.getsockname()[1]
        here = f"127.0.0.1:{port}/db?sslmode=disable"
        target = f"postgresql://user@{here}"
        match where:
            case "address":
                target = f"postgresql://user:{SECRET}%2FRET@{here}"
            case "service":
                file = tmp_path / "services"
                file.write_text(f"[prod]\nhost=127.0.0.1\nport={port}\npassword={given}\nsslmode=disable\n")
                monkeypatch.setenv("PGSERVICEFILE", str(file))
                target = "service=prod"
            case "environment":
                monkeypatch.setenv("PGPASSWORD", given)
            case _:
                file = tmp_path / "passwords"
                file.write_text(f"*:*:*:*:{given}\n")
                file.chmod(0o600)
                monkeypatch.setenv("PGPASSFILE", str(file))
        with pytest.raises(LoadError) as raised:
            table(target).open()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    assert "no ***" in str(raised.value)
    assert SECRET not in shown(raised.value)


def test_a_target_shows_nothing() -> None:
    """It cannot be pickled, and its password is taken out of what others say."""
    target = read_target(hidden(f"postgresql://user:{SECRET}@localhost/db"))
    assert isinstance(target, PostgreSQL)
    assert SECRET not in repr(target)
    assert target.redact(f"no {SECRET}!") == "no ***!"
    for spread in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            spread(target)


@pytest.mark.parametrize(
    "target",
    ["postgresql://", "postgres://h/d", "service=prod", "postgresql:///d?host=/run", "postgresql://a,b:1,2/d"],
)
def test_addresses_that_are_read(target: str) -> None:
    """Those of libpq; what waits for hours by default waits less, unless the address says so."""
    found = read_target(hidden(target))
    assert isinstance(found, PostgreSQL)
    assert "connect_timeout=10" in found.address.reveal()


def test_a_file_is_found_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the working directory at that time."""
    monkeypatch.chdir(tmp_path)
    assert read_target(hidden("duckdb:it's [a] *x*?y=z")) == DuckDBFile(tmp_path / "it's [a] *x*?y=z")
    for target in ("duckdb:", "duckdb::memory:", "", "events.duckdb", None):
        with pytest.raises(ConfigurationError, match=r"must be|needs the path"):
            read_target(hidden(target))
