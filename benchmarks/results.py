"""What a benchmark found, as data, and what is made of it: the table, the file, the comparison. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median, quantiles
from typing import Literal

import attrs
import msgspec

__all__ = [
    "Better",
    "Change",
    "Result",
    "Saved",
    "changes",
    "changes_table",
    "dump",
    "load",
    "selected",
    "single",
    "table",
    "versus",
]

Better = Literal["more", "less"]
Verdict = Literal["ok", "missed", "reported"]
Direction = Literal["slower", "faster", "within the spread", "new", "not run"]
"""`slower` means worse: more memory, or more requests, too."""


@attrs.frozen(kw_only=True)
class Result:
    """One row of the table.

    Attributes:
        name: the benchmark and, after a dot, the row.
        what: what was measured.
        against: what it was measured against; empty for a figure without a comparison.
        unit: of `ours` and `theirs`.
        ours: the median of our rounds.
        theirs: the median of the others'; None for a figure without a comparison.
        ratio: the median of ours by theirs, round by round; None for a figure without a comparison.
        low: the lower quartile of the ratio, or of ours where there is none.
        high: the upper quartile.
        rounds: how many there were.
        better: whether more is better, or less.
        target: what the ratio, or ours, should be at least or at most; None for what is only reported.
    """

    name: str
    what: str
    against: str = ""
    unit: str
    ours: float
    theirs: float | None = None
    ratio: float | None = None
    low: float
    high: float
    rounds: int
    better: Better
    target: float | None = None

    @property
    def figure(self) -> float:
        """What the target is about: the ratio, or ours where there is none."""
        return self.ours if self.ratio is None else self.ratio

    @property
    def verdict(self) -> Verdict:
        """Whether the figure keeps to its target."""
        if self.target is None:
            return "reported"
        kept = self.figure >= self.target if self.better == "more" else self.figure <= self.target
        return "ok" if kept else "missed"


@attrs.frozen(kw_only=True)
class Saved:
    """A run of the benchmarks, as `--json` writes it.

    Attributes:
        machine: what it ran on.
        versions: of Python and of the packages.
        results: its rows.
        format: that it is such a file.
    """

    machine: Mapping[str, str]
    versions: Mapping[str, str]
    results: Sequence[Result]
    format: Literal["scarf-async-benchmarks"] = "scarf-async-benchmarks"


@attrs.frozen
class Change:
    """The outcome of a row since an older run: its figure then and now, None where it was not measured."""

    name: str
    before: float | None
    now: float | None
    direction: Direction


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high


def versus(
    name: str,
    what: str,
    against: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    unit: str,
    better: Better,
    target: float | None = None,
) -> Result:
    """Return the row of a comparison, from the figures of its rounds.

    >>> row = versus("a.b", "calls", "by hand", [8, 9, 9], [10, 10, 12], unit="1/s", better="more", target=0.8)
    >>> row.ours, row.theirs, row.ratio, row.verdict
    (9, 10, 0.8, 'ok')
    """
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    low, high = _quartiles(ratios)
    return Result(
        name=name,
        what=what,
        against=against,
        unit=unit,
        ours=median(ours),
        theirs=median(theirs),
        ratio=median(ratios),
        low=low,
        high=high,
        rounds=len(ratios),
        better=better,
        target=target,
    )


def single(
    name: str, what: str, ours: Sequence[float], *, unit: str, better: Better, target: float | None = None
) -> Result:
    """Return the row of a figure without a comparison, from its rounds."""
    low, high = _quartiles(ours)
    return Result(
        name=name,
        what=what,
        unit=unit,
        ours=median(ours),
        low=low,
        high=high,
        rounds=len(ours),
        better=better,
        target=target,
    )


def _number(value: float | None) -> str:
    """Write three figures that count, and no exponent.

    >>> [_number(value) for value in (12345.6, 123.4, 5.678, 0.81234, 0, None)]
    ['12,346', '123', '5.68', '0.812', '0', '']
    """
    if value is None:
        return ""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def _quantity(value: float | None, unit: str) -> str:
    return "" if value is None else f"{_number(value)} {unit}".strip()


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table that reads well as text."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in (lines[0], rule, *lines[1:])
    )


def table(results: Iterable[Result]) -> str:
    """Return the rows as a table; the spread is from quartile to quartile."""
    head = ("name", "what", "against", "ours", "theirs", "ratio", "spread", "rounds", "target", "verdict")
    rows = []
    for row in results:
        bound = {"more": "at least", "less": "at most"}[row.better]
        rows.append(
            (
                row.name,
                row.what,
                row.against,
                _quantity(row.ours, row.unit),
                _quantity(row.theirs, row.unit),
                _number(row.ratio),
                f"{_number(row.low)} to {_number(row.high)}" if row.rounds > 1 else "",
                str(row.rounds),
                "" if row.target is None else f"{bound} {_number(row.target)}",
                row.verdict,
            )
        )
    return _grid(head, rows)


def dump(saved: Saved) -> bytes:
    """Return a run as JSON."""
    return msgspec.json.format(msgspec.json.encode(saved), indent=2) + b"\n"


def load(told: bytes) -> Saved:
    """Read what `dump` made.

    Raises:
        ValueError: it is something else.
    """
    try:
        return msgspec.json.decode(told, type=Saved)
    except msgspec.DecodeError as error:
        # In msgspec's older versions it is none.
        raise ValueError(str(error)) from None


def _direction(before: Result, now: Result) -> Direction:
    if before.low <= now.high and now.low <= before.high:
        return "within the spread"
    return "faster" if (now.figure > before.figure) == (now.better == "more") else "slower"


def changes(before: Sequence[Result], now: Sequence[Result]) -> list[Change]:
    """Compare two runs by name, in the order of the later one.

    Where the quartiles of both overlap, no change can be told from the spread.
    """
    older = {row.name: row for row in before}
    newer = {row.name for row in now}
    found = []
    for row in now:
        old = older.get(row.name)
        if old is None:
            found.append(Change(row.name, None, row.figure, "new"))
        else:
            found.append(Change(row.name, old.figure, row.figure, _direction(old, row)))
    return found + [Change(row.name, row.figure, None, "not run") for row in before if row.name not in newer]


def changes_table(found: Iterable[Change]) -> str:
    """Return a comparison as a table: by its ratio where a row has one, else by the figure itself."""
    rows = []
    for change in found:
        by = ""
        if change.before and change.now is not None:
            by = f"{change.now / change.before - 1:+.0%}"
        rows.append((change.name, _number(change.before), _number(change.now), by, change.direction))
    return _grid(("name", "before", "now", "change", "verdict"), rows)


def selected(results: Iterable[Result], names: Sequence[str]) -> list[Result]:
    """Return the rows with these names or below them; all if there are no names."""
    return [
        row
        for row in results
        if not names or any(row.name == name or row.name.startswith(f"{name}.") for name in names)
    ]
