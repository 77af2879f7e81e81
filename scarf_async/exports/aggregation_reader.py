"""Parse NDJSON to aggregations. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import msgspec

from scarf_async.entities import JSON, Aggregation
from scarf_async.entities.enums import dimension
from scarf_async.exports.building import Factory
from scarf_async.exports.lines import RecordError
from scarf_async.exports.ndjson import BROKEN, NdjsonFormat, columns_of, converted, fields_of
from scarf_async.protocol.wire import parse_time

__all__ = ["AggregationReader"]


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The JSON of an aggregation; null counts as absent. The slow path reads records that do not fit exactly."""

    breakdown: str
    date: dt.date | None = None
    artifact: str | None = None
    artifact_name: str | None = None
    artifact_type: str | None = None
    rollup: str | None = None
    breakdowns: tuple[str, ...] | None = None
    total: int | None = None
    unique_origins: int | None = None
    unique_endpoints: int | None = None
    company_name: str | None = None
    company_domain: str | None = None
    country: str | None = None
    cloud_provider_name: str | None = None
    platform: str | None = None
    version: str | None = None
    client: str | None = None
    variable: str | None = None
    value: str | None = None
    domain: str | None = None
    referer: str | None = None
    user_agent: str | None = None
    endpoint_id: str | None = None
    origin_id: str | None = None
    points: int | None = None
    company_sic_codes: tuple[str | int, ...] | None = None
    company_count: int | None = None
    last_seen: dt.datetime | None = None


_IDENTIFIERS: Final = ("artifact", "endpoint_id", "origin_id")
_AGGREGATIONS: Final = Factory(Aggregation)
_rows = msgspec.json.Decoder(_Row)


def _utc(moment: dt.datetime | None) -> dt.datetime | None:
    if moment is None:
        return None
    try:
        return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except OverflowError:
        raise RecordError("last_seen is a moment that UTC cannot express") from None


def _aggregations(rows: Sequence[_Row], extras: Sequence[dict[str, JSON]]) -> list[Aggregation]:
    return _AGGREGATIONS.make(
        columns_of(rows, _Row)
        | {
            "breakdown": [dimension(row.breakdown) for row in rows],
            "artifact": [row.artifact or "" for row in rows],
            "artifact_name": [row.artifact_name or "" for row in rows],
            "rollup": [row.rollup or "" for row in rows],
            "breakdowns": [row.breakdowns or () for row in rows],
            "company_sic_codes": [tuple(map(str, row.company_sic_codes or ())) for row in rows],
            "last_seen": [_utc(row.last_seen) for row in rows],
            "extra": extras,
        }
    )


def _respelled(name: str, value: JSON) -> JSON:
    """Return a day or time in the form that `_Row` reads: the form of both is not documented."""
    if not isinstance(value, str):
        return value
    try:
        moment = parse_time(value)
    except ValueError:
        return value or None
    if name == "last_seen":
        return moment.isoformat()
    return moment.date().isoformat() if moment.time() == dt.time() else value


def _with_extra(fields: dict[str, JSON]) -> tuple[_Row, dict[str, JSON]]:
    given = dict(fields)
    try:
        row = converted(fields, _Row, _IDENTIFIERS)
    except RecordError:
        fields = given | {name: _respelled(name, given.get(name)) for name in ("date", "last_seen")}
        row = converted(fields, _Row, _IDENTIFIERS)
    return row, fields


class AggregationReader(NdjsonFormat):
    """Reads NDJSON records as `Aggregation`s, without a filter: their date is that of a bucket."""

    record: Final = Aggregation

    def decode(self, records: list[bytes]) -> tuple[list[Aggregation], int]:
        """Return aggregations; none is dropped.

        Raises:
            RecordError: a record cannot be read.
        """
        try:
            rows = list(map(_rows.decode, records))
        except BROKEN:
            read_slowly = [_with_extra(fields_of(record)) for record in records]
            return _aggregations([row for row, _ in read_slowly], [extra for _, extra in read_slowly]), 0
        return _aggregations(rows, [{} for _ in rows]), 0
