"""The source for dlt, into DuckDB."""

from __future__ import annotations

import asyncio
import datetime as dt
import multiprocessing
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dlt
import pytest
from aiohttp import web
from dlt.pipeline.exceptions import PipelineStepFailed

from scarf_async import ConfigurationError, Scarf, ValidationError
from scarf_async import dlt as source
from scarf_async.dlt import scarf
from scarf_async.emulator import Emulator
from scarf_async.emulator.answers import JSON

from .events_service import NOW, EventsService, events_service, row
from .pipelines import TOKEN, pipeline, query, run, run_here, state

TODAY = NOW.date()
UPSERT: Any = {"disposition": "merge", "strategy": "upsert"}
pytestmark = pytest.mark.usefixtures("shared_engine")
ACME: dict[str, JSON] = {
    "organizations": [
        {
            "name": "acme",
            "users": [{"username": "ann", "role": "admin"}],
            "packages": [
                {
                    "name": "web",
                    "libraryType": "file",
                    "routes": [{"outgoingUrl": "https://example.org/{v}.tgz", "templatePath": "/web/{v}.tgz"}],
                    "domains": [{"name": "get.acme.example"}],
                },
                {"name": "cli", "libraryType": "npm"},
            ],
        }
    ]
}


def ago(days: int, time: str = "12:00:00Z") -> str:
    """Return a time so many days ago."""
    return f"{TODAY - dt.timedelta(days)}T{time}"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let dlt tell nobody, and leave nothing in the home directory."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / ".dlt").exists()


def files_under(folder: Path) -> list[Path]:
    """Return all files of a folder and its folders."""
    return [path for path in folder.rglob("*") if path.is_file()]


def ids(folder: Path) -> list[str]:
    """Return the ids that were loaded."""
    return [one for (one,) in query(folder, "SELECT id FROM scarf.events ORDER BY id")]


async def test_each_run_loads_what_came_since_and_what_came_late(tmp_path: Path) -> None:
    """It begins three days before what was loaded; nothing is loaded twice; the token is on no disk."""
    async with events_service() as service:
        service.rows = [row("a", ago(9)), row("b", ago(2)), row("today", ago(0))]
        await run(tmp_path, service.url, start_date=str(TODAY - dt.timedelta(10)))
        assert ids(tmp_path) == ["a", "b"]
        assert state(tmp_path) == {"events": {"loaded_before": str(TODAY)}}
        service.rows += [row("late", ago(3, "00:00:00Z")), row("too-late", ago(4))]
        await run(tmp_path, service.url)
        assert ids(tmp_path) == ["a", "b", "late"]
        assert service.asked[-1] == (str(TODAY - dt.timedelta(3)), str(TODAY))
        folders = list((tmp_path / "pipelines" / "scarf_test" / "scarf").iterdir())
        assert len(folders) == 1, "the directory of the run before is gone"
    written = files_under(tmp_path)
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []
    assert {path.relative_to(tmp_path).parts[0] for path in written} <= {"pipelines", "events.duckdb", "home"}


async def test_an_event_of_2099_moves_nothing(tmp_path: Path) -> None:
    """It lies outside of every window, and the next run goes on where it would have."""
    async with events_service() as service:
        service.rows, service.strays = [row("a", ago(2))], [row("far", "2099-01-01T00:00:00Z")]
        await run(tmp_path, service.url)
        assert (ids(tmp_path), state(tmp_path)["events"]) == (["a"], {"loaded_before": str(TODAY)})


async def test_events_without_an_id_are_each_loaded_once(tmp_path: Path) -> None:
    """Their ids are made of their values, the same in each run; of equal ones, none is lost."""
    async with events_service() as service:
        service.rows = [row("", ago(2)), row("", ago(2)), row("", ago(2), version="2"), row("a", ago(1))]
        await run(tmp_path, service.url)
        first = ids(tmp_path)
        service.rows.reverse()
        await run(tmp_path, service.url)
    assert ids(tmp_path) == first
    assert [one.partition(":")[0] for one in first] == ["a", "row", "row", "row"]


async def test_a_backfill_leaves_the_state_alone(tmp_path: Path) -> None:
    """What lies before the first run is loaded, and the next run begins where it would have."""
    async with events_service() as service:
        service.rows = [row("old", ago(100)), row("a", ago(2))]
        await run(tmp_path, service.url)
        start, end = (str(TODAY - dt.timedelta(days)) for days in (101, 99))
        await run(tmp_path, service.url, start_date=start, end_date=end)
        assert service.asked[-1][0] == start
        assert (ids(tmp_path), state(tmp_path)["events"]) == (["a", "old"], {"loaded_before": str(TODAY)})
        await run(tmp_path, service.url, start_date=str(TODAY - dt.timedelta(1)))
        assert service.asked[-1][0] == str(TODAY - dt.timedelta(1)), "nothing before start_date is looked for"


