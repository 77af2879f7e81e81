"""The journal: what is in the file and on the disk at which moment, and what is made of files of all sorts."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import anyio.to_thread
import attrs
import pytest

from scarf_async import (
    BulkPlan,
    BulkReport,
    DomainCreate,
    JournalError,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    Role,
    RouteCreate,
    Scarf,
)
from scarf_async.bulk.journal import Journal, Known
from scarf_async.bulk.planfile import digest
from scarf_async.emulator import Emulator, FaultRule
from scarf_async.emulator.store import Transaction
from scarf_async.testing import FAST, no_waiting

from .service import Call, Service, client_of

SERVER: Final = "http://127.0.0.1:1/api/v1"


def members(number: int) -> BulkPlan:
    """As many operations, each a request of its own."""
    plan = BulkPlan()
    for index in range(number):
        plan.upsert_member("acme", f"user{index}", "member")
    return plan


def creates(number: int) -> BulkPlan:
    """As many creates, each a request of its own."""
    plan = BulkPlan()
    for index in range(number):
        plan.create_package(PackageUpsert(name=f"p{index}", short_description=""), "acme")
    return plan


def lines(path: Path) -> list[dict[str, Any]]:
    """The journal's lines, the header first; all of them are whole."""
    written = path.read_bytes()
    assert written.endswith(b"\n")
    return [json.loads(line) for line in written.splitlines()]


def opened(path: Path, plan: BulkPlan, server: str = SERVER) -> dict[int, Known]:
    """What a journal knows."""
    journal = Journal.open(path, plan=digest(plan), operations=len(plan), server=server)
    assert journal.close() is None
    return journal.known


def read(path: Path) -> bytes:
    """The journal as it is now; no test waits for another task meanwhile."""
    return path.read_bytes()


def write(path: Path, journal: bytes) -> None:
    """Put a journal there."""
    path.write_bytes(journal)


@contextmanager
def on_write(hook: Callable[[int, bytes], int | None]) -> Iterator[None]:
    """Let a hook see each write to a journal first; what it returns is the result instead of writing."""
    write = os.write

    def watched(descriptor: int, data: bytes) -> int:
        result = hook(descriptor, data)
        return write(descriptor, data) if result is None else result

    with patch.object(os, "write", watched):
        yield


@contextmanager
def on_fsync(hook: Callable[[int], None]) -> Iterator[None]:
    """Let a hook do the syncing."""
    with patch.object(os, "fsync", hook):
        yield


def no_space(*_: object) -> int:
    """What a full disk says."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# What is in the file


async def test_header_binds_the_plan_and_the_server(service: Service, client: Scarf, tmp_path: Path) -> None:
    """The first line names the format and its version, the plan's digest and length, and the base address."""
    plan = members(2)
    await client.bulk.run(plan, journal=tmp_path / "journal")
    assert lines(tmp_path / "journal")[0] == {
        "format": "scarf-async-journal",
        "version": 1,
        "plan": digest(plan),
        "operations": 2,
        "server": service.url,
    }


async def test_each_operation_has_its_intent_and_then_its_outcome(
    service: Service, client: Scarf, tmp_path: Path
) -> None:
    """Those that share a request share the lines; equal ones are named too."""
    plan = members(1)
    plan.upsert_member("acme", "user0", "member")
    for user in ("ann", "bob"):
        plan.set_permission("p", user, "member")
    before = time.time()
    await client.bulk.run(plan, journal=tmp_path / "journal", concurrency=1)
    told = lines(tmp_path / "journal")[1:]
    assert [line.get("intent") for line in told] == [[0, 1], None, [2, 3], None]
    assert [line.get("outcome") for line in told] == [None, [0, 1], None, [2, 3]]
    assert all(before <= line["at"] <= time.time() for line in told if "at" in line)
    assert {line["status"] for line in told if "status" in line} == {"succeeded"}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
async def test_only_its_owner_may_read_it(client: Scarf, tmp_path: Path, umask: int) -> None:
    """Mode 0600 whatever the umask, and for an empty file that was there too."""
    (tmp_path / "old").touch(0o644)
    before = os.umask(umask)
    try:
        for name in ("new", "old"):
            await client.bulk.run(members(1), journal=tmp_path / name)
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


