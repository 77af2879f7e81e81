"""Aggregations: what is asked for, what is refused before, and what the rows are read as."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import pytest

from scarf_async import (
    Aggregation,
    AggregationQuery,
    Dimension,
    ExportError,
    MalformedRecordError,
    Package,
    PackageKey,
    ScarfWarning,
    TrackingPixel,
    TruncatedExportError,
    UnsupportedError,
    ValidationError,
)
from scarf_async.exports.group import Exports

from .aggregations import Service, answer, row
from .fakes import ndjson

START, END = "2024-01-01", "2024-02-01"
DATES = [("start_date", START), ("end_date", END)]


def query(**values: Any) -> AggregationQuery:
    """Return a query of values that may be wrong."""
    return AggregationQuery(**values)


@pytest.mark.parametrize(
    ("values", "sent"),
    [
        ({}, [("rollup", "daily"), ("breakdown", "by-total")]),
        (
            {"breakdown": ["by-company", Dimension.VERSION], "rollup": "total"},
            [("rollup", "total"), ("breakdown_set", "by-company,by-version")],
        ),
        ({"breakdown": "by-moon-phase"}, [("rollup", "daily"), ("breakdown", "by-moon-phase")]),
        (
            {"packages": [Package(uuid="a", owner="acme", name="x"), PackageKey("ACME", "b"), "c", "c"]},
            [
                ("rollup", "daily"),
                ("breakdown", "by-total"),
                *(("package_id", one) for one in "abc"),
            ],
        ),
        (
            {"packages": "none", "pixels": TrackingPixel(id="x", owner="acme")},
            [("rollup", "daily"), ("breakdown", "by-total"), ("package_id", "none"), ("tracking_pixel_id", "x")],
        ),
        (
            {"names": "io.acme*,a/{b,c}", "include_low_confidence": False, "group_by_artifact": False},
            [
                ("rollup", "daily"),
                ("breakdown", "by-total"),
                ("query", "io.acme*,a/{b,c}"),
                ("group_by_artifact", "false"),
                ("include_low_confidence", "false"),
            ],
        ),
        (
            {"pixels_of_package": "a", "pixels": "all", "filter": "True", "company": "acme.example"},
            [
                ("rollup", "daily"),
                ("breakdown", "by-total"),
                ("tracking_pixel_id", "all"),
                ("tracking_pixels_for_package_id", "a"),
                ("filter", "True"),
                ("company_reference", "acme.example"),
            ],
        ),
    ],
)
async def test_what_is_asked_for(values: dict[str, Any], sent: list[tuple[str, str]]) -> None:
    """The dates as given, rollup, breakdown, format, and what differs from its default."""
    service = Service()
    async with service.exports.aggregations(START, END, query(**values), owner="acme"):
        pass
    (request,) = service.requests
    path, _, text = request.target.partition("?")
    assert (request.endpoint.version, path) == ("v3", "/insights/acme/aggregations/export")
    assert request.endpoint.name == "GET /v3/insights/{owner}/aggregations/export"
    assert parse_qsl(text) == [*DATES, *sent, ("format", "ndjson")]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"names": "a", "packages": "b"}, ["names", "packages"]),
        ({"names": "a", "pixels": "all"}, ["names", "pixels"]),
        ({"names": "a", "pixels_of_package": "b"}, ["pixels_of_package", "names"]),
        ({"pixels_of_package": "a", "packages": "none"}, ["pixels_of_package", "packages"]),
        ({"breakdown": ["by-company", "by-version", "by-country"]}, ["breakdown"]),
        ({"breakdown": ["by-company", "by-company"]}, ["breakdown"]),
        ({"breakdown": []}, ["breakdown"]),
        ({"breakdown": "by-company,by-version"}, ["breakdown"]),
        ({"breakdown": 7}, ["breakdown"]),
        *(({"breakdown": f"by-company-{one}"}, ["breakdown"]) for one in ("funnel-stage", "size", "sic-code")),
        ({"rollup": "hourly"}, ["rollup"]),
        ({"packages": []}, ["packages"]),
        ({"packages": [""]}, ["packages"]),
        ({"packages": ["a", "all"]}, ["packages"]),
        ({"pixels": [7]}, ["pixels"]),
        ({"names": ""}, ["names"]),
        ({"filter": " "}, ["filter"]),
        ({"company": 7}, ["company"]),
        ({"group_by_artifact": "no"}, ["group_by_artifact"]),
    ],
)
def test_what_a_query_refuses(values: dict[str, Any], named: list[str]) -> None:
    """When it is made, by the names of the arguments."""
    with pytest.raises(ValidationError) as caught:
        query(**values)
    assert caught.value.field in named
    assert all(name in str(caught.value) for name in named)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda exports: exports.aggregations("2024-01-01", "2025-01-02", owner="acme"), "end"),
        (lambda exports: exports.aggregations(END, START, owner="acme"), "end"),
        (lambda exports: exports.aggregations(START, END), "owner"),
        (lambda exports: exports.aggregations(START, END, owner=""), "owner"),
        (lambda exports: exports.aggregations(START, END, "by-total", owner="acme"), "query"),
        (
            lambda exports: exports.aggregations(
                START, END, query(packages=PackageKey("other", "p")), owner="acme"
            ),
            "owner",
        ),
        (
            lambda exports: exports.aggregations(
                START, END, query(packages=[TrackingPixel(id=one, owner=one) for one in "xy"])
            ),
            "owner",
        ),
    ],
)
def test_what_cannot_be_asked_for(call: Callable[[Exports], Any], field: str) -> None:
    """A range of more than 366 days, nobody's, or what is someone else's: nothing is sent."""
    service = Service()
    with pytest.raises(ValidationError) as caught:
        call(service.exports)
    assert (caught.value.field, service.requests) == (field, [])


@pytest.mark.parametrize(
    ("owner", "packages", "asked"),
    [(None, "p", "mine"), (None, PackageKey("Other", "p"), "Other"), ("ACME", PackageKey("acme", "p"), "ACME")],
)
async def test_whose_are_meant(owner: str | None, packages: str | PackageKey, asked: str) -> None:
    """The owner that is given as it is spelled, else the key's, else the client's."""
    service = Service(owner="mine")
    async with service.exports.aggregations(START, END, query(packages=packages), owner=owner):
        pass
    assert urlsplit(service.requests[0].target).path == f"/insights/{asked}/aggregations/export"


def test_a_client_of_v2_has_no_aggregates() -> None:
    """It says what there is instead, and nothing is sent."""
    exports = Service(api="v2", owner="acme").exports
    for call in (exports.organization_aggregates, exports.user_aggregates):
        with pytest.raises(UnsupportedError, match=r"exports\.aggregations"):
            call("acme", START, END)


async def read(body: bytes, **options: Any) -> list[Aggregation]:
    """Read an export of this body."""
    service = Service(lambda _start, _end: answer(body=body))
    async with service.exports.aggregations(START, END, owner="acme", **options) as stream:
        rows = [one async for one in stream]
    assert stream.complete
    return rows


async def test_a_row_with_everything() -> None:
    """Each field by its name, times in UTC, and what is not known in `extra`."""
    texts = "company_name company_domain country cloud_provider_name platform version client variable value domain"
    texts += " referer user_agent endpoint_id origin_id artifact_name artifact_type"
    wire = row(
        5,
        **{name: name.upper() for name in texts.split()},
        rollup="weekly",
        breakdown="by-company",
        breakdowns=["by-company", "by-new"],
        unique_origins=3,
        unique_endpoints=2,
        points=7,
        company_count=1,
        company_sic_codes=["1", 22],
        last_seen="2024-01-03 10:11:12+02:00",
        mood="good",
    )
    (one,) = await read(ndjson(wire))
    assert one == Aggregation(
        **{name: name.upper() for name in texts.split()},
        date=dt.date(2024, 1, 1),
        artifact="p",
        total=5,
        rollup="weekly",
        breakdown="by-company",
        breakdowns=("by-company", "by-new"),
        unique_origins=3,
        unique_endpoints=2,
        points=7,
        company_count=1,
        company_sic_codes=("1", "22"),
        last_seen=dt.datetime(2024, 1, 3, 8, 11, 12, tzinfo=dt.UTC),
        extra={"mood": "good"},
    )
    assert one.breakdown is Dimension.COMPANY


async def test_null_and_absence_read_alike() -> None:
    """All but the breakdown may be missing, and an id may be a number."""
    names = [field.name for field in attrs.fields(Aggregation) if field.name not in {"breakdown", "extra"}]
    nulls = {"breakdown": "by-moon-phase", **dict.fromkeys(names)}
    rows = await read(ndjson({"breakdown": "by-moon-phase"}, nulls, nulls | {"date": ""}))
    assert rows == [Aggregation(breakdown="by-moon-phase")] * 3
    (numbered,) = await read(ndjson(row(artifact=7, last_seen="2024-01-03 10:11:12")))
    assert (numbered.artifact, numbered.last_seen) == ("7", dt.datetime(2024, 1, 3, 10, 11, 12, tzinfo=dt.UTC))


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("last_seen", "2024-01-03 10:11:12 UTC", dt.datetime(2024, 1, 3, 10, 11, 12, tzinfo=dt.UTC)),
        ("last_seen", "2024-01-03 10:11:12+02", dt.datetime(2024, 1, 3, 8, 11, 12, tzinfo=dt.UTC)),
        ("last_seen", "", None),
        ("date", "2024-01-03 00:00:00+00:00", dt.date(2024, 1, 3)),
        ("date", "2024-01-03T00:00:00Z", dt.date(2024, 1, 3)),
    ],
)
async def test_days_and_moments_come_in_many_forms(field: str, text: str, value: object) -> None:
    """No document gives the form of either: what can mean one thing only is read."""
    (one,) = await read(ndjson(row(**{field: text})))
    assert getattr(one, field) == value


async def test_rows_are_not_filtered_by_date() -> None:
    """Their date is that of a bucket, and the service leaves the end out itself."""
    assert len(await read(ndjson(row(date="2023-12-31"), row(date=END), row(date="2030-01-01")))) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"total": "1"},
        {"total": True},
        {"total": 1.5},
        {"date": "yesterday"},
        {"date": 20240101},
        {"date": "2024-01-03T10:00:00Z"},
        {"breakdown": None},
        {"breakdowns": "by-total"},
        {"last_seen": "just now"},
        {"last_seen": 1700000000},
        {"last_seen": "0001-01-01 00:00:00+02:00"},
        {"company_sic_codes": {"a": 1}},
        {"version": 2},
    ],
)
async def test_a_mistyped_field_is_a_malformed_record(wrong: dict[str, object]) -> None:
    """The records around it are read."""
    body = ndjson(row(1), row(2) | wrong, row(3))
    with pytest.raises(MalformedRecordError) as caught:
        await read(body)
    assert caught.value.line_number == 2
    assert [one.total for one in await read(body, on_malformed="skip")] == [1, 3]


@pytest.mark.parametrize("body", [b'{"data": []}', b"[]", b'{"detail":"Organization not found"}\n'])
async def test_another_answer_is_a_malformed_record(body: bytes) -> None:
    """One document instead of lines, or an error that calls itself a success; a web page is not an export."""
    with pytest.raises(MalformedRecordError):
        await read(body)
    with pytest.raises(ExportError, match="HTML"):
        await read(b"\n <html>" + body, on_malformed="skip")


async def test_half_a_line_is_an_export_that_was_cut() -> None:
    """Although its end is proven."""
    with pytest.raises(TruncatedExportError):
        await read(ndjson(row(1), row(2))[:-9])


@pytest.mark.parametrize(
    ("looked_at", "effective", "is_narrower"),
    [
        (None, (None, None), False),
        ((START, END), (dt.date(2024, 1, 1), dt.date(2024, 2, 1)), False),
        (("2023-12-31", "2024-02-02"), (dt.date(2023, 12, 31), dt.date(2024, 2, 2)), False),
        (("2024-01-02T00:00:00Z", END), (dt.date(2024, 1, 2), dt.date(2024, 2, 1)), True),
        (("soon", "2024-01-31"), (None, dt.date(2024, 1, 31)), True),
        ((END, END), (dt.date(2024, 2, 1), dt.date(2024, 2, 1)), True),
        (("2024-13-01", ""), (None, None), False),
    ],
)
async def test_the_days_that_were_looked_at(
    looked_at: tuple[str, str] | None, effective: tuple[dt.date | None, dt.date | None], is_narrower: bool
) -> None:
    """As the headers say; fewer than were asked for are one warning that names both ranges."""
    service = Service(lambda _start, _end: answer(1, looked_at=looked_at))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with service.exports.aggregations(START, END, owner="acme") as stream:
            assert (stream.effective_start, stream.effective_end) == effective
    assert [warning.category for warning in caught] == [ScarfWarning] * is_narrower
    for warning in caught:
        shown = f"{effective[0] or START}..{effective[1] or END}"
        assert f"{START}..{END}" in str(warning.message)
        assert shown in str(warning.message)


async def test_a_warning_comes_once_and_an_error_leaves_nothing_open(tmp_path: Path) -> None:
    """Though `save` fetches again after a cut; and where warnings are errors the response is let go."""
    whole = ndjson(row(1))
    cut = TruncatedExportError("cut")
    given = [answer(body=[whole, cut], looked_at=("2024-01-05", END)), answer(1, looked_at=("2024-01-05", END))]
    with pytest.warns(ScarfWarning) as caught:
        saved = (
            await Service(lambda _start, _end: given.pop(0))
            .exports.aggregations(START, END, owner="acme")
            .save(tmp_path / "rows.jsonl")
        )
    assert (len(caught), saved.path.read_bytes()) == (1, whole)
    last = answer(1, looked_at=("2024-01-05", END))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ScarfWarning):
            async with Service(lambda _start, _end: last).exports.aggregations(START, END, owner="acme"):
                pass
    assert last.closed == 1


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
async def test_a_file_of_each_format(form: Any, tmp_path: Path) -> None:
    """Lists are lists in Parquet and JSON, and texts of JSON in CSV."""
    body = ndjson(row(1, breakdowns=["by-total", "x"], last_seen="2024-01-03 10:11:12+00:00"), row(2))
    export = Service(lambda _start, _end: answer(body=body)).exports.aggregations(START, END, owner="acme")
    saved = await export.save(tmp_path / "rows", format=form)
    assert saved.records == 2
    if form == "jsonl":
        assert saved.path.read_bytes() == body
    elif form == "csv":
        assert b'"[""by-total"",""x""]"' in saved.path.read_bytes()
    else:
        import pyarrow.parquet as pq  # type: ignore[import-untyped] # noqa: PLC0415 # it ships no types

        first, second = pq.read_table(saved.path).to_pylist()
        assert (first["breakdowns"], second["breakdowns"], first["total"]) == (["by-total", "x"], [], 1)
        assert first["last_seen"] == dt.datetime(2024, 1, 3, 10, 11, 12, tzinfo=dt.UTC)
