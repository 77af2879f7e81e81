"""Programs that use v2: what they send, and what they need back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from scarf_async.emulator import Emulator, Quirks

from ..conftest import JSON, Client
from .conftest import CURL, REQUESTS, Send

ACCEPT = {**CURL, "Accept": "application/json"}
AS_JSON = {**ACCEPT, "Content-Type": "application/json"}
BUN = {"User-Agent": "Bun/1.2", "Accept": "*/*"}


@pytest.fixture(autouse=True)
async def _organizations(call: Client) -> None:
    for name in ("linuxserver-ci", "openchoreo"):
        await call.organization(name)


async def images(send: Send, owner: str, count: int, registry: str = "ghcr.io") -> list[str]:
    """Create docker packages; returns their ids."""
    ids = []
    for number in range(count):
        body: JSON = {"type": "docker", "name": f"{owner}/i{number:03}", "backend_registry": registry}
        status, answer = await send("POST", f"/v2/packages/{owner}", AS_JSON, json.dumps(body).encode())
        assert status == 201
        ids.append(json.loads(answer)["id"])
    return ids


async def walk(send: Send, emulator: Emulator, target: str) -> list[dict[str, str]]:
    """All elements of a list, by `_links.next` until it is absent; a link may be relative."""
    found: list[dict[str, str]] = []
    while target:
        status, body = await send("GET", target, ACCEPT)
        assert status == 200
        page = json.loads(body)
        found += page["results"]
        link: str = page.get("_links", {}).get("next") or ""
        origin = emulator.url.removesuffix("/api/v1")
        assert not link or link.startswith(("/", origin))
        parts = urlsplit(link)
        target = f"{parts.path}?{parts.query}" if link else ""
    return found


async def test_linuxserver_reads_the_whole_overview(send: Send, emulator: Emulator) -> None:
    """The updater asks for a thousand at once, and takes the name and the count, if there is one, of each."""
    ids = await images(send, "linuxserver-ci", 12)
    await emulator.add_events(ids[0], [{"time": "2001-01-01"}])
    status, body = await send("GET", "/v2/packages/linuxserver-ci/overview?per_page=1000", REQUESTS)
    assert status == 200
    found = {one["package"]["name"]: one.get("total_installs") for one in json.loads(body)["results"]}
    assert len(found) == 12
    assert found["linuxserver-ci/i000"] is None
    assert isinstance(found["linuxserver-ci/i001"], int)
    _, body = await send("GET", "/v2/packages/linuxserver-ci/overview", REQUESTS)
    assert len(json.loads(body)["results"]) == 10


async def test_dapr_reads_the_overview_of_one_type(send: Send) -> None:
    """Of packages of the JVM, whose names have a slash."""
    await images(send, "openchoreo", 2)
    body = b'{"type": "repository-jvm", "name": "io.dapr/dapr-sdk"}'
    assert (await send("POST", "/v2/packages/openchoreo", AS_JSON, body))[0] == 201
    status, body = await send("GET", "/v2/packages/openchoreo/overview?type=repository-jvm&per_page=50", CURL)
    assert status == 200
    (found,) = json.loads(body)["results"]
    assert (found["package"]["name"], found["domains"]) == ("io.dapr/dapr-sdk", [])


@pytest.mark.parametrize("absolute", [True, False])
async def test_openchoreo_keeps_its_packages(send: Send, emulator: Emulator, absolute: bool) -> None:
    """The script lists all, creates what is missing with one domain for all, and adds the domain elsewhere."""
    emulator.quirks = Quirks(links_absolute=absolute)
    first, *_ = await images(send, "openchoreo", 103)
    listed = await walk(send, emulator, "/v2/packages/openchoreo?type=docker&per_page=100")
    assert len({one["name"] for one in listed}) == len(listed) == 103
    assert first in {one["id"] for one in listed}

    for number, importance in enumerate(("high", "mid", "low")):
        body: JSON = {
            "type": "docker",
            "name": f"openchoreo/helm-charts/x{number}",
            "backend_registry": "ghcr.io",
            "importance": importance,
            "short_description": "A chart",
            "website": "https://openchoreo.example",
            "domain": "cr.openchoreo.example",
        }
        status, answer = await send("POST", "/v2/packages/openchoreo", AS_JSON, json.dumps(body).encode())
        assert status == 201
        uuid = json.loads(answer)["id"]
        status, answer = await send("GET", f"/v2/packages/openchoreo/{uuid}/domains", ACCEPT)
        assert status == 200
        assert any(one["name"] == "cr.openchoreo.example" for one in json.loads(answer))
    # What exists already is shown as an error, and the script goes on.
    status, answer = await send("POST", "/v2/packages/openchoreo", AS_JSON, json.dumps(body).encode())
    assert (status, json.loads(answer)["code"]) == (422, "package-already-exists")

    path = f"/v2/packages/openchoreo/{first}/domains"
    assert (await send("POST", path, AS_JSON, b'{"name": "cr.openchoreo.example"}'))[0] == 201
    status, answer = await send("GET", "/v2/domains/openchoreo/cr.openchoreo.example/status", ACCEPT)
    assert (status, json.loads(answer)["verification_status"]) == (200, "verified")
    assert (await send("GET", "/v2/domains/openchoreo/other.example/status", ACCEPT))[0] == 404


async def test_openchoreo_keeps_its_pixels(send: Send, emulator: Emulator) -> None:
    """It lists, creates, changes the importance, and gives one domain to all of them."""
    ids = []
    for number in range(2):
        sent = {"name": f"page {number}", "importance": "low", "short_description": "S"}
        status, body = await send("POST", "/v2/tracking-pixels/openchoreo", AS_JSON, json.dumps(sent).encode())
        assert status == 201
        ids.append(json.loads(body)["id"])
        path = f"/v2/tracking-pixels/openchoreo/{ids[-1]}/domains"
        status, body = await send("GET", path, ACCEPT)
        assert (status, json.loads(body)) == (200, [])
        assert (await send("POST", path, AS_JSON, b'{"name": "px.openchoreo.example"}'))[0] in {200, 201}
        _, body = await send("GET", path, ACCEPT)
        assert [one["name"] for one in json.loads(body)] == ["px.openchoreo.example"]
    sent = {"name": "page 0", "importance": "high", "short_description": "S"}
    target = f"/v2/tracking-pixels/openchoreo/{ids[0]}"
    assert (await send("PUT", target, AS_JSON, json.dumps(sent).encode()))[0] == 200
    found = await walk(send, emulator, "/v2/tracking-pixels/openchoreo?per_page=100")
    assert {one["name"]: one["importance"] for one in found} == {"page 0": "high", "page 1": "low"}


async def test_jackyaz_lists_file_packages(call: Client, send: Send) -> None:
    """Curl -f of the list, with a hundred to a page since ten were too few."""
    for number in range(12):
        await call.package(f"f{number}", organization="openchoreo")
    for query, count in (("", 10), ("?per_page=100", 12)):
        status, body = await send("GET", f"/v2/packages/openchoreo{query}", CURL)
        assert status == 200
        assert len([one["name"] for one in json.loads(body)["results"] if one["type"] == "file"]) == count


async def test_the_validator_sees_ten(call: Client, send: Send) -> None:
    """It declares JSON on a GET, and does not know of pages."""
    for number in range(12):
        await call.package(f"f{number}", organization="openchoreo")
        sent = json.dumps({"name": f"p{number}"}).encode()
        assert (await send("POST", "/v2/tracking-pixels/openchoreo", AS_JSON, sent))[0] == 201
    for target in ("/v2/packages/openchoreo", "/v2/tracking-pixels/openchoreo"):
        status, body = await send("GET", target, {**REQUESTS, "Content-Type": "application/json"})
        assert (status, len({one["id"] for one in json.loads(body)["results"]})) == (200, 10)


async def test_dhisana_checks_its_token(send: Send) -> None:
    """A search is its look at the token: 200 is good, and of anything else it reads a message."""
    headers = {**REQUESTS, "Content-Type": "application/json"}
    status, body = await send("POST", "/v2/search", headers, b'{"query": "test"}')
    assert (status, json.loads(body)) == (200, {"results": []})
    bad = {**headers, "Authorization": "Bearer bad"}
    status, body = await send("POST", "/v2/search", bad, b'{"query": "test"}')
    assert status == 401
    assert "token" in json.loads(body)["message"]


async def test_open_mcp_asks_by_name(call: Client, send: Send) -> None:
    """It does not encode the slash of an image's name, not a path; a user it finds, and sums of a month."""
    url = "https://ghcr.io/openchoreo/img"
    await call.package("openchoreo/img", "docker", organization="openchoreo", backendUrl=url)
    assert (await send("GET", "/v2/packages/openchoreo/docker/openchoreo/img", BUN))[0] == 404
    status, body = await send("GET", "/v2/packages/openchoreo/docker/openchoreo%2Fimg", BUN)
    assert (status, json.loads(body)["name"]) == (200, "openchoreo/img")
    status, body = await send("GET", "/v2/users/emulator-user", BUN)
    assert (status, json.loads(body)["name"]) == (200, "emulator-user")
    assert datetime.fromisoformat(json.loads(body)["created_at"]).tzinfo is UTC
    # It joins lists by commas, which no list of the service takes.
    assert (await send("GET", "/v2/packages/openchoreo?type=docker%2Cfile", BUN))[0] == 400
    aggregates = "/v2/packages/openchoreo/aggregates?start_date=2024-01-01&end_date=2024-01-31&query=openchoreo%2F*"
    status, body = await send("GET", f"{aggregates}&rollup=monthly&breakdown=by-total", BUN)
    (row,) = map(json.loads, body.splitlines())
    assert (status, row["breakdown"], row["rollup"], row["date"]) == (200, "by-total", "monthly", "2024-01-01")
    assert (await send("GET", f"{aggregates}&rollup=daily%2Cweekly", BUN))[0] == 400
