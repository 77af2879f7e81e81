"""`scarf-async imports`, and the exports that are in v2 alone, as a shell runs them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from scarf_async import OrganizationUpsert, PackageUpsert, Scarf
from scarf_async.emulator import Emulator, Quirks

from .shell import TOKEN, invoke, of

OWNER = ("--owner", "acme")


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A server with two packages of `acme`, where imports end at once."""
    async with Emulator(token=TOKEN, quirks=Quirks(import_seconds=0.0), events_per_day=2) as emulator:
        async with Scarf(TOKEN, base_url=emulator.url) as scarf:
            await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
            for name in ("web", "api"):
                package = PackageUpsert(name=name, short_description="", library_type="npm")
                await scarf.packages.create(package, organization="acme")
        yield emulator


async def package_of(emulator: Emulator) -> str:
    """Return the uuid of a package."""
    done = await invoke("packages", "get", "acme/web", "--json", env=of(emulator))
    return str(json.loads(done.out)["uuid"])


async def test_events_are_sent_and_looked_at(emulator: Emulator, tmp_path: Path) -> None:
    """Each batch is a line; what failed makes the status 1, and is in the log of its import."""
    file = tmp_path / "events.ndjson"
    now = dt.datetime.now(dt.UTC).isoformat()
    file.write_text("".join(json.dumps({"$time": now, "$package": name}) + "\n" for name in ("none", "none")))
    package = await package_of(emulator)
    done = await invoke(
        "imports", "send", str(file), *OWNER, "--package", package, "--batch", "1", env=of(emulator)
    )
    assert done.status == 0, done.err
    lines = [line.split("\t") for line in done.out.decode().splitlines()]
    assert [line[1:] for line in lines] == [["done", "1", "1", "0"]] * 2
    assert "2 sent, 2 imported, 0 failed, 0 unknown, 0 active, 0 too old" in done.err
    done = await invoke("imports", "send", str(file), *OWNER, "--json", env=of(emulator))
    report = json.loads(done.out)
    assert (done.status, report["failed"], len(report["batches"][0]["error_sample"])) == (1, 2, 2)
    import_id = report["batches"][0]["id"]
    log = await invoke("imports", "log", import_id, *OWNER, env=of(emulator))
    assert log.out.decode().splitlines()[0].split("\t")[:3] == ["1", "error", "artifact-not-found"]
    listed = await invoke("imports", "list", *OWNER, "--status", "done", env=of(emulator))
    assert len(listed.out.splitlines()) == 3
    shown = await invoke("imports", "get", import_id, *OWNER, "--json", env=of(emulator))
    assert json.loads(shown.out)["events_failed_to_import"] == 2
    assert (await invoke("imports", "abort", import_id, *OWNER, env=of(emulator))).status == 0


async def test_a_dry_run_sends_nothing(emulator: Emulator, tmp_path: Path) -> None:
    """It says what it would do."""
    file = tmp_path / "events.ndjson"
    file.write_text("{}")
    done = await invoke("imports", "send", str(file), *OWNER, "--dry-run", env=of(emulator))
    assert (done.status, done.out) == (0, b"")
    assert f"Dry run, not sent: send {file}" in done.err


async def test_a_bad_row_is_wrong_usage(emulator: Emulator, tmp_path: Path) -> None:
    """Named by its line."""
    file = tmp_path / "events.ndjson"
    file.write_text("{}")
    done = await invoke("imports", "send", str(file), *OWNER, env=of(emulator))
    assert (done.status, done.err) == (2, "scarf-async: row 1: it has no $time\n")


RANGE = ("--start", "2024-01-01", "--end", "2024-01-02")


@pytest.mark.parametrize(
    ("arguments", "packages"),
    [
        (("owner-events", "acme"), {"web", "api", ""}),
        (("owner-events", *OWNER, "--names", "w*"), {"web"}),
        (("company-events", "acme.example", *OWNER), {"web", "api", ""}),
    ],
)
async def test_exports_of_v2(emulator: Emulator, arguments: tuple[str, ...], packages: set[str]) -> None:
    """With the names of packages, and of a company."""
    done = await invoke("export", *arguments, *RANGE, "--format", "jsonl", env=of(emulator))
    assert done.status == 0, done.err
    assert {json.loads(line).get("package", "") for line in done.out.splitlines()} <= packages


async def test_the_pixel_rollup_has_no_columns_of_its_own(emulator: Emulator, tmp_path: Path) -> None:
    """CSV and JSON lines, but no Parquet; that is known before anything is sent."""
    done = await invoke("export", "pixel-rollup", *OWNER, *RANGE, env=of(emulator))
    assert done.out.startswith(b"date,pixel,pixel_name,company,")
    emulator.requests.clear()
    file = str(tmp_path / "x.parquet")
    for target in ((), ("-o", file)):
        done = await invoke(
            "export", "pixel-rollup", *OWNER, *RANGE, "--format", "parquet", *target, env=of(emulator)
        )
        assert done.status == 2
        assert "take csv or jsonl" in done.err
    assert emulator.requests == []


async def test_a_job_of_some_packages(emulator: Emulator, tmp_path: Path) -> None:
    """The names are the job's, so that a directory is of one choice."""
    job = ("export", "job", "owner_events", "acme", *RANGE, "--directory", str(tmp_path / "d"))
    done = await invoke(*job, "--names", "web", env=of(emulator))
    assert done.status == 0, done.err
    assert [request.query["query"] for request in emulator.requests_for("GET", "*/events")] == ["web"]
    done = await invoke(*job, "--names", "api", env=of(emulator))
    assert "names was 'web' and is 'api'" in done.err
