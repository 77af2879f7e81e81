"""What is there, with identifiers: read concurrently, and no more of it than a manifest speaks of."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import attrs

from scarf_async.bulk.concurrently import concurrently
from scarf_async.entities import Domain, Member, Organization, Package, Permission, Route
from scarf_async.entities.enums import has_domains, has_routes
from scarf_async.errors import NotFoundError, ValidationError
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.names import domain_key, organization_key, package_key
from scarf_async.protocol.looking import PackageIndex
from scarf_async.resources import Domains, Members, Organizations, Packages, Permissions, Routes
from scarf_async.sending.session import Session

__all__ = ["Live", "LiveOrganization", "LivePackage", "Match", "match_packages", "read_live"]

_EVERYTHING: Final = PackageSpec(name="*", permissions={}, routes=(), domains=())
_DOMAINS: Final = PackageSpec(name="*", domains=())


@attrs.frozen(kw_only=True)
class LivePackage:
    """A package that is there; None: that was not read.

    Attributes:
        package: the package.
        permissions: its permissions.
        routes: its routes, in the service's order.
        domains: its domains.
    """

    package: Package
    permissions: tuple[Permission, ...] | None = None
    routes: tuple[Route, ...] | None = None
    domains: tuple[Domain, ...] | None = None


@attrs.frozen(kw_only=True)
class LiveOrganization:
    """An organization that was looked for; None: that was not read, or there is no such organization.

    Attributes:
        organization: the organization; None: there is none, or the token's user does not see it.
        members: its members.
        packages: its packages.
    """

    organization: Organization | None = None
    members: tuple[Member, ...] | None = None
    packages: tuple[LivePackage, ...] | None = None


@attrs.frozen(kw_only=True)
class Live:
    """What is there of what was asked for.

    Attributes:
        organizations: by the name that was asked for.
        packages: packages of the token's user, without those of organizations; None: that was not read.
        me: the username that the token belongs to, where it was said or shows.
    """

    organizations: Mapping[str, LiveOrganization] = attrs.field(factory=dict)
    packages: tuple[LivePackage, ...] | None = None
    me: str | None = None


@attrs.frozen
class Match:
    """A package of a manifest, and what is there under its name.

    Attributes:
        spec: the package as it should be.
        found: the packages that it may be: none, one, or several that nothing tells apart.
        others: where none is found, the packages of its name that have another type and belong to no other entry.
    """

    spec: PackageSpec
    found: tuple[LivePackage, ...] = ()
    others: tuple[LivePackage, ...] = ()


def match_packages(specs: Iterable[PackageSpec], shown: Iterable[LivePackage], owner: str | None) -> list[Match]:
    """Find what is there under each name: with or without `owner/`, and of the same type where one is given.

    Raises:
        ValidationError: two entries are one package.
    """
    by_uuid = {live.package.uuid: live for live in shown}
    index = PackageIndex(live.package for live in by_uuid.values())
    entries = [(spec, [by_uuid[package.uuid] for package in index.called(spec.name, owner)]) for spec in specs]
    matches = [Match(spec, _candidates(spec, namesakes)) for spec, namesakes in entries]
    taken = _taken(matches, owner)
    return [
        match
        if match.found
        else Match(match.spec, others=tuple(live for live in namesakes if live.package.uuid not in taken))
        for match, (_, namesakes) in zip(matches, entries, strict=True)
    ]


def _taken(matches: Iterable[Match], owner: str | None) -> set[str]:
    """Return the uuids of the packages that entries speak of; refuse two entries for one package."""
    said: dict[Hashable, PackageSpec] = {}
    for match in matches:
        spec = match.spec
        one: Hashable = package_key(spec.name, owner), spec.library_type
        if len(match.found) == 1:
            one = match.found[0].package.uuid
        if one in said:
            raise ValidationError(
                f"two entries of {owner or 'your own packages'} are one package: {said[one].name!r} and"
                f" {spec.name!r}; keep one of them, or give both a type"
            )
        said[one] = spec
    return {uuid for uuid in said if isinstance(uuid, str)}


def _candidates(spec: PackageSpec, namesakes: Iterable[LivePackage]) -> tuple[LivePackage, ...]:
    wanted = spec.library_type
    candidates = [live for live in namesakes if wanted is None or live.package.library_type in {None, wanted}]
    # Where several may be meant, the type to the letter tells, and then the name to the letter.
    for attribute, value in (("library_type", wanted), ("name", spec.name)):
        if len(candidates) > 1:
            exact = [live for live in candidates if getattr(live.package, attribute) == value]
            candidates = exact or candidates
    return tuple(candidates)


async def read_live(session: Session, manifest: Manifest, *, everything: bool = False, prune: bool = False) -> Live:
    """Read what a manifest speaks of, each list once.

    Sections that are None are not read, of packages that no entry names only the list is, and routes and domains
    only where the package's type can have them. What is read is what stood there at slightly different times.

    Args:
        session: what to read with.
        manifest: what to read.
        everything: read all sections of all packages that are listed, and take an organization that is not there
            for an error.
        prune: what no entry names is to go: where a domain is wanted that no package shows, read the domains of
            those packages too, since one of them may have it.

    Raises:
        ValidationError: two entries are one package, or it does not show which packages are the token's user's own.
        NotFoundError: something went away while it was read.
        APIError: the service refused to show something.
        TransportError: no answer came.
        DecodeError: an answer is not what was promised.
    """
    reader = _Reader(session, everything=everything)
    organizations = await reader.organizations(manifest.organizations)
    own: tuple[LivePackage, ...] | None = None
    me = manifest.me
    if manifest.packages is not None:
        known = {live.organization.name for live in organizations.values() if live.organization is not None}
        own, me = await reader.own_packages(manifest.me, known)
    wanted = dict(_wanted(manifest.packages, own, me, everything=everything))
    for spec in manifest.organizations:
        live = organizations[spec.name]
        owner = spec.name if live.organization is None else live.organization.name
        wanted.update(_wanted(spec.packages, live.packages, owner, everything=everything))
    whole = {live.package.uuid: live for live in await reader.details(wanted)}
    if prune and _said_domains(manifest) - _shown_domains(whole.values()):
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
    *,
    everything: bool,
) -> Iterator[tuple[LivePackage, PackageSpec]]:
    """Yield the packages of which more is to be read, each with what says which sections."""
    if everything:
        yield from ((live, _EVERYTHING) for live in shown or ())
        return
    for match in match_packages(specs or (), shown or (), owner):
        if len(match.found) == 1:
            yield match.found[0], match.spec


def _said_domains(manifest: Manifest) -> set[str]:
    sections = [manifest.packages, *(spec.packages for spec in manifest.organizations)]
    return {domain_key(name) for specs in sections for spec in specs or () for name in spec.domains or ()}


def _shown_domains(packages: Iterable[LivePackage]) -> set[str]:
    return {domain_key(domain.name) for live in packages for domain in live.domains or ()}


class _Reader:
    def __init__(self, session: Session, *, everything: bool) -> None:
        self.everything = everything
        self._organizations = Organizations(session)
        self._members = Members(session)
        self._packages = Packages(session)
        self._permissions = Permissions(session)
        self._routes = Routes(session)
        self._domains = Domains(session)

    async def organizations(self, specs: Sequence[OrganizationSpec]) -> dict[str, LiveOrganization]:
        """Read organizations, and the lists of members and packages of those that are there."""
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
        """Read the packages of the token's user, and who that is.

        The user's list holds the packages of the user's organizations too, and v1 does not tell whose the token
        is. Without a name it is the one owner in that list who is no organization.
        """
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
        """Read what hangs on packages, as far as the entry of each speaks of it."""
        return await concurrently([partial(self._detail, live, spec) for live, spec in wanted.items()])

    async def _detail(self, live: LivePackage, spec: PackageSpec) -> LivePackage:
        package, library_type = live.package, live.package.library_type
        with_routes = spec.routes is not None and has_routes(library_type)
        with_domains = spec.domains is not None and has_domains(library_type)
        return LivePackage(
            package=package,
            permissions=None if spec.permissions is None else tuple(await self._permissions.list(package)),
            routes=tuple(await self._routes.list(package)) if with_routes else None,
            domains=tuple(await self._domains.list(package)) if with_domains else None,
        )
