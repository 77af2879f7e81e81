"""Reads an export directory again, against its manifest. It needs no client."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from scarf_async.checks import flag
from scarf_async.errors import ExportError, ValidationError
from scarf_async.exports.csv import CsvSplitter
from scarf_async.exports.formats import need_installed
from scarf_async.exports.jobs.directory import data_files, read_manifest, temporary_files
from scarf_async.exports.jobs.manifest import MANIFEST, FileEntry, Manifest
from scarf_async.exports.jobs.windows import Window, gaps

__all__ = ["FileProblem", "verify_export"]

_READ_AT_ONCE: Final = 2**20


@attrs.frozen
class FileProblem:
    """What is wrong with a file of an export directory.

    Attributes:
        path: the file; the manifest, where windows are missing.
        problem: what is wrong, in words.
    """

    path: Path
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


def verify_export(directory: str | os.PathLike[str], *, deep: bool = False) -> list[FileProblem]:
    """Read every file of an export directory again, and compare it with the manifest.

    Sizes, SHA-256 and rows are compared (of Parquet files only the first two, which suffice), and between the
    windows no day may be missing. While a run is under way its temporary files are problems.

    Args:
        directory: the directory that `scarf.exports.run` wrote.
        deep: where all of this is as it was written, look for ids of events, too, that are in two windows: these
            can only be events of one id and different times. Needs the extra `data`.

    Returns:
        What is wrong; nothing, if all is there as it was written.

    Raises:
        ConfigurationError: DuckDB or pyarrow is not installed.
        OSError: the directory or a file in it cannot be read.
    """
    flag("deep", deep, ValidationError)
    if deep:
        need_installed("verify(deep=True)", "scarf-async[data]", "pyarrow", "duckdb")
    path = Path(directory)
    try:
        manifest = read_manifest(path)
    except ExportError as error:
        return [FileProblem(path / MANIFEST, str(error))]
    if manifest is None:
        # A directory that is not there is an error, one that is empty a problem.
        os.stat(path)  # noqa: PTH116 # which says that it follows links
        return [FileProblem(path / MANIFEST, "it is missing")]
    changed = [*_files(path, manifest)]
    crossing = _crossing(path, manifest) if deep and not changed else ()
    return [*changed, *_strangers(path, manifest), *_windows(path, manifest), *crossing]


def _files(path: Path, manifest: Manifest) -> Iterator[FileProblem]:
    for name, entry in manifest.files.items():
        problem = _problem(path / name, entry)
        if problem:
            yield FileProblem(path / name, problem)


def _problem(path: Path, entry: FileEntry) -> str:
    if not os.path.lexists(path):
        return "it is missing"
    if path.is_symlink() or not path.is_file():
        return "it is not a regular file"
    size = path.stat().st_size
    if size != entry.bytes:
        return f"it has {size} bytes, and was written with {entry.bytes}"
    sha256, rows = _read(path)
    if sha256 != entry.sha256:
        return "it was changed: its SHA-256 is another"
    if rows is not None and rows != entry.rows:
        return f"it has {rows} rows where the manifest has {entry.rows}"
    return ""


def _read(path: Path) -> tuple[str, int | None]:
    """Return a file's SHA-256, and its rows where they can be counted cheaply."""
    digest = hashlib.sha256()
    lines = 0
    splitter = CsvSplitter(path.stat().st_size) if path.suffix == ".csv" else None
    with path.open("rb") as file:
        while data := file.read(_READ_AT_ONCE):
            digest.update(data)
            lines += data.count(b"\n") if splitter is None else len(splitter.feed(data))
    if splitter is not None:
        return digest.hexdigest(), lines - 1
    return digest.hexdigest(), lines if path.suffix == ".jsonl" else None


def _strangers(path: Path, manifest: Manifest) -> Iterator[FileProblem]:
    for left in temporary_files(path):
        yield FileProblem(left, "a temporary file, of a run that was killed or is under way")
    named = manifest.files
    for name in data_files(path):
        if name not in named:
            yield FileProblem(path / name, "no window of the manifest has this file")


def _windows(path: Path, manifest: Manifest) -> Iterator[FileProblem]:
    for entry in manifest.windows:
        if entry.provisional:
            yield FileProblem(
                path / MANIFEST, f"the window {entry.window} is provisional: it had not ended; run the job again"
            )
    there = [entry.window for entry in manifest.windows]
    for gap in gaps(Window(there[0].start, there[-1].end), there) if there else ():
        yield FileProblem(path / MANIFEST, f"the window {gap} is missing; run the job again")


def _crossing(path: Path, manifest: Manifest) -> Iterator[FileProblem]:
    if not str(manifest.job.get("what")).endswith("_events"):
        return
    from scarf_async.exports.jobs.crossing import ids_in_two_windows  # noqa: PLC0415 # the engine is large

    for both in ids_in_two_windows(path, manifest):
        first, second = manifest.windows[both.first], manifest.windows[both.second]
        yield FileProblem(
            path / MANIFEST,
            f"{both.count:,} ids are in the window {first.window} and in {second.window}, too,"
            f" such as {both.example!r}",
        )
