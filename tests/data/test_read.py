"""The directory of a job as a table, and as a list of files."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import duckdb
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pytest
from exports.fakes import csv_body, download
from exports.jobs.service import END, START, names, service
from exports.jobs.test_hostile import JOB, run_with

from scarf_async import (
    Aggregate,
    Aggregation,
    AggregationQuery,
    ConfigurationError,
    Event,
    ExportError,
    ExportFormat,
    ExportJob,
)
from scarf_async.data import files, read
from scarf_async.emulator import FaultRule
from scarf_async.emulator.generator import EVENT_COLUMNS
from scarf_async.exports.jobs.manifest import Manifest, dump

FORMATS = list(ExportFormat)
FOLDERS = [
    "it's [a] *x*",
    "it's a x",
    "a=1",
    "?",
    "{b,c}",
    'new\nline "é"',
    "**",
    "%41#",
    "back\\slash",
    "[!x]",
    "~",
]
HOSTILE: list[dict[str, Any]] = [
    {"id": "1", "type": "", "time": "2024-01-01 00:30:00.5 -02:00", "dnt": "f", "later": 'a "b"'},
    {"id": "2", "type": "a\rb", "time": "2024-01-03T23:59:59.999999Z", "package": "NULL", "later": "\u2028"},
    {"id": "3", "type": ' "ab"', "time": "2024-01-04T00:00:00Z", "package": "007", "confidence": "0.1"},
    {"id": "4", "type": "a\r\nb", "time": "2024-01-04T00:00:00Z", "package": "infinity", "user_agent": "x,y"},
    {"id": "", "type": "null", "time": "2024-01-05T00:00:00Z", "origin_longitude": "1e-7", "dnt": "t"},
]


def rows_of(relation: duckdb.DuckDBPyRelation, record: type[Event | Aggregate | Aggregation] = Event) -> list[str]:
    """Return a relation's rows as records have them, in an order of their own."""
    table: pa.Table = relation.to_arrow_table()
    assert table.column_names == [*(field.name for field in attrs.fields(record)), "day"]
    return sorted(_text(row | {"extra": json.loads(row["extra"] or "{}")}) for row in table.to_pylist())


def _text(row: dict[str, Any]) -> str:
    row = {
        name: value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value for name, value in row.items()
    }
    return json.dumps(row, default=str, sort_keys=True)


