"""What has come in so far, and the errors that say so."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from scarf_async.errors import (
    ExportError,
    MalformedRecordError,
    RecordTooLongError,
    TruncatedExportError,
)

__all__ = ["Tally"]


@attrs.define(eq=False)
class Tally:
    """The counters of one stream, and its errors, which name the export and what had arrived.

    Attributes:
        description: the export, for messages.
        redact: takes secrets out of what the service said.
        bytes_received: bytes of the body as they came over the wire.
        records_received: complete records, the dropped and malformed ones among them.
        records_dropped: records at or after the end of the range.
        records_malformed: records that could not be read.
        ended_with_newline: whether the last byte so far was a LF.
        complete: whether everything was read, up to a proven end.
        no_content: whether the service said that there is nothing to read (status 204).
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
        """The export is not what was promised."""
        return ExportError(f"{self.description}: {self.redact(reason)}")

    def truncated(self, reason: str, *, proven_end: bool = False) -> TruncatedExportError:
        """The export ended before its end, which was proven or not."""
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
        """A record cannot be read."""
        reason = self.redact(reason)
        return MalformedRecordError(
            f"{self.description}: the record on line {number} cannot be read: {reason}",
            line_number=number,
            reason=reason,
            record=self._redacted(record),
        )

    def too_long(self, number: int, limit: int, record: bytes) -> RecordTooLongError:
        """A record is longer than the limit; `record` is its beginning, empty where it cannot be left out."""
        return RecordTooLongError(
            f"{self.description}: the record that begins on line {number} is longer than max_record_bytes"
            f" ({limit}); a larger value lets it pass",
            line_number=number,
            limit=limit,
            record=self._redacted(record),
        )

    def _redacted(self, record: bytes) -> bytes:
        return self.redact(record.decode("latin-1")).encode("latin-1")
