"""Files: whole, or not there."""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import gzip
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async import ExportFormatLike
from scarf_async.errors import (
    ExportError,
    RecordTooLongError,
    RequestTimeoutError,
    TransportError,
    TruncatedExportError,
)
from scarf_async.exports.aggregate_reader import AggregateReader
from scarf_async.exports.parsers import FileParser
from scarf_async.exports.save import SavedExport
from scarf_async.exports.spec import Counters

from .fakes import Hanging, Shop, aggregates, csv_body, cuts, download, event_rows, events, ndjson, row

BODY = b"\xef\xbb\xbf\n" + csv_body(event_rows(5)) + b"\n\r\nshort\n\n"
END = dt.date(2024, 1, 2)


def names(directory: Path) -> list[str]:
    """Return what is in a directory, hidden files too."""
    return sorted(path.name for path in directory.iterdir())


async def test_a_saved_file_is_the_body(tmp_path: Path) -> None:
    """Byte for byte, with the malformed records, and nothing else in the directory."""
    saved = await events(download(BODY, step=7)).save(tmp_path / "acme.csv")
    assert saved == SavedExport(tmp_path / "acme.csv", len(BODY), 6, hashlib.sha256(BODY).hexdigest())
    assert saved.path.read_bytes() == BODY
    assert names(tmp_path) == ["acme.csv"]


async def test_a_path_may_be_a_string_and_the_body_compressed(tmp_path: Path) -> None:
    """What is saved is the inflated body."""
    saved = await events(download(gzip.compress(BODY), encoding="gzip")).save(str(tmp_path / "acme.csv"))
    assert saved.path == tmp_path / "acme.csv"
    assert saved.path.read_bytes() == BODY


async def test_a_file_longer_than_one_write(tmp_path: Path) -> None:
    """Nothing is lost between the pieces that are written at once."""
    body = ndjson(*(row(number, company_name="x" * 1000) for number in range(3000)))
    saved = await aggregates(download(body)).save(tmp_path / "acme.jsonl")
    assert saved.bytes == len(body)
    assert saved.path.read_bytes() == body
    assert saved.sha256 == hashlib.sha256(body).hexdigest()
    assert saved.records == 3000


@pytest.mark.parametrize("step", [1, 10_000])
async def test_only_records_after_the_end_are_left_out(tmp_path: Path, step: int) -> None:
    """BOM, line ends, blank lines and what has no readable time stay."""
    late = b"late,2024-01-02 00:00:00\r\n"
    body = BODY.replace(b"t3,", late + b"t3,").replace(b"short", late + b"short") + late.rstrip()
    saved = await events(download(body, step=step), end=END).save(tmp_path / "acme.csv")
    assert saved.path.read_bytes() == BODY
    assert saved.records == 6


LINES = st.sampled_from(
    [
        b"",
        b"\r",
        b'{"date":"2024-01-01"}',
        b'{"date":"2024-01-02"}',
        b'{"date":7}',
        b"junk",
        b'{"date":"2024-01-02","x":"\xff"}\r',
    ]
)


@given(st.lists(LINES, max_size=10), st.booleans(), st.lists(st.integers(0, 5000), max_size=10))
def test_every_cut_leaves_every_other_byte(lines: list[bytes], bom: bool, at: list[int]) -> None:
    """What is left out is exactly the late records with their line ends, for every cut."""
    start = b"\xef\xbb\xbf" * bom
    counters = Counters("x")
    parser = FileParser(AggregateReader(END), counters, 10_000, filtered=True)
    body = start + b"".join(line + b"\n" for line in lines)
    got = b""
    for runs in (*map(parser.feed, cuts(body, at)), parser.finish()):
        for pieces, error in runs:
            assert error is None
            got += b"".join(pieces)
    assert got == start + b"".join(line + b"\n" for line in lines if b"2024-01-02" not in line)
    assert counters.records_received == sum(line not in {b"", b"\r"} for line in lines)
    assert counters.records_dropped == sum(b"2024-01-02" in line for line in lines)


# Errors

BROKEN = [
    ([b"<html>"], ExportError),
    ([b"type,time\n", b"x" * 2000], RecordTooLongError),
    ([BODY, RequestTimeoutError("silence")], RequestTimeoutError),
    ([TransportError("gone")], TransportError),
]


