"""The two plots of the README: throughput by concurrency, and peak memory by the size of an export."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import matplotlib as mpl

mpl.use("svg")  # before pyplot, which would look for a screen
from matplotlib import pyplot as plt

from benchmarks.entity_calls import aiohttp_rate, httpx_rate, our_rate
from benchmarks.export_memory import KINDS, WHOLE, peak
from benchmarks.rounds import in_turn
from benchmarks.server import Behaviour, serving

__all__ = ["draw"]

_PLACE: Final = Path(__file__).resolve().parent
_AT_ONCE: Final = (1, 2, 4, 8, 16, 32, 64)
_CALLS: Final = 1_000
_ROUNDS: Final = 5
_MEGABYTES: Final = (1.5, 5, 15, 50, 150, 500)

_Rate = Callable[[str, int, int], Coroutine[object, object, float]]
_CLIENTS: Final[Mapping[str, _Rate]] = {
    "scarf_async": our_rate,
    "bare aiohttp": aiohttp_rate,
    "httpx": httpx_rate,
}


def _figure(
    name: str,
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    *,
    across: str,
    up: str,
    title: str,
    scale: str = "linear",
) -> None:
    # Without dates and random names, so that a plot changes only with its figures.
    with plt.rc_context({"svg.hashsalt": name, "font.size": 10}):
        figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
        for (label, y), marker in zip(lines.items(), "os^vD", strict=False):
            # Hollow and thin: where two lines coincide, both are seen.
            axes.plot(x, y, marker=marker, markersize=9 if marker == "s" else 5, fillstyle="none", label=label)
        axes.set_xscale("log")
        axes.set_xticks(x, labels=[f"{value:g}" for value in x])
        axes.minorticks_off()
        axes.set_yscale(scale)
        if scale == "linear":
            axes.set_ylim(bottom=0)
        axes.set(xlabel=across, ylabel=up, title=title)
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(_PLACE / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


def _once(rate: _Rate, url: str, at_once: int) -> float:
    return asyncio.run(rate(url, _CALLS, at_once))


def _rates() -> dict[str, list[float]]:
    lines: dict[str, list[float]] = {client: [] for client in _CLIENTS}
    with serving(Behaviour()) as server:
        for at_once in _AT_ONCE:
            ways = [partial(_once, rate, server.url, at_once) for rate in _CLIENTS.values()]
            for line, column in zip(lines.values(), in_turn(ways, _ROUNDS), strict=True):
                line.append(median(column))
    return lines


def draw() -> None:
    """Measure, and write both plots beside this file."""
    _figure(
        "throughput",
        _AT_ONCE,
        _rates(),
        across="calls at once",
        up="calls a second",
        title="Calls for a package, on loopback",
    )
    _figure(
        "memory",
        _MEGABYTES,
        {kind: [peak(kind, size).megabytes for size in _MEGABYTES] for kind in (*KINDS.values(), WHOLE)},
        across="MB of the export",
        up="peak memory of the process, MB",
        title="Reading an export",
        scale="log",
    )
