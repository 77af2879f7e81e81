"""Parse NDJSON to aggregates. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import astuple

from scarf_async.entities import JSON, Aggregate
from scarf_async.entities.enums import breakdown
from scarf_async.exports.building import Factory
from scarf_async.exports.ndjson import BROKEN, NdjsonFormat, converted, fields_of

__all__ = ["AggregateReader"]


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The JSON of an aggregate. Records that do not fit exactly are read by the slow path."""

    breakdown: str
    date: dt.date
    package: str
    total: int
    company_name: str | None = None
    company_domain: str | None = None
    cloud_provider_name: str | None = None
    cloud_provider_domain: str | None = None
    country: str | None = None
    platform: str | None = None
    version: str | None = None
    client: str | None = None
    client_version: str | None = None
    variable: str | None = None
    value: str | None = None
    unique_total: int | None = None


class _Dated(msgspec.Struct, gc=False):
    date: dt.date


_AGGREGATES: Final = Factory(Aggregate)
_rows = msgspec.json.Decoder(_Row)
_dates = msgspec.json.Decoder(_Dated)


def _day(fields: dict[str, JSON]) -> dt.date | None:
    try:
        return msgspec.convert(fields.get("date"), dt.date)
    except msgspec.ValidationError:
        return None


def _aggregates(rows: Sequence[_Row], extras: Iterable[dict[str, JSON]]) -> list[Aggregate]:
    for row in rows:
        row.breakdown = breakdown(row.breakdown)
    # The fields of a row are the attributes in their order, but for the last one.
    return _AGGREGATES.make_each((*astuple(row), extra) for row, extra in zip(rows, extras, strict=True))


def _with_extra(fields: dict[str, JSON]) -> Aggregate:
    row = converted(fields, _Row, ("package",))
    return _aggregates([row], [fields])[0]


class AggregateReader(NdjsonFormat):
    """Reads NDJSON records as `Aggregate`s.

    Args:
        end: aggregates of this day and later ones are left out; None for no filter.
    """

    record: Final = Aggregate

    def __init__(self, end: dt.date | None) -> None:
        self._end = end

    def decode(self, records: list[bytes]) -> tuple[list[Aggregate], int]:
        """Return aggregates without those at or after the end, and the number of those.

        Raises:
            RecordError: a record cannot be read.
        """
        try:
            rows = list(map(_rows.decode, records))
        except BROKEN:
            return self._decode_slowly(records)
        end = self._end
        kept = rows if end is None else [row for row in rows if row.date < end]
        return _aggregates(kept, ({} for _ in kept)), len(rows) - len(kept)

    def _decode_slowly(self, records: list[bytes]) -> tuple[list[Aggregate], int]:
        made: list[Aggregate] = []
        for record in records:
            fields = fields_of(record)
            if not self._is_late(_day(fields)):
                made.append(_with_extra(fields))
        return made, len(records) - len(made)

    def _is_late(self, day: dt.date | None) -> bool:
        return self._end is not None and day is not None and day >= self._end

    def late(self, records: list[bytes]) -> list[bool]:
        """Return for each record whether its day is the end or later.

        Raises:
            RecordError: a record cannot be read.
        """
        read = _dates.decode
        try:
            return [self._is_late(read(record).date) for record in records]
        except BROKEN:
            return [self._is_late(_day(fields_of(record))) for record in records]
