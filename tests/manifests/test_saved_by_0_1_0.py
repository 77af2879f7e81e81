"""Changes that version 0.1.0 has written: every kind of thing, every action."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

import msgspec

from scarf_async import (
    BulkPlan,
    DomainCreate,
    OrganizationUpsert,
    PackageUpsert,
    PermissionSet,
    RouteCreate,
    Scarf,
    read_changes,
)
from scarf_async.emulator import Emulator

FILES: Final = Path(__file__).with_name("files")
WRITTEN: Final = FILES / "changes-0.1.0.json"


def test_they_read_as_they_were() -> None:
    """Nothing of the data is lost, and people see it as changes of today."""
    changes = read_changes(WRITTEN).changes
    assert changes.to_dict() == json.loads(WRITTEN.read_text())["changes"]
    assert f"{changes}\n" == (FILES / "changes-0.1.0.txt").read_text()


def test_they_make_the_same_plan() -> None:
    """So that a journal that was begun with them goes on."""
    assert read_changes(WRITTEN).changes.to_plan() == BulkPlan.load(FILES / "plan-0.1.0.jsonl")


async def test_they_are_applied(scarf: Scarf, scarf_emulator: Emulator, tmp_path: Path) -> None:
    """On a service that is as it was when they were compared; only its identifiers are others."""
    acme = OrganizationUpsert(
        name="acme", description="Tools", billing_email="pay@acme.example", website="https://acme.example"
    )
    await scarf.organizations.create(acme)
    for user, role in {"ann": "admin", "bob": "member", "zoe": "owner"}.items():
        await scarf.members.upsert("acme", user, role)  # type: ignore[arg-type] # each is a role
    identifiers: dict[str, str] = {}
    for name, library_type, address in (
        ("dl", "file", {}),
        ("old", "npm", {"long_description": "Very"}),
        ("web", "docker", {"backend_url": "https://ghcr.io/acme/web"}),
        ("lib", "pypi", {"repository_url": "https://pypi.example/simple/"}),
        ("own", "npm", {}),
    ):
        upsert = PackageUpsert(
            name=name,
            short_description="Old" if name == "old" else "",
            library_type=library_type,
            long_description=address.get("long_description"),
            backend_url=address.get("backend_url"),
            repository_url=address.get("repository_url"),
        )
        package = await scarf.packages.create(upsert, None if name == "own" else "acme")
        identifiers[f"uuid-{name}"] = package.uuid
    dl = identifiers["uuid-dl"]
    await scarf.permissions.set(dl, [PermissionSet("ann", "member"), PermissionSet("bob", "member")])
    identifiers["id-route"] = (await scarf.routes.create(dl, RouteCreate("https://example.org/old", "/old"))).id
    identifiers["id-old.example"] = (await scarf.domains.create(dl, DomainCreate("old.example"))).id

    text = WRITTEN.read_text()
    for name, identifier in identifiers.items():
        text = text.replace(f'"{name}"', f'"{identifier}"')
    document = json.loads(text)
    sealed = msgspec.json.encode(document["changes"], order="deterministic")
    document |= {"server": scarf_emulator.url, "sha256": hashlib.sha256(sealed).hexdigest()}
    file = tmp_path / "changes"
    file.write_text(json.dumps(document))
    saved = read_changes(file)
    report = await scarf.manifests.apply(saved, me="emulator-user", journal=tmp_path / "journal")
    assert report.counts == {
        "done": len(saved.changes.applicable),
        "failed": 0,
        "unknown": 0,
        "skipped": 0,
        "drifted": 0,
        "blocked": 4,
    }, str(report)
