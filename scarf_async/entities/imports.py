"""Imports of events into the service, and their logs (v2)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import attrs

from scarf_async.entities.fields import JSON, extra

__all__ = ["EventImport", "ImportLogEntry"]


@attrs.frozen(kw_only=True)
class EventImport:
    """An import as the service shows it.

    Attributes:
        id: its identifier.
        owner: whose events they are.
        status: `importing`, `done` or `aborted`; the list is open.
        events_total: how many events it holds.
        events_successfully_imported: how many of them are in.
        events_failed_to_import: how many of them are not.
        error_log_sample: some of what its log says of errors, as sent.
        warning_log_sample: some of what its log warns of, as sent.
        created_at: when it began (aware, UTC).
        updated_at: when it last went on (aware, UTC).
        extra: what the service sends beyond these, by its name on the wire.
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
    """A line of the log of an import.

    Attributes:
        type: `progress`, `failed-to-decode` or `artifact-not-found`; the list is open.
        class_: how bad it is: `info`, `warning` or `error` (`class` on the wire); the list is open.
        line: the line of the import that it speaks of, as the service counts; anything else is in `extra`.
        human_friendly_message: what happened.
        events_count: how many events it speaks of.
        failed_events_count: how many of them failed.
        package_id: the package that it speaks of.
        tracking_pixel_id: the pixel that it speaks of.
        extra: what the service sends beyond these, by its name on the wire.
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
