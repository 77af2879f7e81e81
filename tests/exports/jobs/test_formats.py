"""What the files hold, and who can read them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
import duckdb
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped] # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped] # it ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async import Aggregate, ConfigurationError, Event, ExportError, ExportJob, ExportKindLike, verify_export
from scarf_async.emulator.generator import EVENT_COLUMNS
from scarf_async.exports.jobs.manifest import is_data, is_folder, partition

from .service import END, START, Service, all_events, names, service

HOSTILE = ["a/b", "..", "é", "", "__HIVE_DEFAULT_PARTITION__", "007", "a=b", "%2F", "null", "A"]
LONG = ["x" * 300, "é" * 300]


def rows_of(directory: Path, query: str, folder: str = "**") -> list[tuple[Any, ...]]:
    """Read all Parquet files, or those of a folder, as one table, by DuckDB."""
    with duckdb.cursor() as database:
        return database.execute(
            f"SELECT {query} FROM read_parquet('{directory}/data/{folder}/*.parquet')"  # noqa: S608 # our own
        ).fetchall()


async def with_packages(some: Service, packages: list[str], rows: int = 1) -> None:
    """Put events of these packages into the service, so many for each, on the second day and in no order."""
    await some.emulator.add_events(
        some.web.uuid,
        (
            {
                "id": f"{number}/{package}",
                "type": "t",
                "package": package,
                "time": f"2024-01-02T00:00:{number % 60:02}Z",
            }
            for number in range(rows)
            for package in packages
        ),
    )


async def test_csv_is_what_the_service_sent(tmp_path: Path) -> None:
    """The header and each record's own bytes, line breaks inside quotes and all."""
    columns = [*reversed(EVENT_COLUMNS), "later"]
    async with service(columns=columns, events_per_day=100) as some:
        await some.scarf.exports.run(some.job(window_days=31), tmp_path)
        saved = await some.scarf.exports.package_events("acme", some.web, START, END).save(tmp_path / "saved")
    assert (tmp_path / "data" / "2024-01-01--2024-01-09.csv").read_bytes() == saved.path.read_bytes()


async def test_json_lines_of_events(tmp_path: Path) -> None:
    """By the names of attributes, all of them; times in UTC, what is unknown in an object of its own."""
    async with service(columns=[*EVENT_COLUMNS, "later"]) as some:
        extra = {"id": "1", "type": "t", "time": "2024-01-01 02:00:00.5 +02:00", "dnt": "t", "later": "x"}
        await some.emulator.add_events(some.web.uuid, [extra])
        await some.scarf.exports.run(some.job(format="jsonl", end="2024-01-03"), tmp_path)
    (line,) = (tmp_path / "data" / "2024-01-01--2024-01-03.jsonl").read_text().splitlines()
    assert json.loads(line) == {field.name: None for field in attrs.fields(Event)} | {
        "type": "t",
        "time": "2024-01-01T00:00:00.500000Z",
        "id": "1",
        "dnt": True,
        "extra": {"later": "x"},
    }


