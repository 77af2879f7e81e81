"""Every kind of call under every fault, as `table.md` says."""

from __future__ import annotations

import math
import ssl
from asyncio import Runner
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

import pytest
import trustme

from scarf_async import Scarf
from scarf_async.bulk import Kind

from .bench import COMMANDS, Bench
from .calls import Call, bulk_calls, bulk_calls_v2, client_calls, client_calls_v2, export_calls
from .commands import MANIFEST, REPORTED, ROWS, command_calls
from .faults import FAULTS
from .loop import HOST, Loop
from .service import Service
from .table import Cell, Code, cells

CALLS: Final = [
    *client_calls(),
    *client_calls_v2(),
    *bulk_calls(),
    *bulk_calls_v2(),
    *export_calls(),
    *command_calls(),
]
CELLS: Final = cells()
REFUSALS: Final = {"400", "401", "403", "404", "409", "422"}
# They ask nobody, or a server of their own.
LOCAL: Final = {
    "validate", "schema", "show", "demo", "emulator", "report", "version", "help", "export verify", "export gc",
}  # fmt: skip
# A load asks as a job does; to `check` a refusal is a response; v1 does not have the others, whose calls are here.
OTHERS: Final = {"load", "check", "routes update", "search", "packages overview", "domains status"}
ONLY_V2: Final = ("pixels ", "collections ", "users ")
# The calls of a row share the code that is struck. A soak makes all of them in each cell.
APART: Final = 8


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, shared_engine: None) -> Iterator[Bench]:
    """One event loop for all cells."""
    directory = tmp_path_factory.mktemp("faults")
    (directory / "manifest.yaml").write_text(MANIFEST)
    (directory / "rows.ndjson").write_text(ROWS)
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(HOST).configure_cert(certificate)
    with Runner(loop_factory=Loop) as runner:
        yield Bench(runner, directory, certificate)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_cell(cell: Cell, bench: Bench, soak: bool) -> None:
    """The calls of the row end under the fault of the column as the code says."""
    problems: list[str] = []
    with bench.bounded(60):
        for call in in_turn(cell, apart=1 if soak else APART):
            with bench.serving(cell.fault, (call.method, call.path)) as service:
                ended = call.run(bench)
            problems += [
                f"{call.version} {call.name}: {problem}" for problem in differences(call, cell, ended, service)
            ]
    assert not problems, "\n".join(problems)


def in_turn(cell: Cell, apart: int) -> Iterator[Call]:
    """Yield one in so many calls of each sort, at least one; the next fault has the next ones."""
    sorts: defaultdict[str, list[Call]] = defaultdict(list)
    for call in CALLS:
        if call.row == cell.row and call.version in cell.versions.split():
            sorts[call.sort].append(call)
    turn = list(FAULTS).index(cell.fault)
    for calls in sorts.values():
        step = min(apart, len(calls))
        yield from calls[turn % step :: step]


def differences(call: Call, cell: Cell, ended: str, service: Service) -> Iterator[str]:
    """Yield what is not as the code of a cell says."""
    code, fault = Code.read(cell.code), FAULTS[cell.fault]
    if ended != code.ends and not (ended == REPORTED and code.ends.endswith("Error")):
        yield f"ended with {ended!r}, not {code.ends!r}"
    aimed, looks = service.aimed, service.looks
    # A name that no organization has may be a user's: `pull` looks among the packages, too.
    besides = int(call.name == "$ pull home" and cell.fault == "404" and call.version == "v1")
    yield from _differing("requests", len(aimed) - besides, arriving(code, cell.fault))
    yield from _differing("bodies", len({arrival.body for arrival in aimed}), min(len(aimed), 1))
    yield from _differing("requests that follow", len(service.followed), code.followed)
    if call.stands is not None:
        stands = int(code.ok or fault.effect)
        yield from _differing("things that are there", call.stands(service.worlds[call.version]), stands)
        # A command that adds looks whether what refused it is there already.
        wanted = None if call.name.startswith("$") and not code.ok else code.looks
        if wanted is not None and not wanted <= len(looks) <= wanted + reads_besides(call, wanted, len(aimed)):
            yield f"{len(looks)} looks, not {wanted}"
    apart = max(code.apart, fault.wait)
    if apart and len(aimed) > 1 and aimed[1].at - aimed[0].at < apart:
        yield f"sent again {aimed[1].at - aimed[0].at:g} s later, not {apart:g} s"
    if cell.fault == "untrusted":
        yield from _differing("handshakes", service.handshakes, 1)


