"""Changes as files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scarf_async import JSON, Manifest, OrganizationSpec, OrganizationUpsert, Scarf, ValidationError
from scarf_async.emulator import Emulator
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.saved import SavedChanges, read_changes, write_changes

SERVER = "https://scarf.sh/api/v1"
CHANGES = Changes(
    (
        Change(action="create", kind="member", organization="acme", name="bób", after={"role": "admin"}),
        Change(action="blocked", kind="package", organization="acme", package="web", note="no addresses"),
    ),
    ownerless=("umbra",),
    there={"member": 2},
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """The very same changes, with the server that they were made for; only the owner may read the file."""
    path = tmp_path / "changes.json"
    write_changes(Changes(), path, server="https://else.example")
    write_changes(CHANGES, path, server=SERVER)
    assert read_changes(path) == SavedChanges(CHANGES, SERVER)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["changes.json"]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole or not at all, and nothing beside it."""
    path = tmp_path / "changes.json"
    write_changes(CHANGES, path, server=SERVER)

    def full(_descriptor: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="full"):
        write_changes(Changes(), path, server=SERVER)
    assert read_changes(path).changes == CHANGES
    assert [entry.name for entry in tmp_path.iterdir()] == ["changes.json"]


def _with(**fields: JSON) -> Callable[[str], str]:
    return lambda text: json.dumps({**json.loads(text), **fields})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text[:-20], "is cut off, or not JSON"),
        (lambda _: "", "is cut off, or not JSON"),
        (lambda _: "[" * 100_000, "is cut off, or not JSON"),
        (lambda _: "[]", "is not a file of saved changes"),
        (_with(format="else"), "is not a file of saved changes"),
        (_with(version=2), "is of version 2; this package reads version 1"),
        (_with(version=True), "is of version True"),
        (_with(server=7), "is damaged"),
        (_with(changes=None), "is damaged, or was edited: compare again"),
        (lambda text: text.replace("admin", "owner"), "is damaged, or was edited: compare again"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, spoil: Callable[[str], str], message: str) -> None:
    """The message names the file and says what to do."""
    path = tmp_path / "changes.json"
    write_changes(CHANGES, path, server=SERVER)
    path.write_text(spoil(path.read_text()))
    with pytest.raises(ValidationError, match=f"changes.json: .*{message}"):
        read_changes(path)


async def test_changes_for_another_server_are_not_applied(scarf: Scarf, scarf_emulator: Emulator) -> None:
    """The same name stands for another organization there; nothing is sent."""
    with pytest.raises(
        ValidationError, match=r"were made for the server https://scarf\.sh/api/v1, and this client's"
    ):
        await scarf.manifests.apply(SavedChanges(CHANGES, SERVER))
    assert not scarf_emulator.requests


async def test_saved_changes_are_applied_as_they_are(
    scarf: Scarf, scarf_emulator: Emulator, tmp_path: Path
) -> None:
    """Exactly those; a slash at the end of the address makes no other server."""
    await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
    write_changes(Changes((CHANGES[0],)), tmp_path / "changes.json", server=f"{scarf_emulator.url}/")
    report = await scarf.manifests.apply(read_changes(tmp_path / "changes.json"), whole=True)
    assert report.ok
    assert [member.username for member in await scarf.members.list("acme")] == ["emulator-user", "bób"]


MINE = Changes(
    (Change(action="create", kind="package", package="web", library_type="npm", after={"short_description": ""}),),
    api="v2",
)


async def test_they_are_bound_to_a_version(scarf_emulator: Emulator, tmp_path: Path) -> None:
    """A client of another version is refused, naming both; what does not say a version was made for v1."""
    server = scarf_emulator.v2_url
    async with (
        Scarf(scarf_emulator.token, base_url=scarf_emulator.url) as one,
        Scarf(scarf_emulator.token, api="v2", owner="acme", v2_url=server) as two,
    ):
        await one.organizations.create(OrganizationUpsert(name="acme", description="", billing_email="a@a.example"))
        spec = OrganizationSpec(name="acme", description="New", billing_email="a@a.example")
        manifest = Manifest(organizations=(spec,))
        changes = await two.manifests.diff(manifest)
        write_changes(changes, tmp_path / "changes", server=server, owner=two.owner)
        saved = read_changes(tmp_path / "changes")
        assert (saved.api, saved.owner, saved.changes) == ("v2", None, changes)
        with pytest.raises(ValidationError, match=r"for v2 \(http.*/v2\), and this client calls v1 \(http.*v1\)"):
            await one.manifests.apply(saved)
        with pytest.raises(ValidationError, match=r"made for v2, and this client calls v1"):
            await one.manifests.apply(changes)
        assert (await two.with_options(owner="umbra").manifests.apply(saved)).ok
        write_changes(CHANGES, tmp_path / "changes", server=server)
        with pytest.raises(ValidationError, match=r"made for v1 .* this client calls v2"):
            await two.manifests.apply(read_changes(tmp_path / "changes"))


async def test_they_are_bound_to_an_owner_that_they_leave_out(scarf_emulator: Emulator, tmp_path: Path) -> None:
    """Only where they do: then another owner is refused, and theirs is meant whatever else is said."""
    server = scarf_emulator.v2_url
    write_changes(MINE, tmp_path / "changes", server=server, owner="emulator-user")
    saved = read_changes(tmp_path / "changes")
    assert saved.owner == "emulator-user"
    async with Scarf(scarf_emulator.token, api="v2", owner="acme", v2_url=server) as two:
        with pytest.raises(ValidationError, match="packages of emulator-user, and this client's owner is acme"):
            await two.manifests.apply(saved)
        report = await two.with_options(owner="Emulator-User").manifests.apply(saved)
        report.raise_for_failures()
        assert [package.name for package in await two.packages.list("emulator-user")] == ["web"]


def test_an_owner_that_was_edited_is_noticed(tmp_path: Path) -> None:
    """It is a part of what the digest is of."""
    path = tmp_path / "changes"
    write_changes(MINE, path, server=SERVER, owner="ann")
    path.write_text(path.read_text().replace('"owner": "ann"', '"owner": "bob"'))
    with pytest.raises(ValidationError, match="was edited"):
        read_changes(path)
