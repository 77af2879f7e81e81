"""Faults: what arrives, what takes effect, and what the client is told."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from scarf_async.emulator import Emulator, FaultRule, Faults
from scarf_async.emulator.faults import Action, Fault, matches

from .conftest import Client, organization_body

_DROPPED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


async def names(emulator: Emulator) -> list[str]:
    """The organizations there are."""
    return list((await emulator.dump())["organizations"])


async def test_fresh_emulator_has_no_faults(call: Client) -> None:
    """Nothing goes wrong unless it was asked for."""
    for _ in range(50):
        assert (await call("GET", "/packages")).status == 200
    assert call.emulator.faults.injected == {}


@pytest.mark.parametrize("status", [429, 500, 503, 403])
async def test_injected_status_has_no_effect(call: Client, status: int) -> None:
    """The request is refused before it does anything, with a message in JSON."""
    call.emulator.faults.add(FaultRule("POST", "/organizations", 1, status))
    refused = await call("POST", "/organizations", organization_body())
    assert refused.status == status
    assert refused.object().keys() == {"message"}
    assert "Retry-After" not in refused.headers
    assert await names(call.emulator) == []
    (request,) = call.emulator.requests
    assert (request.status, request.effective, request.fault) == (status, False, str(status))
    assert call.emulator.faults.injected == {status: 1}
    assert (await call("POST", "/organizations", organization_body())).status == 201


async def test_retry_after_is_sent_with_429_and_503(call: Client) -> None:
    """The header is on the two statuses that ask for patience, and on others where a rule says so."""
    faults = call.emulator.faults = Faults(retry_after=1.5)
    for nth, status in enumerate((429, 503, 500), 1):
        faults.add(FaultRule("GET", "*", nth, status))
    faults.add(FaultRule("GET", "*", 4, 403, retry_after="Fri, 01 Jan 2100 00:00:00 GMT"))
    headers = [(await call("GET", "/packages")).headers.get("Retry-After") for _ in range(4)]
    assert headers == ["1.5", "1.5", None, "Fri, 01 Jan 2100 00:00:00 GMT"]


async def test_drop_before_has_no_effect(call: Client) -> None:
    """The connection ends without a response, and nothing has happened."""
    call.emulator.faults.add(FaultRule("POST", "*", None, "drop_before"))
    with pytest.raises(_DROPPED):
        await call("POST", "/organizations", organization_body())
    assert await names(call.emulator) == []
    assert [(r.status, r.effective, r.fault) for r in call.emulator.requests] == [(None, False, "drop_before")]


async def test_drop_after_has_taken_effect(call: Client) -> None:
    """The connection ends without a response, and everything has happened."""
    call.emulator.faults.add(FaultRule("POST", "*", None, Fault.DROP_AFTER))
    with pytest.raises(_DROPPED):
        await call("POST", "/organizations", organization_body())
    assert await names(call.emulator) == ["acme"]
    assert [(r.status, r.effective, r.fault) for r in call.emulator.requests] == [(None, True, "drop_after")]


async def test_dropped_connection_carried_not_one_byte(emulator: Emulator) -> None:
    """Seen from the socket: the end, and nothing before it."""
    emulator.faults.add(FaultRule("GET", "*", None, "drop_before"))
    host, port = emulator.url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /api/v1/packages HTTP/1.1\r\nHost: x\r\n\r\n")
    try:
        assert await reader.read() == b""
    except ConnectionResetError:
        pass
    finally:
        writer.close()


async def test_late_effect_comes_after_the_connection_has_ended(call: Client) -> None:
    """When the client learns of the lost connection nothing has happened yet; a little later it has."""
    faults = call.emulator.faults = Faults(late_by=0.1)
    faults.add(FaultRule("POST", "*", 1, "late_effect"))
    with pytest.raises(_DROPPED):
        await call("POST", "/organizations", organization_body())
    assert await names(call.emulator) == []
    await call.emulator.wait_until(lambda requests: requests[0].effective)
    assert await names(call.emulator) == ["acme"]
    assert [(r.status, r.fault) for r in call.emulator.requests] == [(None, "late_effect")]


async def test_late_effects_happen_at_the_latest_when_the_emulator_ends(
    session: aiohttp.ClientSession, tmp_path: object
) -> None:
    """Closing does not wait for the delay, and loses nothing."""
    emulator = Emulator(f"{tmp_path}/scarf.db")
    async with emulator:
        emulator.faults = Faults(late_effect=1.0, late_by=3600.0)
        with pytest.raises(_DROPPED):
            await Client(session, emulator)("POST", "/organizations", organization_body())
    assert emulator.requests[0].effective
    async with emulator:
        assert await names(emulator) == ["acme"]


async def test_status_can_hide_an_effect(call: Client) -> None:
    """A gateway's error after the effect: the client is told 502, and the organization is there."""
    call.emulator.faults.add(FaultRule("POST", "*", 1, ("effect", 502)))
    assert (await call("POST", "/organizations", organization_body())).status == 502
    assert await names(call.emulator) == ["acme"]
    assert call.emulator.requests[0].effective
    assert call.emulator.requests[0].fault == "effect_502"
    assert call.emulator.faults.injected["effect", 502] == 1


