"""What the benchmarks make of their figures: verdicts, the table, the file and the comparison."""

from __future__ import annotations

import sys
from pathlib import Path

import attrs
import pytest

# The benchmarks are not installed. Last, so that an installed scarf_async is the one that is tested.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import machine, versions
from benchmarks.results import (
    Better,
    Result,
    Saved,
    changes,
    changes_table,
    dump,
    load,
    selected,
    single,
    table,
    versus,
)
from benchmarks.rounds import in_turn

FASTER = versus(
    "calls.aiohttp", "calls", "aiohttp", [90, 95, 80], [100, 100, 100], unit="1/s", better="more", target=0.85
)
SMALLER = single("memory", "growth", [18.0], unit="MB", better="less", target=16)


def ratio(low: float, middle: float, high: float, better: Better = "more") -> Result:
    """Return a row with this spread."""
    return attrs.evolve(FASTER, ratio=middle, low=low, high=high, better=better)


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    """Each round is compared with itself: a slow minute of the machine meets both."""
    row = versus("a", "a", "b", [10, 50, 9], [10, 100, 10], unit="1/s", better="more")
    assert (row.ours, row.theirs, row.ratio) == (10, 10, 0.9)
    assert [row.low, row.high, row.rounds] == pytest.approx([0.7, 0.95, 3])


@pytest.mark.parametrize(
    ("better", "target", "verdict"),
    [
        ("more", 0.9, "ok"),
        ("more", 0.91, "missed"),
        ("less", 0.9, "ok"),
        ("less", 0.89, "missed"),
        ("less", None, "reported"),
    ],
)
def test_a_verdict_knows_which_way_is_better(better: Better, target: float | None, verdict: str) -> None:
    """A target is the least or the most, and may be met exactly."""
    assert attrs.evolve(FASTER, better=better, target=target).verdict == verdict


def test_a_figure_alone_is_judged_by_itself() -> None:
    """Where there is nothing to compare with, the target is about the figure."""
    assert (SMALLER.figure, SMALLER.verdict, SMALLER.low, SMALLER.high) == (18.0, "missed", 18.0, 18.0)


def test_the_table_is_aligned_and_has_every_row() -> None:
    """It is a Markdown table whose lines are of one length, so that it reads as text."""
    lines = table([FASTER, SMALLER]).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells == [
        "calls.aiohttp",
        "calls",
        "aiohttp",
        "90 1/s",
        "100 1/s",
        "0.900",
        "0.850 to 0.925",
        "3",
        "at least 0.850",
        "ok",
    ]
    assert [cell.strip() for cell in lines[3].strip("|").split("|")][-2:] == ["at most 16", "missed"]


def test_what_is_saved_is_read_back() -> None:
    """The file holds all of a run."""
    saved = Saved(machine={"cores": "2"}, versions={"python": "3.13"}, results=[FASTER, SMALLER])
    assert load(dump(saved)) == saved


@pytest.mark.parametrize("told", [b"", b"[]", b'{"format":"other","machine":{},"versions":{},"results":[]}'])
def test_another_file_is_refused(told: bytes) -> None:
    """What `--json` did not write is not a run."""
    with pytest.raises(ValueError, match=r".+"):
        load(told)


@pytest.mark.parametrize(
    ("before", "now", "direction"),
    [
        (ratio(0.8, 0.9, 1.0), ratio(0.7, 0.75, 0.8), "within the spread"),
        (ratio(0.8, 0.9, 1.0), ratio(0.6, 0.7, 0.79), "slower"),
        (ratio(0.8, 0.9, 1.0), ratio(1.1, 1.2, 1.3), "faster"),
        (ratio(0.8, 0.9, 1.0, "less"), ratio(1.1, 1.2, 1.3, "less"), "slower"),
        (ratio(0.8, 0.9, 1.0, "less"), ratio(0.5, 0.6, 0.7, "less"), "faster"),
    ],
)
def test_only_what_leaves_the_spread_has_changed(before: Result, now: Result, direction: str) -> None:
    """Spreads that overlap tell of no change; else the row's own direction decides."""
    (change,) = changes([before], [now])
    assert (change.name, change.before, change.now) == (before.name, before.figure, now.figure)
    assert change.direction == direction


def test_rows_of_one_run_alone_are_told() -> None:
    """A comparison says what is new and what was not run."""
    found = changes([FASTER], [SMALLER])
    assert [(change.name, change.direction) for change in found] == [
        ("memory", "new"),
        ("calls.aiohttp", "not run"),
    ]


def test_the_comparison_tells_the_change() -> None:
    """It shows both figures and by how much they differ, and takes a figure of nothing."""
    shown = changes_table(changes([ratio(0.8, 0.9, 1.0), SMALLER], [ratio(0.4, 0.45, 0.5), SMALLER])).splitlines()
    assert "0.900  | 0.450 | -50%   | slower" in shown[2]
    nothing = attrs.evolve(SMALLER, ours=0.0, low=0.0, high=0.0)
    assert "| 0      | 18  |        | slower" in changes_table(changes([nothing], [SMALLER]))


def test_rows_are_selected_by_name_or_benchmark() -> None:
    """A benchmark's name stands for all its rows, but no name for one that only begins like it."""
    rows = [FASTER, attrs.evolve(FASTER, name="calls.httpx"), attrs.evolve(FASTER, name="calls_more"), SMALLER]
    assert selected(rows, ["calls"]) == rows[:2]
    assert selected(rows, ["calls.httpx", "memory"]) == [rows[1], SMALLER]
    assert selected(rows, []) == rows


def test_rounds_go_in_turn() -> None:
    """Each round calls every way once, the first of one is the last of the next, and warming up is not counted."""
    called: list[str] = []

    def way(name: str) -> float:
        called.append(name)
        return len(called)

    assert in_turn([lambda: way("a"), lambda: way("b")], 2) == [[3, 6], [4, 5]]
    assert called == ["a", "b", "a", "b", "b", "a"]


def test_neither_host_nor_place_is_told() -> None:
    """What is saved of the machine is its kind."""
    assert set(machine()) == {"system", "architecture", "processor", "cores", "load"}
    assert {"python", "aiohttp"} <= set(versions())
