"""Jobs whose destination is a prefix of an object store that loses answers, fails, hangs and lies."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, Literal

import attrs
import duckdb
import pytest
import pytest_asyncio
from data.jobs import window
from obstore.store import MemoryStore
from processes import Forked, fork_with_pipes

from scarf_async import (
    ConfigurationError,
    ExportError,
    ExportFormat,
    ExportJob,
    ExportProgress,
    JobBusyError,
    ValidationError,
    verify_export,
)
from scarf_async.data import files, load, read, report
from scarf_async.emulator import FaultRule
from scarf_async.exports.jobs.document import list_path
from scarf_async.exports.jobs.source import objects_at
from scarf_async.exports.jobs.stores import bucket, lease, objects
from scarf_async.exports.jobs.stores.place import place_of
from scarf_async.files import lock

from .killed_child import main
from .service import Service, service
from .store import CONDITIONS, Store, What

TO = "s3://bucket/nightly/events"
NAME = re.compile(r"data/2024-01-0\d--2024-01-0\d--[0-9a-f]{12}-[0-9a-f]{16}\.csv")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def some() -> AsyncIterator[Service]:
    """A service with events, one of them sent again."""
    async with service(duplicate_events=0.05) as running:
        yield running


@pytest.fixture(autouse=True)
def _forgotten(request: pytest.FixtureRequest) -> None:
    """Count the requests of one test only."""
    if "some" in request.fixturenames:
        request.getfixturevalue("some").emulator.requests.clear()


def ids(source: object) -> list[str]:
    """Return the ids that the manifest leads to."""
    relation = read(str(source), connection=duckdb.connect())
    return sorted(str(row[0]) for row in relation.project("id").fetchall())


def windows(store: Store) -> list[tuple[str, str]]:
    """Return the days of the windows that the manifest names."""
    return [(line["start"], line["end"]) for line in store.json("nightly/events/manifest.json")["windows"]]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("form", ExportFormat)
async def test_it_is_what_a_directory_is(some: Service, store: Store, tmp_path: Path, form: ExportFormat) -> None:
    """The same rows, under names of their own, whatever the prefix is called; nothing is left beside it."""
    prefix = "it's [a] *x*/é"
    partition: dict[str, Any] = {"partition_by": "artifact"} if form == "parquet" else {}
    job = some.job(format=form, **partition)
    await some.scarf.exports.run(job, tmp_path / "directory")
    report = await some.scarf.exports.run(job, f"s3://bucket/{prefix}/", temp_dir=tmp_path / "made" / "temp")
    assert report.complete
    assert report.directory == f"s3://bucket/{prefix}"
    named = {path.removeprefix("s3://bucket/") for path in files(report.directory)}
    assert named == {f"{prefix}/{path}" for path in report.new_files}
    assert named < store.objects.keys()
    assert ids(report.directory) == ids(tmp_path / "directory")
    assert await some.scarf.exports.verify(report.directory, deep=True) == []
    assert store.json(f"{prefix}/lease.json")["run"] is None
    assert list((tmp_path / "made" / "temp").iterdir()) == []
    kinds = Counter(path.removeprefix(f"{prefix}/").partition("/")[0] for path in store.objects)
    assert {kind[:6]: count for kind, count in kinds.items()} == {
        "data": 4,
        "window": 4,
        "manife": 1,
        "lease.": 1,
        "probe-": 1,
    }


async def test_records_that_cannot_be_read(store: Store) -> None:
    """They go below the prefix, too, and are not data."""
    async with service(events_per_day=2) as some:
        await some.emulator.add_events(some.web.uuid, [{"id": "x", "time": "2024-01-02T00:00:00Z", "dnt": "maybe"}])
        report = await some.scarf.exports.run(some.job(format="jsonl"), TO, on_malformed="keep")
    assert report.malformed > 0
    rejects = [path for path in store.objects if fnmatchcase(path, "nightly/events/rejects/*.jsonl")]
    assert sum(store.objects[path].count(b"\n") for path in rejects) == report.malformed
    assert not {path.removeprefix("s3://bucket/") for path in files(TO)} & {*rejects}
    assert verify_export(TO) == []


@pytest.mark.parametrize("what", ["lost", "late 503", "503", "drop", "412"])
async def test_answers_that_tell_nothing(some: Service, store: Store, what: What) -> None:
    """Lost, or an error although it is done, or before: each window is there once, and was asked for once."""
    conditional = ["manifest.json", "lease.json", "probe-*"]
    paths = conditional if what == "412" else [*conditional, "data/*", "windows/*"]
    faults = [store.fail("PUT", f"nightly/events/{path}", what) for path in paths]
    report = await some.scarf.exports.run(some.job(), TO)
    assert report.complete
    assert {fault.left for fault in faults} == {0}
    assert len(windows(store)) == len(set(windows(store))) == len(some.asked()) == 4
    assert verify_export(TO) == []
    assert store.json("nightly/events/lease.json")["run"] is None


async def test_a_store_that_hangs(some: Service, store: Store) -> None:
    """What it has done meanwhile is not done twice."""
    for path in ("manifest.json", "data/*"):
        store.fail("PUT", f"nightly/events/{path}", "hang")
    report = await some.scarf.exports.run(some.job(), TO, store=store.impatient())
    assert report.complete
    assert len(windows(store)) == 4
    assert verify_export(TO) == []


@pytest.mark.parametrize(
    ("ignored", "what"), [(CONDITIONS, None), (CONDITIONS, "lost"), (CONDITIONS[:1], None), (CONDITIONS[1:], "503")]
)
async def test_a_store_that_ignores_conditions(
    some: Service, store: Store, ignored: tuple[str, ...], what: What | None
) -> None:
    """It gets nothing but the probe, and Scarf is asked for nothing."""
    store.ignored = ignored
    if what is not None:
        store.fail("PUT", "*", what)
    with pytest.raises(ConfigurationError, match=r"s3://bucket ignores the conditions of writes .*; nothing but"):
        await some.scarf.exports.run(some.job(), TO)
    (path,) = store.objects
    assert fnmatchcase(path, "nightly/events/probe-*.json")
    assert some.asked() == []


async def test_a_lease_without_a_manifest_is_no_proof(some: Service, store: Store) -> None:
    """A store that has a lease is tried all the same: its writer may have ended before it found out."""
    store.put("nightly/events/lease.json", b'{"run":null,"n":1,"commit":"1"}')
    store.ignored = CONDITIONS
    with pytest.raises(ConfigurationError, match="ignores the conditions"):
        await some.scarf.exports.run(some.job(), TO)
    assert store.json("nightly/events/lease.json")["n"] == 1


async def test_nothing_is_written_for_what_cannot_run(some: Service, store: Store) -> None:
    """A job without a start where nothing is, and one of another identity."""
    with pytest.raises(ValidationError, match="give the job a start"):
        await some.scarf.exports.run(ExportJob("package_events", "acme", None, None, package=some.web.uuid), TO)
    assert store.objects == {}
    await some.scarf.exports.run(some.job(), TO)
    store.requests.clear()
    some.emulator.requests.clear()
    with pytest.raises(ExportError, match="holds another export: format was 'csv' and is 'parquet'"):
        await some.scarf.exports.run(some.job(format="parquet"), TO)
    assert store.written("*") == 0
    assert some.asked() == []


async def test_it_goes_on_like_a_directory(some: Service, store: Store) -> None:
    """Another range and another length of windows: the gaps alone are asked for, and what is gone."""
    await some.scarf.exports.run(some.job("2024-01-03", "2024-01-05"), TO)
    some.emulator.requests.clear()
    report = await some.scarf.exports.run(some.job(window_days=1, end="2024-01-06"), TO)
    assert some.asked() == [
        ("2024-01-01", "2024-01-02"),
        ("2024-01-02", "2024-01-03"),
        ("2024-01-05", "2024-01-06"),
    ]
    assert report.complete
    store.delete(files(TO)[0].removeprefix("s3://bucket/"))
    assert [problem.problem for problem in verify_export(TO)] == ["it is missing"]
    some.emulator.requests.clear()
    await some.scarf.exports.run(some.job(end="2024-01-06"), TO)
    assert some.asked() == [("2024-01-01", "2024-01-02")]
    assert verify_export(TO) == []


async def test_a_refresh_under_a_reader(some: Service, store: Store) -> None:
    """What the earlier manifest named can still be read, and is retired in the commit that replaces it."""
    await some.scarf.exports.run(some.job(format="parquet"), TO)
    connection = duckdb.connect()
    relation = read(TO, connection=connection)
    before = files(TO)
    await some.scarf.exports.run(some.job(format="parquet"), TO, refresh_days=3)
    after = files(TO)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False, False]
    assert len(read(TO, connection=connection).fetchall()) == len(relation.fetchall()) == 160
    retired = [line["path"] for line in store.json("nightly/events/manifest.json")["retired"]]
    assert {f"{TO}/{path}" for path in retired if path.startswith("data/")} == {*before} - {*after}
    assert sum(path.startswith("windows/") for path in retired) == 2
    assert verify_export(TO) == []


async def test_what_killed_runs_received_is_swept(some: Service, store: Store, tmp_path: Path) -> None:
    """Nobody holds it any more; what a living process holds stays, and what no run has made."""
    dead, alive, strange = (tmp_path / f"scarf-run-{name}" for name in ("0" * 16, "1" * 16, "notes"))
    for folder in (dead, alive, strange):
        folder.mkdir()
        (folder / "part").touch()
    held = os.open(alive, os.O_RDONLY)
    lock(held)
    await some.scarf.exports.run(some.job(), TO, temp_dir=tmp_path)
    os.close(held)
    assert {*await asyncio.to_thread(os.listdir, tmp_path)} == {alive.name, strange.name}


async def test_a_prefix_is_loaded_and_reported(some: Service, store: Store, tmp_path: Path) -> None:
    """All rows of it, as of a directory; a second load leaves them as they are."""
    await some.scarf.exports.run(some.job(format="jsonl"), TO)
    target = f"duckdb:{tmp_path / 'events.duckdb'}"
    first, second = await load(TO, target), await load(TO, target, store=store.impatient())
    assert (first.rows, [window.status for window in second.windows]) == (160, ["unchanged"] * 4)
    assert await asyncio.to_thread(lambda: re.search("(?s)<h1.*web", report(TO).html()))


@pytest.mark.parametrize("what", ["404", "503"])
async def test_a_file_that_cannot_be_read(some: Service, store: Store, what: Literal["404", "503"]) -> None:
    """It is the system's error, in one line, without how DuckDB came to know of it."""
    await some.scarf.exports.run(some.job(format="parquet"), TO)
    store.fail("GET", "*/data/*", what, 100)
    with pytest.raises(OSError, match=r"s3://bucket/nightly/events/data/.*parquet") as caught:
        read(TO, connection=duckdb.connect(), store=store.impatient())
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_windows_that_come_while_the_manifest_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in the next one, which waits its time from the end of this one on, however long the store takes."""
    timers: list[Callable[[], None]] = []

    class Timer:
        def __init__(self, _: float, function: Callable[[], None]) -> None:
            timers.append(function)

        def start(self) -> None:
            pass

        cancel = start

    monkeypatch.setattr("threading.Timer", Timer)
    place = place_of("s3://bucket/a")
    assert not isinstance(place, Path)
    job = ExportJob("owner_events", "acme", None, "2024-02-01", api="v2")
    one = bucket.Bucket(place, attrs.evolve(job, start="2024-01-01"), "https://api", store=MemoryStore())
    one.open()
    commit = one._objects.commit
    found: list[int] = []

    def slow(*values: Any) -> objects.Found:
        one.enter_uploaded(second, list_path(second.window, "1" * 16))
        found.append(len(timers))
        return commit(*values)

    first, second = window("2024-01-01", "2024-01-02"), window("2024-01-02", "2024-01-03")
    one.enter_uploaded(first, list_path(first.window, "0" * 16))
    monkeypatch.setattr(one._objects, "commit", slow)
    timers[0]()
    monkeypatch.undo()
    assert (found, len(timers)) == ([1], 2)
    timers[1]()
    assert one._committed.manifest.windows == (first, second)
    one.close()


async def test_the_manifest_is_written_once_in_five_seconds(
    some: Service, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the beginning, which shuts out others, and at the end; without that time, with each window."""
    await some.scarf.exports.run(some.job(), TO)
    assert store.written("*/manifest.json") == 2
    monkeypatch.setattr(bucket, "_BETWEEN_COMMITS", 0.0)
    store.requests.clear()
    await some.scarf.exports.run(some.job(window_days=1, end="2024-01-17"), TO, concurrency=1)
    assert 2 < store.written("*/manifest.json") <= 10