async def test_token_is_nowhere_in_it(service: Service, tmp_path: Path) -> None:
    """Though the service gives it back in an entity, in an error, and spelled as JSON may spell it."""
    token = 'tok"en/+with\\signs=='

    def answers(call: Call) -> Any:
        if call.path.endswith("users"):
            return {"username": "ann", "role": "member", "echo": {"seen": f"Bearer {token}"}}
        return {"uuid": "u", "name": "web", "shortDescription": token} if call.method == "POST" else []

    service.answers = answers
    plan = members(1)
    web = plan.create_package(PackageUpsert(name="web", short_description=""), "acme")
    plan.create_package(PackageUpsert(name=token, short_description=""), "other")
    async with client_of(service.url, token=token) as client:
        report = await client.bulk.run(plan, journal=tmp_path / "journal")
        again = await client.bulk.run(plan, journal=tmp_path / "journal")
    written = (tmp_path / "journal").read_text()
    assert token not in written
    assert json.dumps(token)[1:-1] not in written
    result = report[web].result
    assert result is not None
    assert result.short_description == token
    assert again[web].result == attrs.evolve(result, short_description="***")


async def test_results_come_back_as_they_were(scarf: Scarf, scarf_emulator: Emulator, tmp_path: Path) -> None:
    """Equal in every field and of the same types; what was learned of each operation is equal too."""
    plan = BulkPlan()
    organization = OrganizationUpsert(name="acme", description="ünï\u2028", billing_email="", website="https://a.b")
    made = plan.create_organization(organization)
    changed = plan.update_organization("acme", attrs.evolve(organization, description="changed"))
    member = plan.upsert_member("acme", "ann", "admin")
    web = plan.create_package(PackageUpsert(name="web", short_description="", library_type="file"), "acme")
    route = plan.create_route(web, RouteCreate("https://acme.example/{v}", "/dl"))
    kept = plan.create_route(web, RouteCreate("https://acme.example/{v}", "/dl"), if_exists="keep", after=route)
    domain = plan.create_domain(web, DomainCreate("a.example"))
    given = plan.set_permission(web, "ann", "member")
    scarf_emulator.faults.add(FaultRule("POST", "/packages/*/domains", 1, "drop_after"))
    first = await scarf.bulk.run(plan, journal=tmp_path / "journal")
    sent = len(scarf_emulator.requests)
    second = await scarf.bulk.run(plan, journal=tmp_path / "journal")
    assert len(scarf_emulator.requests) == sent
    assert second.requests == 0
    assert second.outcomes == first.outcomes
    assert repr(second.outcomes) == repr(first.outcomes)
    assert [second[made].result, second[changed].result] == [first[made].result, first[changed].result]
    assert second[web].result == first[web].result
    assert second[given].result is None
    assert first[domain].reconciled
    assert first[kept].unchanged
    result = second[member].result
    assert result is not None
    assert isinstance(result.role, Role)


@pytest.mark.parametrize("extra", [{"n": 2**80, "f": 0.1, "deep": [{"x": None}]}, {"class": "Route", "": "\u0000"}])
async def test_what_the_service_adds_comes_back_too(
    service: Service, client: Scarf, tmp_path: Path, extra: dict[str, object]
) -> None:
    """Numbers of any length, depth, and names that mean something in the journal."""
    service.answers = lambda _: {"uuid": "u", "name": "p0", "libraryType": "of its own", **extra}
    plan = creates(1)
    first = await client.bulk.run(plan, journal=tmp_path / "journal")
    second = await client.bulk.run(plan, journal=tmp_path / "journal")
    assert second.outcomes == first.outcomes
    result = second.outcomes[0].result
    assert isinstance(result, Package)
    assert result.extra == extra


# When it is there


