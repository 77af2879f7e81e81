"""Rounds of several ways in turn, and servers in processes of their own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from time import perf_counter
from typing import TypeVar

__all__ = ["compiled", "in_turn", "on_uvloop", "seconds", "serve_forever", "server_process", "uvloop_factory"]

T = TypeVar("T")


def in_turn(ways: Sequence[Callable[[], float]], rounds: int, *, warm: bool = True) -> list[list[float]]:
    """Call each way once a round, so that what else the machine does meets all; return the figures of each.

    Args:
        ways: what to call; each returns a figure.
        rounds: how often.
        warm: whether a round before them is not counted: imports and first connections.
    """
    columns: list[list[float]] = [[] for _ in ways]
    if warm:
        for way in ways:
            way()
    for number in range(rounds):
        # Who goes first has what the one before left behind.
        order = list(zip(ways, columns, strict=True))
        for way, column in order if number % 2 == 0 else reversed(order):
            column.append(way())
    return columns


def seconds(way: Callable[[], object]) -> float:
    """Call once; return how long it took."""
    began = perf_counter()
    way()
    return perf_counter() - began


def uvloop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes a loop of uvloop; None where it is not installed."""
    if find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory


def on_uvloop(call: Coroutine[object, object, T]) -> T:
    """Run a coroutine on uvloop where it is installed; on asyncio's own loop else."""
    with asyncio.Runner(loop_factory=uvloop_factory()) as runner:
        return runner.run(call)


def compiled(directory: str) -> dict[str, str]:
    """Return an environment for processes that keep their bytecode below a directory.

    What is installed is compiled; a checkout may not be. A round that is not counted compiles it.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": directory}


def serve_forever(serve: Coroutine[object, object, None]) -> None:
    """Run a server on the faster loop."""
    on_uvloop(serve)


@contextmanager
def server_process(module: str, *arguments: str) -> Iterator[str]:
    """Run a module that serves, with these arguments; give the first line that it prints, and end it afterwards."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
