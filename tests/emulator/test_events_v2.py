"""The event exports of v2 as foreign programs ask for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from yarl import URL

from scarf_async.emulator import Emulator
from scarf_async.emulator.answers import Refusal
from scarf_async.emulator.v2.endpoints import names_matching

from .conftest import Client, Reply

_DATES = "start_date=2024-05-01&end_date=2024-05-01"


@pytest.fixture
async def call(session: aiohttp.ClientSession) -> AsyncIterator[Client]:
    """A client of an emulator on a certain day, with an organization and its packages."""
    now = datetime(2024, 5, 15, 12, tzinfo=UTC)
    async with Emulator(clock=lambda: now, events_per_day=20) as emulator:
        call = Client(session, emulator)
        await call.organization("Acme")
        for name in ("a", "b", "web-client", "web-server", "io.dapr/sdk"):
            await call.package(name, organization="Acme")
        yield call


async def get(call: Client, target: str) -> Reply:
    """Ask for a path and a query just as they are written."""
    origin = call.emulator.v2_url.removesuffix("/v2")
    headers = {"Authorization": f"Bearer {call.emulator.token}", "Content-Type": "application/json"}
    async with call.session.get(URL(origin + target, encoded=True), headers=headers) as response:
        json = await response.json() if response.content_type == "application/json" else None
        return Reply(response.status, response.headers, await response.read(), json)


@pytest.mark.parametrize(
    ("query", "packages"),
    [
        ("a,b", {"a", "b"}),
        ("a%2Cb", {"a", "b"}),
        ("io.dapr*", {"io.dapr/sdk"}),
        ("web-*", {"web-client", "web-server"}),
        ("web-%7Bclient,nothing%7D", {"web-client"}),
        ("{a,web-{server,x}}", {"a", "web-server"}),
        ("*", {"a", "b", "web-client", "web-server", "io.dapr/sdk"}),
        ("A", set()),
        ("web", set()),
        ("a&query=b", {"a"}),
    ],
)
async def test_query_says_of_which_packages(call: Client, query: str, packages: set[str]) -> None:
    """Names and patterns of names, to the letter; of several parameters the first."""
    reply = await get(call, f"/v2/packages/Acme/events?{_DATES}&query={query}")
    assert reply.status == 200
    assert {row["package"] for row in reply.rows()} == packages


@pytest.mark.parametrize("query", ["", "a,", ",a", "a,,b", "{a", "a}", "{}", "{a,}", "}{", "{a}}", "\\", "a\\b"])
async def test_bad_query_is_refused(call: Client, query: str) -> None:
    """What has no meaning is a 400 with the service's code."""
    target = f"/v2/packages/Acme/events?{_DATES}&query="
    reply = await get(call, target + query.replace("\\", "%5C"))
    assert (reply.status, reply.object()["code"]) == (400, "invalid-package-query")


def test_characters_that_mean_something_can_be_escaped() -> None:
    """Behind a backslash they are themselves; all else that patterns of other languages know is too."""
    assert names_matching(r"a\,b\*\{\}").fullmatch("a,b*{}")
    assert names_matching("a.c|[d]?").fullmatch("a.c|[d]?")
    assert not names_matching("a.c").fullmatch("abc")
    assert names_matching("*").fullmatch("two\nlines")
    with pytest.raises(Refusal):
        names_matching("a\\")


@pytest.mark.parametrize("owner", ["Acme", "acme", "ACME"])
async def test_owner_is_found_in_any_case(call: Client, owner: str) -> None:
    """The same events for every spelling, of packages and of pixels, of organizations and of users."""
    uuid = await call.package("one-more", organization="Acme")
    for path in ("/v2/packages/{}/events", f"/v2/packages/{{}}/{uuid}/events", "/v2/tracking-pixels/{}/events"):
        asked = await get(call, f"{path.format(owner)}?{_DATES}")
        usual = await get(call, f"{path.format('Acme')}?{_DATES}")
        assert asked.status == 200
        assert len(asked.rows()) >= 20
        assert asked.body == usual.body
    mine = await get(call, f"/v2/tracking-pixels/EMULATOR-USER/events?{_DATES}")
    assert mine.body == (await get(call, f"/v2/tracking-pixels/emulator-user/events?{_DATES}")).body


