"""The calls: what they ask for, and what they refuse."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from scarf_async.entities import ImportLogEntry, Package, PackageKey, TrackingPixel
from scarf_async.errors import ExportError, ValidationError
from scarf_async.exports.group import Exports
from scarf_async.exports.spec import date_range
from scarf_async.imports.log_reader import ImportLogReader
from scarf_async.protocol.messages import Request

from .fakes import FakeClient, FakeDownload, csv_body, download, event_rows, ndjson, row

START, BEHIND = "2024-01-01", "2024-01-02"
PIXEL = TrackingPixel(id="x", owner="Other")


@attrs.define
class Client(FakeClient):
    """Remembers what is asked for."""

    body: bytes = b""
    max_record_bytes: int = attrs.field(default=1000, kw_only=True)

    async def download(self, request: Request[None]) -> FakeDownload:
        self.requests.append(request)
        return download(self.body)


CALLS: list[tuple[Callable[[Exports], Any], str, str, bool]] = [
    (
        lambda exports: exports.organization_aggregates("a/b", START, BEHIND),
        "v1",
        "/organizations/a%2Fb/aggregates?startDate=2024-01-01&endDate=2024-01-02",
        True,
    ),
    (
        lambda exports: exports.user_aggregates("ann", START, BEHIND),
        "v1",
        "/users/ann/aggregates?startDate=2024-01-01&endDate=2024-01-02",
        True,
    ),
    (
        lambda exports: exports.package_events("acme", "p", START, BEHIND),
        "v1",
        "/packages/acme/p/events/events.csv?startDate=2024-01-01&endDate=2024-01-02",
        False,
    ),
    (
        lambda exports: exports.package_events(None, Package(uuid="p", name="x"), START, BEHIND),
        "v1",
        "/packages/p/events/events.csv?startDate=2024-01-01&endDate=2024-01-02",
        False,
    ),
    (
        lambda exports: exports.package_events("acme", "p", START, BEHIND, api="v2"),
        "v2",
        "/packages/acme/p/events?start_date=2024-01-01&end_date=2024-01-02",
        True,
    ),
    (
        lambda exports: exports.owner_events("acme", START, BEHIND),
        "v2",
        "/packages/acme/events?start_date=2024-01-01&end_date=2024-01-02",
        True,
    ),
    (
        lambda exports: exports.pixel_events(START, BEHIND),
        "v1",
        "/pixels/events/events.csv?startDate=2024-01-01&endDate=2024-01-02",
        False,
    ),
    (
        lambda exports: exports.pixel_events(START, BEHIND, owner="acme", api="v2"),
        "v2",
        "/tracking-pixels/acme/events?start_date=2024-01-01&end_date=2024-01-02",
        True,
    ),
    (
        lambda exports: exports.owner_events("acme", START, BEHIND, names=["io.dapr*", "a/{b,c}"]),
        "v2",
        "/packages/acme/events?start_date=2024-01-01&end_date=2024-01-02&query=io.dapr%2A%2Ca%2F%7Bb%2Cc%7D",
        True,
    ),
    (
        lambda exports: exports.pixel_events(START, BEHIND, owner="acme", pixel="x/1"),
        "v2",
        "/tracking-pixels/acme/x%2F1/events?start_date=2024-01-01&end_date=2024-01-02",
        True,
    ),
    (
        lambda exports: exports.company_events("corp.example", START, BEHIND, owner="acme"),
        "v2",
        "/companies/acme/corp.example/events?start_date=2024-01-01&end_date=2024-01-02",
        True,
    ),
]


@pytest.mark.parametrize(("call", "base", "target", "filtered"), CALLS)
async def test_what_is_asked_for(call: Callable[[Exports], Any], base: str, target: str, filtered: bool) -> None:
    """Each call asks at its address, and filters where the service may send more than was asked for."""
    body = (
        ndjson(row(1), row(2, date=BEHIND))
        if "aggregates" in target
        else csv_body([*event_rows(1), *event_rows(1, day=2)])
    )
    client = Client(body)
    export = call(Exports(client))
    assert client.requests == []
    async with export as stream:
        records = [record async for record in stream]
    (request,) = client.requests
    assert (request.endpoint.method, request.endpoint.version, request.target) == ("GET", base, target)
    assert len(records) == (1 if filtered else 2)
    assert stream.records_dropped == (1 if filtered else 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda exports: exports.organization_aggregates("acme", START, BEHIND, unfiltered=True),
        lambda exports: exports.user_aggregates("ann", START, BEHIND, unfiltered=True),
        lambda exports: exports.package_events("acme", "p", START, BEHIND, api="v2", unfiltered=True),
        lambda exports: exports.owner_events("acme", START, BEHIND, unfiltered=True),
        lambda exports: exports.pixel_events(START, BEHIND, owner="acme", api="v2", unfiltered=True),
    ],
)
async def test_the_filter_can_be_turned_off(call: Callable[[Exports], Any]) -> None:
    """With `unfiltered=True` all that comes is handed out."""
    export = call(Exports(Client()))
    assert export.spec.end is None


@pytest.mark.parametrize(
    ("call", "target"),
    [
        (lambda exports: exports.package_events(None, "p", START, BEHIND), "/packages/acme/p/events"),
        (lambda exports: exports.package_events("Other", "p", START, BEHIND), "/packages/Other/p/events"),
        (
            lambda exports: exports.package_events(None, PackageKey("other", "p"), START, BEHIND),
            "/packages/other/p/events",
        ),
        (lambda exports: exports.pixel_events(START, BEHIND), "/tracking-pixels/acme/events"),
        (lambda exports: exports.owner_events(None, START, BEHIND), "/packages/acme/events"),
        (lambda exports: exports.pixel_events(START, BEHIND, pixel="x"), "/tracking-pixels/acme/x/events"),
        (lambda exports: exports.pixel_events(START, BEHIND, pixel=PIXEL), "/tracking-pixels/Other/x/events"),
        (lambda exports: exports.company_events("c.example", START, BEHIND), "/companies/acme/c.example/events"),
        (
            lambda exports: exports.package_events(None, "p", START, BEHIND, api="v1"),
            "/packages/p/events/events.csv",
        ),
        (lambda exports: exports.pixel_events(START, BEHIND, api="v1"), "/pixels/events/events.csv"),
    ],
)
async def test_a_client_of_v2_asks_there(call: Callable[[Exports], Any], target: str) -> None:
    """Where a call names no version, the client's is asked, and the client's owner is meant; v1 knows none."""
    client = Client(csv_body(event_rows(1)), api="v2", owner="acme")
    async with call(Exports(client)):
        pass
    assert [request.target.partition("?")[0] for request in client.requests] == [target]


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (
            "date,total,company\n2024-01-01,3,\n2024-01-02,5,x\n",
            [{"date": "2024-01-01", "total": "3", "company": None}],
        ),
        ("total,new\n3,\n", [{"total": "3", "new": None}]),
        (
            'date\n2024-01-02 00:00:00\n2024-1-1\n3/1/2024\n""\n',
            [{"date": "2024-1-1"}, {"date": "3/1/2024"}, {"date": None}],
        ),
        ("", None),
    ],
)
async def test_a_rollup_is_mappings(body: str, rows: list[dict[str, str | None]] | None) -> None:
    """By whatever columns come, without days that were not asked for; a value that is not a day stays."""
    export = Exports(Client(body.encode())).pixel_rollup(START, BEHIND, owner="acme")
    async with export as stream:
        if rows is None:
            with pytest.raises(ExportError):
                await anext(aiter(stream))
            return
        with pytest.raises(ValidationError, match="take csv or jsonl"):
            stream.record_batches()
        assert [row async for row in stream] == rows


async def test_a_rollup_as_json_lines() -> None:
    """Without what is empty."""
    export = Exports(Client(b"a,b\n1,\n")).pixel_rollup(START, BEHIND, owner="acme")
    async with export as stream:
        assert [chunk async for chunk in stream.chunks("jsonl")] == [b'{"a":"1"}\n']


@pytest.mark.parametrize(
    ("line", "number", "extra"), [(7, 7, {}), ("{half", None, {"line": "{half"}), (None, None, {})]
)
def test_an_entry_of_a_log_speaks_of_a_line(line: object, number: int | None, extra: dict[str, str]) -> None:
    """By its number, or by what it holds: nothing says which."""
    record = ndjson({"type": "failed-to-decode", "class": "error", "line": line})
    ((entry,), _) = ImportLogReader().decode([record])
    assert entry == ImportLogEntry(type="failed-to-decode", class_="error", line=number, extra=extra)


def test_what_cannot_be_exported_of_a_package() -> None:
    """An owner that contradicts the key, and an id that v2 reads as a word of its own."""
    exports = Exports(Client(api="v2", owner="acme"))
    for owner, package in (("acme", PackageKey("other", "p")), (None, "overview")):
        with pytest.raises(ValidationError):
            exports.package_events(owner, package, START, BEHIND)


async def test_on_malformed_reaches_the_stream() -> None:
    """A function hears of records that cannot be read."""
    heard: list[int] = []
    exports = Exports(Client(b"junk\n" + ndjson(row(1))))
    export = exports.user_aggregates(
        "ann", START, BEHIND, on_malformed=lambda error: heard.append(error.line_number)
    )
    async with export as stream:
        assert [one.total async for one in stream] == [1]
    assert heard == [1]


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda exports: exports.package_events(None, "p", START, BEHIND, api="v2"), "owner"),
        (lambda exports: exports.package_events("acme", "p", START, BEHIND, api="v3"), "api"),
        (lambda exports: exports.package_events("", "p", START, BEHIND), "owner"),
        (lambda exports: exports.package_events("acme", "..", START, BEHIND), "package"),
        (lambda exports: exports.pixel_events(START, BEHIND, owner="acme"), "owner"),
        (lambda exports: exports.pixel_events(START, BEHIND, api="v2"), "owner"),
        (lambda exports: exports.pixel_events(START, BEHIND, api="2"), "api"),
        (lambda exports: exports.owner_events(None, START, BEHIND), "owner"),
        (lambda exports: exports.company_events("c.example", START, BEHIND), "owner"),
        (lambda exports: exports.company_events("", START, BEHIND, owner="acme"), "domain"),
        (lambda exports: exports.company_events(None, START, BEHIND, owner="acme"), "domain"),
        (lambda exports: exports.pixel_events(START, BEHIND, owner="acme", pixel=7), "pixel"),
        (lambda exports: exports.pixel_rollup(START, BEHIND), "owner"),
        (lambda exports: exports.pixel_events(START, BEHIND, owner="acme", pixel="x", api="v1"), "owner"),
        (lambda exports: exports.pixel_events(START, BEHIND, pixel="x", api="v1"), "pixel"),
        (lambda exports: exports.pixel_events(START, BEHIND, pixel="events"), "pixel"),
        (lambda exports: exports.pixel_events(START, BEHIND, owner="acme", pixel=PIXEL), "owner"),
        *(
            (lambda exports, names=names: exports.owner_events("acme", START, BEHIND, names=names), "names")
            for names in ("", " ", [], ["a", ""], [7], 7)
        ),
        (lambda exports: exports.organization_aggregates("", START, BEHIND), "organization"),
        (lambda exports: exports.user_aggregates("ann", BEHIND, START), "end"),
        (lambda exports: exports.owner_events("acme", START, BEHIND, on_malformed="ignore"), "on_malformed"),
        (lambda exports: exports.owner_events("acme", START, BEHIND, on_malformed=[]), "on_malformed"),
    ],
)
def test_what_cannot_be_asked_for(call: Callable[[Exports], Any], field: str) -> None:
    """It is refused at once, by the name of the argument."""
    with pytest.raises(ValidationError) as caught:
        call(Exports(Client()))
    assert caught.value.field == field


@pytest.mark.parametrize(
    "call",
    [
        lambda exports: exports.package_events(None, "p", START, BEHIND, api="v2"),
        lambda exports: exports.pixel_events(START, BEHIND, api="v2"),
        lambda exports: exports.owner_events(None, START, BEHIND),
        lambda exports: exports.company_events("c.example", START, BEHIND),
        lambda exports: exports.pixel_rollup(START, BEHIND),
        lambda exports: exports.aggregations(START, BEHIND),
    ],
)
def test_nobodys_exports(call: Callable[[Exports], Any]) -> None:
    """The error says how an owner can be given."""
    with pytest.raises(ValidationError, match=r"need.* an owner: give owner=.*Scarf\(owner=.*\$SCARF_OWNER"):
        call(Exports(Client()))


def test_ranges() -> None:
    """Dates, or strings that are dates."""
    range_ = (dt.date(2024, 1, 1), dt.date(2024, 1, 2))
    assert date_range(dt.date(2024, 1, 1), "2024-01-02") == range_


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        ("2024-01-01", "2024-01-01", "end"),
        ("2024-01-02", "2024-01-01", "end"),
        ("2024-1-1", "2024-01-02", "start"),
        ("20240101", "2024-01-02", "start"),
        ("2024-W01-1", "2024-01-09", "start"),
        ("2024-02-30", "2024-03-02", "start"),
        ("2024-01-01", "2024-01-02\n", "end"),
        ("2024-01-01", "tomorrow", "end"),
        (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "2024-01-02", "start"),
        ("2024-01-01", None, "end"),
        (20240101, "2024-01-02", "start"),
    ],
)
def test_what_is_no_range(start: Any, end: Any, field: str) -> None:
    """Times, other spellings and empty ranges are refused."""
    with pytest.raises(ValidationError) as caught:
        date_range(start, end)
    assert caught.value.field == field
