"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from scarf_async.cli import (
    check,
    collections,
    copying,
    demo,
    domains,
    emulator,
    export,
    imports,
    load,
    manifests,
    members,
    orgs,
    packages,
    permissions,
    pixels,
    plan,
    report,
    routes,
    users,
)
from scarf_async.cli.command import command
from scarf_async.cli.help import Command, Commands
from scarf_async.cli.records import AsJson, write_json
from scarf_async.version import __version__

__all__ = ["app"]


app: typer.Typer = typer.Typer(
    help="Manage packages on Scarf and export their events.",
    no_args_is_help=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # Options and words may be spelt with either.
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
    # A traceback with local variables would show what this package takes care never to show.
    pretty_exceptions_show_locals=False,
)
_FIRST = "To begin with"
_DECLARED = "Organizations declared in a file"
_DAILY = "One thing at a time"
_EVENTS = "Events and aggregates"
_LOCAL = "Local server"

app.command("check", rich_help_panel=_FIRST)(check.check)
app.command("plan", rich_help_panel=_DECLARED)(plan.plan)
app.command("show", rich_help_panel=_DECLARED)(plan.show)
app.command("apply", rich_help_panel=_DECLARED)(plan.apply)
app.command("pull", rich_help_panel=_DECLARED)(manifests.pull)
app.command("copy", rich_help_panel=_DECLARED)(copying.copy)
app.command("validate", rich_help_panel=_DECLARED)(manifests.validate)
app.command("schema", rich_help_panel=_DECLARED)(manifests.schema)
app.add_typer(orgs.app, name="orgs", rich_help_panel=_DAILY)
app.add_typer(members.app, name="members", rich_help_panel=_DAILY)
app.add_typer(packages.app, name="packages", rich_help_panel=_DAILY)
app.add_typer(permissions.app, name="permissions", rich_help_panel=_DAILY)
app.add_typer(routes.app, name="routes", rich_help_panel=_DAILY)
app.add_typer(domains.app, name="domains", rich_help_panel=_DAILY)
app.add_typer(pixels.app, name="pixels", rich_help_panel=_DAILY)
app.add_typer(collections.app, name="collections", rich_help_panel=_DAILY)
app.add_typer(users.app, name="users", rich_help_panel=_DAILY)
app.command("search", rich_help_panel=_DAILY)(users.search)
app.add_typer(export.app, name="export", rich_help_panel=_EVENTS)
app.command("load", rich_help_panel=_EVENTS)(load.load)
app.command("report", rich_help_panel=_EVENTS)(report.report)
app.add_typer(imports.app, name="imports", rich_help_panel=_EVENTS)
app.command("demo", rich_help_panel=_LOCAL)(demo.demo)
app.command("emulator", rich_help_panel=_LOCAL)(emulator.emulator)


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


@app.command("version", rich_help_panel=_FIRST)
@command
def version_(*, as_json: AsJson = False) -> None:
    """Print the version.

    Example: scarf-async version
    """
    if as_json:
        write_json({"version": __version__})
    else:
        typer.echo(f"scarf-async {__version__}")


@app.command("help", rich_help_panel=_FIRST)
def help_(
    words: Annotated[list[str] | None, typer.Argument(metavar="COMMAND...", help="The command.")] = None,
) -> None:
    """Show the help of a command, like --help.

    Example: scarf-async help export job
    """
    app([*(words or []), "--help"])


def _dress(group: typer.Typer) -> None:
    """Let everything below a group show our help."""
    group.info.cls = Commands
    for each in group.registered_commands:
        each.cls = Command
    for below in group.registered_groups:
        below.cls = Commands
        if below.typer_instance is not None:
            _dress(below.typer_instance)


_dress(app)
