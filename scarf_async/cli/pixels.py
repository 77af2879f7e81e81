"""`scarf-async pixels`: tracking pixels and the domains that serve them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import attrs
import typer

from scarf_async.cli.asking import confirm
from scarf_async.cli.command import command
from scarf_async.cli.finding import find_pixel, find_pixel_domain, is_uuid, pixel_id
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.records import RecordOptions
from scarf_async.cli.writes import PackageChoice, WriteOptions, Yes, asks, need_change, sent
from scarf_async.entities import UNSET, TrackingPixelUpsert

if TYPE_CHECKING:
    from scarf_async.client import Scarf

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    help="List, show, create, update and delete tracking pixels, and their domains (v2).", no_args_is_help=True
)

PixelChoice = Annotated[str, typer.Argument(metavar="PIXEL", help="The pixel's name, or its id.")]
_COLUMNS = ("id", "name", "importance", "short_description")
_DOMAIN_COLUMNS = ("id", "name")


@attrs.frozen(kw_only=True)
class _Fields:
    """The fields of a pixel; "" clears a field that may be empty."""

    package: Annotated[
        str | None, typer.Option(metavar="PACKAGE", help='The package whose page it is on; "" for none.')
    ] = None
    importance: Annotated[
        Literal["low", "mid", "high"] | None, typer.Option(help="How important it is to its owner.")
    ] = None
    track_companies: Annotated[
        bool | None,
        typer.Option("--track-companies/--no-track-companies", help="Whether views are attributed to companies."),
    ] = None
    short_description: Annotated[str | None, typer.Option(help='One line; "" for none.')] = None
    long_description: Annotated[str | None, typer.Option(help='A longer text; "" for none.')] = None

    async def of(self, name: str, scarf: Scarf) -> TrackingPixelUpsert:
        """Return a pixel with a name and these fields."""
        said = attrs.asdict(self, filter=lambda _, value: value is not None)
        said |= {field: None for field, value in said.items() if value == ""}
        if self.package:
            said["package"] = await PackageChoice(package=self.package).identify(scarf)
        return TrackingPixelUpsert(name=name, **said)


def _sent(pixel: TrackingPixelUpsert, fields: _Fields) -> str:
    package = "" if fields.package is None else f", package {fields.package or 'none'}"
    return sent(attrs.evolve(pixel, package=UNSET)) + package


@app.command("list")
@command
async def list_(
    *,
    package: Annotated[
        str | None,
        typer.Option(metavar="PACKAGE", help="Only pixels of this package: OWNER/NAME, name or uuid."),
    ] = None,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """List the tracking pixels of an owner.

    Example: scarf-async pixels list --owner acme
    """
    async with connection.client(read_only=True) as scarf:
        of = None if package is None else await PackageChoice(package=package).identify(scarf)
        shown.write_all(await scarf.pixels.list(package=of), _COLUMNS)


@app.command()
@command
async def get(*, pixel: PixelChoice, shown: RecordOptions, connection: ClientOptions) -> None:
    """Show a tracking pixel.

    Example: scarf-async pixels get Documentation --owner acme --json
    """
    async with connection.client(read_only=True) as scarf:
        shown.write(await find_pixel(scarf, pixel))


@app.command()
@command
async def create(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    fields: _Fields,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Create a tracking pixel; an equal one that exists is kept.

    Example: scarf-async pixels create "Documentation" --owner acme --package acme/web --importance high
    """
    async with writes.client(connection) as scarf:
        upsert = await fields.of(name, scarf)
        await writes.carry_out(
            scarf.pixels.create(upsert, if_exists="keep"),
            f"create the tracking pixel {_sent(upsert, fields)}",
            shown,
        )


@app.command()
@command
async def update(
    *,
    pixel: PixelChoice,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    fields: _Fields,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Change a tracking pixel; what is not given stays unchanged.

    Example: scarf-async pixels update Documentation --owner acme --importance low
    """
    need_change({"name": name, **attrs.asdict(fields)})
    async with writes.client(connection) as scarf:
        if name is None or not is_uuid(pixel):
            found = await find_pixel(scarf, pixel)
            pixel, name = found.id, found.name or "" if name is None else name
        upsert = await fields.of(name, scarf)
        await writes.carry_out(
            scarf.pixels.update(pixel, upsert), f"update the tracking pixel {pixel}: {_sent(upsert, fields)}", shown
        )


@app.command()
@command
async def delete(
    *,
    pixel: PixelChoice,
    yes: Yes = False,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Delete a tracking pixel; asks first.

    Example: scarf-async pixels delete Documentation --owner acme --yes
    """
    async with writes.client(connection) as scarf:
        there = await find_pixel(scarf, pixel)
        what = f"the tracking pixel {there.name} ({there.id}) of {there.owner}"
        await confirm(f"Delete {what}?", yes=yes or writes.dry_run)
        await writes.carry_out(scarf.pixels.delete(there), f"delete {what}", shown)


@app.command()
@command
async def domains(*, pixel: PixelChoice, shown: RecordOptions, connection: ClientOptions) -> None:
    """List the domains of a tracking pixel.

    Example: scarf-async pixels domains Documentation --owner acme
    """
    async with connection.client(read_only=True) as scarf:
        shown.write_all(await scarf.pixels.list_domains(await pixel_id(scarf, pixel)), _DOMAIN_COLUMNS)


@app.command()
@command
async def add_domain(
    *,
    pixel: PixelChoice,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The name, such as px.acme.example.")],
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Serve a tracking pixel under a domain; if it already has it, it is kept.

    Example: scarf-async pixels add-domain Documentation px.acme.example --owner acme
    """
    async with writes.client(connection) as scarf:
        await writes.carry_out(
            scarf.pixels.create_domain(await pixel_id(scarf, pixel), domain, if_exists="keep"),
            f"add the domain {domain} to the tracking pixel {pixel}",
            shown,
            _DOMAIN_COLUMNS,
        )


@app.command()
@command
async def delete_domain(
    *,
    pixel: PixelChoice,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain's name, or its id.")],
    yes: Yes = False,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Delete a domain of a tracking pixel; asks first.

    Example: scarf-async pixels delete-domain Documentation px.acme.example --owner acme
    """
    async with writes.client(connection) as scarf:
        there = await pixel_id(scarf, pixel)
        what = f"the domain {domain} of the tracking pixel {pixel}"
        if "." in domain:
            domain = (await find_pixel_domain(scarf, there, domain)).id
        await confirm(f"Delete {what}?", yes=not asks(yes, writes))
        await writes.carry_out(scarf.pixels.delete_domain(there, domain), f"delete {what}", shown)
