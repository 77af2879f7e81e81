"""Find ids that are in two windows of a job (extra `data`). Imported on first use. All functions block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped] # it ships no types

from scarf_async.exports.arrow import Part, PartParser, arrow_told
from scarf_async.exports.event_reader import EventReader
from scarf_async.exports.jobs.engine import Crossing, Engine, IdsOfTwo, engine_told
from scarf_async.exports.jobs.manifest import FileEntry
from scarf_async.exports.jobs.source import Source
from scarf_async.exports.parsers import Run
from scarf_async.exports.spec import Counters

__all__ = ["ids_in_two_windows"]

_MEMORY: Final = 256 * 10**6
_READ_AT_ONCE: Final = 2**20


class _Line(msgspec.Struct):
    id: str | None = None


_line = msgspec.json.Decoder(_Line)


def ids_in_two_windows(source: Source, description: str) -> list[IdsOfTwo]:
    """Return the pairs of windows, by their index in the manifest, that have a common id.

    Args:
        source: the files of a job.
        description: its directory or URL, for errors.

    Raises:
        ExportError: a file is invalid.
        OSError: a file cannot be read, or there is no space for temporary files.
    """
    with (
        TemporaryDirectory(prefix="scarf-") as spill,
        engine_told(description),
        arrow_told(description),
    ):
        engine = Engine(Path(spill), _MEMORY)
        try:
            crossing = Crossing(engine)
            for number, entry in enumerate(source.manifest.windows):
                for file in entry.files:
                    with source.open(file.path) as opened:
                        for ids in _ids(opened, file):
                            crossing.add(ids, number)
            return crossing.found()
        finally:
            engine.close()


def _ids(file: IO[bytes], entry: FileEntry) -> Iterator[pa.Array]:
    match Path(entry.path).suffix:
        case ".parquet":
            with pq.ParquetFile(file) as parquet:
                for batch in parquet.iter_batches(columns=["id"]):
                    yield batch.column(0)
        case ".jsonl":
            while some := file.readlines(_READ_AT_ONCE):
                yield pa.array([_line.decode(line).id for line in some], pa.string())
        case _:
            yield from _ids_of_csv(file, entry)


def _ids_of_csv(file: IO[bytes], entry: FileEntry) -> Iterator[pa.Array]:
    if entry.bytes:
        parser = PartParser(EventReader(None), Counters(entry.path), entry.bytes)
        while data := file.read(_READ_AT_ONCE):
            yield from _columns(parser.feed(data))
        yield from _columns(parser.finish())


def _columns(runs: Iterator[Run[Part]]) -> Iterator[pa.Array]:
    for parts, error in runs:
        for part in parts:
            yield part.batch.column("id")
        if error is not None:
            raise error
