"""Manifests in v2, over the emulator: the same file as in v1, and what only one of both can do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from scarf_async import (
    Importance,
    Manifest,
    OrganizationSpec,
    OrganizationUpsert,
    PackageSpec,
    PermissionLevel,
    PermissionSet,
    Role,
    RouteCreate,
    Scarf,
    ValidationError,
    read_manifest,
    write_manifest,
)
from scarf_async.emulator import Emulator, Quirks

from .served import POLICY
from .states import lines

ME = "emulator-user"
WEB = PackageSpec(
    name="web",
    library_type="docker",
    short_description="Web",
    backend_url="https://ghcr.io/acme/web",
    public_url="https://img.acme.example/acme/web",
    permissions={"ann": PermissionLevel.ADMIN},
    domains=("img.acme.example",),
)
B = RouteCreate("https://example.org/b", "/b")
DL = PackageSpec(
    name="dl",
    library_type="file",
    short_description="Downloads",
    website="https://acme.example/dl",
    routes=(RouteCreate("https://example.org/a", "/a"), B),
    domains=("dl.acme.example",),
)
LIB = PackageSpec(
    name="lib", library_type="pypi", short_description="", repository_url="https://index.example/simple/"
)
OWN = PackageSpec(
    name="cli", library_type="npm", short_description="Mine", permissions={"bob": PermissionLevel.MEMBER}
)
ACME = OrganizationSpec(
    name="acme",
    description="Tools",
    website="https://acme.example",
    billing_email="pay@acme.example",
    members={ME: Role.OWNER, "ann": Role.ADMIN, "bob": Role.MEMBER},
    packages=(WEB, DL, LIB),
)
FILE = Manifest(organizations=(ACME,), packages=(OWN,), me=ME)
PEOPLE = {"ann": "ann@a.example", "bob": "bob@x.example"}
WORKS: Any = {"permissions_of_organizations": "works"}
QUIRKS: list[dict[str, Any]] = [
    WORKS,
    {**WORKS, "absent": "null"},
    {**WORKS, "put_clears": False},
    {**WORKS, "paging": "after", "default_per_page": 1},
    {**WORKS, "paging": "ignores-after"},
    {**WORKS, "package_cursor": "id", "members_post_upserts": True, "max_per_page": 10},
    {"error_bodies": "empty"},
]


def acme(*packages: PackageSpec, **fields: Any) -> Manifest:
    """A manifest of packages of acme."""
    return Manifest(organizations=(OrganizationSpec(name="acme", packages=packages, **fields),))


@asynccontextmanager
async def served(**quirks: Any) -> AsyncIterator[tuple[Emulator, Scarf, Scarf]]:
    """An emulator, and clients of v1 and v2, whose owner is nobody that manifests speak of."""
    async with (
        Emulator(user=ME, people=PEOPLE, quirks=Quirks(**quirks)) as emulator,
        Scarf(emulator.token, base_url=emulator.url, retry=POLICY) as one,
        Scarf(emulator.token, api="v2", owner="nobody", v2_url=emulator.v2_url, retry=POLICY) as two,
    ):
        yield emulator, one, two


async def apply(scarf: Scarf, manifest: Manifest, **options: Any) -> None:
    """Make it so, all of it."""
    report = await scarf.manifests.apply(await scarf.manifests.diff(manifest, **options), max_removals=99)
    assert report.ok, report


@pytest.mark.parametrize("quirks", QUIRKS)
async def test_what_a_file_made_in_v1_is_so_in_v2(quirks: dict[str, Any]) -> None:
    """The same file differs in nothing, addresses too; only what v2 refuses to show is blocked."""
    async with served(**quirks) as (_, one, two):
        await apply(one, FILE)
        changes = await two.manifests.diff(FILE, prune=True)
        refused = "permissions_of_organizations" not in quirks
        assert lines(changes) == (["! permission acme/web/ann: admin"] if refused else [])
        assert changes.applicable == ()


@pytest.mark.parametrize("quirks", QUIRKS)
async def test_a_second_comparison_finds_nothing(quirks: dict[str, Any]) -> None:
    """After a file was applied nothing is left to send, whatever the service leaves open."""
    new = (
        attrs.evolve(WEB, short_description="Site", long_description="Long", domains=("w.acme.example",)),
        attrs.evolve(DL, website="", long_description="More", importance=Importance.HIGH),
        attrs.evolve(LIB, name="other", library_type="python", importance=Importance.LOW),
        PackageSpec(name="tool", library_type="npm", short_description="Tool"),
        attrs.evolve(DL, name="more", domains=("more.acme.example",)),
    )
    said = attrs.evolve(ACME, packages=new, website="", members={ME: Role.OWNER, "bob": Role.ADMIN})
    manifest = attrs.evolve(FILE, organizations=(said,), packages=(attrs.evolve(OWN, short_description="Ours"),))
    async with served(**quirks) as (_, one, two):
        await apply(one, FILE)
        report = await two.manifests.apply(await two.manifests.diff(manifest, prune=True), max_removals=99)
        report.raise_for_failures()
        again = await two.manifests.diff(manifest, prune=True)
        assert again.applicable == ()
        assert [change.kind for change in again] == (["permission"] if report.blocked else [])
        assert (await two.manifests.diff(await two.manifests.pull("acme"), prune=True)).applicable == ()
        # In v1 the same is so; it does not know importance, and does not show addresses.
        left = await one.manifests.diff(manifest, prune=True)
        assert left.applicable == ()


async def test_pull_says_addresses_and_domains() -> None:
    """In v2 addresses are shown; the public one as a domain, and Scarf's own domains and owners are left out."""
    async with served(**WORKS) as (_, one, two):
        await apply(one, FILE)
        for own in await two.packages.list(ME):
            await two.permissions.set(own, PermissionSet(ME, "owner"))
        pulled = await two.manifests.pull("acme", user_packages=True, me=ME)
        (spec,) = pulled.organizations
        packages = {package.name: package for package in spec.packages or ()}
        web, dl, lib = packages["acme/web"], packages["dl"], packages["lib"]
        assert (web.backend_url, web.public_url, web.domains) == (WEB.backend_url, None, ("img.acme.example",))
        assert (lib.library_type, lib.repository_url) == ("python", LIB.repository_url)
        assert (set(dl.routes or ()), dl.domains) == (set(DL.routes or ()), DL.domains)
        assert pulled.packages is not None
        assert pulled.packages[0].permissions == OWN.permissions
        assert lines(await two.manifests.diff(pulled, prune=True)) == []


