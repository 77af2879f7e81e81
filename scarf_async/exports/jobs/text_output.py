"""CSV and JSON lines: one file for a window."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeAlias, TypeVar, cast

import attrs
import msgspec

from scarf_async.entities import Aggregate, Aggregation, Event
from scarf_async.exports.csv import file_line, in_regular_quotes
from scarf_async.exports.formats import ExportFormat, csv_header, csv_rows, json_lines, own_format
from scarf_async.exports.jobs.directory import Made
from scarf_async.exports.jobs.manifest import FileEntry, data_path, file_name
from scarf_async.exports.jobs.output import Output, Seen, Times
from scarf_async.exports.jobs.windows import Window, midnight
from scarf_async.exports.lines import LineSplitter
from scarf_async.exports.spec import RecordReader
from scarf_async.files import PartFile
from scarf_async.protocol.tolerant import loads

__all__ = ["Record", "Row", "RowReader", "Rows", "TextOutput"]

T = TypeVar("T")

Row: TypeAlias = "tuple[bytes, T]"

Record: TypeAlias = Event | Aggregate | Aggregation
Rows: TypeAlias = "Sequence[Row[Record]]"


class RowReader(Generic[T]):
    """Reads records as another reader does, and gives each one's own bytes with it.

    Attributes:
        header: the header, once it has come.
    """

    def __init__(self, reader: RecordReader[T]) -> None:
        self._reader = reader
        self.promised: Final = reader.promised
        self.headed: Final = reader.headed
        # Jobs are of records that have a class.
        self.record: Final = cast("type[attrs.AttrsInstance]", reader.record)
        self.header: bytes = b""

    def splitter(self, max_record_bytes: int, *, keep_ends: bool = False) -> LineSplitter:
        """Return what cuts the body into records."""
        return self._reader.splitter(max_record_bytes, keep_ends=keep_ends)

    def foreign(self, start: bytes) -> str | None:
        """Say what the body is, if it cannot be what was promised."""
        return self._reader.foreign(start)

    def begin(self, header: bytes, *, typed: bool) -> None:
        """Take the header."""
        self._reader.begin(header, typed=typed)
        self.header = header

    def late(self, records: list[bytes]) -> list[bool]:
        """Say of each record whether it is at or after the end."""
        return self._reader.late(records)

    def cut(self, record: bytes) -> str | None:
        """Say why a last record without line end is not whole."""
        return self._reader.cut(record)

    def decode(self, records: list[bytes]) -> tuple[list[Row[T]], int]:
        """Return the records, both ways; none is left out."""
        made, dropped = self._reader.decode(records)
        return list(zip(records, made, strict=True)), dropped


def _as_sent(rows: Rows) -> bytes:
    return b"".join([raw + b"\n" for raw, _ in rows])


def _json_as_sent(rows: Rows) -> bytes:
    return b"".join([_json_line(raw) for raw, _ in rows])


def _json_line(raw: bytes) -> bytes:
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Readers of the file are stricter than ours, and would refuse it whole.
        return msgspec.json.encode(loads(raw)) + b"\n"
    return raw + b"\n"


def _csv_as_sent(rows: Rows) -> bytes:
    data = _as_sent(rows)
    if b"\r" not in data and in_regular_quotes(b"\n" + data):
        return data
    return b"".join([file_line(raw) for raw, _ in rows])


def _typed(write: Callable[[Iterable[object]], bytes]) -> Callable[[Rows], bytes]:
    return lambda rows: write(record for _, record in rows)


def _moment(record: Event | Aggregate) -> dt.datetime | dt.date:
    return record.time if isinstance(record, Event) else record.date


class TextOutput(Output[Rows]):
    """Writes CSV or JSON lines.

    Events as CSV, and all others as JSON lines, are the records as the service sent them, each with an LF at
    its end; but where readers of CSV would differ on one, its fields are quoted, and JSON that strict readers
    refuse (control characters, NaN, half a surrogate pair) is written as JSON.

    Args:
        directory: where to.
        window: the window.
        form: CSV or JSON lines.
        record: the class of the records.
        header: gives the header that the service sent.
    """

    def __init__(
        self,
        directory: Path,
        window: Window,
        form: ExportFormat,
        record: type[attrs.AttrsInstance],
        header: Callable[[], bytes],
    ) -> None:
        events = record is Event
        super().__init__(directory, window, identified=events)
        self._range = (midnight(window.start), midnight(window.end)) if events else (window.start, window.end)
        self._form = form
        self._part: PartFile | None = None
        headless = form is ExportFormat.JSONL
        self._lines: Callable[[Rows], bytes]
        self._header: Callable[[], bytes]
        if form is own_format(record):
            self._lines = _json_as_sent if headless else _csv_as_sent
            # Where the service said that there is nothing, it sent no header either.
            self._header = lambda: b"" if headless or not header() else file_line(header())
        else:
            self._lines = _typed(json_lines(record, whole=True) if headless else csv_rows(record))
            self._header = lambda: b"" if headless else csv_header(record)

    def _inside(self, batch: Rows) -> tuple[Rows, int, int]:
        start, end = self._range
        # The date of an aggregation is that of its bucket, which a window may cut.
        kept = [row for row in batch if isinstance(row[1], Aggregation) or start <= _moment(row[1]) < end]
        return kept, len(kept), len(batch) - len(kept)

    def _look(self, batch: Rows, day: Window) -> Times:
        times = [record.time for _, record in batch if isinstance(record, Event)]
        start, end = midnight(day.start), midnight(day.end)
        on = [time for time in times if start <= time < end]
        return Times(bool(on), any(time > start for time in on), any(time.time() != dt.time.min for time in times))

    def _new(self, batch: Rows, seen: Seen) -> tuple[Rows, int]:
        fresh = seen.fresh([record.id if isinstance(record, Event) else None for _, record in batch])
        kept = [row for row, is_fresh in zip(batch, fresh, strict=True) if is_fresh]
        return kept, len(kept)

    def _write(self, batch: Rows) -> None:
        self._begun().write(self._lines(batch))

    def _begun(self) -> PartFile:
        if self._part is None:
            self._part = PartFile(self.directory)
            self._part.write(self._header())
        return self._part

    def _finish(self) -> list[tuple[Made, FileEntry]]:
        part = self._begun()
        part.finish()
        path = data_path("", file_name(self.window, self._form))
        return [(Made(part.path, path), FileEntry(path, part.size, part.sha256, self.rows))]

    def _discard(self) -> None:
        if self._part is not None:
            self._part.discard()
