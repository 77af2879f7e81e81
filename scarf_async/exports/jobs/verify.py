"""Compare the files of an export job with its manifest. It needs no client."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import attrs

from scarf_async.checks import flag
from scarf_async.errors import ExportError, ValidationError
from scarf_async.exports.csv import CsvSplitter
from scarf_async.exports.formats import need_installed
from scarf_async.exports.jobs.directory import data_files, temporary_files
from scarf_async.exports.jobs.manifest import MANIFEST, FileEntry, Manifest
from scarf_async.exports.jobs.source import Source, source_of
from scarf_async.exports.jobs.stores.place import place_of
from scarf_async.exports.jobs.windows import Window, gaps

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["FileProblem", "verify_export"]

_READ_AT_ONCE: Final = 2**20


@attrs.frozen
class FileProblem:
    """A problem with a file of an export job.

    Attributes:
        path: the file, or its URL in an object store; the manifest if windows are missing.
        problem: a readable description.
    """

    path: Path | str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


def verify_export(
    directory: str | os.PathLike[str], *, deep: bool = False, store: ObjectStore | None = None
) -> list[FileProblem]:
    """Read every file of an export job, and compare it with the manifest.

    It compares sizes, SHA-256 and rows (for Parquet files only the first two, which suffice), and finds days that
    are missing between windows. During a run, temporary files of a directory count as problems; in an object store,
    objects that no window has are left for `collect_garbage`.

    Args:
        directory: the directory, or the URL of the prefix, that `scarf.exports.run` wrote.
        deep: if there are no other problems, also look for event ids that are in two windows, which must be events
            with the same id and different times. Needs the extra `data`.
        store: an obstore store of the bucket; None: one with the credentials of the environment.

    Returns:
        The problems; empty if all files are as they were written.

    Raises:
        ConfigurationError: DuckDB, pyarrow or obstore is not installed, the URL is of another kind, or no
            credentials were found.
        OSError: the directory, the store or a file in it cannot be read.
    """
    flag("deep", deep, ValidationError)
    if deep:
        need_installed("verify(deep=True)", "scarf-async[data]", "pyarrow", "duckdb")
    place = place_of(directory)
    try:
        source = source_of(directory, store)
    except ExportError as error:
        manifest = place / MANIFEST if isinstance(place, Path) else f"{place}/{MANIFEST}"
        return [FileProblem(manifest, str(error))]
    changed = [*_files(source)]
    crossing = _crossing(source, str(place)) if deep and not changed else ()
    strangers = _strangers(place, source.manifest) if isinstance(place, Path) else ()
    return [*changed, *strangers, *_windows(source), *crossing]


def _files(source: Source) -> Iterator[FileProblem]:
    for entry in source.manifest.files.values():
        problem = _problem(source, entry)
        if problem:
            yield FileProblem(source.where(entry.path), problem)


def _problem(source: Source, entry: FileEntry) -> str:
    where = source.where(entry.path)
    if isinstance(where, Path) and os.path.lexists(where) and (where.is_symlink() or not where.is_file()):
        return "it is not a regular file"
    try:
        opened = source.open(entry.path)
    except FileNotFoundError:
        return "it is missing"
    with opened as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size != entry.bytes:
            return f"it has {size} bytes, and was written with {entry.bytes}"
        sha256, rows = _read(file, entry)
    if sha256 != entry.sha256:
        return "it was changed: its SHA-256 is another"
    if rows is not None and rows != entry.rows:
        return f"it has {rows} rows where the manifest has {entry.rows}"
    return ""


def _read(file: IO[bytes], entry: FileEntry) -> tuple[str, int | None]:
    """Return the SHA-256 of a file, and its number of rows if counting is cheap."""
    digest = hashlib.sha256()
    lines = 0
    suffix = Path(entry.path).suffix
    splitter = CsvSplitter(entry.bytes) if suffix == ".csv" else None
    while data := file.read(_READ_AT_ONCE):
        digest.update(data)
        lines += data.count(b"\n") if splitter is None else len(splitter.feed(data))
    if splitter is not None:
        # If the service sent no content, there is no header either.
        return digest.hexdigest(), max(0, lines - 1)
    return digest.hexdigest(), lines if suffix == ".jsonl" else None


def _strangers(path: Path, manifest: Manifest) -> Iterator[FileProblem]:
    for left in temporary_files(path):
        yield FileProblem(left, "a temporary file of a run that was killed or is in progress")
    named = manifest.files
    for name in data_files(path):
        if name not in named:
            yield FileProblem(path / name, "no window of the manifest has this file")


def _windows(source: Source) -> Iterator[FileProblem]:
    manifest = source.where(MANIFEST)
    there = [entry.window for entry in source.manifest.windows]
    for entry in source.manifest.windows:
        if entry.provisional:
            yield FileProblem(
                manifest, f"the window {entry.window} is provisional: it had not ended; run the job again"
            )
    for gap in gaps(Window(there[0].start, there[-1].end), there) if there else ():
        yield FileProblem(manifest, f"the window {gap} is missing; run the job again")


def _crossing(source: Source, description: str) -> Iterator[FileProblem]:
    manifest = source.manifest
    if not str(manifest.job.get("what")).endswith("_events"):
        return
    from scarf_async.exports.jobs.crossing import ids_in_two_windows  # noqa: PLC0415 # the engine is large

    for both in ids_in_two_windows(source, description):
        first, second = manifest.windows[both.first], manifest.windows[both.second]
        yield FileProblem(
            source.where(MANIFEST),
            f"{both.count:,} ids are in the window {first.window} and in {second.window}, too,"
            f" such as {both.example!r}",
        )
