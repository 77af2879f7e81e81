"""What is deleted below a prefix, and what is not."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from scarf_async import ExportError, JobBusyError
from scarf_async.data import files
from scarf_async.exports.jobs.stores.garbage import collect_garbage

from .service import service
from .store import Store

TO = "s3://bucket/events"
DAY = dt.timedelta(days=1)
STRANGERS = (
    "events/data/notes.csv",
    "events/data/2024-01-01--2024-01-03.csv",
    "events/other.json",
    "events/windows/x.json",
    "elsewhere/data/2020-01-01--2020-02-01--0123456789ab-0123456789abcdef.csv",
)
LEFT = "events/data/2020-01-01--2020-02-01--0123456789ab-0123456789abcdef.csv"


async def refreshed(store: Store) -> None:
    """Let a job run, and replace two windows of four."""
    async with service() as some:
        await some.scarf.exports.run(some.job(), TO)
        await some.scarf.exports.run(some.job(), TO, refresh_days=3)


def retired_for(store: Store, age: dt.timedelta) -> set[str]:
    """Let everything that is retired be that for so long; return it."""
    manifest = store.json("events/manifest.json")
    for line in manifest["retired"]:
        line["at"] = (dt.datetime.now(dt.UTC) - age).isoformat()
    store.put("events/manifest.json", json.dumps(manifest).encode())
    return {str(line["path"]) for line in manifest["retired"]}


async def test_what_is_deleted(store: Store) -> None:
    """What was retired a day ago, whatever its age, and what was written a day ago and never named."""
    await refreshed(store)
    # All objects are old: only what is retired goes by the manifest's time.
    named = {path.removeprefix("s3://bucket/") for path in files(TO)}
    for stranger in (*STRANGERS, LEFT):
        store.put(stranger, b"")
    before = {*store.objects}
    probes = {path for path in before if "probe-" in path}
    store.age("*[!n].json", 2 * DAY)
    store.age("*/data/*", 2 * DAY)
    retired = retired_for(store, DAY - dt.timedelta(minutes=5))
    assert len(retired) == 4
    assert {f"events/{path}" for path in collect_garbage(TO)} == {LEFT, *probes}
    assert before - {*store.objects} == {LEFT, *probes}
    assert retired_for(store, DAY + dt.timedelta(minutes=5)) == retired
    assert {*collect_garbage(TO)} == retired
    assert store.json("events/manifest.json")["retired"] == []
    assert named < {*store.objects}
    assert {*STRANGERS} < {*store.objects}
    assert collect_garbage(TO) == []
    assert store.json("events/lease.json")["run"] is None


async def test_what_was_uploaded_today_stays(store: Store) -> None:
    """Its run may be in progress, and name it yet."""
    await refreshed(store)
    store.put(LEFT, b"")
    assert collect_garbage(TO) == []
    store.age(LEFT, DAY - dt.timedelta(minutes=5))
    assert collect_garbage(TO) == []
    store.age(LEFT, dt.timedelta(minutes=10))
    assert collect_garbage(TO) == [LEFT.removeprefix("events/")]


async def test_a_run_that_wakes_up_names_nothing_that_was_deleted(store: Store) -> None:
    """The manifest is written before anything is deleted; where someone else writes it, nothing is."""
    await refreshed(store)
    retired_for(store, 2 * DAY)
    store.requests.clear()
    collect_garbage(TO)
    what = [(method, path) for method, path in store.requests if "manifest" in path or method in {"DELETE", "POST"}]
    assert [method for method, _ in what[:4]] == ["GET", "GET", "PUT", "POST"]


async def test_somebody_else_writes_the_manifest(store: Store) -> None:
    """It was no run that kept to the lease: nothing is deleted."""
    await refreshed(store)
    retired_for(store, 2 * DAY)
    before = {*store.objects}
    store.fail("PUT", "events/manifest.json", "overtaken")
    with pytest.raises(JobBusyError, match=r"another run has written s3://bucket/events/manifest\.json"):
        collect_garbage(TO)
    assert {*store.objects} == before


async def test_a_manifest_leads_to_nothing_else(store: Store) -> None:
    """A path that no job writes is damage: it would be deleted."""
    await refreshed(store)
    manifest = store.objects["events/manifest.json"]
    (path, *_) = json.loads(manifest)["retired"]
    for other in ("manifest.json", "../elsewhere/x.csv", "data/../../x.csv", "data/x.csv", "/etc/passwd"):
        store.put("events/manifest.json", manifest.replace(path["path"].encode(), other.encode()))
        with pytest.raises(ExportError, match="is damaged"):
            collect_garbage(TO)


async def test_places_without_a_job(store: Store, tmp_path: Path) -> None:
    """Nothing is written or deleted in a prefix or a directory that is not a job's."""
    store.put(LEFT, b"")
    store.age(LEFT, 2 * DAY)
    for place in (TO, tmp_path):
        with pytest.raises(ExportError, match=r"has no manifest\.json"):
            collect_garbage(place)
    assert {*store.objects} == {LEFT}
