"""Every kind of call under every fault, as `table.md` says."""

from __future__ import annotations

import ssl
from asyncio import Runner
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest
import trustme

from scarf_async.bulk import Kind

from .bench import COMMANDS, Bench
from .calls import Call, bulk_calls, client_calls, export_calls
from .commands import MANIFEST, REPORTED, command_calls
from .faults import FAULTS
from .loop import HOST, Loop
from .service import Service
from .table import Cell, Code, cells

CALLS: Final = [*client_calls(), *bulk_calls(), *export_calls(), *command_calls()]
CELLS: Final = cells()
# They ask nobody, or a server of their own.
LOCAL: Final = {"validate", "schema", "demo", "emulator", "export verify"}
# To one of them a refusal is an answer, and v1 does not have the other.
OTHERS: Final = {"check", "routes update"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One event loop for all cells."""
    directory = tmp_path_factory.mktemp("faults")
    (directory / "manifest.yaml").write_text(MANIFEST)
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(HOST).configure_cert(certificate)
    with Runner(loop_factory=Loop) as runner:
        yield Bench(runner, directory, certificate)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_cell(cell: Cell, bench: Bench) -> None:
    """The calls of the row end under the fault of the column as the code says."""
    problems: list[str] = []
    for call in CALLS:
        if call.row == cell.row:
            target = (call.method, call.path)
            with bench.bounded(30), bench.serving(cell.fault, target) as service:
                ended = call.run(bench)
            problems += [f"{call.name}: {problem}" for problem in differences(call, cell, ended, service)]
    assert not problems, "\n".join(problems)


def differences(call: Call, cell: Cell, ended: str, service: Service) -> Iterator[str]:
    """Yield what is not as the code of a cell says."""
    code, fault = Code.read(cell.code), FAULTS[cell.fault]
    if ended != code.ends and not (ended == REPORTED and code.ends.endswith("Error")):
        yield f"ended with {ended!r}, not {code.ends!r}"
    aimed, looks = service.aimed, service.looks
    yield from _differing("requests", len(aimed), arriving(code, cell.fault))
    yield from _differing("requests that follow", len(service.followed), code.followed)
    if call.stands is not None:
        stands = int(code.ends == "ok" or fault.effect)
        yield from _differing("things that stand there", call.stands(service.world), stands)
        if len(looks) < code.looks or (code.silent and looks):
            yield f"{len(looks)} looks, not {code.looks}"
    apart = max(code.apart, fault.wait)
    if apart and aimed[1].at - aimed[0].at < apart:
        yield f"sent again {aimed[1].at - aimed[0].at:g} s later, not {apart:g} s"
    if cell.fault == "untrusted":
        yield from _differing("handshakes", service.handshakes, 1)


def arriving(code: Code, fault: str) -> int | None:
    """Say how many requests arrive; None: any number."""
    if FAULTS[fault].act is not None:
        return code.sends
    return 0 if FAULTS[fault].always or code.sends is None else code.sends - 1


def _differing(what: str, found: int, wanted: int | None) -> Iterator[str]:
    if wanted is not None and found != wanted:
        yield f"{found} {what}, not {wanted}"


def test_the_table_is_whole() -> None:
    """Each group of calls has a cell for each fault, and just one."""
    counted = Counter((cell.row, cell.fault) for cell in CELLS)
    assert counted == Counter((row, fault) for row in {call.row for call in CALLS} for fault in FAULTS)


def test_each_operation_is_there() -> None:
    """No kind of operation of a bulk run is left out."""
    assert {call.name.split()[1].strip(",") for call in bulk_calls()} == set(Kind)


def test_each_command_is_there() -> None:
    """No command that asks the service is left out."""
    asked = [call.name.removeprefix("$ ") + " " for call in command_calls()]
    missing = {name for name in commands(COMMANDS) if not any(call.startswith(f"{name} ") for call in asked)}
    assert missing == LOCAL | OTHERS


def commands(group: object, *above: str) -> Iterator[str]:
    """Yield the names of all commands of a group."""
    below: dict[str, object] | None = getattr(group, "commands", None)
    if below is None:
        yield " ".join(above)
        return
    for name, command in below.items():
        yield from commands(command, *above, name)