@pytest.mark.parametrize(("pieces", "expected"), BROKEN)
@pytest.mark.parametrize("before", [None, b"old"])
async def test_on_an_error_nothing_is_touched(
    tmp_path: Path, pieces: list[bytes | Exception], expected: type[Exception], before: bytes | None
) -> None:
    """What was under the name is still there, nothing else is left, and it is not fetched again."""
    target = tmp_path / "acme.csv"
    if before is not None:
        target.write_bytes(before)
    shop = Shop([download(list(pieces)), download(BODY)])
    with pytest.raises(expected):
        await events(shop=shop, max_record_bytes=1000).save(target)
    assert names(tmp_path) == (["acme.csv"] if before else [])
    assert before is None or target.read_bytes() == before
    assert len(shop.opened) == 1
    assert shop.opened[0].closed


async def test_what_was_cut_is_fetched_again_from_the_start(tmp_path: Path) -> None:
    """A cut leaves nothing behind in the file, as often as the attempts allow."""
    answers = [download(BODY[:60], proven=False), download([BODY[:9], TransportError("gone")]), download(BODY)]
    shop = Shop([*answers])
    saved = await events(shop=shop).save(tmp_path / "acme.csv")
    assert saved.path.read_bytes() == BODY
    assert saved.sha256 == hashlib.sha256(BODY).hexdigest()
    assert shop.pauses == [1, 2]
    assert all(answer.closed for answer in shop.opened)
    shop = Shop([download(BODY[:9], proven=False), download(BODY[:60], proven=False), download(BODY)])
    with pytest.raises(TruncatedExportError):
        await events(shop=shop, attempts=2).save(tmp_path / "other.csv")
    assert shop.pauses == [1]
    assert names(tmp_path) == ["acme.csv"]


async def test_overwriting(tmp_path: Path) -> None:
    """By default an existing file is replaced; with `overwrite=False` it is an error before anything is sent."""
    target = tmp_path / "acme.csv"
    target.write_bytes(b"old")
    shop = Shop([download(BODY)])
    with pytest.raises(FileExistsError):
        await events(shop=shop).save(target, overwrite=False)
    assert shop.opened == []
    assert target.read_bytes() == b"old"
    await events(shop=shop).save(target)
    assert target.read_bytes() == BODY
    await events(download(BODY)).save(tmp_path / "new.csv", overwrite=False)
    assert (tmp_path / "new.csv").read_bytes() == BODY
    assert names(tmp_path) == ["acme.csv", "new.csv"]


