"""`scarf-async plan`, `show` and `apply`: the difference to a manifest, and applying it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from scarf_async.cli.applying import ApplyOptions
from scarf_async.cli.command import command
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.output import StandardOutput, Status, say
from scarf_async.cli.records import write_json
from scarf_async.cli.writes import warn_of_type
from scarf_async.errors import ValidationError

if TYPE_CHECKING:
    from scarf_async.client import Scarf
    from scarf_async.manifests import Changes, Manifest

__all__ = ["CompareOptions", "apply", "library_types", "plan", "show"]

_HEAD: Final = 4096


def library_types(manifest: Manifest) -> list[str]:
    """Return the types of packages in a manifest, each once."""
    packages = [spec for organization in manifest.organizations for spec in organization.packages or ()]
    packages += manifest.packages or ()
    return list(dict.fromkeys(str(spec.library_type) for spec in packages if spec.library_type is not None))


@attrs.frozen(kw_only=True)
class CompareOptions:
    """The options for comparing a manifest with the live organization."""

    prune: Annotated[bool, typer.Option("--prune", help="Remove what a section of the manifest does not name.")] = (
        False
    )
    rewrite_addresses: Annotated[
        bool,
        typer.Option(
            "--rewrite-addresses",
            help="Set the addresses of docker and python packages even though the service does not show whether"
            " they differ.",
        ),
    ] = False

    async def compare(self, scarf: Scarf, file: Path, me: str | None = None) -> Changes:
        """Read a manifest and compare it with the live organization."""
        from scarf_async.manifests import read_manifest  # noqa: PLC0415 # `--help` must not wait for it

        manifest = read_manifest(file)
        if me is not None:
            manifest = attrs.evolve(manifest, me=me)
        for word in library_types(manifest):
            warn_of_type(word)
        changes = await scarf.manifests.diff(manifest, prune=self.prune, rewrite_addresses=self.rewrite_addresses)
        await scarf.manifests.check_names(changes)
        return changes


@attrs.frozen(kw_only=True)
class _ViewOptions:
    """The options for showing a difference."""

    full: Annotated[
        bool,
        typer.Option("--full", help="Do not shorten long lists and values on a terminal."),
    ] = False
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Write Markdown, for a comment on a pull request.")
    ] = False
    as_json: Annotated[bool, typer.Option("--json", help="Write the difference as JSON.")] = False

    def __attrs_post_init__(self) -> None:
        if self.as_json and self.markdown:
            raise ValidationError("--json and --markdown cannot be combined")

    def show(self, changes: Changes) -> None:
        """Write a difference to standard output."""
        from scarf_async.cli.difference import markdown, show_difference  # noqa: PLC0415 # it takes rich

        if self.as_json:
            write_json(changes.to_dict())
        elif self.markdown:
            StandardOutput().write(markdown(changes).encode())
        else:
            show_difference(changes, full=self.full)


@command
async def plan(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The manifest, or a directory of tables.")],
    compare: CompareOptions,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PLAN", help="Save the plan, for `apply` to make exactly these changes."
        ),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="End with status 4 if anything differs.")
    ] = False,
    view: _ViewOptions,
    connection: ClientOptions,
) -> Status:
    """Show what differs between a manifest and the live organization; changes nothing.

    Example: scarf-async plan acme.yaml -o acme.plan
    """
    async with connection.client(read_only=True) as scarf:
        changes = await compare.compare(scarf, file)
    view.show(changes)
    if output is not None:
        from scarf_async.manifests.saved import write_changes  # noqa: PLC0415

        write_changes(changes, output, server=connection.server, owner=scarf.owner)
        say(f"The plan is in {output}; to make exactly these changes: scarf-async apply {output}")
    differs = any(change.action != "uncompared" for change in changes)
    return Status.DIFFERENT if detailed_exitcode and differs else Status.DONE


@command
def show(
    *,
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan that `plan -o` has saved.")],
    view: _ViewOptions,
) -> None:
    """Show a saved plan, offline; needs no token.

    Example: scarf-async show acme.plan --full
    """
    from scarf_async.manifests.saved import read_changes  # noqa: PLC0415 # `--help` must not wait for it

    saved = read_changes(plan)
    view.show(saved.changes)
    say(f"This plan is for {saved.server}; to make exactly these changes: scarf-async apply {plan}")


@command
async def apply(
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE|PLAN", help="A manifest, or a plan that `plan -o` has saved.")
    ],
    compare: CompareOptions,
    options: ApplyOptions,
    connection: ClientOptions,
) -> Status:
    """Make an organization match a manifest; shows the difference and asks before changing anything.

    The first Ctrl-C or SIGTERM lets requests in flight finish and keeps the journal; the second stops at once.

    Example: scarf-async apply acme.yaml --journal acme.journal
    """
    async with connection.client(read_only=options.dry_run) as scarf:
        if not _is_plan(file):
            options.check_journal_is_new(connection)
            changes = await compare.compare(scarf, file, options.me)
            return await options.carry_out(scarf, changes, connection=connection)
        if compare != CompareOptions():
            raise ValidationError(
                f"{file} is a plan, which already says what to do: leave out --prune and --rewrite-addresses"
            )
        from scarf_async.manifests.saved import read_changes  # noqa: PLC0415

        changes = read_changes(file).for_server(connection.server, api=scarf.api, owner=scarf.owner)
        return await options.carry_out(scarf, changes, connection=connection, plan=file)


def _is_plan(file: Path) -> bool:
    """Return whether a file is a saved plan or a manifest, by its contents."""
    if not file.is_file():
        return False
    with file.open("rb") as content:
        head = content.read(_HEAD).lstrip()
    return head.startswith(b"{") and b'"scarf-async-changes"' in head