def expected(records: Sequence[Event | Aggregate | Aggregation]) -> list[str]:
    """Return the same of what a stream gave."""
    days = [one.time.date() if isinstance(one, Event) else one.date for one in records]
    return sorted(_text(attrs.asdict(one) | {"day": day}) for one, day in zip(records, days, strict=True))


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    """A connection that lives in another time zone."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'Pacific/Auckland'")
    return connection


async def test_each_format_is_what_the_stream_gives(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """By value, and of the same types; `day` is the date in UTC, whatever zone the machine is in."""
    types: set[str] = set()
    async with service(events_per_day=0, columns=[*reversed(EVENT_COLUMNS), "later"]) as some:
        await some.emulator.add_events(some.web.uuid, HOSTILE)
        async with some.scarf.exports.package_events("acme", some.web, START, END) as stream:
            sent = expected([event async for event in stream])
        for form in FORMATS:
            await some.scarf.exports.run(some.job(format=form), tmp_path / form)
            relation = read(tmp_path / form, connection=connection)
            assert rows_of(relation) == sent, form
            types.add(str(relation.types))
            found = relation.aggregate("day, count(*)").order("day").fetchall()
            assert found == [(dt.date(2024, 1, day), rows) for day, rows in ((1, 1), (3, 1), (4, 2), (5, 1))]
    assert len(types) == 1
    assert "TIMESTAMP WITH TIME ZONE" in types.pop()


async def test_aggregates(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """They have a `day`, too, and are the same in each format."""
    async with service() as some:
        async with some.scarf.exports.organization_aggregates("acme", START, END) as stream:
            sent = expected([record async for record in stream])
        for form in FORMATS:
            job = ExportJob("organization_aggregates", "acme", START, END, form, 3)
            await some.scarf.exports.run(job, tmp_path / form)
            assert rows_of(read(tmp_path / form, connection=connection), Aggregate) == sent, form
    assert len(sent) > 100


async def test_aggregations(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """So are they, lists of texts among their columns."""
    query = AggregationQuery(breakdown=("by-company", "by-version"), rollup="weekly")
    async with service() as some:
        async with some.scarf.exports.aggregations(START, END, query, owner="acme") as stream:
            sent = expected([record async for record in stream])
        for form in FORMATS:
            job = ExportJob("aggregations", "acme", START, END, form, query=query)
            await some.scarf.exports.run(job, tmp_path / form)
            relation = read(tmp_path / form, connection=connection)
            assert rows_of(relation, Aggregation) == sent, form
            assert relation.aggregate("count(*), min(len(breakdowns))").fetchall() == [(len(sent), 2)]


@pytest.mark.parametrize("form", FORMATS)
async def test_any_path(tmp_path: Path, form: ExportFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is a glob that finds its neighbours, nor a column; a relative one may be left behind."""
    first, *others = (tmp_path / folder for folder in FOLDERS)
    await run_with(first, {}, attrs.evolve(JOB, format=form))
    for other in others:
        shutil.copytree(first, other)
    with monkeypatch.context() as patched:
        patched.chdir(tmp_path)
        relations = [read(folder) for folder in FOLDERS]
        assert files(first.name) == [str(Path(path).relative_to(tmp_path)) for path in files(first)]
    assert {(*relation.columns, relation.count("*").fetchall()[0]) for relation in relations} == {
        (*(field.name for field in attrs.fields(Event)), "day", (12,))
    }


