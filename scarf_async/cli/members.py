"""`scarf-async members`: the members of an organization."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from scarf_async.cli.asking import confirm
from scarf_async.cli.command import command
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.orgs import Organization
from scarf_async.cli.records import RecordOptions
from scarf_async.cli.writes import WriteOptions, Yes

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    help="List, show, set and remove the members of an organization.", no_args_is_help=True
)

User = Annotated[str, typer.Argument(metavar="USER", help="The member's username.")]
_COLUMNS = ("username", "role")


@app.command("list")
@command
async def list_(*, organization: Organization, shown: RecordOptions, connection: ClientOptions) -> None:
    """List the members of an organization.

    Example: scarf-async members list acme | grep owner
    """
    async with connection.client(read_only=True) as scarf:
        shown.write_all(await scarf.members.list(organization), _COLUMNS)


@app.command()
@command
async def get(*, organization: Organization, user: User, shown: RecordOptions, connection: ClientOptions) -> None:
    """Show a member of an organization.

    Example: scarf-async members get acme ann --json | jq -r .role
    """
    async with connection.client(read_only=True) as scarf:
        shown.write(await scarf.members.get(organization, user), _COLUMNS)


@app.command("set")
@command
async def set_(
    *,
    organization: Organization,
    user: User,
    role: Annotated[Literal["member", "admin", "owner"], typer.Argument(metavar="ROLE", help="The role.")],
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Make someone a member, or change a member's role.

    ROLE is one of member, admin, owner.

    Example: scarf-async members set acme ann admin
    """
    async with writes.client(connection) as scarf:
        await writes.carry_out(
            scarf.members.upsert(organization, user, role), f"make {user} {role} of {organization}", shown, _COLUMNS
        )


@app.command()
@command
async def remove(
    *,
    organization: Organization,
    user: User,
    yes: Yes = False,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Remove a member; asks first.

    Example: scarf-async members remove acme ann --yes
    """
    async with writes.client(connection) as scarf:
        await confirm(f"Remove {user} from {organization}?", yes=yes or writes.dry_run)
        await writes.carry_out(
            scarf.members.remove(organization, user), f"remove {user} from {organization}", shown
        )
