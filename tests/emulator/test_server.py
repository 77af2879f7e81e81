"""The emulator's own life: beginning, end, and what it leaves behind."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from pathlib import Path

import aiohttp
import pytest

from scarf_async import Scarf
from scarf_async.emulator import Emulator, FaultRule

from .conftest import Client, organization_body, package_body


class Threads:
    """The threads there were, to see later whether others have ended."""

    def __init__(self) -> None:
        self._before = set(threading.enumerate())

    def assert_no_new_one(self) -> None:
        """A thread that has said its last word may need a moment to be gone."""
        for thread in set(threading.enumerate()) - self._before:
            thread.join(1.0)
            assert not thread.is_alive()


async def test_addresses_are_those_of_both_versions(emulator: Emulator) -> None:
    """Each base address ends as its version's does, on loopback and a free port."""
    assert emulator.url.startswith("http://127.0.0.1:")
    assert emulator.url.endswith("/api/v1")
    assert emulator.v2_url == emulator.url.removesuffix("/api/v1") + "/v2"
    assert emulator.token == "emulator-token"


async def test_address_is_unknown_before_the_start() -> None:
    """A port that is to be found has no number yet."""
    emulator = Emulator()
    with pytest.raises(RuntimeError, match="started"):
        _ = emulator.url
    with pytest.raises(RuntimeError, match="not running"):
        await emulator.dump()
    await emulator.aclose()


@pytest.mark.parametrize(
    ("host", "called", "listens"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1", "0.0.0.0"),
        ("0", "127.0.0.1", "0.0.0.0"),
        ("127.1", "127.0.0.1", "127.0.0.1"),
        ("::1", "[::1]", "[::1]"),
        ("::", "[::1]", "[::]"),
        ("0:0:0:0:0:0:0:0", "[::1]", "[::]"),
    ],
)
async def test_the_client_takes_the_address_as_it_is(host: str, called: str, listens: str) -> None:
    """Whatever is listened on, `url` is what the client can call, and `listening` what is bound."""
    async with Emulator(host=host) as emulator, Scarf("emulator-token", base_url=emulator.url) as scarf:
        port = emulator.url.removeprefix(f"http://{called}:").removesuffix("/api/v1")
        assert emulator.v2_url == f"http://{called}:{port}/v2"
        assert emulator.listening == [f"{listens}:{port}"]
        assert await scarf.packages.list() == []
    assert emulator.listening == []


async def test_all_addresses_of_both_kinds() -> None:
    """Where no address is named, `url` is that of a socket that is there, and `listening` has all of them."""
    async with Emulator(host="") as emulator, Scarf("emulator-token", base_url=emulator.url) as scarf:
        assert await scarf.packages.list() == []
        assert {listens.rpartition(":")[0] for listens in emulator.listening} == {"0.0.0.0", "[::]"}


@pytest.mark.parametrize(
    ("host", "called"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("scarf.example", "scarf.example")],
)
def test_an_address_with_a_port_is_known_before_the_start(host: str, called: str) -> None:
    """It is the one that will be called, whatever is to be listened on."""
    assert Emulator(host=host, port=8787).url == f"http://{called}:8787/api/v1"


async def test_start_and_close_by_hand(session: aiohttp.ClientSession) -> None:
    """Without `async with`: a second start is refused, a second close is not."""
    emulator = Emulator()
    await emulator.start()
    with pytest.raises(RuntimeError, match="running"):
        await emulator.start()
    assert (await Client(session, emulator)("GET", "/packages")).status == 200
    await emulator.aclose()
    await emulator.aclose()


