"""`scarf-async collections`: all images of a pattern behind one domain."""

from __future__ import annotations

from typing import Annotated

import typer

from scarf_async.cli.asking import confirm
from scarf_async.cli.command import command
from scarf_async.cli.finding import find_collection
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.records import RecordOptions
from scarf_async.cli.writes import WriteOptions, Yes, need_change, sent
from scarf_async.entities import UNSET, CollectionUpsert

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    help="List, show, create, update and delete collections of docker images (v2).", no_args_is_help=True
)

CollectionChoice = Annotated[
    str, typer.Argument(metavar="COLLECTION", help="The collection's pattern, such as acme/*, or its id.")
]
PublicDomain = Annotated[
    str | None,
    typer.Option(metavar="DOMAIN", help='The host that the images are pulled from; "" for Scarf\'s own.'),
]
_COLUMNS = ("id", "pattern", "backend_domain", "public_domain")


@app.command("list")
@command
async def list_(*, shown: RecordOptions, connection: ClientOptions) -> None:
    """List the collections of an owner.

    Example: scarf-async collections list --owner acme
    """
    async with connection.client(read_only=True) as scarf:
        shown.write_all(await scarf.collections.list(), _COLUMNS)


@app.command()
@command
async def get(*, collection: CollectionChoice, shown: RecordOptions, connection: ClientOptions) -> None:
    """Show a collection.

    Example: scarf-async collections get "acme/*" --owner acme --json
    """
    async with connection.client(read_only=True) as scarf:
        shown.write(await find_collection(scarf, collection))


@app.command()
@command
async def create(
    *,
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="The pattern of its images, such as acme/*.")],
    backend_domain: Annotated[
        str, typer.Argument(metavar="REGISTRY", help="The images' registry, such as ghcr.io.")
    ],
    public_domain: PublicDomain = None,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Create a collection; an equal one that exists is kept.

    Example: scarf-async collections create "acme/*" ghcr.io --public-domain cr.acme.example --owner acme
    """
    upsert = CollectionUpsert(pattern=pattern, backend_domain=backend_domain, public_domain=public_domain or UNSET)
    async with writes.client(connection) as scarf:
        await writes.carry_out(
            scarf.collections.create(upsert, if_exists="keep"), f"create the collection: {sent(upsert)}", shown
        )


@app.command()
@command
async def update(
    *,
    collection: CollectionChoice,
    pattern: Annotated[str | None, typer.Option(help="The pattern of its images.")] = None,
    backend_domain: Annotated[str | None, typer.Option(metavar="REGISTRY", help="The images' registry.")] = None,
    public_domain: PublicDomain = None,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Change a collection; what is not given stays unchanged.

    Example: scarf-async collections update "acme/*" --backend-domain quay.io --owner acme
    """
    need_change({"pattern": pattern, "backend_domain": backend_domain, "public_domain": public_domain})
    async with writes.client(connection) as scarf:
        there = await find_collection(scarf, collection)
        upsert = CollectionUpsert(
            pattern=there.pattern if pattern is None else pattern,
            backend_domain=there.backend_domain if backend_domain is None else backend_domain,
            public_domain=UNSET if public_domain is None else public_domain or None,
        )
        await writes.carry_out(
            scarf.collections.update(there, upsert), f"update the collection {collection}: {sent(upsert)}", shown
        )


@app.command()
@command
async def delete(
    *,
    collection: CollectionChoice,
    yes: Yes = False,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """Delete a collection; asks first.

    Example: scarf-async collections delete "acme/*" --owner acme --yes
    """
    async with writes.client(connection) as scarf:
        there = await find_collection(scarf, collection)
        what = f"the collection {there.pattern} ({there.id}) of {there.owner}"
        await confirm(f"Delete {what}?", yes=yes or writes.dry_run)
        await writes.carry_out(scarf.collections.delete(there), f"delete {what}", shown)
