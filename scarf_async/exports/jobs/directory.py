"""The directory of an export job: locked by one run, swept, and described by its manifest. All of it blocks."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from scarf_async.errors import ExportError, JobBusyError
from scarf_async.exports.jobs.destination import Made, Stage
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import (
    DATA,
    JOURNAL,
    LOCK,
    MANIFEST,
    REJECTS,
    TEMPORARY,
    Learnt,
    Line,
    Manifest,
    Placed,
    Placing,
    UnusableManifestError,
    WindowEntry,
    differences,
    dump,
    dump_line,
    is_data,
    is_folder,
    load,
    load_lines,
    with_journal,
)
from scarf_async.files import NO_FOLLOW, is_temporary, lock, resemble, sweep, sync_directory, write_whole

__all__ = ["Directory", "data_files", "read_manifest", "sha256_of", "temporary_files"]

_LONG_JOURNAL: Final = 2**20
"""Bytes at which it is brought into the manifest before the run's end, unless the manifest is longer."""


def read_manifest(path: Path) -> Manifest | None:
    """Return what a directory holds, by its manifest and its journal; None where it has none.

    Raises:
        ExportError: one of them cannot be used.
        OSError: one cannot be read.
    """
    file = path / JOURNAL
    try:
        # In this order: what the manifest has taken in leaves the journal afterwards.
        lines = load_lines(_read(file))
        file = path / MANIFEST
        manifest = load(file.read_bytes())
        file = path / JOURNAL
        return with_journal(manifest, lines)
    except FileNotFoundError:
        return None
    except UnusableManifestError as error:
        problem = str(error)
    raise ExportError(f"{file} {problem}; give another directory")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def temporary_files(path: Path) -> list[Path]:
    """Return what a run left that was killed."""
    return [*filter(_is_temporary, _entries(path)), *_entries(path / TEMPORARY)]


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_temporary(path: Path) -> bool:
    return is_temporary(path.name) and path.is_file()


def data_files(path: Path) -> Iterator[str]:
    """Return the paths, from the directory on, of the files that are named as those of windows are."""
    # Links are not followed: what they lead to is not this directory's.
    for folder, folders, names in os.walk(path):
        inside = Path(folder).relative_to(path)
        depth = len(inside.parts)
        if depth == 0:
            folders[:] = [name for name in folders if name in {DATA, REJECTS}]
        elif depth == 1:
            folders[:] = [name for name in folders if is_folder(name)]
        else:
            folders.clear()
        yield from (found for name in names if is_data(found := (inside / name).as_posix()))


