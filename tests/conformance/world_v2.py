"""What there is while schemathesis tries v2."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import aiohttp

from scarf_async.emulator import Emulator

__all__ = ["prepare_v2"]


class _Maker:
    """Creates things in v2, each of which must succeed."""

    def __init__(self, session: aiohttp.ClientSession, emulator: Emulator) -> None:
        self._session = session
        self._base = emulator.v2_url

    async def __call__(self, path: str, body: Mapping[str, str]) -> str:
        """Create something; returns its id, if it has one."""
        async with self._session.post(self._base + path, json=body) as response:
            made: dict[str, str] = {} if response.status == 204 else await response.json()
            return made.get("id", "")

    async def two(self, path: str, *bodies: Mapping[str, str]) -> list[list[str]]:
        """Create one thing to be used and one to be spoilt."""
        return [[await self(path, body)] for body in bodies]


async def prepare_v2(emulator: Emulator) -> Mapping[str, Sequence[str]]:
    """Put two things of each kind there; returns the words that lead to them, by dictionary."""
    headers = {"Authorization": f"Bearer {emulator.token}"}
    async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as session:
        for name in ("acme-tools", "acme-other"):
            body = {"name": name, "description": "Tools", "billingEmail": "pay@acme.example"}
            await session.post(f"{emulator.url}/organizations", json=body)
        make = _Maker(session, emulator)
        for name in ("ann", "bob"):
            await make("/organizations/acme-tools/members", {"username": name, "role": "member"})
        owned = "/packages/acme-tools"
        files, _ = await make.two(
            owned,
            {"type": "file", "name": "tool", "incoming_path": "/{v}"},
            {"type": "npm", "name": "lookup"},
        )
        (spare,) = await make.two(owned, {"type": "npm", "name": "spare"})
        package = f"{owned}/{files[0]}"
        await make(f"{package}/permissions", {"username": "ann", "permission_level": "admin"})
        routes = await make.two(f"{package}/routes", {"incoming_path": "/a"}, {"incoming_path": "/b"})
        domains = await make.two(f"{package}/domains", {"name": "dl.acme.example"}, {"name": "b.acme.example"})
        pixels = await make.two("/tracking-pixels/acme-tools", {"name": "one"}, {"name": "two"})
        pixel = f"/tracking-pixels/acme-tools/{pixels[0][0]}"
        seen = await make.two(f"{pixel}/domains", {"name": "pa.acme.example"}, {"name": "pb.acme.example"})
        kind = {"backend_domain": "ghcr.io", "type": "docker"}
        collections = await make.two(
            "/collections/acme-tools", {"pattern": "acme/x", **kind}, {"pattern": "acme/y", **kind}
        )
        event = json.dumps({"$time": datetime.now(UTC).isoformat(), "$type": "download"})
        lines = {"Content-Type": "application/x-ndjson"}
        async with session.post(f"{emulator.v2_url}{package}/import", data=event, headers=lines) as response:
            imported: dict[str, str] = await response.json()
    return {
        "organizations": ["acme-tools"],
        "spare_organizations": ["acme-other"],
        "members": ["ann"],
        "spare_members": ["bob"],
        "users": [emulator.user],
        "owners": ["acme-tools"],
        "packages": files,
        "spare_packages": spare,
        "types": ["npm"],
        "names": ["lookup"],
        "routes": routes[0],
        "spare_routes": routes[1],
        "domains": domains[0],
        "spare_domains": domains[1],
        "hosts": ["dl.acme.example"],
        "pixels": pixels[0],
        "spare_pixels": pixels[1],
        "pixel_domains": seen[0],
        "spare_pixel_domains": seen[1],
        "collections": collections[0],
        "spare_collections": collections[1],
        "imports": [imported["id"]],
        "days": ["2024-01-01", "2024-01-02", "2024-01-04"],
    }
