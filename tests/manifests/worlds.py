"""What may be there, what may be wanted, and what changes make of it: on data, without a request."""

from __future__ import annotations

from itertools import count
from typing import Final, TypeVar

import attrs
from hypothesis import strategies as st

from scarf_async import (
    Domain,
    Member,
    Organization,
    Package,
    Permission,
    PermissionLevel,
    Role,
    Route,
)
from scarf_async.entities.enums import has_domains, has_routes
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.live import Live, LiveOrganization, LivePackage
from scarf_async.manifests.model import Manifest, PackageSpec
from scarf_async.manifests.pull import described
from scarf_async.names import user_key

__all__ = ["PEOPLE", "applied", "in_v2", "lives", "ordered", "union", "wanted"]

T = TypeVar("T")

ME: Final = "ann"
USERS: Final = ("ann", "Bob", "cyd", "dee")
PEOPLE: Final = {user: f"{user}@Example.com" for user in USERS}
TYPES: Final = {
    "web": "docker",
    "cli": "npm",
    "dl": "file",
    "lib": "pypi",
    "py": "python",
    "any": "other",
    "odd": "new-type",
}
TEXTS: Final = st.sampled_from(["", "Tools", "Toys"])
ADDRESSES: Final = {
    "docker": {"backend_url": "https://ghcr.io/acme/web", "public_url": "https://acme.example/acme/web"},
    "pypi": {"repository_url": "https://pypi.example/simple/"},
    "python": {"repository_url": "https://pypi.example/simple/"},
}


# What may be there.


@st.composite
def _packages(draw: st.DrawFn, owner: str) -> tuple[LivePackage, ...]:
    names = draw(st.lists(st.sampled_from(sorted(TYPES)), unique=True, max_size=4))
    return tuple(draw(_package(owner, name)) for name in names)


@st.composite
def _package(draw: st.DrawFn, owner: str, name: str) -> LivePackage:
    library_type = TYPES[name]
    prefixed = library_type == "docker" and draw(st.booleans())
    users = draw(st.lists(st.sampled_from(USERS), unique=True))
    levels = st.sampled_from(
        [level for level in PermissionLevel if level is not PermissionLevel.OWNER]
    )  # v1 has none
    routes = draw(st.lists(st.sampled_from(["/a", "/b", "/c"]), max_size=3)) if has_routes(library_type) else None
    hosts = draw(st.lists(st.sampled_from(["x", "y", "z"]), unique=True))
    return LivePackage(
        package=Package(
            uuid=f"{owner}-{name}",
            owner=owner,
            name=f"{owner}/{name}" if prefixed else name,
            short_description=draw(TEXTS),
            long_description=draw(TEXTS) or None,
            website=draw(TEXTS) or None,
            library_type=library_type,
        ),
        permissions=tuple(Permission(user, draw(levels)) for user in users),
        routes=None
        if routes is None
        else tuple(
            Route(f"{owner}-{name}-{path}-{place}", f"https://example.org{path}", path)
            for place, path in enumerate(routes)
        ),
        domains=tuple(Domain(f"{owner}-{name}-{host}", f"{host}.example") for host in hosts)
        if has_domains(library_type)
        else None,
    )


@st.composite
def _organization(draw: st.DrawFn, name: str) -> LiveOrganization:
    if draw(st.integers(0, 5)) == 0:
        return LiveOrganization()
    others = draw(st.dictionaries(st.sampled_from(USERS[1:]), st.sampled_from(list(Role))))
    return LiveOrganization(
        organization=Organization(
            name=name, description=draw(TEXTS), website=draw(TEXTS) or None, billing_email=draw(TEXTS)
        ),
        members=tuple(
            Member(organization_name=name, username=user, role=role)
            for user, role in {ME: Role.OWNER, **others}.items()
        ),
        packages=draw(_packages(name)),
    )


@st.composite
def lives(draw: st.DrawFn) -> Live:
    """Two organizations that may be there, and maybe packages of the user's own."""
    return Live(
        organizations={name: draw(_organization(name)) for name in ("acme", "umbra")},
        packages=draw(_packages(ME)),
        me=ME,
    )