async def test_packages_outside_an_organization_are_those_of_me() -> None:
    """Never those of the client's owner: `me` has to say it, and it decides where they are created."""
    async with served() as (_, __, two):
        without = Manifest(packages=(OWN,))
        with pytest.raises(ValidationError, match=r"set me"):
            await two.manifests.diff(without)
        with pytest.raises(ValidationError, match=r"set me"):
            await two.with_options(owner=ME).manifests.pull(user_packages=True)
        await apply(two, attrs.evolve(without, me=ME))
        assert [package.name for package in await two.packages.list(ME)] == ["cli"]
        changed = Manifest(packages=(attrs.evolve(OWN, short_description="New"),), me=ME)
        await apply(two, changed)
        assert lines(await two.manifests.diff(changed, prune=True)) == []
        await apply(two, Manifest(packages=(), me=ME), prune=True)
        assert await two.packages.list(ME) == []


async def test_what_v2_cannot_do_is_blocked() -> None:
    """Each with the reason, and nothing else is held up."""
    async with served(**WORKS) as (_, one, two):
        await one.organizations.create(OrganizationUpsert(name="acme", description="", billing_email="a@a.example"))
        own = attrs.evolve(
            OWN, permissions={"ann": PermissionLevel.BLOCKED, "e@x.example": PermissionLevel.ADMIN,
                              "bob@x.example": PermissionLevel.ADMIN},
        )  # fmt: skip
        manifest = Manifest(
            organizations=(
                OrganizationSpec(name="nova", description="New", packages=(WEB,)),
                OrganizationSpec(
                    name="acme",
                    packages=(
                        attrs.evolve(DL, routes=()),
                        attrs.evolve(WEB, name="site"),
                        attrs.evolve(LIB, repository_url="https://index.example/simple"),
                        PackageSpec(name="odd", library_type="other"),
                        PackageSpec(name="fine", library_type="npm"),
                    ),
                ),
            ),
            packages=(own,),
            people={"bob": "bob@x.example"},
            me=ME,
        )
        changes = await two.manifests.diff(manifest)
        reasons = {change.target: change.note for change in changes.blocked}
        assert {target: bool(note) for target, note in reasons.items()} == dict.fromkeys(reasons, True)
        for target, words in {
            "nova": "v2 cannot create organization nova",
            "acme/dl": "a file package is created together with its first route",
            "acme/site": "the name of a docker package is the path",
            "acme/lib": "https and end in '/'",
            "acme/odd": "no packages of type other",
            "~/cli/ann": "v2 cannot block a user",
            "~/cli/e@x.example": "users by their names only",
        }.items():
            assert words in reasons.pop(target)
        assert reasons == {}
        report = await two.manifests.apply(changes)
        report.raise_for_failures()
        assert [package.name for package in await two.packages.list("acme")] == ["fine"]
        (cli,) = await two.packages.list(ME)
        levels = {one.username: one.permission_level for one in await two.permissions.list(cli)}
        assert levels["bob"] == "admin"


