"""The exports: what they contain, what they refuse, and how they stream."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from datetime import UTC, datetime

import aiohttp
import pytest

from scarf_async.emulator import Emulator
from scarf_async.emulator.generator import EVENT_COLUMNS
from scarf_async.entities.enums import Breakdown

from .conftest import Client

_V1 = {"startDate": "2024-01-01", "endDate": "2024-01-03"}
_V2 = {"start_date": "2024-01-01", "end_date": "2024-01-03"}


def days(rows: list[dict[str, str]]) -> list[str]:
    """The days on which events happened."""
    return sorted({row["time"][:10] for row in rows})


@pytest.fixture
async def package(call: Client) -> str:
    """A file package of an organization."""
    await call.organization()
    return await call.package("tool", organization="acme")


async def test_package_events_are_csv_with_the_columns_of_the_service(call: Client, package: str) -> None:
    """24 columns, text/csv, an attachment; the end is exclusive; events of pixels are among them."""
    reply = await call("GET", f"/packages/acme/{package}/events/any-name.csv", params=_V1)
    rows = reply.rows()
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/csv"
    assert reply.headers["Content-Disposition"].startswith("attachment; filename=")
    assert tuple(rows[0]) == EVENT_COLUMNS
    assert len(EVENT_COLUMNS) == 24
    assert len(rows) == 100
    assert days(rows) == ["2024-01-01", "2024-01-02"]
    assert {row["type"] for row in rows} == {"file-download", "pixel-fetch"}
    assert {row["package"] for row in rows} == {"tool"}
    assert all(bool(row["pixel"]) == (row["type"] == "pixel-fetch") for row in rows)
    assert len({row["id"] for row in rows}) == 100


async def test_rows_come_in_no_order_of_time(call: Client, package: str) -> None:
    """The description calls the file unordered, and so it is."""
    times = [row["time"] for row in (await call("GET", f"/packages/{package}/events/x.csv", params=_V1)).rows()]
    assert times != sorted(times)
    assert times != sorted(times, reverse=True)
    assert all(datetime.fromisoformat(time).tzinfo == UTC for time in times)


async def test_all_three_paths_give_the_same_events(call: Client, package: str) -> None:
    """With an owner, without (as it was first published), and in v2, whose end is inclusive."""
    with_owner = await call("GET", f"/packages/acme/{package}/events/x.csv", params=_V1)
    without = await call("GET", f"/packages/{package}/events/x.csv", params=_V1)
    v2 = await call("GET", f"/packages/acme/{package}/events", params=_V2, v2=True)
    assert with_owner.body == without.body
    assert days(v2.rows()) == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert {r["id"] for r in with_owner.rows()} < {r["id"] for r in v2.rows()}


async def test_day_has_the_same_events_in_every_range(call: Client, package: str) -> None:
    """Overlapping exports agree, as those of a database would."""
    path = f"/packages/{package}/events/x.csv"
    long = await call("GET", path, params={"startDate": "2023-11-01", "endDate": "2024-03-01"})
    short = await call("GET", path, params=_V1)
    within = [row for row in long.rows() if "2024-01-01" <= row["time"][:10] < "2024-01-03"]
    key = lambda row: row["id"]  # noqa: E731  # shorter than a function
    assert sorted(within, key=key) == sorted(short.rows(), key=key)


async def test_seed_decides_the_events(session: aiohttp.ClientSession) -> None:
    """Two servers with one seed invent the same, another seed something else."""
    bodies = []
    for seed in (1, 1, 2):
        async with Emulator(seed=seed) as emulator:
            call = Client(session, emulator)
            path = f"/packages/{await call.package()}/events/x.csv"
            bodies.append((await call("GET", path, params=_V1)).body)
    assert bodies[0] == bodies[1] != bodies[2]


async def test_cells_are_quoted_where_they_must_be(session: aiohttp.ClientSession) -> None:
    """Commas, quotes and line breaks occur, and every row has its 24 cells all the same."""
    async with Emulator(events_per_day=500) as emulator:
        call = Client(session, emulator)
        uuid = await call.package('a "tool", of sorts')
        reply = await call("GET", f"/packages/{uuid}/events/x.csv", params=_V1)
    rows = reply.rows()
    assert len(rows) == 1000
    assert all(None not in row and None not in row.values() for row in rows)
    assert {row["package"] for row in rows} == {'a "tool", of sorts'}
    agents = [row["user_agent"] for row in rows]
    assert any("\n" in agent for agent in agents)
    assert any('"' in agent for agent in agents)
    assert {"", "true"} == {row["dnt"] for row in rows}
    assert reply.body.count(b"\n") > 1001


async def test_owner_events_are_those_of_all_packages(call: Client, package: str) -> None:
    """The export of an owner has every package's events, of an organization or of the user."""
    await call.package("web", "docker", organization="acme")
    await call.package("mine", "npm")
    of_acme = await call("GET", "/packages/acme/events", params=_V2, v2=True)
    of_user = await call("GET", "/packages/emulator-user/events", params=_V2, v2=True)
    assert Counter(row["package"] for row in of_acme.rows()) == {"tool": 150, "web": 150}
    assert Counter(row["package"] for row in of_user.rows()) == {"mine": 150}


