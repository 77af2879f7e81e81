"""Programs of single calls, drawn at random, as both versions carry them out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import attrs
from hypothesis import strategies as st

from scarf_async import (
    UNSET,
    DomainCreate,
    OrganizationUpsert,
    Package,
    PackageKey,
    PackageUpsert,
    PermissionSet,
    Role,
    RouteCreate,
    Scarf,
    ScarfError,
)
from scarf_async.emulator.state import PackageState, State

__all__ = ["USER", "Machine", "Step", "in_words_of_v2", "programs"]

USER: Final = "emulator-user"
_PYTHON: Final = {"pypi", "python"}
_RETURNED: Final = ("short_description", "long_description", "website")


@attrs.frozen
class Made:
    """A package that was made."""

    is_users: bool
    library_type: str
    host: str | None
    id: str


@attrs.frozen
class Fields:
    """What a package is to be, whatever its type.

    Attributes:
        texts: its short and its long description, and its website.
        name: its name, if it is not an image.
        path: its name, if it is one.
        registry: where the images are.
        index: where the files of a python package are.
        is_bare: whether an image's name leaves its owner out.
    """

    texts: tuple[str, str | None, str | None]
    name: str
    path: str
    registry: str
    index: str
    is_bare: bool

    def upsert(
        self, machine: Machine, library_type: str, *, is_users: bool, host: str | None, type_said: bool = True
    ) -> PackageUpsert:
        """Return what to send. v1 finds packages by name no matter who owns them, so those of owners differ."""
        name, addresses = self.name, {}
        if library_type == "docker":
            name = self.path.removeprefix(f"{machine.owner(is_users)}/") if self.is_bare else self.path
            ending = f"/{self.path}{ending_of(is_users)}"
            addresses["backend_url"] = f"https://{self.registry}{ending}"
            if host is not None:
                addresses["public_url"] = f"https://{host_of(is_users, host)}{ending}"
        elif library_type in _PYTHON:
            addresses["repository_url"] = self.index
        short, long, website = self.texts
        return PackageUpsert(
            name=f"{name}{ending_of(is_users)}",
            short_description=short,
            long_description=long,
            website=website,
            library_type=library_type if type_said else UNSET,
            **addresses,
        )


@attrs.define
class Machine:
    """Carries out a program on a version, and remembers what it made.

    Attributes:
        scarf: the client.
        organization: what the organization is called by now.
        packages: what was made; deleted ones too.
        routes: the id of each, and its package.
        domains: the id of each, and its package.
    """

    scarf: Scarf
    organization: str = "acme"
    packages: list[Made] = attrs.field(factory=list)
    routes: list[tuple[int, str]] = attrs.field(factory=list)
    domains: list[tuple[int, str]] = attrs.field(factory=list)

    @property
    def is_v2(self) -> bool:
        """Whether it uses v2."""
        return self.scarf.api == "v2"

    def owner(self, is_users: bool) -> str:
        """Return the name of one of the two owners."""
        return USER if is_users else self.organization

    def made(self, number: int) -> Made:
        """Return a package that was made, counted around."""
        return self.packages[number % len(self.packages)]

    def key(self, number: int) -> PackageKey:
        """Return the key of a package, counted around."""
        made = self.made(number)
        return PackageKey(self.owner(made.is_users), made.id)

    async def run(self, step: Step) -> object:
        """Carry out a step; return what it gives in words of neither version, or the error."""
        try:
            return await step(self)
        except ScarfError as error:
            return error


def ending_of(is_users: bool) -> str:
    """Return what the names of an owner's packages end in."""
    return "-mine" if is_users else ""


def host_of(is_users: bool, name: str) -> str:
    """Return a domain of an owner: two cannot have one, which v1 tells later than v2."""
    return f"my.{name}" if is_users else name


Step: TypeAlias = Callable[[Machine], Awaitable[object]]


def _shown(package: Package) -> object:
    fields = [getattr(package, name) or None for name in _RETURNED]
    library_type = "python" if package.library_type in _PYTHON else str(package.library_type)
    # In v1 the name of an image need not be its whole path.
    return package.owner, library_type, package.name.rpartition("/")[2], *fields


@attrs.frozen
class Create:
    """A package with what its type needs: v1 creates the route of a file package by a call of its own."""

    is_users: bool
    library_type: str
    host: str | None
    fields: Fields
    keep: bool

    async def __call__(self, machine: Machine) -> object:
        """Create it."""
        organization = None if self.is_users and not machine.is_v2 else machine.owner(self.is_users)
        route = RouteCreate("https://f.example", "/first") if self.library_type == "file" else None
        made = await machine.scarf.packages.create(
            self.fields.upsert(machine, self.library_type, is_users=self.is_users, host=self.host),
            organization,
            route=route if machine.is_v2 else None,
            if_exists="keep" if self.keep else "fail",
        )
        if all(package.id != made.uuid for package in machine.packages):
            machine.packages.append(Made(self.is_users, self.library_type, self.host, made.uuid))
            if route is not None and not machine.is_v2:
                await machine.scarf.routes.create(made, route)
        return _shown(made)


