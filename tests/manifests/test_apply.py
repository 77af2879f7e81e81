"""Applying: whatever is there and whatever is wanted, on an emulator, with and without faults; and the report."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scarf_async import BulkError, OrganizationUpsert, ReadOnlyError, Role, Scarf, ValidationError
from scarf_async.emulator import Emulator, FaultRule, Faults
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.testing import no_waiting

from .served import client, emulator, fill, held, servable
from .worlds import ordered, union, wanted

ACME = OrganizationUpsert(name="acme", description="", billing_email="")


def run(test: Awaitable[None]) -> None:
    """Run to the end, in bounded time."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test

    asyncio.run(bounded())


def faults(seed: int) -> Faults:
    """One request in six goes wrong."""
    return Faults(seed=seed, status={503: 0.05, 429: 0.03}, drop_before=0.03, drop_after=0.05)


async def make(scarf: Scarf, manifest: Manifest, *, prune: bool) -> None:
    """Compare and apply; again where it did not show the outcome of a change."""
    for _ in range(4):
        changes = await scarf.manifests.diff(manifest, prune=prune)
        report = await scarf.manifests.apply(changes, max_removals=len(changes), me="ann")
        counts = report.counts
        assert counts["done"] + counts["unknown"] + counts["skipped"] == len(changes.applicable), str(report)
        if report.ok:
            return
        assert counts["unknown"], str(report)
    raise AssertionError(str(report))


@settings(max_examples=settings().max_examples // 2)
@given(wanted(), wanted(), st.none() | st.integers(0, 99))
def test_with_prune_what_is_there_becomes_what_is_wanted(there: Manifest, more: Manifest, seed: int | None) -> None:
    """The service then holds what the manifest says, even where many requests fail; nothing is left to do."""
    there, more = servable(there), servable(more)

    async def test() -> None:
        async with emulator() as service, client(service) as scarf:
            await fill(scarf, there)
            if seed is not None:
                service.faults = faults(seed)
            await make(scarf, more, prune=True)
            service.faults = Faults()
            names = [spec.name for spec in more.organizations]
            assert await held(scarf, *names) == ordered(more_of(more))
            again = await scarf.manifests.diff(more, prune=True)
            assert {change.action for change in again} <= {"set", "uncompared"}

    with no_waiting():
        run(test())


@settings(max_examples=settings().max_examples // 2)
@given(wanted(), wanted(), st.none() | st.integers(0, 99))
def test_without_prune_both_are_there(there: Manifest, more: Manifest, seed: int | None) -> None:
    """What was there stays beside what is wanted."""
    there, more = servable(there), servable(more)
    names = sorted({spec.name for manifest in (there, more) for spec in manifest.organizations})

    async def test() -> None:
        async with emulator() as service, client(service) as scarf:
            await fill(scarf, there)
            if seed is not None:
                service.faults = faults(seed)
            await make(scarf, more, prune=False)
            service.faults = Faults()
            assert await held(scarf, *names) == union(ordered(more_of(there)), ordered(more_of(more)))

    with no_waiting():
        run(test())


def more_of(manifest: Manifest) -> Manifest:
    """What of a manifest the service shows."""
    return Manifest(organizations=manifest.organizations, packages=manifest.packages)


def member(name: str, role: str, before: str | None = None) -> Change:
    """A change of a member of acme."""
    return Change(
        action="update" if before else "create",
        kind="member",
        organization="acme",
        name=name,
        before={"role": before} if before else None,
        after={"role": role},
    )


async def test_nothing_is_sent_where_nothing_differs(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """No request, no journal; the report is good."""
    report = await scarf.manifests.apply(Changes())
    assert (report.ok, report.bulk, scarf_emulator.requests) == (True, None, [])
    assert repr(report) == "<ApplyReport: no changes>"


async def test_the_report_tells_changes(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """Failures are told with their change, and the table counts by kind; blocked changes are not successes."""
    await scarf.organizations.create(ACME)
    scarf_emulator.faults.add(FaultRule("POST", "/organizations/acme/users", action=422))
    manifest = Manifest(
        organizations=(
            OrganizationSpec(
                name="acme",
                members={"bob": Role.ADMIN},
                packages=(
                    PackageSpec(name="web", library_type="docker"),
                    PackageSpec(name="cli", library_type="npm"),
                ),
            ),
        )
    )
    outcomes: list[str] = []
    report = await scarf.manifests.apply(
        await scarf.manifests.diff(manifest), on_outcome=lambda outcome: outcomes.append(outcome.status)
    )
    assert not report.ok
    assert sorted(outcomes) == ["failed", "succeeded"]
    assert str(report.blocked[0]).startswith("! package acme/web (docker)")
    assert report.counts == {"done": 1, "failed": 1, "unknown": 0, "skipped": 0, "drifted": 0, "blocked": 1}
    lines = str(report).splitlines()
    assert [re.split("  +", line) for line in lines[:4]] == [
        ["change", "done", "failed", "unknown", "skipped", "drifted", "blocked"],
        ["package", "1", "0", "0", "0", "0", "1"],
        ["member", "0", "1", "0", "0", "0", "0"],
        ["all", "1", "1", "0", "0", "0", "1"],
    ]
    assert lines[5].startswith("failed: + member acme/bob: admin: POST ")
    told = report.to_dict()
    assert told["ok"] is False
    assert isinstance(told["failures"], list)
    assert len(told["failures"]) == 1
    with pytest.raises(BulkError, match="1 of 2 operations did not succeed"):
        report.raise_for_failures()
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(report)


async def test_a_set_stop_leaves_the_rest_unsent(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """What was not sent is told as skipped."""
    await scarf.organizations.create(ACME)
    stop = asyncio.Event()
    stop.set()
    report = await scarf.manifests.apply(Changes((member("bob", "admin"),)), stop=stop)
    assert (report.counts["skipped"], report.ok) == (1, False)
    assert "stopped: stop was set" in str(report)
    report.raise_for_failures()


async def test_who_the_token_is_goes_unchecked_unless_it_is_said(scarf: Scarf) -> None:
    """The report says so where someone loses something, and only there."""
    await scarf.organizations.create(ACME)
    created = await scarf.manifests.apply(Changes((member("bob", "owner"),)))
    assert not created.me_unchecked
    demotion = Changes((member("bob", "admin", before="owner"),))
    assert (await scarf.manifests.apply(demotion, me="emulator-user")).me_unchecked is False
    promotion = await scarf.manifests.apply(Changes((member("bob", "owner", before="admin"),)))
    assert "not checked: whether the token's user loses access" in str(promotion)


async def test_a_read_only_client_applies_nothing(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """It is refused at once, before anything is read."""
    with pytest.raises(ReadOnlyError, match="the changes were not applied"):
        await scarf.with_options(read_only=True).manifests.apply(Changes((member("bob", "admin"),)))
    assert not scarf_emulator.requests


async def test_what_is_no_changes_is_refused(scarf: Scarf) -> None:
    """A manifest is compared first; a number of removals is a number."""
    with pytest.raises(ValidationError, match="changes must be Changes; got Manifest"):
        await scarf.manifests.apply(Manifest())  # type: ignore[arg-type] # the mistake
    for wrong in (-1, True, 1.5):
        with pytest.raises(ValidationError, match="max_removals must be a whole number"):
            await scarf.manifests.apply(Changes(), max_removals=wrong)  # type: ignore[arg-type] # the mistake
