"""The directory of an export job: locked by one run and described by its manifest. All methods block."""

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
"""The size of the journal in bytes from which it is merged into the manifest before the end, unless the manifest is
longer."""


def read_manifest(path: Path) -> Manifest | None:
    """Read the manifest of a directory and its journal; None if it has none.

    Raises:
        ExportError: one of them cannot be used.
        OSError: one cannot be read.
    """
    file = path / JOURNAL
    try:
        # In this order: lines leave the journal after the manifest has them.
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
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def temporary_files(path: Path) -> list[Path]:
    """Return the temporary files that a killed run left."""
    return [*filter(_is_temporary, _entries(path)), *_entries(path / TEMPORARY)]


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_temporary(path: Path) -> bool:
    return is_temporary(path.name) and path.is_file()


def data_files(path: Path) -> Iterator[str]:
    """Return the relative paths of files that have names of windows' files."""
    # Links are not followed: their targets do not belong to this directory.
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
    """A locked export directory.

    Its methods run in threads: a lock serializes them, and after `close` they do nothing, since a cancelled task
    does not wait for its thread.

    Each change is written to the journal and synced first, and a killed run is resumed from there: everything that
    the manifest and the journal name is complete. A change that fails is the last one: the next run finds how much
    of it is on the disk, and continues it.

    Attributes:
        path: its path.
        temporary: the directory of unfinished files, outside the data.
        manifest: the manifest, with the changes in the journal.
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
        """Lock it, after creating it if necessary; finish or remove what a killed run had begun.

        Raises:
            JobBusyError: another run has locked it.
            ExportError: its manifest cannot be used, or belongs to another job.
            ValidationError: the job has no start, and the directory has no windows.
            OSError: it cannot be created, read or written.
        """
        with self._turn:
            if self._closed:
                return
            # A directory that cannot be used is left unchanged, without a lock file.
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
        """Merge the journal into the manifest."""
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
        """Record what the service has shown; None if there is nothing new.

        Args:
            limit_days: the maximum number of days in a window.
            end_inclusive: whether the service includes the end day.
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
        """Return whether the files of a window are there; `verify_export` checks their contents."""
        return all((self.path / file.path).is_file() for file in entry.files)

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Move the files of a window to their places, and record it in the journal; the directory owns them now.

        Replaced windows leave the journal before their files are changed. A file of the same name is replaced
        atomically, and files that are left over are removed at the end, so that a reader always finds complete
        files.

        Returns:
            False if the run is over.
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
                # From here on, this run or the next one completes it.
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
        """Read the existing manifest, or begin one."""
        manifest = read_manifest(self.path)
        if manifest is None:
            if (stranger := next(data_files(self.path), None)) is not None:
                raise ExportError(
                    f"directory {self.path} has no {MANIFEST}, but has {stranger}, which an export would remove;"
                    " give another directory"
                )
            # A directory without a manifest belongs to no job either.
            (self.path / JOURNAL).unlink(missing_ok=True)
        elif not (different := differences(manifest, self.manifest)):
            self.manifest = manifest
        elif manifest.windows or manifest.placing:
            raise ExportError(
                f"directory {self.path} holds another export: {'; '.join(different)}; give another directory"
            )
        else:
            # It has no windows, so it belongs to no job.
            self.manifest = attrs.evolve(self.manifest, journal=manifest.journal)

    def _go_on(self, placing: Placing) -> None:
        """Place the complete files that a killed run was about to place; if one is lost, discard them."""
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
            # For example one whose name differs only in case, on a case-insensitive file system.
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
        """Remove the files that a killed run left; those that another process is saving stay."""
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
        # A new file, so that a reader of the old one finds it unchanged.
        write_whole(self.path / JOURNAL, [])
        self._journal = os.open(self.path / JOURNAL, os.O_WRONLY | os.O_APPEND)
