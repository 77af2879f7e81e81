"""`scarf-async orgs`: organizations."""

from __future__ import annotations

from typing import Annotated

import attrs
import typer

from scarf_async.cli.command import command
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.records import RecordOptions
from scarf_async.cli.writes import IfExists, WriteOptions, need_change, sent, traits_of
from scarf_async.entities import UNSET, OrganizationUpsert

__all__ = ["Organization", "app"]

app: typer.Typer = typer.Typer(help="Show, create and update organizations.", no_args_is_help=True)

Organization = Annotated[str, typer.Argument(metavar="ORG", help="The organization's name.")]


@attrs.frozen(kw_only=True)
class _Fields:
    """The fields of an organization."""

    description: Annotated[str | None, typer.Option(help="Free text.")] = None
    website: Annotated[str | None, typer.Option(help='Its website; "" for none.')] = None
    billing_email: Annotated[str | None, typer.Option(help="The e-mail address for bills.")] = None

    def over(self, organization: OrganizationUpsert) -> OrganizationUpsert:
        """Return an organization updated with these fields."""
        said = {name: value for name, value in attrs.asdict(self).items() if value is not None}
        if said.get("website") == "":
            said["website"] = None
        return attrs.evolve(organization, **said)


@app.command()
@command
async def get(*, organization: Organization, shown: RecordOptions, connection: ClientOptions) -> None:
    """Show an organization.

    Example: scarf-async orgs get acme --json | jq -r .billing_email
    """
    async with connection.client(read_only=True) as scarf:
        shown.write(await scarf.organizations.get(organization))


@app.command()
@command
async def create(
    *,
    organization: Organization,
    fields: _Fields,
    if_exists: IfExists = "fail",
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Create an organization; the token's user becomes its owner.

    Example: scarf-async orgs create acme --billing-email billing@acme.example
    """
    upsert = fields.over(OrganizationUpsert(name=organization, description="", billing_email=""))
    async with writes.client(connection) as scarf:
        await writes.carry_out(
            scarf.organizations.create(upsert, if_exists=if_exists),
            f"create the organization {organization}: {sent(upsert)}",
            shown,
        )


@app.command()
@command
async def update(
    *,
    organization: Organization,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    fields: _Fields,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Change an organization; what is not given stays unchanged.

    Example: scarf-async orgs update acme --website https://acme.example
    """
    need_change({"name": name, **attrs.asdict(fields)})
    async with writes.client(connection) as scarf:
        there = await scarf.organizations.get(organization)
        kept = OrganizationUpsert(name=there.name, description=UNSET, billing_email=UNSET)
        if not traits_of(scarf).updates_read:
            kept = attrs.evolve(
                kept,
                description=there.description,
                billing_email=there.billing_email,
                website=there.website,
            )
        upsert = fields.over(kept if name is None else attrs.evolve(kept, name=name))
        await writes.carry_out(
            scarf.organizations.update(there.name, upsert),
            f"update the organization {there.name}: {sent(upsert)}",
            shown,
        )
