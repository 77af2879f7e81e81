"""A directory whose every system call may fail, or be the last one of its process."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from scarf_async import ExportError, ExportJob, JobBusyError, verify_export
from scarf_async.exports.jobs.destination import Made
from scarf_async.exports.jobs.directory import Directory, read_manifest, sha256_of
from scarf_async.exports.jobs.manifest import FileEntry, Manifest, WindowEntry, load, load_lines, with_journal

from .service import manifest, names

JOB = ExportJob("owner_events", "acme", "2024-01-01", "2024-02-01", "parquet", partition_by="artifact")
CALLS = ("replace", "unlink", "remove", "mkdir", "rmdir", "fsync", "write", "chmod")
MIDNIGHT = dt.datetime(2024, 2, 1, tzinfo=dt.UTC)
STEPS = [
    (1, 3, ["data/artifact=x", "data/artifact=y", "rejects"]),
    (3, 5, ["data/artifact=x"]),
    # A file goes, another is replaced, a third is new, and the rejects go.
    (1, 3, ["data/artifact=y", "data/artifact=z"]),
    # Other borders, which take the place of two windows.
    (2, 6, ["data/artifact=x"]),
    (6, 8, ["data/artifact=x", "data/artifact=y"]),
    # And nothing any more.
    (6, 8, []),
]


class KilledError(BaseException):
    """The process is no more: whatever it still tries to do has no effect."""


def enter(directory: Directory, number: int) -> bool:
    """Enter the window of a step, whose files say which step that was."""
    start, end, folders = STEPS[number]
    first, behind = dt.date(2024, 1, start), dt.date(2024, 1, end)
    made: list[Made] = []
    files: list[FileEntry] = []
    for place, folder in enumerate(folders):
        ending = "jsonl" if folder == "rejects" else "parquet"
        part, data = directory.temporary / f".part-{place}", f"{number} {folder}\n".encode()
        part.write_bytes(data)
        made.append(Made(part, f"{folder}/{first}--{behind}.{ending}"))
        files.append(FileEntry(made[-1].path, len(data), hashlib.sha256(data).hexdigest(), 1))
    rejects = files.pop() if "rejects" in folders else None
    at = MIDNIGHT + dt.timedelta(number)
    return directory.enter(
        WindowEntry(first, behind, len(files), 0, 0, False, at, None, tuple(files), 0, rejects),
        made,
    )


def newest(found: Manifest | None) -> int:
    """Return the last step that a directory has, or is about to have."""
    if found is None:
        return -1
    placing = [] if found.placing is None else [found.placing.entry]
    return max(((entry.finished_at - MIDNIGHT).days for entry in (*found.windows, *placing)), default=-1)


@contextmanager
def opened(path: Path, job: ExportJob = JOB, server: str = "here") -> Iterator[Directory]:
    """Open it, and close it whatever happens."""
    directory = Directory(path, job, server)
    try:
        directory.open()
        yield directory
    finally:
        directory.close()


def go_on(path: Path, least: int = -1) -> None:
    """Take the steps that are missing; those up to one must be there."""
    with opened(path) as directory:
        assert newest(directory.manifest) >= least
        for number in range(newest(directory.manifest) + 1, len(STEPS)):
            assert enter(directory, number)
        directory.remember(limit_days=7)
        directory.checkpoint()


class Reader:
    """Someone who reads a directory again and again, and finds it consistent."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journals: set[bytes] = {b""}
        self.newest: int = -1

    def __call__(self) -> None:
        """Look: each file that is named is there, whole; an earlier reader of the journal finds no gap."""
        found = read_manifest(self._path)
        if found is None:
            return
        for name, file in found.files.items():
            assert sha256_of(self._path / name) == file.sha256
        whole = load((self._path / "manifest.json").read_bytes())
        for journal in self._journals:
            with_journal(whole, load_lines(journal))
        with suppress(FileNotFoundError):
            self._journals.add((self._path / "journal.jsonl").read_bytes())
        self.newest = max(self.newest, newest(found))


