"""Every format of a job holds what `async for record in stream` gives on the same bytes."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import attrs
import msgspec
import pyarrow.parquet as pq  # type: ignore[import-untyped] # it ships no types
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scarf_async import ExportError, ExportJob, ExportReport, MalformedRecordError, verify_export
from scarf_async.clock import Clock
from scarf_async.events import Hook
from scarf_async.exports.jobs.destination import Made
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.run import run_job
from scarf_async.exports.jobs.windows import midnight

from ..fakes import cuts, download, events

START, END = dt.date(2, 1, 1), dt.date(9999, 12, 31)
HEADER = b"id,type,time,package,origin_latitude,dnt,new"
TIME = b"2024-01-01T00:00:00Z"
BOM = b"\xef\xbb\xbf"
BROKEN = [b'"', b'""', b",", b"\r", b"\n", b"\r\n", BOM, b"\0", b"\xff", b"\xc3", b" ", b"\t", b"\\", b"x"]
TIMES = [
    *(TIME, b"2024-01-31 23:59:59.999999 UTC", b"2024-02-01T00:30:00+01:00", b"0002-01-01T00:00:00.000001Z"),
    *(b"9999-12-30T23:59:59Z", b"9999-12-31T00:00:00Z", b"0001-12-31T23:59:59Z", b"2024-01-01", b"infinity", b""),
]
NUMBERS = [b"", b"0.1", b"-0.0", b"1e22", b"1e-7", b"5e-324", b"123456789.123456789", b"1e400", b"nan", b"0x1"]
FLAGS = [b"", b"true", b"F", b"yes"]
TEXTS = st.lists(st.sampled_from([*BROKEN, b"a", b"1", b"\xc3\xa9", b"\xed\xa0\x80"]), max_size=3).map(b"".join)


def _quoted(text: bytes) -> bytes:
    return b'"' + text.replace(b'"', b'""') + b'"'


FIELDS = TEXTS | TEXTS.map(_quoted)
RECORDS = st.tuples(
    st.sampled_from([b"", b"1", b"2", b'"1"', b'"3\n"']),
    st.sampled_from([b"t", b"", b'"t"', b'"a,\r\nb"']),
    st.sampled_from(TIMES),
    FIELDS,
    st.sampled_from(NUMBERS),
    st.sampled_from(FLAGS),
    FIELDS,
).map(b",".join)
PLAIN = st.sampled_from([b"1", b"2", b"3", b""]).map(lambda name: name + b",t," + TIME + b",web,0.5,t,")
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b"\r\r\n", b""])
LINES = st.tuples(PLAIN | RECORDS | PLAIN | TEXTS | PLAIN | PLAIN, ENDS).map(b"".join)
ODD_HEADERS = [
    HEADER + b"\r\n",
    HEADER + b"\r\r\n",
    BOM + b"new,type,time\n",
    b'"id",type,"time",package\n',
    b"type,time\n",
    b"id,id\n",
    b"",
]
BODIES = st.builds(
    lambda begin, header, lines: begin + header + b"".join(lines),
    st.sampled_from([b"", b"", b"", BOM, b"\n", b" "]),
    st.just(HEADER + b"\n") | st.sampled_from(ODD_HEADERS),
    st.lists(LINES, max_size=12),
)


@attrs.frozen
class Found:
    """What a reading gives: the events, and what could not be read; or the error that ended it."""

    events: list[dict[str, Any]]
    malformed: list[tuple[int, str, bytes]]
    error: str = ""


async def by_stream(pieces: list[bytes], limit: int) -> Found:
    """Read it one by one."""
    bad: list[MalformedRecordError] = []
    got: list[dict[str, Any]] = []
    error = ""
    async with events(download(pieces), on_malformed=bad.append, max_record_bytes=limit) as stream:
        try:
            got += [{**attrs.asdict(event), "extra": dict(event.extra)} async for event in stream]
        except ExportError as raised:
            error = str(raised)
    return Found(got, [(one.line_number, one.reason, one.record) for one in bad], error)


def kept(read: Found) -> Found:
    """Leave out what lies outside of the window, and what comes again."""
    seen: set[str] = set()
    rows = []
    for row in read.events:
        if not midnight(START) <= row["time"] < midnight(END):
            continue
        if not row["id"] or row["id"] not in seen:
            rows.append(row)
        seen.add(row["id"])
    return attrs.evolve(read, events=rows)


async def by_job(directory: Path, pieces: list[bytes], limit: int, form: str) -> tuple[ExportReport, Found]:
    """Run a job of one window, and read what it wrote."""
    form, _, by = form.partition(" by ")
    options: dict[str, Any] = {"partition_by": by or None}
    job = ExportJob("pixel_events", None, START, END, form, (END - START).days, **options)  # type: ignore[arg-type] # one of the words
    export = events(download(pieces), attempts=1, max_record_bytes=limit)
    report = await run_job(
        job,
        Directory(directory, job, "http://127.0.0.1/v1"),
        lambda _: export.spec,  # type: ignore[arg-type,return-value] # an event is a record
        concurrency=1,
        refresh_days=0,
        progress=Hook("progress", None),
        clock=Clock(),
        keep_rejects=True,
    )
    rows: list[dict[str, Any]] = []
    for file in sorted((directory / "data").rglob("*.*")):
        rows += await rows_of(file, form, limit)
    lines = [line for file in (directory / "rejects").glob("*") for line in file.read_bytes().splitlines()]
    malformed = [(line["line"], line["reason"], record(line)) for line in map(json.loads, lines)]
    (window,) = report.windows
    return report, Found(rows, malformed, "" if window.error is None else str(window.error))


def record(line: dict[str, str]) -> bytes:
    """Return a record that was kept."""
    return line["record"].encode() if "record" in line else base64.b64decode(line["record_base64"])


async def rows_of(file: Path, form: str, limit: int) -> list[dict[str, Any]]:
    """Read a file."""
    data = file.read_bytes()  # noqa: ASYNC240 # a small one
    if form == "csv":
        found = await by_stream([data] if data else [], limit)
        assert not found.malformed
        return found.events
    if form == "parquet":
        return [
            row | {"extra": json.loads(row["extra"] or "{}")} for row in pq.ParquetFile(file).read().to_pylist()
        ]
    rows = [json.loads(line) for line in data.splitlines()]
    for row in rows:
        assert len(row["time"]) == len("2024-01-05T10:20:30.021037Z")
        row["time"] = dt.datetime.fromisoformat(row["time"])
        row["extra"] = row["extra"] or {}
    return rows


@contextmanager
def groups(size: int) -> Iterator[None]:
    """Let so few bytes, or rows, be taken at once; and let every block be read as columns."""
    with ExitStack() as patches:
        for name, value in {
            "prefetch.FEW": 0,
            "prefetch.ENOUGH": 40 * size,
            "jobs.output._LOOKED_FOR_AT_ONCE": size,
            "jobs.writers._ROW_GROUP": size,
            "arrow_json._ROWS_AT_ONCE": size,
        }.items():
            patches.enter_context(patch(f"scarf_async.exports.{name}", value))
        yield


def _key(row: dict[str, Any]) -> bytes:
    return msgspec.json.encode(sorted(row.items()))


@example(HEADER + b"\n1,t," + TIME + b",a,,,\n2,t," + TIME + b',"b\r\n",,,\r\r\n', [3], 1, 500, "csv")
@example(HEADER + (b"\r\n1,t," + TIME + b',"a\n",,,') * 3 + b"\r\n", [], 1000, 500, "csv")
@example(HEADER + b"\r\r\n1,t," + TIME + b",a,,,b\n", [], 1, 500, "csv")
@example(BOM + BOM + b"id,type,time\n1,t," + TIME + b"\n", [], 1, 500, "csv")
@example(HEADER + (b"\n1,t," + TIME + b",a,,,") * 3, [], 1, 500, "parquet by month")
@given(
    body=BODIES,
    at=st.lists(st.integers(0, 2000), max_size=6),
    size=st.sampled_from([1, 2, 5, 1000]),
    limit=st.sampled_from([60, 500]),
    form=st.sampled_from(["csv", "jsonl", "parquet", "parquet by month", "parquet by artifact"]),
)
async def test_every_format_is_what_the_stream_gives(
    body: bytes, at: list[int], size: int, limit: int, form: str
) -> None:
    """By value, whatever comes in whatever pieces; what cannot be read with its line; or with the same error."""
    pieces = cuts(body, at)
    expected = kept(await by_stream(pieces, limit))
    with TemporaryDirectory() as place, groups(size):
        directory = Path(place)
        report, found = await by_job(directory, pieces, limit, form)
        assert found.error == expected.error
        if expected.error:
            assert (found.events, found.malformed) == ([], [])
            return
        assert verify_export(directory)[1:] == []
        assert found.malformed == expected.malformed
        ordered = form in {"csv", "parquet"}
        rows = [some.events if ordered else sorted(some.events, key=_key) for some in (found, expected)]
        assert rows[0] == rows[1]
        assert (report.rows, report.malformed) == (len(expected.events), len(expected.malformed))


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "parquet by month"])
async def test_files_are_on_the_disk_before_they_are_placed(tmp_path: Path, form: str) -> None:
    """Whole, rejects too: a loss of power behind that leaves no empty file under a window's name."""
    synced: dict[int, int] = {}
    placed: list[str] = []
    sync, enter = os.fsync, Directory.enter

    def synced_now(descriptor: int) -> None:
        sync(descriptor)
        status = os.fstat(descriptor)
        synced[status.st_ino] = status.st_size

    def entered(directory: Directory, entry: WindowEntry, made: Sequence[Made]) -> bool:
        for file in made:
            status = file.part.stat()
            assert synced[status.st_ino] == status.st_size
        placed.extend(file.path.partition("/")[0] for file in made)
        return enter(directory, entry, made)

    with patch.object(os, "fsync", synced_now), patch.object(Directory, "enter", entered):
        await by_job(tmp_path, [HEADER + b"\n1,t," + TIME + b",a,,,\nbad\n"], 500, form)
    assert placed == ["data", "rejects"]