async def test_a_day_that_was_not_over_is_loaded_again(tmp_path: Path) -> None:
    """Half an hour after midnight yesterday may lack something, also where nothing is taken to come late."""
    soon = dt.datetime.combine(TODAY, dt.time(0, 30), dt.UTC)
    async with events_service() as service:
        service.now = soon
        service.rows = [row("a", ago(1))]
        await run(tmp_path, service.url, late_days=0, now=soon)
        assert state(tmp_path)["events"] == {"loaded_before": str(TODAY - dt.timedelta(1))}


async def test_what_a_killed_run_had_is_fetched_again_once_more_can_have_come(tmp_path: Path) -> None:
    """A day later its last windows may lack what came late; the others are not paid for again."""
    yesterday = dt.datetime.combine(TODAY - dt.timedelta(1), dt.time(12), dt.UTC)
    start = str(TODAY - dt.timedelta(10))
    async with events_service() as service:
        service.now = yesterday
        with (
            patch.object(source, "_tables", side_effect=RuntimeError("killed")),
            pytest.raises(PipelineStepFailed, match="killed"),
        ):
            await run(tmp_path, service.url, start_date=start, window_days=3, now=yesterday)
        before = set(service.asked)
        service.now = NOW
        service.asked.clear()
        service.rows = [row("late", ago(2))]
        await run(tmp_path, service.url, start_date=start, window_days=3)
        assert ids(tmp_path) == ["late"]
        assert len(set(service.asked) & before) == 1 < len(before)


async def test_a_destination_that_would_append_is_refused(tmp_path: Path) -> None:
    """The filesystem merges in delta and iceberg tables only; before anything is asked for, of anyone."""
    files = dlt.destinations.filesystem((tmp_path / "lake").as_uri())
    async with Emulator(token=TOKEN, load=ACME) as emulator:
        names = ("packages", "events", "aggregations")
        with pytest.raises(PipelineStepFailed) as raised:
            await run(tmp_path, emulator.v2_url, *names, destination=files)
        chain: list[BaseException] = [raised.value]
        while chain[-1].__cause__ is not None:
            chain.append(chain[-1].__cause__)
        assert isinstance(chain[-1], ConfigurationError)
        assert "table_format='delta'" in str(chain[-1])
        assert emulator.requests == []
        await run(tmp_path, emulator.v2_url, "packages", destination=files)
        assert list((tmp_path / "lake" / "scarf" / "packages").glob("*"))
        made, chosen = pipeline(tmp_path, files), scarf("acme", TOKEN, v2_url=emulator.v2_url)
        await asyncio.to_thread(
            made.extract, chosen.with_resources("events"), table_format="delta", write_disposition=UPSERT
        )


async def test_what_hangs_on_packages_is_replaced_and_typed(tmp_path: Path) -> None:
    """Each table has its columns and types, also without a row, and what is gone goes; counts are merged."""
    names = ("packages", "members", "permissions", "routes", "domains", "aggregations")
    async with Emulator(token=TOKEN, load=ACME, events_per_day=3, clock=lambda: NOW) as emulator:
        await run(tmp_path, emulator.v2_url, *names)
        counts = [count(tmp_path, name) for name in names]
        assert counts[:4] == [2, 2, 0, 1]
        assert counts[4] >= 1 < counts[5]
        types = dict(
            query(
                tmp_path,
                "SELECT table_name || '.' || column_name, data_type FROM information_schema.columns"
                " WHERE table_schema = 'scarf'",
            )
        )
        assert types["permissions.permission_level"] == "VARCHAR"
        assert types["packages.created_at"] == "TIMESTAMP WITH TIME ZONE"
        assert (types["packages.extra"], types["aggregations.date"]) == ("JSON", "DATE")
        assert types["aggregations.total"] == "BIGINT"
        assert len(set(query(tmp_path, "SELECT package_id FROM scarf.routes"))) == 1
        await emulator_without_members(emulator)
        await run(tmp_path, emulator.v2_url, *names)
        assert query(tmp_path, "SELECT username FROM scarf.members") == [("emulator-user",)]
        await run(tmp_path, emulator.v2_url, "aggregations", write_disposition=UPSERT)
        assert count(tmp_path, "aggregations") == counts[5]


def count(folder: Path, table: str) -> int:
    """Return how many rows a table has."""
    number: int = query(folder, f"SELECT count(*) FROM scarf.{table}")[0][0]  # noqa: S608 # a name of this test's
    return number