async def test_pixel_events_have_a_pixel_and_no_package(call: Client, package: str) -> None:
    """In v1 of all the user's pixels, in v2 of an owner's."""
    v1 = await call("GET", "/pixels/events/x.csv", params=_V1)
    v2 = await call("GET", "/tracking-pixels/acme/events", params=_V2, v2=True)
    assert len(v1.rows()) == 100
    assert len(v2.rows()) == 150
    assert all(row["pixel"] and not row["package"] for row in v1.rows() + v2.rows())


@pytest.mark.parametrize(
    ("path", "v2"),
    [
        ("/packages/acme/00000000-0000-0000-0000-000000000000/events/x.csv", False),
        ("/packages/00000000-0000-0000-0000-000000000000/events/x.csv", False),
        ("/packages/emulator-user/{package}/events/x.csv", False),
        ("/packages/{package}/events/x.txt", False),
        ("/pixels/events/x", False),
        ("/packages/emulator-user/{package}/events", True),
        ("/packages/nobody/events", True),
        ("/tracking-pixels/nobody/events", True),
        ("/organizations/nobody/aggregates", False),
        ("/users/unknown-person/aggregates", False),
    ],
)
async def test_unknown_sources_are_not_found(call: Client, package: str, path: str, *, v2: bool) -> None:
    """A package of another owner is as unknown as one that does not exist."""
    reply = await call("GET", path.format(package=package), params=_V2 if v2 else _V1, v2=v2)
    assert reply.status == 404
    assert reply.object()["code"] == "not-found"


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"startDate": "2024-01-01"},
        {"startDate": "2024-01-01", "endDate": "tomorrow"},
        {"startDate": "2024-1-1", "endDate": "2024-01-03"},
        {"startDate": "2024-02-30", "endDate": "2024-03-03"},
        {"startDate": "20240101", "endDate": "20240103"},
        {"startDate": "2024-01-03", "endDate": "2024-01-01"},
        {"start_date": "2024-01-01", "end_date": "2024-01-03"},
    ],
)
async def test_bad_dates_are_refused(call: Client, package: str, params: dict[str, str]) -> None:
    """A date that is missing or no date is a 400 with a message, on every v1 export."""
    for path in (f"/packages/{package}/events/x.csv", "/pixels/events/x.csv", "/organizations/acme/aggregates"):
        reply = await call("GET", path, params=params)
        assert reply.status == 400
        assert "Date" in reply.text("message")


async def test_empty_range_gives_the_header_alone(call: Client, package: str) -> None:
    """Start and end on one day is nothing in v1 and that day in v2."""
    path = f"/packages/{package}/events/x.csv"
    empty = await call("GET", path, params={"startDate": "2024-01-01", "endDate": "2024-01-01"})
    one_day = {"start_date": "2024-01-01", "end_date": "2024-01-01"}
    whole_day = await call("GET", f"/packages/acme/{package}/events", params=one_day, v2=True)
    assert empty.body == ",".join(EVENT_COLUMNS).encode() + b"\n"
    assert days(whole_day.rows()) == ["2024-01-01"]