async def test_intent_is_in_the_file_when_the_request_arrives(
    service: Service, client: Scarf, tmp_path: Path
) -> None:
    """Of every write, retries included; reads have none."""
    path = tmp_path / "journal"
    plan = members(30)

    def answers(call: Call) -> Any:
        place = int(str(call.json)[len("{'username': 'user") :].split("'")[0])
        assert [place] in [line.get("intent") for line in lines(path)]
        return 500 if call.began < 20 else None

    service.answers = answers
    async with client_of(service.url, retry=FAST) as patient:
        report = await patient.bulk.run(plan, journal=path)
    assert len(report.succeeded) == 30
    assert sum("intent" in line for line in lines(path)) == report.requests > 30


async def test_create_is_on_the_disk_before_it_arrives(service: Service, client: Scarf, tmp_path: Path) -> None:
    """Observed at each arrival: what was synced reaches beyond its intent."""
    path = tmp_path / "journal"
    synced = 0
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        nonlocal synced
        size = os.fstat(descriptor).st_size
        time.sleep(0.002)
        fsync(descriptor)
        # The directory is synced too.
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            synced = max(synced, size)

    def answers(call: Call) -> Any:
        told: Any = call.json
        place = int(told["name"][1:])
        on_disk = path.read_bytes()[:synced]
        assert [place] in [json.loads(line).get("intent") for line in on_disk.splitlines()]

    service.answers = answers
    with on_fsync(watched):
        report = await client.bulk.run(creates(60), journal=path)
    assert len(report.succeeded) == 60


async def test_many_creates_share_a_sync(service: Service, client: Scarf, tmp_path: Path) -> None:
    """On a slow disk 320 creates, 32 at a time, take far fewer syncs than there are creates."""
    syncs = 0

    def slow(_: int) -> None:
        nonlocal syncs
        syncs += 1
        time.sleep(0.01)

    with on_fsync(slow):
        report = await client.bulk.run(creates(320), journal=tmp_path / "journal")
    assert len(report.succeeded) == 320
    assert syncs < 80


async def test_what_may_be_sent_twice_waits_for_no_sync(service: Service, client: Scarf, tmp_path: Path) -> None:
    """Members and permissions arrive though the disk does not answer."""
    blocked = asyncio.Event()
    loop = asyncio.get_running_loop()
    answered = False

    def stuck(descriptor: int) -> None:
        # The header is synced on the loop itself.
        if len(service.calls) > 1:
            asyncio.run_coroutine_threadsafe(blocked.wait(), loop).result()

    plan = members(40)
    for user in range(40):
        plan.set_permission(f"p{user}", "ann", "member")
    with on_fsync(stuck):
        run = asyncio.create_task(client.bulk.run(plan, journal=tmp_path / "journal", concurrency=2))
        await service.arrived(80)
        answered = True
        blocked.set()
        with on_fsync(lambda _: None):
            report = await run
    assert answered
    assert len(report.succeeded) == 80


async def test_outcomes_are_on_the_disk_within_half_a_second(
    service: Service, client: Scarf, tmp_path: Path
) -> None:
    """While the run goes on, and nothing else asks for a sync."""
    path, told, synced = tmp_path / "journal", asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        written = path.read_bytes()
        fsync(descriptor)
        if b'"outcome":[0]' in written:
            loop.call_soon_threadsafe(synced.set)

    async def answers(call: Call) -> Any:
        if call.began:
            await gate.wait()

    gate = asyncio.Event()
    service.answers = answers
    with on_fsync(watched):
        run = asyncio.create_task(
            client.bulk.run(members(2), journal=path, concurrency=1, on_outcome=lambda _: told.set())
        )
        await told.wait()
        began = loop.time()
        await synced.wait()
        assert loop.time() - began < 0.5
        assert not run.done()
        gate.set()
        await run


