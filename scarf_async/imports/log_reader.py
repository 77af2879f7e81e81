"""Parse the NDJSON of an import's log. Pure."""

from __future__ import annotations

from typing import Final

import attrs

from scarf_async.dialects.v2.requests import WIRE
from scarf_async.entities import ImportLogEntry
from scarf_async.exports.lines import RecordError
from scarf_async.exports.ndjson import NdjsonFormat, fields_of
from scarf_async.protocol.wire import UnreadableError

__all__ = ["ImportLogReader"]


class ImportLogReader(NdjsonFormat):
    """Reads NDJSON records as `ImportLogEntry`s and keeps all of them, since a log has no range of days."""

    record: Final = ImportLogEntry

    def decode(self, records: list[bytes]) -> tuple[list[ImportLogEntry], int]:
        """Return the entries; none is dropped.

        Raises:
            RecordError: a record cannot be read.
        """
        return [_entry(record) for record in records], 0


def _entry(record: bytes) -> ImportLogEntry:
    fields = fields_of(record)
    # Whether this is the number of the line or the line itself is not documented; neither may invalidate the log.
    text = {"line": fields.pop("line")} if isinstance(fields.get("line"), str) else {}
    try:
        entry = WIRE.structure(fields, ImportLogEntry)
        return attrs.evolve(entry, extra={**entry.extra, **text}) if text else entry
    except UnreadableError as error:
        raise RecordError(f"{error.path}: {error.reason}" if error.path else error.reason) from None
