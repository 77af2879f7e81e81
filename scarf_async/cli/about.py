"""`scarf-async version` and `scarf-async help`."""

from __future__ import annotations

from typing import Annotated

import typer

from scarf_async.cli.app import app
from scarf_async.cli.command import command
from scarf_async.cli.records import AsJson, write_json
from scarf_async.version import __version__

__all__ = ["help_", "version"]


@command
def version(*, as_json: AsJson = False) -> None:
    """Print the version.

    Example: scarf-async version
    """
    if as_json:
        write_json({"version": __version__})
    else:
        typer.echo(f"scarf-async {__version__}")


def help_(
    words: Annotated[list[str] | None, typer.Argument(metavar="COMMAND...", help="The command.")] = None,
) -> None:
    """Show the help of a command, like --help.

    Example: scarf-async help export job
    """
    app([*(words or []), "--help"])