def arriving(code: Code, fault: str) -> int | None:
    """Say how many requests arrive; None: any number."""
    if FAULTS[fault].act is not None:
        return code.sends
    return 0 if FAULTS[fault].always or code.sends is None else code.sends - 1


def reads_besides(call: Call, looks: int, sends: int) -> float:
    """Return how many reads there may be that are not looks."""
    if call.version == "v2":
        # A change is made of the live state, for every send. A look reads pages, and the routes of a new package.
        return sends if call.method == "PUT" else math.inf if looks else 0
    # Whether a package that was found is the user's own, a bulk run asks.
    return int(call.name == "bulk create_package, the user's" and looks > 0)


def _differing(what: str, found: int, wanted: int | None) -> Iterator[str]:
    if wanted is not None and found != wanted:
        yield f"{found} {what}, not {wanted}"


def test_each_call_has_its_turn() -> None:
    """Each cell has calls of every sort, and each call is made under one in so many of its faults."""
    turns: Counter[Call] = Counter()
    faults: Counter[Call] = Counter()
    for cell in CELLS:
        spoken, made = set(in_turn(cell, apart=1)), set(in_turn(cell, APART))
        assert {call.sort for call in made} == {call.sort for call in spoken}, cell
        turns.update(made)
        faults.update(spoken)
    assert faults.keys() == set(CALLS)
    assert {call.name for call in CALLS if turns[call] < faults[call] // APART - 1} == set()


def test_the_table_is_whole() -> None:
    """Each group of calls has a cell for each fault, and just one."""
    counted = Counter((cell.row, cell.fault) for cell in CELLS)
    assert counted == Counter((row, fault) for row in {call.row for call in CALLS} for fault in FAULTS)


def test_the_versions_are_those_of_the_calls() -> None:
    """The table says which versions have calls of a row; but for refusals, each that has some."""
    for cell in CELLS:
        has = " ".join(sorted({call.version for call in CALLS if call.row == cell.row}))
        assert cell.versions == ("v1" if cell.fault in REFUSALS and "v1" in has else has), cell


async def test_each_call_is_there() -> None:
    """No method of the client that sends a request is left out."""
    async with Scarf("token") as scarf:
        groups = ("organizations", "members", "packages", "permissions", "routes", "domains", "exports")
        only_v2 = ("pixels", "collections", "users", "imports")
        methods = {f"{group}.{name}" for group in groups + only_v2 for name in vars(type(getattr(scarf, group)))}
    called = {call.name.split(",")[0] for call in CALLS}
    assert {method for method in methods if "._" not in method} - called == {
        # They ask nothing, or what jobs ask.
        "exports.verify", "exports.collect_garbage", "exports.prepare", "exports.load",
    }  # fmt: skip


def test_each_operation_is_there() -> None:
    """No kind of operation of a bulk run is left out."""
    assert {call.name.split()[1].strip(",") for call in [*bulk_calls(), *bulk_calls_v2()]} == set(Kind)


def test_each_command_is_there() -> None:
    """No command that asks the service is left out."""
    asked = [call.name.removeprefix("$ ") + " " for call in command_calls()]
    missing = {name for name in commands(COMMANDS) if not any(call.startswith(f"{name} ") for call in asked)}
    assert {name for name in missing if not name.startswith(ONLY_V2)} == LOCAL | OTHERS


def commands(group: object, *above: str) -> Iterator[str]:
    """Yield the names of all commands of a group."""
    below: dict[str, object] | None = getattr(group, "commands", None)
    if below is None:
        yield " ".join(above)
        return
    for name, command in below.items():
        yield from commands(command, *above, name)