# Two runs.


async def test_a_run_that_is_at_work(some: Service, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is told within a second, asks for nothing, and spoils nothing; a collection of garbage, too."""
    monkeypatch.setattr(lease, "_RENEWED", 0.05)
    monkeypatch.setattr(lease, "_LOOK", 0.05)
    blocked = store.fail("PUT", "nightly/events/data/*", "hang")
    first = asyncio.create_task(some.scarf.exports.run(some.job(), TO, concurrency=1))
    await asyncio.to_thread(store.wait_until, lambda _: blocked.left == 0)
    asked = len(some.asked())
    with pytest.raises(JobBusyError, match="s3://bucket/nightly/events is in use by another run"):
        await some.scarf.exports.run(some.job(), TO)
    with pytest.raises(JobBusyError):
        await some.scarf.exports.collect_garbage(TO)
    assert len(some.asked()) == asked
    store.release()
    assert (await first).complete
    assert verify_export(TO) == []


async def test_two_that_begin_at_once(some: Service, store: Store) -> None:
    """Both read that the lease is free; one writes it first, and the other asks Scarf for nothing."""
    store.fail("PUT", "nightly/events/lease.json", "overtaken")
    with pytest.raises(JobBusyError, match="in use by another run"):
        await some.scarf.exports.run(some.job(), TO)
    assert "nightly/events/manifest.json" not in store.objects
    assert some.asked() == []


async def test_a_run_that_was_cancelled(some: Service, store: Store) -> None:
    """What it has uploaded is named, and its lease is free: the next one goes on at once."""
    job = some.job()
    some.emulator.faults.add(FaultRule("GET", "*/events/*", 3, "hang"))
    running = asyncio.create_task(some.scarf.exports.run(job, TO, concurrency=1))
    await some.emulator.wait_until(lambda _: len(some.asked()) == 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.to_thread(store.wait_until, lambda _: store.json("nightly/events/lease.json")["run"] is None)
    there = windows(store)
    assert len(there) == 2
    some.emulator.requests.clear()
    assert (await some.scarf.exports.run(job, TO)).complete
    assert len(some.asked()) == 4 - len(there)


def child(some: Service, days: int, form: str = "csv") -> Forked:
    """Begin a run in a process of its own."""
    return fork_with_pipes(main, some.emulator.url, some.emulator.token, some.web.uuid, TO, form, str(days))


async def test_a_run_that_slept_past_its_lease(
    some: Service, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wakes up when another one has taken over, is told so, asks for nothing more, and changes no manifest."""
    monkeypatch.setattr(lease, "_DEAD", 0.2)
    monkeypatch.setattr(lease, "_LOOK", 0.1)
    monkeypatch.setenv("SCARF_TEST_LEASE", "0.2")
    stages: list[ExportProgress] = []
    sleeper = child(some, 16)
    await asyncio.to_thread(store.wait_until, lambda _: store.written("*/data/*") > 0)
    sleeper.send_signal(signal.SIGSTOP)
    job = some.job(window_days=1, end="2024-01-17")
    assert (await some.scarf.exports.run(job, TO, progress=stages.append)).complete
    assert stages[0].stage == "waiting"
    assert "s for a sign of life" in str(stages[0].waiting_for)
    manifest = store.objects["nightly/events/manifest.json"]
    sleeper.send_signal(signal.SIGCONT)
    _, errors = await sleeper.communicate()
    assert b"JobBusyError: another run has" in errors
    assert len(some.asked()) < 2 * 16
    assert store.objects["nightly/events/manifest.json"] == manifest
    assert verify_export(TO) == []


async def test_runs_that_are_killed(
    some: Service, store: Store, tmp_path: Path, soak: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at any moment, while answers are lost: in the end the rows and windows of a run that nobody killed."""
    monkeypatch.setenv("SCARF_TEST_LEASE", "0.2")
    days = 80 if soak else 12
    # Once the manifest names a window, while the list of another is written, and while its files are.
    moments = [("*/manifest.json", 3), ("*/windows/*", 1), ("*/data/*", 2)]
    # At random: the lease, the manifest, then a window, its list and the manifest, again and again.
    moments += [("*", 3 + store.random.randrange(8)) for _ in range(20 if soak else 0)]
    store.odds = 0.05
    known: list[tuple[str, str]] = []
    for path, times in moments:
        store.requests.clear()
        running = child(some, days)
        ended = partial(_has_ended, running)
        await asyncio.to_thread(store.wait_until, partial(_has_put, store, path, times), ended)
        assert not ended(), await running.communicate()
        running.kill()
        await running.communicate()
        there = windows(store) if "nightly/events/manifest.json" in store.objects else []
        store.odds = 0.0
        assert not there or all("is missing; run the job" in one.problem for one in verify_export(TO))
        assert {*known} <= {*there}
        known, store.odds = there, 0.05
    assert known
    running = child(some, days)
    output, errors = await running.communicate()
    assert (output.strip(), errors) == (b"complete", b"")
    store.odds = 0.0
    assert len(windows(store)) == days
    end = dt.date(2024, 1, 1) + dt.timedelta(days)
    await some.scarf.exports.run(some.job(end=str(end), window_days=1), tmp_path)
    assert ids(TO) == ids(tmp_path)
    assert verify_export(TO) == []


def _has_ended(process: Forked) -> bool:
    return process.returncode is not None


def _has_put(store: Store, path: str, times: int, _: object) -> bool:
    return store.written(path) >= times


@pytest.mark.parametrize("what", [None, "lost", "late 503"])
async def test_a_file_of_many_parts(store: Store, tmp_path: Path, what: What | None) -> None:
    """It is there once and whole, also where the response that says so is lost."""
    place = place_of("s3://bucket/a")
    assert not isinstance(place, Path)
    part = tmp_path / "part"
    part.write_bytes(bytes(range(256)) * 4 * 9000)
    if what is not None:
        # Begins an upload, and the second one ends it.
        store.fail("POST", "a/b", what, 2)
    await asyncio.to_thread(objects_at(place).write, "b", part)
    assert store.objects == {"a/b": part.read_bytes()}
    assert store.written("a/b") > 1


# What cannot be reached.


async def test_without_credentials(some: Service, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence that says so, not a wait for an address that does not answer."""
    monkeypatch.setattr(objects, "_PATIENCE", 0.3)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"{store.url}/metadata")
    store.fail("PUT", "*", "hang", 100)
    with pytest.raises(ConfigurationError, match=r"no credentials for s3://bucket: set AWS_ACCESS_KEY_ID"):
        await some.scarf.exports.run(some.job(), TO)
    assert some.asked() == []


@pytest.mark.parametrize(
    ("address", "variables", "named"),
    [
        ("az://container/a", {}, "AZURE_STORAGE_ACCOUNT_NAME"),
        (TO, {"AWS_ACCESS_KEY_ID": "s3cr3t"}, "SecretAccessKey"),
    ],
)
async def test_half_of_what_is_needed(
    some: Service, monkeypatch: pytest.MonkeyPatch, address: str, variables: dict[str, str], named: str
) -> None:
    """The sentence is of credentials, too, and says what is missing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"credentials.*{named}") as caught:
        await some.scarf.exports.run(some.job(), address)
    assert "s3cr3t" not in str(caught.value)


async def test_a_bucket_that_is_not_there(some: Service, store: Store) -> None:
    """It is the system's error, names the address, and shows no key."""
    with pytest.raises(FileNotFoundError, match="NoSuchBucket") as caught:
        await some.scarf.exports.run(some.job(), "s3://other/events")
    assert "s3://other/events/manifest.json" in str(caught.value)
    assert "s3cr3t" not in repr(caught.getrepr(showlocals=True))


@pytest.mark.parametrize(
    "text",
    [
        "http://bucket/prefix",
        "ftp://bucket/prefix",
        "s3:bucket/prefix",
        "s3:///prefix",
        "s3://key:s3cr3t@bucket/prefix",
        "s3://bucket/../other",
        "s3://bucket/a//b",
        "s3://bucket/a?region=x",
        "s3://bucket/a\nb",
        "file://host/directory",
        "duckdb://x/y",
        Path("s3://bucket/prefix"),
    ],
)
async def test_other_addresses(some: Service, text: str | Path) -> None:
    """They are refused by all that takes one, and no password is repeated."""
    for call in (
        some.scarf.exports.run(some.job(), text),
        some.scarf.exports.verify(text),
        some.scarf.exports.collect_garbage(text),
        asyncio.to_thread(files, text),
    ):
        with pytest.raises(ConfigurationError) as caught:
            await call
        assert "s3cr3t" not in str(caught.value)


async def test_a_file_address_is_a_directory(some: Service, tmp_path: Path) -> None:
    """Its blanks are written as in an address."""
    report = await some.scarf.exports.run(some.job(), f"file://{tmp_path}/a%20b")
    assert report.directory == tmp_path / "a b"
    assert files(f"file://{tmp_path}/a%20b") == files(tmp_path / "a b")
    assert await some.scarf.exports.collect_garbage(f"file://{tmp_path}/a%20b") == []


async def test_what_is_not_a_store(some: Service) -> None:
    """It is refused by all that take one, before anything is asked for."""
    for call in (
        some.scarf.exports.run(some.job(), TO, store="s3"),  # type: ignore[arg-type] # as a caller may
        some.scarf.exports.verify(TO, store="s3"),  # type: ignore[arg-type] # as above
        some.scarf.exports.collect_garbage(TO, store="s3"),  # type: ignore[arg-type] # as above
    ):
        with pytest.raises(ValidationError, match="store must be an obstore store of the bucket"):
            await call
    assert some.asked() == []


@pytest.mark.parametrize("missing", ["obstore", "fsspec"])
async def test_what_is_not_installed(some: Service, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install, before anything is asked for."""
    monkeypatch.setitem(sys.modules, missing, None)
    for call in (
        some.scarf.exports.run(some.job(), TO),
        some.scarf.exports.verify(TO),
        some.scarf.exports.collect_garbage(TO),
    ):
        with pytest.raises(
            ConfigurationError, match=r"s3://.* needs obstore and fsspec: pip install 'scarf-async\[cloud"
        ):
            await call
    assert some.asked() == []
