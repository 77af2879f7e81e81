"""`scarf-async routes`: the routes of a file package."""

from __future__ import annotations

from typing import Annotated

import typer

from scarf_async.cli.asking import confirm
from scarf_async.cli.command import command
from scarf_async.cli.finding import find_route
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.records import RecordOptions
from scarf_async.cli.writes import PackageChoice, WriteOptions, Yes, asks, need_change, sent
from scarf_async.entities import UNSET, RouteCreate
from scarf_async.entities.fields import without_user
from scarf_async.errors import ValidationError

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    help="List, show, add, change and delete the routes of a file package.", no_args_is_help=True
)

RouteChoice = Annotated[str, typer.Argument(metavar="ROUTE", help="The route's path, or its id.")]
_COLUMNS = ("id", "template_path", "outgoing_url")


@app.command("list")
@command
async def list_(*, package: PackageChoice, shown: RecordOptions, connection: ClientOptions) -> None:
    """List the routes of a package.

    Example: scarf-async routes list acme/downloads --json | jq length
    """
    async with connection.client(read_only=True) as scarf:
        shown.write_all(await scarf.routes.list(await package.identify(scarf)), _COLUMNS)


@app.command()
@command
async def get(
    *, package: PackageChoice, route: RouteChoice, shown: RecordOptions, connection: ClientOptions
) -> None:
    """Show a route of a package.

    Example: scarf-async routes get acme/downloads "/web/{version}.tgz"
    """
    async with connection.client(read_only=True) as scarf:
        shown.write(await find_route(scarf, await package.identify(scarf), route), _COLUMNS)


@app.command()
@command
async def add(
    *,
    package: PackageChoice,
    path: Annotated[str, typer.Argument(metavar="PATH", help="The path, such as /web/{version}.tgz.")],
    url: Annotated[str | None, typer.Argument(metavar="URL", help="The same as --to.")] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The address that the route leads to, with the same braces; without one it only counts (v2).",
        ),
    ] = None,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Add a route; an equal one that exists is kept.

    Example: scarf-async routes add acme/downloads "/web/{version}.tgz" --to "https://example.org/web-{version}.tgz"
    """
    if url is not None and to is not None:
        raise ValidationError("the address is given twice: as an argument and as --to")
    route = RouteCreate(url if to is None else to, path)
    async with writes.client(connection) as scarf:
        await writes.carry_out(
            scarf.routes.create(await package.identify(scarf), route, if_exists="keep"),
            f"add a route to {package.package}: {sent(route)}",
            shown,
            _COLUMNS,
        )


@app.command()
@command
async def update(
    *,
    package: PackageChoice,
    route: RouteChoice,
    path: Annotated[str | None, typer.Option(help="Its new path.")] = None,
    outgoing_url: Annotated[
        str | None, typer.Option(help='Its new address; "" for none: it then only counts.')
    ] = None,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Change a route (v2 only); what is not given stays unchanged.

    Example: scarf-async routes update acme/downloads /x --outgoing-url https://example.org/x --api v2
    """
    need_change({"path": path, "outgoing_url": outgoing_url})
    async with writes.client(connection) as scarf:
        there = await package.identify(scarf)
        if path is None or route.startswith("/"):
            found = await find_route(scarf, there, route)
            route, path = found.id, path or found.template_path
        changed = RouteCreate(UNSET if outgoing_url is None else outgoing_url or None, path)
        await writes.carry_out(
            scarf.routes.update(there, route, changed),
            f"update the route {route} of {package.package}: {sent(changed)}",
            shown,
            _COLUMNS,
        )


@app.command()
@command
async def delete(
    *,
    package: PackageChoice,
    route: RouteChoice,
    yes: Yes = False,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Delete a route; asks first.

    Example: scarf-async routes delete acme/downloads "/web/{version}.tgz"
    """
    async with writes.client(connection) as scarf:
        there = await package.identify(scarf)
        what = f"the route {route} of {package.package}"
        if route.startswith("/") or asks(yes, writes):
            found = await find_route(scarf, there, route)
            route = found.id
            leads = f" to {without_user(found.outgoing_url)}" if found.outgoing_url else ""
            what = f"the route {found.template_path}{leads} ({route}) of {package.package}"
        await confirm(f"Delete {what}?", yes=not asks(yes, writes))
        await writes.carry_out(scarf.routes.delete(there, route), f"delete {what}", shown)
