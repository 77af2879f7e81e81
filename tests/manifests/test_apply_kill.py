"""Many changes, applied by processes that are killed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest
from processes import fork_with_pipes

from scarf_async import PermissionLevel, Role, Scarf
from scarf_async.bulk.journal import Journal
from scarf_async.bulk.planfile import digest
from scarf_async.emulator import Emulator
from scarf_async.emulator.received import ReceivedRequest
from scarf_async.errors import GuardError
from scarf_async.manifests.changes import Changes
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.manifests.saved import write_changes

from .applying_child import main
from .served import fill

ME = "emulator-user"
PEOPLE = 85


def state(*, permissions: bool, packages: int, members: int = 0) -> Manifest:
    """Acme with packages, with members, and with permissions for nobody or for everybody."""
    levels = {f"user{number}": PermissionLevel.MEMBER for number in range(PEOPLE)} if permissions else None
    more = {f"user{number}": Role.MEMBER for number in range(members)}
    return Manifest(
        organizations=(
            OrganizationSpec(
                name="acme",
                members={ME: Role.OWNER, **more},
                packages=tuple(
                    PackageSpec(name=f"package{number}", library_type="npm", permissions=levels)
                    for number in range(packages)
                ),
            ),
        )
    )


@attrs.define
class Killing:
    """Saved changes that are applied by one process after another."""

    emulator: Emulator
    changes: Changes
    directory: Path
    open_when_killed: int = 0

    async def run(self, *, killed_after: int | None = None) -> Mapping[str, int] | None:
        """Run a process; kill it when so many of its writes have arrived, or return the counts that it printed."""
        before = writes(self.emulator.requests)
        files = [str(self.directory / name) for name in ("changes", "journal")]
        child = fork_with_pipes(main, self.emulator.url, self.emulator.token, *files)
        if killed_after is not None:
            await self.emulator.wait_until(lambda requests: writes(requests) >= before + killed_after)
            child.kill()
        output, errors = await child.communicate()
        if killed_after is not None:
            assert not output
            self.open_when_killed += self.count_open()
            return None
        assert child.returncode == 0, errors
        counts: dict[str, int] = json.loads(output)
        return counts

    def count_open(self) -> int:
        """How many changes were on their way."""
        plan = self.changes.to_plan()
        path = self.directory / "journal"
        journal = Journal.open(path, plan=digest(plan), operations=len(plan), server=self.emulator.url)
        journal.close()
        return sum(known.open for known in journal.known.values())


def writes(requests: list[ReceivedRequest]) -> int:
    """How many changes arrived."""
    return sum(request.method != "GET" for request in requests)


def effects(requests: list[ReceivedRequest]) -> Counter[tuple[str, str]]:
    """What changed anything: path and entry, each permission of an array by itself."""
    effects: Counter[tuple[str, str]] = Counter()
    for request in requests:
        if request.method != "GET" and request.effective:
            told = json.loads(request.body)
            for entry in told if isinstance(told, list) else [told]:
                effects[request.path, json.dumps(entry)] += 1
    return effects


async def test_many_changes_end_well_though_they_are_killed(
    scarf: Scarf, scarf_emulator: Emulator, tmp_path: Path, soak: bool
) -> None:
    """Run again with the same changes and journal: all is as it should be, and nothing is done twice for it."""
    packages, members, killed_after = (115, 205, 100) if soak else (8, 105, 40)
    await fill(scarf, state(permissions=False, packages=packages - 5))
    wanted = state(permissions=True, packages=packages, members=members)
    changes = await scarf.manifests.diff(wanted)
    count = packages * PEOPLE + members + 5
    assert len(changes) == count
    write_changes(changes, tmp_path / "changes", server=scarf_emulator.url)
    scarf_emulator.requests.clear()
    killing = Killing(scarf_emulator, changes, tmp_path)
    await killing.run(killed_after=killed_after)
    with pytest.raises(
        GuardError, match="the live organization has changed since these changes were made: compare again"
    ):
        await scarf.manifests.apply(changes, whole=True)
    await killing.run(killed_after=killed_after)
    counts = await killing.run()
    assert counts is not None
    assert (counts["done"], sum(counts.values())) == (count, count)
    assert list(await scarf.manifests.diff(wanted, prune=True)) == []
    seen = effects(scarf_emulator.requests)
    assert len(seen) == count
    assert sum(seen.values()) - count <= killing.open_when_killed <= 2 * 8 * PEOPLE
    assert sum(count for (path, _), count in seen.items() if path.endswith("/packages")) == 5


async def test_applied_once_more_nothing_is_sent(scarf: Scarf, scarf_emulator: Emulator, tmp_path: Path) -> None:
    """A journal that knows of all of it is enough."""
    await fill(scarf, state(permissions=False, packages=1))
    changes = await scarf.manifests.diff(state(permissions=True, packages=2))
    assert (await scarf.manifests.apply(changes, journal=tmp_path / "journal", whole=True)).ok
    before = writes(scarf_emulator.requests)
    again = await scarf.manifests.apply(changes, journal=tmp_path / "journal", whole=True)
    assert again.counts["done"] == len(changes)
    assert writes(scarf_emulator.requests) == before
