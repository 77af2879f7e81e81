"""Pipelines of dlt into DuckDB: made here, run in a thread or in a process of their own."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dlt
import duckdb

from scarf_async import dlt as source

from .events_service import NOW

TOKEN = "tok-3f9a-do-not-show"


def pipeline(folder: Path, destination: Any = None) -> dlt.Pipeline:
    """Return the pipeline of a folder, which holds its working directory and its database."""
    return dlt.pipeline(
        "scarf_test",
        pipelines_dir=str(folder / "pipelines"),
        destination=destination or dlt.destinations.duckdb(str(folder / "events.duckdb")),
        dataset_name="scarf",
    )


async def run(folder: Path, url: str, *resources: str, destination: Any = None, **arguments: Any) -> None:
    """Run it while the test's event loop serves."""
    await asyncio.to_thread(run_here, folder, url, *resources, destination=destination, **arguments)


def run_here(
    folder: Path,
    url: str,
    *resources: str,
    destination: Any = None,
    write_disposition: Any = None,
    now: dt.datetime = NOW,
    **arguments: Any,
) -> None:
    """Run it, after what an earlier run had left to load."""
    made = pipeline(folder, destination)
    if made.has_pending_data:
        made.run()
    with patch.object(source, "_now", lambda: now):
        chosen = source.scarf("acme", TOKEN, v2_url=url, **arguments).with_resources(*resources or ("events",))
        made.run(chosen, write_disposition=write_disposition)


def state(folder: Path) -> dict[str, Any]:
    """Return what the pipeline has in mind for the next run."""
    resources: dict[str, Any] = pipeline(folder).state["sources"]["scarf"]["resources"]
    return resources


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask its database."""
    with duckdb.connect(str(folder / "events.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()
