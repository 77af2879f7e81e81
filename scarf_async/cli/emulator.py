"""`scarf-async emulator`: a local Scarf to try things on."""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated

import typer

from scarf_async.cli.command import command
from scarf_async.cli.output import Status
from scarf_async.errors import ConfigurationError

__all__ = ["emulator"]

_KEPT_REQUESTS = 10_000


@command
async def emulator(
    *,
    database: Annotated[
        str, typer.Option(help="A file to keep the state in; by default it is forgotten.")
    ] = ":memory:",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8787,
    token: Annotated[str, typer.Option(help="The token that it takes; it opens nothing else.")] = "emulator-token",  # noqa: S107 # it opens nothing else
    events_per_day: Annotated[int, typer.Option(min=0, help="Invented events for each day of a package.")] = 50,
    error_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of answers that are 503 or 429.")] = 0.0,
    drop_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of connections dropped after the request took effect.")
    ] = 0.0,
    latency: Annotated[float, typer.Option(min=0, help="Seconds that every answer takes.")] = 0.0,
) -> Status:
    """Run a local Scarf server until Ctrl-C.

    Example: scarf-async emulator --database scarf.db --error-rate 0.05
    """
    import sqlite3  # noqa: PLC0415 # `--help` must not wait for a server's packages

    import anyio  # noqa: PLC0415

    from scarf_async.emulator import Emulator, Faults  # noqa: PLC0415

    try:
        faults = Faults(
            status={503: error_rate * 0.6, 429: error_rate * 0.4}, drop_after=drop_rate, latency=latency
        )
    except ValueError as error:
        raise ConfigurationError(f"--error-rate and --drop-rate: {error}") from None
    server = Emulator(
        database, token, host=host, port=port, events_per_day=events_per_day, keep_requests=_KEPT_REQUESTS
    )
    server.faults = faults
    async with aclosing(server):
        try:
            await server.start()
        except sqlite3.Error as error:
            raise ConfigurationError(f"--database {database}: {error}") from None
        typer.echo("A local Scarf is running. In another shell:", err=True)
        typer.echo(f"export SCARF_BASE_URL={server.url}")
        typer.echo(f"export SCARF_V2_URL={server.v2_url}")
        typer.echo(f"export SCARF_API_TOKEN={token}")
        typer.echo("Ctrl-C ends it.", err=True)
        await anyio.sleep_forever()
    return Status.DONE