async def test_answer_can_be_empty(call: Client) -> None:
    """A success comes without its body; a refusal comes as it is."""
    call.emulator.faults.add(FaultRule("POST", "*", None, "empty"))
    created = await call("POST", "/organizations", organization_body())
    refused = await call("POST", "/organizations", organization_body())
    assert (created.status, created.body) == (201, b"")
    assert (refused.status, refused.object()["code"]) == (409, "entity-already-exists")


async def test_proxy_page_instead_of_an_answer(call: Client) -> None:
    """A 502 in HTML, without an effect."""
    call.emulator.faults.add(FaultRule("POST", "*", 1, "html_502"))
    reply = await call("POST", "/organizations", organization_body())
    assert reply.status == 502
    assert reply.headers["Content-Type"].startswith("text/html")
    assert reply.body.startswith(b"<html>")
    assert await names(call.emulator) == []
    assert call.emulator.requests[0].status == 502


@pytest.mark.parametrize(("action", "expected"), [("hang", []), ("hang_after", ["acme"])])
async def test_hanging_request_ends_with_its_client(call: Client, action: Action, expected: list[str]) -> None:
    """No answer comes while the client waits; the effect has happened or it has not."""
    call.emulator.faults.add(FaultRule("POST", "*", 1, action))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await call("POST", "/organizations", organization_body())
    assert await names(call.emulator) == expected
    assert call.emulator.requests[0].status is None
    assert (await call("GET", "/packages")).status == 200


async def test_hanging_request_ends_with_the_emulator(session: aiohttp.ClientSession) -> None:
    """Closing does not wait for clients who would wait for ever."""
    async with Emulator() as emulator:
        emulator.faults.add(FaultRule("GET", "*", 1, "hang"))
        waiting = asyncio.create_task(Client(session, emulator)("GET", "/packages"))
        await emulator.wait_until(lambda requests: len(requests) == 1)
    with pytest.raises(_DROPPED):
        await waiting


async def test_export_is_cut_in_the_middle(call: Client) -> None:
    """The status is 200 and the body ends without its end; by chance only exports are cut."""
    await call.organization()
    uuid = await call.package(organization="acme")
    call.emulator.faults = Faults(cut_download=1.0)
    days = {"startDate": "2024-01-01", "endDate": "2024-01-05"}
    assert (await call("GET", "/packages")).status == 200
    with pytest.raises(aiohttp.ClientPayloadError):
        await call("GET", f"/packages/acme/{uuid}/events/x.csv", params=days)
    with pytest.raises(aiohttp.ClientPayloadError):
        await call("GET", "/organizations/acme/aggregates", params=days)
    assert call.emulator.faults.injected == {"cut_download": 2}
    assert call.emulator.requests[-1].status == 200
    assert call.emulator.requests[-1].fault == "cut_download"


async def test_cut_export_has_delivered_whole_rows(call: Client) -> None:
    """What came before the cut is what comes in the whole export."""
    uuid = await call.package()
    path, days = f"/packages/{uuid}/events/x.csv", {"startDate": "2024-01-01", "endDate": "2024-02-01"}
    whole = (await call("GET", path, params=days)).body
    call.emulator.faults.add(FaultRule("GET", "*", None, "cut_download"))
    received = bytearray()

    async def receive(content: aiohttp.StreamReader) -> None:
        async for chunk in content.iter_any():
            received.extend(chunk)

    headers = {"Authorization": f"Bearer {call.emulator.token}"}
    async with call.session.get(call.emulator.url + path, params=days, headers=headers) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await receive(response.content)
    assert 0 < len(received) < len(whole)
    assert whole.startswith(received)


async def test_any_answer_can_be_cut_by_rule(call: Client) -> None:
    """An ordinary answer ends before its Content-Length; one without a body is dropped."""
    await call.organization()
    call.emulator.faults.add(FaultRule("*", "*", None, "cut_download"))
    with pytest.raises(aiohttp.ClientPayloadError):
        await call("GET", "/organizations/acme")
    uuid = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(aiohttp.ClientPayloadError):
        await call("DELETE", f"/packages/{uuid}")


async def test_latency_delays_every_request(call: Client) -> None:
    """Each request waits its time before anything happens."""
    call.emulator.faults = Faults(latency=0.05)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await call("GET", "/packages")
    assert loop.time() - begin >= 0.05