async def test_what_v1_cannot_do_is_blocked() -> None:
    """The level `owner`, importance, and a route that only counts."""
    async with served() as (_, one, __):
        await apply(one, FILE)
        manifest = acme(
            attrs.evolve(WEB, permissions={"bob": PermissionLevel.OWNER}, importance=Importance.HIGH),
            attrs.evolve(DL, routes=(RouteCreate(None, "/count"),)),
            PackageSpec(name="new", library_type="npm", importance=Importance.LOW),
        )
        changes = await one.manifests.diff(manifest)
        assert [(change.target, change.note) for change in changes.blocked] == [
            ("acme/web", "this version of the service has no importance"),
            ("acme/web/bob", "v1 has no level owner"),
            ("acme/dl//count", "v1 needs the outgoing_url of a route"),
            ("acme/new", "this version of the service has no importance"),
        ]
        assert lines(changes)[-2:] == [
            "+ package acme/new (npm): short_description ''",
            "! package acme/new (npm): importance 'low'",
        ]


async def test_permissions_that_cannot_be_read_hold_up_nothing_else() -> None:
    """Pull leaves the section out; the comparison blocks these permissions with the reason."""
    async with served() as (_, one, two):
        await apply(one, FILE)
        (spec,) = (await two.manifests.pull("acme")).organizations
        assert [package.permissions for package in spec.packages or ()] == [None, None, None]
        manifest = acme(attrs.evolve(WEB, short_description="New"))
        changes = await two.manifests.diff(manifest, prune=True)
        (blocked,) = changes.blocked
        assert blocked.note.startswith(
            "its permissions cannot be read (404): v2 documents permissions for packages"
        )
        report = await two.manifests.apply(changes)
        report.raise_for_failures()
        assert report.counts["blocked"] == 1


async def test_prune_leaves_owners_alone() -> None:
    """Who owns a package is not what an entry that is missing takes away."""
    async with served() as (_, __, two):
        await apply(two, Manifest(packages=(OWN,), me=ME))
        (cli,) = await two.packages.list(ME)
        await two.permissions.set(cli, PermissionSet("ann", "member"))
        changes = await two.manifests.diff(
            Manifest(packages=(attrs.evolve(OWN, permissions={}),), me=ME), prune=True
        )
        assert lines(changes) == ["- permission ~/cli/ann", "- permission ~/cli/bob"]


