"""The present time: exports hold what has happened, and no more."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import aiohttp
import attrs
import pytest

from scarf_async.emulator import Emulator

from .conftest import Client

_NOON = datetime(2024, 5, 2, 12, tzinfo=UTC)
_TODAY = {"startDate": "2024-05-02", "endDate": "2024-05-03"}


@attrs.define
class Clock:
    """A clock that a test sets."""

    now: datetime = _NOON

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Shows a noon."""
    return Clock()


@pytest.fixture
async def call(session: aiohttp.ClientSession, clock: Clock) -> AsyncIterator[Client]:
    """A client of an emulator that goes by the clock."""
    async with Emulator(clock=clock, events_per_day=400) as emulator:
        yield Client(session, emulator)


def ids(rows: list[dict[str, str]]) -> set[str]:
    """The ids of events."""
    return {row["id"] for row in rows}


async def test_day_fills_as_it_passes(call: Client, clock: Clock) -> None:
    """Nothing of the day at its beginning, all at its end, each time what there was and more."""
    path = f"/packages/{await call.package()}/events/x.csv"
    counts, before = [], set[str]()
    for hour in range(0, 25, 6):
        clock.now = datetime(2024, 5, 2, tzinfo=UTC) + timedelta(hours=hour)
        rows = (await call("GET", path, params=_TODAY)).rows()
        assert before <= ids(rows)
        assert all(datetime.fromisoformat(row["time"]) <= clock.now for row in rows)
        counts.append(len(rows))
        before = ids(rows)
    assert counts[0] == 0
    assert counts[-1] == 400
    assert all(50 < after - earlier < 150 for earlier, after in pairwise(counts))


async def test_zone_of_the_clock_does_not_matter(call: Client, clock: Clock) -> None:
    """Days are days in UTC, wherever the clock hangs."""
    path = f"/packages/{await call.package()}/events/x.csv"
    here = await call("GET", path, params=_TODAY)
    clock.now = _NOON.astimezone(timezone(timedelta(hours=14)))
    assert (await call("GET", path, params=_TODAY)).body == here.body


async def test_no_export_holds_the_future(call: Client, clock: Clock) -> None:
    """Neither events of packages and pixels, in any version, nor aggregates; a far end costs nothing."""
    uuid = await call.package()
    v1 = {"startDate": "2024-05-01", "endDate": "9999-12-31"}
    v2 = {"start_date": "2024-05-01", "end_date": "9999-12-31"}
    for path, params, is_v2 in (
        (f"/packages/{uuid}/events/x.csv", v1, False),
        ("/pixels/events/x.csv", v1, False),
        (f"/packages/emulator-user/{uuid}/events", v2, True),
        ("/packages/emulator-user/events", v2, True),
        ("/tracking-pixels/emulator-user/events", v2, True),
    ):
        rows = (await call("GET", path, params=params, v2=is_v2)).rows()
        assert 500 < len(rows) < 700
        assert max(datetime.fromisoformat(row["time"]) for row in rows) <= _NOON
    lines = (await call("GET", "/users/emulator-user/aggregates", params=v1)).body.splitlines()
    assert {json.loads(line)["date"] for line in lines} == {"2024-05-01", "2024-05-02"}
    clock.now -= timedelta(days=30)
    assert (await call("GET", f"/packages/{uuid}/events/x.csv", params=v1)).rows() == []


async def test_own_events_wait_for_their_time(call: Client, clock: Clock) -> None:
    """Events that a test put there appear when they have happened; those whose hour is not known, with the day."""
    uuid = await call.package()
    times = ["2024-05-02T11:59:59Z", "2024-05-02T14:00:00+03:00", "2024-05-02 12:00:01 UTC", "2024-05-02 noon"]
    await call.emulator.add_events(uuid, [{"id": str(n), "time": time} for n, time in enumerate(times)])
    path = f"/packages/{uuid}/events/x.csv"
    assert ids((await call("GET", path, params=_TODAY)).rows()) == {"0", "1", "3"}
    clock.now += timedelta(seconds=1)
    assert ids((await call("GET", path, params=_TODAY)).rows()) == {"0", "1", "2", "3"}
    clock.now -= timedelta(days=1)
    assert ids((await call("GET", path, params=_TODAY)).rows()) == set()


async def test_without_a_clock_it_is_now(session: aiohttp.ClientSession) -> None:
    """The machine's own time counts."""
    async with Emulator() as emulator:
        call = Client(session, emulator)
        end = datetime.now(UTC).date() + timedelta(days=2)
        params = {"startDate": "2024-01-01", "endDate": end.isoformat()}
        rows = (await call("GET", f"/packages/{await call.package()}/events/x.csv", params=params)).rows()
        latest = max(datetime.fromisoformat(row["time"]) for row in rows)
        assert date(2024, 1, 1) < latest.date()
        assert latest <= datetime.now(UTC)


def test_clock_needs_a_zone() -> None:
    """A time that may be anywhere is refused at once."""
    with pytest.raises(ValueError, match="time zone"):
        Emulator(clock=lambda: datetime(2024, 5, 2))  # noqa: DTZ001  # it is what is refused
