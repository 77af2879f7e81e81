"""What a run asks of the place that its windows go to. All of it blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import attrs

from scarf_async.exports.jobs.manifest import Manifest, WindowEntry

__all__ = ["Destination", "Made", "Stage"]

Stage: TypeAlias = Literal["writing", "uploading", "loading"]
"""What is being done with a window that has been received."""


@attrs.frozen
class Made:
    """A file that is finished: where it is, and where it belongs, from the destination's root on."""

    part: Path
    path: str


class Destination(Protocol):
    """Where the windows of a job go, held by one run.

    Its methods are called in threads, several at once. After `close` none of them does anything: a cancelled task
    does not wait for its thread.
    """

    @property
    def path(self) -> Path | str:
        """Where it is, for the report."""

    @property
    def stage(self) -> Stage:
        """What it does with a window that has been received, for the progress."""

    @property
    def temporary(self) -> Path:
        """A local directory for what is not finished; it exists once the destination is open."""

    @property
    def manifest(self) -> Manifest:
        """What is there."""

    def open(self) -> None:
        """Take hold of it, and finish or forget what a killed run had begun.

        Raises:
            JobBusyError: another run holds it.
            ExportError: its content cannot be used, or belongs to another job.
            ValidationError: the job has no start, and nothing is there.
            OSError: it cannot be read or written.
        """

    def checkpoint(self) -> None:
        """Bring the manifest up to date, at the end of a run."""

    def close(self) -> None:
        """Let go of it, once nothing is being written."""

    def remember(self, *, limit_days: int | None = None, end_inclusive: bool | None = None) -> None:
        """Write down what the service has shown; None: nothing new."""

    def holds(self, entry: WindowEntry) -> bool:
        """Tell whether the files of a window are there, without reading them."""

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Put a window in the place of those that it overlaps; its files are the destination's now.

        Returns:
            False where the run is over.
        """