@pytest.mark.parametrize("bounds", [("0001-01-01", "0001-01-01"), ("9999-12-30", "9999-12-31")])
async def test_ends_of_the_calendar_are_dates(call: Client, package: str, bounds: tuple[str, str]) -> None:
    """The first and the last day there are do not break anything."""
    start, end = bounds
    path = f"/packages/acme/{package}/events"
    v2 = await call("GET", path, params={"start_date": start, "end_date": end}, v2=True)
    v1 = await call("GET", f"{path}/x.csv", params={"startDate": start, "endDate": end})
    assert v1.status == v2.status == 200


async def test_long_range_is_refused_where_it_is_limited(emulator: Emulator, call: Client, package: str) -> None:
    """A range may be as long as the limit, in days that are exported."""
    emulator.max_range_days = 2
    v1 = await call("GET", f"/packages/{package}/events/x.csv", params=_V1)
    v2 = await call("GET", f"/packages/acme/{package}/events", params=_V2, v2=True)
    assert v1.status == 200
    assert (v2.status, v2.object()["code"]) == (400, "range-too-long")


async def test_own_events_are_served_instead_of_invented_ones(call: Client, package: str) -> None:
    """A test's events come as they were put in, by column, within the range; then none are invented."""
    count = await call.emulator.add_events(
        package,
        [
            {"id": "1", "type": "file-download", "time": "2024-01-01T00:00:00Z", "user_agent": 'a,"b"\nc'},
            {"id": "2", "type": "file-download", "time": "2024-01-03T00:30:00+01:00", "package": "tool"},
            {"id": "3", "type": "file-download", "time": "2024-01-03 00:00:00 UTC"},
        ],
    )
    v1 = (await call("GET", f"/packages/{package}/events/x.csv", params=_V1)).rows()
    v2 = (await call("GET", "/packages/acme/events", params=_V2, v2=True)).rows()
    later = {"startDate": "2025-01-01", "endDate": "2025-02-01"}
    assert count == 3
    assert [row["id"] for row in v1] == ["1", "2"]
    assert v1[0]["user_agent"] == 'a,"b"\nc'
    assert v1[0]["package"] == ""
    assert [row["id"] for row in v2] == ["1", "2", "3"]
    assert (await call("GET", f"/packages/{package}/events/x.csv", params=later)).rows() == []


async def test_own_pixel_events(call: Client, package: str) -> None:
    """Without a package they are events of pixels, for every export of pixels."""
    await call.emulator.add_events(None, [{"id": "1", "type": "pixel-fetch", "time": "2024-01-01T12:00:00Z"}])
    assert len((await call("GET", "/pixels/events/x.csv", params=_V1)).rows()) == 1
    assert len((await call("GET", "/tracking-pixels/acme/events", params=_V2, v2=True)).rows()) == 1
    assert len((await call("GET", f"/packages/{package}/events/x.csv", params=_V1)).rows()) == 100


async def test_event_without_a_date_adds_nothing(call: Client, package: str) -> None:
    """One bad event and none of them is stored."""
    events = [{"time": "2024-01-01T00:00:00Z"}, {"type": "file-download"}]
    with pytest.raises(ValueError, match="time"):
        await call.emulator.add_events(package, events)
    assert len((await call("GET", f"/packages/{package}/events/x.csv", params=_V1)).rows()) == 100


async def test_own_events_are_read_page_by_page(call: Client, package: str) -> None:
    """More events than one page holds all arrive, once each and in their order."""
    rows = (
        {"id": str(n), "type": "t", "time": f"2024-01-01T00:{n // 60 % 60:02}:{n % 60:02}Z"} for n in range(1234)
    )
    await call.emulator.add_events(package, rows)
    served = (await call("GET", f"/packages/{package}/events/x.csv", params=_V1)).rows()
    assert [row["id"] for row in served] == [str(n) for n in range(1234)]


@pytest.mark.parametrize("own", [True, False])
async def test_duplicates_are_identical_and_as_many_as_asked(call: Client, package: str, *, own: bool) -> None:
    """Delivery is at least once: a share of the rows comes twice."""
    call.emulator.duplicate_events = 0.2
    call.emulator.events_per_day = 1000
    if own:
        rows = [{"id": str(n), "type": "t", "time": "2024-01-01T00:00:00Z"} for n in range(2000)]
        await call.emulator.add_events(package, rows)
    served = (await call("GET", f"/packages/{package}/events/x.csv", params=_V1)).rows()
    counts = Counter(tuple(row.items()) for row in served)
    assert len(counts) == 2000
    assert len({row["id"] for row in served}) == 2000
    assert 300 < len(served) - 2000 < 500


