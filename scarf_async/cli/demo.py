"""`scarf-async demo`: an organization of real size, set up on a local Scarf that misbehaves."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["command"]


def command(
    faults: Annotated[
        bool,
        typer.Option(help="Let 5% of answers be 503 or 429 and drop 2% of connections after the request worked."),
    ] = True,
    seed: Annotated[int, typer.Option(help="Decides which requests the faults hit.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests under way at the most.")] = 32,
) -> None:
    """Set up an organization of 115 container images on a local Scarf, and check that all of it is there.

    Example: scarf-async demo --seed 7
    """
    import anyio  # noqa: PLC0415 # `--help` must not wait for the packages of a whole client

    from scarf_async.cli.rehearsal import Rehearsal  # noqa: PLC0415

    try:
        holds = anyio.run(Rehearsal(faults=faults, seed=seed, concurrency=concurrency).run)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    raise typer.Exit(0 if holds else 1)
