"""The conformance step: schemathesis tries the emulator by the descriptions that the emulator gives of itself.

`python -m tests.conformance.run` ends with 0 where nothing was found, else with another status. Arguments go to
`schemathesis run`. It needs the extra `conformance`, nothing outside of loopback, and a minute.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import aiohttp
import anyio

from scarf_async.emulator import Emulator, Quirks, ReceivedRequest
from scarf_async.emulator.description import DESCRIPTIONS

from .world_v2 import prepare_v2


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


_SETTINGS: Final = {
    "v1": _text("schemathesis.toml"),
    "v2": _text("schemathesis_v2.toml"),
    "v3": _text("schemathesis_v3.toml"),
}
_KNOWN: Final = {"v1": _text("known.toml"), "v2": _text("known_v2.toml"), "v3": _text("known_v3.toml")}
_BASES: Final = {"v1": "/api/v1", "v2": "/v2", "v3": "/v3"}
_TIME_LIMIT: Final = 120.0

World: TypeAlias = Mapping[str, Sequence[str]]


async def prepare(emulator: Emulator) -> World:
    """Put one thing of each kind there; returns the words that lead to them, by dictionary."""
    headers = {"Authorization": f"Bearer {emulator.token}"}
    async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as session:

        async def post(path: str, body: Mapping[str, str]) -> dict[str, str]:
            async with session.post(emulator.url + path, json=body) as response:
                created: dict[str, str] = await response.json()
                return created

        async def package(name: str, **more: str) -> str:
            created = await post(
                "/organizations/acme-tools/packages", {"name": name, "shortDescription": "A package", **more}
            )
            return created["uuid"]

        await post("/organizations", {"name": "acme-tools", "description": "Tools", "billingEmail": ""})
        file = await package("tool", libraryType="file")
        docker = await package("web", libraryType="docker", backendUrl="https://ghcr.io/acme/web")
        spare = await package("spare", libraryType="npm")
        route = await post(
            f"/packages/{file}/routes",
            {"outgoingUrl": "https://example.org/{v}.tgz", "templatePath": "/{v}.tgz"},
        )
        domain = await post(f"/packages/{file}/domains", {"name": "dl.acme.example"})
    return {
        "packages": [file, docker],
        "with_gateway": [file],
        "spare": [spare],
        "owners": ["acme-tools"],
        "routes": [route["id"]],
        "domains": [domain["id"]],
        "days": ["2024-01-01", "2024-01-02", "2024-01-04"],
    }


async def prepare_v3(emulator: Emulator) -> World:
    """Put packages there; returns the words that lead to them, by dictionary."""
    world = await prepare_v2(emulator)
    return {name: world[name] for name in ("owners", "packages", "days")}


def settings_with(world: World, version: str = "v1") -> str:
    """The settings with what exists. An array of texts is written the same in JSON and TOML."""
    dictionaries = "".join(f"\n[dictionaries.{name}]\nvalues = {json.dumps(world[name])}\n" for name in world)
    return f"{_SETTINGS[version]}\n{_KNOWN[version]}{dictionaries}"


def never_answered(
    paths: Mapping[str, Mapping[str, object]], requests: Iterable[ReceivedRequest], base: str = "/api/v1"
) -> list[str]:
    """The operations that were never answered with a success, whose responses were therefore not looked at."""
    patterns = {path: re.compile(re.sub(r"\\\{[^/]*\\\}", "[^/]+", re.escape(base + path))) for path in paths}
    answered: defaultdict[str, set[str]] = defaultdict(set)
    for request in requests:
        if request.status is not None and request.status < 300:
            for path, pattern in patterns.items():
                if pattern.fullmatch(request.path):
                    answered[path].add(request.method.lower())
    methods = ("get", "put", "post", "delete")
    return [
        f"{method.upper()} {path}"
        for path, item in paths.items()
        for method in methods
        if method in item and method not in answered[path]
    ]


async def _schemathesis(settings: str, phases: str, emulator: Emulator, version: str) -> int:
    """Run some phases; returns the exit status."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "schemathesis.toml")
        file.write_text(settings, encoding="utf-8")  # noqa: ASYNC240  # a few lines
        address = _address(emulator, version)
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(file), "run", address]
        command += ["--phases", phases, "--header", f"Authorization: Bearer {emulator.token}", *sys.argv[1:]]
        hooks = os.environ | {"SCHEMATHESIS_HOOKS": "tests.conformance.hooks"}
        finished = await anyio.run_process(command, check=False, stdout=None, stderr=None, env=hooks)
    return finished.returncode


def _address(emulator: Emulator, version: str) -> str:
    return emulator.url.removesuffix("/api/v1") + DESCRIPTIONS[version]


async def _try(version: str, prepare: Callable[[Emulator], Awaitable[World]], *, follow_links: bool) -> int:
    """Let schemathesis loose on a fresh emulator, and see that it came everywhere."""
    quirks = Quirks(permissions_of_organizations="works")
    async with Emulator(max_range_days=31, events_per_day=3, quirks=quirks) as emulator:
        world = await prepare(emulator)
        emulator.requests.clear()
        with anyio.fail_after(_TIME_LIMIT):
            settings = settings_with(world, version)
            found = await _schemathesis(settings, "examples,coverage,fuzzing", emulator, version)
            if follow_links:
                found |= await _schemathesis(_SETTINGS[version], "stateful", emulator, version)
        async with aiohttp.ClientSession() as session, session.get(_address(emulator, version)) as response:
            paths = (await response.json())["paths"]
        missed = never_answered(paths, emulator.requests, _BASES[version])
    for operation in missed:
        print(f"never answered with a success: {version} {operation}")
    return found or int(bool(missed))


async def main() -> int:
    """Try each version."""
    found = await _try("v1", prepare, follow_links=True)
    found |= await _try("v2", prepare_v2, follow_links=False)
    return await _try("v3", prepare_v3, follow_links=False) or found


if __name__ == "__main__":
    sys.exit(anyio.run(main))
