"""The directory of an export job: locked by one run, swept, and described by its manifest. All of it blocks."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import attrs

from scarf_async.disk import lock, resemble, sweep, sync_directory, write_whole
from scarf_async.errors import ExportError
from scarf_async.exports.files import is_temporary
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import Manifest, UnusableManifestError, WindowEntry, differences, dump, load
from scarf_async.exports.jobs.names import LOCK, MANIFEST, REJECTS, is_data
from scarf_async.exports.jobs.windows import Window

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
    return [entry for entry in path.iterdir() if is_temporary(entry.name) and entry.is_file()]


def data_files(path: Path) -> Iterator[str]:
    """Return the paths, from the directory on, of the files that are named as those of windows are."""
    # Links are not followed: what they lead to is not this directory's.
    for folder, folders, names in os.walk(path):
        inside = Path(folder).relative_to(path)
        depth = len(inside.parts)
        if depth == 0:
            folders[:] = [name for name in folders if name.startswith("package=") or name == REJECTS]
        elif depth == 1:
            folders[:] = [name for name in folders if name.startswith("month=")]
        else:
            folders.clear()
        paths = (name if depth == 0 else f"{inside.as_posix()}/{name}" for name in names)
        yield from (found for found in paths if is_data(found))


class Directory:
    """An export directory, locked.

    Its methods run in threads: a lock of its own keeps them apart, and after `close` none of them does anything,
    since a cancelled task does not wait for its thread.

    Attributes:
        manifest: what is on the disk.
    """

    def __init__(self, path: Path, job: ExportJob, server: str) -> None:
        self.path = path
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
            self._lock()
            self._sweep_temporary()
            self._take_manifest()
            self._sweep()

    def close(self) -> None:
        """Unlock it, once nothing is being written."""
        with self._turn:
            self._closed = True
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def remember_limit(self, days: int) -> None:
        """Write down how many days a window may have."""
        with self._turn:
            if not self._closed:
                self._write(attrs.evolve(self.manifest, limit_days=days))

    def holds(self, entry: WindowEntry) -> bool:
        """Tell whether the files of a window are there; what is in them is for `verify_export` to see."""
        return all((self.path / file.path).is_file() for file in entry.files)

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Put the files of a window in their places, and the window into the manifest.

        Those that it replaces leave the manifest before their files are touched: whenever this is cut off, the
        manifest names nothing that is not whole.

        Returns:
            False where the run is over.
        """
        with self._turn:
            if self._closed:
                return False
            for file in made:
                resemble(file.part, self.path / file.path)
            self._remove(entry.window)
            placed: list[Path] = []
            try:
                for file in made:
                    placed.append(self._place(file))  # noqa: PERF401 # what was placed counts, whatever comes next
                self._sync_folders(placed)
                self._write(self.manifest.having(entry))
            except BaseException:
                for path in placed:
                    path.unlink(missing_ok=True)
                raise
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

    def _place(self, file: Made) -> Path:
        target = self.path / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target):
            # Such as one whose name differs by its case only, on a file system that takes those for the same.
            raise FileExistsError(f"{target} is there already, and no window of this export has put it there")
        file.part.replace(target)
        return target

    def _remove(self, window: Window) -> None:
        remaining = self.manifest.without(window)
        if remaining == self.manifest:
            return
        gone = self.manifest.files.keys() - remaining.files.keys()
        self._write(remaining)
        for path in gone:
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

    def _sweep_temporary(self) -> None:
        """Remove what a killed run left; a file that is saved here by another process stays."""
        sweep(self.path)
        with suppress(PermissionError):
            for left in temporary_files(self.path):
                if left.suffix != ".part":
                    left.unlink(missing_ok=True)

    def _sweep(self) -> None:
        named = self.manifest.files
        for path in list(data_files(self.path)):
            if path not in named:
                (self.path / path).unlink(missing_ok=True)

    def _sync_folders(self, files: Sequence[Path]) -> None:
        folders = {self.path}
        for file in files:
            folders.update(parent for parent in file.parents if parent.is_relative_to(self.path))
        for folder in folders:
            sync_directory(folder)

    def _write(self, manifest: Manifest) -> None:
        write_whole(self.path / MANIFEST, [dump(manifest)])
        self.manifest = manifest
