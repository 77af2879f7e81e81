"""What an export is: its range, what it needs from the session below, and the counters of one stream."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Generic, Literal, Protocol, Self, TypeAlias, TypeVar

import attrs

from scarf_async.clock import Clock
from scarf_async.entities import ApiVersion
from scarf_async.errors import (
    ExportError,
    MalformedRecordError,
    RecordTooLongError,
    TruncatedExportError,
    ValidationError,
)
from scarf_async.exports.lines import LineSplitter
from scarf_async.protocol.messages import Request
from scarf_async.protocol.steps import Steps
from scarf_async.text import printable

__all__ = [
    "Counters",
    "Day",
    "Download",
    "EffectiveRange",
    "ExportClient",
    "ExportSpec",
    "OnMalformed",
    "RecordFormat",
    "RecordReader",
    "date_range",
    "effective_range",
    "is_narrower",
]

Day: TypeAlias = dt.date | str
"""A day: a `datetime.date`, or `YYYY-MM-DD`."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

T = TypeVar("T")
EffectiveRange: TypeAlias = tuple[dt.date | None, dt.date | None]
OnMalformed: TypeAlias = Literal["raise", "skip"] | Callable[[MalformedRecordError], object]
"""What to do about a record that cannot be read: raise an error, skip it, or skip it and call a function with the
error."""


def _day(name: str, value: Day) -> dt.date:
    # A datetime is a date, too, but its day depends on the intended time zone.
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise ValidationError(
        f"{name} must be a datetime.date (no datetime) or a string like '2024-01-31'; got {value!r}", field=name
    )


def date_range(start: Day, end: Day, *, one_day: bool = False) -> tuple[dt.date, dt.date]:
    """Return the range as dates; with `one_day` they may be the same.

    >>> date_range("2024-01-01", "2024-02-01")
    (datetime.date(2024, 1, 1), datetime.date(2024, 2, 1))

    Raises:
        ValidationError: one is not a day, or the range is empty.
    """
    first, behind = _day("start", start), _day("end", end)
    if behind < first or (behind == first and not one_day):
        raise ValidationError(
            f"end ({behind}) must be after start ({first}): it is the first day that is not in the export",
            field="end",
        )
    return first, behind


def effective_range(headers: Mapping[str, str]) -> EffectiveRange:
    """Return the first day that the service covered, and the first one after; None if it does not say.

    >>> effective_range({"X-Scarf-Effective-Start-Date": "2024-01-31"})
    (datetime.date(2024, 1, 31), None)
    """
    first, behind = (headers.get(f"X-Scarf-Effective-{name}-Date", "").strip() for name in ("Start", "End"))
    return _effective_day(first), _effective_day(behind)


def _effective_day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text[:10]) if _DAY.match(text) else None
    except ValueError:
        return None


def is_narrower(given: EffectiveRange, asked: EffectiveRange) -> bool:
    """Return whether the service says that it covered fewer days than requested."""
    (first, behind), (start, end) = given, asked
    starts_later = first is not None and start is not None and first > start
    return starts_later or (behind is not None and end is not None and behind < end)


class Download(Protocol):
    """An open 2xx response whose body is read piece by piece."""

    @property
    def status(self) -> int:
        """The HTTP status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The response headers, with case-insensitive names."""

    @property
    def proven(self) -> bool:
        """After `read` returned `b""`, whether Content-Length or a last chunk proves the end."""

    async def read(self) -> bytes:
        """Return the next piece of the raw body; `b""` at its end.

        Raises:
            RequestTimeoutError: nothing arrived within the timeout.
            TransportError: the connection was lost, or the body is shorter than announced.
            BodyEncodingError: the framing of the body cannot be parsed.
            ClientClosedError: the client was closed.
        """

    def close(self) -> None:
        """Return the connection to the pool, or drop it if the body was not read to its end; never waits."""


class ExportClient(Protocol):
    """What the export calls need from the client."""

    @property
    def clock(self) -> Clock:
        """The clock for waits."""

    @property
    def max_record_bytes(self) -> int:
        """The maximum size of a record in bytes."""

    @property
    def save_attempts(self) -> int:
        """The maximum number of times that `save` fetches an export."""

    @property
    def api(self) -> ApiVersion:
        """The default version of the API."""

    @property
    def owner(self) -> str | None:
        """The default owner, for versions that need one."""

    def server_of(self, version: str, /) -> str:
        """Return the URL of a version."""

    async def download(self, request: Request[None], /) -> Download:
        """Send the request and return the open response; all retries happen here."""

    def tell(self, steps: Steps[None], /) -> Awaitable[None]:
        """Carry out a call without a result."""

    async def pause(self, request: Request[None], attempt: int, /) -> None:
        """Report that `save` fetches again because an attempt, counted from 1, was cut off; and wait."""

    def redact(self, text: str, /) -> str:
        """Remove the client's secrets from a text of the service."""