@attrs.frozen
class Update:
    """Another name, other texts and addresses for a package."""

    number: int
    fields: Fields
    type_said: bool
    by_entity: bool

    async def __call__(self, machine: Machine) -> object:
        """Update it."""
        made, key = machine.made(self.number), machine.key(self.number)
        package: Package | PackageKey = await machine.scarf.packages.get(key) if self.by_entity else key
        upsert = self.fields.upsert(
            machine, made.library_type, is_users=made.is_users, host=made.host, type_said=self.type_said
        )
        return _shown(await machine.scarf.packages.update(package, upsert))


@attrs.frozen
class OnPackage:
    """Something else that is done to a package."""

    number: int
    what: str

    async def __call__(self, machine: Machine) -> object:
        """Do it."""
        scarf, key = machine.scarf, machine.key(self.number)
        if self.what == "delete":
            await scarf.packages.delete(key)
            return None
        if self.what == "get":
            return _shown(await scarf.packages.get(key))
        if self.what == "routes":
            routes = await scarf.routes.list(key)
            assert [await scarf.routes.get(key, route.id) for route in routes] == routes
            return sorted((route.template_path, route.outgoing_url) for route in routes)
        if self.what == "domains":
            domains = await scarf.domains.list(key)
            assert [await scarf.domains.get(key, domain.id) for domain in domains] == domains
            return sorted(domain.name for domain in domains)
        permissions = await scarf.permissions.list(key)
        return sorted((one.username, str(one.permission_level)) for one in permissions if one.username != USER)


@attrs.frozen
class Named:
    """A package by its name, with its type or without."""

    number: int
    type_said: bool

    async def __call__(self, machine: Machine) -> object:
        """Read it."""
        key = machine.key(self.number)
        there = await machine.scarf.packages.get(key)
        library_type = there.library_type if self.type_said else None
        return _shown(await machine.scarf.packages.get(there.name, library_type, owner=key.owner))


@attrs.frozen
class Many:
    """More packages, routes, members or permissions than a page holds."""

    what: str
    number: int

    async def __call__(self, machine: Machine) -> object:
        """Create them; return how many there are."""
        scarf, key = machine.scarf, machine.key(self.number)
        words = [f"n{number}" for number in range(11)]
        if self.what == "packages":
            for word in words:
                wanted = PackageUpsert(name=word, short_description="", library_type="npm")
                await scarf.packages.create(wanted, machine.organization, if_exists="keep")
            return len(await scarf.packages.list(machine.organization))
        if self.what == "routes":
            for word in words:
                await scarf.routes.create(key, RouteCreate("https://o.example", f"/{word}"), if_exists="keep")
            return len(await scarf.routes.list(key))
        if self.what == "members":
            for word in words:
                await scarf.members.upsert(machine.organization, word, "member")
            return len(await scarf.members.list(machine.organization))
        await scarf.permissions.set(key, [PermissionSet(word, "member") for word in words])
        return len([one for one in await scarf.permissions.list(key) if one.username != USER])


@attrs.frozen
class Listed:
    """The packages of an owner."""

    types: Sequence[str]

    async def __call__(self, machine: Machine) -> object:
        """List them."""
        packages = await machine.scarf.packages.list(machine.organization, types=self.types)
        return sorted(map(repr, map(_shown, packages)))


@attrs.frozen
class SetPermissions:
    """Levels of users of a package."""

    number: int
    entries: Sequence[PermissionSet]

    async def __call__(self, machine: Machine) -> object:
        """Set them."""
        await machine.scarf.permissions.set(machine.key(self.number), self.entries)
        return None


@attrs.frozen
class AddRoute:
    """A route to add."""

    number: int
    route: RouteCreate

    async def __call__(self, machine: Machine) -> object:
        """Add it."""
        number = self.number % len(machine.packages)
        made = await machine.scarf.routes.create(machine.key(number), self.route)
        machine.routes.append((number, made.id))
        return made.template_path, made.outgoing_url


@attrs.frozen
class AddDomain:
    """A domain to add."""

    number: int
    name: str
    keep: bool

    async def __call__(self, machine: Machine) -> object:
        """Add it."""
        number = self.number % len(machine.packages)
        made = await machine.scarf.domains.create(
            machine.key(number),
            DomainCreate(host_of(machine.made(number).is_users, self.name)),
            if_exists="keep" if self.keep else "fail",
        )
        machine.domains.append((number, made.id))
        return made.name


@attrs.frozen
class Remove:
    """One of the routes or domains that were added; removed ones too."""

    what: str
    number: int

    async def __call__(self, machine: Machine) -> object:
        """Remove it."""
        added = machine.routes if self.what == "route" else machine.domains
        if not added:
            return None
        package, identifier = added[self.number % len(added)]
        group = machine.scarf.routes if self.what == "route" else machine.scarf.domains
        await group.delete(machine.key(package), identifier)
        return None


@attrs.frozen
class OnMember:
    """A membership: its role, or None for its end."""

    username: str
    role: Role | None

    async def __call__(self, machine: Machine) -> object:
        """Change it; return all members."""
        members = machine.scarf.members
        if self.role is None:
            await members.remove(machine.organization, self.username)
        else:
            made = await members.upsert(machine.organization, self.username, self.role)
            assert await members.get(machine.organization, self.username) == made
        return sorted((one.username, str(one.role)) for one in await members.list(machine.organization))


