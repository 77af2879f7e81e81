"""Records that cannot be read, and the windows that they are in."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from scarf_async import (
    ExportFormatLike,
    ExportJob,
    ExportReport,
    ValidationError,
    verify_export,
)
from scarf_async.clock import Clock
from scarf_async.events import Hook
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.manifest import UnusableManifestError, load
from scarf_async.exports.jobs.run import run_job

from ..fakes import FakeDownload, download, events
from .service import Service, manifest, names, service
from .test_end import exclusive

WINDOW = "2024-01-01--2024-01-03"
REJECTS = f"rejects/{WINDOW}.jsonl"
ROWS = [
    {"id": "1", "type": "t", "time": "2024-01-01T00:00:00Z"},
    {"id": "2", "type": "t", "time": "2024-01-01 bad", "user_agent": "ünï"},
    {"id": "3", "type": "t", "time": "2024-01-01T00:00:00Z", "confidence": "high"},
    {"id": "4", "type": "t", "time": "2024-01-02T00:00:00Z"},
]
FORMS = pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])


async def spoiled(some: Service, directory: Path, form: ExportFormatLike = "csv", **options: Any) -> ExportReport:
    """Run a job of one window, of whose four records two cannot be read."""
    await some.emulator.add_events(some.web.uuid, ROWS)
    return await some.scarf.exports.run(some.job(end="2024-01-03", format=form), directory, **options)


@FORMS
async def test_kept_records_are_in_a_file_of_their_window(tmp_path: Path, form: ExportFormatLike) -> None:
    """With their lines and reasons; manifest and report count; by default the window fails."""
    async with service() as some:
        raised = await spoiled(some, tmp_path / "raised", form)
        again = some.job(end="2024-01-03", format=form)
        report = await some.scarf.exports.run(again, tmp_path, on_malformed="keep")
    assert [window.status for window in raised.windows] == ["failed"]
    assert (report.complete, report.rows, report.malformed) == (True, 2, 2)
    assert [window.malformed for window in report.windows] == [report.to_dict()["malformed"]] == [2]
    assert "malformed: 2 left out, in 1 of 1 windows" in str(report)
    lines = [json.loads(line) for line in (tmp_path / REJECTS).read_text().splitlines()]
    assert [(line["line"], line["reason"]) for line in lines] == [
        (3, "column 'time': '2024-01-01 bad' is not a time"),
        (4, "column 'confidence': 'high' is not a number"),
    ]
    assert "2,t," in lines[0]["record"]
    assert "ünï" in lines[0]["record"]
    assert verify_export(tmp_path) == []
    (tmp_path / REJECTS).write_bytes(b"{}\n")
    (problem,) = verify_export(tmp_path)
    assert problem.path == tmp_path / REJECTS


async def test_a_window_that_is_fetched_again_replaces_its_rejects(tmp_path: Path) -> None:
    """They go with what they belong to; so they do when nothing is malformed any more."""
    async with service() as some:
        await spoiled(some, tmp_path, on_malformed="keep")
        job = some.job(end="2024-01-03")
        report = await some.scarf.exports.run(job, tmp_path, refresh_days=10_000, on_malformed="keep")
        assert (report.malformed, (tmp_path / REJECTS).read_bytes().count(b"\n")) == (2, 2)
        await some.emulator.store.run(lambda transaction: transaction.write("DELETE FROM events"))
        whole = await some.scarf.exports.run(job, tmp_path, refresh_days=10_000, on_malformed="keep")
    assert (whole.complete, whole.malformed) == (True, 0)
    assert names(tmp_path) == [f"data/{WINDOW}.csv", "lock", "manifest.json"]
    assert verify_export(tmp_path) == []


async def kept(directory: Path, form: ExportFormatLike, *answers: FakeDownload) -> ExportReport:
    """Run a job of one window, which these answers come for, one after another."""
    export = events(*answers, on_malformed="skip", attempts=len(answers), max_record_bytes=1000)
    job = ExportJob("owner_events", "acme", "2024-01-01", "2024-01-03", form)
    return await run_job(
        job,
        Directory(directory, job, "http://127.0.0.1/v1"),
        lambda _: export.spec,  # type: ignore[arg-type,return-value] # an event is a record
        concurrency=1,
        refresh_days=0,
        progress=Hook("progress", None),
        clock=Clock(),
        keep_rejects=True,
    )


BODY = b"type,time\nt,2024-01-01T00:00:00Z\nb\xffd\nb,a,d\r\n" + b"z" * 5000 + b"\n"


@FORMS
async def test_what_is_kept_of_a_record(tmp_path: Path, form: ExportFormatLike) -> None:
    """Its text without the line end, base64 where it is not text, the first 4 KiB where it is too long."""
    report = await kept(tmp_path, form, download(BODY, step=11))
    assert (report.complete, report.rows, report.malformed) == (True, 1, 3)
    assert [json.loads(line) for line in (tmp_path / REJECTS).read_bytes().splitlines()] == [
        {
            "line": 3,
            "reason": "1 fields where the header has 2",
            "record_base64": base64.b64encode(b"b\xffd").decode(),
        },
        {"line": 4, "reason": "3 fields where the header has 2", "record": "b,a,d"},
        {"line": 5, "reason": "it is longer than max_record_bytes (1000)", "record": "z" * 4096},
    ]


@FORMS
async def test_a_window_that_fails_leaves_no_rejects(tmp_path: Path, form: ExportFormatLike) -> None:
    """Neither after a cut behind a bad record, nor are those there twice that an attempt met which was cut."""
    failed = await kept(tmp_path, form, download(BODY, proven=False))
    assert [window.status for window in failed.windows] == ["failed"]
    assert names(tmp_path) == ["lock", "manifest.json"]
    done = await kept(tmp_path, form, download(BODY, proven=False), download(BODY))
    assert (done.complete, done.malformed) == (True, 3)
    assert (tmp_path / REJECTS).read_bytes().count(b"\n") == 3
    assert verify_export(tmp_path) == []


async def test_rejects_that_no_window_names_are_swept(tmp_path: Path) -> None:
    """As other files are that a killed run left."""
    async with service() as some:
        await spoiled(some, tmp_path / "killed", on_malformed="keep")
        left = (tmp_path / "killed" / REJECTS).read_bytes()
        await some.scarf.exports.run(some.job(end="2024-01-03"), tmp_path / "new")
        (tmp_path / "new" / "rejects").mkdir()
        (tmp_path / "new" / REJECTS).write_bytes(left)
        assert len(verify_export(tmp_path / "new")) == 1
        await some.scarf.exports.run(some.job(end="2024-01-03"), tmp_path / "new")
    assert REJECTS not in names(tmp_path / "new")


@pytest.mark.parametrize("wanted", ["skip", "ignore", "KEEP", None, [], 1, print])
async def test_anything_else_is_refused(tmp_path: Path, wanted: Any) -> None:
    """Before anything is made or sent; a stream knows no `keep`."""
    async with service() as some:
        with pytest.raises(ValidationError, match="on_malformed must be") as caught:
            await some.scarf.exports.run(some.job(), tmp_path / "new", on_malformed=wanted)
        with pytest.raises(ValidationError, match="on_malformed must be"):
            some.scarf.exports.owner_events("acme", "2024-01-01", "2024-01-02", on_malformed="keep")  # type: ignore[arg-type] # on purpose
        assert some.asked() == []
    assert caught.value.field == "on_malformed"
    assert names(tmp_path) == []


async def test_a_manifest_of_before_is_read(tmp_path: Path) -> None:
    """Its windows know of no malformed records."""
    async with service() as some:
        await some.scarf.exports.run(some.job(end="2024-01-03"), tmp_path)
    whole = json.loads((tmp_path / "manifest.json").read_bytes())
    for window in whole["windows"]:
        del window["malformed"], window["rejects"]
    assert load(json.dumps(whole).encode()) == manifest(tmp_path)
    whole["windows"][0]["rejects"] = {"path": "../x.jsonl", "bytes": 1, "sha256": "", "rows": 1}
    (tmp_path / "manifest.json").write_text(json.dumps(whole))
    (problem,) = verify_export(tmp_path)
    assert "is damaged" in problem.problem


async def test_rejects_of_a_window_without_its_last_day(tmp_path: Path) -> None:
    """They are named as what was entered is: v2 was asked for the last day once more, and sent it then."""
    async with service(events_per_day=0) as some:
        day = [{"id": name, "type": "t", "time": f"2024-01-0{name}T01:00:00Z"} for name in "123456"]
        bad = [{"id": "7", "type": "t", "time": "2024-01-05T01:00:00Z", "confidence": "high"}]
        await some.emulator.add_events(some.web.uuid, [*day, *bad])
        job = ExportJob("owner_events", "acme", "2024-01-01", "2024-01-07", window_days=2)
        with exclusive(2):
            report = await some.scarf.exports.run(job, tmp_path, concurrency=1, on_malformed="keep")
    assert (report.complete, report.rows, report.malformed) == (True, 6, 1)
    assert "rejects/2024-01-05--2024-01-06.jsonl" in names(tmp_path)
    assert verify_export(tmp_path) == []


async def test_rejects_are_no_data(tmp_path: Path) -> None:
    """A manifest that counts them among a window's data is damaged."""
    async with service() as some:
        await spoiled(some, tmp_path, on_malformed="keep")
    whole = json.loads((tmp_path / "manifest.json").read_bytes())
    (window,) = whole["windows"]
    window["files"], window["rejects"], window["rows"] = [window["rejects"]], None, window["malformed"]
    with pytest.raises(UnusableManifestError, match="is not a file of the window"):
        load(json.dumps(whole).encode())