async def test_a_public_address_is_a_domain() -> None:
    """In v2 one that is missing is added as a domain; one that is there is no difference."""
    async with served(**WORKS) as (_, one, two):
        await apply(one, FILE)
        moved = attrs.evolve(WEB, public_url="https://new.acme.example/acme/web")
        changes = await two.manifests.diff(acme(moved))
        assert lines(changes) == ["+ domain acme/web/new.acme.example"]
        (await two.manifests.apply(changes)).raise_for_failures()
        assert lines(await two.manifests.diff(acme(moved))) == []


async def test_addresses_are_compared() -> None:
    """Another registry or index is a change, and the rest of the package stays."""
    async with served(**WORKS) as (_, one, two):
        await apply(one, FILE)
        manifest = acme(
            PackageSpec(name="web", backend_url="https://quay.io/acme/web"),
            PackageSpec(name="lib", library_type="python", repository_url="https://b.example/simple/"),
        )
        changes = await two.manifests.diff(manifest)
        assert lines(changes) == [
            "~ package acme/web (docker): backend_url 'https://ghcr.io/acme/web' -> 'https://quay.io/acme/web'",
            "~ package acme/lib (python): repository_url 'https://index.example/simple/' -> 'https://b.example/simple/'",
        ]
        (await two.manifests.apply(changes, whole=True)).raise_for_failures()
        assert lines(await two.manifests.diff(manifest)) == []
        shown = {package.name: package for package in await two.packages.list("acme")}
        assert shown["acme/web"].short_description == "Web"


async def test_a_route_of_another_address_is_one_update() -> None:
    """It keeps its identifier, with and without prune."""
    async with served(**WORKS) as (_, one, two):
        await apply(one, FILE)
        dl = next(package for package in await two.packages.list("acme") if package.name == "dl")
        before = {route.template_path: route.id for route in await two.routes.list(dl)}
        moved = attrs.evolve(DL, routes=(RouteCreate("https://example.org/new", "/a"), B))
        for prune in (False, True):
            changes = await two.manifests.diff(acme(moved), prune=prune)
            assert lines(changes)[0] == ("~ route acme/dl//a: 'https://example.org/a' -> 'https://example.org/new'")
            assert [change.kind for change in changes if change.action != "remove"] == ["route"]
        changes = await two.manifests.diff(acme(moved))
        (await two.manifests.apply(changes)).raise_for_failures()
        assert lines(await two.manifests.diff(acme(moved))) == []
        after = {route.template_path: (route.id, route.outgoing_url) for route in await two.routes.list(dl)}
        assert after["/a"] == (before["/a"], "https://example.org/new")


async def test_what_is_not_shown_is_not_compared(tmp_path: Path) -> None:
    """A route without an address is taken for one that is not shown; a file can say it, and loses nothing."""
    async with served(**WORKS) as (_, one, two):
        await apply(one, FILE)
        dl = next(package for package in await two.packages.list("acme") if package.name == "dl")
        await two.routes.create(dl, RouteCreate(None, "/count"))
        counting = attrs.evolve(DL, routes=(*(DL.routes or ()), RouteCreate("https://example.org/c", "/count")))
        changes = await two.manifests.diff(acme(counting))
        (change,) = [change for change in changes if change.kind == "route"]
        assert (change.action, change.note) == ("uncompared", "the service does not show where it leads")
        pulled = await two.manifests.pull("acme")
        write_manifest(pulled, tmp_path / "acme.json")
        assert read_manifest(tmp_path / "acme.json") == pulled
        assert lines(await two.manifests.diff(pulled, prune=True)) == []