def in_v2(live: Live) -> Live:
    """What v2 shows of it: addresses, owners, and python packages; not who is blocked, nor types that it lacks."""

    def package(one: LivePackage) -> LivePackage:
        owner, name, library_type = one.package.owner, one.package.name, one.package.library_type
        shown = one.package
        if library_type == "docker":
            path = f"{owner}/{name.rpartition('/')[2]}"
            shown = attrs.evolve(shown, name=path, backend_registry="ghcr.io", repository_name=path)
        elif library_type in {"pypi", "python"}:
            shown = attrs.evolve(shown, library_type="python", repository_url="https://index.example/")
        entries = [
            attrs.evolve(entry, permission_level=PermissionLevel.OWNER) if entry.username == owner else entry
            for entry in one.permissions or ()
            if entry.permission_level not in {PermissionLevel.BLOCKED, PermissionLevel.DEFAULT}
        ]
        return attrs.evolve(one, package=shown, permissions=tuple(entries))

    def all_of(shown: tuple[LivePackage, ...] | None) -> tuple[LivePackage, ...] | None:
        known = [one for one in shown or () if one.package.library_type not in {"other", "new-type"}]
        return None if shown is None else tuple(map(package, known))

    return attrs.evolve(
        live,
        organizations={
            name: attrs.evolve(organization, packages=all_of(organization.packages))
            for name, organization in live.organizations.items()
        },
        packages=all_of(live.packages),
    )


# What may be wanted.


@st.composite
def wanted(draw: st.DrawFn) -> Manifest:
    """A manifest that says all of what may be there, addresses too, with people by either of their names."""
    manifest = described(draw(lives()))
    return attrs.evolve(
        manifest,
        organizations=tuple(
            attrs.evolve(
                spec,
                packages=None
                if spec.packages is None
                else tuple(draw(_told(package)) for package in spec.packages),
            )
            for spec in manifest.organizations
            if spec.members is not None
        ),
        packages=tuple(draw(_told(package)) for package in manifest.packages or ()),
        people=PEOPLE,
    )


@st.composite
def _told(draw: st.DrawFn, spec: PackageSpec) -> PackageSpec:
    def spelled(user: str) -> str:
        return draw(st.sampled_from([user, user.upper(), PEOPLE[user], PEOPLE[user].lower()]))

    levels = {spelled(user): level for user, level in (spec.permissions or {}).items()}
    addresses = ADDRESSES.get(str(spec.library_type), {})
    return attrs.evolve(
        spec,
        permissions=levels,
        backend_url=addresses.get("backend_url"),
        public_url=addresses.get("public_url"),
        repository_url=addresses.get("repository_url"),
    )


# What changes make of it.

_identifiers = count()


def applied(changes: Changes, live: Live) -> Live:
    """What exists after the changes: each is carried out as the service would."""
    for change in changes.applicable:
        live = _applied(change, live)
    return live


def _applied(change: Change, live: Live) -> Live:
    if change.organization is None:
        return attrs.evolve(live, packages=_with(change, live.packages or (), ME))
    organization = live.organizations[change.organization]
    if change.kind == "organization":
        after = dict(change.after or {})
        shown = Organization(
            name=change.organization,
            description=after["description"],
            billing_email=after["billing_email"],
            website=after.get("website") or None,
        )
        made = LiveOrganization(
            members=(Member(organization_name=shown.name, username=ME, role=Role.OWNER),), packages=()
        )
        base = made if change.action == "create" else organization
        organization = attrs.evolve(base, organization=shown)
    elif change.kind == "member":
        assert change.name is not None
        key = user_key(change.name)
        members = [member for member in organization.members or () if user_key(member.username) != key]
        if change.action != "remove":
            role = Role((change.after or {})["role"])
            members.append(Member(organization_name=change.organization, username=_proper(key), role=role))
        organization = attrs.evolve(organization, members=tuple(members))
    else:
        organization = attrs.evolve(
            organization, packages=_with(change, organization.packages or (), change.organization)
        )
    return attrs.evolve(live, organizations={**live.organizations, change.organization: organization})


def _proper(query: str) -> str:
    return next(user for user in USERS if query in {user_key(user), user_key(PEOPLE[user])})


def _with(change: Change, packages: tuple[LivePackage, ...], owner: str) -> tuple[LivePackage, ...]:
    if change.kind == "package" and change.action == "create":
        return (*packages, _made(change, owner))
    same = [
        live
        for live in packages
        if live.package.uuid == change.uuid
        or (
            change.uuid is None
            and (live.package.name, live.package.library_type) == (change.package, _type(change))
        )
    ]
    assert len(same) == 1, change
    changed = _changed(change, same[0])
    others = tuple(live for live in packages if live is not same[0])
    return others if changed is None else (*others, changed)


def _type(change: Change) -> str:
    return change.library_type or "other"


def _made(change: Change, owner: str) -> LivePackage:
    after, library_type = dict(change.after or {}), _type(change)
    assert change.package is not None
    return LivePackage(
        package=Package(
            uuid=f"new-{next(_identifiers)}",
            owner=owner,
            name=change.package,
            short_description=after["short_description"],
            long_description=after.get("long_description"),
            website=after.get("website"),
            library_type=library_type,
            backend_registry="ghcr.io" if "backend_url" in after else None,
            repository_name=after["backend_url"].removeprefix("https://ghcr.io/")
            if "backend_url" in after
            else None,
            repository_url=after.get("repository_url"),
        ),
        permissions=(),
        routes=() if has_routes(library_type) else None,
        domains=() if has_domains(library_type) else None,
    )