@contextmanager
def fault(number: int, *, done: bool, fatal: bool, look: Callable[[], object]) -> Iterator[list[str]]:
    """Let the call of that number fail, or kill the process, and look at the disk behind each. Gives the calls."""
    calls: list[str] = []
    dead = False

    def wrap(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*values: Any, **options: Any) -> Any:
            nonlocal dead
            if dead:
                raise KilledError
            calls.append(name)
            failing = len(calls) == number
            if failing and not done and name == "write":
                # Half of it has come to the disk.
                call(values[0], values[1][: len(values[1]) // 2])
            result = call(*values, **options) if done or not failing else None
            # Looking at every call is looking at all: it is the same each time up to the one that fails.
            if number == 0 or failing:
                look()
            if not failing:
                return result
            dead = fatal
            raise KilledError if fatal else OSError(5, "Input/output error")

        return called

    with ExitStack() as patches:
        patches.enter_context(patch("scarf_async.exports.jobs.directory._LONG_JOURNAL", 1500))
        for name in CALLS:
            patches.enter_context(patch.object(os, name, wrap(name, getattr(os, name))))
        yield calls


@pytest.mark.parametrize(
    ("done", "fatal"), [(False, False), (True, False), (False, True)], ids=["undone", "done", "killed"]
)
def test_whatever_fails_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, done: bool, fatal: bool
) -> None:
    """What is named is whole, no window that was about to be placed is made again, and in the end all is there."""
    # The machine goes on: all that is written is there without it.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    whole = tmp_path / "whole"
    with fault(0, done=done, fatal=fatal, look=Reader(whole)) as calls:
        go_on(whole)
    assert {"replace", "unlink", "mkdir", "fsync", "write"} <= set(calls)
    for number in itertools.count(1):
        path = tmp_path / str(number)
        look = Reader(path)
        with fault(number, done=done, fatal=fatal, look=look) as calls, suppress(OSError, KilledError):
            go_on(path)
        go_on(path, look.newest)
        look()
        assert verify_export(path) == []
        assert names(path) == names(whole)
        shutil.rmtree(path)
        if len(calls) < number:
            break


class Disk:
    """What of a directory is on the disk, and what only seems to be: all that was not synced.

    Args:
        path: the directory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._synced: dict[int, bytes] = {}
        # Open, so that no other file gets its number.
        self._kept: dict[int, int] = {}
        # By the number of a folder: each name in it, and the number of what has it.
        self._names: dict[int, dict[str, int]] = {}

    def _now(self) -> dict[int, dict[str, int]]:
        folders: dict[int, dict[str, int]] = {}
        for folder in [self._path, *(found for found in self._path.rglob("*") if found.is_dir())]:
            names = {entry.name: entry.inode() for entry in os.scandir(folder)}
            folders[folder.stat().st_ino] = names
            for name, number in names.items():
                if number not in self._kept:
                    self._kept[number] = os.open(folder / name, os.O_RDONLY)
                    # Parts come synced: writers are looked at elsewhere.
                    if name.startswith(".part-"):
                        self.sync(self._kept[number])
        return folders

    def sync(self, descriptor: int) -> None:
        """Bring a file, or the names in a folder, to the disk."""
        number = os.fstat(descriptor).st_ino
        names = self._now()
        if number in names:
            self._names[number] = names[number]
        else:
            self._synced[number] = Path(f"/proc/self/fd/{descriptor}").read_bytes()

    def left(self, *, names_too: bool) -> dict[str, bytes | None]:
        """Return what a loss of power leaves: without data that were not synced, and without such names or with."""
        now = self._now()
        left: dict[str, bytes | None] = {}

        def walk(folder: int, before: str) -> None:
            names = self._names.get(folder, {}) if names_too else now[folder]
            for name, number in names.items():
                is_folder = number in now or number in self._names
                left[before + name] = None if is_folder else self._synced.get(number, b"")
                if is_folder:
                    walk(number, f"{before}{name}/")

        walk(self._path.stat().st_ino, "")
        return left

    def close(self) -> None:
        """Release its files."""
        for descriptor in self._kept.values():
            os.close(descriptor)


def test_after_a_loss_of_power_the_next_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At any time: with or without the names that were not synced, and never with data that were not."""
    path = tmp_path / "disk"
    path.mkdir()
    disk = Disk(path)
    monkeypatch.setattr(os, "fsync", disk.sync)
    entered = -1
    states: dict[tuple[tuple[str, bytes | None], ...], int] = {}

    def look() -> None:
        for names_too in (True, False):
            # What was entered by then is to be there.
            states[tuple(disk.left(names_too=names_too).items())] = entered

    with fault(0, done=True, fatal=False, look=look), opened(path) as directory:
        for number in range(len(STEPS)):
            assert enter(directory, number)
            entered = number
        directory.checkpoint()
    disk.close()
    assert len(states) > len(STEPS)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    for at, (state, least) in enumerate(states.items()):
        again = tmp_path / str(at)
        again.mkdir()
        for name, data in state:
            if data is None:
                (again / name).mkdir()
            else:
                (again / name).write_bytes(data)
        Reader(again)()
        with opened(again) as directory:
            assert newest(directory.manifest) >= least
        assert verify_export(again) == []


@pytest.mark.parametrize("done", [False, True])
def test_a_journal_without_its_manifest_is_nobody_s(tmp_path: Path, *, done: bool) -> None:
    """Whenever a run dies that begins there: no window of it comes back without its files."""
    journal = placed(tmp_path / "whole")
    for number in itertools.count(1):
        path = tmp_path / str(number)
        path.mkdir()
        (path / "journal.jsonl").write_bytes(journal)
        with fault(number, done=done, fatal=True, look=lambda: None) as calls, suppress(KilledError), opened(path):
            pass
        found = read_manifest(path)
        assert found is None or newest(found) == -1
        if len(calls) < number:
            break


def placed(path: Path, number: int = 0) -> bytes:
    """Enter a window, and return the journal as it is then, with nothing of it in the manifest."""
    with opened(path) as directory:
        enter(directory, number)
    return (path / "journal.jsonl").read_bytes()


@pytest.mark.parametrize("end", [b'{"numb', b"\0" * 80, b"\0\n", b"{}\n", b"\xff\n"])
def test_a_last_line_that_is_not_whole(tmp_path: Path, end: bytes) -> None:
    """Nobody has gone by it yet: it is passed over, and the next run writes no line behind it."""
    journal = placed(tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(journal + end)
    assert verify_export(tmp_path) == []
    assert placed(tmp_path, 1).count(b"\n") == 2
    assert newest(read_manifest(tmp_path)) == 1


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'{"number":1', b'{"numb', "journal.jsonl is damaged"),
        (b'{"number":1,', b'{"number":2,', "lacks its lines from 1 to 1"),
        (b'"tmp/', b'"../', "is not a temporary file"),
        (b'"data/', b'"../', "is not a file of the window"),
    ],
)
def test_a_journal_that_nobody_wrote(tmp_path: Path, old: bytes, new: bytes, problem: str) -> None:
    """It is damage, named as such; the directory stays as it is."""
    journal = placed(tmp_path)
    journal = journal[: journal.index(b"\n") + 1] * (1 + (b"numb" in new))
    (tmp_path / "journal.jsonl").write_bytes(journal.replace(old, new))
    with pytest.raises(ExportError, match=problem), opened(tmp_path):
        pass
    assert problem in str(verify_export(tmp_path))


