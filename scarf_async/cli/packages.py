"""`scarf-async packages`: packages, one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from scarf_async.cli.asking import confirm
from scarf_async.cli.command import command
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.output import Status, say
from scarf_async.cli.records import RecordOptions
from scarf_async.cli.writes import PackageChoice, WriteOptions, Yes, sent
from scarf_async.entities import UNSET, LibraryType, PackageUpsert

if TYPE_CHECKING:
    from scarf_async.entities import Package

__all__ = ["app"]

app: typer.Typer = typer.Typer(help="List, show, create, update and delete packages.", no_args_is_help=True)

_COLUMNS = ("uuid", "owner", "name", "library_type", "short_description")
_ADDRESSES: Mapping[str | None, tuple[str, ...]] = {
    LibraryType.DOCKER: ("backend_url", "public_url"),
    LibraryType.PYPI: ("repository_url",),
    LibraryType.PYTHON: ("repository_url",),
}


@attrs.frozen(kw_only=True)
class _Fields:
    """What there is to say of a package; where a field may be empty, "" empties it."""

    short_description: Annotated[str | None, typer.Option(help="One line.")] = None
    long_description: Annotated[str | None, typer.Option(help='A longer text; "" for none.')] = None
    website: Annotated[str | None, typer.Option(help='Its website; "" for none.')] = None
    backend_url: Annotated[str | None, typer.Option(help="Of docker: the registry's address.")] = None
    public_url: Annotated[str | None, typer.Option(help="Of docker: the address that people pull from.")] = None
    repository_url: Annotated[str | None, typer.Option(help="Of pypi and python: the index.")] = None

    def over(self, package: PackageUpsert) -> PackageUpsert:
        """Return a package with what is said here in the place of what it says."""
        said = {name: value for name, value in attrs.asdict(self).items() if value is not None}
        emptied = {name: None for name, value in said.items() if value == "" and name != "short_description"}
        return attrs.evolve(package, **said | emptied)

    def unsaid(self, package: Package) -> list[str]:
        """Return the addresses that a package of its type may have and that are not said here."""
        return [name for name in _ADDRESSES.get(package.library_type, ()) if getattr(self, name) is None]


def _named(package: Package) -> str:
    return f"the package {package.name} ({package.library_type}) of {package.owner}"


@app.command("list")
@command
async def list_(
    *,
    organization: Annotated[
        str | None, typer.Argument(metavar="[ORG]", help="Whose; by default all that the token's user can see.")
    ] = None,
    shown: RecordOptions,
    connection: ClientOptions,
) -> Status:
    """List packages.

    Example: scarf-async packages list acme | cut -f3
    """
    async with connection.client(read_only=True) as scarf:
        shown.write_all(await scarf.packages.list(organization), _COLUMNS)
    return Status.DONE


@app.command()
@command
async def get(*, package: PackageChoice, shown: RecordOptions, connection: ClientOptions) -> Status:
    """Show a package.

    Example: scarf-async packages get acme/web --type docker --json
    """
    async with connection.client(read_only=True) as scarf:
        shown.write(await package.find(scarf))
    return Status.DONE


@app.command()
@command
async def create(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    organization: Annotated[
        str | None, typer.Option(metavar="ORG", help="Its owner; by default the token's user.")
    ] = None,
    type: Annotated[  # the option's name  # noqa: A002
        str | None, typer.Option(help="docker, npm, hackage, pypi, other, file, or what the service takes besides.")
    ] = None,
    fields: _Fields,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> Status:
    """Create a package.

    Example: scarf-async packages create downloads --organization acme --type file
    """
    upsert = PackageUpsert(name=name, short_description="")
    upsert = fields.over(upsert if type is None else attrs.evolve(upsert, library_type=type))
    async with writes.client(connection) as scarf:
        made = await writes.carry_out(
            scarf.packages.create(upsert, organization), f"create the package {name}: {sent(upsert)}"
        )
    if made is not None:
        shown.write(made)
    return Status.DONE


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
) -> Status:
    """Change a package; what is not said stays as it is.

    Example: scarf-async packages update acme/web --short-description "The web client"
    """
    async with writes.client(connection) as scarf:
        there = await package.find(scarf)
        if unsaid := fields.unsaid(there):
            say(f"Warning: the service does not give back {' and '.join(unsaid)}, and may clear what is not said.")
        upsert = fields.over(
            PackageUpsert(
                name=there.name if name is None else name,
                short_description=there.short_description,
                long_description=there.long_description,
                website=there.website,
                library_type=UNSET if there.library_type is None else there.library_type,
            )
        )
        made = await writes.carry_out(
            scarf.packages.update(there, upsert), f"update {_named(there)}: {sent(upsert)}"
        )
    if made is not None:
        shown.write(made)
    return Status.DONE


@app.command()
@command
async def delete(
    *, package: PackageChoice, yes: Yes = False, writes: WriteOptions, connection: ClientOptions
) -> Status:
    """Delete a package with all that hangs on it; asks first.

    Example: scarf-async packages delete acme/web --type docker --yes
    """
    async with writes.client(connection) as scarf:
        there = await package.find(scarf)
        await confirm(f"Delete {_named(there)}?", yes=yes or writes.dry_run)
        await writes.carry_out(scarf.packages.delete(there), f"delete {_named(there)}")
    return Status.DONE
