"""Confirmation of irreversible actions, and signals during them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scarf_async.cli.signals import reacting
from scarf_async.errors import GuardError
from scarf_async.text import printable

if TYPE_CHECKING:
    import asyncio

__all__ = ["confirm", "stoppable"]


async def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation, unless it was given on the command line; anything but yes means no.

    Raises:
        GuardError: it was not confirmed, or the command cannot ask because it does not run in a terminal.
    """
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise GuardError("nothing was changed: there is no terminal to confirm on; give --yes to skip confirmation")
    from anyio.to_thread import run_sync  # noqa: PLC0415 # `--help` must not wait for it

    # Waiting for the answer must not block Ctrl-C.
    answer = await run_sync(_ask, question, abandon_on_cancel=True)
    if answer.strip().lower() not in {"y", "yes"}:
        raise GuardError("nothing was changed: the answer was not yes")


def _ask(question: str) -> str:
    print(f"{printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()


@contextmanager
def stoppable(on_first: Callable[[], object]) -> Iterator[asyncio.Event]:
    """Let the first signal set an event and the second end the block; the code after the block then runs.

    Args:
        on_first: called at the first signal.
    """
    import asyncio  # noqa: PLC0415 # `--help` must not wait for it

    import anyio  # noqa: PLC0415

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with anyio.CancelScope() as scope:

        def stop_or_cancel() -> None:
            if stop.is_set():
                scope.cancel()
                return
            stop.set()
            on_first()

        with reacting(lambda: loop.call_soon_threadsafe(stop_or_cancel)):
            yield stop
