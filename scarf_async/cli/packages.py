"""`scarf-async packages`: packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import attrs
import typer

from scarf_async.cli.asking import confirm
from scarf_async.cli.command import command
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.output import say
from scarf_async.cli.records import RecordOptions
from scarf_async.cli.writes import (
    IfExists,
    PackageChoice,
    WriteOptions,
    Yes,
    need_change,
    sent,
    traits_of,
    warn_of_type,
)
from scarf_async.entities import UNSET, PackageUpsert, RouteCreate
from scarf_async.entities.enums import address_fields
from scarf_async.errors import ValidationError

if TYPE_CHECKING:
    from scarf_async.entities import Package

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    help="List, show, create, update and delete packages; show an overview.", no_args_is_help=True
)

_COLUMNS = ("uuid", "owner", "name", "library_type", "short_description")


@attrs.frozen(kw_only=True)
class _Fields:
    """The fields of a package; "" clears a field that may be empty."""

    short_description: Annotated[str | None, typer.Option(help="One line.")] = None
    long_description: Annotated[str | None, typer.Option(help='A longer text; "" for none.')] = None
    website: Annotated[str | None, typer.Option(help='Its website; "" for none.')] = None
    backend_url: Annotated[str | None, typer.Option(help="For docker: the registry's address.")] = None
    public_url: Annotated[str | None, typer.Option(help="For docker: the address that people pull from.")] = None
    repository_url: Annotated[str | None, typer.Option(help="For pypi and python: the index.")] = None
    importance: Annotated[
        Literal["low", "mid", "high"] | None, typer.Option(help="How important it is to its owner (v2).")
    ] = None

    def over(self, package: PackageUpsert) -> PackageUpsert:
        """Return a package updated with these fields."""
        said = {name: value for name, value in attrs.asdict(self).items() if value is not None}
        emptied = {name: None for name, value in said.items() if value == "" and name != "short_description"}
        return attrs.evolve(package, **said | emptied)

    def unsaid(self, package: Package) -> list[str]:
        """Return the URLs that a package of its type may have and that are not given here."""
        return [name for name in address_fields(package.library_type) if getattr(self, name) is None]


@attrs.frozen(kw_only=True)
class _FirstRoute:
    """The first route of a file package."""

    route: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="For a file package in v2: its first route, such as /{version}.tgz."),
    ] = None
    outgoing_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where that route leads; without it the route only counts."),
    ] = None

    def made(self) -> RouteCreate | None:
        """Return the route.

        Raises:
            ValidationError: a URL is given without a path.
        """
        if self.route is None and self.outgoing_url is not None:
            raise ValidationError("--outgoing-url needs --route, the path that leads there")
        return None if self.route is None else RouteCreate(self.outgoing_url, self.route)


def _named(package: Package) -> str:
    return f"the package {package.name} ({package.library_type}) of {package.owner}"


@app.command("list")
@command
async def list_(
    *,
    organization: Annotated[
        str | None,
        typer.Argument(
            metavar="ORG", help="The owner; by default --owner, in v1 everything that the token's user can see."
        ),
    ] = None,
    type: Annotated[  # the option's name  # noqa: A002
        list[str] | None, typer.Option(help="Only packages of this type; repeatable.")
    ] = None,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """List packages.

    Example: scarf-async packages list acme | cut -f3
    """
    async with connection.client(read_only=True) as scarf:
        found = await scarf.packages.list(organization, types=type or ())
        if not found:
            for word in type or ():
                warn_of_type(word)
        shown.write_all(found, _COLUMNS)


@app.command()
@command
async def overview(
    *,
    owner_name: Annotated[
        str | None, typer.Argument(metavar="OWNER", help="The owner; by default --owner.")
    ] = None,
    type: Annotated[  # the option's name  # noqa: A002
        list[str] | None, typer.Option(help="Only packages of this type; repeatable.")
    ] = None,
    permission: Annotated[
        Literal["member", "admin", "owner"] | None,
        typer.Option(help="Only packages on which the token's user has this level."),
    ] = None,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """List an owner's packages with their downloads in about the last month (v2).

    Example: scarf-async packages overview acme --json
    """
    async with connection.client(read_only=True) as scarf:
        found = await scarf.packages.overview(owner_name, types=type or (), permission=permission)
        shown.write_all(found, ("package.uuid", "package.name", "package.library_type", "total_installs"))


@app.command()
@command
async def get(*, package: PackageChoice, shown: RecordOptions, connection: ClientOptions) -> None:
    """Show a package.

    Example: scarf-async packages get acme/web --type docker --json
    """
    async with connection.client(read_only=True) as scarf:
        shown.write(await package.find(scarf))


@app.command()
@command
async def create(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    organization: Annotated[
        str | None, typer.Option(metavar="ORG", help="Its owner; by default the token's user, in v2 --owner.")
    ] = None,
    type: Annotated[  # the option's name  # noqa: A002
        str | None,
        typer.Option(help="docker, npm, hackage, pypi, other, file, or another type that the service accepts."),
    ] = None,
    fields: _Fields,
    first: _FirstRoute,
    if_exists: IfExists = "fail",
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Create a package.

    Example: scarf-async packages create downloads --api v2 --owner acme --type file --route "/{version}.tgz"
    """
    warn_of_type(type)
    upsert = PackageUpsert(name=name, short_description="")
    upsert = fields.over(upsert if type is None else attrs.evolve(upsert, library_type=type))
    route = first.made()
    what = sent(upsert) if route is None else f"{sent(upsert)}, {sent(route)}"
    async with writes.client(connection) as scarf:
        await writes.carry_out(
            scarf.packages.create(upsert, organization, route=route, if_exists=if_exists),
            f"create the package {name}: {what}",
            shown,
        )


@app.command()
@command
async def update(
    *,
    package: PackageChoice,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    fields: _Fields,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Change a package; what is not given stays unchanged.

    Example: scarf-async packages update acme/web --short-description "The web client"
    """
    need_change({"name": name, **attrs.asdict(fields)})
    async with writes.client(connection) as scarf:
        there = await package.find(scarf)
        kept = PackageUpsert(name=there.name, short_description=UNSET)
        if not traits_of(scarf).updates_read:
            if unsaid := fields.unsaid(there):
                lost = " and ".join(unsaid)
                say(f"Warning: the service does not return {lost}, and may clear what is not given.")
            kept = attrs.evolve(
                kept,
                short_description=there.short_description,
                long_description=there.long_description,
                website=there.website,
                library_type=UNSET if there.library_type is None else there.library_type,
            )
        upsert = fields.over(kept if name is None else attrs.evolve(kept, name=name))
        await writes.carry_out(
            scarf.packages.update(there, upsert), f"update {_named(there)}: {sent(upsert)}", shown
        )


@app.command()
@command
async def delete(
    *,
    package: PackageChoice,
    yes: Yes = False,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Delete a package and everything that belongs to it; asks first.

    Example: scarf-async packages delete acme/web --type docker --yes
    """
    async with writes.client(connection) as scarf:
        there = await package.find(scarf)
        await confirm(f"Delete {_named(there)}?", yes=yes or writes.dry_run)
        await writes.carry_out(scarf.packages.delete(there), f"delete {_named(there)}", shown)
