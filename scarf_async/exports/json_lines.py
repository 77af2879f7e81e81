"""What all exports in NDJSON have in common. Pure."""

from __future__ import annotations

from typing import Final

from scarf_async.entities import JSON
from scarf_async.exports.lines import LineSplitter, RecordError
from scarf_async.protocol.tolerant import loads

__all__ = ["JsonLines", "fields_of"]


def fields_of(record: bytes) -> dict[str, JSON]:
    """Read a record that has to be an object.

    Raises:
        RecordError: it is something else.
    """
    value = _loads(record)
    if not isinstance(value, dict):
        raise RecordError("it is no JSON object")
    return value


def _loads(record: bytes) -> object:
    try:
        return loads(record)
    except RecursionError:
        raise RecordError("its JSON is nested too deeply") from None
    except ValueError as error:
        raise RecordError(f"it is no JSON ({error})") from None


class JsonLines:
    """The form of NDJSON; a reader of records adds what they are."""

    promised: Final = "NDJSON"
    headed: Final = False

    def splitter(self, max_record_bytes: int, *, keep_ends: bool = False) -> LineSplitter:
        """Return what cuts the body into records."""
        return LineSplitter(max_record_bytes, keep_ends=keep_ends)

    def foreign(self, start: bytes) -> str | None:
        """Recognize an HTML page."""
        return "an HTML page" if start.startswith(b"<") else None

    def begin(self, header: bytes, *, typed: bool) -> None:  # NDJSON has no header
        """Do nothing."""

    def cut(self, record: bytes) -> str | None:
        """Say why a last record without line end is not whole."""
        try:
            _loads(record)
        except RecordError as error:
            return str(error)
        return None
