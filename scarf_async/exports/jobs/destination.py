"""The interface of a destination of windows. All methods block."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import attrs

from scarf_async.exports.jobs.manifest import Manifest, WindowEntry

__all__ = ["Destination", "Made", "Stage"]

Stage: TypeAlias = Literal["writing", "uploading", "loading"]
"""The work on a received window."""


@attrs.frozen
class Made:
    """A finished file: its path, and its final path relative to the destination."""

    part: Path
    path: str


class Destination(Protocol):
    """The destination of the windows of a job, locked by one run.

    Its methods are called in threads, concurrently. After `close` they do nothing: a cancelled task does not wait
    for its thread.
    """

    @property
    def path(self) -> Path | str:
        """Its path or URL, for the report."""

    @property
    def stage(self) -> Stage:
        """The name of its work on a received window, for the progress."""

    @property
    def temporary(self) -> Path:
        """A local directory for unfinished files; it exists once the destination is open."""

    @property
    def manifest(self) -> Manifest:
        """The manifest."""

    def open(self) -> None:
        """Lock it, and finish or discard what a killed run had begun.

        Raises:
            JobBusyError: another run has locked it.
            ExportError: its contents cannot be used, or belong to another job.
            ValidationError: the job has no start, and the destination has no windows.
            OSError: it cannot be read or written.
        """

    def checkpoint(self) -> None:
        """Update the manifest at the end of a run."""

    def close(self) -> None:
        """Unlock it, once nothing is being written."""

    def remember(self, *, limit_days: int | None = None, end_inclusive: bool | None = None) -> None:
        """Record what the service has shown; None if there is nothing new."""

    def holds(self, entry: WindowEntry) -> bool:
        """Return whether the files of a window are there, without reading them."""

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Add a window, replacing those that it overlaps; the destination owns its files now.

        Returns:
            False if the run is over.
        """
