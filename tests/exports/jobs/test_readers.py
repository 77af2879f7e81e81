"""A directory is one table to every reader's plain line, also while a run writes into it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
import duckdb
import pandas as pd  # type: ignore[import-untyped] # it ships no types
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.dataset as ds  # type: ignore[import-untyped] # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped] # it ships no types
import pytest

from scarf_async import Event, ExportError, verify_export
from scarf_async.emulator import FaultRule
from scarf_async.exports.jobs.directory import Directory

from .service import manifest, names, service
from .test_formats import HOSTILE, LONG, with_packages

COLUMNS = [field.name for field in attrs.fields(Event)]
VALUES = ["99999999999999999999", "12:30:00", "\u0663", "1.5", "1e400", "2024-01-01", "true", "nan", "-1", "NULL"]


def by_duckdb(data: str) -> dict[str, str | None]:
    """Read it as the documents do."""
    with duckdb.cursor() as database:
        return dict(database.read_parquet(f"{data}/**/*.parquet").project("id, package").fetchall())


def of_rows(columns: list[str], rows: list[dict[str, Any]]) -> dict[str, str | None]:
    """Return packages by ids; no column may be missing, whatever the folders add."""
    assert columns[: len(COLUMNS)] == COLUMNS
    assert len(rows) == len({row["id"] for row in rows})
    return {row["id"]: row["package"] for row in rows}


def by_pandas(data: str) -> dict[str, str | None]:
    """Read it as the documents do."""
    table = pd.read_parquet(data)
    rows = table[["id", "package"]].astype(object).where(table[["id", "package"]].notna(), None)
    return of_rows(list(table.columns), rows.to_dict("records"))


def by_arrow(table: pa.Table) -> dict[str, str | None]:
    """Look at the types, too: text is plain, and times are in UTC."""
    assert table.schema.field("package").type == pa.string()
    assert table.schema.field("time").type == pa.timestamp("us", "UTC")
    return of_rows(table.column_names, table.select(["id", "package"]).to_pylist())


def by_polars(table: pl.DataFrame) -> dict[str, str | None]:
    """Look at the table."""
    return of_rows(table.columns, table.select("id", "package").to_dicts())


READERS: dict[str, Callable[[str], dict[str, str | None]]] = {
    "pandas": by_pandas,
    "pyarrow": lambda data: by_arrow(pq.read_table(data)),
    "dataset": lambda data: by_arrow(ds.dataset(data, partitioning="hive").to_table()),
    "polars": lambda data: by_polars(pl.read_parquet(data)),
    "scan": lambda data: by_polars(pl.scan_parquet(data).collect()),
    "duckdb": by_duckdb,
}


PACKAGES = [["007", "123"], ["1", "web"], ["web", "1"], ["", "1"], [*HOSTILE, *LONG, *VALUES]]


@pytest.mark.parametrize(
    ("by", "packages"),
    # One alone is what a reader may take the folders' only value for.
    [*product([None, "month", "artifact"], PACKAGES), *(("artifact", [one]) for one in VALUES)],
)
async def test_each_reads_the_whole(tmp_path: Path, packages: list[str], by: str | None) -> None:
    """Whatever packages are named, and into whatever folders they go."""
    async with service(events_per_day=0) as some:
        await with_packages(some, packages)
        job = some.job(format="parquet", partition_by=by, window_days=1, end="2024-01-04")
        assert (await some.scarf.exports.run(job, tmp_path)).rows == len(packages)
    expected = {f"0/{package}": package or None for package in packages}
    read = {name: reader(str(tmp_path / "data")) for name, reader in READERS.items()}
    assert read == dict.fromkeys(READERS, expected)
    for file in (tmp_path / "data").rglob("*.parquet"):
        one = pq.read_table(file, columns=["id", "package"]), pd.read_parquet(file), pl.read_parquet(file)
        assert {len(table) for table in one} == {pq.ParquetFile(file).metadata.num_rows}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
async def test_days_without_events_are_a_table_too(
    tmp_path: Path, reader: Callable[[str], dict[str, str | None]]
) -> None:
    """With all columns and no row."""
    async with service(events_per_day=0) as some:
        await some.scarf.exports.run(some.job(format="parquet", end="2024-01-05"), tmp_path)
    assert reader(str(tmp_path / "data")) == {}


@pytest.mark.parametrize("by", [None, "artifact"])
async def test_each_reads_during_a_run(tmp_path: Path, by: str | None) -> None:
    """What exists so far, while the rest is being received and lies elsewhere."""
    async with service(events_per_day=3) as some:
        job = some.job(format="parquet", partition_by=by, window_days=1, end="2024-01-04")
        some.emulator.faults.add(FaultRule("GET", "*/events/*", 3, "hang"))
        running = asyncio.create_task(some.scarf.exports.run(job, tmp_path, concurrency=1))
        await some.emulator.wait_until(lambda requests: sum("/events/" in one.path for one in requests) == 3)
        (tmp_path / "tmp" / ".scarf-0123456789abcdef.part").write_bytes(b"PAR1")
        counts = {name: len(reader(str(tmp_path / "data"))) for name, reader in READERS.items()}
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert counts == dict.fromkeys(READERS, 6)


@contextmanager
def watched(look: Callable[[], object]) -> Iterator[None]:
    """Look behind every line of the journal."""
    append = Directory._append

    def watch(directory: Directory, change: Any) -> None:
        append(directory, change)
        look()

    with patch.object(Directory, "_append", watch):
        yield


async def test_a_window_is_replaced_in_one_step(tmp_path: Path) -> None:
    """Whatever the journal has come to, the files of before or those of now are there, and nothing less."""
    seen: list[tuple[int, int]] = []

    def look() -> None:
        seen.append((len(manifest(tmp_path).windows), len(pq.read_table(tmp_path / "data"))))

    async with service(events_per_day=3) as some:
        job = some.job(format="parquet", end="2024-01-05")
        await some.scarf.exports.run(job, tmp_path)
        before = names(tmp_path)
        with watched(look):
            await some.scarf.exports.run(job, tmp_path, refresh_days=1)
    assert seen == [(1, 12), (2, 12)]
    assert names(tmp_path) == before
    assert verify_export(tmp_path) == []


async def test_a_file_that_is_left_over_goes_last(tmp_path: Path) -> None:
    """A package without rows in the new answer: its file is there until the journal has said otherwise."""
    seen: list[tuple[int, int]] = []

    def look() -> None:
        seen.append((len(manifest(tmp_path).files), len(list((tmp_path / "data").rglob("*.parquet")))))

    async with service(events_per_day=0) as some:
        await with_packages(some, ["a", "b"])
        job = some.job(format="parquet", end="2024-01-03", partition_by="artifact")
        await some.scarf.exports.run(job, tmp_path)
        sql = "DELETE FROM events WHERE cells LIKE '%0/b%'"
        await some.emulator.store.run(lambda transaction: transaction.write(sql))
        with watched(look):
            await some.scarf.exports.run(job, tmp_path, refresh_days=9)
    assert seen == [(0, 2), (1, 2)]
    assert [path.parent.name for path in (tmp_path / "data").rglob("*.parquet")] == ["artifact=a"]
    assert [file.path for entry in manifest(tmp_path).windows for file in entry.files] == names(tmp_path)[:1]


async def test_an_earlier_layout_is_refused(tmp_path: Path) -> None:
    """It says so, asks for nothing, and puts nothing beside it."""
    text = json.dumps({"format": "scarf-async-export", "version": 1, "job": {}, "server": "", "windows": []})
    (tmp_path / "manifest.json").write_text(text)
    async with service() as some:
        with pytest.raises(ExportError, match=r"by an earlier version .*another way.*give another directory"):
            await some.scarf.exports.run(some.job(), tmp_path)
        assert some.asked() == []
    assert names(tmp_path) == ["manifest.json"]
    assert "earlier version" in str(verify_export(tmp_path)[0])


async def test_late_columns_of_json_lines(tmp_path: Path) -> None:
    """Each line has every attribute, and the documented line sees a column that is first filled in row 30,001."""
    rows: list[dict[str, Any]] = [
        {"id": str(n), "type": "t", "time": "2024-01-01T00:00:00Z"} for n in range(30_001)
    ]
    rows[-1] |= {"platform": "linux", "later": "x"}
    async with service(events_per_day=0, columns=["id", "type", "time", "platform", "later"]) as some:
        await some.emulator.add_events(some.web.uuid, rows)
        await some.scarf.exports.run(some.job(format="jsonl", end="2024-01-03"), tmp_path)
    (file,) = (tmp_path / "data").iterdir()
    with file.open() as lines:
        assert all(list(json.loads(line)) == COLUMNS for line in lines)
    with duckdb.cursor() as database:
        found = database.read_json(f"{tmp_path}/data/*.jsonl", sample_size=-1).filter("platform IS NOT NULL")
        assert found.project("id, platform").fetchall() == [("30000", "linux")]


async def test_each_format_is_data_alone(tmp_path: Path) -> None:
    """CSV and JSON lines, too, lie in a folder of their own, which readers take whole."""
    async with service(events_per_day=3) as some:
        for form in ("csv", "jsonl"):
            await some.scarf.exports.run(some.job(format=form), tmp_path / form)
    with duckdb.cursor() as database:
        assert database.read_json(f"{tmp_path}/jsonl/data/*", sample_size=-1).count("*").fetchall() == [(24,)]
    assert sum(len(pd.read_csv(path)) for path in (tmp_path / "csv" / "data").iterdir()) == 24
