"""`scarf-async report`: an HTML report on an export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scarf_async.cli.command import command
from scarf_async.cli.output import say
from scarf_async.cli.progress import size_of
from scarf_async.cli.records import AsJson, write_json

__all__ = ["report"]


@command
def report(
    *,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Where `export job` wrote events: a directory or a prefix; or duckdb:PATH, a database that"
            " events were loaded into.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; its name must end in .html.")],
    title: Annotated[
        str | None, typer.Option(help="The title of the page. By default made of the packages' names.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an HTML report of exported events: how many downloads, by whom, of which versions.

    The report is one file that needs no network and names no account and no person. Needs the extra `data`, but no
    token.

    Example: scarf-async report acme -o acme.html
    """
    from scarf_async.data import reporting  # noqa: PLC0415 # `--help` must not wait for it

    # Report a wrong ending before the work, not after it.
    reporting.report_path(output)
    made = reporting.report(source, title=title)
    made.save(output)
    size = len(made.html().encode())
    if as_json:
        write_json({"path": str(output), "bytes": size})
    else:
        say(f"{output}: {size_of(size)}")