async def test_cancelled_run_leaves_all_it_knows_on_the_disk(
    service: Service, client: Scarf, tmp_path: Path
) -> None:
    """Whole lines, an outcome for all that was told of, everything synced; and the next run can begin."""
    path = tmp_path / "journal"
    synced = 0
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        nonlocal synced
        fsync(descriptor)
        synced = os.fstat(descriptor).st_size

    async def answers(call: Call) -> Any:
        if call.began >= 20:
            await asyncio.Event().wait()

    service.answers = answers
    told: list[int] = []
    plan = members(50)
    with on_fsync(watched):
        run = asyncio.create_task(
            client.bulk.run(
                plan, journal=path, concurrency=4, on_outcome=lambda outcome: told.append(outcome.operation.index)
            )
        )
        while len(told) < 6:
            await service.arrived(len(service.calls) + 1)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert synced == path.stat().st_size
    assert sorted(place for line in lines(path) for place in line.get("outcome", ())) == sorted(told)
    intended = {place for line in lines(path) for place in line.get("intent", ())}
    assert len(intended) == len(told) + 4
    service.answers = lambda _: None
    before = len(service.calls)
    assert len((await client.bulk.run(plan, journal=path)).succeeded) == 50
    assert len(service.calls) - before == 50 - len(told)


@pytest.mark.parametrize("batch", [1, 7, 100])
@pytest.mark.parametrize("concurrency", [1, 50])
async def test_batch_and_concurrency_may_change_between_runs(
    service: Service, client: Scarf, tmp_path: Path, batch: int, concurrency: int
) -> None:
    """What is known is known of operations and not of requests; each user arrives once on each package."""
    plan = BulkPlan()
    for user in range(30):
        for package in range(3):
            plan.set_permission(f"p{package}", f"user{user}", "member")
    service.answers = lambda call: 422 if call.began >= 10 else None
    first = await client.bulk.run(
        plan, journal=tmp_path / "journal", permission_batch=4, concurrency=2, on_failure="stop"
    )
    assert 0 < len(first.succeeded) < 90
    service.answers = lambda _: None
    done = len(service.calls)
    second = await client.bulk.run(
        plan, journal=tmp_path / "journal", permission_batch=batch, concurrency=concurrency
    )
    assert len(second.succeeded) == 90
    arrived = [entry for call in service.calls[done:] for entry in json.loads(call.body)]
    assert len(arrived) == 90 - len(first.succeeded)


# Files that a crash left


@attrs.define
class Recorded:
    """A run of many kinds, with what the service held whenever a line was about to be written."""

    journal: bytes
    plan: BulkPlan
    # For each line: where it begins, and the database then and when the line before had just been written.
    states: list[tuple[int, bytes, bytes]]
    wanted: object


def small_plan() -> BulkPlan:
    """One of many kinds."""
    plan = BulkPlan()
    plan.create_organization(OrganizationUpsert(name="acme", description="", billing_email=""))
    web = plan.create_package(PackageUpsert(name="web", short_description="", library_type="file"), "acme")
    plan.create_route(web, RouteCreate("https://acme.example/x", "/dl"))
    plan.set_permission(web, "ann", "member")
    plan.update_organization("acme", OrganizationUpsert(name="new", description="", billing_email=""))
    return plan


async def database(emulator: Emulator) -> bytes:
    """What the emulator holds."""
    return await emulator.store.run(Transaction.copy)


async def recorded(emulator: Emulator, scarf: Scarf, path: Path) -> Recorded:
    """Run the plan, one request at a time."""
    plan, states = small_plan(), list[tuple[int, bytes, bytes]]()
    now = before = await database(emulator)
    run = emulator.store.run

    async def watched(work: Callable[[Transaction], Any]) -> Any:
        nonlocal now
        result = await run(work)
        now = await run(Transaction.copy)
        return result

    def note(descriptor: int, _: bytes) -> None:
        nonlocal before
        states.append((os.fstat(descriptor).st_size, now, before))
        before = now

    with patch.object(emulator.store, "run", watched), on_write(note):
        report = await scarf.bulk.run(plan, journal=path, concurrency=1)
    report.raise_for_failures()
    return Recorded(read(path), plan, states, await emulator.dump())


async def test_journal_cut_anywhere_goes_on_from_there(scarf_emulator: Emulator, tmp_path: Path) -> None:
    """Within and behind each line: the service is as it was then, and in the end as it should be; nothing twice."""
    async with Scarf(scarf_emulator.token, base_url=scarf_emulator.url, retry=FAST, timeout=0.5) as scarf:
        full = await recorded(scarf_emulator, scarf, tmp_path / "journal")
        with no_waiting():
            for cut in sorted(set(cuts(full.journal))):
                begin, state, before = next(told for told in reversed(full.states) if told[0] <= cut)
                # Just behind a line the request may have left or not.
                for held in {state, before} if cut == begin else {state}:
                    await resumed(scarf_emulator, scarf, full, tmp_path / "cut", held=held, cut=cut)