async def test_a_file_of_v1_is_kept_up_in_v2(tmp_path: Path) -> None:
    """What it says in the words of v1, and what v2 does not show, stays; the rest is what was pulled."""
    path = tmp_path / "acme.json"
    async with served(**WORKS) as (_, one, two):
        await apply(one, FILE)
        dl = next(package for package in await two.packages.list("acme") if package.name == "dl")
        await two.routes.create(dl, RouteCreate(None, "/c"))
        hidden = RouteCreate("https://example.org/c", "/c")
        said = attrs.evolve(DL, routes=(*(DL.routes or ()), hidden))
        write_manifest(attrs.evolve(FILE, organizations=(attrs.evolve(ACME, packages=(WEB, said, LIB)),)), path)
        write_manifest(await two.manifests.pull("acme"), path, keep=True)
        kept = {package.name: package for package in read_manifest(path).organizations[0].packages or ()}
        assert list(kept) == ["web", "dl", "lib"]
        assert (kept["web"].public_url, kept["web"].backend_url) == (WEB.public_url, WEB.backend_url)
        assert kept["lib"].library_type == "pypi"
        assert set(kept["dl"].routes or ()) == set(said.routes or ())


async def test_a_copy_leaves_permissions_alone_that_do_not_show() -> None:
    """With prune, too: what cannot be read is not taken for none."""
    async with served() as (_, one, two), served(**WORKS) as (_, other, __):
        for scarf in (one, other):
            await apply(scarf, FILE)
        changes = await two.manifests.changes_to_copy("acme", "acme", to=other, prune=True)
        assert [change for change in changes if change.kind == "permission"] == []


async def test_an_address_for_bills_that_is_not_shown() -> None:
    """It has to be said where something else changes, and is not compared by itself."""
    async with served() as (_, one, two):
        await one.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
        assert (await two.manifests.pull("acme")).organizations[0].billing_email is None
        (change,) = await two.manifests.diff(
            Manifest(organizations=(OrganizationSpec(name="acme", description="D"),))
        )
        assert (change.action, "give it" in change.note) == ("blocked", True)
        said = OrganizationSpec(name="acme", billing_email="pay@acme.example")
        (change,) = await two.manifests.diff(Manifest(organizations=(said,)))
        assert change.action == "uncompared"
        both = Manifest(organizations=(attrs.evolve(said, description="D"),))
        await apply(two, both)
        assert lines(await two.manifests.diff(both)) == []


@pytest.mark.parametrize("backwards", [False, True])
async def test_a_copy_between_versions(backwards: bool) -> None:
    """From v1 to v2 and back, to another server and under another name; a second one finds nothing."""
    extra = PackageSpec(name="cli", library_type="npm", short_description="Cli")
    source = attrs.evolve(ACME, packages=(WEB, attrs.evolve(DL, domains=()), LIB, extra))
    async with served(**WORKS) as (_, one, two), served(**WORKS) as (_, other_one, other_two):
        await apply(one, Manifest(organizations=(source,)))
        for name in ("acme", "nova"):
            await other_one.organizations.create(
                OrganizationUpsert(name=name, description="", billing_email="b@b.example")
            )
        old, new = (two, other_one) if backwards else (one, other_two)
        # What is public is another server's affair; in v2 it shows, and need not be said.
        web = attrs.evolve(WEB, public_url=None)
        addresses = None if backwards else Manifest(organizations=(attrs.evolve(source, packages=(web, LIB)),))
        for name in ("acme", "nova"):
            names = {"img.acme.example": f"img.{name}.example"}
            changes = await old.manifests.changes_to_copy("acme", name, to=new, addresses=addresses, domains=names)
            assert changes.blocked == []
            (await new.manifests.apply(changes)).raise_for_failures()
            again = await old.manifests.changes_to_copy("acme", name, to=new, addresses=addresses, domains=names)
            assert again.applicable == ()
            packages = await other_two.packages.list(name)
            assert {package.backend_registry for package in packages} == {None, "ghcr.io"}
            assert {package.repository_name for package in packages} == {None, "acme/web"}


async def test_a_copy_onto_itself_in_another_version_is_refused() -> None:
    """Both versions of one server hold the same organization."""
    async with served() as (_, one, two):
        await apply(one, FILE)
        with pytest.raises(ValidationError, match="onto itself"):
            await one.manifests.changes_to_copy("acme", "ACME", to=two)
