"""Shared parts of commands that change one entity."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar
from uuid import UUID

import attrs
import typer

from scarf_async.cli.naming import option_name
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.output import say
from scarf_async.cli.records import RecordOptions, plain, write_json
from scarf_async.entities import LibraryType
from scarf_async.entities.fields import without_user
from scarf_async.errors import NotFoundError, ReadOnlyError, ValidationError
from scarf_async.names import organization_key, package_key

if TYPE_CHECKING:
    from scarf_async.client import Scarf
    from scarf_async.dialects import Traits
    from scarf_async.entities import Package

__all__ = [
    "IfExists",
    "PackageChoice",
    "Type",
    "WriteOptions",
    "Yes",
    "asks",
    "need_change",
    "sent",
    "traits_of",
    "warn_of_type",
]

T = TypeVar("T", bound=attrs.AttrsInstance | None)

Type = Annotated[str | None, typer.Option(help="The package's type, if several packages have its name.")]
IfExists = Annotated[
    Literal["fail", "keep"],
    typer.Option(help="What to do if it exists: keep accepts an equal one and leaves it unchanged."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Skip confirmation.")]


@attrs.frozen(kw_only=True)
class PackageChoice:
    """The options that select a package."""

    package: Annotated[str, typer.Argument(metavar="PACKAGE", help="The package: OWNER/NAME, name or uuid.")]
    type: Type = None

    async def find(self, scarf: Scarf) -> Package:
        """Read the package; an owner in front of its name applies unless another one is given.

        Raises:
            ValidationError: several packages match.
            NotFoundError: there is no such package.
        """
        owner, slash, name = self.package.partition("/")
        of_owner = scarf.with_options(owner=owner) if slash and owner else scarf
        try:
            return await (of_owner if scarf.owner is None else scarf).packages.get(self.package, self.type)
        except NotFoundError:
            shown = await of_owner.packages.list() if slash else []
            found = [
                package
                for package in shown
                if organization_key(package.owner) == organization_key(owner)
                and package_key(package.name, owner) == package_key(name, owner)
                and self.type in {None, package.library_type}
            ]
            if not found:
                raise
        if len(found) > 1:
            types = ", ".join(str(package.library_type) for package in found)
            raise ValidationError(f"there are several packages {self.package!r}: choose one with --type: {types}")
        return found[0]

    async def identify(self, scarf: Scarf) -> str | Package:
        """Return the package's uuid; anything that may be a name is looked up."""
        try:
            return str(UUID(self.package))
        except ValueError:
            return await self.find(scarf)


@attrs.frozen(kw_only=True)
class WriteOptions:
    """The options of writes."""

    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; only say what would change.")] = False

    def client(self, connection: ClientOptions) -> Scarf:
        """Create the client; a read-only one for a dry run."""
        return connection.client(read_only=self.dry_run)

    async def carry_out(
        self,
        call: Awaitable[T],
        what: str,
        shown: RecordOptions | None = None,
        columns: Sequence[str] = (),
    ) -> T | None:
        """Make a change, print it, and return its result, which may be shown too; a dry run only prints the change.

        Raises:
            ScarfError: the change failed.
        """
        try:
            result = await call
        except ReadOnlyError:
            if not self.dry_run:
                raise
            say(f"Dry run, not sent: {what}")
            if shown is not None and shown.as_json:
                write_json({"dry_run": True, "change": what})
            return None
        say(f"{'Already applied' if self.dry_run else 'Done'}: {what}")
        if shown is not None and result is not None:
            shown.write(result, columns)
        elif shown is not None and shown.as_json:
            write_json({"dry_run": self.dry_run, "change": what})
        return result


def asks(yes: bool, writes: WriteOptions) -> bool:
    """Return whether a command asks before it removes something."""
    return not (yes or writes.dry_run)


def need_change(said: Mapping[str, object]) -> None:
    """Refuse an update without fields, before anything is sent.

    Args:
        said: the values of the fields; None if not given.

    Raises:
        ValidationError: no field is given.
    """
    if all(value is None for value in said.values()):
        raise ValidationError(f"there is nothing to change: give {', '.join(map(option_name, said))}")


def warn_of_type(word: str | None) -> None:
    """Warn about an unknown library type, which the service may still accept, and suggest a similar one."""
    if word is None or word in set(LibraryType):
        return
    from difflib import get_close_matches  # noqa: PLC0415 # hardly ever needed

    known = [str(kind) for kind in LibraryType]
    close = get_close_matches(word.lower(), known, 1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    say(f"Warning: the library type {word} is unknown; {hint}")


def traits_of(scarf: Scarf) -> Traits:
    """Return the properties of the version that a client calls."""
    from scarf_async.dialects import dialect_of  # noqa: PLC0415 # `--help` must not wait for it

    return dialect_of(scarf.api, scarf.owner).traits


def sent(entity: attrs.AttrsInstance) -> str:
    """Return the sent values of an entity for a message; a URL may contain a user and a password."""
    return ", ".join(
        f"{name} {'none' if value is None else without_user(str(value))}" for name, value in plain(entity).items()
    )
