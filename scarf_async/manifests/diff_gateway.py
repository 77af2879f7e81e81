"""Compare routes and domains. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from scarf_async.entities import Route, RouteCreate
from scarf_async.entities.enums import has_domains, has_routes
from scarf_async.manifests.change import Change
from scarf_async.manifests.fields import DomainFields, RouteFields
from scarf_async.manifests.live import LivePackage, public_domain
from scarf_async.manifests.model import PackageSpec
from scarf_async.manifests.rules import Make, Rules, blocked
from scarf_async.names import domain_key, is_scarfs_domain, public_host, route_key

__all__ = ["domains", "routes"]


def routes(
    spec: PackageSpec, live: LivePackage | None, library_type: str | None, make: Make, rules: Rules
) -> Iterator[Change]:
    """Compare the routes of a package: by path and URL, and then by path."""
    wanted: dict[tuple[str, str], RouteCreate] = {}
    for said in spec.routes or ():
        wanted.setdefault(route_key(said.template_path, said.outgoing_url), said)
    shown = [(route_key(route.template_path, route.outgoing_url), route) for route in (live and live.routes) or ()]
    there = {key for key, _ in shown}
    spare = [route for key, route in shown if key not in wanted]
    for key, said in wanted.items():
        if key in there:
            continue
        same_path = [route for route in spare if route_key(route.template_path, None)[0] == key[0]]
        if same_path and (change := _other_address(said, same_path[0], make, rules)) is not None:
            spare.remove(same_path[0])
            yield from change
            continue
        if not isinstance(said.outgoing_url, str) and any(path == key[0] for path, _ in there):
            continue
        new = make(action="create", kind="route", after=RouteFields.said(said))
        if not has_routes(library_type):
            new = blocked(new, f"a package of type {library_type} has no routes")
        yield rules.fitting(new)
    if rules.prune and spec.routes is not None:
        for route in spare:
            before = RouteFields.shown(route, rules.traits)
            yield rules.fitting(make(action="remove", kind="route", id=route.id, before=before))


def _other_address(said: RouteCreate, route: Route, make: Make, rules: Rules) -> list[Change] | None:
    """Return the update of a route to the one with the same path; None if they are different routes."""
    if not isinstance(said.outgoing_url, str):
        return []
    before = RouteFields.shown(route, rules.traits)
    change = make(action="update", kind="route", id=route.id, before=before, after=RouteFields.said(said))
    if before.outgoing_url is not None:
        return [rules.fitting(change)] if rules.traits.routes_updatable else None
    if rules.rewrite_addresses:
        return [rules.fitting(attrs.evolve(change, action="set"))]
    return [attrs.evolve(change, action="uncompared", note="the service does not show where it leads")]


def domains(
    spec: PackageSpec, live: LivePackage | None, library_type: str | None, make: Make, rules: Rules
) -> Iterator[Change]:
    """Compare the domains of a package."""
    wanted: dict[str, str] = {}
    for name in spec.domains or ():
        wanted.setdefault(domain_key(name), name.strip())
    # A new package is created with the domain of its public URL.
    if live is not None and (public := public_domain(spec, rules.traits)) is not None:
        wanted.setdefault(public, public)
    shown = {domain_key(domain.name): domain for domain in (live.domains if live else None) or ()}
    for key, name in wanted.items():
        if key in shown:
            continue
        change = make(action="create", kind="domain", name=name, after=DomainFields(name=name))
        if not has_domains(library_type):
            change = blocked(change, f"a package of type {library_type} has no domains")
        yield rules.fitting(change)
    if rules.prune and spec.domains is not None:
        # A package has Scarf's own domain and that of its public URL by default.
        given = public_host(spec.public_url)
        for key, domain in shown.items():
            if key not in {*wanted, given} and not is_scarfs_domain(key):
                before = DomainFields.of(domain)
                change = make(action="remove", kind="domain", name=domain.name, id=domain.id, before=before)
                yield rules.fitting(change)