async def test_aggregates(tmp_path: Path) -> None:
    """JSON lines as they were sent, CSV by the names of attributes; equal rows are all kept."""
    async with service() as some:
        for form in ("jsonl", "csv", "parquet"):
            by: Any = {"partition_by": "month"} if form == "parquet" else {}
            job = ExportJob("organization_aggregates", "acme", START, END, form, 31, **by)
            report = await some.scarf.exports.run(job, tmp_path / form)
            assert (report.complete, report.duplicates) == (True, 0)
        export = some.scarf.exports.organization_aggregates("acme", START, END)
        saved = await export.save(tmp_path / "saved")
        async with export as stream:
            records = [record async for record in stream]
    name = "2024-01-01--2024-01-09"
    assert (tmp_path / "jsonl" / "data" / f"{name}.jsonl").read_bytes() == saved.path.read_bytes()
    with (tmp_path / "csv" / "data" / f"{name}.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    fields = [field.name for field in attrs.fields(Aggregate)]
    assert list(table[0]) == fields
    for row, record in zip(table, records, strict=True):
        values = [getattr(record, name) for name in fields[:-1]]
        assert list(row.values()) == [*("" if value is None else str(value) for value in values), ""]
    read = rows_of(tmp_path / "parquet", "breakdown, date, package, total, month")
    assert Counter(read) == Counter(
        (str(record.breakdown), record.date, record.package, record.total, "2024-01") for record in records
    )


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_a_window_without_records(tmp_path: Path, form: str) -> None:
    """It is there, and there is nothing in it."""
    async with service(events_per_day=0) as some:
        report = await some.scarf.exports.run(some.job(format=form, end="2024-01-03"), tmp_path)
    assert (report.complete, report.rows) == (True, 0)
    assert len(names(tmp_path)) == 3
    assert verify_export(tmp_path) == []


async def test_parquet_by_month(tmp_path: Path) -> None:
    """Every row with every value, in folders by month; a window over the end of a month has two files."""
    async with service(duplicate_events=0.2) as some:
        job = some.job("2024-01-30", "2024-02-05", format="parquet", window_days=3, partition_by="month")
        report = await some.scarf.exports.run(job, tmp_path)
        events = await all_events(some.scarf, some.web, "2024-01-30", "2024-02-05")
    months = ["01/2024-01-30--2024-02-02", "02/2024-01-30--2024-02-02", "02/2024-02-02--2024-02-05"]
    assert names(tmp_path)[:-2] == [f"data/month=2024-{month}.parquet" for month in months]
    assert report.rows == len({event.id for event in events}) == 120
    assert report.duplicates > 0
    columns = "id, epoch_us(time), user_agent, origin_latitude, dnt, package, month"
    assert sorted(rows_of(tmp_path, columns)) == sorted(
        {
            (
                event.id,
                round(event.time.timestamp() * 1_000_000),
                event.user_agent,
                event.origin_latitude,
                event.dnt,
                "web",
                f"{event.time:%Y-%m}",
            )
            for event in events
        }
    )
    assert verify_export(tmp_path) == []


async def test_no_package_leads_out_of_the_directory(tmp_path: Path) -> None:
    """Whatever it is named: its rows are there under its name, or, where that is too long, in the files."""
    async with service() as some:
        await with_packages(some, [*HOSTILE, *LONG])
        job = some.job(format="parquet", end="2024-01-03", partition_by="artifact")
        report = await some.scarf.exports.run(job, tmp_path / "new")
    assert report.complete
    assert names(tmp_path) == [f"new/{name}" for name in names(tmp_path / "new")]
    assert all(len(part.encode()) <= 255 for name in names(tmp_path / "new") for part in name.split("/"))
    stored: dict[str, str | None] = {f"0/{package}": package or None for package in [*HOSTILE, *LONG]}
    rows = rows_of(tmp_path / "new", "id, package, artifact")
    found = {name: (package, artifact) for name, package, artifact in rows}
    assert {name: package for name, (package, _) in found.items()} == stored
    plain = ["a/b", "..", "é", "007", "a=b", "%2F", "A"]
    assert {package: found[f"0/{package}"][1] for package in plain} == {package: package for package in plain}
    assert not found["0/"][1]
    # A beginning and a digest tell these two apart.
    assert len({found[f"0/{package}"][1] for package in LONG}) == len(LONG)
    assert verify_export(tmp_path / "new") == []


async def test_what_has_no_package_lies_under_its_pixel(tmp_path: Path) -> None:
    """And what has neither under none."""
    rows = [{"id": pixel, "type": "t", "pixel": pixel, "time": "2024-01-01T00:00:00Z"} for pixel in ("px", "")]
    async with service(events_per_day=0) as some:
        await some.emulator.add_events(some.web.uuid, rows)
        job = some.job(format="parquet", end="2024-01-03", partition_by="artifact")
        await some.scarf.exports.run(job, tmp_path)
    name = "2024-01-01--2024-01-03.parquet"
    assert names(tmp_path)[:-2] == [f"data/artifact=/{name}", f"data/artifact=px/{name}"]


@given(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_a_folder_is_one_folder(package: str | None) -> None:
    """Of a length that file systems take, and of a name by which it is known again."""
    folder = partition(package)
    assert len(folder) <= 255
    assert is_folder(folder)
    assert is_data(f"data/{folder}/2024-01-01--2024-01-02.parquet")


async def test_many_packages_in_any_order(tmp_path: Path) -> None:
    """Each has one file with all its rows in order of arrival, however they come."""
    packages = [f"p{number}" for number in range(120)]
    async with service() as some:
        await with_packages(some, packages, rows=50)
        job = some.job(format="parquet", end="2024-01-03", partition_by="artifact")
        report = await some.scarf.exports.run(job, tmp_path)
        export = some.scarf.exports.package_events("acme", some.web, START, "2024-01-03")
        async with export as stream:
            sent = [(event.package, event.id) async for event in stream]
    assert report.rows == 120 * 50
    for package in packages:
        rows = rows_of(tmp_path, "package, id", f"artifact={package}")
        assert rows == [row for row in sent if row[0] == package]
    assert verify_export(tmp_path) == []


@pytest.mark.parametrize("missing", ["pyarrow", "duckdb"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_jobs_need_the_engine(tmp_path: Path, form: str, missing: str) -> None:
    """Without it the error says what to install, before anything is made or sent."""
    async with service() as some:
        with (
            patch.dict("sys.modules", {missing: None}),
            pytest.raises(ConfigurationError, match=r"scarf-async\[data\]"),
        ):
            await some.scarf.exports.run(some.job(format=form), tmp_path / "new")
        assert some.asked() == []
    assert names(tmp_path) == []


@pytest.mark.parametrize("what", ["package_events", "organization_aggregates"])
async def test_utc_needs_no_time_zone_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: ExportKindLike
) -> None:
    """Where the machine has none, Arrow takes no part of a time with a zone; Parquet is written all the same."""

    def without_database(compute: Callable[[pa.Array], pa.Array]) -> Callable[[pa.Array], pa.Array]:
        def called(times: pa.Array) -> pa.Array:
            if getattr(times.type, "tz", None) is not None:
                raise pa.ArrowInvalid("Cannot locate or parse timezone 'UTC': UTC not found in timezone database")
            return compute(times)

        return called

    for name in ("year", "month"):
        monkeypatch.setattr(pc, name, without_database(getattr(pc, name)))
    async with service() as some:
        package = some.web.uuid if what == "package_events" else None
        job = ExportJob(what, "acme", START, END, "parquet", package=package, partition_by="month")
        report = await some.scarf.exports.run(job, tmp_path)
    report.raise_for_failures()
    assert all("month=2024-01" in name for name in names(tmp_path) if name.endswith(".parquet"))


@pytest.mark.parametrize(
    ("place", "name"), [(pc, "greater_equal"), (pq, "ParquetWriter"), (pq.ParquetWriter, "write_table")]
)
@pytest.mark.parametrize("error", [pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError])
async def test_what_arrow_refuses_fails_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: object, name: str, error: type[Exception]
) -> None:
    """As an error of this package, with Arrow's words, in the report; nothing temporary is left."""

    def refuse(*_: object, **__: object) -> None:
        raise error("too much of it")

    monkeypatch.setattr(place, name, refuse)
    async with service() as some:
        report = await some.scarf.exports.run(some.job(format="parquet", end="2024-01-03"), tmp_path)
    (window,) = report.windows
    assert window.status == "failed"
    assert type(window.error) is ExportError
    assert "too much of it" in str(window.error)
    assert names(tmp_path) == ["lock", "manifest.json"]


async def test_what_nobody_expects_is_raised_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a group: the run ends, and its directory is free."""

    def refuse(*_: object, **__: object) -> None:
        raise MemoryError

    async with service() as some:
        with monkeypatch.context() as patched:
            patched.setattr(pq.ParquetWriter, "write_table", refuse)
            with pytest.raises(MemoryError):
                await some.scarf.exports.run(some.job(format="parquet"), tmp_path)
        assert (await some.scarf.exports.run(some.job(format="parquet"), tmp_path)).complete