async def test_columns_that_differ_between_windows(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Each is found by its name; one that this version does not know is in `extra` where it is there."""
    answers = {
        "2024-02-27": csv_body(
            [{"time": "2024-02-27T01:00:00Z", "new": "x", "type": "a"}], ("time", "new", "type")
        ),
        "2024-02-28": csv_body([{"type": "b", "time": "2024-02-28T01:00:00Z", "id": "7"}], ("type", "id", "time")),
        "2024-02-29": b"type,time\n",
    }
    for form in FORMATS:
        report = await run_with(
            tmp_path / form,
            {day: download(body) for day, body in answers.items()},
            attrs.evolve(JOB, format=form, end=dt.date(2024, 3, 1)),
        )
        assert report.complete
        found = read(tmp_path / form, connection=connection).order("day").project("type, id, extra").fetchall()
        assert found == [("a", None, '{"new":"x"}'), ("b", "7", None)], form


@pytest.mark.parametrize("form", FORMATS)
async def test_without_rows(tmp_path: Path, form: ExportFormat, connection: duckdb.DuckDBPyConnection) -> None:
    """A directory without windows, and one of a window without rows, are tables with all columns."""
    async with service(events_per_day=0) as some:
        job = some.job(format=form, end="2024-01-03", **{"partition_by": "month"} if form == "parquet" else {})
        some.emulator.faults.status = {403: 1.0}
        await some.scarf.exports.run(job, tmp_path)
        assert files(tmp_path) == rows_of(read(tmp_path, connection=connection)) == []
        some.emulator.faults.status = {}
        assert (await some.scarf.exports.run(job, tmp_path)).complete
    assert rows_of(read(tmp_path, connection=connection)) == []


async def test_a_window_to_which_nothing_was_said(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Its CSV has no header."""
    nothing = download(b"")
    nothing.status = 204
    job = attrs.evolve(JOB, end=dt.date(2024, 2, 29))
    assert (await run_with(tmp_path, {"2024-02-27": nothing}, job)).complete
    assert len(rows_of(read(tmp_path, connection=connection))) == 3


async def test_only_what_the_manifest_names(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """During a run: neither what lies beside it, nor rejected records."""
    async with service(events_per_day=3) as some:
        job = some.job(format="parquet", window_days=1, end="2024-01-04", partition_by="artifact")
        some.emulator.faults.add(FaultRule("GET", "*/events/*", 3, "hang"))
        running = asyncio.create_task(some.scarf.exports.run(job, tmp_path, concurrency=1))
        await some.emulator.wait_until(lambda requests: sum("/events/" in one.path for one in requests) == 3)
        (tmp_path / "data" / "2020-01-01--2020-01-02.parquet").write_bytes(b"PAR1")
        (tmp_path / "data" / "other.parquet").write_bytes(b"PAR1")
        found, relation = files(tmp_path), read(tmp_path, connection=connection)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [Path(path).name[:10] for path in found] == ["2024-01-01", "2024-01-02"]
    assert [Path(path).parent.name for path in found] == ["artifact=web"] * 2
    assert len(rows_of(relation)) == 6


async def test_duckdb_itself_knows_the_relation(tmp_path: Path) -> None:
    """Without a connection it is that of `duckdb.sql`, for each format."""
    for form in FORMATS:
        await run_with(tmp_path / form, {}, attrs.evolve(JOB, format=form))
        events = read(tmp_path / form)
        found = duckdb.sql("SELECT count(*), min(day) FROM events")
        assert found is not None
        assert found.fetchall() == [(12, dt.date(2024, 2, 27))]
        del events


async def test_a_thread_of_its_own(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """With a cursor of its own, while a loop is running."""
    await run_with(tmp_path, {}, JOB)

    def in_thread() -> int:
        with connection.cursor() as cursor:
            return len(rows_of(read(tmp_path, connection=cursor)))

    assert await asyncio.gather(*(asyncio.to_thread(in_thread) for _ in range(4))) == [12] * 4


def test_other_directories(tmp_path: Path) -> None:
    """One that is missing, one without a manifest, one of an earlier layout or of a later export, one damaged."""
    for call in (files, read):
        with pytest.raises(FileNotFoundError):
            call(tmp_path / "missing")
        with pytest.raises(ExportError, match=r"has no manifest\.json: it is not that of an export job"):
            call(tmp_path)
    manifest = tmp_path / "manifest.json"
    whole = json.loads(dump(Manifest({"what": "later", "format": "csv"}, "")))
    manifest.write_text(json.dumps(whole))
    assert files(tmp_path) == []
    with pytest.raises(ExportError, match="an export that this version of the package does not know"):
        read(tmp_path)
    for text, problem in ((json.dumps(whole | {"version": 2}), "an earlier version"), ("{", "is damaged")):
        manifest.write_text(text)
        for call in (files, read):
            with pytest.raises(ExportError, match=problem):
                call(tmp_path)


async def test_files_that_cannot_be_read(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """What is missing is the system's error, what is damaged one of this package; none is the engine's."""
    for form, damaged in ((ExportFormat.PARQUET, b"PAR1"), (ExportFormat.CSV, b"type,time\nt,now\n")):
        await run_with(tmp_path / form, {}, attrs.evolve(JOB, format=form))
        first, *_ = map(Path, files(tmp_path / form))
        first.write_bytes(damaged)
        with pytest.raises(ExportError, match=r"2024-02-27|read"):
            read(tmp_path / form, connection=connection)
        first.unlink()
        with pytest.raises(OSError, match=r"No such file|No files"):
            read(tmp_path / form, connection=connection)


@pytest.mark.parametrize("missing", ["pyarrow", "duckdb"])
async def test_what_is_not_installed(tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install; the list of files needs neither."""
    await run_with(tmp_path, {}, JOB)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        ConfigurationError, match=r"read\(\) needs pyarrow and duckdb: pip install 'scarf-async\[data"
    ):
        read(tmp_path)
    assert [Path(path).relative_to(tmp_path).as_posix() for path in files(tmp_path)] == names(tmp_path)[:4]