async def test_columns_can_be_others(session: aiohttp.ClientSession) -> None:
    """Columns come and go in the real service: any order, any choice, and names nobody knows."""
    async with Emulator(columns=("type", "newcomer", "time", "id")) as emulator:
        call = Client(session, emulator)
        uuid = await call.package("web", "docker")
        rows = (await call("GET", f"/packages/{uuid}/events/x.csv", params=_V1)).rows()
        assert list(rows[0]) == ["type", "newcomer", "time", "id"]
        assert {row["newcomer"] for row in rows} == {""}
        assert {row["type"] for row in rows} == {"manifest-fetch", "pixel-fetch"}
        await emulator.add_events(uuid, [{"time": "2024-01-01T00:00:00Z", "newcomer": "x"}])
        rows = (await call("GET", f"/packages/{uuid}/events/x.csv", params=_V1)).rows()
        assert rows == [{"type": "", "newcomer": "x", "time": "2024-01-01T00:00:00Z", "id": ""}]


async def test_gzip_is_sent_to_those_who_take_it(call: Client, package: str) -> None:
    """Compression is an option, and a client can decline it."""
    path = f"/packages/{package}/events/x.csv"
    plain = await call("GET", path, params=_V1)
    call.emulator.gzip = True
    packed = await call("GET", path, params=_V1, headers={"Accept-Encoding": "gzip"})
    declined = await call("GET", path, params=_V1, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in declined.headers
    assert plain.body == packed.body == declined.body


async def test_aggregates_have_every_breakdown(call: Client, package: str) -> None:
    """Lines of JSON with the described keys: versions for docker only, variables for file packages only."""
    docker = await call.package("web", "docker", organization="acme")
    reply = await call("GET", "/organizations/acme/aggregates", params=_V1)
    rows = [json.loads(line) for line in reply.body.splitlines()]
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert reply.body.endswith(b"\n")
    assert {row["breakdown"] for row in rows} == {word.value for word in Breakdown}
    assert {row["package"] for row in rows} == {package, docker}
    assert {row["date"] for row in rows} == {"2024-01-01", "2024-01-02"}
    assert {row["package"] for row in rows if row["breakdown"] == "version"} == {docker}
    assert {row["package"] for row in rows if row["breakdown"] == "variable"} == {package}
    assert all(("unique_total" in row) == (row["breakdown"] == "total") for row in rows)
    assert all(isinstance(row["total"], int) for row in rows)
    assert reply.body == (await call("GET", "/organizations/acme/aggregates", params=_V1)).body


async def test_aggregates_of_users(call: Client, package: str) -> None:
    """The user's are of the user's own packages; of someone else's nothing is known."""
    own = await call.package("mine", "npm")
    mine = await call("GET", "/users/Emulator-User/aggregates", params=_V1)
    others = await call("GET", "/users/ann/aggregates", params=_V1)
    assert {json.loads(line)["package"] for line in mine.body.splitlines()} == {own}
    assert (others.status, others.body) == (200, b"")


async def test_large_export_streams_in_bounded_memory(emulator: Emulator, call: Client, package: str) -> None:
    """The memory that an export takes does not grow with its length."""
    emulator.events_per_day = 2500
    headers = {"Authorization": f"Bearer {emulator.token}"}
    size, peaks = 0, []
    for end in ("2024-01-02", "2024-01-11"):
        params = {"startDate": "2024-01-01", "endDate": end}
        url = f"{emulator.url}/packages/{package}/events/x.csv"
        tracemalloc.start()
        try:
            async with call.session.get(url, params=params, headers=headers) as response:
                async for chunk in response.content.iter_any():
                    size += len(chunk)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert size > 5 * 2**20
    assert peaks[1] < 2 * 2**20


async def test_client_may_leave_an_export(emulator: Emulator, call: Client, package: str) -> None:
    """An export nobody reads to its end harms nobody else."""
    emulator.events_per_day = 100_000
    headers = {"Authorization": f"Bearer {emulator.token}"}
    url = f"{emulator.url}/packages/{package}/events/x.csv"
    async with call.session.get(url, params=_V1, headers=headers) as response:
        assert await response.content.readexactly(1000)
        response.close()
    assert (await call("GET", "/packages")).status == 200
