"""Event imports and their logs (v2)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import attrs

from scarf_async.entities.fields import JSON, extra

__all__ = ["EventImport", "ImportLogEntry"]


@attrs.frozen(kw_only=True)
class EventImport:
    """An event import.

    Attributes:
        id: its identifier.
        owner: the owner of the events.
        status: `importing`, `done` or `aborted`; the service may send others.
        events_total: how many events it contains.
        events_successfully_imported: how many of them were imported.
        events_failed_to_import: how many of them failed.
        error_log_sample: some errors of its log, as sent.
        warning_log_sample: some warnings of its log, as sent.
        created_at: when it started (aware, UTC).
        updated_at: when it last made progress (aware, UTC).
        extra: other fields that the service sends, by their names on the wire.
    """

    id: str
    owner: str | None = None
    status: str | None = None
    events_total: int | None = None
    events_successfully_imported: int | None = None
    events_failed_to_import: int | None = None
    error_log_sample: Sequence[JSON] = attrs.field(default=(), hash=False, repr=False)
    warning_log_sample: Sequence[JSON] = attrs.field(default=(), hash=False, repr=False)
    created_at: dt.datetime | None = None
    updated_at: dt.datetime | None = None
    extra: Mapping[str, JSON] = extra()


@attrs.frozen(kw_only=True)
class ImportLogEntry:
    """One entry of an import's log.

    Attributes:
        type: `progress`, `failed-to-decode` or `artifact-not-found`; the service may send others.
        class_: its severity: `info`, `warning` or `error` (`class` on the wire); the service may send others.
        line: the line of the import that it is about, as the service counts; a value that is not a number is in
            `extra`.
        human_friendly_message: what happened.
        events_count: how many events it is about.
        failed_events_count: how many of them failed.
        package_id: the package that it is about.
        tracking_pixel_id: the pixel that it is about.
        extra: other fields that the service sends, by their names on the wire.
    """

    type: str
    class_: str | None = None
    line: int | None = None
    human_friendly_message: str | None = None
    events_count: int | None = None
    failed_events_count: int | None = None
    package_id: str | None = None
    tracking_pixel_id: str | None = None
    extra: Mapping[str, JSON] = extra()