def cuts(journal: bytes) -> Iterator[int]:
    """Name places: for each line its begin, and where it is begun, half there, and lacks only its line end."""
    begin = 0
    for line in journal.splitlines(keepends=True):
        yield from (begin, begin + 1, begin + len(line) // 2, begin + len(line) - 1)
        begin += len(line)
    yield begin


async def test_every_part_of_a_line_is_none(
    scarf_emulator: Emulator, scarf: Scarf, tmp_path: Path, soak: bool
) -> None:
    """Wherever a journal is cut within a line, what is known is what was known before that line."""
    full = await recorded(scarf_emulator, scarf, tmp_path / "journal")
    known: dict[int, Known] = {}
    ends = {end for end in range(len(full.journal) + 1) if full.journal[:end].endswith(b"\n")}
    for cut in sorted({*range(0, len(full.journal) + 1, 1 if soak else 7), *ends}):
        write(tmp_path / "cut", full.journal[:cut])
        found = opened(tmp_path / "cut", full.plan, scarf_emulator.url)
        if cut in ends:
            known = found
        assert found == known, f"cut at {cut}"


async def resumed(emulator: Emulator, scarf: Scarf, full: Recorded, path: Path, *, held: bytes, cut: int) -> None:
    """Continue with a journal that is cut, and check how it ends."""
    await emulator.store.run(lambda transaction: transaction.replace(held))
    write(path, full.journal[:cut])
    report = await scarf.bulk.run(full.plan, journal=path)
    assert [outcome.status for outcome in report.outcomes] == ["succeeded"] * 5, f"cut at {cut}"
    assert await emulator.dump() == full.wanted, f"cut at {cut}"
    assert all(known.status == "succeeded" for known in opened(path, full.plan, emulator.url).values())
    emulator.requests.clear()
    await scarf.bulk.run(full.plan, journal=path)
    assert not emulator.requests


async def test_torn_last_line_is_dropped_and_all_before_it_is_known(
    scarf: Scarf, scarf_emulator: Emulator, tmp_path: Path
) -> None:
    """At each byte of a journal: as if the line that is cut had never been begun, in the file too."""
    path = tmp_path / "journal"
    plan = small_plan()
    await scarf.bulk.run(plan, journal=path, concurrency=1)
    written = path.read_bytes()
    header = written.index(b"\n") + 1
    known: dict[int, Known] = {}
    for cut in range(header, len(written) + 1):
        whole = written[: written.rindex(b"\n", 0, cut) + 1]
        path.write_bytes(written[:cut])
        found = opened(path, plan, scarf_emulator.url)
        if len(whole) == cut:
            known = found
        assert found == known
        assert path.read_bytes() == whole
    assert len(known) == 5


async def test_header_cut_anywhere_is_begun_anew(client: Scarf, service: Service, tmp_path: Path) -> None:
    """An empty file too: nothing was sent yet."""
    path, plan = tmp_path / "journal", members(1)
    await client.bulk.run(plan, journal=path)
    written = path.read_bytes()
    header = written[: written.index(b"\n") + 1]
    for cut in range(len(header)):
        path.write_bytes(header[:cut])
        assert opened(path, plan, service.url) == {}
        assert path.read_bytes() == header


@pytest.mark.parametrize("ending", [b"\0" * 4096, b"\n", b"}{\n", b'{"intent":[0]}\n', b"\xff\xfe\n"])
async def test_unreadable_end_is_dropped(client: Scarf, service: Service, tmp_path: Path, ending: bytes) -> None:
    """What a power cut may leave behind the last good line."""
    path, plan = tmp_path / "journal", members(2)
    await client.bulk.run(plan, journal=path)
    written = path.read_bytes()
    path.write_bytes(written + ending)
    report = await client.bulk.run(plan, journal=path)
    assert report.requests == 0
    assert path.read_bytes() == written


# Files that are not the run's journal


def refusal(path: Path, plan: BulkPlan, server: str = SERVER) -> str:
    """Why a file is refused; it is left as it was, and its name is told."""
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(JournalError) as caught:
        opened(path, plan, server)
    assert caught.value.path == str(path)
    assert caught.value.report is None
    assert str(path) in str(caught.value)
    assert not path.is_file() or path.read_bytes() == before
    return str(caught.value)


def begun(path: Path, plan: BulkPlan, *more: bytes) -> Path:
    """A journal of a plan, with further lines."""
    opened(path, plan)
    with path.open("ab") as file:
        file.write(b"".join(more))
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"Dear diary,\n",
        b"{}\n",
        b"[1]\n",
        b"\n",
        b"\x89PNG\r\n\x1a\n",
        b"x" * 100_000,
        b'{"format":"scarf-async-plan","version":1,"operations":1}\n',
        b'{"format":"another-journal","version":1}\n',
    ],
)
def test_foreign_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """Whatever it holds."""
    (tmp_path / "file").write_bytes(content)
    assert "is not a journal" in refusal(tmp_path / "file", members(1))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Directories, pipes and devices: endless zeros are not read."""
    os.mkfifo(tmp_path / "pipe")
    assert "cannot be opened: Is a directory" in refusal(tmp_path, members(1))
    assert "is not a regular file" in refusal(tmp_path / "pipe", members(1))
    assert "is not a regular file" in refusal(Path("/dev/zero"), members(1))


def test_journal_of_another_plan_is_refused(tmp_path: Path) -> None:
    """Longer, shorter, or with one letter changed."""
    path = begun(tmp_path / "journal", members(2))
    other = BulkPlan()
    other.upsert_member("acme", "user0", "member")
    other.upsert_member("acme", "user1", "admin")
    for plan in (members(1), members(3), other, BulkPlan()):
        assert "belongs to another plan" in refusal(path, plan)
    assert opened(path, members(2)) == {}


def test_journal_of_another_server_is_refused(tmp_path: Path) -> None:
    """The message names that server."""
    path = begun(tmp_path / "journal", members(1))
    told = refusal(path, members(1), "https://scarf.sh/api/v1")
    assert "belongs to another server" in told
    assert SERVER in told


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_journal_of_another_version_is_refused(tmp_path: Path, version: object) -> None:
    """Whatever else its header says."""
    path = begun(tmp_path / "journal", members(1))
    header = json.loads(path.read_bytes())
    path.write_text(json.dumps({**header, "version": version, "plan": "?"}) + "\n")
    assert "another version" in refusal(path, members(1))


@pytest.mark.parametrize(
    "line",
    [
        b"?\n",
        b"\n",
        b"\0\0\0\n",
        b"[1]\n",
        b"{}\n",
        b'{"intent":[9],"at":1.0}\n',
        b'{"intent":[-1],"at":1.0}\n',
        b'{"intent":"0","at":1.0}\n',
        b'{"intent":[true],"at":1.0}\n',
        b'{"intent":[0]}\n',
        b'{"intent":[0],"at":"now"}\n',
        b'{"outcome":[0]}\n',
        b'{"outcome":[0],"status":"perhaps"}\n',
        b'{"outcome":[0],"status":"succeeded","attempts":"many"}\n',
        b'{"outcome":[0],"status":"succeeded","result":{"Nothing":{}}}\n',
        b'{"outcome":[0],"status":"succeeded","result":{}}\n',
        b'{"outcome":[0],"status":"succeeded","result":{"Route":{},"Domain":{}}}\n',
        b'{"outcome":[0],"status":"succeeded","result":{"Package":{"name":"web"}}}\n',
        b'{"outcome":[0],"status":"succeeded","result":{"Route":{"id":"r","other":1}}}\n',
        b'{"outcome":[0],"status":"succeeded","result":{"Organization":{"name":"a","created_at":"?"}}}\n',
        b'{"outcome":[0],"status":"succeeded","result":' + b"[" * 100_000 + b"\n",
    ],
)
def test_damaged_line_in_the_middle_is_refused(tmp_path: Path, line: bytes) -> None:
    """The message names the line: what is missing cannot be guessed."""
    good = b'{"intent":[0],"at":1.0}\n'
    path = begun(tmp_path / "journal", members(1), good, line, good)
    assert "is damaged: line 3 cannot be read" in refusal(path, members(1))


async def test_refused_journal_means_that_nothing_is_sent(service: Service, client: Scarf, tmp_path: Path) -> None:
    """The error comes from `run` itself."""
    (tmp_path / "file").write_text("Dear diary,\n")
    with pytest.raises(JournalError):
        await client.bulk.run(members(3), journal=tmp_path / "file")
    assert service.calls == []


@pytest.mark.parametrize("name", ["missing/journal", "file/journal", "x" * 300])
async def test_place_where_no_file_can_be_is_refused(
    service: Service, client: Scarf, tmp_path: Path, name: str
) -> None:
    """No such directory, no directory, a name that is too long: nothing is sent."""
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be opened") as caught:
        await client.bulk.run(members(3), journal=tmp_path / name)
    assert caught.value.__cause__ is None
    assert service.calls == []


async def test_directory_that_may_not_be_written_is_refused(client: Scarf, tmp_path: Path) -> None:
    """With the system's words."""
    with (
        patch.object(os, "open", side_effect=PermissionError(errno.EACCES, "Permission denied")),
        pytest.raises(JournalError, match="cannot be opened: Permission denied"),
    ):
        await client.bulk.run(members(3), journal=tmp_path / "journal")