class Directory:
    """An export directory, locked.

    Its methods run in threads: a lock of its own keeps them apart, and after `close` none of them does anything,
    since a cancelled task does not wait for its thread.

    What changes is a line of the journal first, synced; a run that is killed is resumed from there. Whenever
    that happens, what manifest and journal name is whole. Where a change fails, it is the last one: how much of it
    is on the disk is for the next run to see, which goes on with it.

    Attributes:
        path: where it is.
        temporary: where what is not finished lies, out of the sight of those who read the data.
        manifest: what is on the disk, by manifest and journal.
    """

    stage: Stage = "writing"

    def __init__(self, path: Path, job: ExportJob, server: str) -> None:
        self.path = path
        self._job = job
        self.temporary: Path = path / TEMPORARY
        self.manifest: Manifest = Manifest.of(job, server)
        self._lock: int | None = None
        self._journal: int | None = None
        self._long = _LONG_JOURNAL
        self._turn = threading.Lock()
        self._closed = False

    def open(self) -> None:
        """Lock it, made where it is missing, finish what a killed run had begun to place, and sweep up the rest.

        Raises:
            JobBusyError: another run is in it.
            ExportError: its manifest cannot be used, or is another job's.
            ValidationError: the job has no start, and nothing is there.
            OSError: it cannot be made, read or written.
        """
        with self._turn:
            if self._closed:
                return
            # What cannot be used is left as it is: no lock is put beside it.
            found = read_manifest(self.path)
            self._job.check_start([] if found is None else [*found.windows, *filter(None, [found.placing])])
            self.path.mkdir(exist_ok=True)
            self._take_lock()
            self._take_manifest()
            for folder in (self.path / DATA, self.temporary):
                folder.mkdir(exist_ok=True)
            if self.manifest.placing is not None:
                self._go_on(self.manifest.placing)
            self._write_manifest()
            self._sweep()

    def checkpoint(self) -> None:
        """Bring into the manifest what is in the journal."""
        with self._turn, self._changing():
            if not self._closed and self._journal_size():
                self._write_manifest()

    def close(self) -> None:
        """Unlock it, once nothing is being written."""
        with self._turn:
            self._closed = True
            for descriptor in (self._journal, self._lock):
                if descriptor is not None:
                    os.close(descriptor)
            self._journal = self._lock = None

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._closed = True
            raise

    def remember(self, *, limit_days: int | None = None, end_inclusive: bool | None = None) -> None:
        """Write down what the service has shown; None: nothing new.

        Args:
            limit_days: how many days a window may have.
            end_inclusive: whether it sends the day that it is given as the end.
        """
        with self._turn, self._changing():
            old = Learnt(self.manifest.limit_days, self.manifest.end_inclusive)
            new = Learnt(
                old.limit_days if limit_days is None else limit_days,
                old.end_inclusive if end_inclusive is None else end_inclusive,
            )
            if new != old and not self._closed:
                self._append(new)

    def holds(self, entry: WindowEntry) -> bool:
        """Tell whether the files of a window are there; what is in them is for `verify_export` to see."""
        return all((self.path / file.path).is_file() for file in entry.files)

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Put the files of a window in their places, and the window into the journal; they are this one's now.

        Those that it replaces leave the journal before their files are touched. A file of the same name is replaced
        in one step, and what is left over goes in the end: a reader of the data meanwhile finds each file whole.

        Returns:
            False where the run is over.
        """
        with self._turn:
            if self._closed:
                self._remove(made)
                return False
            replaced = {path for old in self.manifest.overlapping(entry.window) for path in old.by_path}
            try:
                for file in made:
                    self._refuse_stranger(file.path, replaced)
                    resemble(file.part, self.path / file.path)
                sync_directory(self.temporary)
            except OSError:
                self._remove(made)
                raise
            with self._changing():
                parts = {file.path: file.part.relative_to(self.path).as_posix() for file in made}
                self._append(Placing(entry, parts))
                # From here on this run, or the next one, goes on with it.
                self._place(parts)
                self._append(Placed())
                self._unlink(replaced - entry.by_path.keys())
                if self._journal_size() > self._long:
                    self._write_manifest()
        return True

    def _take_lock(self) -> None:
        self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o644)
        try:
            lock(self._lock)
        except BlockingIOError:
            raise JobBusyError(
                f"directory {self.path} is in use by another run; wait for its end, or give another directory"
            ) from None
        except OSError as error:
            problem = f"cannot be locked: {error.strerror}"
        else:
            return
        raise ExportError(f"directory {self.path} {problem}")

    def _take_manifest(self) -> None:
        """Take the manifest that is there, or begin one."""
        manifest = read_manifest(self.path)
        if manifest is None:
            if (stranger := next(data_files(self.path), None)) is not None:
                raise ExportError(
                    f"directory {self.path} has no {MANIFEST}, but has {stranger}, which an export would remove;"
                    " give another directory"
                )
            # One without a manifest belongs to no job either.
            (self.path / JOURNAL).unlink(missing_ok=True)
        elif not (different := differences(manifest, self.manifest)):
            self.manifest = manifest
        elif manifest.windows or manifest.placing:
            raise ExportError(
                f"directory {self.path} holds another export: {'; '.join(different)}; give another directory"
            )
        else:
            # Nothing has been fetched into it: it belongs to no job.
            self.manifest = attrs.evolve(self.manifest, journal=manifest.journal)

    def _go_on(self, placing: Placing) -> None:
        """Place what a killed run had whole, and was about to place; where a part of it is lost, forget it."""
        parts = {path: part for path, part in placing.parts.items() if (self.path / part).is_file()}
        manifest = attrs.evolve(self.manifest, placing=None)
        if all(path in parts or self._is_placed(path, placing.entry) for path in placing.parts):
            self._place(parts)
            manifest = manifest.having(placing.entry)
        self.manifest = manifest

    def _is_placed(self, path: str, entry: WindowEntry) -> bool:
        try:
            return path in entry.by_path and sha256_of(self.path / path) == entry.by_path[path].sha256
        except FileNotFoundError:
            return False

    def _remove(self, made: Iterable[Made]) -> None:
        for file in made:
            file.part.unlink(missing_ok=True)

    def _journal_size(self) -> int:
        return 0 if self._journal is None else os.fstat(self._journal).st_size

    def _refuse_stranger(self, path: str, replaced: Iterable[str]) -> None:
        target = self.path / path
        if path not in replaced and os.path.lexists(target):
            # Such as one whose name differs by its case only, on a file system that takes those for the same.
            raise FileExistsError(f"{target} is there already, and no window of this export has put it there")

    def _place(self, parts: Mapping[str, str]) -> None:
        folders = {self.path}
        for path, part in parts.items():
            target = self.path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            (self.path / part).replace(target)
            folders.update(self.path / parent for parent in Path(path).parents)
        for folder in folders:
            sync_directory(folder)

    def _unlink(self, paths: Iterable[str]) -> None:
        for path in paths:
            (self.path / path).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove what a killed run left; what another process is saving here stays."""
        sweep(self.path)
        for left in _entries(self.temporary):
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        self._unlink(set(data_files(self.path)) - self.manifest.files.keys())

    def _append(self, change: Placing | Placed | Learnt) -> None:
        if self._journal is None:
            raise ValueError("the directory is not open")
        line = Line(self.manifest.journal + 1, change)
        left = memoryview(dump_line(line))
        while left:
            left = left[os.write(self._journal, left) :]
        os.fsync(self._journal)
        self.manifest = self.manifest.after(line)

    def _write_manifest(self) -> None:
        data = dump(self.manifest)
        self._long = max(_LONG_JOURNAL, len(data))
        write_whole(self.path / MANIFEST, [data])
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None
        # Another file: a reader of the old one finds it as it was.
        write_whole(self.path / JOURNAL, [])
        self._journal = os.open(self.path / JOURNAL, os.O_WRONLY | os.O_APPEND)
