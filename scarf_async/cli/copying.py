"""`scarf-async copy`: copy an organization to another name or server."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, ClassVar

import attrs
import typer

from scarf_async.cli.applying import ApplyOptions
from scarf_async.cli.command import command
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.output import Status
from scarf_async.cli.plan import CompareOptions
from scarf_async.entities import ApiVersion
from scarf_async.errors import ValidationError

__all__ = ["copy"]


@attrs.frozen(kw_only=True)
class _Target:
    """The target of a copy; by default the server of the original."""

    panel: ClassVar[str] = "Where it goes"

    to_api: Annotated[
        ApiVersion | None,
        typer.Option(help="The API version of the target; by default that of the source."),
    ] = None
    to_url: Annotated[str | None, typer.Option(metavar="URL", help="The address of the target's API.")] = None
    to_token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file whose first line is the token of the target.")
    ] = None

    def connection(self, source: ClientOptions) -> ClientOptions | None:
        """Return the options for the target; None for those of the source.

        Raises:
            ValidationError: the source's token would be sent to another server.
        """
        if self.to_url is not None and self.to_token_file is None:
            raise ValidationError("--to-url needs --to-token-file: the token of one server is not sent to another")
        if self.to_api is None and self.to_token_file is None:
            return None
        there = attrs.evolve(
            source, api=self.to_api or source.api, token_file=self.to_token_file or source.token_file
        )
        if self.to_url is None:
            return there
        # For every version: environment variables for the source's server must not apply to the target.
        return attrs.evolve(there, base_url=self.to_url, v2_url=self.to_url)


@command
async def copy(
    *,
    source: Annotated[str, typer.Argument(metavar="ORG", help="The organization to copy.")],
    name: Annotated[str, typer.Argument(metavar="NEW", help="The name of the copy.")],
    names: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="A YAML, JSON or TOML file with the tables members, packages and domains, each from old to new"
            " names; an empty new name leaves a thing out.",
        ),
    ] = None,
    addresses: Annotated[
        Path | None,
        typer.Option(
            metavar="MANIFEST",
            help="A manifest with the addresses of packages, which v1 does not return; without them docker"
            " packages cannot be created.",
        ),
    ] = None,
    target: _Target,
    compare: CompareOptions,
    options: ApplyOptions,
    connection: ClientOptions,
) -> Status:
    """Make an organization a copy of another; shows the difference and asks before changing anything.

    Example: scarf-async copy acme acme-test --map names.yaml
    """
    from scarf_async.cli.mapping import NameMap, read_map  # noqa: PLC0415 # `--help` must not wait for it
    from scarf_async.manifests import read_manifest  # noqa: PLC0415

    renamed = NameMap() if names is None else read_map(names)
    there = target.connection(connection)
    options.check_journal_is_new(there or connection)
    async with AsyncExitStack() as clients:
        reading = await clients.enter_async_context(
            connection.client(read_only=there is not None or options.dry_run)
        )
        writing = reading
        if there is not None:
            writing = await clients.enter_async_context(there.client(read_only=options.dry_run))
        changes = await reading.manifests.changes_to_copy(
            source,
            name,
            to=None if there is None else writing,
            members=renamed.members,
            packages=renamed.packages,
            domains=renamed.domains,
            prune=compare.prune,
            rewrite_addresses=compare.rewrite_addresses,
            addresses=None if addresses is None else read_manifest(addresses),
        )
        return await options.carry_out(writing, changes, connection=there or connection)