def _changed(change: Change, live: LivePackage) -> LivePackage | None:
    after = dict(change.after or {})
    if change.kind == "route" and change.action == "update":
        assert change.id is not None
        moved = Route(change.id, after["outgoing_url"], after["template_path"])
        return attrs.evolve(
            live, routes=tuple(moved if route.id == change.id else route for route in live.routes or ())
        )
    if change.kind == "package":
        if change.action == "remove":
            return None
        package = attrs.evolve(
            live.package,
            short_description=after["short_description"],
            long_description=after.get("long_description") or None,
            website=after.get("website") or None,
            repository_url=after.get("repository_url") or live.package.repository_url,
        )
        return attrs.evolve(live, package=package)
    if change.kind == "permission":
        assert change.name is not None
        user = _proper(user_key(change.name))
        entries = [entry for entry in live.permissions or () if user_key(entry.username) != user_key(user)]
        level = after.get("level", "default")
        if level != "default":
            entries.append(Permission(user, PermissionLevel(level)))
        return attrs.evolve(live, permissions=tuple(entries))
    if change.kind == "route":
        routes = [route for route in live.routes or () if route.id != change.id]
        if change.action == "create":
            routes.append(Route(f"new-{next(_identifiers)}", after["outgoing_url"], after["template_path"]))
        return attrs.evolve(live, routes=tuple(routes))
    domains = [domain for domain in live.domains or () if domain.id != change.id]
    if change.action == "create":
        domains.append(Domain(f"new-{next(_identifiers)}", after["name"]))
    return attrs.evolve(live, domains=tuple(domains))


# What two manifests come to.


def ordered(manifest: Manifest) -> Manifest:
    """The manifest without what the service shows in any order, its people and addresses."""
    return Manifest(
        organizations=tuple(
            attrs.evolve(
                spec,
                members=None if spec.members is None else dict(sorted(spec.members.items())),
                packages=_ordered(spec.packages),
            )
            for spec in sorted(manifest.organizations, key=lambda spec: spec.name)
        ),
        packages=_ordered(manifest.packages),
    )


def _ordered(specs: tuple[PackageSpec, ...] | None) -> tuple[PackageSpec, ...] | None:
    if specs is None:
        return None
    return tuple(
        attrs.evolve(
            spec,
            name=_bare(spec),
            backend_url=None,
            public_url=None,
            repository_url=None,
            permissions={
                _proper(user_key(user)): level
                for user, level in sorted((spec.permissions or {}).items(), key=lambda entry: user_key(entry[0]))
            },
            routes=None
            if spec.routes is None
            else tuple(sorted(spec.routes, key=lambda route: route.template_path)),
            domains=None if spec.domains is None else tuple(sorted(spec.domains)),
        )
        for spec in sorted(specs, key=_bare)
    )


def _bare(spec: PackageSpec) -> str:
    return spec.name.rpartition("/")[2]


def union(there: Manifest, more: Manifest) -> Manifest:
    """All of both; where they differ, the second's word. Both as `ordered` gives them."""
    organizations = {spec.name: spec for spec in there.organizations if spec.members is not None}
    for spec in more.organizations:
        first = organizations.get(spec.name, spec)
        organizations[spec.name] = attrs.evolve(
            spec,
            members={**(first.members or {}), **(spec.members or {})},
            packages=_union(first.packages, spec.packages),
        )
    absent = [spec for spec in there.organizations if spec.name not in organizations]
    return ordered(
        Manifest(organizations=(*organizations.values(), *absent), packages=_union(there.packages, more.packages))
    )


def _union(
    there: tuple[PackageSpec, ...] | None, more: tuple[PackageSpec, ...] | None
) -> tuple[PackageSpec, ...] | None:
    packages = {spec.name: spec for spec in there or ()}
    for spec in more or ():
        first = packages.get(spec.name, spec)
        packages[spec.name] = attrs.evolve(
            spec,
            permissions={**(first.permissions or {}), **(spec.permissions or {})},
            routes=_both(first.routes, spec.routes),
            domains=_both(first.domains, spec.domains),
        )
    return tuple(packages.values())


def _both(first: tuple[T, ...] | None, second: tuple[T, ...] | None) -> tuple[T, ...] | None:
    return None if first is None or second is None else tuple(dict.fromkeys((*first, *second)))
