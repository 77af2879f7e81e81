"""`scarf-async domains`: the host names that serve a package."""

from __future__ import annotations

from typing import Annotated

import typer

from scarf_async.cli.asking import confirm
from scarf_async.cli.command import command
from scarf_async.cli.finding import find_domain
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.records import RecordOptions
from scarf_async.cli.writes import PackageChoice, WriteOptions, Yes, asks
from scarf_async.entities import DomainCreate

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    help="List, show, add and delete the domains of a package; show the status of one.", no_args_is_help=True
)

Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain's name, or its id.")]
_COLUMNS = ("id", "name")


@app.command("list")
@command
async def list_(*, package: PackageChoice, shown: RecordOptions, connection: ClientOptions) -> None:
    """List the domains of a package.

    Example: scarf-async domains list acme/downloads
    """
    async with connection.client(read_only=True) as scarf:
        shown.write_all(await scarf.domains.list(await package.identify(scarf)), _COLUMNS)


@app.command()
@command
async def get(*, package: PackageChoice, domain: Domain, shown: RecordOptions, connection: ClientOptions) -> None:
    """Show a domain of a package.

    Example: scarf-async domains get acme/downloads downloads.acme.example
    """
    async with connection.client(read_only=True) as scarf:
        shown.write(await find_domain(scarf, await package.identify(scarf), domain), _COLUMNS)


@app.command()
@command
async def add(
    *,
    package: PackageChoice,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The name, such as downloads.acme.example.")],
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Add a domain; if the package already has it, it is kept.

    Example: scarf-async domains add acme/downloads downloads.acme.example
    """
    async with writes.client(connection) as scarf:
        await writes.carry_out(
            scarf.domains.create(await package.identify(scarf), DomainCreate(domain), if_exists="keep"),
            f"add the domain {domain} to {package.package}",
            shown,
            _COLUMNS,
        )


@app.command()
@command
async def delete(
    *,
    package: PackageChoice,
    domain: Domain,
    yes: Yes = False,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Delete a domain; asks first.

    Example: scarf-async domains delete acme/downloads downloads.acme.example
    """
    async with writes.client(connection) as scarf:
        there = await package.identify(scarf)
        what = f"the domain {domain} of {package.package}"
        if "." in domain or asks(yes, writes):
            found = await find_domain(scarf, there, domain)
            domain, what = found.id, f"the domain {found.name} ({found.id}) of {package.package}"
        await confirm(f"Delete {what}?", yes=not asks(yes, writes))
        await writes.carry_out(scarf.domains.delete(there, domain), f"delete {what}", shown)


@app.command()
@command
async def status(
    *,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The name, such as downloads.acme.example.")],
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Show which steps of an owner's domain towards being served are done (v2).

    Example: scarf-async domains status downloads.acme.example --owner acme
    """
    async with connection.client(read_only=True) as scarf:
        shown.write(await scarf.domains.status(domain))