async def emulator_without_members(emulator: Emulator) -> None:
    """Let ann leave."""
    async with Scarf(TOKEN, base_url=emulator.url) as client:
        await client.members.remove("acme", "ann")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"token": TOKEN, "late_days": -1}, ValidationError, "late_days"),
        ({"token": TOKEN, "window_days": 99}, ValidationError, "window_days"),
        ({"token": TOKEN, "start_date": "soon"}, ValidationError, "start must be"),
        ({"token": TOKEN, "start_date": "2024-01-02", "end_date": "2024-01-01"}, ValidationError, "must be after"),
        ({"token": "not a token"}, ConfigurationError, "invalid in a header"),
        ({}, ConfigurationError, "SCARF_API_TOKEN"),
        ({"token": TOKEN, "base_url": "http://example.org"}, ConfigurationError, "base_url must be https"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Before a pipeline runs, by this package's own errors."""
    with pytest.raises(error, match=message):
        scarf("acme", **arguments)


@pytest.mark.parametrize(("address", "version"), [("SCARF_BASE_URL", "v1"), ("SCARF_V2_URL", "v2")])
def test_an_address_in_the_environment_says_which_version_is_spoken(
    monkeypatch: pytest.MonkeyPatch, address: str, version: str
) -> None:
    """As one that is an argument does: counts are in v2 alone."""
    monkeypatch.setenv(address, f"http://127.0.0.1:9/{version}")
    assert ("aggregations" in scarf("acme", TOKEN).resources) == (version == "v2")


def test_owner_token_and_days_may_be_in_dlts_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `sources.scarf`, as in the files of dlt."""
    for name, value in {"OWNER": "acme", "TOKEN": TOKEN, "START_DATE": "2024-01-05"}.items():
        monkeypatch.setenv(f"SOURCES__SCARF__{name}", value)
    with patch.object(source, "_events", wraps=source._events) as events:
        scarf()
    (asked,) = events.call_args.args
    assert (asked.owner, asked.token.reveal(), asked.start) == ("acme", TOKEN, dt.date(2024, 1, 5))
    assert TOKEN not in repr(asked)


def test_without_dlt_the_first_call_says_what_to_install() -> None:
    """Importing the module works, and calling says it."""
    program = (
        "import sys, importlib.abc\n"
        "class Missing(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'dlt': raise ImportError('no dlt')\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from unittest.mock import patch\n"
        "with patch('importlib.util.find_spec', return_value=None):\n"
        "    from scarf_async.dlt import scarf\n"
        "scarf('acme', 'token')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "ConfigurationError: scarf_async.dlt needs dlt" in done.stderr
    assert "pip install 'scarf-async[dlt]'" in done.stderr


async def killed(service: EventsService, folder: Path, requests: int, seconds: float) -> bool:
    """Run a process; kill it so long after so many requests. Returns whether it was still at work."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dlt.pipeline", "scarf_async.dlt", f"{__package__}.pipelines"])
    process = context.Process(target=run_here, args=(folder, service.url), kwargs=ARGUMENTS)
    wanted = len(service.asked) + requests
    process.start()
    ended = asyncio.create_task(asyncio.to_thread(process.join, 60))
    moment = asyncio.create_task(service.wait_for(wanted))
    await asyncio.wait([ended, moment], return_when=asyncio.FIRST_COMPLETED)
    moment.cancel()
    await asyncio.wait([ended], timeout=seconds)
    process.kill()
    await ended
    return process.exitcode != 0


ARGUMENTS = {"start_date": str(TODAY - dt.timedelta(12)), "window_days": 1, "late_days": 12}


async def test_a_pipeline_that_is_killed_again_and_again_has_each_row_once(tmp_path: Path, soak: bool) -> None:
    """While it receives, extracts, normalizes or loads. What it had received is not paid for again."""

    async def before(_start: str, _token: str) -> web.Response | None:
        if len(service.asked) > 8:
            await asyncio.Event().wait()
        return None

    async with events_service() as service:
        service.rows = [row(f"{day}-{n}", ago(day)) for day in range(1, 13) for n in range(50)]
        service.rows += [row("", ago(day)) for day in range(1, 13)]
        service.before = before
        # Four are in progress at a time: when the ninth one is asked for, five are there.
        assert await killed(service, tmp_path, 9, 0)
        service.before = None
        if soak:
            moments = [(1, random.uniform(0, 0.1)) for _ in range(10)] + [
                (1, random.uniform(0, 2.5)) for _ in range(30)
            ]
            assert any([await killed(service, tmp_path, *moment) for moment in moments])
        assert not await killed(service, tmp_path, 10**6, 60)
        assert soak or len(service.asked) <= 9 + 7
        assert len(ids(tmp_path)) == 12 * 51 == len(set(ids(tmp_path)))
        assert state(tmp_path)["events"] == {"loaded_before": str(TODAY)}