# Two runs at once


async def test_second_run_on_a_journal_is_refused(service: Service, client: Scarf, tmp_path: Path) -> None:
    """In the same process; the first goes on, and when it has ended another may begin."""
    service.gate.clear()
    plan = members(5)
    first = asyncio.create_task(client.bulk.run(plan, journal=tmp_path / "journal"))
    await service.arrived(5)
    with pytest.raises(JournalError, match="is in use by another run"):
        await client.bulk.run(plan, journal=tmp_path / "journal")
    service.gate.set()
    assert len((await first).succeeded) == 5
    assert (await client.bulk.run(plan, journal=tmp_path / "journal")).requests == 0
    assert len(service.calls) == 5


async def test_run_in_another_process_holds_the_journal(service: Service, client: Scarf, tmp_path: Path) -> None:
    """Until it is killed."""
    code = (
        "import asyncio, sys; sys.path.insert(0, sys.argv[1]); from bulk.test_journal import *\n"
        "async def main():\n"
        "    async with client_of(sys.argv[2]) as client:\n"
        "        await client.bulk.run(members(5), journal=sys.argv[3])\n"
        "asyncio.run(main())\n"
    )
    path = tmp_path / "journal"
    service.gate.clear()
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(Path(__file__).parent.parent), service.url, str(path)
    )
    try:
        await service.arrived(5)
        with pytest.raises(JournalError, match="is in use by another run"):
            await client.bulk.run(members(5), journal=path)
    finally:
        other.kill()
        await other.wait()
    service.gate.set()
    assert len((await client.bulk.run(members(5), journal=path)).succeeded) == 5
    assert len(service.calls) == 10