async def test_v1_owner_is_exact(call: Client) -> None:
    """Only v2 is known to be lenient."""
    uuid = await call.package("tool", organization="Acme")
    dates = "startDate=2024-05-01&endDate=2024-05-02"
    assert (await get(call, f"/api/v1/packages/acme/{uuid}/events/x.csv?{dates}")).status == 404
    assert (await get(call, f"/api/v1/packages/Acme/{uuid}/events/x.csv?{dates}")).status == 200


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("start_date&end_date=2024-05-01", "Missing query parameter: start_date"),
        ("start_date=2024-05-01&end_date", "Missing query parameter: end_date"),
        ("start_date=&end_date=2024-05-01", "Unable to recognize query parameter: start_date"),
        ("start_date=2024-05-01&end_date=2024-5-2", "Unable to recognize query parameter: end_date"),
        ("end_date=tomorrow", "Unable to recognize query parameter: end_date"),
        ("start_date=x&start_date=2024-05-01", "Unable to recognize query parameter: start_date"),
    ],
)
async def test_query_errors_are_plain_text(call: Client, query: str, message: str) -> None:
    """The service's generated parser answers so: the words alone, and no content type."""
    uuid = await call.package("tool", organization="Acme")
    for path in ("/v2/packages/Acme/events", f"/v2/packages/Acme/{uuid}/events", "/v2/tracking-pixels/Acme/events"):
        reply = await get(call, f"{path}?{query}")
        assert (reply.status, reply.body) == (400, message.encode())
        assert "Content-Type" not in reply.headers


async def test_query_without_a_value_is_missing(call: Client) -> None:
    """The name DSL is a parameter like the others."""
    reply = await get(call, f"/v2/packages/Acme/events?{_DATES}&query")
    assert (reply.status, reply.body) == (400, b"Missing query parameter: query")


async def test_other_methods_have_no_body(call: Client) -> None:
    """A wrong method of v2 is a bare 405, and a path that is not UTF-8 a bare 400."""
    reply = await call("POST", "/packages/Acme/events", {}, v2=True)
    assert (reply.status, reply.body, reply.headers["Allow"]) == (405, b"", "GET")
    reply = await get(call, "/v2/packages/%FF/events")
    assert (reply.status, reply.body) == (400, b"")


async def test_first_of_repeated_parameters_wins_and_others_are_ignored(call: Client) -> None:
    """As the generated parser reads them."""
    reply = await get(call, f"/v2/packages/Acme/events?{_DATES}&end_date=2024-05-09&page=2&_ui")
    assert {row["time"][:10] for row in reply.rows()} == {"2024-05-01"}
    assert len(reply.rows()) == 100


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("", "2024-04-15", "2024-05-15"),
        ("end_date=2024-03-31", "2024-03-01", "2024-03-31"),
        ("start_date=2024-05-13", "2024-05-13", "2024-05-15"),
    ],
)
async def test_absent_dates_mean_the_last_month(call: Client, query: str, first: str, last: str) -> None:
    """Up to today, or the month before the end that is given."""
    days = {row["time"][:10] for row in (await get(call, f"/v2/packages/Acme/events?{query}")).rows()}
    assert (min(days), max(days)) == (first, last)


async def test_absent_dates_at_the_ends_of_the_calendar(call: Client) -> None:
    """A month before the first day, or a start in the future, breaks nothing."""
    early = await get(call, "/v2/packages/Acme/events?end_date=0001-01-05")
    assert {row["time"][:10] for row in early.rows()} == {f"0001-01-0{day}" for day in range(1, 6)}
    late = await get(call, "/v2/packages/Acme/events?start_date=9999-12-31")
    assert (late.status, late.rows()) == (200, [])


async def test_path_of_2022_still_serves(call: Client) -> None:
    """The transitional address, with the names of its time, gives what v2 gives."""
    old = "/api/v2/acme/packages/events/events.csv?startDate=2024-05-01&endDate=2024-05-02&selector=a,b"
    reply = await get(call, old)
    now = await get(call, "/v2/packages/Acme/events?start_date=2024-05-01&end_date=2024-05-02&query=a,b")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/csv"
    assert {row["package"] for row in reply.rows()} == {"a", "b"}
    assert reply.body == now.body
    assert (await get(call, old.replace("acme", "nobody"))).status == 404
    assert (await get(call, old.replace("a,b", "{"))).object()["code"] == "invalid-package-query"
