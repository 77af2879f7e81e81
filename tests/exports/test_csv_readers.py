"""CSV that this package writes, read back by those who read CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd  # type: ignore[import-untyped] # it ships no types
import polars as pl
import pytest

from scarf_async import ExportJob, ExportKindLike
from scarf_async.clock import Clock
from scarf_async.events import Hook
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.run import run_job
from scarf_async.exports.spec import ExportSpec

from .fakes import aggregates, download, events, ndjson, row

Reader = Callable[[Path, str], "list[str | None]"]

VALUES = [
    *("a\rb", "a\r\nb", "a\nb", "\r", "\n", "\r\n", "b\r", "\rb", 'say "x"', '"', '""', '5" disk', "x,y", ","),
    *(" lead", "trail ", "\ttab\t", "a\0b", "\0", "\ufeffbom", "'", "\\", "\\N", "#c", "NULL", "NA", "\u2028", "é"),
]


def _by_csv(path: Path, column: str) -> list[str | None]:
    with path.open(newline="", encoding="utf-8") as file:
        return [line[column] for line in csv.DictReader(file, strict=True)]


def _by_duckdb(path: Path, column: str) -> list[str | None]:
    with duckdb.connect() as database:
        found = database.execute(
            f"SELECT {column} FROM read_csv(?, header = true, all_varchar = true, allow_quoted_nulls = false)",  # noqa: S608 # our own
            [str(path)],
        ).fetchall()
    return [value for (value,) in found]


def _by_polars(path: Path, column: str) -> list[str | None]:
    return pl.read_csv(path, infer_schema=False)[column].to_list()


def _by_pandas(path: Path, column: str) -> list[str | None]:
    found: list[str | None] = pd.read_csv(path, dtype=str, keep_default_na=False)[column].to_list()
    return found


ALL = pytest.mark.parametrize("reader", [_by_csv, _by_duckdb, _by_polars, _by_pandas])


async def _job(directory: Path, what: ExportKindLike, spec: ExportSpec[Any]) -> Path:
    job = ExportJob(what, "acme", "2024-01-01", "2024-01-02")
    report = await run_job(
        job,
        Directory(directory, job, "http://127.0.0.1/v1"),
        lambda _: spec,
        concurrency=1,
        refresh_days=0,
        progress=Hook("progress", None),
        clock=Clock(),
    )
    report.raise_for_failures()
    return directory / "data" / "2024-01-01--2024-01-02.csv"


@ALL
async def test_aggregates_that_are_written_are_read_back(reader: Reader, tmp_path: Path) -> None:
    """Whatever a value holds, from a job and from `save`."""
    body = ndjson(*(row(number, company_name=value) for number, value in enumerate(VALUES)))
    saved = await aggregates(download(body)).save(tmp_path / "saved.csv", format="csv")
    path = await _job(tmp_path / "job", "organization_aggregates", aggregates(download(body)).spec)
    assert reader(path, "company_name") == reader(saved.path, "company_name") == VALUES
    assert reader(path, "total") == [str(number) for number in range(len(VALUES))]


@ALL
async def test_an_empty_text_is_not_nothing(reader: Reader, tmp_path: Path) -> None:
    """Readers that can tell `""` from nothing do; to the others both are empty."""
    body = ndjson(row(company_name=""), row(company_name=None))
    saved = await aggregates(download(body)).save(tmp_path / "saved.csv", format="csv")
    told = reader in {_by_duckdb, _by_polars}
    assert reader(saved.path, "company_name") == ["", None if told else ""]


async def test_events_of_a_job_are_copied(tmp_path: Path) -> None:
    """As received, but for BOM, blank lines and line ends; what ends in a CR keeps its CRLF."""
    records = [
        b'"1",t,2024-01-01T00:00:00Z,"a\r\nb ""c"" "',
        b'2,"t",2024-01-01T00:00:00Z,\xff',
        b"3,t,2024-01-01T00:00:00Z,a\rb",
        b'4,t,2024-01-01T00:00:00Z,5" disk',
        b"5,t,2024-01-01T00:00:00Z,a\r",
    ]
    header = b'id,"type",time,user_agent'
    body = b"\xef\xbb\xbf\r\n" + b"\r\n\n".join([header, *records, b""])
    path = await _job(tmp_path, "owner_events", events(download(body)).spec)
    assert path.read_bytes() == b"\n".join([header, *records]) + b"\r\n"