async def test_restart_keeps_address_and_file(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """While it is down connections are refused; then it is back where it was, with what it knew."""
    emulator = Emulator(tmp_path / "scarf.db")
    call = Client(session, emulator)
    async with emulator:
        await call.organization()
        address, state = emulator.url, await emulator.dump()
    with pytest.raises(aiohttp.ClientConnectorError):
        await call("GET", "/organizations/acme")
    async with emulator:
        assert emulator.url == address
        assert await emulator.dump() == state
        assert (await call("GET", "/organizations/acme")).status == 200


async def test_database_in_memory_is_empty_after_a_restart(session: aiohttp.ClientSession) -> None:
    """What was only remembered is forgotten."""
    emulator = Emulator()
    async with emulator:
        await Client(session, emulator).organization()
    async with emulator:
        assert await emulator.dump() == {"organizations": {}, "packages": {}}


async def test_dump_is_equal_for_equal_histories(session: aiohttp.ClientSession) -> None:
    """Two servers that were told the same give the same state, in whatever order they were told."""
    states = []
    for order in (1, -1):
        async with Emulator() as emulator:
            call = Client(session, emulator)
            await call.organization()
            uuid = await call.package("tool", organization="acme", website="https://tool.example")
            for name in ["ann", "bob"][::order]:
                await call("POST", "/organizations/acme/users", {"username": name, "role": "admin"})
                await call(
                    "POST", f"/packages/{uuid}/permissions", {"userQuery": name, "permissionLevel": "member"}
                )
                await call("POST", f"/packages/{uuid}/domains", {"name": f"{name}.acme.example"})
                route = {"outgoingUrl": f"https://{name}.example", "templatePath": f"/{name}"}
                await call("POST", f"/packages/{uuid}/routes", dict(route))
            states.append(await emulator.dump())
    assert states[0] == states[1]
    assert states[0]["organizations"]["acme"]["members"] == {
        "ann": "admin", "bob": "admin", "emulator-user": "owner",
    }  # fmt: skip
    assert states[0]["packages"]["acme/file/tool"] == {
        "shortDescription": "A tool",
        "longDescription": None,
        "website": "https://tool.example",
        "backendUrl": None,
        "publicUrl": None,
        "repositoryURL": None,
        "permissions": {"ann": "member", "bob": "member"},
        "routes": [("/ann", "https://ann.example"), ("/bob", "https://bob.example")],
        "domains": ["ann.acme.example", "bob.acme.example"],
    }


async def test_racing_creates_make_one(call: Client) -> None:
    """Of many equal creates at once exactly one succeeds."""
    replies = await asyncio.gather(*(call("POST", "/organizations", organization_body()) for _ in range(20)))
    packages = await asyncio.gather(*(call("POST", "/packages", package_body()) for _ in range(20)))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 19
    assert sorted(reply.status for reply in packages) == [201] + [409] * 19


async def test_taken_port_leaves_nothing_behind(emulator: Emulator) -> None:
    """A start that fails closes what it had opened."""
    port = int(emulator.url.split(":")[2].split("/")[0])
    threads = Threads()
    second = Emulator(port=port)
    with pytest.raises(OSError, match=str(port)):
        await second.start()
    threads.assert_no_new_one()


async def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A wrong file is an error at the start, and no thread is left."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to look at" * 50)
    threads = Threads()
    with pytest.raises(Exception, match="not a database"):
        await Emulator(path).start()
    threads.assert_no_new_one()


async def test_end_leaves_no_task_and_no_thread(session: aiohttp.ClientSession) -> None:
    """With requests hanging, streaming, half sent and idle, everything is gone soon after the end."""
    threads, tasks = Threads(), asyncio.all_tasks()
    loop = asyncio.get_running_loop()
    emulator = Emulator(events_per_day=100_000)
    await emulator.start()
    call = Client(session, emulator)
    uuid = await call.package()
    emulator.faults.add(FaultRule("GET", "/organizations/*", None, "hang"))
    hanging = asyncio.create_task(call("GET", "/organizations/acme"))
    headers = {"Authorization": f"Bearer {emulator.token}"}
    params = {"startDate": "2024-01-01", "endDate": "2024-03-01"}
    stream = await session.get(f"{emulator.url}/packages/{uuid}/events/x.csv", params=params, headers=headers)
    host, port = emulator.url.split("/")[2].split(":")
    _, idle = await asyncio.open_connection(host, int(port))
    _, partial = await asyncio.open_connection(host, int(port))
    partial.write(b"POST /api/v1/organizations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
    await emulator.wait_until(lambda requests: len(requests) == 3)

    begin = loop.time()
    await emulator.aclose()

    assert loop.time() - begin < 2.0
    with pytest.raises(aiohttp.ClientError):
        await hanging
    with pytest.raises(aiohttp.ClientError):
        await stream.read()
    stream.close()
    for writer in (idle, partial):
        writer.close()
    threads.assert_no_new_one()
    assert {task for task in asyncio.all_tasks() if not task.done()} == tasks
    gc.collect()


def test_importing_the_sdk_does_not_import_the_emulator() -> None:
    """Who only uses the SDK needs neither the server nor its database."""
    code = "import sys, scarf_async; sys.exit('scarf_async.emulator' in sys.modules or 'sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_emulator_shares_the_word_lists_alone() -> None:
    """Nothing of the SDK but the enums is imported by any file of the emulator."""
    import scarf_async.emulator as package  # noqa: PLC0415  # only its place is wanted

    assert package.__file__ is not None
    for path in Path(package.__file__).parent.glob("*.py"):
        for line in path.read_text().splitlines():
            if line.lstrip().startswith(("from scarf_async", "import scarf_async")):
                assert line.split()[1].startswith(("scarf_async.emulator", "scarf_async.entities.enums")), path
