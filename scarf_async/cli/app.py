"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from scarf_async.cli import demo, emulator
from scarf_async.version import __version__

__all__ = ["app"]

app = typer.Typer(
    help="Manage packages on Scarf and export their events.",
    no_args_is_help=True,
    # A traceback with local variables would show what this package takes care never to show.
    pretty_exceptions_show_locals=False,
)
app.command("demo")(demo.command)
app.command("emulator")(emulator.command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"scarf-async {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Manage packages on Scarf and export their events."""
