"""Worlds on an emulator: manifests that it can hold, and what it holds, as data."""

from __future__ import annotations

from typing import Final

import attrs

from scarf_async import Scarf
from scarf_async.emulator import Emulator
from scarf_async.manifests.model import Manifest, PackageSpec
from scarf_async.sending.retry import RetryPolicy

from .worlds import ME, PEOPLE, ordered

__all__ = ["ME", "POLICY", "client", "emulator", "fill", "held", "servable"]

POLICY: Final = RetryPolicy(attempts=12, initial_delay=0.01, max_delay=0.05, settle=0.05)


def emulator() -> Emulator:
    """An emulator on which everybody of the worlds exists."""
    return Emulator(user=ME, people=PEOPLE)


def client(of: Emulator) -> Scarf:
    """A client of an emulator that tries often and fast."""
    return Scarf(of.token, base_url=of.url, v2_url=of.v2_url, retry=POLICY)


def servable(manifest: Manifest) -> Manifest:
    """A manifest that an emulator can hold: no domain twice, nothing on a package of an unknown type."""

    def package(spec: PackageSpec, owner: str) -> PackageSpec:
        if spec.library_type == "new-type":
            return attrs.evolve(spec, routes=None, domains=None)
        name = spec.name.rpartition("/")[2]
        if spec.domains is not None:
            spec = attrs.evolve(spec, domains=tuple(f"{owner}-{name}-{host[0]}.example" for host in spec.domains))
        return spec

    return attrs.evolve(
        manifest,
        organizations=tuple(
            attrs.evolve(
                spec,
                packages=None if spec.packages is None else tuple(package(one, spec.name) for one in spec.packages),
            )
            for spec in manifest.organizations
        ),
        packages=None if manifest.packages is None else tuple(package(spec, "own") for spec in manifest.packages),
    )


async def fill(scarf: Scarf, manifest: Manifest) -> None:
    """Make an emulator hold what a manifest says."""
    report = await scarf.manifests.apply(await scarf.manifests.diff(manifest))
    assert report.ok, str(report)


async def held(scarf: Scarf, *organizations: str) -> Manifest:
    """What an emulator holds, in a form that can be compared: without the domain of the public addresses."""
    pulled = await scarf.manifests.pull(*organizations, user_packages=True)

    def package(spec: PackageSpec) -> PackageSpec:
        if spec.library_type == "new-type":
            return attrs.evolve(spec, routes=None, domains=None)
        if spec.domains is None:
            return spec
        return attrs.evolve(spec, domains=tuple(name for name in spec.domains if name != "acme.example"))

    return ordered(
        attrs.evolve(
            pulled,
            me=None,
            organizations=tuple(
                attrs.evolve(spec, packages=tuple(map(package, spec.packages or ())))
                for spec in pulled.organizations
            ),
            packages=tuple(map(package, pulled.packages or ())),
        )
    )
