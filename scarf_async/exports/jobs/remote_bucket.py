"""A prefix of an object store into which other machines upload windows (extra `cloud`). All of it blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs

from scarf_async.exports.jobs.bucket import Bucket
from scarf_async.exports.jobs.destination import Made
from scarf_async.exports.jobs.document import Document
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.place import Prefix

__all__ = ["SharedBucket", "UnheldBucket"]


class UnheldBucket(Bucket):
    """A prefix that another machine holds: windows are uploaded, and entering them is left to that.

    Args:
        place: the prefix.
        job: the job.
        server: as the manifest names it.
        there: the windows that are to be replaced.
        temporary: a directory for what is not finished.
    """

    def __init__(
        self, place: Prefix, job: ExportJob, server: str, there: Sequence[WindowEntry], temporary: Path
    ) -> None:
        super().__init__(place, job, server)
        self.temporary = temporary
        self._document = Document(attrs.evolve(self.manifest, windows=tuple(there)))
        self.entered: tuple[WindowEntry, Sequence[Made]] | None = None

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Upload its files, and tell of the window with their names, and of its list."""
        placed, path = self.upload(entry, made)
        self.entered = placed, [Made(Path(), path)]
        return True


class SharedBucket(Bucket):
    """The prefix of a job, held; its windows were uploaded by others."""

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """See to it that the manifest names a window; `made` is its list."""
        (listed,) = made
        return self.enter_uploaded(entry, listed.path)
