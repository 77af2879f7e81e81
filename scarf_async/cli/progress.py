"""The progress of a transfer, on standard error if that is a terminal."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Self

from scarf_async.cli.output import notes_console
from scarf_async.text import counted

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Meter", "describe", "size_of"]


def size_of(count: float) -> str:
    """Return a readable size.

    >>> size_of(999), size_of(1_234_567)
    ('999 B', '1.2 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def describe(
    received: int,
    elapsed: float,
    *,
    total: int | None = None,
    rows: int | None = None,
    windows: tuple[int, int] | None = None,
    failed: int = 0,
) -> str:
    """Describe the progress; with a share only if the total is known.

    >>> describe(2_000_000, 4.0, total=8_000_000)
    '2.0 MB of 8.0 MB (25%)  500.0 kB/s'
    >>> describe(2_000_000, 4.0, rows=12_345, windows=(3, 12))
    '3 of 12 windows (25%)  2.0 MB  12,345 rows  500.0 kB/s'
    """
    parts = []
    if windows is not None:
        done, whole = windows
        parts.append(f"{done:,} of {counted(whole, 'window')} ({100 * done // max(whole, 1)}%)")
    if failed:
        parts.append(f"{failed} failed")
    parts.append(
        f"{size_of(received)} of {size_of(total)} ({100 * received // total}%)" if total else size_of(received)
    )
    if rows is not None:
        parts.append(counted(rows, "row"))
    if elapsed > 0:
        parts.append(f"{size_of(received / elapsed)}/s")
    return "  ".join(parts)


class Meter:
    """Shows one changing line, only on a terminal, and removes it at the end.

    Args:
        shown: False to show nothing, since it would mix with output on the same terminal.
    """

    def __init__(self, *, shown: bool = True) -> None:
        self._display: AbstractContextManager[Progress | None] = nullcontext()
        self._began = time.perf_counter()
        console = notes_console() if shown else None
        if console is not None and console.is_terminal:
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
            self._display = Progress(*columns, console=console, transient=True)
        self._progress: Progress | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since it was created."""
        return time.perf_counter() - self._began

    def __enter__(self) -> Self:
        self._progress = self._display.__enter__()
        if self._progress is not None:
            self._progress.add_task("waiting for the service", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._display.__exit__(kind, error, traceback)

    @property
    def is_shown(self) -> bool:
        """Whether it is shown."""
        return self._progress is not None

    def show(self, line: str) -> None:
        """Show the progress."""
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], description=line)