async def test_rates_hit_their_share_and_add_up(call: Client) -> None:
    """Of many requests each fault takes about its share, and all that arrived is accounted for."""
    call.emulator.faults = Faults(seed=1, status={503: 0.2, 429: 0.1}, drop_before=0.1, drop_after=0.1)
    answered = dropped = 0
    for number in range(200):
        try:
            status = (await call("POST", "/organizations", organization_body(f"o{number}"))).status
            answered += status == 201
        except _DROPPED:
            dropped += 1
    injected = call.emulator.faults.injected
    assert len(call.emulator.requests) == 200
    assert answered + sum(injected.values()) == 200
    assert dropped == injected["drop_before"] + injected["drop_after"]
    assert len(await names(call.emulator)) == answered + injected["drop_after"]
    assert 20 <= injected[503] <= 60
    assert 8 <= injected["drop_after"] <= 35


def decisions(faults: Faults, count: int = 200) -> list[object]:
    """What happens to so many requests."""
    return [faults.decide("GET", "/x") for _ in range(count)]


def test_seed_decides_everything() -> None:
    """Equal seeds give equal faults, other seeds others."""
    first, second, other = (Faults(seed=s, status={500: 0.3}, cut_download=0.3) for s in (1, 1, 2))
    expected = decisions(first)
    assert decisions(second) == expected
    assert decisions(other) != expected


def test_rules_do_not_shift_chance() -> None:
    """A request that a rule takes still uses up its random number."""
    plain, ruled = Faults(status={500: 0.3}), Faults(status={500: 0.3})
    ruled.add(FaultRule("GET", "*", 1, 418))
    assert decisions(ruled)[1:] == decisions(plain)[1:]


def test_first_rule_wins_and_all_rules_count() -> None:
    """The n-th is counted over all matching requests, also those that another rule took."""
    faults = Faults()
    faults.add(FaultRule(method="get", path_glob="/x", nth=1, action=500))
    faults.add(FaultRule(path_glob="*", nth=2, action=501))
    faults.add(FaultRule(path_glob="*", action=502))
    actions = [faults.decide("GET", path).action for path in ("/x", "/x", "/x", "/y")]
    assert actions == [500, 501, 502, 502]


@pytest.mark.parametrize(
    ("path", "glob", "expected"),
    [
        ("/api/v1/packages/1/routes", "/packages/*/routes", True),
        ("/api/v1/packages/1/routes", "/api/v1/packages/*", True),
        ("/api/v1/packages/1/routes", "*/routes", True),
        ("/v2/packages/1/events", "/packages/*/events", True),
        ("/api/v1/packages/a%2Fb", "/packages/a/b", False),
        ("/api/v1/packages", "/organizations*", False),
        ("/api/v11/packages", "1/packages", False),
    ],
)
def test_globs_see_the_path_as_it_arrived(path: str, glob: str, *, expected: bool) -> None:
    """With or without its base, and percent-encoded."""
    assert matches("GET", path, wanted_method="*", path_glob=glob) is expected
    assert not matches("GET", path, wanted_method="POST", path_glob=glob)


def test_nonsense_is_refused_at_once() -> None:
    """A fault that cannot be injected is a mistake of the test's."""
    with pytest.raises(ValueError, match="shares"):
        Faults(drop_before=0.6, drop_after=0.6)
    with pytest.raises(ValueError, match="shares"):
        Faults(cut_download=1.5)
    with pytest.raises(ValueError, match="negative"):
        Faults(latency=-1.0)
    with pytest.raises(ValueError, match="42"):
        Faults(status={42: 0.1})
    with pytest.raises(ValueError, match="counted from 1"):
        FaultRule(nth=0)
    with pytest.raises(ValueError, match="vanish"):
        FaultRule(action="vanish")  # type: ignore[arg-type]  # that it is refused is the point
    with pytest.raises(ValueError, match="1000"):
        FaultRule(action=("effect", 1000))


async def test_unauthorized_request_has_no_effect_to_come_late(call: Client) -> None:
    """A fault does not open the door: a request without the token does nothing, early or late."""
    call.emulator.faults.add(FaultRule("POST", "*", 1, "drop_after"))
    with pytest.raises(_DROPPED):
        await call("POST", "/organizations", organization_body(), token="wrong")
    assert await names(call.emulator) == []
    assert not call.emulator.requests[0].effective


async def test_body_of_a_dropped_request_is_recorded(call: Client) -> None:
    """The list says what arrived, also where nothing came of it."""
    call.emulator.faults.add(FaultRule("POST", "*", 1, "drop_before"))
    with pytest.raises(_DROPPED):
        await call("POST", "/organizations", organization_body())
    assert json.loads(call.emulator.requests[0].body) == organization_body()
