"""`scarf-async users` and `scarf-async search`: accounts and search."""

from __future__ import annotations

from typing import Annotated

import typer

from scarf_async.cli.command import command
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.records import RecordOptions

__all__ = ["app", "search"]

app: typer.Typer = typer.Typer(help="Show an account, and the organizations of a user (v2).", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the account.")]


@app.command()
@command
async def get(*, name: Name, shown: RecordOptions, connection: ClientOptions) -> None:
    """Show an account: a user, or an organization of that name.

    Example: scarf-async users get ann
    """
    async with connection.client(read_only=True) as scarf:
        shown.write(await scarf.users.get(name))


@app.command()
@command
async def organizations(*, name: Name, shown: RecordOptions, connection: ClientOptions) -> None:
    """List the organizations that a user is a member of.

    Example: scarf-async users organizations ann | cut -f1
    """
    async with connection.client(read_only=True) as scarf:
        shown.write_all(await scarf.users.organizations(name), ("organization_name", "role"))


@command
async def search(
    *,
    query: Annotated[str, typer.Argument(metavar="TEXT", help="The text to search for.")],
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Search the packages and tracking pixels that the token's user can see (v2).

    Example: scarf-async search web
    """
    async with connection.client(read_only=True) as scarf:
        shown.write_all(await scarf.search(query), ("type", "id", "owner", "name", "library_type"))
