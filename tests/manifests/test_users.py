"""A user's name where an organization's is expected."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import pytest
import pytest_asyncio

from scarf_async import Manifest, NotFoundError, OrganizationSpec, PackageUpsert, Scarf, ValidationError
from scarf_async.emulator import Emulator


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def emulator() -> AsyncIterator[Emulator]:
    """A server whose user has a package."""
    async with Emulator(user="ann") as emulator, Scarf(emulator.token, base_url=emulator.url) as scarf:
        await scarf.packages.create(PackageUpsert(name="cli", short_description="", library_type="npm"))
        yield emulator


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_it_is_told(emulator: Emulator, api: Literal["v1", "v2"]) -> None:
    """By pull and by a comparison, which would make an organization of it; the error says what to write."""
    async with Scarf(
        emulator.token, api=api, owner="ann", base_url=emulator.url, v2_url=emulator.v2_url, read_only=True
    ) as scarf:
        changes = await scarf.manifests.diff(Manifest(organizations=(OrganizationSpec(name="ann"),)))
        for call in (scarf.manifests.pull("ann"), scarf.manifests.check_names(changes)):
            with pytest.raises(ValidationError, match=r"ann is a user .* section `packages`, .*`me: ann`"):
                await call
        with pytest.raises(NotFoundError):
            await scarf.manifests.pull("unknown")
        described = await scarf.manifests.pull(user_packages=True, me="ann")
        assert [spec.name for spec in described.packages or ()] == ["cli"]
        changes = await scarf.manifests.diff(Manifest(organizations=(OrganizationSpec(name="unknown"),)))
        assert len(changes) == 1
        await scarf.manifests.check_names(changes)