class RecordFormat(Protocol):
    """A format of records, for one stream. Pure.

    `late`, like `RecordReader.decode`, takes several records at once, for speed: it raises `RecordError` if any
    of them cannot be read, and the reason counts only where it was given a single one.
    """

    @property
    def promised(self) -> str:
        """What the body should be: `CSV` or `NDJSON`."""

    @property
    def headed(self) -> bool:
        """Whether the first record is a header."""

    def splitter(self, max_record_bytes: int, *, keep_ends: bool = False) -> LineSplitter:
        """Return the splitter of the body into records."""

    def foreign(self, start: bytes) -> str | None:
        """Return what the body is, from its first non-blank bytes, if it cannot have the promised format."""

    def begin(self, header: bytes, *, typed: bool) -> None:
        """Read the header. Raises `RecordError` if it cannot be used."""

    def late(self, records: list[bytes]) -> list[bool]:
        """Return for each record whether it is at or after the end."""

    def cut(self, record: bytes) -> str | None:
        """Return why a last record without a line end is incomplete; None if it is complete."""


class RecordReader(RecordFormat, Protocol[T]):
    """A format, and the class of its records."""

    @property
    def record(self) -> type[attrs.AttrsInstance] | None:
        """The class of the typed records; None for mappings, whose keys are not known in advance."""

    def decode(self, records: list[bytes]) -> tuple[list[T], int]:
        """Return typed records without those at or after the end, and the number of those."""


@attrs.frozen(eq=False)
class ExportSpec(Generic[T]):
    """The definition of an export: how to request it, and how to read it.

    Attributes:
        description: the export, for messages.
        open: sends the request and returns the open response; all retries happen inside.
        reader: returns the reader of records; it takes the end of the range, None for no filter.
        end: the first day after the range, if records from it on are to be left out.
        on_malformed: what happens to a record that cannot be read.
        max_record_bytes: the maximum size of a record in bytes.
        attempts: the maximum number of times that `save` fetches it.
        pause: waits before `save` fetches again; it takes the number of the attempt that was cut off, from 1.
        redact: removes secrets from texts of the service.
        asked: the requested range, if the caller is warned when the service covers less.
    """

    description: str
    open: Callable[[], Awaitable[Download]]
    reader: Callable[[dt.date | None], RecordReader[T]]
    end: dt.date | None
    on_malformed: OnMalformed
    max_record_bytes: int
    attempts: int
    pause: Callable[[int], Awaitable[None]]
    redact: Callable[[str], str] = str
    asked: tuple[dt.date, dt.date] | None = None

    @classmethod
    def of(
        cls,
        client: ExportClient,
        request: Request[None],
        description: str,
        reader: Callable[[dt.date | None], RecordReader[T]],
        *,
        end: dt.date | None = None,
        on_malformed: OnMalformed = "raise",
        asked: tuple[dt.date, dt.date] | None = None,
    ) -> Self:
        """Return the export that a client fetches with a request."""
        return cls(
            description=printable(description),
            open=partial(client.download, request),
            reader=reader,
            end=end,
            on_malformed=on_malformed,
            max_record_bytes=client.max_record_bytes,
            attempts=client.save_attempts,
            pause=partial(client.pause, request),
            redact=client.redact,
            asked=asked,
        )


@attrs.define(eq=False)
class Counters:
    """The counters of one stream, and its errors, which contain the description and the counts.

    Attributes:
        description: the export, for messages.
        redact: removes secrets from texts of the service.
        bytes_received: the size of the raw body so far.
        records_received: the number of complete records, including dropped and malformed ones.
        records_dropped: records at or after the end of the range.
        records_malformed: records that could not be read.
        ended_with_newline: whether the last byte so far was a LF.
        complete: whether everything was read, up to a verified end.
        no_content: whether the service returned no content (status 204).
    """

    description: str
    redact: Callable[[str], str] = str
    bytes_received: int = 0
    records_received: int = 0
    records_dropped: int = 0
    records_malformed: int = 0
    ended_with_newline: bool = False
    complete: bool = False
    no_content: bool = False

    def refused(self, reason: str) -> ExportError:
        """Return the error for a body without the promised form."""
        return ExportError(f"{self.description}: {self.redact(reason)}")

    def truncated(self, reason: str, *, proven_end: bool = False) -> TruncatedExportError:
        """Return the error for a truncated export, whose end may be verified or not."""
        advice = (
            "the service sent no more than that, so it is not fetched again by itself"
            if proven_end
            else "ask for it again"
        )
        return TruncatedExportError(
            f"{self.description}: {reason}, after {self.records_received} records and"
            f" {self.bytes_received} bytes; what came is not the whole export: {advice}",
            bytes_received=self.bytes_received,
            records_received=self.records_received,
            proven_end=proven_end,
        )

    def malformed(self, number: int, reason: str, record: bytes) -> MalformedRecordError:
        """Return the error for a record that cannot be read."""
        reason = self.redact(reason)
        return MalformedRecordError(
            f"{self.description}: the record on line {number} cannot be read: {reason}",
            line_number=number,
            reason=reason,
            record=self._redacted(record),
        )

    def too_long(self, number: int, limit: int, record: bytes) -> RecordTooLongError:
        """Return the error for a record beyond the limit; `record` is its beginning, or empty if not skippable."""
        return RecordTooLongError(
            f"{self.description}: the record that begins on line {number} is longer than max_record_bytes"
            f" ({limit}); a larger value lets it pass",
            line_number=number,
            limit=limit,
            record=self._redacted(record),
        )

    def _redacted(self, record: bytes) -> bytes:
        return self.redact(record.decode("latin-1")).encode("latin-1")
