"""Read the live state with identifiers: concurrently, and only what a manifest mentions."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import attrs

from scarf_async.bulk.concurrently import concurrently
from scarf_async.dialects.dialect import Traits
from scarf_async.entities import Domain, Member, Organization, Package, Permission, Route
from scarf_async.entities.enums import has_domains, has_routes
from scarf_async.errors import APIError, NotFoundError, ValidationError
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.names import domain_key, organization_key, package_key, public_host
from scarf_async.protocol.looking import PackageIndex
from scarf_async.resources import Domains, Members, Organizations, Packages, Permissions, Routes
from scarf_async.sending.session import Session

__all__ = ["Live", "LiveOrganization", "LivePackage", "Match", "match_packages", "public_domain", "read_live"]

_EVERYTHING: Final = PackageSpec(name="*", permissions={}, routes=(), domains=())
_DOMAINS: Final = PackageSpec(name="*", domains=())
_REFUSED: Final = frozenset({403, 404, 422})


@attrs.frozen(kw_only=True)
class LivePackage:
    """An existing package; a field of None was not read.

    Attributes:
        package: the package.
        permissions: its permissions.
        refusal: why its permissions cannot be read, if the service refused that.
        routes: its routes, in the service's order.
        domains: its domains.
    """

    package: Package
    permissions: tuple[Permission, ...] | None = None
    refusal: str | None = None
    routes: tuple[Route, ...] | None = None
    domains: tuple[Domain, ...] | None = None


@attrs.frozen(kw_only=True)
class LiveOrganization:
    """A requested organization; a field of None was not read, or the organization does not exist.

    Attributes:
        organization: the organization; None if it does not exist, or the token's user cannot see it.
        members: its members.
        packages: its packages.
    """

    organization: Organization | None = None
    members: tuple[Member, ...] | None = None
    packages: tuple[LivePackage, ...] | None = None


@attrs.frozen(kw_only=True)
class Live:
    """The live state of a manifest.

    Attributes:
        organizations: the organizations by requested name.
        packages: packages of the token's user, without those of organizations; None if not read.
        me: the username that the token belongs to, if given or found.
    """

    organizations: Mapping[str, LiveOrganization] = attrs.field(factory=dict)
    packages: tuple[LivePackage, ...] | None = None
    me: str | None = None


@attrs.frozen
class Match:
    """A package of a manifest, and the live packages with its name.

    Attributes:
        spec: the package in the manifest.
        found: the matching packages: none, one, or several that cannot be distinguished.
        others: if none matches, the packages with its name, another type and no other entry.
    """

    spec: PackageSpec
    found: tuple[LivePackage, ...] = ()
    others: tuple[LivePackage, ...] = ()


def match_packages(
    specs: Iterable[PackageSpec], shown: Iterable[LivePackage], owner: str | None, alike: Collection[str] = ()
) -> list[Match]:
    """Find the live packages of each name: with or without `owner/`, and of the same type if given.

    Args:
        specs: the packages in the manifest.
        shown: the live packages.
        owner: their owner.
        alike: words for types that mean the same.

    Raises:
        ValidationError: two entries are one package.
    """
    by_uuid = {live.package.uuid: live for live in shown}
    index = PackageIndex(live.package for live in by_uuid.values())
    entries = [(spec, [by_uuid[package.uuid] for package in index.called(spec.name, owner)]) for spec in specs]
    matches = [Match(spec, _candidates(spec, namesakes, alike)) for spec, namesakes in entries]
    taken = _taken(matches, owner, alike)
    return [
        match
        if match.found
        else Match(match.spec, others=tuple(live for live in namesakes if live.package.uuid not in taken))
        for match, (_, namesakes) in zip(matches, entries, strict=True)
    ]


def _one_type(library_type: str | None, alike: Collection[str]) -> str | None:
    """Return the canonical word of a type."""
    return min(alike) if library_type in alike else library_type


def _taken(matches: Iterable[Match], owner: str | None, alike: Collection[str]) -> set[str]:
    """Return the uuids of the packages of entries; refuse two entries for one package."""
    said: dict[Hashable, PackageSpec] = {}
    for match in matches:
        spec = match.spec
        one: Hashable = package_key(spec.name, owner), _one_type(spec.library_type, alike)
        if len(match.found) == 1:
            one = match.found[0].package.uuid
        if one in said:
            raise ValidationError(
                f"two entries of {owner or 'your own packages'} name the same package: {said[one].name!r} and"
                f" {spec.name!r}; keep one of them, or give both a type"
            )
        said[one] = spec
    return {uuid for uuid in said if isinstance(uuid, str)}


def _candidates(
    spec: PackageSpec, namesakes: Iterable[LivePackage], alike: Collection[str]
) -> tuple[LivePackage, ...]:
    wanted = spec.library_type
    same = {None, wanted, *(alike if wanted in alike else ())}
    candidates = [live for live in namesakes if wanted is None or live.package.library_type in same]
    # Of several candidates, the one with exactly this type, then exactly this name, is meant.
    for attribute, value in (("library_type", wanted), ("name", spec.name)):
        if len(candidates) > 1:
            exact = [live for live in candidates if getattr(live.package, attribute) == value]
            candidates = exact or candidates
    return tuple(candidates)


async def read_live(session: Session, manifest: Manifest, *, everything: bool = False, prune: bool = False) -> Live:
    """Read the live state of everything that a manifest mentions, each list once.

    Sections that are None are not read, packages without an entry are only read from the list, and routes and
    domains only if the type of the package can have them. The reads happen at slightly different times.

    Args:
        session: the session to read with.
        manifest: the manifest.
        everything: read all sections of all listed packages, and raise an error for a missing organization.
        prune: packages without an entry will be removed: if a domain is wanted that no package shows, read their
            domains too, since one of them may have it.

    Raises:
        ValidationError: two entries are the same package, or the user's own packages cannot be told from others.
        NotFoundError: something was deleted during the read.
        APIError: the service returned an error.
        TransportError: no complete response arrived.
        DecodeError: a response does not have the documented form.
    """
    traits = session.dialect.traits
    reader = _Reader(session, everything=everything)
    organizations = await reader.organizations(manifest.organizations)
    own: tuple[LivePackage, ...] | None = None
    me = manifest.me
    if manifest.packages is not None:
        known = {live.organization.name for live in organizations.values() if live.organization is not None}
        own, me = await reader.own_packages(manifest.me, known)
    wanted = dict(_wanted(manifest.packages, own, me, traits, everything=everything))
    for spec in manifest.organizations:
        live = organizations[spec.name]
        owner = spec.name if live.organization is None else live.organization.name
        wanted.update(_wanted(spec.packages, live.packages, owner, traits, everything=everything))
    whole = {live.package.uuid: live for live in await reader.details(wanted)}
    if prune and _said_domains(manifest, traits) - _shown_domains(whole.values()):
        lists = [own, *(live.packages for live in organizations.values())]
        others = [live for shown in lists for live in shown or () if live.package.uuid not in whole]
        whole |= {live.package.uuid: live for live in await reader.details(dict.fromkeys(others, _DOMAINS))}

    def detailed(packages: Iterable[LivePackage] | None) -> tuple[LivePackage, ...] | None:
        return None if packages is None else tuple(whole.get(live.package.uuid, live) for live in packages)

    return Live(
        organizations={
            name: attrs.evolve(live, packages=detailed(live.packages)) for name, live in organizations.items()
        },
        packages=detailed(own),
        me=me,
    )


def _wanted(
    specs: Iterable[PackageSpec] | None,
    shown: Iterable[LivePackage] | None,
    owner: str | None,
    traits: Traits,
    *,
    everything: bool,
) -> Iterator[tuple[LivePackage, PackageSpec]]:
    """Yield the packages to read in detail, each with the entry that selects the sections."""
    if everything:
        yield from ((live, _EVERYTHING) for live in shown or ())
        return
    for match in match_packages(specs or (), shown or (), owner, traits.types_alike):
        if len(match.found) == 1:
            spec = match.spec
            if public_domain(spec, traits) and spec.domains is None:
                spec = attrs.evolve(spec, domains=())
            yield match.found[0], spec


def public_domain(spec: PackageSpec, traits: Traits) -> str | None:
    """Return the domain of a public URL, if the service shows it as one."""
    return public_host(spec.public_url) if traits.addresses_shown else None


def _said_domains(manifest: Manifest, traits: Traits) -> set[str]:
    sections = [manifest.packages, *(spec.packages for spec in manifest.organizations)]
    specs = [spec for specs in sections for spec in specs or ()]
    said = {domain_key(name) for spec in specs for name in spec.domains or ()}
    return said | {host for spec in specs if (host := public_domain(spec, traits))}


def _shown_domains(packages: Iterable[LivePackage]) -> set[str]:
    return {domain_key(domain.name) for live in packages for domain in live.domains or ()}


class _Reader:
    def __init__(self, session: Session, *, everything: bool) -> None:
        self.everything = everything
        self._traits = session.dialect.traits
        self._user: str | None = None
        self._organizations = Organizations(session)
        self._members = Members(session)
        self._packages = Packages(session)
        self._permissions = Permissions(session)
        self._routes = Routes(session)
        self._domains = Domains(session)

    async def organizations(self, specs: Sequence[OrganizationSpec]) -> dict[str, LiveOrganization]:
        """Read organizations, and the lists of members and packages of existing ones."""
        get = self._organizations.get if self.everything else self._organization
        shown = await concurrently([partial(get, spec.name) for spec in specs])
        there = {spec.name: organization for spec, organization in zip(specs, shown, strict=True)}
        with_members = [spec.name for spec in specs if spec.members is not None and there[spec.name]]
        with_packages = [spec.name for spec in specs if spec.packages is not None and there[spec.name]]
        members: dict[str, tuple[Member, ...]] = {}
        packages: dict[str, tuple[LivePackage, ...]] = {}

        async def read_members(name: str) -> None:
            members[name] = tuple(await self._members.list(name))

        async def read_packages(name: str) -> None:
            packages[name] = tuple(LivePackage(package=package) for package in await self._packages.list(name))

        await concurrently(
            [
                *(partial(read_members, name) for name in with_members),
                *(partial(read_packages, name) for name in with_packages),
            ]
        )
        return {
            name: LiveOrganization(
                organization=organization, members=members.get(name), packages=packages.get(name)
            )
            for name, organization in there.items()
        }

    async def _organization(self, name: str) -> Organization | None:
        try:
            return await self._organizations.get(name)
        except NotFoundError:
            return None

    async def own_packages(
        self, me: str | None, known: Iterable[str]
    ) -> tuple[tuple[LivePackage, ...], str | None]:
        """Read the packages of the token's user, and find the username.

        The user's list contains packages of the user's organizations too, and v1 does not tell the username.
        Without `me`, it is the one owner in that list who is not an organization. Without such a list, `me` is
        required.
        """
        if self._traits.owners_in_paths:
            if me is None:
                raise ValidationError(
                    "packages outside an organization are those of the token's user, and the service does not"
                    " tell who that is: set me; nothing was read",
                    field="me",
                )
            self._user = organization_key(me)
            return tuple(LivePackage(package=package) for package in await self._packages.list(me)), me
        shown = await self._packages.list()
        if me is None:
            organizations = {"", *map(organization_key, known)}
            owners = sorted({one.owner for one in shown if organization_key(one.owner) not in organizations})
            answers = await concurrently([partial(self._organization, owner) for owner in owners])
            users = [owner for owner, answer in zip(owners, answers, strict=True) if answer is None]
            if len(users) > 1:
                raise ValidationError(
                    f"the token's user may be {' or '.join(map(repr, users))}, and the service does not tell:"
                    " say it in the manifest (me)",
                    field="me",
                )
            me = users[0] if users else None
        if me is None:
            return (), None
        own = [package for package in shown if organization_key(package.owner) == organization_key(me)]
        return tuple(LivePackage(package=package) for package in own), me

    async def details(self, wanted: Mapping[LivePackage, PackageSpec]) -> list[LivePackage]:
        """Read the permissions, routes and domains of packages, as far as their entries mention them."""
        return await concurrently([partial(self._detail, live, spec) for live, spec in wanted.items()])

    async def _detail(self, live: LivePackage, spec: PackageSpec) -> LivePackage:
        package, library_type = live.package, live.package.library_type
        with_routes = spec.routes is not None and has_routes(library_type)
        with_domains = spec.domains is not None and has_domains(library_type)
        permissions, refusal = None, None
        if spec.permissions is not None:
            permissions, refusal = await self._permissions_of(package)
        return LivePackage(
            package=package,
            permissions=permissions,
            refusal=refusal,
            routes=tuple(await self._routes.list(package)) if with_routes else None,
            domains=tuple(await self._domains.list(package)) if with_domains else None,
        )

    async def _permissions_of(self, package: Package) -> tuple[tuple[Permission, ...] | None, str | None]:
        """Read permissions, or return why they cannot be read."""
        try:
            return tuple(await self._permissions.list(package)), None
        except APIError as error:
            of_user = organization_key(package.owner) == self._user
            if self._traits.permissions_everywhere or of_user or error.status not in _REFUSED:
                raise
            notes = "; ".join(getattr(error, "__notes__", ()))
            return None, f"its permissions cannot be read ({error.status}){notes and ': '}{notes}"