@pytest.mark.parametrize("links", [True, False])
async def test_a_file_that_comes_into_being_meanwhile(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `overwrite=False` it stays, also where the file system has no hard links."""
    if not links:
        _forbid_links(monkeypatch)
    target = tmp_path / "acme.csv"
    answer = Hanging(BODY)
    task = asyncio.create_task(events(answer).save(target, overwrite=False))
    await answer.waiting.wait()
    target.write_bytes(b"faster")
    answer.released.set()
    with pytest.raises(FileExistsError):
        await task
    assert target.read_bytes() == b"faster"
    assert names(tmp_path) == ["acme.csv"]


def _forbid_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)


async def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new file comes into its place all the same."""
    _forbid_links(monkeypatch)
    saved = await events(download(BODY)).save(tmp_path / "acme.csv", overwrite=False)
    assert saved.path.read_bytes() == BODY
    assert names(tmp_path) == ["acme.csv"]


@pytest.mark.parametrize("permissions", [0o600, 0o664])
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_who_may_read_it_stays(tmp_path: Path, permissions: int, form: ExportFormatLike) -> None:
    """The file that takes another's place is as open as that was; a link stays one."""
    target, link = tmp_path / "acme", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(permissions)
    link.symlink_to("acme")
    for path in (target, link):
        saved = await events(download(csv_body(event_rows(5)))).save(path, format=form)
        assert saved.path == path
        assert target.stat().st_mode & 0o777 == permissions
        assert hashlib.sha256(target.read_bytes()).hexdigest() == saved.sha256
    assert link.is_symlink()
    assert names(tmp_path) == ["acme", "link"]


async def test_what_comes_in_the_way_meanwhile(tmp_path: Path) -> None:
    """A pipe that takes the name while the export is fetched is not replaced."""
    target = tmp_path / "acme.csv"
    answer = Hanging(BODY)
    task = asyncio.create_task(events(answer).save(target))
    await answer.waiting.wait()
    os.mkfifo(target)
    answer.released.set()
    with pytest.raises(OSError, match="not a regular file") as refused:
        await task
    assert refused.value.filename == str(target)
    assert target.is_fifo()
    assert names(tmp_path) == ["acme.csv"]


async def test_two_saves_beside_each_other(tmp_path: Path) -> None:
    """The second sweeps what a dead process left, and not what the first is writing."""
    (tmp_path / ".scarf-0123456789abcdef.part").write_bytes(b"left")
    answer = Hanging(BODY)
    first = asyncio.create_task(events(answer).save(tmp_path / "first.csv"))
    await answer.waiting.wait()
    await events(download(BODY)).save(tmp_path / "second.csv")
    answer.released.set()
    assert (await first).path.read_bytes() == BODY
    assert names(tmp_path) == ["first.csv", "second.csv"]


def _directory(path: Path) -> Path:
    path.mkdir()
    return path


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (_directory, IsADirectoryError),
        (lambda path: path / "missing" / "acme.csv", FileNotFoundError),
        (_pipe, OSError),
        (lambda _: Path(__file__) / "acme.csv", NotADirectoryError),
    ],
)
async def test_places_that_cannot_be_written(
    tmp_path: Path, target: Callable[[Path], Path], expected: type[OSError]
) -> None:
    """They are refused, by their own name, before anything is sent."""
    shop = Shop([download(BODY)])
    place = target(tmp_path / "x")
    with pytest.raises(expected) as refused:
        await events(shop=shop).save(place)
    assert refused.value.filename == str(place)
    assert shop.opened == []


async def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error passes and names the file, the connection is closed, nothing is left."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    answer = download(BODY)
    with pytest.raises(OSError, match="no space left") as failed:
        await events(answer).save(tmp_path / "acme.csv")
    assert failed.value.filename == str(tmp_path / "acme.csv")
    assert answer.closed
    assert names(tmp_path) == []


@pytest.mark.parametrize("pieces", [[], [BODY]])
async def test_cancellation_leaves_nothing(tmp_path: Path, pieces: list[bytes]) -> None:
    """Cancelled while waiting for the service: no part of a file, no open connection."""
    answer = Hanging(*pieces)
    task = asyncio.create_task(events(answer).save(tmp_path / "acme.csv"))
    await answer.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert answer.closed
    assert names(tmp_path) == []


@pytest.mark.parametrize("turns", range(8))
async def test_a_second_cancellation_leaves_nothing(tmp_path: Path, turns: int) -> None:
    """Whenever it comes, even before the part is being removed."""
    answer = Hanging(BODY)
    task = asyncio.create_task(events(answer).save(tmp_path / "acme.csv"))
    await answer.waiting.wait()
    task.cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(tmp_path) == []


async def test_cancelled_while_a_thread_is_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that cannot be stopped is waited for before the part is removed."""
    loop = asyncio.get_running_loop()
    syncing = asyncio.Event()
    task: asyncio.Task[SavedExport]

    def cancel_meanwhile(_: int) -> None:
        loop.call_soon_threadsafe(task.cancel)
        loop.call_soon_threadsafe(syncing.set)

    monkeypatch.setattr(os, "fsync", cancel_meanwhile)
    task = asyncio.create_task(events(download(BODY)).save(tmp_path / "acme.csv"))
    await syncing.wait()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(tmp_path) == []


async def test_the_event_loop_is_not_blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is written, synced or renamed on the loop's own thread."""
    on_loop: list[str] = []
    main = threading.get_ident()
    for name in ("fsync", "link", "replace", "unlink", "open"):
        real = getattr(os, name)

        def spy(
            *arguments: object, real: Callable[..., object] = real, name: str = name, **named: object
        ) -> object:
            if threading.get_ident() == main:
                on_loop.append(name)
            return real(*arguments, **named)

        monkeypatch.setattr(os, name, spy)
    await events(download(BODY)).save(tmp_path / "acme.csv")
    await events(download(BODY)).save(tmp_path / "new.csv", overwrite=False)
    monkeypatch.undo()
    assert on_loop == []
