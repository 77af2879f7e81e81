"""`scarf-async demo`: an organization of real size, set up on a local Scarf server with faults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scarf_async.cli.command import command
from scarf_async.cli.output import Status, data_console, notes_console
from scarf_async.cli.records import AsJson
from scarf_async.entities import ApiVersion
from scarf_async.errors import ValidationError

__all__ = ["demo"]


@command
async def demo(
    *,
    api: Annotated[
        ApiVersion, typer.Option(help="The API version to use. In v2 the organization already exists.")
    ] = "v1",
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="In v2: allow permissions on users' packages only, which is all that v2 documents. By default"
            " they work on organizations' packages too.",
        ),
    ] = False,
    faults: Annotated[
        bool,
        typer.Option(
            help="Return 503 or 429 for 5% of requests, and drop 2% of connections after the request took effect."
        ),
    ] = True,
    seed: Annotated[int, typer.Option(help="Decides which requests the faults hit.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="How many requests to have in flight at once.")] = 32,
    latency: Annotated[float, typer.Option(min=0, help="Seconds by which every response is delayed.")] = 0.0,
    directory: Annotated[
        Path | None,
        typer.Option(
            help="Where the local server's state and the journal are kept; an interrupted run continues from there."
        ),
    ] = None,
    as_json: AsJson = False,
) -> Status:
    """Plan and apply an organization of 115 container images on a local Scarf server, and check the result.

    The first Ctrl-C or SIGTERM lets requests in flight finish and keeps the journal; the second stops at once.

    Example: scarf-async demo --seed 7
    """
    if strict and api == "v1":
        raise ValidationError("--strict needs --api v2")
    from scarf_async.cli.rehearsal import Rehearsal  # noqa: PLC0415 # `--help` must not wait for a whole client

    rehearsal = Rehearsal(
        faults=faults,
        seed=seed,
        concurrency=concurrency,
        latency=latency,
        directory=directory,
        api=api,
        strict=strict,
        as_json=as_json,
        # Then only the figures are data.
        console=notes_console() if as_json else data_console(),
    )
    return await rehearsal.run()
