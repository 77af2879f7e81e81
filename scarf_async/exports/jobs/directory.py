"""The directory of an export job: locked by one run, swept, and described by its manifest. All of it blocks."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import attrs

from scarf_async.errors import ExportError
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import (
    DATA,
    LOCK,
    MANIFEST,
    REJECTS,
    TEMPORARY,
    FileEntry,
    Manifest,
    Pending,
    UnusableManifestError,
    WindowEntry,
    differences,
    dump,
    is_data,
    is_folder,
    load,
)
from scarf_async.files import is_temporary, lock, resemble, sweep, sync_directory, write_whole

__all__ = ["Directory", "Made", "data_files", "read_manifest", "temporary_files"]


@attrs.frozen
class Made:
    """A file that is finished: where it is, and where it belongs, from the directory on."""

    part: Path
    path: str


def read_manifest(path: Path) -> Manifest | None:
    """Return the manifest of a directory; None where it has none.

    Raises:
        ExportError: there is one that cannot be used.
        OSError: it cannot be read.
    """
    try:
        return load((path / MANIFEST).read_bytes())
    except FileNotFoundError:
        return None
    except UnusableManifestError as error:
        problem = str(error)
    raise ExportError(f"{path / MANIFEST} {problem}; give another directory")


def temporary_files(path: Path) -> list[Path]:
    """Return what a run left that was killed."""
    return [*_temporary_in(path), *_temporary_in(path / TEMPORARY)]


def _temporary_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [entry for entry in folder.iterdir() if is_temporary(entry.name) and entry.is_file()]


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

    Attributes:
        path: where it is.
        temporary: where what is not finished lies, out of the sight of those who read the data.
        manifest: what is on the disk.
    """

    def __init__(self, path: Path, job: ExportJob, server: str) -> None:
        self.path = path
        self.temporary: Path = path / TEMPORARY
        self.manifest: Manifest = Manifest.of(job, server)
        self._descriptor: int | None = None
        self._turn = threading.Lock()
        self._closed = False

    def open(self) -> None:
        """Lock it, made where it is missing, and remove what a killed run left.

        Raises:
            ExportError: another run is in it, or its manifest cannot be used, or is another job's.
            OSError: it cannot be made, read or written.
        """
        with self._turn:
            if self._closed:
                return
            self.path.mkdir(exist_ok=True)
            # What cannot be used is left as it is: no lock is put beside it.
            read_manifest(self.path)
            self._lock()
            self._take_manifest()
            self._settle()
            self._sweep()
            for folder in (self.path / DATA, self.temporary):
                folder.mkdir(exist_ok=True)

    def close(self) -> None:
        """Unlock it, once nothing is being written."""
        with self._turn:
            self._closed = True
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def remember(self, *, limit_days: int | None = None, end_inclusive: bool | None = None) -> None:
        """Write down what the service has shown; None: nothing new.

        Args:
            limit_days: how many days a window may have.
            end_inclusive: whether it sends the day that it is given as the end.
        """
        with self._turn:
            old = self.manifest
            limit = old.limit_days if limit_days is None else limit_days
            inclusive = old.end_inclusive if end_inclusive is None else end_inclusive
            new = attrs.evolve(old, limit_days=limit, end_inclusive=inclusive)
            if new != old and not self._closed:
                self._write(new)

    def holds(self, entry: WindowEntry) -> bool:
        """Tell whether the files of a window are there; what is in them is for `verify_export` to see."""
        return all((self.path / file.path).is_file() for file in entry.files)

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Put the files of a window in their places, and the window into the manifest.

        Those that it replaces leave the manifest before their files are touched: whenever this is cut off, the
        manifest names nothing that is not whole, and says what is to be put right. A file of the same name is
        replaced in one step, and what is left over goes in the end: whoever reads the data meanwhile finds each
        file whole.

        Returns:
            False where the run is over.
        """
        with self._turn:
            # A window that could not be put in its place ends the run, and is settled by the next one.
            if self._closed or self.manifest.pending is not None:
                return False
            for file in made:
                resemble(file.part, self.path / file.path)
            replaced = self._withdraw(entry, made)
            placed: set[str] = set()
            try:
                for file in made:
                    self._place(file, replaced)
                    placed.add(file.path)
                self._sync_folders(made)
                self._write(attrs.evolve(self.manifest.having(entry), pending=None))
            except BaseException:
                if self.manifest.pending is None:
                    self._unlink(placed)
                raise
            self._unlink(replaced - placed)
        return True

    def _lock(self) -> None:
        self._descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            lock(self._descriptor)
        except BlockingIOError:
            problem = "is in use by another run; wait for its end, or give another directory"
        except OSError as error:
            problem = f"cannot be locked: {error.strerror}"
        else:
            return
        raise ExportError(f"directory {self.path} {problem}")

    def _place(self, file: Made, replaced: AbstractSet[str]) -> None:
        target = self.path / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.path not in replaced and os.path.lexists(target):
            # Such as one whose name differs by its case only, on a file system that takes those for the same.
            raise FileExistsError(f"{target} is there already, and no window of this export has put it there")
        file.part.replace(target)

    def _withdraw(self, entry: WindowEntry, made: Sequence[Made]) -> AbstractSet[str]:
        """Take the windows that overlap this one out of the manifest; return the paths of their files."""
        old, remaining = self.manifest, self.manifest.without(entry.window)
        replaced = tuple(window for window in old.windows if window not in remaining.windows)
        if not replaced:
            return frozenset()
        parts = {file.path: file.part.name for file in made}
        self._write(attrs.evolve(remaining, pending=Pending(entry, parts, replaced)))
        return old.files.keys() - remaining.files.keys()

    def _settle(self) -> None:
        """End what a run was killed in that was replacing a window: by the new one if all of it is there."""
        pending, manifest = self.manifest.pending, attrs.evolve(self.manifest, pending=None)
        if pending is None:
            return
        parts = {path: self.temporary / name for path, name in pending.parts.items()}
        if all(parts[file.path].is_file() or self._is_there(file) for file in pending.entry.all_files):
            made = [Made(part, path) for path, part in parts.items() if part.is_file()]
            for file in made:
                self._place(file, pending.parts.keys())
            self._sync_folders(made)
            manifest = manifest.having(pending.entry)
        else:
            for old in pending.replaced:
                if all(map(self._is_there, old.all_files)):
                    manifest = manifest.having(old)
        self._write(manifest)

    def _is_there(self, file: FileEntry) -> bool:
        path = self.path / file.path
        if not path.is_file() or path.stat().st_size != file.bytes:
            return False
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256

    def _unlink(self, paths: Iterable[str]) -> None:
        for path in paths:
            (self.path / path).unlink(missing_ok=True)

    def _take_manifest(self) -> None:
        """Take the manifest that is there, or begin one."""
        manifest = read_manifest(self.path)
        if manifest is None:
            if (stranger := next(data_files(self.path), None)) is not None:
                raise ExportError(
                    f"directory {self.path} has no {MANIFEST}, but has {stranger}, which an export would remove;"
                    " give another directory"
                )
            self._write(self.manifest)
        elif different := differences(manifest, self.manifest):
            raise ExportError(
                f"directory {self.path} holds another export: {'; '.join(different)}; give another directory"
            )
        else:
            self.manifest = manifest

    def _sweep(self) -> None:
        """Remove what a killed run left; what another process is saving here stays."""
        sweep(self.path)
        for left in _temporary_in(self.temporary):
            left.unlink(missing_ok=True)
        self._unlink(set(data_files(self.path)) - self.manifest.files.keys())

    def _sync_folders(self, files: Sequence[Made]) -> None:
        folders = {self.path}
        for file in files:
            folders.update(self.path / parent for parent in Path(file.path).parents)
        for folder in folders:
            sync_directory(folder)

    def _write(self, manifest: Manifest) -> None:
        write_whole(self.path / MANIFEST, [dump(manifest)])
        self.manifest = manifest