@attrs.frozen
class ChangeOrganization:
    """The organization with other words, and perhaps another name."""

    name: str | None
    words: tuple[str, str, str | None]

    async def __call__(self, machine: Machine) -> object:
        """Change it."""
        description, email, website = self.words
        wanted = OrganizationUpsert(
            name=self.name or machine.organization, description=description, billing_email=email, website=website
        )
        made = await machine.scarf.organizations.update(machine.organization, wanted)
        machine.organization = made.name
        assert await machine.scarf.organizations.get(made.name) == made
        return made.name, made.description, made.billing_email, made.website or None


_TEXTS: Final = st.sampled_from(["", "one", "two\nlines", "\u00e4 \u20ac"])
_OPTIONAL: Final = st.one_of(st.none(), _TEXTS)
_NUMBERS: Final = st.integers(0, 5)
_TYPES: Final = st.sampled_from(["npm", "hackage", "file", "docker", "pypi"])
_NAMES: Final = st.sampled_from(["tool", "web"])
_PATHS: Final = st.sampled_from(["acme/tool", "acme/web", "apex/web", "emulator-user/web", "web"])
_HOSTS: Final = st.sampled_from(["ghcr.io", "r.example:5000"])
_PUBLIC: Final = st.sampled_from([None, None, "cr.example", "cs.example"])
_INDEXES: Final = st.sampled_from(["https://i.example/simple/", "https://j.example/"])
_DOMAINS: Final = st.sampled_from(["dl.example", "dm.example", "cr.example"])
_USERS: Final = st.sampled_from(["ann", "bob", "unknown-one", USER])


_FIELDS: Final = st.builds(
    Fields, st.tuples(_TEXTS, _OPTIONAL, _OPTIONAL), _NAMES, _PATHS, _HOSTS, _INDEXES, st.booleans()
)
_ENTRIES: Final = st.builds(
    PermissionSet,
    st.sampled_from(["ann", "Bob", "cat"]),
    st.sampled_from(["member", "admin", "default"]),
)
_ROUTES: Final = st.builds(
    RouteCreate,
    st.sampled_from(["https://o.example/{v}", "https://o.example/x"]),
    st.sampled_from(["/{v}", "/a/{v}"]),
)
_ON_PACKAGE: Final = st.sampled_from(["delete", "get", "routes", "domains", "permissions"])
_WEBSITES: Final = st.sampled_from([None, "https://a.example", "https://b.example/"])
_WORDS: Final = st.tuples(_TEXTS, st.sampled_from(["pay@a.example", "b@a.example"]), _WEBSITES)
_STEPS: Final = st.one_of(
    *[st.builds(Create, st.booleans(), _TYPES, _PUBLIC, _FIELDS, st.booleans())] * 2,
    *[st.builds(Update, _NUMBERS, _FIELDS, st.booleans(), st.booleans())] * 2,
    st.builds(OnPackage, _NUMBERS, _ON_PACKAGE),
    st.builds(Named, _NUMBERS, st.booleans()),
    st.builds(Many, st.sampled_from(["packages", "routes", "members", "permissions"]), _NUMBERS),
    st.builds(Listed, st.lists(_TYPES, max_size=2)),
    st.builds(SetPermissions, _NUMBERS, st.lists(_ENTRIES, min_size=1, max_size=3)),
    st.builds(AddRoute, _NUMBERS, _ROUTES),
    st.builds(AddDomain, _NUMBERS, _DOMAINS, st.booleans()),
    st.builds(Remove, st.sampled_from(["route", "domain"]), _NUMBERS),
    st.builds(OnMember, _USERS, st.sampled_from([None, Role.MEMBER, Role.ADMIN])),
    st.builds(ChangeOrganization, st.sampled_from([None, None, "apex", "acme"]), _WORDS),
)


def programs() -> st.SearchStrategy[list[Step]]:
    """Return programs that begin with a package."""
    first = st.builds(Create, st.booleans(), _TYPES, _PUBLIC, _FIELDS, st.just(False))
    return st.tuples(first, st.lists(_STEPS, min_size=3, max_size=16)).map(lambda drawn: [drawn[0], *drawn[1]])


def in_words_of_v2(state: State) -> State:
    """Say of what v1 has made what v2 says of it: pypi is python, the name of an image its path."""
    packages: dict[str, PackageState] = {}
    for key, package in state["packages"].items():
        owner, library_type, name = key.split("/", 2)
        address = package["backendUrl"]
        if address is not None:
            name = address.partition("//")[2].partition("/")[2]
        words = "python" if library_type in _PYTHON else library_type
        shown = package.copy()
        shown["longDescription"], shown["website"] = package["longDescription"] or None, package["website"] or None
        packages[f"{owner}/{words}/{name}"] = shown
    organizations = {name: organization.copy() for name, organization in state["organizations"].items()}
    for organization in organizations.values():
        organization["website"] = organization["website"] or None
    return {"organizations": organizations, "packages": packages}
