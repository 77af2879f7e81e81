"""`scarf-async emulator`: a local Scarf to try things on."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["command"]

_KEPT_REQUESTS = 10_000


def command(  # noqa: PLR0917 # typer calls it by name
    database: Annotated[
        str, typer.Option(help="A file to keep the state in; by default it is forgotten.")
    ] = ":memory:",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.")] = 8787,
    token: Annotated[str, typer.Option(help="The token that it takes; it opens nothing else.")] = "emulator-token",  # noqa: S107 # it opens nothing else
    events_per_day: Annotated[int, typer.Option(help="Invented events for each day of a package.")] = 50,
    error_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of answers that are 503 or 429.")] = 0.0,
    drop_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of connections dropped after the request took effect.")
    ] = 0.0,
    latency: Annotated[float, typer.Option(min=0, help="Seconds that every answer takes.")] = 0.0,
) -> None:
    """Run a local Scarf server until Ctrl-C.

    Example: scarf-async emulator --database scarf.db --error-rate 0.05
    """
    import anyio  # noqa: PLC0415 # `--help` must not wait for a server's packages

    from scarf_async.emulator import Emulator, Faults  # noqa: PLC0415

    async def serve() -> None:
        async with Emulator(
            database,
            token,
            host=host,
            port=port,
            events_per_day=events_per_day,
            keep_requests=_KEPT_REQUESTS,
        ) as emulator:
            emulator.faults = Faults(
                status={503: error_rate * 0.6, 429: error_rate * 0.4}, drop_after=drop_rate, latency=latency
            )
            typer.echo("A local Scarf is running. In another shell:", err=True)
            typer.echo(f"export SCARF_BASE_URL={emulator.url}")
            typer.echo(f"export SCARF_V2_URL={emulator.v2_url}")
            typer.echo(f"export SCARF_API_TOKEN={token}")
            typer.echo("Ctrl-C ends it.", err=True)
            await anyio.sleep_forever()

    try:
        anyio.run(serve)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
