"""Jobs: what they take, and what they refuse."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from scarf_async import ApiVersion, ExportFormat, ExportJob, ExportKind, ValidationError

RANGE = ("2024-01-01", dt.date(2024, 3, 1))


def test_a_job_is_data() -> None:
    """Strings become what they name, and what is left out is decided."""
    job = ExportJob("package_events", "acme", *RANGE, "jsonl", package="p")
    assert (job.what, job.format) == (ExportKind.PACKAGE_EVENTS, ExportFormat.JSONL)
    assert (job.start, job.end) == (dt.date(2024, 1, 1), dt.date(2024, 3, 1))
    assert (job.window_days, job.api) == (None, None)
    assert job == ExportJob(ExportKind.PACKAGE_EVENTS, "acme", *RANGE, ExportFormat.JSONL, package="p")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        job.owner = "other"  # type: ignore[misc] # that it is frozen is the point


@pytest.mark.parametrize(
    ("what", "owner", "api", "days"),
    [
        ("organization_aggregates", "acme", "v1", 31),
        ("user_aggregates", "ann", "v1", 31),
        ("owner_events", "acme", "v2", 30),
        ("pixel_events", "acme", "v2", 30),
        ("owner_events", None, "v2", 30),
        ("pixel_events", None, None, None),
    ],
)
def test_where_to_ask_follows_from_what(what: Any, owner: str | None, api: str | None, days: int | None) -> None:
    """The version that the export needs, and windows that it takes; what two versions have is open."""
    job = ExportJob(what, owner, *RANGE)
    assert (job.api, job.window_days) == (api, days)


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_what_is_left_out_is_the_client_s(api: ApiVersion) -> None:
    """The version where two have the export, the owner where that asks for one, and the windows."""
    days = {"v1": 31, "v2": 30}[api]
    pixels = ExportJob("pixel_events", None, *RANGE).of_client(api, "acme")
    assert (pixels.api, pixels.owner, pixels.window_days) == (api, "acme" if api == "v2" else None, days)
    package = ExportJob("package_events", "other", *RANGE, package="p", window_days=7).of_client(api, "acme")
    assert (package.api, package.owner, package.window_days) == (api, "other", 7)
    owners = ExportJob("owner_events", None, *RANGE).of_client(api, "acme")
    assert owners == ExportJob("owner_events", "acme", *RANGE)
    assert ExportJob("pixel_events", "acme", *RANGE).of_client(api, None).api == "v2"
    named = ExportJob("package_events", "acme", *RANGE, package="p", api="v1")
    assert named.of_client(api, "acme") == named
    assert ExportJob("user_aggregates", "ann", *RANGE).of_client(api, None).api == "v1"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("owner", {"what": "pixel_events", "owner": None}),
        ("owner", {"what": "package_events", "package": "p", "owner": None}),
        ("owner", {"owner": None}),
        ("window_days", {"what": "package_events", "package": "p", "window_days": 31}),
    ],
)
def test_what_v2_cannot_fetch_for_a_client_is_refused(field: str, values: dict[str, Any]) -> None:
    """Without an owner, or in longer windows: once the client is known."""
    usual: dict[str, Any] = {"what": "owner_events", "owner": "acme", "start": RANGE[0], "end": RANGE[1]}
    with pytest.raises(ValidationError) as caught:
        ExportJob(**usual | values).of_client("v2", None)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("what", {"what": "events"}),
        ("owner", {"owner": " "}),
        ("owner", {"what": "pixel_events", "api": "v1"}),
        ("owner", {"what": "organization_aggregates", "owner": None}),
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
        ("names", {"names": ""}),
        ("names", {"what": "pixel_events", "names": "a"}),
    ],
)
def test_what_cannot_be_fetched_is_refused(field: str, values: dict[str, Any]) -> None:
    """The error names the field."""
    usual: dict[str, Any] = {"what": "owner_events", "owner": "acme", "start": RANGE[0], "end": RANGE[1]}
    with pytest.raises(ValidationError) as caught:
        ExportJob(**usual | values)
    assert caught.value.field == field
