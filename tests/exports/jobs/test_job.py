"""Jobs: what they take, and what they refuse."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from scarf_async import ExportFormat, ExportJob, ExportKind, ValidationError

RANGE = ("2024-01-01", dt.date(2024, 3, 1))


def test_a_job_is_data() -> None:
    """Strings become what they name, and what is left out is decided."""
    job = ExportJob("package_events", "acme", *RANGE, "jsonl", package="p")
    assert (job.what, job.format) == (ExportKind.PACKAGE_EVENTS, ExportFormat.JSONL)
    assert (job.start, job.end) == (dt.date(2024, 1, 1), dt.date(2024, 3, 1))
    assert (job.window_days, job.api) == (31, "v1")
    assert job == ExportJob(ExportKind.PACKAGE_EVENTS, "acme", *RANGE, ExportFormat.JSONL, 31, package="p")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        job.owner = "other"  # type: ignore[misc] # that it is frozen is the point


@pytest.mark.parametrize(
    ("what", "owner", "api", "days"),
    [
        ("organization_aggregates", "acme", "v1", 31),
        ("user_aggregates", "ann", "v1", 31),
        ("owner_events", "acme", "v2", 30),
        ("pixel_events", "acme", "v2", 30),
        ("pixel_events", None, "v1", 31),
    ],
)
def test_where_to_ask_follows_from_what(what: Any, owner: str | None, api: str, days: int) -> None:
    """The version that the export needs, and windows that it takes."""
    job = ExportJob(what, owner, *RANGE)
    assert (job.api, job.window_days) == (api, days)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("what", {"what": "events"}),
        ("owner", {"owner": None}),
        ("owner", {"owner": " "}),
        ("owner", {"what": "pixel_events", "api": "v1"}),
        ("owner", {"what": "pixel_events", "owner": None, "api": "v2"}),
        ("owner", {"what": "package_events", "package": "p", "owner": None, "api": "v2"}),
        ("start", {"start": "yesterday"}),
        ("end", {"end": "2024-01-01"}),
        ("format", {"format": "xml"}),
        ("window_days", {"window_days": 0}),
        ("window_days", {"window_days": True}),
        ("window_days", {"window_days": 31}),
        ("package", {"package": "p"}),
        ("package", {"what": "package_events"}),
        ("package", {"what": "package_events", "package": ""}),
        ("partition_by", {"partition_by": "month"}),
        ("partition_by", {"partition_by": "month", "format": "jsonl"}),
        ("partition_by", {"partition_by": "day", "format": "parquet"}),
        ("partition_by", {"partition_by": [], "format": "parquet"}),
        ("api", {"api": "v3"}),
        ("api", {"api": []}),
        ("api", {"api": "v1"}),
        ("api", {"what": "user_aggregates", "api": "v2"}),
    ],
)
def test_what_cannot_be_fetched_is_refused(field: str, values: dict[str, Any]) -> None:
    """The error names the field."""
    usual: dict[str, Any] = {"what": "owner_events", "owner": "acme", "start": RANGE[0], "end": RANGE[1]}
    with pytest.raises(ValidationError) as caught:
        ExportJob(**usual | values)
    assert caught.value.field == field
