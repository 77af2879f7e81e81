"""`scarf-async permissions`: what users may do with a package."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from scarf_async.cli.command import command
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.records import RecordOptions
from scarf_async.cli.writes import PackageChoice, WriteOptions
from scarf_async.entities import PermissionSet

__all__ = ["app"]

app: typer.Typer = typer.Typer(help="List and set the permissions on a package.", no_args_is_help=True)


@app.command("list")
@command
async def list_(*, package: PackageChoice, shown: RecordOptions, connection: ClientOptions) -> None:
    """List the permissions on a package.

    Example: scarf-async permissions list acme/web | sort
    """
    async with connection.client(read_only=True) as scarf:
        permissions = await scarf.permissions.list(await package.identify(scarf))
    shown.write_all(permissions, ("username", "permission_level"))


@app.command("set")
@command
async def set_(
    *,
    package: PackageChoice,
    users: Annotated[
        list[str],
        typer.Argument(metavar="USER...", help="One or more usernames, or e-mail addresses (v1)."),
    ],
    level: Annotated[
        Literal["blocked", "default", "member", "admin", "owner"],
        typer.Argument(metavar="LEVEL", help="The level."),
    ],
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Set the level of one or more users on a package.

    LEVEL is one of blocked (v1), default, member, admin, owner (v2); default removes a special level.

    Example: scarf-async permissions set acme/web ann bob member
    """
    async with writes.client(connection) as scarf:
        there = await package.identify(scarf)
        await writes.carry_out(
            scarf.permissions.set(there, [PermissionSet(user, level) for user in users]),
            f"set {', '.join(users)} to {level} on {package.package}",
            shown,
        )