def test_a_part_that_is_lost(tmp_path: Path) -> None:
    """The window is not there, and what was put into its place is swept."""
    journal = placed(tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(journal[: journal.index(b"\n") + 1])
    (tmp_path / "data" / "artifact=y" / "2024-01-01--2024-01-03.parquet").unlink()
    placed(tmp_path, 1)
    assert [str(entry.window) for entry in manifest(tmp_path).windows] == ["2024-01-03..2024-01-05"]
    assert verify_export(tmp_path) == []


def test_a_directory_without_windows_belongs_to_no_job(tmp_path: Path) -> None:
    """Not to its first one, nor where its manifest is gone; with a window that is being placed it has one."""
    other = ExportJob("pixel_events", "acme", "2024-01-01", "2024-02-01", "parquet", partition_by="artifact")
    with opened(tmp_path, other, "there"):
        pass
    journal = placed(tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(journal[: journal.index(b"\n") + 1])
    refused = pytest.raises(ExportError, match="what was 'owner_events' and is 'pixel_events'; server was 'here'")
    with refused, opened(tmp_path, other, "there"):
        pass
    for folder in ("data", "rejects"):
        shutil.rmtree(tmp_path / folder)
    (tmp_path / "manifest.json").unlink()
    placed(tmp_path, 1)
    assert newest(read_manifest(tmp_path)) == 1


def test_a_directory_is_one_run_s(tmp_path: Path) -> None:
    """Another one is told so; afterwards it is free, and what comes too late changes nothing."""
    with opened(tmp_path) as first, pytest.raises(JobBusyError, match="in use by another run"), opened(tmp_path):
        pass
    before = (tmp_path / "journal.jsonl").read_bytes()
    assert not enter(first, 0)
    first.remember(limit_days=1)
    first.checkpoint()
    assert (tmp_path / "journal.jsonl").read_bytes() == before
    assert placed(tmp_path) != before
