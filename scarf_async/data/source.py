"""The files that the manifest of an export job names, as a table, in any format. All functions block."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Final, TypeVar

import attrs

from scarf_async.dialects.exports import EXPORTS
from scarf_async.entities import Aggregate, Aggregation, Event, ExportKind
from scarf_async.errors import ExportError
from scarf_async.exports.aggregate_reader import AggregateReader
from scarf_async.exports.aggregation_reader import AggregationReader
from scarf_async.exports.event_reader import EventReader
from scarf_async.exports.formats import ExportFormat, need_installed, own_format
from scarf_async.exports.jobs.manifest import MANIFEST, FileEntry, Manifest
from scarf_async.exports.jobs.source import Source, source_of
from scarf_async.exports.jobs.stores.place import place_of
from scarf_async.exports.spec import ExportSpec, RecordReader
from scarf_async.exports.stream import Export

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
    from obstore.store import ObjectStore

__all__ = ["contents", "files", "read", "rows_of"]

T = TypeVar("T")

_READ_AT_ONCE: Final = 2**20
_ROWS_AT_ONCE: Final = 32_768
# A parent folder with a name such as `name=value` must not become a column.
_TABLES: Final = {
    ExportFormat.PARQUET: "read_parquet({files}, hive_partitioning = false)",
    ExportFormat.JSONL: (
        "read_json({files}, format = 'newline_delimited', columns = {columns}, hive_partitioning = false)"
    ),
    # As `csv_line` writes it.
    ExportFormat.CSV: (
        "read_csv({files}, auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"',"
        " nullstr = '', allow_quoted_nulls = false, parallel = false, columns = {columns},"
        " hive_partitioning = false)"
    ),
}
_TYPES: Final = {
    "string": "VARCHAR",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "int64": "BIGINT",
    "date32[day]": "DATE",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
}
_LIST: Final = "VARCHAR[]"
_RECORDS: Final = {kind: call.record for (_, kind), call in EXPORTS.items()}


def files(source: str | os.PathLike[str], *, store: ObjectStore | None = None) -> list[str]:
    """Return the paths or addresses of the data files of an export job, for a reader of your own.

    These are the files that the manifest names, without files that a run is still writing or that a killed run left
    behind, and without rejected records.

    ```python
    events = polars.read_parquet(files("events"), glob=False)
    ```

    Args:
        source: the directory, or the URL of the prefix in an object store, that `scarf.exports.run` wrote.
        store: an obstore store of the bucket; None: one with the credentials of the environment.

    Returns:
        Paths or URLs below `source`, in order of their days; empty if nothing has been fetched.

    Raises:
        ExportError: the source is not that of an export job, or its manifest cannot be used.
        OSError: the source cannot be read.
        ConfigurationError: the source is another kind of URL, credentials are missing, or obstore is not
            installed.
    """
    found = source_of(source, store)
    return [str(found.where(file.path)) for file in _entries(found.manifest)]


def read(
    source: str | os.PathLike[str],
    *,
    connection: duckdb.DuckDBPyConnection | None = None,
    store: ObjectStore | None = None,
) -> duckdb.DuckDBPyRelation:
    """Return the records of an export job as a DuckDB relation; needs the extra `data`.

    Its columns are the attributes of `Event`, `Aggregate` or `Aggregation`, and `day`, the date in UTC whatever the
    machine's time zone. Types and values do not depend on the format, and are those of `record_batches`: `time` has
    a time zone, and `extra` is the text of a JSON object. The order of the rows is not promised.

    DuckDB reads the files each time the relation is evaluated; if a run has replaced windows and a file is gone,
    call `read` again. Events in CSV and aggregates in JSON Lines are in the format of the service and are read into
    memory once, by this call. Files in an object store are read through Python, with the store's credentials and
    without a DuckDB extension.

    ```python
    events = read("events")
    duckdb.sql("select origin_country, count(*) from events group by 1 order by 2 desc")
    ```

    Args:
        source: the directory, or the URL of the prefix in an object store, that `scarf.exports.run` wrote.
        connection: the connection that the relation belongs to; None: DuckDB's default connection, which
            `duckdb.sql` uses. A connection belongs to one thread: another thread needs its own
            `connection.cursor()`.
        store: an obstore store of the bucket; None: one with the credentials of the environment.

    Returns:
        The records of all windows in the manifest; no rows if nothing has been fetched.

    Raises:
        ConfigurationError: DuckDB, pyarrow or obstore is not installed, the source is another kind of URL, or no
            credentials were found.
        ExportError: the source is not that of an export job, its manifest cannot be used, or a record or file is
            invalid.
        OSError: the directory, the store or a file in it cannot be read.
    """
    need_installed("read()", "scarf-async[data]", "pyarrow", "duckdb")
    import duckdb  # noqa: PLC0415 # large, and an extra

    from scarf_async.exports.arrow import schema_of  # noqa: PLC0415 # pyarrow, too
    from scarf_async.exports.jobs.engine import engine_told  # noqa: PLC0415 # as above

    place = place_of(source)
    # The working directory may change before the relation is evaluated.
    found = source_of(place.absolute() if isinstance(place, Path) else source, store)
    record, form = contents(found)
    entries = _entries(found.manifest)
    with engine_told(str(source)):
        if connection is None:
            connection = duckdb.connect(":default:")
        if form is own_format(record):
            rows = connection.from_arrow(_in_memory(found, record))
        elif not entries:
            rows = connection.from_arrow(schema_of(record).empty_table())
        else:
            names = _globs(_known_to(connection, found, entries))
            rows = connection.sql("FROM " + _TABLES[form].format(files=names, columns=_columns(record, form)))
            if form is ExportFormat.CSV:
                rows = rows.project(", ".join(_as_list(field) for field in schema_of(record)))
        # `time::date` would be the date in the connection's time zone.
        day = "CAST(make_timestamp(epoch_us(time)) AS DATE)" if record is Event else "date"
        return rows.project(f"*, {day} AS day")


def rows_of(source: Source, file: FileEntry, form: ExportFormat) -> Iterator[pa.RecordBatch]:
    """Yield the events of one file of a job in batches; for a thread without an event loop.

    Raises:
        ExportError: a record or the file is invalid.
        OSError: the file cannot be read.
    """
    import duckdb  # noqa: PLC0415 # large, and an extra
    import pyarrow.parquet as pq  # type: ignore[import-untyped] # noqa: PLC0415 # it ships no types; as above

    from scarf_async.exports.arrow import arrow_told  # noqa: PLC0415 # as above
    from scarf_async.exports.jobs.engine import engine_told  # noqa: PLC0415 # as above

    where = str(source.where(file.path))
    match form:
        case ExportFormat.PARQUET:
            with arrow_told(where), source.open(file.path) as opened, pq.ParquetFile(opened) as rows:
                yield from rows.iter_batches(_ROWS_AT_ONCE)
        case ExportFormat.JSONL:
            with engine_told(where), duckdb.connect() as connection:
                names = _globs(_known_to(connection, source, [file]))
                lines = _TABLES[form].format(files=names, columns=_columns(Event, form))
                yield from connection.sql(f"FROM {lines}").to_arrow_reader(_ROWS_AT_ONCE)
        case ExportFormat.CSV:
            yield from _streamed(source, file)


def _streamed(source: Source, file: FileEntry) -> Iterator[pa.RecordBatch]:
    """Yield the events of a CSV in the format of the service, parsed as a stream does."""

    async def batches() -> AsyncIterator[pa.RecordBatch]:
        async with _export(source, file, EventReader) as events:
            async for batch in events.record_batches(_ROWS_AT_ONCE):
                yield batch

    async def following() -> pa.RecordBatch | None:
        return await anext(rows, None)

    rows = batches()
    with asyncio.Runner() as runner:
        while (batch := runner.run(following())) is not None:
            yield batch


def _columns(record: type[Event | Aggregate | Aggregation], form: ExportFormat) -> str:
    from scarf_async.exports.arrow import schema_of  # noqa: PLC0415 # pyarrow is large, and an extra

    # In CSV a list is the text of a JSON array.
    a_list = "VARCHAR" if form is ExportFormat.CSV else _LIST
    columns = [f"{field.name}: {_TYPES.get(str(field.type), a_list)!r}" for field in schema_of(record)]
    return f"{{{', '.join(columns)}}}"


def _as_list(field: pa.Field) -> str:
    is_list = str(field.type) not in _TYPES
    return f"CAST(CAST({field.name} AS JSON) AS {_LIST}) AS {field.name}" if is_list else str(field.name)


def _entries(manifest: Manifest) -> list[FileEntry]:
    return [file for entry in manifest.windows for file in entry.files]


def _known_to(connection: duckdb.DuckDBPyConnection, source: Source, entries: list[FileEntry]) -> list[str]:
    """Return the names by which a connection can read files."""
    if (objects := source.objects) is None:
        return [str(source.where(file.path)) for file in entries]
    from scarf_async.data.objects import StoredFiles  # noqa: PLC0415 # obstore and fsspec are an extra

    stored = StoredFiles(objects, {file.path: file.bytes for file in entries})
    stored.register(connection)
    return [stored.name(file.path) for file in entries]


def contents(source: Source) -> tuple[type[Event | Aggregate | Aggregation], ExportFormat]:
    """Return the class of the records, and the format of the files.

    Raises:
        ExportError: this version does not know them.
    """
    job = source.manifest.job
    try:
        record = _RECORDS[ExportKind(str(job["what"]))]
        if record is not None:
            return record, ExportFormat(str(job["format"]))
    except (KeyError, ValueError):
        pass
    manifest = source.where(MANIFEST)
    raise ExportError(f"{manifest} is of an export that this version of the package does not know: {job}")


def _globs(paths: Iterable[str]) -> str:
    """Return paths as an SQL list, escaped so that none of them is a glob."""
    texts = (re.sub(r"[*?\[]", r"[\g<0>]", path).replace("'", "''") for path in paths)
    return "[" + ", ".join(f"'{text}'" for text in texts) + "]"


@attrs.frozen
class _Saved:
    """A file that can be read like a download."""

    file: IO[bytes]
    status: int
    headers: Mapping[str, str] = MappingProxyType({})
    proven: bool = True

    async def read(self) -> bytes:
        return self.file.read(_READ_AT_ONCE)

    def close(self) -> None:
        self.file.close()


async def _open(source: Source, file: FileEntry) -> _Saved:
    # An empty file comes from a 204: a CSV would have a header.
    return _Saved(source.open(file.path), 200 if file.bytes else 204)


def _in_memory(source: Source, record: type[Event | Aggregate | Aggregation]) -> pa.Table:
    """Return the records of files in the format of the service, parsed as a stream does."""
    import pyarrow as pa  # noqa: PLC0415 # large, and an extra

    from scarf_async.exports.arrow import schema_of  # noqa: PLC0415 # as above

    files = _entries(source.manifest)

    async def tables() -> list[pa.Table]:
        if record is Event:
            return [await _export(source, file, EventReader).to_arrow() for file in files]
        if record is Aggregate:
            return [await _export(source, file, AggregateReader).to_arrow() for file in files]
        return [await _export(source, file, lambda _: AggregationReader()).to_arrow() for file in files]

    # An event loop may be running in this thread already.
    with ThreadPoolExecutor(1) as executor:
        found = executor.submit(asyncio.run, tables()).result()
    return pa.concat_tables([schema_of(record).empty_table(), *found])


def _export(source: Source, file: FileEntry, reader: Callable[[dt.date | None], RecordReader[T]]) -> Export[T]:
    opened = partial(_open, source, file)
    # The limit for records was applied when the file was written, and only `save` would retry.
    most = max(1, file.bytes)
    return Export(ExportSpec(str(source.where(file.path)), opened, reader, None, "raise", most, 1, asyncio.sleep))