# Disks that are full or broken


async def ending_of(run: asyncio.Future[BulkReport]) -> tuple[JournalError, BulkReport]:
    """The error that a run ended with, and the report that it holds."""
    with pytest.raises(JournalError) as caught:
        await run
    report = caught.value.report
    assert isinstance(report, BulkReport)
    return caught.value, report


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("nth", range(1, 15))
async def test_full_disk_stops_the_run(
    service: Service, client: Scarf, tmp_path: Path, nth: int, short: bool
) -> None:
    """From whichever line on, or half of one: what is reported was sent, and when there is space it goes on."""
    path, plan, writes = tmp_path / "journal", members(6), 0
    write = os.write

    def fill(descriptor: int, data: bytes) -> int | None:
        nonlocal writes
        writes += 1
        if writes <= nth:
            return None
        return write(descriptor, data[: len(data) // 2]) if short and writes == nth + 1 else no_space()

    with on_write(fill):
        run = asyncio.ensure_future(client.bulk.run(plan, journal=path, concurrency=2))
        await asyncio.wait([run])
        if writes <= nth:
            # The header, six intents, and the outcomes: together with an intent, or by themselves.
            assert 8 <= writes <= 13
            assert len(run.result().succeeded) == 6
            return
        error, report = await ending_of(run)
    assert "cannot be written" in str(error)
    assert "full" in str(error) or "No space" in str(error)
    assert {outcome.status for outcome in report.outcomes} <= {"succeeded", "skipped"}
    assert len(report.succeeded) == len(service.calls)
    noted = opened(path, plan, service.url)
    sent_again = len(service.calls) - sum(known.status == "succeeded" for known in noted.values())
    assert 0 <= sent_again <= 2
    service.calls.clear()
    again = await client.bulk.run(plan, journal=path)
    assert len(again.succeeded) == 6
    assert len(service.calls) == 6 - len(report.succeeded) + sent_again


async def test_disk_that_is_full_from_the_start_sends_nothing(
    service: Service, client: Scarf, tmp_path: Path
) -> None:
    """The empty file it leaves is not an obstacle later."""
    with on_write(no_space), pytest.raises(JournalError, match="No space left"):
        await client.bulk.run(members(3), journal=tmp_path / "journal")
    assert service.calls == []
    assert len((await client.bulk.run(members(3), journal=tmp_path / "journal")).succeeded) == 3


async def test_create_that_cannot_be_synced_is_not_sent(service: Service, client: Scarf, tmp_path: Path) -> None:
    """And no further sync is tried: it might succeed without what the first one lost."""
    fsync, syncs = os.fsync, 0

    def broken(descriptor: int) -> None:
        nonlocal syncs
        syncs += 1
        if syncs == 3:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    with on_fsync(broken):
        error, report = await ending_of(
            asyncio.ensure_future(client.bulk.run(creates(10), journal=tmp_path / "journal"))
        )
    assert "Input/output error" in str(error)
    assert service.calls == []
    assert {outcome.status for outcome in report.outcomes} == {"skipped"}
    assert syncs == 3


async def test_last_sync_that_fails_is_told_with_the_report(
    service: Service, client: Scarf, tmp_path: Path
) -> None:
    """All was done, but the next run would not know."""
    fsync = os.fsync

    def broken(descriptor: int) -> None:
        if len(service.calls) == 3:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    with on_fsync(broken):
        _, report = await ending_of(
            asyncio.ensure_future(client.bulk.run(members(3), journal=tmp_path / "journal"))
        )
    assert len(report.succeeded) == 3


async def test_cancellation_goes_before_a_broken_disk(service: Service, client: Scarf, tmp_path: Path) -> None:
    """Who cancels must get `CancelledError`."""
    service.gate.clear()
    run = asyncio.create_task(client.bulk.run(members(3), journal=tmp_path / "journal"))
    await service.arrived(3)
    with on_fsync(no_space_sync):
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert run.cancelled()


def no_space_sync(_: int) -> None:
    """What a full disk says to a sync."""
    no_space()


async def test_disk_that_is_really_full(service: Service, client: Scarf, tmp_path: Path) -> None:
    """A process that may write 1,000 bytes into a file: it reports, and another goes on where it was."""
    code = (
        "import asyncio, resource, sys; sys.path.insert(0, sys.argv[1]); from bulk.test_journal import *\n"
        "async def main():\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "    async with client_of(sys.argv[2]) as client:\n"
        "        try:\n"
        "            await client.bulk.run(members(30), journal=sys.argv[3], concurrency=2)\n"
        "        except JournalError as error:\n"
        "            print(len(error.report.succeeded), error)\n"
        "asyncio.run(main())\n"
    )
    path = tmp_path / "journal"
    command = [sys.executable, "-c", code, str(Path(__file__).parent.parent), service.url, str(path)]
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(command, capture_output=True, text=True, check=True)
    )
    number, _, words = done.stdout.partition(" ")
    assert "cannot be written" in words
    assert 0 < int(number) == len(service.calls) < 30
    assert len(lines(path)) > 3
    report = await client.bulk.run(members(30), journal=path)
    assert len(report.succeeded) == 30
    assert len(service.calls) <= 32
