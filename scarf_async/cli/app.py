"""The commands, each imported when it is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from scarf_async.cli.help import Command, Commands
from scarf_async.version import __version__

__all__ = ["app"]

_FIRST: Final = "To begin with"
_DECLARED: Final = "Organizations declared in a file"
_DAILY: Final = "One thing at a time"
_EVENTS: Final = "Events and aggregates"
_LOCAL: Final = "Local server"


class _Listed(NamedTuple):
    """A command in the help, and its place: a module, and a function or group in it."""

    panel: str
    place: str
    words: str


_COMMANDS: Final = {
    "check": _Listed(
        _FIRST,
        "check:check",
        "Check that token, version and owner work; if not, say what to change and end with status 1.",
    ),
    "plan": _Listed(
        _DECLARED, "plan:plan", "Show what differs between a manifest and the live organization; changes nothing."
    ),
    "show": _Listed(_DECLARED, "plan:show", "Show a saved plan, offline; needs no token."),
    "apply": _Listed(
        _DECLARED,
        "plan:apply",
        "Make an organization match a manifest; shows the difference and asks before changing anything.",
    ),
    "pull": _Listed(_DECLARED, "manifests:pull", "Write live organizations as a manifest."),
    "copy": _Listed(
        _DECLARED,
        "copying:copy",
        "Make an organization a copy of another; shows the difference and asks before changing anything.",
    ),
    "validate": _Listed(_DECLARED, "manifests:validate", "Check manifests offline; needs no token."),
    "schema": _Listed(_DECLARED, "manifests:schema", "Print the JSON Schema of manifests, for editors."),
    "search": _Listed(
        _DAILY, "users:search", "Search the packages and tracking pixels that the token's user can see (v2)."
    ),
    "load": _Listed(
        _EVENTS,
        "load:load",
        "Load events into a PostgreSQL or DuckDB table, window by window; run it again to continue.",
    ),
    "report": _Listed(
        _EVENTS,
        "report:report",
        "Make an HTML report of exported events: how many downloads, by whom, of which versions.",
    ),
    "demo": _Listed(
        _LOCAL,
        "demo:demo",
        "Plan and apply an organization of 115 container images on a local Scarf server, and check the result.",
    ),
    "emulator": _Listed(
        _LOCAL, "emulator:emulator", "Run a local Scarf server until Ctrl-C. It serves v1, v2 and v3 at once."
    ),
    "version": _Listed(_FIRST, "about:version", "Print the version."),
    "help": _Listed(_FIRST, "about:help_", "Show the help of a command, like --help."),
    "orgs": _Listed(_DAILY, "orgs:app", "Show, create and update organizations."),
    "members": _Listed(_DAILY, "members:app", "List, show, set and remove the members of an organization."),
    "packages": _Listed(
        _DAILY, "packages:app", "List, show, create, update and delete packages; show an overview."
    ),
    "permissions": _Listed(_DAILY, "permissions:app", "List and set the permissions on a package."),
    "routes": _Listed(_DAILY, "routes:app", "List, show, add, change and delete the routes of a file package."),
    "domains": _Listed(
        _DAILY, "domains:app", "List, show, add and delete the domains of a package; show the status of one."
    ),
    "pixels": _Listed(
        _DAILY, "pixels:app", "List, show, create, update and delete tracking pixels, and their domains (v2)."
    ),
    "collections": _Listed(
        _DAILY, "collections:app", "List, show, create, update and delete collections of docker images (v2)."
    ),
    "users": _Listed(_DAILY, "users:app", "Show an account, and the organizations of a user (v2)."),
    "export": _Listed(
        _EVENTS,
        "export:app",
        "Fetch events and counts to standard output or a file, or window by window into a directory or a bucket.",
    ),
    "imports": _Listed(
        _EVENTS, "imports:app", "Send your own events, and follow their imports (always through v2)."
    ),
}


class _Loaded(Mapping[str, TyperCommand | TyperGroup]):
    """The commands by name."""

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        return _load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


@cache
def _load(name: str) -> TyperCommand | TyperGroup:
    panel, place, _ = _COMMANDS[name]
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"scarf_async.cli.{module}"), attribute)
    alone = typer.Typer()
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name, rich_help_panel=panel)
    else:
        alone.command(name, rich_help_panel=panel)(found)
    _dress(alone)
    return typer.main.get_group(alone).commands[name]  # type: ignore[return-value] # typer has its click inside


def _dress(group: typer.Typer) -> None:
    """Give everything below a group our help."""
    for each in group.registered_commands:
        each.cls = Command
    for below in group.registered_groups:
        below.cls = Commands
        if below.typer_instance is not None:
            _dress(below.typer_instance)


class _Program(Commands):
    """The group of all commands."""

    def __init__(self, **attributes: object) -> None:
        super().__init__(**{**attributes, "commands": _Loaded()})  # type: ignore[arg-type] # as they came

    def listed(self) -> Iterator[tuple[str, str, str]]:
        """Yield the help of each command; a test compares it with the commands."""
        for name, (panel, _, words) in _COMMANDS.items():
            yield panel, name, words


app: typer.Typer = typer.Typer(
    cls=_Program,
    help="Manage packages on Scarf and export their events.",
    no_args_is_help=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # Options and words may be written with either.
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
    # A traceback with local variables would show secrets.
    pretty_exceptions_show_locals=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"scarf-async {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Manage packages on Scarf and export their events."""
